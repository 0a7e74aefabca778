//! `haproxy.ready`: back into traffic, through drain until a check passes.
//!
//! A server that leaves maintenance counts as up until its first check says otherwise, and would get sessions although
//! it is dead (measured on 2.6). Drain lets the checks run without sessions.

use super::{
    Blast, Draft, Field, Outcome, Reason, Seat, ServerExpect, Tell, WriteParts, ramp::Ramp, refuse_disagreement,
    refuse_inherited, seconds, wait,
};
use crate::{
    model::{
        haproxy::{AdminState, ConfiguredState, OperationalState},
        text::Clean,
    },
    plan::{
        limits,
        parts::{Need, OnLate, Step, Undo, Until, When},
    },
};

pub(super) fn plan(field: &Field<'_>, deadline_ms: u64, weight: Option<u64>, reasons: &mut Vec<Reason>) -> Outcome {
    refuse_inherited(field, reasons);
    let wanted = |seat: &Seat<'_>| match seat.weight() {
        0 => weight.unwrap_or_else(|| seat.weight_configured()),
        current => weight.unwrap_or(current),
    };
    let changing: Vec<&Seat<'_>> = field
        .seats
        .iter()
        .filter(|seat| seat.told() != Some(AdminState::Ready) || seat.weight() != wanted(seat))
        .collect();
    let returning: Vec<&Seat<'_>> =
        changing.iter().copied().filter(|seat| seat.told() != Some(AdminState::Ready)).collect();
    refuse_disagreement(field, &returning, "haproxy.maint", reasons);
    if changing.is_empty() {
        return Outcome::AlreadyThere(format!("{} is already told ready on {}.", field.path, field.names()));
    }
    let ramp = Ramp::of(field, &returning, wanted);
    let mut steps: Vec<Step> = changing.iter().filter_map(|seat| through_drain(field, seat)).collect();
    let checked = |seat: &&&Seat<'_>| seat.server.operational != OperationalState::Unchecked;
    let with_check: Vec<&Seat<'_>> = changing.iter().filter(checked).copied().collect();
    if !with_check.is_empty() {
        steps.push(wait_for_check(field, &with_check, deadline_ms));
    }
    steps.extend(
        changing
            .iter()
            .filter(|seat| seat.weight() != wanted(seat) && !ramp.has(seat))
            .map(|seat| set_weight(field, seat, (seat.weight(), wanted(seat)), &[])),
    );
    steps.extend(ramp.begin(field));
    steps.extend(returning.iter().filter_map(|seat| into_traffic(field, seat)));
    steps.extend(ramp.go_on(field));
    steps.push(wait_for_traffic(field));
    let disabled = returning.iter().any(|seat| seat.server.configured.known() == Some(ConfiguredState::Disabled));
    let (confirm, why) = if disabled {
        let why = format!(
            "the file says disabled: in {} this may open a place to write that should stay shut",
            field.path.backend
        );
        (Blast::Cluster, why)
    } else {
        (Blast::Small, "every step can be undone".to_owned())
    };
    let sets_weight = weight.is_some() || changing.iter().any(|seat| seat.weight() != wanted(seat));
    let premises = field.seats.iter().flat_map(|seat| {
        let told = seat.told().map(|told| seat.check(&field.path, ServerExpect::Told(told)));
        let in_file = seat.weight_in_file(&field.path).filter(|_| sets_weight);
        told.into_iter().chain([seat.check(&field.path, ServerExpect::Weight(seat.weight()))]).chain(in_file)
    });
    Outcome::Draft(Draft {
        effect: effect(field, &changing, deadline_ms, wanted).into_iter().chain(ramp.words(field)).collect(),
        goal: format!("{} is back in traffic on {}", field.path, field.names()),
        premises: premises.collect(),
        steps,
        confirm,
        why,
    })
}

