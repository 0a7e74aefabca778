//! HAProxy's runtime API: `show info`, `show stat`, `show servers state`.

use super::{
    probe::{Complaint, Facts, Probe},
    request::{Reply, Request},
};
use crate::model::inventory::Node;

/// Reads one HAProxy process.
#[derive(Debug)]
pub struct HaproxyProbe;

impl Probe for HaproxyProbe {
    fn requests(&self, _node: &Node, _deadline_ms: u64) -> Vec<Request> {
        Vec::new()
    }

    fn interpret(&self, _replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        (None, Vec::new())
    }
}
