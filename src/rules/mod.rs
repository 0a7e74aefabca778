//! Findings: what is wrong, with evidence, since when.

use crate::model::{ids::NodeName, inventory::Inventory, text::Clean, time::Now, world::World};
use serde::{Deserialize, Serialize};

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a look.
    Warning,
    /// Service is lost or about to be.
    Critical,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule: "node.unreachable", "haproxy.server.down".
    pub rule: Clean,
    /// How bad.
    pub severity: Severity,
    /// The node it is about, for opening it; none for a fact about several.
    pub node: Option<NodeName>,
    /// What it is about, as the first column shows it: "web03", "web_cluster/web03".
    pub subject: Clean,
    /// One sentence: what is. ("Down on both load balancers: /health times out after 0.5 s")
    pub sentence: Clean,
    /// Values it rests on, one a line.
    pub evidence: Vec<Clean>,
    /// What to do.
    pub hint: Clean,
    /// Since when the condition holds.
    pub since: Now,
}

/// Keeps findings open across evaluations (hold time, hysteresis, `since`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rules {}

impl Rules {
    /// Every finding that holds now, worst first, then oldest.
    pub fn evaluate(&mut self, _world: &World, _inventory: &Inventory, _now: Now) -> Vec<Finding> {
        Vec::new()
    }
}
