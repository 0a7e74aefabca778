//! Two load balancers, and where it matters three databases, in memory that behave as HAProxy 2.6 was measured to: what plans are made of and runs act on.

use super::{
    balancer_limits::Limits,
    countdown::SimTimer,
    cuts::Cuts,
    databases::{self, SimDatabase},
    endpoint::Endpoint,
    guests::{self, SimGuest, SimHypervisor},
    inventory::{BALANCED, GUESTS, loaded, with_databases_and},
};
use std::{cell::RefCell, collections::HashMap};
use vakt::{
    model::{
        figure::{Figure, Unknown},
        haproxy::{
            AdminState, Backend, Check, ConfiguredState, HaproxyFacts, HaproxySample, OperationalState, Server, Traffic,
        },
        ids::{NodeName, ProxyName, ServerName},
        inventory::Inventory,
        mysql::{DaemonState, MysqlFacts, SemiSyncSource},
        text::Clean,
        time::{Mono, Now, Wall},
        world::{NodeFacts, World},
    },
    wire::{
        probe::{Facts, ProbeId},
        request::{Call, Reply, Request},
    },
};

pub(crate) use super::inventory::inventory;

/// When every test begins: 2026-11-23 14:03:22 UTC.
pub(crate) const START: Now = Now { mono: Mono(1_000_000), wall: Wall(1_795_442_602_000) };

thread_local! {
    /// Sanitising the same few words for every look takes most of the time otherwise.
    static WORDS: RefCell<HashMap<&'static str, Clean>> = RefCell::default();
}

fn word(text: &'static str) -> Clean {
    WORDS.with_borrow_mut(|words| words.entry(text).or_insert_with(|| text.into()).clone())
}

/// What a command does to a server.
type Change = Box<dyn Fn(&mut SimServer)>;

/// The state of every load balancer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cluster {
    pub(crate) balancers: Vec<Balancer>,
    pub(crate) databases: Vec<SimDatabase>,
    pub(crate) hypervisors: Vec<SimHypervisor>,
    /// The timer of kvm01, and the port that it is about.
    pub(crate) timer: SimTimer,
    /// Writes that clients were told are done: the server, and its number.
    pub(crate) acknowledged: Vec<(u32, u64)>,
    /// Whether commits of db01 waited for an acknowledgement when it was last read, and how long before it fell silent.
    pub(crate) last_word: Option<(bool, u64)>,
    /// Addresses that nodes have cut off.
    pub(crate) cuts: Cuts,
    /// What leads writes besides the load balancers.
    pub(crate) endpoint: Endpoint,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Balancer {
    pub(crate) name: &'static str,
    /// Whether anything can be read or written.
    pub(crate) reachable: bool,
    pub(crate) servers: Vec<SimServer>,
    pub(crate) limits: Limits,
    /// Whether somebody reloads it whenever it was told something.
    pub(crate) is_reloaded_at_once: bool,
}

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a server, set one by one in tests")]
pub(crate) struct SimServer {
    pub(crate) backend: &'static str,
    pub(crate) name: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) address: Clean,
    pub(crate) told: AdminState,
    pub(crate) disabled: bool,
    /// Whether its checks would pass.
    pub(crate) healthy: bool,
    pub(crate) checked: bool,
    /// Whether a check passed since it left maintenance.
    pub(crate) passed: bool,
    /// Whether a check failed since it left maintenance.
    pub(crate) failed: bool,
    pub(crate) weight: u64,
    /// What the file says.
    pub(crate) weight_in_file: u64,
    pub(crate) sessions: u64,
    /// Sessions that do not end by themselves.
    pub(crate) pooled: u64,
    pub(crate) chosen: u64,
}

impl SimServer {
    fn new(backend: &'static str, name: &'static str, mode: &'static str, address: &'static str) -> Self {
        Self {
            backend,
            name,
            mode,
            address: address.into(),
            told: AdminState::Ready,
            disabled: false,
            healthy: true,
            checked: true,
            passed: true,
            failed: false,
            weight: 100,
            weight_in_file: 100,
            sessions: 0,
            pooled: 0,
            chosen: 40,
        }
    }

