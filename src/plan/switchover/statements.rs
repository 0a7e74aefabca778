//! The statements of a switchover, in MariaDB's words: each a request that is shown, journalled and sent as it is.

use super::field::Seat;
use crate::{
    model::{mysql::LEASE, text::Clean},
    wire::request::{Access, Call, Request, SECRET, SqlSession, SqlStep},
};

/// Longest wait for statements that do little.
const SHORT_MS: u64 = 2_000;
/// Longest wait for those that talk to another server.
const LONG_MS: u64 = 10_000;
const CAP_BYTES: usize = 64 * 1024;

/// How long a standstill lasts at most when vakt says nothing any more, seconds: the server ends the session then.
pub(in crate::plan) const LEASE_S: u64 = 3;
/// How long the read lock may wait for statements that run, seconds.
const LOCK_WAIT_S: u64 = 1;
/// The same for the session on the target, which holds nothing up.
const READY_S: u64 = 20;

fn request(seat: &Seat<'_>, session: SqlSession, statements: Vec<SqlStep>, deadline_ms: u64) -> Request {
    let database = seat.database;
    let has_secret = statements.iter().any(|statement| statement.sql.contains(SECRET));
    let secret = database.replication.password.clone().filter(|_| has_secret);
    let call =
        Call::SqlWrite { socket: database.socket.clone(), login: database.login.clone(), session, statements, secret };
    Request { access: Access::Write, call, deadline_ms, cap_bytes: CAP_BYTES }
}

fn take_lease() -> SqlStep {
    SqlStep::must_say(format!("select get_lock('{LEASE}', 0)"), "1")
}

/// A session stands ready for the promotion, and nobody else's run can hold this server.
pub(in crate::plan) fn stand_ready(target: &Seat<'_>) -> Request {
    let statements = vec![SqlStep::run(format!("set session wait_timeout = {READY_S}")), take_lease()];
    request(target, SqlSession::Opens, statements, SHORT_MS)
}

/// Lets go of what a session holds, and ends it.
pub(in crate::plan) fn let_go(seat: &Seat<'_>) -> Request {
    let release = SqlStep::run(format!("select release_lock('{LEASE}')"));
    request(seat, SqlSession::Ends, vec![release, SqlStep::run("unlock tables")], SHORT_MS)
}

/// Nobody writes from here on, for as long as this session lives.
pub(in crate::plan) fn freeze(primary: &Seat<'_>) -> Request {
    let statements = vec![
        SqlStep::run(format!("set session wait_timeout = {LEASE_S}")),
        SqlStep::run(format!("set session lock_wait_timeout = {LOCK_WAIT_S}")),
        SqlStep::run("flush tables with read lock"),
        take_lease(),
    ];
    request(primary, SqlSession::Opens, statements, SHORT_MS)
}

/// Nobody writes any more, whatever becomes of this session.
pub(in crate::plan) fn fence(primary: &Seat<'_>) -> Request {
    let statements =
        vec![SqlStep::run("set global read_only = 1"), SqlStep::must_say("select @@global.read_only", "1")];
    request(primary, SqlSession::Within, statements, SHORT_MS)
}

/// The way back from the fence.
pub(in crate::plan) fn take_writes_again(primary: &Seat<'_>) -> Request {
    request(primary, SqlSession::Own, vec![SqlStep::run("set global read_only = 0")], SHORT_MS)
}

/// The applier stops first: a late write of the old primary must not arrive on the new one.
pub(in crate::plan) fn promote(primary: &Seat<'_>, target: &Seat<'_>) -> Request {
    let mut statements = vec![SqlStep::run("stop slave sql_thread")];
    if primary.sample.settings.semi_sync_source.known() == Some(true) {
        statements.push(SqlStep::run("set global rpl_semi_sync_master_enabled = 1"));
    }
    statements.push(SqlStep::run("set global read_only = 0"));
    statements.push(SqlStep::must_say("select @@global.read_only", "0"));
    request(target, SqlSession::Within, statements, SHORT_MS)
}

/// Sessions of these logins end; what they were about to write was never acknowledged. Then the lock is let go.
pub(in crate::plan) fn end_sessions(primary: &Seat<'_>, users: &[&str]) -> Request {
    let mut statements: Vec<SqlStep> =
        users.iter().map(|user| SqlStep::run(format!("kill connection user '{user}'"))).collect();
    statements.push(SqlStep::run(format!("select release_lock('{LEASE}')")));
    statements.push(SqlStep::run("unlock tables"));
    request(primary, SqlSession::Ends, statements, SHORT_MS)
}

