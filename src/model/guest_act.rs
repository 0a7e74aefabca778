//! What can be done with a guest as a whole, as a value.

use super::intent::{DEADLINE_MS_DEFAULT, duration_word};
use serde::{Deserialize, Serialize};

/// What is done with a guest. Adding one adds its row in [`GuestAct::IDS`] and a part in `plan::guest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestAct {
    /// `vm.suspend`: it stands still, its memory is kept.
    Suspend,
    /// `vm.resume`: it goes on.
    Resume,
    /// `vm.start`: it is switched on where it is defined.
    Start,
    /// `vm.shutdown`: its kernel is asked to shut down.
    Shutdown {
        /// How long it may take.
        deadline_ms: u64,
    },
    /// `vm.reset`: it begins anew, without being asked.
    Reset {
        /// How long its kernel may take to begin.
        deadline_ms: u64,
    },
}

impl GuestAct {
    /// The id of each action, in the order of the registry.
    pub const IDS: [&'static str; 5] = ["vm.suspend", "vm.resume", "vm.start", "vm.shutdown", "vm.reset"];

    /// The action of that id, with what was asked for; `None` for another id.
    pub fn parse(id: &str, deadline_ms: Option<u64>) -> Option<Self> {
        let deadline_ms = deadline_ms.unwrap_or(DEADLINE_MS_DEFAULT);
        Some(match id {
            "vm.suspend" => Self::Suspend,
            "vm.resume" => Self::Resume,
            "vm.start" => Self::Start,
            "vm.shutdown" => Self::Shutdown { deadline_ms },
            "vm.reset" => Self::Reset { deadline_ms },
            _ => return None,
        })
    }

    /// Its id.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Suspend => "vm.suspend",
            Self::Resume => "vm.resume",
            Self::Start => "vm.start",
            Self::Shutdown { .. } => "vm.shutdown",
            Self::Reset { .. } => "vm.reset",
        }
    }

    /// The value of `--deadline`, where it has one.
    pub fn deadline_word(&self) -> Option<String> {
        match self {
            Self::Shutdown { deadline_ms } | Self::Reset { deadline_ms } => Some(duration_word(*deadline_ms)),
            Self::Suspend | Self::Resume | Self::Start => None,
        }
    }

    /// What takes it back; nothing where nothing does.
    pub fn back(&self) -> Option<Self> {
        match self {
            Self::Suspend => Some(Self::Resume),
            Self::Resume => Some(Self::Suspend),
            Self::Start => Some(Self::Shutdown { deadline_ms: DEADLINE_MS_DEFAULT }),
            Self::Shutdown { .. } => Some(Self::Start),
            Self::Reset { .. } => None,
        }
    }
}
