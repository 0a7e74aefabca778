//! Rules about a host: CPU, disks, memory, file systems, clock.

use super::{
    RuleId, Severity,
    catalogue::rules,
    scene::{Fresh, Scene, Seen},
    track::{Condition, Level},
    words::{bytes, counted, duration, latency, listed, percent},
};
use crate::model::{
    host::{DiskRates, Filesystem, HostFacts, HostProfile, Virtualisation},
    ids::NodeName,
    text::Clean,
};

/// Pages read back from swap per second that are worth a line; below is the tail of an old shortage.
const SWAP_IN_PER_S: f64 = 10.0;
/// How long an OOM kill stays a finding: it is an event, and the operator may look later.
const OOM_KILL_TOLD_MS: u64 = 600_000;
/// A file system this full is critical whatever its limit.
const FILESYSTEM_CRITICAL_PERCENT: f64 = 97.0;
/// A file system moves slowly; this far below its limit it is clearly back.
const FILESYSTEM_CLEAR_PERCENT: f64 = 1.0;

rules! {
    OOM_KILL = "host.oom_kill", 40, Critical, "Out of memory" {
        meaning: "The kernel ended processes because memory ran out.",
        causes: "A process or cgroup limit too small for its load, or a leak.",
        action: "see which unit uses most, lower its limits or caches, or add memory",
        commands: ["row.logs", "row.chart"],
    }
    FILESYSTEM = "host.filesystem", 70, Critical, "File system nearly full" {
        meaning: "A file system has little room left; writes fail when it is full.",
        causes: "Logs, binary logs, backups or temporary files that nobody removes.",
        action: "remove or move what is not needed, or enlarge it; for a database purge binary logs, never delete them",
        commands: ["traffic.node"],
    }
    IOWAIT = "host.iowait", 71, Warning, "Waiting for disks" {
        meaning: "CPUs are idle because tasks wait for disks.",
        causes: "A slow or shared disk, a backup, a query that reads too much, or a cache too small.",
        action: "see which disk is slow and who uses it",
        commands: ["row.chart", "row.logs"],
    }
    IO_PRESSURE = "host.io_pressure", 72, Warning, "Everything waits for disks" {
        meaning: "For part of the time no task made progress because all waited for disks.",
        causes: "A slow or shared disk, a backup, or memory so short that the disk serves as memory.",
        action: "see which disk is slow and who uses it",
        commands: ["row.chart", "row.logs"],
    }
    BLOCKED_TASKS = "host.blocked_tasks", 73, Warning, "Tasks blocked" {
        meaning: "Tasks sleep in the kernel and cannot be ended.",
        causes: "A disk or NFS server that does not answer.",
        action: "see what they wait for; an NFS mount or a disk is the usual one",
        commands: ["row.logs", "row.chart"],
    }
    STEAL = "host.steal", 74, Warning, "CPU time stolen" {
        meaning: "The hypervisor gives CPU time of this guest to others.",
        causes: "A noisy neighbour, or more virtual CPUs on the host than it has.",
        action: "look at the other machines of its hypervisor; move one of them",
        explained_by: [Subject "vm.steal"],
        commands: ["row.chart", "traffic.node"],
    }
    MEMORY = "host.memory", 75, Warning, "Memory short" {
        meaning: "Little memory is left for caches and for growth.",
        causes: "A leak, caches that are set too large, or more processes than planned.",
        action: "see which unit uses most; lower its caches or add memory",
        commands: ["row.chart", "traffic.node"],
    }
    SWAP_IN = "host.swap_in", 76, Warning, "Reading from swap" {
        meaning: "Memory in use was moved to disk and is needed again.",
        causes: "Memory is too small for what runs.",
        action: "see which unit uses most; lower its caches or add memory",
        explained_by: [Node "host.memory"],
        commands: ["row.chart", "traffic.node"],
    }
    CLOCK = "host.clock", 90, Warning, "Clock wrong" {
        meaning: "The node's clock and this bastion's differ: logs, certificates and replication lag mislead.",
        causes: "No time daemon, or one that cannot reach its servers.",
        action: "see chronyc tracking or timedatectl on the node, then here",
    }
    OPENVZ = "host.openvz", 95, Warning, "OpenVZ container" {
        meaning: "The node shares its host's kernel: no modules of its own, no bridge of its own, resources that others oversell.",
        causes: "It was rented or built as a container.",
        action: "move it to KVM; use it for nothing that needs Open vSwitch or steady disks",
    }
}

