//! One machine: whether it lives, what its kernel counts, and the text of its `/proc`.
//!
//! Processor time, network and disk figures follow the requests that the machine carries; the rest stays as the
//! captured machine had it.

use super::{guest::LibvirtState, server::CheckWord};
use crate::{
    model::{ids::NodeName, inventory::Role, time::Now},
    sim::fault::Service,
};
use std::{
    collections::BTreeSet,
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
};

const SAMPLE_EDGE: &str = include_str!("../../../tests/captures/host/debian-12-lab/lb01.txt");
const SAMPLE_DATABASE: &str = include_str!("../../../tests/captures/host/debian-12-lab/db01.txt");
const SAMPLE_HYPERVISOR: &str = include_str!("../../../tests/captures/host/debian-12-lab/kvm02.txt");
const PROFILE_EDGE: &str = include_str!("../../../tests/captures/host-profile/debian-12-lab/lb01.txt");
const PROFILE_DATABASE: &str = include_str!("../../../tests/captures/host-profile/debian-12-lab/db01.txt");
const PROFILE_HYPERVISOR: &str = include_str!("../../../tests/captures/host-profile/debian-12-lab/kvm02.txt");

/// Kernel ticks per second.
const TICKS_PER_S: f64 = 100.0;
/// Processors of every captured machine.
const CPUS: f64 = 2.0;
/// Share of all processor time that waits for a throttled disk, and for a healthy one.
const IOWAIT_THROTTLED: f64 = 0.62;
const IOWAIT_USUAL: f64 = 0.004;
/// Share of the time that some and all tasks stall on a throttled disk.
const IO_SOME_THROTTLED: f64 = 0.74;
const IO_FULL_THROTTLED: f64 = 0.58;
/// How long the machine has been up when the simulation begins.
const UPTIME_AT_START_US: u64 = 3 * 86_400 * 1_000_000;

/// What a fault has done to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Contact {
    /// It answers.
    #[default]
    Answers,
    /// Its processes are dead: connections are refused.
    Refuses,
    /// Its cables are pulled: nothing comes back.
    Silent,
    /// It accepts connections and says nothing.
    Frozen,
}

/// Where a machine stands in the cluster.
#[derive(Debug, Clone)]
pub(crate) struct HostFile {
    pub(crate) name: NodeName,
    pub(crate) role: Role,
    pub(crate) management: String,
    pub(crate) private: String,
    pub(crate) public: Option<String>,
    /// The hypervisor that carries it.
    pub(crate) on: Option<NodeName>,
}

/// A machine.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) file: HostFile,
    pub(super) contact: Contact,
    pub(super) slow_ms: u64,
    /// How libvirtd fares, on a hypervisor.
    pub(super) libvirt: LibvirtState,
    pub(super) is_throttled: bool,
    /// Services that fail although the machine lives, by server name.
    pub(super) broken: BTreeSet<String>,
    /// Services that somebody stopped.
    pub(super) stopped: BTreeSet<Service>,
    /// Ports on which something listens on every address, besides the usual ones.
    pub(super) exposed: BTreeSet<u16>,
    /// Whether packets get lost on its way to the private network.
    pub(super) is_lossy: bool,
    /// Virtual addresses that it carries.
    pub(super) vips: Vec<String>,
    /// What its keepalived has without the file that it tracks, and the number in that file.
    pub(super) priority: i64,
    pub(super) priority_file: i64,
    pub(super) booted_us: u64,
    boots: u64,
    settled_us: u64,
    /// Work that came since the figures were settled, and the bytes of it.
    pending_work_us: f64,
    counted: Counted,
    profile: String,
}

/// What the kernel counts since the machine started.
#[derive(Debug, Clone, Default)]
struct Counted {
    /// user, system, idle, iowait, in ticks.
    cpu: [f64; 4],
    rx_bytes: u64,
    tx_bytes: u64,
    packets: u64,
    writes: f64,
    write_ms: f64,
    busy_ms: f64,
    io_some_us: f64,
    io_full_us: f64,
    load: [f64; 3],
    busy_share: f64,
}

