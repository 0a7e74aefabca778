//! The last minutes of every figure that a screen draws over time, by node, backend and server.

use super::series::{Ring, SAMPLES_MAX, Series};
use crate::model::{
    figure::Figure,
    haproxy::{HaproxyFacts, Traffic, TrafficRates},
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

/// How many figures a backend or server has.
const TRAFFIC_FIGURES: usize = 4;

/// Hosts that are kept; a full one takes 24 kB.
pub const HOSTS_MAX: usize = 512;
/// Backends that are kept, over all load balancers; a full one takes 9.6 kB.
pub const BACKENDS_MAX: usize = 512;
/// Servers that are kept, over all load balancers; a full one takes 9.6 kB. All bounds together: 37 MB.
pub const SERVERS_MAX: usize = 2_048;

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
    ring: Ring<HOST_FIGURES>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct BalancerHistory {
    newest: Option<Mono>,
    backends: Vec<BackendHistory>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct BackendHistory {
    name: ProxyName,
    ring: Ring<TRAFFIC_FIGURES>,
    servers: Vec<ServerHistory>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ServerHistory {
    name: ServerName,
    ring: Ring<TRAFFIC_FIGURES>,
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
        let (backends_elsewhere, servers_elsewhere) = self.counts_without(node);
        let interval_ms = self.haproxy_interval_ms;
        let balancer = self.balancers.entry(node.clone()).or_default();
        balancer.fill_gaps(at, interval_ms);
        let room = Room {
            backends: BACKENDS_MAX.saturating_sub(backends_elsewhere),
            servers: SERVERS_MAX.saturating_sub(servers_elsewhere),
        };
        self.left_out = balancer.push(facts, room);
    }

    /// Reading a load balancer failed.
    pub fn push_haproxy_gap(&mut self, node: &NodeName, at: Mono) {
        if let Some(balancer) = self.balancers.get_mut(node) {
            balancer.fill_gaps(at, self.haproxy_interval_ms);
            balancer.push_gaps(1);
        }
    }

    /// The samples of one figure; `None` when nothing was ever pushed for it.
    pub fn series(&self, key: &SeriesKey) -> Option<Series<'_>> {
        match key {
            SeriesKey::Host { node, figure } => self.host(node, *figure),
            SeriesKey::Backend { node, backend, figure } => {
                Some(self.balancers.get(node)?.backend(backend)?.ring.series(*figure as usize))
            }
            SeriesKey::Server { node, backend, server, figure } => {
                let backend = self.balancers.get(node)?.backend(backend)?;
                let server = backend.servers.iter().find(|one| &one.name == server)?;
                Some(server.ring.series(*figure as usize))
            }
        }
    }

    /// The samples of one figure of a host.
    pub fn host(&self, node: &NodeName, figure: HostFigure) -> Option<Series<'_>> {
        Some(self.hosts.get(node)?.ring.series(figure as usize))
    }

    /// The ring of a host with everything up to `at` filled in; `None` beyond the bound.
    fn host_ring(&mut self, node: &NodeName, at: Mono) -> Option<&mut Ring<HOST_FIGURES>> {
        if !self.hosts.contains_key(node) && self.hosts.len() >= HOSTS_MAX {
            return None;
        }
        let interval_ms = self.host_interval_ms;
        let host = self.hosts.entry(node.clone()).or_default();
        host.ring.push_gaps(missed(host.newest, at, interval_ms));
        host.newest = Some(at);
        Some(&mut host.ring)
    }

    /// Backends and servers that other load balancers have.
    fn counts_without(&self, node: &NodeName) -> (usize, usize) {
        let others = self.balancers.iter().filter(|(name, _)| *name != node).flat_map(|(_, one)| &one.backends);
        others.fold((0, 0), |(backends, servers), backend| (backends + 1, servers + backend.servers.len()))
    }
}

/// How many backends and servers one load balancer may have.
struct Room {
    backends: usize,
    servers: usize,
}

impl BalancerHistory {
    fn backend(&self, name: &ProxyName) -> Option<&BackendHistory> {
        self.backends.iter().find(|backend| &backend.name == name)
    }

    fn fill_gaps(&mut self, at: Mono, interval_ms: u64) {
        let missed = missed(self.newest, at, interval_ms);
        self.newest = Some(at);
        if missed > 0 {
            self.push_gaps(missed);
        }
    }

