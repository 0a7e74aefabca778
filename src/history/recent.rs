//! The last minutes of every figure that a screen draws over time, by node, backend and server.

use super::{
    balancer::BalancerHistory,
    series::{Ring, SAMPLES_MAX, Series},
};
use crate::model::{
    figure::Figure,
    haproxy::HaproxyFacts,
    host::HostFacts,
    ids::{NodeName, ProxyName, ServerName},
    time::Mono,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Figures of a host that are kept over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostFigure {
    /// Percent of CPU time that is neither idle nor iowait.
    CpuBusy,
    /// Percent of CPU time.
    Iowait,
    /// Percent of CPU time.
    Steal,
    /// Percent of memory.
    MemoryUsed,
    /// Load over one minute.
    LoadOneMinute,
    /// Percent of the window in which all tasks stalled on IO.
    IoFull,
    /// Bits received per second by the busiest interface.
    NetReceived,
    /// Bits sent per second by the busiest interface.
    NetSent,
    /// Longest mean wait of any disk, milliseconds.
    DiskWorstWait,
    /// Busiest disk, percent.
    DiskBusiest,
}

/// How many figures a host has.
const HOST_FIGURES: usize = 10;

/// Figures of a backend or a server that are kept over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficFigure {
    /// Sessions now.
    Sessions,
    /// Requests that wait.
    Queue,
    /// Sessions per second.
    Rate,
    /// 5xx answers in percent of all, or failures per second where there are no answers (TCP).
    Errors,
}

/// Hosts that are kept; a full one takes 43 kB.
pub const HOSTS_MAX: usize = 512;
/// Backends and servers that are kept of one load balancer; each takes 9.6 kB when full.
pub const ROWS_MAX: usize = 2_048;
/// Load balancers that are kept. Memory follows what there is: ten hosts and two balancers of thirty rows take 1 MB,
/// two balancers of a thousand servers 20 MB.
pub const BALANCERS_MAX: usize = 16;

/// One series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say what they name")]
pub enum SeriesKey {
    Host { node: NodeName, figure: HostFigure },
    Backend { node: NodeName, backend: ProxyName, figure: TrafficFigure },
    Server { node: NodeName, backend: ProxyName, server: ServerName, figure: TrafficFigure },
}

/// The last ten minutes (at one poll a second) of every figure. Each `push` is one poll; a poll that gave nothing is a
/// gap, and so is each interval in which there was no poll.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    host_interval_ms: u64,
    haproxy_interval_ms: u64,
    hosts: BTreeMap<NodeName, HostHistory>,
    balancers: BTreeMap<NodeName, BalancerHistory>,
    /// Things of which no history is kept, because the bounds were reached; of the last poll.
    pub left_out: usize,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct HostHistory {
    newest: Option<Mono>,
    ring: Ring,
}

impl History {
    /// An empty history of polls that come at these intervals.
    pub fn new(host_interval_ms: u64, haproxy_interval_ms: u64) -> Self {
        Self {
            host_interval_ms: host_interval_ms.max(1),
            haproxy_interval_ms: haproxy_interval_ms.max(1),
            hosts: BTreeMap::new(),
            balancers: BTreeMap::new(),
            left_out: 0,
        }
    }

    /// A host was read.
    pub fn push_host(&mut self, node: &NodeName, facts: &HostFacts, at: Mono) {
        let figures = host_figures(facts);
        if let Some(ring) = self.host_ring(node, at) {
            ring.push(figures);
        }
    }

    /// Reading a host failed.
    pub fn push_host_gap(&mut self, node: &NodeName, at: Mono) {
        if let Some(ring) = self.host_ring(node, at) {
            ring.push_gaps(1);
        }
    }

