//! The steps, in the order by which nothing is lost that somebody still has: the fence first, for only then nothing more
//! arrives anywhere; then everything that arrived anywhere is applied on the target; then the target takes writes and
//! clients are let in. What takes long comes afterwards: the other replicas, and forgetting the old primary.

use super::{
    expect::DaemonExpect,
    fence,
    field::{Daemon, Fence, Field, Lost},
    loss::Loss,
};
use crate::{
    model::text::Clean,
    plan::{
        expect::{Check, Expect, ServerExpect},
        limits,
        parts::{Action, OnLate, Step, Undo, When, Write},
        switchover::{
            DatabaseExpect,
            expect::Source,
            field::Seat,
            statements,
            steps::{
                Parts, QUICK_POLL_MS, REPLICATE_MS, check, close, follows, into, never, out, points_to, send, until,
                wait,
            },
        },
    },
    wire::probe::ProbeId,
};

/// Longest wait until the receivers of all replicas have noticed that the old primary is gone.
const NOTICE_MS: u64 = 5_000;
/// Longest wait until a replica has applied what it has received: what is given up here may be lost.
pub(super) const APPLY_MS: u64 = 60_000;
/// Some looks: whoever has less then takes it from whoever has more.
const COMPARE_MS: u64 = 100;
/// Looks in a row at the end.
const PROOF_LOOKS: u32 = 3;

/// All steps; `None` when one cannot be written down, which the survey has refused.
pub(super) fn all(field: &Field<'_>) -> Option<Vec<Step>> {
    let mut steps = match &field.lost.fence {
        Fence::Daemon(daemon) => vec![raise_fence(&field.lost, daemon)],
        Fence::Cut(cut) => cut.raise(&field.lost),
    };
    steps.extend([fall_silent(field), apply(field, &field.target, When::Always)]);
    let mut sources = vec![source_of(&field.lost)];
    for sibling in &field.siblings {
        let at = steps.len();
        steps.extend(take_from(field, sibling, at, &sources));
        sources.push(Source { node: sibling.name().clone(), host: sibling.host.clone() });
    }
    let mut switch = field.endpoints.iter().map(out).collect::<Option<Vec<_>>>()?;
    switch.extend(field.besides.before());
    switch.push(promote(field));
    // The first of the breath needs a look of its own.
    steps.extend(
        switch.into_iter().enumerate().map(|(number, step)| Step { at_once: number > 0 && step.at_once, ..step }),
    );
    for endpoint in &field.endpoints {
        steps.extend([into(endpoint)?, close(endpoint)?]);
    }
    steps.push(forget(field, sources));
    steps.extend(field.siblings.iter().map(|sibling| move_under(field, sibling)));
    steps.extend(start_all(field));
    steps.extend(field.besides.after());
    // Files of a machine that does not answer nobody reads.
    if matches!(field.lost.fence, Fence::Daemon(_)) {
        steps.push(tell_loss(field));
    }
    steps.push(prove(field));
    Some(steps)
}

fn source_of(lost: &Lost<'_>) -> Source {
    Source { node: lost.name().clone(), host: lost.host.clone() }
}

fn pointed_at(lost: &Lost<'_>) -> DatabaseExpect {
    DatabaseExpect::PointsTo { node: lost.name().clone(), host: lost.host.clone() }
}

fn raise_fence(lost: &Lost<'_>, daemon: &Daemon) -> Step {
    let done = vec![lost.check(DaemonExpect::Fenced)];
    let undo = send("unmasked and started", fence::lower(&daemon.unit));
    Step {
        title: Clean::line(&format!("{}: masked and killed, and proven", lost.name())),
        when: When::Always,
        at_once: false,
        action: Action::Write(Box::new(Write {
            node: lost.name().clone(),
            request: fence::raise(&daemon.unit),
            rests: None,
            told_anew: false,
            binds: Vec::new(),
            before: vec![lost.check(DaemonExpect::NotMasked)],
            guards: Vec::new(),
            done: done.clone(),
            after: until(done, 1, QUICK_POLL_MS, limits::VERIFY_DEADLINE_MS),
            undo,
        })),
    }
}

