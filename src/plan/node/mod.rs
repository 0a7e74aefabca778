//! `node.drain` and `node.undrain`: a node as a whole leaves service, over every layer, and comes back.
//!
//! Each layer is planned by who plans it alone: `haproxy::machine` for the servers that stand on the node, `vip` for the
//! virtual addresses that it holds, `guest` for what runs on it, `switchover` for its database. What they make
//! is put behind each other, and the last step looks at all of it once more: *drained* is seen, never assumed.
//!
//! Deliberately absent: moving anything back. Who drained a node may not want its addresses, guests and the primary where
//! they were; the plan of the way back says how each is moved.

mod addresses;
mod databases;
mod dependants;
mod expect;
mod guests;

pub use expect::NodeExpect;

use super::{
    haproxy::machine,
    limits,
    parts::{Action, Body, ConfirmBy, Confirmation, Need, OnLate, Plan, Step, Subject, Until, Wait, When},
    refusal::{AlreadyThere, Planned, Reason, ReasonKind, Refusal},
    scene::Scene,
    share::Share,
};
use crate::{
    model::{
        ids::NodeName,
        intent::{Intent, ServerPath},
        inventory::{Confirm, Node},
        node_act::{NodeAct, OnNodeDeadline},
        text::Clean,
        world::NodeState,
    },
    wire::probe::Facts,
};
use std::net::IpAddr;

/// Looks in a row in which the end must be seen.
const PROOF_LOOKS: u32 = 3;
/// Longest wait for them: sessions that were closed take a moment.
const PROOF_DEADLINE_MS: u64 = 10_000;

/// What all layers make together.
struct Draft {
    share: Share,
    servers: Vec<ServerPath>,
    evidence: Vec<Clean>,
}

/// Plans what is done with a node.
pub(super) fn plan(scene: &Scene<'_>, intent: &Intent, name: &NodeName, act: NodeAct) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    let draft = match (find(scene, name, &mut reasons), act) {
        (Some(node), NodeAct::Drain { deadline_ms, on_deadline }) => {
            Some(drain(scene, node, deadline_ms, on_deadline, &mut reasons))
        }
        (Some(node), NodeAct::Undrain { deadline_ms }) => Some(undrain(scene, node, deadline_ms, &mut reasons)),
        (None, _) => None,
    };
    match draft {
        Some(draft) if reasons.is_empty() => Ok(finish(scene, intent, name, act, draft)),
        _ => Err(Refusal::of(intent, title(name, act), reasons)),
    }
}

/// A node in one line, for what is true after a run.
pub(super) fn words(facts: &Facts, servers: &[ServerPath], addresses: &[IpAddr]) -> Clean {
    match facts {
        Facts::Haproxy(_) if servers.is_empty() => "HAProxy answers".into(),
        Facts::Haproxy(_) => super::expect::servers_words(facts, servers),
        Facts::Presence(_) => {
            let words = addresses.iter().map(|address| format!("{address}: {}", super::vip::words(facts, *address)));
            Clean::line(&words.collect::<Vec<_>>().join("; "))
        }
        Facts::Guests(_) => expect::words(facts),
        _ => super::switchover::words(facts, &[], None),
    }
}

fn title(name: &NodeName, act: NodeAct) -> Clean {
    Clean::line(&match act {
        NodeAct::Drain { .. } => format!("Drain {name}"),
        NodeAct::Undrain { .. } => format!("Return {name} to service"),
    })
}

fn find<'a>(scene: &Scene<'a>, name: &NodeName, reasons: &mut Vec<Reason>) -> Option<&'a Node> {
    let node = scene.inventory.node(name);
    if node.is_none() {
        let known = scene.inventory.nodes.iter().take(20).map(|node| node.name.as_str());
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            format!("The configuration has no node {name}."),
            vec![Clean::line(&format!("nodes: {}", super::haproxy::list_words(known)))],
            "Check the name; a guest that is no node is moved or shut down: vakt do vm.migrate, vakt do vm.shutdown.",
        ));
    }
    node
}

