//! Rules about single database servers: unreadable, slow for a reason, near a limit.

use super::{
    Severity,
    catalogue::rules,
    scene::{Fresh, Scene, Seen},
    track::{Condition, Level},
    words::{bytes, counted, percent, whole_duration},
};
use crate::{
    history::mysql::{
        attribution::{Bottleneck, attribute},
        grid,
    },
    model::{
        mysql::{LockWait, MysqlFacts, Process, root_blockers},
        trouble::TroubleKind,
        world::NodeState,
    },
};

rules! {
    DOWN = "mysql.down", 43, Critical, "Database does not answer" {
        meaning: "The node answers, its database does not: what it serves and how it replicates is unknown.",
        causes: "The server is down, is starting, is frozen, or waits for a disk that does not answer.",
        action: "look at its process, its log and its disk on the node; of the primary: another one can take its place",
        explained_by: [Node "node.unreachable", Node "node.stale", Node "mysql.given_up"],
        commands: ["change.failover", "row.logs"],
    }
    UNREADABLE = "mysql.unreadable", 48, Warning, "Database cannot be read" {
        meaning: "The server runs and does not let vakt in, or vakt does not understand it.",
        causes: "The account does not exist or may not log in, sudo wants a password, or all connections are in use.",
        action: "run vakt check: it names what is missing",
        explained_by: [Node "node.unreachable", Node "node.stale", Node "mysql.down"],
    }
    DISK = "mysql.disk", 46, Warning, "Database slow because of the disk" {
        meaning: "The device behind the data directory answers slowly, and the server waits for it; locks are not the cause.",
        causes: "A slow, shared or throttled disk, a backup, a cache that is too small, or a log that is flushed too often.",
        action: "see who uses the disk; then see the buffer pool's reads and the flushing of the log",
        explained_by: [Node "node.unreachable"],
    }
    ROW_LOCKS = "mysql.row_locks", 46, Warning, "Sessions wait for rows" {
        meaning: "Transactions wait for rows that others have locked; whoever waits keeps its own locks meanwhile.",
        causes: "A transaction that stays open, a statement without an index, or many that want the same row.",
        action: "look at the session that everybody waits for; end it if nobody needs it",
    }
    CONNECTIONS = "mysql.connections", 47, Warning, "Connections near their limit" {
        meaning: "When the limit is reached, the server refuses whoever comes.",
        causes: "Slow statements that pile up, an application without a pool, or a limit that is too low.",
        action: "see who is connected and what they wait for; raise max_connections if memory allows",
        explained_by: [Node "mysql.row_locks", Node "mysql.disk"],
        commands: ["finding.playbook", "row.logs"],
    }
    REDO = "mysql.redo", 47, Warning, "Redo log nearly full" {
        meaning: "When it is full, every writer waits until pages have been flushed.",
        causes: "More writes than the disk takes, a log that is too small, or io_capacity that is too low.",
        action: "raise innodb_io_capacity if the disk bears it, or the size of the redo log",
        explained_by: [Node "mysql.disk"],
    }
    DIRTY = "mysql.dirty", 48, Warning, "More changed pages than wanted" {
        meaning: "The server flushes as fast as it may and does not keep up.",
        causes: "More writes than the disk takes, or io_capacity that is too low.",
        action: "see the disk; raise innodb_io_capacity if it bears it",
        explained_by: [Node "mysql.disk"],
    }
    HISTORY = "mysql.history", 48, Warning, "Old row versions pile up" {
        meaning: "Every read of changed rows walks through their old versions, and the space is not given back.",
        causes: "A transaction that stays open, or more changes than the purge keeps up with.",
        action: "end the oldest transaction; see innodb_purge_threads",
        explained_by: [Node "mysql.transaction"],
    }
    TRANSACTION = "mysql.transaction", 48, Warning, "A transaction stays open" {
        meaning: "It keeps its locks, and the server keeps every old version that it might read.",
        causes: "A program that forgot to commit, a report, or a person with an open console.",
        action: "find out who it is; end the session if nobody needs it",
    }
    DEADLOCKS = "mysql.deadlocks", 49, Warning, "Deadlocks" {
        meaning: "Transactions wait for each other in a circle, and the server rolls one of them back, again and again.",
        causes: "Transactions that take the same rows in another order, or a missing index that locks too many rows.",
        action: "read the last deadlock; let all take rows in the same order",
    }
    MEMORY = "mysql.memory", 92, Warning, "Database may outgrow its machine" {
        meaning: "With as many connections as it had at once already it may need more memory than the machine has: an upper bound, reached when each of them fills every buffer.",
        causes: "Buffers for each connection, or a limit of connections, that are set too high.",
        action: "lower max_connections or the buffers of each connection, or give the machine memory",
    }
}

