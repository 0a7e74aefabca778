//! How a session of a database is named, and what of it an operator may end.

use super::{ids::NodeName, text::Clean};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One session of one database server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionPath {
    /// On which node.
    pub node: NodeName,
    /// The number that the server gives it.
    pub id: u64,
}

impl fmt::Display for SessionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.id)
    }
}

impl SessionPath {
    /// From `node/number`.
    pub fn parse(word: &str) -> Option<Self> {
        let (node, id) = word.split_once('/')?;
        let id = id.parse().ok().filter(|_| !node.is_empty())?;
        Some(Self { node: NodeName::new(Clean::line(node).as_str()), id })
    }
}

/// What of a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionPart {
    /// All of it.
    #[default]
    Session,
    /// Only the statement that it is in.
    Statement,
}

impl SessionPart {
    /// Every part.
    pub const ALL: [Self; 2] = [Self::Session, Self::Statement];

    /// The word of `--only`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Statement => "statement",
        }
    }
}
