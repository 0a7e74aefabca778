//! The answer of [`super::HostProfileProbe`] as a [`HostProfile`].

use super::virtualisation;
use crate::wire::sources::Sources;
use crate::{
    model::{
        figure::{Figure, Unknown},
        host::{BlockDevice, Filesystem, HostProfile, InterfaceAddress, UnitMemory},
        text::Clean,
    },
    wire::{complaints::Complaints, probe::Complaint},
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// File systems kept of one node.
const FILESYSTEMS_MAX: usize = 64;
/// Addresses kept of one node.
const ADDRESSES_MAX: usize = 256;
/// Block devices kept of one node.
const BLOCK_DEVICES_MAX: usize = 256;
/// Units kept of one node, largest first.
const UNITS_MAX: usize = 32;

/// What runs on the node, in a process of its own. Every line of output carries its source in front, so nothing that
/// a mount or an interface is called can pass for something else.
///
/// Only file systems of local kinds are asked for their size, by name and within 3 s where `timeout` exists: a dead
/// NFS server is never touched. `/` is asked whatever its kind; files that are mounted on files and what nspawn hands
/// into its containers (`/run/host`) are left out. Memory by unit comes from cgroups; where those account
/// no memory, the processes' resident sizes are listed with their unit.
pub(super) const SCRIPT: &str = concat!(
    "PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin; LC_ALL=C; export PATH LC_ALL; exec 2>/dev/null; ",
    r#"lines() { while IFS= read -r l || [ -n "$l" ]; do printf '%s:%s\n' "$1" "$l"; done; }; "#,
    "grep -sa '' /proc/sys/kernel/hostname /proc/sys/kernel/osrelease /etc/os-release /etc/redhat-release ",
    "/etc/debian_version /run/systemd/container /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name ",
    "/sys/hypervisor/type /sys/block/*/queue/rotational /sys/block/dm-*/dm/name; ",
    "[ -e /proc/vz ] || [ -e /proc/user_beancounters ] && [ ! -e /proc/bc ] && echo openvz:yes; ",
    "systemd-detect-virt | lines virt; ",
    r"[ -r /proc/1/environ ] && tr '\0' '\n' </proc/1/environ | grep -a '^container=' | lines environ; ",
    "grep -saqw hypervisor /proc/cpuinfo && echo hypervisor:yes; [ -r /proc/cpuinfo ] && echo cpuinfo:yes; ",
    "if timeout -s KILL 2 true; then t='timeout -s KILL 3'; else t=; fi; set --; ",
    "while read -r d m k r; do case $m:$k in ",
    "/:*|*:ext[234]|*:xfs|*:btrfs|*:zfs|*:f2fs|*:jfs|*:reiserfs|*:vfat|*:simfs|*:ploop) ",
    r#"e=$m; case $m in /run/host/*) continue;; *\\*) m=$(printf '%b' "$m");; esac; "#,
    r#"[ $# -lt 64 ] && [ -d "$m" ] || continue; printf 'mount:%s %s %s\n' "$d" "$k" "$e"; "#,
    r#"set -- "$@" "$m";; esac; done </proc/mounts; "#,
    r#"[ $# = 0 ] || $t df -kP "$@" | lines df; "#,
    "ip -o addr show | head -n 400 | lines ip; ",
    "set -- /sys/fs/cgroup/system.slice/*/memory.current ",
    "/sys/fs/cgroup/memory/system.slice/*/memory.usage_in_bytes; s=; ",
    r#"for f do [ -e "$f" ] && s=cgroup; done; "#,
    r#"if [ -n "$s" ]; then grep -sa '' "$@" /sys/fs/cgroup/machine.slice/*/memory.current "#,
    "/sys/fs/cgroup/memory/machine.slice/*/memory.usage_in_bytes /sys/fs/cgroup/user.slice/memory.current ",
    "/sys/fs/cgroup/memory/user.slice/memory.usage_in_bytes; ",
    "else grep -saE '^(Name|VmRSS):|^0::|:name=systemd:' /proc/[0-9]*/status /proc/[0-9]*/cgroup ",
    "| head -n 8000; fi; echo end:yes"
);

/// What the answer says; `None` when it has neither a host name nor a kernel.
pub(super) fn interpret(bytes: &[u8]) -> (Option<HostProfile>, Vec<Complaint>) {
    let text = String::from_utf8_lossy(bytes);
    let words = ["openvz", "virt", "environ", "hypervisor", "cpuinfo", "mount", "df", "ip", "end"];
    let sources = Sources::parse(&text, &words);
    let mut complaints = Complaints::default();
    let hostname = one_word(&sources, "/proc/sys/kernel/hostname");
    let kernel = one_word(&sources, "/proc/sys/kernel/osrelease");
    if hostname.why().is_some() && kernel.why().is_some() {
        complaints.add("the answer", "neither host name nor kernel in it");
        return (None, complaints.finish());
    }
    if sources.cut || sources.first("end").is_none() {
        complaints.add("the answer", "it is cut short; the rest is missing");
    }
    let (units, units_unknown) = units(&sources, &mut complaints);
    let profile = HostProfile {
        hostname,
        kernel,
        system: system(&sources),
        virtualisation: virtualisation::name(&sources),
        filesystems: filesystems(&sources, &mut complaints),
        units,
        units_unknown,
        addresses: addresses(&sources, &mut complaints),
        block_devices: block_devices(&sources),
    };
    (Some(profile), complaints.finish())
}

/// Which devices there are, whether they turn, and how the device mapper calls them. What a loop device says is that of
/// no disk.
fn block_devices(sources: &Sources<'_>) -> Vec<BlockDevice> {
    let names: HashMap<&str, &str> =
        sources.between("/sys/block/", "/dm/name").filter_map(|(name, lines)| Some((name, *lines.first()?))).collect();
    let device = |(name, lines): (&str, &[&str])| BlockDevice {
        name: Clean::line(name),
        rotational: match lines.first().map(|line| line.trim()) {
            _ if name.starts_with("loop") => Figure::Unknown(Unknown::NotOffered),
            Some("0") => Figure::Known(false),
            Some("1") => Figure::Known(true),
            _ => Figure::Unknown(Unknown::Malformed),
        },
        mapped_as: names.get(name).map(|mapped| Clean::line(mapped)),
    };
    sources.between("/sys/block/", "/queue/rotational").take(BLOCK_DEVICES_MAX).map(device).collect()
}

fn one_word(sources: &Sources<'_>, path: &str) -> Figure<Clean> {
    let text = sources.first(path).map(str::trim).filter(|text| !text.is_empty());
    Figure::from_option(text.map(Clean::line), Unknown::Missing)
}

/// `PRETTY_NAME` of os-release, or the release file of systems older than that.
fn system(sources: &Sources<'_>) -> Figure<Clean> {
    let pretty = sources
        .lines("/etc/os-release")
        .iter()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|quoted| quoted.trim().trim_matches(['"', '\'']).to_owned());
    let older = || {
        let redhat = sources.first("/etc/redhat-release").map(|text| text.trim().to_owned());
        redhat.or_else(|| sources.first("/etc/debian_version").map(|text| format!("Debian {}", text.trim())))
    };
    Figure::from_option(pretty.or_else(older).map(|text| Clean::line(&text)), Unknown::Missing)
}

