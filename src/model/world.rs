//! Everything that is known of the cluster, node by node, with ages. Owned by the application, changed only by `update`.

use super::{
    certificates::CertificatesFacts,
    cut::CutSample,
    haproxy::HaproxyFacts,
    host::{HostFacts, HostProfile},
    hypervisor::{HypervisorFacts, HypervisorProfile},
    ids::NodeName,
    inventory::Inventory,
    link::{Link, LinkState, Question},
    linux_bridge::LinuxBridge,
    memcached::MemcachedFacts,
    mysql::{DaemonSample, MysqlFacts, SwitchoverSample},
    observation::Observed,
    ovs::OvsFacts,
    ovs_daemon::{OvsDetail, OvsLive},
    presence::PresenceFacts,
    private_network::PrivateNetworkFacts,
    services::ServicesFacts,
    time::Mono,
    tuning::TuningSample,
};
use serde::{Deserialize, Serialize};

/// The cluster as observed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct World {
    /// In the order of the inventory.
    pub nodes: Vec<NodeFacts>,
    /// Nodes that operators of this bastion took out of service as a whole, as its journals say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drained: Vec<NodeName>,
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
    /// The switch as its database says it, on nodes that have Open vSwitch.
    #[serde(default)]
    pub ovs: Observed<OvsFacts>,
    /// Its daemon and live counters.
    #[serde(default)]
    pub ovs_live: Observed<OvsLive>,
    /// Its bonds, learned addresses and flows.
    #[serde(default)]
    pub ovs_detail: Observed<OvsDetail>,
    /// Plain bridges of the kernel.
    #[serde(default)]
    pub bridges: Observed<Vec<LinuxBridge>>,
    /// MySQL or MariaDB, on nodes that have it.
    #[serde(default)]
    pub mysql: Observed<MysqlFacts>,
    /// Guests, on hypervisors.
    #[serde(default)]
    pub hypervisor: Observed<HypervisorFacts>,
    /// What a hypervisor has to give, and how its guests are defined.
    #[serde(default)]
    pub hypervisor_profile: Observed<HypervisorProfile>,
    /// Addresses, neighbours, keepalived.
    #[serde(default)]
    pub presence: Observed<PresenceFacts>,
    /// Listening sockets, workers of web servers, NFS mounts.
    #[serde(default)]
    pub services: Observed<ServicesFacts>,
    /// What a switchover of the database rests on, where there is one.
    #[serde(default)]
    pub switchover: Observed<SwitchoverSample>,
    /// The daemon of the database, by its machine's word.
    #[serde(default)]
    pub daemon: Observed<DaemonSample>,
    /// Addresses that it has cut off, where it has a database or HAProxy.
    #[serde(default)]
    pub cut: Observed<CutSample>,
    /// memcached, where it may be.
    #[serde(default)]
    pub memcached: Observed<MemcachedFacts>,
    /// Certificates, on load balancers.
    #[serde(default)]
    pub certificates: Observed<CertificatesFacts>,
    /// Round trips to other nodes.
    #[serde(default)]
    pub private_network: Observed<PrivateNetworkFacts>,
    /// Settings of kernel and database, and what files say of them.
    #[serde(default)]
    pub tuning: Observed<TuningSample>,
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
            ovs: Observed::default(),
            ovs_live: Observed::default(),
            ovs_detail: Observed::default(),
            bridges: Observed::default(),
            mysql: Observed::default(),
            hypervisor: Observed::default(),
            hypervisor_profile: Observed::default(),
            presence: Observed::default(),
            services: Observed::default(),
            switchover: Observed::default(),
            daemon: Observed::default(),
            cut: Observed::default(),
            memcached: Observed::default(),
            certificates: Observed::default(),
            private_network: Observed::default(),
            tuning: Observed::default(),
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
        let nodes = inventory.nodes.iter().map(|node| NodeFacts::new(node.name.clone())).collect();
        Self { nodes, drained: Vec::new() }
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
