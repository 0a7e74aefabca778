//! Rules about databases together: who takes writes, who replicates, who has what nobody else has.

use super::{
    Severity,
    catalogue::rules,
    scene::{Fresh, Scene},
    track::{Condition, Level},
    words::{counted, duration, listed},
};
use crate::{
    history::mysql::topology::{Place, Role, places},
    model::{
        figure::Unknown,
        ids::NodeName,
        mysql::{Channel, MysqlFacts, ThreadState, gtid::Relation},
    },
};

rules! {
    TWO_WRITABLE = "mysql.two_writable", 44, Critical, "More than one database takes writes" {
        meaning: "Writes that reach one of them never reach the other: their data part, and no tool joins them again.",
        causes: "A former primary that came back, a promotion without a fence, or a read_only that somebody lifted.",
        action: "decide which one is the primary; make the other read-only before anybody writes to it",
    }
    NO_WRITABLE = "mysql.no_writable", 44, Critical, "No database takes writes" {
        meaning: "Every write of every client fails.",
        causes: "A restart of the primary with read_only in its file, or a switch that was left half done.",
        action: "decide which one is the primary, and make it writable",
    }
    ERRANT = "mysql.errant", 45, Critical, "Transactions that the primary never had" {
        meaning: "The replica holds what its primary does not: it must not be promoted, and it may not be able to follow.",
        causes: "A write on the replica, or a former primary that had not sent everything when it was replaced.",
        action: "find out what they are; make the replica anew from a copy, or put them on the primary",
        explained_by: [Anywhere "mysql.two_writable"],
    }
    STOPPED = "mysql.replication.stopped", 46, Critical, "Replication stopped" {
        meaning: "The replica falls behind until somebody starts it again; how far it is behind is unknown.",
        causes: "An error while applying, a primary that threw its log away or cannot be reached, or somebody stopped it.",
        action: "read the error; start it again when its cause is gone, or make the replica anew",
        explained_by: [Node "mysql.errant", AnyNode "node.unreachable", AnyNode "mysql.down", AnyNode "mysql.cut_off"],
    }
    UNHEARD = "mysql.replication.unheard", 46, Critical, "Replica cut off" {
        meaning: "The primary writes and nothing arrives, though the replica's receiver says that it runs: a connection that was cut silently is noticed only after its timeout. A failover to it loses what it lacks.",
        causes: "A firewall or switch that drops packets between the two, or a primary whose thread for the replica hangs.",
        action: "look at the network between the two; stop and start the receiver to make it connect anew",
        explained_by: [Node "mysql.replication.stopped", AnyNode "node.unreachable", AnyNode "mysql.down", AnyNode "ovs.vlan_mismatch", AnyNode "ovs.port.down"],
    }
    LAG = "mysql.replication.lag", 47, Warning, "Replica behind" {
        meaning: "Who reads from it reads the past, and a failover waits until it has applied what it has received.",
        causes: "A long transaction, a slow disk, more writes than it applies one by one, or a lock on it.",
        action: "see whether its disk or locks are slow; more parallel workers may help",
        explained_by: [Node "mysql.disk", Node "mysql.replication.stopped", Node "mysql.row_locks"],
    }
    LAG_UNKNOWN = "mysql.replication.lag_unknown", 48, Warning, "Lag unknown" {
        meaning: "The replica replicates, and how far it is behind cannot be read.",
        causes: "The account may not read it, or the server does not say.",
        action: "run vakt check; a heartbeat table tells the lag where the server does not",
        explained_by: [Node "mysql.replication.stopped"],
    }
    SEMI_SYNC = "mysql.semi_sync", 46, Critical, "Commits are not acknowledged" {
        meaning: "The primary confirms commits that no replica has: a failover now may lose them.",
        causes: "No replica acknowledges any more, or they answered too late and the primary stopped waiting.",
        action: "see the replicas: whether they run, and whether semi-synchronous replication is on there",
        explained_by: [AnyNode "mysql.replication.stopped", AnyNode "mysql.replication.unheard", AnyNode "mysql.down", AnyNode "node.unreachable"],
    }
}

/// Nothing has arrived for so long: longer than a large transaction takes to be sent.
const UNHEARD_MS: u64 = 4_000;

/// One server with what is known of it.
struct Server<'s, 'a> {
    place: &'s Place,
    facts: Option<Fresh<'a, MysqlFacts>>,
}

