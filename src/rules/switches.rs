//! Rules about the switch of one node: its daemon, its ports, its bonds.

use super::{
    Severity,
    catalogue::rules,
    scene::{Fresh, Scene, Seen},
    track::{Condition, Level},
    words::{counted, duration, percent},
};
use crate::{
    history,
    model::{
        figure::Figure,
        linux_bridge::LinuxBridge,
        ovs::{Bridge, Interface, InterfaceKind, LinkState, OFPORT_LOCAL, Ofport, OvsFacts, Port, SwitchedRates},
        ovs_daemon::{BondState, DaemonProcessState, OvsDetail, OvsLive},
        text::Clean,
        time::Now,
        trouble::TroubleKind,
    },
};

rules! {
    DAEMON_DEAD = "ovs.daemon.dead", 30, Critical, "Switch daemon dead" {
        meaning: "The database of Open vSwitch answers and ovs-vswitchd does not run: nothing new is switched, and without a kernel datapath nothing at all.",
        causes: "It crashed, was killed because memory ran out, or was stopped.",
        action: "start the service openvswitch-switch on the node, then read its log",
    }
    DAEMON_HALTED = "ovs.daemon.halted", 30, Critical, "Switch daemon halted" {
        meaning: "The switch's daemon, ovs-vswitchd, is stopped by a signal or a debugger: it is there and switches nothing new.",
        causes: "Somebody sent it a stop signal, or a debugger holds it.",
        action: "continue it on the node: kill -CONT and its process number",
    }
    DAEMON_SILENT = "ovs.daemon.silent", 31, Critical, "Switch daemon does not answer" {
        meaning: "The switch's daemon, ovs-vswitchd, runs and answers nothing: it may switch nothing new.",
        causes: "It waits for a disk or a driver, is overloaded, or loops.",
        action: "see on the node what it does: its log, its CPU time, and ovs-appctl coverage/show",
    }
    SWITCH_UNREADABLE = "ovs.unreadable", 32, Warning, "Switch cannot be read" {
        meaning: "The database of Open vSwitch does not answer: how the ports stand is unknown, and nothing can be changed. What is switched goes on.",
        causes: "The process ovsdb-server is down or frozen, its socket is missing, or this login may not open it.",
        action: "run vakt check; see whether ovsdb-server runs on the node",
    }
    PORT_DOWN = "ovs.port.down", 33, Critical, "Port down" {
        meaning: "A port of a switch has no link or is switched off: nothing passes it.",
        causes: "A cable or the switch at its other end, a driver, or somebody who set it down.",
        action: "see the cable and the other end; if it was set down on purpose, set it up again or take the port out",
        explained_by: [Node "ovs.daemon.dead", Node "ovs.daemon.halted"],
    }
    PORT_ERROR = "ovs.port.error", 34, Critical, "Port cannot be set up" {
        meaning: "The switch could not set a port up: it is in the database and carries nothing.",
        causes: "The device does not exist, belongs to another bridge, or the options are not valid.",
        action: "read the error in the finding; remove the port if its device is gone for good",
        explained_by: [Node "ovs.daemon.dead", Node "ovs.daemon.halted"],
    }
    BOND_LAST = "ovs.bond.last_member", 35, Warning, "Bond on its last member" {
        meaning: "Only one member of a bond carries traffic, or none: the next failure cuts the node off.",
        causes: "A cable, the other switch, or LACP that one side does not speak.",
        action: "see why the other members are not used: link, LACP state, the switch at the other end",
        explained_by: [Node "ovs.daemon.dead", Node "ovs.daemon.halted"],
    }
    LACP = "ovs.lacp", 36, Warning, "LACP partner not heard" {
        meaning: "A member of a bond does not hear its partner: the other end may not know that the links belong together.",
        causes: "LACP is off or set up differently on the other switch, or the cable is in another port.",
        action: "compare the LACP settings of both ends; see which port the cable is in",
        explained_by: [Node "ovs.port.down"],
    }
    POLICING = "ovs.policing", 37, Warning, "Policing drops packets" {
        meaning: "A port sends more than it may, and the switch drops the rest.",
        causes: "A limit that is too small for the load, or a guest that sends too much.",
        action: "see who sends so much; raise ingress_policing_rate and its burst if the load is wanted",
    }
    DROPS = "ovs.drops", 38, Warning, "Packets are dropped" {
        meaning: "A port of a switch drops packets all the time: connections over it are slow or break.",
        causes: "A full queue at the other end (a guest or program that does not read), a link that is too slow, or a wrong MTU.",
        action: "see which direction drops; out means that the receiver is too slow, in that the switch is",
        explained_by: [Node "ovs.daemon.dead", Node "ovs.daemon.halted"],
    }
    ERRORS = "ovs.errors", 39, Warning, "Packets arrive broken" {
        meaning: "A port counts errors all the time: frames arrive damaged or cannot be sent.",
        causes: "A bad cable or transceiver, a duplex mismatch, or a driver.",
        action: "replace cable and transceiver; compare speed and duplex of both ends",
    }
    UTILISATION = "ovs.utilisation", 64, Warning, "Link nearly full" {
        meaning: "A link carries nearly as much as it can; what comes on top waits or is dropped.",
        causes: "A backup, a migration or a copy, or more traffic than the link was planned for.",
        action: "see who sends so much; move the heavy one to another link or time",
    }
    FLOWS = "ovs.flow_limit", 40, Warning, "Switch at its flow limit" {
        meaning: "The switch keeps as many flows as it allows itself, or drops packets because its daemon is too slow: new connections are slow.",
        causes: "Very many connections at once (a scan, a flood), or a host that is short of CPU time.",
        action: "see who opens so many connections; give the host CPU time",
    }
    NOT_APPLIED = "ovs.not_applied", 41, Warning, "Change not carried out" {
        meaning: "The database holds a change that the daemon has not carried out.",
        causes: "The daemon is busy or stuck, or the change is one that it cannot carry out.",
        action: "read the log of ovs-vswitchd on the node",
        explained_by: [Node "ovs.daemon.dead", Node "ovs.daemon.halted", Node "ovs.daemon.silent"],
    }
    NIC_ADDRESS = "ovs.nic_address", 92, Warning, "Address on a card that is in a bridge" {
        meaning: "A card carries an address of its own while it is in a bridge: packets for it go to the bridge, so the address answers unreliably or not at all.",
        causes: "The address was not moved to the bridge when the card was put in, or came back with a reboot.",
        action: "move the address to the bridge's own interface, also in the boot configuration; keep another way in open meanwhile",
    }
}

