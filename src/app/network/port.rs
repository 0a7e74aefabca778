//! One port as a row: the same questions for a port of Open vSwitch, a member of a bond and a port of a plain bridge.

use crate::{
    app::{Seen, figures, meaning::Meaning, rows::RowId},
    history,
    model::{
        figure::{Figure, Unknown},
        linux_bridge::{LinuxBridge, LinuxBridgePort, PortForwarding},
        ovs::{
            Bridge, Interface, InterfaceKind, LinkState, OFPORT_LOCAL, Ofport, Port, SwitchedRates, Trunks, Tunnel,
            TunnelEnd, TunnelKey, Vlan,
        },
        ovs_daemon::DaemonProcessState,
        text::Clean,
        time::Mono,
        world::NodeFacts,
    },
};

/// A bridge of a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BridgeView<'a> {
    pub(crate) node: &'a NodeFacts,
    pub(crate) at: BridgeAt<'a>,
}

/// Whose bridge it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BridgeAt<'a> {
    Ovs(&'a Bridge),
    /// Of the kernel.
    Plain(&'a LinuxBridge),
}

/// A port of a bridge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PortView<'a> {
    pub(crate) node: &'a NodeFacts,
    pub(crate) bridge: BridgeView<'a>,
    pub(crate) at: PortAt<'a>,
}

/// What kind of row it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PortAt<'a> {
    /// Several interfaces as one port.
    Bond(&'a Port),
    /// The only interface of a port, or a member of a bond.
    Interface(&'a Port, &'a Interface),
    /// A device in a plain bridge.
    Plain(&'a LinuxBridgePort),
}

/// Every bridge of a node: those of Open vSwitch, then those of the kernel.
pub(crate) fn bridges(node: &NodeFacts) -> Vec<BridgeView<'_>> {
    let ovs = node.ovs.last().into_iter().flat_map(|facts| &facts.sample.bridges).map(BridgeAt::Ovs);
    let plain = node.bridges.last().into_iter().flatten().map(BridgeAt::Plain);
    ovs.chain(plain).map(|at| BridgeView { node, at }).collect()
}

impl<'a> BridgeView<'a> {
    /// Its name.
    pub(crate) fn name(&self) -> &'a Clean {
        match self.at {
            BridgeAt::Ovs(bridge) => &bridge.name,
            BridgeAt::Plain(bridge) => &bridge.name,
        }
    }

    /// Its rows: a bond, then its members.
    pub(crate) fn ports(self) -> impl Iterator<Item = PortView<'a>> {
        let view = move |at| PortView { node: self.node, bridge: self, at };
        let (ovs, plain) = match self.at {
            BridgeAt::Ovs(bridge) => (Some(bridge), None),
            BridgeAt::Plain(bridge) => (None, Some(bridge)),
        };
        let of_port = |port: &'a Port| {
            let bond = port.is_bond().then_some(PortAt::Bond(port));
            bond.into_iter().chain(port.interfaces.iter().map(move |interface| PortAt::Interface(port, interface)))
        };
        let ovs = ovs.into_iter().flat_map(|bridge| &bridge.ports).flat_map(of_port);
        let plain = plain.into_iter().flat_map(|bridge| &bridge.ports).map(PortAt::Plain);
        ovs.chain(plain).map(view)
    }

    /// What it is, in a few words.
    pub(crate) fn words(&self) -> String {
        match self.at {
            BridgeAt::Ovs(bridge) => {
                let datapath = match bridge.datapath.as_ref().known().map(Clean::as_str) {
                    Some("netdev") => "in userspace",
                    Some("system" | "") | None => "in the kernel",
                    Some(other) => other,
                };
                format!("Open vSwitch bridge {datapath}")
            }
            BridgeAt::Plain(bridge) => {
                let vlans =
                    if bridge.filters_vlans.known() == Some(true) { "looks at VLANs" } else { "knows no VLANs" };
                format!("plain bridge of the kernel, {vlans}")
            }
        }
    }
}

impl<'a> PortView<'a> {
    /// What the row is about.
    pub(crate) fn id(&self) -> RowId {
        let (port, interface) = match self.at {
            PortAt::Bond(port) => (&port.name, None),
            PortAt::Interface(port, interface) => (&port.name, Some(interface.name.clone())),
            PortAt::Plain(port) => (&port.name, Some(port.name.clone())),
        };
        RowId::Port(self.node.name.clone(), self.bridge.name().clone(), port.clone(), interface)
    }

