//! A small cluster that can be made ill: two load balancers, three web servers, three databases.

use super::switches::TestSwitch;
use std::{collections::BTreeMap, path::Path};
use vakt::{
    config,
    model::{
        figure::{Figure, Unknown},
        haproxy::{
            AdminState, Backend, Check, Frontend, HaproxyFacts, HaproxySample, OperationalState, ProcessInfo, Server,
            Traffic, TrafficRates,
        },
        host::{CpuShares, DiskRates, Filesystem, HostFacts, HostProfile, Memory, UnitMemory, Virtualisation},
        ids::{NodeName, ProxyName, ServerName},
        inventory::Inventory,
        link::{LinkState, Route},
        text::Clean,
        time::{Mono, Now, Wall},
        trouble::{Trouble, TroubleKind},
        world::{NodeFacts, World},
    },
    rules::{Acknowledgements, Finding, Operators, Rules},
    run::{RunSummary, ledger::Ledger, lock::LockState},
};

const NODES: [(&str, &str); 8] = [
    ("lb01", "edge"),
    ("lb02", "edge"),
    ("web01", "web"),
    ("web02", "web"),
    ("web03", "web"),
    ("db01", "database"),
    ("db02", "database"),
    ("db03", "database"),
];

/// What operators want and do.
#[derive(Default)]
pub(super) struct Will {
    pub ledger: Ledger,
    pub lock: LockState,
    pub runs: Vec<RunSummary>,
    pub acknowledged: Acknowledgements,
}

impl Will {
    pub(super) fn operators(&self) -> Operators<'_> {
        Operators { ledger: &self.ledger, lock: &self.lock, runs: &self.runs, acknowledged: &self.acknowledged }
    }
}

/// The cluster, its facts, and time.
pub(super) struct Stage {
    pub inventory: Inventory,
    pub world: World,
    pub rules: Rules,
    pub will: Will,
    pub now: Now,
    /// What each node would answer.
    hosts: Vec<HostFacts>,
    pub profiles: Vec<HostProfile>,
    pub haproxies: Vec<HaproxyFacts>,
    /// What the switches answer, on nodes that have one.
    pub switches: BTreeMap<String, TestSwitch>,
    /// What else happens each second, before the rules look.
    pub each_second: Vec<fn(&mut Stage)>,
    /// Nodes that answer no more.
    silent: Vec<String>,
    findings: Vec<Finding>,
}

impl Stage {
    /// Everything is well; one second has passed.
    pub(super) fn new() -> Self {
        let mut text = String::from("[cluster]\nname = \"oslo\"\n");
        for (index, (name, role)) in NODES.iter().enumerate() {
            text +=
                &["[[node]]\nname = \"", name, "\"\nroles = [\"", role, "\"]\nmanagement = \"", name, "\"\n"].concat();
            text += &["private = \"10.10.0.", &(index + 1).to_string(), "\"\n"].concat();
        }
        let inventory = config::load(Path::new("x"), &text, &config::FileMetadata::default()).unwrap().inventory;
        let mut stage = Self {
            world: World::new(&inventory),
            inventory,
            rules: Rules::default(),
            will: Will::default(),
            now: Now { mono: Mono(100_000), wall: Wall(1_400_000_000_000) },
            hosts: NODES.map(|_| healthy_host()).to_vec(),
            profiles: NODES.map(|_| healthy_profile()).to_vec(),
            haproxies: vec![healthy_haproxy(), healthy_haproxy()],
            switches: BTreeMap::new(),
            each_second: Vec::new(),
            silent: Vec::new(),
            findings: Vec::new(),
        };
        for (name, _) in NODES {
            stage.up(name);
        }
        stage.second();
        stage
    }

    fn index(name: &str) -> usize {
        NODES.iter().position(|(node, _)| *node == name).unwrap()
    }

    pub(super) fn facts(&mut self, name: &str) -> &mut NodeFacts {
        self.world.node_mut(&NodeName::from(name)).unwrap()
    }

