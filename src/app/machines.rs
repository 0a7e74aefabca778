//! The machines screen's rows: hypervisors, and below each the guests it carries.

use super::{
    Seen, figures,
    meaning::{Line, Meaning, Span},
    rows::{RowId, contains, descending},
    standing,
};
use crate::model::{
    figure::{Figure, Unknown},
    hypervisor::{DomainDefinition, DomainRates, DomainSample, DomainState, HypervisorFacts, HypervisorProfile},
    ids::NodeName,
    text::Clean,
    trouble::TroubleKind,
    world::NodeFacts,
};

/// The orders of the guests of one host; the first is the default.
pub(crate) const SORTS: [&str; 5] = ["name", "cpu", "steal", "memory", "disk"];

/// A row of the machines screen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MachineRow<'a> {
    /// A hypervisor.
    Host(&'a NodeFacts),
    /// A guest on it.
    Guest(Guest<'a>),
}

/// A guest where it was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest<'a> {
    pub(crate) host: &'a NodeFacts,
    pub(crate) domain: &'a DomainSample,
    pub(crate) rates: &'a DomainRates,
    pub(crate) definition: Option<&'a DomainDefinition>,
}

impl MachineRow<'_> {
    /// What the row is about.
    pub(crate) fn id(&self) -> RowId {
        match self {
            Self::Host(node) => RowId::Node(node.name.clone()),
            Self::Guest(guest) => RowId::Guest(guest.host.name.clone(), guest.domain.name.clone()),
        }
    }
}

/// Hypervisors in the order of the inventory with their guests in the chosen order. A host stays where one of its guests
/// matches the filter, and all its guests where it matches itself.
pub(crate) fn rows<'a>(seen: Seen<'a>, sort: usize, filter: &str) -> Vec<MachineRow<'a>> {
    let mut rows = Vec::new();
    for node in hosts(seen) {
        let all = contains(node.name.as_str(), filter);
        let mut guests: Vec<Guest<'a>> = guests(node).filter(|guest| all || matches(seen, guest, filter)).collect();
        match sort {
            0 => {}
            1 => guests.sort_by(|a, b| descending(a.rates.cpu_percent.known(), b.rates.cpu_percent.known())),
            2 => guests.sort_by(|a, b| descending(a.rates.steal_percent.known(), b.rates.steal_percent.known())),
            3 => guests.sort_by(|a, b| descending(memory_percent(a.domain).known(), memory_percent(b.domain).known())),
            _ => guests.sort_by(|a, b| descending(disk_bytes(a.rates).known(), disk_bytes(b.rates).known())),
        }
        if all || !guests.is_empty() {
            rows.push(MachineRow::Host(node));
            rows.extend(guests.into_iter().map(MachineRow::Guest));
        }
    }
    rows
}

/// The nodes that run guests.
pub(crate) fn hosts(seen: Seen<'_>) -> impl Iterator<Item = &NodeFacts> {
    let carries = |node: &&NodeFacts| seen.inventory.node(&node.name).is_some_and(|node| node.libvirt_socket.is_some());
    seen.world.nodes.iter().filter(carries)
}

/// The guests of one host as last seen.
pub(crate) fn guests(node: &NodeFacts) -> impl Iterator<Item = Guest<'_>> {
    let facts = node.hypervisor.last();
    let profile = node.hypervisor_profile.last();
    facts.into_iter().flat_map(HypervisorFacts::domains).map(move |(domain, rates)| Guest {
        host: node,
        domain,
        rates,
        definition: profile.and_then(|profile| profile.domain(&domain.uuid)),
    })
}

/// The guest of that name on that host.
pub(crate) fn guest<'a>(seen: Seen<'a>, host: &NodeName, name: &Clean) -> Option<Guest<'a>> {
    guests(seen.world.node(host)?).find(|guest| guest.domain.name == *name)
}

fn matches(seen: Seen<'_>, guest: &Guest<'_>, filter: &str) -> bool {
    contains(guest.domain.name.as_str(), filter)
        || contains(&guest.domain.state_words(), filter)
        || seen.inventory.roles_of(guest.domain.name.as_str()).iter().any(|role| contains(role.word(), filter))
}

/// How a guest stands.
pub(crate) fn meaning(guest: &Guest<'_>) -> Meaning {
    let domain = guest.domain;
    match domain.state.known() {
        None | Some(DomainState::None) => Meaning::Unknown,
        _ if domain.has_crashed() || domain.stands_on_io_error() => Meaning::Crit,
        Some(DomainState::Paused) if domain.pauses_for_a_while() => Meaning::Drain,
        Some(DomainState::Paused | DomainState::Suspended) => Meaning::Crit,
        _ if domain.is_answering.known() == Some(false) => Meaning::Warn,
        Some(DomainState::Running | DomainState::Blocked) => Meaning::Ok,
        Some(DomainState::ShuttingDown) => Meaning::Drain,
        Some(DomainState::Off | DomainState::Crashed) => Meaning::Standby,
    }
}

