//! The database of a node: the primary is switched over first, with the steps of `mysql.switchover`; a replica leaves only
//! where another one stays that replicates, and acknowledges where commits wait for that.

use super::super::{
    expect::{Check, Expect, Verdict},
    haproxy::list_words,
    parts::{Source, Subject},
    refusal::{Planned, Reason, ReasonKind},
    scene::{Scene, sight, sight_or_refuse},
    share::Share,
    switchover::{
        self, DatabaseExpect,
        field::{STALE_MS, Seat, is_called, seat},
    },
};
use crate::{
    model::{
        figure::Figure,
        ids::NodeName,
        intent::{Change, Intent, ServerPath},
        inventory::Node,
        text::Clean,
    },
    wire::{mysql, probe::ProbeId},
};

/// What the databases make of it.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) share: Share,
    /// The servers of load balancers by which writes go in, which the switchover takes care of.
    pub(super) entrances: Vec<ServerPath>,
    /// It is the primary and cannot be moved: what load balancers would have to do is not known then.
    pub(super) is_stuck: bool,
}

/// Nothing depends on the node's database any more.
pub(super) fn leave(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) -> Turn {
    let Some(own) = look(scene, node, reasons) else { return Turn::default() };
    match own.sample.state.read_only {
        Figure::Unknown(why) => {
            reasons.push(Reason::new(
                ReasonKind::UnknownFact,
                format!("Whether {} is the primary of the databases is not known.", node.name),
                vec![Clean::line(&format!("{}: {why}", node.name))],
                "Let vakt's login read it, then plan again.",
            ));
            Turn::default()
        }
        Figure::Known(false) => switch_over(scene, node, reasons),
        Figure::Known(true) => Turn { share: replica(scene, node, &own, reasons), ..Turn::default() },
    }
}

/// Whether a replica is one again; the primary does not move back by it.
pub(super) fn come_back(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) -> Share {
    let mut share = Share::default();
    let Some(own) = look(scene, node, reasons) else { return share };
    if own.sample.state.read_only.known() == Some(false) {
        share.proof.push(check(&node.name, DatabaseExpect::Writable));
    } else {
        let follows = primary(scene, node).and_then(|primary| follows(&own, &primary));
        match follows {
            Some(follows) if matches!(follows.judge(&own.facts, None), Verdict::Holds(_)) => share.proof.push(follows),
            _ => reasons.push(Reason::new(
                ReasonKind::NotFit,
                format!("{} does not replicate from the primary: what it answers would be old.", node.name),
                vec![own.words()],
                format!("Let it replicate again first: vakt do mysql.rejoin {}.", node.name),
            )),
        }
        share.say(format!(
            "The primary stays where it is. To make {0} the primary: vakt do mysql.switchover --to {0}.",
            node.name
        ));
    }
    rest_on(scene, &own, &mut share);
    share
}

fn check(node: &NodeName, is: DatabaseExpect) -> Check {
    Check { node: node.clone(), probe: ProbeId::Switchover, expect: Expect::Database(is) }
}

fn stale_after_ms(scene: &Scene<'_>) -> u64 {
    STALE_MS.max(scene.inventory.settings.poll.stale_after_ms)
}

/// What is proven of a database is a premise, too.
fn rest_on(scene: &Scene<'_>, seat: &Seat<'_>, share: &mut Share) {
    for check in share.proof.clone().into_iter().filter(|check| check.node == *seat.name()) {
        share.rest_on(check, &seat.facts, seat.age_ms, stale_after_ms(scene));
    }
    let requests = mysql::requests_of_plan(seat.node, seat.dialect, scene.inventory.settings.poll.deadline_ms);
    share.read(Source { node: seat.name().clone(), probe: ProbeId::Switchover, requests });
}

/// The database of the node, if it has one and it can be read.
fn look<'a>(scene: &Scene<'a>, node: &'a Node, reasons: &mut Vec<Reason>) -> Option<Seat<'a>> {
    let (database, facts) = (node.database.as_ref()?, scene.world.node(&node.name)?);
    let seen = sight(&facts.switchover, &node.name, scene.now, stale_after_ms(scene));
    let what = format!("The database on {} is not known well enough.", node.name);
    let (sample, age_ms) = sight_or_refuse(seen, &node.name, what, reasons)?;
    Some(seat(node, database, sample, age_ms))
}

/// The other databases that can be read.
fn others<'a>(scene: &Scene<'a>, node: &Node) -> Vec<Seat<'a>> {
    let others = scene.inventory.nodes.iter().filter(|other| other.name != node.name);
    // What cannot be read stands in for nobody: whoever counts on it is refused for that.
    others.filter_map(|other| look(scene, other, &mut Vec::new())).collect()
}

/// The only database that takes writes.
fn primary<'a>(scene: &Scene<'a>, node: &Node) -> Option<Seat<'a>> {
    let mut writable =
        others(scene, node).into_iter().filter(|other| other.sample.state.read_only.known() == Some(false));
    writable.next().filter(|_| writable.next().is_none())
}

/// That one replicates from the other, by the name that it uses for it.
fn follows(seat: &Seat<'_>, primary: &Seat<'_>) -> Option<Check> {
    let host = seat.source().filter(|host| is_called(primary.node, host.as_str()))?;
    Some(check(seat.name(), DatabaseExpect::Follows { node: primary.name().clone(), host: host.clone() }))
}

