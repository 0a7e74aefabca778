//! A rule about servers that an operator drained and that still have sessions: the run that drained them has ended, so
//! nobody waits for them any more, and whoever works on them would cut clients off.

use super::{
    Operators, Severity,
    catalogue::rules,
    intents::{Side, age, is_being_changed, sides},
    scene::Scene,
    track::Condition,
    words::balancers,
};
use crate::{
    model::{
        ids::NodeName,
        intent::{Change, Intent},
        text::Clean,
    },
    plan::text::command_line,
    run::ledger::{Held, Wanted, Wish},
};

rules! {
    OVERDUE = "haproxy.drain.overdue", 56, Warning, "A drained server still has sessions" {
        meaning: "A server that somebody drained through vakt has sessions although the time that the drain was given is over: \
            it is not empty, and whoever works on it cuts clients off.",
        causes: "Clients that keep their sessions for long, or come back by a cookie or a table that binds them to the server.",
        action: "wait, close what is left, or return the server to traffic: the commands are in the finding",
        commands: ["change.kill_sessions", "change.ready", "row.logs"],
    }
}

/// Names drained servers that are not empty.
pub(super) fn judge(scene: &Scene<'_>, operators: Operators<'_>, conditions: &mut Vec<Condition>) {
    let drains = operators.ledger.wishes.iter().filter(|wish| wish.wanted == Wanted::Drain);
    let over = drains.filter(|wish| !is_being_changed(scene, operators, &wish.server));
    conditions.extend(over.filter_map(|wish| overdue(scene, wish)));
}

fn overdue(scene: &Scene<'_>, wish: &Wish) -> Option<Condition> {
    let sides = sides(scene, wish);
    let left = |side: &Side<'_>| side.server.and_then(|server| server.traffic.sessions_current.known());
    // Where the drain itself was lost, that is the news.
    let holds = |side: &&Side<'_>| matches!(side.held, Held::Yes(_)) && left(side).is_some_and(|count| count > 0);
    let busy: Vec<&Side<'_>> = sides.iter().filter(holds).collect();
    let count: u64 = busy.iter().filter_map(|side| left(side)).sum();
    if count == 0 {
        return None;
    }
    let known = scene.nodes.iter().filter(|seen| seen.node.haproxy_socket.is_some()).count();
    let names: Vec<&NodeName> = busy.iter().map(|side| side.lb).collect();
    let sessions_are = if count == 1 { "session is" } else { "sessions are" };
    let reason = wish.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let text = format!(
        "{count} {sessions_are} left on {} although {} drained it {} ago{reason}",
        balancers(&names, known),
        wish.by,
        age(scene.now, wish.since),
    );
    let server = || wish.server.clone();
    let line = |change: Change| command_line(&Intent::new(change, None));
    let hint = format!(
        "wait, or close what is left: {}; to return it: {}",
        line(Change::HaproxyKillSessions { server: server() }),
        line(Change::HaproxyReady {
            server: server(),
            deadline_ms: crate::model::intent::DEADLINE_MS_DEFAULT,
            weight: None
        }),
    );
    let address = |side: &&Side<'_>| side.server.and_then(|server| server.address.as_ref().known().cloned());
    let address = busy.iter().find_map(address);
    let condition = Condition::new(OVERDUE, Severity::Warning, &wish.server.to_string(), text)
        .evidence(sides.iter().map(|side| format!("{}: {}, {}", side.lb, side.held.seen(), words(left(side)))))
        .evidence([format!("run {}: vakt runs show {}", wish.run, wish.run)]);
    let condition = match scene.behind(wish.server.server.as_str(), address.as_ref().map(Clean::as_str)) {
        Some(seen) => condition.node(&seen.node.name),
        None => condition,
    };
    let sample = busy.iter().map(|side| side.at).max_by_key(|at| at.mono);
    Some(Condition { sample, hint: Some(Clean::line(&hint)), hold_ms: scene.limits.hold_ms, ..condition })
}

fn words(sessions: Option<u64>) -> String {
    sessions.map_or_else(|| "sessions unknown".into(), |count| format!("{count} sessions"))
}
