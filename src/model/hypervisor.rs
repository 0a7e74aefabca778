//! Facts of a KVM host: its guests as libvirt tells them, and what it has to give.
//!
//! libvirt calls a guest a domain. Its counters are those of `virsh domstats`; rates are made by `history`.

use super::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};

/// What one look at all domains of a hypervisor found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HypervisorSample {
    /// Active and inactive ones, by name.
    pub domains: Vec<DomainSample>,
}

/// One domain at one moment: state and counters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DomainSample {
    /// Its name on this hypervisor.
    pub name: Clean,
    /// Stays with it when it moves.
    pub uuid: Clean,
    /// What it does.
    pub state: Figure<DomainState>,
    /// Why it does, as libvirt numbers it; in words: [`DomainSample::reason_words`].
    pub reason: Figure<i64>,
    /// Whether its QEMU process answers libvirt, or is held up by another question; of an active domain.
    pub is_answering: Figure<bool>,
    /// Virtual CPUs that are plugged in.
    pub vcpus: Figure<u64>,
    /// CPU time of the whole QEMU process, ns.
    pub cpu_time_ns: Figure<u64>,
    /// Time its virtual CPUs ran, ns, summed.
    pub vcpu_time_ns: Figure<u64>,
    /// Time its virtual CPUs were ready to run and the host let them wait, ns, summed: what the guest calls steal.
    pub vcpu_delay_ns: Figure<u64>,
    /// Memory.
    pub memory: DomainMemory,
    /// Disks, as libvirt orders them.
    pub disks: Vec<DomainDisk>,
    /// Interfaces, as libvirt orders them.
    pub interfaces: Vec<DomainInterface>,
    /// The job that runs on it (migration, backup).
    pub job: Option<DomainJob>,
}

/// What a domain does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    /// It exists, and libvirt cannot tell more.
    None,
    /// Its CPUs run.
    Running,
    /// It waits for something that blocks it.
    Blocked,
    /// Its CPUs stand still; its memory is kept.
    Paused,
    /// It is shutting down.
    ShuttingDown,
    /// It is off.
    Off,
    /// It ended by a crash.
    Crashed,
    /// The guest put itself to sleep.
    Suspended,
}

impl DomainState {
    /// From libvirt's number (`virDomainState`).
    pub fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Running,
            2 => Self::Blocked,
            3 => Self::Paused,
            4 => Self::ShuttingDown,
            5 => Self::Off,
            6 => Self::Crashed,
            7 => Self::Suspended,
            _ => return None,
        })
    }

    /// The word for people and for `status --json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "no state",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Paused => "paused",
            Self::ShuttingDown => "shutting down",
            Self::Off => "off",
            Self::Crashed => "crashed",
            Self::Suspended => "suspended",
        }
    }

    /// Whether it holds memory of the host.
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Off | Self::Crashed)
    }
}

/// `VIR_DOMAIN_PAUSED_IOERROR`.
const PAUSED_IO_ERROR: i64 = 5;
/// `VIR_DOMAIN_PAUSED_CRASHED`.
const PAUSED_CRASHED: i64 = 10;
/// Reasons of a pause that belong to something that goes on and ends by itself: migration, save, dump, snapshot, start.
const PAUSED_FOR_A_WHILE: [i64; 8] = [2, 3, 4, 6, 8, 9, 11, 12];

impl DomainSample {
    /// Whether the disk under it failed and QEMU stopped it for that.
    pub fn stands_on_io_error(&self) -> bool {
        self.state == Figure::Known(DomainState::Paused) && self.reason == Figure::Known(PAUSED_IO_ERROR)
    }

    /// Whether it ended or stands because it crashed.
    pub fn has_crashed(&self) -> bool {
        match self.state.known() {
            Some(DomainState::Crashed) => true,
            Some(DomainState::Paused) => self.reason == Figure::Known(PAUSED_CRASHED),
            // VIR_DOMAIN_SHUTOFF_CRASHED, VIR_DOMAIN_SHUTOFF_FAILED
            Some(DomainState::Off) => matches!(self.reason, Figure::Known(3 | 6)),
            _ => false,
        }
    }

