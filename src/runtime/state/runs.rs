//! Runs as lists and followers see them.

use super::{directory::StateDir, folder, trouble::StateTrouble};
use crate::{
    model::text::Clean,
    plan::PlanId,
    run::{
        Record, RunState, RunSummary,
        journal::{self, JOURNAL_BYTES_MAX, Verifier},
    },
};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    sync::PoisonError,
};

/// Journals that are looked at; far more than are kept.
const RUNS_MAX: usize = 20_000;
/// Read at once by a follower.
const CHUNK_BYTES: usize = 256 * 1024;

/// What was read of each journal, and the file it was read from: an ended run is read once.
pub(super) type Seen = BTreeMap<PlanId, (Stamp, Result<RunSummary, Clean>)>;

/// What changes when a file is written to: its inode, length, and time of the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(u64, u64, i64, i64);

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self(metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
    }
}

/// A run of which only its name is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its name.
    pub run: PlanId,
    /// Why.
    pub why: Clean,
}

impl StateDir {
    /// The names of all runs, the oldest plan first.
    pub fn run_ids(&self) -> Result<Vec<PlanId>, StateTrouble> {
        let folder = self.path("runs");
        let entries = fs::read_dir(&folder).map_err(StateTrouble::io("list", &folder))?;
        let name = |entry: io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            // What is being made begins with a dot; what is not ours does not survive as a name.
            let id = PlanId::from(name.clone());
            (id.as_str() == name && !name.is_empty()).then_some(id)
        };
        let mut ids: Vec<_> = entries.filter_map(name).take(RUNS_MAX).collect();
        ids.sort();
        Ok(ids)
    }

    /// The newest `max` runs, the newest first, and every older one that a person has to decide about. A state folder
    /// that cannot be listed shows none: [`StateDir::open`] tells why.
    pub fn runs(&self, max: usize) -> Vec<RunSummary> {
        let mut runs: Vec<RunSummary> = self.looked_at().into_iter().filter_map(|(_, found)| found.ok()).collect();
        runs.sort_by(|a, b| (b.opened_at, &b.id).cmp(&(a.opened_at, &a.id)));
        let mut number = 0;
        runs.retain(|run| {
            number += 1;
            number <= max || run.state.is_open()
        });
        runs
    }

    /// Runs whose journal does not even tell what they were about. One that is empty is none of them: its process died
    /// before the first record, and nothing was sent.
    pub fn unreadable(&self) -> Vec<Unreadable> {
        let bad = |(run, found): (PlanId, Result<RunSummary, Clean>)| {
            let why = found.err().filter(|why| !why.is_empty())?;
            Some(Unreadable { run, why })
        };
        self.looked_at().into_iter().filter_map(bad).collect()
    }

    fn looked_at(&self) -> Vec<(PlanId, Result<RunSummary, Clean>)> {
        let ids = self.run_ids().unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *seen);
        for id in ids {
            let kept = before.remove(&id);
            if let Some(found) = self.look(&id, kept) {
                seen.insert(id, found);
            }
        }
        let lives = |id: &PlanId| {
            let file = folder::open(&self.journal_path(id), OpenOptions::new().read(true));
            file.and_then(|file| folder::is_locked(&file)).unwrap_or(false)
        };
        seen.iter()
            .map(|(id, (_, found))| {
                let mut found = found.clone();
                if let Ok(run) = &mut found
                    && run.state == RunState::Interrupted
                    && lives(id)
                {
                    run.state = RunState::Running;
                }
                (id.clone(), found)
            })
            .collect()
    }

    /// One run, without asking whether its executor lives. `None` when it was removed meanwhile.
    fn look(
        &self,
        id: &PlanId,
        kept: Option<(Stamp, Result<RunSummary, Clean>)>,
    ) -> Option<(Stamp, Result<RunSummary, Clean>)> {
        let opened = folder::open(&self.journal_path(id), OpenOptions::new().read(true));
        let found = opened.and_then(|file| Ok((Stamp::of(&file.metadata()?), file)));
        let (stamp, file) = match found {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return Some((Stamp(0, 0, 0, 0), Err(Clean::line(&error.to_string())))),
        };
        if let Some((before, found)) = kept
            && before == stamp
        {
            return Some((stamp, found));
        }
        Some((stamp, summary(id, &file)))
    }

    /// Records from that number on, as far as they are durable now.
    pub fn tail(&self, id: &PlanId, from_record: u64) -> Result<Vec<Record>, StateTrouble> {
        let mut records = self.follow(id)?.read()?;
        records.retain(|record| record.seq >= from_record);
        Ok(records)
    }

    /// Follows the journal of a run from its beginning.
    pub fn follow(&self, id: &PlanId) -> Result<Follower, StateTrouble> {
        let opened = folder::open(&self.journal_path(id), OpenOptions::new().read(true));
        let file = opened.map_err(|error| self.no_journal(id, error))?;
        Ok(Follower { run: id.clone(), file, offset: 0, verifier: Verifier::default() })
    }
}

/// What a journal says of its run; the text is empty when there is no record at all.
fn summary(id: &PlanId, file: &File) -> Result<RunSummary, Clean> {
    let bytes = super::directory::read_bounded(file).map_err(|error| Clean::line(&error.to_string()))?;
    let journal = journal::read(&bytes);
    match RunSummary::of(&journal, false) {
        Some(mut run) if run.id != *id => {
            run.state = RunState::Damaged(Clean::line(&format!("the journal is that of run {}", run.id)));
            run.id = id.clone();
            Ok(run)
        }
        Some(run) => Ok(run),
        None if journal.records.is_empty() && matches!(journal.tail, journal::Tail::Damaged(_)) => match journal.tail {
            journal::Tail::Damaged(damage) => Err(Clean::line(&damage.to_string())),
            _ => Err(Clean::default()),
        },
        None if journal.records.is_empty() => Err(Clean::default()),
        None => Err("its first record is no opening".into()),
    }
}

/// Follows a journal while another process writes it. Each record is checked; the last line, which may be half
/// written, waits until it is whole.
#[derive(Debug)]
pub struct Follower {
    run: PlanId,
    file: File,
    offset: u64,
    verifier: Verifier,
}

impl Follower {
    /// Records that came since the last call, in order.
    pub fn read(&mut self) -> Result<Vec<Record>, StateTrouble> {
        let mut records = Vec::new();
        let mut pending: Vec<u8> = Vec::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut at = self.offset;
        while at < JOURNAL_BYTES_MAX as u64 {
            let read = self.file.read_at(&mut chunk, at);
            let count = read.map_err(StateTrouble::io("follow the journal of run", self.run.as_str()))?;
            if count == 0 {
                break;
            }
            at += count as u64;
            pending.extend_from_slice(&chunk[..count]);
            let whole = pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            for line in pending[..whole].split_inclusive(|byte| *byte == b'\n') {
                let record = self.verifier.line(line);
                records.push(record.map_err(|damage| StateTrouble::Damaged { run: self.run.clone(), damage })?);
                self.offset += line.len() as u64;
            }
            pending.drain(..whole);
        }
        Ok(records)
    }

    /// Whether the executor lives.
    pub fn lives(&self) -> bool {
        folder::is_locked(&self.file).unwrap_or(false)
    }
}
