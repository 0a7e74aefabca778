//! The part of `vakt status --json` about switches: `ovs`.

use crate::{
    history,
    model::{
        figure::Figure,
        inventory::Inventory,
        linux_bridge::LinuxBridge,
        ovs::{Bridge, Interface, InterfaceKind, LinkState, Ofport, OvsFacts, Port, Trunks, TunnelEnd, Vlan},
        ovs_daemon::{DaemonProcessState, OvsLive},
        text::Clean,
        time::Now,
        world::{NodeFacts, World},
    },
};
use serde::Serialize;

/// Switches of all nodes, and plain bridges.
#[derive(Debug, Default, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct Ovs {
    pub switches: Vec<SwitchRow>,
    pub bridges: Vec<BridgeRow>,
    pub ports: Vec<PortRow>,
}

/// Open vSwitch of one node.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct SwitchRow {
    pub node: String,
    pub age_ms: Option<u64>,
    pub error: Option<String>,
    pub version: Option<String>,
    pub daemon: Option<&'static str>,
    pub daemon_pid: Option<u64>,
    pub daemon_silence: Option<String>,
    pub configuration_wanted: Option<i64>,
    pub configuration_applied: Option<i64>,
    pub flows: Option<u64>,
    pub flows_max: Option<u64>,
}

/// A bridge.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct BridgeRow {
    pub node: String,
    pub name: String,
    pub kind: &'static str,
    pub datapath: Option<String>,
    pub ports: usize,
    pub addresses_learned: Option<u64>,
}

/// A port, or a member of a bond.
#[derive(Debug, Default, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct PortRow {
    pub node: String,
    pub bridge: String,
    pub port: String,
    pub interface: String,
    pub kind: Option<String>,
    pub peer: Option<String>,
    pub vlan_mode: Option<&'static str>,
    pub tag: Option<u16>,
    pub trunks: Option<Vec<u16>>,
    pub admin: Option<&'static str>,
    pub link: Option<&'static str>,
    pub ofport: Option<i64>,
    pub error: Option<String>,
    pub mtu_bytes: Option<u64>,
    pub link_bits_per_s: Option<u64>,
    pub mac: Option<String>,
    pub policing_kbits_per_s: Option<u64>,
    pub rx_bytes: Option<u64>,
    pub tx_bytes: Option<u64>,
    pub rx_packets: Option<u64>,
    pub tx_packets: Option<u64>,
    pub rx_dropped: Option<u64>,
    pub tx_dropped: Option<u64>,
    pub rx_errors: Option<u64>,
    pub tx_errors: Option<u64>,
    pub rx_bits_per_s: Option<f64>,
    pub tx_bits_per_s: Option<f64>,
    pub drops_per_s: Option<f64>,
    pub errors_per_s: Option<f64>,
    pub bond_member_enabled: Option<bool>,
    pub vm_id: Option<String>,
    pub vm_interface_id: Option<String>,
    pub vm_mac: Option<String>,
}

/// What is known of switches now.
pub fn ovs(world: &World, inventory: &Inventory, now: Now) -> Ovs {
    let mut all = Ovs::default();
    for node in &world.nodes {
        let Some(socket) = inventory.node(&node.name).and_then(|listed| listed.ovs.as_ref()) else {
            plain(&mut all, node);
            continue;
        };
        // A node that nobody expects to have a switch, and that has none, is no row.
        if node.ovs.last().is_some() || (socket.is_expected && node.ovs.failure().is_some()) {
            all.switches.push(switch(node, now));
        }
        if let Some(facts) = node.ovs.last() {
            for bridge in &facts.sample.bridges {
                all.bridges.push(bridge_row(node, bridge));
                for port in &bridge.ports {
                    let rows =
                        port.interfaces.iter().map(|interface| port_row(node, facts, bridge, port, interface, now));
                    all.ports.extend(rows);
                }
            }
        }
        plain(&mut all, node);
    }
    all
}

