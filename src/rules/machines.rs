//! Rules about hypervisors and their guests: what stands still, where it runs, who answers, what is promised.

use super::{
    RuleId, Severity,
    catalogue::rules,
    scene::{Fresh, Scene, Seen},
    track::{Condition, Level},
    words::{bytes, counted, listed, percent},
};
use crate::model::{
    hypervisor::{DomainDefinition, DomainRates, DomainSample, DomainState, HypervisorFacts},
    ids::NodeName,
    time::Now,
    trouble::TroubleKind,
    world::NodeState,
};
use std::collections::BTreeMap;

/// A guest that stands still for something that ends by itself is told after this.
const PAUSE_PATIENCE_MS: u64 = 60_000;

rules! {
    VM_TWICE = "vm.twice", 20, Critical, "Guest runs twice" {
        meaning: "The same guest runs on two hypervisors: both write to its disks and answer for its address.",
        causes: "A migration that left the old guest behind, or a start on another host while the first was only out of reach.",
        action: "find out which one is right, and destroy the other at once; then check its file systems",
    }
    VM_IO_ERROR = "vm.io_error", 21, Critical, "Guest stands still: its disk failed" {
        meaning: "QEMU stopped the guest because a read or write of its disk failed on the host.",
        causes: "The storage under it is full, gone or broken.",
        action: "mend the storage, then resume the guest (virsh resume); it goes on where it stood",
    }
    VM_CRASHED = "vm.crashed", 22, Critical, "Guest crashed" {
        meaning: "The guest's QEMU process ended without being asked, or its kernel panicked.",
        causes: "The host's kernel killed it for memory, QEMU failed, or the guest's kernel panicked.",
        action: "read its log on the host (/var/log/libvirt/qemu), then start it",
        explained_by: [Node "host.oom_kill"],
    }
    VM_PAUSED = "vm.paused", 23, Critical, "Guest paused" {
        meaning: "The guest's virtual CPUs stand still: nothing on it answers.",
        causes: "Somebody suspended it, or a migration, save or snapshot did not end.",
        action: "find out who paused it; resume it if nobody needs it so (virsh resume)",
    }
    VM_SILENT = "vm.silent", 24, Warning, "Guest's QEMU does not answer" {
        meaning: "The guest's QEMU process does not answer libvirt: its figures are old, and it cannot be managed.",
        causes: "QEMU is stopped, waits for storage that does not answer, or is busy with a snapshot or a migration.",
        action: "see what its process waits for on the host (ps -o stat,wchan), and the storage of its disks",
    }
    LIBVIRT_SILENT = "libvirt.silent", 25, Warning, "libvirtd does not answer" {
        meaning: "The node answers, its libvirtd takes connections and says nothing: guests run on, and cannot be managed or seen.",
        causes: "The daemon is stopped or deadlocked, or waits for storage or for a network file system.",
        action: "see what it waits for; restart it, guests go on without it (systemctl restart libvirtd)",
        explained_by: [Node "node.unreachable", Node "node.stale"],
    }
    LIBVIRT_DOWN = "libvirt.down", 26, Warning, "libvirtd does not run" {
        meaning: "The node answers, and nothing listens on libvirt's socket: guests run on, and cannot be managed or seen.",
        causes: "The daemon was stopped or failed to start, or its socket is elsewhere.",
        action: "start it (systemctl start libvirtd), or correct libvirt_socket in the configuration",
        explained_by: [Node "node.unreachable", Node "node.stale", Node "host.oom_kill"],
    }
    LIBVIRT_UNREADABLE = "libvirt.unreadable", 27, Warning, "libvirt cannot be read" {
        meaning: "The node answers, its libvirt does not let vakt look: its guests are not seen.",
        causes: "The socket is not permitted for this login, or belongs to another driver.",
        action: "run vakt check",
        explained_by: [Node "node.unreachable", Node "node.stale"],
    }
    VM_MISPLACED = "vm.misplaced", 28, Warning, "Guest on another host than planned" {
        meaning: "The guest runs on a hypervisor that the configuration does not name for it.",
        causes: "It was moved out of the way and not moved back.",
        action: "move it back, or name the host in its `hosts`",
    }
    VM_OFF = "vm.off", 29, Warning, "Guest is off" {
        meaning: "A guest that the configuration counts on is off.",
        causes: "Somebody shut it down, or it did not start with its host.",
        action: "start it (virsh start), or take it out of the configuration",
    }
    VM_STEAL = "vm.steal", 73, Warning, "Guest waits for the processor" {
        meaning: "The guest's virtual CPUs are ready and the host lets them wait: inside it this is steal.",
        causes: "A noisy neighbour, or more virtual CPUs on the host than it can serve.",
        action: "move or limit the neighbour that is named",
    }
    VM_OVERCOMMIT = "vm.overcommit", 90, Warning, "Host promises more than it has" {
        meaning: "The guests that run were promised more memory or virtual CPUs than the host should give.",
        causes: "Guests were moved here or grew, and none left.",
        action: "move a guest to another host, or raise vcpus_per_cpu or guest_memory_percent if it bears it",
    }
    VM_AUTOSTART = "vm.autostart", 95, Warning, "Guest does not start with its host" {
        meaning: "After a reboot of its host this guest stays off until somebody starts it.",
        causes: "It was defined without autostart, or moved without it.",
        action: "switch it on (virsh autostart)",
    }
}

