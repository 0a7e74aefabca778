//! The virtual addresses that a node holds, or would hold if another failed: away from it with the steps of `vip.move`.

use super::super::{
    expect::{Check, Expect},
    parts::Source,
    refusal::{Planned, Reason, ReasonKind},
    scene::{Scene, sight, sight_or_refuse},
    share::Share,
    vip::{self, VipExpect},
};
use crate::{
    model::{
        ids::NodeName,
        intent::{Change, Intent},
        inventory::{Node, Vip},
        presence::PresenceFacts,
        text::Clean,
    },
    wire::probe::{Facts, ProbeId},
};
use std::net::IpAddr;

/// The node holds none of them, and somebody in service holds each.
pub(super) fn leave(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) -> Share {
    let mut share = Share::default();
    // What was given away, and what moves along with it.
    let mut moved: Vec<(IpAddr, NodeName)> = Vec::new();
    for vip in of(scene, node) {
        let Some((facts, age_ms)) = look(scene, node, vip, reasons) else { continue };
        let peers: Vec<&NodeName> =
            vip.nodes.iter().filter(|peer| **peer != node.name && !scene.world.drained.contains(peer)).collect();
        if peers.is_empty() {
            reasons.push(last(scene, node, vip));
            continue;
        }
        let is_held = facts.carries(vip.address).known() == Some(true);
        let is_of_writes = scene.inventory.settings.write_endpoint.address == Some(vip.address);
        if is_of_writes && is_held && vip::takes_writes(scene, &node.name) == Some(true) {
            // It moves with the primary, by the steps of the switchover.
            share.proof.push(check(&node.name, vip.address, VipExpect::NotHeld));
            share.read(source(scene, node));
        } else if let Some((_, to)) = moved.iter().find(|(address, _)| *address == vip.address) {
            share.proof.push(check(&node.name, vip.address, VipExpect::NotHeld));
            share.proof.push(check(to, vip.address, VipExpect::Held));
        } else if is_held {
            if let Some(to) = give(scene, vip, &peers, &mut share, reasons) {
                let along = vip::moved_along(scene, vip.address, &to);
                moved.extend(along.into_iter().chain([vip.address]).map(|address| (address, to.clone())));
            }
        } else {
            stand_back(scene, node, vip, (facts, age_ms), &peers, &mut share, reasons);
        }
    }
    share
}

/// Whether it could hold them again; nothing moves back by it.
pub(super) fn come_back(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) -> Share {
    let mut share = Share::default();
    for vip in of(scene, node) {
        let Some((facts, age_ms)) = look(scene, node, vip, reasons) else { continue };
        let sample = Facts::Presence(Box::new(facts.sample.clone()));
        let check = check(&node.name, vip.address, VipExpect::Moved);
        let verdict = check.judge(&sample, None);
        if !matches!(verdict, super::super::expect::Verdict::Holds(_)) {
            reasons.push(Reason::new(
                ReasonKind::NoService,
                format!("{} could not take {} over: its keepalived is not at work.", node.name, vip.address),
                vec![Clean::line(&format!("{}: {}", node.name, verdict.seen()))],
                "Start keepalived there, or see why it does not run, in its log.",
            ));
        }
        share.rest_on(check.clone(), &sample, age_ms, vip::stale_after_ms(scene.inventory));
        share.proof.push(check);
        share.read(source(scene, node));
        if facts.carries(vip.address).known() == Some(false) {
            share.say(format!(
                "{0} stays where it is. To move it: vakt do vip.move {0} --to {1}.",
                vip.address, node.name
            ));
        }
    }
    share
}

/// The addresses that a node may hold.
pub(super) fn of<'a>(scene: &Scene<'a>, node: &Node) -> Vec<&'a Vip> {
    scene.inventory.vips.iter().filter(|vip| vip.nodes.contains(&node.name)).collect()
}

fn check(node: &NodeName, address: IpAddr, is: VipExpect) -> Check {
    Check { node: node.clone(), probe: ProbeId::Presence, expect: Expect::Vip { address, is } }
}

fn source(scene: &Scene<'_>, node: &Node) -> Source {
    let requests = ProbeId::Presence.probe().requests(node, scene.inventory.settings.poll.deadline_ms);
    Source { node: node.name.clone(), probe: ProbeId::Presence, requests }
}

