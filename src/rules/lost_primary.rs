//! A rule about primaries that were given up by a failover: they stay fenced until somebody lets them come back. They are
//! remembered by the journals of the runs; the world says how they stand.

use super::{
    Operators, Severity,
    catalogue::rules,
    scene::{Scene, Seen},
    track::Condition,
    words::whole_duration,
};
use crate::{
    model::{
        figure::Figure,
        ids::NodeName,
        intent::{Change, Intent},
        mysql::{Channel, DaemonSample, DaemonState},
        text::Clean,
        time::Now,
    },
    plan::text::command_line,
    run::{EndingKind, RunState, RunSummary},
};
use std::{collections::BTreeSet, net::IpAddr};

/// A machine is asked for its daemon every six seconds.
const STALE_MS: u64 = 10_000;

rules! {
    GIVEN_UP = "mysql.given_up", 42, Warning, "A former primary waits to come back" {
        meaning: "A failover gave it up and masked it, so that it cannot come back as a second primary. Until it is a replica again \
            there is one copy less.",
        causes: "It did not serve, and an operator let another database take its place.",
        action: "find out what was wrong with it, then let it come back with mysql.rejoin",
        commands: ["change.rejoin", "row.logs"],
    }
    UNCUT = "mysql.uncut", 42, Critical, "The way to a primary that was given up is open" {
        meaning: "A failover cut its address off on every replica and load balancer. Here that is gone, so that what it writes may \
            be heard when it comes back.",
        causes: "The node was started anew, or somebody took the route away.",
        action: "cut it off again with ip route add unreachable ADDRESS, or let it come back with mysql.rejoin",
        commands: ["change.rejoin", "row.logs"],
    }
    RETURNED = "mysql.returned", 42, Critical, "A primary that was given up is back" {
        meaning: "It was replaced by a failover and runs again, outside of replication. What is written on it nobody else ever gets.",
        causes: "Somebody unmasked and started it.",
        action: "make it read-only, and let it come back with mysql.rejoin",
        commands: ["change.rejoin", "row.logs"],
    }
}

/// Names primaries that were given up and are not back in replication.
pub(super) fn judge(scene: &Scene<'_>, operators: Operators<'_>, conditions: &mut Vec<Condition>) {
    let mut settled: BTreeSet<&NodeName> = BTreeSet::new();
    // The newest first: a later run may have brought it back.
    for run in operators.runs.iter().filter(|run| is_reached(run)) {
        match &run.intent.change {
            Change::MysqlRejoin { node: back } | Change::MysqlSwitchover { to: back } => drop(settled.insert(back)),
            Change::MysqlFailover { .. } => {
                let Some(former) = run.former.as_ref().filter(|former| settled.insert(former)) else { continue };
                let seen = scene.nodes.iter().find(|seen| seen.node.name == *former);
                let Some(seen) = seen else { continue };
                let condition = stands(scene, seen, run);
                if condition.is_some() {
                    conditions.extend(uncut(scene, seen, run));
                }
                conditions.extend(condition);
            }
            _ => {}
        }
    }
}

/// Whether it is told as given up, or as back.
pub(super) fn tells(conditions: &[Condition], name: &NodeName) -> bool {
    let is_told =
        |one: &Condition| (one.rule == GIVEN_UP || one.rule == RETURNED) && one.subject.as_str() == name.as_str();
    conditions.iter().any(is_told)
}

fn is_reached(run: &RunSummary) -> bool {
    matches!(run.state, RunState::Ended { kind: EndingKind::Reached, .. })
}