/// A guest where it was seen.
struct Place<'a> {
    host: &'a NodeName,
    at: Now,
    domain: &'a DomainSample,
    rates: &'a DomainRates,
    definition: Option<&'a DomainDefinition>,
}

/// Names what is wrong with guests and their hosts.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let mut by_name: BTreeMap<&str, Vec<Place<'_>>> = BTreeMap::new();
    for seen in scene.nodes.iter().filter(|seen| seen.node.libvirt_socket.is_some()) {
        conditions.extend(unread(scene, seen));
        let Some(guests) = seen.guests else { continue };
        conditions.extend(overcommit(scene, seen, guests));
        for (domain, rates) in guests.value.domains() {
            let profile = seen.guest_profile.map(|profile| profile.value);
            let definition = profile.and_then(|profile| profile.domain(&domain.uuid));
            let place = Place { host: &seen.node.name, at: guests.at, domain, rates, definition };
            conditions.extend(steal(scene, &place, guests.value));
            by_name.entry(domain.name.as_str()).or_default().push(place);
        }
    }
    for (name, places) in by_name {
        guest(scene, name, &places, conditions);
    }
}

/// libvirt of a node that answers, and itself does not.
fn unread(scene: &Scene<'_>, seen: &Seen<'_>) -> Option<Condition> {
    let failure = seen.facts.hypervisor.failure()?;
    if seen.state == NodeState::Unreachable {
        return None;
    }
    let (rule, hold_ms) = match failure.kind? {
        TroubleKind::LibvirtSilent => (LIBVIRT_SILENT, 0),
        // A restart takes a moment.
        TroubleKind::DaemonNotRunning | TroubleKind::SocketMissing => (LIBVIRT_DOWN, scene.poll.guests_ms / 2),
        TroubleKind::NotBuiltIn | TroubleKind::ConnectionLost | TroubleKind::DeadlineMissed => return None,
        _ => (LIBVIRT_UNREADABLE, scene.poll.guests_ms / 2),
    };
    let subject = format!("{} libvirtd", seen.node.name);
    let text = super::words::sentence(failure.reason.as_str());
    let last = seen.facts.hypervisor.last().map(|facts| {
        let age_ms = seen.facts.hypervisor.age_ms(scene.now.mono).unwrap_or(0);
        let active = counted(facts.promised().active, "guest", "guests");
        format!("last seen {} ago with {active} running", super::words::duration(age_ms))
    });
    let socket = seen.node.libvirt_socket.as_ref().map(|socket| format!("socket {socket}"));
    let condition = Condition::new(rule, Severity::Warning, &subject, text).node(&seen.node.name).began(failure.since);
    Some(Condition { hold_ms, ..condition.evidence(last.into_iter().chain(socket)) })
}

