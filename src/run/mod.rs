//! Runs: a plan being carried out, step by step, journalled, verified, and undone when it fails.
//!
//! [`Machine`] is plain and synchronous: [`Machine::on`] takes one [`RunEvent`] and the time, and returns what is to be
//! done about it. Everything else is the executor's, vakt's own child process:
//!
//! 1. Lint the plan with its own inventory, open the journal, make a [`Machine::new`] and feed [`RunEvent::Started`].
//! 2. [`RunCommand::Journal`]: seal with [`journal::Writer`], append, fsync, then feed `Journalled`. On any error feed
//!    `JournalFailed`, once.
//! 3. [`RunCommand::Read`]: send the reads (several nodes at once), interpret with the probe, feed `Read` for each.
//! 4. [`RunCommand::Send`]: send once. Feed `NotSent` only when certainly nothing left; `ReplyLost` when in doubt.
//! 5. [`RunCommand::Wait`]: feed `Tick` at that moment or later, also when something else happened in between.
//! 6. [`RunCommand::End`]: send the chain's head to syslog, tell the console, exit.
//!
//! The records are the run's event stream too: the console and `--json` follow the journal. After a crash,
//! [`journal::read`] and [`Machine::recover`] take the run up again.
//!
//! What the machine guarantees, and `tests/run` proves for every plan, step and fault: a write leaves only after its
//! record is durable; none is sent twice; every run ends in one of four endings; *reached* and *rolled back* are said
//! only of what was read back.
//!
//! Deliberately absent: IO, clocks, locks between operators, choices.

mod ending;
mod event;
pub mod journal;
pub mod ledger;
pub mod left;
pub mod lock;
mod look;
mod machine;
pub mod progress;
mod record;
pub mod story;
mod summary;

pub use ending::{Ending, EndingKind};
pub use event::{RunCommand, RunEvent};
pub use machine::{Machine, NotRecoverable};
pub use progress::{Mark, Progress, StepProgress, duration};
pub use record::{BrokeGlass, Direction, Entry, Opening, Operator, Outcome, Record, Recovery};
pub use summary::{RunState, RunSummary, holds_until};
