//! What the playbook offers, by which figures, and what it refuses.

use crate::run::cluster::{Cluster, START};
use std::path::Path;
use vakt::{
    config::{self, FileMetadata},
    model::{
        figure::Figure,
        haproxy::{HaproxyFacts, TrafficRates},
        host::{CpuShares, HostFacts, Memory},
        ids::NodeName,
        intent::{Change, SessionPart},
        inventory::{Inventory, Policy},
        mysql::{MemoryBudget, Process},
        services::{ServicesFacts, ServicesSample, WebKind, WebServer},
        time::{Mono, Now, Wall},
        world::World,
    },
    plan::playbook::{self, Move, MoveKind},
};

const MIB: u64 = 1 << 20;

/// A cluster under load, to be changed by each test.
struct Stage {
    world: World,
    inventory: Inventory,
}

fn at() -> Now {
    Now { mono: Mono(START.mono.0 - 300), wall: Wall(START.wall.0 - 300) }
}

impl Stage {
    fn of(cluster: &Cluster) -> Self {
        let (world, inventory) = cluster.world();
        Self { world, inventory }
    }

    /// The same load balancers, and a machine behind each web server.
    fn with_machines(cluster: &Cluster) -> Self {
        let node = |name: &str, role: &str, octet: u8| {
            format!("[[node]]\nname = \"{name}\"\nroles = [\"{role}\"]\nmanagement = \"10.99.0.{octet}\"\n")
        };
        let nodes = [
            ("lb01", "edge", 11),
            ("lb02", "edge", 12),
            ("web01", "web", 21),
            ("web02", "web", 22),
            ("web03", "web", 23),
        ];
        let nodes: String = nodes.iter().map(|(name, role, octet)| node(name, role, *octet)).collect();
        let metadata = FileMetadata { mode: Some(0o600), home: None };
        let text = format!("[cluster]\nname = \"oslo-prod\"\n{nodes}");
        let inventory = config::load(Path::new("vakt.toml"), &text, &metadata).unwrap().inventory;
        let mut world = World::new(&inventory);
        let (told, _) = cluster.world();
        for lb in ["lb01", "lb02"] {
            let facts = told.node(&NodeName::new(lb)).unwrap().haproxy.last().unwrap().clone();
            world.node_mut(&NodeName::new(lb)).unwrap().haproxy.take(facts, at());
        }
        Self { world, inventory }
    }

    /// lb01 has `waiting` requests for web_cluster, whose servers are full: `limit` each.
    fn queue(waiting: u64, limit: u64) -> Self {
        let mut stage = Self::with_machines(&Cluster::healthy());
        for (lb, waiting) in [("lb01", waiting), ("lb02", 0)] {
            stage.balancer(lb, |facts| {
                let web = facts.sample.backends.iter_mut().find(|one| one.name.as_str() == "web_cluster").unwrap();
                web.traffic.queue_current = Figure::Known(waiting);
                for server in &mut web.servers {
                    server.traffic.sessions_limit = Figure::Known(limit);
                    server.traffic.sessions_current = Figure::Known(if waiting > 0 { limit } else { 0 });
                }
            });
        }
        stage
    }

    fn balancer(&mut self, lb: &str, change: impl FnOnce(&mut HaproxyFacts)) {
        let node = self.world.node_mut(&NodeName::new(lb)).unwrap();
        let mut facts = node.haproxy.last().unwrap().clone();
        change(&mut facts);
        node.haproxy.take(facts, at());
    }

    fn cpu(&mut self, name: &str, busy: f64) {
        let cpu = CpuShares { idle: 100.0 - busy, user: busy, ..CpuShares::default() };
        let mut facts = HostFacts { cpu: Figure::Known(cpu), ..HostFacts::default() };
        let memory = Memory { total_bytes: 4096 * MIB, available_bytes: 1000 * MIB, ..Memory::default() };
        facts.sample.memory = Figure::Known(memory);
        self.world.node_mut(&NodeName::new(name)).unwrap().host.take(facts, at());
    }

    /// Workers that carry one session each.
    fn workers(&mut self, name: &str, workers: u64, most: u64, mib_each: u64) {
        let web = WebServer {
            kind: WebKind::PhpFpm,
            workers,
            workers_max: Figure::Known(most),
            memory_bytes: Figure::Known(workers * mib_each * MIB),
            largest_bytes: Figure::Known(mib_each * MIB),
            ..WebServer::default()
        };
        let sample = ServicesSample { web: vec![web], ..ServicesSample::default() };
        let facts = ServicesFacts { sample, ..ServicesFacts::default() };
        self.world.node_mut(&NodeName::new(name)).unwrap().services.take(facts, at());
    }

    fn moves(&self) -> Vec<Move> {
        self.moves_about(None, &self.inventory.settings.policy)
    }

    fn moves_about(&self, about: Option<&str>, policy: &Policy) -> Vec<Move> {
        playbook::moves(&self.world, &self.inventory, policy, START, about, 600_000)
    }

