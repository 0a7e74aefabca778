//! Rules about switches that must fit together: VLANs, frame sizes and tunnels of nodes that share a network.

use super::{
    Severity,
    catalogue::rules,
    scene::{Fresh, Scene, Seen},
    switches::on_port,
    track::{Condition, Level},
};
use crate::model::{
    figure::Figure,
    ovs::{Bridge, Interface, InterfaceKind, OvsFacts, Port, Trunks, Tunnel, TunnelEnd, TunnelKey, Vlan},
    text::Clean,
};
use ipnet::IpNet;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

rules! {
    VLAN_MISMATCH = "ovs.vlan_mismatch", 32, Critical, "VLAN does not fit" {
        meaning: "A port is in another VLAN than its peers on the same network, or no trunk of its bridge carries its VLAN: it cannot reach them.",
        causes: "A tag or a list of trunks that was changed on one node only.",
        action: "set the tag or the trunks as on the other nodes: ovs-vsctl set port NAME tag=N",
        explained_by: [Node "ovs.daemon.dead", Node "ovs.daemon.halted"],
    }
    MTU_MISMATCH = "ovs.mtu_mismatch", 37, Warning, "Frame size does not fit" {
        meaning: "A port carries larger or smaller frames than its peers on the same network: small packets pass, large ones vanish.",
        causes: "An MTU that was changed on one node only, or that did not survive a reboot.",
        action: "set the same MTU on all nodes of the network, also in the boot configuration",
    }
    TUNNEL = "ovs.tunnel_unpaired", 36, Warning, "Tunnel without counterpart" {
        meaning: "A tunnel leads to a node that has no tunnel back with the same protocol and key: nothing comes back.",
        causes: "The tunnel was removed or changed at one end only.",
        action: "make the two ends alike: same type, same key, each the address of the other",
        explained_by: [Node "ovs.port.error"],
    }
}

/// A change of several nodes is made one after the other.
const HOLD_MS: u64 = 1_000;
/// Fewer peers than this prove nothing about who is wrong.
const PEERS_MIN: usize = 3;

/// Names what does not fit together.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    private_ports(scene, conditions);
    same_names(scene, conditions);
    for seen in &scene.nodes {
        let Some(facts) = seen.ovs else { continue };
        for bridge in &facts.value.sample.bridges {
            not_carried(seen, facts, bridge, conditions);
            patches(seen, facts, bridge, conditions);
        }
    }
    tunnels(scene, conditions);
}

/// One port of the group that is compared.
struct Peer<'s, 'a> {
    seen: &'s Seen<'a>,
    facts: Fresh<'a, OvsFacts>,
    bridge: &'a Bridge,
    port: &'a Port,
    interface: &'a Interface,
}

/// The ports that carry the nodes' addresses on the private network.
fn private_ports(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let mut networks: BTreeMap<String, Vec<Peer<'_, '_>>> = BTreeMap::new();
    for seen in &scene.nodes {
        let (Some(facts), Some(private)) = (seen.ovs, seen.node.private) else { continue };
        let Some((device, network)) = device_of(seen, private) else { continue };
        let place = facts.value.sample.interfaces().find(|(_, _, interface)| interface.name == *device);
        if let Some((bridge, port, interface)) = place {
            networks.entry(network).or_default().push(Peer { seen, facts, bridge, port, interface });
        }
    }
    for peers in networks.values() {
        alike(
            peers,
            |peer, own, usual, of| {
                let name = &peer.interface.name;
                format!(
                    "{name} carries the private network in {own}, {of} other nodes in {usual}: it cannot reach them"
                )
            },
            |peer, own, usual, of| {
                let name = &peer.interface.name;
                format!(
                    "{name} has MTU {own}, {of} other nodes of the private network have {usual}: large packets get lost"
                )
            },
            conditions,
        );
    }
}

/// The device that holds an address, and the network it is in: its prefix.
fn device_of<'a>(seen: &Seen<'a>, address: IpAddr) -> Option<(&'a Clean, String)> {
    let profile = seen.profile?.value;
    let held = profile.addresses.iter().find(|held| {
        held.address.as_str().split('/').next().and_then(|text| text.parse::<IpAddr>().ok()) == Some(address)
    })?;
    let prefix: u8 = held.address.as_str().split_once('/')?.1.parse().ok()?;
    Some((&held.interface, network_of(address, prefix)?))
}

