//! The cluster in memory: machines, the HAProxy processes on them, and the clients that come.
//!
//! It has no clock and does no IO: [`Cluster::advance`] moves its time, [`Cluster::answer`] answers one request as the
//! daemon behind it would, [`Cluster::fault`] breaks something. The same seed, moments and requests give the same bytes.

mod command;
mod host;
mod process;
mod server;
mod stats;
mod template;

pub use host::Contact;
pub(crate) use host::HostFile;
pub(crate) use process::TrafficMix;

use super::{
    fault::{Fault, FaultError, ServerPath},
    scenario::{BackendFile, Scenario},
};
use crate::{
    model::{ids::NodeName, inventory::Role, time::Now},
    wire::{
        host::{HostProbe, HostProfileProbe},
        request::{Access, Call, Reply, Request},
    },
};
use host::Host;
use process::{Process, ServiceFile, Step};
use server::ServerFile;
use std::collections::HashMap;

/// Length of one step of time.
const STEP_US: u64 = 50_000;
/// Time that is caught up at once at most; what is beyond it passes without clients.
const CATCH_UP_US_MAX: u64 = 3_600 * 1_000_000;
/// Writes that are remembered, newest last.
const WRITES_MAX: usize = 1_000;
/// Process number of the first HAProxy.
const PID_FIRST: u64 = 700;

impl Default for TrafficMix {
    fn default() -> Self {
        Self {
            rate: 20.0,
            short_ms: 14.0,
            slow_percent: 0.0,
            slow_ms: 2_000.0,
            keep_alive_percent: 0.0,
            keep_alive_ms: 5_000.0,
        }
    }
}

/// What comes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The daemon's answer, after that many milliseconds besides the way there and back.
    Reply {
        /// The answer.
        reply: Reply,
        /// How long the machine takes over it.
        delay_ms: u64,
    },
    /// The machine took the request and will never answer.
    Lost,
    /// No request reaches the machine.
    Unreachable,
    /// Nothing listens on that socket.
    NoSocket,
}

/// A write that a machine received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// When, on the simulation's clock.
    pub at: Now,
    /// Where.
    pub node: NodeName,
    /// The command.
    pub command: String,
    /// What it was answered.
    pub answer: String,
}

/// The whole cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    hosts: Vec<Host>,
    by_name: HashMap<NodeName, usize>,
    balancers: Vec<Balancer>,
    script: Vec<(u64, Fault)>,
    script_next: usize,
    vips: Vec<String>,
    is_one_holder: bool,
    keeps_state: bool,
    latency_ms: u64,
    load: f64,
    holder: Option<usize>,
    losing: HashMap<usize, bool>,
    writes: Vec<Written>,
    rng: fastrand::Rng,
    start_us: u64,
    now: Now,
    stepped_us: u64,
}

/// A machine with HAProxy.
#[derive(Debug, Clone)]
struct Balancer {
    host: usize,
    process: Process,
}

fn micros(now: Now) -> u64 {
    now.mono.0.saturating_mul(1000)
}

impl Cluster {
    /// The scenario's cluster as it is at `start`; `seed` decides when clients come and how long they stay.
    pub fn new(scenario: &Scenario, seed: u64, start: Now) -> Self {
        let now_us = micros(start);
        let hosts: Vec<Host> = scenario.nodes.iter().map(|file| Host::new(file.clone(), &[], now_us)).collect();
        let edges = (0..hosts.len()).filter(|index| hosts[*index].file.role == Role::Edge);
        let balancers = edges
            .map(|host| {
                let own = |backend: &&BackendFile| backend.balancers.is_empty() || backend.balancers.contains(&host);
                let files = scenario.backends.iter().filter(own).map(|backend| service(backend, scenario)).collect();
                Balancer { host, process: Process::new(files, PID_FIRST + 13 * host as u64, now_us) }
            })
            .collect();
        let mut cluster = Self {
            by_name: hosts.iter().enumerate().map(|(index, host)| (host.file.name.clone(), index)).collect(),
            hosts,
            balancers,
            script: scenario.script.clone(),
            script_next: 0,
            vips: scenario.vips.clone(),
            is_one_holder: scenario.is_one_holder,
            keeps_state: scenario.keeps_state,
            latency_ms: scenario.latency_ms,
            load: 1.0,
            holder: None,
            losing: HashMap::new(),
            writes: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
            start_us: now_us,
            now: start,
            stepped_us: now_us,
        };
        cluster.elect();
        cluster
    }

    /// Its moment.
    pub fn now(&self) -> Now {
        self.now
    }

    /// How long the way to a machine and back takes, milliseconds, when nothing is slow.
    pub fn latency_ms(&self) -> u64 {
        self.latency_ms
    }

    /// The writes it received, newest last.
    pub fn writes(&self) -> &[Written] {
        &self.writes
    }

    /// Whether and how a machine answers. `Silent` for a name that nobody has.
    pub fn contact(&self, node: &NodeName) -> Contact {
        self.host(node).map_or(Contact::Silent, |host| host.contact)
    }

