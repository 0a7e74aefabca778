//! The rows of the database screen: every server below what it replicates from, and what is said of each.

use super::{
    Seen, figures,
    meaning::{Line, Meaning, Span},
    rows::contains,
};
use crate::{
    history::mysql::topology::{Place, Role, topology},
    model::{
        figure::Figure,
        mysql::{MysqlFacts, ThreadState, gtid::Relation},
        world::{NodeFacts, NodeState},
    },
};

/// One server.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseRow<'a> {
    pub(crate) node: &'a NodeFacts,
    pub(crate) place: Place,
    /// How many sources stand above it.
    pub(crate) depth: usize,
}

/// Every server: who replicates stands below its source.
pub(crate) fn rows<'a>(seen: Seen<'a>, filter: &str) -> Vec<DatabaseRow<'a>> {
    let places = topology(seen.world, seen.inventory);
    let mut rows = Vec::new();
    let is_head =
        |place: &&Place| place.source.as_ref().is_none_or(|source| !places.iter().any(|other| other.node == *source));
    for head in places.iter().filter(is_head) {
        below(seen, &places, head, 0, &mut rows);
    }
    // A ring of sources has no head; its members stand side by side.
    for place in &places {
        if !rows.iter().any(|row: &DatabaseRow<'_>| row.place.node == place.node) {
            rows.extend(seen.world.node(&place.node).map(|node| DatabaseRow { node, place: place.clone(), depth: 0 }));
        }
    }
    rows.retain(|row| {
        contains(row.place.node.as_str(), filter)
            || contains(row.place.role.word(), filter)
            || contains(standing(seen, row.node).0, filter)
    });
    rows
}

fn below<'a>(seen: Seen<'a>, places: &[Place], at: &Place, depth: usize, rows: &mut Vec<DatabaseRow<'a>>) {
    if depth > places.len() || rows.iter().any(|row| row.place.node == at.node) {
        return;
    }
    let Some(node) = seen.world.node(&at.node) else { return };
    rows.push(DatabaseRow { node, place: at.clone(), depth });
    for replica in places.iter().filter(|place| at.replicas.contains(&place.node)) {
        below(seen, places, replica, depth + 1, rows);
    }
}

/// How the server of a node stands, and why where that is not "up".
pub(crate) fn standing(seen: Seen<'_>, node: &NodeFacts) -> (&'static str, Meaning, String) {
    let state = node.state(seen.now.mono, seen.inventory.settings.poll.stale_after_ms);
    let why = || node.mysql.failure().map(|failure| failure.reason.to_string()).unwrap_or_default();
    match (state, node.mysql.failure(), node.mysql.last()) {
        (NodeState::Unreachable | NodeState::Stale, ..) => {
            let cause = node.link.lost().map(|trouble| trouble.cause.to_string());
            ("node lost", Meaning::Stale, cause.unwrap_or_else(|| "no answer of its node".to_owned()))
        }
        (_, Some(_), Some(_)) => ("no answer", Meaning::Crit, why()),
        (_, Some(_), None) => ("not read", Meaning::Crit, why()),
        (_, None, None) => ("not read", Meaning::Unknown, "not read yet".to_owned()),
        (_, None, Some(_)) => {
            let finding = seen.findings.iter().filter(|finding| {
                finding.node.as_ref() == Some(&node.name) && finding.rule.as_str().starts_with("mysql.")
            });
            match finding.max_by_key(|finding| finding.severity) {
                Some(finding) => ("up", finding.severity.into(), finding.sentence.to_string()),
                None => ("up", Meaning::Ok, String::new()),
            }
        }
    }
}

/// Whether what is shown of the server is what it said before its silence.
pub(crate) fn is_old(seen: Seen<'_>, node: &NodeFacts) -> bool {
    node.mysql.last().is_some() && matches!(standing(seen, node).0, "node lost" | "no answer")
}

/// "writable", "read only".
pub(crate) fn writes(facts: &MysqlFacts) -> Span {
    match facts.takes_writes() {
        Figure::Known(true) => Span::plain("writable"),
        Figure::Known(false) => Span::dim("read only"),
        Figure::Unknown(_) => Span::new("?", Meaning::Unknown),
    }
}

/// How far it is behind: the worst that is known, or the word for what stands still.
pub(crate) fn lag(facts: &MysqlFacts, limit_ms: u64) -> Span {
    let mut worst: Option<Span> = None;
    for channel in facts.channels() {
        let (receiver, applier) = (channel.receiver.as_ref().known(), channel.applier.as_ref().known());
        let stands = |thread: Option<&ThreadState>| thread.is_some_and(|thread| *thread != ThreadState::Running);
        if stands(receiver) || stands(applier) {
            return Span::new("stopped", Meaning::Crit);
        }
        let lags = &channel.lags;
        let known = [lags.applied_ms, lags.received_ms, lags.heartbeat_ms].into_iter().filter_map(Figure::known).max();
        let span = match known {
            Some(ms) if ms >= limit_ms => Span::new(figures::age(ms), Meaning::Warn),
            Some(ms) => Span::plain(figures::age(ms)),
            None => Span::new("?", Meaning::Unknown),
        };
        if worst.as_ref().is_none_or(|worst| span.meaning.badness() > worst.meaning.badness()) {
            worst = Some(span);
        }
    }
    worst.unwrap_or_else(|| Span::dim("-"))
}

