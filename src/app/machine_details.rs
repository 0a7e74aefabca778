//! Everything there is to say about a guest.

use super::{
    Seen,
    details::{Detail, said, text},
    figures,
    machines::{self, Guest},
    meaning::{Line, Meaning, Span},
};
use crate::model::{
    figure::{Figure, Unknown},
    hypervisor::{DomainDisk, DomainDiskRates, DomainInterface, DomainInterfaceRates},
    ids::NodeName,
    text::Clean,
};

/// What the help says of the row, and of how it stands.
pub(super) fn in_short(seen: Seen<'_>, host: &NodeName, name: &Clean) -> Vec<Line> {
    machines::guest(seen, host, name)
        .map(|guest| vec![vec![Span::plain("It is "), machines::state(&guest)]])
        .unwrap_or_default()
}

/// All details of a guest.
pub(super) fn of_guest(seen: Seen<'_>, host: &NodeName, name: &Clean) -> Vec<Detail> {
    let Some(guest) = machines::guest(seen, host, name) else { return Vec::new() };
    let mut lines = vec![Detail::Title(vec![
        Span::new(name.as_str(), Meaning::Accent),
        Span::dim(" guest of "),
        Span::new(host.as_str(), Meaning::Accent),
    ])];
    lines.push(Detail::Pair("state", vec![machines::state(&guest)]));
    if let Some(why) = machines::unread(seen, guest.host) {
        let age = guest.host.hypervisor.age_ms(seen.now.mono).map(|age| format!("{} old: ", figures::age(age)));
        lines.push(Detail::Pair(
            "figures",
            vec![Span::new(format!("{}{why}", age.unwrap_or_default()), Meaning::Stale)],
        ));
    }
    if guest.domain.is_answering.known() == Some(false) {
        let words = "its QEMU does not answer libvirt; figures that only it knows are missing";
        lines.push(Detail::Text(vec![Span::new(words, Meaning::Warn)]));
    }
    if let Some(job) = machines::job(&guest) {
        lines.push(Detail::Pair("job", text(job)));
    }
    general(&mut lines, seen, &guest);
    processor(&mut lines, seen, &guest);
    for (disk, rates) in guest.domain.disks.iter().zip(&guest.rates.disks) {
        self::disk(&mut lines, disk, rates);
    }
    for (interface, rates) in guest.domain.interfaces.iter().zip(&guest.rates.interfaces) {
        self::interface(&mut lines, &guest, interface, rates);
    }
    lines
}

fn general(lines: &mut Vec<Detail>, seen: Seen<'_>, guest: &Guest<'_>) {
    let name = guest.domain.name.as_str();
    let roles: Vec<&str> = seen.inventory.roles_of(name).iter().map(|role| role.word()).collect();
    let roles = if roles.is_empty() { vec![Span::dim("not in the configuration")] } else { text(roles.join(", ")) };
    lines.push(Detail::Pair("roles", roles));
    let hosts: Vec<&str> = seen.inventory.hosts_of(name).iter().map(NodeName::as_str).collect();
    if !hosts.is_empty() {
        lines.push(Detail::Pair("may run on", text(hosts.join(", "))));
    }
    let definition = guest.definition;
    let missing = Figure::Unknown(Unknown::NotReadYet);
    let uptime = definition.map_or(missing, |definition| definition.uptime_s);
    lines.push(Detail::Pair("uptime", said(uptime, figures::duration_s)));
    let autostart = definition.map_or(Figure::Unknown(Unknown::NotReadYet), |definition| definition.autostart);
    let words = |on: bool| if on { "starts with its host" } else { "stays off after a reboot of its host" }.to_owned();
    lines.push(Detail::Pair("autostart", said(autostart, words)));
    if let Some(definition) = definition {
        let kind = format!("{} {}", definition.accelerator, definition.machine);
        lines.push(Detail::Pair("machine", text(kind.trim())));
    }
    lines.push(Detail::Pair("identity", text(guest.domain.uuid.as_str())));
}

