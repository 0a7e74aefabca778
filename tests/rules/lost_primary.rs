//! A primary that a failover gave up: remembered until it replicates again.

use super::stage::Stage;
use std::net::IpAddr;
use vakt::{
    model::{
        cut::{CutRoute, CutSample},
        figure::Figure,
        ids::NodeName,
        intent::Intent,
        mysql::{Channel, DaemonProcess, DaemonSample, SwitchoverSample},
        time::Wall,
    },
    plan::PlanId,
    rules::Severity,
    run::{EndingKind, Operator, RunState, RunSummary},
};

/// One illness each, of what this file knows.
pub(super) const SCENARIOS: &[fn(&mut Stage)] = &[
    |stage| {
        give_up(stage);
        stage.each_second.push(|stage| daemon(stage, true, false));
    },
    |stage| {
        give_up(stage);
        stage.each_second.push(|stage| daemon(stage, false, true));
    },
    |stage| {
        give_up(stage);
        stage.each_second.push(|stage| cut_off(stage, &["db03"]));
    },
    // Nobody here gave it up.
    |stage| stage.each_second.push(|stage| cut_off(stage, &["db02", "db03"])),
];

/// Of these two replicas, the named ones have cut db01 off.
fn cut_off(stage: &mut Stage, names: &[&str]) {
    let now = stage.now;
    for name in ["db02", "db03"] {
        let node = NodeName::from(name);
        let Some(IpAddr::V4(address)) = stage.inventory.node(&NodeName::from("db01")).unwrap().private else {
            panic!()
        };
        let route = CutRoute { address, mark: 1_795_442_602, is_told: true };
        let routes = if names.contains(&name) { vec![route] } else { Vec::new() };
        let sample = CutSample { routes: Figure::Known(routes), ..CutSample::default() };
        stage.world.node_mut(&node).unwrap().cut.take(sample, now);
    }
}

#[test]
fn a_replica_that_was_started_anew_hears_a_primary_that_was_given_up_and_is_named() {
    let mut stage = Stage::new();
    give_up(&mut stage);
    let open = |stage: &mut Stage, names: &[&str]| {
        for _ in 0..10 {
            cut_off(stage, names);
            stage.second();
        }
        let all = stage.findings();
        all.iter()
            .filter(|one| one.rule.as_str() == "mysql.uncut")
            .map(|one| one.subject.to_string())
            .collect::<Vec<_>>()
    };
    assert!(open(&mut stage, &["db02", "db03"]).is_empty());
    assert_eq!(open(&mut stage, &["db02"]), ["db03"]);
    // Where nobody has cut it off, it was fenced in another way.
    assert!(open(&mut stage, &[]).is_empty());
}

fn run(stage: &mut Stage, line: &str, seconds_ago: i64, former: Option<&str>) {
    let words: Vec<&str> = line.split(' ').collect();
    let at = Wall(stage.now.wall.0 - seconds_ago * 1000);
    let summary = RunSummary {
        id: PlanId::from(format!("20140513T170000Z-{seconds_ago:08}")),
        intent: Intent::parse(&words).unwrap(),
        title: line.into(),
        operator: Operator { login: "eva".into(), ssh_client: None, sudo_user: None },
        opened_at: at,
        last_at: at,
        records: 3,
        state: RunState::Ended { kind: EndingKind::Reached, why: "db02 is the primary.".into() },
        holds_until: None,
        former: former.map(NodeName::from),
        former_value: None,
    };
    // The newest first.
    stage.will.runs.insert(0, summary);
}

fn give_up(stage: &mut Stage) {
    run(stage, "mysql.failover --to db02", 180, Some("db01"));
}

fn daemon(stage: &mut Stage, is_masked: bool, runs: bool) {
    let unit: vakt::model::text::Clean = "mariadb.service".into();
    let process = DaemonProcess { pid: 330, state: "S".into(), unit: unit.clone() };
    let processes = if runs { vec![process] } else { Vec::new() };
    let (unit, is_masked) = (Figure::Known(unit), Figure::Known(is_masked));
    let now = stage.now;
    let node = stage.world.node_mut(&NodeName::from("db01")).unwrap();
    node.daemon.take(DaemonSample { unit, is_masked, processes: Figure::Known(processes) }, now);
}

fn database(stage: &mut Stage, name: &str, read_only: bool, channels: Vec<Channel>) {
    let mut sample = SwitchoverSample { channels: Figure::Known(channels), ..SwitchoverSample::default() };
    sample.state.read_only = Figure::Known(read_only);
    let now = stage.now;
    stage.world.node_mut(&NodeName::from(name)).unwrap().switchover.take(sample, now);
}

/// Rule and severity of what is said about it.
fn told(stage: &mut Stage) -> Vec<(String, Severity)> {
    stage.second();
    let all = stage.findings();
    let found = all.iter().filter(|one| ["mysql.given_up", "mysql.returned"].contains(&one.rule.as_str()));
    found.map(|one| (one.rule.to_string(), one.severity)).collect()
}

