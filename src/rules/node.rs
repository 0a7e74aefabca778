//! Rules about the connection: unreachable, stale, host key.

use super::{
    Severity,
    catalogue::rules,
    scene::{Scene, Seen},
    track::Condition,
    words::{counted, duration, percent, sentence},
};
use crate::model::{
    ids::NodeName,
    link::LinkState,
    text::Clean,
    time::Now,
    trouble::{Trouble, TroubleKind},
    world::{NodeState, World},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a node was lost, and since when: kept until it is up again.
///
/// Between two attempts a connection is down, connecting, down again. For an operator it is down all the time, for the
/// reason of the last attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Lost {
    pub trouble: Trouble,
    pub since: Now,
}

/// Takes the connections as they are now.
pub(super) fn remember(lost: &mut BTreeMap<NodeName, Lost>, world: &World) {
    for node in &world.nodes {
        match &node.link.state {
            LinkState::Down { trouble, .. } => {
                let known = lost.entry(node.name.clone());
                let known = known.or_insert_with(|| Lost { trouble: trouble.clone(), since: node.link.since });
                known.trouble.clone_from(trouble);
            }
            LinkState::Connecting { .. } | LinkState::Asking => {}
            LinkState::Up | LinkState::Idle => {
                lost.remove(&node.name);
            }
        }
    }
}

rules! {
    HOST_KEY = "node.host_key", 10, Critical, "Host key refused" {
        meaning: "The node's host key is unknown, changed or revoked, or its certificate is not valid. Nothing was sent to it.",
        causes: "The node was installed again, its address now belongs to another machine, or someone stands in between.",
        action: "compare the fingerprint with the node's console; only then change known_hosts",
    }
    UNREACHABLE = "node.unreachable", 11, Critical, "Node unreachable" {
        meaning: "There is no SSH connection to the node. Whether its services work is seen only from elsewhere.",
        causes: "The node or its sshd is down, the network is cut, or the login is refused.",
        action: "look at the node from its hypervisor, or from a neighbour on the private network",
        commands: ["node.reconnect"],
    }
    STALE = "node.stale", 12, Warning, "Node stale" {
        meaning: "The connection seems to stand and no answer comes: what is shown is old.",
        causes: "The network was cut without a word, the node is frozen or overloaded, or a disk under it hangs.",
        action: "wait for the keepalive to decide, or look at the node from its hypervisor",
        commands: ["traffic.node"],
    }
}

/// Names what is wrong with connections.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let mut behind_jump_host: BTreeMap<&Clean, Vec<(&Seen<'_>, &Lost)>> = BTreeMap::new();
    for seen in &scene.nodes {
        match seen.lost {
            Some(lost) if lost.trouble.kind == TroubleKind::JumpHostDown => {
                behind_jump_host.entry(&lost.trouble.cause).or_default().push((seen, lost));
            }
            Some(lost) => conditions.push(unreachable(scene, seen, lost)),
            None if seen.state == NodeState::Stale => conditions.push(stale(scene, seen)),
            None => {}
        }
    }
    for (cause, nodes) in behind_jump_host {
        conditions.extend(jump_host_down(scene, cause, &nodes));
    }
}

fn unreachable(scene: &Scene<'_>, seen: &Seen<'_>, lost: &Lost) -> Condition {
    let Lost { trouble, since } = lost;
    let is_host_key = matches!(
        trouble.kind,
        TroubleKind::HostKeyUnknown
            | TroubleKind::HostKeyChanged
            | TroubleKind::HostKeyRevoked
            | TroubleKind::HostCertificateInvalid
    );
    let (rule, text) = if is_host_key {
        (HOST_KEY, sentence(trouble.cause.as_str()))
    } else {
        let down_ms = scene.now.mono.since_ms(since.mono);
        (UNREACHABLE, format!("Unreachable for {}: {}", duration(down_ms), trouble.cause))
    };
    let condition = Condition::new(rule, Severity::Critical, seen.node.name.as_str(), text)
        .node(&seen.node.name)
        .began(*since)
        .evidence(last_seen(scene, seen))
        .evidence([next_attempt(scene, seen)]);
    Condition { hint: Some(trouble.cure.clone()), ..condition }
}

fn next_attempt(scene: &Scene<'_>, seen: &Seen<'_>) -> String {
    match &seen.facts.link.state {
        LinkState::Down { retry: Some(at), .. } => match at.mono.since_ms(scene.now.mono) {
            0 => "trying again now".to_owned(),
            ms => format!("next attempt in {}", duration(ms)),
        },
        LinkState::Down { retry: None, .. } => "no further attempt: it would end the same way".into(),
        LinkState::Connecting { stage } => format!("trying again now: {stage}"),
        _ => "trying again now".into(),
    }
}

/// Many nodes behind one jump host are one thing that is wrong.
fn jump_host_down(scene: &Scene<'_>, cause: &Clean, nodes: &[(&Seen<'_>, &Lost)]) -> Option<Condition> {
    let (first, lost) = nodes.first()?;
    if nodes.len() == 1 {
        return Some(unreachable(scene, first, lost));
    }
    let names: Vec<&str> = nodes.iter().map(|(seen, _)| seen.node.name.as_str()).collect();
    let since = nodes.iter().map(|(_, lost)| lost.since).min_by_key(|since| since.wall)?;
    let count = counted(nodes.len() as u64, "node", "nodes");
    let down_ms = scene.now.mono.since_ms(since.mono);
    let text = format!("{count} unreachable for {}: {cause}", duration(down_ms));
    let subject = format!("{} and {} more", first.node.name, nodes.len() - 1);
    let condition = Condition::new(UNREACHABLE, Severity::Critical, &subject, text)
        .began(since)
        .nodes(nodes.iter().map(|(seen, _)| &seen.node.name))
        .evidence([names.join(", ")]);
    Some(Condition { hint: Some(lost.trouble.cure.clone()), ..condition })
}

fn stale(scene: &Scene<'_>, seen: &Seen<'_>) -> Condition {
    let reason = seen.facts.host.failure().map(|failure| format!(": {}", failure.reason)).unwrap_or_default();
    let (began, silent_ms) = match (seen.facts.host.at(), seen.facts.link.up_at) {
        (Some(at), _) | (None, Some(at)) => (at, scene.now.mono.since_ms(at.mono)),
        (None, None) => (scene.now, 0),
    };
    let text = match seen.facts.host.at() {
        Some(_) => format!("No answer for {}{reason}", duration(silent_ms)),
        None => format!("Connected for {} and no answer yet{reason}", duration(silent_ms)),
    };
    Condition::new(STALE, Severity::Warning, seen.node.name.as_str(), text)
        .node(&seen.node.name)
        .began(began)
        .evidence(last_seen(scene, seen))
}

/// What the last answer said, and how old it is.
fn last_seen(scene: &Scene<'_>, seen: &Seen<'_>) -> Option<String> {
    let age_ms = seen.facts.host.age_ms(scene.now.mono)?;
    let host = seen.facts.host.last()?;
    let mut figures = vec![format!("last facts {} old", duration(age_ms))];
    figures.extend(host.sample.load.known().map(|load| format!("load {:.2}", load.one_minute)));
    figures.extend(host.cpu.known().map(|cpu| format!("iowait {}", percent(cpu.iowait))));
    figures.extend(host.memory_used_percent.known().map(|used| format!("memory {}", percent(used))));
    Some(figures.join(", "))
}
