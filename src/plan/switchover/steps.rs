//! The steps, in the one order in which a switchover loses nothing.
//!
//! What takes long comes before the standstill: the other replicas move under the target, which catches up. Then the
//! primary stands still under a lease that dies with vakt. The switch itself is several requests in one breath, announced
//! together: nobody writes, out of the load balancers, the target writes, into the load balancers. Whatever fails before
//! the target writes is undone, and the primary goes on.

use super::{
    body::sessions_users,
    endpoint::Endpoint,
    expect::DatabaseExpect,
    field::{Field, Seat},
    statements,
};
use crate::{
    model::{haproxy::AdminState, text::Clean},
    plan::{
        expect::{Check, Expect, ServerExpect},
        limits,
        parts::{Action, Need, OnLate, Step, Undo, Until, Wait, When, Write},
    },
    wire::{probe::ProbeId, request::Request},
};

/// Between two looks while nobody can write.
pub(in crate::plan) const QUICK_POLL_MS: u64 = 5;
/// Longest wait for the target to have applied what was written before the standstill.
pub(in crate::plan) const CATCH_UP_MS: u64 = 1_500;
/// Longest wait for the target to keep up before the standstill.
const KEEP_UP_MS: u64 = 30_000;
/// Longest wait until replication runs.
pub(in crate::plan) const REPLICATE_MS: u64 = 10_000;
/// Looks in a row at the end.
const PROOF_LOOKS: u32 = 3;

/// All steps; `None` when one cannot be written down, which the survey has refused.
pub(in crate::plan) fn all(field: &Field<'_>) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let acknowledger = first_acknowledger(field);
    for sibling in &field.siblings {
        let is_first = acknowledger.is_some_and(|first| first.node.name == sibling.node.name);
        steps.extend(move_sibling(field, sibling, is_first));
    }
    steps.push(keep_up(field));
    steps.push(stand_ready(field));
    steps.push(freeze(field));
    steps.push(catch_up(field));
    steps.push(fence(field));
    for endpoint in &field.endpoints {
        steps.push(out(endpoint)?);
    }
    steps.extend(field.besides.before());
    steps.push(promote(field));
    // One load balancer after the other: whoever comes back through the first one needs not wait for the others.
    for endpoint in &field.endpoints {
        steps.extend([into(endpoint)?, close(endpoint)?]);
    }
    steps.extend([end_sessions(field), follow(field), forget(field)]);
    steps.extend(field.besides.after());
    steps.extend([no_application(field), prove(field)]);
    Some(steps)
}

pub(in crate::plan) fn check(seat: &Seat<'_>, is: DatabaseExpect) -> Check {
    Check { node: seat.node.name.clone(), probe: ProbeId::Switchover, expect: Expect::Database(is) }
}

/// What it replicates from.
pub(in crate::plan) fn follows(source: &Seat<'_>) -> DatabaseExpect {
    DatabaseExpect::Follows { node: source.node.name.clone(), host: source.host.clone() }
}

pub(in crate::plan) fn points_to(source: &Seat<'_>) -> DatabaseExpect {
    DatabaseExpect::PointsTo { node: source.node.name.clone(), host: source.host.clone() }
}

/// What differs between writes.
pub(in crate::plan) struct Parts<'s> {
    title: String,
    seat: &'s Seat<'s>,
    request: Request,
    pub(in crate::plan) before: Vec<Check>,
    pub(in crate::plan) guards: Vec<Check>,
    pub(in crate::plan) done: Vec<Check>,
    pub(in crate::plan) also_after: Vec<Check>,
    pub(in crate::plan) poll_ms: u64,
    pub(in crate::plan) deadline_ms: u64,
    undo: Undo,
    pub(in crate::plan) at_once: bool,
}

impl<'s> Parts<'s> {
    pub(in crate::plan) fn new(title: &str, seat: &'s Seat<'s>, request: Request, undo: Undo) -> Self {
        Self {
            title: format!("{}: {title}", seat.node.name),
            seat,
            request,
            before: Vec::new(),
            guards: Vec::new(),
            done: Vec::new(),
            also_after: Vec::new(),
            poll_ms: limits::VERIFY_POLL_MS,
            deadline_ms: limits::VERIFY_DEADLINE_MS,
            undo,
            at_once: false,
        }
    }

    pub(in crate::plan) fn from(mut self, is: DatabaseExpect) -> Self {
        self.before.push(check(self.seat, is));
        self
    }

    pub(in crate::plan) fn to(mut self, is: DatabaseExpect) -> Self {
        self.done.push(check(self.seat, is));
        self
    }

