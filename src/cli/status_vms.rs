//! The guests in `vakt status --json`: key `vms`.

use super::status_document::{rounded, text};
use crate::model::{
    figure::Figure,
    hypervisor::{
        DomainDefinition, DomainDisk, DomainDiskRates, DomainInterface, DomainInterfaceRates, DomainJob, DomainRates,
        DomainSample, HypervisorFacts, HypervisorProfile,
    },
    inventory::Inventory,
    time::Now,
    world::{NodeFacts, World},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Hypervisors and the guests on them.
#[derive(Debug, Default, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct Vms {
    pub hypervisors: Vec<HypervisorRow>,
    pub guests: Vec<GuestRow>,
}

/// A hypervisor.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct HypervisorRow {
    pub node: String,
    pub age_ms: Option<u64>,
    pub error: Option<String>,
    pub libvirt_version: Option<String>,
    pub qemu_version: Option<String>,
    pub cpus: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub guests_active: Option<u64>,
    pub guest_vcpus: Option<u64>,
    pub guest_memory_bytes: Option<u64>,
}

/// A guest on one hypervisor.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct GuestRow {
    pub node: String,
    pub name: String,
    pub uuid: String,
    pub roles: Vec<&'static str>,
    pub state: Option<&'static str>,
    pub reason: Option<&'static str>,
    pub autostart: Option<bool>,
    pub uptime_s: Option<u64>,
    pub vcpus: Option<u64>,
    pub cpu_percent: Option<f64>,
    pub steal_percent: Option<f64>,
    pub memory_current_bytes: Option<u64>,
    pub memory_maximum_bytes: Option<u64>,
    pub memory_usable_bytes: Option<u64>,
    pub memory_resident_bytes: Option<u64>,
    pub disks: Vec<DiskRow>,
    pub interfaces: Vec<InterfaceRow>,
    pub job: Option<JobRow>,
    /// Figure name to reason.
    pub unknown: BTreeMap<&'static str, String>,
}

/// A disk of a guest.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct DiskRow {
    pub name: String,
    pub path: String,
    pub capacity_bytes: Option<u64>,
    pub allocation_bytes: Option<u64>,
    pub reads_per_s: Option<f64>,
    pub writes_per_s: Option<f64>,
    pub read_bytes_per_s: Option<f64>,
    pub write_bytes_per_s: Option<f64>,
    pub read_ms: Option<f64>,
    pub write_ms: Option<f64>,
}

/// An interface of a guest.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct InterfaceRow {
    pub name: String,
    pub mac: Option<String>,
    pub bridge: Option<String>,
    pub is_openvswitch: Option<bool>,
    pub vlans: Vec<u16>,
    pub rx_bits_per_s: Option<f64>,
    pub tx_bits_per_s: Option<f64>,
    pub lost_per_s: Option<f64>,
}

/// A job that runs on a guest.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/status-json.md describes every key")]
pub struct JobRow {
    pub operation: String,
    pub elapsed_ms: Option<u64>,
    pub total_bytes: Option<u64>,
    pub remaining_bytes: Option<u64>,
}

/// Everything that is known of guests.
pub(super) fn vms(world: &World, inventory: &Inventory, now: Now) -> Vms {
    let mut all = Vms::default();
    for node in &world.nodes {
        if inventory.node(&node.name).is_none_or(|node| node.libvirt_socket.is_none()) {
            continue;
        }
        let facts = node.hypervisor.last();
        let profile = node.hypervisor_profile.last();
        all.hypervisors.push(hypervisor(node, facts, profile, now));
        for (domain, rates) in facts.into_iter().flat_map(HypervisorFacts::domains) {
            let definition = profile.and_then(|profile| profile.domain(&domain.uuid));
            let roles = inventory.roles_of(domain.name.as_str()).iter().map(|role| role.word()).collect();
            all.guests.push(GuestRow { roles, ..guest(node.name.as_str(), domain, rates, definition) });
        }
    }
    all
}

fn hypervisor(
    node: &NodeFacts,
    facts: Option<&HypervisorFacts>,
    profile: Option<&HypervisorProfile>,
    now: Now,
) -> HypervisorRow {
    let promised = facts.map(HypervisorFacts::promised);
    HypervisorRow {
        node: node.name.to_string(),
        age_ms: node.hypervisor.age_ms(now.mono),
        error: node.hypervisor.failure().map(|failure| failure.reason.to_string()),
        libvirt_version: profile.and_then(|profile| text(&profile.libvirt_version)),
        qemu_version: profile.and_then(|profile| text(&profile.qemu_version)),
        cpus: profile.and_then(|profile| profile.cpus.known()),
        memory_bytes: profile.and_then(|profile| bytes(profile.memory_kib)),
        guests_active: promised.map(|promised| promised.active),
        guest_vcpus: promised.and_then(|promised| promised.vcpus.known()),
        guest_memory_bytes: promised.and_then(|promised| bytes(promised.memory_kib)),
    }
}

