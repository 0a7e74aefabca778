//! A setting that is given another value, as a value.

use super::text::Clean;
use serde::{Deserialize, Serialize};

/// Another value for a setting. Where it is and what it may be, `plan::tune` finds out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TuneAct {
    /// A node, or a role: every node that has it. Of a setting of a port, `NODE/PORT`.
    pub target: Clean,
    /// The setting, by the name of the catalogue or of a server.
    pub key: Clean,
    /// The value, as it was typed.
    pub value: Clean,
    /// What happens to the files that say it.
    #[serde(default, skip_serializing_if = "Keep::is_no")]
    pub keep: Keep,
}

/// What a change of a setting does to the files that say what a restart brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// They stay as they are.
    #[default]
    No,
    /// They say the new value.
    InFile,
    /// They are again what they were before vakt's last change of them.
    PutBack,
}

impl Keep {
    /// The options.
    pub const OPTIONS: [&'static str; 2] = ["--persist", "--put-back"];

    /// The option that means it.
    pub fn option(self) -> Option<&'static str> {
        let [in_file, put_back] = Self::OPTIONS;
        match self {
            Self::No => None,
            Self::InFile => Some(in_file),
            Self::PutBack => Some(put_back),
        }
    }

    /// What an option means.
    pub fn of_option(option: &str) -> Option<Self> {
        [Self::InFile, Self::PutBack].into_iter().find(|keep| keep.option() == Some(option))
    }

    /// Whether files stay.
    pub fn is_no(&self) -> bool {
        *self == Self::No
    }
}

impl TuneAct {
    /// The id of the action.
    pub const ID: &'static str = "tune.set";

    /// From the three words behind the action; none of them is an option.
    pub fn parse<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut word =
            || words.next().map(Clean::line).filter(|word| !word.is_empty() && !word.as_str().starts_with("--"));
        Some(Self { target: word()?, key: word()?, value: word()?, keep: Keep::No })
    }

    /// The node or role of the target.
    pub fn node_or_role(&self) -> &str {
        self.target.as_str().split('/').next().unwrap_or_default()
    }

    /// The change that takes this one back, where the value was `former` before.
    #[must_use]
    pub fn back(&self, former: Clean) -> Self {
        let keep = if self.keep == Keep::No { Keep::No } else { Keep::PutBack };
        Self { value: former, keep, ..self.clone() }
    }
}
