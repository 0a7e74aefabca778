//! What can be wrong with the state folder: what is, where, what to do.

use super::place::SYSTEM;
use crate::{
    plan::PlanId,
    run::journal::{AppendError, Damage},
};
use std::{io, path::PathBuf};

/// Why the state folder, or a run in it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateTrouble {
    /// Nothing says where it could be.
    #[error("there is no place for the state folder: neither HOME nor XDG_STATE_HOME is set; name one with --state")]
    NoPlace,
    /// The folder is not fit.
    #[error("state folder {path} (from {found}) {what}; {cure}")]
    Unfit {
        /// Which folder.
        path: PathBuf,
        /// Who named it.
        found: String,
        /// What is wrong with it.
        what: String,
        /// What to do.
        cure: String,
    },
    /// The operating system refused something.
    #[error("cannot {doing} {path}: {source}; {cure}", cure = cure(source))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such run.
    #[error("no run is called {0}; `vakt runs list` shows those there are")]
    NoRun(PlanId),
    /// A run of that name was begun before.
    #[error("run {0} was begun before; make the plan again")]
    Begun(PlanId),
    /// Its executor lives.
    #[error("run {0} is being carried out by another process; attach to it with `vakt runs attach {0}`")]
    Running(PlanId),
    /// It is not in a state in which it could be declared settled.
    #[error("run {run} is {state}: only an interrupted run, or one that needs an operator, can be declared settled")]
    NotResolvable {
        /// Which.
        run: PlanId,
        /// Where it is.
        state: &'static str,
    },
    /// The journal is not what was written.
    #[error("the journal of run {run} is damaged: {damage}; it is not taken up again, look at the cluster by hand")]
    Damaged {
        /// Whose.
        run: PlanId,
        /// Where.
        damage: Damage,
    },
    /// Somebody else rewrites the folder's files for too long.
    #[error("{0} stays locked by another process; look for a vakt that hangs")]
    Busy(PathBuf),
    /// A record could not be appended.
    #[error("cannot write to the journal of run {run}: {source}")]
    Append {
        /// Whose.
        run: PlanId,
        /// Why.
        source: AppendTrouble,
    },
}

/// Why a record is not durable.
#[derive(Debug, thiserror::Error)]
pub enum AppendTrouble {
    /// It cannot be sealed.
    #[error(transparent)]
    Seal(#[from] AppendError),
    /// The disk did not take it.
    #[error("the disk did not take record {record}: {source}")]
    Disk {
        /// Its number.
        record: u64,
        /// What the system said.
        source: io::Error,
    },
    /// An earlier record failed: what the file holds behind it is not known, and nothing is appended any more.
    #[error("an earlier record could not be written; nothing is appended after it")]
    Broken,
}

impl StateTrouble {
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}

/// What to do about an error of the system.
fn cure(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("let the operators' group write there: install -d -m 2770 -g GROUP {SYSTEM}, and be a member of it")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on that file system".into(),
        io::ErrorKind::ReadOnlyFilesystem => "mount that file system writable, or name another folder".into(),
        _ => "look at that file and its file system".into(),
    }
}
