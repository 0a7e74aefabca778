//! `vakt status --json`: its shape, version 2. `docs/status-json.md` describes every key; a test compares the two.
//!
//! A figure that is unknown is `null`, and its reason stands in `unknown` beside it: never a zero.

use super::status_mysql::{self, MysqlRow};
use super::status_ovs::{self, Ovs};
use super::status_services::{self, CertificateRow, PathRow, ServicesRow, VipRow};
use super::status_vms::{self, Vms};
use crate::{
    model::{
        figure::Figure,
        haproxy::{HaproxyFacts, Server},
        host::{HostFacts, HostProfile},
        inventory::Inventory,
        link::LinkState,
        time::Now,
        trouble::Trouble,
        world::{NodeFacts, World},
    },
    rules::Finding,
    run::ledger::{Held, Ledger, Wanted, Wish},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of the shape. It grows when a key changes its meaning or goes; new keys do not change it.
pub const SCHEMA: u32 = 2;

/// The whole document.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct Document {
    pub schema: u32,
    pub cluster: String,
    pub taken_at: String,
    pub nodes: Vec<Node>,
    pub haproxy: Haproxy,
    pub ovs: Ovs,
    pub mysql: Vec<MysqlRow>,
    pub vms: Vms,
    pub vips: Vec<VipRow>,
    pub services: Vec<ServicesRow>,
    pub certificates: Vec<CertificateRow>,
    pub private_network: Vec<PathRow>,
    pub wishes: Vec<WishRow>,
    pub wishes_dropped: u64,
    pub findings: Vec<FindingRow>,
}

/// A node.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct Node {
    pub name: String,
    pub roles: Vec<&'static str>,
    pub site: Option<String>,
    pub address: String,
    pub state: &'static str,
    pub age_ms: Option<u64>,
    pub error: Option<Error>,
    pub host: Option<Host>,
}

/// Why a node is not up.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct Error {
    pub kind: String,
    pub cause: String,
    pub cure: String,
}

/// A host.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct Host {
    pub system: Option<String>,
    pub kernel: Option<String>,
    pub virtualisation: Option<serde_json::Value>,
    pub uptime_s: Option<u64>,
    pub clock_offset_ms: Option<i64>,
    pub cpus: Option<u32>,
    pub load_one_minute: Option<f64>,
    pub cpu_busy_percent: Option<f64>,
    pub cpu_iowait_percent: Option<f64>,
    pub cpu_steal_percent: Option<f64>,
    pub blocked_tasks: Option<u32>,
    pub memory_total_bytes: Option<u64>,
    pub memory_available_bytes: Option<u64>,
    pub swap_used_bytes: Option<u64>,
    pub oom_kills: Option<u64>,
    pub pressure_cpu_some_percent: Option<f64>,
    pub pressure_memory_some_percent: Option<f64>,
    pub pressure_io_some_percent: Option<f64>,
    pub pressure_io_full_percent: Option<f64>,
    pub disks: Vec<Disk>,
    pub interfaces: Vec<Interface>,
    pub filesystems: Vec<Filesystem>,
    /// Figure name to reason.
    pub unknown: BTreeMap<&'static str, String>,
}

/// A disk.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct Disk {
    pub name: String,
    pub reads_per_s: Option<f64>,
    pub writes_per_s: Option<f64>,
    pub read_bytes_per_s: Option<f64>,
    pub write_bytes_per_s: Option<f64>,
    pub read_await_ms: Option<f64>,
    pub write_await_ms: Option<f64>,
    pub queue: Option<f64>,
    pub busy_percent: Option<f64>,
}

/// A network interface.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct Interface {
    pub name: String,
    pub rx_bits_per_s: Option<f64>,
    pub tx_bits_per_s: Option<f64>,
    pub drops_per_s: Option<f64>,
    pub errors_per_s: Option<f64>,
}

/// A file system.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct Filesystem {
    pub mount: String,
    pub total_bytes: u64,
    pub used_bytes: u64,
    pub available_bytes: u64,
}

/// HAProxy on all load balancers.
#[derive(Debug, Default, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct Haproxy {
    pub load_balancers: Vec<LoadBalancer>,
    pub frontends: Vec<ProxyRow>,
    pub backends: Vec<ProxyRow>,
    pub servers: Vec<ServerRow>,
}

/// One HAProxy process.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct LoadBalancer {
    pub lb: String,
    pub age_ms: Option<u64>,
    pub error: Option<String>,
    pub version: Option<String>,
    pub uptime_s: Option<u64>,
    pub connections_current: Option<u64>,
    pub connections_max: Option<u64>,
}

