//! The guest and the hypervisors as observed, and every reason why nothing can be planned for it.

use super::{Reason, ReasonKind, Scene, expect};
use crate::{
    model::{
        figure::Figure,
        hypervisor::{DomainDefinition, DomainSample, DomainState, HypervisorFacts},
        ids::{GuestName, NodeName},
        inventory::{Inventory, Node},
        text::Clean,
    },
    plan::{haproxy::list_words, scene::sight},
    wire::{haproxy::commands::is_safe_name, probe::Facts},
};

/// Everything that is known about a guest.
pub(super) struct Field<'a> {
    pub(super) name: GuestName,
    pub(super) host: Host<'a>,
    pub(super) domain: &'a DomainSample,
    pub(super) definition: Option<&'a DomainDefinition>,
    /// The other hypervisors that were read.
    pub(super) others: Vec<Host<'a>>,
    /// Hypervisors that cannot be read, and why.
    pub(super) unread: Vec<Clean>,
    pub(super) stale_after_ms: u64,
}

/// A hypervisor that was read.
pub(super) struct Host<'a> {
    pub(super) node: &'a Node,
    pub(super) guests: &'a HypervisorFacts,
    pub(super) facts: Facts,
    pub(super) age_ms: u64,
}

impl Host<'_> {
    pub(super) fn name(&self) -> &NodeName {
        &self.node.name
    }

    /// It in one line: who runs there.
    fn words(&self) -> Clean {
        let names: Vec<&str> = self.guests.sample.domains.iter().take(12).map(|domain| domain.name.as_str()).collect();
        let names = if names.is_empty() { "no guest".to_owned() } else { list_words(names) };
        Clean::line(&format!("{}: {names}", self.node.name))
    }
}

/// How old a look at guests may be: two of its intervals, or what is stale anyway.
pub(in crate::plan) fn stale_after_ms(inventory: &Inventory) -> u64 {
    let poll = &inventory.settings.poll;
    poll.stale_after_ms.max(poll.guests_ms.saturating_mul(5) / 2)
}

impl<'a> Field<'a> {
    /// Finds the guest. `None` when it is not known where it is, or what.
    pub(super) fn survey(scene: &Scene<'a>, name: &GuestName, reasons: &mut Vec<Reason>) -> Option<Self> {
        if !is_safe_name(name.as_str()) || name.as_str().starts_with('-') {
            reasons.push(Reason::new(
                ReasonKind::UnsafeName,
                "The name of the guest is not safe to send.",
                vec![Clean::line(name.as_str())],
                "Rename the guest (virsh domrename) to letters, digits and _ . : - only.",
            ));
            return None;
        }
        let stale_after_ms = stale_after_ms(scene.inventory);
        let (hosts, unread) = read_all(scene, stale_after_ms, reasons)?;
        let is_it = |domain: &&DomainSample| domain.name.as_str() == name.as_str();
        let (mut having, others): (Vec<Host<'a>>, Vec<Host<'a>>) =
            hosts.into_iter().partition(|host| host.guests.sample.domains.iter().any(|domain| is_it(&domain)));
        if having.len() > 1 {
            refuse_several(name, &having, reasons);
            return None;
        }
        let Some(host) = having.pop() else {
            refuse_unknown(name, &others, &unread, reasons);
            return None;
        };
        let domain = host.guests.sample.domains.iter().find(is_it)?;
        let profile = scene.world.node(host.name()).and_then(|facts| facts.hypervisor_profile.last());
        let definition = profile.and_then(|profile| profile.domain(&domain.uuid));
        Some(Self { name: name.clone(), host, domain, definition, others, unread, stale_after_ms })
    }

    pub(super) fn state(&self) -> Option<DomainState> {
        self.domain.state.known()
    }

    pub(super) fn is_running(&self) -> bool {
        self.state().is_some_and(expect::is_running)
    }

    /// The guest in one line.
    pub(super) fn words(&self) -> Clean {
        Clean::line(&format!("{}: {}", self.host.name(), expect::words(self.domain)))
    }

