//! The state folder on a real file system: who may use it, what survives a process, what an auditor finds.

mod acknowledged;
mod audit;
mod cli;
mod folder;
mod journal;
mod lock;
mod node_lock;
mod on_the_lab;

use crate::{
    plans::{corpus, plan_of},
    run::{
        cluster::START,
        harness::{Fault, Harness, Script},
    },
};
use std::{
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
};
use vakt::{
    model::{
        ids::ClusterName,
        time::{Mono, Now, Wall},
    },
    plan::{Plan, PlanId},
    run::{Ending, Entry, Operator, Record, journal::Head, lock::Holder},
    runtime::state::{Found, Place, StateDir},
};

/// A state folder of its own, and a log of the system to which it announces.
struct Bed {
    folder: tempfile::TempDir,
    log: UnixDatagram,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = UnixDatagram::bind(folder.path().join("log")).unwrap();
        log.set_nonblocking(true).unwrap();
        Self { folder, log }
    }

    fn place(&self) -> Place {
        place(&self.folder.path().join("state"))
    }

    fn state(&self) -> StateDir {
        let state = StateDir::open(&self.place(), &ClusterName::new("oslo-prod")).unwrap();
        state.with_syslog(self.folder.path().join("log"))
    }

    /// A file of the cluster.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("state/oslo-prod").join(name)
    }

    fn journal(&self, run: &PlanId) -> PathBuf {
        self.file(&format!("runs/{run}/journal.jsonl"))
    }

    /// What the system's log received since the last call.
    fn logged(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut bytes = [0; 4096];
        while let Ok(count) = self.log.recv(&mut bytes) {
            lines.push(String::from_utf8(bytes[..count].to_vec()).unwrap());
        }
        lines
    }
}

fn place(path: &Path) -> Place {
    Place { path: path.to_path_buf(), found: Found::Flag }
}

fn eva() -> Operator {
    Operator { login: "eva".into(), ssh_client: Some("192.0.2.7".into()), sudo_user: None }
}

fn holder(process: u32) -> Holder {
    Holder {
        operator: eva(),
        bastion: "bastion1".into(),
        process,
        run: PlanId::from("20261123T140322Z-5f3a09c1".to_owned()),
        what: "Drain web_cluster/web03 (kernel)".into(),
        since: START.wall,
    }
}

/// How the run of a story ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Reached,
    RolledBack,
    NeedsOperator,
    /// Its process dies after so many records.
    Killed(usize),
}

/// The records of a run that begins `number` hours after the first.
fn records(number: u32, ends: Ends) -> Vec<Record> {
    let (_, cluster, line) = corpus().remove(0);
    let mut body = plan_of(&cluster, line).body;
    let offset_ms = i64::from(number) * 3_600_000;
    body.made_at = Now { mono: START.mono, wall: Wall(START.wall.0 + offset_ms) };
    let script = match ends {
        Ends::RolledBack => Script { faults: vec![(1, Fault::Objection)], ..Script::default() },
        Ends::NeedsOperator => Script { faults: vec![(0, Fault::Gone)], ..Script::default() },
        Ends::Reached | Ends::Killed(_) => Script::default(),
    };
    let mut harness = Harness::new(cluster, Plan::new(body), script);
    harness.run().unwrap();
    let mut records = harness.records;
    for record in &mut records {
        record.at.wall.0 += offset_ms;
    }
    if let Ends::Killed(after) = ends {
        records.truncate(after);
    }
    records
}

fn run_of(records: &[Record]) -> PlanId {
    let Entry::Opened(opening) = &records[0].entry else { panic!("no opening") };
    opening.plan.id.clone()
}

fn ending_of(records: &[Record]) -> Option<&Ending> {
    match &records.last().unwrap().entry {
        Entry::Ended(ending) => Some(ending),
        _ => None,
    }
}

/// Writes a run as an executor does: linked to the one before it, announced if it ended.
fn carry_out(state: &StateDir, mut records: Vec<Record>) -> (PlanId, Head) {
    let id = run_of(&records);
    let previous = state.previous_head().unwrap();
    let Entry::Opened(opening) = &mut records[0].entry else { panic!("no opening") };
    opening.previous = previous;
    let mut journal = state.begin_run(&id).unwrap();
    for record in &records {
        assert_eq!(journal.append(record).unwrap().record, record.seq);
    }
    if let Some(ending) = ending_of(&records) {
        state.announce(&id, journal.head(), ending).unwrap();
    }
    (id, journal.head().clone())
}

/// A moment some hours after the first run.
fn hours_later(hours: i64) -> Now {
    Now { mono: Mono(1), wall: Wall(START.wall.0 + hours * 3_600_000) }
}
