//! Rules about HAProxy's figures: queues, sessions near their limit, 5xx answers.

use super::{
    RuleId, Severity,
    scene::{Fresh, Scene, Seen},
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

/// Names what is wrong with traffic.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let mut queues: BTreeMap<&ProxyName, Vec<(&NodeName, Now, u64)>> = BTreeMap::new();
    let mut errors: BTreeMap<&ProxyName, Vec<(&NodeName, Now, f64)>> = BTreeMap::new();
    for seen in &scene.nodes {
        let Some(facts) = seen.haproxy else { continue };
        sessions(scene, seen, facts, conditions);
        for (index, backend) in facts.value.sample.backends.iter().enumerate() {
            if let Some(waiting) = backend.traffic.queue_current.known().filter(|&waiting| waiting > 0) {
                queues.entry(&backend.name).or_default().push((&seen.node.name, facts.at, waiting));
            }
            if let Some(share) = errors_of(scene, facts.value, index, backend) {
                errors.entry(&backend.name).or_default().push((&seen.node.name, facts.at, share));
            }
        }
    }
    conditions.extend(queues.into_iter().filter_map(|(backend, sides)| queue(scene, backend, &sides)));
    conditions.extend(errors.into_iter().filter_map(|(backend, sides)| server_errors(scene, backend, &sides)));
}

fn queue(scene: &Scene<'_>, backend: &ProxyName, sides: &[(&NodeName, Now, u64)]) -> Option<Condition> {
    let waiting: u64 = sides.iter().fold(0, |sum, (_, _, waiting)| sum.saturating_add(*waiting));
    let level = Level::of(waiting as f64, scene.limits.queue_requests as f64)?;
    let text = format!("{} for a free server", counted(waiting, "request waits", "requests wait"));
    let sample = sides.iter().map(|(_, at, _)| *at).min_by_key(|at| at.mono)?;
    let limit = scene.limits.queue_requests;
    let evidence = sides.iter().map(|(lb, _, waiting)| format!("{lb}: queue {waiting} (limit {limit} over all)"));
    let condition = Condition::new(RuleId::Queue, Severity::Warning, backend.as_str(), text);
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
    let condition = Condition::new(RuleId::Errors, Severity::Warning, backend.as_str(), text);
    Some(condition.held(level, sample, scene.limits.hold_ms).evidence(evidence))
}

/// Process, frontends and servers. A backend's own limit is `fullconn`, which refuses nobody.
fn sessions(scene: &Scene<'_>, seen: &Seen<'_>, facts: Fresh<'_, HaproxyFacts>, conditions: &mut Vec<Condition>) {
    let sample = &facts.value.sample;
    let mut near = |subject: &dyn Fn() -> String, what: &str, current: Figure<u64>, limit: Figure<u64>| {
        let (Some(current), Some(limit)) = (current.known(), limit.known().filter(|&limit| limit > 0)) else { return };
        let share = current as f64 / limit as f64 * 100.0;
        let Some(level) = Level::of(share, scene.limits.sessions_percent) else { return };
        let lb = &seen.node.name;
        let text = format!("{current} of {limit} {what} on {lb} ({})", percent(share));
        let evidence =
            [format!("{} of the limit (finding beyond {})", percent(share), percent(scene.limits.sessions_percent))];
        let condition = Condition::new(RuleId::Sessions, Severity::Warning, &subject(), text).node(lb);
        conditions.push(condition.held(level, facts.at, scene.limits.hold_ms).evidence(evidence));
    };
    let lb = &seen.node.name;
    near(&|| format!("{lb} HAProxy"), "connections", sample.info.connections_current, sample.info.connections_max);
    let of = |traffic: &Traffic| (traffic.sessions_current, traffic.sessions_limit);
    for frontend in &sample.frontends {
        let (current, limit) = of(&frontend.traffic);
        near(&|| format!("{lb} {}", frontend.name), "sessions", current, limit);
    }
    for backend in &sample.backends {
        for server in &backend.servers {
            let (current, limit) = of(&server.traffic);
            near(&|| format!("{lb} {}/{}", backend.name, server.name), "sessions", current, limit);
        }
    }
}
