//! Rules about virtual addresses: who carries them, and the keepalived that moves them.

use super::{
    Severity,
    catalogue::rules,
    scene::{Fresh, Scene, Seen},
    track::Condition,
    words::{duration, listed},
};
use crate::model::{
    ids::NodeName,
    inventory::Vip,
    presence::{PresenceFacts, ProcessState, VrrpState},
    text::Clean,
    time::Now,
};
use std::{collections::BTreeMap, net::IpAddr};

/// Two looks overlap only if the older holder was seen with the address so long after the newer one got it: an answer
/// may have been on its way while the address moved.
const OVERLAP_MS: u64 = 300;
/// Beyond the interval of the looks: what a takeover takes when its holder is cut off.
const TAKEOVER_MS: u64 = 1_000;
/// In a switchover the address follows the primary by keepalived's timers.
const ASTRAY_MS: u64 = 5_000;

rules! {
    DUPLICATE = "vip.duplicate", 30, Critical, "Virtual address on several nodes" {
        meaning: "Several nodes carry the same virtual address: which of them a client reaches is chance, and connections break.",
        causes: "The nodes do not hear each other (the network between them is cut, a firewall drops VRRP), or keepalived hangs on one of them.",
        action: "see which node should hold it; let the other one's keepalived go on or stop it, then look at the network between them",
    }
    UNHELD = "vip.unheld", 31, Critical, "Virtual address on no node" {
        meaning: "No node that answers carries the virtual address: clients reach nobody.",
        causes: "No keepalived runs, or all are in a fault state: a tracked script or interface fails on every node.",
        action: "see what keepalived's log says on its nodes; mend what its script or interface checks",
        explained_by: [EveryNode "node.unreachable", EveryNode "vip.fault"],
    }
    ASTRAY = "vip.astray", 31, Critical, "Writes lead to a replica" {
        meaning: "The virtual address by which writes come in is held by a node whose database is read-only: every write fails.",
        causes: "The address moved by itself (its node failed for a moment, or came back), or the primary was changed past vakt.",
        action: "vakt do vip.move ADDRESS --to PRIMARY; where the primary is to follow, vakt do mysql.switchover --to NODE",
    }
    FAULT = "vip.fault", 40, Warning, "VRRP instance in FAULT" {
        meaning: "The keepalived of a node runs, but an interface that one of its instances needs is down or missing: it cannot take the virtual address over.",
        causes: "Somebody switched the interface off, its cable or switch fails, or its name changed.",
        action: "bring the interface up again; keepalived returns by itself",
        commands: ["row.logs"],
    }
    KEEPALIVED = "vip.keepalived", 41, Warning, "keepalived does not work" {
        meaning: "A node that may hold a virtual address cannot take it over, or cannot give it up.",
        causes: "Somebody stopped keepalived, it crashed, or it hangs.",
        action: "start keepalived there, after a look at its log",
    }
    MISPLACED = "vip.misplaced", 42, Warning, "Virtual address on a foreign node" {
        meaning: "A node carries the virtual address that is not among those that may hold it.",
        causes: "The address was added by hand, or the configuration of vakt does not name the node.",
        action: "remove the address there, or add the node to the address in vakt's configuration",
    }
}

/// Names what is wrong with virtual addresses.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    for vip in scene.vips {
        conditions.extend(vip_condition(scene, vip));
    }
    let may_hold = |seen: &&Seen<'_>| scene.vips.iter().any(|vip| vip.nodes.contains(&seen.node.name));
    conditions.extend(scene.nodes.iter().filter(may_hold).filter_map(|seen| keepalived(scene, seen)));
    conditions.extend(scene.nodes.iter().filter(may_hold).flat_map(|seen| faults(scene, seen)));
}

/// A node that was seen with the address.
#[derive(Clone, Copy)]
struct Holder<'s, 'a> {
    seen: &'s Seen<'a>,
    facts: Fresh<'a, PresenceFacts>,
    since: Now,
}

fn holders<'s, 'a>(scene: &'s Scene<'a>, address: IpAddr) -> Vec<Holder<'s, 'a>> {
    let held = scene.nodes.iter().filter_map(|seen| {
        let facts = seen.presence?;
        Some(Holder { seen, facts, since: facts.value.since(address)? })
    });
    held.collect()
}

fn vip_condition(scene: &Scene<'_>, vip: &Vip) -> Option<Condition> {
    let holders = holders(scene, vip.address);
    match holders.as_slice() {
        [] => unheld(scene, vip),
        [one] if !vip.nodes.contains(&one.seen.node.name) => Some(misplaced(vip, *one)),
        [one] => astray(scene, vip, *one),
        several => duplicate(scene, vip, several),
    }
}

