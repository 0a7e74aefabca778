//! The executor: vakt itself in a process of its own, which carries out one run and outlives whoever started it.
//!
//! `vakt execute` (hidden) reads one [`Job`] from standard input, says in one line on standard output whether the run
//! was opened, and carries it out. It has its own session, no terminal and no configuration; it connects only to the
//! nodes that the plan names. A console or `vakt do` starts it with [`launch`], follows its journal, and talks to it
//! over the socket in the folder of the run ([`control`]). When they die it goes on; when it dies the journal tells how
//! far it came, and another one takes it up.
//!
//! `start` is everything that may still be refused, and the last words; `drive` carries out what the machine wants;
//! `boundary` lets tests kill it at every moment that matters.
//!
//! Deliberately absent: choices (they are the plan's), and a second run in the same process.

mod boundary;
pub mod control;
mod drive;
pub mod job;
mod launch;
mod locks;
mod process;
mod start;

pub use boundary::VARIABLE as FAULT_VARIABLE;
pub use launch::{Launched, launch};

use super::state;
use crate::run::EndingKind;
use job::Reply;
use start::End;
use std::panic::AssertUnwindSafe;

/// How the process of a run ended, for its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executed {
    /// The run ended.
    Ended(EndingKind),
    /// Nothing was begun.
    NotStarted,
    /// vakt itself failed; an opened run is interrupted, its journal intact.
    Failed,
}

/// The whole process.
pub fn main() -> Executed {
    // Whatever goes wrong in here, the journal says how far the run came, and the system's log what it was.
    std::panic::set_hook(Box::new(|info| state::log_failure(&info.to_string())));
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        process::leave();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().ok()?;
        let end = runtime.block_on(carry_out());
        runtime.shutdown_background();
        Some(end)
    }));
    match outcome {
        Ok(Some(End::Run(kind))) => Executed::Ended(kind),
        Ok(Some(End::NotStarted)) => Executed::NotStarted,
        Ok(None) | Err(_) => Executed::Failed,
    }
}

async fn carry_out() -> End {
    match job::from_stdin() {
        Ok((job, passphrases)) => start::carry_out(job, passphrases).await,
        Err(why) => {
            start::reply(&Reply::NotStarted { reasons: start::internal(&why) });
            End::NotStarted
        }
    }
}
