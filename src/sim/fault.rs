//! What goes wrong, in words: `kill web03`, `cut lb01`, `slow web02 300`, `reload lb01 keep-state`, `spike x10`.

use super::cluster::{GuestState, LibvirtState};
use crate::model::ids::NodeName;
use std::fmt;

/// Longest delay that `slow` accepts.
const SLOW_MS_MAX: u64 = 60_000;
/// Longest life of a certificate that `certificate` accepts.
const CERTIFICATE_DAYS_MAX: u32 = 3_650;
/// Largest factor that `spike` accepts.
const SPIKE_MAX: f64 = 1_000.0;
/// Highest VLAN that `tag` accepts.
const VLAN_MAX: u16 = 4_094;
/// Most packets per second that `drops` accepts.
const DROPS_MAX: u64 = 1_000_000;

/// Every fault with what it does, for help texts.
pub const WORDS: [(&str, &str); 27] = [
    ("kill NODE", "every process of the machine dies; connections are refused"),
    ("cut NODE", "its cables are pulled; nothing comes back"),
    ("freeze NODE", "it accepts connections and says nothing"),
    ("slow NODE MS", "every answer of the machine takes MS milliseconds longer"),
    ("throttle NODE", "its disk becomes slow: iowait, stalls, slow answers"),
    ("heal NODE", "undoes all of this; a killed machine starts again"),
    ("down SERVER", "its health checks fail with 503; BACKEND/SERVER or SERVER"),
    ("up SERVER", "its health checks pass again"),
    (
        "reload LB [keep-state]",
        "HAProxy reads its file again; drains and weights are lost unless a state file keeps them",
    ),
    ("lose-reply NODE [undone]", "the reply to the next write is lost; with `undone` the write does not happen either"),
    ("port-down NODE PORT", "a port of the node's switch is switched off"),
    ("port-up NODE PORT", "it is switched on again"),
    ("tag NODE PORT VLAN", "a port of the node's switch is put into another VLAN"),
    ("drops NODE PORT N", "a port of the node's switch drops N packets a second; 0 ends it"),
    (
        "vswitchd NODE running|halted|dead",
        "the switch's daemon runs, is stopped by a signal, or has died; its database answers",
    ),
    ("split LB", "it takes the virtual addresses although another one holds them"),
    ("nopreempt", "no load balancer takes the virtual addresses from a living holder"),
    ("stop SERVICE NODE", "keepalived or memcached on it ends"),
    ("start SERVICE NODE", "it runs again"),
    ("expose NODE PORT", "something on it listens on every address"),
    ("certificate DAYS", "the certificates of the load balancers end in so many days"),
    ("lossy NODE", "every second packet of it gets lost on the private network"),
    (
        "database NODE WORD",
        "stop-replication, stop-applying, cut-off, lag, writable, read-only, errant, no-acknowledgements, \
         row-locks, crash, stand, start",
    ),
    ("spike xN", "N times the usual traffic; `spike x1` ends it"),
    ("guest NAME STATE", "a guest becomes running, paused, io-error, crashed, off, or stuck: its QEMU does not answer"),
    ("libvirt NODE STATE", "libvirtd of a hypervisor is frozen, dead, or well again"),
    ("reset-counters [LB]", "HAProxy's counters start again from zero"),
];

