//! The network screen on captured switches: the tree, the table, the details, and what is not known.

use super::world::{self, press, resize, send, text};
use std::fmt::Write as _;
use vakt::{
    app::{
        App,
        msg::{Event, Msg, Report},
        update,
    },
    model::{
        figure::Figure,
        host::{HostSample, InterfaceCounters},
        linux_bridge::{LinuxBridge, LinuxBridgePort, PortForwarding},
        ovs::{LinkState, OvsReading, OvsSample},
        ovs_daemon::{BridgeAddresses, DaemonProcessState, OvsDetail, OvsLiveSample},
        time::{Mono, Now},
        trouble::{Trouble, TroubleKind},
    },
    wire::{
        ovs::text as answers,
        probe::{Facts, ProbeId},
    },
};

const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (200, 60), (40, 10)];

fn report(app: &mut App, node: &str, probe: ProbeId, outcome: Result<Facts, Trouble>) {
    let report = Report { node: node.into(), probe, outcome, complaints: Vec::new(), round_trip_ms: 3 };
    send(app, Event::Report(report));
}

fn give(app: &mut App, node: &str, sample: OvsSample, process: DaemonProcessState) {
    let reading = OvsReading { sample: Some(sample), round_age_ms: 0 };
    report(app, node, ProbeId::Ovs, Ok(Facts::Ovs(Box::new(reading))));
    let live = OvsLiveSample { process, ..OvsLiveSample::default() };
    report(app, node, ProbeId::OvsLive, Ok(Facts::OvsLive(Box::new(live))));
}

/// Three captured switches and a plain bridge.
pub(super) fn with_switches() -> App {
    let mut app = world::healthy();
    let running = DaemonProcessState::Running { pid: 152 };
    give(&mut app, "web01", without_failures(crate::ovs::reloaded("lab-kvm01")), running);
    give(&mut app, "kvm01", crate::ovs::reloaded("lab-kvm01"), running);
    give(&mut app, "db01", without_failures(crate::ovs::reloaded("every-kind")), running);
    let known = |rows: Option<Vec<_>>| Figure::Known(rows.unwrap());
    let detail = OvsDetail {
        bonds: Figure::Known(answers::bonds(&crate::ovs::capture("every-kind.bond.txt")).0.unwrap()),
        lacp: Figure::Known(answers::lacp(&crate::ovs::capture("every-kind.lacp.txt")).0.unwrap()),
        upcalls: Figure::Known(answers::upcalls(&crate::ovs::capture("lab-kvm01.upcall.txt")).0.unwrap()),
        addresses: vec![BridgeAddresses {
            bridge: "br0".into(),
            learned: Figure::Known(4),
            addresses: known(answers::learned_addresses(&crate::ovs::capture("every-kind.fdb.txt")).0),
        }],
        silence: None,
    };
    report(&mut app, "db01", ProbeId::OvsDetail, Ok(Facts::OvsDetail(Box::new(detail))));
    let port = |name: &str, forwarding| LinuxBridgePort {
        name: name.into(),
        forwarding: Figure::Known(forwarding),
        mtu_bytes: Figure::Known(1500),
        state: Figure::Known("up".into()),
    };
    let plain = LinuxBridge {
        name: "br-old".into(),
        filters_vlans: Figure::Known(false),
        mtu_bytes: Figure::Known(1500),
        state: Figure::Known("up".into()),
        ports: vec![port("eth4", PortForwarding::Forwarding), port("eth5", PortForwarding::Blocking)],
        ..LinuxBridge::default()
    };
    report(&mut app, "web02", ProbeId::LinuxBridges, Ok(Facts::LinuxBridges(vec![plain])));
    send(&mut app, Event::Tick);
    app
}