/// A program that samples every two seconds shows a drop that goes on in its second sample.
const COUNTER_HOLD_MS: u64 = 1_500;
/// A daemon that let one question pass is asked once more before that is said: the first answer behind a login may wait for
/// a relay and a busy node.
const SILENCE_HOLD_MS: u64 = 2_500;
/// Silence of the daemon's counters that its interval does not explain.
const ROUNDS_MISSED: u64 = 4;
/// Flows in percent of the limit that count as full, and at which they are clearly fewer.
const FLOWS_PERCENT: f64 = 95.0;
/// A change takes the daemon a moment.
const APPLY_HOLD_MS: u64 = 5_000;
/// A database that fails once may be restarting.
const UNREADABLE_HOLD_MS: u64 = 3_000;

/// Names what is wrong with switches.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    for seen in &scene.nodes {
        conditions.extend(unreadable(scene, seen));
        if let Some(bridges) = seen.bridges {
            conditions.extend(bridges.value.iter().flat_map(|bridge| plain_addresses(seen, bridge)));
        }
        let Some(facts) = seen.ovs else { continue };
        let daemon = daemon(scene, seen, facts);
        let is_dead = daemon.is_some();
        conditions.extend(daemon);
        if is_dead {
            // What the database says of ports is what was so when the daemon died.
            continue;
        }
        conditions.extend(not_applied(seen, facts));
        for (bridge, port, interface) in facts.value.sample.interfaces() {
            one_interface(scene, seen, facts, (bridge, port, interface), conditions);
        }
        for bridge in &facts.value.sample.bridges {
            let bonds = bridge.ports.iter().filter(|port| port.is_bond());
            conditions.extend(bonds.filter_map(|port| bond(seen, facts, bridge, port)));
        }
        conditions.extend(flows(scene, seen));
    }
}

fn about(seen: &Seen<'_>, rule: super::RuleId, severity: Severity, text: String) -> Condition {
    Condition::new(rule, severity, seen.node.name.as_str(), text).node(&seen.node.name)
}

