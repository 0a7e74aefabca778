//! Everything there is to say about one bridge or port.

use super::port::{self, BridgeAt, BridgeView, PortAt, PortView};
use crate::{
    app::{
        Seen,
        details::{Detail, said, text},
        figures,
        meaning::{Line, Meaning, Span},
        rows::RowId,
    },
    history,
    model::{
        figure::{Figure, Unknown},
        ovs::{BondMode, FailMode, Interface, Lacp, LinkState, Port, SpanningTree},
        ovs_daemon::{LacpFlags, PortReference},
        text::Clean,
        world::NodeFacts,
    },
};

/// Learned addresses that are listed of one port.
const ADDRESSES_MAX: usize = 12;

/// The port or bridge of a row, if it is still there.
fn find<'a>(seen: Seen<'a>, row: &RowId) -> Option<(BridgeView<'a>, Option<PortView<'a>>)> {
    let (node, bridge) = match row {
        RowId::Bridge(node, bridge) | RowId::Port(node, bridge, ..) => (seen.world.node(node)?, bridge),
        _ => return None,
    };
    let bridge = port::bridges(node).into_iter().find(|view| view.name() == bridge)?;
    let port = matches!(row, RowId::Port(..)).then(|| bridge.ports().find(|port| port.id() == *row));
    match port {
        Some(None) => None,
        Some(found) => Some((bridge, found)),
        None => Some((bridge, None)),
    }
}

/// A line or two for the help.
pub(crate) fn in_short(seen: Seen<'_>, row: &RowId) -> Vec<Line> {
    match find(seen, row) {
        Some((_, Some(port))) => {
            let (meaning, word) = port.standing(seen);
            let mut line = vec![Span::plain("It is "), Span::signed(word, meaning)];
            if let Some(why) = port.interface().and_then(error_of) {
                line.push(Span::new(format!(": {why}"), Meaning::Crit));
            }
            vec![line]
        }
        Some((bridge, None)) => vec![text(format!("It is an {}.", bridge.words()))],
        None => Vec::new(),
    }
}

/// All details.
pub(crate) fn details(seen: Seen<'_>, row: &RowId) -> Vec<Detail> {
    match find(seen, row) {
        Some((_, Some(port))) => of_port(seen, &port),
        Some((bridge, None)) => of_bridge(seen, bridge),
        None => vec![Detail::Text(vec![Span::signed("It is gone.", Meaning::Unknown)])],
    }
}

fn error_of(interface: &Interface) -> Option<&Clean> {
    interface.error.as_ref().known().and_then(Option::as_ref)
}

/// How old what is said is, where it is old.
fn age(seen: Seen<'_>, node: &NodeFacts, lines: &mut Vec<Detail>) {
    if !port::is_old(seen, node) {
        return;
    }
    let age = node.ovs.age_ms(seen.now.mono).map_or("?".to_owned(), figures::age);
    let lost = node.link.lost().map(|trouble| trouble.cause.as_str().to_owned());
    let why = lost.or_else(|| node.ovs.failure().map(|failure| failure.reason.as_str().to_owned()));
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    lines.push(Detail::Text(vec![Span::signed(&format!("As it was {age} ago{why}"), Meaning::Stale)]));
}

