//! Figures over time, cut to as many columns as a chart has.

use super::Seen;
use crate::model::ids::NodeName;

/// What a chart may show of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trend {
    /// CPU busy, percent.
    Cpu,
    /// iowait, percent.
    Iowait,
}

/// The last samples of a figure, oldest first; `None` is a gap.
pub(crate) fn of_node(_seen: Seen<'_>, _node: &NodeName, _trend: Trend, columns: usize) -> Vec<Option<f32>> {
    vec![None; columns]
}
