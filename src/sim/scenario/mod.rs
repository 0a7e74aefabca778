//! A cluster to simulate, and what happens to it over time.
//!
//! The files stand in `assets/scenarios`, each with its story in the comment at its top.

mod large;
mod read;

use super::{
    cluster::{HostFile, TrafficMix},
    fault::Fault,
};
use crate::{
    config::{self, FileMetadata, Problem},
    model::{inventory::Inventory, inventory::Role},
};
use std::{fmt::Write, path::Path};

/// The scenario that is shown when none is named.
pub const DEFAULT: &str = "seed";

/// Scenarios that come with the program: name and text.
const BUILT_IN: [(&str, &str); 7] = [
    ("seed", include_str!("../../../assets/scenarios/seed.toml")),
    ("web-down", include_str!("../../../assets/scenarios/web-down.toml")),
    ("spike", include_str!("../../../assets/scenarios/spike.toml")),
    ("mysql", include_str!("../../../assets/scenarios/mysql.toml")),
    ("writes-address", include_str!("../../../assets/scenarios/writes-address.toml")),
    ("two-small", include_str!("../../../assets/scenarios/two-small.toml")),
    ("crowded", include_str!("../../../assets/scenarios/crowded.toml")),
];

/// Nodes of a scenario at most.
pub const NODES_MAX: usize = 2_000;

/// A cluster and its script.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The name it is asked for by.
    pub name: String,
    /// One line about it.
    pub about: String,
    pub(super) cluster: String,
    pub(super) latency_ms: u64,
    /// Whether clients come to the holder of the virtual addresses only.
    pub(super) is_one_holder: bool,
    /// Whether HAProxy keeps its states over a reload.
    pub(super) keeps_state: bool,
    /// Whether the databases are MySQL, not MariaDB.
    pub(super) has_mysql: bool,
    pub(super) vips: Vec<String>,
    /// The virtual address by which writes come in, where it is not HAProxy; the databases may hold it.
    pub(super) writes: Option<String>,
    pub(super) nodes: Vec<HostFile>,
    pub(super) sites: Vec<Option<String>>,
    /// Whether each node has Open vSwitch.
    pub(super) switches: Vec<bool>,
    pub(super) backends: Vec<BackendFile>,
    /// Faults with their moment, milliseconds after the beginning, in order.
    pub(super) script: Vec<(u64, Fault)>,
}

/// A backend that every load balancer, or only some of them, serve.
#[derive(Debug, Clone)]
pub(super) struct BackendFile {
    pub(super) name: String,
    pub(super) frontend: String,
    pub(super) mode: &'static str,
    pub(super) algorithm: &'static str,
    pub(super) port: u16,
    /// Indices of nodes.
    pub(super) servers: Vec<usize>,
    pub(super) disabled: Vec<usize>,
    /// Indices of the load balancers; empty for all of them.
    pub(super) balancers: Vec<usize>,
    pub(super) weight: u64,
    pub(super) rise: u64,
    pub(super) fall: u64,
    pub(super) check_ms: u64,
    pub(super) server_sessions_max: u64,
    pub(super) sessions_max: u64,
    pub(super) mix: TrafficMix,
}

impl Scenario {
    /// The names of the scenarios that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The scenario of that name; `None` when there is none.
    pub fn built_in(name: &str) -> Option<Result<Self, Vec<Problem>>> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::read(name, Path::new(&format!("assets/scenarios/{name}.toml")), text))
    }

    /// The scenario that `text` describes, or everything that is wrong with it, in the order of the file.
    pub fn read(name: &str, path: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        read::scenario(name, path, text)
    }

    /// A cluster of `nodes` machines, two load balancers for every hundred of them.
    pub fn large(nodes: usize) -> Self {
        large::scenario(nodes)
    }

    /// The configuration that describes this cluster to vakt, as an operator would write it.
    pub fn configuration(&self) -> String {
        let mut text =
            format!("# Describes the simulated cluster `{}`.\n[cluster]\nname = \"{}\"\n", self.name, self.cluster);
        for ((node, site), has_switch) in self.nodes.iter().zip(&self.sites).zip(&self.switches) {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n[[node]]\nname = \"{}\"\nroles = [\"{}\"]\nmanagement = \"{}\"\nprivate = \"{}\"\n",
                node.name, node.role, node.management, node.private
            );
            if node.role == Role::Hypervisor {
                let _ = writeln!(text, "migration_uri = \"qemu+tls://{}/system\"", node.private);
            }
            if !has_switch {
                text.push_str("ovs_socket = \"none\"\n");
            }
            if let Some(public) = &node.public {
                let _ = writeln!(text, "public = \"{public}\"");
            }
            if let Some(site) = site {
                let _ = writeln!(text, "site = \"{site}\"");
            }
        }
        let of_edge = self.vips.iter().map(|vip| (vip, Role::Edge));
        for (vip, role) in of_edge.chain(self.writes.iter().map(|vip| (vip, Role::Database))) {
            let holders = self.nodes.iter().filter(|node| node.role == role);
            let holders: Vec<String> = holders.map(|node| format!("\"{}\"", node.name)).collect();
            let _ = write!(text, "\n[[vip]]\naddress = \"{vip}\"\nnodes = [{}]\n", holders.join(", "));
        }
        if let Some(address) = &self.writes {
            let _ = write!(text, "\n[write_endpoint]\naddress = \"{address}\"\n");
        }
        if self.nodes.iter().any(|node| node.role == Role::Database) {
            text.push_str("\n[mysql]\nreplication_user = \"replica\"\n");
        }
        text
    }

    /// The inventory of this cluster, with vakt's defaults for all settings.
    pub fn inventory(&self) -> Result<Inventory, Vec<Problem>> {
        let metadata = FileMetadata { mode: Some(0o600), home: None };
        config::load(Path::new("simulated.toml"), &self.configuration(), &metadata).map(|loaded| loaded.inventory)
    }
}