fn guest(node: &str, domain: &DomainSample, rates: &DomainRates, definition: Option<&DomainDefinition>) -> GuestRow {
    let mut unknown = BTreeMap::new();
    let mut explain = |name, why: Option<crate::model::figure::Unknown>| {
        unknown.extend(why.map(|why| (name, why.to_string())));
    };
    explain("state", domain.state.why());
    explain("vcpus", domain.vcpus.why());
    explain("cpu_percent", rates.cpu_percent.why());
    explain("steal_percent", rates.steal_percent.why());
    explain("memory_usable_bytes", domain.memory.usable_kib.why());
    explain("uptime_s", definition.and_then(|definition| definition.uptime_s.why()));
    GuestRow {
        node: node.to_owned(),
        name: domain.name.to_string(),
        uuid: domain.uuid.to_string(),
        roles: Vec::new(),
        state: domain.state.known().map(crate::model::hypervisor::DomainState::word),
        reason: domain.reason_words(),
        autostart: definition.and_then(|definition| definition.autostart.known()),
        uptime_s: definition.and_then(|definition| definition.uptime_s.known()),
        vcpus: domain.vcpus.known(),
        cpu_percent: rates.cpu_percent.known().map(rounded),
        steal_percent: rates.steal_percent.known().map(rounded),
        memory_current_bytes: bytes(domain.memory.current_kib),
        memory_maximum_bytes: bytes(domain.memory.maximum_kib),
        memory_usable_bytes: bytes(domain.memory.usable_kib),
        memory_resident_bytes: bytes(domain.memory.resident_kib),
        disks: domain.disks.iter().zip(&rates.disks).map(|(disk, rates)| disk_row(disk, rates)).collect(),
        interfaces: (domain.interfaces.iter().zip(&rates.interfaces))
            .map(|(interface, rates)| interface_row(interface, rates, definition))
            .collect(),
        job: domain.job.as_ref().map(job),
        unknown,
    }
}

fn bytes(kib: Figure<u64>) -> Option<u64> {
    kib.known()?.checked_mul(1024)
}

fn disk_row(disk: &DomainDisk, rates: &DomainDiskRates) -> DiskRow {
    DiskRow {
        name: disk.name.to_string(),
        path: disk.path.to_string(),
        capacity_bytes: disk.capacity_bytes.known(),
        allocation_bytes: disk.allocation_bytes.known(),
        reads_per_s: rates.reads_per_s.known().map(rounded),
        writes_per_s: rates.writes_per_s.known().map(rounded),
        read_bytes_per_s: rates.read_bytes_per_s.known().map(rounded),
        write_bytes_per_s: rates.write_bytes_per_s.known().map(rounded),
        read_ms: rates.read_ms.known().map(rounded),
        write_ms: rates.write_ms.known().map(rounded),
    }
}

fn interface_row(
    interface: &DomainInterface,
    rates: &DomainInterfaceRates,
    definition: Option<&DomainDefinition>,
) -> InterfaceRow {
    let plugged = definition.and_then(|definition| definition.interface(&interface.name));
    InterfaceRow {
        name: interface.name.to_string(),
        mac: plugged.map(|plugged| plugged.mac.to_string()),
        bridge: plugged.map(|plugged| plugged.bridge.to_string()),
        is_openvswitch: plugged.map(|plugged| plugged.is_openvswitch),
        vlans: plugged.map(|plugged| plugged.vlans.clone()).unwrap_or_default(),
        rx_bits_per_s: rates.rx_bytes_per_s.known().map(|rate| rounded(rate * 8.0)),
        tx_bits_per_s: rates.tx_bytes_per_s.known().map(|rate| rounded(rate * 8.0)),
        lost_per_s: rates.lost_per_s.known().map(rounded),
    }
}

fn job(job: &DomainJob) -> JobRow {
    JobRow {
        operation: job.operation.to_string(),
        elapsed_ms: job.elapsed_ms.known(),
        total_bytes: job.total_bytes.known(),
        remaining_bytes: job.remaining_bytes.known(),
    }
}
