//! The statements of a switchover: each a request that is shown, journalled and sent as it is. What a server is told is
//! the same for both families; in which words stands side by side in `mariadb` and `mysql`, and the server's own family,
//! as it was found by asking, chooses.

mod mariadb;
mod mysql;

use super::field::Seat;
use crate::{
    model::{
        mysql::{Dialect, LEASE, SwitchoverSample},
        text::Clean,
    },
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

/// One family's words: statements, and what operators are told to type or to look for.
pub(in crate::plan) struct Words {
    /// The setting that keeps everybody from writing.
    pub(in crate::plan) read_only: &'static str,
    /// Nobody writes any more.
    pub(in crate::plan) make_read_only: &'static str,
    is_read_only: &'static str,
    pub(in crate::plan) stop: &'static str,
    pub(in crate::plan) start: &'static str,
    stop_applier: &'static str,
    pub(in crate::plan) start_applier: &'static str,
    pub(in crate::plan) forget: &'static str,
    /// Replicates by transactions, not by places in files.
    pub(in crate::plan) by_gtid: &'static str,
    /// The setting by which it logs what it applies.
    pub(in crate::plan) logs_applied: &'static str,
    /// The setting by which it acknowledges.
    pub(in crate::plan) semi_sync_replica: &'static str,
    /// What a login needs to see what a server replicates from.
    pub(in crate::plan) monitor: &'static str,
    /// The same, and to see what it has.
    pub(in crate::plan) follow_monitor: &'static str,
    /// Whether commits wait for an acknowledgement; by the server's word for the side that waits.
    semi_sync: fn(&str, bool) -> String,
    /// Asks another server from now on.
    point: fn(&str, u16) -> String,
    /// A server that replicated from nobody asks that one from now on.
    follow: fn(&Follow<'_>) -> Vec<String>,
    /// Sessions of these logins end.
    end_sessions: fn(&[&str]) -> Vec<SqlStep>,
}

/// Where a server is to replicate from, and as whom.
struct Follow<'f> {
    host: &'f Clean,
    port: u16,
    user: &'f str,
}

/// The words of a family; of one that is not known, MariaDB's, which nothing but a refusal uses.
pub(in crate::plan) fn words(dialect: Dialect) -> &'static Words {
    match dialect {
        Dialect::Mysql => &mysql::WORDS,
        Dialect::Mariadb | Dialect::WithoutGtid => &mariadb::WORDS,
    }
}

impl Words {
    fn semi_sync_step(&self, sample: &SwitchoverSample, waits: bool) -> SqlStep {
        let word = sample.settings.semi_sync_word.as_ref().known().map_or("source", Clean::as_str);
        SqlStep::run((self.semi_sync)(word, waits))
    }
}

/// In MySQL this takes back both settings.
const TAKE_WRITES: &str = "set global read_only = 0";

fn take_writes() -> [SqlStep; 2] {
    [SqlStep::run(TAKE_WRITES), SqlStep::must_say("select @@global.read_only", "0")]
}

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
    let words = primary.speaks();
    let statements = vec![SqlStep::run(words.make_read_only), SqlStep::must_say(words.is_read_only, "1")];
    request(primary, SqlSession::Within, statements, SHORT_MS)
}

/// The way back from the fence.
pub(in crate::plan) fn take_writes_again(primary: &Seat<'_>) -> Request {
    request(primary, SqlSession::Own, vec![SqlStep::run(TAKE_WRITES)], SHORT_MS)
}

/// The applier stops first: a late write of the old primary must not arrive on the new one.
pub(in crate::plan) fn promote(primary: &Seat<'_>, target: &Seat<'_>) -> Request {
    let words = target.speaks();
    let mut statements = vec![SqlStep::run(words.stop_applier)];
    if primary.sample.settings.semi_sync_source.known() == Some(true) {
        statements.push(words.semi_sync_step(target.sample, true));
    }
    statements.extend(take_writes());
    request(target, SqlSession::Within, statements, SHORT_MS)
}