/// What was on its way has arrived, and nothing more comes: only now what each has received can be compared.
fn fall_silent(field: &Field<'_>) -> Step {
    let checks = field.replicas().map(|seat| check(seat, DatabaseExpect::HearsNobody)).collect();
    let until = until(checks, 1, QUICK_POLL_MS, NOTICE_MS);
    let title = format!("all replicas: see that nothing comes from {} any more", field.lost.name());
    let late = if field.lost.doubts().is_empty() {
        OnLate::Fail
    } else {
        OnLate::GoOn(Clean::line(&format!("a replica may still hear {}", field.lost.name())))
    };
    wait(&title, until, field.lost.proof(), late)
}

fn apply(field: &Field<'_>, seat: &Seat<'_>, when: When) -> Step {
    let until = until(vec![check(seat, DatabaseExpect::AppliedAll)], 1, QUICK_POLL_MS, APPLY_MS);
    let title = format!("{}: wait until it has applied all that it has received", seat.name());
    let step = wait(&title, until, field.lost.proof(), OnLate::Fail);
    Step { when, ..step }
}

/// What a sibling has received beyond the target comes over from there, before anybody writes.
fn take_from(field: &Field<'_>, sibling: &Seat<'_>, at: usize, sources: &[Source]) -> [Step; 4] {
    let (target, lost) = (&field.target, &field.lost);
    let (name, to) = (sibling.name(), target.name());
    let has_all = || check(target, DatabaseExpect::HasReceived(name.clone()));
    let compare = until(vec![has_all()], 1, QUICK_POLL_MS, COMPARE_MS);
    let late = OnLate::GoOn(Clean::line(&format!("{name} had received more than {to}, which took it from there")));
    let compare = wait(&format!("{to}: has it received all that {name} has?"), compare, Vec::new(), late);
    let back =
        send(&format!("set to replicate from {}", lost.name()), statements::point(target, &lost.host, lost.port, true));
    let request = statements::point(target, &sibling.host, sibling.port(), true);
    let mut take = Parts::new(&format!("replicates from {name}"), target, request, back)
        .from(DatabaseExpect::PointsToNoneBut(sources.to_vec()))
        .to(points_to(sibling));
    // Once it takes writes, it applies nothing any more: that it did is no state that stays.
    take.also_after.push(check(target, follows(sibling)));
    take.guards.push(check(target, DatabaseExpect::AppliedAll));
    take.deadline_ms = REPLICATE_MS;
    let all = DatabaseExpect::HasAllOf(name.clone());
    let arrive = until(vec![check(target, all)], 1, QUICK_POLL_MS, APPLY_MS);
    let arrive = wait(&format!("{to}: wait until it has all that {name} has"), arrive, Vec::new(), OnLate::Fail);
    let when = When::Late(at);
    [compare, apply(field, sibling, when), Step { when, ..take.step() }, Step { when, ..arrive }]
}

/// The step behind which there is no way back.
fn promote(field: &Field<'_>) -> Step {
    let (target, lost) = (&field.target, &field.lost);
    let undo = Undo::Irreversible {
        why: format!("what clients write here is only here; {} comes back as its replica (mysql.rejoin)", lost.name())
            .as_str()
            .into(),
        is_whole: true,
    };
    let mut promote = Parts::new("takes writes", target, statements::take_over(target), undo)
        .from(DatabaseExpect::ReadOnly)
        .to(DatabaseExpect::Writable);
    // When the run is taken up again here, everything must be so still.
    promote.guards.extend(lost.proof());
    promote.guards.push(check(target, DatabaseExpect::AppliedAll));
    let received = |sibling: &Seat<'_>| check(target, DatabaseExpect::HasReceived(sibling.name().clone()));
    promote.guards.extend(field.siblings.iter().map(received));
    promote.at_once = !field.besides.needs_look();
    promote.poll_ms = QUICK_POLL_MS;
    promote.step()
}

fn forget(field: &Field<'_>, sources: Vec<Source>) -> Step {
    let target = &field.target;
    let undo = never("there is nobody to replicate from");
    let title = format!("forgets that it replicated from {}", field.lost.name());
    let mut forget = Parts::new(&title, target, statements::forget(target), undo)
        .from(DatabaseExpect::PointsToOneOf(sources))
        .to(DatabaseExpect::FollowsNobody);
    forget.guards.push(check(target, DatabaseExpect::Writable));
    forget.deadline_ms = REPLICATE_MS;
    forget.step()
}