/// The network of an address, as text: equal for the addresses of one network.
fn network_of(address: IpAddr, prefix: u8) -> Option<String> {
    IpNet::new(address, prefix).ok().map(|network| network.trunc().to_string())
}

/// Uplinks that have the same name and bridge on several nodes: their trunks and frames should be alike.
fn same_names(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let mut groups: BTreeMap<(&Clean, &Clean), Vec<Peer<'_, '_>>> = BTreeMap::new();
    for seen in &scene.nodes {
        let Some(facts) = seen.ovs else { continue };
        for (bridge, port, interface) in facts.value.sample.interfaces() {
            let is_patch = matches!(interface.kind.as_ref().known(), Some(InterfaceKind::Patch(_)));
            let is_device = interface.kind == Figure::Known(InterfaceKind::System);
            let is_guest = interface
                .behind
                .as_ref()
                .known()
                .is_some_and(|who| who.machine_id.is_some() || who.guest_mac.is_some());
            if (is_patch || is_device) && !is_guest {
                groups.entry((&bridge.name, &port.name)).or_default().push(Peer {
                    seen,
                    facts,
                    bridge,
                    port,
                    interface,
                });
            }
        }
    }
    for peers in groups.values() {
        alike(
            peers,
            |peer, own, usual, of| {
                let (port, bridge) = (&peer.port.name, &peer.bridge.name);
                format!("{port} of {bridge} carries {own}, the same port of {of} other nodes carries {usual}")
            },
            |peer, own, usual, of| {
                let (name, bridge) = (&peer.interface.name, &peer.bridge.name);
                format!(
                    "{name} of {bridge} has MTU {own}, the same port of {of} other nodes has {usual}: large packets get lost"
                )
            },
            conditions,
        );
    }
}

/// Ports that should carry the same VLANs and the same frames. The words are made of the port, what it has, what most
/// have, and how many these are.
fn alike<'s, 'a>(
    peers: &[Peer<'s, 'a>],
    vlan: impl Fn(&Peer<'s, 'a>, &str, &str, usize) -> String,
    mtu: impl Fn(&Peer<'s, 'a>, &str, &str, usize) -> String,
    conditions: &mut Vec<Condition>,
) {
    compare(
        peers,
        |peer| peer.port.vlan.as_ref().known().map(vlan_words),
        |peer, own, usual, of| {
            let place = (&peer.bridge.name, &peer.port.name);
            on_port(peer.seen, VLAN_MISMATCH, Severity::Critical, place, vlan(peer, own, usual, of))
        },
        conditions,
    );
    compare(
        peers,
        |peer| peer.interface.mtu_bytes.known().map(|mtu| mtu.to_string()),
        |peer, own, usual, of| {
            let place = (&peer.bridge.name, &peer.interface.name);
            on_port(peer.seen, MTU_MISMATCH, Severity::Warning, place, mtu(peer, own, usual, of))
        },
        conditions,
    );
}

/// Says who differs from most of its peers.
fn compare<'s, 'a>(
    peers: &[Peer<'s, 'a>],
    value: impl Fn(&Peer<'s, 'a>) -> Option<String>,
    condition: impl Fn(&Peer<'s, 'a>, &str, &str, usize) -> Condition,
    conditions: &mut Vec<Condition>,
) {
    let known: Vec<(&Peer<'s, 'a>, String)> = peers.iter().filter_map(|peer| Some((peer, value(peer)?))).collect();
    if known.len() < PEERS_MIN {
        return;
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, value) in &known {
        *counts.entry(value).or_default() += 1;
    }
    let Some((usual, count)) = counts.into_iter().max_by_key(|(_, count)| *count) else { return };
    // Without a clear majority nobody can say who is wrong, and networks that differ by intent would be called wrong.
    if count * 3 < known.len() * 2 || count == known.len() {
        return;
    }
    for (peer, own) in known.iter().filter(|(_, own)| own != usual) {
        let evidence = [format!("here {own}"), format!("{count} of {} nodes: {usual}", known.len())];
        let made = condition(peer, own, usual, count).held(Level::Beyond, peer.facts.at, HOLD_MS);
        conditions.push(made.evidence(evidence));
    }
}

