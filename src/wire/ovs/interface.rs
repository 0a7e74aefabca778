//! A row of the table `Interface`.

use super::{cells::Cells, datum::Atom, sample::name};
use crate::{
    model::{
        figure::{Figure, Unknown},
        ovs::{Behind, Interface, InterfaceKind, LinkState, Ofport, Statistics, Tunnel, TunnelEnd, TunnelKey},
        text::Clean,
    },
    wire::complaints::Complaints,
};

/// Types of interfaces that lead to another host.
const TUNNELS: [&str; 15] = [
    "vxlan",
    "gre",
    "geneve",
    "stt",
    "lisp",
    "ip6gre",
    "erspan",
    "ip6erspan",
    "gtpu",
    "bareudp",
    "srv6",
    "gre64",
    "ipsec_gre",
    "ipsec_vxlan",
    "ipsec_geneve",
];

/// The facts of one row.
pub(super) fn read(uuid: &str, cells: &Cells<'_>, complaints: &mut Complaints) -> Interface {
    Interface {
        id: Clean::line(uuid),
        name: name(cells),
        kind: kind(cells),
        ofport: ofport(cells, complaints),
        error: cells.optional_text("error"),
        admin: state(cells, "admin_state", complaints),
        link: state(cells, "link_state", complaints),
        link_changes: cells.count("link_resets", complaints),
        link_bits_per_s: cells.count("link_speed", complaints),
        full_duplex: cells.text("duplex").and_then(|word| match word.as_str() {
            "full" => Figure::Known(true),
            "half" => Figure::Known(false),
            _ => Figure::Unknown(Unknown::Malformed),
        }),
        mtu_bytes: cells.count("mtu", complaints),
        mtu_wanted_bytes: cells.optional_count("mtu_request", complaints),
        mac: cells.text("mac_in_use"),
        lacp_current: cells.optional_flag("lacp_current"),
        policing_kbits_per_s: cells.count("ingress_policing_rate", complaints),
        policing_burst_kbits: cells.count("ingress_policing_burst", complaints),
        bfd_state: cells.pair_text("bfd_status", "state"),
        cfm_fault: cells.optional_flag("cfm_fault"),
        driver: cells
            .pair_text("status", "driver_name")
            .and_then(|driver| Figure::from_option(driver, Unknown::Missing)),
        behind: behind(cells),
        statistics: statistics(cells, complaints),
    }
}

fn kind(cells: &Cells<'_>) -> Figure<InterfaceKind> {
    let option = |key| cells.pair("options", key);
    cells.text("type").and_then(|word| match word.as_str() {
        "" | "system" => Figure::Known(InterfaceKind::System),
        "internal" => Figure::Known(InterfaceKind::Internal),
        "patch" => cells.pair_text("options", "peer").map(InterfaceKind::Patch),
        protocol if TUNNELS.contains(&protocol) => option("remote_ip").and_then(|remote| {
            option("local_ip").map(|local| {
                let (remote, local) = (remote.map(tunnel_end), local.map(tunnel_end));
                InterfaceKind::Tunnel(Tunnel { protocol: word.clone(), remote, local, key: tunnel_key(cells) })
            })
        }),
        _ => Figure::Known(InterfaceKind::Other(word)),
    })
}

fn tunnel_end(text: &str) -> TunnelEnd {
    if text == "flow" {
        TunnelEnd::Flow
    } else {
        text.parse().map_or_else(|_| TunnelEnd::Other(Clean::line(text)), TunnelEnd::Address)
    }
}

/// `key` stands for `in_key` and `out_key`. Numbers may be hexadecimal.
fn tunnel_key(cells: &Cells<'_>) -> TunnelKey {
    let option = |key| cells.pair("options", key).known().flatten();
    match (option("key"), option("in_key"), option("out_key")) {
        (None, None, None) => TunnelKey::None,
        (Some(key), None, None) => fixed_key(key),
        (key, incoming, outgoing) => {
            let (incoming, outgoing) = (incoming.or(key).unwrap_or("0"), outgoing.or(key).unwrap_or("0"));
            if incoming == outgoing {
                fixed_key(incoming)
            } else {
                TunnelKey::Other(Clean::line(&format!("in {incoming}, out {outgoing}")))
            }
        }
    }
}

fn fixed_key(text: &str) -> TunnelKey {
    let number = match text.strip_prefix("0x") {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok(),
        None => text.parse().ok(),
    };
    match number {
        Some(number) => TunnelKey::Fixed(number),
        None if text == "flow" => TunnelKey::Flow,
        None => TunnelKey::Other(Clean::line(text)),
    }
}

/// Absent until the daemon has tried.
fn ofport(cells: &Cells<'_>, complaints: &mut Complaints) -> Figure<Ofport> {
    cells.integer("ofport").and_then(|number| match number {
        -1 => Figure::Known(Ofport::Failed),
        number => cells.in_range("ofport", number, complaints).map(Ofport::Number),
    })
}

fn state(cells: &Cells<'_>, column: &str, complaints: &mut Complaints) -> Figure<LinkState> {
    cells.text(column).and_then(|word| match word.as_str() {
        "up" => Figure::Known(LinkState::Up),
        "down" => Figure::Known(LinkState::Down),
        other => {
            complaints.add(format!("Interface column {column}"), format!("neither up nor down: {other}"));
            Figure::Unknown(Unknown::Malformed)
        }
    })
}

fn behind(cells: &Cells<'_>) -> Figure<Behind> {
    let told = |key| cells.pair_text("external_ids", key).known().flatten();
    cells.map("external_ids").map(|_| Behind {
        guest_mac: told("attached-mac"),
        interface_id: told("iface-id"),
        machine_id: told("vm-id"),
    })
}

fn statistics(cells: &Cells<'_>, complaints: &mut Complaints) -> Statistics {
    let map = cells.map("statistics");
    let mut counter = |key: &str| {
        map.and_then(|map| match map.get(&Atom::Text(key.into())) {
            Some(Atom::Integer(value)) => cells.in_range("statistics", *value, complaints),
            _ => Figure::Unknown(Unknown::Missing),
        })
    };
    Statistics {
        rx_packets: counter("rx_packets"),
        rx_bytes: counter("rx_bytes"),
        rx_dropped: counter("rx_dropped"),
        rx_errors: counter("rx_errors"),
        rx_frame_err: counter("rx_frame_err"),
        rx_over_err: counter("rx_over_err"),
        rx_crc_err: counter("rx_crc_err"),
        tx_packets: counter("tx_packets"),
        tx_bytes: counter("tx_bytes"),
        tx_dropped: counter("tx_dropped"),
        tx_errors: counter("tx_errors"),
        collisions: counter("collisions"),
    }
}
