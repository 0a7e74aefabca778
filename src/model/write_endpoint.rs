//! What leads writes to the primary besides HAProxy, or in its place: a virtual address of the databases, or a command of
//! the operator's on the bastion.

use super::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The way of writes, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WriteEndpoint {
    /// A virtual address that the primary holds.
    pub address: Option<IpAddr>,
    /// A program on the bastion and its arguments; empty: none.
    pub command: Vec<String>,
    /// Longest time for one call of it, milliseconds.
    pub command_ms: u64,
}

impl WriteEndpoint {
    /// Whether anything but HAProxy leads writes.
    pub fn is_set(&self) -> bool {
        self.address.is_some() || !self.command.is_empty()
    }
}

/// What the command answered when it was asked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HookSample {
    /// The node that it leads writes to, by its own word. Unknown where it says that it cannot do its part, or says
    /// nothing that is one word.
    pub leads_to: Figure<Clean>,
    /// Why it cannot do its part, if it says so: its exit status and its words.
    pub objection: Option<Clean>,
}