/// A fault.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Every process of the machine dies.
    Kill(NodeName),
    /// Its cables are pulled.
    Cut(NodeName),
    /// It accepts connections and says nothing.
    Freeze(NodeName),
    /// Every answer takes longer.
    Slow {
        /// Which machine.
        node: NodeName,
        /// By how much.
        delay_ms: u64,
    },
    /// Its disk becomes slow.
    Throttle(NodeName),
    /// All of this is undone.
    Heal(NodeName),
    /// Health checks of a server fail.
    Down(ServerPath),
    /// They pass again.
    Up(ServerPath),
    /// HAProxy reads its file again.
    Reload {
        /// Whose.
        node: NodeName,
        /// Whether a server-state file carries the states over, besides what the scenario says.
        keeps_state: bool,
    },
    /// The reply to the next write is lost.
    LoseReply {
        /// Whose.
        node: NodeName,
        /// Whether the write happens all the same.
        is_done: bool,
    },
    /// A port of a switch is switched off, or on.
    Port {
        /// Whose switch.
        node: NodeName,
        /// Which port.
        port: String,
        /// Whether it is off.
        is_off: bool,
    },
    /// A port of a switch is put into another VLAN.
    Tag {
        /// Whose switch.
        node: NodeName,
        /// Which port.
        port: String,
        /// Which VLAN.
        vlan: u16,
    },
    /// A port of a switch drops packets.
    Drops {
        /// Whose switch.
        node: NodeName,
        /// Which port.
        port: String,
        /// How many a second.
        per_s: u64,
    },
    /// What becomes of a switch's daemon.
    SwitchDaemon(NodeName, DaemonFault),
    /// A load balancer takes the virtual addresses although another one holds them.
    Split(NodeName),
    /// keepalived everywhere says `nopreempt`.
    NoPreempt,
    /// A service ends.
    Stop {
        /// Which.
        service: Service,
        /// Where.
        node: NodeName,
    },
    /// It runs again.
    Start {
        /// Which.
        service: Service,
        /// Where.
        node: NodeName,
    },
    /// Something listens on every address.
    Expose {
        /// Where.
        node: NodeName,
        /// On which port.
        port: u16,
    },
    /// The certificates of the load balancers end in so many days.
    Certificate(u32),
    /// Every second packet gets lost on the private network.
    Lossy(NodeName),
    /// A database breaks.
    Database {
        /// Where.
        node: NodeName,
        /// How.
        fault: DatabaseFault,
    },
    /// Times the usual traffic.
    Spike(f64),
    /// A guest of a hypervisor changes its state.
    Guest {
        /// Its name.
        name: NodeName,
        /// What becomes of it.
        state: GuestState,
    },
    /// libvirtd of a hypervisor fares otherwise.
    Libvirt {
        /// Whose.
        node: NodeName,
        /// How.
        state: LibvirtState,
    },
    /// Counters of one HAProxy, or of all, start again.
    ResetCounters(Option<NodeName>),
}

/// What a switch's daemon does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaemonFault {
    /// It runs.
    Running,
    /// A signal has stopped it.
    Halted,
    /// It has died.
    Dead,
}

impl DaemonFault {
    const WORDS: [(&str, Self); 3] = [("running", Self::Running), ("halted", Self::Halted), ("dead", Self::Dead)];
}

/// What may be wrong with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatabaseFault {
    /// Somebody stops its replication.
    StopReplication,
    /// It receives, and applies nothing.
    StopApplying,
    /// Nothing comes from its source any more, and it does not notice.
    CutOff,
    /// It applies a tenth of what comes.
    Lag,
    /// It takes writes.
    Writable,
    /// It takes none.
    ReadOnly,
    /// It has a transaction that nobody else has.
    Errant,
    /// It acknowledges no commit.
    NoAcknowledgements,
    /// Sessions wait for a row.
    RowLocks,
    /// Its daemon dies.
    Crash,
    /// Its daemon is stopped by a signal.
    Stand,
    /// Its daemon is started, read-only as its file says, or goes on.
    Start,
}

impl DatabaseFault {
    /// Every one.
    const ALL: [Self; 12] = [
        Self::StopReplication,
        Self::StopApplying,
        Self::CutOff,
        Self::Lag,
        Self::Writable,
        Self::ReadOnly,
        Self::Errant,
        Self::NoAcknowledgements,
        Self::RowLocks,
        Self::Crash,
        Self::Stand,
        Self::Start,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::StopReplication => "stop-replication",
            Self::StopApplying => "stop-applying",
            Self::CutOff => "cut-off",
            Self::Lag => "lag",
            Self::Writable => "writable",
            Self::ReadOnly => "read-only",
            Self::Errant => "errant",
            Self::NoAcknowledgements => "no-acknowledgements",
            Self::RowLocks => "row-locks",
            Self::Crash => "crash",
            Self::Stand => "stand",
            Self::Start => "start",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.word() == word)
    }
}

/// A service that can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// What moves the virtual addresses.
    Keepalived,
    /// The cache.
    Memcached,
}

impl Service {
    /// Every one.
    const ALL: [Self; 2] = [Self::Keepalived, Self::Memcached];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keepalived => "keepalived",
            Self::Memcached => "memcached",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.word() == word)
    }
}

