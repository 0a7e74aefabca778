//! Moves for databases: more connections within the memory of the machine, and the end of statements that hold others up.

use super::{Draft, MoveKind, NEAR_PERCENT, Scene, fresh, set, share};
use crate::{
    history::tuning::{basis, called},
    model::{
        figure::Figure,
        ids::NodeName,
        intent::{Change, SessionPart, SessionPath},
        inventory::Role,
        mysql::{MysqlFacts, Process, root_blockers},
    },
    plan::{
        session::{is_of_client, words_of},
        text::seconds,
    },
};

/// A statement that takes longer than this may be ended, seconds.
const LONG_S: u64 = 10;
/// Statements that are offered for each database, the longest first.
const STATEMENTS_MAX: usize = 3;
/// Of the connections that the memory bears, this much is used, percent: the bound is reached when each fills its buffers.
const ROOM_PERCENT: u64 = 90;

/// Every such move.
pub(super) fn moves(scene: &Scene<'_>, drafts: &mut Vec<Draft>) {
    for node in called(scene.inventory, Role::Database.word()) {
        let Some(world) = scene.world.node(&node.name) else { continue };
        let Some(facts) = fresh(scene, &node.name, &world.mysql, scene.inventory.settings.poll.mysql_ms) else {
            continue;
        };
        let room = basis(node, world).peak.known().and_then(|peak| peak.room);
        drafts.extend(connections(&node.name, facts, room));
        drafts.extend(statements(&node.name, facts));
    }
}

fn connections(node: &NodeName, facts: &MysqlFacts, room: Option<u64>) -> Option<Draft> {
    let server = &facts.sample.server;
    let (now, limit) = (server.threads_connected.known()?, server.connections_max.known()?);
    if share(now, limit)? < NEAR_PERCENT {
        return None;
    }
    let wanted = (limit + limit / 2).next_multiple_of(10);
    let (value, words) = match room {
        Some(room) => {
            let most = room * ROOM_PERCENT / 100;
            (wanted.min(most), format!("By its memory {node} bears at most {room}."))
        }
        None => (wanted, format!("How many the memory of {node} bears is not known.")),
    };
    let (change, refused) = match room {
        None => (None, Some(words.clone())),
        Some(_) if value <= limit => (None, Some(words.clone())),
        Some(_) => (Some(set(node.as_str(), "max_connections", value)), None),
    };
    Some(Draft {
        kind: MoveKind::Connections,
        what: format!("Let {node} take {} connections instead of {limit}", value.max(limit)),
        effect: vec![format!("{now} of {limit} connections are in use; then {now} of {}.", value.max(limit)), words],
        risk: "More sessions share the same disk and locks: if those are what is slow, more only wait.".to_owned(),
        change,
        refused,
        about: vec![node.to_string()],
    })
}

fn statements(node: &NodeName, facts: &MysqlFacts) -> Vec<Draft> {
    let Figure::Known(processes) = &facts.sample.processes else { return Vec::new() };
    let waits = facts.sample.lock_waits.as_ref().known().map_or(&[][..], Vec::as_slice);
    let behind = root_blockers(waits);
    let waiting_for = |id: u64| behind.iter().find(|(root, _)| *root == id).map_or(0, |(_, count)| *count);
    let is_long = |process: &&Process| {
        let runs = process.command.as_ref().known().is_some_and(|what| matches!(what.as_str(), "Query" | "Execute"));
        runs && is_of_client(process) && process.seconds.known().is_some_and(|age| age >= LONG_S)
    };
    let mut long: Vec<&Process> = processes.iter().filter(is_long).collect();
    long.sort_by_key(|process| std::cmp::Reverse((waiting_for(process.id), process.seconds.known())));
    let draft = |process: &Process| {
        let age = process.seconds.known().map_or_else(|| "?".to_owned(), |age| seconds(age * 1000));
        let waiting = match waiting_for(process.id) {
            0 => "Nobody is known to wait for it.".to_owned(),
            1 => "1 session waits for it and goes on.".to_owned(),
            count => format!("{count} sessions wait for it and go on."),
        };
        let transactions = facts.sample.transactions.as_ref().known();
        let changed = transactions
            .and_then(|all| all.iter().find(|one| one.process == Figure::Known(process.id)))
            .map(|one| one.rows_modified);
        let rollback = match changed {
            Some(Figure::Known(rows)) => {
                format!("It has changed {rows} rows; what the statement changed is rolled back.")
            }
            _ => "How many rows it has changed is not known.".to_owned(),
        };
        Draft {
            kind: MoveKind::Statement,
            what: format!("End the statement of session {node}/{} that has run for {age}", process.id),
            effect: vec![format!("Session {}.", words_of(process)), waiting, rollback],
            risk: "Its client gets an error. It does not come back.".to_owned(),
            change: Some(Change::MysqlKill {
                session: SessionPath { node: node.clone(), id: process.id },
                part: SessionPart::Statement,
            }),
            refused: None,
            about: vec![node.to_string()],
        }
    };
    long.into_iter().take(STATEMENTS_MAX).map(draft).collect()
}
