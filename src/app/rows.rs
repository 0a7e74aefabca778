//! The rows of each screen, for moving, opening, copying and drawing alike.

use super::{
    App, Seen,
    changes::{self, ChangeRow},
    databases::{self, DatabaseRow},
    machines::{self, MachineRow},
    network::Network,
    overview::{self, OverviewRow},
    screen::ScreenId,
    standing,
    traffic::{self, Traffic},
    tune,
    what_if::{self, Failure},
};
use crate::{
    history::tuning::Fold,
    model::{
        figure::{Figure, Unknown},
        ids::{NodeName, ProxyName, ServerName},
        intent::ServerPath,
        text::Clean,
        world::NodeFacts,
    },
    plan::PlanId,
    rules::Finding,
};
use serde::{Deserialize, Serialize};
use std::cmp::{Ordering, Reverse};

/// What a row is about, so that a cursor can find it again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RowId {
    /// A finding, by rule and subject.
    Finding(Clean, Clean),
    /// A node.
    Node(NodeName),
    /// A frontend on all load balancers.
    Frontend(ProxyName),
    /// A backend on all load balancers.
    Backend(ProxyName),
    /// A server on all load balancers.
    Server(ProxyName, ServerName),
    /// A server as one load balancer sees it.
    Share(ProxyName, ServerName, NodeName),
    /// A bridge of a node.
    Bridge(NodeName, Clean),
    /// A port of a bridge, and which of its interfaces; a bond as a whole has no interface.
    Port(NodeName, Clean, Clean, Option<Clean>),
    /// A guest on a hypervisor.
    Guest(NodeName, Clean),
    /// A run.
    Run(PlanId),
    /// What is wanted of a server beyond the length of a run; whether it is about its weight.
    Wish(ServerPath, bool),
    /// A setting on a node, and on those that say the same.
    Setting(NodeName, Clean),
}

