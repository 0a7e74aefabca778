//! Going from screen to screen, and what only one screen can do.

use super::{LOOKS, always, rows::go_to_node};
use crate::app::{
    App, Overlay,
    command::{Command, Danger, Here, Scope},
    effect::Effect,
    layout,
    rows::{RowId, Rows},
    screen::{Place, ScreenId},
    tune,
};
use crate::model::{ids::NodeName, intent::ServerPath, link::LinkState};

pub(in crate::app) const COMMANDS: &[Command] = &[
    Command {
        id: "traffic.unfold",
        title: "Open into one row per load balancer",
        hint: "unfold",
        doc: "Shows what each load balancer says of this server; on a backend, shows its servers.",
        scope: Scope::Screens(&[ScreenId::Traffic]),
        danger: LOOKS,
        available: |here| match &here.row {
            Some(RowId::Server(..) | RowId::Backend(_)) => Ok(()),
            _ => Err("Only servers and backends unfold.".to_owned()),
        },
        act: |app| set_fold(app, false),
    },
    Command {
        id: "traffic.fold",
        title: "Fold into one row",
        hint: "",
        doc: "Folds a server's load balancers into one row, or a backend's servers into its head.",
        scope: Scope::Screens(&[ScreenId::Traffic]),
        danger: LOOKS,
        available: always,
        act: |app| set_fold(app, true),
    },
    Command {
        id: "traffic.node",
        title: "Go to the node behind this row",
        hint: "node",
        doc: "Opens the node that this server, load balancer, port or finding stands on.",
        scope: Scope::Screens(&[ScreenId::Traffic, ScreenId::Network, ScreenId::Findings]),
        danger: LOOKS,
        available: |here| match node_behind(here) {
            Some(_) => Ok(()),
            None => Err("No node of the inventory stands behind this row.".to_owned()),
        },
        act: |app| match node_behind(&Here::of(app)) {
            Some(name) => go_to_node(app, name),
            None => Vec::new(),
        },
    },
    Command {
        id: "network.round_trips",
        title: "Round trips between nodes",
        hint: "round trips",
        doc: "Shows latency and loss between all nodes over their private addresses, the worst pairs below.",
        scope: Scope::Screens(&[ScreenId::Network, ScreenId::Nodes]),
        danger: LOOKS,
        available: always,
        act: |app| {
            app.overlay = Overlay::Matrix(0);
            Vec::new()
        },
    },
    Command {
        id: "node.next",
        title: "Next node",
        hint: "next node",
        doc: "Shows the next node of the inventory.",
        scope: Scope::Screens(&[ScreenId::Node]),
        danger: LOOKS,
        available: always,
        act: |app| step_node(app, 1),
    },
    Command {
        id: "node.previous",
        title: "Previous node",
        hint: "",
        doc: "Shows the previous node of the inventory.",
        scope: Scope::Screens(&[ScreenId::Node]),
        danger: LOOKS,
        available: always,
        act: |app| step_node(app, -1),
    },
    Command {
        id: "node.reconnect",
        title: "Connect again now",
        hint: "reconnect",
        doc: "Tries the connection of this node again without waiting for the next attempt.",
        scope: Scope::Screens(&[ScreenId::Overview, ScreenId::Nodes, ScreenId::Node]),
        danger: Danger::Console,
        available: reconnect_available,
        act: |app| match node_behind(&Here::of(app)) {
            Some(node) => {
                app.notify(format!("Connecting to {node} again"));
                vec![Effect::Reconnect { node }]
            }
            None => Vec::new(),
        },
    },
    Command {
        id: "go.back",
        title: "Go back",
        hint: "back",
        doc: "Comes out: closes what lies over the screen, the details, the filter, then goes where you came from.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: |here| {
            let app = here.app;
            let is_home = app.place.screen == ScreenId::Overview && app.trail.is_empty();
            if is_home { Err("This is the overview; q quits.".to_owned()) } else { Ok(()) }
        },
        act: back,
    },
    Command {
        id: "go.overview",
        title: "Open the overview",
        hint: "",
        doc: "Is it all right? What is wrong, the path of the traffic, and every node.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| go(app, ScreenId::Overview),
    },
    Command {
        id: "go.traffic",
        title: "Open the traffic screen",
        hint: "",
        doc: "Frontends, backends and servers of all load balancers.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| go(app, ScreenId::Traffic),
    },
    Command {
        id: "go.network",
        title: "Open the network screen",
        hint: "",
        doc: "Bridges, ports and interfaces of all nodes.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| go(app, ScreenId::Network),
    },
    Command {
        id: "go.database",
        title: "Open the database screen",
        hint: "",
        doc: "Databases: disk or locks, and how they replicate.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| go(app, ScreenId::Database),
    },
    Command {
        id: "go.machines",
        title: "Open the machines",
        hint: "",
        doc: "Hypervisors and the machines they carry.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| go(app, ScreenId::Machines),
    },
    Command {
        id: "go.nodes",
        title: "Open the list of nodes",
        hint: "",
        doc: "Every node with its figures, those with a problem first.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| go(app, ScreenId::Nodes),
    },
    Command {
        id: "go.findings",
        title: "Open the findings",
        hint: "",
        doc: "Everything that is wrong, worst first, with what it rests on.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| go(app, ScreenId::Findings),
    },
    Command {
        id: "go.changes",
        title: "Open the changes",
        hint: "",
        doc: "Runs, those that need somebody first, and what is changed but not permanent.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| go(app, ScreenId::Changes),
    },
    Command {
        id: "go.tune",
        title: "Open the settings",
        hint: "",
        doc: "Settings of databases, load balancers and kernels side by side, read anew: running, file, advice.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| {
            tune::look_again(app);
            go(app, ScreenId::Tune)
        },
    },
    Command {
        id: "go.what_if",
        title: "Open what a failure would take down",
        hint: "",
        doc: "What a single failure of each node would take down, the worst first.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| go(app, ScreenId::WhatIf),
    },
];