    fn operational(&self) -> OperationalState {
        match self.told {
            AdminState::Maint | AdminState::MaintInherited | AdminState::MaintResolution => {
                OperationalState::Maintenance
            }
            _ if !self.checked => OperationalState::Unchecked,
            _ if self.failed => OperationalState::Down,
            AdminState::Drain | AdminState::DrainInherited => OperationalState::Draining,
            // What makes going through drain necessary: up until the first check says otherwise.
            AdminState::Ready if self.passed => OperationalState::Up,
            AdminState::Ready => OperationalState::GoingDown { done: 1, needed: 2 },
        }
    }

    fn takes_traffic(&self) -> bool {
        self.operational().takes_traffic() && self.weight > 0
    }

    fn server(&self) -> Server {
        let is_maint = self.operational() == OperationalState::Maintenance;
        let check = |value: u64| {
            if self.checked && !is_maint { Figure::Known(value) } else { Figure::Unknown(Unknown::Missing) }
        };
        Server {
            name: ServerName::from(&word(self.name)),
            address: Figure::Known(self.address.clone()),
            operational: self.operational(),
            admin: Figure::Known(self.told),
            configured: Figure::Known(if self.disabled { ConfiguredState::Disabled } else { ConfiguredState::Ready }),
            backup: Figure::Known(false),
            weight: Figure::Known(self.weight),
            weight_configured: Figure::Known(self.weight_in_file),
            last_change_s: Figure::Known(5),
            downtime_s: Figure::Known(0),
            checks_failed_total: Figure::Known(0),
            downs_total: Figure::Known(0),
            check: Check {
                // The words of the last check survive maintenance; the health does not.
                status: check(0).map(|_| word(if self.failed { "L4CON" } else { "L7OK" })),
                rise: check(2),
                fall: check(2),
                health: check(if self.failed {
                    0
                } else if self.passed {
                    3
                } else {
                    2
                }),
                ..Check::default()
            },
            traffic: Traffic {
                sessions_current: Figure::Known(self.sessions),
                queue_current: Figure::Known(0),
                chosen_total: Figure::Known(self.chosen),
                connect_errors_total: Figure::Known(0),
                response_errors_total: Figure::Known(0),
                ..Traffic::default()
            },
        }
    }
}

impl Balancer {
    pub(crate) fn sample(&self) -> HaproxySample {
        let mut backends: Vec<Backend> = Vec::new();
        for server in &self.servers {
            if backends.last().is_none_or(|backend| backend.name.as_str() != server.backend) {
                backends.push(Backend {
                    name: ProxyName::from(&word(server.backend)),
                    mode: Figure::Known(word(server.mode)),
                    algorithm: Figure::Known(word("roundrobin")),
                    status: word("UP"),
                    active_servers: Figure::default(),
                    backup_servers: Figure::default(),
                    traffic: Traffic::default(),
                    servers: Vec::new(),
                });
            }
            backends.last_mut().unwrap().servers.push(server.server());
        }
        let mut sample = HaproxySample { backends, ..HaproxySample::default() };
        self.limits.tell(&mut sample);
        sample
    }

    /// Another process takes over, which knows what the file says.
    pub(crate) fn reload(&mut self) {
        self.limits.pid += 7;
        for server in &mut self.servers {
            server.told = if server.disabled { AdminState::Maint } else { AdminState::Ready };
            (server.weight, server.sessions, server.pooled, server.chosen) = (server.weight_in_file, 0, 0, 0);
            (server.passed, server.failed) = (true, false);
        }
    }

    pub(crate) fn server(&mut self, name: &str) -> &mut SimServer {
        self.servers.iter_mut().find(|server| server.name == name).unwrap()
    }

