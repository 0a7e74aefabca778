//! Identity, connections, work and memory settings.

use super::{
    named::{self, Named},
    rows::{Answers, Table},
    statements::StatementId,
};
use crate::{
    model::{
        figure::Figure,
        mysql::{Identity, MemorySettings, ServerSample, StatementCounters, WorkCounters},
    },
    wire::complaints::Complaints,
};

/// Who answers. Whether it takes writes is read at every poll; the settings are the second best source.
pub(super) fn identity(
    answers: &Answers,
    variables: &Named<'_>,
    status: &Named<'_>,
    complaints: &mut Complaints,
) -> Identity {
    let role = answers.table(StatementId::Role);
    let mut live = |name: &str| {
        let bytes = role.as_ref().and_then(Table::first).and_then(|row| row.raw(&[name]));
        match bytes.and_then(|bytes| named::flag(bytes, name, complaints)) {
            Figure::Known(live) => Figure::Known(live),
            Figure::Unknown(_) => variables.flag(&[name], complaints),
        }
    };
    let (read_only, super_read_only) = (live("read_only"), live("super_read_only"));
    Identity {
        version: variables.text(&["version"]),
        comment: variables.text(&["version_comment"]),
        hostname: variables.text(&["hostname"]),
        port: variables.number(&["port"], complaints),
        server_id: variables.number(&["server_id"], complaints),
        server_uuid: variables.text(&["server_uuid"]),
        data_directory: variables.text(&["datadir"]),
        uptime_s: status.number(&["uptime"], complaints),
        read_only,
        super_read_only,
    }
}

pub(super) fn server(variables: &Named<'_>, status: &Named<'_>, complaints: &mut Complaints) -> ServerSample {
    ServerSample {
        threads_connected: status.number(&["threads_connected"], complaints),
        threads_running: status.number(&["threads_running"], complaints),
        connections_max: variables.number(&["max_connections"], complaints),
        connections_used_max: status.number(&["max_used_connections"], complaints),
        aborted_connects: status.number(&["aborted_connects"], complaints),
        aborted_clients: status.number(&["aborted_clients"], complaints),
        refused_at_limit: status.number(&["connection_errors_max_connections"], complaints),
        statements: statements(status, complaints),
        work: WorkCounters {
            created_tmp_tables: status.number(&["created_tmp_tables"], complaints),
            created_tmp_disk_tables: status.number(&["created_tmp_disk_tables"], complaints),
            sort_merge_passes: status.number(&["sort_merge_passes"], complaints),
            select_scan: status.number(&["select_scan"], complaints),
            handler_read_rnd_next: status.number(&["handler_read_rnd_next"], complaints),
        },
        memory: memory(variables, complaints),
        sync_binlog: variables.number(&["sync_binlog"], complaints),
    }
}

fn statements(status: &Named<'_>, complaints: &mut Complaints) -> StatementCounters {
    StatementCounters {
        questions: status.number(&["questions"], complaints),
        selects: status.number(&["com_select"], complaints),
        inserts: status.sum(&["com_insert", "com_insert_select", "com_replace", "com_replace_select"], complaints),
        updates: status.sum(&["com_update", "com_update_multi"], complaints),
        deletes: status.sum(&["com_delete", "com_delete_multi"], complaints),
        commits: status.number(&["com_commit"], complaints),
        rollbacks: status.number(&["com_rollback"], complaints),
        slow: status.number(&["slow_queries"], complaints),
    }
}

fn memory(variables: &Named<'_>, complaints: &mut Complaints) -> MemorySettings {
    let heap_bytes: Figure<u64> = variables.number(&["max_heap_table_size"], complaints);
    let tmp_bytes: Figure<u64> = variables.number(&["tmp_table_size"], complaints);
    MemorySettings {
        innodb_buffer_pool_bytes: variables.number(&["innodb_buffer_pool_size"], complaints),
        innodb_log_buffer_bytes: variables.number(&["innodb_log_buffer_size"], complaints),
        key_buffer_bytes: variables.number(&["key_buffer_size"], complaints),
        aria_pagecache_buffer_bytes: variables.number(&["aria_pagecache_buffer_size"], complaints),
        query_cache_bytes: variables.number(&["query_cache_size"], complaints),
        sort_buffer_bytes: variables.number(&["sort_buffer_size"], complaints),
        join_buffer_bytes: variables.number(&["join_buffer_size"], complaints),
        read_buffer_bytes: variables.number(&["read_buffer_size"], complaints),
        read_rnd_buffer_bytes: variables.number(&["read_rnd_buffer_size"], complaints),
        thread_stack_bytes: variables.number(&["thread_stack"], complaints),
        tmp_table_bytes: tmp_bytes.and_then(|tmp| heap_bytes.map(|heap| tmp.min(heap))),
    }
}
