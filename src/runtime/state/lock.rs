//! The lock of this bastion: one run of one operator at a time.

use super::{
    directory::StateDir,
    folder::{self, Locked},
    trouble::StateTrouble,
};
use crate::{
    model::text::Clean,
    run::lock::{Holder, LockState},
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};

/// Longest wait for those who only look at the lock.
const LOOKS: Duration = Duration::from_millis(500);
/// A holder is a few hundred bytes.
const HOLDER_BYTES_MAX: u64 = 16 * 1024;

/// The lock, held until the value is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct BastionLock {
    /// The lock ends with it.
    _file: Locked,
    holder: PathBuf,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Held {
    /// Somebody acts; unknown when the holder has not said who it is.
    #[error("{}", held_words(holder.as_deref()))]
    By {
        /// Who.
        holder: Option<Box<Holder>>,
    },
    /// The lock cannot be used.
    #[error(transparent)]
    Trouble(#[from] StateTrouble),
}

fn held_words(holder: Option<&Holder>) -> String {
    match holder {
        Some(holder) => format!("{holder}; wait for it, or look at it with `vakt runs show {}`", holder.run),
        None => "another process on this bastion holds the lock and has not said who it is; try again".into(),
    }
}

impl BastionLock {
    /// Takes the lock and says by whom it is held.
    pub fn take(state: &StateDir, holder: &Holder) -> Result<Self, Held> {
        let path = state.path("lock");
        let file = folder::open_or_create(&path, state.sharing()).map_err(StateTrouble::io("open the lock", &path))?;
        let locked = folder::lock_alone(file, LOOKS).map_err(StateTrouble::io("lock", &path))?;
        let Some(file) = locked else {
            let holder = state.holder().map(Box::new);
            return Err(Held::By { holder });
        };
        let beside = state.path("lock.holder");
        let text = serde_json::to_vec(holder).map_err(|error| StateTrouble::io("encode", &beside)(error.into()))?;
        folder::replace(&beside, state.sharing(), &text).map_err(StateTrouble::io("write", &beside))?;
        Ok(Self { _file: file, holder: beside })
    }
}

impl Drop for BastionLock {
    fn drop(&mut self) {
        // A text that stays behind is not believed: only the kernel's lock counts.
        let _ = fs::remove_file(&self.holder);
    }
}

impl StateDir {
    /// Who acts from this bastion now.
    pub fn lock_state(&self) -> LockState {
        let path = self.path("lock");
        let locked = folder::open(&path, OpenOptions::new().read(true)).and_then(|file| folder::is_locked(&file));
        match locked {
            Ok(false) => LockState::Free,
            Ok(true) => match self.holder() {
                Some(holder) => LockState::Held(Box::new(holder)),
                None => LockState::Unknown("it is held by a process that has not said who it is".into()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => LockState::Free,
            Err(error) => LockState::Unknown(Clean::line(&format!("cannot look at {}: {error}", path.display()))),
        }
    }

    /// What stands beside the lock; worth something only while it is held.
    fn holder(&self) -> Option<Holder> {
        let file = folder::open(&self.path("lock.holder"), OpenOptions::new().read(true)).ok()?;
        let mut bytes = Vec::new();
        file.take(HOLDER_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}
