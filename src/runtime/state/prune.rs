//! What is kept, and what is removed.

use super::{directory::StateDir, folder, heads, trouble::StateTrouble};
use crate::{
    model::{inventory::StateSettings, time::Wall},
    plan::PlanId,
};
use std::{fs, os::unix::fs::MetadataExt};

/// A folder that is being made is older than this only if its process died.
const BEING_MADE_S_MAX: i64 = 3600;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Ended runs.
    pub runs: usize,
    /// How long after its last record an ended run is kept, milliseconds.
    pub age_ms: u64,
}

impl From<&StateSettings> for Keep {
    fn from(settings: &StateSettings) -> Self {
        const DAY_MS: u64 = 24 * 3_600_000;
        Self { runs: settings.runs_max as usize, age_ms: u64::from(settings.age_max_days) * DAY_MS }
    }
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Runs, the oldest first.
    pub runs: Vec<PlanId>,
}

impl StateDir {
    /// Removes the oldest ended runs that are beyond `keep`. A run that a person has to decide about, and one that is
    /// not in the ledger yet, stays, however old it is.
    pub fn prune(&self, now: Wall, keep: Keep) -> Result<Pruned, StateTrouble> {
        self.fold()?;
        let _alone = self.index_lock()?;
        let mut ledger = self.ledger_file().unwrap_or_default();
        let runs = self.runs(usize::MAX);
        let ended = runs.iter().filter(|run| !run.state.is_open());
        let oldest_allowed = now.0.saturating_sub(i64::try_from(keep.age_ms).unwrap_or(i64::MAX));
        let mut pruned: Vec<PlanId> = ended
            .enumerate()
            .filter(|(index, run)| *index >= keep.runs || run.last_at.0 < oldest_allowed)
            .filter(|(_, run)| ledger.folded.get(&run.id) == Some(&run.records))
            .map(|(_, run)| run.id.clone())
            .collect();
        pruned.reverse();
        let named = self.named(&self.run_ids()?);
        for id in &pruned {
            // Written down first: a journal that is missing without a word is a finding.
            let passed: Vec<_> = self.read_through(id, &named)?.passed.into_iter().collect();
            let lines = heads::pruned_lines(self.cluster(), id, &passed);
            heads::append(&self.path("heads"), self.sharing(), &lines)?;
            let folder = self.run_folder(id);
            fs::remove_dir_all(&folder).map_err(StateTrouble::io("remove", &folder))?;
            ledger.folded.remove(id);
        }
        if !pruned.is_empty() {
            self.save_ledger(&ledger)?;
            let named = self.named(&self.run_ids()?);
            let path = self.path("heads");
            let text = self.heads()?.compacted(&named).text(self.cluster());
            folder::replace(&path, self.sharing(), text.as_bytes()).map_err(StateTrouble::io("write", &path))?;
        }
        self.sweep(now);
        Ok(Pruned { runs: pruned })
    }

    /// Removes what a process that died left half made. Best effort: it costs room and nothing else.
    fn sweep(&self, now: Wall) {
        for entry in fs::read_dir(self.path("runs")).into_iter().flatten().flatten() {
            let is_half_made = entry.file_name().as_encoded_bytes().starts_with(b".");
            let is_old = entry.metadata().is_ok_and(|metadata| metadata.mtime() < now.0 / 1000 - BEING_MADE_S_MAX);
            if is_half_made && is_old {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}
