//! Starting an executor: vakt once more, with a job on its standard input.

use super::{
    boundary,
    job::{self, Job, Reply},
    start::internal,
};
use crate::{
    plan::{PlanId, Reason},
    runtime::{lines::Lines, passphrases::Passphrases},
};
use std::{io, process::Stdio, time::Duration};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

/// Longest wait until it says whether the run was opened: locks on nodes need connections.
const OPENED_WAIT: Duration = Duration::from_secs(60);
/// Longest line that it says: every reason why not.
const REPLY_BYTES_MAX: usize = 1024 * 1024;
/// The running program, also after its file was replaced.
const OURSELVES: &str = "/proc/self/exe";

/// An executor whose run is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// The run.
    pub run: PlanId,
}

/// Starts an executor and waits until its run is open; otherwise every reason why not.
pub async fn launch(job: &Job, passphrases: &Passphrases) -> Result<Launched, Vec<Reason>> {
    let failed = |error: io::Error| internal(&format!("no process could be started for it: {error}"));
    let mut command = Command::new(OURSELVES);
    command.arg0("vakt").arg("execute").stdin(Stdio::piped()).stdout(Stdio::piped());
    // It lives longer than our terminal, and nobody may wait for it at the end of a pipe.
    let is_tested = std::env::var_os(boundary::VARIABLE).is_some();
    command.stderr(if is_tested { Stdio::inherit() } else { Stdio::null() });
    let mut child = command.spawn().map_err(failed)?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(internal("its standard streams are missing"));
    };
    // Reaps it when it ends before us.
    tokio::spawn(async move { child.wait().await });
    let line = job::line(job, passphrases).map_err(|error| internal(&format!("the job cannot be written: {error}")))?;
    // An executor that refuses at once may not read it all; its reply says why.
    let _ = stdin.write_all(&line).await;
    drop((stdin, line));
    let mut lines = Lines::new(stdout, REPLY_BYTES_MAX);
    let said = timeout(OPENED_WAIT, lines.next()).await;
    match said.ok().flatten().map(|line| serde_json::from_slice(&line)) {
        Some(Ok(Reply::Opened)) => Ok(Launched { run: job.what.run().clone() }),
        Some(Ok(Reply::NotStarted { reasons })) => Err(reasons),
        Some(Err(error)) => Err(internal(&format!("what it said is not understood: {error}"))),
        None => {
            Err(internal("its process ended, or said nothing for a minute; vakt runs list shows whether it was opened"))
        }
    }
}