/// What the node tells of its addresses, if it does.
fn look<'a>(scene: &Scene<'a>, node: &Node, vip: &Vip, reasons: &mut Vec<Reason>) -> Option<(&'a PresenceFacts, u64)> {
    let observed = &scene.world.node(&node.name)?.presence;
    let seen = sight::<PresenceFacts>(observed, &node.name, scene.now, vip::stale_after_ms(scene.inventory));
    let seen = seen.and_then(|(facts, age_ms)| match facts.carries(vip.address).why() {
        Some(why) => Err(Clean::line(&format!("{}: its addresses are unknown: {why}", node.name))),
        None => Ok((facts, age_ms)),
    });
    let what = format!("Whether {} holds {} is not known well enough.", node.name, vip.address);
    sight_or_refuse(seen, &node.name, what, reasons)
}

fn last(scene: &Scene<'_>, node: &Node, vip: &Vip) -> Reason {
    let others = vip.nodes.iter().filter(|other| **other != node.name);
    let drained = others.filter(|other| scene.world.drained.contains(other));
    let mut evidence: Vec<Clean> = drained.map(|other| Clean::line(&format!("{other} is drained"))).collect();
    if evidence.is_empty() {
        evidence.push("there is no other".into());
    }
    Reason::new(
        ReasonKind::LastServer,
        format!("{} is the last node in service that may hold {}.", node.name, vip.address),
        evidence,
        "Bring another one back first: vakt do node.undrain NODE.",
    )
}

/// Gives the address to the first peer that is fit for it; who it is.
fn give(
    scene: &Scene<'_>,
    vip: &Vip,
    peers: &[&NodeName],
    share: &mut Share,
    reasons: &mut Vec<Reason>,
) -> Option<NodeName> {
    let mut objections = Vec::new();
    for to in peers {
        let change = Change::VipMove { address: vip.address, to: (*to).clone() };
        match vip::plan(scene, &Intent::new(change, None), vip.address, to) {
            Ok(Planned::Plan(plan)) => {
                share.append(Share::of_body(plan.body));
                return Some((*to).clone());
            }
            // Then it does not hold it alone, which is refused.
            Ok(Planned::AlreadyThere(_)) => {}
            Err(refusal) => objections.extend(refusal.reasons),
        }
    }
    for objection in objections {
        if !reasons.contains(&objection) {
            reasons.push(objection);
        }
    }
    None
}

/// A node that does not hold it stands in for whoever does: somebody in service must.
fn stand_back(
    scene: &Scene<'_>,
    node: &Node,
    vip: &Vip,
    (facts, age_ms): (&PresenceFacts, u64),
    peers: &[&NodeName],
    share: &mut Share,
    reasons: &mut Vec<Reason>,
) {
    let limit_ms = vip::stale_after_ms(scene.inventory);
    let holds = |peer: &&&NodeName| {
        let facts = scene.world.node(peer).and_then(|facts| facts.presence.fresh(scene.now.mono, limit_ms));
        facts.and_then(|facts| facts.carries(vip.address).known()) == Some(true)
    };
    let Some(holder) = peers.iter().find(holds).and_then(|peer| scene.inventory.node(peer)) else {
        reasons.push(Reason::new(
            ReasonKind::SplitBrain,
            format!("No other node in service is known to hold {}: {} may have to.", vip.address, node.name),
            peers.iter().map(|peer| Clean::line(&format!("{peer}: not seen to hold it"))).collect(),
            "See in keepalived's log on its nodes what its scripts and interfaces say.",
        ));
        return;
    };
    let not_held = check(&node.name, vip.address, VipExpect::NotHeld);
    share.rest_on(not_held.clone(), &Facts::Presence(Box::new(facts.sample.clone())), age_ms, limit_ms);
    share.proof.push(not_held);
    share.proof.push(check(&holder.name, vip.address, VipExpect::Held));
    share.read(source(scene, node));
    share.read(source(scene, holder));
    let left = peers.len();
    share.say(format!(
        "{} is held by {} and stays there; {} in service may hold it meanwhile.",
        vip.address,
        holder.name,
        if left == 1 { "nobody else".to_owned() } else { format!("{left} nodes") }
    ));
}