/// Names what is wrong with hosts.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    for seen in &scene.nodes {
        if let Some(host) = seen.host {
            disks(scene, seen, host, conditions);
            conditions.extend(steal(scene, seen, host));
            memory(scene, seen, host, conditions);
        }
        if let Some(profile) = seen.profile {
            conditions.extend(profile.value.filesystems.iter().filter_map(|fs| filesystem(scene, seen, profile, fs)));
            conditions.extend(openvz(seen, profile.value));
        }
    }
    clocks(scene, conditions);
}

fn held(
    scene: &Scene<'_>,
    seen: &Seen<'_>,
    host: Fresh<'_, HostFacts>,
    rule: RuleId,
    level: Level,
    text: String,
) -> Condition {
    Condition::new(rule, Severity::Warning, seen.node.name.as_str(), text).node(&seen.node.name).held(
        level,
        host.at,
        scene.limits.host_hold_ms,
    )
}

/// iowait, pressure and blocked tasks have one cause; the first that holds is told, the others are its evidence.
fn disks(scene: &Scene<'_>, seen: &Seen<'_>, host: Fresh<'_, HostFacts>, conditions: &mut Vec<Condition>) {
    let facts = host.value;
    let iowait = facts.cpu.known().map(|cpu| cpu.iowait);
    let stalled = facts.io_full_percent.known();
    let blocked = facts.sample.blocked_tasks.known().filter(|&blocked| blocked > 0);
    let iowait_level = iowait.and_then(|iowait| Level::of(iowait, scene.limits.iowait_percent));
    let stalled_level = stalled.and_then(|stalled| Level::of(stalled, scene.limits.io_full_percent));
    let (rule, level, text) = match (iowait_level, stalled_level, blocked) {
        (Some(level), _, _) => (IOWAIT, level, format!("iowait {}", percent(iowait.unwrap_or_default()))),
        (None, Some(level), _) => {
            let share = percent(stalled.unwrap_or_default());
            (IO_PRESSURE, level, format!("Everything waits for disks {share} of the time"))
        }
        (None, None, Some(blocked)) => {
            let count = counted(u64::from(blocked), "task waits", "tasks wait");
            let commands: Vec<&str> = facts.sample.blocked_commands.iter().take(4).map(Clean::as_str).collect();
            let names = if commands.is_empty() { String::new() } else { format!(": {}", commands.join(", ")) };
            (BLOCKED_TASKS, Level::Beyond, format!("{count} for a disk or file server without end{names}"))
        }
        (None, None, None) => return,
    };
    let slowest = slowest(&facts.disks);
    let text = match (&slowest, rule) {
        (Some((disk, verb, wait)), rule) if rule != BLOCKED_TASKS => {
            format!("{text}: {} answers {verb} in {}", disk.name, latency(*wait))
        }
        _ => text,
    };
    let mut evidence = Vec::new();
    evidence.extend(
        iowait.map(|value| format!("iowait {} (limit {})", percent(value), percent(scene.limits.iowait_percent))),
    );
    evidence.push(match stalled {
        Some(value) => {
            format!("IO pressure, all tasks: {} (limit {})", percent(value), percent(scene.limits.io_full_percent))
        }
        None => format!("IO pressure: {}", facts.io_full_percent.why().map(|why| why.to_string()).unwrap_or_default()),
    });
    evidence.extend(slowest.map(|(disk, _, _)| disk_line(disk)));
    evidence.extend(blocked.map(|blocked| format!("{blocked} blocked tasks")));
    conditions.push(held(scene, seen, host, rule, level, text).evidence(evidence));
}

