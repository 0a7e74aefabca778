//! A rule about nodes that were drained as a whole and are in use again: an address, a guest or the primary is there. What
//! load balancers forget of servers is told by `intents`.

use super::{
    Operators, Severity,
    catalogue::rules,
    scene::{Scene, Seen},
    track::Condition,
    words::whole_duration,
};
use crate::{
    model::{
        hypervisor::DomainState,
        intent::{Change, Intent},
        node_act::NodeAct,
        text::Clean,
    },
    plan::text::command_line,
    run::{RunState, ledger::DrainedNode},
};

/// A database is asked whether it takes writes every four seconds.
const STALE_MS: u64 = 10_000;

rules! {
    USED = "node.drained.used", 54, Warning, "A drained node is in use" {
        meaning: "Somebody took the node out of service, and something came back to it: a virtual address, a guest, or the primary of the databases. \
            Whoever works on it counts on nobody using it.",
        causes: "Another node failed, or somebody moved it there outside of vakt.",
        action: "drain the node again, or return it to service: both commands are in the finding",
        commands: ["change.drain_node", "change.undrain_node", "row.logs"],
    }
}

/// Names drained nodes that something came back to.
pub(super) fn judge(scene: &Scene<'_>, operators: Operators<'_>, conditions: &mut Vec<Condition>) {
    for drained in &operators.ledger.drained {
        let is_about = |change: &Change| matches!(change, Change::Node { node, .. } if *node == drained.node);
        let mut runs = operators.runs.iter().filter(|run| run.state == RunState::Running);
        if runs.any(|run| is_about(&run.intent.change)) {
            continue;
        }
        let seen = scene.nodes.iter().find(|seen| seen.node.name == drained.node);
        conditions.extend(seen.and_then(|seen| used(scene, seen, drained)));
    }
}

fn used(scene: &Scene<'_>, seen: &Seen<'_>, drained: &DrainedNode) -> Option<Condition> {
    let mut uses = Vec::new();
    // Older facts show what was before.
    if let Some(presence) = seen.presence.filter(|facts| facts.at.wall >= drained.since) {
        let held = scene.vips.iter().filter(|vip| presence.value.carries(vip.address).known() == Some(true));
        uses.extend(held.map(|vip| format!("Holds {}", vip.address)));
    }
    if let Some(guests) = seen.guests.filter(|facts| facts.at.wall >= drained.since) {
        let domains = guests.value.sample.domains.iter();
        let active = domains.filter(|domain| domain.state.known().is_some_and(DomainState::is_active));
        uses.extend(active.map(|domain| format!("Has the guest {}", domain.name)));
    }
    let database = seen.facts.switchover.fresh(scene.now.mono, STALE_MS);
    if database.is_some_and(|sample| sample.state.read_only.known() == Some(false)) {
        uses.push("Takes the writes of the databases".to_owned());
    }
    let first = uses.first()?;
    let more = if uses.len() > 1 { format!(", and {} more", uses.len() - 1) } else { String::new() };
    let ago_ms = u64::try_from(scene.now.wall.0.saturating_sub(drained.since.0)).unwrap_or_default();
    let reason = drained.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let text =
        format!("{first}{more}, although {} drained it {} ago{reason}", drained.by, whole_duration(ago_ms / 1000));
    let line = |act: NodeAct| command_line(&Intent::new(Change::Node { node: drained.node.clone(), act }, None));
    let hint = format!("drain it again: {}; or return it: {}", line(NodeAct::drain()), line(NodeAct::undrain()));
    let condition = Condition::new(USED, Severity::Warning, drained.node.as_str(), text)
        .node(&drained.node)
        .evidence(uses.iter().map(|one| format!("{}: {one}", drained.node)))
        .evidence([format!("run {}: vakt runs show {}", drained.run, drained.run)]);
    Some(Condition { hint: Some(Clean::line(&hint)), ..condition })
}
