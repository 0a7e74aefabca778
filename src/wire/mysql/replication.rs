//! Channels, lags, transactions, semi-synchronous replication and workers.

use super::{
    mask::{self, Literals},
    named::{self, Named},
    offered,
    rows::{Answers, Row, Table},
    statements::StatementId,
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        mysql::{
            Capabilities, Channel, Coordinates, Dialect, GtidState, Lags, Replication, SemiSync, SemiSyncReplica,
            SemiSyncSource, ThreadError, ThreadState, Worker, Workers,
            gtid::{GtidError, Gtids, TEXT_BYTES_MAX},
        },
        text::Clean,
    },
    wire::complaints::Complaints,
};
use std::str::FromStr;

/// Longest error message that is looked at, bytes.
const ERROR_BYTES_MAX: usize = 8 * 1024;

pub(super) fn replication(
    answers: &Answers,
    of: &Capabilities,
    variables: &Named<'_>,
    status: &Named<'_>,
    complaints: &mut Complaints,
) -> Replication {
    let workers = answers.table(StatementId::Workers);
    let applying = Applying { of, workers: workers.as_ref(), received: &answers.table(StatementId::Received) };
    let heartbeat = answers.table(StatementId::Heartbeat);
    let heartbeat_age_ms = heartbeat.as_ref().and_then(Table::first).and_then(|row| micros(row, "age_us", complaints));
    // Without a table in the configuration nobody asks.
    let heartbeat_age_ms = offered(answers.0.contains_key(&StatementId::Heartbeat), heartbeat_age_ms);
    let table = answers.table(StatementId::Replication);
    let channels = table.map(|table| {
        table.rows().map(|row| channel(row, of, &applying, heartbeat_age_ms, complaints)).collect::<Vec<_>>()
    });
    Replication {
        channels,
        gtid: gtid_state(answers, of, variables, complaints),
        semi_sync: semi_sync(of, variables, status, complaints),
        workers: Workers {
            configured: variables
                .number(&["replica_parallel_workers", "slave_parallel_threads", "slave_parallel_workers"], complaints),
            mode: variables.text(&["slave_parallel_mode", "replica_parallel_type", "slave_parallel_type"]),
            list: offered(
                of.applier_workers,
                workers.map(|table| table.rows().map(|row| worker(row, complaints)).collect()),
            ),
        },
        heartbeat_age_ms,
    }
}

/// The channels of a server, from an answer of `show all slaves status` or `show replica status`.
pub(super) fn channels_in_words_of(
    dialect: Dialect,
    answers: &Answers,
    id: StatementId,
    complaints: &mut Complaints,
) -> Figure<Vec<Channel>> {
    let of = Capabilities { dialect, ..Capabilities::default() };
    let received = Figure::Unknown(Unknown::NotOffered);
    let applying = Applying { of: &of, workers: Figure::Unknown(Unknown::NotOffered), received: &received };
    let heartbeat = Figure::Unknown(Unknown::NotOffered);
    let table = answers.table(id);
    table.map(|table| table.rows().map(|row| channel(row, &of, &applying, heartbeat, complaints)).collect())
}

/// A set of transactions in that column.
pub(super) fn parsed<T: FromStr<Err = GtidError>>(
    row: Figure<Row<'_>>,
    name: &str,
    complaints: &mut Complaints,
) -> Figure<T> {
    row.and_then(|row| row.lossy(&[name], TEXT_BYTES_MAX + 1)).and_then(|text| set(&text, name, complaints))
}

fn channel(
    row: Row<'_>,
    of: &Capabilities,
    applying: &Applying<'_>,
    heartbeat_age_ms: Figure<u64>,
    complaints: &mut Complaints,
) -> Channel {
    let name = row.text(&["channel_name", "connection_name"]).known().unwrap_or_default();
    let receiver = thread(row, &["replica_io_running", "slave_io_running"]);
    let applier = thread(row, &["replica_sql_running", "slave_sql_running"]);
    let lags = applying.lags(row, &name, &receiver, &applier, heartbeat_age_ms, complaints);
    let gtids = row.lossy(&["gtid_io_pos", "retrieved_gtid_set"], TEXT_BYTES_MAX + 1);
    let by_gtid = row.text(&["using_gtid"]);
    let auto_position = row.text(&["auto_position"]).map(|flag| if flag.as_str() == "0" { "No" } else { "Yes" }.into());
    Channel {
        source_host: row.text(&["source_host", "master_host"]),
        source_port: row.number(&["source_port", "master_port"], complaints),
        source_server_id: row.number(&["source_server_id", "master_server_id"], complaints),
        source_uuid: row.text(&["source_uuid", "master_uuid"]),
        receiver,
        receiver_words: row.text(&["replica_io_state", "slave_io_state"]),
        receiver_error: error(row, &["last_io_errno"], &["last_io_error"], complaints),
        applier,
        applier_words: row.text(&["slave_sql_state", "replica_sql_running_state", "slave_sql_running_state"]),
        applier_error: error(row, &["last_sql_errno"], &["last_sql_error"], complaints),
        lags,
        received: coordinates(
            row,
            &["source_log_file", "master_log_file"],
            &["read_source_log_pos", "read_master_log_pos"],
            complaints,
        ),
        applied: coordinates(
            row,
            &["relay_source_log_file", "relay_master_log_file"],
            &["exec_source_log_pos", "exec_master_log_pos"],
            complaints,
        ),
        received_gtids: gtids.and_then(|text| match of.dialect {
            Dialect::Mariadb => set(&text, "received transactions", complaints).map(Gtids::Mariadb),
            Dialect::Mysql => set(&text, "received transactions", complaints).map(Gtids::Mysql),
            Dialect::WithoutGtid => Figure::Unknown(Unknown::NotOffered),
        }),
        by_gtid: if by_gtid.why() == Some(Unknown::NotOffered) { auto_position } else { by_gtid },
        delay_s: row.number(&["sql_delay"], complaints),
        relay_log_bytes: row.number(&["relay_log_space"], complaints),
        name,
    }
}

