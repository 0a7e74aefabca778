//! From a connection that comes up to figures on the screen and findings about their absence, with nothing but
//! messages.

use super::world::{self, resize, text};
use vakt::{
    app::{
        App, Options,
        effect::Effect,
        msg::{Event, Msg, Report},
        update,
    },
    model::{
        ids::NodeName,
        inventory::{Database, DatabaseLogin, Inventory},
        link::{LinkEvent, LinkState},
        trouble::{Trouble, TroubleKind},
    },
    wire::probe::{Facts, ProbeId},
};

/// Sends an event at a moment of the story.
fn happens(app: &mut App, ms: u64, event: Event) -> Vec<Effect> {
    update(app, Msg { at: world::at(ms), event })
}

/// Answers whatever is polled, as a healthy cluster does, except on the nodes that are silent. Counts the polls of what
/// is asked every second.
fn answer(app: &mut App, ms: u64, effects: Vec<Effect>, silent: &[&str]) -> usize {
    let mut polls = 0;
    for effect in effects {
        let Effect::Poll { node, probe } = effect else { continue };
        polls += usize::from(matches!(probe, ProbeId::Host | ProbeId::Haproxy));
        if silent.contains(&node.as_str()) {
            continue;
        }
        let facts = match probe {
            ProbeId::Host => Facts::Host(Box::new(world::host(10.0, 1.0, 0.3, 40.0, 1e6).sample)),
            ProbeId::HostProfile => Facts::HostProfile(Box::new(world::profile(node.as_str(), 9, false))),
            ProbeId::Mysql => Facts::Mysql(Box::default()),
            ProbeId::Guests => Facts::Guests(Box::default()),
            ProbeId::GuestProfile => Facts::GuestProfile(Box::default()),
            ProbeId::Haproxy => Facts::Haproxy(Box::new(world::haproxy(1.0).sample)),
            ProbeId::LinuxBridges => Facts::LinuxBridges(Vec::new()),
            other @ (ProbeId::Ovs | ProbeId::OvsLive | ProbeId::OvsDetail) => panic!("no node has a switch: {other}"),
            ProbeId::Presence => Facts::Presence(Box::default()),
            ProbeId::Services => Facts::Services(Box::default()),
            ProbeId::Memcached => Facts::Memcached(Box::default()),
            ProbeId::Certificates => Facts::Certificates(Box::default()),
            ProbeId::PrivateNetwork => Facts::PrivateNetwork(Box::default()),
            ProbeId::Switchover => Facts::Switchover(Box::default()),
            ProbeId::Daemon => Facts::Daemon(Box::default()),
            ProbeId::Cut => Facts::Cut(Box::default()),
            ProbeId::Tuning => Facts::Tuning(Box::default()),
            ProbeId::Binlog | ProbeId::Countdown | ProbeId::Hook => panic!("only runs ask for it"),
        };
        let report = Report { node, probe, outcome: Ok(facts), complaints: Vec::new(), round_trip_ms: 4 };
        happens(app, ms + 10, Event::Report(report));
    }
    polls
}

/// Time passes.
fn live(app: &mut App, from_ms: u64, to_ms: u64, silent: &[&str]) -> usize {
    (from_ms..to_ms)
        .step_by(50)
        .map(|ms| {
            let effects = happens(app, ms, Event::Tick);
            answer(app, ms, effects, silent)
        })
        .sum()
}

fn all_up() -> App {
    up(&world::inventory())
}

fn up(inventory: &Inventory) -> App {
    let mut app = App::new(inventory.clone(), Options::default(), world::at(0));
    resize(&mut app, 120, 40);
    assert!(happens(&mut app, 0, Event::Tick).is_empty(), "nothing is polled before a connection is up");
    for node in &inventory.nodes {
        let up = Event::Link { node: node.name.clone(), event: LinkEvent::State(LinkState::Up) };
        let effects = happens(&mut app, 10, up);
        assert!(!effects.is_empty(), "a node that comes up is polled at once");
        answer(&mut app, 10, effects, &[]);
    }
    app
}

