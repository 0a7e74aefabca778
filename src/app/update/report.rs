//! A probe finished: facts are taken with their stamp, or the failure is noted and the last value stays.

use crate::{
    app::{App, msg::Report, rows::RowId, standing::Changes},
    history,
    model::{
        haproxy::{HaproxyFacts, HaproxySample},
        ids::NodeName,
        time::{Mono, Now},
        trouble::Trouble,
        world::NodeFacts,
    },
    wire::probe::{Facts, ProbeId},
};
use std::mem::discriminant;

/// More complaints than this about one answer say nothing more.
const COMPLAINTS_MAX: usize = 50;

pub(super) fn report(app: &mut App, report: Report) {
    let Report { node: name, probe, outcome, mut complaints, round_trip_ms } = report;
    let now = app.now;
    app.schedule.finished(&name, probe, now.mono);
    let Some(node) = app.world.node_mut(&name) else { return };
    app.rules_wanted = true;
    match outcome {
        Ok(Facts::Host(sample)) => {
            let older = node.host.last().map(|facts| &facts.sample);
            let facts = history::host::derive(older, *sample, now.wall, round_trip_ms);
            app.history.push_host(&name, &facts, now.mono);
            node.host.take(facts, now);
        }
        Ok(Facts::HostProfile(profile)) => node.profile.take(*profile, now),
        Ok(Facts::Haproxy(sample)) => {
            let facts = haproxy_facts(node, *sample, now);
            if let Some(earlier) = node.haproxy.last() {
                note_changes(&mut app.changes, earlier, &facts, now.mono);
            }
            app.history.push_haproxy(&name, &facts, now.mono);
            node.haproxy.take(facts, now);
        }
        Err(trouble) => failed(app, &name, probe, &trouble),
    }
    complaints.truncate(COMPLAINTS_MAX);
    if complaints.is_empty() {
        // Looked up before removing: the usual answer has no complaints and needs no key of its own.
        if !app.complaints.is_empty() {
            app.complaints.remove(&(name, probe));
        }
    } else {
        app.complaints.insert((name, probe), complaints);
    }
}

fn haproxy_facts(node: &NodeFacts, sample: HaproxySample, now: Now) -> HaproxyFacts {
    let elapsed_ms = node.haproxy.age_ms(now.mono).unwrap_or(0);
    history::haproxy::derive(node.haproxy.last(), sample, elapsed_ms)
}

fn failed(app: &mut App, name: &NodeName, probe: ProbeId, trouble: &Trouble) {
    let now = app.now;
    let reason = trouble.cause.clone();
    let Some(node) = app.world.node_mut(name) else { return };
    match probe {
        ProbeId::Host => {
            node.host.fail(reason, now);
            app.history.push_host_gap(name, now.mono);
        }
        ProbeId::HostProfile => node.profile.fail(reason, now),
        ProbeId::Haproxy => {
            node.haproxy.fail(reason, now);
            app.history.push_haproxy_gap(name, now.mono);
        }
    }
}

/// Notes servers whose state is of another kind than before. Lists that changed their order are searched.
fn note_changes(changes: &mut Changes, earlier: &HaproxyFacts, newer: &HaproxyFacts, now: Mono) {
    for (place, backend) in newer.sample.backends.iter().enumerate() {
        let same_place = earlier.sample.backends.get(place).filter(|old| old.name == backend.name);
        let Some(before) = same_place.or_else(|| earlier.sample.backends.iter().find(|old| old.name == backend.name))
        else {
            continue;
        };
        for (place, server) in backend.servers.iter().enumerate() {
            let same_place = before.servers.get(place).filter(|old| old.name == server.name);
            let Some(old) = same_place.or_else(|| before.servers.iter().find(|old| old.name == server.name)) else {
                continue;
            };
            if discriminant(&old.operational) != discriminant(&server.operational) || old.admin != server.admin {
                changes.note(RowId::Server(backend.name.clone(), server.name.clone()), now);
            }
        }
    }
}
