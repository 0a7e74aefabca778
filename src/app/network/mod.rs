//! The network screen: every bridge, port and interface of all nodes, as a tree or as one table.
//!
//! Main types: [`Network`], [`PortView`].

mod daemon;
mod describe;
mod port;

pub(crate) use daemon::daemon_standing;
pub(crate) use describe::{details, in_short};
pub(crate) use port::{BridgeView, PortView, bridges};

use super::{
    Seen,
    rows::{self, RowId, contains, descending},
    screen::{ScreenState, Screens},
};
use crate::{
    model::{ids::NodeName, text::Clean, world::NodeFacts},
    rules::Finding,
};

/// The orders of the flat table; the first is the default.
pub(crate) const SORTS: [&str; 5] = ["drops, then rate", "rate", "errors", "node", "port"];
/// Sentences about what does not fit together that stand above the list at most.
const SENTENCES_MAX: usize = 4;

/// A row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NetworkRow<'a> {
    /// What does not fit together, as a sentence.
    Finding(&'a Finding),
    /// A node and its switch.
    Node(&'a NodeFacts),
    /// A bridge of it.
    Bridge(BridgeView<'a>),
    /// A port, or a member of a bond.
    Port(PortView<'a>),
}

/// The screen's rows.
#[derive(Debug)]
pub(crate) struct Network<'a> {
    /// What is shown, in order.
    pub(crate) rows: Vec<NetworkRow<'a>>,
    /// Whether it is the table of all ports.
    pub(crate) is_flat: bool,
    /// Nodes with a switch or a plain bridge.
    pub(crate) nodes: usize,
    /// Ports of all nodes, whatever is shown.
    pub(crate) ports: usize,
}

impl<'a> Network<'a> {
    /// The rows as the screen's state asks for them.
    pub(crate) fn of(seen: Seen<'a>, state: &ScreenState, screens: &Screens) -> Self {
        let mut network = Self { rows: Vec::new(), is_flat: screens.network_flat, nodes: 0, ports: 0 };
        let filter = state.filter.as_str();
        network.rows.extend(
            misfits(seen)
                .filter(|finding| {
                    contains(finding.subject.as_str(), filter) || contains(finding.sentence.as_str(), filter)
                })
                .take(SENTENCES_MAX)
                .map(NetworkRow::Finding),
        );
        let mut flat = Vec::new();
        for node in &seen.world.nodes {
            let bridges = port::bridges(node);
            network.nodes += usize::from(!bridges.is_empty());
            network.ports += bridges.iter().map(|bridge| bridge.ports().count()).sum::<usize>();
            if network.is_flat {
                let ports = bridges.iter().flat_map(|bridge| bridge.ports());
                // A bond as a whole would count its members twice.
                flat.extend(ports.filter(|port| !port.is_bond() && matches(seen, port, filter)));
            } else {
                network.rows.extend(tree(seen, node, &bridges, filter, screens));
            }
        }
        if network.is_flat {
            sort(seen, &mut flat, state.sort);
            network.rows.extend(flat.into_iter().map(NetworkRow::Port));
        }
        network
    }

    /// What the row at `place` is about.
    pub(crate) fn id(&self, place: usize) -> Option<RowId> {
        Some(match self.rows.get(place)? {
            NetworkRow::Finding(finding) => rows::finding_id(finding),
            NetworkRow::Node(node) => RowId::Node(node.name.clone()),
            NetworkRow::Bridge(bridge) => RowId::Bridge(bridge.node.name.clone(), bridge.name().clone()),
            NetworkRow::Port(port) => port.id(),
        })
    }
}

/// Findings about switches, in the order of the rules.
pub(crate) fn misfits(seen: Seen<'_>) -> impl Iterator<Item = &Finding> {
    seen.findings.iter().filter(|finding| finding.rule.as_str().starts_with("ovs."))
}

fn tree<'a>(
    seen: Seen<'a>,
    node: &'a NodeFacts,
    bridges: &[BridgeView<'a>],
    filter: &str,
    screens: &Screens,
) -> Vec<NetworkRow<'a>> {
    let mut rows = Vec::new();
    let whole_node = contains(node.name.as_str(), filter);
    for bridge in bridges {
        let whole = whole_node || contains(bridge.name().as_str(), filter);
        let ports: Vec<PortView<'a>> = bridge.ports().filter(|port| whole || matches(seen, port, filter)).collect();
        if ports.is_empty() && !whole {
            continue;
        }
        rows.push(NetworkRow::Bridge(*bridge));
        if !is_folded(screens, &node.name, Some(bridge.name())) || !filter.is_empty() {
            rows.extend(ports.into_iter().map(NetworkRow::Port));
        }
    }
    if is_folded(screens, &node.name, None) && filter.is_empty() {
        rows.clear();
    } else if rows.is_empty() && !whole_node {
        return rows;
    }
    // A node without a bridge is named where its switch cannot be read, so that it is not missed.
    let has_reason = node.ovs.failure().is_some() || node.ovs.last().is_some();
    if !bridges.is_empty() || has_reason {
        rows.insert(0, NetworkRow::Node(node));
    }
    rows
}

fn is_folded(screens: &Screens, node: &NodeName, bridge: Option<&Clean>) -> bool {
    screens.folded_switches.contains(&(node.clone(), bridge.cloned()))
}

fn matches(seen: Seen<'_>, port: &PortView<'_>, filter: &str) -> bool {
    filter.is_empty()
        || contains(port.node.name.as_str(), filter)
        || contains(port.bridge.name().as_str(), filter)
        || contains(port.name().as_str(), filter)
        || contains(&port.vlan_words(), filter)
        || contains(&port.kind_words(), filter)
        || contains(port.standing(seen).1, filter)
        || contains(&port.behind_words(seen), filter)
}

fn sort(seen: Seen<'_>, ports: &mut Vec<PortView<'_>>, order: usize) {
    // Figures are derived once a row.
    let now = seen.now.mono;
    let mut keyed: Vec<_> = std::mem::take(ports)
        .into_iter()
        .map(|port| {
            let rates = port.rates(now);
            let (drops, errors, bits) = (rates.drops_per_s(), rates.errors_per_s(), rates.bits_per_s());
            (
                drops.known().filter(|drops| *drops > 0.0),
                errors.known().filter(|errors| *errors > 0.0),
                bits.known(),
                port,
            )
        })
        .collect();
    match order {
        0 => keyed.sort_by(|a, b| descending(a.0, b.0).then(descending(a.2, b.2))),
        1 => keyed.sort_by(|a, b| descending(a.2, b.2)),
        2 => keyed.sort_by(|a, b| descending(a.1, b.1).then(descending(a.2, b.2))),
        3 => {}
        _ => keyed.sort_by(|a, b| a.3.name().cmp(b.3.name())),
    }
    ports.extend(keyed.into_iter().map(|(_, _, _, port)| port));
}