    /// Whether it stands still as a part of something else that goes on.
    pub fn pauses_for_a_while(&self) -> bool {
        self.state == Figure::Known(DomainState::Paused)
            && self.reason.known().is_some_and(|reason| PAUSED_FOR_A_WHILE.contains(&reason))
    }

    /// The reason of the state, in words; nothing where it says no more than the state.
    pub fn reason_words(&self) -> Option<&'static str> {
        let reason = usize::try_from(self.reason.known()?).ok()?;
        let words: &[&str] = match self.state.known()? {
            DomainState::Running => &[
                "",
                "",
                "migrated here",
                "restored",
                "restored from a snapshot",
                "resumed",
                "its migration was cancelled",
                "its save was cancelled",
                "woken",
                "after a crash",
                "after its migration",
            ],
            DomainState::Paused => &[
                "",
                "by an operator",
                "for a migration",
                "for a save",
                "for a dump",
                "by an I/O error",
                "because of its watchdog",
                "from a snapshot",
                "while it shuts down",
                "for a snapshot",
                "by a crash",
                "while it starts",
                "after its migration",
                "by a failed migration",
                "by an error of libvirt",
            ],
            DomainState::Off => &[
                "",
                "shut down",
                "destroyed",
                "crashed",
                "migrated away",
                "saved",
                "failed to start",
                "from a snapshot",
                "stopped by libvirt's daemon",
            ],
            DomainState::Crashed => &["", "by a panic of its kernel"],
            _ => &[],
        };
        words.get(reason).copied().filter(|words| !words.is_empty())
    }

    /// State and reason: "paused by an I/O error of its disk".
    pub fn state_words(&self) -> String {
        match self.state {
            Figure::Known(state) => match self.reason_words() {
                Some("crashed") if state == DomainState::Off => "off: crashed".into(),
                Some(reason) if state == DomainState::Off => format!("off: {reason}"),
                Some(reason) => format!("{} {reason}", state.word()),
                None => state.word().into(),
            },
            Figure::Unknown(why) => format!("? ({why})"),
        }
    }
}

/// Memory of a domain. KiB, as libvirt has it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DomainMemory {
    /// What it has now.
    pub current_kib: Figure<u64>,
    /// What it may grow to.
    pub maximum_kib: Figure<u64>,
    /// What its kernel sees, told by the balloon driver.
    pub available_kib: Figure<u64>,
    /// What its kernel could still give away, told by the balloon driver.
    pub usable_kib: Figure<u64>,
    /// What its QEMU process occupies on the host.
    pub resident_kib: Figure<u64>,
    /// Page faults since its kernel began, told by the balloon driver: fewer than before mean that it began anew.
    #[serde(default)]
    pub page_faults: Figure<u64>,
}

/// Counters of a domain's disk, since it started.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DomainDisk {
    /// As the guest sees it: "vda".
    pub name: Clean,
    /// File or device on the host; empty where there is none.
    pub path: Clean,
    /// Reads.
    pub reads: Figure<u64>,
    /// Bytes read.
    pub read_bytes: Figure<u64>,
    /// Time of all reads, ns.
    pub read_ns: Figure<u64>,
    /// Writes.
    pub writes: Figure<u64>,
    /// Bytes written.
    pub write_bytes: Figure<u64>,
    /// Time of all writes, ns.
    pub write_ns: Figure<u64>,
    /// Size as the guest sees it, bytes.
    pub capacity_bytes: Figure<u64>,
    /// What it occupies, bytes.
    pub allocation_bytes: Figure<u64>,
}

/// Counters of a domain's interface as the host sees its tap: received is what the guest sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DomainInterface {
    /// The tap on the host: "vnet0".
    pub name: Clean,
    /// Bytes.
    pub rx_bytes: Figure<u64>,
    /// Packets.
    pub rx_packets: Figure<u64>,
    /// Errors and drops together.
    pub rx_lost: Figure<u64>,
    /// Bytes.
    pub tx_bytes: Figure<u64>,
    /// Packets.
    pub tx_packets: Figure<u64>,
    /// Errors and drops together.
    pub tx_lost: Figure<u64>,
}

