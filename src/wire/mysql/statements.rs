//! The statements as values. Each is a read, ends by itself, and is limited in rows.

use super::names;
use crate::model::mysql::{Capabilities, Dialect};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt::Write as _};

/// Rows that are looked at of one answer. `show global variables` has about 1,100 on MariaDB; the lists below are limited
/// to fewer by the statement itself.
pub const ROWS_MAX: usize = 4_000;
/// Longest run of a statement that carries its own limit, seconds.
const SERVER_LIMIT_S: u64 = 2;
/// Sessions that are listed.
const PROCESSES_MAX: usize = 500;
/// Transactions, lock waits and workers that are listed, each.
const LISTED_MAX: usize = 200;
/// Longest statement of another session that is fetched, characters.
const STATEMENT_CHARS_MAX: usize = 2_048;
/// Longest answer but for the engine's status text, bytes.
const TABLE_CAP_BYTES: usize = 2 * 1024 * 1024;
/// Longest status text: the server itself cuts it at 1 MiB.
const TEXT_CAP_BYTES: usize = 1024 * 1024 + 64 * 1024;
/// Longest sets of transactions.
const ROLE_CAP_BYTES: usize = 4 * 1024 * 1024;
/// Longest name of a schema or table, by the server's rule.
const NAME_CHARS_MAX: usize = 64;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementId {
    /// Settings.
    Variables,
    /// Columns of the views that may be asked.
    Views,
    /// Counters and gauges.
    Status,
    /// Whether it takes writes, and its transactions: in one row, so that they belong together.
    Role,
    /// What it replicates from.
    Replication,
    /// Who applies.
    Workers,
    /// What arrived last.
    Received,
    /// The heartbeat table.
    Heartbeat,
    /// The engine's status text.
    InnodbStatus,
    /// The engine's metrics.
    Metrics,
    /// Open transactions.
    Transactions,
    /// Who waits for whom.
    LockWaits,
    /// Sessions.
    Processes,
    /// Settings that a switchover rests on.
    SwitchoverSettings,
    /// Whether it takes writes, how far it is, and who holds vakt's lock: in one row.
    SwitchoverState,
    /// What it replicates from, for a switchover.
    SwitchoverChannels,
    /// What a switchover would hurt or wait for.
    SwitchoverWork,
    /// Logins with sessions, and which of them may write past `read_only`.
    SwitchoverAccounts,
    /// Accounts that may replicate.
    SwitchoverReplicators,
    /// Settings that may be tuned.
    TuningValues,
    /// What the server says about them.
    TuningDetails,
}

impl StatementId {
    /// Every statement there is.
    pub const ALL: [Self; 21] = [
        Self::Variables,
        Self::Views,
        Self::Status,
        Self::Role,
        Self::Replication,
        Self::Workers,
        Self::Received,
        Self::Heartbeat,
        Self::InnodbStatus,
        Self::Metrics,
        Self::Transactions,
        Self::LockWaits,
        Self::Processes,
        Self::SwitchoverSettings,
        Self::SwitchoverState,
        Self::SwitchoverChannels,
        Self::SwitchoverWork,
        Self::SwitchoverAccounts,
        Self::SwitchoverReplicators,
        Self::TuningValues,
        Self::TuningDetails,
    ];

    /// Its word in an answer's first line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Variables => "variables",
            Self::Views => "views",
            Self::Status => "status",
            Self::Role => "role",
            Self::Replication => "replication",
            Self::Workers => "workers",
            Self::Received => "received",
            Self::Heartbeat => "heartbeat",
            Self::InnodbStatus => "innodb_status",
            Self::Metrics => "metrics",
            Self::Transactions => "transactions",
            Self::LockWaits => "lock_waits",
            Self::Processes => "processes",
            Self::SwitchoverSettings => "switchover_settings",
            Self::SwitchoverState => "switchover_state",
            Self::SwitchoverChannels => "switchover_channels",
            Self::SwitchoverWork => "switchover_work",
            Self::SwitchoverAccounts => "switchover_accounts",
            Self::SwitchoverReplicators => "switchover_replicators",
            Self::TuningValues => "tuning_values",
            Self::TuningDetails => "tuning_details",
        }
    }

    /// What it is called in a complaint.
    pub fn words(self) -> &'static str {
        match self {
            Self::Variables => "variables",
            Self::Views => "views",
            Self::Status => "status",
            Self::Role => "role",
            Self::Replication => "replication status",
            Self::Workers => "replication workers",
            Self::Received => "received transactions",
            Self::Heartbeat => "heartbeat table",
            Self::InnodbStatus => "InnoDB status",
            Self::Metrics => "InnoDB metrics",
            Self::Transactions => "transactions",
            Self::LockWaits => "lock waits",
            Self::Processes => "process list",
            Self::SwitchoverSettings => "settings for a switchover",
            Self::SwitchoverState => "state for a switchover",
            Self::SwitchoverChannels => "replication status for a switchover",
            Self::SwitchoverWork => "work in the way of a switchover",
            Self::SwitchoverAccounts => "logins with sessions",
            Self::SwitchoverReplicators => "accounts that replicate",
            Self::TuningValues => "settings",
            Self::TuningDetails => "what the server says about settings",
        }
    }
}

