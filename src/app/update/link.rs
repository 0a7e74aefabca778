//! Connections come up, go down and ask. The last values of a node stay when its connection goes.

use crate::{
    app::{App, Overlay, following, prompt, rows::RowId},
    model::{
        ids::NodeName,
        link::{LinkEvent, LinkState, Question},
    },
    wire::probe::ProbeId,
};
use std::mem::discriminant;

/// More questions than this at once are not kept; the transport asks again when it tries again.
const QUESTIONS_MAX: usize = 8;

pub(super) fn event(app: &mut App, name: &NodeName, event: LinkEvent) {
    let now = app.now;
    let Some(node) = app.world.node_mut(name) else { return };
    match event {
        LinkEvent::State(state) => {
            let was = std::mem::replace(&mut node.link.state, state);
            let is = &node.link.state;
            let moved = discriminant(&was) != discriminant(is);
            // Between attempts a link goes down, connecting, down: for the operator it has been down since the first.
            let retries = node.link.trouble.is_some() && !matches!(is, LinkState::Up);
            if moved && !retries {
                node.link.since = now;
            }
            if let LinkState::Down { trouble, .. } = is {
                node.link.trouble = Some(trouble.clone());
            }
            match is {
                LinkState::Up => {
                    node.link.trouble = None;
                    node.link.up_at = Some(now);
                    app.schedule.node_up(name, now.mono);
                    app.changes.note(RowId::Node(name.clone()), now.mono);
                    forget_ways_to(app, name);
                }
                LinkState::Down { .. } if moved && !retries => {
                    app.schedule.node_down(name);
                    app.changes.note(RowId::Node(name.clone()), now.mono);
                }
                _ if matches!(was, LinkState::Up) => app.schedule.node_down(name),
                _ => {}
            }
        }
        LinkEvent::Route(route) => match node.link.routes.iter_mut().find(|known| known.path == route.path) {
            Some(known) => *known = route,
            None => node.link.routes.push(route),
        },
        LinkEvent::Settings(settings) => node.link.settings = settings,
        LinkEvent::GuestsChanged => {
            app.schedule.hurry_probe(name, ProbeId::Guests, now.mono);
            app.schedule.hurry_probe(name, ProbeId::GuestProfile, now.mono);
        }
    }
    app.rules_wanted = true;
}

/// Packets to a node that was down were lost because it was: the next rounds tell of the way to it.
fn forget_ways_to(app: &mut App, name: &NodeName) {
    let Some(address) = app.inventory.node(name).and_then(|node| node.private) else { return };
    for node in &mut app.world.nodes {
        if let Some(facts) = node.private_network.last_mut() {
            facts.forget(address);
        }
    }
}

pub(super) fn question(app: &mut App, name: &NodeName, question: Question) {
    let Some(node) = app.world.node_mut(name) else { return };
    node.questions.retain(|known| known.id != question.id);
    if node.questions.len() < QUESTIONS_MAX {
        node.questions.push(question);
    }
    prompt::open_if_idle(app);
}

pub(super) fn question_gone(app: &mut App, name: &NodeName, id: u64) {
    if let Some(node) = app.world.node_mut(name) {
        node.questions.retain(|known| known.id != id);
    }
    if matches!(&app.overlay, Overlay::Prompt(open) if open.node == *name && open.question.id == id) {
        following::show_again(app);
        app.notify(format!("{name} no longer waits for the answer."));
        prompt::open_if_idle(app);
    }
}
