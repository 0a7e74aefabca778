//! The storage engine: buffer pool, redo log, row locks, input and output.

use crate::model::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};

/// Counters, gauges and settings of InnoDB.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InnodbSample {
    /// Cached pages.
    pub buffer_pool: BufferPool,
    /// The redo log.
    pub redo: Redo,
    /// Row locks.
    pub row_locks: RowLocks,
    /// Reads, writes and flushes.
    pub io: InnodbIo,
    /// Settings that explain the figures.
    pub settings: InnodbSettings,
    /// Undo records that are not purged yet, in transactions.
    pub history_list_length: Figure<u64>,
}

/// The buffer pool. Pages are gauges, the rest counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BufferPool {
    /// `Innodb_page_size`.
    pub page_bytes: Figure<u64>,
    /// `Innodb_buffer_pool_pages_total`.
    pub pages_total: Figure<u64>,
    /// `Innodb_buffer_pool_pages_free`.
    pub pages_free: Figure<u64>,
    /// `Innodb_buffer_pool_pages_dirty`: changed, not yet written to their place.
    pub pages_dirty: Figure<u64>,
    /// `Innodb_buffer_pool_read_requests`: logical reads.
    pub read_requests: Figure<u64>,
    /// `Innodb_buffer_pool_reads`: logical reads that had to go to disk.
    pub disk_reads: Figure<u64>,
    /// `Innodb_buffer_pool_wait_free`: waits for a page to be flushed before one was free.
    pub free_waits: Figure<u64>,
}

/// Where the checkpoint age comes from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointSource {
    /// `Innodb_redo_log_current_lsn` and `Innodb_redo_log_checkpoint_lsn` (MySQL 8.0.30 and later).
    RedoLogStatus,
    /// `Innodb_checkpoint_age` (Percona, MariaDB).
    CheckpointAge,
    /// `Innodb_lsn_current` and `Innodb_lsn_last_checkpoint` (Percona, MariaDB).
    LsnStatus,
    /// `log_lsn_checkpoint_age` of `INNODB_METRICS`, which is off by default.
    Metrics,
    /// The LOG section of the engine's status text.
    StatusText,
}

/// The redo log. A log sequence number (LSN) is a position in bytes since the data directory was made.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Redo {
    /// Where writers are.
    pub current_lsn: Figure<u64>,
    /// Up to where the log is on disk.
    pub flushed_lsn: Figure<u64>,
    /// Log between the last checkpoint and the writers.
    pub checkpoint_age_bytes: Figure<u64>,
    /// Where the age was found.
    pub checkpoint_source: Figure<CheckpointSource>,
    /// Room that the log has for the age.
    pub capacity_bytes: Figure<u64>,
    /// The age at which the engine stops writers by its own word (`Innodb_checkpoint_max_age`).
    pub checkpoint_age_max_bytes: Figure<u64>,
    /// `Innodb_log_waits`: the log buffer was full.
    pub buffer_waits: Figure<u64>,
}

/// Row locks.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RowLocks {
    /// `Innodb_row_lock_time`: waited since the start, all sessions together.
    pub waited_ms: Figure<u64>,
    /// `Innodb_row_lock_waits`: waits since the start.
    pub waits: Figure<u64>,
    /// `Innodb_row_lock_current_waits`: sessions that wait now.
    pub waiting_now: Figure<u64>,
    /// Deadlocks since the start.
    pub deadlocks: Figure<u64>,
}

/// Input and output. Pending ones are gauges, the rest counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the server's status variables, unit last")]
pub struct InnodbIo {
    pub pending_reads: Figure<u64>,
    pub pending_writes: Figure<u64>,
    pub pending_fsyncs: Figure<u64>,
    pub pending_log_writes: Figure<u64>,
    pub pending_log_fsyncs: Figure<u64>,
    pub reads: Figure<u64>,
    pub writes: Figure<u64>,
    pub read_bytes: Figure<u64>,
    pub written_bytes: Figure<u64>,
    /// All files of the engine; where the log is counted apart as well, this count contains it.
    pub fsyncs: Figure<u64>,
    pub log_fsyncs: Figure<u64>,
    pub doublewrite_writes: Figure<u64>,
    pub doublewrite_pages: Figure<u64>,
}

/// Settings that explain the figures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InnodbSettings {
    /// `innodb_max_dirty_pages_pct`: above it the engine flushes as hard as it can.
    pub dirty_percent_max: Figure<f64>,
    /// `innodb_max_dirty_pages_pct_lwm`: above it the engine starts to flush ahead; 0 is "by its own judgement".
    pub dirty_percent_low: Figure<f64>,
    /// `innodb_flush_log_at_trx_commit`: only 1 keeps every commit through a crash of the machine.
    pub flush_log_at_commit: Figure<u64>,
    /// `innodb_io_capacity`: background writes per second that the engine allows itself.
    pub io_capacity: Figure<u64>,
    /// `innodb_io_capacity_max`.
    pub io_capacity_max: Figure<u64>,
    /// `innodb_flush_method`.
    pub flush_method: Figure<Clean>,
}
