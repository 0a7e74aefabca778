//! Everything that can happen, as one serialisable value with its time.

use crate::{
    model::{
        ids::NodeName,
        link::{LinkEvent, Question},
        log::LogPage,
        text::Clean,
        time::Now,
        trouble::Trouble,
    },
    plan::{PlanId, Reason},
    rules::Acknowledgements,
    run::{Record, RunSummary, ledger::Ledger, lock::LockState},
    wire::probe::{Complaint, Facts, ProbeId},
};
use serde::{Deserialize, Serialize};

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Msg {
    /// When the loop took it.
    pub at: Now,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The loop's timer: something may be due, ages have moved.
    Tick,
    /// A key.
    Key(Key),
    /// The mouse.
    Mouse(Mouse),
    /// A bracketed paste, as one text.
    Paste(String),
    /// The terminal's size in cells.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// A connection changed.
    Link {
        /// Whose.
        node: NodeName,
        /// How.
        event: LinkEvent,
    },
    /// A connection waits for the operator.
    Question {
        /// Whose.
        node: NodeName,
        /// For what.
        question: Question,
    },
    /// A question needs no answer any more.
    QuestionGone {
        /// Whose.
        node: NodeName,
        /// Which.
        id: u64,
    },
    /// A probe finished.
    Report(Report),
    /// A log was read.
    Log {
        /// The number of the question.
        number: u64,
        /// Lines, or why there are none.
        outcome: Result<LogPage, Trouble>,
    },
    /// What is known about runs, the lock and wishes has changed.
    Standing(Box<Standing>),
    /// What an operator noted was not written down, or what one asked of a run was not heard, and why: it does not hold.
    NotKept(Clean),
    /// News of the run this console follows.
    Run {
        /// Which.
        run: PlanId,
        /// What.
        news: RunNews,
    },
    /// The flight recorder stopped, or has lost something.
    Recorder(RecorderNews),
    /// The program was asked to end (SIGTERM, SIGINT from outside) or comes back from a suspension.
    Signal(Signal),
}

/// Runs, lock and ledger of this cluster, as the state folder and the nodes tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// The newest first, bounded.
    pub runs: Vec<RunSummary>,
    /// Who acts now.
    pub lock: LockState,
    /// What operators want.
    pub ledger: Ledger,
    /// Which findings they have seen.
    #[serde(default)]
    pub acknowledged: Acknowledgements,
    /// Why the state folder cannot be used; then nothing can be changed.
    pub trouble: Option<Clean>,
}

/// What a console hears of a run it began or attached to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunNews {
    /// Records that were not told yet, in order, from the first one on.
    Records(Vec<Record>),
    /// What stopping would do now.
    StopWould(Clean),
    /// What the newest look saw while it waits; nothing when the wait is over.
    Seen(Vec<Clean>),
    /// It did not start, and nothing was sent: every reason, with cures.
    NotStarted(Vec<Reason>),
    /// Its executor is gone and left no ending: the run is interrupted.
    Vanished(Clean),
}

/// What the flight recorder tells. It never stops the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecorderNews {
    /// The disk is slower than the cluster: so many messages are missing so far.
    Lost(u64),
    /// It records no longer, and why.
    Stopped(Clean),
}

/// The outcome of one run of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whose.
    pub node: NodeName,
    /// Which.
    pub probe: ProbeId,
    /// Facts, or why there are none.
    pub outcome: Result<Facts, Trouble>,
    /// What was odd in the answers.
    pub complaints: Vec<Complaint>,
    /// From the first request to the last byte, milliseconds.
    pub round_trip_ms: u64,
}

/// Signals that reach the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// End now, cleanly.
    Terminate,
    /// Back from a suspension: draw everything.
    Continue,
}

/// A key press: our own type, so that the core knows no terminal library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// Control held.
    pub ctrl: bool,
    /// Alt held.
    pub alt: bool,
    /// Shift held; for characters the character itself says it.
    pub shift: bool,
}

/// Keys the console may bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum KeyCode {
    Char(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    F(u8),
    /// A key that was typed into a secret prompt, in a recording.
    Redacted,
}

/// A mouse action in cells from the top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mouse {
    /// Column.
    pub column: u16,
    /// Row.
    pub row: u16,
    /// What.
    pub action: MouseAction,
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MouseAction {
    /// Left button pressed.
    Click,
    /// Wheel.
    ScrollUp,
    /// Wheel.
    ScrollDown,
}
