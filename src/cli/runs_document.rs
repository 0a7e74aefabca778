//! `vakt runs list --json`, `vakt runs show --json` and `vakt runs changed --json`: their shape, version 1. `docs/runs-json.md` describes every key; a
//! test compares the two.

use crate::{
    model::{text::Clean, time::Wall},
    plan::text::command_line,
    run::{
        Operator, Record, RunState, RunSummary,
        journal::{Head, Journal, Tail},
        left::{Left, LeftKind},
    },
    runtime::state::Unreadable,
};
use serde::Serialize;

/// Version of the shapes. It grows when a key changes its meaning or goes; new keys do not change it.
pub const SCHEMA: u32 = 1;

/// A list of runs.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/runs-json.md describes every key")]
pub struct List {
    pub schema: u32,
    pub cluster: String,
    pub runs: Vec<Row>,
    pub unreadable: Vec<UnreadableRow>,
}

/// One run of a list.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/runs-json.md describes every key")]
pub struct Row {
    pub id: String,
    pub state: &'static str,
    pub open: bool,
    pub why: Option<Clean>,
    pub title: Clean,
    pub command: String,
    pub action: &'static str,
    pub target: String,
    pub reason: Option<Clean>,
    pub operator: Operator,
    pub resolved_by: Option<Clean>,
    pub goes_back_at: Option<String>,
    pub opened_at: String,
    pub last_at: String,
    pub records: u64,
}

/// A run of which only its name is known.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/runs-json.md describes every key")]
pub struct UnreadableRow {
    pub id: String,
    pub why: Clean,
}

/// One run with everything its journal says.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/runs-json.md describes every key")]
pub struct Story {
    pub schema: u32,
    pub cluster: String,
    pub run: Row,
    pub head: Head,
    pub tail: String,
    pub records: Vec<Record>,
}

/// What is left changed.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/runs-json.md describes every key")]
pub struct Changed {
    pub schema: u32,
    pub cluster: String,
    pub changed: Vec<ChangedRow>,
}

/// One thing that is left changed.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/runs-json.md describes every key")]
pub struct ChangedRow {
    pub kind: LeftKind,
    pub what: Clean,
    pub by: Clean,
    pub since: String,
    pub run: String,
    pub back_at: Option<String>,
}

/// The document of `changed`.
pub fn changed(cluster: &str, left: Vec<Left>) -> Changed {
    let row = |one: Left| ChangedRow {
        kind: one.kind,
        what: one.what,
        by: one.by,
        since: stamp(one.since),
        run: one.run.to_string(),
        back_at: one.back_at.map(stamp),
    };
    Changed { schema: SCHEMA, cluster: cluster.to_owned(), changed: left.into_iter().map(row).collect() }
}

/// The document of `list`.
pub fn list(cluster: &str, runs: &[RunSummary], unreadable: Vec<Unreadable>) -> List {
    let unreadable = unreadable.into_iter().map(|bad| UnreadableRow { id: bad.run.to_string(), why: bad.why });
    List {
        schema: SCHEMA,
        cluster: cluster.to_owned(),
        runs: runs.iter().map(row).collect(),
        unreadable: unreadable.collect(),
    }
}

/// The document of `show`.
pub fn story(cluster: &str, run: &RunSummary, journal: Journal) -> Story {
    let tail = match &journal.tail {
        Tail::Whole => "whole".to_owned(),
        Tail::Torn { record, .. } => format!("record {record} is torn"),
        Tail::Damaged(damage) => damage.to_string(),
    };
    Story {
        schema: SCHEMA,
        cluster: cluster.to_owned(),
        run: row(run),
        head: journal.head,
        tail,
        records: journal.records,
    }
}

fn row(run: &RunSummary) -> Row {
    let (why, resolved_by) = match &run.state {
        RunState::Running | RunState::Interrupted => (None, None),
        RunState::Ended { why, .. } | RunState::Damaged(why) => (Some(why.clone()), None),
        RunState::Resolved { by, why } => (Some(why.clone()), Some(by.clone())),
    };
    Row {
        id: run.id.to_string(),
        state: run.state.word(),
        open: run.state.is_open(),
        why,
        title: run.title.clone(),
        command: command_line(&run.intent),
        action: run.intent.change.id(),
        target: run.intent.change.target(),
        reason: run.intent.reason.clone(),
        operator: run.operator.clone(),
        resolved_by,
        goes_back_at: run.holds_until.map(stamp),
        opened_at: stamp(run.opened_at),
        last_at: stamp(run.last_at),
        records: run.records,
    }
}

/// RFC 3339, in UTC: it does not depend on who asks.
fn stamp(wall: Wall) -> String {
    jiff::Timestamp::from_millisecond(wall.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}