/// A disk or locks must be slow for so long before it is news: one slow flush is not.
const SLOW_HOLD_MS: u64 = 1_500;
/// Blockers that are named.
const BLOCKERS_TOLD_MAX: usize = 3;
/// Deadlocks a second that are more than chance.
const DEADLOCKS_PER_S: f64 = 0.1;

/// Names what is wrong with each server.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    for seen in scene.nodes.iter().filter(|seen| seen.node.database.is_some()) {
        conditions.extend(unreadable(scene, seen));
        let Some(facts) = seen.mysql else { continue };
        slow(scene, seen, facts, conditions);
        limits(scene, seen, facts, conditions);
        transactions(scene, seen, facts, conditions);
        conditions.extend(memory(seen, facts.value));
    }
}

fn unreadable(scene: &Scene<'_>, seen: &Seen<'_>) -> Option<Condition> {
    let failure = seen.facts.mysql.failure().filter(|_| seen.state == NodeState::Up)?;
    let socket = &seen.node.database.as_ref()?.socket;
    let routes = &seen.facts.link.routes;
    let route = routes.iter().find(|route| route.path.as_str() == socket.as_str());
    let trouble = route.and_then(|route| route.way.as_ref().err());
    let keeps_out = trouble.is_some_and(|trouble| {
        use TroubleKind as Kind;
        matches!(
            trouble.kind,
            Kind::LoginRefused
                | Kind::SocketNotPermitted
                | Kind::SudoNeedsPassword
                | Kind::ForwardingForbidden
                | Kind::ProgramMissing
                | Kind::AnswerNotUnderstood
        )
    });
    let (rule, severity, text) = if keeps_out {
        (UNREADABLE, Severity::Warning, format!("The database cannot be read: {}", failure.reason))
    } else {
        (DOWN, Severity::Critical, format!("The database does not answer: {}", failure.reason))
    };
    let condition = Condition::new(rule, severity, seen.node.name.as_str(), text)
        .node(&seen.node.name)
        .began(failure.since)
        .evidence([format!("socket {socket}")]);
    // One answer that was lost on the way is no news.
    let hold_ms = scene.poll.mysql_ms.saturating_mul(3) / 2;
    Some(Condition { hint: trouble.map(|trouble| trouble.cure.clone()), hold_ms, ..condition })
}

/// Disk or locks?
fn slow(scene: &Scene<'_>, seen: &Seen<'_>, facts: Fresh<'_, MysqlFacts>, conditions: &mut Vec<Condition>) {
    let Some(grid) = grid(seen.facts).filter(|_| seen.host.is_some()) else { return };
    let attribution = attribute(&grid);
    let name = &seen.node.name;
    let held = |rule, text: &str| {
        Condition::new(rule, Severity::Warning, name.as_str(), text).node(name).held(
            Level::Beyond,
            facts.at,
            SLOW_HOLD_MS,
        )
    };
    let limit = scene.limits.database.redo_percent;
    // A log that fills up has a finding of its own.
    let waits_for_disk = grid.is_disk_slow();
    if matches!(attribution.bottleneck, Bottleneck::Disk | Bottleneck::DiskAndLocks) && waits_for_disk {
        conditions.push(held(DISK, &attribution.sentence));
    }
    if matches!(attribution.bottleneck, Bottleneck::Locks | Bottleneck::DiskAndLocks) {
        conditions.push(row_locks(held(ROW_LOCKS, ""), facts.value, &attribution.sentence));
    }
    if let Some(redo) = grid.redo_percent.known()
        && let Some(level) = Level::of(redo, limit)
    {
        let left = facts.value.rates.redo.sync_flush_in_s.known();
        let left = left.map(|left| format!("; at this rate writers wait in {}", whole_duration(left as u64)));
        let text = format!("The redo log is {} full{}", percent(redo), left.unwrap_or_default());
        let evidence = [format!("checkpoint age {} of capacity (limit {})", percent(redo), percent(limit))];
        let condition = Condition::new(REDO, Severity::Warning, name.as_str(), text).node(name);
        conditions.push(condition.held(level, facts.at, SLOW_HOLD_MS).evidence(evidence));
    }
}

