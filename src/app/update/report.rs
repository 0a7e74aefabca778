//! A probe finished: facts are taken with their stamp, or the failure is noted and the last value stays.

use super::switch;
use crate::{
    app::{App, msg::Report, rows::RowId, standing::Changes},
    history::{
        self,
        mysql::topology::{relation, topology, unheard},
    },
    model::{
        haproxy::{HaproxyFacts, HaproxySample},
        hypervisor::HypervisorSample,
        ids::NodeName,
        inventory::Inventory,
        mysql::MysqlSample,
        ovs_daemon::OvsLiveSample,
        time::{Mono, Now},
        trouble::Trouble,
        world::{NodeFacts, World},
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
            if let Some(bridges) = node.bridges.last() {
                app.history.push_plain_ports(&name, bridges, &facts, now.mono);
            }
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
        Ok(Facts::Ovs(reading)) => switch::database(app, &name, *reading),
        Ok(Facts::OvsLive(sample)) => counters(app, &name, *sample),
        Ok(Facts::OvsDetail(detail)) => node.ovs_detail.take(*detail, now),
        Ok(Facts::LinuxBridges(bridges)) => node.bridges.take(bridges, now),
        Ok(Facts::Mysql(sample)) => database(app, &name, *sample),
        Ok(Facts::Guests(sample)) => guests(app, &name, *sample),
        Ok(Facts::GuestProfile(profile)) => node.hypervisor_profile.take(*profile, now),
        Ok(Facts::Presence(sample)) => {
            let facts = history::presence::derive(node.presence.last(), *sample, now);
            node.presence.take(facts, now);
        }
        Ok(Facts::Services(sample)) => {
            let elapsed_ms = node.services.age_ms(now.mono).unwrap_or(0);
            let facts = history::services::derive(node.services.last(), *sample, elapsed_ms);
            node.services.take(facts, now);
        }
        Ok(Facts::Memcached(sample)) => {
            let elapsed_ms = node.memcached.age_ms(now.mono).unwrap_or(0);
            let facts = history::memcached::derive(node.memcached.last(), *sample, elapsed_ms);
            node.memcached.take(facts, now);
        }
        Ok(Facts::Certificates(facts)) => node.certificates.take(*facts, now),
        Ok(Facts::PrivateNetwork(sample)) => {
            let facts = history::private_network::derive(node.private_network.last(), *sample);
            node.private_network.take(facts, now);
        }
        Ok(Facts::Switchover(sample)) => node.switchover.take(*sample, now),
        Ok(Facts::Daemon(sample)) => node.daemon.take(*sample, now),
        Ok(Facts::Cut(sample)) => node.cut.take(*sample, now),
        Ok(Facts::Tuning(sample)) => node.tuning.take(*sample, now),
        // Only runs ask for it.
        Ok(Facts::Binlog(_) | Facts::Countdown(_) | Facts::Hook(_)) => {}
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

fn counters(app: &mut App, name: &NodeName, sample: OvsLiveSample) {
    let now = app.now;
    let Some(node) = app.world.node_mut(name) else { return };
    let elapsed_ms = node.ovs_live.age_ms(now.mono).unwrap_or(0);
    let facts = history::ovs::derive_daemon(node.ovs_live.last(), sample, elapsed_ms);
    node.ovs_live.take(facts, now);
    if let Some(switch) = node.ovs.last() {
        let interval_ms = app.inventory.settings.poll.switch_live_ms;
        app.history.push_ports(name, switch, node.ovs_live.last(), now.mono, interval_ms);
    }
}

fn database(app: &mut App, name: &NodeName, sample: MysqlSample) {
    let now = app.now;
    let Some(node) = app.world.node_mut(name) else { return };
    let elapsed_ms = node.mysql.age_ms(now.mono).unwrap_or(0);
    let facts = history::mysql::derive(node.mysql.last(), sample, elapsed_ms);
    app.history.push_database(name, &facts, now.mono, app.inventory.settings.poll.mysql_ms);
    node.mysql.take(facts, now);
    compare(&mut app.world, &app.inventory, name, now);
}

fn guests(app: &mut App, name: &NodeName, sample: HypervisorSample) {
    let now = app.now;
    let Some(node) = app.world.node_mut(name) else { return };
    let elapsed_ms = node.hypervisor.age_ms(now.mono).unwrap_or(0);
    let facts = history::hypervisor::derive(node.hypervisor.last(), sample, elapsed_ms);
    app.history.push_guests(name, &facts, now.mono, app.inventory.settings.poll.guests_ms);
    node.hypervisor.take(facts, now);
}

/// How the replicas of a server that was just read stand to it: they were read before.
fn compare(world: &mut World, inventory: &Inventory, source: &NodeName, now: Now) {
    let places = topology(world, inventory);
    let Some(replicas) = places.into_iter().find(|place| place.node == *source).map(|place| place.replicas) else {
        return;
    };
    for replica in replicas {
        let of = |name: &NodeName| world.node(name).and_then(|node| node.mysql.last());
        let Some(stands) = of(&replica).zip(of(source)).map(|(replica, source)| relation(replica, source)) else {
            continue;
        };
        if let Some(facts) = world.node_mut(&replica).and_then(|node| node.mysql.last_mut()) {
            facts.unheard = unheard(facts, &stands, now);
            facts.to_source = stands;
        }
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
        ProbeId::Ovs => node.ovs.fail(reason, now),
        ProbeId::OvsLive => {
            node.ovs_live.fail(reason, now);
            app.history.push_ports_gap(name, now.mono);
        }
        ProbeId::OvsDetail => node.ovs_detail.fail(reason, now),
        ProbeId::LinuxBridges => node.bridges.fail(reason, now),
        ProbeId::Presence => node.presence.fail(reason, now),
        ProbeId::Services => node.services.fail(reason, now),
        ProbeId::Memcached => node.memcached.fail(reason, now),
        ProbeId::Certificates => node.certificates.fail(reason, now),
        ProbeId::PrivateNetwork => node.private_network.fail(reason, now),
        ProbeId::Switchover => node.switchover.fail(reason, now),
        ProbeId::Daemon => node.daemon.fail(reason, now),
        ProbeId::Cut => node.cut.fail(reason, now),
        ProbeId::Tuning => node.tuning.fail(reason, now),
        ProbeId::Binlog | ProbeId::Countdown | ProbeId::Hook => {}
        ProbeId::Haproxy => {
            node.haproxy.fail(reason, now);
            app.history.push_haproxy_gap(name, now.mono);
        }
        ProbeId::Mysql => {
            node.mysql.fail(reason, now);
            app.history.push_database_gap(name, now.mono);
        }
        ProbeId::Guests => {
            node.hypervisor.fail_with(trouble, now);
            app.history.push_guests_gap(name, now.mono);
        }
        ProbeId::GuestProfile => node.hypervisor_profile.fail_with(trouble, now),
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