impl Host {
    pub(super) fn new(file: HostFile, vips: &[String], now_us: u64) -> Self {
        let profile = profile(&file, vips);
        Self {
            file,
            contact: Contact::default(),
            slow_ms: 0,
            libvirt: LibvirtState::default(),
            is_throttled: false,
            broken: BTreeSet::new(),
            stopped: BTreeSet::new(),
            exposed: BTreeSet::new(),
            is_lossy: false,
            vips: vips.to_vec(),
            priority: 0,
            priority_file: 0,
            booted_us: now_us,
            boots: 0,
            settled_us: now_us,
            pending_work_us: 0.0,
            counted: Counted::default(),
            profile,
        }
    }

    /// The text of its profile, made anew when virtual addresses moved.
    pub(super) fn profile(&self) -> &str {
        &self.profile
    }

    pub(super) fn hold_addresses(&mut self, vips: &[String]) {
        if self.vips != vips {
            self.vips = vips.to_vec();
            self.profile = profile(&self.file, vips);
        }
    }

    /// Whether its keepalived takes the virtual addresses when nobody better does.
    pub(super) fn may_hold_addresses(&self) -> bool {
        self.contact == Contact::Answers && !self.stopped.contains(&Service::Keepalived)
    }

    /// What a health check of one of its services finds.
    pub(super) fn checked(&self, service: &str) -> CheckWord {
        match self.contact {
            Contact::Refuses => CheckWord::Refused,
            Contact::Silent | Contact::Frozen => CheckWord::Silent,
            Contact::Answers if self.broken.contains(service) => CheckWord::Unavailable,
            Contact::Answers => CheckWord::Passed,
        }
    }

    /// Whether sessions with its services go on.
    pub(super) fn holds_sessions(&self) -> bool {
        self.contact != Contact::Refuses
    }

    /// Whether it reaches nobody.
    pub(super) fn is_cut_off(&self) -> bool {
        self.contact == Contact::Silent
    }

    /// What its services take longer, microseconds.
    pub(super) fn delay_us(&self) -> u64 {
        let disk_us = if self.is_throttled { 120_000 } else { 0 };
        self.slow_ms * 1000 + disk_us
    }

    /// It carried a request.
    pub(super) fn work(&mut self, work_us: f64, received: u64, sent: u64) {
        self.pending_work_us += work_us;
        self.counted.rx_bytes += received;
        self.counted.tx_bytes += sent;
        self.counted.packets += 1 + (received + sent) / 1448;
    }

    /// It starts again: what the kernel counted is gone.
    pub(super) fn boot(&mut self, now_us: u64) {
        self.boots += 1;
        (self.booted_us, self.settled_us) = (now_us, now_us);
        (self.counted, self.pending_work_us) = (Counted::default(), 0.0);
    }

