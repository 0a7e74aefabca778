//! Sessions: who is connected, which transactions are open, who waits for whom, and the last deadlock.

use crate::model::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::BTreeSet};

/// One row of the process list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Process {
    /// Its number, which `kill` takes.
    pub id: u64,
    /// Login.
    pub user: Figure<Clean>,
    /// Where it comes from: host, or host and port.
    pub host: Figure<Clean>,
    /// Current schema; unknown when it has chosen none.
    pub schema: Figure<Clean>,
    /// "Query", "Sleep", "Binlog Dump".
    pub command: Figure<Clean>,
    /// How long it is in this command.
    pub seconds: Figure<u64>,
    /// What it does at the moment: "Sending data".
    pub state: Figure<Clean>,
    /// Its statement.
    pub statement: Figure<Clean>,
}

/// An open transaction.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Transaction {
    /// Its number in the engine.
    pub id: Clean,
    /// "RUNNING", "LOCK WAIT", "ROLLING BACK", "COMMITTING".
    pub state: Figure<Clean>,
    /// Open since.
    pub age_s: Figure<u64>,
    /// The session that it belongs to; 0 is a transaction that was recovered or prepared and has none.
    pub process: Figure<u64>,
    /// Rows that it holds locks on, roughly.
    pub rows_locked: Figure<u64>,
    /// Rows that it has changed; a rollback costs as much again.
    pub rows_modified: Figure<u64>,
    /// What it runs at the moment; unknown when it is idle.
    pub statement: Figure<Clean>,
}

/// One session waits for another.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LockWait {
    /// The session that waits.
    pub waiting: Figure<u64>,
    /// The session that it waits for.
    pub blocking: Figure<u64>,
    /// For how long.
    pub age_s: Figure<u64>,
    /// Schema and table.
    pub table: Figure<Clean>,
    /// Index.
    pub index: Figure<Clean>,
    /// Wanted mode: "X", "S,GAP".
    pub mode: Figure<Clean>,
    /// What the one that waits wants to do.
    pub waiting_statement: Figure<Clean>,
    /// What the other does at the moment; unknown when it is idle in its transaction.
    pub blocking_statement: Figure<Clean>,
}

/// Sessions that others wait for and that wait for nobody: the ones to look at. Each with how many sessions wait behind
/// it, directly or behind each other; most first.
pub fn root_blockers(waits: &[LockWait]) -> Vec<(u64, usize)> {
    let pairs: BTreeSet<(u64, u64)> =
        waits.iter().filter_map(|wait| wait.waiting.known().zip(wait.blocking.known())).collect();
    let waiting: BTreeSet<u64> = pairs.iter().map(|(waiting, _)| *waiting).collect();
    let roots: BTreeSet<u64> = pairs.iter().map(|(_, blocking)| *blocking).filter(|id| !waiting.contains(id)).collect();
    let mut counted: Vec<(u64, usize)> = roots.into_iter().map(|root| (root, behind(root, &pairs))).collect();
    counted.sort_by_key(|(root, count)| (Reverse(*count), *root));
    counted
}

/// How many sessions wait behind `root`.
fn behind(root: u64, pairs: &BTreeSet<(u64, u64)>) -> usize {
    let mut found = BTreeSet::from([root]);
    let mut next = vec![root];
    while let Some(at) = next.pop() {
        let more = pairs.iter().filter(|(_, blocking)| *blocking == at).map(|(waiting, _)| *waiting);
        next.extend(more.filter(|waiting| found.insert(*waiting)));
    }
    found.len() - 1
}

/// The last deadlock, from the engine's status text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Deadlock {
    /// When, as the server writes it: its own time zone.
    pub at: Clean,
    /// The transactions in it, in the server's order.
    pub parties: Vec<DeadlockParty>,
    /// Which of them was rolled back, counted from 1.
    pub victim: Figure<u32>,
    /// The whole section; contents of rows are never in it.
    pub text: Clean,
}

/// One transaction of a deadlock.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DeadlockParty {
    /// Its session.
    pub process: Figure<u64>,
    /// Open since, at the time of the deadlock.
    pub age_s: Figure<u64>,
    /// Its statement.
    pub statement: Figure<Clean>,
    /// The lock that it waited for: "index PRIMARY of table `shop`.`stock` lock_mode X".
    pub waits_for: Figure<Clean>,
}