/// The disk with the longest wait, what it answers so slowly, and how slowly.
fn slowest(disks: &[DiskRates]) -> Option<(&DiskRates, &'static str, f64)> {
    let waits = disks.iter().flat_map(|disk| {
        let read = disk.read_await_ms.known().map(|wait| (disk, "reads", wait));
        let write = disk.write_await_ms.known().map(|wait| (disk, "writes", wait));
        [read, write].into_iter().flatten()
    });
    waits.max_by(|a, b| a.2.total_cmp(&b.2))
}

fn disk_line(disk: &DiskRates) -> String {
    let figure = |value: Option<f64>, unit: &str| value.map_or_else(|| "?".into(), |value| format!("{value:.1}{unit}"));
    format!(
        "{}: busy {}, queue {}, {} reads, {} writes",
        disk.name,
        disk.busy_percent.known().map_or_else(|| "?".into(), percent),
        figure(disk.queue.known(), ""),
        figure(disk.reads_per_s.known(), "/s"),
        figure(disk.writes_per_s.known(), "/s"),
    )
}

fn steal(scene: &Scene<'_>, seen: &Seen<'_>, host: Fresh<'_, HostFacts>) -> Option<Condition> {
    let stolen = host.value.cpu.known()?.steal;
    let limit = scene.limits.steal_percent;
    let level = Level::of(stolen, limit)?;
    let text = format!("Steal {}: the hypervisor gives its CPU time to a neighbour", percent(stolen));
    let evidence = [format!("steal {} (limit {})", percent(stolen), percent(limit))];
    Some(held(scene, seen, host, STEAL, level, text).evidence(evidence))
}

fn memory(scene: &Scene<'_>, seen: &Seen<'_>, host: Fresh<'_, HostFacts>, conditions: &mut Vec<Condition>) {
    let facts = host.value;
    let largest = largest_unit(seen);
    if let Some(killed) = facts.oom_kills_new.known().filter(|&killed| killed > 0) {
        let total =
            facts.sample.oom_kills.known().map(|total| format!("; {total} since it started")).unwrap_or_default();
        let count = counted(killed, "process", "processes");
        let text = format!("The kernel ended {count} because memory ran out{total}");
        let condition = Condition::new(OOM_KILL, Severity::Critical, seen.node.name.as_str(), text)
            .node(&seen.node.name)
            .began(host.at)
            .evidence(largest.clone());
        conditions.push(Condition { linger_ms: OOM_KILL_TOLD_MS, ..condition });
    }
    if let Some(read_back) = facts.swap_in_per_s.known()
        && let Some(level) = Level::of(read_back, SWAP_IN_PER_S)
    {
        let text = format!("Reads {read_back:.0} pages/s back from swap: memory is too small for what runs");
        conditions.push(held(scene, seen, host, SWAP_IN, level, text).evidence(largest.clone()));
    }
    if let Some(used) = facts.memory_used_percent.known()
        && let Some(level) = Level::between(used, scene.limits.memory_percent - 2.0, scene.limits.memory_percent)
    {
        let sizes = facts.sample.memory.known();
        let left =
            sizes.map(|memory| format!(": {} left of {}", bytes(memory.available_bytes), bytes(memory.total_bytes)));
        let text = format!("Memory {} in use{}", percent(used), left.unwrap_or_default());
        let limit = format!("memory {} (limit {})", percent(used), percent(scene.limits.memory_percent));
        let condition = held(scene, seen, host, MEMORY, level, text);
        conditions.push(condition.evidence([limit]).evidence(largest));
    }
}

fn largest_unit(seen: &Seen<'_>) -> Option<String> {
    let unit = seen.profile?.value.units.first()?;
    Some(format!("largest: {} with {}", unit.unit, bytes(unit.bytes)))
}

