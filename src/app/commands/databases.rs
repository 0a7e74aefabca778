//! Verbs about databases. None of them acts: each makes an intent and opens its plan.

use super::VERBS;
use crate::{
    app::{
        App, Overlay, changes,
        command::{Command, Danger, Here},
        databases,
        effect::Effect,
        palette::Palette,
        planning,
        rows::RowId,
    },
    model::{
        ids::NodeName,
        intent::{Change, Intent},
    },
};

pub(in crate::app) const COMMANDS: &[Command] = &[SWITCHOVER, FAILOVER, REJOIN, SESSIONS];

const SESSIONS: Command = Command {
    id: "change.sessions",
    title: "End a session of this database",
    hint: "sessions",
    doc: "Lists the sessions of the database of this node, those that others wait for first; the chosen one's plan opens.",
    scope: VERBS,
    danger: Danger::Irreversible,
    available: |here| {
        changes::not_now(here.app)?;
        sessions(here).map(|_| ())
    },
    act: |app| {
        match sessions(&Here::of(app)) {
            Ok(palette) => app.overlay = Overlay::Palette(palette),
            Err(reason) => app.notify(reason),
        }
        Vec::new()
    },
};

const SWITCHOVER: Command = Command {
    id: "change.switchover",
    title: "Make this database the primary",
    hint: "primary",
    doc: "Opens the plan of a planned switchover to the database of this node, with every check of every replica.",
    scope: VERBS,
    danger: Danger::Primary,
    available: can,
    act: |app| plan(app, |_, to| Change::MysqlSwitchover { to }),
};

/// Whether a change of the row's database can be planned at all.
fn can(here: &Here<'_>) -> Result<(), String> {
    changes::not_now(here.app)?;
    meant(here).map(|_| ())
}

/// Opens the plan of a change of the row's database.
fn plan(app: &mut App, change: fn(&App, NodeName) -> Change) -> Vec<Effect> {
    match meant(&Here::of(app)) {
        Ok(node) => {
            let change = change(app, node);
            planning::open(app, Intent::new(change, None));
        }
        Err(reason) => app.notify(reason),
    }
    Vec::new()
}

/// The sessions of the database of the row.
fn sessions(here: &Here<'_>) -> Result<Palette, String> {
    let node = meant(here)?;
    let read = here.app.world.node(&node);
    if read.is_some_and(|read| databases::is_old(here.app.seen(), read)) {
        return Err(format!("The database on {node} does not answer: nobody knows its sessions now."));
    }
    let facts = read.and_then(|facts| facts.mysql.last());
    let facts = facts.ok_or_else(|| format!("The database on {node} has not been read."))?;
    let palette = Palette::of_sessions(&node, facts);
    if palette.count() == 0 {
        Err(format!("No client has a session on {node}, or the server does not tell."))
    } else {
        Ok(palette)
    }
}

const FAILOVER: Command = Command {
    id: "change.failover",
    title: "Fail the primary over",
    hint: "fail over",
    doc: "Opens the plan of a failover from a primary that does not serve: to the database of this node, or, on the old primary, to the replica that has most.",
    scope: VERBS,
    danger: Danger::Primary,
    available: can,
    act: |app| {
        plan(app, |app, name| Change::MysqlFailover {
            to: Some(name).filter(|name| is_replica(app, name)),
            accept_risk: None,
        })
    },
};

const REJOIN: Command = Command {
    id: "change.rejoin",
    title: "Let this database replicate from the primary again",
    hint: "rejoin",
    doc: "Opens the plan by which a former primary, or another database that fell out, comes back as a replica.",
    scope: VERBS,
    danger: Danger::Replica,
    available: can,
    act: |app| plan(app, |_, node| Change::MysqlRejoin { node }),
};

/// Whether the database of that node was a replica when it was last read.
fn is_replica(app: &App, name: &NodeName) -> bool {
    let sample = app.world.node(name).and_then(|facts| facts.switchover.last());
    sample.and_then(|sample| sample.channels.as_ref().known()).is_some_and(|channels| !channels.is_empty())
}

/// The node of the row, if it runs a database.
fn meant(here: &Here<'_>) -> Result<NodeName, String> {
    let app: &App = here.app;
    let name = match &here.row {
        Some(RowId::Node(name)) => name.clone(),
        Some(RowId::Server(_, server) | RowId::Share(_, server, _)) => NodeName::new(server.as_str()),
        Some(RowId::Finding(_, subject)) => NodeName::new(subject.as_str()),
        _ => return Err("No database is chosen here.".to_owned()),
    };
    match app.inventory.node(&name) {
        Some(node) if node.database.is_some() => Ok(name),
        _ => Err("No database is chosen here.".to_owned()),
    }
}