fn row_locks(condition: Condition, facts: &MysqlFacts, attribution: &str) -> Condition {
    let waits = facts.sample.lock_waits.as_ref().known().map(Vec::as_slice).unwrap_or_default();
    let roots = root_blockers(waits);
    let waiting = facts.sample.innodb.row_locks.waiting_now.known();
    let text = match (roots.first(), waiting) {
        (Some((root, behind)), _) => {
            let who = who(*root, facts.sample.processes.as_ref().known());
            format!(
                "{} for rows that session {root}{who} holds",
                counted(*behind as u64, "session waits", "sessions wait")
            )
        }
        (None, Some(waiting)) => format!("{} for rows", counted(waiting, "session waits", "sessions wait")),
        (None, None) => "Sessions wait for rows".to_owned(),
    };
    let told = roots.iter().take(BLOCKERS_TOLD_MAX).map(|(root, behind)| blocker(*root, *behind, waits, facts));
    let evidence: Vec<String> = told.chain([attribution.to_owned()]).collect();
    let named = Condition::new(condition.rule, condition.severity, condition.subject.as_str(), text);
    Condition { sentence: named.sentence, ..condition }.evidence(evidence)
}

/// " of shop from web01", where the process list knows it.
fn who(id: u64, processes: Option<&Vec<Process>>) -> String {
    let process = processes.and_then(|all| all.iter().find(|process| process.id == id));
    let user = process.and_then(|process| process.user.as_ref().known());
    let host = process.and_then(|process| process.host.as_ref().known());
    match (user, host) {
        (Some(user), Some(host)) => format!(" of {user} from {host}"),
        (Some(user), None) => format!(" of {user}"),
        _ => String::new(),
    }
}

fn blocker(root: u64, behind: usize, waits: &[LockWait], facts: &MysqlFacts) -> String {
    let wait = waits.iter().find(|wait| wait.blocking.known() == Some(root));
    let table = wait.and_then(|wait| wait.table.as_ref().known()).map_or(String::new(), |table| format!(" in {table}"));
    let transactions = facts.sample.transactions.as_ref().known();
    let own = transactions.and_then(|all| all.iter().find(|transaction| transaction.process.known() == Some(root)));
    let age = own.and_then(|own| own.age_s.known()).map(|age| format!(", open for {}", whole_duration(age)));
    let runs = match own.and_then(|own| own.statement.as_ref().known()) {
        Some(statement) => format!(", runs {statement}"),
        None => ", runs nothing at the moment".to_owned(),
    };
    format!("session {root} holds back {behind}{table}{}{runs}", age.unwrap_or_default())
}