    /// Runs a command as HAProxy does; the answer is empty on success.
    pub(crate) fn command(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split(' ').collect();
        if let Some(said) = self.limits.command(&words) {
            return said;
        }
        let find = |servers: &mut Vec<SimServer>, path: &str| {
            let (backend, name) = path.split_once('/').unwrap();
            servers.iter().position(|server| server.backend == backend && server.name == name)
        };
        let (path, change): (&str, Change) = match words[..] {
            ["set", "server", path, "state", state] => {
                let told = match state {
                    "ready" => AdminState::Ready,
                    "drain" => AdminState::Drain,
                    "maint" => AdminState::Maint,
                    _ => return "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n".into(),
                };
                let change = move |server: &mut SimServer| {
                    if server.told == AdminState::Maint && told != AdminState::Maint {
                        (server.passed, server.failed) = (false, false);
                    }
                    server.told = told;
                };
                (path, Box::new(change))
            }
            ["set", "weight", path, weight] => {
                let weight: u64 = weight.parse().unwrap();
                (path, Box::new(move |server| server.weight = weight))
            }
            ["shutdown", "sessions", "server", path] => {
                (path, Box::new(|server| (server.sessions, server.pooled) = (0, 0)))
            }
            _ => return "Unknown command.\n".into(),
        };
        match find(&mut self.servers, path) {
            Some(index) => {
                change(&mut self.servers[index]);
                if self.is_reloaded_at_once {
                    self.reload();
                }
                "\n".into()
            }
            None => "No such server.\n".into(),
        }
    }
}

impl Cluster {
    /// web_cluster with three servers, mysql_rw with one of three enabled, the same on lb01 and lb02.
    pub(crate) fn healthy() -> Self {
        let balancer = |name| {
            let web = |name, address| SimServer::new("web_cluster", name, "http", address);
            let db = |name, address, disabled| {
                let mut server = SimServer::new("mysql_rw", name, "tcp", address);
                if disabled {
                    (server.disabled, server.told) = (true, AdminState::Maint);
                }
                server
            };
            Balancer {
                name,
                reachable: true,
                servers: vec![
                    web("web01", "10.10.0.21:80"),
                    web("web02", "10.10.0.22:80"),
                    web("web03", "10.10.0.23:80"),
                    db("db01", "10.10.0.31:3306", false),
                    db("db02", "10.10.0.32:3306", true),
                    db("db03", "10.10.0.33:3306", true),
                ],
                limits: Limits::of_lab(),
                is_reloaded_at_once: false,
            }
        };
        let balancers = vec![balancer("lb01"), balancer("lb02")];
        let (databases, hypervisors, acknowledged) = (Vec::new(), Vec::new(), Vec::new());
        let timer = SimTimer::default();
        let (cuts, endpoint) = (Cuts::default(), Endpoint::default());
        let mut cluster =
            Self { balancers, databases, hypervisors, timer, acknowledged, last_word: None, cuts, endpoint };
        cluster.on("lb01").server("web03").sessions = 3;
        cluster.on("lb02").server("web03").sessions = 1;
        cluster
    }

    /// The same with three databases behind mysql_rw.
    pub(crate) fn with_databases() -> Self {
        let mut cluster = Self { databases: databases::healthy(), ..Self::healthy() };
        for balancer in &mut cluster.balancers {
            balancer.server("db01").sessions = 2;
        }
        cluster
    }

    /// The same, and the primary's daemon does not serve any more. HAProxy has noticed.
    pub(crate) fn with_lost_primary(daemon: DaemonState) -> Self {
        let mut cluster = Self { last_word: Some((true, 900)), ..Self::with_databases() }
            .with("db01", |server| (server.healthy, server.failed, server.passed) = (false, true, false));
        cluster.database("db01").daemon = daemon;
        for name in ["db02", "db03"] {
            cluster.database(name).hears = daemon != DaemonState::Dead;
        }
        cluster
    }