fn drain(
    scene: &Scene<'_>,
    node: &Node,
    deadline_ms: u64,
    on_deadline: OnNodeDeadline,
    reasons: &mut Vec<Reason>,
) -> Draft {
    judge_nodes_out(scene, node, reasons);
    let databases = databases::leave(scene, node, reasons);
    let policy = (deadline_ms, on_deadline);
    let turn = if databases.is_stuck {
        machine::Turn::default()
    } else {
        machine::leave(scene, node.name.as_str(), &databases.entrances, policy, reasons)
    };
    let mut share = databases.share;
    share.append(turn.share);
    share.append(addresses::leave(scene, node, reasons));
    share.append(guests::leave(scene, node, reasons));
    dependants::judge_last(scene, node, &turn.servers, reasons);
    for sentence in dependants::words(scene, node) {
        share.say(sentence);
    }
    judge_size(&share, node, reasons);
    if share.proof.is_empty() && reasons.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            format!("vakt knows of nothing on {} that others could do: there is nothing to drain.", node.name),
            vec![Clean::line(&format!(
                "{}: no server of a load balancer stands on it, it may hold no virtual address, and runs no guests",
                node.name
            ))],
            "If a load balancer sends to it, let its address in haproxy.cfg and in vakt's configuration be the same.",
        ));
    }
    Draft { share, servers: turn.servers, evidence: turn.evidence }
}

fn undrain(scene: &Scene<'_>, node: &Node, deadline_ms: u64, reasons: &mut Vec<Reason>) -> Draft {
    judge_reachable(scene, node, reasons);
    let turn = machine::come_back(scene, node.name.as_str(), deadline_ms, reasons);
    let mut share = turn.share;
    share.append(databases::come_back(scene, node, reasons));
    share.append(addresses::come_back(scene, node, reasons));
    share.append(guests::come_back(scene, node, reasons));
    Draft { share, servers: turn.servers, evidence: turn.evidence }
}

/// Refuses one node more than may be out of service at once.
fn judge_nodes_out(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) {
    let stale_after_ms = scene.inventory.settings.poll.stale_after_ms;
    let is_drained = |name: &NodeName| scene.world.drained.contains(name);
    let others = scene.world.nodes.iter().filter(|other| other.name != node.name);
    let out: Vec<Clean> = others
        .filter_map(|other| {
            let is_lost = other.state(scene.now.mono, stale_after_ms) == NodeState::Unreachable;
            let why = if is_drained(&other.name) {
                "is drained".to_owned()
            } else if is_lost {
                "cannot be reached".to_owned()
            } else {
                return None;
            };
            Some(Clean::line(&format!("{} {why}", other.name)))
        })
        .collect();
    let limit = usize::try_from(scene.policy.nodes_out_max).unwrap_or(usize::MAX);
    if out.len() >= limit && !is_drained(&node.name) {
        let nodes = if limit == 1 { "node" } else { "nodes" };
        reasons.push(Reason::new(
            ReasonKind::TooManyOut,
            format!("At most {limit} {nodes} may be out of service at once, and {} would be one more.", node.name),
            out,
            "Bring one of them back first (vakt do node.undrain NODE), or raise nodes_out_max under [policy].",
        ));
    }
}

/// Refuses more than fits into one plan.
fn judge_size(share: &Share, node: &Node, reasons: &mut Vec<Reason>) {
    // The proof is one step more.
    if share.steps.len() >= limits::STEPS_MAX {
        reasons.push(Reason::new(
            ReasonKind::NoWay,
            format!("{} has more to give away than fits into one plan.", node.name),
            vec![Clean::line(&format!("{} steps, at most {} fit", share.steps.len() + 1, limits::STEPS_MAX))],
            "Move some of its guests first: vakt do vm.migrate GUEST --to NODE.",
        ));
    }
}

/// Refuses to send anybody to a node that vakt itself cannot reach.
fn judge_reachable(scene: &Scene<'_>, node: &Node, reasons: &mut Vec<Reason>) {
    let link = scene.world.node(&node.name).map(|facts| &facts.link);
    if let Some(trouble) = link.and_then(|link| link.lost()) {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{} cannot be reached: whether it is fit to serve is not known.", node.name),
            vec![Clean::line(&format!("{}: {}", node.name, trouble.cause))],
            format!("Mend the connection to {}; then plan again.", node.name),
        ));
    }
}

