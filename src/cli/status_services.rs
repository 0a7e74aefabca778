//! The parts of `vakt status --json` about virtual addresses and services.

use super::status_document::rounded;
use crate::model::{
    address::is_public,
    certificates::Place,
    inventory::{Inventory, Vip},
    memcached::{MemcachedFacts, MemcachedState},
    presence::ProcessState,
    services::{NfsMount, NfsState, WebServer},
    time::Now,
    world::{NodeFacts, World},
};
use serde::Serialize;
use std::net::IpAddr;

/// A virtual address.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct VipRow {
    pub address: String,
    pub nodes: Vec<VipNode>,
    pub holders: Vec<String>,
    pub state: &'static str,
}

/// A node that may hold it, or that does.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct VipNode {
    pub node: String,
    pub holds: Option<bool>,
    pub may_hold: bool,
    pub since_ms: Option<u64>,
    pub age_ms: Option<u64>,
    pub keepalived: Option<&'static str>,
    pub priority: Option<u8>,
    pub error: Option<String>,
}

/// Services of one node.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct ServicesRow {
    pub node: String,
    pub age_ms: Option<u64>,
    pub error: Option<String>,
    pub listeners: Option<Vec<ListenerRow>>,
    pub memcached: Option<MemcachedRow>,
    pub connections: Option<u64>,
    pub web: Vec<WebRow>,
    pub nfs: Vec<NfsRow>,
}

/// memcached.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct MemcachedRow {
    pub state: &'static str,
    pub version: Option<String>,
    pub connections: Option<u64>,
    pub connections_max: Option<u64>,
    pub items: Option<u64>,
    pub bytes: Option<u64>,
    pub bytes_max: Option<u64>,
    pub gets_per_s: Option<f64>,
    pub hit_percent: Option<f64>,
    pub evictions_per_s: Option<f64>,
    pub evictions: Option<u64>,
}

/// A certificate of a load balancer.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct CertificateRow {
    pub node: String,
    pub place: String,
    pub is_served: bool,
    pub name: String,
    pub names: Vec<String>,
    pub issuer: String,
    pub ends: Option<String>,
    pub days_left: Option<i64>,
}

/// A path between two nodes.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct PathRow {
    pub from: String,
    pub to: String,
    pub latency_ms: Option<f64>,
    pub sent: u32,
    pub lost: u32,
}

/// A socket that waits for connections.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct ListenerRow {
    pub address: String,
    pub port: u16,
    pub protocol: crate::model::services::Protocol,
    pub is_public: Option<bool>,
}

/// A web server.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct WebRow {
    pub server: &'static str,
    pub workers: u64,
    pub workers_max: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub worker_bytes: Option<u64>,
    pub full_bytes: Option<u64>,
}

/// An NFS mount.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct NfsRow {
    pub device: String,
    pub mount: String,
    pub operations_per_s: Option<f64>,
    pub latency_ms: Option<f64>,
    pub timeouts_per_s: Option<f64>,
    pub silent_ms: u64,
}

/// Every virtual address of the inventory.
pub(super) fn vips(world: &World, inventory: &Inventory, now: Now) -> Vec<VipRow> {
    inventory.vips.iter().map(|vip| vip_row(world, inventory, vip, now)).collect()
}

fn vip_row(world: &World, inventory: &Inventory, vip: &Vip, now: Now) -> VipRow {
    let nodes: Vec<VipNode> = world.nodes.iter().filter_map(|facts| vip_node(facts, inventory, vip, now)).collect();
    let holders: Vec<String> =
        nodes.iter().filter(|node| node.holds == Some(true)).map(|node| node.node.clone()).collect();
    let is_known = nodes.iter().all(|node| node.holds.is_some());
    let state = match holders.len() {
        0 if is_known => "unheld",
        0 => "unknown",
        1 => "held",
        _ => "duplicate",
    };
    VipRow { address: vip.address.to_string(), nodes, holders, state }
}

/// Old facts prove nothing: whether such a node holds the address is unknown.
fn vip_node(facts: &NodeFacts, inventory: &Inventory, vip: &Vip, now: Now) -> Option<VipNode> {
    let may_hold = vip.nodes.contains(&facts.name);
    let listed = inventory.node(&facts.name)?;
    let interval_ms = crate::wire::probe::ProbeId::Presence.interval_on_ms(listed, inventory);
    let limit_ms = inventory.settings.poll.stale_after_ms.max(interval_ms.saturating_mul(5) / 2);
    let fresh = facts.presence.fresh(now.mono, limit_ms);
    let holds = fresh.and_then(|presence| presence.carries(vip.address).known());
    if !may_hold && holds != Some(true) {
        return None;
    }
    let since = fresh.and_then(|presence| presence.since(vip.address));
    let keepalived = fresh.map(|presence| &presence.sample.keepalived);
    Some(VipNode {
        node: facts.name.to_string(),
        holds,
        may_hold,
        since_ms: since.map(|since| now.mono.since_ms(since.mono)),
        age_ms: facts.presence.age_ms(now.mono),
        keepalived: keepalived.and_then(|keepalived| keepalived.process.known()).map(|process| match process {
            ProcessState::Absent => "absent",
            ProcessState::Running => "running",
            ProcessState::Stopped => "stopped",
            ProcessState::Blocked => "blocked",
        }),
        priority: keepalived.and_then(|keepalived| keepalived.instances.iter().find_map(|instance| instance.priority)),
        error: facts.presence.failure().map(|failure| failure.reason.to_string()),
    })
}