/// A host is read anew, a second after the last time: what one of its devices has received since it started.
pub(super) fn count_of_device(app: &mut App, (node, device): (&str, &str), uptime_ms: u64, rx_bytes: u64) {
    let counters = InterfaceCounters { name: device.into(), rx_bytes, ..InterfaceCounters::default() };
    let sample =
        HostSample { uptime_ms: Figure::Known(uptime_ms), interfaces: vec![counters], ..HostSample::default() };
    let at = Now { mono: Mono(app.now.mono.0 + 1_000), wall: app.now.wall };
    let outcome = Ok(Facts::Host(Box::new(sample)));
    let report = Report { node: node.into(), probe: ProbeId::Host, outcome, complaints: Vec::new(), round_trip_ms: 3 };
    update(app, Msg { at, event: Event::Report(report) });
}

fn without_failures(mut sample: OvsSample) -> OvsSample {
    for bridge in &mut sample.bridges {
        bridge.ports.retain(|port| port.interfaces.iter().all(|one| one.error.as_ref().known() == Some(&None)));
    }
    sample
}

fn at_all_sizes(build: fn() -> App, keys: &str) -> String {
    let mut all = String::new();
    for (width, height) in SIZES {
        let mut app = build();
        resize(&mut app, width, height);
        press(&mut app, keys);
        let _ = write!(all, "=== {width}x{height}\n{}", text(&app));
    }
    all
}

#[test]
fn the_tree_the_table_and_the_details() {
    insta::assert_snapshot!("network_tree", at_all_sizes(with_switches, "3"));
    insta::assert_snapshot!("network_table", at_all_sizes(with_switches, "3 T"));
    insta::assert_snapshot!("network_bond", at_all_sizes(with_switches, "3 / b o n d 0 enter home j j j enter"));
}

#[test]
fn before_anything_answered_it_says_so() {
    insta::assert_snapshot!("network_connecting", at_all_sizes(world::connecting, "3"));
}

#[test]
fn what_is_old_or_dead_looks_so() {
    let build = || {
        let mut app = with_switches();
        let gone = Trouble::new(TroubleKind::DaemonNotRunning, "nothing listens behind the socket", "start it");
        report(&mut app, "kvm01", ProbeId::Ovs, Err(gone));
        let live = OvsLiveSample { process: DaemonProcessState::Gone { pid: 152 }, ..OvsLiveSample::default() };
        report(&mut app, "web01", ProbeId::OvsLive, Ok(Facts::OvsLive(Box::new(live))));
        send(&mut app, Event::Tick);
        app
    };
    insta::assert_snapshot!("network_failing", at_all_sizes(build, "3"));
}

#[test]
fn a_port_that_changes_is_seen_and_is_found_again() {
    let mut app = with_switches();
    resize(&mut app, 120, 40);
    press(&mut app, "3 / e t h 1 enter home j j");
    assert!(text(&app).contains("▸"), "{}", text(&app));
    let mut sample = without_failures(crate::ovs::reloaded("lab-kvm01"));
    for port in sample.bridges.iter_mut().flat_map(|bridge| &mut bridge.ports) {
        for interface in port.interfaces.iter_mut().filter(|one| one.name.as_str() == "eth1") {
            interface.link = Figure::Known(LinkState::Down);
        }
    }
    give(&mut app, "web01", sample, DaemonProcessState::Running { pid: 152 });
    let screen = text(&app);
    let line = screen.lines().find(|line| line.contains("eth1") && line.contains("no link"));
    assert!(line.is_some_and(|line| line.contains('✗')), "{screen}");
    // From the port to its node, and back to the port.
    press(&mut app, "n");
    assert!(text(&app).contains("web01"), "{}", text(&app));
    press(&mut app, "esc");
    assert!(text(&app).contains("eth1"), "{}", text(&app));
}

#[test]
fn nodes_and_bridges_fold_and_the_cursor_stays() {
    let mut app = with_switches();
    resize(&mut app, 120, 40);
    press(&mut app, "3 / b r - p h y enter");
    press(&mut app, "esc home j j j");
    let rows = |app: &App| text(app).lines().filter(|line| line.contains("priv0")).count();
    let before = rows(&app);
    assert!(before > 0, "{}", text(&app));
    press(&mut app, "h");
    assert!(rows(&app) < before, "{}", text(&app));
    press(&mut app, "l");
    assert_eq!(rows(&app), before);
    press(&mut app, "T h");
    assert!(text(&app).contains("Only the tree folds"), "{}", text(&app));
}