/// The rows of the current screen.
#[derive(Debug)]
pub(crate) enum Rows<'a> {
    /// Findings, then nodes.
    Overview(Vec<OverviewRow<'a>>),
    /// Frontends, backends, servers.
    Traffic(Traffic<'a>),
    /// Switches, bridges, ports.
    Network(Network<'a>),
    /// Nodes.
    Nodes(Vec<&'a NodeFacts>),
    /// Databases.
    Databases(Vec<DatabaseRow<'a>>),
    /// Findings.
    Findings(Vec<&'a Finding>),
    /// Runs and wishes.
    Changes(Vec<ChangeRow<'a>>),
    /// Hypervisors and guests.
    Machines(Vec<MachineRow<'a>>),
    /// The failure of each node.
    WhatIf(Vec<Failure<'a>>),
    /// Settings.
    Tune(Vec<Fold>),
    /// The node screen scrolls instead.
    None,
}

impl<'a> Rows<'a> {
    /// The rows of the screen the operator is on.
    pub(crate) fn of(app: &'a App) -> Self {
        let seen = app.seen();
        let state = app.screens.of(app.place.screen);
        match app.place.screen {
            ScreenId::Overview => Self::Overview(overview::rows(seen, overview::findings_max(app.size.height))),
            ScreenId::Traffic => Self::Traffic(Traffic::of(seen, state, &app.screens)),
            ScreenId::Network => Self::Network(Network::of(seen, state, &app.screens)),
            ScreenId::Nodes => Self::Nodes(nodes(seen, state.sort, &state.filter)),
            ScreenId::Findings => Self::Findings(findings(seen, &state.filter)),
            ScreenId::Machines => Self::Machines(machines::rows(seen, state.sort, &state.filter)),
            ScreenId::WhatIf => Self::WhatIf(what_if::failures(seen, &state.filter)),
            ScreenId::Tune => Self::Tune(tune::rows(seen, state.sort, &state.filter)),
            ScreenId::Changes => Self::Changes(changes::rows(seen, &state.filter)),
            ScreenId::Database => Self::Databases(databases::rows(seen, &state.filter)),
            ScreenId::Node => Self::None,
        }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Overview(rows) => rows.len(),
            Self::Traffic(traffic) => traffic.rows.len(),
            Self::Network(network) => network.rows.len(),
            Self::Nodes(rows) => rows.len(),
            Self::Databases(rows) => rows.len(),
            Self::Findings(rows) => rows.len(),
            Self::Changes(rows) => rows.len(),
            Self::Machines(rows) => rows.len(),
            Self::WhatIf(rows) => rows.len(),
            Self::Tune(rows) => rows.len(),
            Self::None => 0,
        }
    }

    /// What the row at `place` is about.
    pub(crate) fn id(&self, place: usize) -> Option<RowId> {
        match self {
            Self::Overview(rows) => rows.get(place).map(OverviewRow::id),
            Self::Traffic(traffic) => traffic.rows.get(place).map(|row| traffic.id(*row)),
            Self::Network(network) => network.id(place),
            Self::Nodes(rows) => rows.get(place).map(|node| RowId::Node(node.name.clone())),
            Self::Databases(rows) => rows.get(place).map(|row| RowId::Node(row.node.name.clone())),
            Self::Findings(rows) => rows.get(place).map(|finding| finding_id(finding)),
            Self::Changes(rows) => rows.get(place).and_then(ChangeRow::id),
            Self::Machines(rows) => rows.get(place).map(MachineRow::id),
            Self::WhatIf(rows) => rows.get(place).map(|failure| RowId::Node(failure.node.clone())),
            Self::Tune(rows) => rows.get(place).map(tune::id),
            Self::None => None,
        }
    }

    /// Whether the row at `place` is about `id`.
    pub(crate) fn is(&self, place: usize, id: &RowId) -> bool {
        match self {
            Self::Traffic(traffic) => traffic.rows.get(place).is_some_and(|row| traffic.is(*row, id)),
            _ => self.id(place).as_ref() == Some(id),
        }
    }

    /// The place of the current screen's cursor.
    pub(crate) fn place(&self, app: &App) -> Option<usize> {
        app.screens.of(app.place.screen).cursor.place(self.len(), |place, id| self.is(place, id))
    }

    /// The place a motion from `from` to `to` ends at: heads between rows are passed over.
    pub(crate) fn landing(&self, to: usize, from: usize) -> usize {
        if self.id(to).is_some() {
            return to;
        }
        let beyond = if to >= from { to + 1 } else { to.saturating_sub(1) };
        if self.id(beyond).is_some() { beyond } else { from }
    }

    /// What the cursor is on.
    pub(crate) fn current(&self, app: &App) -> Option<RowId> {
        self.place(app).and_then(|place| self.id(place))
    }
}

/// The row of a finding.
pub(crate) fn finding_id(finding: &Finding) -> RowId {
    RowId::Finding(finding.rule.clone(), finding.subject.clone())
}

/// The orders of the node list; the first is the default.
pub(crate) const NODE_SORTS: [&str; 7] = ["problem first", "name", "load", "cpu", "iowait", "memory", "network"];

/// Nodes in the chosen order.
pub(crate) fn nodes<'a>(seen: Seen<'a>, sort: usize, filter: &str) -> Vec<&'a NodeFacts> {
    let mut rows: Vec<&NodeFacts> =
        seen.world.nodes.iter().filter(|node| filter.is_empty() || node_matches(seen, node, filter)).collect();
    let descending = |rows: &mut Vec<&'a NodeFacts>, figure: fn(&NodeFacts) -> Option<f64>| {
        rows.sort_by(|a, b| descending(figure(a), figure(b)));
    };
    match sort {
        0 => rows.sort_by_cached_key(|node| Reverse(standing::of_node(seen, node).meaning.badness())),
        1 => rows.sort_by(|a, b| a.name.cmp(&b.name)),
        2 => descending(&mut rows, |node| {
            node.host.last().and_then(|host| host.sample.load.known()).map(|load| load.one_minute)
        }),
        3 => descending(&mut rows, |node| node.host.last().and_then(|host| host.cpu.known()).map(|cpu| cpu.busy())),
        4 => descending(&mut rows, |node| node.host.last().and_then(|host| host.cpu.known()).map(|cpu| cpu.iowait)),
        5 => descending(&mut rows, |node| node.host.last().and_then(|host| host.memory_used_percent.known())),
        _ => descending(&mut rows, |node| network_bits(node).known()),
    }
    rows
}

fn node_matches(seen: Seen<'_>, node: &NodeFacts, filter: &str) -> bool {
    contains(node.name.as_str(), filter)
        || seen.inventory.node(&node.name).is_some_and(|listed| {
            listed.roles.iter().any(|role| contains(role.word(), filter))
                || listed.site.as_deref().is_some_and(|site| contains(site, filter))
        })
        || contains(standing::of_node(seen, node).word, filter)
}

/// Larger first, unknown last.
pub(crate) fn descending(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// What a node sends and receives on its busiest interface: a bridge, bond or VLAN carries the same bytes as the card
/// below it, so adding them up would count them twice.
pub(crate) fn network_bits(node: &NodeFacts) -> Figure<f64> {
    let Some(host) = node.host.last() else { return Figure::default() };
    let both = host.interfaces.iter().map(|one| traffic::sum_f64([one.rx_bits_per_s, one.tx_bits_per_s].into_iter()));
    both.reduce(|a, b| if descending(a.known(), b.known()) == Ordering::Greater { b } else { a })
        .unwrap_or(Figure::Unknown(Unknown::Missing))
}

/// Findings that contain the filter, in the order of the rules: worst first, then oldest.
pub(crate) fn findings<'a>(seen: Seen<'a>, filter: &str) -> Vec<&'a Finding> {
    seen.findings
        .iter()
        .filter(|finding| {
            filter.is_empty()
                || contains(finding.subject.as_str(), filter)
                || contains(finding.sentence.as_str(), filter)
                || contains(finding.rule.as_str(), filter)
        })
        .collect()
}

/// Whether `text` contains `filter` without regard to case (filters are kept in lower case).
pub(crate) fn contains(text: &str, filter: &str) -> bool {
    if filter.is_empty() {
        return true;
    }
    if text.is_ascii() && filter.is_ascii() {
        let (text, filter) = (text.as_bytes(), filter.as_bytes());
        return text.windows(filter.len()).any(|window| window.eq_ignore_ascii_case(filter));
    }
    text.to_lowercase().contains(&filter.to_lowercase())
}
