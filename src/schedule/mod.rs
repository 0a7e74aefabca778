//! What is due: one in flight per node and probe, missed ticks skipped, the focused node first.

use crate::{
    model::{ids::NodeName, inventory::Inventory, time::Mono},
    wire::probe::ProbeId,
};
use serde::{Deserialize, Serialize};

/// The polling plan of all nodes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Schedule {}

impl Schedule {
    /// Nothing is due until a node is up.
    pub fn new(_inventory: &Inventory) -> Self {
        Self {}
    }

    /// The node's connection is up: its probes are due now.
    pub fn node_up(&mut self, _node: &NodeName, _now: Mono) {}

    /// The node's connection is gone: nothing is due, nothing is in flight.
    pub fn node_down(&mut self, _node: &NodeName) {}

    /// Takes what is due now and marks it as in flight.
    pub fn take_due(&mut self, _now: Mono) -> Vec<(NodeName, ProbeId)> {
        Vec::new()
    }

    /// An answer or failure arrived: no longer in flight.
    pub fn finished(&mut self, _node: &NodeName, _probe: ProbeId, _now: Mono) {}

    /// The next moment at which something is due, for the loop's timer.
    pub fn next_due(&self) -> Option<Mono> {
        None
    }

    /// The operator asked: this node's probes are due now.
    pub fn hurry(&mut self, _node: &NodeName, _now: Mono) {}
}
