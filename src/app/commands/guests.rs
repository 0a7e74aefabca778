//! Verbs about guests of hypervisors. None of them acts: each makes an intent and opens its plan.

use crate::{
    app::{
        App, changes,
        command::{Command, Danger, Here, Scope},
        effect::Effect,
        planning,
        rows::RowId,
        screen::ScreenId,
    },
    model::{
        guest_act::{GuestAct, MIGRATION_DEADLINE_MS_DEFAULT},
        ids::{GuestName, NodeName},
        intent::{Change, DEADLINE_MS_DEFAULT, Intent},
        inventory::Node,
    },
};

const GUESTS: Scope = Scope::Screens(&[ScreenId::Machines]);

pub(in crate::app) const COMMANDS: &[Command] = &[
    Command {
        id: "guest.suspend",
        title: "Let this guest stand still (suspend)",
        hint: "",
        doc: "Opens the plan that stops a guest's virtual CPUs and keeps its memory.",
        scope: GUESTS,
        danger: Danger::Guest,
        available,
        act: |app| plan(app, GuestAct::Suspend),
    },
    Command {
        id: "guest.resume",
        title: "Let this guest go on (resume)",
        hint: "",
        doc: "Opens the plan that lets a guest go on that stands still.",
        scope: GUESTS,
        danger: Danger::Guest,
        available,
        act: |app| plan(app, GuestAct::Resume),
    },
    Command {
        id: "guest.start",
        title: "Start this guest",
        hint: "",
        doc: "Opens the plan that switches a guest on, once every hypervisor says that it does not run there.",
        scope: GUESTS,
        danger: Danger::Guest,
        available,
        act: |app| plan(app, GuestAct::Start),
    },
    Command {
        id: "guest.shutdown",
        title: "Ask this guest to shut down",
        hint: "",
        doc: "Opens the plan that asks a guest to shut down; its power is never taken away.",
        scope: GUESTS,
        danger: Danger::Guest,
        available,
        act: |app| plan(app, GuestAct::Shutdown { deadline_ms: DEADLINE_MS_DEFAULT }),
    },
    Command {
        id: "guest.reset",
        title: "Reset this guest",
        hint: "",
        doc: "Opens the plan that resets a guest that does not listen any more.",
        scope: GUESTS,
        danger: Danger::Guest,
        available,
        act: |app| plan(app, GuestAct::Reset { deadline_ms: DEADLINE_MS_DEFAULT }),
    },
    Command {
        id: "guest.migrate",
        title: "Move this guest to another hypervisor",
        hint: "",
        doc: "Opens the plan that moves a running guest to the other hypervisor that may take it, with every check of it.",
        scope: GUESTS,
        danger: Danger::Guest,
        available: |here| {
            available(here)?;
            elsewhere(here).map(|_| ())
        },
        act: |app| match elsewhere(&Here::of(app)) {
            Ok(to) => plan(app, GuestAct::Migrate { to, deadline_ms: MIGRATION_DEADLINE_MS_DEFAULT }),
            Err(reason) => {
                app.notify(reason);
                Vec::new()
            }
        },
    },
];

fn available(here: &Here<'_>) -> Result<(), String> {
    changes::not_now(here.app)?;
    meant(here).map(|_| ())
}

fn plan(app: &mut App, act: GuestAct) -> Vec<Effect> {
    match meant(&Here::of(app)) {
        Ok(guest) => planning::open(app, Intent::new(Change::Guest { guest, act }, None)),
        Err(reason) => app.notify(reason),
    }
    Vec::new()
}

/// The guest of the row.
fn meant(here: &Here<'_>) -> Result<GuestName, String> {
    match &here.row {
        Some(RowId::Guest(_, name)) => Ok(GuestName::from(name)),
        _ => Err("No guest is chosen here.".to_owned()),
    }
}

/// The one other hypervisor that the guest of the row may go to.
fn elsewhere(here: &Here<'_>) -> Result<NodeName, String> {
    let Some(RowId::Guest(host, name)) = &here.row else { return Err("No guest is chosen here.".to_owned()) };
    let inventory = &here.app.inventory;
    let allowed = inventory.hosts_of(name.as_str());
    let may = |node: &&Node| {
        node.name != *host && node.migration_uri.is_some() && (allowed.is_empty() || allowed.contains(&node.name))
    };
    let mut others = inventory.nodes.iter().filter(|node| node.libvirt_socket.is_some()).filter(may);
    match (others.next(), others.next()) {
        (Some(only), None) => Ok(only.name.clone()),
        (None, _) => Err(format!("No other hypervisor may take {name}: set migration_uri of one.")),
        (Some(_), Some(_)) => Err(format!("Several may take {name}: type vm.migrate {name} --to NODE in the palette.")),
    }
}