/// A frontend or backend of one load balancer.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct ProxyRow {
    pub lb: String,
    pub name: String,
    pub status: String,
    pub sessions_current: Option<u64>,
    pub queue_current: Option<u64>,
    pub rate_per_s: Option<u64>,
}

/// A server of one load balancer.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct ServerRow {
    pub lb: String,
    pub backend: String,
    pub server: String,
    pub admin_state: Option<String>,
    pub operational_state: String,
    pub config_state: Option<String>,
    pub sessions_current: Option<u64>,
    pub queue_current: Option<u64>,
    pub weight: Option<u64>,
    pub weight_configured: Option<u64>,
    pub check_status: Option<String>,
    pub check_code: Option<u64>,
    pub check_duration_ms: Option<u64>,
    pub last_change_s: Option<u64>,
}

/// What an operator wants of a server.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct WishRow {
    pub backend: String,
    pub server: String,
    pub wanted: &'static str,
    pub weight: Option<u64>,
    pub since: String,
    pub by: String,
    pub reason: Option<String>,
    pub run: String,
    pub load_balancers: Vec<WishSide>,
}

/// What one load balancer says to a wish.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct WishSide {
    pub lb: String,
    pub holds: Option<bool>,
    pub says: String,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct FindingRow {
    pub id: String,
    pub severity: &'static str,
    pub subject: String,
    pub node: Option<String>,
    pub nodes: Vec<String>,
    pub since: String,
    pub since_ms: u64,
    pub summary: String,
    pub evidence: Vec<String>,
    pub hint: String,
    pub follows_from: Option<CauseRow>,
    pub acknowledged: Option<AcknowledgedRow>,
}

/// The finding that explains another one.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct CauseRow {
    pub id: String,
    pub title: String,
    pub subject: String,
}

/// Who has seen a finding.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct AcknowledgedRow {
    pub by: String,
    pub reason: String,
    pub at: String,
    pub until: Option<String>,
}

/// The document of what is known now.
pub fn document(world: &World, inventory: &Inventory, ledger: &Ledger, findings: &[Finding], now: Now) -> Document {
    Document {
        schema: SCHEMA,
        cluster: inventory.cluster.to_string(),
        taken_at: super::wall_text(now.wall),
        nodes: world.nodes.iter().map(|facts| node(facts, inventory, now)).collect(),
        haproxy: haproxy(world, inventory, now),
        ovs: status_ovs::ovs(world, inventory, now),
        mysql: status_mysql::rows(world, inventory, now),
        vms: status_vms::vms(world, inventory, now),
        vips: status_services::vips(world, inventory, now),
        services: status_services::services(world, now),
        certificates: status_services::certificates(world, now),
        private_network: status_services::private_network(world, inventory),
        wishes: ledger.wishes.iter().map(|wished| wish(wished, world, now, inventory)).collect(),
        wishes_dropped: ledger.dropped,
        findings: findings.iter().map(|found| finding(found, now)).collect(),
    }
}

fn wish(wish: &Wish, world: &World, now: Now, inventory: &Inventory) -> WishRow {
    let sides = world.nodes.iter().filter_map(|node| {
        let held = match (node.haproxy.last(), node.haproxy.age_ms(now.mono)) {
            (Some(facts), Some(age_ms)) if age_ms <= inventory.settings.poll.stale_after_ms => {
                wish.wanted.held(&wish.server, &facts.sample)?
            }
            // Old facts prove nothing; whether it has the backend they do tell.
            (Some(facts), _) => {
                wish.wanted.held(&wish.server, &facts.sample)?;
                Held::Unknown("its facts are too old".into())
            }
            (None, _) if inventory.node(&node.name)?.haproxy_socket.is_some() => Held::Unknown("not read yet".into()),
            (None, _) => return None,
        };
        Some(WishSide { lb: node.name.to_string(), holds: held.known(), says: held.seen().to_string() })
    });
    WishRow {
        backend: wish.server.backend.to_string(),
        server: wish.server.server.to_string(),
        wanted: wish.wanted.word(),
        weight: if let Wanted::Weight(weight) = wish.wanted { Some(weight) } else { None },
        since: super::wall_text(wish.since),
        by: wish.by.to_string(),
        reason: wish.reason.as_ref().map(ToString::to_string),
        run: wish.run.to_string(),
        load_balancers: sides.collect(),
    }
}

fn node(facts: &NodeFacts, inventory: &Inventory, now: Now) -> Node {
    let listed = inventory.node(&facts.name);
    let state = facts.state(now.mono, inventory.settings.poll.stale_after_ms);
    Node {
        name: facts.name.to_string(),
        roles: listed.map(|node| node.roles.iter().map(|role| role.word()).collect()).unwrap_or_default(),
        site: listed.and_then(|node| node.site.clone()),
        address: listed.map(|node| node.management.clone()).unwrap_or_default(),
        state: state.word(),
        age_ms: facts.host.age_ms(now.mono),
        error: error(facts),
        host: facts.host.last().map(|host| self::host(host, facts.profile.last())),
    }
}

