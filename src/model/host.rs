//! Facts about a host: what one read of `/proc` and `/sys` says, and what two reads say together.

use super::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};

/// One read: counters and gauges as the kernel gave them. Rates come from two of these (`history::host`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HostSample {
    /// The node's wall clock at the read, milliseconds since 1970.
    pub clock_ms: Figure<i64>,
    /// Since boot, milliseconds.
    pub uptime_ms: Figure<u64>,
    /// The kernel's name for this boot (`/proc/sys/kernel/random/boot_id`): another one means every counter restarted.
    pub boot_id: Figure<Clean>,
    /// All CPUs together.
    pub cpu: Figure<CpuTicks>,
    /// Number of CPUs.
    pub cpus: Figure<u32>,
    /// Tasks in uninterruptible sleep (`procs_blocked`).
    pub blocked_tasks: Figure<u32>,
    /// Their commands, when any.
    pub blocked_commands: Vec<Clean>,
    /// Load averages.
    pub load: Figure<Load>,
    /// Memory gauges.
    pub memory: Figure<Memory>,
    /// Pages swapped in since boot.
    pub swap_in_pages: Figure<u64>,
    /// Pages swapped out since boot.
    pub swap_out_pages: Figure<u64>,
    /// OOM kills since boot.
    pub oom_kills: Figure<u64>,
    /// Pressure stall information.
    pub pressure: Figure<Pressure>,
    /// Whole disks (and the loop, dm, md devices that carry file systems).
    pub disks: Vec<DiskCounters>,
    /// Network interfaces except loopback.
    pub interfaces: Vec<InterfaceCounters>,
}

/// CPU time in ticks since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of proc(5)")]
pub struct CpuTicks {
    pub user: u64,
    pub nice: u64,
    pub system: u64,
    pub idle: u64,
    pub iowait: u64,
    pub irq: u64,
    pub softirq: u64,
    pub steal: u64,
}

/// Load averages.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the windows are in the names")]
pub struct Load {
    pub one_minute: f64,
    pub five_minutes: f64,
    pub fifteen_minutes: f64,
}

/// Memory gauges in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// MemTotal.
    pub total_bytes: u64,
    /// MemAvailable (estimated on kernels without it).
    pub available_bytes: u64,
    /// Dirty.
    pub dirty_bytes: u64,
    /// Writeback.
    pub writeback_bytes: u64,
    /// SwapTotal.
    pub swap_total_bytes: u64,
    /// SwapFree.
    pub swap_free_bytes: u64,
}

/// Pressure stall totals and averages.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Pressure {
    /// CPU.
    pub cpu: PressureOf,
    /// Memory.
    pub memory: PressureOf,
    /// Input and output.
    pub io: PressureOf,
}

/// One resource's pressure.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PressureOf {
    /// Some task stalled: mean over 10 s, percent.
    pub some_avg10_percent: f64,
    /// Some task stalled, since boot.
    pub some_total_us: u64,
    /// All tasks stalled: mean over 10 s, percent.
    pub full_avg10_percent: f64,
    /// All tasks stalled, since boot.
    pub full_total_us: u64,
}

/// `/proc/diskstats`, one device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the kernel's iostats.rst, unit last")]
pub struct DiskCounters {
    pub name: Clean,
    pub reads: u64,
    pub read_sectors: u64,
    pub read_ms: u64,
    pub writes: u64,
    pub write_sectors: u64,
    pub write_ms: u64,
    pub in_flight: u64,
    pub busy_ms: u64,
    pub weighted_ms: u64,
}

/// `/proc/net/dev`, one interface, with its link state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of proc(5)")]
pub struct InterfaceCounters {
    pub name: Clean,
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
    /// `operstate`: "up", "down", "unknown".
    pub state: Figure<Clean>,
}

/// What two samples say together: what screens show and rules judge.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HostFacts {
    /// The newer sample.
    pub sample: HostSample,
    /// Window between the two samples by the node's clock, milliseconds.
    pub window_ms: Figure<u64>,
    /// Node's clock minus bastion's clock, milliseconds (half the round trip taken off).
    pub clock_offset_ms: Figure<i64>,
    /// CPU split.
    pub cpu: Figure<CpuShares>,
    /// Memory in use, percent of total.
    pub memory_used_percent: Figure<f64>,
    /// Pages swapped in per second.
    pub swap_in_per_s: Figure<f64>,
    /// Pages swapped out per second.
    pub swap_out_per_s: Figure<f64>,
    /// OOM kills within the window.
    pub oom_kills_new: Figure<u64>,
    /// Share of the window in which some task stalled on CPU, percent.
    pub cpu_some_percent: Figure<f64>,
    /// Share of the window in which some task stalled on memory, percent.
    pub memory_some_percent: Figure<f64>,
    /// Share of the window in which some task stalled on IO, percent.
    pub io_some_percent: Figure<f64>,
    /// Share of the window in which all tasks stalled on IO, percent.
    pub io_full_percent: Figure<f64>,
    /// Disks, in the order of the sample.
    pub disks: Vec<DiskRates>,
    /// Interfaces, in the order of the sample.
    pub interfaces: Vec<InterfaceRates>,
}

