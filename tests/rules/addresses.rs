//! Who holds a virtual address, and what the outside reaches.

use super::{
    databases::{read, replica},
    lines,
    stage::Stage,
};
use vakt::{
    history,
    model::{
        figure::{Figure, Unknown},
        inventory::Vip,
        presence::{
            HardwareAddress, InterfaceState, Keepalived, Neighbour, PresenceSample, ProcessState, VrrpInstance,
        },
        services::{Listener, Protocol, ServicesFacts, ServicesSample},
        text::Clean,
    },
};

const VIP: &str = "10.10.0.100";

/// One illness each, of what this file knows.
pub(super) const SCENARIOS: &[fn(&mut Stage)] = &[
    |stage| hold(stage, |stage| both(stage, &[VIP], &[VIP])),
    |stage| hold(stage, |stage| both(stage, &[], &[])),
    |stage| {
        hold(stage, |stage| {
            both(stage, &[], &[]);
            take(stage, "web01", look(&[VIP], ProcessState::Absent));
        });
    },
    |stage| {
        hold(stage, |stage| {
            take(stage, "lb01", look(&[VIP], ProcessState::Running));
            take(stage, "lb02", look(&[], ProcessState::Absent));
        });
    },
    |stage| {
        hold(stage, |stage| {
            take(stage, "lb01", watch(&[], true));
            take(stage, "lb02", watch(&[VIP], false));
        });
    },
    |stage| writes_come_in(stage, "db02"),
    |stage| {
        stage.each_second.push(|stage| {
            take(stage, "lb01", look(&["203.0.113.11"], ProcessState::Running));
            listen(stage, "lb01", &[("0.0.0.0", 3306)]);
        });
    },
];

/// Writes come in by the address, which that database holds; db01 is the primary.
fn writes_come_in(stage: &mut Stage, holder: &'static str) {
    stage.inventory.vips = vec![Vip { address: VIP.parse().unwrap(), nodes: vec!["db01".into(), "db02".into()] }];
    stage.inventory.settings.write_endpoint.address = Some(VIP.parse().unwrap());
    stage.each_second.push(match holder {
        "db01" => |stage| databases_with(stage, &[VIP], &[]),
        _ => |stage| databases_with(stage, &[], &[VIP]),
    });
}

fn databases_with(stage: &mut Stage, db01: &[&str], db02: &[&str]) {
    read(stage, "db01", |_| {});
    replica(stage, |_| {});
    take(stage, "db01", look(db01, ProcessState::Running));
    take(stage, "db02", look(db02, ProcessState::Running));
}

#[test]
fn an_address_of_writes_on_a_replica_is_named_once_keepalived_has_had_its_time() {
    for (holder, wanted) in [("db01", 0), ("db02", 1)] {
        let mut stage = Stage::new();
        writes_come_in(&mut stage, holder);
        let told = |stage: &mut Stage, seconds: usize| {
            (0..seconds).for_each(|_| stage.second());
            stage.findings().iter().filter(|finding| finding.rule.as_str() == "vip.astray").count()
        };
        assert_eq!(told(&mut stage, 3), 0, "{holder}");
        assert_eq!(told(&mut stage, 6), wanted, "{holder}");
    }
}

/// The address may be held by both load balancers, and this is so from now on.
pub(super) fn hold(stage: &mut Stage, so: fn(&mut Stage)) {
    stage.inventory.vips = vips();
    stage.each_second.push(so);
}

pub(super) fn both(stage: &mut Stage, lb01: &[&str], lb02: &[&str]) {
    take(stage, "lb01", look(lb01, ProcessState::Running));
    take(stage, "lb02", look(lb02, ProcessState::Running));
}

fn vips() -> Vec<Vip> {
    vec![Vip { address: VIP.parse().unwrap(), nodes: vec!["lb01".into(), "lb02".into()] }]
}

/// lb01 and lb02 may hold the address.
fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.inventory.vips = vips();
    stage
}

fn look(addresses: &[&str], process: ProcessState) -> PresenceSample {
    PresenceSample {
        addresses: Figure::Known(addresses.iter().map(|address| address.parse().unwrap()).collect()),
        interfaces: Vec::new(),
        states: Figure::Unknown(Unknown::Missing),
        neighbours: Vec::new(),
        keepalived: Keepalived {
            is_enabled: true,
            process: Figure::Known(process),
            instances: vec![VrrpInstance { priority: Some(150), ..VrrpInstance::default() }],
        },
    }
}