    pub(super) fn up(&mut self, name: &str) {
        let now = self.now;
        self.silent.retain(|silent| silent != name);
        let link = &mut self.facts(name).link;
        (link.state, link.since, link.up_at) = (LinkState::Up, now, Some(now));
    }

    pub(super) fn down(&mut self, name: &str, kind: TroubleKind, cause: &str, cure: &str) {
        let now = self.now;
        self.cut(name);
        let link = &mut self.facts(name).link;
        link.state = LinkState::Down { trouble: Trouble::new(kind, cause, cure), retry: None };
        link.since = now;
    }

    /// No answer any more, and nobody noticed.
    pub(super) fn cut(&mut self, name: &str) {
        self.silent.push(name.to_owned());
    }

    pub(super) fn fail_host(&mut self, name: &str, reason: &str) {
        let now = self.now;
        self.facts(name).host.fail(Clean::line(reason), now);
    }

    pub(super) fn fail_haproxy(&mut self, name: &str, trouble: &Trouble) {
        let now = self.now;
        let facts = self.facts(name);
        facts.haproxy.fail(trouble.cause.clone(), now);
        facts.link.routes = vec![Route { path: "/run/haproxy/admin.sock".into(), way: Err(trouble.clone()) }];
    }

    /// Changes what a node answers from now on.
    pub(super) fn host(&mut self, name: &str, change: impl Fn(&mut HostFacts)) {
        change(&mut self.hosts[Self::index(name)]);
    }

    pub(super) fn profile(&mut self, name: &str, change: impl Fn(&mut HostProfile)) {
        change(&mut self.profiles[Self::index(name)]);
    }

    /// Changes a server of `web_cluster` on one load balancer (0 or 1).
    pub(super) fn server(&mut self, lb: usize, name: &str, change: impl Fn(&mut Server)) {
        let servers = &mut self.haproxies[lb].sample.backends[0].servers;
        change(servers.iter_mut().find(|server| server.name.as_str() == name).unwrap());
    }

    /// A second passes, and everyone who can answers.
    pub(super) fn second(&mut self) {
        self.now = Now { mono: self.now.mono.plus_ms(1000), wall: Wall(self.now.wall.0 + 1000) };
        let now = self.now;
        for haproxy in &mut self.haproxies {
            for server in haproxy.sample.backends.iter_mut().flat_map(|backend| &mut backend.servers) {
                server.last_change_s = server.last_change_s.map(|seconds| seconds.saturating_add(1));
            }
        }
        for (index, (name, _)) in NODES.iter().enumerate() {
            if self.silent.iter().any(|silent| silent == name) {
                continue;
            }
            let (host, profile) = (self.hosts[index].clone(), self.profiles[index].clone());
            let haproxy = self.haproxies.get(index).cloned();
            let switch = self.switches.get(*name).cloned();
            let facts = self.facts(name);
            facts.host.take(host, now);
            facts.profile.take(profile, now);
            if let Some(haproxy) = haproxy.filter(|_| facts.link.routes.is_empty()) {
                facts.haproxy.take(haproxy, now);
            }
            if let Some(switch) = switch {
                match switch.trouble {
                    Some(trouble) => facts.ovs.fail(trouble.cause, now),
                    None => facts.ovs.take(switch.facts, now),
                }
                facts.ovs_live.take(switch.live, now);
                facts.ovs_detail.take(switch.detail, now);
                facts.bridges.take(switch.bridges, now);
            }
        }
        for happens in self.each_second.clone() {
            happens(self);
        }
        self.findings = self.rules.evaluate(&self.world, &self.inventory, self.will.operators(), now);
    }

    pub(super) fn run(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.second();
        }
    }

    /// Of the last second.
    pub(super) fn findings(&self) -> Vec<Finding> {
        self.findings.clone()
    }
}

pub(super) fn cpu(iowait: f64, steal: f64) -> Figure<CpuShares> {
    Figure::Known(CpuShares { idle: 100.0 - iowait - steal, iowait, steal, ..CpuShares::default() })
}