fn of_bridge(seen: Seen<'_>, view: BridgeView<'_>) -> Vec<Detail> {
    let mut lines = vec![Detail::Title(vec![
        Span::dim(format!("{} ", view.node.name)),
        Span::new(view.name().as_str(), Meaning::Accent),
        Span::dim(format!("  {}", view.words())),
    ])];
    age(seen, view.node, &mut lines);
    match view.at {
        BridgeAt::Ovs(bridge) => {
            lines.push(Detail::Pair("ports", text(bridge.ports.len().to_string())));
            lines.push(Detail::Pair("datapath id", said(bridge.datapath_id.clone(), |id| id.as_str().to_owned())));
            lines.push(Detail::Pair(
                "no controller",
                said(bridge.fail_mode.clone(), |mode| match mode {
                    FailMode::Standalone => "switches as usual (standalone)".to_owned(),
                    FailMode::Secure => "forwards only what flows allow (secure)".to_owned(),
                    FailMode::Other(word) => word.as_str().to_owned(),
                }),
            ));
            for controller in &bridge.controllers {
                let target = controller.target.as_ref().known().map_or("?", Clean::as_str);
                let is = match controller.connected.known() {
                    Some(true) => Span::signed("connected", Meaning::Ok),
                    Some(false) => Span::signed("not connected", Meaning::Warn),
                    None => Span::new("?", Meaning::Unknown),
                };
                lines.push(Detail::Pair("controller", vec![Span::plain(format!("{target} ")), is]));
            }
            lines.push(Detail::Pair(
                "spanning tree",
                said(bridge.spanning_tree.clone(), |tree| match tree {
                    SpanningTree::Off => "off".to_owned(),
                    SpanningTree::Stp(root) => format!("STP, root {}", root.as_ref().map_or("?", Clean::as_str)),
                    SpanningTree::Rstp(root) => format!("RSTP, root {}", root.as_ref().map_or("?", Clean::as_str)),
                }),
            ));
            lines.push(Detail::Pair("mirrors", said(bridge.mirrors, figures::count)));
            learned(&mut lines, view.node, &bridge.name, None);
        }
        BridgeAt::Plain(bridge) => {
            lines.push(Detail::Pair("ports", text(bridge.ports.len().to_string())));
            lines.push(Detail::Pair("mtu", said(bridge.mtu_bytes, |mtu| mtu.to_string())));
            lines.push(Detail::Pair("state", said(bridge.state.clone(), |word| word.as_str().to_owned())));
            lines.push(Detail::Pair(
                "spanning tree",
                said(bridge.spanning_tree, |on| if on { "on" } else { "off" }.to_owned()),
            ));
            lines.push(Detail::Pair("bridge id", said(bridge.bridge_id.clone(), |id| id.as_str().to_owned())));
            lines.push(Detail::Text(vec![Span::dim(LACKS)]));
        }
    }
    lines
}

/// What is missing where there is no Open vSwitch.
const LACKS: &str = "A plain bridge has no tunnels, no bonds, no policing, and does not say who is behind a port.";

fn of_port(seen: Seen<'_>, view: &PortView<'_>) -> Vec<Detail> {
    let (meaning, word) = view.standing(seen);
    let mut lines = vec![Detail::Title(vec![
        Span::dim(format!("{} {} ", view.node.name, view.bridge.name())),
        Span::new(view.name().as_str(), Meaning::Accent),
        Span::plain(" "),
        Span::signed(word, meaning),
    ])];
    age(seen, view.node, &mut lines);
    if let Some(why) = view.interface().and_then(error_of) {
        lines.push(Detail::Text(vec![Span::signed(why.as_str(), Meaning::Crit)]));
    }
    lines.push(Detail::Pair("kind", text(view.kind_words())));
    let behind = view.behind_words(seen);
    if !behind.is_empty() {
        lines.push(Detail::Pair("behind it", text(behind)));
    }
    lines.push(Detail::Pair("vlan", said(view.vlan(), |words| words)));
    if let Some(interface) = view.interface() {
        state(&mut lines, view, interface);
    }
    rates(&mut lines, view, seen);
    match view.at {
        PortAt::Bond(port) => bond(&mut lines, view.node, port, None),
        PortAt::Interface(port, interface) => {
            if port.is_bond() {
                bond(&mut lines, view.node, port, Some(&interface.name));
            }
            guest(&mut lines, interface);
            let number = interface.ofport.known();
            if let Some(crate::model::ovs::Ofport::Number(number)) = number {
                learned(&mut lines, view.node, view.bridge.name(), Some((number, &interface.name)));
            }
        }
        PortAt::Plain(port) => {
            lines.push(Detail::Pair("mtu", said(port.mtu_bytes, |mtu| mtu.to_string())));
            lines.push(Detail::Text(vec![Span::dim(LACKS)]));
        }
    }
    lines
}

