//! The last minutes of every figure that a screen draws over time, by node, backend and server.

use super::{
    balancer::BalancerHistory,
    coarse::Coarse,
    series::{Ring, SAMPLES_MAX, Series},
    shelf::{Name, Shelves},
};
use crate::model::{
    figure::Figure,
    haproxy::HaproxyFacts,
    host::HostFacts,
    hypervisor::HypervisorFacts,
    ids::{NodeName, ProxyName, ServerName},
    linux_bridge::{LinuxBridge, LinuxBridgePort},
    mysql::MysqlFacts,
    ovs::{OvsFacts, SwitchedRates},
    ovs_daemon::OvsLive,
    text::Clean,
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

/// How many figures a database has.
const DATABASE_FIGURES: usize = 5;
/// How many figures a port has.
const PORT_FIGURES: usize = 3;
/// How many figures a guest has.
const GUEST_FIGURES: usize = 2;

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

/// Figures of a database that are kept over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseFigure {
    /// Statements of clients per second.
    Statements,
    /// Of these, those that change rows.
    Writes,
    /// Threads that do something.
    Running,
    /// Sessions that wait for rows of others, on average.
    RowLocks,
    /// Milliseconds that the worst channel is behind; a gap while that is unknown.
    Lag,
}

/// Figures of a switch's port that are kept over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortFigure {
    /// Bits per second that the switch received there.
    Received,
    /// Bits per second that it sent.
    Sent,
    /// Packets per second that were dropped, both ways.
    Dropped,
}

/// Figures of a guest that are kept over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestFigure {
    /// Percent of its virtual CPUs.
    Cpu,
    /// Percent of them that it waited for a real one.
    Steal,
}

/// Databases that are kept; each takes 12 kB of polls and 13.4 kB of coarser steps.
pub const DATABASES_MAX: usize = 128;
/// Ports of all switches together that are kept, and as many of plain bridges; each takes 7.2 kB of polls and 8.1 kB of
/// coarser steps.
pub const PORTS_MAX: usize = 1_024;
/// Guests of all hypervisors together that are kept; each takes 4.8 kB of polls and 5.4 kB of coarser steps. What is full
/// of all that takes 46 MB, and a switch or hypervisor 41 kB for its rows.
pub const GUESTS_MAX: usize = 1_024;

/// Hosts that are kept; a full one takes 43 kB of polls and 43 kB of coarser steps.
pub const HOSTS_MAX: usize = 512;
/// Backends and servers that are kept of one load balancer; each takes 9.6 kB of polls
/// and 10.8 kB of coarser steps.
pub const ROWS_MAX: usize = 2_048;
/// Load balancers that are kept. Memory follows what there is: ten hosts and two balancers of thirty rows take 2 MB,
/// two balancers of a thousand servers 42 MB.
pub const BALANCERS_MAX: usize = 16;

/// One series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say what they name")]
pub enum SeriesKey {
    Host { node: NodeName, figure: HostFigure },
    Backend { node: NodeName, backend: ProxyName, figure: TrafficFigure },
    Server { node: NodeName, backend: ProxyName, server: ServerName, figure: TrafficFigure },
    Database { node: NodeName, figure: DatabaseFigure },
    Port { node: NodeName, bridge: Clean, interface: Clean, figure: PortFigure },
    Guest { node: NodeName, guest: Clean, figure: GuestFigure },
}

/// The last ten minutes (at one poll a second) of every figure. Each `push` is one poll; a poll that gave nothing is a
/// gap, and so is each interval in which there was no poll.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    host_interval_ms: u64,
    haproxy_interval_ms: u64,
    hosts: BTreeMap<NodeName, HostHistory>,
    balancers: BTreeMap<NodeName, BalancerHistory>,
    #[serde(default)]
    databases: Shelves,
    #[serde(default)]
    ports: Shelves,
    /// Of plain bridges, which are read with their hosts.
    #[serde(default)]
    plain_ports: Shelves,
    #[serde(default)]
    guests: Shelves,
    /// Things of which no history is kept, because the bounds were reached; of the last poll.
    pub left_out: usize,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct HostHistory {
    newest: Option<Mono>,
    ring: Ring,
    #[serde(default)]
    coarse: Coarse,
}

impl History {
    /// An empty history of polls that come at these intervals.
    pub fn new(host_interval_ms: u64, haproxy_interval_ms: u64) -> Self {
        Self {
            host_interval_ms: host_interval_ms.max(1),
            haproxy_interval_ms: haproxy_interval_ms.max(1),
            hosts: BTreeMap::new(),
            balancers: BTreeMap::new(),
            databases: Shelves::default(),
            ports: Shelves::default(),
            plain_ports: Shelves::default(),
            guests: Shelves::default(),
            left_out: 0,
        }
    }

