//! The simulated databases: their answers are captures, and each fault is the first finding.

use super::{
    super::console::world::{clean, press, text},
    captures::{folder, read},
};
use std::{collections::BTreeMap, fs, path::Path};
use vakt::{
    app::{
        App, Options,
        effect::Effect,
        msg::{Event, Msg, Report},
        update,
    },
    history::mysql::topology::{Role, topology},
    model::{
        figure::Figure,
        ids::NodeName,
        link::{LinkEvent, LinkState},
        log::LogId,
        mysql::ThreadState,
        time::{Mono, Now, Wall},
    },
    sim::{Cluster, Fault, Outcome, Scenario},
    wire::{
        logs,
        mysql::{Answer, ReplyWriter, STATUS_NAMES, StatementId, VARIABLE_NAMES},
        probe::{ProbeId, ROUNDS_MAX},
        request::Reply,
    },
};

fn at(ms: u64) -> Now {
    Now { mono: Mono(10_000 + ms), wall: Wall(1_795_442_602_000 + i64::try_from(ms).unwrap()) }
}

/// A simulated cluster and a console that looks at it, without a transport between them.
struct Watch {
    cluster: Cluster,
    app: App,
    ms: u64,
}

impl Watch {
    fn start() -> Self {
        let scenario = Scenario::built_in("seed").unwrap().unwrap();
        let inventory = scenario.inventory().unwrap();
        let mut cluster = Cluster::new(&scenario, 7, at(0));
        cluster.advance(at(0));
        let mut app = App::new(inventory.clone(), Options::default(), at(0));
        for node in &inventory.nodes {
            let event = Event::Link { node: node.name.clone(), event: LinkEvent::State(LinkState::Up) };
            update(&mut app, Msg { at: at(0), event });
        }
        let mut watch = Self { cluster, app, ms: 0 };
        watch.pass(4_000);
        watch
    }

    /// Time passes; every second the databases and their hosts are read.
    fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        while self.ms < end {
            self.ms += 500;
            self.cluster.advance(at(self.ms));
            let nodes: Vec<NodeName> = self.app.inventory.nodes.iter().map(|node| node.name.clone()).collect();
            for name in nodes {
                for probe in [ProbeId::Host, ProbeId::HostProfile, ProbeId::Mysql] {
                    self.read(&name, probe);
                }
            }
            update(&mut self.app, Msg { at: at(self.ms), event: Event::Tick });
        }
    }

    fn read(&mut self, name: &NodeName, probe: ProbeId) {
        let node = self.app.inventory.node(name).unwrap().clone();
        if !probe.applies_to(&node) {
            return;
        }
        let mut replies: Vec<Reply> = Vec::new();
        let mut requests = probe.probe().requests(&node, 1000);
        for _ in 0..ROUNDS_MAX {
            for request in &requests {
                match self.cluster.answer(name, request) {
                    Outcome::Reply { reply, .. } => replies.push(reply),
                    other => panic!("{name} {probe}: {other:?}"),
                }
            }
            requests = probe.probe().follow(&node, 1000, &replies);
        }
        let (facts, complaints) = probe.probe().interpret(&replies);
        assert!(probe != ProbeId::Mysql || complaints.is_empty(), "{name}: {complaints:?}");
        let report = Report { node: name.clone(), probe, outcome: Ok(facts.unwrap()), complaints, round_trip_ms: 2 };
        update(&mut self.app, Msg { at: at(self.ms), event: Event::Report(report) });
    }

    fn found(&self) -> Vec<(String, String)> {
        let found = self.app.findings.iter();
        found.map(|finding| (finding.rule.to_string(), finding.subject.to_string())).collect()
    }
}