/// Instances that cannot hold their addresses. keepalived notices at once; that it let go is seen a look later.
fn faults(scene: &Scene<'_>, seen: &Seen<'_>) -> Vec<Condition> {
    let Some(facts) = seen.presence else { return Vec::new() };
    let instances = facts.value.sample.keepalived.instances.iter();
    let conditions = instances.filter_map(|instance| {
        let VrrpState::Fault(why) = facts.value.sample.vrrp(instance) else { return None };
        let text = format!("VRRP instance {} is in FAULT: {why}", instance.name);
        let subject = format!("{} {}", seen.node.name, instance.name);
        let mut evidence = vec![keepalived_words(facts.value)];
        if let (_, Some(last)) = facts.value.transitions(instance) {
            let ago = duration(scene.now.mono.since_ms(last.at.mono));
            let did = if last.came { "took it over" } else { "gave it up" };
            evidence.push(format!("{}: {did} {ago} ago", last.address));
        }
        let condition = Condition::new(FAULT, Severity::Warning, &subject, text).node(&seen.node.name);
        Some(Condition { sample: Some(facts.at), hold_ms: TAKEOVER_MS, ..condition.evidence(evidence) })
    });
    conditions.collect()
}

/// Nobody carries it. A node that does not answer may; that is said, and is not as bad.
fn unheld(scene: &Scene<'_>, vip: &Vip) -> Option<Condition> {
    let listed_nodes = || scene.nodes.iter().filter(|seen| vip.nodes.contains(&seen.node.name));
    let asked: Vec<(&Seen<'_>, Fresh<'_, PresenceFacts>)> = listed_nodes()
        .filter_map(|seen| {
            let facts = seen.presence?;
            facts.value.sample.addresses.as_ref().known().map(|_| (seen, facts))
        })
        .collect();
    let sample = asked.iter().map(|(_, facts)| facts.at).min_by_key(|at| at.mono)?;
    let silent: Vec<&NodeName> = listed_nodes()
        .filter(|seen| asked.iter().all(|(known, _)| known.node.name != seen.node.name))
        .map(|seen| &seen.node.name)
        .collect();
    let names: Vec<&NodeName> = asked.iter().map(|(seen, _)| &seen.node.name).collect();
    let (severity, text) = if silent.is_empty() {
        (Severity::Critical, format!("Held by nobody: {} may hold it and do not", listed(&names)))
    } else {
        let verb = if silent.len() == 1 { "does" } else { "do" };
        let text = format!("Held by nobody who answers; {}, which may hold it, {verb} not answer", listed(&silent));
        (Severity::Warning, text)
    };
    let text = if asked.len() == 1 && silent.is_empty() {
        format!("Held by nobody: {} alone may hold it and does not", listed(&names))
    } else {
        text
    };
    let evidence = asked.iter().map(|(seen, facts)| {
        let lost = facts.value.moves.iter().rev().find(|moved| moved.address == vip.address && !moved.came);
        let lost = lost.map_or_else(String::new, |moved| {
            format!(", lost it {} ago", duration(scene.now.mono.since_ms(moved.at.mono)))
        });
        format!("{}: {}{lost}", seen.node.name, keepalived_words(facts.value))
    });
    let condition = Condition::new(UNHELD, severity, &vip.address.to_string(), text);
    let condition = condition.nodes(&vip.nodes).evidence(evidence);
    let hold_ms = scene.poll.presence_ms.saturating_add(TAKEOVER_MS);
    Some(Condition { sample: Some(sample), hold_ms, ..condition })
}

/// Several carry it. A takeover between two looks is none: the older holder must have been seen with it after the
/// newer one was.
fn duplicate(scene: &Scene<'_>, vip: &Vip, holders: &[Holder<'_, '_>]) -> Option<Condition> {
    let newest = holders.iter().map(|holder| holder.since).max_by_key(|since| since.mono)?;
    let is_newest = |holder: &Holder<'_, '_>| holder.since.mono == newest.mono;
    let overlaps =
        |holder: &Holder<'_, '_>| is_newest(holder) || holder.facts.at.mono.since_ms(newest.mono) >= OVERLAP_MS;
    let was_one_look = holders.iter().all(is_newest);
    if !was_one_look && !holders.iter().all(overlaps) {
        return None;
    }
    let names: Vec<&NodeName> = holders.iter().map(|holder| &holder.seen.node.name).collect();
    let text = format!("Held by {} at once: clients reach either of them, and answers get lost", listed(&names));
    let sides = holders.iter().map(|holder| {
        let since = duration(scene.now.mono.since_ms(holder.since.mono));
        format!("{}: holds it for at least {since}, {}", holder.seen.node.name, keepalived_words(holder.facts.value))
    });
    let condition = Condition::new(DUPLICATE, Severity::Critical, &vip.address.to_string(), text);
    Some(condition.nodes(names.iter().copied()).began(newest).evidence(sides).evidence(answers(scene, vip.address)))
}

