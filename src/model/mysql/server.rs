//! The server apart from its storage engine: who it is, what it offers, its connections and its work.

use crate::model::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};

/// Which family's names and rules hold, by what the server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Replication by domain, server and sequence: the server has `gtid_slave_pos`.
    Mariadb,
    /// Replication by UUID and interval: the server has `gtid_executed`.
    Mysql,
    /// No global transaction identifiers (5.1, 5.5): coordinates only.
    #[default]
    WithoutGtid,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// `version`, to show; nothing is decided by it.
    pub version: Figure<Clean>,
    /// `version_comment`: the distributor's words.
    pub comment: Figure<Clean>,
    /// `hostname`.
    pub hostname: Figure<Clean>,
    /// `port`.
    pub port: Figure<u16>,
    /// `server_id`.
    pub server_id: Figure<u32>,
    /// `server_uuid`; MariaDB has none.
    pub server_uuid: Figure<Clean>,
    /// `datadir`: whose device the host's figures are compared with.
    pub data_directory: Figure<Clean>,
    /// Seconds since its start.
    pub uptime_s: Figure<u64>,
    /// `read_only`: writes of ordinary logins are refused.
    pub read_only: Figure<bool>,
    /// `super_read_only`: writes of administrators are refused too. MariaDB has none.
    pub super_read_only: Figure<bool>,
}

/// What a server offers, found by probing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent answer to one probe")]
pub struct Capabilities {
    /// Its family.
    pub dialect: Dialect,
    /// `show replica status` is understood (`replica_parallel_workers` came with that form).
    pub replica_words: bool,
    /// `super_read_only`, which goes with `read_only`: MySQL's servers have it since 5.7.
    pub super_read_only: bool,
    /// The performance schema is switched on: its tables exist in any case.
    pub performance_schema: bool,
    /// `performance_schema.threads`: the process list without the server's global lock.
    pub threads_view: bool,
    /// `information_schema.INNODB_METRICS`.
    pub innodb_metrics: bool,
    /// `information_schema.INNODB_TRX`.
    pub innodb_transactions: bool,
    /// `performance_schema.data_lock_waits` and `data_locks`.
    pub data_lock_waits: bool,
    /// `information_schema.INNODB_LOCK_WAITS` and `INNODB_LOCKS`.
    pub innodb_lock_waits: bool,
    /// `performance_schema.replication_applier_status_by_worker`.
    pub applier_workers: bool,
    /// That view and `replication_connection_status` say when a transaction was committed on its source.
    pub commit_timestamps: bool,
    /// `max_statement_time`: a statement may carry its own limit (`set statement … for`).
    pub statement_time_limit: bool,
    /// `max_execution_time`: a select may carry its own limit as a hint.
    pub execution_time_hint: bool,
}

/// Connections, work and settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServerSample {
    /// `Threads_connected`.
    pub threads_connected: Figure<u64>,
    /// `Threads_running`; the thread that asks is one of them.
    pub threads_running: Figure<u64>,
    /// `max_connections`.
    pub connections_max: Figure<u64>,
    /// `Max_used_connections`: the highest number of connections since the start.
    pub connections_used_max: Figure<u64>,
    /// `Aborted_connects`: attempts that failed.
    pub aborted_connects: Figure<u64>,
    /// `Aborted_clients`: connections that ended without a word.
    pub aborted_clients: Figure<u64>,
    /// `Connection_errors_max_connections`: refused because the limit was reached. 5.5 does not count them.
    pub refused_at_limit: Figure<u64>,
    /// Statements by kind.
    pub statements: StatementCounters,
    /// Temporary tables, sorts, scans.
    pub work: WorkCounters,
    /// Sizes that memory is reserved by.
    pub memory: MemorySettings,
    /// `sync_binlog`: commits between two flushes of the binary log; 1 loses none, 0 leaves it to the system.
    pub sync_binlog: Figure<u64>,
}

/// Statements since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct StatementCounters {
    /// `Questions`: statements that clients sent.
    pub questions: Figure<u64>,
    /// `Com_select`.
    pub selects: Figure<u64>,
    /// `Com_insert`, `Com_insert_select`, `Com_replace`, `Com_replace_select`.
    pub inserts: Figure<u64>,
    /// `Com_update`, `Com_update_multi`.
    pub updates: Figure<u64>,
    /// `Com_delete`, `Com_delete_multi`.
    pub deletes: Figure<u64>,
    /// `Com_commit`: explicit ones; a statement that commits itself is not counted.
    pub commits: Figure<u64>,
    /// `Com_rollback`.
    pub rollbacks: Figure<u64>,
    /// `Slow_queries`.
    pub slow: Figure<u64>,
}

/// Work that a better index or more memory would save, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the server's status variables")]
pub struct WorkCounters {
    pub created_tmp_tables: Figure<u64>,
    pub created_tmp_disk_tables: Figure<u64>,
    pub sort_merge_passes: Figure<u64>,
    pub select_scan: Figure<u64>,
    pub handler_read_rnd_next: Figure<u64>,
}

/// What the server may reserve, bytes. Global ones once, the others for each connection.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the server's variables, unit last")]
pub struct MemorySettings {
    pub innodb_buffer_pool_bytes: Figure<u64>,
    pub innodb_log_buffer_bytes: Figure<u64>,
    pub key_buffer_bytes: Figure<u64>,
    pub aria_pagecache_buffer_bytes: Figure<u64>,
    pub query_cache_bytes: Figure<u64>,
    pub sort_buffer_bytes: Figure<u64>,
    pub join_buffer_bytes: Figure<u64>,
    pub read_buffer_bytes: Figure<u64>,
    pub read_rnd_buffer_bytes: Figure<u64>,
    pub thread_stack_bytes: Figure<u64>,
    /// The smaller of `tmp_table_size` and `max_heap_table_size`: where a temporary table goes to disk.
    pub tmp_table_bytes: Figure<u64>,
}