fn limits(scene: &Scene<'_>, seen: &Seen<'_>, facts: Fresh<'_, MysqlFacts>, conditions: &mut Vec<Condition>) {
    let (name, rates, sample) = (&seen.node.name, &facts.value.rates, &facts.value.sample);
    let limits = &scene.limits.database;
    let held = |rule, level, text: String, evidence: String| {
        let condition = Condition::new(rule, Severity::Warning, name.as_str(), text).node(name);
        condition.held(level, facts.at, scene.limits.hold_ms).evidence([evidence])
    };
    if let Some(used) = rates.connections.used_percent.known()
        && let Some(level) = Level::of(used, limits.connections_percent)
    {
        let (now, most) = (sample.server.threads_connected.known(), sample.server.connections_max.known());
        let of = now.zip(most).map_or(String::new(), |(now, most)| format!(": {now} of {most}"));
        let text = format!("{} of its connections are in use{of}", percent(used));
        let limit = format!("{} (limit {})", percent(used), percent(limits.connections_percent));
        let condition = held(CONNECTIONS, level, text, limit);
        let refused = rates.connections.refused_at_limit_per_s.known().filter(|refused| *refused > 0.0);
        let severity = if refused.is_some() { Severity::Critical } else { Severity::Warning };
        let told = refused.map(|refused| format!("{refused:.1} connections refused a second"));
        conditions.push(Condition { severity, ..condition }.evidence(told));
    }
    if let (Some(dirty), Some(wanted)) = (rates.engine.dirty_percent.known(), sample.innodb.settings.dirty_percent_max.known())
        && let Some(level) = Level::between(dirty, wanted * 0.9, wanted)
        // A pool that may have no changed page at all never has none.
        && wanted > 1.0
    {
        let text =
            format!("{} of the buffer pool are changed pages, {} are wanted at most", percent(dirty), percent(wanted));
        conditions.push(held(
            DIRTY,
            level,
            text,
            format!("dirty {} (innodb_max_dirty_pages_pct {wanted:.0})", percent(dirty)),
        ));
    }
    if let Some(history) = sample.innodb.history_list_length.known()
        && let Some(level) = Level::of(history as f64, limits.history_list as f64)
    {
        let text = format!("{} wait for the purge", counted(history, "old row version", "old row versions"));
        conditions.push(held(HISTORY, level, text, format!("history list {history} (limit {})", limits.history_list)));
    }
    if let Some(rate) = rates.locks.deadlocks_per_s.known()
        && let Some(level) = Level::of(rate, DEADLOCKS_PER_S)
    {
        let text = format!("{rate:.1} deadlocks a second");
        conditions.push(held(DEADLOCKS, level, text, format!("{rate:.1} a second (limit {DEADLOCKS_PER_S})")));
    }
}

/// The oldest transaction that belongs to somebody.
fn transactions(scene: &Scene<'_>, seen: &Seen<'_>, facts: Fresh<'_, MysqlFacts>, conditions: &mut Vec<Condition>) {
    let Some(all) = facts.value.sample.transactions.as_ref().known() else { return };
    let aged = all.iter().filter_map(|transaction| Some((transaction, transaction.age_s.known()?)));
    let Some((oldest, age_s)) = aged.max_by_key(|(_, age_s)| *age_s) else { return };
    let limit_s = scene.limits.database.transaction_s;
    let Some(level) = Level::between(age_s as f64, limit_s as f64, limit_s as f64) else { return };
    let session = oldest.process.known().filter(|id| *id > 0);
    let whose = session.map_or(String::new(), |id| {
        format!(" of session {id}{}", who(id, facts.value.sample.processes.as_ref().known()))
    });
    let text = format!("A transaction{whose} is open for {}", whole_duration(age_s));
    let rows = oldest.rows_modified.known().map(|rows| format!("{} changed", counted(rows, "row", "rows")));
    let runs = oldest.statement.as_ref().known().map(|statement| format!("runs {statement}"));
    let evidence = [format!("{age_s} s (limit {limit_s} s)")].into_iter().chain(rows).chain(runs);
    let condition = Condition::new(TRANSACTION, Severity::Warning, seen.node.name.as_str(), text);
    conditions.push(condition.node(&seen.node.name).held(level, facts.at, 0).evidence(evidence));
}

/// The bound for every connection that the settings allow is beyond nearly every machine; what counts is as many as there
/// were at once already.
fn memory(seen: &Seen<'_>, facts: &MysqlFacts) -> Option<Condition> {
    let budget = facts.rates.memory.known()?;
    let used_max = facts.sample.server.connections_used_max.known()?;
    let total = seen.host?.value.sample.memory.known()?.total_bytes;
    let needed = budget.global_bytes.saturating_add(budget.session_bytes.saturating_mul(used_max));
    if needed <= total {
        return None;
    }
    let text = format!(
        "It may use {} with as many connections as it had already ({used_max}), the machine has {}",
        bytes(needed),
        bytes(total)
    );
    let evidence = [
        format!("{} once, and at most {} for each connection", bytes(budget.global_bytes), bytes(budget.session_bytes)),
        format!("{} with all {} connections", bytes(budget.upper_bound_bytes), budget.connections_max),
    ];
    let condition = Condition::new(MEMORY, Severity::Warning, seen.node.name.as_str(), text);
    Some(condition.node(&seen.node.name).evidence(evidence))
}