fn move_under(field: &Field<'_>, sibling: &Seat<'_>) -> Step {
    let target = &field.target;
    let title = format!("is set to replicate from {}", target.name());
    let undo = never("there is nobody else to replicate from");
    let mut point = Parts::new(&title, sibling, statements::point_to(sibling, target), undo)
        .from(pointed_at(&field.lost))
        .to(points_to(target));
    point.guards.push(check(target, DatabaseExpect::Writable));
    point.deadline_ms = REPLICATE_MS;
    point.step()
}

/// A replica acknowledges only where its source waited for acknowledgements when it connected; and where nobody is
/// connected, commits wait in vain. So both leave in one breath.
fn start_all(field: &Field<'_>) -> Vec<Step> {
    let target = &field.target;
    let acknowledges = |seat: &&Seat<'_>| seat.sample.settings.semi_sync_replica.known() == Some(true);
    let mut steps = Vec::new();
    if let Some(first) = field.siblings.iter().find(acknowledges) {
        let undo = never("the commits that waited were safer for it");
        let title = format!("commits wait for an acknowledgement, as of {}", first.name());
        let request = statements::wait_for_acknowledgements(target);
        let mut on = Parts::new(&title, target, request, undo).from(DatabaseExpect::WaitsNot).to(DatabaseExpect::Waits);
        on.guards.push(check(target, DatabaseExpect::Writable));
        steps.push(on.step());
    }
    for sibling in &field.siblings {
        let undo = never("there is nobody else to replicate from");
        let mut start = Parts::new("starts again", sibling, statements::start(sibling), undo)
            .from(points_to(target))
            .to(follows(target));
        start.deadline_ms = REPLICATE_MS;
        start.at_once = !steps.is_empty();
        steps.push(start.step());
    }
    steps
}

/// What the old primary wrote and nobody received, by its own files. Clients write already: it may take its time.
fn tell_loss(field: &Field<'_>) -> Step {
    let (from, to) = (field.lost.name(), field.target.name());
    let expect = Expect::Daemon(DaemonExpect::AllIsOn(to.clone()));
    let all = Check { node: from.clone(), probe: ProbeId::Binlog, expect };
    let until = until(vec![all], 1, limits::VERIFY_POLL_MS, limits::VERIFY_POLL_MS);
    let late = match field.loss {
        Loss::None(_) => {
            format!("Lost: none that clients were told of. Besides, as far as the binary log of {from} tells")
        }
        Loss::Unknown(_) => {
            format!("Lost, as far as the binary log of {from} tells, whether clients were told of it or not")
        }
    };
    let tell = OnLate::Tell {
        held: Clean::line(&format!("Lost: none. {to} has everything that the binary log of {from} holds")),
        late: Clean::line(&late),
    };
    wait(&format!("{from}: see what its binary log holds that {to} lacks"), until, Vec::new(), tell)
}

/// One server takes writes, everything leads to it, and the old one is fenced still.
fn prove(field: &Field<'_>) -> Step {
    let (target, lost) = (&field.target, &field.lost);
    let mut checks: Vec<Check> =
        vec![check(target, DatabaseExpect::Writable), check(target, DatabaseExpect::FollowsNobody)];
    for sibling in &field.siblings {
        checks.extend([check(sibling, DatabaseExpect::ReadOnly), check(sibling, follows(target))]);
    }
    checks.extend(field.others.iter().map(|other| check(other, DatabaseExpect::ReadOnly)));
    checks.extend(lost.proof());
    for endpoint in &field.endpoints {
        checks.push(endpoint.check(&endpoint.old, ServerExpect::Told(crate::model::haproxy::AdminState::Maint)));
        checks.push(endpoint.check(&endpoint.new, ServerExpect::TakesTraffic));
    }
    checks.extend(field.besides.proof());
    let until = until(checks, PROOF_LOOKS, limits::VERIFY_POLL_MS, REPLICATE_MS);
    let title = format!("{} takes writes, and nobody else", target.name());
    wait(&title, until, Vec::new(), OnLate::Fail)
}