/// Another database takes the writes, and this one replicates from it.
fn switch_over(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) -> Turn {
    let databases = scene.inventory.nodes.iter().filter(|other| other.database.is_some() && other.name != node.name);
    let in_service: Vec<&Node> = databases.filter(|other| !scene.world.drained.contains(&other.name)).collect();
    if in_service.len() < 2 {
        reasons.push(Reason::new(
            ReasonKind::LastServer,
            format!("{} is the primary, and without it no replica would stay besides the new primary.", node.name),
            in_service.iter().map(|other| Clean::line(&format!("{}: in service", other.name))).collect(),
            "Bring another database back first: vakt do node.undrain NODE, or vakt do mysql.rejoin NODE.",
        ));
        return stuck();
    }
    let mut objections = Vec::new();
    for to in in_service {
        let intent = Intent::new(Change::MysqlSwitchover { to: to.name.clone() }, None);
        match switchover::plan(scene, &intent, &to.name) {
            Ok(Planned::Plan(plan)) => {
                let entrances = match &plan.body.subject {
                    Subject::Primary { endpoints, .. } => endpoints.clone(),
                    _ => Vec::new(),
                };
                return Turn { share: Share::of_body(plan.body).kept(), entrances, is_stuck: false };
            }
            Ok(Planned::AlreadyThere(_)) => {}
            Err(refusal) => objections.extend(refusal.reasons),
        }
    }
    for objection in objections {
        if !reasons.contains(&objection) {
            reasons.push(objection);
        }
    }
    stuck()
}

fn stuck() -> Turn {
    Turn { is_stuck: true, ..Turn::default() }
}

/// A replica may leave where another one stays.
fn replica(scene: &Scene<'_>, node: &Node, own: &Seat<'_>, reasons: &mut Vec<Reason>) -> Share {
    let mut share = Share::default();
    let Some(primary) = primary(scene, node) else {
        let line = |other: Seat<'_>| other.words();
        reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            "Which database is the primary is not known: not exactly one is seen to take writes.",
            others(scene, node).into_iter().map(line).collect(),
            "Look at the screen of databases first; from a lost primary: vakt do mysql.failover.",
        ));
        return share;
    };
    let others = others(scene, node);
    let replicates = |other: &&Seat<'_>| {
        let follows = follows(other, &primary);
        follows.is_some_and(|follows| matches!(follows.judge(&other.facts, None), Verdict::Holds(_)))
    };
    let in_service = others.iter().filter(|other| !scene.world.drained.contains(other.name()));
    let staying: Vec<&Seat<'_>> = in_service.filter(replicates).collect();
    if staying.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::LastServer,
            format!("{} is the last replica in service: the primary would be the only copy.", node.name),
            others.iter().map(|other| words_of_other(scene, other)).collect(),
            "Bring another replica back first: vakt do mysql.rejoin NODE, or vakt do node.undrain NODE.",
        ));
        return share;
    }
    let acknowledging = acknowledging(&primary, &staying, node, reasons);
    share.say(words(&primary, &staying, &acknowledging));
    share.proof.push(check(&node.name, DatabaseExpect::ReadOnly));
    share.proof.push(check(primary.name(), DatabaseExpect::Writable));
    if !acknowledging.is_empty() {
        share.proof.push(check(primary.name(), DatabaseExpect::Waits));
    }
    share.proof.extend(staying.iter().filter_map(|other| follows(other, &primary)));
    for seat in staying.into_iter().chain([own, &primary]) {
        rest_on(scene, seat, &mut share);
    }
    share
}

fn words_of_other(scene: &Scene<'_>, other: &Seat<'_>) -> Clean {
    if scene.world.drained.contains(other.name()) {
        return Clean::line(&format!("{} is drained", other.name()));
    }
    other.words()
}

/// Who acknowledges the commits of the primary when the node does not; a reason where nobody is known to.
fn acknowledging<'s>(
    primary: &Seat<'_>,
    staying: &[&'s Seat<'_>],
    node: &Node,
    reasons: &mut Vec<Reason>,
) -> Vec<&'s NodeName> {
    let name = primary.name();
    match primary.sample.settings.semi_sync_source {
        Figure::Known(false) => return Vec::new(),
        Figure::Known(true) => {}
        Figure::Unknown(why) => {
            reasons.push(Reason::new(
                ReasonKind::UnknownFact,
                format!("Whether commits on {name} wait for an acknowledgement is not known."),
                vec![Clean::line(&format!("{name}: {why}"))],
                "Let vakt's login read it, then plan again.",
            ));
            return Vec::new();
        }
    }
    let acknowledges = |other: &&&Seat<'_>| other.sample.settings.semi_sync_replica.known() == Some(true);
    let left: Vec<&NodeName> = staying.iter().filter(acknowledges).map(|other| other.name()).collect();
    if left.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::LastServer,
            format!("{} is the only one in service that acknowledges commits: without it they would wait.", node.name),
            staying.iter().map(|other| Clean::line(&format!("{}: acknowledges nothing", other.name()))).collect(),
            format!("Switch {} on at another replica and restart its receiver.", primary.speaks().semi_sync_replica),
        ));
    }
    left
}

fn words(primary: &Seat<'_>, staying: &[&Seat<'_>], acknowledging: &[&NodeName]) -> String {
    let replicas = list_words(staying.iter().map(|other| other.name().as_str()));
    let replicate = if staying.len() == 1 { "replicates" } else { "replicate" };
    let acknowledged = if acknowledging.is_empty() {
        String::new()
    } else {
        format!("; commits are acknowledged by {}", list_words(acknowledging.iter().map(|name| name.as_str())))
    };
    format!("What remains of the databases: {} takes writes, {replicas} {replicate}{acknowledged}.", primary.name())
}