#[test]
fn nodes_appear_as_they_answer_and_each_is_polled_once_a_second() {
    let mut app = all_up();
    let polls = live(&mut app, 50, 3_050, &[]);
    assert!(text(&app).contains("10 of 10 nodes"), "{}", text(&app));
    // Twelve probes a second; the first of each came with the connection.
    assert!((24..=40).contains(&polls), "{polls} polls in three seconds");
}

#[test]
fn a_silent_node_ages_becomes_stale_and_a_finding_and_the_others_do_not() {
    let mut app = all_up();
    live(&mut app, 50, 3_050, &[]);
    live(&mut app, 3_050, 12_000, &["db03"]);
    let shown = text(&app);
    assert!(shown.contains("9 of 10 nodes"), "{shown}");
    let row =
        shown.lines().find(|line| line.contains("db03   database") && line.contains("stale")).expect("db03 is stale");
    assert!(row.contains("◌ stale"), "{row}");
    assert!(app.findings.iter().any(|finding| finding.node == Some(NodeName::from("db03"))), "{:?}", app.findings);
    assert!(shown.contains("What is wrong") && !shown.contains("Nothing is wrong"), "{shown}");
}

#[test]
fn a_failed_probe_keeps_the_last_figures_and_says_why() {
    let mut app = all_up();
    live(&mut app, 50, 2_050, &[]);
    let trouble = Trouble::new(TroubleKind::DeadlineMissed, "no answer within 2 s", "look at the load of web01");
    let node = NodeName::from("web01");
    let report =
        Report { node, probe: ProbeId::Host, outcome: Err(trouble), complaints: Vec::new(), round_trip_ms: 2000 };
    happens(&mut app, 2_100, Event::Report(report));
    let facts = app.world.node(&NodeName::from("web01")).unwrap();
    assert!(facts.host.last().is_some() && facts.host.failure().is_some());
    let shown = text(&app);
    assert!(shown.contains("no answer within 2 s"), "{shown}");
}

#[test]
fn a_clock_that_goes_back_does_not_move_the_console_back() {
    let mut app = all_up();
    live(&mut app, 50, 1_050, &[]);
    let before = app.now;
    happens(&mut app, 0, Event::Tick);
    assert_eq!(app.now, before);
}

/// Settings of a server that loses commits when it crashes.
fn relaxed() -> Facts {
    let mut sample = crate::mysql::tuning::of_lab("primary");
    crate::mysql::tuning::set(&mut sample, "sync_binlog", "0", "SQL");
    Facts::Tuning(Box::new(sample))
}

#[test]
fn settings_that_a_finding_is_about_are_read_again_soon_and_those_of_others_are_not() {
    let mut inventory = world::inventory();
    let db01 = inventory.nodes.iter_mut().find(|node| node.name.as_str() == "db01").unwrap();
    db01.database = Some(Database {
        socket: "/run/mysqld/mysqld.sock".into(),
        login: DatabaseLogin::default(),
        heartbeat: None,
        heartbeat_utc: false,
        replication: DatabaseLogin::default(),
    });
    let mut app = up(&inventory);
    let told = Report {
        node: "db01".into(),
        probe: ProbeId::Tuning,
        outcome: Ok(relaxed()),
        complaints: Vec::new(),
        round_trip_ms: 4,
    };
    happens(&mut app, 20, Event::Report(told));
    let mut asked = Vec::new();
    for ms in (50..40_000).step_by(50) {
        let effects = happens(&mut app, ms, Event::Tick);
        let of_settings = |effect: &Effect| match effect {
            Effect::Poll { node, probe: ProbeId::Tuning } => Some(node.to_string()),
            _ => None,
        };
        asked.extend(effects.iter().filter_map(of_settings));
        answer(&mut app, ms, effects, &[]);
    }
    assert_eq!(asked.iter().filter(|node| *node == "db01").count(), 1, "{asked:?}");
    // What it then said is as it should be.
    assert!(app.findings.iter().all(|finding| finding.rule.as_str() != "mysql.durability"), "{:?}", app.findings);
    // The turn of any other comes within minutes only.
    assert!(asked.iter().filter(|node| *node != "db01").count() <= 3, "{asked:?}");
}
