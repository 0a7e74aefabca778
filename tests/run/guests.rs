//! Two hypervisors in memory that understand operations on guests as libvirt 9.0 was seen to: a guest that is asked to shut
//! down takes its time or does not listen, and the counter of page faults begins anew with its kernel.

use vakt::{
    model::{
        figure::Figure,
        hypervisor::{
            DiskDefinition, DomainDefinition, DomainJob, DomainMemory, DomainRates, DomainSample, DomainState,
            HypervisorFacts, HypervisorProfile, HypervisorSample, InterfaceDefinition, StoragePool, Version,
        },
        ovs::{Bridge, Interface, InterfaceKind, LinkState, Ofport, OvsFacts, Port, Trunks, Vlan},
        ovs_daemon::{BridgeAddresses, LearnedAddress, OvsDetail, PortReference},
        text::Clean,
    },
    wire::{
        libvirt::operation::Operation,
        request::{Call, Reply, Request},
    },
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SimHypervisor {
    pub(crate) name: &'static str,
    pub(crate) reachable: bool,
    pub(crate) guests: Vec<SimGuest>,
    pub(crate) memory_mib: u64,
    /// Packed.
    pub(crate) qemu: u64,
    /// Name and kind of the pool where disks lie.
    pub(crate) pool: Option<(&'static str, &'static str)>,
    pub(crate) bridge: &'static str,
    /// What the trunk of its bridge carries.
    pub(crate) trunks: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a guest, set one by one in tests")]
pub(crate) struct SimGuest {
    pub(crate) name: &'static str,
    pub(crate) uuid: &'static str,
    pub(crate) state: DomainState,
    /// As libvirt numbers it.
    pub(crate) reason: i64,
    /// What its kernel tells; none without a balloon device.
    pub(crate) page_faults: Option<u64>,
    pub(crate) boots: u64,
    /// Whether it does what it is asked.
    pub(crate) listens: bool,
    pub(crate) is_answering: bool,
    pub(crate) is_persistent: bool,
    pub(crate) snapshots: u64,
    pub(crate) devices: Vec<Clean>,
    pub(crate) cpu_mode: &'static str,
    pub(crate) cache: &'static str,
    /// Whether it rewrites its memory faster than it travels: it never arrives.
    pub(crate) never_arrives: bool,
    /// Moments until it is off.
    goes_off_in: Option<u64>,
    /// Moments until it has arrived elsewhere.
    pub(crate) arrives_in: Option<u64>,
}

/// Where disks lie.
const IMAGES: &str = "/var/lib/libvirt/images";

impl SimGuest {
    fn new(name: &'static str, uuid: &'static str) -> Self {
        Self {
            name,
            uuid,
            state: DomainState::Running,
            reason: 1,
            page_faults: Some(50_000),
            boots: 1,
            listens: true,
            is_answering: true,
            is_persistent: true,
            snapshots: 0,
            devices: Vec::new(),
            cpu_mode: "custom",
            cache: "none",
            never_arrives: false,
            goes_off_in: None,
            arrives_in: None,
        }
    }

    fn mac(&self) -> Clean {
        Clean::line(&format!("52:54:00:0a:0b:{}", &self.uuid[self.uuid.len() - 2..]))
    }

    fn job(&self) -> Option<DomainJob> {
        self.arrives_in.map(|moments| DomainJob {
            operation: "migration out".into(),
            total_bytes: Figure::Known(100),
            remaining_bytes: Figure::Known(moments * 20),
            dirty_pages_per_s: Figure::Known(120),
            ..DomainJob::default()
        })
    }

    fn sample(&self) -> DomainSample {
        DomainSample {
            name: self.name.into(),
            uuid: self.uuid.into(),
            state: Figure::Known(self.state),
            reason: Figure::Known(self.reason),
            is_answering: Figure::Known(self.is_answering),
            job: self.job(),
            memory: DomainMemory {
                current_kib: Figure::Known(1 << 20),
                page_faults: self.page_faults.map_or_else(Figure::default, Figure::Known),
                ..DomainMemory::default()
            },
            ..DomainSample::default()
        }
    }

    /// Carries an operation out; `false` where libvirt says no.
    fn operate(&mut self, operation: &Operation) -> bool {
        match (operation, self.state) {
            (Operation::Suspend, DomainState::Running) => (self.state, self.reason) = (DomainState::Paused, 1),
            (Operation::Resume, DomainState::Paused) => (self.state, self.reason) = (DomainState::Running, 5),
            (Operation::Start, DomainState::Off) => {
                (self.state, self.reason) = (DomainState::Running, 1);
                self.begins();
            }
            (Operation::Shutdown, DomainState::Running) => self.goes_off_in = self.listens.then_some(3),
            (Operation::Reset, DomainState::Running) => self.begins(),
            (Operation::Migrate(_), DomainState::Running) if self.arrives_in.is_none() => self.arrives_in = Some(4),
            (Operation::AbortJob, _) if self.arrives_in.is_some() => self.arrives_in = None,
            _ => return false,
        }
        true
    }

    fn begins(&mut self) {
        self.boots += 1;
        self.page_faults = self.page_faults.map(|_| 900);
    }

    fn pass(&mut self) {
        if self.state == DomainState::Running {
            self.page_faults = self.page_faults.map(|faults| faults + 1);
        }
        // Its QEMU ends, and what went on with it.
        let runs = self.state == DomainState::Running;
        let step = u64::from(!self.never_arrives);
        self.arrives_in = self.arrives_in.filter(|_| runs).map(|moments| moments.saturating_sub(step));
        self.goes_off_in = self.goes_off_in.map(|moments| moments.saturating_sub(1));
        if self.goes_off_in == Some(0) {
            (self.state, self.reason, self.goes_off_in) = (DomainState::Off, 1, None);
        }
    }

    /// What operators set.
    pub(crate) fn setting(&self) -> u64 {
        self.state as u64 * 100 + self.boots
    }
}

impl SimHypervisor {
    pub(crate) fn sample(&self) -> HypervisorSample {
        HypervisorSample { domains: self.guests.iter().map(SimGuest::sample).collect() }
    }

    pub(crate) fn facts(&self) -> HypervisorFacts {
        let sample = self.sample();
        let rates = sample.domains.iter().map(|_| DomainRates::default()).collect();
        HypervisorFacts { sample, rates }
    }

    pub(crate) fn profile(&self) -> HypervisorProfile {
        let definition = |guest: &SimGuest| DomainDefinition {
            name: guest.name.into(),
            uuid: guest.uuid.into(),
            is_persistent: Figure::Known(guest.is_persistent),
            memory_kib: Figure::Known(1 << 20),
            machine: "pc-i440fx-7.2".into(),
            cpu_mode: guest.cpu_mode.into(),
            bound_devices: guest.devices.clone(),
            snapshots: Figure::Known(guest.snapshots),
            interfaces: vec![InterfaceDefinition {
                tap: "vnet0".into(),
                mac: guest.mac(),
                bridge: "br-int".into(),
                is_openvswitch: true,
                vlans: vec![10],
                ..InterfaceDefinition::default()
            }],
            disks: vec![DiskDefinition {
                target: "vda".into(),
                source: Clean::line(&format!("{IMAGES}/{}.raw", guest.name)),
                format: "raw".into(),
                cache: guest.cache.into(),
                ..DiskDefinition::default()
            }],
            ..DomainDefinition::default()
        };
        let pool = |(name, kind): (&'static str, &'static str)| StoragePool {
            name: name.into(),
            path: IMAGES.into(),
            kind: kind.into(),
            is_active: true,
        };
        HypervisorProfile {
            memory_kib: Figure::Known(self.memory_mib << 10),
            qemu_version: Figure::Known(Version(self.qemu)),
            pools: Figure::Known(self.pool.map(pool).into_iter().collect()),
            domains: self.guests.iter().map(definition).collect(),
            ..HypervisorProfile::default()
        }
    }

    /// Its switch as the console knows it.
    pub(crate) fn switch(&self) -> OvsFacts {
        let uplink =
            Interface { name: "phy-int".into(), ofport: Figure::Known(Ofport::Number(1)), ..Interface::default() };
        let port = Port {
            name: "phy-int".into(),
            vlan: Figure::Known(Vlan::Trunk(Trunks::Only(self.trunks.clone()))),
            interfaces: vec![uplink],
            ..Port::default()
        };
        let cable = Interface {
            name: "patch0".into(),
            kind: Figure::Known(InterfaceKind::Patch(None)),
            admin: Figure::Known(LinkState::Up),
            ..Interface::default()
        };
        let other = Port { name: "patch0".into(), interfaces: vec![cable], ..Port::default() };
        let mut facts = OvsFacts::default();
        facts.sample.bridges.push(Bridge { name: self.bridge.into(), ports: vec![port, other], ..Bridge::default() });
        facts
    }

    /// What its switch has learned: its own guests, each behind a port of its own.
    pub(crate) fn learned(&self) -> OvsDetail {
        let learned = self.guests.iter().filter(|guest| guest.state == DomainState::Running).zip(4..);
        let learned = learned.map(|(guest, number)| LearnedAddress {
            port: PortReference::Number(number),
            vlan: 10,
            mac: guest.mac(),
            age_s: Some(0),
        });
        let addresses = BridgeAddresses {
            bridge: self.bridge.into(),
            addresses: Figure::Known(learned.collect()),
            ..BridgeAddresses::default()
        };
        OvsDetail { addresses: vec![addresses], ..OvsDetail::default() }
    }

    /// Carries a write out; `None` when the node cannot be reached.
    pub(crate) fn send(&mut self, request: &Request) -> Option<Reply> {
        let Call::LibvirtWrite { guest, operation, .. } = &request.call else { panic!("{request}") };
        if !self.reachable {
            return None;
        }
        let found = self.guests.iter_mut().find(|one| one.name == guest.name && one.uuid == guest.uuid);
        let done = found.is_some_and(|one| one.operate(operation));
        Some(Reply { exit: Some(u32::from(!done)), stderr: b"operation is not valid".to_vec(), ..Reply::default() })
    }

    fn pass(&mut self) {
        self.guests.iter_mut().for_each(SimGuest::pass);
    }
}

/// app01 and web03 on kvm01, app02 on kvm02.
pub(crate) fn healthy() -> Vec<SimHypervisor> {
    let hypervisor = |name, guests| SimHypervisor {
        name,
        reachable: true,
        guests,
        memory_mib: 8192,
        qemu: 7_002_000,
        pool: Some(("images", "dir")),
        bridge: "br-int",
        trunks: vec![10, 20],
    };
    let app01 = SimGuest::new("app01", "02ad1d7e-4171-4000-92aa-75be4e23d660");
    let web03 = SimGuest::new("web03", "02ad1d7e-4171-4000-92aa-75be4e23d661");
    let app02 = SimGuest::new("app02", "02ad1d7e-4171-4000-92aa-75be4e23d662");
    vec![hypervisor("kvm01", vec![app01, web03]), hypervisor("kvm02", vec![app02])]
}

/// Time passes on all of them: whoever has arrived is on the other one.
pub(crate) fn pass(hypervisors: &mut [SimHypervisor]) {
    hypervisors.iter_mut().for_each(SimHypervisor::pass);
    for from in 0..hypervisors.len() {
        let Some(at) = hypervisors[from].guests.iter().position(|guest| guest.arrives_in == Some(0)) else { continue };
        let mut guest = hypervisors[from].guests.remove(at);
        guest.arrives_in = None;
        hypervisors[1 - from].guests.push(guest);
    }
}
