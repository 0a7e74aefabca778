//! Rules about what the outside world reaches.

use super::{
    Severity,
    catalogue::rules,
    scene::{Scene, Seen},
    track::Condition,
};
use crate::model::{
    address::is_public,
    services::{DHCP_CLIENT, Listener, Protocol},
};
use std::{collections::BTreeMap, net::IpAddr};

/// Findings of one node; a node with more is told by its first ones.
const PORTS_TOLD_MAX: usize = 8;
/// A UDP socket on a port that the kernel lends serves when it stays so long: a question waits seconds for its answer.
const LENT_HOLD_MS: u64 = 60_000;

/// What usually listens on a TCP port, for the sentence; data that nobody outside may touch is critical.
const USUAL: [(u16, &str, Severity); 20] = [
    (111, "rpcbind", Severity::Warning),
    (389, "LDAP", Severity::Critical),
    (2049, "NFS", Severity::Critical),
    (2375, "Docker without encryption", Severity::Critical),
    (3306, "MySQL", Severity::Critical),
    (33060, "MySQL's X protocol", Severity::Critical),
    (4567, "Galera", Severity::Critical),
    (5432, "PostgreSQL", Severity::Critical),
    (5672, "RabbitMQ", Severity::Critical),
    (5900, "the screen of a virtual machine", Severity::Critical),
    (6379, "Redis", Severity::Critical),
    (6640, "the database of Open vSwitch", Severity::Critical),
    (8404, "HAProxy's statistics", Severity::Warning),
    (9000, "PHP-FPM", Severity::Critical),
    (9100, "a metrics exporter", Severity::Warning),
    (9200, "Elasticsearch", Severity::Critical),
    (11211, "memcached", Severity::Critical),
    (16509, "libvirt without encryption", Severity::Critical),
    (16514, "libvirt", Severity::Warning),
    (27017, "MongoDB", Severity::Critical),
];

/// The same of UDP. What answers a small question with a large answer is used against others, too.
const USUAL_UDP: [(u16, &str, Severity); 19] = [
    (53, "a name server", Severity::Warning),
    (69, "TFTP", Severity::Critical),
    (111, "rpcbind", Severity::Warning),
    (123, "a time server", Severity::Warning),
    (137, "NetBIOS", Severity::Critical),
    (138, "NetBIOS", Severity::Critical),
    (161, "SNMP", Severity::Critical),
    (389, "LDAP", Severity::Critical),
    (500, "the key exchange of IPsec", Severity::Warning),
    (514, "a collector of logs", Severity::Critical),
    (1900, "SSDP", Severity::Warning),
    (2049, "NFS", Severity::Critical),
    (4500, "IPsec", Severity::Warning),
    (4789, "VXLAN, a tunnel without encryption,", Severity::Critical),
    (5353, "multicast DNS", Severity::Warning),
    (5405, "Corosync", Severity::Critical),
    (6081, "Geneve, a tunnel without encryption,", Severity::Critical),
    (11211, "memcached", Severity::Critical),
    (51820, "WireGuard", Severity::Warning),
];

rules! {
    PUBLIC_LISTENER = "exposure.public_listener", 35, Critical, "A private service on a public address" {
        meaning: "A socket waits for connections or packets on a public address, on a port that is not meant for the public. A UDP socket on a port that the kernel lends to whoever asks a question counts once it has been there for a minute.",
        causes: "A service that listens on every address by default, or a changed bind address.",
        action: "bind the service to its private address; until then let the node's firewall drop the port",
    }
}

/// Names what listens on public addresses and should not.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    for seen in &scene.nodes {
        conditions.extend(exposed(scene, seen));
    }
}

fn exposed(scene: &Scene<'_>, seen: &Seen<'_>) -> Vec<Condition> {
    let (Some(services), Some(presence)) = (seen.services, seen.presence) else { return Vec::new() };
    let listeners = services.value.sample.listeners.as_ref().known();
    let addresses = presence.value.sample.addresses.as_ref().known();
    let (Some(listeners), Some(addresses)) = (listeners, addresses) else { return Vec::new() };
    let public: Vec<IpAddr> = addresses.iter().copied().filter(|address| is_public(*address)).collect();
    if public.is_empty() {
        return Vec::new();
    }
    let is_allowed = |listener: &Listener| {
        scene.exposure.ports.contains(&listener.port)
            || match listener.protocol {
                Protocol::Tcp => seen.node.ssh.port == Some(listener.port),
                Protocol::Udp => DHCP_CLIENT.contains(&listener.port),
            }
    };
    let lent = &services.value.sample.lent;
    let mut by_port: BTreeMap<(Protocol, u16), Vec<&Listener>> = BTreeMap::new();
    for listener in listeners.iter().chain(lent).filter(|listener| !is_allowed(listener)) {
        if reached(listener, &public).is_some() {
            by_port.entry((listener.protocol, listener.port)).or_default().push(listener);
        }
    }
    let ports = by_port.into_iter().take(PORTS_TOLD_MAX);
    let conditions = ports.filter_map(|((protocol, port), sockets)| {
        let first = reached(sockets.first()?, &public)?;
        let (usual, of) = match protocol {
            Protocol::Tcp => (&USUAL[..], ""),
            Protocol::Udp => (&USUAL_UDP[..], "UDP "),
        };
        let usual = usual.iter().find(|(known, _, _)| *known == port);
        let severity = usual.map_or(Severity::Warning, |(_, _, severity)| *severity);
        let who = usual.map_or_else(|| "A service".to_owned(), |(_, name, _)| (*name).to_owned());
        let who = super::words::sentence(&who);
        let text = if sockets.iter().any(|socket| socket.address.is_unspecified()) {
            format!("{who} listens on {of}port {port} of every address, the public {first} among them")
        } else {
            format!("{who} listens on {of}port {port} of the public address {first}")
        };
        let evidence =
            sockets.iter().map(|socket| format!("bound to {}", std::net::SocketAddr::new(socket.address, port)));
        let subject = format!("{} {of}port {port}", seen.node.name);
        let condition = Condition::new(PUBLIC_LISTENER, severity, &subject, text).node(&seen.node.name);
        let condition = condition.evidence(evidence).evidence([
            format!("public addresses of the node: {}", words(&public)),
            "whether a firewall stands in front is not seen from here".to_owned(),
        ]);
        let is_lent = lent.iter().any(|one| (one.protocol, one.port) == (protocol, port));
        let hold_ms = if is_lent { LENT_HOLD_MS } else { condition.hold_ms };
        Some(Condition { sample: Some(services.at), hold_ms, ..condition })
    });
    conditions.collect()
}

/// The public address on which a socket is reached.
fn reached(listener: &Listener, public: &[IpAddr]) -> Option<IpAddr> {
    match listener.address {
        // A socket on every IPv6 address usually takes IPv4 as well.
        IpAddr::V6(address) if address.is_unspecified() => public.first().copied(),
        IpAddr::V4(address) if address.is_unspecified() => public.iter().copied().find(IpAddr::is_ipv4),
        address => public.contains(&address).then_some(address),
    }
}

fn words(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}
