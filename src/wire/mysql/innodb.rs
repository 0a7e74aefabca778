//! The storage engine, from status, settings, metrics and its status text, whichever this server has.

use super::{
    named::{self, Named},
    rows::Answers,
    statements::StatementId,
    status_text::StatusText,
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        mysql::{BufferPool, CheckpointSource, InnodbIo, InnodbSample, InnodbSettings, Redo, RowLocks},
    },
    wire::complaints::Complaints,
};
use std::collections::HashMap;

pub(super) fn innodb(
    answers: &Answers,
    variables: &Named<'_>,
    status: &Named<'_>,
    text: &StatusText,
    complaints: &mut Complaints,
) -> InnodbSample {
    let metrics = metrics(answers, complaints);
    let metric = |name: &str| Figure::from_option(metrics.get(name).copied(), Unknown::NotOffered);
    let mut count = |name: &str| status.number::<u64>(&[name], complaints);
    let row_locks = RowLocks {
        waited_ms: count("innodb_row_lock_time"),
        waits: count("innodb_row_lock_waits"),
        waiting_now: count("innodb_row_lock_current_waits"),
        deadlocks: first([count("innodb_deadlocks"), metric("lock_deadlocks")]),
    };
    let buffer_pool = BufferPool {
        page_bytes: count("innodb_page_size"),
        pages_total: count("innodb_buffer_pool_pages_total"),
        pages_free: count("innodb_buffer_pool_pages_free"),
        pages_dirty: count("innodb_buffer_pool_pages_dirty"),
        read_requests: count("innodb_buffer_pool_read_requests"),
        disk_reads: count("innodb_buffer_pool_reads"),
        free_waits: count("innodb_buffer_pool_wait_free"),
    };
    let io = InnodbIo {
        pending_reads: count("innodb_data_pending_reads"),
        pending_writes: count("innodb_data_pending_writes"),
        pending_fsyncs: count("innodb_data_pending_fsyncs"),
        pending_log_writes: count("innodb_os_log_pending_writes"),
        pending_log_fsyncs: count("innodb_os_log_pending_fsyncs"),
        reads: count("innodb_data_reads"),
        writes: count("innodb_data_writes"),
        read_bytes: count("innodb_data_read"),
        written_bytes: count("innodb_data_written"),
        fsyncs: count("innodb_data_fsyncs"),
        log_fsyncs: count("innodb_os_log_fsyncs"),
        doublewrite_writes: count("innodb_dblwr_writes"),
        doublewrite_pages: count("innodb_dblwr_pages_written"),
    };
    let history_list_length =
        first([count("innodb_history_list_length"), metric("trx_rseg_history_len"), text.history_list_length]);
    InnodbSample {
        buffer_pool,
        redo: redo(variables, status, metric("log_lsn_checkpoint_age"), text, complaints),
        row_locks,
        io,
        settings: settings(variables, complaints),
        history_list_length,
    }
}

fn settings(variables: &Named<'_>, complaints: &mut Complaints) -> InnodbSettings {
    InnodbSettings {
        dirty_percent_max: variables.fraction("innodb_max_dirty_pages_pct", complaints),
        dirty_percent_low: variables.fraction("innodb_max_dirty_pages_pct_lwm", complaints),
        flush_log_at_commit: variables.number(&["innodb_flush_log_at_trx_commit"], complaints),
        io_capacity: variables.number(&["innodb_io_capacity"], complaints),
        io_capacity_max: variables.number(&["innodb_io_capacity_max"], complaints),
        flush_method: variables.text(&["innodb_flush_method"]),
    }
}

/// The first that is known. When none is, the most telling reason: that something was odd or forbidden says more than
/// that it is not there.
fn first<const N: usize>(figures: [Figure<u64>; N]) -> Figure<u64> {
    if let Some(known) = figures.iter().find(|figure| figure.why().is_none()) {
        return *known;
    }
    let telling = figures.iter().find(|figure| figure.why() != Some(Unknown::NotOffered));
    telling.or(figures.first()).copied().unwrap_or_default()
}

fn redo(
    variables: &Named<'_>,
    status: &Named<'_>,
    metric_age: Figure<u64>,
    text: &StatusText,
    complaints: &mut Complaints,
) -> Redo {
    let mut count = |name: &str| status.number::<u64>(&[name], complaints);
    let between = |current: Figure<u64>, checkpoint: Figure<u64>| {
        current.and_then(|current| {
            checkpoint.and_then(|checkpoint| Figure::from_option(current.checked_sub(checkpoint), Unknown::Malformed))
        })
    };
    let (redo_current, lsn_current) = (count("innodb_redo_log_current_lsn"), count("innodb_lsn_current"));
    let ages = [
        (CheckpointSource::RedoLogStatus, between(redo_current, count("innodb_redo_log_checkpoint_lsn"))),
        (CheckpointSource::CheckpointAge, count("innodb_checkpoint_age")),
        (CheckpointSource::LsnStatus, between(lsn_current, count("innodb_lsn_last_checkpoint"))),
        (CheckpointSource::Metrics, metric_age),
        (CheckpointSource::StatusText, between(text.current_lsn, text.checkpoint_lsn)),
    ];
    let found = ages.iter().find(|(_, age)| age.why().is_none());
    let checkpoint_age_bytes = found.map_or_else(|| first(ages.map(|(_, age)| age)), |(_, age)| *age);
    let flushed = [count("innodb_redo_log_flushed_to_disk_lsn"), count("innodb_lsn_flushed"), text.flushed_lsn];
    let resized = count("innodb_redo_log_capacity_resized");
    Redo {
        current_lsn: first([redo_current, lsn_current, text.current_lsn]),
        flushed_lsn: first(flushed),
        checkpoint_age_bytes,
        checkpoint_source: match found {
            Some((source, _)) => Figure::Known(*source),
            None => Figure::Unknown(checkpoint_age_bytes.why().unwrap_or(Unknown::NotOffered)),
        },
        checkpoint_age_max_bytes: count("innodb_checkpoint_max_age"),
        buffer_waits: count("innodb_log_waits"),
        capacity_bytes: first([
            resized,
            variables.number(&["innodb_redo_log_capacity"], complaints),
            log_files_bytes(variables, complaints),
        ]),
    }
}

/// Size of a log file times their number; MariaDB since 10.5 has one file and no such setting.
fn log_files_bytes(variables: &Named<'_>, complaints: &mut Complaints) -> Figure<u64> {
    let files = match variables.number::<u64>(&["innodb_log_files_in_group"], complaints) {
        Figure::Unknown(Unknown::NotOffered) => Figure::Known(1),
        files => files,
    };
    let bytes = variables.number::<u64>(&["innodb_log_file_size"], complaints);
    bytes.and_then(|bytes| files.and_then(|files| Figure::from_option(bytes.checked_mul(files), Unknown::Malformed)))
}

/// Counts of the metrics that are switched on; one that is off stands at zero, which is no figure.
fn metrics(answers: &Answers, complaints: &mut Complaints) -> HashMap<String, u64> {
    let Some(table) = answers.table(StatementId::Metrics).known() else { return HashMap::new() };
    let counts = table.rows().filter_map(|row| {
        let name = row.text(&["name"]).known()?;
        let enabled = row.raw(&["enabled", "status"]).known()?;
        let enabled = named::flag(enabled, "InnoDB metrics: status", complaints).known()?;
        // Gauges may be negative for a moment; such a one is not known.
        let count = row.number::<i64>(&["count"], complaints).known()?;
        enabled.then_some(u64::try_from(count).ok().map(|count| (name.as_str().to_ascii_lowercase(), count))).flatten()
    });
    counts.collect()
}