    fn hash(&self, salt: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.file.name.as_str(), self.boots, salt).hash(&mut hasher);
        hasher.finish()
    }

    /// Brings the figures up to now.
    fn settle(&mut self, now_us: u64) {
        let elapsed_us = now_us.saturating_sub(self.settled_us) as f64;
        if elapsed_us <= 0.0 {
            return;
        }
        self.settled_us = now_us;
        let work = std::mem::take(&mut self.pending_work_us) / (elapsed_us * CPUS);
        // What a machine does besides requests: one to three percent, another share each time.
        let own = 0.01 + (self.hash(now_us) % 1000) as f64 / 50_000.0;
        let busy = (work + own).min(0.97);
        let iowait = if self.is_throttled { IOWAIT_THROTTLED.min(1.0 - busy) } else { IOWAIT_USUAL.min(1.0 - busy) };
        let ticks = elapsed_us / 1e6 * TICKS_PER_S * CPUS;
        let counted = &mut self.counted;
        for (slot, share) in counted.cpu.iter_mut().zip([busy * 0.72, busy * 0.28, 1.0 - busy - iowait, iowait]) {
            *slot += ticks * share;
        }
        counted.busy_share = busy;
        let runnable = busy * CPUS + if self.is_throttled { 3.0 } else { 0.0 };
        for (load, minutes) in counted.load.iter_mut().zip([1.0, 5.0, 15.0]) {
            *load += (runnable - *load) * (1.0 - (-elapsed_us / (minutes * 60e6)).exp());
        }
        let past_ms = elapsed_us / 1000.0;
        counted.writes += past_ms * 0.012;
        if self.is_throttled {
            counted.busy_ms += past_ms * 0.99;
            counted.write_ms += past_ms * 2.4;
            counted.io_some_us += elapsed_us * IO_SOME_THROTTLED;
            counted.io_full_us += elapsed_us * IO_FULL_THROTTLED;
        } else {
            counted.busy_ms += past_ms * 0.006;
            counted.write_ms += past_ms * 0.009;
        }
        counted.packets += (past_ms / 250.0) as u64;
        counted.rx_bytes += (past_ms * 0.6) as u64;
        counted.tx_bytes += (past_ms * 0.8) as u64;
    }

    /// The answer to the host probe.
    pub(super) fn sample(&mut self, now: Now, now_us: u64) -> String {
        self.settle(now_us);
        let mould = match self.file.role {
            Role::Edge => SAMPLE_EDGE,
            Role::Hypervisor => SAMPLE_HYPERVISOR,
            _ => SAMPLE_DATABASE,
        };
        let mut text = String::with_capacity(mould.len() + 256);
        for line in mould.lines() {
            self.line(line, now, now_us, &mut text);
            text.push('\n');
        }
        text
    }

    /// One line of the sample: what is modelled gets its figures, the rest stays.
    fn line(&self, line: &str, now: Now, now_us: u64, text: &mut String) {
        let up_us = now_us.saturating_sub(self.booted_us) + if self.boots == 0 { UPTIME_AT_START_US } else { 0 };
        let counted = &self.counted;
        let [user, system, idle, iowait] = counted.cpu.map(|ticks| ticks as u64);
        let half = |ticks: u64| ticks / 2;
        let wall_s = now.wall.0 / 1000;
        // Writing to a string cannot fail.
        let _ = match line.split_once(':').unwrap_or((line, "")) {
            ("clock", _) => write!(text, "clock:{wall_s}.{:09}", now.wall.0.rem_euclid(1000) * 1_000_000),
            ("/proc/stat", rest) => match rest.split(' ').next().unwrap_or_default() {
                "cpu" => write!(text, "/proc/stat:cpu  {user} 0 {system} {idle} {iowait} 0 0 0 0 0"),
                cpu @ ("cpu0" | "cpu1") => {
                    let (user, system) = (half(user), half(system));
                    write!(text, "/proc/stat:{cpu} {user} 0 {system} {} {} 0 0 0 0 0", half(idle), half(iowait))
                }
                "btime" => write!(text, "/proc/stat:btime {}", wall_s.max(0).unsigned_abs() - up_us / 1_000_000),
                "procs_blocked" => write!(text, "/proc/stat:procs_blocked {}", u8::from(self.is_throttled) * 3),
                _ => write!(text, "{line}"),
            },
            ("/proc/loadavg", _) => {
                let [one, five, fifteen] = counted.load;
                write!(text, "/proc/loadavg:{one:.2} {five:.2} {fifteen:.2} 1/41 0")
            }
            ("/proc/uptime", _) => {
                write!(text, "/proc/uptime:{:.2} {:.2}", up_us as f64 / 1e6, up_us as f64 / 1e6 * CPUS * 0.96)
            }
            ("/proc/diskstats", rest) if rest.contains(" vda ") || rest.contains(" loop0 ") => {
                let head: Vec<&str> = rest.split_whitespace().take(7).collect();
                let (writes, ms) = (counted.writes as u64, counted.write_ms as u64);
                let busy = counted.busy_ms as u64;
                write!(
                    text,
                    "/proc/diskstats: {} {writes} 0 {} {ms} {} {busy} {} 0 0 0 0 0 0",
                    head.join(" "),
                    writes * 24,
                    u8::from(self.is_throttled) * 4,
                    ms + busy
                )
            }
            ("/proc/net/dev", rest) => self.interface(line, rest, text),
            ("/proc/pressure/io", rest) => self.pressure(rest, text),
            ("/proc/pressure/cpu", rest) if rest.starts_with("some") => {
                let avg = (counted.busy_share - 0.4).max(0.0) * 60.0;
                write!(text, "/proc/pressure/cpu:some avg10={avg:.2} avg60={avg:.2} avg300=0.00 total=0")
            }
            ("/proc/sys/kernel/random/boot_id", _) => {
                let (a, b) = (self.hash(1), self.hash(2));
                write!(
                    text,
                    "/proc/sys/kernel/random/boot_id:{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                    a >> 32,
                    a >> 16 & 0xffff,
                    a & 0xffff,
                    b >> 48,
                    b & 0xffff_ffff_ffff
                )
            }
            _ => write!(text, "{line}"),
        };
    }

    /// The interface that carries the requests: the private one, and the public one of a load balancer.
    fn interface(&self, line: &str, rest: &str, text: &mut String) -> std::fmt::Result {
        let name = rest.split(':').next().unwrap_or_default().trim();
        let Counted { rx_bytes, tx_bytes, packets, .. } = self.counted;
        if matches!(name, "priv0" | "pub0" | "eth1") {
            write!(
                text,
                "/proc/net/dev:{name:>6}: {rx_bytes} {packets}    0    0    0     0          0         0 {tx_bytes} {packets}    0    0    0     0       0          0"
            )
        } else {
            write!(text, "{line}")
        }
    }

    fn pressure(&self, rest: &str, text: &mut String) -> std::fmt::Result {
        let (kind, share, total_us) = if rest.starts_with("full") {
            ("full", IO_FULL_THROTTLED, self.counted.io_full_us)
        } else {
            ("some", IO_SOME_THROTTLED, self.counted.io_some_us)
        };
        let avg = if self.is_throttled { share * 100.0 } else { 0.0 };
        write!(text, "/proc/pressure/io:{kind} avg10={avg:.2} avg60={avg:.2} avg300=0.00 total={}", total_us as u64)
    }
}