    /// A load balancer was read.
    pub fn push_haproxy(&mut self, node: &NodeName, facts: &HaproxyFacts, at: Mono) {
        if !self.balancers.contains_key(node) && self.balancers.len() >= BALANCERS_MAX {
            self.left_out = facts.sample.backends.iter().map(|backend| backend.servers.len() + 1).sum();
            return;
        }
        let interval_ms = self.haproxy_interval_ms;
        let balancer = self.balancers.entry(node.clone()).or_default();
        balancer.fill_gaps(at, interval_ms);
        self.left_out = balancer.push(facts);
    }

    /// Reading a load balancer failed.
    pub fn push_haproxy_gap(&mut self, node: &NodeName, at: Mono) {
        if let Some(balancer) = self.balancers.get_mut(node) {
            balancer.fill_gaps(at, self.haproxy_interval_ms);
            balancer.push_gap();
        }
    }

    /// The samples of one figure; `None` when nothing was ever pushed for it.
    pub fn series(&self, key: &SeriesKey) -> Option<Series<'_>> {
        match key {
            SeriesKey::Host { node, figure } => self.host(node, *figure),
            SeriesKey::Backend { node, backend, figure } => self.balancers.get(node)?.series(backend, None, *figure),
            SeriesKey::Server { node, backend, server, figure } => {
                self.balancers.get(node)?.series(backend, Some(server), *figure)
            }
        }
    }

    /// The samples of one figure of a host.
    pub fn host(&self, node: &NodeName, figure: HostFigure) -> Option<Series<'_>> {
        Some(self.hosts.get(node)?.ring.series(figure as usize))
    }

    /// The ring of a host with everything up to `at` filled in; `None` beyond the bound.
    fn host_ring(&mut self, node: &NodeName, at: Mono) -> Option<&mut Ring> {
        if !self.hosts.contains_key(node) && self.hosts.len() >= HOSTS_MAX {
            return None;
        }
        let interval_ms = self.host_interval_ms;
        let host = self.hosts.entry(node.clone()).or_default();
        host.ring.push_gaps(missed(host.newest, at, interval_ms));
        host.newest = Some(at);
        Some(&mut host.ring)
    }
}

/// Whole intervals without a poll between `newest` and `at`; half an interval of jitter is none.
pub(super) fn missed(newest: Option<Mono>, at: Mono, interval_ms: u64) -> u64 {
    let Some(newest) = newest else { return 0 };
    ((at.since_ms(newest) + interval_ms / 2) / interval_ms).saturating_sub(1).min(SAMPLES_MAX as u64)
}

pub(super) fn small(figure: Figure<f64>) -> Option<f32> {
    figure.known().map(|value| value as f32)
}