fn thread(row: Row<'_>, names: &[&str]) -> Figure<ThreadState> {
    row.text(names).map(|word| match word.as_str() {
        "Yes" => ThreadState::Running,
        "No" => ThreadState::Stopped,
        "Connecting" | "Preparing" => ThreadState::Connecting,
        _ => ThreadState::Other(word),
    })
}

fn error(row: Row<'_>, code: &[&str], message: &[&str], complaints: &mut Complaints) -> Option<ThreadError> {
    let code = row.number::<u64>(code, complaints).known().unwrap_or(0);
    let message = row.lossy(message, ERROR_BYTES_MAX).known().unwrap_or_default();
    // Messages quote statements; they are masked whatever is asked for statements: nobody asks for an error by accident.
    let message = mask::error(&message, Literals::Masked);
    (code != 0 || !message.is_empty()).then_some(ThreadError { code, message })
}

fn coordinates(row: Row<'_>, file: &[&str], position: &[&str], complaints: &mut Complaints) -> Figure<Coordinates> {
    let position = row.number(position, complaints);
    row.text(file).and_then(|file| position.map(|position| Coordinates { file, position }))
}

/// What the performance schema says of the moments at which transactions were committed, arrived and are applied.
struct Applying<'a> {
    of: &'a Capabilities,
    workers: Figure<&'a Table<'a>>,
    received: &'a Figure<Table<'a>>,
}

impl Applying<'_> {
    fn lags(
        &self,
        row: Row<'_>,
        channel: &Clean,
        receiver: &Figure<ThreadState>,
        applier: &Figure<ThreadState>,
        heartbeat_ms: Figure<u64>,
        complaints: &mut Complaints,
    ) -> Lags {
        let (received_ms, last_queued) = self.received(channel, complaints);
        let seconds_behind = row
            .number::<u64>(&["seconds_behind_source", "seconds_behind_master"], complaints)
            .map(|seconds| seconds.saturating_mul(1000));
        let applied_ms = match self.applied(channel, last_queued, complaints) {
            Figure::Known(ms) => Figure::Known(ms),
            Figure::Unknown(_) => seconds_behind,
        };
        // A receiver that does not run knows nothing of what it misses: the figures it leaves behind are not lags.
        let runs = running(receiver);
        let both_run = runs.and_then(|()| running(applier));
        Lags {
            received_ms: runs.and_then(|()| received_ms),
            applied_ms: both_run.and_then(|()| applied_ms),
            heartbeat_ms,
        }
    }

    /// How long the last transaction took to arrive, and which it was.
    fn received(&self, channel: &Clean, complaints: &mut Complaints) -> (Figure<u64>, Option<Clean>) {
        let absent = if self.of.commit_timestamps { Unknown::NotReadYet } else { Unknown::NotOffered };
        let Figure::Known(table) = self.received else {
            return (
                Figure::Unknown(self.received.why().filter(|_| self.of.commit_timestamps).unwrap_or(absent)),
                None,
            );
        };
        let Some(row) = table.rows().find(|row| is_of(*row, channel)) else {
            return (Figure::Unknown(Unknown::Missing), None);
        };
        (micros(row, "received_lag_us", complaints), row.text(&["last_queued_transaction"]).known())
    }

    /// Age of the oldest transaction that a worker applies, 0 when the last one that arrived is applied.
    fn applied(&self, channel: &Clean, last_queued: Option<Clean>, complaints: &mut Complaints) -> Figure<u64> {
        let Figure::Known(table) = self.workers else { return Figure::Unknown(Unknown::NotOffered) };
        let ages = table.rows().filter(|row| is_of(*row, channel));
        let ages = ages.filter_map(|row| micros(row, "applying_age_us", complaints).known());
        if let Some(oldest) = ages.max() {
            return Figure::Known(oldest);
        }
        let applied = last_queued.is_some_and(|last| {
            table.rows().any(|row| row.text(&["last_applied_transaction"]).known().as_ref() == Some(&last))
        });
        if applied { Figure::Known(0) } else { Figure::Unknown(Unknown::Missing) }
    }
}