fn finish(scene: &Scene<'_>, intent: &Intent, name: &NodeName, act: NodeAct, draft: Draft) -> Planned {
    let is_marked = scene.world.drained.contains(name);
    let is_settled = match act {
        NodeAct::Drain { .. } => is_marked,
        NodeAct::Undrain { .. } => !is_marked,
    };
    if draft.share.steps.is_empty() && (is_settled || draft.share.proof.is_empty()) {
        let what = match act {
            NodeAct::Drain { .. } => format!("{name} is drained already, and nothing has come back to it."),
            NodeAct::Undrain { .. } => format!("{name} is in service already."),
        };
        let what = Clean::line(&what);
        return Planned::AlreadyThere(AlreadyThere { intent: intent.clone(), what, evidence: draft.evidence });
    }
    Planned::Plan(Box::new(Plan::new(body(scene, intent, name, act, draft))))
}

fn body(scene: &Scene<'_>, intent: &Intent, name: &NodeName, act: NodeAct, draft: Draft) -> Body {
    let Draft { mut share, servers, .. } = draft;
    let goal = match act {
        NodeAct::Drain { .. } => format!("{name} is drained: others do its work, and nothing of it is in use"),
        NodeAct::Undrain { .. } => format!("{name} is in service"),
    };
    share.steps.push(prove(&goal, share.proof));
    share.effect.push(match act {
        NodeAct::Drain { .. } => {
            "vakt remembers that it is drained, and says so when something comes back to it.".into()
        }
        NodeAct::Undrain { .. } => "It counts as drained no longer.".into(),
    });
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: title(name, act),
        effect: share.effect,
        goal: Clean::line(&goal),
        subject: Subject::Node { node: name.clone(), servers, addresses: addresses_of(scene, name) },
        made_at: scene.now,
        facts_age_ms: share.premises.iter().map(|premise| premise.age_ms).max().unwrap_or(0),
        premises: share.premises,
        sources: share.sources,
        point_of_no_return: share.steps.iter().position(Step::is_irreversible),
        steps: share.steps,
        confirmation: confirmation(scene, name, act),
        runbook: Clean::line(intent.change.id()),
    }
}

fn addresses_of(scene: &Scene<'_>, name: &NodeName) -> Vec<IpAddr> {
    let node = scene.inventory.node(name);
    node.map_or_else(Vec::new, |node| addresses::of(scene, node).iter().map(|vip| vip.address).collect())
}

fn confirmation(scene: &Scene<'_>, name: &NodeName, act: NodeAct) -> Confirmation {
    let why = match (act, scene.policy.confirm) {
        (NodeAct::Drain { on_deadline: OnNodeDeadline::Force, .. }, _) => {
            "the node leaves service, and sessions that are open at the deadline are closed"
        }
        (NodeAct::Drain { .. }, _) => "the node leaves service, and fewer do its work",
        (NodeAct::Undrain { .. }, Confirm::AlwaysTyped) => "the configuration asks for a name before every change",
        (NodeAct::Undrain { .. }, Confirm::ByBlastRadius) => {
            return Confirmation { by: ConfirmBy::Enter, why: "every step can be undone".into() };
        }
    };
    Confirmation { by: ConfirmBy::Target(Clean::line(name.as_str())), why: why.into() }
}

/// The last step: everything is looked at once more, several times.
fn prove(goal: &str, checks: Vec<super::expect::Check>) -> Step {
    let until = Until {
        checks,
        need: Need::All,
        holds: PROOF_LOOKS,
        poll_ms: limits::WAIT_POLL_MS,
        deadline_ms: PROOF_DEADLINE_MS,
    };
    Step {
        title: Clean::line(goal),
        when: When::Always,
        action: Action::Wait(Wait { until, guards: Vec::new(), on_late: OnLate::Fail, keeps: false }),
        at_once: false,
    }
}