/// Names what is wrong between servers.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let of_databases = || scene.nodes.iter().filter(|seen| seen.node.database.is_some());
    let listed: Vec<_> = of_databases().map(|seen| (seen.node, seen.facts.mysql.last())).collect();
    if listed.is_empty() {
        return;
    }
    let places = places(&listed);
    let servers: Vec<Server<'_, '_>> =
        of_databases().zip(&places).map(|(seen, place)| Server { place, facts: seen.mysql }).collect();
    for group in groups(&servers) {
        writable(&group, conditions);
    }
    for server in &servers {
        let Some(facts) = server.facts else { continue };
        errant(server, facts, conditions);
        for channel in facts.value.channels() {
            channel_of(scene, server, facts, channel, conditions);
        }
        let source = servers.iter().find(|other| Some(&other.place.node) == server.place.source.as_ref());
        if let Some(source) = source.filter(|source| source.facts.is_some()) {
            conditions.extend(unheard(scene, server, facts, &source.place.node));
        }
        if server.place.role == Role::Primary {
            conditions.extend(semi_sync(server, facts));
        }
    }
}

/// Servers that replicate from each other, directly or not. One that is alone belongs to the others where there is one
/// group of others: a former primary that came back replicates from nobody.
fn groups<'v, 's, 'a>(servers: &'v [Server<'s, 'a>]) -> Vec<Vec<&'v Server<'s, 'a>>> {
    let position = |name: &NodeName| servers.iter().position(|server| server.place.node == *name);
    let root = |mut at: usize| {
        // A ring of primaries has no root: as many steps as there are servers are enough.
        for _ in 0..servers.len() {
            match servers[at].place.source.as_ref().and_then(position) {
                Some(source) if source != at => at = source,
                _ => break,
            }
        }
        at
    };
    let roots: Vec<usize> = (0..servers.len()).map(root).collect();
    let members = |of: usize| roots.iter().enumerate().filter(move |(_, root)| **root == of).map(|(index, _)| index);
    let mut heads: Vec<usize> = roots.clone();
    heads.sort_unstable();
    heads.dedup();
    let (several, alone): (Vec<usize>, Vec<usize>) = heads.into_iter().partition(|head| members(*head).count() > 1);
    let group = |head: usize| members(head).map(|index| &servers[index]).collect::<Vec<_>>();
    match several[..] {
        [] => vec![servers.iter().collect()],
        [one] => {
            let mut all = group(one);
            all.extend(alone.into_iter().map(|index| &servers[index]));
            vec![all]
        }
        _ => several.into_iter().map(group).collect(),
    }
}

fn writable(group: &[&Server<'_, '_>], conditions: &mut Vec<Condition>) {
    let fresh: Vec<_> = group.iter().filter_map(|server| Some((*server, server.facts?))).collect();
    let writable: Vec<_> = fresh.iter().filter(|(_, facts)| facts.value.takes_writes().known() == Some(true)).collect();
    if writable.len() > 1 {
        let names: Vec<&NodeName> = writable.iter().map(|(server, _)| &server.place.node).collect();
        let text = format!("{} databases take writes: {}", writable.len(), listed(&names));
        // The one that has no replicas, or is one itself, is the intruder.
        let intruder =
            writable.iter().find(|(server, _)| server.place.replicas.is_empty() || server.place.source.is_some());
        let evidence = writable.iter().map(|(server, facts)| side(server, facts.value));
        let node = intruder.or(writable.last()).map(|(server, _)| &server.place.node);
        let condition = Condition::new(TWO_WRITABLE, Severity::Critical, "databases", text).evidence(evidence);
        let condition = node.map_or_else(|| condition.clone(), |node| condition.clone().node(node));
        conditions.push(condition.nodes(names));
        return;
    }
    // Of one that was not read nobody knows; and a server without replicas may be meant to be read only.
    let all_known =
        fresh.len() == group.len() && fresh.iter().all(|(_, facts)| facts.value.takes_writes().known() == Some(false));
    let primary = fresh.iter().find(|(server, _)| server.place.role == Role::Primary);
    if let (true, Some((primary, facts))) = (all_known, primary) {
        let name = &primary.place.node;
        let text = format!("No database takes writes; {name} is the primary by its replicas");
        let evidence = fresh.iter().map(|(server, facts)| side(server, facts.value));
        let condition = Condition::new(NO_WRITABLE, Severity::Critical, "databases", text).node(name);
        let hold_ms = 1_500;
        conditions.push(condition.held(Level::Beyond, facts.at, hold_ms).evidence(evidence));
    }
}

/// "db01: primary, writable, 2 replicas, 0-31-42".
fn side(server: &Server<'_, '_>, facts: &MysqlFacts) -> String {
    let writes = match facts.takes_writes().known() {
        Some(true) => "takes writes",
        Some(false) => "read only",
        None => "not known whether it takes writes",
    };
    let replicas = counted(server.place.replicas.len() as u64, "replica", "replicas");
    let position = facts.sample.replication.position().map(|position| format!(", {position}"));
    let (node, role) = (&server.place.node, server.place.role.word());
    format!("{node}: {role}, {writes}, {replicas}{}", position.unwrap_or_default())
}