    pub(in crate::plan) fn step(self) -> Step {
        Step {
            title: Clean::line(&self.title),
            when: When::Always,
            at_once: self.at_once,
            action: Action::Write(Box::new(Write {
                node: self.seat.node.name.clone(),
                request: self.request,
                binds: Vec::new(),
                before: self.before,
                guards: self.guards,
                after: until([&self.done[..], &self.also_after].concat(), 1, self.poll_ms, self.deadline_ms),
                done: self.done,
                undo: self.undo,
                rests: None,
                told_anew: false,
            })),
        }
    }
}

pub(in crate::plan) fn until(checks: Vec<Check>, holds: u32, poll_ms: u64, deadline_ms: u64) -> Until {
    Until { checks, need: Need::All, holds, poll_ms, deadline_ms }
}

pub(in crate::plan) fn wait(title: &str, until: Until, guards: Vec<Check>, on_late: OnLate) -> Step {
    let action = Action::Wait(Wait { until, guards, on_late, keeps: false });
    Step { title: Clean::line(title), when: When::Always, action, at_once: false }
}

pub(in crate::plan) fn send(label: &str, request: Request) -> Undo {
    Undo::Send { label: label.into(), request }
}

pub(in crate::plan) fn never(why: &str) -> Undo {
    Undo::Irreversible { why: why.into(), is_whole: false }
}

/// The first of the other replicas that acknowledges, where the target's commits are to wait for one and do not yet.
///
/// A replica of MariaDB acknowledges only where its source waited when it connected. If the target waited from the switch
/// on only, its first commits would wait for whoever connects next: that is the old primary, much later. One of MySQL
/// acknowledges whenever its source waits: there the target begins with the switch, and applies faster before it.
fn first_acknowledger<'f>(field: &'f Field<'_>) -> Option<&'f Seat<'f>> {
    let settings = |seat: &Seat<'_>| seat.sample.settings.semi_sync_source.known();
    let shall_wait = settings(&field.primary) == Some(true)
        && settings(&field.target) == Some(false)
        && !field.target.sample.is_mysql();
    let acknowledges = |seat: &&Seat<'_>| seat.sample.settings.semi_sync_replica.known() == Some(true);
    field.siblings.iter().filter(|_| shall_wait).find(acknowledges)
}

/// A replica of the primary becomes one of the target. It starts only once the target has what it has: one that asks for
/// more than its source has stops with an error. With the first one that acknowledges, in the same breath, the target
/// begins to wait: on a replica that nobody replicates from, what it applies would wait in vain.
fn move_sibling(field: &Field<'_>, sibling: &Seat<'_>, is_first_acknowledger: bool) -> Vec<Step> {
    let (primary, target) = (&field.primary, &field.target);
    let (name, to) = (&sibling.node.name, target.name());
    let back = send(&format!("replicates from {}", primary.name()), statements::point_back(sibling, primary));
    let mut point =
        Parts::new(&format!("replicates from {to} from now on"), sibling, statements::point_to(sibling, target), back)
            .from(follows(primary))
            .to(points_to(target));
    point.guards.push(check(target, DatabaseExpect::ReadOnly));
    let has_all = vec![check(target, DatabaseExpect::HasAllOf(name.clone()))];
    let has_all = until(has_all, 1, limits::VERIFY_POLL_MS, REPLICATE_MS);
    let reach = wait(&format!("{to}: wait until it has all that {name} has"), has_all, Vec::new(), OnLate::Fail);
    let mut start =
        Parts::new("starts again", sibling, statements::start(sibling), send("stopped", statements::stop(sibling)))
            .from(points_to(target))
            .to(follows(target));
    start.deadline_ms = REPLICATE_MS;
    let mut steps = vec![point.step(), reach];
    if is_first_acknowledger {
        let title = format!("commits wait for an acknowledgement, as of {name}");
        let undo = send("commits wait for nobody", statements::wait_for_nobody(target));
        let wait = Parts::new(&title, target, statements::wait_for_acknowledgements(target), undo);
        steps.push(wait.from(DatabaseExpect::WaitsNot).to(DatabaseExpect::Waits).step());
        start.at_once = true;
    }
    steps.push(start.step());
    steps
}

/// Before anything stands still, the target is as far as the primary was a moment ago.
fn keep_up(field: &Field<'_>) -> Step {
    let (primary, target) = (&field.primary, &field.target);
    let until = until(
        vec![check(target, DatabaseExpect::KeepsUpWith(primary.node.name.clone()))],
        2,
        limits::VERIFY_POLL_MS,
        KEEP_UP_MS,
    );
    let guards = vec![check(target, follows(primary))];
    wait(&format!("{}: wait until it keeps up with {}", target.name(), primary.name()), until, guards, OnLate::Fail)
}

fn stand_ready(field: &Field<'_>) -> Step {
    let target = &field.target;
    let undo = send("let go", statements::let_go(target));
    Parts::new("a session stands ready", target, statements::stand_ready(target), undo)
        .from(DatabaseExpect::NotHeld)
        .to(DatabaseExpect::Held)
        .step()
}

