//! The four endings of a run.

use crate::model::text::Clean;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a run ended, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// One of four.
    pub kind: EndingKind,
    /// Why, in one sentence.
    pub why: Clean,
    /// What should be known besides.
    pub notes: Vec<Clean>,
    /// What is true now, one line a node, read after the last step.
    pub now_true: Vec<Clean>,
    /// What to type, one command a line; only for *needs operator*.
    pub type_next: Vec<Clean>,
}

/// Every way a run can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndingKind {
    /// The goal holds; every step was verified.
    Reached,
    /// Everything that was done is undone, verified step by step.
    RolledBack,
    /// It ended on the way: nothing was changed, or it rests where the plan says it may.
    Stopped,
    /// vakt cannot go on safely; a person decides.
    NeedsOperator,
}

impl EndingKind {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::RolledBack => "rolled back",
            Self::Stopped => "stopped",
            Self::NeedsOperator => "needs operator",
        }
    }
}

impl fmt::Display for EndingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
