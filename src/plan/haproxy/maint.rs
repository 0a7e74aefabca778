//! `haproxy.maint`: out of traffic at once, not checked any more; open sessions survive.

use super::{
    Blast, Draft, Field, Outcome, Reason, Seat, ServerExpect, Tell, judge_capacity, prove, refuse_disagreement,
    refuse_inherited,
};
use crate::{
    model::haproxy::AdminState,
    plan::{
        expect::takes_traffic,
        parts::{Step, When},
    },
};

pub(super) fn plan(field: &Field<'_>, reasons: &mut Vec<Reason>) -> Option<Outcome> {
    refuse_inherited(field, reasons);
    let changing: Vec<&Seat<'_>> = field.seats.iter().filter(|seat| seat.told() != Some(AdminState::Maint)).collect();
    if changing.is_empty() {
        return Some(Outcome::AlreadyThere(format!("{} is already in maintenance on {}.", field.path, field.names())));
    }
    refuse_disagreement(field, &changing, "haproxy.drain", reasons);
    judge_capacity(field, &changing, reasons);
    let guard = ServerExpect::OthersCarry { percent_min: field.capacity_floor_percent };
    let mut steps = Vec::<Step>::new();
    let mut premises = Vec::new();
    for seat in &changing {
        let guards = if takes_traffic(seat.server) { vec![guard] } else { Vec::new() };
        premises.push(seat.check(&field.path, ServerExpect::Told(seat.told()?)));
        premises.extend(guards.iter().map(|is| seat.check(&field.path, *is)));
        steps.extend(seat.tell(
            &field.path,
            Tell {
                title: format!("{} into maintenance", field.path.server),
                when: When::Always,
                from: seat.told()?,
                to: AdminState::Maint,
                guards: &guards,
                also_after: &[],
            },
        ));
    }
    let title = format!("{}: {} is in maintenance", field.names(), field.path.server);
    steps.push(prove(field, &title, ServerExpect::Told(AdminState::Maint)));
    let mut effect = vec![format!(
        "{} gets no sessions at all, also none that a cookie or stick table binds to it, and is not checked any more.",
        field.path.server
    )];
    effect.push(match field.sessions() {
        0 => "It has no session now.".to_owned(),
        1 => "The 1 session it has stays open; to let it end first, drain.".to_owned(),
        sessions => format!("The {sessions} sessions it has stay open; to let them end first, drain."),
    });
    effect.push("Servers that track it go into maintenance too.".to_owned());
    Some(Outcome::Draft(Draft {
        effect,
        goal: format!("{} is in maintenance on {}", field.path, field.names()),
        premises,
        steps,
        confirm: Blast::Target,
        why: "clients that are bound to it are sent elsewhere at once".to_owned(),
    }))
}
