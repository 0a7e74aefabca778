//! What is done to a guest through libvirt: each is one call of its client library.

use serde::{Deserialize, Serialize};

/// One call that changes a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Its virtual CPUs stand still; its memory is kept.
    Suspend,
    /// They go on.
    Resume,
    /// It is switched on.
    Start,
    /// Its kernel is asked to shut down, as by the power button. The answer comes at once, the effect later or never.
    Shutdown,
    /// As by the reset button: its kernel is not asked.
    Reset,
}

impl Operation {
    /// What an operator would type after `virsh`.
    pub fn words(&self, guest: &str) -> String {
        let verb = match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Start => "start",
            Self::Shutdown => "shutdown --mode acpi",
            Self::Reset => "reset",
        };
        match verb.split_once(' ') {
            Some((verb, options)) => format!("{verb} {guest} {options}"),
            None => format!("{verb} {guest}"),
        }
    }
}

/// A guest as a write names it. Both must fit, or nothing is done: a name may have been given to another guest since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestIdentity {
    /// Its name on its hypervisor.
    pub name: String,
    /// Its UUID, as libvirt writes it.
    pub uuid: String,
}