fn filesystem(
    scene: &Scene<'_>,
    seen: &Seen<'_>,
    profile: Fresh<'_, HostProfile>,
    filesystem: &Filesystem,
) -> Option<Condition> {
    // As df does: what is reserved for root is neither used nor available.
    let reachable = filesystem.used_bytes.saturating_add(filesystem.available_bytes);
    let is_writable_kind = !matches!(filesystem.kind.as_str(), "squashfs" | "iso9660" | "erofs" | "udf");
    if reachable == 0 || !is_writable_kind {
        return None;
    }
    let used = filesystem.used_bytes as f64 / reachable as f64 * 100.0;
    let limit = scene.limits.filesystem_percent;
    let level = Level::between(used, limit - FILESYSTEM_CLEAR_PERCENT, limit)?;
    let severity = if used >= FILESYSTEM_CRITICAL_PERCENT { Severity::Critical } else { Severity::Warning };
    let left = bytes(filesystem.available_bytes);
    let text =
        format!("{} is {} full: {left} left of {}", filesystem.mount, percent(used), bytes(filesystem.total_bytes));
    let subject = format!("{} {}", seen.node.name, filesystem.mount);
    let evidence =
        [format!("{} on {}, {} (limit {})", filesystem.kind, filesystem.device, percent(used), percent(limit))];
    let condition = Condition::new(FILESYSTEM, severity, &subject, text).node(&seen.node.name);
    Some(condition.held(level, profile.at, 0).evidence(evidence))
}

fn openvz(seen: &Seen<'_>, profile: &HostProfile) -> Option<Condition> {
    let is_openvz = matches!(profile.virtualisation.as_ref().known(), Some(Virtualisation::OpenVz));
    let text = "Runs on OpenVZ: its kernel is its host's, it can load no module and build no bridge";
    is_openvz.then(|| Condition::new(OPENVZ, Severity::Warning, seen.node.name.as_str(), text).node(&seen.node.name))
}

/// A bastion whose clock is wrong sees every node's clock wrong by the same amount: that is one finding.
fn clocks(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let offsets: Vec<(&Seen<'_>, Fresh<'_, HostFacts>, i64)> = scene
        .nodes
        .iter()
        .filter_map(|seen| Some((seen, seen.host?, seen.host?.value.clock_offset_ms.known()?)))
        .collect();
    let limit_ms = scene.limits.clock_offset_ms as f64;
    let wrong = |offset_ms: i64| Level::of(offset_ms.unsigned_abs() as f64, limit_ms);
    for is_ahead in [true, false] {
        let side = |offset_ms: i64| (offset_ms > 0) == is_ahead;
        let off: Vec<_> = offsets.iter().filter(|(_, _, offset)| side(*offset) && wrong(*offset).is_some()).collect();
        if offsets.len() >= 3 && off.len() * 2 > offsets.len() {
            conditions.extend(bastion_clock(scene, &off, offsets.len(), is_ahead));
            continue;
        }
        for (seen, host, offset_ms) in off {
            let Some(level) = wrong(*offset_ms) else { continue };
            let distance = duration_fine(offset_ms.unsigned_abs());
            let text = format!("Clock {distance} {} this bastion's", if is_ahead { "ahead of" } else { "behind" });
            let evidence = [format!("offset {offset_ms} ms (limit {} ms)", scene.limits.clock_offset_ms)];
            conditions.push(held(scene, seen, *host, CLOCK, level, text).evidence(evidence));
        }
    }
}

fn bastion_clock(
    scene: &Scene<'_>,
    off: &[&(&Seen<'_>, Fresh<'_, HostFacts>, i64)],
    of: usize,
    nodes_ahead: bool,
) -> Option<Condition> {
    let mut sorted: Vec<u64> = off.iter().map(|(_, _, offset_ms)| offset_ms.unsigned_abs()).collect();
    sorted.sort_unstable();
    let median = *sorted.get(sorted.len() / 2)?;
    let level = Level::of(median as f64, scene.limits.clock_offset_ms as f64)?;
    let side = if nodes_ahead { "behind" } else { "ahead of" };
    let text = format!("This bastion's clock is {} {side} {} of {of} nodes", duration_fine(median), off.len());
    let names: Vec<&NodeName> = off.iter().map(|(seen, _, _)| &seen.node.name).collect();
    let sample = off.iter().map(|(_, host, _)| host.at).min_by_key(|at| at.mono)?;
    let condition =
        Condition::new(CLOCK, Severity::Warning, "this bastion", text).held(level, sample, scene.limits.host_hold_ms);
    Some(condition.evidence([format!("offset by about {median} ms: {}", listed(&names))]))
}

fn duration_fine(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { duration(ms) }
}
