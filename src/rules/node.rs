//! Rules about the connection: unreachable, stale, host key.

use super::{
    RuleId, Severity,
    scene::{Scene, Seen},
    track::Condition,
    words::{counted, duration, percent, sentence},
};
use crate::model::{
    link::LinkState,
    text::Clean,
    trouble::{Trouble, TroubleKind},
    world::NodeState,
};
use std::collections::BTreeMap;

/// Names what is wrong with connections.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let mut behind_jump_host: BTreeMap<&Clean, Vec<&Seen<'_>>> = BTreeMap::new();
    for seen in &scene.nodes {
        match (&seen.facts.link.state, seen.state) {
            (LinkState::Down { trouble, .. }, _) if trouble.kind == TroubleKind::JumpHostDown => {
                behind_jump_host.entry(&trouble.cause).or_default().push(seen);
            }
            (LinkState::Down { trouble, .. }, _) => conditions.push(unreachable(scene, seen, trouble)),
            (_, NodeState::Stale) => conditions.push(stale(scene, seen)),
            _ => {}
        }
    }
    for (cause, nodes) in behind_jump_host {
        conditions.extend(jump_host_down(scene, cause, &nodes));
    }
}

fn trouble_of<'a>(seen: &Seen<'a>) -> Option<&'a Trouble> {
    match &seen.facts.link.state {
        LinkState::Down { trouble, .. } => Some(trouble),
        _ => None,
    }
}

fn unreachable(scene: &Scene<'_>, seen: &Seen<'_>, trouble: &Trouble) -> Condition {
    let is_host_key = matches!(
        trouble.kind,
        TroubleKind::HostKeyUnknown
            | TroubleKind::HostKeyChanged
            | TroubleKind::HostKeyRevoked
            | TroubleKind::HostCertificateInvalid
    );
    let (rule, text) = if is_host_key {
        (RuleId::HostKey, sentence(trouble.cause.as_str()))
    } else {
        let down_ms = scene.now.mono.since_ms(seen.facts.link.since.mono);
        (RuleId::Unreachable, format!("Unreachable for {}: {}", duration(down_ms), trouble.cause))
    };
    let condition = Condition::new(rule, Severity::Critical, seen.node.name.as_str(), text)
        .node(&seen.node.name)
        .began(seen.facts.link.since)
        .evidence(last_seen(scene, seen))
        .evidence([next_attempt(scene, seen)]);
    Condition { hint: Some(trouble.cure.clone()), ..condition }
}

fn next_attempt(scene: &Scene<'_>, seen: &Seen<'_>) -> String {
    match &seen.facts.link.state {
        LinkState::Down { retry: Some(at), .. } => {
            format!("next attempt in {}", duration(at.mono.since_ms(scene.now.mono)))
        }
        _ => "no further attempt: it would end the same way".into(),
    }
}

/// Many nodes behind one jump host are one thing that is wrong.
fn jump_host_down(scene: &Scene<'_>, cause: &Clean, nodes: &[&Seen<'_>]) -> Option<Condition> {
    let first = nodes.first()?;
    let trouble = trouble_of(first)?;
    if nodes.len() == 1 {
        return Some(unreachable(scene, first, trouble));
    }
    let names: Vec<&str> = nodes.iter().map(|seen| seen.node.name.as_str()).collect();
    let since = nodes.iter().map(|seen| seen.facts.link.since).min_by_key(|since| since.wall)?;
    let count = counted(nodes.len() as u64, "node", "nodes");
    let down_ms = scene.now.mono.since_ms(since.mono);
    let text = format!("{count} unreachable for {}: {cause}", duration(down_ms));
    let subject = format!("{} and {} more", first.node.name, nodes.len() - 1);
    let condition = Condition::new(RuleId::Unreachable, Severity::Critical, &subject, text)
        .began(since)
        .evidence([names.join(", ")]);
    Some(Condition { hint: Some(trouble.cure.clone()), ..condition })
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
    Condition::new(RuleId::Stale, Severity::Warning, seen.node.name.as_str(), text)
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
