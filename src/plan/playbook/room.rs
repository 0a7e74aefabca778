//! Moves that give room: servers and frontends take more sessions at once, as far as the machines behind them bear it.

use super::{
    Draft, MoveKind, NEAR_PERCENT, Scene, fresh,
    pool::{Member, Pool, Side},
    set, share,
};
use crate::model::{figure::Figure, tuning::Knob};

/// A processor that is busier than this gets slower with every session more, percent.
const CPU_FULL_PERCENT: f64 = 90.0;
/// Of the memory that is free, this much may be taken by more workers, percent.
const MEMORY_SHARE_PERCENT: u64 = 80;
/// More than so many times what a server takes now is no prediction any more.
const TIMES_MAX: f64 = 20.0;
/// Room beyond what waits now, percent of it.
const HEADROOM_PERCENT: u64 = 25;

/// Every such move.
pub(super) fn moves(scene: &Scene<'_>, pools: &[Pool<'_>], drafts: &mut Vec<Draft>) {
    drafts.extend(pools.iter().filter(|pool| pool.is_pressed()).filter_map(|pool| server_limit(scene, pool)));
    drafts.extend(frontend_limits(scene));
}

/// What each server of a backend could take.
fn server_limit(scene: &Scene<'_>, pool: &Pool<'_>) -> Option<Draft> {
    let limit = pool.members.iter().filter_map(|one| one.limit).max()?;
    let waiting = pool.waiting();
    // As many more on each server as wait on the load balancer where most do; without a queue a quarter more.
    let of_side = |side: &Side<'_>| side.waiting().div_ceil(side.open_servers().max(1));
    let waits_for_one = pool.sides.iter().map(of_side).max().unwrap_or(0);
    let wanted = if waiting > 0 { waits_for_one } else { (limit * HEADROOM_PERCENT).div_ceil(100) };
    let keeps_up = keeps_up(pool, limit);
    let wanted = wanted.max(keeps_up.as_ref().map_or(0, |(more, _)| *more));
    let wanted = wanted + (wanted * HEADROOM_PERCENT).div_ceil(100);
    let what =
        |value: u64| format!("Let each server of {} take {value} sessions at once instead of {limit}", pool.name);
    let risk =
        "The servers do more at once: if their processor or memory is the limit, every answer gets slower instead.";
    let draft = |what: String, effect, change, refused| Draft {
        kind: MoveKind::ServerLimit,
        what,
        effect,
        risk: risk.to_owned(),
        change,
        refused,
        about: about(pool),
    };
    let (extra, why) = match pool.members.iter().map(|one| bears(one, wanted)).min_by_key(|(extra, _)| *extra)? {
        (0, why) => {
            let why = why.unwrap_or_default();
            return Some(draft(
                format!("Let each server of {} take more sessions at once", pool.name),
                Vec::new(),
                None,
                Some(why),
            ));
        }
        bearable => bearable,
    };
    // The server that is nearest to its limit decides how much is gained; a round number is easier to remember.
    let value = if why.is_some() { limit + extra } else { (limit + extra).next_multiple_of(5) };
    let gained: u64 = pool.sides.iter().map(|side| side.waiting().min(room_on(side, value))).sum();
    let left = waiting - gained;
    let names = pool.member_names();
    let mut effect = vec![if waiting > 0 && pool.members.len() == 1 {
        format!("Queue {waiting} → {left}: {names} takes {gained} more at once.")
    } else if waiting > 0 {
        format!("Queue {waiting} → {left}: {names} take {gained} more at once together.")
    } else {
        let near = pool.members.iter().filter_map(|one| one.used_percent).max().unwrap_or(0);
        format!("Nobody waits yet; the fullest server goes from {near} % of its limit to {} %.", near * limit / value)
    }];
    effect.extend(why);
    effect.extend(keeps_up.map(|(_, words)| words));
    effect.push(loads(pool, gained));
    let change = set(&pool.target(scene), &format!("haproxy.server.maxconn@{}", pool.name), value);
    Some(draft(what(value), effect, Some(change), None))
}

/// How many sessions more each server must take at once so that no new queue forms, where more comes than is served: as long
/// as a session takes what it takes now, that grows with what comes.
fn keeps_up(pool: &Pool<'_>, limit: u64) -> Option<(u64, String)> {
    let (given, came) = pool.flow().filter(|(given, came)| *given > 0.0 && came > given)?;
    let times = (came / given).min(TIMES_MAX);
    let most = (limit as f64 * times).ceil() as u64;
    let words = format!(
        "{came:.0} come and {given:.0} are served a second: to keep up, each server takes about {most} at once."
    );
    Some((most.saturating_sub(limit), words))
}