/// A job on a domain.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DomainJob {
    /// What it is: "migration out", "backup".
    pub operation: Clean,
    /// So far, ms.
    pub elapsed_ms: Figure<u64>,
    /// Work in all, bytes.
    pub total_bytes: Figure<u64>,
    /// Work that remains, bytes.
    pub remaining_bytes: Figure<u64>,
    /// Memory that the guest rewrites, pages a second.
    pub dirty_pages_per_s: Figure<u64>,
}

impl DomainJob {
    /// How far it is, percent.
    pub fn done_percent(&self) -> Option<f64> {
        let total = self.total_bytes.known().filter(|&total| total > 0)?;
        let remaining = self.remaining_bytes.known()?.min(total);
        Some((total - remaining) as f64 / total as f64 * 100.0)
    }
}

/// A sample with what became of it since the one before.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HypervisorFacts {
    /// The newer sample.
    pub sample: HypervisorSample,
    /// One for each domain of the sample, in its order.
    pub rates: Vec<DomainRates>,
}

impl HypervisorFacts {
    /// Domains with their rates.
    pub fn domains(&self) -> impl Iterator<Item = (&DomainSample, &DomainRates)> {
        self.sample.domains.iter().zip(&self.rates)
    }

    /// What its active domains were promised.
    pub fn promised(&self) -> Promised {
        let active = || {
            let active = |domain: &&DomainSample| domain.state.known().is_some_and(DomainState::is_active);
            self.sample.domains.iter().filter(active)
        };
        let sum = |get: fn(&DomainSample) -> Figure<u64>| {
            active().fold(Figure::Known(0_u64), |sum, domain| {
                sum.and_then(|sum| get(domain).map(|value| sum.saturating_add(value)))
            })
        };
        Promised {
            active: active().count() as u64,
            vcpus: sum(|domain| domain.vcpus),
            memory_kib: sum(|domain| domain.memory.current_kib),
        }
    }

    /// The domain of that name.
    pub fn domain(&self, name: &str) -> Option<(&DomainSample, &DomainRates)> {
        self.domains().find(|(domain, _)| domain.name.as_str() == name)
    }
}

/// What active domains were promised of their host, in sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promised {
    /// How many are active.
    pub active: u64,
    /// Virtual CPUs; unknown when one does not tell.
    pub vcpus: Figure<u64>,
    /// Memory they have now, KiB; unknown when one does not tell.
    pub memory_kib: Figure<u64>,
}

/// Rates of one domain.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DomainRates {
    /// CPU of its QEMU process, percent of one core of the host.
    pub cpu_percent: Figure<f64>,
    /// Time that its virtual CPUs waited for a core, percent of the time of all of them.
    pub steal_percent: Figure<f64>,
    /// One for each disk.
    pub disks: Vec<DomainDiskRates>,
    /// One for each interface.
    pub interfaces: Vec<DomainInterfaceRates>,
}

/// Rates of a domain's disk.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DomainDiskRates {
    /// Reads.
    pub reads_per_s: Figure<f64>,
    /// Writes.
    pub writes_per_s: Figure<f64>,
    /// Bytes read.
    pub read_bytes_per_s: Figure<f64>,
    /// Bytes written.
    pub write_bytes_per_s: Figure<f64>,
    /// Mean time of a read.
    pub read_ms: Figure<f64>,
    /// Mean time of a write.
    pub write_ms: Figure<f64>,
}

/// Rates of a domain's interface, as the host sees it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DomainInterfaceRates {
    /// From the guest.
    pub rx_bytes_per_s: Figure<f64>,
    /// To the guest.
    pub tx_bytes_per_s: Figure<f64>,
    /// Errors and drops, both ways.
    pub lost_per_s: Figure<f64>,
}

