//! `haproxy.kill-sessions`: end the sessions of a server that gets no new ones.
//!
//! Refused while it does: "no session left" could never be verified then, and clients would come straight back.

use super::{Blast, Draft, Field, Outcome, Reason, ReasonKind, Seat, ServerExpect, drain::close, prove};
use crate::plan::{expect::Verdict, parts::When};

pub(super) fn plan(field: &Field<'_>, reasons: &mut Vec<Reason>) -> Outcome {
    let in_traffic: Vec<&Seat<'_>> = field
        .seats
        .iter()
        .filter(|seat| {
            let check = seat.check(&field.path, ServerExpect::NoNewSessions);
            matches!(check.judge(&seat.facts, None), Verdict::Fails(_))
        })
        .collect();
    if !in_traffic.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::InTraffic,
            format!(
                "{} still gets new sessions on {}.",
                field.path,
                super::names_of(in_traffic.iter().map(|seat| &seat.node.name))
            ),
            field.evidence(),
            format!("Drain it first, or both at once: vakt do haproxy.drain {} --on-deadline maint+close.", field.path),
        ));
    }
    if field.sessions() == 0 {
        return Outcome::AlreadyThere(format!("{} has no session on {}.", field.path, field.names()));
    }
    let mut steps: Vec<_> =
        field.seats.iter().filter(|seat| seat.sessions() > 0).map(|seat| close(field, seat, When::Always)).collect();
    let title = format!("{}: {} has no session left", field.names(), field.path.server);
    steps.push(prove(field, &title, ServerExpect::Empty));
    let sessions = match field.sessions() {
        1 => "1 session is closed; its client loses".to_owned(),
        sessions => format!("{sessions} sessions are closed; their clients lose"),
    };
    Outcome::Draft(Draft {
        effect: vec![
            format!("{sessions} what is in flight and may connect again, to another server."),
            format!("{} gets no new sessions before and after.", field.path.server),
        ],
        goal: format!("{} has no session left on {}", field.path, field.names()),
        premises: field.checks(ServerExpect::NoNewSessions),
        steps,
        confirm: Blast::Target,
        why: "closed sessions do not come back".to_owned(),
    })
}