    /// The same with two hypervisors: web03 is a guest of one.
    pub(crate) fn with_guests() -> Self {
        Self { hypervisors: guests::healthy(), ..Self::healthy() }
    }

    /// The guest of that name.
    pub(crate) fn guest(&mut self, name: &str) -> &mut SimGuest {
        let mut guests = self.hypervisors.iter_mut().flat_map(|hypervisor| &mut hypervisor.guests);
        guests.find(|guest| guest.name == name).unwrap()
    }

    /// Changes that guest.
    pub(crate) fn with_guest(mut self, name: &str, change: impl Fn(&mut SimGuest)) -> Self {
        change(self.guest(name));
        self
    }

    pub(crate) fn hypervisor(&mut self, name: &str) -> Option<&mut SimHypervisor> {
        self.hypervisors.iter_mut().find(|hypervisor| hypervisor.name == name)
    }

    pub(crate) fn database(&mut self, name: &str) -> &mut SimDatabase {
        self.databases.iter_mut().find(|database| database.name == name).unwrap()
    }

    /// The node cannot be reached any more.
    pub(crate) fn vanish(&mut self, name: &str) {
        if let Some(hypervisor) = self.hypervisor(name) {
            hypervisor.reachable = false;
            return;
        }
        match self.databases.iter_mut().find(|database| database.name == name) {
            Some(database) => database.reachable = false,
            None => self.on(name).reachable = false,
        }
    }

    pub(crate) fn is_reachable(&self, name: &str) -> bool {
        let databases = self.databases.iter().map(|database| (database.name, database.reachable));
        let balancers = self.balancers.iter().map(|balancer| (balancer.name, balancer.reachable));
        let hypervisors = self.hypervisors.iter().map(|hypervisor| (hypervisor.name, hypervisor.reachable));
        databases.chain(balancers).chain(hypervisors).any(|(known, reachable)| known == name && reachable)
    }

    /// The process of a run has died, and with it every session that it had.
    pub(crate) fn process_died(&mut self) {
        self.databases.iter_mut().for_each(SimDatabase::session_ends);
    }

    /// Every write that was acknowledged is on the server that takes writes.
    pub(crate) fn nothing_is_lost(&self) {
        let Some(primary) = self.databases.iter().find(|database| !database.read_only && database.serves()) else {
            return;
        };
        for (server, number) in &self.acknowledged {
            assert!(primary.state.get(server).is_some_and(|last| last >= number), "0-{server}-{number} is lost");
        }
    }

    /// Changes the server on every load balancer.
    pub(crate) fn with(mut self, server: &str, change: impl Fn(&mut SimServer)) -> Self {
        for balancer in &mut self.balancers {
            change(balancer.server(server));
        }
        self
    }

    pub(crate) fn on(&mut self, name: &str) -> &mut Balancer {
        self.balancers.iter_mut().find(|balancer| balancer.name == name).unwrap()
    }

    /// Time passes: checks run, sessions end, clients come.
    pub(crate) fn pass(&mut self) {
        for balancer in &mut self.balancers {
            for server in &mut balancer.servers {
                if server.told != AdminState::Maint && server.checked {
                    (server.passed, server.failed) = (server.healthy, !server.healthy);
                }
                if server.takes_traffic() && balancer.name == "lb01" {
                    server.chosen += 1;
                } else if server.sessions > server.pooled {
                    server.sessions -= 1;
                }
            }
        }
        guests::pass(&mut self.hypervisors);
        self.endpoint.pass(|name| self.databases.iter().any(|one| one.name == name && one.reachable));
        let (balancers, endpoint) = (&self.balancers, &self.endpoint);
        let is_sent_to = |name: &str| {
            endpoint.is_sent_to(name)
                || balancers
                    .iter()
                    .flat_map(|one| &one.servers)
                    .any(|server| server.name == name && server.takes_traffic())
        };
        databases::pass(&mut self.databases, &self.cuts, is_sent_to, &mut self.acknowledged);
    }

