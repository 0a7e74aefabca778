//! Switches: what is told of one, and what of those that must fit together.

use super::{
    lines,
    stage::{Stage, fails},
};
use vakt::model::{
    figure::{Figure, Unknown},
    host::InterfaceAddress,
    linux_bridge::{LinuxBridge, LinuxBridgePort},
    ovs::{
        Behind, Bridge, Interface, InterfaceKind, LinkState, OFPORT_LOCAL, Ofport, OvsFacts, OvsSample, Port,
        SwitchedRates, Trunks, Tunnel, TunnelEnd, TunnelKey, Vlan,
    },
    ovs_daemon::{
        BondMember, BondState, BridgeAddresses, DaemonProcessState, DatapathLoad, LacpMember, LacpState,
        LearnedAddress, OvsDetail, OvsLive, PortReference, Upcalls,
    },
    presence::{HardwareAddress, PresenceFacts, PresenceSample},
    text::Clean,
    trouble::{Trouble, TroubleKind},
};

/// What a node's switch answers.
#[derive(Clone, Default)]
pub(super) struct TestSwitch {
    pub(super) facts: OvsFacts,
    pub(super) live: OvsLive,
    pub(super) detail: OvsDetail,
    pub(super) bridges: Vec<LinuxBridge>,
    /// Why its database fails.
    pub(super) trouble: Option<Trouble>,
}

fn interface(name: &str, kind: InterfaceKind, ofport: u16) -> Interface {
    Interface {
        id: Clean::line(name),
        name: name.into(),
        kind: Figure::Known(kind),
        ofport: Figure::Known(Ofport::Number(ofport)),
        error: Figure::Known(None),
        admin: Figure::Known(LinkState::Up),
        link: Figure::Known(LinkState::Up),
        link_changes: Figure::Known(0),
        link_bits_per_s: Figure::Known(1_000_000_000),
        mtu_bytes: Figure::Known(1500),
        lacp_current: Figure::Known(None),
        policing_kbits_per_s: Figure::Known(0),
        driver: Figure::Known("e1000".into()),
        ..Interface::default()
    }
}

fn port(name: &str, vlan: Vlan, interfaces: Vec<Interface>) -> Port {
    Port { name: name.into(), vlan: Figure::Known(vlan), interfaces, ..Port::default() }
}

fn patch(name: &str, peer: &str) -> Port {
    let kind = InterfaceKind::Patch(Some(peer.into()));
    port(name, Vlan::Trunk(Trunks::Only(vec![10, 20])), vec![interface(name, kind, 1)])
}

/// A switch as those of the lab.
fn switch() -> TestSwitch {
    let mut local = interface("br-int", InterfaceKind::Internal, OFPORT_LOCAL);
    (local.admin, local.link) = (Figure::Known(LinkState::Down), Figure::Known(LinkState::Down));
    let private = interface("priv0", InterfaceKind::Internal, 2);
    let card = interface("eth1", InterfaceKind::System, 2);
    let bridges = vec![
        Bridge {
            name: "br-int".into(),
            ports: vec![
                port("br-int", Vlan::Trunk(Trunks::All), vec![local]),
                patch("int-phy", "phy-int"),
                port("priv0", Vlan::Access(10), vec![private]),
            ],
            ..Bridge::default()
        },
        Bridge {
            name: "br-phy".into(),
            ports: vec![port("eth1", Vlan::Trunk(Trunks::All), vec![card]), patch("phy-int", "int-phy")],
            ..Bridge::default()
        },
    ];
    let mut facts = OvsFacts { sample: OvsSample { bridges, ..OvsSample::default() }, ..OvsFacts::default() };
    (facts.sample.switch.wanted_configuration, facts.sample.switch.applied_configuration) =
        (Figure::Known(7), Figure::Known(7));
    let live = OvsLive { process: DaemonProcessState::Running { pid: 152 }, ..OvsLive::default() };
    TestSwitch { facts, live, ..TestSwitch::default() }
}

