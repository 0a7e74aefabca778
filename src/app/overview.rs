//! The overview's rows: runs that need somebody, the worst findings, then every node, those with a problem first.

use super::{
    Seen, changes,
    rows::{self, RowId},
};
use crate::{model::world::NodeFacts, rules::Finding, run::RunSummary};

/// A row of the overview.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OverviewRow<'a> {
    /// A run that a person has to decide about.
    Run(&'a RunSummary),
    /// Something is wrong.
    Finding(&'a Finding),
    /// A node.
    Node(&'a NodeFacts),
}

impl OverviewRow<'_> {
    /// What the row is about.
    pub(crate) fn id(&self) -> RowId {
        match self {
            Self::Run(run) => RowId::Run(run.id.clone()),
            Self::Finding(finding) => rows::finding_id(finding),
            Self::Node(node) => RowId::Node(node.name.clone()),
        }
    }
}

/// What comes first: runs that need somebody, then findings.
pub(crate) fn urgent(seen: Seen<'_>) -> impl Iterator<Item = OverviewRow<'_>> {
    changes::undecided(seen).map(OverviewRow::Run).chain(seen.findings.iter().map(OverviewRow::Finding))
}

/// How many of these the overview shows on a terminal of that height; the rest is on the findings screen.
pub(crate) fn findings_max(height: u16) -> usize {
    match height {
        0..28 => 3,
        28..45 => 5,
        _ => 10,
    }
}

/// The rows: at most `findings_max` urgent ones, then the nodes.
pub(crate) fn rows(seen: Seen<'_>, findings_max: usize) -> Vec<OverviewRow<'_>> {
    urgent(seen).take(findings_max).chain(rows::nodes(seen, 0, "").into_iter().map(OverviewRow::Node)).collect()
}
