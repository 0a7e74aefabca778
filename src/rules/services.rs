//! Rules about services: caches, the memory of web servers, NFS mounts.

use super::{
    Severity,
    catalogue::rules,
    scene::{Fresh, Scene, Seen},
    track::{Condition, Level},
    words::{bytes, duration, percent},
};
use crate::model::{
    inventory::Role,
    memcached::{MemcachedFacts, MemcachedState},
    services::{NfsMount, NfsState, ServicesFacts, WebServer},
};

/// An NFS server that is silent for so long hangs whoever uses it.
const NFS_SILENT_MS: u64 = 10_000;
/// A single worker that grows beyond this share of the node's memory is worth a word.
const MEBIBYTE: u64 = 1 << 20;

rules! {
    NFS_STUCK = "nfs.stuck", 33, Critical, "NFS server does not answer" {
        meaning: "Requests to an NFS server wait and not one answer comes. Whoever touches the mount hangs and cannot be ended.",
        causes: "The server or its network is down, or its disk hangs.",
        action: "look at the server; hanging tasks go on by themselves once it answers again",
    }
    STATS_FULL = "haproxy.stats_full", 45, Warning, "HAProxy's stats socket is full" {
        meaning: "Every conversation that HAProxy's stats socket allows is in use: who comes next waits without a word, vakt's own changes among them.",
        causes: "Checks or consoles that never close their conversation, or a limit that is too low (stats maxconn, 10 by default).",
        action: "see who is connected (ss -xp on the node) and end what hangs; raise stats maxconn if all are wanted",
    }
    MEMCACHED_DOWN = "memcached.down", 44, Critical, "memcached does not answer" {
        meaning: "The cache is gone or hangs: what it held must be computed again, and the databases feel it.",
        causes: "Somebody stopped it, it crashed, or the kernel ended it for lack of memory.",
        action: "start memcached there, after a look at its log; watch the load of the databases",
    }
    WEB_MEMORY = "web.memory", 71, Warning, "Web workers may use up the memory" {
        meaning: "If every worker that the web server may start did start, memory would run out and the kernel would end processes.",
        causes: "A limit of workers that was set without regard to what a worker needs.",
        action: "lower the limit of workers to what the memory bears, or add memory",
    }
    MEMCACHED_EVICTIONS = "memcached.evictions", 72, Warning, "memcached throws items away" {
        meaning: "The cache is too small for what it should hold: items go before anybody asks for them again.",
        causes: "Too little memory for it, or items that live longer than they are needed.",
        action: "give it more memory (-m) if the node has it, or shorten the life of its items",
    }
    MEMCACHED_CONNECTIONS = "memcached.connections", 73, Warning, "memcached near its limit of connections" {
        meaning: "When the limit is reached, new connections wait or are refused.",
        causes: "More application workers than planned, or connections that are never closed.",
        action: "raise its limit (-c), or use a pool of connections in the application",
    }
}

/// Names what is wrong with services.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    for seen in &scene.nodes {
        if let Some(facts) = seen.memcached {
            conditions.extend(memcached_down(seen, facts));
            conditions.extend(evictions(scene, seen, facts));
            conditions.extend(connections(scene, seen, facts));
        }
        if let Some(facts) = seen.services {
            conditions.extend(stats_full(seen, facts));
            conditions
                .extend(facts.value.sample.web.iter().filter_map(|server| web_memory(scene, seen, facts, server)));
            let mounts = facts.value.sample.nfs.iter().zip(&facts.value.nfs);
            conditions.extend(mounts.filter_map(|(mount, state)| nfs(seen, facts, mount, state)));
        }
    }
}

/// What a HAProxy that says nothing of it allows.
const CONVERSATIONS_MAX: u64 = 10;

fn stats_full(seen: &Seen<'_>, facts: Fresh<'_, ServicesFacts>) -> Option<Condition> {
    // Whoever cannot get through knows better (`servers`).
    if seen.facts.haproxy.failure().is_some() {
        return None;
    }
    let plain = |path: &str| path.strip_prefix("/var").unwrap_or(path).to_owned();
    let socket = plain(seen.node.haproxy_socket.as_deref()?);
    let sample = &facts.value.sample;
    let count = sample.conversations.iter().find(|found| plain(found.path.as_str()) == socket)?.count;
    let max = sample.conversations_max.unwrap_or(CONVERSATIONS_MAX);
    if count < max {
        return None;
    }
    let text = format!("All {max} conversations of HAProxy's stats socket are in use: who comes next waits");
    let evidence = [
        format!("{count} connections to {socket}"),
        match sample.conversations_max {
            Some(_) => format!("stats maxconn {max} in its configuration"),
            None => format!("{max} is what HAProxy allows where its configuration says nothing"),
        },
    ];
    let condition = Condition::new(STATS_FULL, Severity::Warning, seen.node.name.as_str(), text);
    let condition = condition.node(&seen.node.name).evidence(evidence);
    Some(Condition { sample: Some(facts.at), ..condition })
}

