//! Rules about HAProxy's figures: queues, sessions near their limit, 5xx answers.

use super::{
    Severity,
    catalogue::rules,
    scene::{Fresh, Scene, Seen},
    servers::behind,
    track::{Condition, Level},
    words::{counted, percent},
};
use crate::model::{
    figure::Figure,
    haproxy::{Backend, HaproxyFacts, Server, Traffic},
    ids::{NodeName, ProxyName},
    time::Now,
};
use std::collections::BTreeMap;

rules! {
    QUEUE = "haproxy.queue", 60, Warning, "Requests wait in the queue" {
        meaning: "All servers of the backend are at their limit; requests wait for a free one.",
        causes: "More traffic than usual, slow answers, or too few servers.",
        action: "see which server is slow; put servers back, or raise their limits if they bear it",
        explained_by: [
            Inside "haproxy.server.down",
            AnyNode "host.iowait",
            AnyNode "host.io_pressure",
            Anywhere "traffic.spike",
        ],
        commands: ["finding.playbook", "row.chart", "row.logs"],
    }
    SESSIONS = "haproxy.sessions", 61, Warning, "Sessions near their limit" {
        meaning: "When the limit is reached, new connections wait or are refused.",
        causes: "More traffic than usual, or answers so slow that sessions pile up.",
        action: "find what is slow; raise maxconn if memory and servers bear it",
        explained_by: [AnyNode "host.iowait", AnyNode "host.io_pressure", Anywhere "traffic.spike"],
        commands: ["finding.playbook", "row.chart", "row.logs"],
    }
    ERRORS = "haproxy.errors", 62, Warning, "Many 5xx answers" {
        meaning: "Clients get server errors.",
        causes: "A broken deployment, a failing dependency, or servers that are overloaded.",
        action: "see which server answers with 5xx, and drain it if it is one of them",
        explained_by: [Inside "haproxy.server.down"],
        commands: ["row.logs", "row.chart"],
    }
}

/// A backend with a queue: how many wait on each load balancer, and when that was read.
struct Waiting<'a> {
    backend: &'a Backend,
    sides: Vec<(&'a NodeName, Now, u64)>,
}

/// Names what is wrong with traffic.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let mut queues: BTreeMap<&ProxyName, Waiting<'_>> = BTreeMap::new();
    let mut errors: BTreeMap<&ProxyName, Vec<(&NodeName, Now, f64)>> = BTreeMap::new();
    for seen in &scene.nodes {
        let Some(facts) = seen.haproxy else { continue };
        sessions(scene, seen, facts, conditions);
        for (index, backend) in facts.value.sample.backends.iter().enumerate() {
            if let Some(waiting) = backend.traffic.queue_current.known().filter(|&waiting| waiting > 0) {
                let known = queues.entry(&backend.name).or_insert_with(|| Waiting { backend, sides: Vec::new() });
                known.sides.push((&seen.node.name, facts.at, waiting));
            }
            if let Some(share) = errors_of(scene, facts.value, index, backend) {
                errors.entry(&backend.name).or_default().push((&seen.node.name, facts.at, share));
            }
        }
    }
    conditions.extend(queues.into_values().filter_map(|waiting| queue(scene, waiting.backend, &waiting.sides)));
    conditions.extend(errors.into_iter().filter_map(|(backend, sides)| server_errors(scene, backend, &sides)));
}

fn queue(scene: &Scene<'_>, backend: &Backend, sides: &[(&NodeName, Now, u64)]) -> Option<Condition> {
    let waiting: u64 = sides.iter().fold(0, |sum, (_, _, waiting)| sum.saturating_add(*waiting));
    let level = Level::of(waiting as f64, scene.limits.queue_requests as f64)?;
    let text = format!("{} for a free server", counted(waiting, "request waits", "requests wait"));
    let sample = sides.iter().map(|(_, at, _)| *at).min_by_key(|at| at.mono)?;
    let limit = scene.limits.queue_requests;
    let evidence = sides.iter().map(|(lb, _, waiting)| format!("{lb}: queue {waiting} (limit {limit} over all)"));
    let behind = backend.servers.iter().filter_map(|server| behind(scene, server));
    let condition = Condition::new(QUEUE, Severity::Warning, backend.name.as_str(), text);
    let condition = condition.nodes(behind.map(|seen| &seen.node.name));
    Some(condition.held(level, sample, scene.limits.hold_ms).evidence(evidence))
}

