//! Definitions of domains from their XML, and the capacity of their host.

use super::{
    super::complaints::Complaints,
    DEVICES_MAX, DOMAINS_MAX,
    answer::{Definitions, DomainRecord, PoolRecord},
    statistics::text,
};
use crate::model::{
    figure::{Figure, Unknown},
    hypervisor::{DiskDefinition, DomainDefinition, HypervisorProfile, InterfaceDefinition, StoragePool, Version},
    text::Clean,
};
use roxmltree::{Document, Node};
use serde_json::Value;
use std::collections::BTreeMap;

/// `None` when the answer is not the JSON that the transport writes. `starts`: the node's clock, then a line for each
/// QEMU process; empty where it could not be read.
pub(super) fn interpret(bytes: &[u8], starts: &[u8], complaints: &mut Complaints) -> Option<HypervisorProfile> {
    let answer: Definitions = match serde_json::from_slice(bytes) {
        Ok(answer) => answer,
        Err(error) => {
            complaints.add("definitions of guests", format!("not understood: {error}"));
            return None;
        }
    };
    if answer.domains.len() > DOMAINS_MAX {
        complaints.add("definitions of guests", format!("only the first {DOMAINS_MAX} guests are shown"));
    }
    let uptimes = uptimes(starts);
    let mut domains: Vec<DomainDefinition> =
        answer.domains.iter().take(DOMAINS_MAX).map(|record| domain(record, &uptimes, complaints)).collect();
    domains.sort_by(|a, b| a.name.cmp(&b.name));
    Some(HypervisorProfile {
        libvirt_version: number(&answer.libvirt, "libvirt version", complaints).map(Version),
        qemu_version: number(&answer.qemu, "QEMU version", complaints).map(Version),
        cpus: number(&answer.cpus, "CPUs of the host", complaints),
        memory_kib: number(&answer.memory_kib, "memory of the host", complaints),
        domains,
        pools: pools(answer.pools, complaints),
    })
}

/// Storage pools that are kept of one hypervisor.
const POOLS_MAX: usize = 256;

fn pools(records: Option<Vec<PoolRecord>>, complaints: &mut Complaints) -> Figure<Vec<StoragePool>> {
    let Some(records) = records else { return Figure::Unknown(Unknown::Missing) };
    if records.len() > POOLS_MAX {
        complaints.add("storage pools", format!("only the first {POOLS_MAX} are kept"));
    }
    let mut pools = Vec::new();
    for record in records.iter().take(POOLS_MAX) {
        match Document::parse(&record.xml) {
            Ok(document) => pools.push(pool(&document.root_element(), record.active.as_bool() == Some(true))),
            Err(error) => complaints.add("storage pool: XML", format!("not understood: {error}")),
        }
    }
    pools.sort_by(|a, b| a.name.cmp(&b.name));
    Figure::Known(pools)
}

fn pool(root: &Node<'_, '_>, is_active: bool) -> StoragePool {
    let words = |node: Option<Node<'_, '_>>| Clean::line(node.and_then(|node| node.text()).unwrap_or_default().trim());
    StoragePool {
        name: words(child(root, "name")),
        path: words(child(root, "target").and_then(|target| child(&target, "path"))),
        kind: attribute(root, "type"),
        is_active,
    }
}

fn number(value: &Value, about: &str, complaints: &mut Complaints) -> Figure<u64> {
    if value.is_null() {
        return Figure::Unknown(Unknown::Missing);
    }
    if value.as_u64().is_none() {
        complaints.add(about, "not a number in range");
    }
    Figure::from_option(value.as_u64(), Unknown::Malformed)
}

fn switch(value: &Value) -> Figure<bool> {
    Figure::from_option(value.as_bool(), Unknown::Missing)
}

/// Seconds since each pid file was written, by name of the domain.
fn uptimes(starts: &[u8]) -> BTreeMap<String, u64> {
    let text = String::from_utf8_lossy(starts);
    let mut lines = text.lines();
    let Some(now) = lines.next().and_then(|line| line.trim().parse::<u64>().ok()) else { return BTreeMap::new() };
    let of = |line: &str| {
        let (at, file) = line.split_once(' ')?;
        Some((file.strip_suffix(".pid")?.to_owned(), now.checked_sub(at.parse().ok()?)?))
    };
    lines.take(DOMAINS_MAX).filter_map(of).collect()
}

fn domain(record: &DomainRecord, uptimes: &BTreeMap<String, u64>, complaints: &mut Complaints) -> DomainDefinition {
    let name = text(&record.name);
    let uptime = record.name.as_str().and_then(|name| uptimes.get(name)).copied();
    let mut domain = DomainDefinition {
        uuid: text(&record.uuid),
        autostart: switch(&record.autostart),
        is_persistent: switch(&record.persistent),
        uptime_s: Figure::from_option(uptime, Unknown::NotRunning),
        snapshots: number(&record.snapshots, "snapshots", complaints),
        ..DomainDefinition::default()
    };
    match Document::parse(&record.xml) {
        Ok(document) => read(&document.root_element(), &mut domain),
        Err(error) => complaints.add(format!("{name}: XML"), format!("not understood: {error}")),
    }
    domain.name = name;
    domain
}

