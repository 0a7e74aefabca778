//! What a server offers, by which variables and columns it has.

use super::{named::Named, rows::Answers, statements::StatementId};
use crate::{
    model::mysql::{Capabilities, Dialect},
    wire::complaints::Complaints,
};
use std::collections::HashSet;

/// From the answers to [`super::probe`]. What was not answered is not offered.
pub fn capabilities(answers: &Answers) -> Capabilities {
    // What is odd in these answers is complained about where they become facts.
    let mut unheard = Complaints::default();
    let variables = Named::read(answers, StatementId::Variables, &mut unheard);
    let columns = columns(answers);
    let has = |column: &str| columns.contains(column);
    let performance_schema = variables.flag(&["performance_schema"], &mut unheard).known().unwrap_or(false);
    Capabilities {
        dialect: if variables.has(&["gtid_slave_pos"]) {
            Dialect::Mariadb
        } else if variables.has(&["gtid_executed"]) {
            Dialect::Mysql
        } else {
            Dialect::WithoutGtid
        },
        replica_words: variables.has(&["replica_parallel_workers"]),
        super_read_only: variables.has(&["super_read_only"]),
        performance_schema,
        threads_view: performance_schema && has("performance_schema.threads.processlist_id"),
        innodb_metrics: has("information_schema.innodb_metrics.count"),
        innodb_transactions: has("information_schema.innodb_trx.trx_rows_modified"),
        data_lock_waits: performance_schema
            && has("performance_schema.data_lock_waits.blocking_engine_transaction_id")
            && has("performance_schema.data_locks.engine_lock_id"),
        innodb_lock_waits: has("information_schema.innodb_lock_waits.requested_lock_id")
            && has("information_schema.innodb_locks.lock_id"),
        applier_workers: performance_schema
            && has("performance_schema.replication_applier_status_by_worker.service_state"),
        commit_timestamps: performance_schema
            && has(
                "performance_schema.replication_applier_status_by_worker.applying_transaction_original_commit_timestamp",
            )
            && has(
                "performance_schema.replication_connection_status.last_queued_transaction_original_commit_timestamp",
            ),
        statement_time_limit: variables.has(&["max_statement_time"]) && !variables.has(&["gtid_executed"]),
        execution_time_hint: variables.has(&["max_execution_time"]),
    }
}

/// `schema.table.column`, all in lower case.
fn columns(answers: &Answers) -> HashSet<String> {
    let Some(table) = answers.table(StatementId::Views).known() else { return HashSet::new() };
    let name = |of: &[u8]| String::from_utf8_lossy(of).to_ascii_lowercase();
    let columns = table.rows().filter_map(|row| {
        let schema = row.raw(&["table_schema"]).known()?;
        let table = row.raw(&["table_name"]).known()?;
        let column = row.raw(&["column_name"]).known()?;
        Some(format!("{}.{}.{}", name(schema), name(table), name(column)))
    });
    columns.collect()
}
