//! The state folder of one cluster.

use super::{
    folder::{self, Sharing},
    heads::{self, Announcement, Heads},
    journal_file::JournalFile,
    place::Place,
    runs::Seen,
    trouble::StateTrouble,
};
use crate::{
    model::{ids::ClusterName, text::Clean, time::Now},
    plan::PlanId,
    run::{
        Ending, Entry, Operator, Record, RunState,
        journal::{self, Damage, Head, JOURNAL_BYTES_MAX, Journal, Tail, Writer, Wrong},
        lock,
    },
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

const JOURNAL: &str = "journal.jsonl";
/// Longest wait for a journal's lock: whoever lists runs looks at it for moments.
const LOOKS: Duration = Duration::from_millis(500);

/// The state of one cluster on disk. Any number of them may be open, in any number of processes.
#[derive(Debug)]
pub struct StateDir {
    place: Place,
    cluster: ClusterName,
    folder: PathBuf,
    sharing: Sharing,
    syslog: PathBuf,
    pub(super) seen: Mutex<Seen>,
}

/// What became of an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Why the system's log did not take it; the heads file did.
    pub not_logged: Option<Clean>,
}

impl StateDir {
    /// Opens the folder of that cluster, and makes it if it is not there.
    pub fn open(place: &Place, cluster: &ClusterName) -> Result<Self, StateTrouble> {
        let sharing = folder::root(place)?;
        let folder = place.path.join(lock::file_name(cluster));
        folder::below(place, &folder, sharing)?;
        folder::below(place, &folder.join("runs"), sharing)?;
        Ok(Self {
            place: place.clone(),
            cluster: cluster.clone(),
            folder,
            sharing,
            syslog: heads::SYSLOG.into(),
            seen: Mutex::default(),
        })
    }