fn is_of(row: Row<'_>, channel: &Clean) -> bool {
    row.text(&["channel_name"]).known().unwrap_or_default() == *channel
}

fn running(thread: &Figure<ThreadState>) -> Figure<()> {
    match thread {
        Figure::Known(ThreadState::Running) => Figure::Known(()),
        Figure::Known(_) => Figure::Unknown(Unknown::NotRunning),
        Figure::Unknown(why) => Figure::Unknown(*why),
    }
}

/// Microseconds as milliseconds. Two clocks that differ may make them negative by a little: that is no lag.
fn micros(row: Row<'_>, name: &str, complaints: &mut Complaints) -> Figure<u64> {
    row.number::<i64>(&[name], complaints).map(|us| u64::try_from(us).unwrap_or(0) / 1000)
}

fn gtid_state(
    answers: &Answers,
    of: &Capabilities,
    variables: &Named<'_>,
    complaints: &mut Complaints,
) -> Figure<GtidState> {
    let table = answers.table(StatementId::Role);
    let row = table.as_ref().and_then(Table::first);
    let text = |name: &str| row.and_then(|row| row.lossy(&[name], TEXT_BYTES_MAX + 1));
    match of.dialect {
        Dialect::WithoutGtid => Figure::Unknown(Unknown::NotOffered),
        Dialect::Mariadb => {
            let mut read = |name: &str| text(name).and_then(|text| set(&text, name, complaints));
            let (binlog_state, slave_pos, current_pos) =
                (read("gtid_binlog_state"), read("gtid_slave_pos"), read("gtid_current_pos"));
            let strict = variables.flag(&["gtid_strict_mode"], complaints);
            Figure::Known(GtidState::Mariadb { binlog_state, slave_pos, current_pos, strict })
        }
        Dialect::Mysql => {
            let mut read = |name: &str| text(name).and_then(|text| set(&text, name, complaints));
            Figure::Known(GtidState::Mysql { executed: read("gtid_executed"), purged: read("gtid_purged") })
        }
    }
}

fn set<T: FromStr<Err = GtidError>>(text: &str, about: &str, complaints: &mut Complaints) -> Figure<T> {
    match text.parse() {
        Ok(set) => Figure::Known(set),
        Err(error) => {
            complaints.add(about, error.to_string());
            Figure::Unknown(Unknown::Malformed)
        }
    }
}

/// MySQL has called the sides source and replica since 8.0.26; both old and new names may be there, of two plugins.
fn semi_sync(of: &Capabilities, variables: &Named<'_>, status: &Named<'_>, complaints: &mut Complaints) -> SemiSync {
    let source =
        ["source", "master"].into_iter().find(|word| variables.has(&[&format!("rpl_semi_sync_{word}_enabled")]));
    let replica =
        ["replica", "slave"].into_iter().find(|word| variables.has(&[&format!("rpl_semi_sync_{word}_enabled")]));
    let absent = variables.absent();
    let source = source.map(|word| {
        let mut count = |name: &str| status.number::<u64>(&[&format!("rpl_semi_sync_{word}_{name}")], complaints);
        let (acknowledging, waiting_now) = (count("clients"), count("wait_sessions"));
        let (commits_acknowledged, commits_without, fallbacks) = (count("yes_tx"), count("no_tx"), count("no_times"));
        let wait_for = match of.dialect {
            Dialect::Mariadb => Figure::Known(1),
            _ => variables.number(
                &["rpl_semi_sync_source_wait_for_replica_count", "rpl_semi_sync_master_wait_for_slave_count"],
                complaints,
            ),
        };
        SemiSyncSource {
            enabled: variables.flag(&[&format!("rpl_semi_sync_{word}_enabled")], complaints),
            active: status.flag(&[&format!("rpl_semi_sync_{word}_status")], complaints),
            timeout_ms: variables.number(&[&format!("rpl_semi_sync_{word}_timeout")], complaints),
            acknowledging,
            wait_for,
            waiting_now,
            commits_acknowledged,
            commits_without,
            fallbacks,
        }
    });
    let replica = replica.map(|word| SemiSyncReplica {
        enabled: variables.flag(&[&format!("rpl_semi_sync_{word}_enabled")], complaints),
        active: status.flag(&[&format!("rpl_semi_sync_{word}_status")], complaints),
    });
    SemiSync { source: Figure::from_option(source, absent), replica: Figure::from_option(replica, absent) }
}

fn worker(row: Row<'_>, complaints: &mut Complaints) -> Worker {
    Worker {
        channel: row.text(&["channel_name"]).known().unwrap_or_default(),
        number: row.number(&["worker_id", "thread_id"], complaints),
        running: row.raw(&["service_state"]).and_then(|word| named::flag(word, "service_state", complaints)),
        error: error(row, &["last_error_number"], &["last_error_message"], complaints),
        transaction: row.text(&["last_applied_transaction", "last_seen_transaction"]),
    }
}
