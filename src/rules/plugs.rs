//! Which machine hangs on whose switch, as far as the switches tell.
//!
//! A port of Open vSwitch names its guest (`external_ids`), or a bridge has learned every address of a port from one
//! machine. The latter says something only where several ports of the bridge are so: behind an uplink of a quiet network
//! there may be one address, too, and that machine hangs on another switch.
//!
//! Deliberately absent: physical switches. vakt does not see them, and says nothing of them.

use crate::model::{
    hypervisor::HypervisorProfile,
    ids::NodeName,
    ovs::{Bridge, Interface, InterfaceKind, OFPORT_LOCAL, Ofport, OvsSample},
    ovs_daemon::{BridgeAddresses, OvsDetail, PortReference},
    presence::PresenceSample,
    text::Clean,
};
use std::collections::{BTreeMap, BTreeSet};

/// What one node tells of machines and switches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) node: &'a NodeName,
    pub(crate) presence: Option<&'a PresenceSample>,
    pub(crate) guests: Option<&'a HypervisorProfile>,
    pub(crate) switch: Option<&'a OvsSample>,
    pub(crate) detail: Option<&'a OvsDetail>,
}

/// A machine on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Plug<'a> {
    /// Whose switch.
    pub(crate) switch: &'a NodeName,
    /// Name of the interface.
    pub(crate) port: &'a Clean,
}

/// The ports on which each machine hangs; one of which nothing is known has no entry.
pub(crate) fn plugs<'a>(told: &[Told<'a>]) -> BTreeMap<&'a str, BTreeSet<Plug<'a>>> {
    let owners = owners(told);
    let mut found: BTreeMap<&str, BTreeSet<Plug<'a>>> = BTreeMap::new();
    for one in told {
        let Some(switch) = one.switch else { continue };
        for (_, _, interface) in switch.interfaces() {
            let behind = interface.behind.as_ref().known();
            let mac = behind.and_then(|behind| owners.get(behind.guest_mac.as_ref()?.as_str()).copied().flatten());
            if let Some(machine) = mac {
                found.entry(machine).or_default().insert(Plug { switch: one.node, port: &interface.name });
            }
        }
        for addresses in one.detail.into_iter().flat_map(|detail| &detail.addresses) {
            let bridge = switch.bridges.iter().find(|bridge| bridge.name == addresses.bridge);
            let ports = bridge.map(|bridge| sole(one.node, bridge, addresses, &owners)).unwrap_or_default();
            for (port, machine) in ports {
                found.entry(machine).or_default().insert(Plug { switch: one.node, port });
            }
        }
    }
    found
}

/// Whose hardware address it is; none where several machines have it, as bridges of containers do.
fn owners<'a>(told: &[Told<'a>]) -> BTreeMap<&'a str, Option<&'a str>> {
    let mut owners: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut note = |mac: &'a Clean, machine: &'a str| {
        let owner = owners.entry(mac.as_str()).or_insert(Some(machine));
        if *owner != Some(machine) {
            *owner = None;
        }
    };
    for one in told {
        for card in one.presence.into_iter().flat_map(|presence| &presence.interfaces) {
            note(&card.address, one.node.as_str());
        }
    }
    // A node that is a guest has its address in two places, under one name.
    for domain in told.iter().filter_map(|one| one.guests).flat_map(|guests| &guests.domains) {
        for interface in &domain.interfaces {
            note(&interface.mac, domain.name.as_str());
        }
    }
    owners
}

/// Ports behind which a bridge has learned the addresses of one machine only, where there are several such ports.
fn sole<'a>(
    node: &NodeName,
    bridge: &'a Bridge,
    addresses: &'a BridgeAddresses,
    owners: &BTreeMap<&'a str, Option<&'a str>>,
) -> Vec<(&'a Clean, &'a str)> {
    let Some(learned) = addresses.addresses.as_ref().known() else { return Vec::new() };
    let mut behind: BTreeMap<&PortReference, BTreeSet<Option<&str>>> = BTreeMap::new();
    for address in learned {
        let owner = owners.get(address.mac.as_str()).copied().flatten();
        behind.entry(&address.port).or_default().insert(owner);
    }
    let sole = behind.into_iter().filter_map(|(port, machines)| {
        let machine = machines.iter().next().copied().flatten().filter(|_| machines.len() == 1)?;
        let interface = interface_of(bridge, port).filter(|_| machine != node.as_str())?;
        let leads_on = matches!(
            interface.kind.as_ref().known(),
            Some(InterfaceKind::Patch(_) | InterfaceKind::Tunnel(_) | InterfaceKind::Internal) | None
        );
        (!leads_on).then_some((&interface.name, machine))
    });
    let sole: Vec<(&Clean, &str)> = sole.collect();
    if sole.len() < 2 { Vec::new() } else { sole }
}

fn interface_of<'a>(bridge: &'a Bridge, port: &PortReference) -> Option<&'a Interface> {
    let mut interfaces = bridge.ports.iter().flat_map(|port| &port.interfaces);
    match port {
        PortReference::Number(OFPORT_LOCAL) => None,
        PortReference::Number(number) => {
            interfaces.find(|interface| interface.ofport.known() == Some(Ofport::Number(*number)))
        }
        PortReference::Name(name) => interfaces.find(|interface| interface.name == *name),
    }
}