/// One statement for one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Which.
    pub id: StatementId,
    /// Its text, without a semicolon.
    pub sql: Cow<'static, str>,
    /// Longest answer that is accepted, bytes.
    pub cap_bytes: usize,
}

/// A table that a heartbeat program (`pt-heartbeat`) writes on the primary and replication carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatTable {
    schema: String,
    table: String,
    utc: bool,
}

impl HeartbeatTable {
    /// `None` unless both names are plain identifiers. `utc` says that the program writes UTC (`--utc`).
    pub fn new(schema: &str, table: &str, utc: bool) -> Option<Self> {
        let plain = |name: &str| {
            (1..=NAME_CHARS_MAX).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$')
        };
        (plain(schema) && plain(table)).then(|| Self { schema: schema.into(), table: table.into(), utc })
    }
}

/// What is asked first on a connection, and again now and then: settings may be changed.
pub fn probe() -> [Statement; 2] {
    let variables = format!("show global variables where variable_name in ({})", names::quoted(names::VARIABLES));
    let views = "select table_schema, table_name, column_name from information_schema.columns \
        where (table_schema = 'information_schema' \
        and table_name in ('INNODB_METRICS', 'INNODB_TRX', 'INNODB_LOCK_WAITS', 'INNODB_LOCKS')) \
        or (table_schema = 'performance_schema' and table_name in ('threads', 'data_lock_waits', 'data_locks', \
        'replication_applier_status_by_worker', 'replication_connection_status')) limit 1000";
    [
        Statement { id: StatementId::Variables, sql: variables.into(), cap_bytes: TABLE_CAP_BYTES },
        Statement { id: StatementId::Views, sql: views.into(), cap_bytes: TABLE_CAP_BYTES },
    ]
}

/// The engine's status text alone, for reading.
pub(super) fn status_text() -> Statement {
    Statement { id: StatementId::InnodbStatus, sql: STATUS_TEXT.into(), cap_bytes: TEXT_CAP_BYTES }
}

/// What is asked at every poll, in an order in which a replica that is read before its primary shows no false errants.
pub fn poll(of: &Capabilities, heartbeat: Option<&HeartbeatTable>) -> Vec<Statement> {
    let asked = [
        (StatementId::Role, Some(role(of))),
        (StatementId::Status, Some(status())),
        (StatementId::Replication, Some(replication(of).into())),
        (StatementId::Workers, workers(of)),
        (StatementId::Received, of.commit_timestamps.then(|| limited(of, RECEIVED))),
        (StatementId::Heartbeat, heartbeat.map(|table| limited(of, &heartbeat_age(table)))),
        (StatementId::InnodbStatus, Some(STATUS_TEXT.into())),
        (StatementId::Metrics, of.innodb_metrics.then(|| limited(of, METRICS))),
        (StatementId::Transactions, of.innodb_transactions.then(|| limited(of, &transactions()))),
        (StatementId::LockWaits, lock_waits(of)),
        (StatementId::Processes, Some(limited(of, &processes(of)))),
    ];
    let statement = |(id, sql): (StatementId, Option<String>)| {
        let cap_bytes = match id {
            StatementId::InnodbStatus => TEXT_CAP_BYTES,
            StatementId::Role => ROLE_CAP_BYTES,
            _ => TABLE_CAP_BYTES,
        };
        sql.map(|sql| Statement { id, sql: sql.into(), cap_bytes })
    };
    asked.into_iter().filter_map(statement).collect()
}

/// It walks lists under the engine's own locks: it is asked rarely.
const STATUS_TEXT: &str = "show engine innodb status";

fn status() -> String {
    format!("show global status where variable_name in ({})", names::quoted(names::STATUS))
}

/// The metrics that status variables do not have everywhere; all columns, because "enabled" is `STATUS` on some and
/// `ENABLED` on others.
const METRICS: &str = "select * from information_schema.INNODB_METRICS \
    where name in ('trx_rseg_history_len', 'lock_deadlocks', 'log_lsn_checkpoint_age') limit 10";

/// The server takes the difference: its clock and its time zone wrote the moments. How late the last transaction came
/// says nothing once nothing has come for a while: on a quiet cluster that would be a lag for ever.
const RECEIVED: &str = "select channel_name, last_queued_transaction, \
    if(timestampdiff(second, last_queued_transaction_end_queue_timestamp, now(6)) > 10, 0, \
    timestampdiff(microsecond, last_queued_transaction_original_commit_timestamp, \
    last_queued_transaction_end_queue_timestamp)) as received_lag_us \
    from performance_schema.replication_connection_status limit 200";

/// `show variables` cuts a value at 1,024 characters, which a set of transactions outgrows; a select does not.
fn role(of: &Capabilities) -> String {
    let sets: &[&str] = match of.dialect {
        Dialect::Mariadb => &["gtid_binlog_state", "gtid_slave_pos", "gtid_current_pos"],
        Dialect::Mysql => &["gtid_executed", "gtid_purged"],
        Dialect::WithoutGtid => &[],
    };
    let mut sql = "select @@global.read_only as read_only".to_owned();
    let guard = of.super_read_only.then_some("super_read_only");
    for name in guard.iter().chain(sets) {
        // Writing into a String cannot fail.
        let _ = write!(sql, ", @@global.{name} as {name}");
    }
    sql
}

