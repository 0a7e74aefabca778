//! Facts about who is where: addresses that a node carries, neighbours it knows, and its keepalived.

use super::{figure::Figure, text::Clean, time::Now};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One look at a node's addresses.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PresenceSample {
    /// Addresses that the kernel takes packets for, loopback and link-local ones left out; sorted.
    pub addresses: Figure<Vec<IpAddr>>,
    /// Hardware addresses of its interfaces.
    pub interfaces: Vec<HardwareAddress>,
    /// Whether each interface is up; unknown where the answer does not say so.
    #[serde(default)]
    pub states: Figure<Vec<InterfaceState>>,
    /// Its ARP table: complete entries only.
    pub neighbours: Vec<Neighbour>,
    /// Its keepalived.
    pub keepalived: Keepalived,
}

/// The hardware address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardwareAddress {
    /// Interface name.
    pub interface: Clean,
    /// "52:54:00:0a:0a:0b".
    pub address: Clean,
}

/// Whether an interface works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceState {
    /// Its name.
    pub interface: Clean,
    /// Down, without a carrier, or over a device that is.
    pub is_down: bool,
}

/// Who answered a node that asked for an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The address that was asked for.
    pub address: IpAddr,
    /// Hardware address of who answered.
    pub hardware: Clean,
    /// On which interface.
    pub interface: Clean,
}

/// keepalived on a node, as far as can be read without telling it anything: a signal would make it write files.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Keepalived {
    /// Whether the system starts it at boot.
    pub is_enabled: bool,
    /// How its processes stand.
    pub process: Figure<ProcessState>,
    /// Its configured instances, where the login may read the configuration.
    pub instances: Vec<VrrpInstance>,
}

/// How a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// There is none.
    #[default]
    Absent,
    /// It runs or sleeps.
    Running,
    /// It was stopped by a signal: it does nothing and holds what it has.
    Stopped,
    /// It waits for a disk and cannot be ended.
    Blocked,
}

/// An instance of keepalived's configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VrrpInstance {
    /// Its name.
    pub name: Clean,
    /// The state it starts in: "MASTER" or "BACKUP".
    pub state: Option<Clean>,
    /// 1 to 255; what its scripts add or take is not in it.
    pub priority: Option<u8>,
    /// The number of its virtual router.
    pub router_id: Option<u8>,
    /// The interface on which it speaks.
    pub interface: Option<Clean>,
    /// Whether it leaves the address where it is when it returns.
    pub is_nopreempt: bool,
    /// Further interfaces without which it is in FAULT.
    #[serde(default)]
    pub tracked: Vec<Clean>,
    /// Whether its own interface may be down (`dont_track_primary`).
    #[serde(default)]
    pub ignores_interface: bool,
    /// How long it lets a holder of lower priority go on before it takes over, milliseconds.
    #[serde(default)]
    pub preempt_delay_ms: u64,
    /// From one advertisement to the next, milliseconds; a second where nothing is configured.
    #[serde(default)]
    pub advert_ms: Option<u64>,
    /// The addresses that it moves.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Files whose numbers are added to its priority.
    #[serde(default)]
    pub files: Vec<TrackedFile>,
}

/// A file that keepalived watches: what it holds, times the weight, is added to the priority.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrackedFile {
    /// Its name in the configuration.
    pub name: Clean,
    /// Where it is on the node; empty where the configuration does not say.
    pub path: Clean,
    /// What its number is multiplied by; with 0 any number but 0 is a fault.
    pub weight: i64,
    /// The number in it.
    pub value: Figure<i64>,
}

impl VrrpInstance {
    /// Its priority with what tracked files add; what scripts add or take is told by nobody.
    pub fn priority_now(&self) -> Option<i64> {
        let added: Option<i64> =
            self.files.iter().map(|file| file.value.known().map(|value| value.saturating_mul(file.weight))).sum();
        Some(i64::from(self.priority?).saturating_add(added?))
    }
}

/// What an instance of keepalived does, as far as can be seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VrrpState {
    /// The node carries its addresses.
    Master,
    /// It does not, and nothing that vakt sees keeps it from it.
    Backup,
    /// It cannot: why.
    Fault(String),
    /// Its addresses or those of the node are unknown, or keepalived does not run.
    Unknown,
}

impl VrrpState {
    /// As keepalived writes it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault(_) => "FAULT",
            Self::Unknown => "?",
        }
    }
}

impl PresenceSample {
    /// Why an instance is in FAULT: one of its interfaces is down or missing. `None` also while nothing tells.
    pub fn broken(&self, instance: &VrrpInstance) -> Option<String> {
        let states = self.states.as_ref().known()?;
        let own = instance.interface.as_ref().filter(|_| !instance.ignores_interface);
        own.into_iter().chain(&instance.tracked).find_map(|name| {
            match states.iter().find(|state| state.interface == *name) {
                None => Some(format!("its interface {name} is missing")),
                Some(state) => state.is_down.then(|| format!("its interface {name} is down")),
            }
        })
    }

    /// What an instance does.
    pub fn vrrp(&self, instance: &VrrpInstance) -> VrrpState {
        let runs = self.keepalived.process == Figure::Known(ProcessState::Running);
        let carried = self.addresses.as_ref().known();
        let holds = carried.is_some_and(|all| instance.addresses.iter().any(|address| all.contains(address)));
        match self.broken(instance) {
            _ if !runs || carried.is_none() => VrrpState::Unknown,
            _ if holds => VrrpState::Master,
            Some(why) => VrrpState::Fault(why),
            None if instance.addresses.is_empty() => VrrpState::Unknown,
            None => VrrpState::Backup,
        }
    }
}

/// What looks say together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PresenceFacts {
    /// The newest look.
    pub sample: PresenceSample,
    /// Since when each address is carried, in the order of the sample's addresses. Of those that the first look found
    /// it is the moment of that look.
    pub since: Vec<Now>,
    /// Addresses that came or went while the node was watched, newest last.
    pub moves: Vec<Move>,
    /// keepalived waited for a disk at the newest look. Whoever writes a line to a log does for a moment: it counts as
    /// blocked, in the sample, from the second look on.
    #[serde(default)]
    pub waits_for_disk: bool,
}

/// An address that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Which.
    pub address: IpAddr,
    /// Whether the node got it; else it lost it.
    pub came: bool,
    /// When it was noticed.
    pub at: Now,
}

impl PresenceFacts {
    /// Whether the node carries an address; unknown while its addresses are.
    pub fn carries(&self, address: IpAddr) -> Figure<bool> {
        self.sample.addresses.as_ref().map(|addresses| addresses.contains(&address))
    }

    /// How often an instance took its addresses over and gave them up while the node was watched, and when last. As many
    /// moves are kept as one node may remember; older ones are forgotten.
    pub fn transitions(&self, instance: &VrrpInstance) -> (usize, Option<&Move>) {
        let first = instance.addresses.first();
        let mut moves = self.moves.iter().filter(|moved| Some(&moved.address) == first);
        let last = moves.next_back();
        (moves.count() + usize::from(last.is_some()), last)
    }

    /// Since when it carries an address; `None` when it does not.
    pub fn since(&self, address: IpAddr) -> Option<Now> {
        let addresses = self.sample.addresses.as_ref().known()?;
        let place = addresses.iter().position(|carried| *carried == address)?;
        self.since.get(place).copied()
    }
}
