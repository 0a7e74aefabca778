//! Where a guest is to go, and every reason why it cannot go there: one line for each thing that was looked at.

use super::{Reason, ReasonKind, Scene, expect, field::Field, field::Host};
use crate::{
    model::{
        hypervisor::{DiskDefinition, DomainDefinition, HypervisorProfile, InterfaceDefinition},
        ids::NodeName,
        inventory::Role,
        ovs::Port,
        text::Clean,
    },
    plan::haproxy::list_words,
};

/// The hypervisor that takes a guest over.
pub(super) struct Destination<'a> {
    pub(super) host: &'a Host<'a>,
    /// How the libvirtd of the source reaches that of the destination.
    pub(super) uri: &'a str,
    /// Disks that are copied, because both hosts do not see the same file: what the guest calls them, and where they lie.
    pub(super) copied: Vec<(&'a str, &'a str)>,
    /// What was looked at and found good, in fragments.
    pub(super) fine: Vec<String>,
}

impl<'a> Destination<'a> {
    /// Looks at the destination. `None` when it is not known, or nothing could be judged.
    pub(super) fn survey(
        scene: &Scene<'a>,
        field: &'a Field<'a>,
        to: &NodeName,
        reasons: &mut Vec<Reason>,
    ) -> Option<Self> {
        let Some(host) = field.others.iter().find(|host| host.name() == to) else {
            refuse_host(field, to, reasons);
            return None;
        };
        let profiles = profiles(scene, field, to, reasons);
        let uri = uri(host, reasons);
        field.judge_unread(reasons);
        refuse_name(field, host, reasons);
        refuse_place(scene, field, to, reasons);
        let (source, target) = profiles?;
        let definition = definition(field, reasons)?;
        let mut fine = vec![format!("{} is free there", field.name)];
        judge_versions(field, to, source, target, &mut fine, reasons);
        judge_processor(field, to, definition, &mut fine, reasons);
        judge_devices(field, definition, &mut fine, reasons);
        judge_memory(field, host, definition, target, &mut fine, reasons);
        judge_bridges(scene, field, to, definition, &mut fine, reasons);
        let copied = judge_disks(field, host, definition, (source, target), &mut fine, reasons);
        Some(Self { host, uri: uri?, copied, fine })
    }
}

fn refuse_host(field: &Field<'_>, to: &NodeName, reasons: &mut Vec<Reason>) {
    let known: Vec<&str> = field.others.iter().map(|host| host.name().as_str()).collect();
    let names = if known.is_empty() { "no other hypervisor can be asked".to_owned() } else { list_words(known) };
    let unread = field.unread.iter().cloned();
    reasons.push(Reason::new(
        ReasonKind::UnknownTarget,
        format!("{to} is no hypervisor that can be asked, other than the one that has {}.", field.name),
        std::iter::once(Clean::line(&format!("others: {names}"))).chain(unread).collect(),
        "Name another hypervisor, or mend the connection to it.",
    ));
}

fn profiles<'a>(
    scene: &Scene<'a>,
    field: &Field<'_>,
    to: &NodeName,
    reasons: &mut Vec<Reason>,
) -> Option<(&'a HypervisorProfile, &'a HypervisorProfile)> {
    let of = |name: &NodeName| scene.world.node(name).and_then(|facts| facts.hypervisor_profile.last());
    let (source, target) = (of(field.host.name()), of(to));
    let missing: Vec<Clean> = [(field.host.name(), source), (to, target)]
        .into_iter()
        .filter(|(_, profile)| profile.is_none())
        .map(|(name, _)| Clean::line(&format!("{name}: never read")))
        .collect();
    if !missing.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::StaleFacts,
            "How guests are defined is not known on both hypervisors.",
            missing,
            "Wait for the next look, or mend the connection; then plan again.",
        ));
    }
    source.zip(target)
}

fn definition<'a>(field: &Field<'a>, reasons: &mut Vec<Reason>) -> Option<&'a DomainDefinition> {
    let definition = field.definition.filter(|definition| !definition.machine.is_empty());
    if definition.is_none() {
        reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            format!("How {} is defined is not known.", field.name),
            vec![Clean::line(&format!("{}: no definition was read", field.host.name()))],
            "Wait for the next look; then plan again.",
        ));
    }
    definition
}