/// The switch of one node carries others: each on a port of its own, as `external_ids` or learned addresses say.
fn carries(stage: &mut Stage, switch: &str, machines: &[(&str, bool)]) {
    let now = stage.now;
    let mut learned = Vec::new();
    for (number, (machine, is_named)) in (10_u16..).zip(machines) {
        let mac: Clean = format!("52:54:00:00:00:{number:02x}").as_str().into();
        let mut tap = interface(&format!("tap{number}"), InterfaceKind::System, number);
        if *is_named {
            tap.behind = Figure::Known(Behind { guest_mac: Some(mac.clone()), ..Behind::default() });
        }
        let plugged = port(&format!("tap{number}"), Vlan::Access(10), vec![tap]);
        change(stage, switch, |switch| switch.facts.sample.bridges[0].ports.push(plugged));
        if !is_named {
            let port = PortReference::Number(number);
            learned.push(LearnedAddress { port, vlan: 10, mac: mac.clone(), age_s: Some(3) });
        }
        let card = HardwareAddress { interface: "eth0".into(), address: mac };
        let addresses = Figure::Known(vec![format!("10.10.0.{number}").parse().unwrap()]);
        let sample = PresenceSample { addresses, interfaces: vec![card], ..PresenceSample::default() };
        stage.facts(machine).presence.take(PresenceFacts { sample, ..PresenceFacts::default() }, now);
    }
    change(stage, switch, |switch| {
        switch.detail.addresses = vec![BridgeAddresses {
            bridge: "br-int".into(),
            learned: Figure::Known(learned.len() as u64),
            addresses: Figure::Known(learned),
        }];
    });
}

/// Findings about what falls together, while nobody forgets where machines are.
fn shared_fate(stage: &mut Stage) -> Vec<String> {
    stage.second();
    lines(&stage.findings()).into_iter().filter(|line| line.contains("hang on")).collect()
}

#[test]
fn both_load_balancers_on_one_switch_share_its_fate() {
    for by in [[true, true], [false, false], [true, false]] {
        let mut stage = with_switches();
        carries(&mut stage, "db03", &[("lb01", by[0]), ("lb02", by[1])]);
        // A single learned address may as well be behind an uplink: it says nothing.
        let expected: &[&str] = match by {
            [true, false] => &[],
            _ => &["▲ edge: Both machines of role edge hang on the switch of db03: lb01, lb02"],
        };
        assert_eq!(shared_fate(&mut stage), expected, "{by:?}");
    }
}

#[test]
fn a_second_switch_or_a_third_machine_elsewhere_is_no_shared_fate() {
    let mut stage = with_switches();
    carries(&mut stage, "db03", &[("lb01", true), ("lb02", true)]);
    let seen_twice = stage.switches["db03"].facts.sample.bridges[0].ports.last().unwrap().clone();
    change(&mut stage, "db02", |switch| switch.facts.sample.bridges[0].ports.push(seen_twice));
    assert_eq!(shared_fate(&mut stage), Vec::<String>::new(), "lb02 hangs on two switches");
    let mut stage = with_switches();
    carries(&mut stage, "db03", &[("web01", true), ("web02", true)]);
    assert_eq!(shared_fate(&mut stage), Vec::<String>::new(), "where web03 hangs is not known");
    carries(&mut stage, "db03", &[("web01", true), ("web02", true), ("web03", true)]);
    let told = "▲ web: All 3 machines of role web hang on the switch of db03: web01, web02, web03";
    assert_eq!(shared_fate(&mut stage), [told]);
}

/// Every node has a switch, and its private address on it.
fn with_switches() -> Stage {
    let mut stage = Stage::new();
    give_switches(&mut stage);
    stage
}

fn give_switches(stage: &mut Stage) {
    let names: Vec<String> = stage.inventory.nodes.iter().map(|node| node.name.to_string()).collect();
    for (index, name) in names.iter().enumerate() {
        stage.switches.insert(name.clone(), switch());
        stage.profile(name, |profile| {
            profile.addresses = vec![
                InterfaceAddress {
                    interface: "priv0".into(),
                    address: format!("10.10.0.{}/24", index + 1).as_str().into(),
                },
                InterfaceAddress {
                    interface: "br-phy".into(),
                    address: format!("10.88.0.{}/24", index + 1).as_str().into(),
                },
            ];
        });
    }
}

fn change(stage: &mut Stage, node: &str, change: impl FnOnce(&mut TestSwitch)) {
    change(stage.switches.get_mut(node).unwrap());
}

fn port_of<'a>(switch: &'a mut TestSwitch, name: &str) -> &'a mut Port {
    let bridges = switch.facts.sample.bridges.iter_mut();
    bridges.flat_map(|bridge| &mut bridge.ports).find(|port| port.name.as_str() == name).unwrap()
}