    fn host(&self, node: &NodeName) -> Option<&Host> {
        self.by_name.get(node).and_then(|index| self.hosts.get(*index))
    }

    /// Time passes until `now`: checks run, clients come and go, the script's faults happen. Time does not go back.
    pub fn advance(&mut self, now: Now) {
        if now.mono <= self.now.mono {
            self.now.wall = now.wall;
            return;
        }
        self.now = now;
        let target_us = micros(now);
        self.stepped_us = self.stepped_us.max(target_us.saturating_sub(CATCH_UP_US_MAX));
        while self.stepped_us + STEP_US <= target_us {
            let (from_us, to_us) = (self.stepped_us, self.stepped_us + STEP_US);
            self.stepped_us = to_us;
            self.run_script(to_us);
            for balancer in &mut self.balancers {
                let alive = !matches!(self.hosts[balancer.host].contact, Contact::Refuses | Contact::Frozen);
                if !alive {
                    continue;
                }
                let has_clients = !self.is_one_holder || self.holder == Some(balancer.host);
                let is_reachable = self.hosts[balancer.host].contact == Contact::Answers;
                balancer.process.step(&mut Step {
                    from_us,
                    to_us,
                    load: if has_clients && is_reachable { self.load } else { 0.0 },
                    hosts: &mut self.hosts,
                    own: balancer.host,
                    rng: &mut self.rng,
                });
            }
        }
    }

    fn run_script(&mut self, now_us: u64) {
        let elapsed_ms = now_us.saturating_sub(self.start_us) / 1000;
        while let Some((after_ms, fault)) = self.script.get(self.script_next) {
            if *after_ms > elapsed_ms {
                break;
            }
            let fault = fault.clone();
            self.script_next += 1;
            // Every fault of a scenario was checked against its nodes when it was read.
            let _ = self.fault(&fault);
        }
    }

    /// The first load balancer that answers holds the virtual addresses.
    fn elect(&mut self) {
        let holder = self.balancers.iter().map(|balancer| balancer.host);
        let holder = holder.into_iter().find(|host| self.hosts[*host].contact == Contact::Answers);
        if holder == self.holder {
            return;
        }
        self.holder = holder;
        for balancer in &self.balancers {
            let vips: &[String] = if holder == Some(balancer.host) { &self.vips } else { &[] };
            self.hosts[balancer.host].hold_addresses(vips);
        }
    }

    /// Breaks something, or mends it.
    pub fn fault(&mut self, fault: &Fault) -> Result<(), FaultError> {
        let now_us = micros(self.now);
        match fault {
            Fault::Kill(node) => self.set_contact(node, Contact::Refuses)?,
            Fault::Cut(node) => self.set_contact(node, Contact::Silent)?,
            Fault::Freeze(node) => self.set_contact(node, Contact::Frozen)?,
            Fault::Slow { node, delay_ms } => self.host_mut(node)?.slow_ms = *delay_ms,
            Fault::Throttle(node) => self.host_mut(node)?.is_throttled = true,
            Fault::Heal(node) => self.heal(node, now_us)?,
            Fault::Down(path) | Fault::Up(path) => {
                let is_down = matches!(fault, Fault::Down(_));
                for host in self.hosts_of(path)? {
                    let broken = &mut self.hosts[host].broken;
                    if is_down {
                        broken.insert(path.server.clone())
                    } else {
                        broken.remove(&path.server)
                    };
                }
            }
            Fault::Reload { node, keeps_state } => {
                let keeps_state = *keeps_state || self.keeps_state;
                let process = &mut self.balancer_mut(node)?.process;
                *process = process.reloaded(keeps_state, now_us);
            }
            Fault::LoseReply { node, is_done } => {
                let host = self.balancer_mut(node)?.host;
                self.losing.insert(host, *is_done);
            }
            Fault::Spike(factor) => self.load = *factor,
            Fault::ResetCounters(Some(node)) => self.balancer_mut(node)?.process.clear_counters(),
            Fault::ResetCounters(None) => {
                self.balancers.iter_mut().for_each(|balancer| balancer.process.clear_counters());
            }
        }
        self.elect();
        Ok(())
    }

    fn host_mut(&mut self, node: &NodeName) -> Result<&mut Host, FaultError> {
        let index = self.by_name.get(node).copied();
        index.and_then(|index| self.hosts.get_mut(index)).ok_or_else(|| FaultError::NoNode(node.clone()))
    }

    fn set_contact(&mut self, node: &NodeName, contact: Contact) -> Result<(), FaultError> {
        self.host_mut(node)?.contact = contact;
        Ok(())
    }