fn vlan_words(vlan: &Vlan) -> String {
    let list = |trunks: &Trunks| match trunks {
        Trunks::All => "all VLANs".to_owned(),
        Trunks::Only(list) => {
            let tags: Vec<String> = list.iter().map(u16::to_string).collect();
            format!("VLANs {}", tags.join(", "))
        }
    };
    match vlan {
        Vlan::Access(tag) => format!("VLAN {tag}"),
        Vlan::Trunk(trunks) => list(trunks),
        Vlan::NativeTagged { native, trunks } => format!("{}, native {native} tagged", list(trunks)),
        Vlan::NativeUntagged { native, trunks } => format!("{}, native {native}", list(trunks)),
        Vlan::Dot1qTunnel { service, customers } => format!("VLAN {service} around {}", list(customers)),
    }
}

/// A port whose VLAN leaves the bridge nowhere, while another port of the bridge is a trunk to somewhere.
fn not_carried(seen: &Seen<'_>, facts: Fresh<'_, OvsFacts>, bridge: &Bridge, conditions: &mut Vec<Condition>) {
    let is_uplink = |port: &&Port| {
        port.interfaces.iter().any(|interface| {
            matches!(interface.kind.as_ref().known(), Some(InterfaceKind::Patch(_) | InterfaceKind::Tunnel(_)))
                || (interface.kind == Figure::Known(InterfaceKind::System)
                    && interface
                        .behind
                        .as_ref()
                        .known()
                        .is_none_or(|who| who.machine_id.is_none() && who.guest_mac.is_none()))
        })
    };
    let uplinks: Vec<&Port> = bridge.ports.iter().filter(is_uplink).collect();
    if uplinks.is_empty() || uplinks.iter().any(|port| port.vlan.as_ref().known().is_none()) {
        return;
    }
    for port in bridge.ports.iter().filter(|port| !is_uplink(port)) {
        let Some(Vlan::Access(tag)) = port.vlan.as_ref().known() else { continue };
        let is_alone = bridge
            .ports
            .iter()
            .filter(|other| other.name != port.name && !is_uplink(other))
            .all(|other| other.vlan.as_ref().known() != Some(&Vlan::Access(*tag)));
        let carried = uplinks.iter().any(|uplink| uplink.vlan.as_ref().known().is_some_and(|vlan| vlan.carries(*tag)));
        if carried || !is_alone {
            continue;
        }
        let text = format!("{} is in VLAN {tag}, and no way out of {} carries it", port.name, bridge.name);
        let condition = on_port(seen, VLAN_MISMATCH, Severity::Critical, (&bridge.name, &port.name), text);
        let ways = uplinks.iter().filter_map(|uplink| {
            Some(format!("{} carries {}", uplink.name, vlan_words(uplink.vlan.as_ref().known()?)))
        });
        // The comparison with the peers says more; the later condition of a subject is told.
        if !conditions.iter().any(|known| known.rule == condition.rule && known.subject == condition.subject) {
            conditions.push(condition.held(Level::Beyond, facts.at, HOLD_MS).evidence(ways));
        }
    }
}