/// As [`look`], with an instance that needs `pub0`, and how that one is.
fn watch(addresses: &[&str], pub0_is_down: bool) -> PresenceSample {
    let mut sample = look(addresses, ProcessState::Running);
    sample.states = Figure::Known(vec![InterfaceState { interface: "pub0".into(), is_down: pub0_is_down }]);
    sample.keepalived.instances = vec![VrrpInstance {
        name: "edge".into(),
        tracked: vec!["pub0".into()],
        addresses: vec![VIP.parse().unwrap()],
        ..VrrpInstance::default()
    }];
    sample
}

#[test]
fn an_instance_whose_interface_is_down_is_in_fault_and_explains_an_address_that_nobody_holds() {
    let mut stage = stage();
    let turn = |stage: &mut Stage, lb01: PresenceSample, lb02: PresenceSample| {
        for _ in 0..6 {
            stage.second();
            take(stage, "lb01", lb01.clone());
            take(stage, "lb02", lb02.clone());
        }
        stage.findings()
    };
    assert_eq!(turn(&mut stage, watch(&[VIP], false), watch(&[], false)), []);
    // The look after the fault may still find the address where it was.
    assert_eq!(turn(&mut stage, watch(&[VIP], true), watch(&[], false)), []);
    let findings = turn(&mut stage, watch(&[], true), watch(&[VIP], false));
    assert_eq!(lines(&findings), ["▲ lb01 edge: VRRP instance edge is in FAULT: its interface pub0 is down"]);
    assert!(findings[0].evidence[1].as_str().starts_with("10.10.0.100: gave it up "), "{:?}", findings[0].evidence);
    let findings = turn(&mut stage, watch(&[], true), watch(&[], true));
    let rules: Vec<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["vip.fault", "vip.fault", "vip.unheld"], "{findings:?}");
    assert!(findings[2].follows_from.is_some());
}

fn take(stage: &mut Stage, node: &str, sample: PresenceSample) {
    let now = stage.now;
    let facts = stage.facts(node);
    let derived = history::presence::derive(facts.presence.last(), sample, now);
    facts.presence.take(derived, now);
}

/// Every two seconds both load balancers are looked at, the second one a second after the first.
fn turn(stage: &mut Stage, lb01: &[&str], lb02: &[&str]) {
    stage.second();
    take(stage, "lb01", look(lb01, ProcessState::Running));
    stage.second();
    take(stage, "lb02", look(lb02, ProcessState::Running));
}

#[test]
fn one_holder_is_nothing_to_talk_about() {
    let mut stage = stage();
    for _ in 0..10 {
        turn(&mut stage, &[VIP], &[]);
    }
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
}

#[test]
fn a_takeover_between_two_looks_is_not_two_holders() {
    let mut stage = stage();
    turn(&mut stage, &[VIP], &[]);
    stage.second();
    take(&mut stage, "lb01", look(&[VIP], ProcessState::Running));
    // lb01 loses it just now, lb02 is asked first.
    stage.second();
    take(&mut stage, "lb02", look(&[VIP], ProcessState::Running));
    assert_eq!(lines(&stage.findings()), Vec::<String>::new(), "lb01 was seen with it before lb02 was");
    stage.second();
    take(&mut stage, "lb01", look(&[], ProcessState::Running));
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
}