    pub(crate) fn facts(&self, node: &NodeName, probe: ProbeId) -> Option<Facts> {
        if probe == ProbeId::Cut {
            return self.is_reachable(node.as_str()).then(|| self.cuts.facts(node.as_str()));
        }
        if let Some(facts) = self.endpoint.facts(probe, node.as_str()) {
            return (probe == ProbeId::Hook || self.is_reachable(node.as_str())).then_some(facts);
        }
        if let Some(hypervisor) = self.hypervisors.iter().find(|hypervisor| hypervisor.name == node.as_str()) {
            if probe == ProbeId::Countdown {
                return self.timer.facts().filter(|_| hypervisor.reachable);
            }
            return hypervisor.reachable.then(|| match probe {
                ProbeId::GuestProfile => Facts::GuestProfile(Box::new(hypervisor.profile())),
                ProbeId::OvsDetail => Facts::OvsDetail(Box::new(hypervisor.learned())),
                _ => Facts::Guests(Box::new(hypervisor.sample())),
            });
        }
        if let Some(database) = self.databases.iter().find(|database| database.name == node.as_str()) {
            return match probe {
                ProbeId::Daemon => database.reachable.then(|| Facts::Daemon(Box::new(database.daemon()))),
                ProbeId::Mysql => database.serves().then(|| Facts::Mysql(Box::new(database.status()))),
                ProbeId::Tuning => database.serves().then(|| Facts::Tuning(Box::new(database.tuning.clone()))),
                ProbeId::Binlog => database.reachable.then(|| Facts::Binlog(Box::new(database.binlog()))),
                _ => database.serves().then(|| Facts::Switchover(Box::new(database.sample()))),
            };
        }
        let balancer = self.balancers.iter().find(|balancer| balancer.name == node.as_str())?;
        balancer.reachable.then(|| match probe {
            ProbeId::Tuning => Facts::Tuning(Box::new(balancer.limits.tuning())),
            _ => Facts::Haproxy(Box::new(balancer.sample())),
        })
    }

    /// Sends a write; `None` when the node cannot be reached.
    pub(crate) fn send(&mut self, node: &NodeName, request: &Request) -> Option<Reply> {
        if let Some(told) = vakt::wire::cut::told(&request.call) {
            return self.is_reachable(node.as_str()).then(|| self.cuts.send(node.as_str(), told));
        }
        if Endpoint::is_told(&request.call) {
            return self.is_reachable(node.as_str()).then(|| self.endpoint.send(node.as_str(), &request.call));
        }
        if let Some(database) = self.databases.iter_mut().find(|database| database.name == node.as_str()) {
            let reply = database.send(request);
            databases::one_takes_writes(&self.databases, &self.cuts);
            return reply;
        }
        let timer = &mut self.timer;
        let mut hypervisors = self.hypervisors.iter_mut();
        if let Some(hypervisor) = hypervisors.find(|hypervisor| hypervisor.name == node.as_str()) {
            if let Call::Countdown { countdown, task } = &request.call {
                return if hypervisor.reachable { timer.send(countdown, *task) } else { None };
            }
            return hypervisor.send(request);
        }
        let balancer = self.on(node.as_str());
        if let Call::FileEdit { edit, way } = &request.call {
            return balancer.reachable.then(|| balancer.edit(edit, *way));
        }
        let Call::Haproxy { command, .. } = &request.call else { panic!("{request}") };
        balancer.reachable.then(|| Reply { bytes: balancer.command(command).into(), ..Reply::default() })
    }

