//! The overview's rows: the worst findings, then every node, those with a problem first.

use super::{
    Seen,
    rows::{self, RowId},
};
use crate::{model::world::NodeFacts, rules::Finding};

/// A row of the overview.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OverviewRow<'a> {
    /// Something is wrong.
    Finding(&'a Finding),
    /// A node.
    Node(&'a NodeFacts),
}

impl OverviewRow<'_> {
    /// What the row is about.
    pub(crate) fn id(&self) -> RowId {
        match self {
            Self::Finding(finding) => rows::finding_id(finding),
            Self::Node(node) => RowId::Node(node.name.clone()),
        }
    }
}

/// How many findings the overview shows on a terminal of that height; the rest is on the findings screen.
pub(crate) fn findings_max(height: u16) -> usize {
    match height {
        0..28 => 3,
        28..45 => 5,
        _ => 10,
    }
}

/// The rows: at most `findings_max` findings, then the nodes.
pub(crate) fn rows(seen: Seen<'_>, findings_max: usize) -> Vec<OverviewRow<'_>> {
    let findings = seen.findings.iter().take(findings_max).map(OverviewRow::Finding);
    findings.chain(rows::nodes(seen, 0, "").into_iter().map(OverviewRow::Node)).collect()
}