    /// What stands in the way of whatever is done to it.
    pub(super) fn judge(&self, reasons: &mut Vec<Reason>) {
        let (name, host) = (&self.name, self.host.name());
        let evidence = || vec![self.words()];
        if let Figure::Unknown(why) = self.domain.state {
            reasons.push(Reason::new(
                ReasonKind::UnknownFact,
                format!("The state of {name} is not known."),
                vec![Clean::line(&format!("{host}: {why}"))],
                format!("See what libvirt says on {host}: virsh domstate {name} --reason."),
            ));
        }
        if self.domain.state.known() == Some(DomainState::Off) && self.domain.reason.known().is_none() {
            reasons.push(Reason::new(
                ReasonKind::UnknownFact,
                format!("Why {name} is off is not known: whether a start had its effect could not be told."),
                evidence(),
                format!("See what libvirt says on {host}: virsh domstate {name} --reason."),
            ));
        }
        if self.domain.uuid.is_empty() {
            reasons.push(Reason::new(
                ReasonKind::UnknownFact,
                format!("The UUID of {name} is not known: it could be taken for another guest."),
                evidence(),
                format!("See what libvirt says on {host}: virsh domuuid {name}."),
            ));
        }
        if let Some(job) = &self.domain.job {
            reasons.push(Reason::new(
                ReasonKind::Busy,
                format!("Something goes on with {name}: {}.", job.operation),
                evidence(),
                "Wait until it has ended, or end it on the hypervisor: virsh domjobabort.",
            ));
        } else if self.domain.pauses_for_a_while() {
            reasons.push(Reason::new(
                ReasonKind::Busy,
                format!("{name} stands still for something that goes on."),
                evidence(),
                "Wait until it has ended.",
            ));
        }
        if self.domain.is_answering.known() == Some(false) {
            reasons.push(Reason::new(
                ReasonKind::NoService,
                format!("The QEMU process of {name} does not answer libvirt: nothing that it is told would be heard."),
                evidence(),
                format!("Look at the process on {host} (virsh domcontrol {name}, /var/log/libvirt/qemu/{name}.log)."),
            ));
        }
    }

    /// It may run on a hypervisor that cannot be asked.
    pub(super) fn judge_unread(&self, reasons: &mut Vec<Reason>) {
        if !self.unread.is_empty() {
            reasons.push(Reason::new(
                ReasonKind::StaleFacts,
                format!("Whether {} runs on another hypervisor is not known: it would run twice.", self.name),
                self.unread.clone(),
                "Mend the connection to that hypervisor; then plan again.",
            ));
        }
        let running = self.others.iter().flat_map(|host| {
            let same = host.guests.sample.domains.iter().filter(|domain| domain.uuid == self.domain.uuid);
            let active = same.filter(|domain| domain.state.known().is_none_or(DomainState::is_active));
            active.map(|domain| Clean::line(&format!("{}: {}", host.name(), expect::words(domain))))
        });
        let running: Vec<Clean> = running.collect();
        if !running.is_empty() {
            reasons.push(Reason::new(
                ReasonKind::SplitBrain,
                format!("The same guest runs on another hypervisor under another name than {}.", self.name),
                running,
                "Keep one of them: virsh undefine the other.",
            ));
        }
    }
}

fn read_all<'a>(
    scene: &Scene<'a>,
    stale_after_ms: u64,
    reasons: &mut Vec<Reason>,
) -> Option<(Vec<Host<'a>>, Vec<Clean>)> {
    let hypervisors = scene.inventory.nodes.iter().filter(|node| node.libvirt_socket.is_some());
    let (mut hosts, mut unread) = (Vec::new(), Vec::new());
    for node in hypervisors {
        let Some(facts) = scene.world.node(&node.name) else { continue };
        match sight(&facts.hypervisor, &node.name, scene.now, stale_after_ms) {
            Ok((guests, age_ms)) => {
                let facts = Facts::Guests(Box::new(guests.sample.clone()));
                hosts.push(Host { node, guests, facts, age_ms });
            }
            Err(why) => unread.push(why),
        }
    }
    if hosts.is_empty() && unread.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            "No node of the configuration runs guests.",
            Vec::new(),
            "Give the hypervisors the role hypervisor, or set libvirt_socket.",
        ));
        return None;
    }
    Some((hosts, unread))
}

fn refuse_several(name: &GuestName, having: &[Host<'_>], reasons: &mut Vec<Reason>) {
    let line = |host: &Host<'_>| {
        let (domain, _) = host.guests.domain(name.as_str())?;
        Some(Clean::line(&format!("{}: {}, UUID {}", host.name(), expect::words(domain), domain.uuid)))
    };
    reasons.push(Reason::new(
        ReasonKind::SplitBrain,
        format!("Several hypervisors have a guest {name}."),
        having.iter().filter_map(line).collect(),
        "Keep the right one: virsh undefine it where it is not used, or rename it (virsh domrename).",
    ));
}

fn refuse_unknown(name: &GuestName, others: &[Host<'_>], unread: &[Clean], reasons: &mut Vec<Reason>) {
    if unread.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            format!("No hypervisor has a guest {name}."),
            others.iter().map(Host::words).collect(),
            "Check the name: vakt status shows every guest.",
        ));
    } else {
        reasons.push(Reason::new(
            ReasonKind::StaleFacts,
            format!("No hypervisor that can be asked has a guest {name}; it may be on one that cannot."),
            unread.iter().cloned().chain(others.iter().map(Host::words)).collect(),
            "Mend the connection to that hypervisor; then plan again.",
        ));
    }
}
