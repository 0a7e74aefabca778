//! `vm.suspend`, `vm.resume`, `vm.start`, `vm.shutdown`, `vm.reset`, `vm.migrate`: a guest of a hypervisor as a whole.
//!
//! `field` is where it is and how it stands, `service` what else would stop with it, `destination` where it goes and every
//! check of that, `steps` and `migration` what is sent and how it is seen.
//!
//! Deliberately absent: taking a guest's power away (`virsh destroy`). A guest that does not shut down is left to the
//! operator, with the words to type.

mod destination;
mod expect;
mod field;
mod migration;
mod service;
mod steps;

pub(super) use expect::words_of;
pub use expect::{GuestExpect, GuestState, Plug};
pub(super) use field::stale_after_ms;

use super::{
    expect::{Check, Expect},
    parts::{Body, ConfirmBy, Confirmation, Plan, Premise, Source, Step, Subject},
    refusal::{AlreadyThere, Planned, Reason, ReasonKind, Refusal},
    scene::Scene,
};
use crate::{
    model::{
        guest_act::GuestAct,
        hypervisor::DomainState,
        ids::{GuestName, NodeName},
        intent::{Intent, ServerPath},
        inventory::{Confirm, Node},
        text::Clean,
    },
    wire::probe::{Facts, ProbeId},
};
use destination::Destination;
use field::{Field, Host};
use service::Service;

/// Plans what is done with a guest.
pub(super) fn plan(scene: &Scene<'_>, intent: &Intent, guest: &GuestName, act: &GuestAct) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::new(
            ReasonKind::ReadOnly,
            "This console is read-only.",
            Vec::new(),
            "Start vakt without --read-only and set read_only = false under [policy] in the configuration.",
        ));
    }
    let field = Field::survey(scene, guest, &mut reasons);
    if let Some(field) = field.as_ref().filter(|field| reasons.is_empty() && is_there(field, act)) {
        return Ok(Planned::AlreadyThere(AlreadyThere {
            intent: intent.clone(),
            what: Clean::line(&format!("{guest} is {} on {} already.", field.domain.state_words(), field.host.name())),
            evidence: vec![field.words()],
        }));
    }
    let (mut service, mut destination) = (None, None);
    if let Some(field) = &field {
        field.judge(&mut reasons);
        judge_state(field, act, &mut reasons);
        if matches!(act, GuestAct::Start) {
            field.judge_unread(&mut reasons);
            judge_room(scene, field, &mut reasons);
        }
        if stops(act) {
            service = Some(Service::survey(scene, field, &mut reasons));
        }
        if let GuestAct::Migrate { to, .. } = act {
            service = Some(Service::of_move(scene, field, &mut reasons));
            destination = Destination::survey(scene, field, to, &mut reasons);
        }
    }
    match &field {
        Some(field) if reasons.is_empty() => {
            let parts = Parts { field, act, service: service.as_ref(), destination: destination.as_ref() };
            Ok(Planned::Plan(Box::new(Plan::new(body(scene, intent, &parts)))))
        }
        _ => Err(Refusal::of(intent, Clean::line(&title(act, guest)), reasons)),
    }
}

/// What a plan is made of.
struct Parts<'p, 'a> {
    field: &'p Field<'a>,
    act: &'p GuestAct,
    service: Option<&'p Service>,
    destination: Option<&'p Destination<'p>>,
}

/// A node in one line, for what is true after a run.
pub(super) fn words(facts: &Facts, guest: &GuestName, servers: &[ServerPath]) -> Clean {
    match facts {
        Facts::Haproxy(_) => super::expect::servers_words(facts, servers),
        _ => words_of(facts, guest),
    }
}

/// Whether it serves nobody meanwhile.
fn stops(act: &GuestAct) -> bool {
    matches!(act, GuestAct::Suspend | GuestAct::Shutdown { .. } | GuestAct::Reset { .. })
}

fn is_there(field: &Field<'_>, act: &GuestAct) -> bool {
    match act {
        GuestAct::Suspend => field.state() == Some(DomainState::Paused) && !field.domain.pauses_for_a_while(),
        GuestAct::Resume | GuestAct::Start => field.is_running(),
        GuestAct::Shutdown { .. } => field.state().is_some_and(|state| !state.is_active()),
        GuestAct::Reset { .. } => false,
        GuestAct::Migrate { to, .. } => field.is_running() && field.host.name() == to,
    }
}

