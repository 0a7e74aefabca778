//! Verbs: what changes the cluster. None of them acts: each makes an intent and opens its plan, or asks about a run.

use super::VERBS;
use crate::app::{
    App, Overlay, changes,
    command::{Command, Danger, Here, Scope},
    decision::{About, Decision},
    effect::{Effect, RunEffect},
    planning,
    rows::RowId,
    screen::ScreenId,
};
use crate::{
    model::intent::{Change, DEADLINE_MS_DEFAULT, Intent, OnDeadline, ServerPath},
    plan::PlanId,
    run::{EndingKind, Recovery, RunState, RunSummary, ledger::Wish},
};

const CHANGES: Scope = Scope::Screens(&[ScreenId::Changes]);

pub(in crate::app) const COMMANDS: &[Command] = &[
    Command {
        id: "run.keep",
        title: "Say that what this run did stays",
        hint: "it stays",
        doc: "Tells a run that would go back by itself (--revert-after) that what it did stays.",
        scope: CHANGES,
        danger: Danger::Server,
        available: |here| {
            changes::not_now(here.app)?;
            changes::holding(here.app.seen(), here.row.as_ref()).map(|_| ())
        },
        act: |app| {
            let run =
                changes::holding(app.seen(), Here::of(app).row.as_ref()).map(|run| (run.id.clone(), run.title.clone()));
            match run {
                Ok((run, title)) => {
                    app.notify(format!("Said that it stays: {title}"));
                    vec![Effect::Run(RunEffect::Keep { run })]
                }
                Err(reason) => {
                    app.notify(reason);
                    Vec::new()
                }
            }
        },
    },
    Command {
        id: "run.resume",
        title: "Resume this run",
        hint: "resume",
        doc: "Takes up a run that was interrupted or needs a person, and goes on towards its goal.",
        scope: CHANGES,
        danger: Danger::Server,
        available: |here| undecided(here).map(|_| ()),
        act: |app| {
            decide(app, |run| About::Recover {
                run: run.id.clone(),
                title: run.title.clone(),
                choice: Recovery::Resume,
            })
        },
    },
    Command {
        id: "run.roll_back",
        title: "Roll this run back",
        hint: "roll back",
        doc: "Takes up a run that was interrupted or needs a person, and undoes every step that was done.",
        scope: CHANGES,
        danger: Danger::Server,
        available: |here| undecided(here).map(|_| ()),
        act: |app| {
            decide(app, |run| About::Recover {
                run: run.id.clone(),
                title: run.title.clone(),
                choice: Recovery::RollBack,
            })
        },
    },
    Command {
        id: "run.resolve",
        title: "Mark this run as settled",
        hint: "settled",
        doc: "Writes into the journal that a person has settled an interrupted run, and why. Nothing is sent.",
        scope: CHANGES,
        danger: Danger::Server,
        available: |here| undecided(here).map(|_| ()),
        act: |app| decide(app, |run| About::Resolve { run: run.id.clone(), title: run.title.clone() }),
    },
    Command {
        id: "change.drain",
        title: "Drain this server",
        hint: "drain",
        doc: "Opens the plan that takes this server out of traffic without losing a request.",
        scope: VERBS,
        danger: Danger::Server,
        available: on_server,
        act: |app| {
            plan(app, |server| Change::HaproxyDrain {
                server,
                deadline_ms: DEADLINE_MS_DEFAULT,
                on_deadline: OnDeadline::default(),
            })
        },
    },
    Command {
        id: "change.ready",
        title: "Ready this server again (undrain)",
        hint: "ready",
        doc: "Opens the plan that returns this server to traffic (undrain), once its check passes.",
        scope: VERBS,
        danger: Danger::Server,
        available: on_server,
        act: |app| plan(app, |server| Change::HaproxyReady { server, deadline_ms: DEADLINE_MS_DEFAULT, weight: None }),
    },
    Command {
        id: "change.reapply",
        title: "Apply again what was lost",
        hint: "re-apply",
        doc: "Opens the plan that does again what a load balancer forgot, a drain that a reload lost, for one.",
        scope: VERBS,
        danger: Danger::Server,
        available: |here| lost(here).map(|_| ()),
        act: |app| {
            let intent = lost(&Here::of(app));
            open(app, intent)
        },
    },
    Command {
        id: "change.undo",
        title: "Undo the last run",
        hint: "undo",
        doc: "Opens the plan that takes back the last run: a drained server is readied, a weight is as it was.",
        scope: Scope::Everywhere,
        danger: Danger::Server,
        available: |here| {
            changes::not_now(here.app)?;
            changes::undo(here.app).map(|_| ())
        },
        act: |app| {
            let intent = changes::undo(app);
            open(app, intent)
        },
    },
    Command {
        id: "change.maint",
        title: "Put this server into maintenance",
        hint: "",
        doc: "Opens the plan that takes this server out of traffic at once; it is not checked any more.",
        scope: VERBS,
        danger: Danger::Server,
        available: on_server,
        act: |app| plan(app, |server| Change::HaproxyMaint { server }),
    },
    Command {
        id: "change.weight",
        title: "Change the weight of this server",
        hint: "",
        doc: "Asks for a weight and opens the plan that gives this server another share of new sessions.",
        scope: VERBS,
        danger: Danger::Server,
        available: on_server,
        act: |app| {
            if let Ok(server) = meant(app) {
                let now = changes::weight_now(app, &server);
                app.overlay = Overlay::Decision(Decision::new(About::Weight { server, now }));
            }
            Vec::new()
        },
    },
    Command {
        id: "change.kill_sessions",
        title: "Close the sessions of this server",
        hint: "",
        doc: "Opens the plan that ends the sessions of a server that gets no new ones. They do not come back.",
        scope: VERBS,
        danger: Danger::Irreversible,
        available: on_server,
        act: |app| plan(app, |server| Change::HaproxyKillSessions { server }),
    },
];

