//! A single figure that is either known or unknown *for a reason*: never zero by default.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A figure, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Figure<T> {
    /// The node said so.
    Known(T),
    /// The node did not say, or what it said makes no sense.
    Unknown(Unknown),
}

/// Why a figure is unknown. `Display` is the sentence for the details pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unknown {
    /// Nothing has been read yet.
    NotReadYet,
    /// The kernel or the daemon does not offer this figure.
    NotOffered,
    /// A rate needs two samples and there is one.
    NeedsTwoSamples,
    /// The counter started again (a reload or reboot) between two samples.
    CounterReset,
    /// Nothing happened in the window, so a mean has no meaning.
    NothingHappened,
    /// The node sent something that could not be understood.
    Malformed,
    /// The login may not read it.
    NotPermitted,
    /// The node's answer does not contain it.
    Missing,
    /// Whoever reports it has been silent for longer than it should be.
    NotReported,
    /// What it measures does not run (lag while replication is stopped).
    NotRunning,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReadYet => "not read yet",
            Self::NotOffered => "not offered by this kernel or daemon",
            Self::NeedsTwoSamples => "needs a second sample",
            Self::CounterReset => "the counter started again",
            Self::NothingHappened => "nothing happened in the window",
            Self::Malformed => "the node sent something that is not understood",
            Self::NotPermitted => "the login may not read it",
            Self::Missing => "missing from the node's answer",
            Self::NotReported => "not reported for longer than usual",
            Self::NotRunning => "what it measures is not running",
        })
    }
}

impl<T> Default for Figure<T> {
    fn default() -> Self {
        Self::Unknown(Unknown::NotReadYet)
    }
}

impl<T> Figure<T> {
    /// The value, if known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// A borrowed view.
    pub fn as_ref(&self) -> Figure<&T> {
        match self {
            Self::Known(value) => Figure::Known(value),
            Self::Unknown(why) => Figure::Unknown(*why),
        }
    }

    /// Applies `f` to a known value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Figure<U> {
        match self {
            Self::Known(value) => Figure::Known(f(value)),
            Self::Unknown(why) => Figure::Unknown(why),
        }
    }

    /// Chains a computation that may itself be unknown.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Figure<U>) -> Figure<U> {
        match self {
            Self::Known(value) => f(value),
            Self::Unknown(why) => Figure::Unknown(why),
        }
    }

    /// Why it is unknown.
    pub fn why(&self) -> Option<Unknown> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(why) => Some(*why),
        }
    }

    /// From an option, naming the reason for `None`.
    pub fn from_option(value: Option<T>, why: Unknown) -> Self {
        value.map_or(Self::Unknown(why), Self::Known)
    }
}