/// How one libvirtd reaches the other: a URI without anything that would be read as something else.
fn uri<'a>(host: &Host<'a>, reasons: &mut Vec<Reason>) -> Option<&'a str> {
    let Some(uri) = host.node.migration_uri.as_deref() else {
        reasons.push(Reason::new(
            ReasonKind::NoWay,
            format!("How another libvirtd reaches that of {} is not configured.", host.name()),
            Vec::new(),
            "Set migration_uri of that node, such as qemu+tls://HOST/system or qemu+ssh://root@HOST/system.",
        ));
        return None;
    };
    if host_of(uri).is_none() {
        reasons.push(Reason::new(
            ReasonKind::UnsafeName,
            format!("The migration_uri of {} is none that vakt would send.", host.name()),
            vec![Clean::line(uri)],
            "Write it as qemu+tls://HOST/system, qemu+tcp://HOST/system or qemu+ssh://USER@HOST/system.",
        ));
        return None;
    }
    Some(uri)
}

/// The host of a URI of libvirt: memory and disks go there, too.
pub(super) fn host_of(uri: &str) -> Option<&str> {
    let rest = ["qemu+tls://", "qemu+tcp://", "qemu+ssh://"].iter().find_map(|scheme| uri.strip_prefix(scheme))?;
    let authority = rest.strip_suffix("/system")?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let is_plain = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'@' | b':'))
    };
    (is_plain(authority) && !host.is_empty()).then_some(host)
}

/// Nobody there may have its name or its UUID, running or not.
fn refuse_name(field: &Field<'_>, host: &Host<'_>, reasons: &mut Vec<Reason>) {
    let taken = host.guests.sample.domains.iter().filter(|domain| domain.uuid == field.domain.uuid);
    let taken: Vec<Clean> = taken
        .map(|domain| Clean::line(&format!("{}: {}, UUID {}", host.name(), expect::words(domain), domain.uuid)))
        .collect();
    if !taken.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::SplitBrain,
            format!("{} has a guest with the UUID of {} already.", host.name(), field.name),
            taken,
            format!("Keep the right one: on {}, virsh undefine the other.", host.name()),
        ));
    }
}

/// Where the machine may be, and its data.
fn refuse_place(scene: &Scene<'_>, field: &Field<'_>, to: &NodeName, reasons: &mut Vec<Reason>) {
    let name = field.name.as_str();
    let allowed = scene.inventory.hosts_of(name);
    if !allowed.is_empty() && !allowed.contains(to) {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{name} may not run on {to}."),
            vec![Clean::line(&format!("hosts: {}", list_words(allowed.iter().map(NodeName::as_str))))],
            "Name one of these, or change hosts in the configuration.",
        ));
    }
    let of_host = scene.inventory.node(to).and_then(|node| node.jurisdiction.as_deref());
    let roles = scene.inventory.roles_of(name);
    for rule in scene.inventory.settings.residency.iter().filter(|rule| roles.contains(&rule.role)) {
        if !of_host.is_some_and(|own| rule.jurisdictions.iter().any(|allowed| allowed == own)) {
            reasons.push(Reason::new(
                ReasonKind::NotFit,
                format!("Data of role {} may not be on {to}.", rule.role),
                vec![Clean::line(&format!(
                    "{to}: {}; allowed: {}",
                    of_host.unwrap_or("jurisdiction unknown"),
                    rule.jurisdictions.join(", ")
                ))],
                "Name a hypervisor in one of these jurisdictions.",
            ));
        }
    }
    for role in roles.iter().filter(|role| **role != Role::Hypervisor) {
        refuse_one_fate(scene, field, to, *role, reasons);
    }
}