fn errant(server: &Server<'_, '_>, facts: Fresh<'_, MysqlFacts>, conditions: &mut Vec<Condition>) {
    let Some(Relation::Diverged { errant, words }) = facts.value.to_source.as_ref().known() else { return };
    let name = &server.place.node;
    let source = server.place.source.as_ref().map_or("its primary", NodeName::as_str);
    let text = format!("Holds {} that {source} never had ({words})", counted(*errant, "transaction", "transactions"));
    let evidence = facts.value.sample.replication.position().map(|position| format!("{name}: {position}"));
    conditions.push(Condition::new(ERRANT, Severity::Critical, name.as_str(), text).node(name).evidence(evidence));
}

/// The subject of a channel's finding: the node, and the channel's name where it has one.
fn subject(server: &Server<'_, '_>, channel: &Channel) -> String {
    if channel.name.is_empty() {
        server.place.node.to_string()
    } else {
        format!("{} {}", server.place.node, channel.name)
    }
}

fn channel_of(
    scene: &Scene<'_>,
    server: &Server<'_, '_>,
    facts: Fresh<'_, MysqlFacts>,
    channel: &Channel,
    conditions: &mut Vec<Condition>,
) {
    let (receiver, applier) = (channel.receiver.as_ref().known(), channel.applier.as_ref().known());
    let runs = |thread: Option<&ThreadState>| thread.is_none_or(|thread| *thread == ThreadState::Running);
    if !runs(receiver) || !runs(applier) {
        conditions.push(stopped(server, facts, channel));
        return;
    }
    let name = &server.place.node;
    let lags = &channel.lags;
    let wanted_ms = channel.delay_s.known().unwrap_or(0).saturating_mul(1000);
    let limit_ms = scene.limits.database.lag_ms;
    let known = [("applied", lags.applied_ms), ("received", lags.received_ms), ("heartbeat", lags.heartbeat_ms)];
    let worst = known.iter().filter_map(|(what, lag)| Some((what, lag.known()?.saturating_sub(wanted_ms))));
    let Some((_, lag_ms)) = worst.max_by_key(|(_, lag_ms)| *lag_ms) else {
        let why = lags.applied_ms.why().filter(|why| !matches!(why, Unknown::NotReadYet | Unknown::NotRunning));
        if let Some(why) = why {
            let text = format!("Replicates, and how far it is behind is not known: {why}");
            let condition = Condition::new(LAG_UNKNOWN, Severity::Warning, &subject(server, channel), text).node(name);
            conditions.push(condition.held(Level::Beyond, facts.at, scene.limits.hold_ms));
        }
        return;
    };
    let Some(level) = Level::between(lag_ms as f64, limit_ms as f64 / 2.0, limit_ms as f64 - 1.0) else { return };
    let source = server.place.source.as_ref().map_or("its primary", NodeName::as_str);
    let missing = match facts.value.to_source.as_ref().known() {
        Some(Relation::Behind { missing }) => format!(", lacks {}", counted(*missing, "transaction", "transactions")),
        _ => String::new(),
    };
    let text = format!("{} behind {source}{missing}", duration(lag_ms));
    let told = known.iter().map(|(what, lag)| match lag.known() {
        Some(ms) => format!("{what} lag {} (limit {})", duration(ms), duration(limit_ms)),
        None => format!("{what} lag unknown: {}", lag.why().map_or(String::new(), |why| why.to_string())),
    });
    let condition = Condition::new(LAG, Severity::Warning, &subject(server, channel), text).node(name);
    conditions.push(condition.held(level, facts.at, 0).evidence(told));
}

