//! Who does a node's work while it is away, and who misses it: for the preview.

use super::super::{
    haproxy::list_words,
    refusal::{Reason, ReasonKind},
    scene::Scene,
};
use crate::model::{
    ids::NodeName,
    intent::ServerPath,
    inventory::{Node, Role},
    memcached::MemcachedState,
    text::Clean,
    world::NodeState,
};

/// Nodes that are named as using something.
const NAMED_MAX: usize = 8;

/// Refuses the last node of a role for which no load balancer, address or hypervisor says who else does its work.
pub(super) fn judge_last(scene: &Scene<'_>, node: &Node, servers: &[ServerPath], reasons: &mut Vec<Reason>) {
    let is_judged_here = |role: &&Role| match role {
        Role::Web | Role::App => servers.is_empty(),
        Role::Cache | Role::Storage => true,
        Role::Edge | Role::Database | Role::Hypervisor => false,
    };
    for role in node.roles.iter().filter(is_judged_here) {
        let others = others(scene, node, *role);
        if others.iter().any(|(_, out)| out.is_none()) {
            continue;
        }
        let mut evidence: Vec<Clean> =
            others.iter().filter_map(|(name, out)| Some(Clean::line(&format!("{name} {}", out.as_deref()?)))).collect();
        if evidence.is_empty() {
            evidence.push("there is no other".into());
        }
        reasons.push(Reason::new(
            ReasonKind::LastServer,
            format!("{} is the last node of role {role} in service: nobody would do its work.", node.name),
            evidence,
            "Bring another one into service first.",
        ));
    }
}

/// What remains of each of its roles, and who misses what, in sentences.
pub(super) fn words(scene: &Scene<'_>, node: &Node) -> Vec<String> {
    let mut words: Vec<String> = node.roles.iter().filter_map(|role| remains(scene, node, *role)).collect();
    words.extend(cached(scene, node));
    words.extend(mounted(scene, node));
    words
}

/// The other nodes of a role, each with why it does no work now.
fn others<'a>(scene: &Scene<'a>, node: &Node, role: Role) -> Vec<(&'a NodeName, Option<String>)> {
    let others = scene.inventory.with_role(role).filter(|other| other.name != node.name);
    others.map(|other| (&other.name, out(scene, &other.name))).collect()
}

/// Why a node does no work; nothing where it does.
fn out(scene: &Scene<'_>, name: &NodeName) -> Option<String> {
    if scene.world.drained.contains(name) {
        return Some("is drained".to_owned());
    }
    let state = scene.world.node(name)?.state(scene.now.mono, scene.inventory.settings.poll.stale_after_ms);
    match state {
        NodeState::Up => None,
        NodeState::Unreachable => Some("cannot be reached".to_owned()),
        NodeState::Stale | NodeState::Connecting => Some(format!("is not known to work: {}", state.word())),
    }
}

fn remains(scene: &Scene<'_>, node: &Node, role: Role) -> Option<String> {
    let others = others(scene, node, role);
    let left = others.iter().filter(|(_, out)| out.is_none()).map(|(name, _)| name.as_str());
    let left: Vec<&str> = left.collect();
    let out: Vec<String> =
        others.iter().filter_map(|(name, out)| Some(format!("{name} {}", out.as_deref()?))).collect();
    if others.is_empty() {
        return None;
    }
    let left = if left.is_empty() { "nobody that is known to work".to_owned() } else { list_words(left) };
    let out = if out.is_empty() { String::new() } else { format!(" ({})", out.join(", ")) };
    Some(format!("What remains of role {role}: {left}{out}."))
}

/// What its memcached holds for others.
fn cached(scene: &Scene<'_>, node: &Node) -> Option<String> {
    let facts = scene.world.node(&node.name)?.memcached.last()?;
    let sample = &facts.sample;
    if sample.state != MemcachedState::Answers {
        return None;
    }
    let number = |figure: crate::model::figure::Figure<u64>| {
        figure.known().map_or_else(|| "an unknown number of".to_owned(), |number| number.to_string())
    };
    Some(format!(
        "Its memcached holds {} items (connections, vakt's own included: {}): whoever uses them misses them while the \
         node is away.",
        number(sample.items),
        number(sample.connections)
    ))
}

/// Who has mounted something of it.
fn mounted(scene: &Scene<'_>, node: &Node) -> Vec<String> {
    let own = [Some(node.name.to_string()), Some(node.management.clone())].into_iter().flatten();
    let own: Vec<String> =
        own.chain([node.private, node.public].into_iter().flatten().map(|address| address.to_string())).collect();
    let users = scene.world.nodes.iter().filter(|other| other.name != node.name).flat_map(|other| {
        let mounts = other.services.last().into_iter().flat_map(|facts| &facts.sample.nfs);
        let of_it = mounts.filter(|mount| {
            let host = mount.device.as_str().rsplit_once(":/").map_or("", |(host, _)| host);
            own.iter().any(|name| host.trim_matches(['[', ']']) == name)
        });
        of_it.map(move |mount| format!("{} has {} mounted on {}", other.name, mount.device, mount.mount))
    });
    let users: Vec<String> = users.take(NAMED_MAX).collect();
    users.into_iter().map(|user| format!("{user}: what uses it stands still while {} is away.", node.name)).collect()
}