/// All machines of a role that are guests would be on one host.
fn refuse_one_fate(scene: &Scene<'_>, field: &Field<'_>, to: &NodeName, role: Role, reasons: &mut Vec<Reason>) {
    let name = field.name.as_str();
    let nodes = scene.inventory.with_role(role).map(|node| node.name.as_str());
    let guests = scene.inventory.guests.iter().filter(|guest| guest.roles.contains(&role));
    let others: Vec<&str> =
        nodes.chain(guests.map(|guest| guest.name.as_str())).filter(|other| *other != name).collect();
    let is_there = |machine: &&str| {
        let hosts = field.others.iter().chain(std::iter::once(&field.host));
        hosts.filter(|host| host.guests.domain(machine).is_some()).any(|host| host.name() == to)
    };
    if !others.is_empty() && others.iter().all(is_there) {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("Every machine of role {role} would be on {to}: its failure would end all of them."),
            vec![Clean::line(&format!("{to}: {}", list_words(others)))],
            "Move one of the others first, or name another hypervisor.",
        ));
    }
}

fn judge_versions(
    field: &Field<'_>,
    to: &NodeName,
    source: &HypervisorProfile,
    target: &HypervisorProfile,
    fine: &mut Vec<String>,
    reasons: &mut Vec<Reason>,
) {
    match (source.qemu_version.known(), target.qemu_version.known()) {
        (Some(from), Some(into)) if into >= from => fine.push(format!("QEMU {into} there knows machines of {from}")),
        (Some(from), Some(into)) => reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{to} has an older QEMU: it may not know the machine of {}.", field.name),
            vec![
                Clean::line(&format!("{}: QEMU {from}", field.host.name())),
                Clean::line(&format!("{to}: QEMU {into}")),
            ],
            format!("Update QEMU on {to} first."),
        )),
        _ => reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            "Which QEMU runs is not known on both hypervisors.",
            vec![Clean::line(&format!("{} and {to}", field.host.name()))],
            "Wait for the next look; then plan again.",
        )),
    }
}

/// A processor that is passed on as it is must be the same there, which nobody can tell from outside.
fn judge_processor(
    field: &Field<'_>,
    to: &NodeName,
    definition: &DomainDefinition,
    fine: &mut Vec<String>,
    reasons: &mut Vec<Reason>,
) {
    match definition.cpu_mode.as_str() {
        mode @ ("host-passthrough" | "maximum") => reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{} has its processor from its host as it is ({mode}): {to} would have to have the same.", field.name),
            vec![Clean::line(&format!("{}: cpu mode {mode}", field.host.name()))],
            "Give it a named model (virsh domcapabilities; virsh hypervisor-cpu-baseline), or move it by hand when both \
             processors and their microcode are known to be equal.",
        )),
        "" => fine.push(format!("machine {} with its own processor; libvirtd there looks once more", definition.machine)),
        mode => fine.push(format!(
            "machine {} with a {mode} processor; libvirtd there looks once more",
            definition.machine
        )),
    }
}

fn judge_devices(field: &Field<'_>, definition: &DomainDefinition, fine: &mut Vec<String>, reasons: &mut Vec<Reason>) {
    let (name, host) = (&field.name, field.host.name());
    if definition.bound_devices.is_empty() {
        fine.push("no device of the host is passed on".to_owned());
    } else {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{name} has devices that stay with their host."),
            definition.bound_devices.iter().map(|device| Clean::line(&format!("{host}: {device}"))).collect(),
            "Detach them first (virsh detach-device), or shut the guest down and define it elsewhere.",
        ));
    }
    match definition.snapshots.known() {
        Some(0) => fine.push("no snapshot".to_owned()),
        Some(count) => reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{name} has snapshots: libvirt does not move them."),
            vec![Clean::line(&format!("{host}: {count}"))],
            format!("Delete them first, on {host}: virsh snapshot-list {name}; virsh snapshot-delete."),
        )),
        None => reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            format!("Whether {name} has snapshots is not known."),
            vec![Clean::line(&format!("{host}: not told"))],
            format!("See what libvirt says on {host}: virsh snapshot-list {name}."),
        )),
    }
    if definition.is_persistent.known() != Some(true) {
        reasons.push(Reason::new(
            ReasonKind::NoWay,
            format!("{name} is not defined beyond its run."),
            vec![field.words()],
            format!("Define it first, on {host}: virsh dumpxml {name} > {name}.xml; virsh define {name}.xml."),
        ));
    }
}