/// The same after a failure: whatever the replica was set to wait for would hold up the first write, because nobody
/// replicates from it yet.
pub(in crate::plan) fn take_over(target: &Seat<'_>) -> Request {
    let mut statements = vec![SqlStep::run("stop slave sql_thread")];
    if target.sample.settings.semi_sync_source.known() == Some(true) {
        statements.push(SqlStep::run("set global rpl_semi_sync_master_enabled = 0"));
    }
    statements.push(SqlStep::run("set global read_only = 0"));
    statements.push(SqlStep::must_say("select @@global.read_only", "0"));
    request(target, SqlSession::Own, statements, SHORT_MS)
}

/// Commits wait for a replica from here on: for one that connects afterwards.
pub(in crate::plan) fn wait_for_acknowledgements(target: &Seat<'_>) -> Request {
    let statements = vec![SqlStep::run("set global rpl_semi_sync_master_enabled = 1")];
    request(target, SqlSession::Own, statements, SHORT_MS)
}

/// The way back: commits wait for nobody.
pub(in crate::plan) fn wait_for_nobody(target: &Seat<'_>) -> Request {
    let statements = vec![SqlStep::run("set global rpl_semi_sync_master_enabled = 0")];
    request(target, SqlSession::Own, statements, SHORT_MS)
}

/// The replica asks another server from now on; it starts in a step of its own, once that one has everything.
pub(in crate::plan) fn point_to(seat: &Seat<'_>, source: &Seat<'_>) -> Request {
    point(seat, &source.host, source.port(), false)
}

/// The same, and it starts at once: back to a server that has everything.
pub(in crate::plan) fn point_back(seat: &Seat<'_>, source: &Seat<'_>) -> Request {
    point(seat, &source.host, source.port(), true)
}

/// The replica asks that server from now on, at once or when it is started.
pub(in crate::plan) fn point(seat: &Seat<'_>, host: &Clean, port: u16, does_start: bool) -> Request {
    let change = format!("change master to master_host='{host}', master_port={port}, master_use_gtid=slave_pos");
    let mut statements = vec![SqlStep::run("stop slave"), SqlStep::run(change)];
    if does_start {
        statements.push(SqlStep::run("start slave"));
    }
    request(seat, SqlSession::Own, statements, LONG_MS)
}

pub(in crate::plan) fn start(seat: &Seat<'_>) -> Request {
    request(seat, SqlSession::Own, vec![SqlStep::run("start slave")], LONG_MS)
}

pub(in crate::plan) fn stop(seat: &Seat<'_>) -> Request {
    request(seat, SqlSession::Own, vec![SqlStep::run("stop slave")], LONG_MS)
}

/// The former primary replicates from the new one.
pub(in crate::plan) fn follow(primary: &Seat<'_>, target: &Seat<'_>) -> Request {
    follow_again(primary, target, primary.sample.settings.semi_sync_source.known() == Some(true))
}

/// The way back from that for one that replicated from nobody.
pub(in crate::plan) fn follow_nobody(seat: &Seat<'_>) -> Request {
    let statements = vec![SqlStep::run("stop slave"), SqlStep::run("reset slave all")];
    request(seat, SqlSession::Own, statements, LONG_MS)
}

/// A server that wrote itself replicates from now on; `may_wait` says that its commits may wait for acknowledgements,
/// which would hold up what it applies.
pub(in crate::plan) fn follow_again(primary: &Seat<'_>, target: &Seat<'_>, may_wait: bool) -> Request {
    let user = primary.database.replication.user.as_deref().unwrap_or_default();
    let mut statements = Vec::new();
    if may_wait {
        statements.push(SqlStep::run("set global rpl_semi_sync_master_enabled = 0"));
    }
    statements.push(SqlStep::run("set global gtid_slave_pos = @@global.gtid_binlog_pos"));
    statements.push(SqlStep::run(format!(
        "change master to master_host='{}', master_port={}, master_user='{user}', master_password='{SECRET}', \
         master_connect_retry=1, master_use_gtid=slave_pos",
        target.host,
        target.port()
    )));
    statements.push(SqlStep::run("start slave"));
    request(primary, SqlSession::Own, statements, LONG_MS)
}

/// The new primary forgets from whom it replicated.
pub(in crate::plan) fn forget(target: &Seat<'_>) -> Request {
    let release = SqlStep::run(format!("select release_lock('{LEASE}')"));
    let statements = vec![SqlStep::run("stop slave"), SqlStep::run("reset slave all"), release];
    request(target, SqlSession::Ends, statements, LONG_MS)
}