#[test]
fn a_healthy_cluster_has_one_primary_two_replicas_and_nothing_to_say() {
    let watch = Watch::start();
    let places = topology(&watch.app.world, &watch.app.inventory);
    let roles: Vec<Role> = places.iter().map(|place| place.role).collect();
    assert_eq!(roles, [Role::Primary, Role::Replica, Role::Replica]);
    assert_eq!(places[0].replicas, [NodeName::from("db02"), NodeName::from("db03")]);
    let primary = watch.app.world.node(&"db01".into()).unwrap().mysql.last().unwrap();
    let rate = primary.rates.statements.questions_per_s.known().unwrap();
    assert!((rate - 318.0).abs() < 20.0, "{rate}");
    assert_eq!(watch.found(), []);
}

#[test]
fn every_fault_of_a_database_is_the_first_finding_within_five_seconds() {
    for (fault, rule, subject) in [
        ("database db02 stop-replication", "mysql.replication.stopped", "db02"),
        ("database db02 stop-applying", "mysql.replication.stopped", "db02"),
        ("database db02 cut-off", "mysql.replication.unheard", "db02"),
        ("database db03 lag", "mysql.replication.lag", "db03"),
        ("database db03 writable", "mysql.two_writable", "databases"),
        ("database db01 read-only", "mysql.no_writable", "databases"),
        ("database db02 errant", "mysql.errant", "db02"),
        ("database db01 row-locks", "mysql.row_locks", "db01"),
    ] {
        let mut watch = Watch::start();
        watch.cluster.fault(&Fault::parse(fault).unwrap()).unwrap();
        watch.pass(5_000);
        let found = watch.found();
        assert_eq!(found.first(), Some(&(rule.to_owned(), subject.to_owned())), "{fault}: {found:?}");
        assert_eq!(found.len(), 1, "{fault}: {found:?}");
        let node = watch.app.findings[0].node.clone().unwrap();
        watch.cluster.fault(&Fault::Heal(node)).unwrap();
        watch.cluster.fault(&Fault::Heal("db01".into())).unwrap();
        watch.pass(6_000);
        assert_eq!(watch.found(), [], "{fault}: healed");
    }
}

/// The receiver says Yes and the server counts no lag: only what the primary wrote since tells that nothing comes.
#[test]
fn a_replica_that_is_cut_off_silently_is_seen_by_what_its_primary_writes() {
    let mut watch = Watch::start();
    watch.cluster.fault(&Fault::parse("database db03 cut-off").unwrap()).unwrap();
    watch.pass(2_500);
    assert_eq!(watch.found(), [], "a pause is no proof");
    watch.pass(2_500);
    assert_eq!(watch.found(), [("mysql.replication.unheard".to_owned(), "db03".to_owned())]);
    let finding = &watch.app.findings[0];
    assert!(finding.sentence.as_str().starts_with("Nothing has arrived from db01 for "), "{}", finding.sentence);
    assert!(finding.evidence[1].as_str().contains("counts 0.0 s of lag"), "{:?}", finding.evidence);
    let facts = watch.app.world.node(&"db03".into()).unwrap().mysql.last().unwrap();
    let channel = &facts.channels()[0];
    assert_eq!(channel.receiver, Figure::Known(ThreadState::Running));
    assert_eq!(channel.lags.received_ms.known(), None, "MariaDB does not say it");
    watch.cluster.fault(&Fault::Heal("db03".into())).unwrap();
    watch.pass(2_000);
    assert_eq!(watch.found(), [], "what arrives ends it at once");
}

#[test]
fn a_primary_that_writes_nothing_proves_nothing() {
    let mut watch = Watch::start();
    for fault in ["database db03 cut-off", "spike x0"] {
        watch.cluster.fault(&Fault::parse(fault).unwrap()).unwrap();
    }
    watch.pass(9_000);
    assert!(watch.found().iter().all(|(rule, _)| rule != "mysql.replication.unheard"), "{:?}", watch.found());
}