/// `web03`, or `web_cluster/web03`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPath {
    /// Only in this backend.
    pub backend: Option<String>,
    /// Its name.
    pub server: String,
}

impl fmt::Display for ServerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.backend {
            Some(backend) => write!(f, "{backend}/{}", self.server),
            None => f.write_str(&self.server),
        }
    }
}

/// Why words are no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Nothing is called so.
    #[error("unknown fault `{0}`; the faults are {list}", list = list())]
    Unknown(String),
    /// Too few or too many words, or one that cannot stand there.
    #[error("`{given}` is not complete or has too much in it; write `{form}`")]
    Form {
        /// What was given.
        given: String,
        /// How it is written.
        form: &'static str,
    },
    /// A number out of its range.
    #[error("`{given}` is not a number from {min} to {max}; write `{form}`")]
    Number {
        /// What was given.
        given: String,
        /// Smallest.
        min: String,
        /// Largest.
        max: String,
        /// How it is written.
        form: &'static str,
    },
    /// The cluster has no such machine.
    #[error("no node is called {0}; the nodes are those of the scenario")]
    NoNode(NodeName),
    /// The machine runs no HAProxy.
    #[error("{0} runs no HAProxy; name a load balancer")]
    NoBalancer(NodeName),
    /// The machine has no switch, or its switch no such port.
    #[error("{node} has no switch with a port {port}; name one of the scenario")]
    NoPort {
        /// Which machine.
        node: NodeName,
        /// Which port; empty for the switch itself.
        port: String,
    },
    /// No hypervisor has such a guest.
    #[error("no guest is called {0}; name a node with `on` of the scenario")]
    NoGuest(NodeName),
    /// The machine is no hypervisor.
    #[error("{0} is no hypervisor; name a node of role hypervisor")]
    NoHypervisor(NodeName),
    /// The machine runs no database.
    #[error("{0} runs no database; name a node of role database")]
    NoDatabase(NodeName),
    /// No backend has such a server.
    #[error("no backend has a server {0}; name one of the scenario")]
    NoServer(String),
}

fn list() -> String {
    let words: Vec<&str> = WORDS.iter().filter_map(|(form, _)| form.split(' ').next()).collect();
    words.join(", ")
}

fn form(word: &str) -> Option<&'static str> {
    WORDS.iter().map(|(form, _)| *form).find(|form| form.split(' ').next() == Some(word))
}