/// Sizes from `df -kP`, kinds from `/proc/mounts`; a device that is mounted again (a bind mount) counts once.
fn filesystems(sources: &Sources<'_>, complaints: &mut Complaints) -> Vec<Filesystem> {
    let kinds: HashMap<String, &str> = sources
        .lines("mount")
        .iter()
        .filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            let (_, kind, mount) = (words.next()?, words.next()?, words.next()?);
            Some((unescape_mount(mount), kind))
        })
        .collect();
    let mut found: Vec<Filesystem> = Vec::new();
    let mut devices = HashSet::new();
    for line in sources.lines("df") {
        if line.starts_with("Filesystem ") {
            continue;
        }
        let Some(row) = DfRow::parse(line) else {
            complaints.add("df", format!("not understood: {line}"));
            continue;
        };
        if row.total_kib == 0 || !devices.insert(row.device) {
            continue;
        }
        if found.len() >= FILESYSTEMS_MAX {
            complaints.add("df", format!("only the first {FILESYSTEMS_MAX} file systems are kept"));
            break;
        }
        found.push(Filesystem {
            mount: Clean::line(row.mount),
            device: Clean::line(row.device),
            kind: Clean::line(kinds.get(row.mount).copied().unwrap_or_default()),
            total_bytes: row.total_kib.saturating_mul(1024),
            used_bytes: row.used_kib.saturating_mul(1024),
            available_bytes: row.available_kib.saturating_mul(1024),
        });
    }
    if found.is_empty() && !kinds.is_empty() {
        complaints.add("df", "no answer: a file system may hang");
    }
    found
}

/// One line of `df -kP`: device, three sizes, percent, mount. Device and mount may contain blanks.
struct DfRow<'a> {
    device: &'a str,
    total_kib: u64,
    used_kib: u64,
    available_kib: u64,
    mount: &'a str,
}

impl<'a> DfRow<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        // The percent sign behind the three sizes is the anchor; a device's name may have one too: try each in turn.
        line.match_indices("% ").find_map(|(percent, _)| {
            let (rest, _share) = last_word(&line[..percent])?;
            let (rest, available) = last_word(rest)?;
            let (rest, used) = last_word(rest)?;
            let (device, total) = last_word(rest)?;
            Some(Self {
                device: device.trim_end(),
                total_kib: total.parse().ok()?,
                used_kib: used.parse().ok()?,
                // Negative when root has used the reserve.
                available_kib: available.parse::<i64>().ok()?.max(0).unsigned_abs(),
                mount: line[percent + 2..].trim_start(),
            })
        })
    }
}

/// What stands before the last word, and the word.
fn last_word(text: &str) -> Option<(&str, &str)> {
    text.trim_end().rsplit_once(' ')
}

