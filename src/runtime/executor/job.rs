//! What an executor is told to do: one line of JSON on its standard input, and one line back.

use crate::{
    model::{inventory::Inventory, text::Clean},
    plan::{Plan, PlanId, Reason},
    run::{Operator, Recovery},
    runtime::passphrases::{Known, Passphrases},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Longest job: the inventory of a thousand nodes and the largest plan take a fraction of it.
pub(super) const JOB_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Read at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// Longest wait for a part of it: whoever starts an executor writes it at once.
const JOB_WAIT: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// Everything an executor needs to know; it reads no configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The cluster, with what the command line overrides.
    pub inventory: Inventory,
    /// The state folder.
    pub state: PathBuf,
    /// Who wants it.
    pub operator: Operator,
    /// What.
    pub what: What,
    /// Whether it acts although somebody else holds the lock: the operator's reason.
    pub break_glass: Option<Clean>,
    /// The socket of a simulated cluster that takes the place of the nodes.
    pub simulation: Option<PathBuf>,
}

/// Which run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A new one.
    Begin {
        /// The plan as it was confirmed.
        plan: Box<Plan>,
    },
    /// One that was interrupted, or that needs an operator.
    Recover {
        /// Which.
        run: PlanId,
        /// Which way.
        choice: Recovery,
    },
}

impl What {
    /// The run's name.
    pub fn run(&self) -> &PlanId {
        match self {
            Self::Begin { plan } => &plan.id,
            Self::Recover { run, .. } => run,
        }
    }
}

/// The executor's one line on standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The first record is durable; followers can connect.
    Opened,
    /// Nothing was sent, and nothing will be.
    NotStarted {
        /// Every reason.
        reasons: Vec<Reason>,
    },
}

/// The line as it is read.
#[derive(Deserialize)]
struct Line {
    job: Job,
    passphrases: Vec<Known>,
}

/// The line for a job; wiped when it is dropped.
pub(super) fn line(job: &Job, passphrases: &Passphrases) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let job = serde_json::to_vec(job)?;
    let passphrases = passphrases.exposed()?;
    let parts: [&[u8]; 5] = [b"{\"job\":", &job, b",\"passphrases\":", &passphrases, b"}\n"];
    let mut line = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        line.extend_from_slice(part);
    }
    Ok(line)
}

/// The job on standard input, or why there is none.
pub(super) fn from_stdin() -> Result<(Job, Passphrases), String> {
    let stdin = std::io::stdin();
    // Reserved at once and never moved, so that no copy of a secret stays behind. The kernel gives pages as they fill.
    let mut line = Zeroizing::new(Vec::with_capacity(JOB_BYTES_MAX));
    while line.last() != Some(&b'\n') && line.len() < JOB_BYTES_MAX {
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut ready, Some(&JOB_WAIT)) {
            Ok(0) => return Err("no job came".into()),
            Ok(_) => {}
            Err(error) => return Err(format!("standard input cannot be read: {error}")),
        }
        // Past the standard library's buffer, which nobody wipes.
        let mut chunk = Zeroizing::new([0; CHUNK_BYTES]);
        let room = CHUNK_BYTES.min(JOB_BYTES_MAX - line.len());
        match rustix::io::read(&stdin, &mut chunk[..room]) {
            Ok(0) => break,
            Ok(count) => line.extend_from_slice(&chunk[..count]),
            Err(error) => return Err(format!("standard input cannot be read: {error}")),
        }
    }
    let Line { job, passphrases } =
        serde_json::from_slice(&line).map_err(|error| format!("the job is not understood: {error}"))?;
    Ok((job, Passphrases::received(passphrases)))
}