/// In the order of [`HostFigure`].
fn host_figures(facts: &HostFacts) -> [Option<f32>; HOST_FIGURES] {
    let cpu = facts.cpu;
    let load = facts.sample.load.map(|load| load.one_minute);
    let largest = |figures: &mut dyn Iterator<Item = Figure<f64>>| figures.filter_map(small).reduce(f32::max);
    // A bridge, bond or VLAN carries the same bytes as the card below it: the largest interface stands for the host.
    let received = largest(&mut facts.interfaces.iter().map(|one| one.rx_bits_per_s));
    let sent = largest(&mut facts.interfaces.iter().map(|one| one.tx_bits_per_s));
    let wait = largest(&mut facts.disks.iter().flat_map(|disk| [disk.read_await_ms, disk.write_await_ms]));
    let busiest = largest(&mut facts.disks.iter().map(|disk| disk.busy_percent));
    [
        small(cpu.map(|cpu| cpu.busy())),
        small(cpu.map(|cpu| cpu.iowait)),
        small(cpu.map(|cpu| cpu.steal)),
        small(facts.memory_used_percent),
        small(load),
        small(facts.io_full_percent),
        received,
        sent,
        wait,
        busiest,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{history::haproxy::samples::sample, model::haproxy::HaproxySample};

    fn node(name: &str) -> NodeName {
        name.into()
    }

    fn host(load: f64) -> HostFacts {
        let mut facts = HostFacts::default();
        let load = crate::model::host::Load { one_minute: load, ..Default::default() };
        facts.sample.load = Figure::Known(load);
        facts
    }

    fn balancer(sample: HaproxySample) -> HaproxyFacts {
        HaproxyFacts { sample, ..HaproxyFacts::default() }
    }

    fn loads(history: &History) -> Vec<Option<f32>> {
        history.host(&node("n"), HostFigure::LoadOneMinute).unwrap().iter().collect()
    }

    #[test]
    fn invariant_3_a_missed_poll_is_a_gap() {
        let mut history = History::new(1000, 1000);
        history.push_host(&node("n"), &host(1.0), Mono(10_000));
        history.push_host(&node("n"), &host(2.0), Mono(11_300)); // late, and no gap
        history.push_host_gap(&node("n"), Mono(12_000));
        history.push_host(&node("n"), &host(3.0), Mono(15_000)); // two polls never ran
        assert_eq!(loads(&history), [Some(1.0), Some(2.0), None, None, None, Some(3.0)]);
        assert!(history.host(&node("n"), HostFigure::CpuBusy).unwrap().max().is_none());
    }

    #[test]
    fn servers_that_leave_get_gaps_and_are_forgotten() {
        let mut history = History::new(1000, 1000);
        let key = |server: &str| SeriesKey::Server {
            node: node("lb"),
            backend: "web".into(),
            server: server.into(),
            figure: TrafficFigure::Sessions,
        };
        let with = |names: &[&str]| {
            let mut sample = sample(1, 1, 5, names);
            for server in &mut sample.backends[0].servers {
                server.traffic.sessions_current = Figure::Known(7);
            }
            balancer(sample)
        };
        history.push_haproxy(&node("lb"), &with(&["a", "b", "c"]), Mono(1000));
        history.push_haproxy(&node("lb"), &with(&["new", "a", "c"]), Mono(2000));
        let samples = |key| history.series(&key).unwrap().iter().collect::<Vec<_>>();
        assert_eq!(samples(key("a")), [Some(7.0), Some(7.0)]);
        assert_eq!(samples(key("b")), [Some(7.0), None]);
        assert_eq!(samples(key("new")), [None, Some(7.0)], "before it was there: a gap");
        for second in 3..5 + SAMPLES_MAX as u64 {
            history.push_haproxy(&node("lb"), &with(&["a"]), Mono(second * 1000));
        }
        assert!(history.series(&key("b")).is_none() && history.series(&key("a")).is_some());
    }

    #[test]
    fn invariant_8_the_number_of_series_is_bounded() {
        let mut history = History::new(1000, 1000);
        let names: Vec<String> = (0..ROWS_MAX + 9).map(|index| format!("s{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let facts = balancer(sample(1, 1, 5, &names));
        for second in 1..4 {
            history.push_haproxy(&node("lb1"), &facts, Mono(second * 1000));
            assert_eq!(history.left_out, 10, "the backend takes one place");
        }
        for index in 0..HOSTS_MAX + 5 {
            history.push_host(&node(&format!("n{index}")), &host(1.0), Mono(1000));
            history.push_haproxy(&node(&format!("lb{index}")), &balancer(sample(1, 1, 5, &["a"])), Mono(9000));
        }
        assert_eq!((history.hosts.len(), history.balancers.len()), (HOSTS_MAX, BALANCERS_MAX));
    }

    #[test]
    fn a_history_survives_being_written_down() {
        let mut history = History::new(1000, 2000);
        history.push_host(&node("n"), &host(1.0), Mono(10_000));
        history.push_haproxy(&node("lb"), &balancer(sample(1, 1, 5, &["a"])), Mono(1000));
        let back: History = serde_json::from_str(&serde_json::to_string(&history).unwrap()).unwrap();
        assert_eq!(back, history);
    }
}