/// A subject that names the port as the screen does.
pub(super) fn on_port(
    seen: &Seen<'_>,
    rule: super::RuleId,
    severity: Severity,
    (bridge, port): (&Clean, &Clean),
    text: impl AsRef<str>,
) -> Condition {
    let subject = format!("{} {bridge}/{port}", seen.node.name);
    Condition::new(rule, severity, &subject, text).node(&seen.node.name)
}

/// The database fails where a switch is expected, or was a moment ago.
fn unreadable(scene: &Scene<'_>, seen: &Seen<'_>) -> Option<Condition> {
    let socket = seen.node.ovs.as_ref()?;
    let failure = seen.facts.ovs.failure().filter(|_| seen.is_up())?;
    let was_there = seen.facts.ovs.last().is_some();
    if !was_there && !socket.is_expected {
        let route = seen.facts.link.routes.iter().find(|route| route.path.as_str() == socket.path);
        let kind = route.and_then(|route| route.way.as_ref().err()).map(|trouble| trouble.kind);
        // Nobody said that there is a switch, and nothing shows one.
        if kind.is_none_or(|kind| kind == TroubleKind::SocketMissing) {
            return None;
        }
    }
    let silent = duration(scene.now.mono.since_ms(failure.since.mono));
    let text = format!("Open vSwitch cannot be read for {silent}: {}", failure.reason);
    let condition = about(seen, SWITCH_UNREADABLE, Severity::Warning, text);
    Some(condition.held(Level::Beyond, failure.since, UNREADABLE_HOLD_MS).evidence([format!("socket {}", socket.path)]))
}

fn daemon(scene: &Scene<'_>, seen: &Seen<'_>, facts: Fresh<'_, OvsFacts>) -> Option<Condition> {
    let ports = facts.value.sample.interfaces().count();
    let carries = format!("{} of {}", counted(ports as u64, "port", "ports"), seen.node.name);
    let age = |evidence: Condition, live: Fresh<'_, OvsLive>| {
        evidence.held(Level::Beyond, live.at, 0).evidence([
            format!("carries {carries}"),
            format!("the database answered {} ago", duration(scene.now.mono.since_ms(facts.at.mono))),
        ])
    };
    let stale_rounds = || {
        let at = facts.value.counted_at?;
        let interval_ms = facts.value.sample.switch.statistics_interval_ms.known().unwrap_or(5_000);
        let silent_ms = scene.now.mono.since_ms(at);
        (silent_ms > interval_ms.saturating_mul(ROUNDS_MISSED)).then_some((at, silent_ms))
    };
    if let Some(live) = seen.ovs_live {
        let text = match live.value.process {
            DaemonProcessState::Halted { pid } => {
                let text =
                    format!("ovs-vswitchd ({pid}) is halted: it switches nothing new, though its database answers");
                return Some(age(about(seen, DAEMON_HALTED, Severity::Critical, text), live));
            }
            DaemonProcessState::Gone { pid } => {
                Some(format!("ovs-vswitchd ({pid}) is dead: its ports switch nothing new, though its database answers"))
            }
            DaemonProcessState::NotStarted => {
                Some("ovs-vswitchd does not run: its ports switch nothing new, though its database answers".to_owned())
            }
            DaemonProcessState::Running { .. } | DaemonProcessState::Hidden { .. } => None,
        };
        if let Some(text) = text {
            return Some(age(about(seen, DAEMON_DEAD, Severity::Critical, text), live));
        }
        let frozen = live.value.silence.as_ref().filter(|trouble| trouble.kind == TroubleKind::DeadlineMissed);
        if let Some(trouble) = frozen {
            let text = format!("ovs-vswitchd runs and does not answer: {}", trouble.cause);
            let condition = about(seen, DAEMON_SILENT, Severity::Critical, text);
            return Some(condition.held(Level::Beyond, live.at, SILENCE_HOLD_MS));
        }
    }
    let (at, silent_ms) = stale_rounds()?;
    let text = format!("ovs-vswitchd has written no counters for {}: it hangs or is dead", duration(silent_ms));
    let since = super::scene::before(scene.now, scene.now.mono.since_ms(at));
    Some(about(seen, DAEMON_SILENT, Severity::Critical, text).held(Level::Beyond, since, 0))
}

