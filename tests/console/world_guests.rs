//! The guests of the world.

use super::clean;
use vakt::model::{
    figure::{Figure, Unknown},
    hypervisor::{
        DomainDefinition, DomainDisk, DomainDiskRates, DomainInterface, DomainInterfaceRates, DomainMemory,
        DomainRates, DomainSample, DomainState, HypervisorFacts, HypervisorProfile, InterfaceDefinition, Version,
    },
};

use Figure::Known;

/// A guest as libvirt tells of it.
fn guest(name: &str, number: u8, cpu_percent: f64) -> (DomainSample, DomainRates, DomainDefinition) {
    let tap = clean(&format!("vnet{number}"));
    let disk = DomainDisk {
        name: clean("vda"),
        path: clean(&format!("/var/lib/libvirt/images/{name}.qcow2")),
        capacity_bytes: Known(20 << 30),
        allocation_bytes: Known(7 << 30),
        ..DomainDisk::default()
    };
    let sample = DomainSample {
        name: clean(name),
        uuid: clean(&format!("0000000{number}-0000-4000-8000-000000000000")),
        state: Known(DomainState::Running),
        reason: Known(1),
        is_answering: Known(true),
        vcpus: Known(2),
        memory: DomainMemory {
            current_kib: Known(2 << 20),
            maximum_kib: Known(4 << 20),
            available_kib: Known(2_000_000),
            usable_kib: Known(1_300_000),
            resident_kib: Known(2_300_000),
            page_faults: Figure::Known(51_200),
        },
        disks: vec![disk],
        interfaces: vec![DomainInterface { name: tap.clone(), ..DomainInterface::default() }],
        ..DomainSample::default()
    };
    let rates = DomainRates {
        cpu_percent: Known(cpu_percent),
        steal_percent: Known(0.4),
        disks: vec![DomainDiskRates {
            reads_per_s: Known(3.0),
            writes_per_s: Known(41.0),
            read_bytes_per_s: Known(48_000.0),
            write_bytes_per_s: Known(920_000.0),
            read_ms: Figure::Unknown(Unknown::NothingHappened),
            write_ms: Known(2.4),
        }],
        interfaces: vec![DomainInterfaceRates {
            rx_bytes_per_s: Known(410_000.0),
            tx_bytes_per_s: Known(98_000.0),
            lost_per_s: Known(0.0),
        }],
    };
    let definition = DomainDefinition {
        name: sample.name.clone(),
        uuid: sample.uuid.clone(),
        autostart: Known(true),
        is_persistent: Known(true),
        uptime_s: Known(273_600),
        accelerator: clean("kvm"),
        machine: clean("pc-i440fx-7.2"),
        interfaces: vec![InterfaceDefinition {
            tap,
            mac: clean(&format!("52:54:00:00:00:0{number}")),
            bridge: clean("br-int"),
            is_openvswitch: true,
            vlans: vec![10],
            port_id: clean("5f2c"),
        }],
        ..DomainDefinition::default()
    };
    (sample, rates, definition)
}

/// The guests of kvm01 or kvm02.
pub(crate) fn guests(host: &str) -> (HypervisorFacts, HypervisorProfile) {
    let guests = if host == "kvm01" {
        vec![guest("app01", 1, 22.0), guest("web01", 2, 31.0)]
    } else {
        vec![guest("app02", 3, 18.0), guest("scratch", 4, 0.0)]
    };
    let mut facts = HypervisorFacts::default();
    let mut profile = HypervisorProfile {
        libvirt_version: Known(Version(9_000_000)),
        qemu_version: Known(Version(7_002_000)),
        cpus: Known(8),
        memory_kib: Known(16 << 20),
        domains: Vec::new(),
        pools: Figure::default(),
    };
    for (sample, rates, definition) in guests {
        facts.sample.domains.push(sample);
        facts.rates.push(rates);
        profile.domains.push(definition);
    }
    if host == "kvm02" {
        facts.sample.domains[1].state = Known(DomainState::Off);
        profile.domains[1].autostart = Known(false);
    }
    (facts, profile)
}
