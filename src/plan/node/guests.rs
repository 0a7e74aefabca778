//! The guests of a hypervisor: each moves to another one while it runs, one after the other, with the steps of
//! `vm.migrate`.
//!
//! A guest that has arrived stays where it is, whatever becomes of the next one.

use super::{
    super::{
        expect::{Check, Expect},
        guest,
        haproxy::list_words,
        parts::Source,
        refusal::{Planned, Reason, ReasonKind},
        scene::{Scene, sight},
        share::Share,
    },
    expect::NodeExpect,
};
use crate::{
    model::{
        guest_act::{GuestAct, MIGRATION_DEADLINE_MS_DEFAULT},
        hypervisor::{DomainState, HypervisorFacts},
        ids::{GuestName, NodeName},
        intent::{Change, Intent},
        inventory::Node,
        text::Clean,
    },
    wire::probe::{Facts, ProbeId},
};
use std::collections::BTreeMap;

/// No guest runs on the node any more.
pub(super) fn leave(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) -> Share {
    let mut share = Share::default();
    let Some((facts, age_ms)) = look(scene, node, reasons) else { return share };
    let domains = &facts.sample.domains;
    let unknown = domains.iter().filter(|domain| domain.state.known().is_none());
    let unknown: Vec<Clean> =
        unknown.map(|domain| Clean::line(&format!("{}: {}", domain.name, domain.state_words()))).collect();
    if !unknown.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            format!("Whether every guest of {} runs is not known.", node.name),
            unknown,
            format!("See what libvirt says on {}: virsh list --all.", node.name),
        ));
    }
    let active = domains.iter().filter(|domain| domain.state.known().is_some_and(DomainState::is_active));
    let active: Vec<GuestName> = active.map(|domain| GuestName::from(&domain.name)).collect();
    let off = domains.iter().filter(|domain| domain.state.known().is_some_and(|state| !state.is_active()));
    let off: Vec<&str> = off.map(|domain| domain.name.as_str()).collect();
    if active.len() > 1 {
        let names = list_words(active.iter().map(GuestName::as_str));
        share.say(format!(
            "{} guests move, one after the other: {names}. One that has arrived stays there.",
            active.len()
        ));
    }
    if !off.is_empty() {
        share.say(format!("{} is off, and stays defined on {}.", list_words(off), node.name));
    }
    let mut taken_kib: BTreeMap<NodeName, u64> = BTreeMap::new();
    for name in &active {
        share.append(send_away(scene, node, name, &mut taken_kib, reasons));
    }
    let is_empty = check(&node.name, NodeExpect::NoGuest);
    let tells = check(&node.name, NodeExpect::TellsGuests);
    share.rest_on(
        tells,
        &Facts::Guests(Box::new(facts.sample.clone())),
        age_ms,
        guest::stale_after_ms(scene.inventory),
    );
    share.proof.push(is_empty);
    share.read(source(scene, node));
    share
}

/// Whether it could take guests again; none moves back by it.
pub(super) fn come_back(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) -> Share {
    let mut share = Share::default();
    let Some((facts, age_ms)) = look(scene, node, reasons) else { return share };
    let tells = check(&node.name, NodeExpect::TellsGuests);
    let limit_ms = guest::stale_after_ms(scene.inventory);
    share.rest_on(tells.clone(), &Facts::Guests(Box::new(facts.sample.clone())), age_ms, limit_ms);
    share.proof.push(tells);
    share.read(source(scene, node));
    share.say(format!("No guest moves back. To move one: vakt do vm.migrate GUEST --to {}.", node.name));
    share
}

fn check(node: &NodeName, is: NodeExpect) -> Check {
    Check { node: node.clone(), probe: ProbeId::Guests, expect: Expect::Node(is) }
}

fn source(scene: &Scene<'_>, node: &Node) -> Source {
    let requests = ProbeId::Guests.probe().requests(node, scene.inventory.settings.poll.deadline_ms);
    Source { node: node.name.clone(), probe: ProbeId::Guests, requests }
}