fn not_applied(seen: &Seen<'_>, facts: Fresh<'_, OvsFacts>) -> Option<Condition> {
    let switch = &facts.value.sample.switch;
    let (wanted, applied) = (switch.wanted_configuration.known()?, switch.applied_configuration.known()?);
    if wanted <= applied {
        return None;
    }
    let text =
        format!("A change of the switch is not carried out: change {wanted} is asked for, {applied} is in force");
    Some(about(seen, NOT_APPLIED, Severity::Warning, text).held(Level::Beyond, facts.at, APPLY_HOLD_MS))
}

type Place<'a> = (&'a Bridge, &'a Port, &'a Interface);

/// What stands behind a port, as the words in brackets of a sentence.
fn behind(interface: &Interface) -> String {
    match interface.kind.as_ref().known() {
        Some(InterfaceKind::Patch(Some(peer))) => format!(" (patch to {peer})"),
        Some(InterfaceKind::Tunnel(tunnel)) => format!(" ({} tunnel)", tunnel.protocol),
        _ => match interface.behind.as_ref().known() {
            Some(behind) if behind.machine_id.is_some() || behind.guest_mac.is_some() => " (a guest's)".to_owned(),
            _ => String::new(),
        },
    }
}

fn is_local(interface: &Interface) -> bool {
    interface.ofport == Figure::Known(Ofport::Number(OFPORT_LOCAL))
}

fn one_interface(
    scene: &Scene<'_>,
    seen: &Seen<'_>,
    facts: Fresh<'_, OvsFacts>,
    place: Place<'_>,
    conditions: &mut Vec<Condition>,
) {
    let (bridge, port, interface) = place;
    let at = (&bridge.name, &interface.name);
    let error = interface.error.as_ref().known().and_then(Option::as_ref);
    if error.is_some() || interface.ofport == Figure::Known(Ofport::Failed) {
        let why = error.map_or("the switch gives it no number", Clean::as_str);
        let text = format!("Port {}{} of {} cannot be set up: {why}", interface.name, behind(interface), bridge.name);
        let condition = on_port(seen, PORT_ERROR, Severity::Critical, at, text);
        conditions.push(condition.held(Level::Beyond, facts.at, 0).evidence(configured(bridge, port, interface)));
        return;
    }
    conditions.extend(down(seen, facts, place));
    conditions.extend(lacp(seen, facts, place));
    if interface.kind == Figure::Known(InterfaceKind::System)
        && interface.driver.as_ref().known().is_none_or(|driver| driver.as_str() != "tun")
    {
        conditions.extend(nic_address(seen, &bridge.name, &interface.name));
    }
    // A device that is off drops whatever is flooded to it; that says nothing.
    if interface.admin == Figure::Known(LinkState::Up) {
        let rates =
            history::ovs::rates_of(facts.value, seen.ovs_live.map(|live| live.value), interface, scene.now.mono);
        let sample = seen.ovs_live.map_or(facts.at, |live| live.at);
        counters(scene, seen, sample, place, &rates, conditions);
    }
}

fn configured(bridge: &Bridge, port: &Port, interface: &Interface) -> Vec<String> {
    let mut lines = vec![format!("bridge {}, port {}", bridge.name, port.name)];
    if let Some(link) = interface.link.known() {
        lines.push(format!("link {}", if link == LinkState::Up { "up" } else { "down" }));
    }
    if let Some(admin) = interface.admin.known() {
        lines.push(format!("admin {}", if admin == LinkState::Up { "up" } else { "down" }));
    }
    if let Some(changes) = interface.link_changes.known() {
        lines.push(counted(changes, "change of its link", "changes of its link"));
    }
    lines
}

fn down(seen: &Seen<'_>, facts: Fresh<'_, OvsFacts>, (bridge, port, interface): Place<'_>) -> Option<Condition> {
    // The bridge's own interface is off unless the host uses it.
    if is_local(interface) {
        return None;
    }
    let is_off = interface.admin == Figure::Known(LinkState::Down);
    let has_no_link = interface.link == Figure::Known(LinkState::Down);
    if !is_off && !has_no_link {
        return None;
    }
    let name = &interface.name;
    let of = if port.is_bond() { format!("bond {}", port.name) } else { bridge.name.to_string() };
    let what = if is_off { "is switched off" } else { "has no link" };
    let text = format!("Port {name}{} of {of} {what}: nothing passes it", behind(interface));
    // A bond goes on with its other members.
    let severity = if port.is_bond() { Severity::Warning } else { Severity::Critical };
    let condition = on_port(seen, PORT_DOWN, severity, (&bridge.name, name), text);
    Some(condition.held(Level::Beyond, facts.at, 0).evidence(configured(bridge, port, interface)))
}

