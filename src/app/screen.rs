//! The screens there are, where the operator stands, and what each screen remembers.

use super::{list::Cursor, rows::RowId};
use crate::model::{
    ids::{NodeName, ProxyName, ServerName},
    text::Clean,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::collections::BTreeSet;

/// Every screen. The number before the name is the key that opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScreenId {
    /// Is it all right?
    Overview,
    /// Frontends, backends and servers of all load balancers.
    Traffic,
    /// Switches, ports and interfaces of all nodes.
    Network,
    /// Databases and how they replicate.
    Database,
    /// Hypervisors and the machines they carry.
    Machines,
    /// Every node as a row.
    Nodes,
    /// One node in depth.
    Node,
    /// Everything that is wrong.
    Findings,
    /// Runs, and what is changed but not permanent.
    Changes,
    /// What a single failure of each node would take down.
    WhatIf,
    /// Settings of databases, load balancers and kernels.
    Tune,
}

impl ScreenId {
    /// Every screen.
    pub const ALL: [Self; 11] = [
        Self::Overview,
        Self::Traffic,
        Self::Network,
        Self::Database,
        Self::Machines,
        Self::Nodes,
        Self::Node,
        Self::Findings,
        Self::Changes,
        Self::Tune,
        Self::WhatIf,
    ];

    /// The name on its tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Traffic => "Traffic",
            Self::Network => "Network",
            Self::Database => "Database",
            Self::Machines => "Machines",
            Self::Nodes => "Nodes",
            Self::Node => "Node",
            Self::Findings => "Findings",
            Self::Changes => "Changes",
            Self::WhatIf => "What if",
            Self::Tune => "Tune",
        }
    }

    /// The name on its tab where the terminal is too narrow for every title.
    pub(crate) fn short_title(self) -> &'static str {
        match self {
            Self::Network => "Net",
            Self::Database => "Data",
            Self::Machines => "VMs",
            Self::Changes => "Runs",
            Self::WhatIf => "If",
            other => other.title(),
        }
    }

    /// What the screen answers.
    pub fn doc(self) -> &'static str {
        match self {
            Self::Overview => "Is it all right? What is wrong, the path of the traffic, and every node.",
            Self::Traffic => {
                "Every frontend, backend and server of all load balancers. A server is one row while the load \
                 balancers agree about it; where they differ it opens into one row each. Sessions, queues and rates \
                 are sums over the load balancers."
            }
            Self::Network => "Every bridge, port and interface of all nodes, with rates, drops and errors.",
            Self::Database => "Every database: is it the disk or the locks, and how does it replicate?",
            Self::Machines => "Hypervisors with their capacity, and the machines they carry.",
            Self::Nodes => "Every node with its figures, those with a problem first.",
            Self::Node => "One host in depth: processor, disks, memory, network, and the connection to it.",
            Self::Findings => "Everything that is wrong, worst first, with what it rests on.",
            Self::Changes => {
                "Every run: who changed what, why, and how it ended; those that need somebody come first. Below: what \
                 is changed but not permanent, and whether each load balancer still has it so."
            }
            Self::Tune => {
                "Settings of databases, load balancers and kernels: how they run, what their files say, and what is advised. \
                 Nodes that say the same are one row; what stands out comes first."
            }
            Self::WhatIf => "What a single failure of each node would take down, the worst first.",
        }
    }

    /// The command that opens it, for screens with a tab of their own.
    pub(crate) fn command(self) -> Option<&'static str> {
        match self {
            Self::Overview => Some("go.overview"),
            Self::Traffic => Some("go.traffic"),
            Self::Network => Some("go.network"),
            Self::Database => Some("go.database"),
            Self::Machines => Some("go.machines"),
            Self::Nodes => Some("go.nodes"),
            Self::Findings => Some("go.findings"),
            Self::Changes => Some("go.changes"),
            Self::WhatIf => Some("go.what_if"),
            Self::Tune => Some("go.tune"),
            Self::Node => None,
        }
    }

    /// The tab that is lit while this screen is open.
    pub(crate) fn tab(self) -> Self {
        if self == Self::Node { Self::Nodes } else { self }
    }
}

/// Where the operator is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Which screen.
    pub(crate) screen: ScreenId,
    /// Of which node, on the node screen.
    pub(crate) node: Option<NodeName>,
}

impl Place {
    /// A screen that is about the whole cluster.
    pub(crate) fn new(screen: ScreenId) -> Self {
        Self { screen, node: None }
    }

    /// The node screen.
    pub(crate) fn node(name: NodeName) -> Self {
        Self { screen: ScreenId::Node, node: Some(name) }
    }
}

/// What a screen remembers while the operator is elsewhere.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ScreenState {
    /// The row.
    pub(crate) cursor: Cursor<RowId>,
    /// Only rows that contain this text.
    pub(crate) filter: String,
    /// Which of the screen's orders.
    pub(crate) sort: usize,
    /// More columns instead of more space.
    pub(crate) wide: bool,
    /// Whether the details pane is open; `None` while the operator has not said.
    pub(crate) details: Option<bool>,
    /// Whether keys move in the details pane.
    pub(crate) in_details: bool,
    /// First visible line of the details pane, or of the node screen.
    pub(crate) scroll: usize,
}

/// What all screens remember.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Screens {
    #[serde(deserialize_with = "one_per_screen")]
    states: [ScreenState; ScreenId::ALL.len()],
    /// Servers the operator opened into one row per load balancer.
    pub(crate) opened: BTreeSet<(ProxyName, ServerName)>,
    /// Backends the operator folded into their head.
    pub(crate) folded: BTreeSet<ProxyName>,
    /// Nodes and bridges that the operator folded into one row on the network screen.
    #[serde(default)]
    pub(crate) folded_switches: BTreeSet<(NodeName, Option<Clean>)>,
    /// Whether the network screen is the table of all ports instead of the tree.
    #[serde(default)]
    pub(crate) network_flat: bool,
}

/// A recording of an older vakt has fewer screens: the others were never opened.
fn one_per_screen<'de, D: Deserializer<'de>>(source: D) -> Result<[ScreenState; ScreenId::ALL.len()], D::Error> {
    let mut known = Vec::<ScreenState>::deserialize(source)?;
    known.resize_with(ScreenId::ALL.len(), ScreenState::default);
    known.try_into().map_err(|_| D::Error::custom("as many as there are screens"))
}

impl Screens {
    /// What `screen` remembers.
    pub(crate) fn of(&self, screen: ScreenId) -> &ScreenState {
        &self.states[screen as usize]
    }

    /// What `screen` remembers, to change it.
    pub(crate) fn of_mut(&mut self, screen: ScreenId) -> &mut ScreenState {
        &mut self.states[screen as usize]
    }
}