/// CPU time in percent of the window; the parts add up to 100.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of proc(5), in percent")]
pub struct CpuShares {
    pub user: f64,
    pub nice: f64,
    pub system: f64,
    pub idle: f64,
    pub iowait: f64,
    pub irq: f64,
    pub softirq: f64,
    pub steal: f64,
}

impl CpuShares {
    /// Everything but idle and iowait, percent.
    pub fn busy(&self) -> f64 {
        (100.0 - self.idle - self.iowait).clamp(0.0, 100.0)
    }
}

/// One disk over the window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DiskRates {
    /// Device name.
    pub name: Clean,
    /// Reads per second.
    pub reads_per_s: Figure<f64>,
    /// Writes per second.
    pub writes_per_s: Figure<f64>,
    /// Bytes read per second.
    pub read_bytes_per_s: Figure<f64>,
    /// Bytes written per second.
    pub write_bytes_per_s: Figure<f64>,
    /// Mean wait of a read; unknown when there was none.
    pub read_await_ms: Figure<f64>,
    /// Mean wait of a write; unknown when there was none.
    pub write_await_ms: Figure<f64>,
    /// Mean requests in the queue.
    pub queue: Figure<f64>,
    /// Time with at least one request in flight, percent.
    pub busy_percent: Figure<f64>,
}

/// One interface over the window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names carry direction and unit")]
pub struct InterfaceRates {
    pub name: Clean,
    pub rx_bits_per_s: Figure<f64>,
    pub tx_bits_per_s: Figure<f64>,
    pub rx_packets_per_s: Figure<f64>,
    pub tx_packets_per_s: Figure<f64>,
    pub drops_per_s: Figure<f64>,
    pub errors_per_s: Figure<f64>,
}

/// What changes rarely: read every half minute.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HostProfile {
    /// `hostname`.
    pub hostname: Figure<Clean>,
    /// `uname -r`.
    pub kernel: Figure<Clean>,
    /// `PRETTY_NAME` of os-release.
    pub system: Figure<Clean>,
    /// What the host runs on.
    pub virtualisation: Figure<Virtualisation>,
    /// File systems on real devices.
    pub filesystems: Vec<Filesystem>,
    /// Largest memory users by systemd unit, largest first.
    pub units: Vec<UnitMemory>,
    /// Why `units` is empty, if it is.
    pub units_unknown: Option<Clean>,
    /// The node's address list: "eth0 10.99.0.11/24".
    pub addresses: Vec<InterfaceAddress>,
    /// Block devices; empty where the kernel does not list them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub block_devices: Vec<BlockDevice>,
}

/// A block device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockDevice {
    /// Its name: "sda", "dm-0".
    pub name: Clean,
    /// Whether it turns, as the kernel says; what it says of a virtual disk is its driver's guess.
    pub rotational: Figure<bool>,
    /// Its name in `/dev/mapper`, where it has one.
    pub mapped_as: Option<Clean>,
}

/// An address that an interface carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// Interface name.
    pub interface: Clean,
    /// Address with prefix length.
    pub address: Clean,
}

/// What a host runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Virtualisation {
    /// No hypervisor found.
    BareMetal,
    /// KVM or QEMU guest.
    Kvm,
    /// Another full virtualisation, by name.
    Machine(Clean),
    /// OpenVZ: shares its host's kernel; no own modules, no bridge of its own.
    OpenVz,
    /// Another container, by name.
    Container(Clean),
}

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filesystem {
    /// Where it is mounted.
    pub mount: Clean,
    /// Its device.
    pub device: Clean,
    /// Its type.
    pub kind: Clean,
    /// Size.
    pub total_bytes: u64,
    /// In use.
    pub used_bytes: u64,
    /// Available to unprivileged users.
    pub available_bytes: u64,
}

/// Memory of a systemd unit's cgroup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitMemory {
    /// Unit name.
    pub unit: Clean,
    /// Memory charged to it, page cache included; where the kernel does not account memory by unit, the resident
    /// memory of its processes together.
    pub bytes: u64,
}