fn lacp(seen: &Seen<'_>, facts: Fresh<'_, OvsFacts>, (bridge, port, interface): Place<'_>) -> Option<Condition> {
    let detail = seen.ovs_detail.map(|detail| detail.value);
    let status = detail.and_then(|detail: &OvsDetail| {
        let ports = detail.lacp.as_ref().known()?;
        let member =
            ports.iter().find(|one| one.name == port.name)?.members.iter().find(|one| one.name == interface.name)?;
        member.status.as_ref().known()
    });
    let told = interface.lacp_current == Figure::Known(Some(false));
    let odd = status.map(Clean::as_str).filter(|word| matches!(*word, "defaulted" | "expired"));
    // The database is newer than the daemon's words.
    if !told && (odd.is_none() || interface.lacp_current == Figure::Known(Some(true))) {
        return None;
    }
    if interface.link == Figure::Known(LinkState::Down) {
        return None;
    }
    let why = match odd {
        Some("defaulted") => "its partner was never heard",
        Some("expired") => "its partner is silent",
        _ => "its partner is not heard",
    };
    let text = format!("Member {} of bond {} is not aggregated: {why}", interface.name, port.name);
    let condition = on_port(seen, LACP, Severity::Warning, (&bridge.name, &interface.name), text);
    Some(condition.held(Level::Beyond, facts.at, 0).evidence(status.map(|word| format!("LACP {word}"))))
}

fn counters(
    scene: &Scene<'_>,
    seen: &Seen<'_>,
    sample: Now,
    (bridge, _, interface): Place<'_>,
    rates: &SwitchedRates,
    conditions: &mut Vec<Condition>,
) {
    let limit = scene.limits.switch_drops_per_s;
    let at = (&bridge.name, &interface.name);
    let (received, sent) = (rates.rx_drops_per_s.known().unwrap_or(0.0), rates.tx_drops_per_s.known().unwrap_or(0.0));
    let limit_words = |evidence: String| [evidence, format!("limit {limit} packets per second")];
    if let Some(level) = Level::of(received + sent, limit) {
        let policed = interface.policing_kbits_per_s.known().filter(|kbits| *kbits > 0 && received >= sent);
        let direction = if received >= sent { "coming in" } else { "going out" };
        let rate = format!("{:.0} packets per second", received + sent);
        let (rule, text) = match policed {
            Some(kbits) => {
                (POLICING, format!("{} may send {kbits} kb/s and sends more: {rate} are dropped", interface.name))
            }
            None => (DROPS, format!("{}{} drops {rate} {direction}", interface.name, behind(interface))),
        };
        let evidence = limit_words(format!("dropped {received:.1} per second coming in, {sent:.1} going out"));
        let condition = on_port(seen, rule, Severity::Warning, at, text);
        conditions.push(condition.held(level, sample, COUNTER_HOLD_MS).evidence(evidence));
    }
    let broken = rates.errors_per_s().known().unwrap_or(0.0);
    if let Some(level) = Level::of(broken, limit) {
        let text = format!("{}{} counts {broken:.0} broken packets per second", interface.name, behind(interface));
        let condition = on_port(seen, ERRORS, Severity::Warning, at, text);
        let evidence = limit_words(format!("errors {broken:.1} per second"));
        conditions.push(condition.held(level, sample, COUNTER_HOLD_MS).evidence(evidence));
    }
    // Virtual devices have a speed by name only.
    let speed = interface.link_bits_per_s.known().filter(|_| is_card(interface)).filter(|speed| *speed > 0);
    let busier = [rates.rx_bits_per_s, rates.tx_bits_per_s].into_iter().filter_map(Figure::known).reduce(f64::max);
    if let (Some(speed), Some(bits)) = (speed, busier) {
        let share = bits / speed as f64 * 100.0;
        if let Some(level) = Level::of(share, scene.limits.link_percent) {
            let text = format!(
                "{} is {} full: {:.0} of {:.0} Mb/s",
                interface.name,
                percent(share),
                bits / 1e6,
                speed as f64 / 1e6
            );
            let condition = on_port(seen, UTILISATION, Severity::Warning, at, text);
            let evidence = [format!("{} of its speed (limit {})", percent(share), percent(scene.limits.link_percent))];
            conditions.push(condition.held(level, sample, scene.limits.host_hold_ms).evidence(evidence));
        }
    }
}