impl Fault {
    /// Reads one fault.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let Some(form) = form(words.first().copied().unwrap_or_default()) else {
            return Err(FaultError::Unknown(words.first().copied().unwrap_or_default().to_owned()));
        };
        let node = |name: &str| NodeName::from(name);
        Ok(match words[..] {
            ["kill", name] => Self::Kill(node(name)),
            ["cut", name] => Self::Cut(node(name)),
            ["freeze", name] => Self::Freeze(node(name)),
            ["throttle", name] => Self::Throttle(node(name)),
            ["heal", name] => Self::Heal(node(name)),
            ["slow", name, ms] => {
                let delay_ms = ms.parse().ok().filter(|ms| *ms <= SLOW_MS_MAX);
                let number = || out_of_range(ms, "0", SLOW_MS_MAX.to_string(), form);
                Self::Slow { node: node(name), delay_ms: delay_ms.ok_or_else(number)? }
            }
            ["down", path] => Self::Down(server(path)),
            ["up", path] => Self::Up(server(path)),
            ["reload", name] => Self::Reload { node: node(name), keeps_state: false },
            ["reload", name, "keep-state"] => Self::Reload { node: node(name), keeps_state: true },
            ["lose-reply", name] => Self::LoseReply { node: node(name), is_done: true },
            ["lose-reply", name, "undone"] => Self::LoseReply { node: node(name), is_done: false },
            ["port-down" | "port-up" | "tag" | "drops" | "vswitchd", ..] => Self::of_switch(&words, text, form)?,
            ["split", name] => Self::Split(node(name)),
            ["nopreempt"] => Self::NoPreempt,
            ["stop", service, name] => {
                let service = Service::parse(service).ok_or_else(|| incomplete(text, form))?;
                Self::Stop { service, node: node(name) }
            }
            ["start", service, name] => {
                let service = Service::parse(service).ok_or_else(|| incomplete(text, form))?;
                Self::Start { service, node: node(name) }
            }
            ["expose", name, port] => {
                let number = port.parse().ok().filter(|port| *port > 0);
                let number = number.ok_or_else(|| out_of_range(port, "1", u16::MAX.to_string(), form))?;
                Self::Expose { node: node(name), port: number }
            }
            ["certificate", days] => {
                let number = days.parse().ok().filter(|days| *days <= CERTIFICATE_DAYS_MAX);
                let number = number.ok_or_else(|| out_of_range(days, "0", CERTIFICATE_DAYS_MAX.to_string(), form))?;
                Self::Certificate(number)
            }
            ["lossy", name] => Self::Lossy(node(name)),
            _ => return Self::parse_rest(&words, text, form),
        })
    }

    /// Faults of traffic, databases, guests and counters.
    fn parse_rest(words: &[&str], text: &str, form: &'static str) -> Result<Self, FaultError> {
        let node = |name: &str| NodeName::from(name);
        Ok(match *words {
            ["database", name, word] => {
                let fault = DatabaseFault::parse(word).ok_or_else(|| incomplete(text, form))?;
                Self::Database { node: node(name), fault }
            }
            ["spike", factor] => {
                let number = factor.strip_prefix('x').and_then(|number| number.parse::<f64>().ok());
                let number = number.filter(|number| (0.0..=SPIKE_MAX).contains(number));
                Self::Spike(number.ok_or_else(|| out_of_range(factor, "x0", format!("x{SPIKE_MAX}"), form))?)
            }
            ["guest", name, word] => {
                Self::Guest { name: node(name), state: GuestState::parse(word).ok_or_else(|| incomplete(text, form))? }
            }
            ["libvirt", name, word] => {
                let state = LibvirtState::parse(word).ok_or_else(|| incomplete(text, form))?;
                Self::Libvirt { node: node(name), state }
            }
            ["reset-counters"] => Self::ResetCounters(None),
            ["reset-counters", name] => Self::ResetCounters(Some(node(name))),
            _ => return Err(incomplete(text, form)),
        })
    }

    /// What goes wrong with a switch, its ports and its daemon.
    fn of_switch(words: &[&str], text: &str, form: &'static str) -> Result<Self, FaultError> {
        let node = |name: &str| NodeName::from(name);
        Ok(match *words {
            ["port-down", name, port] => Self::Port { node: node(name), port: port.to_owned(), is_off: true },
            ["port-up", name, port] => Self::Port { node: node(name), port: port.to_owned(), is_off: false },
            ["tag", name, port, vlan] => {
                let tag = vlan.parse().ok().filter(|vlan| *vlan <= VLAN_MAX);
                let number = || out_of_range(vlan, "0", VLAN_MAX.to_string(), form);
                Self::Tag { node: node(name), port: port.to_owned(), vlan: tag.ok_or_else(number)? }
            }
            ["drops", name, port, rate] => {
                let per_s = rate.parse().ok().filter(|per_s| *per_s <= DROPS_MAX);
                let number = || out_of_range(rate, "0", DROPS_MAX.to_string(), form);
                Self::Drops { node: node(name), port: port.to_owned(), per_s: per_s.ok_or_else(number)? }
            }
            ["vswitchd", name, word] => match DaemonFault::WORDS.iter().find(|(known, _)| *known == word) {
                Some((_, daemon)) => Self::SwitchDaemon(node(name), *daemon),
                None => return Err(FaultError::Form { given: text.trim().to_owned(), form }),
            },
            _ => return Err(incomplete(text, form)),
        })
    }
}

fn incomplete(given: &str, form: &'static str) -> FaultError {
    FaultError::Form { given: given.trim().to_owned(), form }
}

fn out_of_range(given: &str, min: &str, max: String, form: &'static str) -> FaultError {
    FaultError::Number { given: given.to_owned(), min: min.to_owned(), max, form }
}

