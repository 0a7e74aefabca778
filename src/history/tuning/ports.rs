//! Settings of the ports of Open vSwitch, one row for each port, by what is polled anyway.

use super::{Limits, Row};
use crate::model::{
    figure::{Figure, Unknown},
    inventory::Node,
    ovs::{Interface, InterfaceKind},
    port_setting::PortSetting,
    text::Clean,
    tuning::{Advice, Setting},
    world::NodeFacts,
};

/// The rows of one setting on one node. Where nobody has set what is usually unset, there is no row: a switch has many ports.
pub(super) fn rows(setting: &'static Setting, node: &Node, facts: &NodeFacts) -> Vec<Row> {
    let Some(of_port) = PortSetting::find(&setting.key) else { return Vec::new() };
    let row = |object: Option<Clean>, running: Figure<Clean>| Row {
        node: node.name.clone(),
        setting,
        object,
        name: Figure::Known(Clean::line(&setting.key)),
        running,
        configured: Figure::Unknown(Unknown::NotOffered),
        default: Figure::Known(of_port.default().into()),
        limits: Limits { choices: vec![of_port.range().into()], ..Limits::default() },
        advice: Advice::Nothing,
        marks: Vec::new(),
    };
    let Some(switch) = facts.ovs.last() else {
        let is_expected = node.ovs.as_ref().is_some_and(|socket| socket.is_expected);
        return is_expected.then(|| row(None, Figure::Unknown(Unknown::NotReadYet))).into_iter().collect();
    };
    let is_usual = |running: &Figure<String>| running.as_ref().known().is_some_and(|value| value == of_port.default());
    let mut rows: Vec<Row> = Vec::new();
    for (_, port, interface) in switch.sample.interfaces() {
        let running = of_port.running(port, interface);
        // A port that the switch made for the node itself is often down because nobody needs it.
        if of_port == PortSetting::Link && interface.kind != Figure::Known(InterfaceKind::System) {
            continue;
        }
        let is_shown = of_port == PortSetting::Tag && is_tagged(interface);
        let object = if of_port.table() == "Port" { &port.name } else { &interface.name };
        let is_told = rows.last().is_some_and(|last| last.object.as_ref() == Some(object));
        if !is_told && (is_shown || !is_usual(&running)) {
            rows.push(row(Some(object.clone()), running.map(|value| Clean::line(&value))));
        }
    }
    rows
}

/// Whether its VLAN is worth a row though none is set: cables to other bridges and hosts carry all of them.
fn is_tagged(interface: &Interface) -> bool {
    !matches!(interface.kind, Figure::Known(InterfaceKind::Patch(_) | InterfaceKind::Tunnel(_)))
}