/// Sessions of these logins end; what they were about to write was never acknowledged. Then the lock is let go.
pub(in crate::plan) fn end_sessions(primary: &Seat<'_>, users: &[&str]) -> Request {
    let mut statements = (primary.speaks().end_sessions)(users);
    statements.push(SqlStep::run(format!("select release_lock('{LEASE}')")));
    statements.push(SqlStep::run("unlock tables"));
    request(primary, SqlSession::Ends, statements, SHORT_MS)
}

/// The same after a failure: whatever the replica was set to wait for would hold up the first write, because nobody
/// replicates from it yet.
pub(in crate::plan) fn take_over(target: &Seat<'_>) -> Request {
    let words = target.speaks();
    let mut statements = vec![SqlStep::run(words.stop_applier)];
    if target.sample.settings.semi_sync_source.known() == Some(true) {
        statements.push(words.semi_sync_step(target.sample, false));
    }
    statements.extend(take_writes());
    request(target, SqlSession::Own, statements, SHORT_MS)
}

/// Commits wait for a replica from here on: for one that connects afterwards.
pub(in crate::plan) fn wait_for_acknowledgements(target: &Seat<'_>) -> Request {
    request(target, SqlSession::Own, vec![target.speaks().semi_sync_step(target.sample, true)], SHORT_MS)
}

/// The way back: commits wait for nobody.
pub(in crate::plan) fn wait_for_nobody(target: &Seat<'_>) -> Request {
    request(target, SqlSession::Own, vec![target.speaks().semi_sync_step(target.sample, false)], SHORT_MS)
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
    let words = seat.speaks();
    let mut statements = vec![SqlStep::run(words.stop), SqlStep::run((words.point)(host.as_str(), port))];
    if does_start {
        statements.push(SqlStep::run(words.start));
    }
    request(seat, SqlSession::Own, statements, LONG_MS)
}

pub(in crate::plan) fn start(seat: &Seat<'_>) -> Request {
    request(seat, SqlSession::Own, vec![SqlStep::run(seat.speaks().start)], LONG_MS)
}

pub(in crate::plan) fn stop(seat: &Seat<'_>) -> Request {
    request(seat, SqlSession::Own, vec![SqlStep::run(seat.speaks().stop)], LONG_MS)
}

/// The former primary replicates from the new one.
pub(in crate::plan) fn follow(primary: &Seat<'_>, target: &Seat<'_>) -> Request {
    follow_again(primary, target, primary.sample.settings.semi_sync_source.known() == Some(true))
}

/// The way back from that for one that replicated from nobody.
pub(in crate::plan) fn follow_nobody(seat: &Seat<'_>) -> Request {
    let words = seat.speaks();
    let statements = vec![SqlStep::run(words.stop), SqlStep::run(words.forget)];
    request(seat, SqlSession::Own, statements, LONG_MS)
}

/// A server that wrote itself replicates from now on; `may_wait` says that its commits may wait for acknowledgements,
/// which would hold up what it applies.
pub(in crate::plan) fn follow_again(primary: &Seat<'_>, target: &Seat<'_>, may_wait: bool) -> Request {
    let words = primary.speaks();
    let user = primary.database.replication.user.as_deref().unwrap_or_default();
    let mut statements = Vec::new();
    if may_wait {
        // Of one that does not run yet its source tells how the plug-in is called.
        let is_known = primary.sample.settings.semi_sync_word.why().is_none();
        let named = if is_known { primary.sample } else { target.sample };
        statements.push(words.semi_sync_step(named, false));
    }
    let follow = Follow { host: &target.host, port: target.port(), user };
    statements.extend((words.follow)(&follow).into_iter().map(SqlStep::run));
    statements.push(SqlStep::run(words.start));
    request(primary, SqlSession::Own, statements, LONG_MS)
}

/// The new primary forgets from whom it replicated.
pub(in crate::plan) fn forget(target: &Seat<'_>) -> Request {
    let release = SqlStep::run(format!("select release_lock('{LEASE}')"));
    let words = target.speaks();
    let statements = vec![SqlStep::run(words.stop), SqlStep::run(words.forget), release];
    request(target, SqlSession::Ends, statements, LONG_MS)
}