fn interface_of<'a>(switch: &'a mut TestSwitch, name: &str) -> &'a mut Interface {
    let ports = switch.facts.sample.bridges.iter_mut().flat_map(|bridge| &mut bridge.ports);
    ports.flat_map(|port| &mut port.interfaces).find(|interface| interface.name.as_str() == name).unwrap()
}

/// Rates of a port from the next second on.
fn rates(stage: &mut Stage, node: &str, port: &str, rates: SwitchedRates) {
    let at = stage.now.mono.plus_ms(1_000_000);
    change(stage, node, |switch| {
        switch.facts.counted_at = Some(at);
        switch.facts.rates.insert(port.into(), rates);
    });
}

fn bond(stage: &mut Stage, node: &str, links: [LinkState; 2]) {
    change(stage, node, |switch| {
        let members = ["eth2", "eth3"]
            .into_iter()
            .zip(links)
            .map(|(name, link)| Interface { link: Figure::Known(link), ..interface(name, InterfaceKind::System, 5) });
        let bond = port("bond0", Vlan::Trunk(Trunks::All), members.collect());
        switch.facts.sample.bridges[1].ports.push(bond);
    });
}

fn told(stage: &mut Stage, seconds: usize) -> Vec<String> {
    stage.run(seconds);
    lines(&stage.findings())
}

#[test]
fn switches_that_fit_together_are_no_finding() {
    let mut stage = with_switches();
    assert_eq!(told(&mut stage, 60), Vec::<String>::new());
}

#[test]
fn a_port_that_is_down_is_told_at_once_and_explains_the_server_behind_it() {
    let mut stage = with_switches();
    stage.run(3);
    change(&mut stage, "web03", |switch| {
        let card = interface_of(switch, "eth1");
        (card.admin, card.link) = (Figure::Known(LinkState::Down), Figure::Known(LinkState::Down));
    });
    stage.second();
    for lb in 0..2 {
        stage.server(lb, "web03", fails(0));
    }
    let lines = told(&mut stage, 1);
    assert_eq!(lines[0], "✗ web03 br-phy/eth1: Port eth1 of br-phy is switched off: nothing passes it");
    assert!(lines.iter().all(|line| line.contains("web03")), "{lines:?}");
    change(&mut stage, "web03", |switch| *switch = self::switch());
    assert!(!told(&mut stage, 1).iter().any(|line| line.contains("eth1")));
}

#[test]
fn a_bridge_that_the_host_does_not_use_is_not_down() {
    let mut stage = with_switches();
    assert_eq!(told(&mut stage, 3), Vec::<String>::new());
    change(&mut stage, "db01", |switch| interface_of(switch, "int-phy").link = Figure::Known(LinkState::Down));
    assert_eq!(
        told(&mut stage, 1),
        ["✗ db01 br-int/int-phy: Port int-phy (patch to phy-int) of br-int has no link: nothing passes it"]
    );
}

#[test]
fn a_port_that_failed_says_why() {
    let mut stage = with_switches();
    change(&mut stage, "db01", |switch| {
        let card = interface_of(switch, "eth1");
        card.ofport = Figure::Known(Ofport::Failed);
        card.error = Figure::Known(Some("could not open network device eth1 (No such device)".into()));
        card.link = Figure::Unknown(Unknown::Missing);
    });
    assert_eq!(
        told(&mut stage, 1),
        [
            "✗ db01 br-phy/eth1: Port eth1 of br-phy cannot be set up: could not open network device eth1 (No such device)"
        ]
    );
}

#[test]
fn a_dead_daemon_is_told_and_its_ports_are_not() {
    let mut stage = with_switches();
    change(&mut stage, "web02", |switch| {
        switch.live.process = DaemonProcessState::Gone { pid: 152 };
        interface_of(switch, "eth1").link = Figure::Known(LinkState::Down);
    });
    assert_eq!(
        told(&mut stage, 1),
        ["✗ web02: ovs-vswitchd (152) is dead: its ports switch nothing new, though its database answers"]
    );
    change(&mut stage, "web02", |switch| switch.live.process = DaemonProcessState::Halted { pid: 152 });
    assert_eq!(
        told(&mut stage, 1),
        ["✗ web02: ovs-vswitchd (152) is halted: it switches nothing new, though its database answers"]
    );
}

#[test]
fn a_daemon_that_cannot_be_seen_is_missed_by_its_counters() {
    let mut stage = with_switches();
    let now = stage.now.mono;
    change(&mut stage, "web02", |switch| {
        switch.live.process = DaemonProcessState::Hidden { pid: 152 };
        switch.facts.counted_at = Some(now);
    });
    assert_eq!(told(&mut stage, 20), Vec::<String>::new());
    assert_eq!(told(&mut stage, 1), ["✗ web02: ovs-vswitchd has written no counters for 21 s: it hangs or is dead"]);
}

