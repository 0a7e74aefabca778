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
        guest_act::GuestAct,
        ids::GuestName,
        intent::{Change, DEADLINE_MS_DEFAULT, Intent},
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
];

fn available(here: &Here<'_>) -> Result<(), String> {
    changes::not_now(here.app)?;
    meant(here).map(|_| ())
}

fn plan(app: &mut App, act: GuestAct) -> Vec<Effect> {
    match meant(&Here::of(app)) {
        Ok(guest) => planning::open(app, Intent { change: Change::Guest { guest, act }, reason: None }),
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
