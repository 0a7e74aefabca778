//! What is asked regularly: a probe names its requests and turns the replies into facts.

use super::{
    haproxy, host,
    request::{Reply, Request},
};
use crate::model::{
    haproxy::HaproxySample,
    host::{HostProfile, HostSample},
    inventory::{Node, PollSettings},
    text::Clean,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Every probe there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeId {
    /// `/proc` figures that move every second.
    Host,
    /// Kernel, file systems, units.
    HostProfile,
    /// HAProxy's three `show` commands.
    Haproxy,
}

impl ProbeId {
    /// Every probe, most wanted first.
    pub const ALL: [Self; 3] = [Self::Host, Self::Haproxy, Self::HostProfile];

    /// Whether `node` has what this probe asks.
    pub fn applies_to(self, node: &Node) -> bool {
        match self {
            Self::Host | Self::HostProfile => true,
            Self::Haproxy => node.haproxy_socket.is_some(),
        }
    }

    /// Its interval.
    pub fn interval_ms(self, poll: &PollSettings) -> u64 {
        match self {
            Self::Host => poll.host_ms,
            Self::HostProfile => poll.host_profile_ms,
            Self::Haproxy => poll.haproxy_ms,
        }
    }

    /// The probe itself.
    pub fn probe(self) -> &'static dyn Probe {
        match self {
            Self::Host => &host::HostProbe,
            Self::HostProfile => &host::HostProfileProbe,
            Self::Haproxy => &haproxy::HaproxyProbe,
        }
    }
}

impl fmt::Display for ProbeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Host => "host",
            Self::HostProfile => "host profile",
            Self::Haproxy => "haproxy",
        })
    }
}

/// Asks and understands.
pub trait Probe: Sync {
    /// The requests, sent one after another; all are reads.
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request>;
    /// What the replies (as many as requests) say. `None` when nothing at all was understood.
    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>);
    /// Whether replies may hold SQL statements, whose literals must be masked where replies are kept. Facts of such a
    /// probe must hold none: what is recorded of the world is not masked again, addresses apart.
    fn holds_statements(&self) -> bool;
}

/// What one run of a probe found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facts {
    /// Of [`ProbeId::Host`].
    Host(Box<HostSample>),
    /// Of [`ProbeId::HostProfile`].
    HostProfile(Box<HostProfile>),
    /// Of [`ProbeId::Haproxy`].
    Haproxy(Box<HaproxySample>),
}

/// Something in an answer that was not understood; the rest was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// What it is about: "diskstats", "show stat column scur".
    pub about: Clean,
    /// What is odd.
    pub text: Clean,
}

impl Complaint {
    /// A complaint from our words and the node's.
    pub fn new(about: impl AsRef<str>, text: impl AsRef<str>) -> Self {
        Self { about: Clean::line(about.as_ref()), text: Clean::line(text.as_ref()) }
    }
}