#[test]
fn two_holders_are_seen_with_the_next_look_at_the_older_one() {
    let mut stage = stage();
    turn(&mut stage, &[VIP], &[]);
    turn(&mut stage, &[VIP], &[VIP]);
    stage.second();
    take(&mut stage, "lb01", look(&[VIP], ProcessState::Stopped));
    let neighbour = |hardware: &str| PresenceSample {
        neighbours: vec![Neighbour {
            address: VIP.parse().unwrap(),
            hardware: Clean::line(hardware),
            interface: "priv0".into(),
        }],
        interfaces: vec![HardwareAddress { interface: "priv0".into(), address: Clean::line("52:54:00:0a:0a:15") }],
        ..look(&["10.10.0.3"], ProcessState::Absent)
    };
    let mut holder = look(&[VIP], ProcessState::Running);
    holder.interfaces = vec![HardwareAddress { interface: "priv0".into(), address: "52:54:00:0a:0a:0c".into() }];
    take(&mut stage, "web01", neighbour("52:54:00:0a:0a:0c"));
    take(&mut stage, "web02", neighbour("52:54:00:0a:0a:99"));
    take(&mut stage, "lb02", holder);
    stage.second();
    let findings = stage.findings();
    assert_eq!(findings[0].rule.as_str(), "vip.duplicate");
    assert_eq!(
        lines(&findings)[0],
        "✗ 10.10.0.100: Held by lb01 and lb02 at once: clients reach either of them, and answers get lost"
    );
    assert_eq!(findings[1].rule.as_str(), "vip.keepalived", "the frozen one is told, too");
    let evidence: Vec<&str> = findings[0].evidence.iter().map(Clean::as_str).collect();
    assert!(evidence[0].starts_with("lb01: holds it for at least ") && evidence[0].ends_with("stopped by a signal"));
    assert!(evidence[1].ends_with("keepalived runs with priority 150"), "{evidence:?}");
    assert_eq!(evidence[2], "ARP tables of web01: lb02 answers (52:54:00:0a:0a:0c)");
    assert_eq!(evidence[3], "ARP tables of web02: an unknown machine answers (52:54:00:0a:0a:99)");
}

#[test]
fn no_holder_is_critical_once_a_takeover_would_be_over() {
    let mut stage = stage();
    turn(&mut stage, &[VIP], &[]);
    turn(&mut stage, &[], &[]);
    assert_eq!(lines(&stage.findings()), Vec::<String>::new(), "the other one may be about to take it");
    turn(&mut stage, &[], &[]);
    turn(&mut stage, &[], &[]);
    stage.second();
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["✗ 10.10.0.100: Held by nobody: lb01 and lb02 may hold it and do not"]);
    assert!(findings[0].evidence[0].as_str().contains("lost it"), "{:?}", findings[0].evidence);
    turn(&mut stage, &[], &[VIP]);
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
}

#[test]
fn a_node_that_does_not_answer_may_hold_it() {
    let mut stage = stage();
    for _ in 0..6 {
        turn(&mut stage, &[], &[]);
    }
    let blind = PresenceSample { addresses: Figure::Unknown(Unknown::Missing), ..look(&[], ProcessState::Running) };
    take(&mut stage, "lb01", blind);
    stage.second();
    assert_eq!(
        lines(&stage.findings()),
        ["▲ 10.10.0.100: Held by nobody who answers; lb01, which may hold it, does not answer"]
    );
}

#[test]
fn a_dead_keepalived_is_told_while_the_address_is_well() {
    let mut stage = stage();
    for _ in 0..6 {
        stage.second();
        take(&mut stage, "lb01", look(&[VIP], ProcessState::Running));
        take(&mut stage, "lb02", look(&[], ProcessState::Absent));
        stage.second();
    }
    assert_eq!(
        lines(&stage.findings()),
        ["▲ lb02: keepalived does not run: the node cannot take a virtual address over"]
    );
}

fn listen(stage: &mut Stage, node: &str, sockets: &[(&str, u16)]) {
    speak(stage, node, &sockets.iter().map(|(address, port)| (*address, *port, Protocol::Tcp)).collect::<Vec<_>>());
}

fn speak(stage: &mut Stage, node: &str, sockets: &[(&str, u16, Protocol)]) {
    let listener = |(address, port, protocol): &(&str, u16, Protocol)| Listener {
        port: *port,
        protocol: *protocol,
        address: address.parse().unwrap(),
    };
    let listeners = sockets.iter().map(listener);
    let sample = ServicesSample { listeners: Figure::Known(listeners.collect()), ..ServicesSample::default() };
    let now = stage.now;
    stage.facts(node).services.take(ServicesFacts { sample, nfs: Vec::new() }, now);
}