#[test]
fn a_tag_that_differs_from_the_peers_is_named_with_theirs() {
    let mut stage = with_switches();
    change(&mut stage, "web01", |switch| port_of(switch, "priv0").vlan = Figure::Known(Vlan::Access(99)));
    let lines = told(&mut stage, 2);
    assert_eq!(
        lines,
        [
            "✗ web01 br-int/priv0: priv0 carries the private network in VLAN 99, 7 other nodes in VLAN 10: it cannot reach them"
        ]
    );
    assert_eq!(stage.findings()[0].evidence[0].as_str(), "here VLAN 99");
}

#[test]
fn packets_that_are_lost_behind_a_wrong_tag_follow_from_it() {
    let mut stage = with_switches();
    change(&mut stage, "web01", |switch| port_of(switch, "priv0").vlan = Figure::Known(Vlan::Access(99)));
    for peers in [&[(2, 0.3)][..], &[(1, 0.3), (2, 0.3), (4, 0.3), (6, 0.3)]] {
        for _ in 0..4 {
            stage.second();
            super::services::walk(&mut stage, peers, 0);
        }
        stage.second();
        let findings = stage.findings();
        let rules: Vec<(&str, Option<&str>)> = findings
            .iter()
            .map(|finding| (finding.rule.as_str(), finding.follows_from.as_ref().map(|cause| cause.rule.as_str())))
            .collect();
        let expected = [("ovs.vlan_mismatch", None), ("private_network.loss", Some("ovs.vlan_mismatch"))];
        assert_eq!(rules, expected, "{:?}", lines(&findings));
    }
}

#[test]
fn half_against_half_is_nobodys_mistake() {
    let mut stage = with_switches();
    for node in ["web01", "web02", "web03", "db01"] {
        change(&mut stage, node, |switch| {
            port_of(switch, "priv0").vlan = Figure::Known(Vlan::Access(20));
            interface_of(switch, "priv0").mtu_bytes = Figure::Known(9000);
        });
    }
    assert_eq!(told(&mut stage, 5), Vec::<String>::new());
}

#[test]
fn a_vlan_that_no_way_out_carries_is_told() {
    let mut stage = with_switches();
    change(&mut stage, "db02", |switch| {
        let guest = port("vnet3", Vlan::Access(77), vec![interface("vnet3", InterfaceKind::Internal, 9)]);
        switch.facts.sample.bridges[0].ports.push(guest);
    });
    assert_eq!(told(&mut stage, 2), ["✗ db02 br-int/vnet3: vnet3 is in VLAN 77, and no way out of br-int carries it"]);
}

#[test]
fn the_two_ends_of_a_patch_must_carry_the_same() {
    let mut stage = with_switches();
    for node in stage.inventory.nodes.iter().map(|node| node.name.to_string()).collect::<Vec<_>>() {
        change(&mut stage, &node, |switch| {
            port_of(switch, "phy-int").vlan = Figure::Known(Vlan::Trunk(Trunks::Only(vec![10])));
        });
    }
    let lines = told(&mut stage, 2);
    assert_eq!(lines.len(), 8);
    assert_eq!(
        lines[0],
        "✗ db01 br-int/int-phy: int-phy of br-int carries VLANs 10, 20, its other end phy-int of br-phy carries VLANs 10"
    );
}

#[test]
fn an_mtu_that_differs_is_told_once() {
    let mut stage = with_switches();
    change(&mut stage, "db03", |switch| interface_of(switch, "priv0").mtu_bytes = Figure::Known(9000));
    assert_eq!(
        told(&mut stage, 2),
        [
            "▲ db03 br-int/priv0: priv0 has MTU 9000, 7 other nodes of the private network have 1500: large packets get lost"
        ]
    );
}

fn tunnel(to: &str, key: u64) -> Port {
    let tunnel = Tunnel {
        protocol: "vxlan".into(),
        remote: Some(TunnelEnd::Address(to.parse().unwrap())),
        local: None,
        key: TunnelKey::Fixed(key),
    };
    port("vx0", Vlan::Access(20), vec![interface("vx0", InterfaceKind::Tunnel(tunnel), 7)])
}

