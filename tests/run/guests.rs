//! Two hypervisors in memory that understand operations on guests as libvirt 9.0 was seen to: a guest that is asked to shut
//! down takes its time or does not listen, and the counter of page faults begins anew with its kernel.

use vakt::{
    model::{
        figure::Figure,
        hypervisor::{
            DomainDefinition, DomainMemory, DomainRates, DomainSample, DomainState, HypervisorFacts, HypervisorProfile,
            HypervisorSample,
        },
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
}

#[derive(Debug, Clone, PartialEq)]
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
    /// Moments until it is off.
    goes_off_in: Option<u64>,
}

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
            goes_off_in: None,
        }
    }

    fn sample(&self) -> DomainSample {
        DomainSample {
            name: self.name.into(),
            uuid: self.uuid.into(),
            state: Figure::Known(self.state),
            reason: Figure::Known(self.reason),
            is_answering: Figure::Known(self.is_answering),
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
            ..DomainDefinition::default()
        };
        HypervisorProfile {
            memory_kib: Figure::Known(self.memory_mib << 10),
            domains: self.guests.iter().map(definition).collect(),
            ..HypervisorProfile::default()
        }
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

    pub(crate) fn pass(&mut self) {
        self.guests.iter_mut().for_each(SimGuest::pass);
    }
}

/// app01 and web03 on kvm01, app02 on kvm02.
pub(crate) fn healthy() -> Vec<SimHypervisor> {
    let hypervisor = |name, guests| SimHypervisor { name, reachable: true, guests, memory_mib: 8192 };
    let app01 = SimGuest::new("app01", "02ad1d7e-4171-4000-92aa-75be4e23d660");
    let web03 = SimGuest::new("web03", "02ad1d7e-4171-4000-92aa-75be4e23d661");
    let app02 = SimGuest::new("app02", "02ad1d7e-4171-4000-92aa-75be4e23d662");
    vec![hypervisor("kvm01", vec![app01, web03]), hypervisor("kvm02", vec![app02])]
}