    /// The name on the row.
    pub(crate) fn name(&self) -> &'a Clean {
        match self.at {
            PortAt::Bond(port) => &port.name,
            PortAt::Interface(_, interface) => &interface.name,
            PortAt::Plain(port) => &port.name,
        }
    }

    /// The name of the series of its figures, where it belongs to that port, and is that interface of it if one is named.
    pub(crate) fn series_of(&self, port: &Clean, interface: Option<&Clean>) -> Option<&'a Clean> {
        let (its_port, name) = match self.at {
            PortAt::Bond(_) => return None,
            PortAt::Interface(port, interface) => (&port.name, &interface.name),
            PortAt::Plain(port) => (&port.name, &port.name),
        };
        (its_port == port && interface.is_none_or(|wanted| wanted == name)).then_some(name)
    }

    /// Whether it is a bond as a whole.
    pub(crate) fn is_bond(&self) -> bool {
        matches!(self.at, PortAt::Bond(_))
    }

    /// Whether it is a member of a bond.
    pub(crate) fn is_member(&self) -> bool {
        matches!(self.at, PortAt::Interface(port, _) if port.is_bond())
    }

    /// The interface, where it is one of Open vSwitch.
    pub(crate) fn interface(&self) -> Option<&'a Interface> {
        if let PortAt::Interface(_, interface) = self.at { Some(interface) } else { None }
    }

    /// The port of Open vSwitch.
    pub(crate) fn port(&self) -> Option<&'a Port> {
        match self.at {
            PortAt::Bond(port) | PortAt::Interface(port, _) => Some(port),
            PortAt::Plain(_) => None,
        }
    }

    /// The VLANs it carries.
    pub(crate) fn vlan(&self) -> Figure<String> {
        match self.port() {
            Some(port) => port.vlan.as_ref().map(vlan_text),
            None => Figure::Unknown(Unknown::NotOffered),
        }
    }

    /// The same for a filter.
    pub(crate) fn vlan_words(&self) -> String {
        self.vlan().known().unwrap_or_default()
    }

    /// What it is.
    pub(crate) fn kind_words(&self) -> String {
        match self.at {
            PortAt::Bond(_) => "bond".to_owned(),
            PortAt::Plain(_) => "plain".to_owned(),
            PortAt::Interface(_, interface) => match interface.kind.as_ref().known() {
                Some(InterfaceKind::System) if self.is_guest() => "guest".to_owned(),
                Some(InterfaceKind::System) => "device".to_owned(),
                Some(InterfaceKind::Internal) => "internal".to_owned(),
                Some(InterfaceKind::Patch(_)) => "patch".to_owned(),
                Some(InterfaceKind::Tunnel(tunnel)) => tunnel.protocol.as_str().to_owned(),
                Some(InterfaceKind::Other(word)) => word.as_str().to_owned(),
                None => "?".to_owned(),
            },
        }
    }

    fn is_guest(&self) -> bool {
        let behind = self.interface().and_then(|interface| interface.behind.as_ref().known());
        behind.is_some_and(|behind| behind.machine_id.is_some() || behind.guest_mac.is_some())
    }

    /// What or who is at its other end.
    pub(crate) fn behind_words(&self, seen: Seen<'_>) -> String {
        match self.at {
            PortAt::Bond(port) => figures::counted(port.interfaces.len(), "member", "members"),
            PortAt::Plain(_) => self.held(),
            PortAt::Interface(_, interface) => match interface.kind.as_ref().known() {
                Some(InterfaceKind::Patch(Some(peer))) => format!("to {peer}"),
                Some(InterfaceKind::Patch(None)) => "to no peer".to_owned(),
                Some(InterfaceKind::Tunnel(tunnel)) => tunnel_words(seen, tunnel),
                _ => {
                    let behind = interface.behind.as_ref().known();
                    let guest = behind.and_then(|behind| {
                        let name = behind.machine_id.as_ref().or(behind.interface_id.as_ref());
                        match (name, &behind.guest_mac) {
                            (Some(name), Some(mac)) => Some(format!("VM {}, {mac}", short(name))),
                            (Some(name), None) => Some(format!("VM {}", short(name))),
                            (None, Some(mac)) => Some(format!("guest {mac}")),
                            (None, None) => None,
                        }
                    });
                    guest.unwrap_or_else(|| self.held())
                }
            },
        }
    }

    /// The addresses that the host has on this device.
    pub(crate) fn held(&self) -> String {
        let addresses = self.node.profile.last().into_iter().flat_map(|profile| &profile.addresses);
        let mine = addresses.filter(|held| held.interface == *self.name());
        let mine: Vec<&str> = mine
            .map(|held| held.address.as_str())
            .filter(|address| !address.starts_with("fe80:"))
            .map(|address| address.split('/').next().unwrap_or(address))
            .collect();
        mine.join(", ")
    }

    /// The state in one word, and what it means.
    pub(crate) fn standing(&self, seen: Seen<'_>) -> (Meaning, &'static str) {
        if is_old(seen, self.node) || self.is_frozen() {
            return (Meaning::Stale, "stale");
        }
        match self.at {
            PortAt::Bond(port) => {
                let up = port.interfaces.iter().filter(|one| one.link == Figure::Known(LinkState::Up)).count();
                match up {
                    0 => (Meaning::Crit, "no link"),
                    up if up < port.interfaces.len() => (Meaning::Warn, "degraded"),
                    _ => (Meaning::Ok, "up"),
                }
            }
            PortAt::Interface(_, interface) => standing_of(interface),
            PortAt::Plain(port) => match (port.forwarding.known(), port.state.as_ref().known().map(Clean::as_str)) {
                (Some(PortForwarding::Disabled), _) | (_, Some("down")) => (Meaning::Crit, "no link"),
                (Some(PortForwarding::Blocking), _) => (Meaning::Standby, "blocked"),
                (Some(PortForwarding::Listening | PortForwarding::Learning), _) => (Meaning::Warn, "learning"),
                (Some(PortForwarding::Forwarding), _) => (Meaning::Ok, "up"),
                (None, _) => (Meaning::Unknown, "?"),
            },
        }
    }

    /// Whether the daemon that would tell its state does not run.
    fn is_frozen(&self) -> bool {
        let process = self.node.ovs_live.last().map(|live| live.process);
        self.port().is_some()
            && matches!(
                process,
                Some(
                    DaemonProcessState::NotStarted
                        | DaemonProcessState::Gone { .. }
                        | DaemonProcessState::Halted { .. }
                )
            )
    }

    /// Rates as of now: live ones where there are any.
    pub(crate) fn rates(&self, now: Mono) -> SwitchedRates {
        match self.at {
            PortAt::Interface(_, interface) => match self.node.ovs.last() {
                Some(facts) => history::ovs::rates_of(facts, self.node.ovs_live.last(), interface, now),
                None => SwitchedRates::unknown(Unknown::NotReadYet),
            },
            PortAt::Bond(port) => {
                let Some(facts) = self.node.ovs.last() else { return SwitchedRates::unknown(Unknown::NotReadYet) };
                let live = self.node.ovs_live.last();
                let members = port.interfaces.iter().map(|one| history::ovs::rates_of(facts, live, one, now));
                members.reduce(SwitchedRates::plus).unwrap_or_else(|| SwitchedRates::unknown(Unknown::Missing))
            }
            PortAt::Plain(port) => history::linux_bridge::rates_of(self.node.host.last(), port),
        }
    }

    /// Its number on the bridge.
    pub(crate) fn ofport(&self) -> Figure<String> {
        match self.interface() {
            Some(interface) => interface.ofport.map(|ofport| match ofport {
                Ofport::Number(OFPORT_LOCAL) => "local".to_owned(),
                Ofport::Number(number) => number.to_string(),
                Ofport::Failed => "-1".to_owned(),
            }),
            None => Figure::Unknown(Unknown::NothingHappened),
        }
    }

    /// Largest frame it carries, bytes.
    pub(crate) fn mtu(&self) -> Figure<u64> {
        match self.at {
            PortAt::Bond(_) => Figure::Unknown(Unknown::NothingHappened),
            // A patch carries what its bridges do.
            PortAt::Interface(_, interface) if interface.mtu_bytes.why() == Some(Unknown::Missing) => {
                Figure::Unknown(Unknown::NothingHappened)
            }
            PortAt::Interface(_, interface) => interface.mtu_bytes,
            PortAt::Plain(port) => port.mtu_bytes,
        }
    }

    /// Negotiated speed, bits per second; a virtual device has none.
    pub(crate) fn speed(&self) -> Figure<u64> {
        match self.interface() {
            Some(interface) if interface.link_bits_per_s.why() == Some(Unknown::Missing) => {
                Figure::Unknown(Unknown::NothingHappened)
            }
            Some(interface) => interface.link_bits_per_s,
            None => Figure::Unknown(Unknown::NothingHappened),
        }
    }
}