/// MariaDB got several sources and its GTID together; a plain `show slave status` tells of one source only.
fn replication(of: &Capabilities) -> &'static str {
    match (of.dialect, of.replica_words) {
        (Dialect::Mariadb, _) => "show all slaves status",
        (_, true) => "show replica status",
        _ => "show slave status",
    }
}

fn workers(of: &Capabilities) -> Option<String> {
    let age = if of.commit_timestamps {
        ", timestampdiff(microsecond, w.applying_transaction_original_commit_timestamp, now(6)) as applying_age_us"
    } else {
        ""
    };
    let sql =
        format!("select w.*{age} from performance_schema.replication_applier_status_by_worker w limit {LISTED_MAX}");
    of.applier_workers.then(|| limited(of, &sql))
}

fn heartbeat_age(of: &HeartbeatTable) -> String {
    let now = if of.utc { "utc_timestamp(6)" } else { "now(6)" };
    format!("select timestampdiff(microsecond, max(ts), {now}) as age_us from `{}`.`{}`", of.schema, of.table)
}

fn transactions() -> String {
    format!(
        "select trx_id, trx_state, timestampdiff(second, trx_started, now()) as age_s, trx_mysql_thread_id, \
         trx_rows_locked, trx_rows_modified, left(trx_query, {STATEMENT_CHARS_MAX}) as trx_query \
         from information_schema.INNODB_TRX order by trx_started limit {LISTED_MAX}"
    )
}

/// Both forms give the same columns.
fn lock_waits(of: &Capabilities) -> Option<String> {
    let who = format!(
        "select r.trx_mysql_thread_id as waiting_id, b.trx_mysql_thread_id as blocking_id, \
         timestampdiff(second, r.trx_wait_started, now()) as age_s, \
         left(r.trx_query, {STATEMENT_CHARS_MAX}) as waiting_query, \
         left(b.trx_query, {STATEMENT_CHARS_MAX}) as blocking_query"
    );
    let sql = if of.data_lock_waits {
        format!(
            "{who}, concat(l.object_schema, '.', l.object_name) as lock_table, l.index_name as lock_index, l.lock_mode \
             from performance_schema.data_lock_waits w \
             join performance_schema.data_locks l on l.engine_lock_id = w.requesting_engine_lock_id \
             join information_schema.INNODB_TRX r on r.trx_id = w.requesting_engine_transaction_id \
             join information_schema.INNODB_TRX b on b.trx_id = w.blocking_engine_transaction_id limit {LISTED_MAX}"
        )
    } else if of.innodb_lock_waits {
        format!(
            "{who}, l.lock_table, l.lock_index, l.lock_mode from information_schema.INNODB_LOCK_WAITS w \
             join information_schema.INNODB_LOCKS l on l.lock_id = w.requested_lock_id \
             join information_schema.INNODB_TRX r on r.trx_id = w.requesting_trx_id \
             join information_schema.INNODB_TRX b on b.trx_id = w.blocking_trx_id limit {LISTED_MAX}"
        )
    } else {
        return None;
    };
    Some(limited(of, &sql))
}

/// The performance schema's view takes no lock that a busy server waits for. Idle sessions come last: the list is cut.
fn processes(of: &Capabilities) -> String {
    if of.threads_view {
        format!(
            "select processlist_id as id, processlist_user as user, processlist_host as host, processlist_db as db, \
             processlist_command as command, processlist_time as time, processlist_state as state, \
             left(processlist_info, {STATEMENT_CHARS_MAX}) as info from performance_schema.threads \
             where processlist_id is not null \
             order by processlist_command = 'Sleep', processlist_time desc limit {PROCESSES_MAX}"
        )
    } else {
        format!(
            "select id, user, host, db, command, time, state, left(info, {STATEMENT_CHARS_MAX}) as info \
             from information_schema.PROCESSLIST order by command = 'Sleep', time desc limit {PROCESSES_MAX}"
        )
    }
}

/// One session, in the words of the list of all; none when it has ended.
pub(super) fn session(id: u64) -> Statement {
    let sql = format!(
        "select id, user, host, db, command, time, state, left(info, {STATEMENT_CHARS_MAX}) as info \
         from information_schema.PROCESSLIST where id = {id}"
    );
    Statement { id: StatementId::Processes, sql: sql.into(), cap_bytes: TABLE_CAP_BYTES }
}

/// The select with its own limit of time, where the server knows one.
fn limited(of: &Capabilities, select: &str) -> String {
    if of.statement_time_limit {
        format!("set statement max_statement_time={SERVER_LIMIT_S} for {select}")
    } else if let (true, Some(rest)) = (of.execution_time_hint, select.strip_prefix("select ")) {
        format!("select /*+ max_execution_time({}) */ {rest}", SERVER_LIMIT_S * 1000)
    } else {
        select.to_owned()
    }
}