fn server(path: &str) -> ServerPath {
    match path.split_once('/') {
        Some((backend, server)) => ServerPath { backend: Some(backend.to_owned()), server: server.to_owned() },
        None => ServerPath { backend: None, server: path.to_owned() },
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(node) => write!(f, "kill {node}"),
            Self::Cut(node) => write!(f, "cut {node}"),
            Self::Freeze(node) => write!(f, "freeze {node}"),
            Self::Slow { node, delay_ms } => write!(f, "slow {node} {delay_ms}"),
            Self::Throttle(node) => write!(f, "throttle {node}"),
            Self::Heal(node) => write!(f, "heal {node}"),
            Self::Down(path) => write!(f, "down {path}"),
            Self::Up(path) => write!(f, "up {path}"),
            Self::Reload { node, keeps_state } => {
                write!(f, "reload {node}{}", if *keeps_state { " keep-state" } else { "" })
            }
            Self::LoseReply { node, is_done } => {
                write!(f, "lose-reply {node}{}", if *is_done { "" } else { " undone" })
            }
            Self::Port { node, port, is_off } => {
                write!(f, "port-{} {node} {port}", if *is_off { "down" } else { "up" })
            }
            Self::Tag { node, port, vlan } => write!(f, "tag {node} {port} {vlan}"),
            Self::Drops { node, port, per_s } => write!(f, "drops {node} {port} {per_s}"),
            Self::SwitchDaemon(node, daemon) => {
                let word = DaemonFault::WORDS.iter().find(|(_, known)| known == daemon).map_or("", |(word, _)| word);
                write!(f, "vswitchd {node} {word}")
            }
            Self::Split(node) => write!(f, "split {node}"),
            Self::NoPreempt => f.write_str("nopreempt"),
            Self::Stop { service, node } => write!(f, "stop {} {node}", service.word()),
            Self::Start { service, node } => write!(f, "start {} {node}", service.word()),
            Self::Expose { node, port } => write!(f, "expose {node} {port}"),
            Self::Certificate(days) => write!(f, "certificate {days}"),
            Self::Lossy(node) => write!(f, "lossy {node}"),
            Self::Database { node, fault } => write!(f, "database {node} {}", fault.word()),
            Self::Spike(factor) => write!(f, "spike x{factor}"),
            Self::Guest { name, state } => write!(f, "guest {name} {}", state.word()),
            Self::Libvirt { node, state } => write!(f, "libvirt {node} {}", state.word()),
            Self::ResetCounters(None) => f.write_str("reset-counters"),
            Self::ResetCounters(Some(node)) => write!(f, "reset-counters {node}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_and_written_alike() {
        let lines = [
            "kill web03",
            "cut lb01",
            "freeze web01",
            "slow web02 300",
            "throttle db01",
            "heal web03",
            "down web03",
            "up web_cluster/web03",
            "reload lb01",
            "reload lb01 keep-state",
            "lose-reply lb01",
            "lose-reply lb01 undone",
            "port-down web03 eth1",
            "port-up web03 eth1",
            "tag web03 priv0 99",
            "drops web03 priv0 200",
            "vswitchd web03 running",
            "vswitchd web03 halted",
            "vswitchd web03 dead",
            "split lb02",
            "stop keepalived lb01",
            "nopreempt",
            "start memcached web01",
            "expose lb01 3306",
            "certificate 3",
            "lossy web03",
            "database db02 lag",
            "spike x10",
            "guest app01 paused",
            "guest app01 stuck",
            "libvirt kvm01 frozen",
            "libvirt kvm01 well",
            "reset-counters",
            "reset-counters lb02",
        ];
        for line in lines {
            assert_eq!(Fault::parse(line).map(|fault| fault.to_string()).as_deref(), Ok(line));
        }
        for (form, _) in WORDS {
            let word = form.split(' ').next().unwrap();
            assert!(lines.iter().any(|line| line.starts_with(word)), "{form}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |line: &str| Fault::parse(line).unwrap_err().to_string();
        assert!(said("explode web03").starts_with("unknown fault `explode`; the faults are kill, cut"));
        assert_eq!(said("kill"), "`kill` is not complete or has too much in it; write `kill NODE`");
        assert_eq!(
            said("reload lb01 keep"),
            "`reload lb01 keep` is not complete or has too much in it; write `reload LB [keep-state]`"
        );
        assert_eq!(said("slow web02 soon"), "`soon` is not a number from 0 to 60000; write `slow NODE MS`");
        assert_eq!(said("spike 10"), "`10` is not a number from x0 to x1000; write `spike xN`");
    }
}