    /// The same with another socket of syslog.
    #[must_use]
    pub fn with_syslog(mut self, socket: impl Into<PathBuf>) -> Self {
        self.syslog = socket.into();
        self
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whose state it holds.
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Who can see it.
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// A file or folder of this cluster.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of the flight recordings, made if need be; shared as the rest of the state folder is.
    pub fn recordings_folder(&self) -> Result<PathBuf, StateTrouble> {
        let folder = self.path("recordings");
        folder::below(&self.place, &folder, self.sharing)?;
        Ok(folder)
    }

    /// The folder of one run; the executor's control socket lies there, too.
    pub fn run_folder(&self, id: &PlanId) -> PathBuf {
        self.path("runs").join(id.as_str())
    }

    pub(super) fn journal_path(&self, id: &PlanId) -> PathBuf {
        self.run_folder(id).join(JOURNAL)
    }

    /// Begins the journal of a new run. It appears whole: locked, with its mode, in a folder that is durable.
    pub fn begin_run(&self, id: &PlanId) -> Result<JournalFile, StateTrouble> {
        let folder = self.run_folder(id);
        if id.as_str().is_empty() || fs::symlink_metadata(&folder).is_ok() {
            return Err(StateTrouble::Begun(id.clone()));
        }
        let new = folder::beside(&folder);
        let made = self.made_run(&new).and_then(|file| fs::rename(&new, &folder).map(|()| file));
        let file = made.map_err(|error| {
            // Nothing refers to what was half made.
            let _ = fs::remove_dir_all(&new);
            match error.kind() {
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => StateTrouble::Begun(id.clone()),
                _ => StateTrouble::io("begin the journal in", &folder)(error),
            }
        })?;
        folder::sync_parent(&folder)?;
        self.note(&heads::opened_line(&self.cluster, id))?;
        Ok(JournalFile::new(id.clone(), file, Writer::default()))
    }

    fn made_run(&self, new: &Path) -> io::Result<folder::Locked> {
        folder::make(new, self.sharing)?;
        let file = folder::create(&new.join(JOURNAL), self.sharing)?;
        let file = folder::lock_alone(file, Duration::ZERO)?
            .ok_or_else(|| io::Error::other("somebody locked a file that nobody knows"))?;
        file.sync_all()?;
        File::open(new)?.sync_all()?;
        Ok(file)
    }

    /// Takes the journal of a run up again: verified, also against the heads that were announced; a torn tail, which
    /// was never acknowledged, is cut off.
    pub fn reopen_run(&self, id: &PlanId) -> Result<(JournalFile, Vec<Record>), StateTrouble> {
        let path = self.journal_path(id);
        let opened = folder::open(&path, OpenOptions::new().read(true).append(true));
        let file = opened.map_err(|error| self.no_journal(id, error))?;
        let locked = folder::lock_alone(file, LOOKS).map_err(StateTrouble::io("lock", &path))?;
        let file = locked.ok_or_else(|| StateTrouble::Running(id.clone()))?;
        let read = journal::read(&read_bounded(&file).map_err(StateTrouble::io("read", &path))?);
        let damaged = |damage| StateTrouble::Damaged { run: id.clone(), damage };
        if let Tail::Damaged(damage) = read.tail {
            return Err(damaged(damage));
        }
        if self.heads()?.of(id).is_some_and(|head| head.records > read.head.records) {
            return Err(damaged(Damage { record: read.head.records, what: Wrong::Missing }));
        }
        if let Tail::Torn { .. } = read.tail {
            let cut = file.set_len(read.whole_bytes as u64).and_then(|()| file.sync_all());
            cut.map_err(StateTrouble::io("cut the torn record off", &path))?;
        }
        Ok((JournalFile::new(id.clone(), file, Writer::after(&read)), read.records))
    }

    /// Reads the journal of a run, as far as it is beyond doubt.
    pub fn read_run(&self, id: &PlanId) -> Result<Journal, StateTrouble> {
        let path = self.journal_path(id);
        let file = folder::open(&path, OpenOptions::new().read(true)).map_err(|error| self.no_journal(id, error))?;
        Ok(journal::read(&read_bounded(&file).map_err(StateTrouble::io("read", &path))?))
    }

    pub(super) fn no_journal(&self, id: &PlanId, error: io::Error) -> StateTrouble {
        match error.kind() {
            io::ErrorKind::NotFound => StateTrouble::NoRun(id.clone()),
            _ => StateTrouble::io("open", self.journal_path(id))(error),
        }
    }

    /// Writes into the journal that an operator has settled the run, and announces it.
    pub fn resolve(&self, id: &PlanId, operator: Operator, why: Clean, now: Now) -> Result<Announced, StateTrouble> {
        let (mut journal, records) = self.reopen_run(id)?;
        let read = Journal { head: journal.head().clone(), records, whole_bytes: 0, tail: Tail::Whole };
        let state = RunState::of(&read, false);
        if !state.is_resolvable() || read.records.is_empty() {
            return Err(StateTrouble::NotResolvable { run: id.clone(), state: state.word() });
        }
        let record = Record { seq: read.head.records, at: now, entry: Entry::Resolved { operator, why } };
        journal.append(&record).map_err(|source| StateTrouble::Append { run: id.clone(), source })?;
        self.announce_as(id, journal.head(), "resolved")
    }

    /// Writes down where the chain stands at an ending: into the heads file, and into the system's log.
    pub fn announce(&self, id: &PlanId, head: &Head, ending: &Ending) -> Result<Announced, StateTrouble> {
        self.announce_as(id, head, &ending.kind.word().replace(' ', "_"))
    }

    fn announce_as(&self, id: &PlanId, head: &Head, ending: &str) -> Result<Announced, StateTrouble> {
        let announcement = Announcement { run: id.clone(), ending: ending.to_owned(), head: head.clone() };
        let line = announcement.line(&self.cluster);
        // The log first: a full disk must not keep the head from leaving this file system.
        let not_logged = heads::to_syslog(&self.syslog, &line).err();
        self.note(&line)?;
        Ok(Announced { not_logged })
    }

    fn note(&self, line: &str) -> Result<(), StateTrouble> {
        let _alone = self.index_lock()?;
        heads::append(&self.path("heads"), self.sharing, line)
    }

    /// For as long as the value lives, no other process rewrites heads or ledger.
    pub(super) fn index_lock(&self) -> Result<folder::Locked, StateTrouble> {
        folder::lock_for_a_moment(&self.path("index.lock"), self.sharing)
    }

    /// Everything that was announced.
    pub fn heads(&self) -> Result<Heads, StateTrouble> {
        heads::load(&self.path("heads"), &self.cluster)
    }

    /// Where the chain of the newest run stands, for the first record of the next one. A run whose process died before
    /// its first record has none.
    pub fn previous_head(&self) -> Result<Option<Head>, StateTrouble> {
        let heads = self.heads()?;
        for id in heads.opened.iter().rev() {
            match self.read_run(id) {
                Ok(journal) if journal.records.is_empty() => {}
                Ok(journal) => return Ok(Some(journal.head)),
                // Removed: what was announced of it is all there is.
                Err(StateTrouble::NoRun(_)) => {
                    if let Some(head) = heads.of(id) {
                        return Ok(Some(head.clone()));
                    }
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(None)
    }
}

/// At most one byte more than a journal may have, so that a longer one shows.
pub(super) fn read_bounded(mut file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(JOURNAL_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
