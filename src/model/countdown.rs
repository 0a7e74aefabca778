//! A timer on a node that takes a change of its switch back by itself: what is known of it.

use super::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};

/// What a look at a node found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CountdownSample {
    /// The timer, if there is one.
    pub state: Figure<CountdownState>,
    /// The last one that ran out since the node started.
    pub ran: Option<RanOut>,
    /// The value that it is about, in its one text; `Missing` where the port is not there.
    pub value: Figure<Clean>,
}

/// What a timer does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountdownState {
    /// systemd does not run there, which would run it.
    NoSystemd,
    /// There is none.
    Idle,
    /// It runs.
    Armed {
        /// Whose it is.
        id: Clean,
        /// What is left of it, seconds; 0 where it ends with the next moment.
        left_s: u64,
        /// Whether systemd runs it, and its unit is enabled for the next start of the node.
        is_sure: bool,
    },
    /// It has run out, and the change is being taken back.
    Working {
        /// Whose it is.
        id: Clean,
    },
}

/// One that ran out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RanOut {
    /// Whose it was.
    pub id: Clean,
    /// Whether it took the change back; otherwise the value was another one, and was left alone.
    pub took_back: bool,
    /// The time of day on the node.
    pub at: Clean,
}