/// One guest, on every host that knows it.
fn guest(scene: &Scene<'_>, name: &str, places: &[Place<'_>], conditions: &mut Vec<Condition>) {
    let state = |place: &Place<'_>| place.domain.state.known();
    let runs: Vec<&Place<'_>> = places
        .iter()
        .filter(|place| matches!(state(place), Some(DomainState::Running | DomainState::Blocked)))
        .collect();
    // Two guests may have one name; the same one has one identity.
    let twice = runs.iter().any(|place| runs.iter().filter(|other| other.domain.uuid == place.domain.uuid).count() > 1);
    if twice {
        conditions.extend(runs_twice(scene, name, &runs));
    }
    for place in places {
        conditions.extend(stands(name, place));
        conditions.extend(silent(scene, name, place));
    }
    let is_active = |place: &&Place<'_>| state(place).is_some_and(DomainState::is_active);
    let roles = scene.inventory.roles_of(name);
    let hosts = scene.inventory.hosts_of(name);
    for place in places.iter().filter(is_active).filter(|place| !hosts.is_empty() && !hosts.contains(place.host)) {
        let names: Vec<&NodeName> = hosts.iter().collect();
        let text = format!("Runs on {}, not on {}", place.host, listed(&names));
        let condition = Condition::new(VM_MISPLACED, Severity::Warning, name, text).node(place.host);
        conditions.push(condition.evidence([state_line(place)]));
    }
    if roles.is_empty() {
        return;
    }
    let crashed = places.iter().any(|place| place.domain.has_crashed());
    if let Some(place) = places.first().filter(|_| !crashed && !places.iter().any(|place| is_active(&place))) {
        let words = place.domain.state_words();
        let words: String = super::words::sentence(&words);
        let condition = Condition::new(VM_OFF, Severity::Warning, name, format!("{words}, on {}", place.host));
        conditions.push(condition.node(place.host).evidence(places.iter().map(state_line)));
    }
    conditions.extend(places.iter().filter(is_active).filter_map(|place| autostart(name, place)));
}

fn runs_twice(scene: &Scene<'_>, name: &str, runs: &[&Place<'_>]) -> Option<Condition> {
    let first = runs.first()?;
    let hosts: Vec<&NodeName> = runs.iter().map(|place| place.host).collect();
    let text = format!("Runs on {} at once", listed(&hosts));
    let evidence = runs.iter().map(|place| state_line(place));
    let condition = Condition::new(VM_TWICE, Severity::Critical, name, text).node(first.host).evidence(evidence);
    // The two hosts are not asked in the same moment: a migration may end in between.
    let oldest = runs.iter().map(|place| place.at).min_by_key(|at| at.mono)?;
    let hold_ms = scene.poll.guests_ms.saturating_mul(3) / 2;
    Some(Condition { hold_ms, sample: Some(oldest), ..condition })
}

/// A guest that should run and stands still.
fn stands(name: &str, place: &Place<'_>) -> Option<Condition> {
    let domain = place.domain;
    let (rule, text, hold_ms): (RuleId, String, u64) = if domain.stands_on_io_error() {
        (VM_IO_ERROR, format!("Stands still on {}: a disk of it failed there", place.host), 0)
    } else if domain.has_crashed() {
        (VM_CRASHED, format!("Crashed on {} ({})", place.host, domain.state_words()), 0)
    } else {
        match domain.state.known()? {
            DomainState::Paused if domain.pauses_for_a_while() => {
                (VM_PAUSED, format!("Still {} on {}", domain.state_words(), place.host), PAUSE_PATIENCE_MS)
            }
            DomainState::Paused | DomainState::Suspended => {
                (VM_PAUSED, format!("Stands still on {}: {}", place.host, domain.state_words()), 0)
            }
            _ => return None,
        }
    };
    let disks = domain.disks.iter().map(|disk| format!("disk {}: {}", disk.name, disk.path));
    let disks: Vec<String> = if rule == VM_IO_ERROR { disks.collect() } else { Vec::new() };
    let condition = Condition::new(rule, Severity::Critical, name, text).node(place.host);
    let condition = condition.evidence([state_line(place)]).evidence(disks);
    Some(Condition { hold_ms, sample: Some(place.at), ..condition })
}

fn silent(scene: &Scene<'_>, name: &str, place: &Place<'_>) -> Option<Condition> {
    if place.domain.is_answering.known()? || place.domain.job.is_some() {
        return None;
    }
    let text = format!("Its QEMU on {} does not answer libvirt", place.host);
    let condition = Condition::new(VM_SILENT, Severity::Warning, name, text).node(place.host);
    // A hot-plug, a snapshot or another console's question holds a guest up for a moment, too.
    let hold_ms = scene.poll.guests_ms.saturating_mul(5) / 2;
    Some(Condition { hold_ms, sample: Some(place.at), ..condition.evidence([state_line(place)]) })
}

