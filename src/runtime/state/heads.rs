//! The heads that were announced: where each run's chain stood when it ended, written where the journal is not.
//!
//! One line each, in a file of the state folder and in syslog; `vakt runs verify --heads FILE` reads either, whatever
//! stands before the word `vakt-run`:
//!
//! ```text
//! vakt-run opened cluster=oslo-prod run=20261123T140322Z-5f3a09c1
//! vakt-run ended cluster=oslo-prod run=20261123T140322Z-5f3a09c1 ending=reached head=14:<64 hex digits>
//! vakt-run pruned cluster=oslo-prod run=20261123T140322Z-5f3a09c1 head=14:<64 hex digits>
//! ```
//!
//! The head of a pruned run is the one that a later run names as the run before it; there may be none, or several lines.

use super::{folder, trouble::StateTrouble};
use crate::{
    model::{ids::ClusterName, text::Clean},
    plan::PlanId,
    run::journal::Head,
};
use rustix::process::getpid;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::net::UnixDatagram,
    path::Path,
};

const MARK: &str = "vakt-run ";
/// Longest file of heads that is read; pruning keeps it far below.
const HEADS_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Where syslog listens.
pub(super) const SYSLOG: &str = "/dev/log";
/// Authorisation messages, notice: where an auditor looks.
const SYSLOG_PRIORITY: u8 = 10 * 8 + 5;

/// One head that was announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Whose.
    pub run: PlanId,
    /// How the run ended: one word, `_` for spaces.
    pub ending: String,
    /// Where the chain stood.
    pub head: Head,
}

/// Everything that was announced for one cluster, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heads {
    /// Runs in the order they were opened.
    pub opened: Vec<PlanId>,
    /// Endings in their order; a run that was taken up again has several.
    pub announced: Vec<Announcement>,
    /// Runs whose journals were removed because they were old, with the heads that journals which are left may name.
    pub pruned: BTreeMap<PlanId, Vec<Head>>,
}

impl Heads {
    /// Reads lines; those that are none of ours, or of another cluster, are passed over.
    pub fn parse(text: &str, cluster: &ClusterName) -> Self {
        let mut heads = Self::default();
        for line in text.lines() {
            let Some((_, ours)) = line.split_once(MARK) else { continue };
            let mut words = ours.split_ascii_whitespace();
            let what = words.next();
            let fields: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
            let run =
                fields.get("run").map(|run| PlanId::from((*run).to_owned())).filter(|run| !run.as_str().is_empty());
            let (Some(run), Some(&of)) = (run, fields.get("cluster")) else { continue };
            if of != word_of(cluster) {
                continue;
            }
            match what {
                Some("opened") => heads.opened.push(run),
                Some("pruned") => {
                    let named = heads.pruned.entry(run).or_default();
                    named.extend(fields.get("head").and_then(|head| head_of(head)));
                }
                Some("ended") => {
                    let ending = fields.get("ending").map_or_else(String::new, |ending| (*ending).to_owned());
                    if let Some(head) = fields.get("head").and_then(|head| head_of(head)) {
                        heads.announced.push(Announcement { run, ending, head });
                    }
                }
                _ => {}
            }
        }
        heads
    }

    /// The lines of a file, bounded.
    pub fn read(file: &Path, cluster: &ClusterName) -> Result<Self, StateTrouble> {
        let opened = File::open(file).map_err(StateTrouble::io("read the heads in", file))?;
        Self::from_file(opened, cluster).map_err(StateTrouble::io("read the heads in", file))
    }