/// `/proc/mounts` writes blank, tab, newline and backslash as `\040`, `\011`, `\012`, `\134`.
fn unescape_mount(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// `2: eth0    inet 10.99.0.11/24 brd …`: every address but loopback's own and link-local ones.
fn addresses(sources: &Sources<'_>, complaints: &mut Complaints) -> Vec<InterfaceAddress> {
    let lines = sources.lines("ip");
    if lines.is_empty() {
        complaints.add("addresses", "the node has no ip command, or it says nothing");
    }
    let mut found = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().take(64).collect();
        let Some(at) = words.iter().position(|word| matches!(*word, "inet" | "inet6")) else { continue };
        let (Some(interface), Some(address)) = (words.get(1), words.get(at + 1)) else { continue };
        if address.starts_with("127.") || *address == "::1/128" || address.starts_with("fe80:") {
            continue;
        }
        if found.len() >= ADDRESSES_MAX {
            complaints.add("addresses", format!("only the first {ADDRESSES_MAX} are kept"));
            break;
        }
        let interface = interface.trim_end_matches(':');
        let interface = interface.split_once('@').map_or(interface, |(name, _)| name);
        found.push(InterfaceAddress { interface: Clean::line(interface), address: Clean::line(address) });
    }
    found
}

/// Memory by systemd unit, largest first; why there is none, if so.
fn units(sources: &Sources<'_>, complaints: &mut Complaints) -> (Vec<UnitMemory>, Option<Clean>) {
    let mut bytes_of: BTreeMap<&str, u64> = BTreeMap::new();
    for (root, file) in [("/sys/fs/cgroup/", "/memory.current"), ("/sys/fs/cgroup/memory/", "/memory.usage_in_bytes")] {
        for (path, lines) in sources.between(root, file) {
            let unit = path.rsplit('/').next().unwrap_or(path);
            let text = lines.first().copied().unwrap_or_default();
            if let Figure::Known(bytes) = complaints.number("unit memory", text) {
                bytes_of.insert(unit, bytes);
            }
        }
    }
    if bytes_of.is_empty() {
        bytes_of = resident_by_unit(sources);
    }
    let mut units: Vec<UnitMemory> = bytes_of
        .into_iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(unit, bytes)| UnitMemory { unit: Clean::line(unit), bytes })
        .collect();
    units.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.unit.cmp(&b.unit)));
    units.truncate(UNITS_MAX);
    let why = units.is_empty().then(|| Clean::line("neither cgroups nor processes tell their memory to this login"));
    (units, why)
}

/// Resident memory of processes, summed by systemd unit, or by command where there is no systemd.
fn resident_by_unit<'a>(sources: &'a Sources<'_>) -> BTreeMap<&'a str, u64> {
    let unit_of: HashMap<&str, &str> = sources
        .between("/proc/", "/cgroup")
        .filter_map(|(pid, lines)| Some((pid, lines.iter().find_map(|line| unit_in(line))?)))
        .collect();
    let mut bytes_of: BTreeMap<&str, u64> = BTreeMap::new();
    for (pid, lines) in sources.between("/proc/", "/status") {
        let field = |key: &str| lines.iter().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let resident = field("VmRSS:").and_then(|text| text.strip_suffix(" kB")?.trim().parse::<u64>().ok());
        let (Some(resident), Some(command)) = (resident, field("Name:")) else { continue };
        let unit = unit_of.get(pid).copied().unwrap_or(command);
        let sum = bytes_of.entry(unit).or_default();
        *sum = sum.saturating_add(resident.saturating_mul(1024));
    }
    bytes_of
}

/// `1:name=systemd:/system.slice/haproxy.service` or `0::/user.slice/…`: the unit, or the slice of people's sessions.
/// The hierarchy of a container's host may stand before it.
fn unit_in(line: &str) -> Option<&str> {
    let path = line.rsplit_once(':')?.1;
    let mut parts = path.split('/');
    parts.find(|part| part.strip_suffix(".slice").is_some()).and_then(|slice| match slice {
        "system.slice" | "machine.slice" => parts.next(),
        _ => Some(slice),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn df_lines_with_blanks_are_understood() {
        let row = DfRow::parse("/dev/my disk% x  1000 400 -5 42% /mnt/a b").unwrap();
        assert_eq!((row.device, row.total_kib, row.used_kib, row.available_kib), ("/dev/my disk% x", 1000, 400, 0));
        assert_eq!(row.mount, "/mnt/a b");
        assert!(DfRow::parse("df: /x: No such file").is_none());
        assert_eq!(unescape_mount("/a\\040b"), "/a b");
    }

    #[test]
    fn a_process_belongs_to_the_unit_of_its_cgroup() {
        assert_eq!(unit_in("1:name=systemd:/system.slice/haproxy.service"), Some("haproxy.service"));
        assert_eq!(unit_in("0::/system.slice/mariadb.service/worker"), Some("mariadb.service"));
        assert_eq!(unit_in("0::/user.slice/user-0.slice/session-1.scope"), Some("user.slice"));
        assert_eq!(unit_in("0::/machine.slice/machine-qemu\\x2d1.scope/libvirt"), Some("machine-qemu\\x2d1.scope"));
        assert_eq!(unit_in("0::/init.scope"), None);
    }
}
