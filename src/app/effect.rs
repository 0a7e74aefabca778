//! Everything the console wants done, as values: printable, comparable, assertable.

use crate::{model::ids::NodeName, wire::probe::ProbeId};
use std::fmt;

/// What the runtime is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Run a probe.
    Poll {
        /// On which node.
        node: NodeName,
        /// Which.
        probe: ProbeId,
    },
    /// Give the transport the operator's answer.
    Answer {
        /// Whose question.
        node: NodeName,
        /// Which question.
        question: u64,
        /// The answer.
        answer: Reply,
    },
    /// Try this node's connection again now.
    Reconnect {
        /// Which node.
        node: NodeName,
    },
    /// Put text on the operator's clipboard (OSC 52).
    Copy(String),
    /// Forget what is on the terminal and draw every cell again.
    Redraw,
    /// Stop the process as the shell's job control does; drawing goes on afterwards.
    Suspend,
    /// End.
    Quit,
}

/// An answer to a question of the transport.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// A secret as typed. Never printed.
    Secret(String),
    /// Yes.
    Accept,
    /// No.
    Refuse,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::Accept => "Accept",
            Self::Refuse => "Refuse",
        })
    }
}
