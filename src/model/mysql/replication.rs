//! Replication: what a server receives and applies, how far it is behind, and what it confirms to its clients.

use super::gtid::{Gtids, MariadbGtids, MysqlGtids};
use crate::model::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything about replication that one server says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Replication {
    /// What it replicates from; known and empty on a server that is nobody's replica.
    pub channels: Figure<Vec<Channel>>,
    /// Its transactions.
    pub gtid: Figure<GtidState>,
    /// What it waits for before a commit is confirmed.
    pub semi_sync: SemiSync,
    /// How it applies in parallel.
    pub workers: Workers,
    /// From the heartbeat table: when its newest row was written on the source, ago.
    pub heartbeat_age_ms: Figure<u64>,
}

/// One replication channel (MariaDB: one connection).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Channel {
    /// Its name; empty for the nameless one.
    pub name: Clean,
    /// Where the source is.
    pub source_host: Figure<Clean>,
    /// The source's port.
    pub source_port: Figure<u16>,
    /// `server_id` of the source.
    pub source_server_id: Figure<u32>,
    /// `server_uuid` of the source; MariaDB has none.
    pub source_uuid: Figure<Clean>,
    /// The thread that receives.
    pub receiver: Figure<ThreadState>,
    /// What it does, in the server's words.
    pub receiver_words: Figure<Clean>,
    /// Its last error.
    pub receiver_error: Option<ThreadError>,
    /// The thread that applies.
    pub applier: Figure<ThreadState>,
    /// What it does, in the server's words.
    pub applier_words: Figure<Clean>,
    /// Its last error.
    pub applier_error: Option<ThreadError>,
    /// How far it is behind.
    pub lags: Lags,
    /// Position in the source's binary log up to which it has received.
    pub received: Figure<Coordinates>,
    /// Position in the source's binary log up to which it has applied.
    pub applied: Figure<Coordinates>,
    /// Transactions received: MariaDB `Gtid_IO_Pos`, MySQL `Retrieved_Gtid_Set`.
    pub received_gtids: Figure<Gtids>,
    /// Whether the position is kept by GTID: "Slave_Pos", "Current_Pos", "No"; MySQL "Yes" or "No" of `Auto_Position`.
    pub by_gtid: Figure<Clean>,
    /// Delay that is wanted, seconds.
    pub delay_s: Figure<u64>,
    /// Bytes of relay log.
    pub relay_log_bytes: Figure<u64>,
}

/// A replication thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThreadState {
    /// `Yes`.
    Running,
    /// `Connecting` (MySQL, MariaDB) or `Preparing` (MariaDB): it runs and has no source.
    Connecting,
    /// `No`.
    Stopped,
    /// A word that vakt does not know.
    Other(Clean),
}

impl fmt::Display for ThreadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Connecting => "connecting",
            Self::Stopped => "stopped",
            Self::Other(word) => word.as_str(),
        })
    }
}

/// What stopped a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadError {
    /// The server's number.
    pub code: u64,
    /// The server's words, literals masked.
    pub message: Clean,
}

/// Three lags, milliseconds. Each is unknown when a thread that it needs does not run: it grows, and nobody knows by
/// how much.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Lags {
    /// From commit on the source to arrival here. MariaDB does not say: compare its positions with the source's.
    pub received_ms: Figure<u64>,
    /// Age of what is being applied; 0 when all that arrived is applied. Commit timestamps where the server has them,
    /// else its `Seconds_Behind`, in whole seconds.
    pub applied_ms: Figure<u64>,
    /// Age of the newest heartbeat that was applied; the only one that needs no thread's word.
    pub heartbeat_ms: Figure<u64>,
}

impl Replication {
    /// Its transactions in one word, as an operator compares them: MariaDB's current position, MySQL's executed set.
    pub fn position(&self) -> Option<String> {
        match self.gtid.as_ref().known()? {
            GtidState::Mariadb { current_pos, .. } => Some(current_pos.as_ref().known()?.to_string()),
            GtidState::Mysql { executed, .. } => Some(executed.as_ref().known()?.to_string()),
        }
    }
}

/// A position in a binary log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Log file on the source.
    pub file: Clean,
    /// Byte in it.
    pub position: u64,
}

/// The transactions of a server in its own dialect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GtidState {
    /// MariaDB.
    Mariadb {
        /// `gtid_binlog_state`: for each domain and server the last one in the binary log.
        binlog_state: Figure<MariadbGtids>,
        /// `gtid_slave_pos`: the last one applied.
        slave_pos: Figure<MariadbGtids>,
        /// `gtid_current_pos`: the last one applied or written here.
        current_pos: Figure<MariadbGtids>,
        /// `gtid_strict_mode`: an out-of-order transaction stops replication instead of going unnoticed.
        strict: Figure<bool>,
    },
    /// MySQL.
    Mysql {
        /// `gtid_executed`.
        executed: Figure<MysqlGtids>,
        /// `gtid_purged`: executed, no longer in any binary log here.
        purged: Figure<MysqlGtids>,
    },
}

/// Semi-synchronous replication: both sides are known by whether their variables exist.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SemiSync {
    /// As a source.
    pub source: Figure<SemiSyncSource>,
    /// As a replica.
    pub replica: Figure<SemiSyncReplica>,
}

/// The side that waits.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SemiSyncSource {
    /// Switched on.
    pub enabled: Figure<bool>,
    /// In force: a fallback to asynchronous makes it `false` while it is switched on.
    pub active: Figure<bool>,
    /// Replicas that acknowledge.
    pub acknowledging: Figure<u64>,
    /// How many it waits for; MariaDB always for one.
    pub wait_for: Figure<u64>,
    /// After how long it falls back to asynchronous.
    pub timeout_ms: Figure<u64>,
    /// Sessions that wait for an acknowledgement now.
    pub waiting_now: Figure<u64>,
    /// Commits with an acknowledgement since the start.
    pub commits_acknowledged: Figure<u64>,
    /// Commits without since the start: each is a commit that a failover may lose.
    pub commits_without: Figure<u64>,
    /// How often it was switched off by a timeout since the start.
    pub fallbacks: Figure<u64>,
}

/// The side that acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SemiSyncReplica {
    /// Switched on.
    pub enabled: Figure<bool>,
    /// In force on its connection.
    pub active: Figure<bool>,
}

/// Parallel applying.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Workers {
    /// `replica_parallel_workers`, `slave_parallel_threads`, `slave_parallel_workers`: 0 applies one by one.
    pub configured: Figure<u64>,
    /// `slave_parallel_mode` or `…_parallel_type`.
    pub mode: Figure<Clean>,
    /// The workers, where the performance schema lists them.
    pub list: Figure<Vec<Worker>>,
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Worker {
    /// Its channel.
    pub channel: Clean,
    /// Its number; MariaDB's is that of its thread.
    pub number: Figure<u64>,
    /// Whether it runs.
    pub running: Figure<bool>,
    /// Its last error.
    pub error: Option<ThreadError>,
    /// The last transaction that it applied or saw.
    pub transaction: Figure<Clean>,
}
