//! The file of acknowledged findings. One writer at a time; a reader sees the file before or after, never a half.

use super::{directory::StateDir, folder, trouble::StateTrouble};
use crate::{
    model::{text::Clean, time::Wall},
    rules::{Acknowledgement, Acknowledgements},
};
use std::{fs::OpenOptions, io::Read};

/// As many as are kept, with their reasons, take far less.
const BYTES_MAX: u64 = 1024 * 1024;

impl StateDir {
    /// What operators have acknowledged. A file that cannot be read says nothing, so that findings are told.
    pub fn acknowledged(&self) -> Acknowledgements {
        let Ok(file) = folder::open(&self.path("acknowledged.json"), OpenOptions::new().read(true)) else {
            return Acknowledgements::default();
        };
        let mut text = String::new();
        if file.take(BYTES_MAX).read_to_string(&mut text).is_err() {
            return Acknowledgements::default();
        }
        serde_json::from_str(&text)
            .inspect_err(|error| tracing::warn!("acknowledged findings are told again: {error}"))
            .unwrap_or_default()
    }

    /// Notes that somebody has seen a finding.
    pub fn acknowledge(&self, one: Acknowledgement, now: Wall) -> Result<(), StateTrouble> {
        self.change_acknowledged(|all| all.add(one, now))
    }

    /// Takes back what was acknowledged of a finding.
    pub fn unacknowledge(&self, rule: &Clean, subject: &Clean) -> Result<(), StateTrouble> {
        self.change_acknowledged(|all| _ = all.take_back(rule, subject))
    }

    fn change_acknowledged(&self, change: impl FnOnce(&mut Acknowledgements)) -> Result<(), StateTrouble> {
        let _alone = self.index_lock()?;
        let mut all = self.acknowledged();
        change(&mut all);
        let path = self.path("acknowledged.json");
        let text = serde_json::to_vec(&all).map_err(|error| StateTrouble::io("encode", &path)(error.into()))?;
        folder::replace(&path, self.sharing(), &text).map_err(StateTrouble::io("write", &path))
    }
}