fn freeze(field: &Field<'_>) -> Step {
    let primary = &field.primary;
    let undo = send("writes go on", statements::let_go(primary));
    let mut freeze = Parts::new("nobody writes while this session lives", primary, statements::freeze(primary), undo)
        .from(DatabaseExpect::NotHeld)
        .from(DatabaseExpect::Writable)
        .to(DatabaseExpect::Held);
    // Asked at the last moment: what is refused when planning is refused here, too.
    for is in [DatabaseExpect::NothingInTheWay, DatabaseExpect::NobodyPassesReadOnly, DatabaseExpect::NoAutomation] {
        freeze.guards.push(check(primary, is));
    }
    freeze.guards.push(check(&field.target, DatabaseExpect::Held));
    // Read here, where nobody waits: the switch that follows within moments goes by it.
    for endpoint in &field.endpoints {
        freeze.guards.push(endpoint.check(&endpoint.old, ServerExpect::Told(AdminState::Ready)));
        freeze.guards.push(endpoint.check(&endpoint.new, ServerExpect::Told(endpoint.new_told)));
    }
    freeze.guards.extend(field.besides.looks());
    freeze.poll_ms = QUICK_POLL_MS;
    freeze.step()
}

fn catch_up(field: &Field<'_>) -> Step {
    let (primary, target) = (&field.primary, &field.target);
    // The second look at the primary since it stands still: both must say the same.
    let checks = vec![
        check(primary, DatabaseExpect::Frozen),
        check(target, DatabaseExpect::HasAllOf(primary.node.name.clone())),
    ];
    let until = until(checks, 1, QUICK_POLL_MS, CATCH_UP_MS);
    let mut guards = vec![check(primary, DatabaseExpect::Held)];
    // What is read here is the look before the switch.
    guards.extend(field.besides.quick_looks());
    wait(&format!("{}: wait until it has everything", target.name()), until, guards, OnLate::Fail)
}

fn fence(field: &Field<'_>) -> Step {
    let (primary, target) = (&field.primary, &field.target);
    let undo = send("takes writes", statements::take_writes_again(primary));
    let mut fence = Parts::new("read-only from now on", primary, statements::fence(primary), undo)
        .from(DatabaseExpect::Writable)
        .to(DatabaseExpect::ReadOnly);
    fence.guards.push(check(primary, DatabaseExpect::Held));
    fence.guards.push(check(target, DatabaseExpect::HasAllOf(primary.node.name.clone())));
    fence.poll_ms = QUICK_POLL_MS;
    fence.step()
}

fn balancer(endpoint: &Endpoint<'_>, what: Balanced) -> Step {
    let checks = |list: &[(&crate::model::intent::ServerPath, ServerExpect)]| {
        list.iter().map(|(server, is)| endpoint.check(server, *is)).collect::<Vec<_>>()
    };
    Step {
        title: Clean::line(&format!("{}: {}", endpoint.name(), what.title)),
        when: When::Always,
        at_once: true,
        action: Action::Write(Box::new(Write {
            node: endpoint.name().clone(),
            request: what.request,
            binds: Vec::new(),
            before: checks(&[(what.server, what.before)]),
            guards: Vec::new(),
            done: checks(&[(what.server, what.done)]),
            after: until(checks(&[(what.server, what.done)]), 1, QUICK_POLL_MS, what.deadline_ms),
            undo: what.undo,
            rests: None,
            told_anew: false,
        })),
    }
}

/// What is told to a load balancer.
struct Balanced<'e> {
    title: String,
    server: &'e crate::model::intent::ServerPath,
    request: Request,
    before: ServerExpect,
    done: ServerExpect,
    deadline_ms: u64,
    undo: Undo,
}

/// The old one goes out before the new one comes in.
pub(in crate::plan) fn out(endpoint: &Endpoint<'_>) -> Option<Step> {
    let server = &endpoint.old;
    Some(balancer(
        endpoint,
        Balanced {
            title: format!("{server} is out"),
            server,
            request: endpoint.tell(server, AdminState::Maint)?,
            before: ServerExpect::Told(AdminState::Ready),
            done: ServerExpect::Told(AdminState::Maint),
            deadline_ms: limits::VERIFY_DEADLINE_MS,
            undo: send("ready", endpoint.tell(server, AdminState::Ready)?),
        },
    ))
}

pub(in crate::plan) fn into(endpoint: &Endpoint<'_>) -> Option<Step> {
    let server = &endpoint.new;
    let from = endpoint.new_told;
    Some(balancer(
        endpoint,
        Balanced {
            title: format!("{server} is in"),
            server,
            request: endpoint.tell(server, AdminState::Ready)?,
            before: ServerExpect::Told(from),
            done: ServerExpect::Told(AdminState::Ready),
            deadline_ms: limits::VERIFY_DEADLINE_MS,
            undo: send(&from.to_string(), endpoint.tell(server, from)?),
        },
    ))
}