fn error(facts: &NodeFacts) -> Option<Error> {
    match (facts.link.lost(), &facts.link.state, facts.questions.first()) {
        (_, LinkState::Asking, Some(question)) => Some(error_of(&question.ask.trouble())),
        (Some(trouble), ..) => Some(error_of(trouble)),
        _ => facts.host.failure().map(|failure| Error {
            kind: "probe_failed".into(),
            cause: failure.reason.to_string(),
            cure: "run vakt check".into(),
        }),
    }
}

fn error_of(trouble: &Trouble) -> Error {
    let kind = serde_json::to_value(trouble.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
    Error { kind: kind.unwrap_or_default(), cause: trouble.cause.to_string(), cure: trouble.cure.to_string() }
}

fn host(facts: &HostFacts, profile: Option<&HostProfile>) -> Host {
    let mut unknown = BTreeMap::new();
    let mut note = |name: &'static str, why: Option<crate::model::figure::Unknown>| {
        if let Some(why) = why {
            unknown.insert(name, why.to_string());
        }
    };
    note("cpu", facts.cpu.why());
    note("load", facts.sample.load.why());
    note("memory", facts.sample.memory.why());
    note("pressure", facts.sample.pressure.why());
    note("oom_kills", facts.sample.oom_kills.why());
    note("clock_offset_ms", facts.clock_offset_ms.why());
    let cpu = facts.cpu.known();
    let memory = facts.sample.memory.known();
    Host {
        system: profile.and_then(|profile| text(&profile.system)),
        kernel: profile.and_then(|profile| text(&profile.kernel)),
        virtualisation: profile
            .and_then(|profile| profile.virtualisation.as_ref().known())
            .and_then(|kind| serde_json::to_value(kind).ok()),
        uptime_s: facts.sample.uptime_ms.known().map(|ms| ms / 1000),
        clock_offset_ms: facts.clock_offset_ms.known(),
        cpus: facts.sample.cpus.known(),
        load_one_minute: facts.sample.load.known().map(|load| load.one_minute),
        cpu_busy_percent: cpu.map(|cpu| rounded(cpu.busy())),
        cpu_iowait_percent: cpu.map(|cpu| rounded(cpu.iowait)),
        cpu_steal_percent: cpu.map(|cpu| rounded(cpu.steal)),
        blocked_tasks: facts.sample.blocked_tasks.known(),
        memory_total_bytes: memory.map(|memory| memory.total_bytes),
        memory_available_bytes: memory.map(|memory| memory.available_bytes),
        swap_used_bytes: memory.map(|memory| memory.swap_total_bytes.saturating_sub(memory.swap_free_bytes)),
        oom_kills: facts.sample.oom_kills.known(),
        pressure_cpu_some_percent: facts.cpu_some_percent.known().map(rounded),
        pressure_memory_some_percent: facts.memory_some_percent.known().map(rounded),
        pressure_io_some_percent: facts.io_some_percent.known().map(rounded),
        pressure_io_full_percent: facts.io_full_percent.known().map(rounded),
        disks: disks(facts),
        interfaces: interfaces(facts),
        filesystems: profile.map(filesystems).unwrap_or_default(),
        unknown,
    }
}

fn disks(facts: &HostFacts) -> Vec<Disk> {
    let row = |disk: &crate::model::host::DiskRates| Disk {
        name: disk.name.to_string(),
        reads_per_s: disk.reads_per_s.known().map(rounded),
        writes_per_s: disk.writes_per_s.known().map(rounded),
        read_bytes_per_s: disk.read_bytes_per_s.known().map(rounded),
        write_bytes_per_s: disk.write_bytes_per_s.known().map(rounded),
        read_await_ms: disk.read_await_ms.known().map(rounded),
        write_await_ms: disk.write_await_ms.known().map(rounded),
        queue: disk.queue.known().map(rounded),
        busy_percent: disk.busy_percent.known().map(rounded),
    };
    facts.disks.iter().map(row).collect()
}

fn interfaces(facts: &HostFacts) -> Vec<Interface> {
    let row = |interface: &crate::model::host::InterfaceRates| Interface {
        name: interface.name.to_string(),
        rx_bits_per_s: interface.rx_bits_per_s.known().map(rounded),
        tx_bits_per_s: interface.tx_bits_per_s.known().map(rounded),
        drops_per_s: interface.drops_per_s.known().map(rounded),
        errors_per_s: interface.errors_per_s.known().map(rounded),
    };
    facts.interfaces.iter().map(row).collect()
}

