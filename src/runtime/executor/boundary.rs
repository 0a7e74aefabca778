//! Where a run may be cut short: every place at which something has just become durable, or is about to.
//!
//! For tests only: `VAKT_FAULT=kill@N` lets the executor kill itself at the Nth boundary, `VAKT_FAULT=panic@N` panic
//! there, `VAKT_FAULT=count` writes to standard error how many it passed.

use rustix::process::{Signal, getpid, kill_process};
use std::io::Write;

/// The variable that asks for a fault.
pub const VARIABLE: &str = "VAKT_FAULT";

/// The boundaries of one run.
#[derive(Debug, Default)]
pub(super) struct Boundaries {
    passed: u64,
    kill_at: Option<u64>,
    panic_at: Option<u64>,
    counts: bool,
}

impl Boundaries {
    /// As the environment asks; without it, boundaries do nothing.
    pub(super) fn from_environment() -> Self {
        let asked = std::env::var(VARIABLE).unwrap_or_default();
        let number = |kind: &str| asked.strip_prefix(kind).and_then(|number| number.parse().ok());
        Self { passed: 0, kill_at: number("kill@"), panic_at: number("panic@"), counts: asked == "count" }
    }

    /// One more.
    pub(super) fn pass(&mut self) {
        self.passed += 1;
        if self.kill_at == Some(self.passed) {
            // As the out-of-memory killer would: nothing of ours runs after it.
            let _ = kill_process(getpid(), Signal::KILL);
        }
        #[expect(clippy::panic, reason = "a fault of vakt, as a test asks for it")]
        if self.panic_at == Some(self.passed) {
            std::panic::panic_any("asked for by a test");
        }
    }

    /// The run is over.
    pub(super) fn told(&self) {
        if self.counts {
            let _ = writeln!(std::io::stderr(), "{}", self.passed);
        }
    }
}
