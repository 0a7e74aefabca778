//! What can be expected of a node as a whole.

use super::super::expect::{Verdict, verdict};
use crate::{
    model::{hypervisor::DomainState, text::Clean},
    plan::haproxy::list_words,
    wire::probe::Facts,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What can be expected of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeExpect {
    /// No guest runs on it, or stands still there.
    NoGuest,
    /// Its libvirtd tells of its guests.
    TellsGuests,
}

impl NodeExpect {
    /// Judges what a hypervisor tells.
    pub(in crate::plan) fn judge(self, facts: &Facts) -> Verdict {
        let Facts::Guests(sample) = facts else { return Verdict::Unknown("the answer is about no guests".into()) };
        // One whose state is unknown may run.
        let active = sample.domains.iter().filter(|domain| domain.state.known().is_none_or(DomainState::is_active));
        let names: Vec<&str> = active.map(|domain| domain.name.as_str()).collect();
        let seen = if names.is_empty() { "no guest runs".to_owned() } else { format!("{} there", list_words(names)) };
        match self {
            Self::NoGuest => verdict(seen == "no guest runs", seen),
            Self::TellsGuests => verdict(true, seen),
        }
    }
}

impl fmt::Display for NodeExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoGuest => "no guest runs there",
            Self::TellsGuests => "its libvirtd answers",
        })
    }
}

/// The guests of a hypervisor in one line, for what is true after a run.
pub(super) fn words(facts: &Facts) -> Clean {
    NodeExpect::TellsGuests.judge(facts).seen().clone()
}
