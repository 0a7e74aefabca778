//! The steps: started read-only, compared, and only then replicating.

use super::field::{Field, Joiner};
use crate::{
    model::text::Clean,
    plan::{
        expect::{Check, Expect},
        failover::{DaemonExpect, fence, reopen::Closed},
        limits,
        parts::{Action, OnLate, Step, When, Write},
        switchover::{
            DatabaseExpect,
            field::Seat,
            statements,
            steps::{Parts, REPLICATE_MS, check, follows, send, until, wait},
        },
    },
    wire::probe::ProbeId,
};

/// Longest wait until a server that was killed has recovered and answers.
const START_MS: u64 = 120_000;
/// Longest wait until it has caught up; it goes on by itself afterwards.
pub(super) const CATCH_UP_MS: u64 = 600_000;
/// Looks in a row at the end.
const PROOF_LOOKS: u32 = 3;

/// All steps.
pub(super) fn all(field: &Field<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Joiner::Fenced { unit } = &field.joiner {
        steps.push(start(field, unit));
        steps.push(compare(field));
    }
    // Whoever is let near others is read-only by then, and has nothing that the primary lacks.
    let guards = || {
        let beyond = DatabaseExpect::NothingBeyond(field.primary.name().clone());
        vec![check(&field.seat, DatabaseExpect::ReadOnly), check(&field.seat, beyond)]
    };
    steps.extend(field.closed.iter().map(|closed| closed.reopen(field.seat.name(), guards())));
    steps.extend([follow(field), catch_up(field), prove(field)]);
    steps
}

fn daemon(seat: &Seat<'_>, is: DaemonExpect) -> Check {
    Check { node: seat.name().clone(), probe: ProbeId::Daemon, expect: Expect::Daemon(is) }
}

pub(super) fn fenced(seat: &Seat<'_>) -> Check {
    daemon(seat, DaemonExpect::Fenced)
}

fn start(field: &Field<'_>, unit: &Clean) -> Step {
    let seat = &field.seat;
    let done = vec![daemon(seat, DaemonExpect::Runs)];
    let after = [&done[..], &[check(seat, DatabaseExpect::ReadOnly)]].concat();
    Step {
        title: Clean::line(&format!("{}: unmasked, and started read-only", seat.name())),
        when: When::Always,
        at_once: false,
        action: Action::Write(Box::new(Write {
            node: seat.name().clone(),
            request: fence::start_read_only(unit, seat.dialect),
            rests: None,
            told_anew: false,
            binds: Vec::new(),
            before: vec![fenced(seat)],
            guards: vec![check(&field.primary, DatabaseExpect::Writable)],
            done,
            after: until(after, 1, limits::VERIFY_POLL_MS, START_MS),
            undo: send("masked and killed", fence::raise(unit)),
        })),
    }
}

/// Before anything of the primary arrives: afterwards nobody could tell the two histories apart.
fn compare(field: &Field<'_>) -> Step {
    let (seat, primary) = (&field.seat, &field.primary);
    let beyond = check(seat, DatabaseExpect::NothingBeyond(primary.name().clone()));
    let checks = std::iter::once(beyond).chain(finds_all(field)).collect();
    let until = until(checks, 1, limits::VERIFY_POLL_MS, limits::VERIFY_DEADLINE_MS);
    let guards = vec![check(seat, DatabaseExpect::ReadOnly), check(seat, DatabaseExpect::FollowsNobody)];
    let title = format!("{}: see that it has nothing that {} lacks", seat.name(), primary.name());
    wait(&title, until, guards, OnLate::Fail)
}

/// MySQL tells what its binary logs do not hold any more: who lacks that could not catch up.
fn finds_all(field: &Field<'_>) -> Option<Check> {
    let is_told = field.primary.sample.is_mysql();
    is_told.then(|| check(&field.seat, DatabaseExpect::FindsAllOn(field.primary.name().clone())))
}

fn follow(field: &Field<'_>) -> Step {
    let (seat, primary) = (&field.seat, &field.primary);
    let request = statements::follow_again(seat, primary, field.has_semi_sync);
    let undo = send("replicates from nobody", statements::follow_nobody(seat));
    let title = format!("replicates from {}", primary.name());
    let mut follow = Parts::new(&title, seat, request, undo).from(DatabaseExpect::FollowsNobody).to(follows(primary));
    follow.guards.push(check(seat, DatabaseExpect::ReadOnly));
    follow.guards.push(check(seat, DatabaseExpect::NothingBeyond(primary.name().clone())));
    follow.guards.extend(finds_all(field));
    follow.deadline_ms = REPLICATE_MS;
    follow.step()
}

fn catch_up(field: &Field<'_>) -> Step {
    let (seat, primary) = (&field.seat, &field.primary);
    let keeps_up = vec![check(seat, DatabaseExpect::KeepsUpWith(primary.name().clone()))];
    let until = until(keeps_up, 2, limits::VERIFY_POLL_MS, CATCH_UP_MS);
    let guards = vec![check(seat, DatabaseExpect::ReadOnly)];
    let late = OnLate::GoOn(Clean::line(&format!("{} replicates and has not caught up yet", seat.name())));
    wait(&format!("{}: wait until it keeps up with {}", seat.name(), primary.name()), until, guards, late)
}

fn prove(field: &Field<'_>) -> Step {
    let (seat, primary) = (&field.seat, &field.primary);
    let mut checks = vec![
        check(seat, DatabaseExpect::ReadOnly),
        check(seat, follows(primary)),
        daemon(seat, DaemonExpect::Runs),
        check(primary, DatabaseExpect::Writable),
    ];
    checks.extend(field.closed.iter().map(Closed::is_open));
    let until = until(checks, PROOF_LOOKS, limits::VERIFY_POLL_MS, REPLICATE_MS);
    let title = format!("{} replicates from {}, and {0} takes no writes", seat.name(), primary.name());
    wait(&title, until, Vec::new(), OnLate::Fail)
}
