//! `haproxy.drain`: no new sessions, then wait until the present ones are gone.

use super::{
    Blast, Draft, Field, Outcome, Reason, Seat, ServerExpect, Tell, WriteParts, judge_capacity, prove, seconds, wait,
};
use crate::{
    model::{haproxy::AdminState, intent::OnDeadline, text::Clean},
    plan::{
        expect::is_down,
        limits,
        parts::{Need, OnLate, Step, Undo, Until, When},
    },
};

pub(super) fn plan(field: &Field<'_>, deadline_ms: u64, on_deadline: OnDeadline, reasons: &mut Vec<Reason>) -> Outcome {
    let changing: Vec<&Seat<'_>> = field.seats.iter().filter(|seat| seat.told() == Some(AdminState::Ready)).collect();
    let alone = judge_capacity(field, &changing, reasons);
    let is_down_everywhere = field.seats.iter().all(|seat| is_down(seat.server));
    let waits = !is_down_everywhere;
    if changing.is_empty() && (field.sessions() == 0 || is_down_everywhere) {
        return Outcome::AlreadyThere(format!(
            "{} already gets no new sessions on {}, and {}.",
            field.path,
            field.names(),
            if field.sessions() == 0 { "has none left" } else { "is down" }
        ));
    }
    let mut steps: Vec<Step> = changing.iter().filter_map(|seat| drain(field, seat)).collect();
    if waits {
        steps.push(wait_until_quiet(field, deadline_ms, on_deadline));
        if on_deadline != OnDeadline::Keep {
            let late = When::Late(steps.len() - 1);
            steps.extend(field.seats.iter().filter_map(|seat| maintenance(field, seat, late)));
            if on_deadline == OnDeadline::MaintAndClose {
                steps.extend(field.seats.iter().map(|seat| close(field, seat, late)));
            }
        }
    }
    let title = format!("{}: {} gets no new sessions", field.names(), field.path.server);
    steps.push(prove(field, &title, ServerExpect::OutOfRotation));
    let closes = waits && on_deadline == OnDeadline::MaintAndClose;
    let (confirm, why) = if closes {
        (Blast::Target, "sessions that are open at the deadline are closed".to_owned())
    } else if alone == Blast::Target {
        (Blast::Target, format!("one server stays in traffic: its failure would stop {}", field.path.backend))
    } else {
        (Blast::Small, "every step can be undone".to_owned())
    };
    let mut premises = field
        .seats
        .iter()
        .filter_map(|seat| Some(seat.check(&field.path, ServerExpect::Told(seat.told()?))))
        .collect::<Vec<_>>();
    premises.extend(changing.iter().filter(|seat| !is_down(seat.server)).map(|seat| others_carry(field, seat)));
    Outcome::Draft(Draft {
        effect: effect(field, deadline_ms, on_deadline, waits),
        goal: format!("{} gets no new sessions on {}", field.path, field.names()),
        premises,
        steps,
        confirm,
        why,
    })
}

fn others_carry(field: &Field<'_>, seat: &Seat<'_>) -> crate::plan::expect::Check {
    seat.check(&field.path, ServerExpect::OthersCarry { percent_min: field.capacity_floor_percent })
}

