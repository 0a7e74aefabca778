//! Moves that take load away: from the server that is nearest to its limit, from a backend by taking a slow server out or
//! another backend's server away, and from all of them by letting fewer clients in.

use super::{
    Draft, MoveKind, Scene,
    pool::{Member, Pool},
    room::about,
    set, time,
};
use crate::model::{
    figure::Figure,
    intent::{Change, ServerPath},
};
use std::cmp::Reverse;

/// So much nearer to its limit than the others a server must be before weight is moved away from it, percent points.
const APART_PERCENT: f64 = 15.0;
/// So many times slower than the others a server must be to be worth taking out, and at least so slow.
const SLOWER_TIMES: u64 = 4;
const SLOW_MS: u64 = 250;
/// A backend is heavy on a machine with this share of its sessions, percent.
const HEAVY_PERCENT: u64 = 25;
/// Of what the servers were given, this much is let in, percent: the queue has to become shorter.
const LET_IN_PERCENT: f64 = 85.0;
/// Ways of balancing that follow weights set while HAProxy runs.
const BY_WEIGHT: [&str; 3] = ["roundrobin", "leastconn", "random"];

/// Every such move.
pub(super) fn moves(scene: &Scene<'_>, pools: &[Pool<'_>], drafts: &mut Vec<Draft>) {
    for pool in pools.iter().filter(|pool| pool.is_pressed()) {
        drafts.extend(weight(pool));
        drafts.extend(slow_server(pool));
        drafts.extend(pools.iter().filter_map(|other| heavy(pool, other)));
    }
    // One limit holds back every backend of a load balancer: it is that of the backend for which most wait.
    let mut pressed: Vec<&Pool<'_>> = pools.iter().filter(|pool| pool.is_pressed()).collect();
    pressed.sort_by_key(|pool| (pool.target(scene), Reverse(pool.waiting())));
    pressed.dedup_by_key(|pool| pool.target(scene));
    drafts.extend(pressed.into_iter().filter_map(|pool| rate_limit(scene, pool)));
}

/// How near to its limit, or to the limit of its machine, percent.
fn burden(member: &Member<'_>) -> Option<f64> {
    let used = member.used_percent.map(|used| used as f64);
    match (used, member.cpu_percent) {
        (Some(used), Some(cpu)) => Some(used.max(cpu)),
        (used, cpu) => used.or(cpu),
    }
}

fn words(member: &Member<'_>) -> String {
    let used = match (member.limit, member.used_percent) {
        (Some(limit), Some(used)) => format!("{used} % of its limit of {limit}"),
        _ => "no limit".to_owned(),
    };
    format!("{} ({used}, {})", member.server.name, member.cpu_words())
}