/// Sessions that its servers would take besides those they have, on one load balancer.
fn room_on(side: &Side<'_>, value: u64) -> u64 {
    let open = side.backend.servers.iter().filter(|server| crate::plan::expect::takes_traffic(server));
    let room = open.map(|server| value.saturating_sub(server.traffic.sessions_current.known().unwrap_or(value)));
    room.sum()
}

/// How many sessions more a server bears, at most `wanted`; and what bounds it, where something does.
fn bears(member: &Member<'_>, wanted: u64) -> (u64, Option<String>) {
    let name = &member.server.name;
    if let Some(cpu) = member.cpu_percent.filter(|cpu| *cpu >= CPU_FULL_PERCENT) {
        return (
            0,
            Some(format!("The processor of {name} is at {cpu:.0} %: more at once would make every answer slower.")),
        );
    }
    let Some(web) = member.workers else { return (wanted, None) };
    let mut bounds = Vec::new();
    if let Figure::Known(most) = web.workers_max {
        let left = most.saturating_sub(member.sessions);
        bounds.push((
            left,
            format!("{name} has at most {most} workers, and {} sessions: no more than {left} fit.", member.sessions),
        ));
    }
    let idle = web.workers.saturating_sub(member.sessions);
    if let (Some(free), Some(each)) = (member.memory_free, member.worker_bytes().filter(|each| *each > 0)) {
        let left = idle + free / 100 * MEMORY_SHARE_PERCENT / each;
        let mib = |bytes: u64| bytes >> 20;
        bounds.push((
            left,
            format!(
                "A worker of {name} takes {} MiB and {} MiB are free: no more than {left} fit.",
                mib(each),
                mib(free)
            ),
        ));
    }
    match bounds.into_iter().min_by_key(|(left, _)| *left) {
        Some((left, why)) if left < wanted => (left, Some(why)),
        _ => (wanted, None),
    }
}

/// "CPU of web01 35 → about 52 %, of web02 not known".
fn loads(pool: &Pool<'_>, gained: u64) -> String {
    let each = gained.div_ceil((pool.members.len() as u64).max(1));
    let words = pool.members.iter().map(|one| match one.cpu_percent {
        Some(cpu) if one.sessions > 0 => {
            let then = cpu * (one.sessions + each) as f64 / one.sessions as f64;
            format!("{} {cpu:.0} → at most about {:.0} %", one.server.name, then.min(100.0))
        }
        Some(cpu) => format!("{} {cpu:.0} %", one.server.name),
        None => format!("{} not known", one.server.name),
    });
    let workers = pool.members.iter().all(|one| one.workers.is_none());
    let unknown = if workers { "; how many workers they have is not known" } else { "" };
    format!("Processors: {}{unknown}.", words.collect::<Vec<_>>().join(", "))
}

/// Names by which a finding is about a backend.
pub(super) fn about(pool: &Pool<'_>) -> Vec<String> {
    let nodes = pool.members.iter().filter_map(|one| one.node).map(ToString::to_string);
    nodes.chain([pool.name.to_string()]).collect()
}

/// Frontends that are nearly full, one move each.
fn frontend_limits(scene: &Scene<'_>) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for node in &scene.world.nodes {
        let poll = &scene.inventory.settings.poll;
        let Some(facts) = fresh(scene, &node.name, &node.haproxy, poll.haproxy_ms) else { continue };
        for frontend in &facts.sample.frontends {
            let traffic = &frontend.traffic;
            let (Figure::Known(now), Figure::Known(limit)) = (traffic.sessions_current, traffic.sessions_limit) else {
                continue;
            };
            if share(now, limit).is_none_or(|percent| percent < NEAR_PERCENT) {
                continue;
            }
            let (_, most) = Knob::Frontend(frontend.name.clone()).range(&facts.sample);
            let value = (limit + limit / 2).next_multiple_of(10).min(most);
            let name = &frontend.name;
            let (change, refused) = if value > limit {
                let key = format!("haproxy.frontend.maxconn@{name}");
                (Some(set(node.name.as_str(), &key, value)), None)
            } else {
                (
                    None,
                    Some(format!("HAProxy on {} takes {most} connections in all: {name} has them already.", node.name)),
                )
            };
            drafts.push(Draft {
                kind: MoveKind::FrontendLimit,
                what: format!("Let {name} on {} take {value} sessions instead of {limit}", node.name),
                effect: vec![format!("{now} of {limit} sessions are in use; then {now} of {value}.")],
                risk: "What it lets in reaches the servers: without limits of their own they get all of it.".to_owned(),
                change,
                refused,
                about: vec![name.to_string(), node.name.to_string()],
            });
        }
    }
    drafts
}