/// What stands still for a moment is a moment between two reads; and a source that writes nothing proves nothing.
fn unheard(
    scene: &Scene<'_>,
    server: &Server<'_, '_>,
    facts: Fresh<'_, MysqlFacts>,
    source: &NodeName,
) -> Option<Condition> {
    let channel = facts.value.channels().first()?;
    let runs = |thread: &crate::model::figure::Figure<ThreadState>| {
        thread.as_ref().known().is_none_or(|thread| *thread == ThreadState::Running)
    };
    let unheard = facts.value.unheard.as_ref()?;
    let silent_ms = facts.at.mono.since_ms(unheard.since.mono);
    let written = unheard.missing.checked_sub(unheard.missing_first).filter(|written| *written > 0)?;
    if silent_ms < UNHEARD_MS || !runs(&channel.receiver) || !runs(&channel.applier) {
        return None;
    }
    let name = &server.place.node;
    let for_ms = scene.now.mono.since_ms(unheard.since.mono);
    let transactions = counted(written, "transaction", "transactions");
    let text = format!(
        "Nothing has arrived from {source} for {} while it wrote {transactions}; the receiver says that it runs",
        duration(for_ms)
    );
    let condition = Condition::new(UNHEARD, Severity::Critical, &subject(server, channel), text).node(name);
    let lag = match channel.lags.applied_ms.known() {
        Some(ms) => format!("it counts {} of lag: what has not arrived is not in it", duration(ms)),
        None => "how far it is behind in time is not known".to_owned(),
    };
    let arrived = unheard.arrived.0.as_ref().map(|at| format!("received up to {} {}", at.file, at.position));
    let missing = format!("lacks {} of {source}", counted(unheard.missing, "transaction", "transactions"));
    let condition = condition.nodes([source]).began(unheard.since).evidence([missing, lag]).evidence(arrived);
    Some(Condition { sample: Some(facts.at), ..condition })
}

fn stopped(server: &Server<'_, '_>, facts: Fresh<'_, MysqlFacts>, channel: &Channel) -> Condition {
    let name = &server.place.node;
    let source = server.place.source.as_ref().map(ToString::to_string);
    let source = source.or_else(|| channel.source_host.as_ref().known().map(ToString::to_string));
    let source = source.unwrap_or_else(|| "its primary".into());
    let error = match (&channel.applier_error, &channel.receiver_error) {
        (Some(error), _) | (None, Some(error)) => Some(error),
        (None, None) => None,
    };
    let is = |thread: &crate::model::figure::Figure<ThreadState>, state: ThreadState| {
        thread.as_ref().known() == Some(&state)
    };
    let text = match error {
        Some(error) if is(&channel.receiver, ThreadState::Connecting) => {
            format!("Replication has no connection to {source}: error {}, {}", error.code, error.message)
        }
        Some(error) => format!("Replication from {source} stopped: error {}, {}", error.code, error.message),
        None if is(&channel.receiver, ThreadState::Connecting) => format!("Replication has no connection to {source}"),
        None if is(&channel.receiver, ThreadState::Running) => {
            format!("Replication from {source} stopped: it receives, and applies nothing")
        }
        None if is(&channel.applier, ThreadState::Running) => {
            format!("Replication from {source} stopped: it receives nothing")
        }
        None => format!("Replication from {source} stopped: somebody stopped it"),
    };
    let word = |thread: &crate::model::figure::Figure<ThreadState>| {
        thread.as_ref().known().map_or_else(|| "unknown".to_owned(), ToString::to_string)
    };
    let position = |what: &str, at: Option<&crate::model::mysql::Coordinates>| {
        at.map(|at| format!("{what} up to {} {}", at.file, at.position))
    };
    let evidence = [
        Some(format!("receiver {}, applier {}", word(&channel.receiver), word(&channel.applier))),
        position("received", channel.received.as_ref().known()),
        position("applied", channel.applied.as_ref().known()),
        facts.value.sample.replication.position().map(|position| format!("transactions {position}")),
    ];
    let condition = Condition::new(STOPPED, Severity::Critical, &subject(server, channel), text).node(name);
    // A source that is gone explains it.
    let condition = condition.nodes(&server.place.source);
    condition.evidence(evidence.into_iter().flatten())
}

fn semi_sync(server: &Server<'_, '_>, facts: Fresh<'_, MysqlFacts>) -> Option<Condition> {
    let source = facts.value.sample.replication.semi_sync.source.known()?;
    if source.enabled.known() != Some(true) {
        return None;
    }
    let name = &server.place.node;
    let acknowledging = source.acknowledging.known();
    let fell_back = source.active.known() == Some(false);
    let text = match acknowledging {
        Some(0) => {
            "No replica acknowledges commits: semi-synchronous replication is on and has nobody to wait for".into()
        }
        Some(count) if fell_back => format!(
            "Semi-synchronous replication fell back: {} too late",
            counted(count, "replica acknowledges", "replicas acknowledge")
        ),
        None if fell_back => "Semi-synchronous replication fell back: commits are confirmed without an answer".into(),
        _ => return None,
    };
    let without = source.commits_without.known().map(|count| format!("{count} commits without since its start"));
    let rate = facts.value.rates.commits_unacknowledged_per_s.known().map(|rate| format!("{rate:.1} a second now"));
    let wait = source.timeout_ms.known().map(|ms| format!("it waits at most {}", duration(ms)));
    let condition = Condition::new(SEMI_SYNC, Severity::Critical, name.as_str(), text).node(name);
    let condition = condition.nodes(&server.place.replicas);
    Some(condition.evidence(without.into_iter().chain(rate).chain(wait)))
}