#[test]
fn a_tunnel_needs_one_back_with_the_same_key() {
    let mut stage = with_switches();
    // db01 is the sixth node, db02 the seventh.
    change(&mut stage, "db01", |switch| switch.facts.sample.bridges[0].ports.push(tunnel("10.88.0.7", 30)));
    assert_eq!(told(&mut stage, 2), ["▲ db01 br-int/vx0: vxlan tunnel vx0 leads to db02: it has no tunnel back"]);
    change(&mut stage, "db02", |switch| switch.facts.sample.bridges[0].ports.push(tunnel("10.88.0.6", 31)));
    let lines = told(&mut stage, 2);
    assert_eq!(
        lines[0],
        "▲ db01 br-int/vx0: vxlan tunnel vx0 leads to db02: its tunnel back has key 31 instead of key 30"
    );
    change(&mut stage, "db02", |switch| {
        switch.facts.sample.bridges[0].ports.pop();
        switch.facts.sample.bridges[0].ports.push(tunnel("10.88.0.6", 30));
    });
    assert_eq!(told(&mut stage, 2), Vec::<String>::new());
}

#[test]
fn drops_must_go_on_and_policing_is_told_apart() {
    let mut stage = with_switches();
    let dropping = |received: f64, sent: f64| SwitchedRates {
        rx_drops_per_s: Figure::Known(received),
        tx_drops_per_s: Figure::Known(sent),
        ..SwitchedRates::default()
    };
    rates(&mut stage, "db01", "priv0", dropping(0.0, 120.0));
    assert_eq!(told(&mut stage, 1), Vec::<String>::new());
    assert_eq!(told(&mut stage, 2), ["▲ db01 br-int/priv0: priv0 drops 120 packets per second going out"]);
    rates(&mut stage, "db01", "priv0", dropping(90.0, 0.0));
    change(&mut stage, "db01", |switch| {
        interface_of(switch, "priv0").policing_kbits_per_s = Figure::Known(1000);
    });
    let lines = told(&mut stage, 4);
    assert_eq!(
        lines,
        ["▲ db01 br-int/priv0: priv0 may send 1000 kb/s and sends more: 90 packets per second are dropped"]
    );
}

#[test]
fn what_is_flooded_to_a_device_that_is_off_is_no_drop() {
    let mut stage = with_switches();
    let dropping = SwitchedRates { tx_drops_per_s: Figure::Known(40.0), ..SwitchedRates::default() };
    rates(&mut stage, "db01", "br-int", dropping);
    assert_eq!(told(&mut stage, 10), Vec::<String>::new());
}

#[test]
fn a_bond_on_its_last_member_is_told_with_the_member_that_is_gone() {
    let mut stage = with_switches();
    bond(&mut stage, "db01", [LinkState::Up, LinkState::Down]);
    let lines = told(&mut stage, 1);
    assert_eq!(
        lines,
        [
            "▲ db01 br-phy/eth3: Port eth3 of bond bond0 has no link: nothing passes it",
            "▲ db01 br-phy/bond0: Bond bond0 is on its last member of 2: the next failure cuts it",
        ]
    );
}

#[test]
fn an_address_on_a_card_in_a_bridge_is_told_for_plain_bridges_too() {
    let mut stage = with_switches();
    let held = |device: &str, address: &str| InterfaceAddress { interface: device.into(), address: address.into() };
    stage.profile("db01", |profile| profile.addresses.push(held("eth1", "10.10.0.66/24")));
    stage.profile("db02", |profile| profile.addresses.push(held("eth5", "10.10.0.67/24")));
    change(&mut stage, "db02", |switch| {
        let plain = LinuxBridgePort { name: "eth5".into(), ..LinuxBridgePort::default() };
        switch.bridges = vec![LinuxBridge { name: "br0".into(), ports: vec![plain], ..LinuxBridge::default() }];
    });
    assert_eq!(
        told(&mut stage, 1),
        [
            "▲ db01 br-phy/eth1: Card eth1 is in bridge br-phy and still carries 10.10.0.66/24: the address belongs on br-phy",
            "▲ db02 br0/eth5: Card eth5 is in bridge br0 and still carries 10.10.0.67/24: the address belongs on br0",
        ]
    );
}