/// What a hypervisor tells; nothing of a node that is none.
fn look<'a>(scene: &Scene<'a>, node: &Node, reasons: &mut Vec<Reason>) -> Option<(&'a HypervisorFacts, u64)> {
    node.libvirt_socket.as_ref()?;
    let observed = &scene.world.node(&node.name)?.hypervisor;
    match sight(observed, &node.name, scene.now, guest::stale_after_ms(scene.inventory)) {
        Ok(seen) => Some(seen),
        Err(why) => {
            reasons.push(Reason::new(
                ReasonKind::StaleFacts,
                format!("Which guests run on {} is not known well enough.", node.name),
                vec![why],
                format!("Mend the connection to {}, or start its libvirtd; then plan again.", node.name),
            ));
            None
        }
    }
}

/// The move of one guest to the first hypervisor that may take it; every objection where none may.
fn send_away(
    scene: &Scene<'_>,
    node: &Node,
    name: &GuestName,
    taken_kib: &mut BTreeMap<NodeName, u64>,
    reasons: &mut Vec<Reason>,
) -> Share {
    let others = scene.inventory.nodes.iter().filter(|other| other.libvirt_socket.is_some() && other.name != node.name);
    let in_service: Vec<&Node> = others.filter(|other| !scene.world.drained.contains(&other.name)).collect();
    if in_service.is_empty() {
        let drained = scene.inventory.nodes.iter().filter(|other| other.libvirt_socket.is_some());
        let drained = drained.filter(|other| scene.world.drained.contains(&other.name));
        let mut evidence: Vec<Clean> =
            drained.map(|other| Clean::line(&format!("{} is drained", other.name))).collect();
        if evidence.is_empty() {
            evidence.push("there is no other".into());
        }
        reasons.push(Reason::new(
            ReasonKind::LastServer,
            format!("No other hypervisor in service could take {name}."),
            evidence,
            format!("Bring another one back (vakt do node.undrain NODE), or shut the guest down: vakt do vm.shutdown {name}."),
        ));
        return Share::default();
    }
    let mut objections = Vec::new();
    for to in in_service {
        let wanted_kib = memory_kib(scene, node, name);
        let taken = taken_kib.get(&to.name).copied().unwrap_or(0);
        if taken > 0 && !has_room(scene, to, taken.saturating_add(wanted_kib)) {
            objections.push(Reason::new(
                ReasonKind::CapacityFloor,
                format!("{} has not the memory for {name} besides the guests that move there before it.", to.name),
                vec![Clean::line(&format!("{}: {} MiB more wanted", to.name, (taken + wanted_kib) / 1024))],
                "Move or shut down another guest first.",
            ));
            continue;
        }
        let act = GuestAct::Migrate { to: to.name.clone(), deadline_ms: MIGRATION_DEADLINE_MS_DEFAULT };
        let intent = Intent::new(Change::Guest { guest: name.clone(), act: act.clone() }, None);
        match guest::plan(scene, &intent, name, &act) {
            Ok(Planned::Plan(plan)) => {
                *taken_kib.entry(to.name.clone()).or_default() += wanted_kib;
                return Share::of_body(plan.body).kept();
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
    Share::default()
}

/// The memory of a guest; one that is unknown is refused by who plans its move.
fn memory_kib(scene: &Scene<'_>, node: &Node, name: &GuestName) -> u64 {
    let profile = scene.world.node(&node.name).and_then(|facts| facts.hypervisor_profile.last());
    let definition = profile.and_then(|profile| profile.domains.iter().find(|one| one.name.as_str() == name.as_str()));
    definition.and_then(|definition| definition.memory_kib.known()).unwrap_or(0)
}

fn has_room(scene: &Scene<'_>, to: &Node, wanted_kib: u64) -> bool {
    let facts = scene.world.node(&to.name);
    let has = facts.and_then(|facts| facts.hypervisor_profile.last()?.memory_kib.known());
    let promised = facts.and_then(|facts| facts.hypervisor.last()?.promised().memory_kib.known());
    has.zip(promised).is_some_and(|(has, promised)| promised.saturating_add(wanted_kib) <= has)
}