fn healthy_host() -> HostFacts {
    let mut host = HostFacts {
        cpu: cpu(1.0, 0.0),
        clock_offset_ms: Figure::Known(3),
        memory_used_percent: Figure::Known(40.0),
        swap_in_per_s: Figure::Known(0.0),
        oom_kills_new: Figure::Known(0),
        io_full_percent: Figure::Known(0.5),
        ..HostFacts::default()
    };
    host.sample.blocked_tasks = Figure::Known(0);
    host.sample.memory =
        Figure::Known(Memory { total_bytes: 4 << 30, available_bytes: 200 << 20, ..Memory::default() });
    host
}

fn healthy_profile() -> HostProfile {
    HostProfile {
        virtualisation: Figure::Known(Virtualisation::Kvm),
        filesystems: vec![filesystem("/", 40)],
        units: vec![UnitMemory { unit: "mariadb.service".into(), bytes: 2 << 30 }],
        ..HostProfile::default()
    }
}

pub(super) fn filesystem(mount: &str, percent: u64) -> Filesystem {
    Filesystem {
        mount: mount.into(),
        device: "/dev/vda1".into(),
        kind: "ext4".into(),
        total_bytes: 100 << 30,
        used_bytes: percent << 30,
        available_bytes: (100 - percent) << 30,
    }
}

pub(super) fn disk(name: &str, write_await_ms: f64) -> DiskRates {
    DiskRates {
        name: name.into(),
        read_await_ms: Figure::Unknown(Unknown::NothingHappened),
        write_await_ms: Figure::Known(write_await_ms),
        busy_percent: Figure::Known(100.0),
        queue: Figure::Known(4.2),
        reads_per_s: Figure::Known(0.0),
        writes_per_s: Figure::Known(96.0),
        ..DiskRates::default()
    }
}

pub(super) fn server(name: &str, address: &str) -> Server {
    Server {
        name: ServerName::from(name),
        address: Figure::Known(address.into()),
        operational: OperationalState::Up,
        admin: Figure::Known(AdminState::Ready),
        configured: Figure::Unknown(Unknown::NotOffered),
        backup: Figure::Known(false),
        weight: Figure::Known(100),
        weight_configured: Figure::Known(100),
        last_change_s: Figure::Known(3600),
        downtime_s: Figure::Known(0),
        checks_failed_total: Figure::Known(0),
        downs_total: Figure::Known(0),
        check: check("L7OK", 200, 1, ""),
        traffic: Traffic {
            sessions_current: Figure::Known(12),
            sessions_limit: Figure::Known(100),
            ..Traffic::default()
        },
    }
}

pub(super) fn check(status: &str, code: u64, duration_ms: u64, text: &str) -> Check {
    Check {
        status: Figure::Known(status.into()),
        code: if code == 0 { Figure::Unknown(Unknown::NotOffered) } else { Figure::Known(code) },
        duration_ms: Figure::Known(duration_ms),
        text: Figure::Known(text.into()),
        fall: Figure::Known(2),
        ..Check::default()
    }
}

/// The server fails its check since `seconds` ago.
pub(super) fn fails(seconds: u64) -> impl Fn(&mut Server) {
    move |server| {
        server.operational = OperationalState::Down;
        server.last_change_s = Figure::Known(seconds);
        server.check = check("L7TOUT", 0, 500, "Layer7 timeout");
    }
}

pub(super) fn backend(name: &str, servers: Vec<Server>) -> Backend {
    Backend {
        name: ProxyName::from(name),
        mode: Figure::Known("http".into()),
        algorithm: Figure::Known("roundrobin".into()),
        status: "UP".into(),
        active_servers: Figure::Known(servers.len() as u64),
        backup_servers: Figure::Known(0),
        traffic: Traffic { queue_current: Figure::Known(0), ..Traffic::default() },
        servers,
    }
}

