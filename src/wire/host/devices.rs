//! `/proc/diskstats` and `/proc/net/dev`: one row per device.

use crate::wire::sources::Sources;
use crate::{
    model::{
        figure::{Figure, Unknown},
        host::{DiskCounters, InterfaceCounters},
        text::Clean,
    },
    wire::complaints::Complaints,
};
use std::collections::{HashMap, HashSet};

/// Disks kept of one node.
pub(super) const DISKS_MAX: usize = 256;
/// Interfaces kept of one node.
pub(super) const INTERFACES_MAX: usize = 512;
/// Devices of these kinds exist in numbers without being used: shown once they carried something.
const OFTEN_IDLE: [&str; 8] = ["loop", "zram", "nbd", "sr", "fd", "dm-", "md", "rbd"];

/// Whole disks, and the virtual block devices that ever carried something.
pub(super) fn disks(sources: &Sources<'_>, complaints: &mut Complaints) -> Vec<DiskCounters> {
    let rows: Vec<(&str, DiskCounters)> =
        sources.lines("/proc/diskstats").iter().filter_map(|line| disk_row(line, complaints)).collect();
    let names: HashSet<&str> = rows.iter().map(|(name, _)| *name).collect();
    let mut seen = HashSet::new();
    let mut disks = Vec::new();
    for (name, disk) in &rows {
        let used = disk.reads > 0 || disk.writes > 0;
        let idle_kind = OFTEN_IDLE.iter().any(|kind| is_numbered(name, kind));
        if is_numbered(name, "ram") || (idle_kind && !used) || is_partition(name, &names) {
            continue;
        }
        if !seen.insert(*name) {
            complaints.add("diskstats", format!("{name} appears twice"));
        } else if disks.len() >= DISKS_MAX {
            complaints.add("diskstats", format!("only the first {DISKS_MAX} disks are kept"));
            break;
        } else {
            disks.push(disk.clone());
        }
    }
    disks
}

/// `major minor name` and at least eleven counters; newer kernels append discards (4.18) and flushes (5.5).
/// Partitions of kernels before 2.6.25 have four counters: they are skipped, as partitions are anyway.
fn disk_row<'a>(line: &'a str, complaints: &mut Complaints) -> Option<(&'a str, DiskCounters)> {
    let mut words = line.split_whitespace().skip(2);
    let name = words.next()?;
    let counters: Vec<&str> = words.take(11).collect();
    if counters.len() < 11 {
        if counters.len() != 4 {
            complaints.add("diskstats", format!("a line with too few columns: {line}"));
        }
        return None;
    }
    let mut values = [0_u64; 11];
    for (slot, word) in values.iter_mut().zip(counters) {
        *slot = complaints.number(format_args!("diskstats {name}"), word).known()?;
    }
    let [reads, _, read_sectors, read_ms, writes, _, write_sectors, write_ms, in_flight, busy_ms, weighted_ms] = values;
    let name_clean = Clean::line(name);
    Some((
        name,
        DiskCounters {
            name: name_clean,
            reads,
            read_sectors,
            read_ms,
            writes,
            write_sectors,
            write_ms,
            in_flight,
            busy_ms,
            weighted_ms,
        },
    ))
}

/// Whether `name` is `kind` and a number: `loop0`, `dm-3`, `md127`.
fn is_numbered(name: &str, kind: &str) -> bool {
    name.strip_prefix(kind).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `sda1` where `sda` is there too, `nvme0n1p2` where `nvme0n1` is. `xvda1` alone (a cloud volume) is a whole disk.
fn is_partition(name: &str, names: &HashSet<&str>) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == name.len() {
        return false;
    }
    let numbered_parent = stem.strip_suffix('p').filter(|parent| parent.ends_with(|c: char| c.is_ascii_digit()));
    numbered_parent.is_some_and(|parent| names.contains(parent))
        || (names.contains(stem) && !stem.ends_with(|c: char| c.is_ascii_digit()))
}

/// Every interface but loopback, with its link state.
pub(super) fn interfaces(sources: &Sources<'_>, complaints: &mut Complaints) -> Vec<InterfaceCounters> {
    let states: HashMap<&str, &str> = sources
        .between("/sys/class/net/", "/operstate")
        .filter_map(|(name, lines)| Some((name, *lines.first()?)))
        .collect();
    let mut interfaces: Vec<InterfaceCounters> = Vec::new();
    let mut seen = HashSet::new();
    for line in sources.lines("/proc/net/dev") {
        // The two heading lines have bars. The last colon before the first figure ends the name (aliases have one).
        let Some((name, counters)) = split_interface(line) else { continue };
        if name == "lo" {
            continue;
        }
        if !seen.insert(name) {
            complaints.add("net/dev", format!("{name} appears twice"));
            continue;
        }
        if interfaces.len() >= INTERFACES_MAX {
            complaints.add("net/dev", format!("only the first {INTERFACES_MAX} interfaces are kept"));
            break;
        }
        let state = states.get(name).map(|state| Clean::line(state));
        if let Some(row) = interface_row(name, counters, Figure::from_option(state, Unknown::Missing), complaints) {
            interfaces.push(row);
        }
    }
    interfaces
}

/// `  eth0: 1 2 3` or, on old kernels, `  eth0:123 2 3`.
fn split_interface(line: &str) -> Option<(&str, &str)> {
    if line.contains('|') {
        return None;
    }
    let (name, counters) = line.rsplit_once(':')?;
    Some((name.trim(), counters))
}

/// Sixteen counters: eight received, eight sent.
fn interface_row(
    name: &str,
    counters: &str,
    state: Figure<Clean>,
    complaints: &mut Complaints,
) -> Option<InterfaceCounters> {
    let about = format!("net/dev {name}");
    let mut values = [0_u64; 16];
    let mut given = 0;
    for (slot, word) in values.iter_mut().zip(counters.split_whitespace()) {
        *slot = complaints.number(&about, word).known()?;
        given += 1;
    }
    if given < 12 {
        complaints.add(about, "a line with too few columns");
        return None;
    }
    let [rx_bytes, rx_packets, rx_errors, rx_dropped, _, _, _, _, tx_bytes, tx_packets, tx_errors, tx_dropped, ..] =
        values;
    Some(InterfaceCounters {
        name: Clean::line(name),
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_recognised_by_their_parent() {
        let names: HashSet<&str> =
            ["sda", "sda1", "nvme0n1", "nvme0n1p2", "xvdb1", "md0", "md0p1", "mmcblk0", "dm-1", "dm-10", "loop0"]
                .into();
        let partitions: Vec<&str> = {
            let mut found: Vec<&str> = names.iter().copied().filter(|name| is_partition(name, &names)).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(partitions, ["md0p1", "nvme0n1p2", "sda1"]);
    }
}