/// The two ends of a patch should carry the same VLANs.
fn patches(seen: &Seen<'_>, facts: Fresh<'_, OvsFacts>, bridge: &Bridge, conditions: &mut Vec<Condition>) {
    for port in &bridge.ports {
        let [interface] = port.interfaces.as_slice() else { continue };
        let Some(InterfaceKind::Patch(Some(peer))) = interface.kind.as_ref().known() else { continue };
        let other = facts.value.sample.interfaces().find(|(_, _, other)| other.name == *peer);
        let Some((other_bridge, other_port, _)) = other else { continue };
        let (Some(own), Some(theirs)) = (port.vlan.as_ref().known(), other_port.vlan.as_ref().known()) else {
            continue;
        };
        // Each pair is told once, and one end that carries all is no contradiction.
        let carries_all = |vlan: &Vlan| matches!(vlan, Vlan::Trunk(Trunks::All));
        if own == theirs || interface.name > *peer || carries_all(own) || carries_all(theirs) {
            continue;
        }
        let text = format!(
            "{} of {} carries {}, its other end {peer} of {} carries {}",
            port.name,
            bridge.name,
            vlan_words(own),
            other_bridge.name,
            vlan_words(theirs)
        );
        let condition = on_port(seen, VLAN_MISMATCH, Severity::Critical, (&bridge.name, &port.name), text);
        let told =
            conditions.iter().any(|known| known.rule == VLAN_MISMATCH && known.node.as_ref() == Some(&seen.node.name));
        if !told {
            conditions.push(condition.held(Level::Beyond, facts.at, HOLD_MS));
        }
    }
}

/// Tunnels whose other end is a node that was read and has none back.
fn tunnels(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let mut owners: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for (index, seen) in scene.nodes.iter().enumerate() {
        let held = seen.profile.into_iter().flat_map(|profile| &profile.value.addresses);
        owners.extend(held.filter_map(|held| Some((held.address.as_str().split('/').next()?.parse().ok()?, index))));
    }
    for (index, seen) in scene.nodes.iter().enumerate() {
        let Some(facts) = seen.ovs else { continue };
        for (bridge, _, interface) in facts.value.sample.interfaces() {
            let Some(InterfaceKind::Tunnel(tunnel)) = interface.kind.as_ref().known() else { continue };
            let Some(TunnelEnd::Address(remote)) = tunnel.remote else { continue };
            let Some(other) =
                owners.get(&remote).filter(|other| **other != index).and_then(|other| scene.nodes.get(*other))
            else {
                continue;
            };
            // A node that was not read proves nothing; nor does one whose tunnels go wherever flows say.
            let Some(theirs) = other.ovs else { continue };
            let own: BTreeSet<IpAddr> =
                owners.iter().filter(|(_, owner)| **owner == index).map(|(address, _)| *address).collect();
            let (same, nearly) = counterparts(theirs.value, tunnel, &own);
            if same {
                continue;
            }
            let why = match nearly {
                Some(key) => format!("its tunnel back has {key} instead of {}", key_words(&tunnel.key)),
                None => "it has no tunnel back".to_owned(),
            };
            let text = format!("{} tunnel {} leads to {}: {why}", tunnel.protocol, interface.name, other.node.name);
            let condition = on_port(seen, TUNNEL, Severity::Warning, (&bridge.name, &interface.name), text);
            let evidence = [format!("remote address {remote}"), key_words(&tunnel.key)];
            conditions.push(condition.held(Level::Beyond, facts.at, HOLD_MS).evidence(evidence));
        }
    }
}

/// Whether a switch has the other end of a tunnel; if not, the key of one that differs only in it.
fn counterparts(facts: &OvsFacts, tunnel: &Tunnel, own: &BTreeSet<IpAddr>) -> (bool, Option<String>) {
    let mut nearly = None;
    for (_, _, interface) in facts.sample.interfaces() {
        let Some(InterfaceKind::Tunnel(other)) = interface.kind.as_ref().known() else { continue };
        let leads_here = match &other.remote {
            Some(TunnelEnd::Address(address)) => own.contains(address),
            Some(TunnelEnd::Flow) => true,
            _ => false,
        };
        if other.protocol != tunnel.protocol || !leads_here {
            continue;
        }
        if other.key == tunnel.key || matches!(other.key, TunnelKey::Flow) || matches!(tunnel.key, TunnelKey::Flow) {
            return (true, None);
        }
        nearly = Some(key_words(&other.key));
    }
    (false, nearly)
}

fn key_words(key: &TunnelKey) -> String {
    match key {
        TunnelKey::None => "no key".to_owned(),
        TunnelKey::Fixed(key) => format!("key {key}"),
        TunnelKey::Flow => "a key by flow".to_owned(),
        TunnelKey::Other(words) => format!("key {words}"),
    }
}