fn state(lines: &mut Vec<Detail>, view: &PortView<'_>, interface: &Interface) {
    let up =
        |state: Figure<LinkState>| said(state, |state| if state == LinkState::Up { "up" } else { "down" }.to_owned());
    lines.push(Detail::Pair("link", up(interface.link)));
    lines.push(Detail::Pair("admin", up(interface.admin)));
    lines.push(Detail::Pair("ofport", said(view.ofport(), |number| number)));
    let mut mtu = said(view.mtu(), |mtu| mtu.to_string());
    if let Some(Some(wanted)) = interface.mtu_wanted_bytes.known() {
        mtu.push(Span::dim(format!(" ({wanted} asked for)")));
    }
    lines.push(Detail::Pair("mtu", mtu));
    let mut speed = said(view.speed(), |speed| figures::bits(speed as f64));
    match interface.full_duplex.known() {
        Some(true) => speed.push(Span::dim(" full duplex")),
        Some(false) => speed.push(Span::new(" half duplex", Meaning::Warn)),
        None => {}
    }
    lines.push(Detail::Pair("speed", speed));
    lines.push(Detail::Pair("address", said(interface.mac.clone(), |mac| mac.as_str().to_owned())));
    let held = view.held();
    if !held.is_empty() {
        lines.push(Detail::Pair("host has", text(held)));
    }
    lines.push(Detail::Pair("link changes", said(interface.link_changes, figures::count)));
    lines.push(Detail::Pair(
        "policing",
        said(interface.policing_kbits_per_s, |kbits| {
            if kbits == 0 {
                "no limit".to_owned()
            } else {
                format!("at most {} in", figures::bits(kbits as f64 * 1000.0))
            }
        }),
    ));
    if let Some(Some(state)) = interface.bfd_state.as_ref().known() {
        lines.push(Detail::Pair("bfd", text(state.as_str())));
    }
    if let Some(Some(fault)) = interface.cfm_fault.known() {
        let span = if fault { Span::signed("fault", Meaning::Crit) } else { Span::signed("no fault", Meaning::Ok) };
        lines.push(Detail::Pair("cfm", vec![span]));
    }
    if let Some(driver) = interface.driver.as_ref().known() {
        lines.push(Detail::Pair("driver", text(driver.as_str())));
    }
}

fn rates(lines: &mut Vec<Detail>, view: &PortView<'_>, seen: Seen<'_>) {
    lines.push(Detail::Heading("Traffic, as the switch sees it".to_owned()));
    let rates = view.rates(seen.now.mono);
    let both = |bits: Figure<f64>, packets: Figure<f64>| {
        let mut line = said(bits, figures::bits);
        if let Some(packets) = packets.known() {
            line.push(Span::dim(format!("  packets {}", figures::rate(packets))));
        }
        line
    };
    lines.push(Detail::Pair("received", both(rates.rx_bits_per_s, rates.rx_packets_per_s)));
    lines.push(Detail::Pair("sent", both(rates.tx_bits_per_s, rates.tx_packets_per_s)));
    let two = |one: Figure<f64>, other: Figure<f64>| {
        let mut line = said(one, figures::rate);
        line.push(Span::dim(" in, "));
        line.extend(said(other, figures::rate));
        line.push(Span::dim(" out"));
        for (span, figure) in [(0, one), (2, other)] {
            if figure.known().is_some_and(|rate| rate > 0.0) {
                line[span].meaning = Meaning::Warn;
            }
        }
        line
    };
    lines.push(Detail::Pair("drops", two(rates.rx_drops_per_s, rates.tx_drops_per_s)));
    lines.push(Detail::Pair("errors", two(rates.rx_errors_per_s, rates.tx_errors_per_s)));
    if let Some(interface) = view.interface() {
        let counters = history::ovs::counters_of(view.node.ovs_live.last(), interface);
        let n = |figure: Figure<u64>| figure.known().map_or("?".to_owned(), figures::count);
        let bytes = |figure: Figure<u64>| figure.known().map_or("?".to_owned(), figures::bytes_total);
        let words = format!(
            "{} in, {} out; dropped {} and {}, errors {} and {}",
            bytes(counters.rx_bytes),
            bytes(counters.tx_bytes),
            n(counters.rx_dropped),
            n(counters.tx_dropped),
            n(counters.rx_errors),
            n(counters.tx_errors)
        );
        lines.push(Detail::Pair("since start", text(words)));
    }
}

fn guest(lines: &mut Vec<Detail>, interface: &Interface) {
    let Some(behind) = interface.behind.as_ref().known() else { return };
    let rows = [("VM", &behind.machine_id), ("VM interface", &behind.interface_id), ("VM address", &behind.guest_mac)];
    for (label, value) in rows {
        if let Some(value) = value {
            lines.push(Detail::Pair(label, text(value.as_str())));
        }
    }
}

