//! A rule about what operators want: a server that was taken out of traffic, or given another weight, and of which a
//! load balancer knows nothing any more. HAProxy forgets both when it is reloaded without a state file.

use super::{
    Operators, Severity,
    catalogue::rules,
    scene::{Fresh, Scene, before},
    servers::{DISAGREE, silent},
    track::Condition,
    words::{balancers, listed, whole_duration},
};
use crate::{
    model::{
        haproxy::{AdminState, HaproxyFacts, Server},
        ids::NodeName,
        intent::{Change, DEADLINE_MS_DEFAULT, Intent, ServerPath},
        text::Clean,
        time::{Now, Wall},
    },
    plan::text::command_line,
    run::{
        RunState,
        ledger::{Held, Wanted, Wish},
        lock::LockState,
    },
};
use std::collections::BTreeSet;

/// One load balancer that was read after the wish arose.
pub(super) struct Side<'a> {
    pub(super) lb: &'a NodeName,
    pub(super) at: Now,
    pub(super) server: Option<&'a Server>,
    pub(super) held: Held,
    uptime_s: Option<u64>,
}

rules! {
    INTENT_LOST = "haproxy.intent.lost", 54, Critical, "What an operator set was lost" {
        meaning: "A server that somebody drained, put into maintenance or gave another weight through vakt is not so any more on a load balancer. \
            It may take traffic while somebody works on it.",
        causes: "HAProxy was reloaded or restarted without a server-state file, or somebody changed it outside vakt.",
        action: "apply it again, or accept what is: both commands are in the finding",
        commands: ["change.reapply", "row.logs"],
    }
}

/// Names wishes that do not hold.
pub(super) fn judge(scene: &Scene<'_>, operators: Operators<'_>, conditions: &mut Vec<Condition>) {
    let mut told: BTreeSet<&ServerPath> = BTreeSet::new();
    for wish in &operators.ledger.wishes {
        // The state of a server stands before its weight: one finding for each server.
        if told.contains(&wish.server) || is_being_changed(scene, operators, &wish.server) {
            continue;
        }
        if let Some(condition) = lost(scene, wish) {
            told.insert(&wish.server);
            conditions.push(condition);
        }
    }
    // That they disagree is the same news, told less well.
    let subjects: BTreeSet<Clean> = told.iter().map(|path| Clean::line(&path.to_string())).collect();
    conditions.retain(|condition| condition.rule != DISAGREE || !subjects.contains(&condition.subject));
}

/// Whether a run of vakt works on that server at this moment, of this bastion or of another: what is seen is on its way.
pub(super) fn is_being_changed(scene: &Scene<'_>, operators: Operators<'_>, server: &ServerPath) -> bool {
    let node = machine_of(scene, server);
    let is_about = |change: &Change| match change {
        Change::Node { node: about, .. } => Some(about.as_str()) == node,
        change => change.server() == Some(server),
    };
    let runs = || operators.runs.iter().filter(|run| is_about(&run.intent.change));
    let holder = match operators.lock {
        LockState::Held(holder) => Some(holder),
        LockState::Unread | LockState::Free | LockState::Unknown(_) => None,
    };
    // A run of another bastion is no run of this state folder: its title names the server.
    let name = server.to_string();
    let is_named = |text: &str| {
        let mut words = text.split(|c: char| c.is_whitespace() || c == ':');
        words.any(|word| word == name || Some(word) == node)
    };
    runs().any(|run| run.state == RunState::Running)
        || holder.is_some_and(|holder| runs().any(|run| run.id == holder.run) || is_named(holder.what.as_str()))
}

/// The machine behind a server, as far as a load balancer tells.
fn machine_of<'a>(scene: &Scene<'a>, server: &ServerPath) -> Option<&'a str> {
    let samples = scene.nodes.iter().filter_map(|seen| seen.haproxy.map(|facts| &facts.value.sample));
    let backends = samples.flat_map(|sample| &sample.backends).filter(|backend| backend.name == server.backend);
    let mut servers = backends.flat_map(|backend| &backend.servers).filter(|known| known.name == server.server);
    servers.find_map(|known| known.machine(scene.inventory))
}

fn lost(scene: &Scene<'_>, wish: &Wish) -> Option<Condition> {
    let sides: Vec<Side<'_>> = sides(scene, wish);
    let lost: Vec<&Side<'_>> = sides.iter().filter(|side| matches!(side.held, Held::No(_))).collect();
    if lost.is_empty() {
        return None;
    }
    let takes_traffic = lost.iter().any(|side| side.server.is_some_and(Server::takes_traffic));
    let severity = match wish.wanted {
        Wanted::Drain | Wanted::Maint if takes_traffic && told_ready(&lost) => Severity::Critical,
        _ => Severity::Warning,
    };
    let known = scene.nodes.iter().filter(|seen| seen.node.haproxy_socket.is_some()).count();
    let names: Vec<&NodeName> = lost.iter().map(|side| side.lb).collect();
    let reason = wish.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let text = format!(
        "{} on {} although {} {} {} ago{reason}{}",
        what_is(wish.wanted, &lost, takes_traffic),
        balancers(&names, known),
        wish.by,
        what_was_done(wish.wanted),
        age(scene.now, wish.since),
        restarts(wish, &lost),
    );
    let restarted = lost.iter().filter_map(|side| restarted(wish, side).map(|ms| before(side.at, ms)));
    let began = restarted.max_by_key(|at| at.wall);
    let sample = lost.iter().map(|side| side.at).max_by_key(|at| at.mono);
    let condition = Condition::new(INTENT_LOST, severity, &wish.server.to_string(), text);
    let address = |side: &&Side<'_>| side.server.and_then(|server| server.address.as_ref().known().cloned());
    let address = lost.iter().find_map(address);
    let node = scene.behind(wish.server.server.as_str(), address.as_ref().map(Clean::as_str));
    let condition = match node {
        Some(seen) => condition.node(&seen.node.name),
        None => condition,
    };
    let condition = condition
        .evidence(sides.iter().map(side_line))
        .evidence(silent(scene))
        .evidence([format!("run {}: vakt runs show {}", wish.run, wish.run)]);
    Some(Condition { began, sample, hint: Some(hint(wish, &lost)), ..condition })
}