fn judge_memory(
    field: &Field<'_>,
    host: &Host<'_>,
    definition: &DomainDefinition,
    target: &HypervisorProfile,
    fine: &mut Vec<String>,
    reasons: &mut Vec<Reason>,
) {
    let has = target.memory_kib.known();
    let promised = host.guests.promised().memory_kib.known();
    let wanted = definition.memory_kib.known();
    let mib = |kib: u64| kib / 1024;
    let (Some(has), Some(promised), Some(wanted)) = (has, promised, wanted) else {
        reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            format!("Whether {} has the memory for {} is not known.", host.name(), field.name),
            vec![Clean::line(&format!("{}: not told", host.name()))],
            "Wait for the next look; then plan again.",
        ));
        return;
    };
    let line = format!("{} MiB wanted, {} of {} MiB promised there", mib(wanted), mib(promised), mib(has));
    if promised.saturating_add(wanted) <= has {
        fine.push(line);
    } else {
        reasons.push(Reason::new(
            ReasonKind::CapacityFloor,
            format!("{} has not the memory for {}.", host.name(), field.name),
            vec![Clean::line(&format!("{}: {line}", host.name()))],
            "Move or shut down another guest there first.",
        ));
    }
}

/// The same bridge must be there, and something beside the guest that carries its VLANs.
fn judge_bridges(
    scene: &Scene<'_>,
    field: &Field<'_>,
    to: &NodeName,
    definition: &DomainDefinition,
    fine: &mut Vec<String>,
    reasons: &mut Vec<Reason>,
) {
    for interface in &definition.interfaces {
        match judge_bridge(scene, field, to, interface) {
            Ok(line) => fine.push(line),
            Err(reason) => reasons.push(reason),
        }
    }
}

fn judge_bridge(
    scene: &Scene<'_>,
    field: &Field<'_>,
    to: &NodeName,
    interface: &InterfaceDefinition,
) -> Result<String, Reason> {
    let bridge = &interface.bridge;
    let facts = scene.world.node(to);
    let switch = facts.and_then(|facts| facts.ovs.last());
    let plain = facts.and_then(|facts| facts.bridges.last());
    let (is_known, failure) = if interface.is_openvswitch {
        (switch.is_some(), facts.and_then(|facts| facts.ovs.failure()))
    } else {
        (plain.is_some(), facts.and_then(|facts| facts.bridges.failure()))
    };
    if !is_known {
        let why = failure.map_or("not told yet", |failure| failure.reason.as_str());
        return Err(Reason::new(
            ReasonKind::UnknownFact,
            format!("Whether {to} has the bridge {bridge} is not known."),
            vec![Clean::line(&format!("{to}: {why}"))],
            "Wait for the next look; then plan again.",
        ));
    }
    let of_switch = switch.and_then(|facts| facts.sample.bridges.iter().find(|one| one.name == *bridge));
    let is_plain = plain.is_some_and(|bridges| bridges.iter().any(|one| one.name == *bridge));
    if !(if interface.is_openvswitch { of_switch.is_some() } else { is_plain }) {
        let kind = if interface.is_openvswitch { "Open vSwitch" } else { "the kernel" };
        return Err(Reason::new(
            ReasonKind::NoWay,
            format!("{to} has no bridge {bridge} of {kind}: {} would be cut off.", field.name),
            vec![Clean::line(&format!("{}: {} is plugged into {bridge}", field.host.name(), interface.mac))],
            "Make the bridge of that name there first.",
        ));
    }
    let words = |vlans: Vec<String>| vlans.join(", ");
    let carried = |vlan: u16| of_switch.is_some_and(|bridge| bridge.ports.iter().any(|port| carries(port, vlan)));
    let lacking: Vec<String> =
        interface.vlans.iter().filter(|vlan| !carried(**vlan)).map(ToString::to_string).collect();
    if interface.is_openvswitch && !lacking.is_empty() {
        return Err(Reason::new(
            ReasonKind::NoWay,
            format!("No port of {bridge} on {to} carries VLAN {}.", words(lacking)),
            vec![Clean::line(&format!("{}: {} is in it", field.host.name(), interface.mac))],
            format!("Let a port of {bridge} carry it first: ovs-vsctl set port PORT trunks=…"),
        ));
    }
    let vlans: Vec<String> = interface.vlans.iter().map(ToString::to_string).collect();
    let vlans = if vlans.is_empty() { String::new() } else { format!(", VLAN {}", words(vlans)) };
    Ok(format!("bridge {bridge}{vlans} is there"))
}

