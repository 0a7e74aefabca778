//! Sessions, transactions and lock waits.

use super::{
    mask::{self, Literals},
    rows::{Answers, Row},
    statements::StatementId,
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        mysql::{LockWait, Process, Transaction},
        text::Clean,
    },
    wire::complaints::Complaints,
};

/// Longest statement that is looked at, bytes: what is fetched is shorter, in characters of at most four.
const STATEMENT_BYTES_MAX: usize = 8 * 1024;

pub(super) fn processes(answers: &Answers, literals: Literals, complaints: &mut Complaints) -> Figure<Vec<Process>> {
    answers.table(StatementId::Processes).map(|table| {
        let one = |row: Row<'_>| {
            Some(Process {
                // A row without its number is nobody's.
                id: row.number(&["id"], complaints).known()?,
                user: row.text(&["user"]),
                host: row.text(&["host"]),
                schema: row.text(&["db"]),
                command: row.text(&["command"]),
                seconds: seconds(row, "time", complaints),
                state: row.text(&["state"]),
                statement: statement(row, "info", literals),
            })
        };
        table.rows().filter_map(one).collect()
    })
}

pub(super) fn transactions(
    answers: &Answers,
    literals: Literals,
    complaints: &mut Complaints,
) -> Figure<Vec<Transaction>> {
    answers.table(StatementId::Transactions).map(|table| {
        let one = |row: Row<'_>| {
            Some(Transaction {
                id: row.text(&["trx_id"]).known()?,
                state: row.text(&["trx_state"]),
                age_s: seconds(row, "age_s", complaints),
                process: row.number(&["trx_mysql_thread_id"], complaints),
                rows_locked: row.number(&["trx_rows_locked"], complaints),
                rows_modified: row.number(&["trx_rows_modified"], complaints),
                statement: statement(row, "trx_query", literals),
            })
        };
        table.rows().filter_map(one).collect()
    })
}

pub(super) fn lock_waits(answers: &Answers, literals: Literals, complaints: &mut Complaints) -> Figure<Vec<LockWait>> {
    answers.table(StatementId::LockWaits).map(|table| {
        let one = |row: Row<'_>| LockWait {
            waiting: row.number(&["waiting_id"], complaints),
            blocking: row.number(&["blocking_id"], complaints),
            age_s: seconds(row, "age_s", complaints),
            table: row.text(&["lock_table"]),
            index: row.text(&["lock_index"]),
            mode: row.text(&["lock_mode"]),
            waiting_statement: statement(row, "waiting_query", literals),
            blocking_statement: statement(row, "blocking_query", literals),
        };
        // One wait per pair: a session that holds several locks on what another wants is one blocker.
        let mut waits: Vec<LockWait> = Vec::new();
        for wait in table.rows().map(one) {
            if !waits.iter().any(|other| (other.waiting, other.blocking) == (wait.waiting, wait.blocking)) {
                waits.push(wait);
            }
        }
        waits
    })
}

/// A duration. A server's clock that was set back makes it negative; then it is not known. A replication thread that
/// has not begun counts from 1970 the other way.
fn seconds(row: Row<'_>, name: &str, complaints: &mut Complaints) -> Figure<u64> {
    row.number::<i64>(&[name], complaints)
        .and_then(|seconds| Figure::from_option(u64::try_from(seconds).ok(), Unknown::Malformed))
}

fn statement(row: Row<'_>, name: &str, literals: Literals) -> Figure<Clean> {
    row.lossy(&[name], STATEMENT_BYTES_MAX).and_then(|sql| {
        if sql.trim().is_empty() {
            Figure::Unknown(Unknown::Missing)
        } else {
            Figure::Known(mask::statement(&sql, literals))
        }
    })
}