    fn from_file(file: File, cluster: &ClusterName) -> io::Result<Self> {
        let mut bytes = Vec::new();
        file.take(HEADS_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(Self::parse(&String::from_utf8_lossy(&bytes), cluster))
    }

    /// The newest head that was announced for a run.
    pub fn of(&self, run: &PlanId) -> Option<&Head> {
        self.announced.iter().filter(|announced| announced.run == *run).map(|announced| &announced.head).next_back()
    }

    /// Whether that head is announced, or was kept of a journal that was removed.
    pub(super) fn knows(&self, head: &Head) -> bool {
        self.announced.iter().any(|announced| announced.head == *head)
            || self.pruned.values().flatten().any(|kept| kept == head)
    }

    /// The same without runs whose journals were removed, save those that a journal which is left `names`, and the
    /// newest run of all, which the next one will name.
    pub(super) fn compacted(&self, names: &BTreeSet<Head>) -> Self {
        let gone = |run: &PlanId| {
            self.pruned.get(run).is_some_and(|heads| !heads.iter().any(|head| names.contains(head)))
                && self.opened.last() != Some(run)
        };
        Self {
            opened: self.opened.iter().filter(|run| !gone(run)).cloned().collect(),
            announced: self.announced.iter().filter(|announced| !gone(&announced.run)).cloned().collect(),
            pruned: self
                .pruned
                .iter()
                .filter(|(run, _)| !gone(run))
                .map(|(run, heads)| (run.clone(), heads.clone()))
                .collect(),
        }
    }

    /// The lines again.
    pub(super) fn text(&self, cluster: &ClusterName) -> String {
        let opened = self.opened.iter().map(|run| opened_line(cluster, run));
        let announced = self.announced.iter().map(|announced| announced.line(cluster));
        let pruned = self.pruned.iter().map(|(run, heads)| pruned_lines(cluster, run, heads));
        opened.chain(announced).chain(pruned).flat_map(|line| [line, "\n".into()]).collect()
    }
}

impl Announcement {
    pub(super) fn line(&self, cluster: &ClusterName) -> String {
        let Self { run, ending, head } = self;
        format!("{MARK}ended cluster={} run={run} ending={ending} head={head}", word_of(cluster))
    }
}

pub(super) fn opened_line(cluster: &ClusterName, run: &PlanId) -> String {
    format!("{MARK}opened cluster={} run={run}", word_of(cluster))
}

/// One line for each head that may be named, or one without.
pub(super) fn pruned_lines(cluster: &ClusterName, run: &PlanId, heads: &[Head]) -> String {
    let line = format!("{MARK}pruned cluster={} run={run}", word_of(cluster));
    if heads.is_empty() {
        return line;
    }
    heads.iter().map(|head| format!("{line} head={head}")).collect::<Vec<_>>().join("\n")
}

/// The cluster's name without spaces, which would end the word.
fn word_of(cluster: &ClusterName) -> String {
    cluster.as_str().chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect()
}

/// `14:<64 hex digits>`.
fn head_of(word: &str) -> Option<Head> {
    let (records, sum) = word.split_once(':')?;
    let is_sum = sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    Some(Head { records: records.parse().ok()?, sum: is_sum.then(|| sum.to_owned())? })
}

/// The heads of the state folder; none when there is no such file yet.
pub(super) fn load(path: &Path, cluster: &ClusterName) -> Result<Heads, StateTrouble> {
    match folder::open(path, OpenOptions::new().read(true)) {
        Ok(file) => Heads::from_file(file, cluster).map_err(StateTrouble::io("read", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Heads::default()),
        Err(error) => Err(StateTrouble::io("read", path)(error)),
    }
}

/// Appends one line and waits until the disk has it.
pub(super) fn append(path: &Path, sharing: folder::Sharing, line: &str) -> Result<(), StateTrouble> {
    let appended = folder::open_or_create(path, sharing).and_then(|mut file| {
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    });
    appended.map_err(StateTrouble::io("write to", path))
}

/// Sends one line to the system's log, without waiting. The error is told to people, nothing else depends on it.
pub(super) fn to_syslog(socket: &Path, line: &str) -> Result<(), Clean> {
    let message = format!("<{SYSLOG_PRIORITY}>vakt[{}]: {line}", getpid().as_raw_nonzero());
    let sent = UnixDatagram::unbound().and_then(|datagram| {
        datagram.set_nonblocking(true)?;
        datagram.send_to(message.as_bytes(), socket)
    });
    match sent {
        Ok(_) => Ok(()),
        Err(error) => Err(Clean::line(&format!(
            "the chain's head did not reach the system's log at {} ({error}); it stands in the state folder only",
            socket.display()
        ))),
    }
}

/// Tells the system's log why an executor failed: its own standard error leads nowhere.
pub fn log_failure(why: &str) {
    // Whoever could be told that nobody listens there is gone as well.
    let _ = to_syslog(Path::new(SYSLOG), &format!("vakt-run failed {}", Clean::line(why)));
}