fn read(root: &Node<'_, '_>, domain: &mut DomainDefinition) {
    domain.accelerator = attribute(root, "type");
    domain.vcpus = child(root, "vcpu").and_then(|vcpu| vcpu.text()?.trim().parse().ok()).into_figure();
    domain.memory_kib = child(root, "memory").and_then(|memory| kib(&memory)).into_figure();
    domain.machine =
        child(root, "os").and_then(|os| child(&os, "type")).map(|kind| attribute(&kind, "machine")).unwrap_or_default();
    domain.cpu_mode = child(root, "cpu").map(|cpu| attribute(&cpu, "mode")).unwrap_or_default();
    let Some(devices) = child(root, "devices") else { return };
    domain.bound_devices = devices.children().filter_map(|node| bound_device(&node)).take(DEVICES_MAX).collect();
    let of = |name: &'static str| devices.children().filter(move |node| node.has_tag_name(name)).take(DEVICES_MAX);
    domain.interfaces = of("interface").map(|node| interface(&node)).collect();
    domain.disks = of("disk").map(|node| disk(&node)).collect();
}

/// An option whose absence means that the XML does not say it.
trait IntoFigure<T> {
    fn into_figure(self) -> Figure<T>;
}

impl<T> IntoFigure<T> for Option<T> {
    fn into_figure(self) -> Figure<T> {
        Figure::from_option(self, Unknown::Missing)
    }
}

/// Size with its unit; KiB where none is given.
fn kib(node: &Node<'_, '_>) -> Option<u64> {
    let size: u64 = node.text()?.trim().parse().ok()?;
    let bytes = match node.attribute("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    };
    Some(size.checked_mul(bytes)? >> 10)
}

fn interface(node: &Node<'_, '_>) -> InterfaceDefinition {
    let of = |tag: &str, name: &str| child(node, tag).map(|node| attribute(&node, name)).unwrap_or_default();
    let source = child(node, "source");
    let bridge = source.and_then(|source| {
        let names = ["bridge", "network", "dev"];
        names.iter().find_map(|name| source.attribute(*name))
    });
    let port = child(node, "virtualport");
    let tags = child(node, "vlan").map(|vlan| {
        let tags = vlan.children().filter(|tag| tag.has_tag_name("tag")).take(4096);
        tags.filter_map(|tag| tag.attribute("id")?.parse().ok()).collect()
    });
    let port_id = port.and_then(|port| child(&port, "parameters")).map(|node| attribute(&node, "interfaceid"));
    InterfaceDefinition {
        tap: of("target", "dev"),
        mac: Clean::line(&of("mac", "address").as_str().to_ascii_lowercase()),
        bridge: Clean::line(bridge.unwrap_or_default()),
        is_openvswitch: port.is_some_and(|port| port.attribute("type") == Some("openvswitch")),
        vlans: tags.unwrap_or_default(),
        port_id: port_id.unwrap_or_default(),
    }
}

/// A device that stays with its host when the guest goes, in words.
fn bound_device(node: &Node<'_, '_>) -> Option<Clean> {
    let tag = node.tag_name().name();
    let kind = node.attribute("type").or_else(|| node.attribute("model")).unwrap_or_default();
    let is_bound = match tag {
        "hostdev" | "shmem" | "filesystem" => true,
        "interface" => matches!(kind, "hostdev" | "vdpa"),
        "memory" => kind == "nvdimm",
        _ => false,
    };
    is_bound.then(|| Clean::line(format!("{tag} {kind}").trim()))
}

fn disk(node: &Node<'_, '_>) -> DiskDefinition {
    let source = child(node, "source").and_then(|source| {
        let names = ["file", "dev", "name", "volume", "dir"];
        names.iter().find_map(|name| source.attribute(*name))
    });
    DiskDefinition {
        target: child(node, "target").map(|target| attribute(&target, "dev")).unwrap_or_default(),
        source: Clean::line(source.unwrap_or_default()),
        format: child(node, "driver").map(|driver| attribute(&driver, "type")).unwrap_or_default(),
        cache: child(node, "driver").map(|driver| attribute(&driver, "cache")).unwrap_or_default(),
        is_read_only: child(node, "readonly").is_some(),
        is_shareable: child(node, "shareable").is_some(),
    }
}

fn child<'a, 'input>(node: &Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn attribute(node: &Node<'_, '_>, name: &str) -> Clean {
    Clean::line(node.attribute(name).unwrap_or_default())
}