    /// A host was read.
    pub fn push_host(&mut self, node: &NodeName, facts: &HostFacts, at: Mono) {
        let figures = host_figures(facts);
        if let Some(host) = self.host_at(node, at) {
            host.coarse.push(&figures, at);
            host.ring.push(figures);
        }
    }

    /// Reading a host failed.
    pub fn push_host_gap(&mut self, node: &NodeName, at: Mono) {
        self.plain_ports.push_gap(node, at);
        if let Some(host) = self.host_at(node, at) {
            host.ring.push_gaps(1);
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

    /// A database was read; it is read every `interval_ms`.
    pub fn push_database(&mut self, node: &NodeName, facts: &MysqlFacts, at: Mono, interval_ms: u64) {
        let things = [((Clean::default(), Clean::default()), database_figures(facts))];
        self.databases.push(node, &things, (at, interval_ms), DATABASES_MAX);
    }

    /// A switch's counters were read.
    pub fn push_ports(
        &mut self,
        node: &NodeName,
        facts: &OvsFacts,
        live: Option<&OvsLive>,
        at: Mono,
        interval_ms: u64,
    ) {
        let port = |(bridge, _, interface): (&crate::model::ovs::Bridge, _, &crate::model::ovs::Interface)| {
            let rates = super::ovs::rates_of(facts, live, interface, at);
            ((bridge.name.clone(), interface.name.clone()), port_figures(&rates))
        };
        let things: Vec<(Name, [Option<f32>; PORT_FIGURES])> = facts.sample.interfaces().map(port).collect();
        self.ports.push(node, &things, (at, interval_ms), PORTS_MAX);
    }

    /// A host with plain bridges was read.
    pub fn push_plain_ports(&mut self, node: &NodeName, bridges: &[LinuxBridge], host: &HostFacts, at: Mono) {
        let of = |bridge: &LinuxBridge, port: &LinuxBridgePort| {
            let rates = super::linux_bridge::rates_of(Some(host), port);
            ((bridge.name.clone(), port.name.clone()), port_figures(&rates))
        };
        let things: Vec<(Name, [Option<f32>; PORT_FIGURES])> =
            bridges.iter().flat_map(|bridge| bridge.ports.iter().map(move |port| of(bridge, port))).collect();
        self.plain_ports.push(node, &things, (at, self.host_interval_ms), PORTS_MAX);
    }

    /// The guests of a hypervisor were read.
    pub fn push_guests(&mut self, node: &NodeName, facts: &HypervisorFacts, at: Mono, interval_ms: u64) {
        let guest =
            |(domain, rates): (&crate::model::hypervisor::DomainSample, &crate::model::hypervisor::DomainRates)| {
                ((Clean::default(), domain.name.clone()), [small(rates.cpu_percent), small(rates.steal_percent)])
            };
        let things: Vec<(Name, [Option<f32>; GUEST_FIGURES])> = facts.domains().map(guest).collect();
        self.guests.push(node, &things, (at, interval_ms), GUESTS_MAX);
    }

    /// Reading a database failed.
    pub fn push_database_gap(&mut self, node: &NodeName, at: Mono) {
        self.databases.push_gap(node, at);
    }

    /// Reading a switch's counters failed.
    pub fn push_ports_gap(&mut self, node: &NodeName, at: Mono) {
        self.ports.push_gap(node, at);
    }

    /// Reading the guests of a hypervisor failed.
    pub fn push_guests_gap(&mut self, node: &NodeName, at: Mono) {
        self.guests.push_gap(node, at);
    }

    /// The samples of one figure; `None` when nothing was ever pushed for it.
    pub fn series(&self, key: &SeriesKey) -> Option<Series<'_>> {
        match key {
            SeriesKey::Host { node, figure } => self.host(node, *figure),
            SeriesKey::Backend { node, backend, figure } => self.balancers.get(node)?.series(backend, None, *figure),
            SeriesKey::Server { node, backend, server, figure } => {
                self.balancers.get(node)?.series(backend, Some(server), *figure)
            }
            SeriesKey::Database { node, figure } => {
                self.databases.series(node, &Name::default(), (*figure as usize, DATABASE_FIGURES))
            }
            SeriesKey::Port { node, bridge, interface, figure } => {
                let (name, place) = ((bridge.clone(), interface.clone()), (*figure as usize, PORT_FIGURES));
                self.ports.series(node, &name, place).or_else(|| self.plain_ports.series(node, &name, place))
            }
            SeriesKey::Guest { node, guest, figure } => {
                self.guests.series(node, &(Clean::default(), guest.clone()), (*figure as usize, GUEST_FIGURES))
            }
        }
    }

    /// The largest sample of one figure from `from` to before `to`: of the polls as far as they go back, then of ten
    /// seconds, then of a minute. `None` where nothing is known.
    pub fn largest(&self, key: &SeriesKey, from: Mono, to: Mono) -> Option<f32> {
        let (range, haproxy_ms) = ((from, to), self.haproxy_interval_ms);
        match key {
            SeriesKey::Host { node, figure } => {
                let host = self.hosts.get(node)?;
                let (newest, fine) = (host.newest?, host.ring.series(*figure as usize));
                if reaches(newest, fine.len(), self.host_interval_ms, from) {
                    return fine.largest(newest, self.host_interval_ms, range);
                }
                host.coarse.largest(*figure as usize, from, to)
            }
            SeriesKey::Backend { node, backend, figure } => {
                self.balancers.get(node)?.largest((backend, None), *figure, range, haproxy_ms)
            }
            SeriesKey::Server { node, backend, server, figure } => {
                self.balancers.get(node)?.largest((backend, Some(server)), *figure, range, haproxy_ms)
            }
            SeriesKey::Database { node, figure } => {
                self.databases.largest(node, &Name::default(), (*figure as usize, DATABASE_FIGURES), range)
            }
            SeriesKey::Port { node, bridge, interface, figure } => {
                let (name, place) = ((bridge.clone(), interface.clone()), (*figure as usize, PORT_FIGURES));
                let plain = || self.plain_ports.largest(node, &name, place, range);
                self.ports.largest(node, &name, place, range).or_else(plain)
            }
            SeriesKey::Guest { node, guest, figure } => {
                let name = (Clean::default(), guest.clone());
                self.guests.largest(node, &name, (*figure as usize, GUEST_FIGURES), range)
            }
        }
    }

    /// The samples of one figure of a host.
    pub fn host(&self, node: &NodeName, figure: HostFigure) -> Option<Series<'_>> {
        Some(self.hosts.get(node)?.ring.series(figure as usize))
    }

