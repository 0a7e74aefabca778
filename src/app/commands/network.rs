//! What only the network screen can do.

use super::LOOKS;
use crate::app::{
    App,
    command::{Command, Here, Scope},
    effect::Effect,
    rows::{RowId, Rows},
    screen::ScreenId,
};
use crate::model::{ids::NodeName, text::Clean};

const NETWORK: Scope = Scope::Screens(&[ScreenId::Network]);

pub(in crate::app) const COMMANDS: &[Command] = &[
    Command {
        id: "network.flat",
        title: "Tree or table of all ports",
        hint: "tree/table",
        doc: "Flips between the tree of nodes, bridges and ports and one table of all ports, which can be sorted.",
        scope: NETWORK,
        danger: LOOKS,
        available: super::always,
        act: |app| {
            app.screens.network_flat = !app.screens.network_flat;
            Vec::new()
        },
    },
    Command {
        id: "network.unfold",
        title: "Show what is below this row",
        hint: "",
        doc: "Opens a node or bridge that was folded into one row.",
        scope: NETWORK,
        danger: LOOKS,
        available: in_tree,
        act: |app| fold(app, false),
    },
    Command {
        id: "network.fold",
        title: "Fold into one row",
        hint: "",
        doc: "Folds the bridges of a node, or the ports of a bridge, into one row.",
        scope: NETWORK,
        danger: LOOKS,
        available: in_tree,
        act: |app| fold(app, true),
    },
];

fn in_tree(here: &Here<'_>) -> Result<(), String> {
    if here.app.screens.network_flat { Err("Only the tree folds; T shows it.".to_owned()) } else { Ok(()) }
}

/// Folds what the row belongs to; the cursor stays on what is still there.
fn fold(app: &mut App, fold: bool) -> Vec<Effect> {
    let Some(row) = Rows::of(app).current(app) else { return Vec::new() };
    let (key, stays): ((NodeName, Option<Clean>), RowId) = match row {
        RowId::Node(node) => ((node.clone(), None), RowId::Node(node)),
        RowId::Bridge(node, bridge) => ((node.clone(), Some(bridge.clone())), RowId::Bridge(node, bridge)),
        RowId::Port(node, bridge, ..) if fold => ((node.clone(), Some(bridge.clone())), RowId::Bridge(node, bridge)),
        _ => return Vec::new(),
    };
    if fold {
        app.screens.folded_switches.insert(key);
        app.screens.of_mut(ScreenId::Network).cursor.on = Some(stays);
    } else {
        app.screens.folded_switches.remove(&key);
    }
    Vec::new()
}