/// Who does not cut it off any more, where others do.
fn uncut(scene: &Scene<'_>, seen: &Seen<'_>, run: &RunSummary) -> Vec<Condition> {
    let name = &seen.node.name;
    let Some(IpAddr::V4(address)) = seen.node.private else { return Vec::new() };
    let others = scene.nodes.iter().filter(|other| other.node.name != *name);
    let told: Vec<(&Seen<'_>, bool)> = others
        .filter_map(|other| {
            let route = other.facts.cut.fresh(scene.now.mono, STALE_MS)?.route(address).known()?;
            Some((other, route.is_some()))
        })
        .collect();
    if !told.iter().any(|(_, is_cut)| *is_cut) {
        return Vec::new();
    }
    let open = told.iter().filter(|(_, is_cut)| !is_cut);
    let intent = Intent::new(Change::MysqlRejoin { node: name.clone() }, None);
    open.map(|(other, _)| {
        let text = format!("{name} ({address}) is not cut off here any more, although a failover gave it up");
        let condition = Condition::new(UNCUT, Severity::Critical, other.node.name.as_str(), text)
            .node(&other.node.name)
            .evidence([format!("run {}: vakt runs show {}", run.id, run.id)]);
        Condition { hint: Some(command_line(&intent).as_str().into()), ..condition }
    })
    .collect()
}

fn takes_writes(scene: &Scene<'_>, seen: &Seen<'_>) -> bool {
    let sample = seen.facts.switchover.fresh(scene.now.mono, STALE_MS);
    sample.is_some_and(|sample| sample.state.read_only.known() == Some(false))
}

/// Whether it has its place again, whoever brought that about: what it said of itself since that failover stands until it
/// says something else, so that a database which freezes years later is no former primary; and its replicas tell, where
/// nobody has read it since.
fn is_back(scene: &Scene<'_>, seen: &Seen<'_>, run: &RunSummary) -> bool {
    let own = &seen.facts.switchover;
    let since = own.last().filter(|_| own.at().is_some_and(|at| at.wall > run.last_at));
    if since.is_some_and(|sample| sample.channels.as_ref().known().is_some_and(|all| !all.is_empty())) {
        return true;
    }
    let mut others = scene.nodes.iter().filter(|other| other.node.name != seen.node.name);
    let address = seen.node.private.map(|address| address.to_string());
    let is_source = |channel: &Channel| channel.source_host.as_ref().known().map(Clean::as_str) == address.as_deref();
    let follows = |other: &Seen<'_>| {
        let channels = other.facts.switchover.fresh(scene.now.mono, STALE_MS).map(|sample| sample.channels.as_ref());
        channels.and_then(Figure::known).is_some_and(|all| all.iter().any(is_source))
    };
    // One that follows it and takes writes is a replica that somebody opened, and no new primary.
    if others.clone().any(|other| takes_writes(scene, other) && !follows(other)) {
        return false;
    }
    let is_followed = others.any(follows);
    let daemon = seen.facts.daemon.fresh(scene.now.mono, STALE_MS);
    let is_masked = daemon.is_some_and(|daemon| daemon.is_masked == Figure::Known(true));
    since.is_some_and(|sample| sample.state.read_only.known() == Some(false)) || (is_followed && !is_masked)
}

/// How it stands, unless it replicates again or takes writes alone, whoever brought that about.
fn stands(scene: &Scene<'_>, seen: &Seen<'_>, run: &RunSummary) -> Option<Condition> {
    let name = &seen.node.name;
    if is_back(scene, seen, run) {
        return None;
    }
    let ago_ms = u64::try_from(scene.now.wall.0.saturating_sub(run.last_at.0)).unwrap_or_default();
    let ago = whole_duration(ago_ms / 1000);
    let daemon = seen.facts.daemon.fresh(scene.now.mono, STALE_MS);
    let is_fenced = |daemon: &DaemonSample| {
        daemon.is_masked == Figure::Known(true) && daemon.state() == Figure::Known(DaemonState::Dead)
    };
    let (rule, severity, text) = match daemon {
        Some(daemon) if is_fenced(daemon) => {
            (GIVEN_UP, Severity::Warning, format!("Given up by a failover {ago} ago, masked and dead since"))
        }
        Some(_) if takes_writes(scene, seen) => {
            (RETURNED, Severity::Critical, format!("Takes writes again although a failover gave it up {ago} ago"))
        }
        Some(daemon) => {
            let word = match daemon.state() {
                Figure::Known(DaemonState::Alive) => "Runs again, outside of replication,",
                Figure::Known(DaemonState::Frozen) => "Is there again, stopped by a signal,",
                _ => "May be started by anybody",
            };
            (RETURNED, Severity::Critical, format!("{word} although a failover gave it up {ago} ago"))
        }
        None => {
            (GIVEN_UP, Severity::Warning, format!("Given up by a failover {ago} ago; how it stands cannot be seen"))
        }
    };
    let began = Now { mono: super::scene::before(scene.now, ago_ms).mono, wall: run.last_at };
    let intent = Intent::new(Change::MysqlRejoin { node: name.clone() }, None);
    let condition = Condition::new(rule, severity, name.as_str(), text)
        .node(name)
        .began(began)
        .evidence([format!("run {}: vakt runs show {}", run.id, run.id)]);
    Some(Condition { hint: Some(command_line(&intent).as_str().into()), ..condition })
}