fn misplaced(vip: &Vip, holder: Holder<'_, '_>) -> Condition {
    let name = &holder.seen.node.name;
    let allowed: Vec<&NodeName> = vip.nodes.iter().collect();
    let text = format!("Held by {name}, which is not among its nodes ({})", listed(&allowed));
    Condition::new(MISPLACED, Severity::Warning, &vip.address.to_string(), text)
        .node(name)
        .began(holder.since)
        .evidence([keepalived_words(holder.facts.value)])
}

/// Writes come in by this address, and go to a database that refuses them.
fn astray(scene: &Scene<'_>, vip: &Vip, holder: Holder<'_, '_>) -> Option<Condition> {
    let is_of_writes = scene.inventory.settings.write_endpoint.address == Some(vip.address);
    let database = holder.seen.mysql.filter(|_| is_of_writes)?;
    let name = &holder.seen.node.name;
    let is_read_only = database.value.sample.identity.read_only.known() == Some(true);
    let text = format!("Writes come in by it, and {name}, which holds it, is read-only");
    let condition = Condition::new(ASTRAY, Severity::Critical, &vip.address.to_string(), text).node(name);
    is_read_only.then(|| Condition { hold_ms: ASTRAY_MS, ..condition.evidence([keepalived_words(holder.facts.value)]) })
}

/// "web01 and db01 send to lb01": whom the neighbours believe.
fn answers(scene: &Scene<'_>, address: IpAddr) -> Vec<String> {
    let mut believed: BTreeMap<Clean, Vec<&NodeName>> = BTreeMap::new();
    for seen in &scene.nodes {
        let Some(facts) = seen.presence else { continue };
        for neighbour in facts.value.sample.neighbours.iter().filter(|neighbour| neighbour.address == address) {
            let names = believed.entry(neighbour.hardware.clone()).or_default();
            if !names.contains(&&seen.node.name) {
                names.push(&seen.node.name);
            }
        }
    }
    let lines = believed.into_iter().map(|(hardware, names)| {
        let owner = scene.nodes.iter().find(|seen| {
            seen.presence.is_some_and(|facts| facts.value.sample.interfaces.iter().any(|own| own.address == hardware))
        });
        let whom = owner.map_or_else(|| "an unknown machine".to_owned(), |seen| seen.node.name.to_string());
        format!("ARP tables of {}: {whom} answers ({hardware})", listed(&names))
    });
    lines.collect()
}

/// "keepalived runs with priority 150".
fn keepalived_words(facts: &PresenceFacts) -> String {
    let keepalived = &facts.sample.keepalived;
    let priority = keepalived.instances.iter().find_map(|instance| instance.priority);
    let priority = priority.map_or_else(String::new, |priority| format!(" with priority {priority}"));
    match keepalived.process.known() {
        None => "keepalived cannot be seen by this login".into(),
        Some(ProcessState::Running) => format!("keepalived runs{priority}"),
        Some(ProcessState::Stopped) => "keepalived is stopped by a signal".into(),
        Some(ProcessState::Blocked) => "keepalived waits for a disk".into(),
        Some(ProcessState::Absent) => "keepalived does not run".into(),
    }
}

fn keepalived(scene: &Scene<'_>, seen: &Seen<'_>) -> Option<Condition> {
    let facts = seen.presence?;
    let keepalived = &facts.value.sample.keepalived;
    let (text, hold_ms) = match keepalived.process.known()? {
        ProcessState::Running => return None,
        ProcessState::Absent if !keepalived.is_enabled => return None,
        ProcessState::Absent => {
            ("keepalived does not run: the node cannot take a virtual address over", scene.limits.hold_ms)
        }
        ProcessState::Stopped => {
            ("keepalived is stopped by a signal: it hears nothing, and gives up no address that it holds", 0)
        }
        ProcessState::Blocked => ("keepalived waits for a disk and does nothing else", scene.limits.host_hold_ms),
    };
    let held: Vec<String> = scene
        .vips
        .iter()
        .filter(|vip| facts.value.since(vip.address).is_some())
        .map(|vip| format!("holds {}", vip.address))
        .collect();
    let evidence = if held.is_empty() { vec!["holds no virtual address".to_owned()] } else { held };
    let condition = Condition::new(KEEPALIVED, Severity::Warning, seen.node.name.as_str(), text);
    let condition = condition.node(&seen.node.name).evidence(evidence);
    Some(Condition { sample: Some(facts.at), hold_ms, ..condition })
}