/// What each load balancer says that has the backend and was read after the wish arose: older facts show what was
/// before it.
pub(super) fn sides<'a>(scene: &Scene<'a>, wish: &Wish) -> Vec<Side<'a>> {
    let is_since = |at: Now| at.wall >= wish.since || wish.since > scene.now.wall;
    let fresh = scene.nodes.iter().filter_map(|seen| seen.haproxy.map(|facts| (&seen.node.name, facts)));
    let side = |(lb, facts): (&'a NodeName, Fresh<'a, HaproxyFacts>)| {
        let sample = &facts.value.sample;
        let held = wish.wanted.held(&wish.server, sample)?;
        let backend = sample.backends.iter().find(|backend| backend.name == wish.server.backend)?;
        let server = backend.servers.iter().find(|server| server.name == wish.server.server);
        Some(Side { lb, at: facts.at, server, held, uptime_s: sample.info.uptime_s.known() })
    };
    fresh.filter(|(_, facts)| is_since(facts.at)).filter_map(side).collect()
}

fn told_ready(lost: &[&Side<'_>]) -> bool {
    lost.iter().any(|side| side.server.is_some_and(|server| server.admin.known() == Some(AdminState::Ready)))
}

fn what_is(wanted: Wanted, lost: &[&Side<'_>], takes_traffic: bool) -> String {
    match wanted {
        Wanted::Drain | Wanted::Maint if !told_ready(lost) => "Only drains".into(),
        Wanted::Drain | Wanted::Maint if takes_traffic => "Takes traffic".into(),
        Wanted::Drain | Wanted::Maint => "Will take traffic as soon as it is up".into(),
        Wanted::Weight(_) => {
            let seen = lost.first().map(|side| side.held.seen().to_string()).unwrap_or_default();
            format!("Has {seen}")
        }
    }
}

fn what_was_done(wanted: Wanted) -> String {
    match wanted {
        Wanted::Drain => "drained it".into(),
        Wanted::Maint => "put it into maintenance".into(),
        Wanted::Weight(weight) => format!("gave it weight {weight}"),
    }
}

/// How long ago the process on that side started, when that was after the wish: milliseconds.
fn restarted(wish: &Wish, side: &Side<'_>) -> Option<u64> {
    let uptime_ms = side.uptime_s?.saturating_mul(1000);
    (uptime_ms <= ms_between(wish.since, side.at.wall)).then_some(uptime_ms)
}

/// Why it was forgotten, as far as the processes tell.
fn restarts(wish: &Wish, lost: &[&Side<'_>]) -> String {
    let started: Vec<(&NodeName, u64)> =
        lost.iter().filter_map(|side| Some((side.lb, restarted(wish, side)?))).collect();
    let Some(newest_ms) = started.iter().map(|(_, ms)| *ms).min() else {
        return if lost.iter().all(|side| side.uptime_s.is_some()) {
            "; HAProxy did not restart since: somebody told it so".into()
        } else {
            String::new()
        };
    };
    let place = match (started.len(), lost.len()) {
        (all, of) if all == of => "there".to_owned(),
        _ => format!("on {}", listed(&started.iter().map(|(lb, _)| *lb).collect::<Vec<_>>())),
    };
    format!("; HAProxy {place} restarted {} ago", whole_duration(newest_ms / 1000))
}

fn side_line(side: &Side<'_>) -> String {
    let state = side.server.map(|server| format!(", {}", server.operational)).unwrap_or_default();
    let uptime = side.uptime_s.map_or_else(|| "uptime unknown".into(), whole_duration);
    format!("{}: {}{state}, HAProxy up {uptime}", side.lb, side.held.seen())
}

/// How to have it again, and how to accept what is.
fn hint(wish: &Wish, lost: &[&Side<'_>]) -> Clean {
    let now = lost.iter().find_map(|side| side.server.and_then(|server| server.weight.known()));
    let server = wish.server.clone();
    let accepted = match (wish.wanted, now) {
        (Wanted::Weight(_), Some(weight)) => Change::HaproxyWeight { server, weight },
        _ => Change::HaproxyReady { server, deadline_ms: DEADLINE_MS_DEFAULT, weight: None },
    };
    let accept = command_line(&Intent::new(accepted, None));
    Clean::line(&format!("r applies it again, like {}; to accept what is: {accept}", command_line(&wish.intent())))
}

/// By the wall clock: it may have been before this program.
pub(super) fn age(now: Now, since: Wall) -> String {
    whole_duration(ms_between(since, now.wall) / 1000)
}

fn ms_between(earlier: Wall, later: Wall) -> u64 {
    u64::try_from(later.0.saturating_sub(earlier.0)).unwrap_or_default()
}