fn healthy_haproxy() -> HaproxyFacts {
    let web = ["web01", "web02", "web03"].iter().zip(3..);
    let servers = web.map(|(name, host)| server(name, &format!("10.10.0.{host}:80"))).collect();
    HaproxyFacts {
        sample: HaproxySample {
            info: ProcessInfo {
                connections_current: Figure::Known(20),
                connections_max: Figure::Known(4096),
                ..ProcessInfo::default()
            },
            frontends: vec![Frontend {
                name: ProxyName::from("http_front"),
                mode: Figure::Known("http".into()),
                status: "OPEN".into(),
                traffic: Traffic {
                    sessions_current: Figure::Known(20),
                    sessions_limit: Figure::Known(2000),
                    ..Traffic::default()
                },
            }],
            backends: vec![backend("web_cluster", servers), backend("empty", vec![])],
        },
        backend_rates: vec![TrafficRates { server_errors_percent: Figure::Known(0.2), ..TrafficRates::default() }; 2],
        ..HaproxyFacts::default()
    }
}

/// One illness each, of what this file knows.
pub(super) const SCENARIOS: &[fn(&mut Stage)] = &[
    |stage| stage.down("db01", TroubleKind::HostKeyChanged, "host key changed", "compare"),
    |stage| stage.down("db01", TroubleKind::Refused, "refused", "start sshd"),
    |stage| stage.cut("db01"),
    |stage| {
        for lb in 0..2 {
            for server in ["web01", "web02", "web03"] {
                stage.server(lb, server, fails(5));
            }
        }
    },
    |stage| (0..2).for_each(|lb| stage.server(lb, "web03", fails(5))),
    |stage| stage.server(0, "web03", fails(5)),
    |stage| stage.fail_haproxy("lb01", &Trouble::new(TroubleKind::SocketMissing, "no socket", "start haproxy")),
    |stage| stage.haproxies[0].sample.backends[0].traffic.queue_current = Figure::Known(7),
    |stage| stage.haproxies[0].sample.frontends[0].traffic.sessions_current = Figure::Known(1999),
    |stage| stage.haproxies[0].backend_rates[0].server_errors_percent = Figure::Known(12.0),
    |stage| stage.host("db01", |host| host.cpu = cpu(60.0, 20.0)),
    |stage| stage.host("db01", |host| host.io_full_percent = Figure::Known(30.0)),
    |stage| stage.host("db01", |host| host.sample.blocked_tasks = Figure::Known(2)),
    |stage| {
        stage.host("db01", |host| {
            host.memory_used_percent = Figure::Known(96.0);
            host.swap_in_per_s = Figure::Known(400.0);
            host.oom_kills_new = Figure::Known(1);
        });
    },
    |stage| stage.profile("db01", |profile| profile.filesystems = vec![filesystem("/", 99), filesystem("/var", 92)]),
    |stage| stage.profile("db01", |profile| profile.virtualisation = Figure::Known(Virtualisation::OpenVz)),
    |stage| stage.host("db01", |host| host.clock_offset_ms = Figure::Known(-340)),
];

/// The largest and oddest figures a node can send.
pub(super) fn absurd(stage: &mut Stage) {
    for (name, _) in NODES {
        stage.host(name, |host| {
            host.cpu = cpu(f64::INFINITY, f64::NAN);
            host.clock_offset_ms = Figure::Known(i64::MIN);
            host.memory_used_percent = Figure::Known(f64::MAX);
            host.oom_kills_new = Figure::Known(u64::MAX);
            host.swap_in_per_s = Figure::Known(f64::INFINITY);
            host.disks = vec![disk("a", f64::NAN), disk("b", f64::MAX)];
        });
        stage.profile(name, |profile| {
            let mut full = filesystem("/", 40);
            (full.used_bytes, full.available_bytes, full.total_bytes) = (u64::MAX, u64::MAX, u64::MAX);
            profile.filesystems = vec![full];
        });
    }
    for lb in 0..2 {
        stage.server(lb, "web03", fails(u64::MAX));
        stage.server(lb, "web02", fails(u64::MAX / 1000));
        let sample = &mut stage.haproxies[lb].sample;
        sample.backends[0].traffic.queue_current = Figure::Known(u64::MAX);
        sample.frontends[0].traffic.sessions_current = Figure::Known(u64::MAX);
        sample.frontends[0].traffic.sessions_limit = Figure::Known(1);
    }
}