/// How its transactions stand to its source's: "same", "3 behind", "1 errant".
pub(crate) fn relation(facts: &MysqlFacts) -> Span {
    match facts.to_source.as_ref().known() {
        _ if facts.channels().is_empty() => Span::dim("-"),
        None => Span::new("?", Meaning::Unknown),
        Some(Relation::Identical) => Span::plain("same"),
        Some(Relation::Behind { missing } | Relation::BehindPurged { missing, .. }) => {
            Span::plain(format!("{} behind", figures::count(*missing)))
        }
        Some(Relation::Empty) => Span::new("empty", Meaning::Warn),
        Some(Relation::Diverged { errant, .. }) => {
            Span::new(format!("{} errant", figures::count(*errant)), Meaning::Crit)
        }
    }
}

/// Semi-synchronous replication in a word: of the side that counts for its role.
pub(crate) fn semi_sync(facts: &MysqlFacts, role: Role) -> Span {
    let both = &facts.sample.replication.semi_sync;
    if role == Role::Primary {
        let Some(source) = both.source.as_ref().known() else { return Span::dim("-") };
        return match (source.enabled.known(), source.active.known(), source.acknowledging.known()) {
            (Some(false), ..) => Span::dim("off"),
            (_, _, Some(0)) => Span::new("nobody", Meaning::Crit),
            (_, Some(false), _) => Span::new("fell back", Meaning::Crit),
            (Some(true), _, Some(count)) => Span::plain(figures::counted(count as usize, "replica", "replicas")),
            _ => Span::new("?", Meaning::Unknown),
        };
    }
    let Some(replica) = both.replica.as_ref().known() else { return Span::dim("-") };
    match (replica.enabled.known(), replica.active.known()) {
        (Some(false), _) => Span::dim("off"),
        (_, Some(true)) => Span::plain("acks"),
        (_, Some(false)) => Span::new("no acks", Meaning::Warn),
        _ => Span::new("?", Meaning::Unknown),
    }
}

/// What a node's database is, for the overview: "primary, 14 clients, 2 replicas".
pub(crate) fn carries(seen: Seen<'_>, node: &NodeFacts) -> Option<String> {
    let facts = node.mysql.last()?;
    let place = topology(seen.world, seen.inventory).into_iter().find(|place| place.node == node.name)?;
    let mut parts = vec![place.role.word().to_owned()];
    if let Some(connected) = facts.sample.server.threads_connected.known() {
        parts.push(figures::counted(connected as usize, "client", "clients"));
    }
    if !place.replicas.is_empty() {
        parts.push(figures::counted(place.replicas.len(), "replica", "replicas"));
    }
    Some(parts.join(", "))
}

/// What flows at a database, for the path: its role and its rate, or how far it is behind.
pub(crate) fn on_the_path(seen: Seen<'_>, node: &NodeFacts) -> Option<Line> {
    let facts = node.mysql.last()?;
    if node.mysql.failure().is_some() {
        return Some(vec![Span::new("no answer", Meaning::Crit)]);
    }
    let place = topology(seen.world, seen.inventory).into_iter().find(|place| place.node == node.name)?;
    let first = if place.role == Role::Replica {
        let lag = lag(facts, seen.inventory.settings.thresholds.database.lag_ms);
        let words = match lag.text.as_str() {
            "?" => "lag unknown".to_owned(),
            "stopped" => "stopped".to_owned(),
            text => format!("lag {text}"),
        };
        Span::new(words, lag.meaning)
    } else {
        let statements = &facts.rates.statements;
        let both = statements.selects_per_s.and_then(|reads| statements.writes_per_s().map(|writes| (reads, writes)));
        Span::figure(both, |(reads, writes)| reads_and_writes(reads, writes))
    };
    Some(vec![first, Span::dim(place.role.word())])
}

/// "194 r 49 w /s": what is read and what is written, a second.
pub(crate) fn reads_and_writes(reads: f64, writes: f64) -> String {
    let whole = |rate: f64| if rate < 1_000.0 { format!("{rate:.0}") } else { figures::number(rate) };
    format!("{} r {} w /s", whole(reads), whole(writes))
}

/// What all databases read, and what those that replicate from nobody write, a second; of those that answer.
pub(crate) fn flow(seen: Seen<'_>) -> Option<Span> {
    let places = topology(seen.world, seen.inventory);
    let mut sum: Option<(f64, f64)> = None;
    for place in &places {
        let Some(node) = seen.world.node(&place.node).filter(|node| node.mysql.failure().is_none()) else { continue };
        let Some(facts) = node.mysql.last() else { continue };
        let statements = &facts.rates.statements;
        let (Some(reads), Some(writes)) = (statements.selects_per_s.known(), statements.writes_per_s().known()) else {
            continue;
        };
        let (reads_before, writes_before) = sum.unwrap_or_default();
        // What a replica applies was written elsewhere.
        let writes = if place.role == Role::Replica { 0.0 } else { writes };
        sum = Some((reads_before + reads, writes_before + writes));
    }
    sum.map(|(reads, writes)| Span::plain(reads_and_writes(reads, writes)))
}