pub(in crate::plan) fn close(endpoint: &Endpoint<'_>) -> Option<Step> {
    let server = &endpoint.old;
    Some(balancer(
        endpoint,
        Balanced {
            title: format!("sessions of {server} end"),
            server,
            request: endpoint.shutdown(server)?,
            before: ServerExpect::Told(AdminState::Maint),
            done: ServerExpect::Empty,
            deadline_ms: limits::CLOSE_DEADLINE_MS,
            undo: never("a closed session does not come back; its client connects again"),
        },
    ))
}

/// The step behind which there is no way back but another switchover.
fn promote(field: &Field<'_>) -> Step {
    let (primary, target) = (&field.primary, &field.target);
    let undo = Undo::Irreversible {
        why: "what clients write here is only here; the way back is a switchover to the other side".into(),
        is_whole: true,
    };
    let mut promote = Parts::new("takes writes", target, statements::promote(primary, target), undo)
        .from(DatabaseExpect::ReadOnly)
        .to(DatabaseExpect::Writable);
    // When the run is taken up again here, everything must be there still.
    promote.guards.push(check(target, DatabaseExpect::HasAllOf(primary.node.name.clone())));
    promote.at_once = !field.besides.needs_look();
    promote.poll_ms = QUICK_POLL_MS;
    promote.step()
}

fn end_sessions(field: &Field<'_>) -> Step {
    let primary = &field.primary;
    let users = sessions_users(field);
    let undo = never("a closed session does not come back");
    Parts::new(
        "sessions of applications end, and the lock goes",
        primary,
        statements::end_sessions(primary, &users),
        undo,
    )
    .from(DatabaseExpect::Held)
    .to(DatabaseExpect::NotHeld)
    .step()
}

fn follow(field: &Field<'_>) -> Step {
    let (primary, target) = (&field.primary, &field.target);
    let undo = never("the way back is a switchover to it");
    let title = format!("replicates from {}", target.name());
    let mut follow = Parts::new(&title, primary, statements::follow(primary, target), undo)
        .from(DatabaseExpect::FollowsNobody)
        .to(follows(target));
    follow.guards.push(check(primary, DatabaseExpect::ReadOnly));
    follow.deadline_ms = REPLICATE_MS;
    follow.step()
}

fn forget(field: &Field<'_>) -> Step {
    let (primary, target) = (&field.primary, &field.target);
    let undo = never("the way back is a switchover to the other side");
    let title = format!("forgets that it replicated from {}", primary.name());
    let mut forget = Parts::new(&title, target, statements::forget(target), undo)
        .from(points_to(primary))
        .to(DatabaseExpect::FollowsNobody);
    forget.guards.push(check(target, DatabaseExpect::Writable));
    forget.deadline_ms = REPLICATE_MS;
    forget.step()
}

fn no_application(field: &Field<'_>) -> Step {
    let primary = &field.primary;
    let checks = vec![check(primary, DatabaseExpect::NoApplication)];
    let until = until(checks, 1, limits::WAIT_POLL_MS, limits::VERIFY_DEADLINE_MS);
    let late = format!("applications still have sessions on {}; they can read there, and not write", primary.name());
    let title = format!("{}: see that no application is connected", primary.name());
    wait(&title, until, Vec::new(), OnLate::GoOn(Clean::line(&late)))
}

/// One server takes writes, and everything leads to it.
fn prove(field: &Field<'_>) -> Step {
    let (primary, target) = (&field.primary, &field.target);
    let mut checks = vec![
        check(target, DatabaseExpect::Writable),
        check(target, DatabaseExpect::FollowsNobody),
        check(target, DatabaseExpect::NotHeld),
        check(primary, DatabaseExpect::ReadOnly),
        check(primary, DatabaseExpect::StandsStill),
        check(primary, follows(target)),
        check(primary, DatabaseExpect::NotHeld),
    ];
    for sibling in &field.siblings {
        checks.extend([check(sibling, DatabaseExpect::ReadOnly), check(sibling, follows(target))]);
    }
    checks.extend(field.others.iter().map(|other| check(other, DatabaseExpect::ReadOnly)));
    for endpoint in &field.endpoints {
        checks.push(endpoint.check(&endpoint.old, ServerExpect::Told(AdminState::Maint)));
        checks.push(endpoint.check(&endpoint.new, ServerExpect::TakesTraffic));
    }
    checks.extend(field.besides.proof());
    let until = until(checks, PROOF_LOOKS, limits::VERIFY_POLL_MS, REPLICATE_MS);
    let title = format!("{} takes writes, and nobody else", target.name());
    wait(&title, until, Vec::new(), OnLate::Fail)
}