/// A real card: a device of the host that is neither a tap nor one end of a pair.
fn is_card(interface: &Interface) -> bool {
    interface.kind == Figure::Known(InterfaceKind::System)
        && interface.driver.as_ref().known().is_some_and(|driver| !matches!(driver.as_str(), "tun" | "veth" | "bridge"))
}

fn bond(seen: &Seen<'_>, facts: Fresh<'_, OvsFacts>, bridge: &Bridge, port: &Port) -> Option<Condition> {
    let of = port.interfaces.len();
    let linked = port.interfaces.iter().filter(|one| one.link != Figure::Known(LinkState::Down)).count();
    // The daemon knows more than links, and says it later: a member that it does not use counts as gone.
    let state = seen
        .ovs_detail
        .and_then(|detail| detail.value.bonds.as_ref().known()?.iter().find(|one| one.name == port.name));
    let enabled = state.map_or(linked, BondState::enabled_members).min(linked);
    if enabled > 1 {
        return None;
    }
    let (severity, text) = match enabled {
        0 => (Severity::Critical, format!("Bond {} has no member left of {of}: nothing passes it", port.name)),
        _ => (Severity::Warning, format!("Bond {} is on its last member of {of}: the next failure cuts it", port.name)),
    };
    let members = port.interfaces.iter().map(|one| {
        let link = match one.link.known() {
            Some(LinkState::Up) => "link up",
            Some(LinkState::Down) => "no link",
            None => "link unknown",
        };
        format!("{}: {link}", one.name)
    });
    let condition = on_port(seen, BOND_LAST, severity, (&bridge.name, &port.name), text);
    Some(condition.held(Level::Beyond, facts.at, 0).evidence(members))
}

fn nic_address(seen: &Seen<'_>, bridge: &Clean, device: &Clean) -> Option<Condition> {
    let profile = seen.profile?;
    let is_own = |address: &str| !address.starts_with("fe80:") && !address.starts_with("169.254.");
    let held =
        profile.value.addresses.iter().find(|held| held.interface == *device && is_own(held.address.as_str()))?;
    let text = format!(
        "Card {device} is in bridge {bridge} and still carries {}: the address belongs on {bridge}",
        held.address
    );
    let condition = on_port(seen, NIC_ADDRESS, Severity::Warning, (bridge, device), text);
    Some(condition.held(Level::Beyond, profile.at, 0))
}

fn plain_addresses<'a>(seen: &'a Seen<'_>, bridge: &'a LinuxBridge) -> impl Iterator<Item = Condition> + 'a {
    bridge.ports.iter().filter_map(|port| nic_address(seen, &bridge.name, &port.name))
}

fn flows(scene: &Scene<'_>, seen: &Seen<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let upcalls = seen.ovs_detail.and_then(|detail| Some((detail.at, detail.value.upcalls.as_ref().known()?)));
    for (at, one) in upcalls.into_iter().flat_map(|(at, all)| all.iter().map(move |one| (at, one))) {
        let (Some(flows), Some(most)) = (one.flows.known(), one.flows_max.known().filter(|most| *most > 0)) else {
            continue;
        };
        let share = flows as f64 / most as f64 * 100.0;
        if let Some(level) = Level::of(share, FLOWS_PERCENT) {
            let text = format!("The switch keeps {flows} of at most {most} flows: new connections are slow");
            conditions.push(about(seen, FLOWS, Severity::Warning, text).held(level, at, 0));
        }
    }
    if let Some(live) = seen.ovs_live {
        let lost: f64 = live.value.datapaths.iter().filter_map(|one| one.lost_per_s.known()).sum();
        if let Some(level) = Level::of(lost, scene.limits.switch_drops_per_s) {
            let text =
                format!("The switch drops {lost:.0} packets per second of new connections: its daemon is too slow");
            conditions.push(about(seen, FLOWS, Severity::Warning, text).held(level, live.at, COUNTER_HOLD_MS));
        }
    }
    conditions.truncate(1);
    conditions
}