/// State and reason with their sign.
pub(crate) fn state(guest: &Guest<'_>) -> Span {
    Span::signed(&guest.domain.state_words(), meaning(guest))
}

/// Whether what is known of a host's guests is old, and why.
pub(crate) fn unread(seen: Seen<'_>, node: &NodeFacts) -> Option<String> {
    if let Some(trouble) = node.link.lost() {
        return Some(trouble.cause.to_string());
    }
    if let Some(failure) = node.hypervisor.failure() {
        return Some(match failure.kind {
            Some(TroubleKind::NotBuiltIn) => "this vakt was built without libvirt: its guests are not read".into(),
            _ => failure.reason.to_string(),
        });
    }
    match node.hypervisor.age_ms(seen.now.mono) {
        None => Some("not read yet".into()),
        Some(age_ms) if age_ms > stale_after_ms(seen) => Some(format!("no answer for {}", figures::age(age_ms))),
        Some(_) => None,
    }
}

fn stale_after_ms(seen: Seen<'_>) -> u64 {
    let poll = &seen.inventory.settings.poll;
    poll.stale_after_ms.max(poll.guests_ms.saturating_mul(5) / 2)
}

/// Memory that the guest's kernel uses, of what it sees.
pub(crate) fn memory_percent(domain: &DomainSample) -> Figure<f64> {
    let memory = &domain.memory;
    memory.available_kib.and_then(|available| {
        memory.usable_kib.and_then(|usable| match available {
            0 => Figure::Unknown(Unknown::Malformed),
            _ => Figure::Known(available.saturating_sub(usable) as f64 / available as f64 * 100.0),
        })
    })
}

/// What all its disks read and write.
pub(crate) fn disk_bytes(rates: &DomainRates) -> Figure<f64> {
    super::traffic::sum_f64(rates.disks.iter().flat_map(|disk| [disk.read_bytes_per_s, disk.write_bytes_per_s]))
}

/// What all its interfaces send and receive.
pub(crate) fn network_bits(rates: &DomainRates) -> Figure<f64> {
    let bytes = rates.interfaces.iter().flat_map(|one| [one.rx_bytes_per_s, one.tx_bytes_per_s]);
    super::traffic::sum_f64(bytes).map(|bytes| bytes * 8.0)
}

/// VLANs of all its interfaces: "10", "10, 20"; "-" where all are untagged.
pub(crate) fn vlans(guest: &Guest<'_>) -> Span {
    let Some(definition) = guest.definition else { return Span::new("?", Meaning::Unknown) };
    let mut vlans: Vec<u16> =
        definition.interfaces.iter().flat_map(|interface| interface.vlans.iter().copied()).collect();
    vlans.sort_unstable();
    vlans.dedup();
    if vlans.is_empty() {
        return Span::dim("-");
    }
    Span::plain(vlans.iter().map(u16::to_string).collect::<Vec<_>>().join(", "))
}

/// What a host promised, against what it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    /// Used, and of how much; unknown where either is.
    pub(crate) vcpus: Figure<(u64, u64)>,
    /// KiB.
    pub(crate) memory_kib: Figure<(u64, u64)>,
    /// Guests that are not off, and all.
    pub(crate) guests: Figure<(u64, usize)>,
}

/// The capacity of a host as last seen.
pub(crate) fn capacity(node: &NodeFacts) -> Capacity {
    let facts = node.hypervisor.last();
    let profile = node.hypervisor_profile.last();
    let pair = |used: Figure<u64>, has: fn(&HypervisorProfile) -> Figure<u64>| {
        let has = profile.map_or_else(Figure::default, has);
        used.and_then(|used| has.map(|has| (used, has)))
    };
    let promised = facts.map(HypervisorFacts::promised);
    Capacity {
        vcpus: pair(promised.map_or_else(Figure::default, |all| all.vcpus), |profile| profile.cpus),
        memory_kib: pair(promised.map_or_else(Figure::default, |all| all.memory_kib), |profile| profile.memory_kib),
        guests: Figure::from_option(
            facts.zip(promised).map(|(facts, all)| (all.active, facts.sample.domains.len())),
            Unknown::NotReadYet,
        ),
    }
}

/// How far a job on a guest is: "migration out 42 %".
pub(crate) fn job(guest: &Guest<'_>) -> Option<String> {
    let job = guest.domain.job.as_ref()?;
    Some(match job.done_percent() {
        Some(done) => format!("{} {}", job.operation, figures::percent(done)),
        None => job.operation.to_string(),
    })
}

/// The host in one line: how it stands.
pub(crate) fn host_state(seen: Seen<'_>, node: &NodeFacts) -> Line {
    let standing = standing::of_node(seen, node);
    match unread(seen, node) {
        Some(why) if standing.meaning == Meaning::Ok => {
            vec![Span::signed("guests not read", Meaning::Stale), Span::dim(format!("  {why}"))]
        }
        Some(why) => vec![Span::signed(standing.word, standing.meaning), Span::dim(format!("  {why}"))],
        None => vec![Span::signed(standing.word, standing.meaning)],
    }
}