#[test]
fn what_is_meant_for_the_public_may_be_public() {
    let mut stage = Stage::new();
    take(&mut stage, "lb01", look(&["10.10.0.1", "203.0.113.11"], ProcessState::Running));
    listen(
        &mut stage,
        "lb01",
        &[("0.0.0.0", 80), ("203.0.113.11", 443), ("::", 22), ("10.10.0.1", 3306), ("127.0.0.1", 8404)],
    );
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
}

#[test]
fn a_private_service_on_a_public_address_is_named() {
    let mut stage = Stage::new();
    take(&mut stage, "lb01", look(&["10.10.0.1", "203.0.113.11"], ProcessState::Running));
    listen(&mut stage, "lb01", &[("0.0.0.0", 11211), ("::", 11211), ("203.0.113.11", 7777)]);
    take(&mut stage, "web01", look(&["10.10.0.3"], ProcessState::Absent));
    listen(&mut stage, "web01", &[("0.0.0.0", 11211)]);
    stage.second();
    let findings = stage.findings();
    assert_eq!(
        lines(&findings),
        [
            "✗ lb01 port 11211: Memcached listens on port 11211 of every address, the public 203.0.113.11 among them",
            "▲ lb01 port 7777: A service listens on port 7777 of the public address 203.0.113.11",
        ]
    );
    assert_eq!(findings[0].rule.as_str(), "exposure.public_listener");
    assert_eq!(findings[0].evidence[0].as_str(), "bound to 0.0.0.0:11211");
    stage.inventory.settings.exposure.ports.push(7777);
    stage.second();
    assert_eq!(lines(&stage.findings()).len(), 1, "the configuration may allow a port");
}

#[test]
fn a_service_without_connections_is_as_public_as_one_with_them() {
    let mut stage = Stage::new();
    take(&mut stage, "lb01", look(&["10.10.0.1", "203.0.113.11"], ProcessState::Running));
    // QUIC and the answers to DHCP belong there.
    let meant = [("0.0.0.0", 443, Protocol::Udp), ("0.0.0.0", 68, Protocol::Udp), ("10.10.0.1", 161, Protocol::Udp)];
    speak(&mut stage, "lb01", &meant);
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    speak(&mut stage, "lb01", &[("203.0.113.11", 161, Protocol::Udp), ("0.0.0.0", 5005, Protocol::Udp)]);
    stage.second();
    assert_eq!(
        lines(&stage.findings()),
        [
            "✗ lb01 UDP port 161: SNMP listens on UDP port 161 of the public address 203.0.113.11",
            "▲ lb01 UDP port 5005: A service listens on UDP port 5005 of every address, the public 203.0.113.11 among them",
        ]
    );
    // A port of SSH in the configuration is one of TCP.
    stage.inventory.nodes[0].ssh.port = Some(5005);
    stage.second();
    assert_eq!(lines(&stage.findings()).len(), 2);
}

#[test]
fn a_socket_on_a_lent_port_is_a_service_once_it_has_stayed_for_a_minute() {
    let mut stage = Stage::new();
    take(&mut stage, "lb01", look(&["10.10.0.1", "203.0.113.11"], ProcessState::Running));
    let socket = |port| Listener { port, protocol: Protocol::Udp, address: "0.0.0.0".parse().unwrap() };
    let mut told_after_s = None;
    for second in 0..90 {
        stage.second();
        // One stays; each second another one asks its question, one of them twice.
        let asking = 40_000 + second / 2;
        let sample = ServicesSample {
            lent: vec![socket(51_820), socket(asking)],
            listeners: Figure::Known(Vec::new()),
            ..ServicesSample::default()
        };
        let now = stage.now;
        stage.facts("lb01").services.take(ServicesFacts { sample, nfs: Vec::new() }, now);
        take(&mut stage, "lb01", look(&["10.10.0.1", "203.0.113.11"], ProcessState::Running));
        let told = lines(&stage.findings());
        if told.is_empty() {
            assert!(told_after_s.is_none(), "it stays a finding: second {second}");
            continue;
        }
        told_after_s.get_or_insert(second);
        assert_eq!(
            told,
            [
                "▲ lb01 UDP port 51820: WireGuard listens on UDP port 51820 of every address, the public 203.0.113.11 among them"
            ]
        );
    }
    assert!(matches!(told_after_s, Some(58..=62)), "{told_after_s:?}");
}