/// Key `g` on the screen of databases, on a real history; key `i` reads the engine's own words.
#[test]
fn a_database_is_charted_and_says_what_its_engine_says() {
    let mut watch = Watch::start();
    watch.pass(4_000);
    press(&mut watch.app, "4 home g");
    let shown = text(&watch.app);
    assert!(shown.contains("statements per second of db01") && shown.contains("now  3"), "{shown}");
    press(&mut watch.app, "tab tab tab tab");
    assert!(text(&watch.app).contains("replication lag of db01"), "{}", text(&watch.app));
    let effects = press(&mut watch.app, "esc i");
    let Some(Effect::Log(ask)) = effects.iter().find(|effect| matches!(effect, Effect::Log(_))) else {
        panic!("{effects:?}")
    };
    assert_eq!((ask.log, ask.node.as_str()), (LogId::InnodbStatus, "db01"));
    let node = watch.app.inventory.node(&ask.node).unwrap().clone();
    let request = logs::ask(&node, ask.log, ask.window).unwrap();
    let Outcome::Reply { reply, .. } = watch.cluster.answer(&ask.node, &request) else { panic!("no answer") };
    let outcome = Ok(logs::answer(ask.log, &reply, ask.window));
    update(&mut watch.app, Msg { at: at(watch.ms), event: Event::Log { number: ask.number, outcome } });
    let shown = text(&watch.app);
    assert!(shown.contains("InnoDB status of db01") && shown.contains("literals masked"), "{shown}");
    assert!(shown.contains("BACKGROUND THREAD"), "it begins at its top: {shown}");
    let ticks: Vec<Effect> = (1..90)
        .flat_map(|step| update(&mut watch.app, Msg { at: at(watch.ms + step * 100), event: Event::Tick }))
        .collect();
    assert!(ticks.iter().all(|effect| !matches!(effect, Effect::Log(_))), "it is not followed");
    let again = press(&mut watch.app, "r");
    assert!(again.iter().any(|effect| matches!(effect, Effect::Log(_))), "{again:?}");
}

#[test]
fn a_primary_without_acknowledgements_is_named() {
    let mut watch = Watch::start();
    for node in ["db02", "db03"] {
        watch.cluster.fault(&Fault::parse(&format!("database {node} no-acknowledgements")).unwrap()).unwrap();
    }
    watch.pass(4_000);
    assert_eq!(watch.found(), [("mysql.semi_sync".to_owned(), "db01".to_owned())]);
}

#[test]
fn a_slow_disk_is_named_before_what_the_host_says_of_it() {
    let mut watch = Watch::start();
    watch.cluster.fault(&Fault::Throttle("db01".into())).unwrap();
    watch.pass(5_000);
    let found = watch.found();
    assert_eq!(found.first(), Some(&("mysql.disk".to_owned(), "db01".to_owned())), "{found:?}");
    let sentence = &watch.app.findings[0].sentence;
    assert!(sentence.as_str().starts_with("Disk:") && *sentence != clean(""), "{sentence}");
}

/// What the simulation answers is what the captured servers answered, for the names that are asked.
#[test]
fn the_moulds_are_the_captures_of_real_servers() {
    let servers = ["mariadb-10.11", "mysql-9.7"].into_iter();
    for (server, name) in servers.flat_map(|server| [(server, "lab-primary"), (server, "lab-replica")]) {
        let answers = read(&folder().join(format!("{server}/{name}.txt")));
        let mut text = String::new();
        let by_id: BTreeMap<StatementId, &Answer> = answers.0.iter().map(|(id, answer)| (*id, answer)).collect();
        for id in StatementId::ALL {
            let Some(answer) = by_id.get(&id) else { continue };
            let mut answer = (*answer).clone();
            if let (Answer::Rows(rows), Some(names)) = (&mut answer, names_of(id)) {
                rows.rows.retain(|row| {
                    names.contains(&String::from_utf8_lossy(row[0].as_deref().unwrap()).to_ascii_lowercase().as_str())
                });
            }
            text += &String::from_utf8(ReplyWriter::of(id, &answer)).unwrap();
        }
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/captures/mysql-replies/{server}/{name}.txt"));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{name}; UPDATE=1 rewrites it");
    }
}

fn names_of(id: StatementId) -> Option<&'static [&'static str]> {
    match id {
        StatementId::Variables => Some(VARIABLE_NAMES),
        StatementId::Status => Some(STATUS_NAMES),
        _ => None,
    }
}