fn go(app: &mut App, screen: ScreenId) -> Vec<Effect> {
    app.go(Place::new(screen));
    Vec::new()
}

/// Comes out by one step: details first, then the filter, then the screen. It never ends the console.
fn back(app: &mut App) -> Vec<Effect> {
    let screen = app.place.screen;
    let is_open = screen != ScreenId::Overview && screen != ScreenId::Node && layout::details_open(app);
    let state = app.screens.of_mut(screen);
    if state.in_details {
        state.in_details = false;
    } else if is_open && state.details == Some(true) {
        state.details = None;
        // Where the pane opens by itself it stays; where it covered the list, the list is back.
    } else if !state.filter.is_empty() {
        state.filter.clear();
    } else if let Some(place) = app.trail.pop() {
        app.place = place;
    } else {
        app.place = Place::new(ScreenId::Overview);
    }
    Vec::new()
}

fn set_fold(app: &mut App, fold: bool) -> Vec<Effect> {
    let rows = Rows::of(app);
    let Some(row) = rows.current(app) else { return Vec::new() };
    let is_open = match (&rows, &row) {
        (Rows::Traffic(traffic), RowId::Server(backend, server)) => traffic
            .rows
            .iter()
            .any(|candidate| matches!(traffic.id(*candidate), RowId::Share(b, s, _) if b == *backend && s == *server)),
        _ => true,
    };
    drop(rows);
    match row {
        RowId::Backend(name) => {
            if fold {
                app.screens.folded.insert(name);
            } else {
                app.screens.folded.remove(&name);
            }
        }
        RowId::Server(backend, server) if is_open == fold => toggle_open(app, (backend, server)),
        RowId::Share(backend, server, _) if fold => {
            toggle_open(app, (backend.clone(), server.clone()));
            app.screens.of_mut(ScreenId::Traffic).cursor.on = Some(RowId::Server(backend, server));
        }
        _ => {}
    }
    Vec::new()
}

/// The set remembers which servers are *not* as they would be by themselves: open where load balancers differ.
fn toggle_open(app: &mut App, server: (crate::model::ids::ProxyName, crate::model::ids::ServerName)) {
    if !app.screens.opened.remove(&server) {
        app.screens.opened.insert(server);
    }
}

/// The node of the inventory that the current row stands on; on the node screen, that node.
fn node_behind(here: &Here<'_>) -> Option<NodeName> {
    let app = here.app;
    match here.row.as_ref()? {
        RowId::Server(_, server) | RowId::Wish(ServerPath { server, .. }, _) => {
            app.inventory.node(&NodeName::from(server.as_str())).map(|node| node.name.clone())
        }
        RowId::Share(_, _, node)
        | RowId::Node(node)
        | RowId::Guest(node, _)
        | RowId::Bridge(node, _)
        | RowId::Setting(node, _)
        | RowId::Port(node, ..) => Some(node.clone()),
        RowId::Finding(rule, subject) => {
            let findings = app.seen().findings;
            findings.iter().find(|f| f.rule == *rule && f.subject == *subject).and_then(|f| f.node.clone())
        }
        RowId::Frontend(_) | RowId::Backend(_) | RowId::Run(_) => None,
    }
}

fn reconnect_available(here: &Here<'_>) -> Result<(), String> {
    let none = || Err("This row is not about a node.".to_owned());
    let Some(name) = node_behind(here) else { return none() };
    match here.app.world.node(&name).map(|node| &node.link.state) {
        Some(LinkState::Up) => Err(format!("{name} is connected.")),
        Some(LinkState::Asking) => Err(format!("The connection to {name} waits for your answer.")),
        Some(LinkState::Connecting { .. }) => Err(format!("{name} is being connected right now.")),
        Some(_) => Ok(()),
        None => none(),
    }
}

fn step_node(app: &mut App, step: isize) -> Vec<Effect> {
    let names: Vec<&NodeName> = app.inventory.nodes.iter().map(|node| &node.name).collect();
    let here = names.iter().position(|name| Some(*name) == app.place.node.as_ref()).unwrap_or(0);
    let count = isize::try_from(names.len()).unwrap_or(1).max(1);
    let next = (isize::try_from(here).unwrap_or(0) + step).rem_euclid(count);
    if let Some(name) = names.get(usize::try_from(next).unwrap_or(0)) {
        // Replaces the place instead of growing the trail: Esc leaves the node screen in one step.
        app.place = Place::node((*name).clone());
        app.screens.of_mut(ScreenId::Node).scroll = 0;
    }
    Vec::new()
}