    /// The history of a host with everything up to `at` filled in; `None` beyond the bound.
    fn host_at(&mut self, node: &NodeName, at: Mono) -> Option<&mut HostHistory> {
        if !self.hosts.contains_key(node) && self.hosts.len() >= HOSTS_MAX {
            return None;
        }
        let interval_ms = self.host_interval_ms;
        let host = self.hosts.entry(node.clone()).or_default();
        host.ring.push_gaps(missed(host.newest, at, interval_ms));
        host.newest = Some(at);
        Some(host)
    }
}

/// What is kept of the rates of a port.
fn port_figures(rates: &SwitchedRates) -> [Option<f32>; PORT_FIGURES] {
    let dropped = rates.rx_drops_per_s.and_then(|rx| rates.tx_drops_per_s.map(|tx| rx + tx));
    [small(rates.rx_bits_per_s), small(rates.tx_bits_per_s), small(dropped)]
}

/// Whole intervals without a poll between `newest` and `at`; half an interval of jitter is none.
pub(super) fn missed(newest: Option<Mono>, at: Mono, interval_ms: u64) -> u64 {
    let Some(newest) = newest else { return 0 };
    ((at.since_ms(newest) + interval_ms / 2) / interval_ms).saturating_sub(1).min(SAMPLES_MAX as u64)
}

/// Whether samples that end at `newest` go back to `from`.
pub(super) fn reaches(newest: Mono, samples: usize, interval_ms: u64, from: Mono) -> bool {
    newest.0.saturating_sub(samples as u64 * interval_ms) <= from.0
}

pub(super) fn small(figure: Figure<f64>) -> Option<f32> {
    figure.known().map(|value| value as f32)
}

/// In the order of [`DatabaseFigure`].
fn database_figures(facts: &MysqlFacts) -> [Option<f32>; DATABASE_FIGURES] {
    let (rates, server) = (&facts.rates, &facts.sample.server);
    let lag = facts.channels().iter().flat_map(|channel| {
        let lags = &channel.lags;
        [lags.applied_ms, lags.received_ms, lags.heartbeat_ms]
    });
    [
        small(rates.statements.questions_per_s),
        small(rates.statements.writes_per_s()),
        server.threads_running.known().map(|count| count as f32),
        small(rates.locks.load_sessions),
        lag.filter_map(Figure::known).max().map(|lag| lag as f32),
    ]
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