    /// A killed machine starts again, and HAProxy on it from its file.
    fn heal(&mut self, node: &NodeName, now_us: u64) -> Result<(), FaultError> {
        let host = self.host_mut(node)?;
        let was_dead = host.contact == Contact::Refuses;
        (host.contact, host.slow_ms, host.is_throttled) = (Contact::Answers, 0, false);
        host.broken.clear();
        if was_dead {
            host.boot(now_us);
            if let Ok(balancer) = self.balancer_mut(node) {
                balancer.process = balancer.process.reloaded(false, now_us);
            }
        }
        Ok(())
    }

    fn balancer_mut(&mut self, node: &NodeName) -> Result<&mut Balancer, FaultError> {
        let index = *self.by_name.get(node).ok_or_else(|| FaultError::NoNode(node.clone()))?;
        let balancer = self.balancers.iter_mut().find(|balancer| balancer.host == index);
        balancer.ok_or_else(|| FaultError::NoBalancer(node.clone()))
    }

    /// The machines behind a server's name.
    fn hosts_of(&self, path: &ServerPath) -> Result<Vec<usize>, FaultError> {
        let mut found: Vec<usize> = self
            .balancers
            .iter()
            .flat_map(|balancer| &balancer.process.services)
            .filter(|service| path.backend.as_ref().is_none_or(|backend| *backend == service.file.backend))
            .flat_map(|service| &service.servers)
            .filter(|server| server.file.name == path.server)
            .map(|server| server.file.host)
            .collect();
        found.dedup();
        if found.is_empty() { Err(FaultError::NoServer(path.to_string())) } else { Ok(found) }
    }

    /// What comes of a request to a machine at this moment.
    pub fn answer(&mut self, node: &NodeName, request: &Request) -> Outcome {
        let Some(index) = self.by_name.get(node).copied() else { return Outcome::Unreachable };
        match self.hosts[index].contact {
            Contact::Answers => {}
            Contact::Refuses | Contact::Silent => return Outcome::Unreachable,
            Contact::Frozen => return Outcome::Lost,
        }
        let losing = if request.access == Access::Write { self.losing.remove(&index) } else { None };
        if losing == Some(false) {
            return Outcome::Lost;
        }
        let Some(text) = self.text(index, request) else { return Outcome::NoSocket };
        if let (Access::Write, Call::Haproxy { command, .. }) = (request.access, &request.call) {
            if self.writes.len() >= WRITES_MAX {
                self.writes.remove(0);
            }
            let (command, answer) = (command.clone(), text.bytes.clone());
            self.writes.push(Written { at: self.now, node: node.clone(), command, answer });
        }
        if losing.is_some() {
            return Outcome::Lost;
        }
        let host = &self.hosts[index];
        let delay_ms = host.slow_ms;
        let Text { bytes, exit } = text;
        let reply = Reply { bytes: bytes.into_bytes(), stderr: Vec::new(), exit, elapsed_us: delay_ms * 1000 };
        Outcome::Reply { reply, delay_ms }
    }

    /// The daemon's words. `None` when nothing listens on the socket.
    fn text(&mut self, index: usize, request: &Request) -> Option<Text> {
        let (now, now_us) = (self.now, micros(self.now));
        match &request.call {
            Call::Haproxy { command, .. } => {
                let balancer = self.balancers.iter_mut().find(|balancer| balancer.host == index)?;
                let name = self.hosts[index].file.name.as_str();
                let bytes = command::run(&mut balancer.process, name, command, now_us, now.wall.0);
                Some(Text { bytes, exit: None })
            }
            call if HostProbe::asks(call) => Some(Text { bytes: self.hosts[index].sample(now, now_us), exit: Some(0) }),
            call if HostProfileProbe::asks(call) => {
                Some(Text { bytes: self.hosts[index].profile().to_owned(), exit: Some(0) })
            }
            // A shell's word for a program that it does not have.
            Call::Shell { .. } | Call::Exec { .. } => Some(Text { bytes: String::new(), exit: Some(127) }),
        }
    }
}

/// An answer and, of programs, their exit status.
struct Text {
    bytes: String,
    exit: Option<u32>,
}

fn service(backend: &BackendFile, scenario: &Scenario) -> ServiceFile {
    let servers = backend
        .servers
        .iter()
        .filter_map(|index| {
            let node = scenario.nodes.get(*index)?;
            Some(ServerFile {
                name: node.name.as_str().to_owned(),
                host: *index,
                address: node.private.clone(),
                port: backend.port,
                weight: backend.weight,
                is_disabled: backend.disabled.contains(index),
                rise: backend.rise,
                fall: backend.fall,
                sessions_max: backend.server_sessions_max,
            })
        })
        .collect();
    ServiceFile {
        frontend: backend.frontend.clone(),
        backend: backend.name.clone(),
        mode: backend.mode,
        algorithm: backend.algorithm,
        sessions_max: backend.sessions_max,
        check_ms: backend.check_ms,
        mix: backend.mix.clone(),
        servers,
    }
}

/// Whether a fault names what the scenario has.
pub(super) fn check(fault: &Fault, scenario: &Scenario) -> Result<(), FaultError> {
    let start = Now::default();
    Cluster::new(scenario, 0, start).fault(fault)
}