fn effect(
    field: &Field<'_>,
    changing: &[&Seat<'_>],
    deadline_ms: u64,
    wanted: impl Fn(&Seat<'_>) -> u64,
) -> Vec<String> {
    let name = &field.path.server;
    let mut effect = Vec::new();
    if changing.iter().all(|seat| seat.server.operational == OperationalState::Unchecked) {
        effect.push(format!("Nobody checks {name}: it gets new sessions at once, also if it does not work."));
    } else {
        effect.push(format!(
            "{name} gets new sessions once its health check passes on {}; until then it drains.",
            super::names_of(changing.iter().map(|seat| &seat.node.name))
        ));
        effect.push(format!("If no check passes within {}, everything is put back.", seconds(deadline_ms)));
    }
    for seat in &field.seats {
        let weight = wanted(seat);
        effect.push(if seat.weight() == weight {
            format!("{}: it returns with weight {weight}.", seat.node.name)
        } else {
            format!("{}: its weight goes from {} to {weight}.", seat.node.name, seat.weight())
        });
        if seat.server.configured.known() == Some(ConfiguredState::Disabled) {
            effect.push(format!("{}: haproxy.cfg says disabled; after a reload it is so again.", seat.node.name));
        }
    }
    effect
}

/// Out of maintenance, but not yet into traffic.
fn through_drain(field: &Field<'_>, seat: &Seat<'_>) -> Option<Step> {
    (seat.told() == Some(AdminState::Maint)).then_some(())?;
    let tell = Tell {
        title: format!("checks of {} start again, no sessions yet", field.path.server),
        when: When::Always,
        from: AdminState::Maint,
        to: AdminState::Drain,
        guards: &[],
        also_after: &[],
    };
    seat.tell(&field.path, tell)
}

fn wait_for_check(field: &Field<'_>, seats: &[&Seat<'_>], deadline_ms: u64) -> Step {
    let checks = |is| seats.iter().map(|seat| seat.check(&field.path, is)).collect::<Vec<_>>();
    let until = Until {
        checks: checks(ServerExpect::CheckPasses),
        need: Need::All,
        holds: limits::CHECK_LOOKS,
        poll_ms: limits::WAIT_POLL_MS,
        deadline_ms,
    };
    let held = seats
        .iter()
        .filter(|seat| seat.told() != Some(AdminState::Ready))
        .map(|seat| seat.check(&field.path, ServerExpect::OutOfRotation));
    let title = format!(
        "{}: wait until {} passes its health check",
        super::names_of(seats.iter().map(|seat| &seat.node.name)),
        field.path.server
    );
    wait(&title, When::Always, until, held.collect(), OnLate::Fail)
}

/// Another weight on one load balancer.
pub(super) fn set_weight(
    field: &Field<'_>,
    seat: &Seat<'_>,
    (from, weight): (u64, u64),
    guards: &[ServerExpect],
) -> Step {
    seat.write(
        &field.path,
        WriteParts {
            title: format!("weight {weight} for {}", field.path.server),
            when: When::Always,
            request: seat.commands.set_weight(weight),
            before: vec![ServerExpect::Weight(from)],
            guards: guards.to_vec(),
            done: vec![ServerExpect::Weight(weight)],
            also_after: Vec::new(),
            deadline_ms: limits::VERIFY_DEADLINE_MS,
            undo: Undo::Send { label: Clean::line(&format!("weight {from}")), request: seat.commands.set_weight(from) },
        },
    )
}

fn into_traffic(field: &Field<'_>, seat: &Seat<'_>) -> Option<Step> {
    let checked = seat.server.operational != OperationalState::Unchecked;
    let tell = Tell {
        title: format!("{} gets new sessions", field.path.server),
        when: When::Always,
        from: AdminState::Drain,
        to: AdminState::Ready,
        guards: if checked { &[ServerExpect::CheckPasses] } else { &[] },
        also_after: &[ServerExpect::TakesTraffic],
    };
    seat.tell(&field.path, tell)
}

fn wait_for_traffic(field: &Field<'_>) -> Step {
    let until = Until {
        checks: field.checks(ServerExpect::Chosen),
        need: Need::Any,
        holds: 1,
        poll_ms: limits::WAIT_POLL_MS,
        deadline_ms: limits::TRAFFIC_DEADLINE_MS,
    };
    let on_late = OnLate::GoOn(Clean::line(&format!(
        "no new session reached {} within {}; there may be no traffic now",
        field.path.server,
        seconds(limits::TRAFFIC_DEADLINE_MS)
    )));
    let title = format!("{}: see the first new session of {}", field.names(), field.path.server);
    wait(&title, When::Always, until, field.checks(ServerExpect::Told(AdminState::Ready)), on_late)
}
