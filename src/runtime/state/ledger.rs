//! The ledger's file: what operators want, and from how much of which journals it was folded.

use super::{directory::StateDir, folder, trouble::StateTrouble};
use crate::{
    plan::PlanId,
    run::{
        Entry,
        journal::Tail,
        ledger::{Ledger, Wish},
    },
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs::OpenOptions, io::Read};

/// A ledger holds one wish a server.
const LEDGER_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct LedgerFile {
    ledger: Ledger,
    /// How many records of each run are in it. A run that needed an operator may go on and end again.
    pub(super) folded: BTreeMap<PlanId, u64>,
}

impl StateDir {
    /// What operators want, as far as it was folded. A file that cannot be read is made anew by the next
    /// [`StateDir::fold`], from the journals that are kept.
    pub fn ledger(&self) -> Ledger {
        self.ledger_file().unwrap_or_default().ledger
    }

    pub(super) fn ledger_file(&self) -> Option<LedgerFile> {
        let file = folder::open(&self.path("ledger.json"), OpenOptions::new().read(true)).ok()?;
        let mut text = String::new();
        file.take(LEDGER_BYTES_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text)
            .inspect_err(|error| tracing::warn!("the ledger is made anew from the journals: {error}"))
            .ok()
    }

    /// Takes in every run that ended since, in the order of their endings.
    pub fn fold(&self) -> Result<Ledger, StateTrouble> {
        let _alone = self.index_lock()?;
        let mut file = self.ledger_file().unwrap_or_default();
        let mut ended = Vec::new();
        for run in self.runs(usize::MAX) {
            if file.folded.get(&run.id) == Some(&run.records) {
                continue;
            }
            let journal = self.read_run(&run.id)?;
            let last = journal.records.last();
            if let Some(last) = last
                && matches!(last.entry, Entry::Ended(_) | Entry::Resolved { .. })
                && !matches!(journal.tail, Tail::Damaged(_))
            {
                ended.push((last.at.wall, run.id.clone(), journal.records));
            }
        }
        if ended.is_empty() {
            return Ok(file.ledger);
        }
        ended.sort_by(|(a, a_id, _), (b, b_id, _)| (a, a_id).cmp(&(b, b_id)));
        for (_, id, records) in ended {
            file.ledger.fold(&records);
            file.folded.insert(id, records.len() as u64);
        }
        self.save_ledger(&file)?;
        Ok(file.ledger)
    }

    /// Takes wishes back that an operator gave up without a run. Folding a run twice never brings one back.
    pub fn take_back(&self, wishes: &[Wish]) -> Result<usize, StateTrouble> {
        self.fold()?;
        let _alone = self.index_lock()?;
        let mut file = self.ledger_file().unwrap_or_default();
        let taken = file.ledger.take_back(wishes);
        self.save_ledger(&file)?;
        Ok(taken)
    }

    /// Writes the file; whoever calls holds the index lock.
    pub(super) fn save_ledger(&self, file: &LedgerFile) -> Result<(), StateTrouble> {
        let path = self.path("ledger.json");
        let text = serde_json::to_vec(file).map_err(|error| StateTrouble::io("encode", &path)(error.into()))?;
        folder::replace(&path, self.sharing(), &text).map_err(StateTrouble::io("write", &path))
    }
}
