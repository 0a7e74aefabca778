//! What else would stop if the guest did: its place behind load balancers, an address, a primary, the last of a role.

use super::{Reason, ReasonKind, Scene, expect, field::Field};
use crate::{
    model::{
        guest_act::GuestAct,
        inventory::{Node, Role},
        text::Clean,
        world::NodeState,
    },
    plan::haproxy::departure::{Departure, departures},
};

/// What the guest does for others.
pub(super) struct Service {
    pub(super) departures: Vec<Departure>,
}

impl Service {
    /// Looks at what would stop; each thing that nothing else would do is a reason.
    pub(super) fn survey(scene: &Scene<'_>, field: &Field<'_>, reasons: &mut Vec<Reason>) -> Self {
        let name = field.name.as_str();
        let departures = departures(scene.world, scene.inventory, scene.policy, name, scene.now, reasons);
        if let Some(node) = scene.inventory.nodes.iter().find(|node| node.name.as_str() == name) {
            refuse_primary(scene, node, reasons);
            refuse_address(scene, node, reasons);
        }
        // Where load balancers know it, they say who else does its work.
        if departures.is_empty() {
            refuse_last_of_role(scene, field, reasons);
        }
        Self { departures }
    }

    /// The same for a guest that goes on elsewhere: it stops for a moment only, but a primary must not.
    pub(super) fn of_move(scene: &Scene<'_>, field: &Field<'_>, reasons: &mut Vec<Reason>) -> Self {
        let name = field.name.as_str();
        if let Some(node) = scene.inventory.nodes.iter().find(|node| node.name.as_str() == name) {
            refuse_primary(scene, node, reasons);
        }
        // Whatever load balancers would lack is not lacking: it comes back by itself.
        let departures = departures(scene.world, scene.inventory, scene.policy, name, scene.now, &mut Vec::new());
        let without_premises = |one: Departure| Departure { premises: Vec::new(), sources: Vec::new(), ..one };
        Self { departures: departures.into_iter().map(without_premises).collect() }
    }

    /// What clients notice, in sentences.
    pub(super) fn words(&self, act: &GuestAct) -> Vec<String> {
        let what = match act {
            GuestAct::Migrate { .. } => "requests wait while it stands still",
            _ => "requests fail when it stops",
        };
        let taking = self.departures.iter().filter(|one| one.takes_traffic);
        taking
            .map(|one| {
                format!(
                    "It takes traffic of {}: {what}. To spare them, first vakt do haproxy.drain {}.",
                    one.path.backend, one.path
                )
            })
            .collect()
    }
}

fn refuse_primary(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) {
    if node.database.is_none() {
        return;
    }
    // However old: what it was last is not forgotten because nobody answers now.
    let sample = scene.world.node(&node.name).and_then(|facts| facts.switchover.last());
    let takes_writes = sample.and_then(|sample| sample.state.read_only.known()).map(|read_only| !read_only);
    let (what, evidence) = match takes_writes {
        Some(false) => return,
        Some(true) => (format!("{} is the primary of the databases.", node.name), "it takes writes"),
        None => (format!("Whether {} is the primary of the databases is not known.", node.name), "never read"),
    };
    reasons.push(Reason::new(
        ReasonKind::LastServer,
        what,
        vec![Clean::line(&format!("{}: {evidence}", node.name))],
        "Make another one the primary first: vakt do mysql.switchover --to NODE.",
    ));
}

fn refuse_address(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) {
    let presence = scene.world.node(&node.name).and_then(|facts| facts.presence.last());
    let may_hold = scene.inventory.vips.iter().filter(|vip| vip.nodes.contains(&node.name));
    for vip in may_hold {
        let holds = presence.and_then(|presence| presence.carries(vip.address).known());
        if holds != Some(false) {
            let seen = if holds.is_some() { "holds it" } else { "whether it holds it is not known" };
            reasons.push(Reason::new(
                ReasonKind::LastServer,
                format!("{} holds {}, or may.", node.name, vip.address),
                vec![Clean::line(&format!("{}: {seen}", node.name))],
                format!("Let another node hold it first: vakt do vip.move {} --to NODE.", vip.address),
            ));
        }
    }
}

/// The last machine of its role that is up.
fn refuse_last_of_role(scene: &Scene<'_>, field: &Field<'_>, reasons: &mut Vec<Reason>) {
    let name = field.name.as_str();
    if !field.is_running() {
        return;
    }
    for role in scene.inventory.roles_of(name).iter().filter(|role| **role != Role::Hypervisor) {
        let nodes = scene.inventory.with_role(*role).map(|node| node.name.as_str());
        let guests = scene.inventory.guests.iter().filter(|guest| guest.roles.contains(role));
        let others = nodes.chain(guests.map(|guest| guest.name.as_str())).filter(|other| *other != name);
        let others: Vec<(&str, Option<String>)> = others.map(|other| (other, down(scene, field, other))).collect();
        if others.iter().any(|(_, down)| down.is_none()) {
            continue;
        }
        let mut evidence: Vec<Clean> = others
            .iter()
            .filter_map(|(other, down)| Some(Clean::line(&format!("{other}: {}", down.as_deref()?))))
            .collect();
        if evidence.is_empty() {
            evidence.push("there is no other".into());
        }
        reasons.push(Reason::new(
            ReasonKind::LastServer,
            format!("{name} is the last machine of role {role} that is up."),
            evidence,
            "Bring another one up first.",
        ));
    }
}

/// Why a machine is not up; nothing where it is.
fn down(scene: &Scene<'_>, field: &Field<'_>, machine: &str) -> Option<String> {
    let domain = field.others.iter().chain(std::iter::once(&field.host)).find_map(|host| {
        let (domain, _) = host.guests.domain(machine)?;
        Some((host, domain))
    });
    if let Some((host, domain)) = domain
        && !domain.state.known().is_some_and(expect::is_running)
    {
        return Some(format!("{} on {}", domain.state_words(), host.name()));
    }
    let node = scene.world.nodes.iter().find(|node| node.name.as_str() == machine);
    match (node, domain) {
        (Some(node), _) => {
            let state = node.state(scene.now.mono, scene.inventory.settings.poll.stale_after_ms);
            (state != NodeState::Up).then(|| state.word().to_owned())
        }
        (None, Some(_)) => None,
        (None, None) => Some("on no hypervisor that can be asked".to_owned()),
    }
}