fn weight(pool: &Pool<'_>) -> Option<Draft> {
    let known: Vec<(&Member<'_>, f64)> =
        pool.members.iter().filter_map(|one| burden(one).map(|burden| (one, burden))).collect();
    let (most, heaviest) = known.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let others: Vec<f64> =
        known.iter().filter(|(one, _)| one.server.name != most.server.name).map(|(_, burden)| *burden).collect();
    if others.is_empty() {
        return None;
    }
    let mean = others.iter().sum::<f64>() / others.len() as f64;
    if heaviest - mean < APART_PERCENT {
        return None;
    }
    let weights = pool.members.iter().map(|one| one.server.weight.known()).collect::<Option<Vec<u64>>>()?;
    let (all, old) = (weights.iter().sum::<u64>(), most.server.weight.known()?);
    let new = ((old as f64 * mean / heaviest) as u64).clamp(old.div_ceil(4), old).max(1);
    let percent = |part: u64, all: u64| (part * 100).checked_div(all).unwrap_or(0);
    let name = &most.server.name;
    let (then, others_then) = (all - old + new, (weights.len() as u64 - 1).max(1));
    let algorithm = pool.sides.first().and_then(|side| side.backend.algorithm.as_ref().known());
    let refused = match algorithm {
        Some(how) if BY_WEIGHT.iter().any(|known| how.as_str().starts_with(known)) => None,
        Some(how) => Some(format!("{} is balanced by {how}, which follows no weight that is set now.", pool.name)),
        None => Some(format!("How {} is balanced is not known.", pool.name)),
    };
    let path = ServerPath { backend: pool.name.clone(), server: name.clone() };
    Some(Draft {
        kind: MoveKind::Weight,
        what: format!("Give {path} the weight {new} instead of {old}"),
        effect: vec![
            format!("Fullest: {}; the others are at {mean:.0} % on average.", words(most)),
            format!(
                "{name} gets {} % of new sessions instead of {} %, each of the others about {} %.",
                percent(new, then),
                percent(old, all),
                percent(then - new, then * others_then)
            ),
        ],
        risk: "The others get more. What is open stays where it is.".to_owned(),
        change: Some(Change::HaproxyWeight { server: path, weight: new }),
        refused,
        about: about(pool),
    })
}

fn response_ms(member: &Member<'_>) -> Option<u64> {
    member.server.traffic.response_time_ms.known().or(member.server.traffic.total_time_ms.known())
}

fn slow_server(pool: &Pool<'_>) -> Option<Draft> {
    let mut known: Vec<(&Member<'_>, u64)> =
        pool.members.iter().filter_map(|one| response_ms(one).map(|ms| (one, ms))).collect();
    known.sort_by_key(|(_, ms)| *ms);
    let (slowest, ms) = known.pop()?;
    let (_, median) = *known.get(known.len() / 2)?;
    if ms < SLOW_MS || ms < median.saturating_mul(SLOWER_TIMES) {
        return None;
    }
    let path = ServerPath { backend: pool.name.clone(), server: slowest.server.name.clone() };
    let others = known.len();
    let others_words = if others == 1 { "1 other server" } else { "the other servers" };
    Some(Draft {
        kind: MoveKind::SlowServer,
        what: format!("Take {path} out of traffic"),
        effect: vec![
            format!("It answers in {}, the others in about {}.", time(ms), time(median)),
            format!("Its {} open sessions go on until they end; what is new goes to {others_words}.", slowest.sessions),
        ],
        risk: format!("{others_words} must carry all of {}; a failure of one is felt at once.", pool.name),
        change: Some(Change::HaproxyMaint { server: path }),
        refused: None,
        about: about(pool),
    })
}

/// Another backend that uses the machines of a pressed one.
fn heavy(pool: &Pool<'_>, other: &Pool<'_>) -> Option<Draft> {
    if other.name == pool.name || other.is_pressed() {
        return None;
    }
    let shares_machine = |theirs: &&Member<'_>| {
        let mine = pool.members.iter().find(|mine| mine.node.is_some() && mine.node == theirs.node);
        mine.is_some_and(|mine| {
            theirs.sessions * 100 >= (theirs.sessions + mine.sessions) * HEAVY_PERCENT && theirs.sessions > 0
        })
    };
    let theirs = other.members.iter().filter(shares_machine).max_by_key(|one| one.sessions)?;
    let node = theirs.node?;
    let path = ServerPath { backend: other.name.clone(), server: theirs.server.name.clone() };
    let refused = (other.members.len() < 2)
        .then(|| format!("No other server serves {}: every request for it would fail.", other.name));
    Some(Draft {
        kind: MoveKind::HeavyBackend,
        what: format!("Take {path} out, which uses {node}, too"),
        effect: vec![format!(
            "{} of the sessions on {node} are those of {}; they go to its other servers, and {} has {node} to itself.",
            theirs.sessions, other.name, pool.name
        )],
        risk: format!("{} has fewer servers.", other.name),
        change: Some(Change::HaproxyMaint { server: path }),
        refused,
        about: about(pool),
    })
}

/// What HAProxy may let in: as much as the servers are given now, less a little so that the queue becomes shorter.
fn rate_limit(scene: &Scene<'_>, pool: &Pool<'_>) -> Option<Draft> {
    let waiting = pool.waiting();
    if waiting == 0 {
        return None;
    }
    let target = pool.target(scene);
    let draft = |what: String, effect, change, refused| Draft {
        kind: MoveKind::RateLimit,
        what,
        effect,
        risk: "It holds back every frontend of the load balancer, databases among them. Clients that keep their \
               connection are not held back; the others wait, and some give up."
            .to_owned(),
        change,
        refused,
        about: about(pool),
    };
    let unknown = |why: &str| {
        Some(draft(format!("Let fewer new sessions in on {target}"), Vec::new(), None, Some(why.to_owned())))
    };
    let Some((given, came)) = pool.flow() else {
        return unknown("How much comes and how much the servers take is not known yet.");
    };
    let busiest =
        pool.sides.iter().filter_map(|side| side.facts.sample.info.sessions_per_s.known().map(|rate| (side, rate)));
    let Some((side, arriving)) = busiest.max_by_key(|(_, rate)| *rate) else {
        return unknown("How many new sessions come in a second is not known.");
    };
    let served = if came > 0.0 { (given / came).clamp(0.05, 1.0) } else { 1.0 };
    let value = (arriving as f64 * served * LET_IN_PERCENT / 100.0) as u64;
    if value == 0 {
        return unknown(&format!("Only {arriving} new sessions come in a second: what waits is already in."));
    }
    let away = arriving - value;
    let mut effect = vec![format!(
        "About {away} of {arriving} new sessions a second have to wait outside on {}; {value} are let in.",
        side.lb
    )];
    let spare = given - came * value as f64 / arriving.max(1) as f64;
    effect.push(if spare > 0.0 {
        format!(
            "Queue {waiting} → 0 in about {:.0} s: the servers take {given:.0} a second.",
            (waiting as f64 / spare).ceil()
        )
    } else {
        format!("Whether the queue of {waiting} becomes shorter cannot be told from the figures.")
    });
    if let Figure::Known(limit @ 1..) = side.facts.sample.info.session_rate_limit {
        effect.push(format!("The limit is {limit} a second now."));
    }
    let what = format!("Let at most {value} new sessions a second in on {target}");
    Some(draft(what, effect, Some(set(&target, "haproxy.session_rate", value)), None))
}