fn effect(field: &Field<'_>, deadline_ms: u64, on_deadline: OnDeadline, waits: bool) -> Vec<String> {
    let name = &field.path.server;
    let mut effect = vec![format!("{name} gets no new sessions. Health checks go on.")];
    for seat in field.seats.iter().filter(|seat| seat.told() != Some(AdminState::Ready)) {
        let told = seat.told().map_or_else(String::new, |told| told.to_string());
        effect.push(format!("{} already says {told} and is left as it is.", seat.node.name));
    }
    if !waits {
        effect.push(format!("{name} is down, so nothing is waited for."));
        return effect;
    }
    let then = match on_deadline {
        OnDeadline::Keep => "After that it keeps draining and the run ends stopped",
        OnDeadline::Maint => "After that it goes into maintenance with its sessions open",
        OnDeadline::MaintAndClose => "After that it goes into maintenance and its sessions are closed",
    };
    let may_take = format!("may take {} to end. {then}.", seconds(deadline_ms));
    effect.push(match field.sessions() {
        0 => format!("It has no session now; one that still comes {may_take}"),
        1 => format!("Its 1 session {may_take}"),
        sessions => format!("Its {sessions} sessions {may_take}"),
    });
    if field.is_tcp() {
        effect.push(
            "This is a TCP backend: clients with connection pools keep their sessions until they close them, \
             so the deadline may well pass."
                .to_owned(),
        );
        if on_deadline != OnDeadline::MaintAndClose {
            effect.push("To close what is left, add --on-deadline maint+close.".to_owned());
        }
    } else {
        effect.push("Requests that a cookie or stick table binds to it still arrive while it drains.".to_owned());
    }
    effect
}

/// No new sessions on one load balancer.
pub(super) fn drain(field: &Field<'_>, seat: &Seat<'_>) -> Option<Step> {
    let guard = [ServerExpect::OthersCarry { percent_min: field.capacity_floor_percent }];
    let tell = Tell {
        title: format!("no new sessions for {}", field.path.server),
        when: When::Always,
        from: AdminState::Ready,
        to: AdminState::Drain,
        guards: if is_down(seat.server) { &[] } else { &guard },
        also_after: &[],
    };
    seat.tell(&field.path, tell)
}

fn wait_until_quiet(field: &Field<'_>, deadline_ms: u64, on_deadline: OnDeadline) -> Step {
    let name = &field.path.server;
    let passed = seconds(deadline_ms);
    let on_late = match on_deadline {
        OnDeadline::Keep => OnLate::Rest(Clean::line(&format!(
            "{name} is not empty after {passed}; it keeps draining and gets no new sessions"
        ))),
        OnDeadline::Maint => {
            OnLate::GoOn(Clean::line(&format!("{name} was not empty after {passed}; its sessions stay open")))
        }
        OnDeadline::MaintAndClose => {
            OnLate::GoOn(Clean::line(&format!("{name} was not empty after {passed}; its sessions were closed")))
        }
    };
    let until = Until {
        checks: field.checks(ServerExpect::Quiet),
        need: Need::All,
        holds: limits::QUIET_LOOKS,
        poll_ms: limits::WAIT_POLL_MS,
        deadline_ms,
    };
    let title = format!("{}: wait until {name} has no session left", field.names());
    wait(&title, When::Always, until, field.checks(ServerExpect::OutOfRotation), on_late)
}

/// Into maintenance on one load balancer, after a drain.
pub(super) fn maintenance(field: &Field<'_>, seat: &Seat<'_>, when: When) -> Option<Step> {
    // One that was told something else already is further out, or not ours to tell.
    matches!(seat.told(), Some(AdminState::Ready | AdminState::Drain)).then_some(())?;
    let tell = Tell {
        title: format!("{} into maintenance", field.path.server),
        when,
        from: AdminState::Drain,
        to: AdminState::Maint,
        guards: &[],
        also_after: &[],
    };
    seat.tell(&field.path, tell)
}

/// Closing the sessions of the server on one load balancer.
pub(super) fn close(field: &Field<'_>, seat: &Seat<'_>, when: When) -> Step {
    seat.write(
        &field.path,
        WriteParts {
            title: format!("close the sessions of {}", field.path.server),
            when,
            request: seat.commands.shutdown_sessions(),
            before: vec![ServerExpect::HasSessions],
            guards: vec![ServerExpect::NoNewSessions],
            done: vec![ServerExpect::Empty],
            also_after: Vec::new(),
            deadline_ms: limits::CLOSE_DEADLINE_MS,
            undo: Undo::Irreversible {
                why: "a closed session does not come back; its client connects again".into(),
                is_whole: false,
            },
        },
    )
}
