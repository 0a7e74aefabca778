//! Backends over all load balancers, with what is known of the machines behind their servers.

use super::{Scene, fresh};
use crate::{
    history::tuning::called,
    model::{
        figure::Figure,
        haproxy::{Backend, HaproxyFacts, Server, TrafficRates},
        ids::{NodeName, ProxyName},
        inventory::Role,
        services::{WebKind, WebServer},
        world::NodeFacts,
    },
    plan::expect::takes_traffic,
};
use std::collections::BTreeMap;

/// A backend.
pub(super) struct Pool<'a> {
    pub(super) name: &'a ProxyName,
    pub(super) sides: Vec<Side<'a>>,
    /// Servers that take traffic somewhere.
    pub(super) members: Vec<Member<'a>>,
}

/// A backend on one load balancer.
pub(super) struct Side<'a> {
    pub(super) lb: &'a NodeName,
    pub(super) facts: &'a HaproxyFacts,
    pub(super) backend: &'a Backend,
    pub(super) rates: Option<&'a TrafficRates>,
    pub(super) server_rates: &'a [TrafficRates],
}

/// A server over all load balancers.
pub(super) struct Member<'a> {
    /// As one of them sees it.
    pub(super) server: &'a Server,
    /// Sessions on all of them.
    pub(super) sessions: u64,
    /// The largest limit that one of them has for it.
    pub(super) limit: Option<u64>,
    /// How near to its limit it is where it is nearest, percent.
    pub(super) used_percent: Option<u64>,
    /// The node behind it.
    pub(super) node: Option<&'a NodeName>,
    /// Processor in use there, percent.
    pub(super) cpu_percent: Option<f64>,
    /// Memory that is free there, bytes.
    pub(super) memory_free: Option<u64>,
    /// The web server whose workers carry one session each.
    pub(super) workers: Option<&'a WebServer>,
}

/// Every backend that a load balancer told lately.
pub(super) fn pools<'a>(scene: &Scene<'a>) -> Vec<Pool<'a>> {
    let mut sides: BTreeMap<&ProxyName, Vec<Side<'a>>> = BTreeMap::new();
    for node in &scene.world.nodes {
        let Some(facts) = fresh(scene, &node.name, &node.haproxy, scene.inventory.settings.poll.haproxy_ms) else {
            continue;
        };
        for (index, backend) in facts.sample.backends.iter().enumerate() {
            let side = Side {
                lb: &node.name,
                facts,
                backend,
                rates: facts.backend_rates.get(index),
                server_rates: facts.server_rates.get(index).map_or(&[], Vec::as_slice),
            };
            sides.entry(&backend.name).or_default().push(side);
        }
    }
    sides.into_iter().map(|(name, sides)| Pool { name, members: members(scene, &sides), sides }).collect()
}

fn members<'a>(scene: &Scene<'a>, sides: &[Side<'a>]) -> Vec<Member<'a>> {
    let mut members: Vec<Member<'a>> = Vec::new();
    for server in sides.iter().flat_map(|side| &side.backend.servers).filter(|server| takes_traffic(server)) {
        let sessions = server.traffic.sessions_current.known().unwrap_or(0);
        let limit = server.traffic.sessions_limit.known().filter(|limit| *limit > 0);
        let used = limit.and_then(|limit| super::share(sessions, limit));
        if let Some(known) = members.iter_mut().find(|known| known.server.name == server.name) {
            known.sessions += sessions;
            known.limit = known.limit.max(limit);
            known.used_percent = known.used_percent.max(used);
            continue;
        }
        let node = server.machine(scene.inventory).and_then(|name| scene.world.node(&NodeName::new(name)));
        members.push(member(scene, server, node, (sessions, limit, used)));
    }
    members
}

fn member<'a>(
    scene: &Scene<'a>,
    server: &'a Server,
    node: Option<&'a NodeFacts>,
    (sessions, limit, used_percent): (u64, Option<u64>, Option<u64>),
) -> Member<'a> {
    let poll = &scene.inventory.settings.poll;
    let host = node.and_then(|node| fresh(scene, &node.name, &node.host, poll.host_ms));
    let services = node.and_then(|node| fresh(scene, &node.name, &node.services, poll.services_ms));
    let one_each = |web: &&WebServer| matches!(web.kind, WebKind::PhpFpm | WebKind::Apache);
    let workers = services.and_then(|services| {
        let mut webs = services.sample.web.iter().filter(one_each);
        webs.clone().find(|web| web.kind == WebKind::PhpFpm).or_else(|| webs.next())
    });
    Member {
        server,
        sessions,
        limit,
        used_percent,
        node: node.map(|node| &node.name),
        cpu_percent: host.and_then(|host| host.cpu.known()).map(|cpu| cpu.busy()),
        memory_free: host.and_then(|host| host.sample.memory.known()).map(|memory| memory.available_bytes),
        workers,
    }
}