fn title(act: &GuestAct, guest: &GuestName) -> String {
    match act {
        GuestAct::Suspend => format!("Let {guest} stand still"),
        GuestAct::Resume => format!("Let {guest} go on"),
        GuestAct::Start => format!("Start {guest}"),
        GuestAct::Shutdown { .. } => format!("Shut {guest} down"),
        GuestAct::Reset { .. } => format!("Reset {guest}"),
        GuestAct::Migrate { to, .. } => format!("Move {guest} to {to} while it runs"),
    }
}

/// Refuses what cannot be done to a guest as it stands.
fn judge_state(field: &Field<'_>, act: &GuestAct, reasons: &mut Vec<Reason>) {
    let Some(state) = field.state() else { return };
    let name = &field.name;
    let (fits, cure) = match act {
        GuestAct::Suspend | GuestAct::Shutdown { .. } | GuestAct::Reset { .. } | GuestAct::Migrate { .. } => (
            expect::is_running(state),
            if state.is_active() {
                format!("Let it go on first: vakt do vm.resume {name}.")
            } else {
                format!("Start it: vakt do vm.start {name}.")
            },
        ),
        GuestAct::Resume => (state == DomainState::Paused, format!("Start it: vakt do vm.start {name}.")),
        GuestAct::Start => (!state.is_active(), format!("Let it go on: vakt do vm.resume {name}.")),
    };
    if !fits {
        reasons.push(Reason::new(
            ReasonKind::WrongState,
            format!("{name} is {}.", field.domain.state_words()),
            vec![field.words()],
            cure,
        ));
        return;
    }
    let is_transient = field.definition.is_some_and(|definition| definition.is_persistent.known() == Some(false));
    if matches!(act, GuestAct::Shutdown { .. }) && is_transient {
        reasons.push(Reason::new(
            ReasonKind::NoWay,
            format!("{name} is not defined beyond its run: once it is off, nothing is left of it."),
            vec![field.words()],
            format!(
                "Define it first, on {}: virsh dumpxml {name} > {name}.xml; virsh define {name}.xml.",
                field.host.name()
            ),
        ));
    }
    if matches!(act, GuestAct::Reset { .. }) && field.domain.memory.page_faults.known().is_none() {
        reasons.push(Reason::new(
            ReasonKind::NoWay,
            format!("{name} does not tell what would show that it began anew."),
            vec![Clean::line(&format!("{}: no page faults of its kernel", field.host.name()))],
            format!(
                "Shut it down and start it instead (vakt do vm.shutdown {name}), or give it a balloon device with \
                 <stats period='5'/>."
            ),
        ));
    }
}

/// Refuses a start for which the host has not the memory.
fn judge_room(scene: &Scene<'_>, field: &Field<'_>, reasons: &mut Vec<Reason>) {
    let Some(wanted_kib) = field.definition.and_then(|definition| definition.memory_kib.known()) else { return };
    let host = field.host.name();
    let profile = scene.world.node(host).and_then(|facts| facts.hypervisor_profile.last());
    let Some(has_kib) = profile.and_then(|profile| profile.memory_kib.known()) else { return };
    let Some(promised_kib) = field.host.guests.promised().memory_kib.known() else { return };
    if promised_kib.saturating_add(wanted_kib) > has_kib {
        let mib = |kib: u64| kib / 1024;
        reasons.push(Reason::new(
            ReasonKind::CapacityFloor,
            format!("{host} has not the memory for {}.", field.name),
            vec![Clean::line(&format!(
                "{host}: {} MiB in all, {} MiB promised to running guests, {} MiB wanted",
                mib(has_kib),
                mib(promised_kib),
                mib(wanted_kib)
            ))],
            "Shut another guest down first, or give this one less memory.",
        ));
    }
}

fn body(scene: &Scene<'_>, intent: &Intent, parts: &Parts<'_, '_>) -> Body {
    let Parts { field, act, service, destination } = parts;
    let (name, host) = (&field.name, field.host.name());
    let steps = match (act, destination) {
        (GuestAct::Migrate { deadline_ms, .. }, Some(destination)) => {
            migration::all(scene, field, destination, *deadline_ms)
        }
        _ => steps::all(field, act),
    };
    let departures = || service.iter().flat_map(|service| &service.departures);
    let mut effect = match (act, destination) {
        (GuestAct::Migrate { deadline_ms, .. }, Some(destination)) => {
            migration::effect(field, destination, *deadline_ms)
        }
        _ => steps::effect(field, act),
    };
    effect.extend(service.iter().flat_map(|service| service.words(act)));
    let premises: Vec<Premise> =
        premises(field, act).into_iter().chain(departures().flat_map(|one| one.premises.clone())).collect();
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&match act {
            GuestAct::Migrate { to, .. } => format!("Move {name} from {host} to {to} while it runs"),
            _ => format!("{} on {host}", title(act, name)),
        }),
        effect: effect.iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&steps::goal(field, act)),
        subject: Subject::Guest {
            guest: name.clone(),
            host: host.clone(),
            servers: departures().map(|one| one.path.clone()).collect(),
        },
        made_at: scene.now,
        facts_age_ms: premises.iter().map(|premise| premise.age_ms).max().unwrap_or(0),
        premises,
        sources: sources(scene, parts, &steps),
        point_of_no_return: steps.iter().position(Step::is_irreversible),
        confirmation: confirmation(scene, field, act),
        steps,
        runbook: Clean::line(intent.change.id()),
    }
}