    fn the(&self, kind: MoveKind) -> Move {
        self.moves().into_iter().find(|one| one.kind == kind).unwrap_or_else(|| panic!("{:#?}", self.moves()))
    }
}

fn words(one: &Move) -> String {
    one.effect.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn value(one: &Move) -> (String, String) {
    match &one.intent.as_ref().unwrap().change {
        Change::Tune(act) => (act.target.to_string(), format!("{} {}", act.key, act.value)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_offered_while_nothing_is_near_its_limit() {
    assert_eq!(Stage::of(&Cluster::healthy()).moves(), []);
}

#[test]
fn a_queue_is_given_room_on_every_load_balancer_and_goes_back() {
    let mut stage = Stage::queue(41, 40);
    for name in ["web01", "web02", "web03"] {
        stage.cpu(name, 35.0);
    }
    let one = stage.the(MoveKind::ServerLimit);
    assert_eq!(one.refused, None, "{one:#?}");
    // 14 wait for each of three, a quarter of room beyond, rounded up.
    assert_eq!(value(&one), ("edge".to_owned(), "haproxy.server.maxconn@web_cluster 60".to_owned()));
    assert!(words(&one).starts_with("Queue 41 → 0: web01, web02 and web03 take 41 more at once together."), "{one:#?}");
    assert!(words(&one).contains("web01 35 → at most about 47 %"), "{one:#?}");
    assert!(words(&one).contains("how many workers they have is not known"), "{one:#?}");
    assert_eq!(one.back_after_ms(), Some(600_000));
    assert_eq!(stage.moves()[0].kind, MoveKind::ServerLimit);
}

#[test]
fn the_machines_behind_a_queue_bound_its_room() {
    let mut stage = Stage::queue(90, 40);
    stage.workers("web02", 44, 50, 10);
    let one = stage.the(MoveKind::ServerLimit);
    assert_eq!(value(&one).1, "haproxy.server.maxconn@web_cluster 50");
    assert!(words(&one).contains("Queue 90 → 60"), "{one:#?}");
    assert!(words(&one).contains("web02 has at most 50 workers, and 40 sessions: no more than 10 fit."), "{one:#?}");

    // 1,000 MiB are free, four fifths of them may be taken, 100 each; four workers are idle.
    stage.workers("web02", 44, 500, 100);
    stage.cpu("web02", 20.0);
    assert_eq!(value(&stage.the(MoveKind::ServerLimit)).1, "haproxy.server.maxconn@web_cluster 52");

    stage.workers("web02", 40, 40, 10);
    let refused = stage.the(MoveKind::ServerLimit).refused.unwrap();
    assert!(refused.as_str().contains("web02 has at most 40 workers"), "{refused}");
}

#[test]
fn a_busy_processor_gets_no_more_at_once() {
    let mut stage = Stage::queue(41, 40);
    stage.cpu("web01", 96.0);
    let refused = stage.the(MoveKind::ServerLimit).refused.unwrap();
    assert!(refused.as_str().starts_with("The processor of web01 is at 96 %"), "{refused}");
}

#[test]
fn weight_goes_from_the_fullest_to_the_others() {
    let mut stage = Stage::queue(5, 40);
    for (name, busy) in [("web01", 30.0), ("web02", 30.0), ("web03", 90.0)] {
        stage.cpu(name, busy);
    }
    // All have their limit of sessions, so all are equally full: nothing to move.
    assert!(stage.moves().iter().all(|one| one.kind != MoveKind::Weight));
    stage.balancer("lb01", |facts| {
        for server in
            &mut facts.sample.backends.iter_mut().find(|one| one.name.as_str() == "web_cluster").unwrap().servers
        {
            let sessions = if server.name.as_str() == "web03" { 40 } else { 16 };
            server.traffic.sessions_current = Figure::Known(sessions);
        }
    });
    let one = stage.the(MoveKind::Weight);
    assert_eq!(one.what.as_str(), "Give web_cluster/web03 the weight 40 instead of 100");
    assert!(
        words(&one).contains("web03 gets 16 % of new sessions instead of 33 %, each of the others about 41 %."),
        "{one:#?}"
    );
    assert_eq!(one.refused, None);
}

#[test]
fn what_comes_in_is_held_back_to_what_the_servers_take() {
    let mut stage = Stage::queue(60, 40);
    let unknown = stage.the(MoveKind::RateLimit);
    assert!(unknown.refused.unwrap().as_str().contains("not known yet"));
    let rate = |per_s: f64| TrafficRates { sessions_per_s: Figure::Known(per_s), ..TrafficRates::default() };
    for (lb, came) in [("lb01", 310.0), ("lb02", 0.0)] {
        stage.balancer(lb, |facts| {
            facts.sample.info.sessions_per_s = Figure::Known(came as u64);
            facts.backend_rates = facts.sample.backends.iter().map(|_| rate(came)).collect();
            let given = |count: usize| (0..count).map(|_| rate(came * 0.8 / count as f64)).collect();
            facts.server_rates = facts.sample.backends.iter().map(|backend| given(backend.servers.len())).collect();
        });
    }
    let one = stage.the(MoveKind::RateLimit);
    assert_eq!(value(&one), ("edge".to_owned(), "haproxy.session_rate 210".to_owned()));
    assert!(
        words(&one).starts_with("About 100 of 310 new sessions a second have to wait outside on lb01; 210 are let in."),
        "{one:#?}"
    );
    assert!(words(&one).contains("Queue 60 → 0 in about 2 s: the servers take 248 a second."), "{one:#?}");
    assert!(one.risk.as_str().contains("every frontend"), "{one:#?}");
}

#[test]
fn a_slow_server_is_taken_out_only_where_others_serve() {
    let mut stage = Stage::queue(5, 40);
    let slow = |facts: &mut HaproxyFacts, name: &str| {
        for backend in &mut facts.sample.backends {
            for server in &mut backend.servers {
                let ms = if server.name.as_str() == name { 2_100 } else { 20 };
                server.traffic.response_time_ms = Figure::Known(ms);
            }
        }
    };
    for lb in ["lb01", "lb02"] {
        stage.balancer(lb, |facts| slow(facts, "web02"));
    }
    let one = stage.the(MoveKind::SlowServer);
    assert_eq!(one.what.as_str(), "Take web_cluster/web02 out of traffic");
    assert!(words(&one).contains("It answers in 2.1 s, the others in about 20 ms."), "{one:#?}");
    assert_eq!((one.refused.clone(), one.back_after_ms()), (None, Some(600_000)), "{one:#?}");
}

#[test]
fn a_database_gets_connections_within_its_memory_and_long_statements_may_end() {
    let mut stage = Stage::of(&Cluster::with_databases());
    let take = |stage: &mut Stage, room: u64| {
        let node = stage.world.node_mut(&NodeName::new("db01")).unwrap();
        let mut facts = node.mysql.last().unwrap().clone();
        let server = &mut facts.sample.server;
        (server.threads_connected, server.connections_max) = (Figure::Known(190), Figure::Known(200));
        server.connections_used_max = Figure::Known(195);
        let budget =
            MemoryBudget { global_bytes: 96 * MIB, session_bytes: 4000 * MIB / room, ..MemoryBudget::default() };
        facts.rates.memory = Figure::Known(budget);
        let process = |id, user: &str, command: &str, seconds| Process {
            id,
            user: Figure::Known(user.into()),
            host: Figure::Known("10.10.0.21:50422".into()),
            command: Figure::Known(command.into()),
            seconds: Figure::Known(seconds),
            ..Process::default()
        };
        facts.sample.processes = Figure::Known(vec![
            process(7, "system user", "Query", 900),
            process(8, "repl", "Binlog Dump", 900),
            process(9, "shop", "Sleep", 900),
            process(10, "shop", "Query", 3),
            process(11, "shop", "Query", 45),
        ]);
        node.mysql.take(facts, at());
    };
    take(&mut stage, 400);
    stage.cpu("db01", 10.0);
    let one = stage.the(MoveKind::Connections);
    assert_eq!(one.what.as_str(), "Let db01 take 300 connections instead of 200", "{one:#?}");
    assert!(words(&one).contains("190 of 200 connections are in use; then 190 of 300."), "{one:#?}");
    assert!(words(&one).contains("By its memory db01 bears at most"), "{one:#?}");

    let long: Vec<Move> = stage.moves().into_iter().filter(|one| one.kind == MoveKind::Statement).collect();
    let [statement] = &long[..] else { panic!("only the long statement of a client: {long:#?}") };
    let Change::MysqlKill { session, part } = &statement.intent.as_ref().unwrap().change else { panic!() };
    assert_eq!((session.id, *part), (11, SessionPart::Statement));
    assert_eq!(statement.back_after_ms(), None, "it does not come back");

    take(&mut stage, 180);
    let refused = stage.the(MoveKind::Connections).refused.unwrap();
    assert!(refused.as_str().starts_with("By its memory db01 bears at most"), "{refused}");
}

#[test]
fn what_was_asked_about_comes_first_and_a_console_that_may_not_write_refuses_all() {
    let stage = Stage::queue(41, 40);
    let policy = &stage.inventory.settings.policy;
    assert!(stage.moves_about(Some("web_cluster/web01"), policy).iter().all(|one| one.is_asked));
    assert!(stage.moves_about(Some("app_cluster"), policy).iter().all(|one| !one.is_asked));
    let policy = Policy { read_only: true, ..policy.clone() };
    let moves = stage.moves_about(None, &policy);
    assert!(!moves.is_empty() && moves.iter().all(|one| one.refused.is_some()), "{moves:#?}");
}