fn standing_of(interface: &Interface) -> (Meaning, &'static str) {
    let is_local = interface.ofport == Figure::Known(Ofport::Number(OFPORT_LOCAL));
    if interface.ofport == Figure::Known(Ofport::Failed) {
        return (Meaning::Crit, "failed");
    }
    if interface.error.as_ref().known().is_some_and(Option::is_some) {
        return (Meaning::Crit, "error");
    }
    match (interface.admin.known(), interface.link.known()) {
        // The bridge's own interface is off unless the host uses it.
        (Some(LinkState::Down), _) if is_local => (Meaning::Dim, "unused"),
        (Some(LinkState::Down), _) => (Meaning::Maint, "off"),
        (_, Some(LinkState::Down)) => (Meaning::Crit, "no link"),
        (_, Some(LinkState::Up)) => (Meaning::Ok, "up"),
        _ => (Meaning::Unknown, "?"),
    }
}

/// Whether what is known of a node's switches is old.
pub(crate) fn is_old(seen: Seen<'_>, node: &NodeFacts) -> bool {
    let limit_ms = seen.inventory.settings.poll.stale_after_ms.max(OLD_MS);
    node.link.lost().is_some()
        || node.ovs.failure().is_some()
        || node.ovs.age_ms(seen.now.mono).is_some_and(|age| age > limit_ms)
}