/// Only where it is expected: the inventory says so, the system starts it at boot, or it was there before.
fn memcached_down(seen: &Seen<'_>, facts: Fresh<'_, MemcachedFacts>) -> Option<Condition> {
    let is_enabled = seen
        .services
        .is_some_and(|services| services.value.sample.enabled.iter().any(|name| name.as_str() == "memcached"));
    let is_expected = is_enabled || facts.value.has_answered || seen.node.roles.contains(&Role::Cache);
    if !is_expected {
        return None;
    }
    let text = match facts.value.sample.state {
        MemcachedState::Answers => return None,
        MemcachedState::Refuses => "memcached is down: nothing listens on port 11211",
        MemcachedState::Silent => "memcached hangs: it takes connections and does not answer",
    };
    let mut evidence = Vec::new();
    if seen.node.roles.contains(&Role::Cache) {
        evidence.push("the configuration lists the node as a cache");
    }
    if is_enabled {
        evidence.push("the system starts memcached at boot");
    }
    if facts.value.has_answered {
        evidence.push("it answered since vakt watches");
    }
    let condition = Condition::new(MEMCACHED_DOWN, Severity::Critical, seen.node.name.as_str(), text);
    let condition = condition.node(&seen.node.name).evidence(evidence.into_iter().map(str::to_owned));
    Some(Condition { sample: Some(facts.at), ..condition })
}

fn evictions(scene: &Scene<'_>, seen: &Seen<'_>, facts: Fresh<'_, MemcachedFacts>) -> Option<Condition> {
    let rate = facts.value.evictions_per_s.known()?;
    let limit = scene.limits.memcached_evictions_per_s;
    let level = Level::of(rate, limit)?;
    let sample = &facts.value.sample;
    let text = format!("memcached throws {rate:.0} items a second away for lack of room");
    let mut evidence = vec![format!("evictions {rate:.1}/s (limit {limit:.1}/s)")];
    if let (Some(used), Some(max)) = (sample.bytes.known(), sample.bytes_max.known()) {
        evidence.push(format!("{} of {} in use", bytes(used), bytes(max)));
    }
    evidence.extend(facts.value.hit_percent.known().map(|hits| format!("hit rate {}", percent(hits))));
    let condition = Condition::new(MEMCACHED_EVICTIONS, Severity::Warning, seen.node.name.as_str(), text);
    Some(condition.node(&seen.node.name).held(level, facts.at, scene.limits.hold_ms).evidence(evidence))
}

fn connections(scene: &Scene<'_>, seen: &Seen<'_>, facts: Fresh<'_, MemcachedFacts>) -> Option<Condition> {
    let sample = &facts.value.sample;
    let (now, max) = (sample.connections.known()?, sample.connections_max.known().filter(|max| *max > 0)?);
    let share = now as f64 / max as f64 * 100.0;
    let level = Level::of(share, scene.limits.sessions_percent)?;
    let text = format!("{now} of {max} connections of memcached in use ({})", percent(share));
    let condition = Condition::new(MEMCACHED_CONNECTIONS, Severity::Warning, seen.node.name.as_str(), text);
    let evidence = [format!("{} (limit {})", percent(share), percent(scene.limits.sessions_percent))];
    Some(condition.node(&seen.node.name).held(level, facts.at, scene.limits.hold_ms).evidence(evidence))
}

/// The opening failure of many a cluster: traffic comes, workers come, and the kernel ends whatever is largest.
fn web_memory(
    scene: &Scene<'_>,
    seen: &Seen<'_>,
    facts: Fresh<'_, ServicesFacts>,
    server: &WebServer,
) -> Option<Condition> {
    let total = seen.host?.value.sample.memory.known()?.total_bytes;
    let (full, each) = (server.full_bytes().known()?, server.worker_bytes().known()?);
    let max = server.workers_max.known()?.max(server.workers);
    // Small workers on a small machine: an estimate that is mostly about what the workers share.
    if each < MEBIBYTE {
        return None;
    }
    let share = full as f64 * 100.0 / total.max(1) as f64;
    let level = Level::of(share, scene.limits.web_memory_percent)?;
    let text = if server.workers >= max {
        format!("All {max} workers of {} use {} of {}", server.kind.word(), bytes(full), bytes(total))
    } else {
        format!("{max} workers of {} would need {}, the node has {}", server.kind.word(), bytes(full), bytes(total))
    };
    let evidence = [
        format!("{} workers now, {} each on average", server.workers, bytes(each)),
        format!("{} of the memory (limit {})", percent(share), percent(scene.limits.web_memory_percent)),
    ];
    let subject = format!("{} {}", seen.node.name, server.kind.word());
    let condition = Condition::new(WEB_MEMORY, Severity::Warning, &subject, text);
    Some(condition.node(&seen.node.name).held(level, facts.at, scene.limits.host_hold_ms).evidence(evidence))
}

fn nfs(seen: &Seen<'_>, facts: Fresh<'_, ServicesFacts>, mount: &NfsMount, state: &NfsState) -> Option<Condition> {
    if state.silent_ms < NFS_SILENT_MS {
        return None;
    }
    let text = format!(
        "{} does not answer for {}: tasks that touch {} hang",
        mount.device,
        duration(state.silent_ms),
        mount.mount
    );
    let evidence = [format!("{} requests wait, no answer came", state.waiting)];
    let subject = format!("{} {}", seen.node.name, mount.mount);
    let condition = Condition::new(NFS_STUCK, Severity::Critical, &subject, text);
    Some(condition.node(&seen.node.name).began(super::scene::before(facts.at, state.silent_ms)).evidence(evidence))
}