/// What changes rarely on a hypervisor: what it has to give, and how its domains are defined.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HypervisorProfile {
    /// libvirt's version, "9.0.0".
    pub libvirt_version: Figure<Version>,
    /// QEMU's version.
    pub qemu_version: Figure<Version>,
    /// CPUs (threads) of the host.
    pub cpus: Figure<u64>,
    /// Memory of the host, KiB.
    pub memory_kib: Figure<u64>,
    /// Definitions, by name.
    pub domains: Vec<DomainDefinition>,
    /// Storage pools, by name.
    #[serde(default)]
    pub pools: Figure<Vec<StoragePool>>,
}

/// Where a hypervisor keeps disks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoragePool {
    /// Its name.
    pub name: Clean,
    /// Its folder or device folder; empty where it has none.
    pub path: Clean,
    /// "dir", "netfs", "rbd", as libvirt has it.
    pub kind: Clean,
    /// Whether it can be used.
    pub is_active: bool,
}

impl StoragePool {
    /// Whether its kind is one that several hosts see at once.
    pub fn is_shared(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "netfs" | "gluster" | "rbd" | "sheepdog" | "iscsi" | "iscsi-direct" | "mpath" | "vstorage"
        )
    }
}

impl HypervisorProfile {
    /// The definition of that domain.
    pub fn domain(&self, uuid: &Clean) -> Option<&DomainDefinition> {
        self.domains.iter().find(|domain| domain.uuid == *uuid)
    }
}

/// A version as libvirt packs it: major * 1,000,000 + minor * 1,000 + release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0 / 1_000_000, self.0 / 1000 % 1000, self.0 % 1000)
    }
}

/// How a domain is defined.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DomainDefinition {
    /// Its name.
    pub name: Clean,
    /// Its identity.
    pub uuid: Clean,
    /// Whether it starts with its host.
    pub autostart: Figure<bool>,
    /// Whether it is defined beyond its run.
    pub is_persistent: Figure<bool>,
    /// Since when its QEMU process runs on this host, seconds.
    pub uptime_s: Figure<u64>,
    /// Virtual CPUs it may have.
    pub vcpus: Figure<u64>,
    /// Memory it may have, KiB.
    pub memory_kib: Figure<u64>,
    /// "kvm", or "qemu" where every instruction is emulated.
    pub accelerator: Clean,
    /// "pc-i440fx-7.2".
    pub machine: Clean,
    /// Its interfaces.
    pub interfaces: Vec<InterfaceDefinition>,
    /// Its disks.
    pub disks: Vec<DiskDefinition>,
    /// How its processor is chosen: "custom", "host-passthrough"; empty: QEMU's own.
    #[serde(default)]
    pub cpu_mode: Clean,
    /// Devices that stay with the host, one line each: passed on, shared memory, shared folders.
    #[serde(default)]
    pub bound_devices: Vec<Clean>,
    /// Snapshots.
    #[serde(default)]
    pub snapshots: Figure<u64>,
}

impl DomainDefinition {
    /// The interface behind that tap.
    pub fn interface(&self, tap: &Clean) -> Option<&InterfaceDefinition> {
        self.interfaces.iter().find(|interface| interface.tap == *tap)
    }
}

/// How an interface of a domain is plugged in.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InterfaceDefinition {
    /// The tap on the host, while it runs.
    pub tap: Clean,
    /// Its MAC address, lower case.
    pub mac: Clean,
    /// The bridge or network it is plugged into.
    pub bridge: Clean,
    /// Whether the bridge is one of Open vSwitch.
    pub is_openvswitch: bool,
    /// VLANs; none: untagged.
    pub vlans: Vec<u16>,
    /// Its identity in Open vSwitch (`external_ids:iface-id`).
    pub port_id: Clean,
}

/// Where a disk of a domain lies.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DiskDefinition {
    /// As the guest sees it: "vda".
    pub target: Clean,
    /// File, device, volume or URL; empty: no medium.
    pub source: Clean,
    /// "raw", "qcow2".
    pub format: Clean,
    /// How its host caches it: "none"; empty: as QEMU does by itself.
    #[serde(default)]
    pub cache: Clean,
    /// Whether the guest may only read it.
    #[serde(default)]
    pub is_read_only: bool,
    /// Whether several guests may use it at once.
    #[serde(default)]
    pub is_shareable: bool,
}
