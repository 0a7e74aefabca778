//! Everything that is known of the cluster, node by node, with ages. Owned by the application, changed only by `update`.

use super::{
    haproxy::HaproxyFacts,
    host::{HostFacts, HostProfile},
    ids::NodeName,
    inventory::Inventory,
    link::{Link, LinkState, Question},
    observation::Observed,
    time::Mono,
};
use serde::{Deserialize, Serialize};

/// The cluster as observed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct World {
    /// In the order of the inventory.
    pub nodes: Vec<NodeFacts>,
}

/// What is known of one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Its name in the inventory.
    pub name: NodeName,
    /// The connection.
    pub link: Link,
    /// CPU, memory, disks, interfaces.
    pub host: Observed<HostFacts>,
    /// Kernel, file systems, units.
    pub profile: Observed<HostProfile>,
    /// HAProxy, on nodes that have it.
    pub haproxy: Observed<HaproxyFacts>,
    /// Questions the connection waits for.
    pub questions: Vec<Question>,
}

/// A node in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Connected, facts fresh.
    Up,
    /// Not yet connected for the first time.
    Connecting,
    /// Connected before or still, facts too old.
    Stale,
    /// The connection is down, for a known reason.
    Unreachable,
}

impl NodeState {
    /// The word for people and for `status --json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Connecting => "connecting",
            Self::Stale => "stale",
            Self::Unreachable => "unreachable",
        }
    }
}

impl NodeFacts {
    /// A node of which nothing is known.
    pub fn new(name: NodeName) -> Self {
        Self {
            name,
            link: Link::default(),
            host: Observed::default(),
            profile: Observed::default(),
            haproxy: Observed::default(),
            questions: Vec::new(),
        }
    }

    /// The state in one word: a broken connection first, then the age of the newest host facts.
    pub fn state(&self, now: Mono, stale_after_ms: u64) -> NodeState {
        if self.link.lost().is_some() {
            return NodeState::Unreachable;
        }
        match self.host.age_ms(now) {
            Some(age_ms) if age_ms <= stale_after_ms => NodeState::Up,
            Some(_) => NodeState::Stale,
            None if matches!(self.link.state, LinkState::Up)
                && self.link.up_at.is_some_and(|up| now.since_ms(up.mono) > stale_after_ms) =>
            {
                NodeState::Stale
            }
            None => NodeState::Connecting,
        }
    }
}

impl World {
    /// A world in which nothing is known yet.
    pub fn new(inventory: &Inventory) -> Self {
        Self { nodes: inventory.nodes.iter().map(|node| NodeFacts::new(node.name.clone())).collect() }
    }

    /// The node of that name.
    pub fn node(&self, name: &NodeName) -> Option<&NodeFacts> {
        self.nodes.iter().find(|node| &node.name == name)
    }

    /// The node of that name, to change it.
    pub fn node_mut(&mut self, name: &NodeName) -> Option<&mut NodeFacts> {
        self.nodes.iter_mut().find(|node| &node.name == name)
    }
}