    fn push_gaps(&mut self, count: u64) {
        for backend in &mut self.backends {
            backend.ring.push_gaps(count);
            backend.servers.iter_mut().for_each(|server| server.ring.push_gaps(count));
        }
        self.forget_blank();
    }

    /// One poll. What is not in it any more gets a gap, and is forgotten when nothing else is left of it. Returns how
    /// many things found no room.
    fn push(&mut self, facts: &HaproxyFacts, mut room: Room) -> usize {
        let mut left_out = 0;
        let mut before = std::mem::take(&mut self.backends);
        before.reverse(); // the next one in order is then taken from the end
        room.servers = room.servers.saturating_sub(before.iter().map(|backend| backend.servers.len()).sum());
        for (index, backend) in facts.sample.backends.iter().enumerate() {
            let mut history = match take(&mut before, |one| one.name == backend.name) {
                Some(history) => history,
                None if self.backends.len() + before.len() >= room.backends => {
                    left_out += 1 + backend.servers.len();
                    continue;
                }
                None => BackendHistory { name: backend.name.clone(), ring: Ring::default(), servers: Vec::new() },
            };
            history.ring.push(traffic_figures(&backend.traffic, facts.backend_rates.get(index)));
            let rates = facts.server_rates.get(index).map_or(&[][..], Vec::as_slice);
            left_out += history.push_servers(&backend.servers, rates, &mut room.servers);
            self.backends.push(history);
        }
        for mut gone in before {
            gone.ring.push_gaps(1);
            gone.servers.iter_mut().for_each(|server| server.ring.push_gaps(1));
            self.backends.push(gone);
        }
        if self.backends.len() > facts.sample.backends.len() {
            self.forget_blank();
        }
        left_out
    }

    fn forget_blank(&mut self) {
        for backend in &mut self.backends {
            backend.servers.retain(|server| !server.ring.is_blank());
        }
        self.backends.retain(|backend| !backend.servers.is_empty() || !backend.ring.is_blank());
    }
}

impl BackendHistory {
    fn push_servers(
        &mut self,
        servers: &[crate::model::haproxy::Server],
        rates: &[TrafficRates],
        room: &mut usize,
    ) -> usize {
        let mut left_out = 0;
        let mut before = std::mem::take(&mut self.servers);
        self.servers.reserve(servers.len());
        before.reverse();
        for (index, server) in servers.iter().enumerate() {
            let mut history = match take(&mut before, |one| one.name == server.name) {
                Some(history) => history,
                None if *room == 0 => {
                    left_out += 1;
                    continue;
                }
                None => {
                    *room -= 1;
                    ServerHistory { name: server.name.clone(), ring: Ring::default() }
                }
            };
            history.ring.push(traffic_figures(&server.traffic, rates.get(index)));
            self.servers.push(history);
        }
        for mut gone in before {
            gone.ring.push_gaps(1);
            if !gone.ring.is_blank() {
                self.servers.push(gone);
            }
        }
        left_out
    }
}

/// Takes the first that fits, looking from the end.
fn take<T>(from: &mut Vec<T>, fits: impl Fn(&T) -> bool) -> Option<T> {
    let at = from.iter().rposition(fits)?;
    Some(from.remove(at))
}

/// Whole intervals without a poll between `newest` and `at`; half an interval of jitter is none.
fn missed(newest: Option<Mono>, at: Mono, interval_ms: u64) -> u64 {
    let Some(newest) = newest else { return 0 };
    ((at.since_ms(newest) + interval_ms / 2) / interval_ms).saturating_sub(1).min(SAMPLES_MAX as u64)
}

fn small(figure: Figure<f64>) -> Option<f32> {
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

/// In the order of [`TrafficFigure`].
fn traffic_figures(traffic: &Traffic, rates: Option<&TrafficRates>) -> [Option<f32>; TRAFFIC_FIGURES] {
    let count = |figure: Figure<u64>| figure.known().map(|value| value as f32);
    let rate = |of: fn(&TrafficRates) -> Figure<f64>| rates.map(of).and_then(small);
    let errors = if traffic.answers.why().is_some() {
        rate(|rates| rates.failures_per_s)
    } else {
        rate(|rates| rates.server_errors_percent)
    };
    [
        count(traffic.sessions_current),
        count(traffic.queue_current),
        rate(|rates| rates.sessions_per_s).or_else(|| count(traffic.rate_per_s)),
        errors,
    ]
}
