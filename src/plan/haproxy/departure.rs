//! What it means for the load balancers that the machine behind a server goes away, or stands still.

use super::{Field, HaproxyProbe, Premise, Probe, ProbeId, Reason, ServerExpect, ServerPath, Source, judge_capacity};
use crate::{
    model::{
        inventory::{Inventory, Policy},
        time::Now,
        world::World,
    },
    plan::expect,
};

/// A server whose machine is to go away.
pub(in crate::plan) struct Departure {
    pub(in crate::plan) path: ServerPath,
    /// Whether it gets new sessions on any load balancer.
    pub(in crate::plan) takes_traffic: bool,
    /// That the others carry what it leaves.
    pub(in crate::plan) premises: Vec<Premise>,
    /// How they are read.
    pub(in crate::plan) sources: Vec<Source>,
}

/// Every server behind which the machine of that name stands, as far as load balancers were ever read; each that cannot
/// be spared is a reason.
pub(in crate::plan) fn departures(
    world: &World,
    inventory: &Inventory,
    policy: &Policy,
    machine: &str,
    now: Now,
    reasons: &mut Vec<Reason>,
) -> Vec<Departure> {
    let paths = servers_of(world, inventory, machine);
    paths.iter().map(|path| departure(world, inventory, policy, path, now, reasons)).collect()
}

/// Every server behind which the machine of that name stands, as far as load balancers were ever read.
pub(in crate::plan) fn servers_of(world: &World, inventory: &Inventory, machine: &str) -> Vec<ServerPath> {
    let samples = world.nodes.iter().filter_map(|node| node.haproxy.last());
    let backends = samples.flat_map(|facts| &facts.sample.backends);
    let mut paths: Vec<ServerPath> = backends
        .flat_map(|backend| backend.servers.iter().map(move |server| (backend, server)))
        .filter(|(_, server)| server.machine(inventory) == Some(machine))
        .map(|(backend, server)| ServerPath { backend: backend.name.clone(), server: server.name.clone() })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

fn departure(
    world: &World,
    inventory: &Inventory,
    policy: &Policy,
    path: &ServerPath,
    now: Now,
    reasons: &mut Vec<Reason>,
) -> Departure {
    let field = Field::survey(world, inventory, path, policy, now, reasons);
    let leaving: Vec<_> = field.seats.iter().filter(|seat| expect::takes_traffic(seat.server)).collect();
    judge_capacity(&field, &leaving, reasons);
    let others_carry = ServerExpect::OthersCarry { percent_min: policy.capacity_floor_percent };
    let checks = leaving.iter().map(|seat| seat.check(path, others_carry));
    let deadline_ms = inventory.settings.poll.deadline_ms;
    let sources = leaving.iter().map(|seat| Source {
        node: seat.node.name.clone(),
        probe: ProbeId::Haproxy,
        requests: HaproxyProbe.requests(seat.node, deadline_ms),
    });
    Departure {
        takes_traffic: !leaving.is_empty(),
        premises: checks.filter_map(|check| super::premise(check, &field)).collect(),
        sources: sources.collect(),
        path: path.clone(),
    }
}