/// 5xx share of a backend that has someone to answer; one without usable server has its own finding.
fn errors_of(scene: &Scene<'_>, facts: &HaproxyFacts, index: usize, backend: &Backend) -> Option<f64> {
    let share = facts.backend_rates.get(index)?.server_errors_percent.known()?;
    Level::of(share, scene.limits.errors_percent)?;
    backend.servers.iter().any(Server::takes_traffic).then_some(share)
}

fn server_errors(scene: &Scene<'_>, backend: &ProxyName, sides: &[(&NodeName, Now, f64)]) -> Option<Condition> {
    let (_, _, worst) = sides.iter().max_by(|a, b| a.2.total_cmp(&b.2))?;
    let level = Level::of(*worst, scene.limits.errors_percent)?;
    let text = format!("{} of the answers are 5xx", percent(*worst));
    let sample = sides.iter().map(|(_, at, _)| *at).min_by_key(|at| at.mono)?;
    let limit = percent(scene.limits.errors_percent);
    let evidence = sides.iter().map(|(lb, _, share)| format!("{lb}: 5xx {} (limit {limit})", percent(*share)));
    let condition = Condition::new(ERRORS, Severity::Warning, backend.as_str(), text);
    Some(condition.held(level, sample, scene.limits.hold_ms).evidence(evidence))
}

/// A figure and its limit.
type Limited = (Figure<u64>, Figure<u64>);

/// Process, frontends and servers. A backend's own limit is `fullconn`, which refuses nobody.
fn sessions(scene: &Scene<'_>, seen: &Seen<'_>, facts: Fresh<'_, HaproxyFacts>, conditions: &mut Vec<Condition>) {
    let sample = &facts.value.sample;
    let mut near = |subject: &dyn Fn() -> String, what: &str, (current, limit): Limited, server: Option<&Server>| {
        let (Some(current), Some(limit)) = (current.known(), limit.known().filter(|&limit| limit > 0)) else { return };
        let share = current as f64 / limit as f64 * 100.0;
        let Some(level) = Level::of(share, scene.limits.sessions_percent) else { return };
        let lb = &seen.node.name;
        let text = format!("{current} of {limit} {what} on {lb} ({})", percent(share));
        let evidence =
            [format!("{} of the limit (finding beyond {})", percent(share), percent(scene.limits.sessions_percent))];
        let condition = Condition::new(SESSIONS, Severity::Warning, &subject(), text).node(lb);
        // Looked up only for what is told.
        let on = server.and_then(|server| behind(scene, server));
        let condition = condition.nodes(on.map(|seen| &seen.node.name));
        conditions.push(condition.held(level, facts.at, scene.limits.hold_ms).evidence(evidence));
    };
    let lb = &seen.node.name;
    near(
        &|| format!("{lb} HAProxy"),
        "connections",
        (sample.info.connections_current, sample.info.connections_max),
        None,
    );
    let of = |traffic: &Traffic| -> Limited { (traffic.sessions_current, traffic.sessions_limit) };
    for frontend in &sample.frontends {
        near(&|| format!("{lb} {}", frontend.name), "sessions", of(&frontend.traffic), None);
    }
    for backend in &sample.backends {
        for server in &backend.servers {
            let subject = || format!("{lb} {}/{}", backend.name, server.name);
            near(&subject, "sessions", of(&server.traffic), Some(server));
        }
    }
}
