//! What two reads of a server say together; `history::mysql` makes them.

use super::{
    Channel, Coordinates, MysqlSample, Redo,
    gtid::{Gtids, Relation},
};
use crate::model::{
    figure::{Figure, Unknown},
    time::Now,
};
use serde::{Deserialize, Serialize};

/// The newer read and its rates.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MysqlFacts {
    /// The newer sample.
    pub sample: MysqlSample,
    /// How often the server started again since vakt watches.
    pub restarts_seen: u32,
    /// Rates over the window between the samples, and what one sample says by itself.
    pub rates: MysqlRates,
    /// How its transactions stand to those of its source, which was read after it.
    #[serde(default)]
    pub to_source: Figure<Relation>,
    /// While it lacks transactions: since when nothing has arrived. `None` while something arrives, nothing is missing,
    /// or the server does not say what has arrived.
    #[serde(default)]
    pub unheard: Option<Unheard>,
}

/// A replica to which nothing comes although its source writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unheard {
    /// When what had arrived was seen for the first time.
    pub since: Now,
    /// What had arrived then and still has: position in the source's log, transactions.
    pub arrived: (Option<Coordinates>, Option<Gtids>),
    /// Transactions that it lacked then.
    pub missing_first: u64,
    /// Transactions that it lacks now.
    pub missing: u64,
}

impl MysqlFacts {
    /// Whether ordinary logins may write.
    pub fn takes_writes(&self) -> Figure<bool> {
        let identity = &self.sample.identity;
        match (identity.read_only, identity.super_read_only) {
            (_, Figure::Known(true)) => Figure::Known(false),
            (read_only, _) => read_only.map(|read_only| !read_only),
        }
    }

    /// Its channels; none while they are not known.
    pub fn channels(&self) -> &[Channel] {
        match &self.sample.replication.channels {
            Figure::Known(channels) => channels,
            Figure::Unknown(_) => &[],
        }
    }
}

/// Rates and ratios.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MysqlRates {
    /// Statements.
    pub statements: StatementRates,
    /// Connections.
    pub connections: ConnectionRates,
    /// Temporary tables, sorts, scans.
    pub work: WorkRates,
    /// Buffer pool, input and output.
    pub engine: EngineRates,
    /// The redo log.
    pub redo: RedoRates,
    /// Row locks.
    pub locks: LockRates,
    /// What the server may take of the machine's memory.
    pub memory: Figure<MemoryBudget>,
    /// Commits without an acknowledgement per second, on a source with semi-synchronous replication.
    pub commits_unacknowledged_per_s: Figure<f64>,
}

/// Statements per second by kind.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names carry kind and unit")]
pub struct StatementRates {
    pub questions_per_s: Figure<f64>,
    pub selects_per_s: Figure<f64>,
    pub inserts_per_s: Figure<f64>,
    pub updates_per_s: Figure<f64>,
    pub deletes_per_s: Figure<f64>,
    pub commits_per_s: Figure<f64>,
    pub rollbacks_per_s: Figure<f64>,
    pub slow_per_s: Figure<f64>,
}

impl StatementRates {
    /// Statements that change rows.
    pub fn writes_per_s(&self) -> Figure<f64> {
        [self.updates_per_s, self.deletes_per_s]
            .into_iter()
            .fold(self.inserts_per_s, |sum, part| sum.and_then(|sum| part.map(|part| sum + part)))
    }
}

/// Connections.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ConnectionRates {
    /// In use, of those allowed.
    pub used_percent: Figure<f64>,
    /// Attempts that failed.
    pub aborted_connects_per_s: Figure<f64>,
    /// Refused because the limit was reached.
    pub refused_at_limit_per_s: Figure<f64>,
}

/// Work that an index or memory would save.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names carry kind and unit")]
pub struct WorkRates {
    pub tmp_disk_tables_per_s: Figure<f64>,
    /// Temporary tables that went to disk, of all that were made in the window.
    pub tmp_on_disk_percent: Figure<f64>,
    pub sort_merge_passes_per_s: Figure<f64>,
    pub full_scans_per_s: Figure<f64>,
    pub rows_scanned_per_s: Figure<f64>,
}

/// A hit ratio over two spans.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct HitRatio {
    /// Over the window; unknown when hardly anything was read in it.
    pub window_percent: Figure<f64>,
    /// Since the server's start.
    pub lifetime_percent: Figure<f64>,
}

/// Buffer pool, input and output.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct EngineRates {
    /// Logical reads that needed no disk.
    pub hit: HitRatio,
    /// Logical reads that did.
    pub disk_reads_per_s: Figure<f64>,
    /// Changed pages, of all.
    pub dirty_percent: Figure<f64>,
    /// Free pages, of all.
    pub free_percent: Figure<f64>,
    /// Waits for a free page: the flusher cannot keep up.
    pub free_waits_per_s: Figure<f64>,
    /// Reads of data files.
    pub reads_per_s: Figure<f64>,
    /// Writes of data files.
    pub writes_per_s: Figure<f64>,
    /// Bytes read from data files.
    pub read_bytes_per_s: Figure<f64>,
    /// Bytes written to data files.
    pub written_bytes_per_s: Figure<f64>,
    /// Flushes of all files, the log's among them.
    pub fsyncs_per_s: Figure<f64>,
    /// Flushes of the log, where they are counted apart.
    pub log_fsyncs_per_s: Figure<f64>,
    /// Doublewrite operations.
    pub doublewrites_per_s: Figure<f64>,
}

/// The redo log.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RedoRates {
    /// Checkpoint age of capacity.
    pub pressure_percent: Figure<f64>,
    /// Log written.
    pub written_bytes_per_s: Figure<f64>,
    /// Log written in an hour at this rate. A capacity below it is too small.
    pub written_bytes_per_h: Figure<f64>,
    /// Until writers are stopped for a flush if none was made from now on: the least that can be left.
    pub sync_flush_in_s: Figure<f64>,
    /// Log in the buffer that is not on disk yet, of the buffer.
    pub buffer_percent: Figure<f64>,
    /// Waits because the log buffer was full.
    pub buffer_waits_per_s: Figure<f64>,
}

/// Row locks.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LockRates {
    /// Mean number of sessions that waited for a row.
    pub load_sessions: Figure<f64>,
    /// That number of the running threads.
    pub load_percent: Figure<f64>,
    /// Mean wait.
    pub wait_ms: Figure<f64>,
    /// Waits.
    pub waits_per_s: Figure<f64>,
    /// Deadlocks.
    pub deadlocks_per_s: Figure<f64>,
}

/// What the server may take of memory. An upper bound: no server fills every buffer of every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MemoryBudget {
    /// Taken once.
    pub global_bytes: u64,
    /// For each connection: its buffers once, its stack, and one temporary table.
    pub session_bytes: u64,
    /// `max_connections`.
    pub connections_max: u64,
    /// Both together, at most.
    pub upper_bound_bytes: u64,
}

impl MemoryBudget {
    /// The upper bound in percent of the machine's memory.
    pub fn percent_of(&self, machine_bytes: u64) -> Figure<f64> {
        Figure::from_option(
            (machine_bytes > 0).then(|| self.upper_bound_bytes as f64 * 100.0 / machine_bytes as f64),
            Unknown::Missing,
        )
    }
}

impl Redo {
    /// Log in the buffer that is not on disk yet.
    pub fn unflushed_bytes(&self) -> Figure<u64> {
        self.current_lsn.and_then(|current| self.flushed_lsn.map(|flushed| current.saturating_sub(flushed)))
    }
}