#[test]
fn a_primary_that_was_given_up_is_a_warning_while_it_is_fenced_and_critical_when_it_is_back() {
    let mut stage = Stage::new();
    give_up(&mut stage);
    daemon(&mut stage, true, false);
    assert_eq!(told(&mut stage), [("mysql.given_up".to_owned(), Severity::Warning)]);
    for (masked, runs) in [(false, true), (false, false), (true, true)] {
        daemon(&mut stage, masked, runs);
        assert_eq!(told(&mut stage), [("mysql.returned".to_owned(), Severity::Critical)], "{masked} {runs}");
    }
    database(&mut stage, "db01", false, Vec::new());
    database(&mut stage, "db02", false, Vec::new());
    assert_eq!(told(&mut stage), [("mysql.returned".to_owned(), Severity::Critical)]);
}

#[test]
fn it_is_forgotten_when_it_replicates_again_whoever_brought_that_about() {
    let mut stage = Stage::new();
    give_up(&mut stage);
    daemon(&mut stage, false, true);
    database(&mut stage, "db01", true, vec![Channel::default()]);
    assert_eq!(told(&mut stage), []);
    let mut stage = Stage::new();
    give_up(&mut stage);
    run(&mut stage, "mysql.rejoin db01", 60, Some("db01"));
    daemon(&mut stage, false, true);
    assert_eq!(told(&mut stage), []);
    // Given up again: the newest run counts.
    run(&mut stage, "mysql.failover --to db02", 30, Some("db01"));
    assert_eq!(told(&mut stage).len(), 1);
}

#[test]
fn a_primary_again_that_freezes_later_is_no_former_primary() {
    // It was seen in its place since, and then answers nothing.
    let mut stage = Stage::new();
    give_up(&mut stage);
    daemon(&mut stage, false, true);
    database(&mut stage, "db01", false, Vec::new());
    assert_eq!(told(&mut stage), []);
    for _ in 0..20 {
        daemon(&mut stage, false, true);
        assert_eq!(told(&mut stage), [], "what it said last stands");
    }
    // Nobody has read it since: its replicas tell whom they follow, unless another one takes writes.
    let address = Stage::new().inventory.node(&NodeName::from("db01")).unwrap().private.unwrap().to_string();
    let follows = || {
        let source_host = Figure::Known(address.as_str().into());
        vec![Channel { source_host, ..Channel::default() }]
    };
    let mut stage = Stage::new();
    give_up(&mut stage);
    daemon(&mut stage, false, true);
    database(&mut stage, "db02", true, follows());
    assert_eq!(told(&mut stage), []);
    database(&mut stage, "db02", false, follows());
    assert_eq!(told(&mut stage), [], "a replica that somebody opened is no new primary");
    database(&mut stage, "db03", false, Vec::new());
    assert_eq!(told(&mut stage), [("mysql.returned".to_owned(), Severity::Critical)]);
    // Fenced, it is what it was, whoever was left behind following it.
    let mut stage = Stage::new();
    give_up(&mut stage);
    daemon(&mut stage, true, false);
    database(&mut stage, "db02", true, follows());
    assert_eq!(told(&mut stage), [("mysql.given_up".to_owned(), Severity::Warning)]);
}

#[test]
fn a_database_that_is_cut_off_and_was_not_given_up_is_named() {
    let told = |stage: &mut Stage, names: &[&str], seconds: u32| {
        for _ in 0..seconds {
            cut_off(stage, names);
            stage.second();
        }
        let all = stage.findings().into_iter().filter(|one| one.rule.as_str() == "mysql.cut_off");
        all.map(|one| (one.subject.to_string(), one.severity, one.sentence.to_string(), one.evidence))
            .collect::<Vec<_>>()
    };
    let mut stage = Stage::new();
    database(&mut stage, "db01", false, Vec::new());
    assert_eq!(told(&mut stage, &["db02", "db03"], 8), [], "a failover cuts before it ends");
    database(&mut stage, "db01", false, Vec::new());
    let all = told(&mut stage, &["db02", "db03"], 5);
    let [(subject, severity, text, evidence)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((subject.as_str(), *severity), ("db01", Severity::Critical), "it answers, and nobody reaches it");
    assert!(text.starts_with("Its address ") && text.ends_with(" is cut off on db02 and db03"), "{text}");
    assert!(evidence.len() == 2 && evidence[0].as_str().contains("ip route del unreachable"), "{evidence:?}");
    // It does not answer: then nobody misses it at once.
    let all = told(&mut stage, &["db03"], 15);
    assert_eq!(
        all.iter().map(|one| (one.1, one.2.ends_with("on db03"))).collect::<Vec<_>>(),
        [(Severity::Warning, true)]
    );
    assert_eq!(told(&mut stage, &[], 15), []);
    // Of one that was given up, that is told.
    give_up(&mut stage);
    daemon(&mut stage, true, false);
    assert_eq!(told(&mut stage, &["db02", "db03"], 9), []);
}
