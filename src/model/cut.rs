//! Addresses that a node has cut off: routes in its kernel that lead nowhere. A failover of a primary whose machine does
//! not answer leaves one on every replica and load balancer, until the old primary is back in replication.

use super::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// The first second of 2024. vakt marks a route with the second at which its plan was made; people count metrics from zero.
const MARK_MIN: u32 = 1_704_067_200;

/// What a look at a node found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CutSample {
    /// Routes to one address that lead nowhere.
    pub routes: Figure<Vec<CutRoute>>,
    /// Programs that cutting needs and that are not there: `ip`, `ss`.
    pub lacking: Vec<Clean>,
    /// The address that was asked about. Only a run asks.
    pub way: Option<Way>,
}

/// A route to one address that leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CutRoute {
    /// Which address.
    pub address: Ipv4Addr,
    /// Its metric; of a route of vakt the second since 1970 at which the plan was made.
    pub mark: u32,
    /// Whether the kernel tells senders that the address cannot be reached, as vakt's routes do.
    pub is_told: bool,
}

impl CutRoute {
    /// Whether vakt made it, as far as a metric can tell.
    pub fn is_ours(&self) -> bool {
        self.is_told && self.mark >= MARK_MIN
    }
}

/// How a node stands to one address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// Which address.
    pub address: Ipv4Addr,
    /// Whether the kernel would send there.
    pub leads: Figure<bool>,
    /// Connections with it, those left out that have ended on this side.
    pub connections: Figure<u64>,
}

impl CutSample {
    /// The route that cuts that address off, if one does.
    pub fn route(&self, address: Ipv4Addr) -> Figure<Option<CutRoute>> {
        self.routes.as_ref().map(|all| all.iter().find(|route| route.address == address).copied())
    }
}