/// A database that says nothing is asked for a sign of life every two seconds.
const OLD_MS: u64 = 5_000;

/// "10", "trunk 10, 20", "trunk all".
pub(crate) fn vlan_text(vlan: &Vlan) -> String {
    let list = |trunks: &Trunks| match trunks {
        Trunks::All => "all".to_owned(),
        Trunks::Only(list) => list.iter().map(u16::to_string).collect::<Vec<_>>().join(","),
    };
    match vlan {
        Vlan::Access(tag) => tag.to_string(),
        Vlan::Trunk(trunks) => list(trunks),
        Vlan::NativeTagged { native, trunks } => format!("{}, native {native} tagged", list(trunks)),
        Vlan::NativeUntagged { native, trunks } => format!("{}, native {native}", list(trunks)),
        Vlan::Dot1qTunnel { service, customers } => format!("{service} around {}", list(customers)),
    }
}

fn tunnel_words(seen: Seen<'_>, tunnel: &Tunnel) -> String {
    let key = match &tunnel.key {
        TunnelKey::None => String::new(),
        TunnelKey::Fixed(key) => format!(" key {key}"),
        TunnelKey::Flow => " key by flow".to_owned(),
        TunnelKey::Other(words) => format!(" key {words}"),
    };
    match &tunnel.remote {
        Some(TunnelEnd::Address(address)) => match node_with(seen, *address) {
            Some(node) => format!("to {node}{key}"),
            None => format!("to {address}{key}"),
        },
        Some(TunnelEnd::Flow) => format!("to wherever flows say{key}"),
        Some(TunnelEnd::Other(words)) => format!("to {words}{key}"),
        None => format!("to nobody{key}"),
    }
}

/// The node that has an address.
pub(crate) fn node_with(seen: Seen<'_>, address: std::net::IpAddr) -> Option<&crate::model::ids::NodeName> {
    let text = address.to_string();
    let holds = |node: &&NodeFacts| {
        node.profile.last().is_some_and(|profile| {
            profile.addresses.iter().any(|held| held.address.as_str().split('/').next() == Some(text.as_str()))
        })
    };
    let listed = || {
        let is_it = |node: &&crate::model::inventory::Node| {
            node.private == Some(address) || node.public == Some(address) || node.management == text
        };
        seen.inventory.nodes.iter().find(is_it).map(|node| &node.name)
    };
    seen.world.nodes.iter().find(holds).map(|node| &node.name).or_else(listed)
}

/// The first part of a UUID is enough to find it.
fn short(name: &Clean) -> &str {
    let text = name.as_str();
    if text.len() == 36 && text.is_ascii() { &text[..8] } else { text }
}
