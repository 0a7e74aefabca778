//! What two or more samples say together: rates that know counter resets, and fixed rings of figures with gaps.

pub mod haproxy;
pub mod host;
pub mod recent;
pub mod series;

use crate::model::{haproxy::HaproxyFacts, host::HostFacts, ids::NodeName, time::Now};

/// Figures over time. (Branch `wire` fills this.)
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {}

impl History {
    /// Pushes a node's host figures.
    pub fn push_host(&mut self, _node: &NodeName, _facts: &HostFacts, _at: Now) {}
    /// Notes that a sample is missing.
    pub fn push_host_gap(&mut self, _node: &NodeName, _at: Now) {}
    /// Pushes a load balancer's figures.
    pub fn push_haproxy(&mut self, _node: &NodeName, _facts: &HaproxyFacts, _at: Now) {}
}