fn carries(port: &Port, vlan: u16) -> bool {
    port.vlan.as_ref().known().is_some_and(|own| own.carries(vlan))
}

/// Which disks are copied. A disk that both hosts see needs a pool of a kind that is shared; any other a pool at the same
/// place, into which libvirt copies it.
fn judge_disks<'a>(
    field: &Field<'_>,
    host: &Host<'_>,
    definition: &'a DomainDefinition,
    (source, target): (&HypervisorProfile, &HypervisorProfile),
    fine: &mut Vec<String>,
    reasons: &mut Vec<Reason>,
) -> Vec<(&'a str, &'a str)> {
    let mut copied = Vec::new();
    for disk in definition.disks.iter().filter(|disk| !disk.source.is_empty()) {
        let (path, name) = (disk.source.as_str(), disk.target.as_str());
        let pool = |profile: &HypervisorProfile| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let pools = profile.pools.as_ref().known()?;
            pools.iter().find(|pool| pool.is_active && pool.path.as_str() == folder).cloned()
        };
        let Some(there) = pool(target) else {
            refuse_no_pool(field, host, disk, target, reasons);
            continue;
        };
        let is_shared = there.is_shared() && pool(source).is_some_and(|here| here.is_shared());
        if is_shared && !disk.is_read_only && !matches!(disk.cache.as_str(), "none" | "directsync") {
            reasons.push(Reason::new(
                ReasonKind::NotFit,
                format!("The disk {name} of {} is cached by its host: the other host could read old data.", field.name),
                vec![Clean::line(&format!("{}: cache {:?}", field.host.name(), disk.cache.as_str()))],
                "Set cache='none' in its definition, and shut it down and start it once.",
            ));
        } else if is_shared {
            fine.push(format!("disk {name} lies on storage that both see"));
        } else if disk.is_read_only || disk.is_shareable {
            reasons.push(Reason::new(
                ReasonKind::NotFit,
                format!("The disk {name} of {} would not be copied: it is read-only or shareable.", field.name),
                vec![Clean::line(&format!("{}: {path}", field.host.name()))],
                "Detach it first, or put it on storage that both hosts see.",
            ));
        } else if let Some(owner) = owner(target, path) {
            reasons.push(Reason::new(
                ReasonKind::NotFit,
                format!("The disk {name} of {} would be copied over that of another guest.", field.name),
                vec![Clean::line(&format!("{}: {owner} uses {path}", host.name()))],
                "Give one of them a file of another name first.",
            ));
        } else {
            fine.push(format!("disk {name} is copied into the pool {}", there.name));
            copied.push((name, path));
        }
    }
    copied
}

fn owner<'p>(target: &'p HypervisorProfile, path: &str) -> Option<&'p Clean> {
    let uses = |domain: &&DomainDefinition| domain.disks.iter().any(|disk| disk.source.as_str() == path);
    target.domains.iter().find(uses).map(|domain| &domain.name)
}

fn refuse_no_pool(
    field: &Field<'_>,
    host: &Host<'_>,
    disk: &DiskDefinition,
    target: &HypervisorProfile,
    reasons: &mut Vec<Reason>,
) {
    let pools = target.pools.as_ref().known().map_or(&[][..], Vec::as_slice);
    let pools: Vec<String> = pools.iter().map(|pool| format!("{} ({})", pool.name, pool.path)).collect();
    let pools = if pools.is_empty() { "no pool".to_owned() } else { pools.join(", ") };
    let folder = disk.source.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
    reasons.push(Reason::new(
        ReasonKind::NoWay,
        format!("{} has no active storage pool where the disk {} of {} lies.", host.name(), disk.target, field.name),
        vec![
            Clean::line(&format!("{}: {}", field.host.name(), disk.source)),
            Clean::line(&format!("{}: {pools}", host.name())),
        ],
        format!(
            "Make one there, once: virsh pool-define-as images dir --target {folder}; virsh pool-start images; virsh \
             pool-autostart images."
        ),
    ));
}