#[test]
fn a_node_without_a_switch_is_no_finding_and_one_that_lost_it_is() {
    let mut stage = Stage::new();
    let missing =
        Trouble::new(TroubleKind::SocketMissing, "/run/openvswitch/db.sock does not exist on db01", "start it");
    stage.switches.insert("db01".into(), TestSwitch { trouble: Some(missing.clone()), ..TestSwitch::default() });
    assert_eq!(told(&mut stage, 20), Vec::<String>::new());
    change(&mut stage, "db01", |switch| *switch = self::switch());
    stage.run(2);
    change(&mut stage, "db01", |switch| switch.trouble = Some(missing));
    assert_eq!(
        told(&mut stage, 4),
        ["▲ db01: Open vSwitch cannot be read for 3.0 s: /run/openvswitch/db.sock does not exist on db01"]
    );
}

/// One illness each, of what the rules about switches know.
pub(super) const SCENARIOS: &[fn(&mut Stage)] = &[
    |stage| {
        give_switches(stage);
        stage.each_second.push(|stage| {
            if !stage.switches["db03"].facts.sample.bridges[0].ports.iter().any(|port| port.name.as_str() == "tap10") {
                carries(stage, "db03", &[("lb01", true), ("lb02", true)]);
            }
            let now = stage.now;
            for name in ["lb01", "lb02"] {
                let facts = stage.facts(name).presence.last().cloned().unwrap();
                stage.facts(name).presence.take(facts, now);
            }
        });
    },
    |stage| {
        give_switches(stage);
        change(stage, "web01", |switch| switch.live.process = DaemonProcessState::NotStarted);
        change(stage, "web02", |switch| switch.live.process = DaemonProcessState::Halted { pid: 1 });
        let frozen = Trouble::new(TroubleKind::DeadlineMissed, "ovs-vswitchd gave no answer", "look");
        change(stage, "web03", |switch| switch.live.silence = Some(frozen.clone()));
        stage.run(2);
        change(stage, "db01", |switch| switch.trouble = Some(frozen));
    },
    |stage| {
        give_switches(stage);
        change(stage, "web01", |switch| interface_of(switch, "eth1").link = Figure::Known(LinkState::Down));
        change(stage, "web02", |switch| interface_of(switch, "eth1").ofport = Figure::Known(Ofport::Failed));
        bond(stage, "db01", [LinkState::Down, LinkState::Down]);
        bond(stage, "db02", [LinkState::Up, LinkState::Up]);
        change(stage, "db02", |switch| {
            let member = |name: &str, enabled| BondMember {
                name: name.into(),
                enabled: Figure::Known(enabled),
                ..BondMember::default()
            };
            let members = vec![member("eth2", true), member("eth3", false)];
            let bond = BondState { name: "bond0".into(), members, ..BondState::default() };
            let aggregated =
                LacpMember { name: "eth3".into(), status: Figure::Known("defaulted".into()), ..LacpMember::default() };
            let lacp = LacpState { name: "bond0".into(), members: vec![aggregated], ..LacpState::default() };
            switch.detail.bonds = Figure::Known(vec![bond]);
            switch.detail.lacp = Figure::Known(vec![lacp]);
        });
        change(stage, "web03", |switch| port_of(switch, "priv0").vlan = Figure::Known(Vlan::Access(11)));
        change(stage, "db03", |switch| {
            interface_of(switch, "priv0").mtu_bytes = Figure::Known(9000);
            switch.facts.sample.bridges[0].ports.push(tunnel("10.88.0.1", 30));
            switch.facts.sample.switch.wanted_configuration = Figure::Known(9);
        });
    },
    |stage| {
        give_switches(stage);
        let bad = SwitchedRates {
            rx_bits_per_s: Figure::Known(950e6),
            rx_drops_per_s: Figure::Known(50.0),
            rx_errors_per_s: Figure::Known(50.0),
            ..SwitchedRates::default()
        };
        rates(stage, "web01", "eth1", bad);
        rates(stage, "web02", "eth1", bad);
        change(stage, "web02", |switch| interface_of(switch, "eth1").policing_kbits_per_s = Figure::Known(10));
        change(stage, "web03", |switch| {
            let upcalls = Upcalls { flows: Figure::Known(1990), flows_max: Figure::Known(2000), ..Upcalls::default() };
            switch.detail.upcalls = Figure::Known(vec![upcalls]);
        });
        change(stage, "db01", |switch| {
            switch.live.datapaths = vec![DatapathLoad { lost_per_s: Figure::Known(9.0), ..DatapathLoad::default() }];
        });
        stage.profile("db02", |profile| {
            profile.addresses.push(InterfaceAddress { interface: "eth1".into(), address: "10.9.9.9/24".into() });
        });
    },
];