    /// The world as the console would know it 300 ms after reading.
    pub(crate) fn world(&self) -> (World, Inventory) {
        let inventory = match (self.databases.is_empty(), self.hypervisors.is_empty()) {
            (true, true) => inventory(),
            (false, true) => with_databases_and(&self.endpoint.configuration()),
            (_, false) => loaded(&format!("{BALANCED}{GUESTS}")),
        };
        let mut world = World::new(&inventory);
        let at = Now { mono: Mono(START.mono.0 - 300), wall: Wall(START.wall.0 - 300) };
        for database in self.databases.iter().filter(|database| database.reachable) {
            let node = world.node_mut(&NodeName::from(database.name)).unwrap();
            node.daemon.take(database.daemon(), at);
            node.cut.take(self.cuts.sample(database.name), at);
            if let Some(facts) = self.endpoint.presence(database.name, at) {
                node.presence.take(facts, at);
            }
            if database.serves() {
                node.switchover.take(database.sample(), at);
                node.tuning.take(database.tuning.clone(), at);
                node.mysql.take(MysqlFacts { sample: database.status(), ..MysqlFacts::default() }, at);
            } else {
                self.tell_last_word(node, at);
            }
        }
        for hypervisor in self.hypervisors.iter().filter(|hypervisor| hypervisor.reachable) {
            let node = world.node_mut(&NodeName::from(hypervisor.name)).unwrap();
            node.hypervisor.take(hypervisor.facts(), at);
            node.hypervisor_profile.take(hypervisor.profile(), at);
            node.ovs.take(hypervisor.switch(), at);
        }
        for balancer in &self.balancers {
            let facts = HaproxyFacts { sample: balancer.sample(), ..HaproxyFacts::default() };
            let node = world.node_mut(&NodeName::from(balancer.name)).unwrap();
            if balancer.reachable {
                node.cut.take(self.cuts.sample(balancer.name), at);
                node.haproxy.take(facts, at);
                node.tuning.take(balancer.limits.tuning(), at);
            }
        }
        for database in self.databases.iter().filter(|database| !database.reachable) {
            let node = world.node_mut(&NodeName::from(database.name)).unwrap();
            self.tell_last_word(node, at);
            node.daemon.fail("no answer".into(), at);
            node.presence.fail("no answer".into(), at);
        }
        (world, inventory)
    }

    /// What was last known of a database that has fallen silent.
    fn tell_last_word(&self, node: &mut NodeFacts, at: Now) {
        if let Some((active, gap_ms)) = self.last_word {
            let source = SemiSyncSource {
                active: Figure::Known(active),
                acknowledging: Figure::Known(2),
                timeout_ms: Figure::Known(2_000),
                ..SemiSyncSource::default()
            };
            let mut facts = MysqlFacts::default();
            facts.sample.replication.semi_sync.source = Figure::Known(source);
            node.mysql.take(facts, Now { mono: Mono(at.mono.0 - gap_ms), wall: at.wall });
        }
        node.mysql.fail("connection refused".into(), at);
        node.switchover.fail("connection refused".into(), at);
    }

    /// What operators set, without what moves by itself.
    pub(crate) fn settings(&self) -> Vec<(&'static str, &'static str, AdminState, u64)> {
        self.balancers
            .iter()
            .flat_map(|balancer| {
                balancer.servers.iter().map(|server| (balancer.name, server.name, server.told, server.weight))
            })
            .chain(
                self.balancers
                    .iter()
                    .map(|balancer| (balancer.name, "limits", AdminState::Ready, balancer.limits.number())),
            )
            .chain(self.databases.iter().map(|database| {
                let (name, source, read_only, bits) = database.setting();
                (name, source, if read_only { AdminState::Maint } else { AdminState::Ready }, bits)
            }))
            .chain(self.hypervisors.iter().flat_map(|hypervisor| {
                hypervisor.guests.iter().map(|guest| (hypervisor.name, guest.name, AdminState::Ready, guest.setting()))
            }))
            .chain(self.cuts.settings())
            .chain(self.endpoint.settings())
            .chain(
                self.hypervisors
                    .first()
                    .map(|hypervisor| (hypervisor.name, "phy-int", AdminState::Ready, self.timer.setting())),
            )
            .collect()
    }
}
