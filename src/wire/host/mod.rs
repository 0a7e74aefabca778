//! One batched read of `/proc` and `/sys`.

use super::{
    probe::{Complaint, Facts, Probe},
    request::{Reply, Request},
};
use crate::model::inventory::Node;

/// Figures that move every second.
#[derive(Debug)]
pub struct HostProbe;

impl Probe for HostProbe {
    fn requests(&self, _node: &Node, _deadline_ms: u64) -> Vec<Request> {
        Vec::new()
    }

    fn interpret(&self, _replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        (None, Vec::new())
    }
}

/// What changes rarely.
#[derive(Debug)]
pub struct HostProfileProbe;

impl Probe for HostProfileProbe {
    fn requests(&self, _node: &Node, _deadline_ms: u64) -> Vec<Request> {
        Vec::new()
    }

    fn interpret(&self, _replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        (None, Vec::new())
    }
}
