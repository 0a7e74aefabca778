//! A database whose address is still cut off, although nothing that is known gave it up: somebody brought it back by
//! hand, or another bastion failed over. Its replicas and load balancers then only say that it does not answer.

use super::{
    Operators, Severity,
    catalogue::rules,
    lost_primary,
    scene::{Scene, Seen},
    track::{Condition, Level},
    words::{listed, whole_duration},
};
use crate::model::{cut::CutRoute, ids::NodeName, inventory::Role, time::Now};
use std::net::IpAddr;

/// A node is asked for its routes every six seconds.
const STALE_MS: u64 = 10_000;
/// A failover cuts first and ends later, a rejoin opens first and ends later.
const HOLD_MS: u64 = 10_000;

rules! {
    CUT_OFF = "mysql.cut_off", 42, Critical, "Database cut off" {
        meaning: "Nodes hold a route that leads nowhere for its address, as a failover leaves one for the primary that it \
            gives up: whatever they would send there fails with \"No route to host\", and no replica and no load balancer \
            reaches it.",
        causes: "It was brought back by hand and not by mysql.rejoin, or a failover was done from another bastion.",
        action: "where it is meant to serve again, remove the route on each of these nodes (ip route del unreachable \
            ADDRESS); where it is not, let it come back with mysql.rejoin",
        commands: ["change.rejoin", "row.logs"],
    }
}

/// Names databases that are cut off and not told as given up.
pub(super) fn judge(scene: &Scene<'_>, operators: Operators<'_>, conditions: &mut Vec<Condition>) {
    let is_busy = operators.runs.iter().any(|run| run.state.is_open() && run.intent.change.is_about_primary());
    if is_busy {
        return;
    }
    let databases = scene.nodes.iter().filter(|seen| seen.node.roles.contains(&Role::Database));
    let found: Vec<Condition> = databases
        .filter(|seen| !lost_primary::tells(conditions, &seen.node.name))
        .filter_map(|seen| cut_off(scene, seen))
        .collect();
    conditions.extend(found);
}

fn cut_off(scene: &Scene<'_>, seen: &Seen<'_>) -> Option<Condition> {
    let Some(IpAddr::V4(address)) = seen.node.private else { return None };
    let others = scene.nodes.iter().filter(|other| other.node.name != seen.node.name);
    let cutting: Vec<(&NodeName, CutRoute, Now)> = others
        .filter_map(|other| {
            let route = other.facts.cut.fresh(scene.now.mono, STALE_MS)?.route(address).known()??;
            Some((&other.node.name, route, other.facts.cut.at()?))
        })
        .collect();
    let looked_at = cutting.iter().map(|(.., at)| *at).max_by_key(|at| at.mono)?;
    let names: Vec<&NodeName> = cutting.iter().map(|(node, ..)| *node).collect();
    let name = &seen.node.name;
    // Only one that answers is missed.
    let answers = seen.facts.switchover.fresh(scene.now.mono, STALE_MS).is_some();
    let severity = if answers { Severity::Critical } else { Severity::Warning };
    let text = format!("Its address {address} is cut off on {}", listed(&names));
    let evidence = cutting.iter().map(|(node, route, _)| {
        let mark = route.mark;
        let ago_ms = u64::try_from(scene.now.wall.0.saturating_sub(i64::from(mark) * 1000)).unwrap_or_default();
        let who = if route.is_ours() {
            format!("by a run {} ago", whole_duration(ago_ms / 1000))
        } else {
            "not by vakt".to_owned()
        };
        format!("{node}, {who}: ip route del unreachable {address}/32 metric {mark} opens the way")
    });
    let condition = Condition::new(CUT_OFF, severity, name.as_str(), text).node(name);
    Some(condition.held(Level::Beyond, looked_at, HOLD_MS).evidence(evidence))
}
