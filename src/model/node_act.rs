//! What can be done with a node as a whole, as a value.

use super::intent::{DEADLINE_MS_DEFAULT, duration_word};
use serde::{Deserialize, Serialize};

/// What is done with a node. Adding one adds its row in [`NodeAct::IDS`] and a part in `plan::node`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeAct {
    /// `node.drain`: whatever it does for others is done by others.
    Drain {
        /// How long sessions may take to end.
        deadline_ms: u64,
        /// What then.
        on_deadline: OnNodeDeadline,
    },
    /// `node.undrain`: it may serve again.
    Undrain {
        /// How long its health checks may take to pass.
        deadline_ms: u64,
    },
}

/// What happens to a node that is being drained and still has sessions at the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNodeDeadline {
    /// It gets no new sessions, keeps those it has, and the run ends *stopped*.
    #[default]
    Wait,
    /// Its sessions are closed, and it is drained.
    Force,
    /// It goes back into service.
    Abort,
}

impl OnNodeDeadline {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Wait, Self::Force, Self::Abort];

    /// The word of `--on-deadline`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Force => "force",
            Self::Abort => "abort",
        }
    }
}

impl NodeAct {
    /// The id of each action, in the order of the registry.
    pub const IDS: [&'static str; 2] = [Self::DRAIN, Self::UNDRAIN];
    /// The id of the one that takes a node out of service.
    pub const DRAIN: &'static str = "node.drain";
    /// The id of the one that takes it back.
    pub const UNDRAIN: &'static str = "node.undrain";

    /// A drain as it is when nothing more is said.
    pub fn drain() -> Self {
        Self::Drain { deadline_ms: DEADLINE_MS_DEFAULT, on_deadline: OnNodeDeadline::default() }
    }

    /// The same for the way back.
    pub fn undrain() -> Self {
        Self::Undrain { deadline_ms: DEADLINE_MS_DEFAULT }
    }

    /// The action of that id, with what was asked for; `None` for another id.
    pub fn parse(id: &str, deadline_ms: Option<u64>, on_deadline: Option<OnNodeDeadline>) -> Option<Self> {
        let deadline_ms = deadline_ms.unwrap_or(DEADLINE_MS_DEFAULT);
        match id {
            Self::DRAIN => Some(Self::Drain { deadline_ms, on_deadline: on_deadline.unwrap_or_default() }),
            Self::UNDRAIN => Some(Self::Undrain { deadline_ms }),
            _ => None,
        }
    }

    /// Its id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Drain { .. } => Self::DRAIN,
            Self::Undrain { .. } => Self::UNDRAIN,
        }
    }

    /// The value of `--deadline`.
    pub fn deadline_word(self) -> String {
        match self {
            Self::Drain { deadline_ms, .. } | Self::Undrain { deadline_ms } => duration_word(deadline_ms),
        }
    }

    /// The value of `--on-deadline`, where it is not the usual one.
    pub fn on_deadline_word(self) -> Option<&'static str> {
        match self {
            Self::Drain { on_deadline, .. } if on_deadline != OnNodeDeadline::default() => Some(on_deadline.word()),
            Self::Drain { .. } | Self::Undrain { .. } => None,
        }
    }

    /// What takes it back.
    #[must_use]
    pub fn back(self) -> Self {
        match self {
            Self::Drain { .. } => Self::undrain(),
            Self::Undrain { .. } => Self::drain(),
        }
    }
}