fn bond(lines: &mut Vec<Detail>, node: &NodeFacts, port: &Port, only: Option<&Clean>) {
    lines.push(Detail::Heading(format!("Bond {}", port.name)));
    lines.push(Detail::Pair(
        "mode",
        said(port.bond.mode.clone(), |mode| match mode {
            None | Some(BondMode::ActiveBackup) => "active-backup".to_owned(),
            Some(BondMode::BalanceSlb) => "balance-slb".to_owned(),
            Some(BondMode::BalanceTcp) => "balance-tcp".to_owned(),
            Some(BondMode::Other(word)) => word.as_str().to_owned(),
        }),
    ));
    lines.push(Detail::Pair(
        "lacp",
        said(port.bond.lacp.clone(), |lacp| match lacp {
            Lacp::Off => "off".to_owned(),
            Lacp::Active => "active".to_owned(),
            Lacp::Passive => "passive".to_owned(),
            Lacp::Other(word) => word.as_str().to_owned(),
        }),
    ));
    let detail = node.ovs_detail.last();
    let state = detail.and_then(|detail| detail.bonds.as_ref().known()?.iter().find(|bond| bond.name == port.name));
    let Some(state) = state else {
        let why = Figure::<u64>::Unknown(Unknown::NotReadYet);
        lines.push(Detail::Pair("members", said(why, figures::count)));
        return;
    };
    let lacp = detail.and_then(|detail| detail.lacp.as_ref().known()?.iter().find(|lacp| lacp.name == port.name));
    for member in state.members.iter().filter(|member| only.is_none_or(|only| member.name == *only)) {
        let is = match member.enabled.known() {
            Some(true) if member.active => Span::signed("carries traffic, active", Meaning::Ok),
            Some(true) => Span::signed("carries traffic", Meaning::Ok),
            Some(false) => Span::signed("not used", Meaning::Warn),
            None => Span::new("?", Meaning::Unknown),
        };
        let mut line = vec![Span::plain(format!("{} ", member.name)), is];
        if let Some(load) = member.load_kbytes {
            line.push(Span::dim(format!("  {load} kB of load")));
        }
        lines.push(Detail::Pair("member", line));
        let aggregated = lacp.and_then(|lacp| lacp.members.iter().find(|one| one.name == member.name));
        if let Some(aggregated) = aggregated {
            lines.push(Detail::Pair("  lacp", said(aggregated.status.clone(), |word| word.as_str().to_owned())));
            lines.push(Detail::Pair("  we say", said(aggregated.actor, flags)));
            lines.push(Detail::Pair("  they say", said(aggregated.partner, flags)));
        }
    }
}

fn flags(flags: LacpFlags) -> String {
    let words = [
        (flags.activity, "active"),
        (flags.timeout, "fast"),
        (flags.aggregation, "aggregates"),
        (flags.synchronized, "in step"),
        (flags.collecting, "receives"),
        (flags.distributing, "sends"),
        (flags.defaulted, "partner never heard"),
        (flags.expired, "partner silent"),
    ];
    let said: Vec<&str> = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
}

/// Learned addresses of a bridge, or those behind one of its ports.
fn learned(lines: &mut Vec<Detail>, node: &NodeFacts, bridge: &Clean, port: Option<(u16, &Clean)>) {
    let all = node.ovs_detail.last().and_then(|detail| detail.addresses.iter().find(|one| one.bridge == *bridge));
    lines.push(Detail::Heading("Learned addresses".to_owned()));
    let Some(all) = all else {
        lines.push(Detail::Text(vec![Span::new("?", Meaning::Unknown), Span::dim(" not read yet")]));
        return;
    };
    let Some(list) = all.addresses.as_ref().known() else {
        lines.push(Detail::Pair("addresses", said(all.learned, figures::count)));
        return;
    };
    let is_here = |reference: &PortReference| match (reference, port) {
        (_, None) => true,
        (PortReference::Number(number), Some((wanted, _))) => *number == wanted,
        (PortReference::Name(name), Some((_, wanted))) => name == wanted,
    };
    let here: Vec<_> = list.iter().filter(|learned| is_here(&learned.port)).collect();
    if here.is_empty() {
        lines.push(Detail::Text(vec![Span::dim("none")]));
    }
    for learned in here.iter().take(ADDRESSES_MAX) {
        let vlan = if learned.vlan == 0 { String::new() } else { format!("  VLAN {}", learned.vlan) };
        let age = learned.age_s.map_or("put there".to_owned(), |age| format!("{age} s ago"));
        let at = match (&learned.port, port) {
            (PortReference::Number(number), None) => format!("  port {number}"),
            (PortReference::Name(name), None) => format!("  {name}"),
            _ => String::new(),
        };
        lines.push(Detail::Text(vec![Span::plain(learned.mac.as_str()), Span::dim(format!("{vlan}{at}  {age}"))]));
    }
    if here.len() > ADDRESSES_MAX {
        lines.push(Detail::Text(vec![Span::dim(format!("and {} more", here.len() - ADDRESSES_MAX))]));
    }
}
