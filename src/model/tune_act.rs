//! A setting that is given another value, as a value.

use super::text::Clean;
use serde::{Deserialize, Serialize};

/// Another value for a setting. Where it is and what it may be, `plan::tune` finds out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TuneAct {
    /// A node, or a role: every node that has it.
    pub target: Clean,
    /// The setting, by the name of the catalogue or of a server.
    pub key: Clean,
    /// The value, as it was typed.
    pub value: Clean,
}

impl TuneAct {
    /// The id of the action.
    pub const ID: &'static str = "tune.set";

    /// From the three words behind the action; none of them is an option.
    pub fn parse<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut word =
            || words.next().map(Clean::line).filter(|word| !word.is_empty() && !word.as_str().starts_with("--"));
        Some(Self { target: word()?, key: word()?, value: word()? })
    }
}
