//! What the database of a switch told: ports whose state is another one are noted, rates are derived.

use crate::{
    app::{App, rows::RowId, standing::Changes},
    history,
    model::{
        ids::NodeName,
        ovs::{Interface, OvsFacts, OvsReading, Port},
        text::Clean,
        time::Mono,
    },
};
use std::collections::BTreeMap;

pub(super) fn database(app: &mut App, name: &NodeName, reading: OvsReading) {
    let now = app.now;
    let Some(node) = app.world.node_mut(name) else { return };
    let Some(sample) = reading.sample else {
        node.ovs.confirm(now);
        return;
    };
    let earlier = node.ovs.last().cloned();
    // The moment at which the daemon's figures came, which lies a little before the poll that took them along.
    let at = Mono(now.mono.0.saturating_sub(reading.round_age_ms));
    let facts = match &earlier {
        // An age reaches back at most to what was known before; figures of one moment make no rate.
        Some(before) => history::ovs::derive(Some(before.clone()), sample, at.max(before.counted_at.unwrap_or(at))),
        None => history::ovs::derive(None, sample, at),
    };
    if let Some(earlier) = &earlier {
        note_changes(&mut app.changes, name, earlier, &facts, now.mono);
    }
    node.ovs.take(facts, now);
}

/// Notes ports that an operator would call different now.
fn note_changes(changes: &mut Changes, node: &NodeName, earlier: &OvsFacts, newer: &OvsFacts, now: Mono) {
    let before: BTreeMap<&Clean, (&Port, &Interface)> =
        earlier.sample.interfaces().map(|(_, port, interface)| (&interface.id, (port, interface))).collect();
    for (bridge, port, interface) in newer.sample.interfaces() {
        let is_same = before.get(&interface.id).is_some_and(|(old_port, old)| {
            old_port.vlan == port.vlan
                && old.link == interface.link
                && old.admin == interface.admin
                && old.ofport == interface.ofport
                && old.error == interface.error
                && old.mtu_bytes == interface.mtu_bytes
        });
        if !is_same {
            let interface = Some(interface.name.clone());
            let id = RowId::Port(node.clone(), bridge.name.clone(), port.name.clone(), interface);
            changes.note(id, now);
        }
    }
}