fn processor(lines: &mut Vec<Detail>, seen: Seen<'_>, guest: &Guest<'_>) {
    let (domain, rates) = (guest.domain, guest.rates);
    let limit = seen.inventory.settings.thresholds.steal_percent;
    lines.push(Detail::Heading("Processor and memory".to_owned()));
    lines.push(Detail::Pair("virtual CPUs", said(domain.vcpus, figures::count)));
    lines.push(Detail::Pair(
        "cpu",
        with_unit(said(rates.cpu_percent, figures::percent_fine), " of one core of the host"),
    ));
    let mut steal = said(rates.steal_percent, figures::percent_fine);
    if rates.steal_percent.known().is_some_and(|steal| steal > limit)
        && let Some(first) = steal.first_mut()
    {
        first.meaning = Meaning::Warn;
    }
    lines.push(Detail::Pair("steal", with_unit(steal, " of its time it waits for a core")));
    let kib = |kib: u64| figures::bytes(kib.saturating_mul(1024));
    lines.push(Detail::Pair("memory", with_unit(said(domain.memory.current_kib, kib), " given")));
    lines.push(Detail::Pair("may grow to", said(domain.memory.maximum_kib, kib)));
    lines.push(Detail::Pair("used inside", said(machines::memory_percent(domain), figures::percent)));
    lines.push(Detail::Pair("on the host", with_unit(said(domain.memory.resident_kib, kib), " of its QEMU process")));
}

fn with_unit(mut line: Line, words: &str) -> Line {
    line.push(Span::dim(words));
    line
}

fn disk(lines: &mut Vec<Detail>, disk: &DomainDisk, rates: &DomainDiskRates) {
    lines.push(Detail::Heading(format!("Disk {}", disk.name)));
    if !disk.path.is_empty() {
        lines.push(Detail::Pair("file", text(disk.path.as_str())));
    }
    lines.push(Detail::Pair("size", said(disk.capacity_bytes, figures::bytes)));
    lines.push(Detail::Pair("occupies", said(disk.allocation_bytes, figures::bytes)));
    let both = |per_s: Figure<f64>, bytes: Figure<f64>, ms: Figure<f64>| {
        let mut line = said(per_s, figures::rate);
        line.push(Span::dim("  "));
        line.push(Span::figure(bytes, figures::bytes_rate));
        line.push(Span::dim("  each in "));
        line.push(Span::figure(ms, figures::latency));
        line
    };
    lines.push(Detail::Pair("reads", both(rates.reads_per_s, rates.read_bytes_per_s, rates.read_ms)));
    lines.push(Detail::Pair("writes", both(rates.writes_per_s, rates.write_bytes_per_s, rates.write_ms)));
}

fn interface(lines: &mut Vec<Detail>, guest: &Guest<'_>, interface: &DomainInterface, rates: &DomainInterfaceRates) {
    lines.push(Detail::Heading(format!("Interface {}", interface.name)));
    if let Some(plugged) = guest.definition.and_then(|definition| definition.interface(&interface.name)) {
        let kind = if plugged.is_openvswitch { "Open vSwitch" } else { "bridge or network" };
        lines.push(Detail::Pair("plugged into", with_unit(text(plugged.bridge.as_str()), &format!(" ({kind})"))));
        let vlans: Vec<String> = plugged.vlans.iter().map(u16::to_string).collect();
        let vlans = if vlans.is_empty() { vec![Span::dim("untagged")] } else { text(vlans.join(", ")) };
        lines.push(Detail::Pair("VLAN", vlans));
        lines.push(Detail::Pair("MAC", text(plugged.mac.as_str())));
    }
    let bits = |bytes: Figure<f64>| said(bytes.map(|bytes| bytes * 8.0), figures::bits);
    lines.push(Detail::Pair("sends", bits(rates.rx_bytes_per_s)));
    lines.push(Detail::Pair("receives", bits(rates.tx_bytes_per_s)));
    lines.push(Detail::Pair("lost", said(rates.lost_per_s, figures::rate)));
}