fn confirmation(scene: &Scene<'_>, field: &Field<'_>, act: &GuestAct) -> Confirmation {
    let target = ConfirmBy::Target(Clean::line(field.name.as_str()));
    let name = &field.name;
    let why = match act {
        GuestAct::Suspend | GuestAct::Shutdown { .. } => format!("{name} serves nobody from then on"),
        GuestAct::Reset { .. } => format!("what {name} has not written to its disks is lost"),
        GuestAct::Start => "a guest that was started cannot be taken back without shutting it down".to_owned(),
        GuestAct::Migrate { .. } => format!("{name} stands still for a moment, and is slower meanwhile"),
        GuestAct::Resume if scene.policy.confirm == Confirm::AlwaysTyped => {
            "the configuration asks for a name before every change".to_owned()
        }
        GuestAct::Resume => {
            return Confirmation { by: ConfirmBy::Enter, why: "every step can be undone".into() };
        }
    };
    Confirmation { by: target, why: Clean::line(&why) }
}

/// A check of the guest on that hypervisor.
fn check(field: &Field<'_>, host: &NodeName, is: GuestState) -> Check {
    let probe = match is {
        GuestState::Plugged(_) => ProbeId::GuestProfile,
        GuestState::Learned { .. } => ProbeId::OvsDetail,
        _ => ProbeId::Guests,
    };
    Check {
        node: host.clone(),
        probe,
        expect: Expect::Guest(GuestExpect { name: field.name.clone(), uuid: field.domain.uuid.clone(), is }),
    }
}

fn premise(field: &Field<'_>, host: &Host<'_>, is: GuestState) -> Premise {
    let check = check(field, host.name(), is);
    let seen = check.judge(&host.facts, None).seen().clone();
    Premise { check, seen, age_ms: host.age_ms, age_ms_max: field.stale_after_ms }
}

/// Whether the guest could run twice by it, so that every hypervisor is asked.
fn asks_everywhere(act: &GuestAct) -> bool {
    matches!(act, GuestAct::Start | GuestAct::Migrate { .. })
}

fn premises(field: &Field<'_>, act: &GuestAct) -> Vec<Premise> {
    let state = match act {
        GuestAct::Suspend | GuestAct::Shutdown { .. } | GuestAct::Reset { .. } | GuestAct::Migrate { .. } => {
            GuestState::Running
        }
        GuestAct::Resume => GuestState::Paused,
        GuestAct::Start => GuestState::Off,
    };
    let mut premises = vec![premise(field, &field.host, state), premise(field, &field.host, GuestState::Idle)];
    for host in field.others.iter().filter(|_| asks_everywhere(act)) {
        let is_destination = act.to() == Some(host.name());
        let is = if is_destination { GuestState::Absent } else { GuestState::NotActive };
        premises.push(premise(field, host, is));
    }
    premises
}

fn sources(scene: &Scene<'_>, parts: &Parts<'_, '_>, steps: &[Step]) -> Vec<Source> {
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let source = |node: &Node, probe: ProbeId| Source {
        node: node.name.clone(),
        probe,
        requests: probe.probe().requests(node, deadline_ms),
    };
    let others = parts.field.others.iter().filter(|_| asks_everywhere(parts.act));
    let hosts = std::iter::once(&parts.field.host).chain(others);
    let mut sources: Vec<Source> = hosts.map(|host| source(host.node, ProbeId::Guests)).collect();
    let mut add = |source: Source| {
        if sources.iter().all(|known| known.node != source.node || known.probe != source.probe) {
            sources.push(source);
        }
    };
    if let Some(destination) = parts.destination {
        let named = steps.iter().flat_map(Step::checks).filter(|check| check.node == *destination.host.name());
        named.for_each(|check| add(source(destination.host.node, check.probe)));
    }
    let of_service = parts.service.into_iter().flat_map(|service| &service.departures).flat_map(|one| &one.sources);
    of_service.for_each(|source| add(source.clone()));
    sources
}
