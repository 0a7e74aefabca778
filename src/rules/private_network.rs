//! Rules about the private network: latency against what the distance allows, and loss.

use super::{
    Severity,
    catalogue::rules,
    scene::{Fresh, Scene, Seen},
    track::{Condition, Level},
    words::{latency, listed, percent},
};
use crate::model::{
    ids::NodeName,
    inventory::{Distance, Node},
    private_network::{Path, PrivateNetworkFacts},
    time::Now,
    world::NodeState,
};

/// With so many bad paths the node is the subject, not each pair.
const PATHS_OF_A_NODE: usize = 3;
/// Lost packets that are worth a word: one may always get lost.
const LOST_MIN: u32 = 2;

rules! {
    LOSS = "private_network.loss", 36, Critical, "Packets lost on the private network" {
        meaning: "Packets between nodes get lost: replication, health checks and requests stall and are repeated.",
        causes: "A bad cable or port, a switch that drops, a duplex mismatch, or a link that is full.",
        action: "look at drops and errors of the ports between the two; move the load off that link",
        explained_by: [
            AnyNode "node.unreachable",
            AnyNode "ovs.daemon.dead",
            AnyNode "ovs.daemon.halted",
            AnyNode "ovs.port.down",
            AnyNode "ovs.vlan_mismatch",
            AnyNode "mysql.cut_off",
        ],
    }
    LATENCY = "private_network.latency", 74, Warning, "Private network slower than the distance explains" {
        meaning: "The quickest packets between two nodes take longer than their distance allows.",
        causes: "A full link, traffic that takes a detour, or a hypervisor without time for its guests.",
        action: "see which link is full, and which way the packets take",
    }
}

/// A path that both ends of are up.
struct Walked<'s, 'a> {
    from: &'s Seen<'a>,
    to: &'s Seen<'a>,
    path: &'a Path,
    at: Now,
}

/// Names what is wrong with the private network.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let walked = walked(scene);
    if walked.is_empty() {
        return;
    }
    let lossy = walked.iter().filter_map(|walked| {
        let (lost, _) = walked.path.lost();
        let level = Level::of(walked.path.loss_percent().known()?, scene.limits.private_loss_percent)?;
        (lost >= LOST_MIN).then_some((walked, level))
    });
    told(scene, LOSS, &lossy.collect::<Vec<_>>(), conditions);
    let slow = walked.iter().filter_map(|walked| {
        let limit_ms = limit_ms(scene, walked.from.node, walked.to.node);
        let level = Level::of(walked.path.latency_ms().known()?, limit_ms)?;
        walked.path.is_settled().then_some((walked, level))
    });
    told(scene, LATENCY, &slow.collect::<Vec<_>>(), conditions);
}

fn walked<'s, 'a>(scene: &'s Scene<'a>) -> Vec<Walked<'s, 'a>> {
    let mut walked = Vec::new();
    for from in &scene.nodes {
        let Some(facts): Option<Fresh<'a, PrivateNetworkFacts>> = from.private_network else { continue };
        for path in &facts.value.paths {
            let to = scene.nodes.iter().find(|seen| seen.node.private == Some(path.to));
            // A node that is down has a finding of its own.
            if let Some(to) = to.filter(|to| to.state == NodeState::Up) {
                walked.push(Walked { from, to, path, at: facts.at });
            }
        }
    }
    walked
}

fn limit_ms(scene: &Scene<'_>, from: &Node, to: &Node) -> f64 {
    match Distance::between(from, to) {
        Distance::Site => scene.limits.private_site_ms,
        Distance::Town => scene.limits.private_town_ms,
        Distance::Far => scene.limits.private_far_ms,
    }
}

/// One finding for a node with many bad paths, one a pair for the others.
fn told(scene: &Scene<'_>, rule: super::RuleId, bad: &[(&Walked<'_, '_>, Level)], conditions: &mut Vec<Condition>) {
    let touches =
        |name: &NodeName, walked: &Walked<'_, '_>| walked.from.node.name == *name || walked.to.node.name == *name;
    let mut left: Vec<&(&Walked<'_, '_>, Level)> = bad.iter().collect();
    loop {
        let worst = scene.nodes.iter().map(|seen| {
            let count = left.iter().filter(|(walked, _)| touches(&seen.node.name, walked)).count();
            (count, seen)
        });
        // The first of the list among equals, so that the subject does not change from look to look.
        let Some((count, seen)) = worst.rev().max_by_key(|(count, _)| *count) else { break };
        if count < PATHS_OF_A_NODE {
            break;
        }
        let name = &seen.node.name;
        let (of_node, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|(walked, _)| touches(name, walked));
        left = others;
        let peers: Vec<&NodeName> = of_node
            .iter()
            .map(
                |(walked, _)| {
                    if walked.from.node.name == *name { &walked.to.node.name } else { &walked.from.node.name }
                },
            )
            .collect();
        let what = if rule == LOSS { "Packets get lost" } else { "Slower than the distance explains" };
        let text = format!("{what} on the private network between {name} and {}", listed(&peers));
        conditions.extend(condition(scene, rule, name.as_str(), &text, &of_node).map(|condition| condition.node(name)));
    }
    for pair in left {
        let (from, to) = (&pair.0.from.node.name, &pair.0.to.node.name);
        let text = format!("{} between {from} and {to}", path_words(scene, rule, pair.0));
        let subject = format!("{from} {to}");
        conditions
            .extend(condition(scene, rule, &subject, &text, &[pair]).map(|condition| condition.node(from).nodes([to])));
    }
}

fn condition(
    scene: &Scene<'_>,
    rule: super::RuleId,
    subject: &str,
    text: &str,
    paths: &[&(&Walked<'_, '_>, Level)],
) -> Option<Condition> {
    let level = if paths.iter().any(|(_, level)| *level == Level::Beyond) { Level::Beyond } else { Level::Near };
    let sample = paths.iter().map(|(walked, _)| walked.at).min_by_key(|at| at.mono)?;
    let is_cut = rule == LOSS && paths.iter().all(|(walked, _)| walked.path.loss_percent().known() == Some(100.0));
    let severity = if is_cut { Severity::Critical } else { Severity::Warning };
    let evidence = paths.iter().map(|(walked, _)| {
        format!("{} to {}: {}", walked.from.node.name, walked.to.node.name, path_words(scene, rule, walked))
    });
    Some(Condition::new(rule, severity, subject, text).held(level, sample, 0).evidence(evidence))
}

fn path_words(scene: &Scene<'_>, rule: super::RuleId, walked: &Walked<'_, '_>) -> String {
    if rule == LOSS {
        let (lost, sent) = walked.path.lost();
        return format!("{lost} of {sent} packets lost");
    }
    let limit_ms = limit_ms(scene, walked.from.node, walked.to.node);
    let now = walked.path.latency_ms().known().map_or_else(|| "?".to_owned(), latency);
    let loss = walked.path.loss_percent().known().filter(|loss| *loss > 0.0);
    let loss = loss.map_or_else(String::new, |loss| format!(", {} lost", percent(loss)));
    format!("{now} (limit {}){loss}", latency(limit_ms))
}