fn autostart(name: &str, place: &Place<'_>) -> Option<Condition> {
    let definition = place.definition.filter(|definition| definition.is_persistent.known() == Some(true))?;
    if definition.autostart.known()? {
        return None;
    }
    let text = format!("Does not start with {}: autostart is off", place.host);
    Some(Condition::new(VM_AUTOSTART, Severity::Warning, name, text).node(place.host))
}

/// A guest that waits for its host's processor, and who uses it.
fn steal(scene: &Scene<'_>, place: &Place<'_>, facts: &HypervisorFacts) -> Option<Condition> {
    let limit = scene.limits.steal_percent;
    let stolen = place.rates.steal_percent.known()?;
    let level = Level::of(stolen, limit)?;
    let others = facts.domains().filter(|(domain, _)| domain.uuid != place.domain.uuid);
    let used = others.filter_map(|(domain, rates)| Some((domain, rates.cpu_percent.known()?)));
    let noisy = used.max_by(|a, b| a.1.total_cmp(&b.1));
    let text = match noisy {
        Some((neighbour, cpu)) => {
            format!(
                "Waits {} of its time for a processor of {}; {} uses {}",
                percent(stolen),
                place.host,
                neighbour.name,
                percent(cpu)
            )
        }
        None => format!(
            "Waits {} of its time for a processor of {}; no other guest runs there",
            percent(stolen),
            place.host
        ),
    };
    let evidence = [format!("steal {} (limit {})", percent(stolen), percent(limit))];
    let evidence = evidence
        .into_iter()
        .chain(noisy.map(|(neighbour, cpu)| format!("{}: {} of one processor", neighbour.name, percent(cpu))));
    let condition = Condition::new(VM_STEAL, Severity::Warning, place.domain.name.as_str(), text).node(place.host);
    Some(condition.held(level, place.at, scene.limits.host_hold_ms).evidence(evidence))
}

fn overcommit(scene: &Scene<'_>, seen: &Seen<'_>, guests: Fresh<'_, HypervisorFacts>) -> Option<Condition> {
    let profile = seen.guest_profile?.value;
    let promised = guests.value.promised();
    let (mut said, mut evidence) = (Vec::new(), Vec::new());
    let mut level = None;
    if let (Some(memory), Some(has)) = (promised.memory_kib.known(), profile.memory_kib.known().filter(|&has| has > 0))
    {
        let share = memory as f64 / has as f64 * 100.0;
        let limit = scene.limits.guest_memory_percent;
        if let Some(found) = Level::of(share, limit) {
            level = Some(found);
            said.push(format!("{} of its memory", percent(share)));
            let (memory, has) = (bytes(memory.saturating_mul(1024)), bytes(has.saturating_mul(1024)));
            evidence.push(format!("{memory} of {has} promised (limit {})", percent(limit)));
        }
    }
    if let (Some(vcpus), Some(cpus)) = (promised.vcpus.known(), profile.cpus.known().filter(|&cpus| cpus > 0)) {
        let ratio = vcpus as f64 / cpus as f64;
        let limit = scene.limits.vcpus_per_cpu;
        if let Some(found) = Level::of(ratio, limit) {
            level = if level == Some(Level::Beyond) { level } else { Some(found) };
            said.push(format!("{vcpus} virtual CPUs on {cpus}"));
            evidence.push(format!("{ratio:.1} virtual CPUs for each CPU (limit {limit:.1})"));
        }
    }
    let text = format!("Its guests were promised {}", said.join(" and "));
    let condition = Condition::new(VM_OVERCOMMIT, Severity::Warning, seen.node.name.as_str(), text);
    let condition = condition.node(&seen.node.name).evidence(evidence);
    Some(condition.held(level?, guests.at, scene.limits.host_hold_ms))
}

/// "app01 on kvm01: paused by an operator".
fn state_line(place: &Place<'_>) -> String {
    format!("{} on {}: {}", place.domain.name, place.host, place.domain.state_words())
}