fn filesystems(profile: &HostProfile) -> Vec<Filesystem> {
    let row = |filesystem: &crate::model::host::Filesystem| Filesystem {
        mount: filesystem.mount.to_string(),
        total_bytes: filesystem.total_bytes,
        used_bytes: filesystem.used_bytes,
        available_bytes: filesystem.available_bytes,
    };
    profile.filesystems.iter().map(row).collect()
}

fn haproxy(world: &World, inventory: &Inventory, now: Now) -> Haproxy {
    let mut all = Haproxy::default();
    for facts in &world.nodes {
        if inventory.node(&facts.name).is_none_or(|node| node.haproxy_socket.is_none()) {
            continue;
        }
        let last = facts.haproxy.last();
        let info = last.map(|haproxy| &haproxy.sample.info);
        all.load_balancers.push(LoadBalancer {
            lb: facts.name.to_string(),
            age_ms: facts.haproxy.age_ms(now.mono),
            error: facts.haproxy.failure().map(|failure| failure.reason.to_string()),
            version: info.and_then(|info| text(&info.version)),
            uptime_s: info.and_then(|info| info.uptime_s.known()),
            connections_current: info.and_then(|info| info.connections_current.known()),
            connections_max: info.and_then(|info| info.connections_max.known()),
        });
        if let Some(haproxy) = last {
            proxies(&mut all, facts.name.as_str(), haproxy);
        }
    }
    all
}

fn proxies(all: &mut Haproxy, lb: &str, facts: &HaproxyFacts) {
    for frontend in &facts.sample.frontends {
        all.frontends.push(ProxyRow {
            lb: lb.to_owned(),
            name: frontend.name.to_string(),
            status: frontend.status.to_string(),
            sessions_current: frontend.traffic.sessions_current.known(),
            queue_current: None,
            rate_per_s: frontend.traffic.rate_per_s.known(),
        });
    }
    for backend in &facts.sample.backends {
        all.backends.push(ProxyRow {
            lb: lb.to_owned(),
            name: backend.name.to_string(),
            status: backend.status.to_string(),
            sessions_current: backend.traffic.sessions_current.known(),
            queue_current: backend.traffic.queue_current.known(),
            rate_per_s: backend.traffic.rate_per_s.known(),
        });
        all.servers.extend(backend.servers.iter().map(|server| server_row(lb, backend.name.as_str(), server)));
    }
}

fn server_row(lb: &str, backend: &str, server: &Server) -> ServerRow {
    ServerRow {
        lb: lb.to_owned(),
        backend: backend.to_owned(),
        server: server.name.to_string(),
        admin_state: server.admin.known().map(|state| state.to_string()),
        operational_state: server.operational.to_string(),
        config_state: server.configured.known().map(|state| state.to_string()),
        sessions_current: server.traffic.sessions_current.known(),
        queue_current: server.traffic.queue_current.known(),
        weight: server.weight.known(),
        weight_configured: server.weight_configured.known(),
        check_status: text(&server.check.status),
        check_code: server.check.code.known(),
        check_duration_ms: server.check.duration_ms.known(),
        last_change_s: server.last_change_s.known(),
    }
}

fn finding(found: &Finding, now: Now) -> FindingRow {
    FindingRow {
        id: found.rule.to_string(),
        severity: match found.severity {
            crate::rules::Severity::Warning => "warning",
            crate::rules::Severity::Critical => "critical",
        },
        subject: found.subject.to_string(),
        node: found.node.as_ref().map(ToString::to_string),
        nodes: found.nodes.iter().map(ToString::to_string).collect(),
        since: super::wall_text(found.since.wall),
        since_ms: now.mono.since_ms(found.since.mono),
        summary: found.sentence.to_string(),
        evidence: found.evidence.iter().map(ToString::to_string).collect(),
        hint: found.hint.to_string(),
        follows_from: found.follows_from.as_ref().map(|cause| CauseRow {
            id: cause.rule.to_string(),
            title: cause.title.to_string(),
            subject: cause.subject.to_string(),
        }),
        acknowledged: found.acknowledged.as_ref().map(|seen| AcknowledgedRow {
            by: seen.by.to_string(),
            reason: seen.reason.to_string(),
            at: super::wall_text(seen.at),
            until: seen.until.map(super::wall_text),
        }),
    }
}

pub(super) fn text<T: ToString>(figure: &Figure<T>) -> Option<String> {
    figure.as_ref().known().map(ToString::to_string)
}

/// Two decimals: what is measured here is not better than that.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