/// The captured profile of a machine of the same kind, under this machine's name and addresses. Processes that this
/// kind of machine does not run are left out.
fn profile(file: &HostFile, vips: &[String]) -> String {
    let (mould, whose) = match file.role {
        Role::Edge => (PROFILE_EDGE, "lb01"),
        Role::Hypervisor => (PROFILE_HYPERVISOR, "kvm02"),
        _ => (PROFILE_DATABASE, "db01"),
    };
    let foreign = foreign_processes(mould, file.role);
    let mut text = String::with_capacity(mould.len());
    for line in mould.lines() {
        let is_foreign = foreign.iter().any(|pid| {
            line.starts_with(&format!("/proc/{pid}/status:")) || line.starts_with(&format!("/proc/{pid}/cgroup:"))
        });
        let is_database_disk = line.contains("/var/lib/mysql") && file.role != Role::Database;
        if is_foreign || is_database_disk {
            continue;
        }
        let address = line.strip_prefix("ip:").filter(|rest| rest.contains("    inet "));
        let interface = address.and_then(|rest| rest.split_whitespace().nth(1)).unwrap_or_default();
        match interface {
            "eth0" | "br-mgmt" => replace_address(line, &file.management, &mut text),
            "pub0" | "priv0" if line.contains(" secondary ") => {}
            "pub0" => {
                if let Some(public) = &file.public {
                    replace_address(line, public, &mut text);
                }
                for vip in vips.iter().filter(|vip| !is_private(vip)) {
                    secondary(4, "pub0", vip, &mut text);
                }
            }
            "priv0" => {
                replace_address(line, &file.private, &mut text);
                for vip in vips.iter().filter(|vip| is_private(vip)) {
                    secondary(7, "priv0", vip, &mut text);
                }
            }
            "br-phy" => {}
            _ => {
                text.push_str(&line.replace(whose, file.name.as_str()));
                text.push('\n');
            }
        }
    }
    text
}

/// Processes of the capture that a machine of this role does not run.
fn foreign_processes(mould: &str, role: Role) -> Vec<&str> {
    let of_role: &[&str] = match role {
        Role::Edge => &["haproxy", "keepalived"],
        Role::Database => &["mariadbd"],
        _ => &[],
    };
    mould
        .lines()
        .filter_map(|line| {
            let (pid, name) = line.strip_prefix("/proc/")?.split_once("/status:Name:\t")?;
            let is_special = ["haproxy", "keepalived", "mariadbd"].contains(&name);
            (is_special && !of_role.contains(&name)).then_some(pid)
        })
        .collect()
}

fn is_private(address: &str) -> bool {
    address.starts_with("10.") || address.starts_with("192.168.") || address.starts_with("172.")
}

/// The line with another address of the same prefix length.
fn replace_address(line: &str, address: &str, text: &mut String) {
    let Some((before, rest)) = line.split_once(" inet ") else { return };
    let Some((_, after)) = rest.split_once('/') else { return };
    let _ = writeln!(text, "{before} inet {address}/{after}");
}

fn secondary(index: u32, interface: &str, address: &str, text: &mut String) {
    let _ = writeln!(
        text,
        "ip:{index}: {interface}    inet {address}/24 scope global secondary {interface}\\       valid_lft forever preferred_lft forever"
    );
}