/// Services of every node that was asked for them.
pub(super) fn services(world: &World, now: Now) -> Vec<ServicesRow> {
    let asked =
        world.nodes.iter().filter(|facts| facts.services.last().is_some() || facts.services.failure().is_some());
    asked.map(|facts| services_row(facts, now)).collect()
}

fn services_row(facts: &NodeFacts, now: Now) -> ServicesRow {
    let last = facts.services.last();
    let sample = last.map(|services| &services.sample);
    let carried = facts.presence.last().and_then(|presence| presence.sample.addresses.as_ref().known());
    let public: Option<Vec<IpAddr>> =
        carried.map(|carried| carried.iter().copied().filter(|address| is_public(*address)).collect());
    let reached = |address: IpAddr| {
        public
            .as_ref()
            .map(|public| if address.is_unspecified() { !public.is_empty() } else { public.contains(&address) })
    };
    let listeners = sample.and_then(|sample| sample.listeners.as_ref().known()).map(|listeners| {
        let row = |listener: &crate::model::services::Listener| ListenerRow {
            address: listener.address.to_string(),
            port: listener.port,
            protocol: listener.protocol,
            is_public: reached(listener.address),
        };
        listeners.iter().map(row).collect()
    });
    ServicesRow {
        node: facts.name.to_string(),
        age_ms: facts.services.age_ms(now.mono),
        error: facts.services.failure().map(|failure| failure.reason.to_string()),
        listeners,
        memcached: facts.memcached.last().map(memcached_row),
        connections: sample.and_then(|sample| sample.connections.known()),
        web: sample.map(|sample| sample.web.iter().map(web_row).collect()).unwrap_or_default(),
        nfs: last
            .map(|services| {
                services.sample.nfs.iter().zip(&services.nfs).map(|(mount, state)| nfs_row(mount, state)).collect()
            })
            .unwrap_or_default(),
    }
}

fn web_row(server: &WebServer) -> WebRow {
    WebRow {
        server: server.kind.word(),
        workers: server.workers,
        workers_max: server.workers_max.known(),
        memory_bytes: server.memory_bytes.known(),
        worker_bytes: server.worker_bytes().known(),
        full_bytes: server.full_bytes().known(),
    }
}

fn nfs_row(mount: &NfsMount, state: &NfsState) -> NfsRow {
    NfsRow {
        device: mount.device.to_string(),
        mount: mount.mount.to_string(),
        operations_per_s: state.operations_per_s.known().map(rounded),
        latency_ms: state.latency_ms.known().map(rounded),
        timeouts_per_s: state.timeouts_per_s.known().map(rounded),
        silent_ms: state.silent_ms,
    }
}

fn memcached_row(facts: &MemcachedFacts) -> MemcachedRow {
    let sample = &facts.sample;
    MemcachedRow {
        state: match sample.state {
            MemcachedState::Answers => "answers",
            MemcachedState::Refuses => "absent",
            MemcachedState::Silent => "silent",
        },
        version: sample.version.as_ref().known().map(ToString::to_string),
        connections: sample.connections.known(),
        connections_max: sample.connections_max.known(),
        items: sample.items.known(),
        bytes: sample.bytes.known(),
        bytes_max: sample.bytes_max.known(),
        gets_per_s: facts.gets_per_s.known().map(rounded),
        hit_percent: facts.hit_percent.known().map(rounded),
        evictions_per_s: facts.evictions_per_s.known().map(rounded),
        evictions: sample.evictions.known(),
    }
}

/// Certificates of all load balancers.
pub(super) fn certificates(world: &World, now: Now) -> Vec<CertificateRow> {
    let mut rows = Vec::new();
    for facts in &world.nodes {
        let Some(certificates) = facts.certificates.last() else { continue };
        rows.extend(certificates.certificates.iter().map(|certificate| CertificateRow {
            node: facts.name.to_string(),
            place: match &certificate.place {
                Place::Served(place) | Place::File(place) => place.to_string(),
                Place::Unknown => String::new(),
            },
            is_served: matches!(certificate.place, Place::Served(_)),
            name: certificate.name.to_string(),
            names: certificate.names.iter().map(ToString::to_string).collect(),
            issuer: certificate.issuer.to_string(),
            ends: certificate.ends.known().map(super::wall_text),
            days_left: certificate.days_left(now.wall).known(),
        }));
    }
    rows
}

/// Paths between nodes, each measured by the node in `from`.
pub(super) fn private_network(world: &World, inventory: &Inventory) -> Vec<PathRow> {
    let name_of = |address: IpAddr| {
        let node = inventory.nodes.iter().find(|node| node.private == Some(address));
        node.map_or_else(|| address.to_string(), |node| node.name.to_string())
    };
    let mut rows = Vec::new();
    for facts in &world.nodes {
        let Some(network) = facts.private_network.last() else { continue };
        rows.extend(network.paths.iter().map(|path| {
            let (lost, sent) = path.lost();
            let latency_ms = path.latency_ms().known().map(|ms| (ms * 1000.0).round() / 1000.0);
            PathRow { from: facts.name.to_string(), to: name_of(path.to), latency_ms, sent, lost }
        }));
    }
    rows
}