fn switch(node: &NodeFacts, now: Now) -> SwitchRow {
    let switch = node.ovs.last().map(|facts| &facts.sample.switch);
    let live = node.ovs_live.last();
    let upcalls = node.ovs_detail.last().and_then(|detail| detail.upcalls.as_ref().known());
    let busiest = upcalls.into_iter().flatten().max_by_key(|one| one.flows.known());
    SwitchRow {
        node: node.name.to_string(),
        age_ms: node.ovs.age_ms(now.mono),
        error: node.ovs.failure().map(|failure| failure.reason.to_string()),
        version: switch.and_then(|switch| text(&switch.version)),
        daemon: live.map(daemon_word),
        daemon_pid: live.and_then(|live| match live.process {
            DaemonProcessState::NotStarted => None,
            DaemonProcessState::Running { pid }
            | DaemonProcessState::Halted { pid }
            | DaemonProcessState::Gone { pid }
            | DaemonProcessState::Hidden { pid } => Some(pid),
        }),
        daemon_silence: live.and_then(|live| live.silence.as_ref().map(|trouble| trouble.cause.to_string())),
        configuration_wanted: switch.and_then(|switch| switch.wanted_configuration.known()),
        configuration_applied: switch.and_then(|switch| switch.applied_configuration.known()),
        flows: busiest.and_then(|one| one.flows.known()),
        flows_max: busiest.and_then(|one| one.flows_max.known()),
    }
}

fn daemon_word(live: &OvsLive) -> &'static str {
    match live.process {
        DaemonProcessState::NotStarted => "not running",
        DaemonProcessState::Running { .. } => "running",
        DaemonProcessState::Halted { .. } => "halted",
        DaemonProcessState::Gone { .. } => "dead",
        DaemonProcessState::Hidden { .. } => "hidden",
    }
}

fn bridge_row(node: &NodeFacts, bridge: &Bridge) -> BridgeRow {
    let detail = node.ovs_detail.last();
    let learned = detail.and_then(|detail| detail.addresses.iter().find(|one| one.bridge == bridge.name));
    BridgeRow {
        node: node.name.to_string(),
        name: bridge.name.to_string(),
        kind: "ovs",
        datapath: text(&bridge.datapath),
        ports: bridge.ports.len(),
        addresses_learned: learned.and_then(|learned| learned.learned.known()),
    }
}

fn port_row(
    node: &NodeFacts,
    facts: &OvsFacts,
    bridge: &Bridge,
    port: &Port,
    interface: &Interface,
    now: Now,
) -> PortRow {
    let rates = history::ovs::rates_of(facts, node.ovs_live.last(), interface, now.mono);
    let (vlan_mode, tag, trunks) = vlan(port.vlan.as_ref().known());
    let (kind, peer) = kind(interface.kind.as_ref().known());
    let bonds = node.ovs_detail.last().and_then(|detail| detail.bonds.as_ref().known());
    let bond = bonds.and_then(|bonds| bonds.iter().find(|bond| port.is_bond() && bond.name == port.name));
    let member = bond.and_then(|bond| bond.members.iter().find(|member| member.name == interface.name));
    let behind = interface.behind.as_ref().known();
    let counters = history::ovs::counters_of(node.ovs_live.last(), interface);
    PortRow {
        node: node.name.to_string(),
        bridge: bridge.name.to_string(),
        port: port.name.to_string(),
        interface: interface.name.to_string(),
        kind,
        peer,
        vlan_mode,
        tag,
        trunks,
        admin: interface.admin.known().map(up_or_down),
        link: interface.link.known().map(up_or_down),
        ofport: interface.ofport.known().map(|ofport| match ofport {
            Ofport::Number(number) => i64::from(number),
            Ofport::Failed => -1,
        }),
        error: interface.error.as_ref().known().and_then(|error| error.as_ref().map(ToString::to_string)),
        mtu_bytes: interface.mtu_bytes.known(),
        link_bits_per_s: interface.link_bits_per_s.known(),
        mac: text(&interface.mac),
        policing_kbits_per_s: interface.policing_kbits_per_s.known(),
        rx_bytes: counters.rx_bytes.known(),
        tx_bytes: counters.tx_bytes.known(),
        rx_packets: counters.rx_packets.known(),
        tx_packets: counters.tx_packets.known(),
        rx_dropped: counters.rx_dropped.known(),
        tx_dropped: counters.tx_dropped.known(),
        rx_errors: counters.rx_errors.known(),
        tx_errors: counters.tx_errors.known(),
        rx_bits_per_s: rates.rx_bits_per_s.known().map(rounded),
        tx_bits_per_s: rates.tx_bits_per_s.known().map(rounded),
        drops_per_s: rates.drops_per_s().known().map(rounded),
        errors_per_s: rates.errors_per_s().known().map(rounded),
        bond_member_enabled: member.and_then(|member| member.enabled.known()),
        vm_id: behind.and_then(|behind| behind.machine_id.as_ref().map(ToString::to_string)),
        vm_interface_id: behind.and_then(|behind| behind.interface_id.as_ref().map(ToString::to_string)),
        vm_mac: behind.and_then(|behind| behind.guest_mac.as_ref().map(ToString::to_string)),
    }
}

