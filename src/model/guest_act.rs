//! What can be done with a guest as a whole, as a value.

use super::{
    ids::NodeName,
    intent::{DEADLINE_MS_DEFAULT, duration_word},
};
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
    /// `vm.migrate`: it moves to another hypervisor, running.
    Migrate {
        /// Which.
        to: NodeName,
        /// How long it may take, or it stays where it is.
        deadline_ms: u64,
    },
}

/// How long a guest may take to move, unless the operator says otherwise.
pub const MIGRATION_DEADLINE_MS_DEFAULT: u64 = 600_000;

impl GuestAct {
    /// The id of each action, in the order of the registry.
    pub const IDS: [&'static str; 6] =
        ["vm.suspend", "vm.resume", "vm.start", "vm.shutdown", "vm.reset", Self::MIGRATE];
    /// The id of the one that names a node.
    pub const MIGRATE: &'static str = "vm.migrate";

    /// The action of that id, with what was asked for; `None` for another id, or without the node that it needs.
    pub fn parse(id: &str, to: Option<NodeName>, deadline_ms: Option<u64>) -> Option<Self> {
        if id == Self::MIGRATE {
            return Some(Self::Migrate { to: to?, deadline_ms: deadline_ms.unwrap_or(MIGRATION_DEADLINE_MS_DEFAULT) });
        }
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
            Self::Migrate { .. } => Self::MIGRATE,
        }
    }

    /// The value of `--deadline`, where it has one.
    pub fn deadline_word(&self) -> Option<String> {
        match self {
            Self::Shutdown { deadline_ms } | Self::Reset { deadline_ms } | Self::Migrate { deadline_ms, .. } => {
                Some(duration_word(*deadline_ms))
            }
            Self::Suspend | Self::Resume | Self::Start => None,
        }
    }

    /// The value of `--to`, where it has one.
    pub fn to(&self) -> Option<&NodeName> {
        match self {
            Self::Migrate { to, .. } => Some(to),
            _ => None,
        }
    }

    /// What takes it back, `from` being where the guest was before; nothing where nothing does.
    pub fn back(&self, from: Option<&NodeName>) -> Option<Self> {
        match self {
            Self::Suspend => Some(Self::Resume),
            Self::Resume => Some(Self::Suspend),
            Self::Start => Some(Self::Shutdown { deadline_ms: DEADLINE_MS_DEFAULT }),
            Self::Shutdown { .. } => Some(Self::Start),
            Self::Reset { .. } => None,
            Self::Migrate { deadline_ms, .. } => {
                from.map(|from| Self::Migrate { to: from.clone(), deadline_ms: *deadline_ms })
            }
        }
    }
}
