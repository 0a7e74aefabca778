//! The cluster in memory: machines, the HAProxy processes on them, and the clients that come.
//!
//! It has no clock and does no IO: [`Cluster::advance`] moves its time, [`Cluster::answer`] answers one request as the
//! daemon behind it would, [`Cluster::fault`] breaks something. The same seed, moments and requests give the same bytes.

mod command;
mod countdown;
mod cut;
mod daemon;
mod database;
mod faults;
mod guest;
mod host;
mod journal;
mod mysql;
mod presence;
mod process;
mod server;
mod stats;
mod switch;
mod switchover;
mod template;
mod tuning;
mod writes_address;

pub use guest::{GuestState, LibvirtState};
pub use host::Contact;
pub(crate) use host::HostFile;
pub(crate) use process::TrafficMix;

use super::{
    fault::{Fault, FaultError, Service},
    scenario::{BackendFile, Scenario},
};
use crate::{
    model::{ids::NodeName, inventory::Role, mysql::DaemonState, time::Now},
    sim::files::Files,
    wire::{
        certificates::CertificatesProbe,
        host::{HostProbe, HostProfileProbe},
        libvirt::GuestProfileProbe,
        linux_bridge::LinuxBridgesProbe,
        logs,
        memcached::MemcachedProbe,
        mysql::{BinlogProbe, DaemonProbe},
        presence::PresenceProbe,
        private_network::PrivateNetworkProbe,
        request::{Access, Call, Reply, Request, TCP_REFUSED},
        services::ServicesProbe,
        tuning::{TuningProbe, kernel},
    },
};
use database::Databases;
use guest::Guest;
use host::Host;
use process::{Process, ServiceFile, Step};
use server::ServerFile;
use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};
use switch::Switch;
use writes_address::WritesAddress;