fn plain(all: &mut Ovs, node: &NodeFacts) {
    for bridge in node.bridges.last().into_iter().flatten() {
        all.bridges.push(BridgeRow {
            node: node.name.to_string(),
            name: bridge.name.to_string(),
            kind: "linux",
            datapath: None,
            ports: bridge.ports.len(),
            addresses_learned: None,
        });
        all.ports.extend(plain_ports(node, bridge));
    }
}

fn plain_ports<'a>(node: &'a NodeFacts, bridge: &'a LinuxBridge) -> impl Iterator<Item = PortRow> + 'a {
    bridge.ports.iter().map(|port| PortRow {
        node: node.name.to_string(),
        bridge: bridge.name.to_string(),
        port: port.name.to_string(),
        interface: port.name.to_string(),
        kind: Some("plain".to_owned()),
        link: match port.state.as_ref().known().map(Clean::as_str) {
            Some("up") => Some("up"),
            Some("down") => Some("down"),
            _ => None,
        },
        mtu_bytes: port.mtu_bytes.known(),
        ..PortRow::default()
    })
}

/// Mode, access or native VLAN, and trunks; an empty list of trunks is all of them.
fn vlan(vlan: Option<&Vlan>) -> (Option<&'static str>, Option<u16>, Option<Vec<u16>>) {
    let list = |trunks: &Trunks| match trunks {
        Trunks::All => Vec::new(),
        Trunks::Only(list) => list.clone(),
    };
    match vlan {
        None => (None, None, None),
        Some(Vlan::Access(tag)) => (Some("access"), Some(*tag), None),
        Some(Vlan::Trunk(trunks)) => (Some("trunk"), None, Some(list(trunks))),
        Some(Vlan::NativeTagged { native, trunks }) => (Some("native-tagged"), Some(*native), Some(list(trunks))),
        Some(Vlan::NativeUntagged { native, trunks }) => (Some("native-untagged"), Some(*native), Some(list(trunks))),
        Some(Vlan::Dot1qTunnel { service, customers }) => (Some("dot1q-tunnel"), Some(*service), Some(list(customers))),
    }
}

fn kind(kind: Option<&InterfaceKind>) -> (Option<String>, Option<String>) {
    let words = |word: &str, peer: Option<String>| (Some(word.to_owned()), peer);
    match kind {
        None => (None, None),
        Some(InterfaceKind::System) => words("system", None),
        Some(InterfaceKind::Internal) => words("internal", None),
        Some(InterfaceKind::Patch(peer)) => words("patch", peer.as_ref().map(ToString::to_string)),
        Some(InterfaceKind::Tunnel(tunnel)) => {
            let peer = tunnel.remote.as_ref().map(|remote| match remote {
                TunnelEnd::Address(address) => address.to_string(),
                TunnelEnd::Flow => "flow".to_owned(),
                TunnelEnd::Other(other) => other.to_string(),
            });
            words(tunnel.protocol.as_str(), peer)
        }
        Some(InterfaceKind::Other(word)) => words(word.as_str(), None),
    }
}

fn up_or_down(state: LinkState) -> &'static str {
    match state {
        LinkState::Up => "up",
        LinkState::Down => "down",
    }
}

fn text<T: ToString>(figure: &Figure<T>) -> Option<String> {
    figure.as_ref().known().map(ToString::to_string)
}

/// Two decimals: what is measured here is not better than that.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
