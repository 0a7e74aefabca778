//! Verbs about nodes as a whole. None of them acts: each makes an intent and opens its plan.

use super::VERBS;
use crate::{
    app::{
        App, changes,
        command::{Command, Danger, Here},
        effect::Effect,
        planning,
        rows::RowId,
    },
    model::{
        ids::NodeName,
        intent::{Change, Intent},
        node_act::NodeAct,
    },
};

pub(in crate::app) const COMMANDS: &[Command] = &[
    Command {
        id: "change.drain_node",
        title: "Drain this node, over every layer",
        hint: "drain node",
        doc: "Opens the plan that takes a node out of service: its servers, addresses and guests, with what remains.",
        scope: VERBS,
        danger: Danger::Node,
        available,
        act: |app| plan(app, NodeAct::drain()),
    },
    Command {
        id: "change.undrain_node",
        title: "Return this node to service (undrain)",
        hint: "",
        doc: "Opens the plan that returns a drained node to service, once its health checks pass.",
        scope: VERBS,
        danger: Danger::Node,
        available,
        act: |app| plan(app, NodeAct::undrain()),
    },
];

fn available(here: &Here<'_>) -> Result<(), String> {
    changes::not_now(here.app)?;
    meant(here).map(|_| ())
}

fn plan(app: &mut App, act: NodeAct) -> Vec<Effect> {
    match meant(&Here::of(app)) {
        Ok(node) => planning::open(app, Intent::new(Change::Node { node, act }, None)),
        Err(reason) => app.notify(reason),
    }
    Vec::new()
}

/// The node of the row.
fn meant(here: &Here<'_>) -> Result<NodeName, String> {
    let name = match &here.row {
        Some(RowId::Node(name)) => name.clone(),
        Some(RowId::Server(_, server) | RowId::Share(_, server, _)) => NodeName::new(server.as_str()),
        Some(RowId::Finding(_, subject)) => NodeName::new(subject.as_str()),
        _ => return Err("No node is chosen here.".to_owned()),
    };
    match here.app.inventory.node(&name) {
        Some(_) => Ok(name),
        None => Err("No node is chosen here.".to_owned()),
    }
}