impl Pool<'_> {
    /// Requests that wait, on all load balancers.
    pub(super) fn waiting(&self) -> u64 {
        self.sides.iter().map(Side::waiting).sum()
    }

    /// Whether it wants relief: somebody waits, or a server is near its limit.
    pub(super) fn is_pressed(&self) -> bool {
        self.waiting() > 0 || self.members.iter().any(|one| one.used_percent >= Some(super::NEAR_PERCENT))
    }

    /// The word by which a setting reaches its load balancers: the role, where all of it have the backend; else the node on
    /// which most wait.
    pub(super) fn target(&self, scene: &Scene<'_>) -> String {
        let edge = Role::Edge.word();
        let of_role = called(scene.inventory, edge);
        let has = |node: &&crate::model::inventory::Node| self.sides.iter().any(|side| *side.lb == node.name);
        if !of_role.is_empty() && of_role.iter().all(has) {
            return edge.to_owned();
        }
        let most = self.sides.iter().max_by_key(|side| side.waiting());
        most.map(|side| side.lb.to_string()).unwrap_or_default()
    }

    /// New sessions a second that its servers were given, and that came for it, over all load balancers.
    pub(super) fn flow(&self) -> Option<(f64, f64)> {
        let mut flow = (0.0, 0.0);
        for side in &self.sides {
            let came = side.rates?.sessions_per_s.known()?;
            let given = side.server_rates.iter().filter_map(|rates| rates.sessions_per_s.known()).sum::<f64>();
            flow = (flow.0 + given, flow.1 + came);
        }
        Some(flow).filter(|(given, came)| given.is_finite() && came.is_finite())
    }

    /// The names of its servers that take traffic.
    pub(super) fn member_names(&self) -> String {
        crate::plan::haproxy::list_words(self.members.iter().map(|one| one.server.name.as_str()))
    }
}

impl Side<'_> {
    /// Requests that wait here.
    pub(super) fn waiting(&self) -> u64 {
        self.backend.traffic.queue_current.known().unwrap_or(0)
    }

    /// Servers that take traffic here.
    pub(super) fn open_servers(&self) -> u64 {
        self.backend.servers.iter().filter(|server| takes_traffic(server)).count() as u64
    }
}

impl Member<'_> {
    /// "its CPU is at 35 %".
    pub(super) fn cpu_words(&self) -> String {
        match self.cpu_percent {
            Some(cpu) => format!("CPU {cpu:.0} %"),
            None => "CPU not known".to_owned(),
        }
    }

    /// Bytes that one more of its workers takes.
    pub(super) fn worker_bytes(&self) -> Option<u64> {
        let web = self.workers?;
        let mean = match (web.memory_bytes, web.workers) {
            (Figure::Known(all), count) if count > 0 => Some(all / count),
            _ => None,
        };
        web.largest_bytes.known().max(mean)
    }
}