/// Whether the row means one server, now.
fn on_server(here: &Here<'_>) -> Result<(), String> {
    changes::not_now(here.app)?;
    here.server().map(|_| ())
}

fn meant(app: &App) -> Result<ServerPath, String> {
    Here::of(app).server().cloned()
}

/// Opens the plan of a change of the server that the row means.
fn plan(app: &mut App, change: impl FnOnce(ServerPath) -> Change) -> Vec<Effect> {
    let intent = meant(app).map(|server| Intent::new(change(server), None));
    open(app, intent)
}

fn open(app: &mut App, intent: Result<Intent, String>) -> Vec<Effect> {
    match intent {
        Ok(intent) => planning::open(app, intent),
        Err(reason) => app.notify(reason),
    }
    Vec::new()
}

/// What does again what the row says was lost.
fn lost(here: &Here<'_>) -> Result<Intent, String> {
    changes::not_now(here.app)?;
    let seen = here.app.seen();
    let server = match &here.row {
        Some(RowId::Finding(rule, _)) if rule.as_str() != changes::LOST_RULE => {
            return Err("This finding is not about a change that was lost.".to_owned());
        }
        _ => here.server()?,
    };
    let wishes: Vec<&Wish> = match &here.row {
        Some(RowId::Wish(server, is_weight)) => changes::wish(seen, server, *is_weight).into_iter().collect(),
        _ => changes::wishes(seen, &server.backend, &server.server).collect(),
    };
    if wishes.is_empty() {
        return Err(format!("Nobody wants anything of {server} that could be lost."));
    }
    let Some(wish) = wishes.into_iter().find(|wish| changes::is_lost(seen, wish)) else {
        return Err(format!("What is wanted of {server} holds, as far as it can be read."));
    };
    Ok(changes::reapply(wish))
}

/// The run under the cursor, if a person has to decide about it.
fn undecided<'a>(here: &'a Here<'_>) -> Result<&'a RunSummary, String> {
    changes::not_now(here.app)?;
    let Some(RowId::Run(id)) = &here.row else { return Err("No run is chosen here.".to_owned()) };
    find_undecided(here.app, id)
}

fn find_undecided<'a>(app: &'a App, id: &PlanId) -> Result<&'a RunSummary, String> {
    let Some(run) = changes::run(app.seen(), id) else { return Err("This run is gone from the list.".to_owned()) };
    match &run.state {
        RunState::Interrupted | RunState::Ended { kind: EndingKind::NeedsOperator, .. } => Ok(run),
        RunState::Running => Err("This run goes on; Enter opens it.".to_owned()),
        RunState::Damaged(_) => {
            Err("The journal of this run is damaged: vakt runs verify says where. It cannot be taken up.".to_owned())
        }
        RunState::Ended { .. } | RunState::Resolved { .. } => Err("This run is over.".to_owned()),
    }
}

fn decide(app: &mut App, about: impl FnOnce(&RunSummary) -> About) -> Vec<Effect> {
    let asked = undecided(&Here::of(app)).map(about);
    match asked {
        Ok(about) => app.overlay = Overlay::Decision(Decision::new(about)),
        Err(reason) => app.notify(reason),
    }
    Vec::new()
}
