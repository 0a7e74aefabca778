//! The virtual address by which writes come in, as a part of a change of the primary: the steps of `vip.move`, cut where the
//! new primary begins to take writes.
//!
//! What makes keepalived move the address is one number in a file, which takes milliseconds; the address follows when
//! keepalived has heard of it. So the number is written while nobody can write, and can be taken back until somebody can;
//! the address is waited for afterwards. Stopping keepalived takes seconds, and so comes afterwards, too.

use super::{
    Lift, Reason, ReasonKind, Scene, Way,
    field::{Field, known_vip},
    one_holder, premises, restart, sources, wait_for_holder, wait_for_neighbour, way, write,
};
use crate::{
    model::{ids::NodeName, text::Clean},
    plan::{
        expect::Check,
        parts::{Premise, Source, Step},
        switchover::field::STALE_MS,
        text::seconds,
    },
};
use std::net::IpAddr;

/// What the address contributes to a change of the primary.
pub(in crate::plan) struct Passage {
    pub(in crate::plan) address: IpAddr,
    /// What will happen, in sentences.
    pub(in crate::plan) effect: Vec<String>,
    pub(in crate::plan) premises: Vec<Premise>,
    pub(in crate::plan) sources: Vec<Source>,
    /// What is written before the new primary takes writes; quick, and every one can be undone.
    pub(in crate::plan) before: Vec<Step>,
    /// What is done and waited for afterwards.
    pub(in crate::plan) after: Vec<Step>,
    /// One node holds it.
    pub(in crate::plan) proof: Vec<Check>,
    /// Age of the oldest fact.
    pub(in crate::plan) age_ms: u64,
}

/// Whose place is given to whom.
pub(in crate::plan) struct Change<'c> {
    pub(in crate::plan) from: &'c NodeName,
    pub(in crate::plan) to: &'c NodeName,
    /// Whether the old primary serves: then it must hold the address, and else anybody may.
    pub(in crate::plan) serves: bool,
    /// Whether its machine does not answer.
    pub(in crate::plan) is_absent: bool,
}

impl Passage {
    /// None where the configuration names no address, or it cannot be moved, which is a reason.
    pub(in crate::plan) fn of(scene: &Scene<'_>, change: &Change<'_>, reasons: &mut Vec<Reason>) -> Option<Self> {
        let address = scene.inventory.settings.write_endpoint.address?;
        let vip = known_vip(scene.inventory, address, reasons)?;
        let absent = change.is_absent.then_some(change.from);
        let mut found = Vec::new();
        let Some(field) = Field::survey_of(scene, vip, change.to, absent, &mut found) else {
            reasons.append(&mut found);
            return None;
        };
        let is_elsewhere = change.serves && field.holder.node.name != *change.from;
        if is_elsewhere {
            found.push(elsewhere(&field, change));
        }
        let way = if is_elsewhere || field.is_there() { None } else { way::find(&field, &mut found) };
        if !found.is_empty() {
            reasons.append(&mut found);
            return None;
        }
        Some(Self {
            address,
            effect: effect(&field, way.as_ref()),
            premises: premises(scene, &field),
            sources: sources(scene, &field),
            before: before(&field, way.as_ref()),
            after: after(&field, way.as_ref()),
            proof: one_holder(&field),
            age_ms: field.seats().map(|seat| seat.age_ms).max().unwrap_or(0),
        })
    }
}

/// The address by which writes come in belongs to the primary: alone it goes nowhere else.
pub(super) fn refuse_astray(scene: &Scene<'_>, address: IpAddr, to: &NodeName, reasons: &mut Vec<Reason>) {
    if scene.inventory.settings.write_endpoint.address != Some(address) || takes_writes(scene, to) == Some(true) {
        return;
    }
    let seen = match takes_writes(scene, to) {
        Some(_) => "its database is read-only",
        None => "whether its database takes writes is not known",
    };
    reasons.push(Reason::new(
        ReasonKind::NotFit,
        format!("{address} is where writes come in, and {to} is not the primary."),
        vec![Clean::line(&format!("{to}: {seen}"))],
        format!("Move the primary, and the address with it: vakt do mysql.switchover --to {to}."),
    ));
}

/// Whether the database of a node takes writes; `None` where nobody knows.
pub(in crate::plan) fn takes_writes(scene: &Scene<'_>, node: &NodeName) -> Option<bool> {
    let limit_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
    let sample = scene.world.node(node)?.switchover.fresh(scene.now.mono, limit_ms)?;
    sample.state.read_only.known().map(|is_read_only| !is_read_only)
}

fn elsewhere(field: &Field<'_>, change: &Change<'_>) -> Reason {
    let (address, holder) = (field.address, &field.holder.node.name);
    Reason::new(
        ReasonKind::Disagreement,
        format!("{address} is held by {holder}, and not by the primary {}: writes to it go to nobody.", change.from),
        field.evidence(),
        format!("Move it to the primary first: vakt do vip.move {address} --to {}.", change.from),
    )
}

fn before(field: &Field<'_>, way: Option<&Way<'_>>) -> Vec<Step> {
    let Some(Way::Lifts(lifts)) = way else { return Vec::new() };
    lifts.iter().map(|lift| Step { at_once: true, ..write(field, lift) }).collect()
}

fn after(field: &Field<'_>, way: Option<&Way<'_>>) -> Vec<Step> {
    let Some(way) = way else { return Vec::new() };
    let is_restart = matches!(way, Way::Restart);
    let mut steps = Vec::new();
    steps.extend(is_restart.then(|| restart::stop(field)));
    steps.push(wait_for_holder(field));
    steps.extend(is_restart.then(|| restart::start(field)));
    steps.extend(field.witness.as_ref().map(|witness| wait_for_neighbour(field, witness)));
    steps
}

fn effect(field: &Field<'_>, way: Option<&Way<'_>>) -> Vec<String> {
    let (address, to, holder) = (field.address, &field.target.node.name, &field.holder.node.name);
    let Some(way) = way else { return vec![format!("{to} holds {address} already, by which writes come in.")] };
    let along: Vec<String> = super::companions(field, way).iter().map(ToString::to_string).collect();
    let along = if along.is_empty() {
        String::new()
    } else {
        format!(", and with it what moves together: {}", along.join(", "))
    };
    let longest = seconds(field.takeover_ms());
    let mut effect = vec![match way {
        Way::Lifts(_) => format!(
            "{address} moves from {holder} to {to}{along}: keepalived is told before {to} takes writes, and moves it within \
             {longest}; until then clients of the address reach {holder}, which takes no writes."
        ),
        Way::Restart => format!(
            "{address} moves from {holder} to {to}{along}: keepalived on {holder} stops once {to} takes writes, which takes \
             some seconds, and starts again; until then clients of the address reach {holder}, which takes no writes."
        ),
    }];
    effect.push(format!(
        "If {to} does not hold {address} within {longest}, the run needs you: {to} takes writes by then. What check scripts \
         take from a priority cannot be read."
    ));
    let lifts: &[Lift<'_>] = if let Way::Lifts(lifts) = way { lifts } else { &[] };
    effect.extend(lifts.iter().map(|lift| {
        let node = &lift.seat.node.name;
        format!("{node} stays at priority {} until its file says otherwise.", lift.priority)
    }));
    effect
}