/// Length of one step of time.
const STEP_US: u64 = 50_000;
/// Time that is caught up at once at most; what is beyond it passes without clients.
const CATCH_UP_US_MAX: u64 = 3_600 * 1_000_000;
/// Writes that are remembered, newest last.
const WRITES_MAX: usize = 1_000;
/// How long the certificates of the load balancers last, unless a fault says otherwise.
const CERTIFICATE_DAYS: u32 = 80;
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
    /// The service behind the socket took the question and says nothing, while the machine answers others.
    Silent,
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
    /// By machine.
    switches: HashMap<usize, Switch>,
    guests: Vec<Guest>,
    databases: Databases,
    routes: cut::Routes,
    /// By machine: files with settings.
    files: Vec<Files>,
    script: Vec<(u64, Fault)>,
    script_next: usize,
    vips: Vec<String>,
    writes_to: WritesAddress,
    is_one_holder: bool,
    keeps_state: bool,
    latency_ms: u64,
    load: f64,
    holder: Option<usize>,
    split: BTreeSet<usize>,
    certificate_days: u32,
    /// Whoever holds the virtual addresses keeps them while it may.
    is_nopreempt: bool,
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
        let is_database = |(_, host): &(usize, &Host)| host.file.role == Role::Database;
        let servers =
            hosts.iter().enumerate().filter(is_database).map(|(index, host)| (index, host.file.name.to_string()));
        let databases = Databases::new(servers, scenario.has_mysql, now_us);
        let files = (0..hosts.len()).map(|index| tuning::files(databases.is_on(index))).collect();
        let mut cluster = Self {
            databases,
            routes: cut::Routes::new(),
            files,
            by_name: hosts.iter().enumerate().map(|(index, host)| (host.file.name.clone(), index)).collect(),
            switches: switches(scenario, now_us),
            guests: guests(scenario, now_us),
            hosts,
            balancers,
            script: scenario.script.clone(),
            script_next: 0,
            vips: scenario.vips.clone(),
            writes_to: WritesAddress::new(scenario.writes.clone()),
            is_one_holder: scenario.is_one_holder,
            keeps_state: scenario.keeps_state,
            latency_ms: scenario.latency_ms,
            load: 1.0,
            holder: None,
            split: BTreeSet::new(),
            certificate_days: CERTIFICATE_DAYS,
            is_nopreempt: false,
            losing: HashMap::new(),
            writes: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
            start_us: now_us,
            now: start,
            stepped_us: now_us,
        };
        for (place, balancer) in cluster.balancers.iter().enumerate() {
            cluster.hosts[balancer.host].priority = presence::priority(place);
        }
        cluster.writes_to.rank(&mut cluster.hosts);
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
            let (hosts, load) = (&self.hosts, self.load);
            self.databases.advance(to_us, load, |host| hosts[host].contact == Contact::Answers);
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

    /// Lets `ms` milliseconds pass before the script begins, so that counters and checks have something to say.
    pub fn warm_up(&mut self, ms: u64) {
        let script = std::mem::take(&mut self.script);
        self.advance(Now { mono: self.now.mono.plus_ms(ms), wall: self.now.wall });
        (self.script, self.start_us) = (script, micros(self.now));
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

    /// Of the load balancers that answer and whose keepalived runs, the one of highest priority holds the virtual
    /// addresses; the first of equal ones.
    fn elect(&mut self) {
        let stays = self.is_nopreempt && self.holder.is_some_and(|host| self.hosts[host].may_hold_addresses());
        let candidates = self.balancers.iter().map(|balancer| balancer.host);
        let candidates = candidates.filter(|host| self.hosts[*host].may_hold_addresses());
        let best = candidates.rev().max_by_key(|host| self.hosts[*host].priority + self.hosts[*host].priority_file);
        self.holder = if stays { self.holder } else { best };
        for balancer in &self.balancers {
            let is_holder = self.holder == Some(balancer.host) || self.split.contains(&balancer.host);
            let vips: &[String] = if is_holder { &self.vips } else { &[] };
            self.hosts[balancer.host].hold_addresses(vips);
        }
        self.writes_to.elect(&mut self.hosts, self.is_nopreempt);
    }

    fn has_libvirt(&self, index: usize) -> bool {
        let host = &self.hosts[index];
        host.file.role == Role::Hypervisor && host.libvirt != LibvirtState::Dead
    }

    /// Guests that have moved are on the first other hypervisor now; while it does not answer they stay where they are.
    fn arrivals(&mut self, now_us: u64) {
        for guest in self.guests.iter_mut().filter(|guest| guest.has_arrived(now_us)) {
            let mut others = self.hosts.iter().enumerate().filter(|(index, host)| {
                *index != guest.host && host.file.role == Role::Hypervisor && host.contact == Contact::Answers
            });
            if let Some((index, _)) = others.next() {
                guest.arrive(index, now_us);
            }
        }
    }

    /// A round of packets to others on the private network.
    fn round(&self, from: usize, peers: &[IpAddr]) -> String {
        let to = peers.iter().map(|peer| {
            let host = self.hosts.iter().find(|host| host.file.private == peer.to_string());
            let is_near = host.is_some_and(|host| host.contact == Contact::Answers);
            let is_lossy = self.hosts[from].is_lossy || host.is_some_and(|host| host.is_lossy);
            presence::round(*peer, is_near, is_lossy)
        });
        to.collect()
    }

    /// Who answers to the virtual addresses, as its neighbours know it.
    fn answering(&self) -> Vec<(String, String)> {
        let held = self.holder.iter().flat_map(|holder| self.vips.iter().map(|vip| (vip, *holder)));
        let held = held.chain(self.writes_to.held());
        held.map(|(vip, holder)| (vip.clone(), self.hosts[holder].hardware_address())).collect()
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
        if matches!(request.call, Call::Libvirt { .. } | Call::LibvirtWrite { .. })
            && self.hosts[index].libvirt == LibvirtState::Frozen
        {
            return Outcome::Silent;
        }
        if matches!(request.call, Call::Sql { .. } | Call::SqlWrite { .. }) {
            match self.databases.daemon_state(index) {
                Some(DaemonState::Frozen) => return Outcome::Silent,
                Some(DaemonState::Dead) => return Outcome::NoSocket,
                Some(DaemonState::Alive) | None => {}
            }
        }
        let Some(text) = self.text(index, request) else { return Outcome::NoSocket };
        if request.access == Access::Write {
            if self.writes.len() >= WRITES_MAX {
                self.writes.remove(0);
            }
            let command = match &request.call {
                Call::Haproxy { command, .. } => command.clone(),
                _ => request.to_string(),
            };
            let answer = text.bytes.clone();
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

    /// libvirt's words about the guests of a machine.
    fn libvirt(&mut self, index: usize, call: &Call, now_us: u64) -> Option<Text> {
        match call {
            Call::Libvirt { question, .. } => {
                self.arrivals(now_us);
                self.has_libvirt(index).then_some(())?;
                let guests = self.guests.iter_mut().filter(|guest| guest.host == index);
                Some(Text { bytes: guest::answer(guests, *question, now_us)?, exit: None })
            }
            Call::LibvirtWrite { guest, operation, .. } => {
                self.has_libvirt(index).then_some(())?;
                let guest = self.guests.iter_mut().find(|one| one.host == index && one.is(guest));
                let done = guest.is_some_and(|guest| guest.operate(operation, now_us));
                Some(Text { bytes: String::new(), exit: Some(u32::from(!done)) })
            }
            _ => None,
        }
    }

    /// A write that changes who holds the virtual addresses; false when it is another one.
    fn tell_keepalived(&mut self, index: usize, call: &Call) -> bool {
        let host = &mut self.hosts[index];
        if let Some(number) = presence::number_written(call) {
            host.priority_file = number;
        } else if let Some(runs) = presence::keepalived_told(call) {
            let _ =
                if runs { host.stopped.remove(&Service::Keepalived) } else { host.stopped.insert(Service::Keepalived) };
        } else {
            return false;
        }
        self.elect();
        true
    }

    /// What is asked or changed of the settings in files, and of the kernel's; `None` when it is about something else.
    fn settings(&mut self, index: usize, call: &Call) -> Option<Text> {
        let files = &mut self.files[index];
        let code = match call {
            call if TuningProbe::asks(call) => return Some(Text { bytes: files.answer(), exit: Some(0) }),
            Call::FileEdit { edit, way } => u32::from(files.carry_out(edit, *way).is_err()),
            call => {
                let (path, from, to) = kernel::asked(call)?;
                files.set_kernel(path, from, to)
            }
        };
        Some(Text { bytes: String::new(), exit: Some(code) })
    }

    /// The daemon's words. `None` when nothing listens on the socket.
    fn text(&mut self, index: usize, request: &Request) -> Option<Text> {
        let (now, now_us) = (self.now, micros(self.now));
        if let Some(log) = logs::asked(&request.call) {
            let balancer = self.balancers.iter().find(|balancer| balancer.host == index);
            let process = balancer.map(|balancer| &balancer.process);
            return Some(Text { bytes: journal::lines(log, &self.hosts[index], process, now, now_us), exit: Some(0) });
        }
        match &request.call {
            Call::Haproxy { command, .. } => {
                let balancer = self.balancers.iter_mut().find(|balancer| balancer.host == index)?;
                let name = self.hosts[index].file.name.as_str();
                let bytes = command::run(&mut balancer.process, name, command, now_us, now.wall.0);
                Some(Text { bytes, exit: None })
            }
            Call::Ovsdb { .. } => Some(Text::of(self.switches.get_mut(&index)?.database(now_us))),
            Call::Countdown { countdown, task } => {
                let (bytes, exit) = self.switches.get_mut(&index)?.carry_out(countdown, *task, now_us);
                Some(Text { bytes, exit: Some(exit) })
            }
            Call::OvsDaemon { talk, .. } => {
                let guests = self.guests.iter().filter(|guest| guest.host == index);
                let macs: Vec<String> = guests.filter_map(Guest::heard).collect();
                Some(Text::of(self.switches.get(&index)?.daemon(*talk, &macs, now_us)))
            }
            call if LinuxBridgesProbe::asks(call) => Some(Text { bytes: PLAIN_DEVICES.to_owned(), exit: Some(0) }),
            call if HostProbe::asks(call) => Some(Text { bytes: self.hosts[index].sample(now, now_us), exit: Some(0) }),
            call if HostProfileProbe::asks(call) => {
                Some(Text { bytes: self.hosts[index].profile().to_owned(), exit: Some(0) })
            }
            call @ (Call::Libvirt { .. } | Call::LibvirtWrite { .. }) => self.libvirt(index, call, now_us),
            call if GuestProfileProbe::asks_starts(call) => {
                let guests = self.guests.iter().filter(|guest| guest.host == index);
                Some(Text { bytes: guest::starts(guests, now_us, now.wall.0), exit: Some(0) })
            }
            Call::Sql { statement, .. } => {
                let bytes = self.databases.answer(index, *statement, now)?;
                Some(Text { bytes, exit: None })
            }
            Call::SqlWrite { session, statements, .. } => {
                let exit = self.databases.carry_out(index, *session, statements)?;
                Some(Text { bytes: String::new(), exit: Some(exit) })
            }
            call if BinlogProbe::asks(call) => Some(Text { bytes: self.databases.binary_log(index), exit: Some(0) }),
            call if let Some(text) = self.routes(index, call) => Some(text),
            call if DaemonProbe::asks(call) => Some(Text { bytes: self.databases.daemon(index), exit: Some(0) }),
            call if daemon::is_fence(call) => {
                let exit = self.databases.fence(index, call);
                Some(Text { bytes: String::new(), exit: Some(exit) })
            }
            call if PresenceProbe::asks(call) => Some(Text {
                bytes: self.hosts[index].presence(self.kept_by(index), &self.answering(), self.is_nopreempt),
                exit: Some(0),
            }),
            call if self.tell_keepalived(index, call) => Some(Text { bytes: String::new(), exit: Some(0) }),
            call if ServicesProbe::asks(call) => Some(Text { bytes: self.hosts[index].services(), exit: Some(0) }),
            call if let Some(text) = self.settings(index, call) => Some(text),
            call if MemcachedProbe::asks(call) => Some(self.hosts[index].memcached(now_us)),
            Call::Tcp { .. } => Some(Text { bytes: String::new(), exit: Some(TCP_REFUSED) }),
            call if CertificatesProbe::asks(call) => {
                Some(Text { bytes: presence::certificates(now, self.certificate_days), exit: Some(0) })
            }
            call @ Call::Exec { .. } if let Some(peers) = PrivateNetworkProbe::asks(call) => {
                Some(Text { bytes: self.round(index, &peers), exit: Some(0) })
            }
            // A shell's word for a program that it does not have.
            Call::Shell { .. }
            | Call::ShellWithin { .. }
            | Call::Exec { .. }
            | Call::FileEdit { .. }
            | Call::Hook { .. } => Some(Text { bytes: String::new(), exit: Some(127) }),
        }
    }
}

/// A machine without plain bridges.
const PLAIN_DEVICES: &str = "/sys/class/net/eth0/mtu:1500\n/sys/class/net/eth0/operstate:up\n";

/// The switches of the machines that have one; the first two hypervisors have a tunnel between them.
fn switches(scenario: &Scenario, now_us: u64) -> HashMap<usize, Switch> {
    let octet = |index: usize| -> u8 {
        let node = scenario.nodes.get(index);
        node.and_then(|node| node.private.rsplit('.').next()?.parse().ok()).unwrap_or_default()
    };
    let has = |index: &usize| scenario.switches.get(*index).copied().unwrap_or_default();
    let with: Vec<usize> = (0..scenario.nodes.len()).filter(has).collect();
    let hypervisors: Vec<usize> =
        with.iter().copied().filter(|index| scenario.nodes[*index].role == Role::Hypervisor).take(2).collect();
    let tunnel_to = |index: usize| match hypervisors.as_slice() {
        [one, other] if *one == index => Some(octet(*other)),
        [one, other] if *other == index => Some(octet(*one)),
        _ => None,
    };
    with.into_iter().map(|index| (index, Switch::new(octet(index), tunnel_to(index), now_us))).collect()
}

/// The nodes that are guests, on their hypervisors.
fn guests(scenario: &Scenario, now_us: u64) -> Vec<Guest> {
    let place = |name: &NodeName| scenario.nodes.iter().position(|node| node.name == *name);
    let carried = scenario.nodes.iter().filter_map(|node| Some((node.name.clone(), place(node.on.as_ref()?)?)));
    carried.enumerate().map(|(number, (name, host))| Guest::new(name, host, number, now_us)).collect()
}

/// An answer and, of programs, their exit status.
struct Text {
    bytes: String,
    exit: Option<u32>,
}

impl Text {
    /// An answer on a socket.
    fn of(bytes: Vec<u8>) -> Self {
        // Everything here was written as text.
        Self { bytes: String::from_utf8(bytes).unwrap_or_default(), exit: None }
    }
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
