//! Planning for HAProxy: one file per action, and what they share: the load balancers as observed ([`Field`]), and the
//! parts that every such plan is built from.
//!
//! A load balancer that is already as wanted is left alone, so that a change that one of them forgot (a reload) is
//! applied again; those that are to be changed must agree with one another.

pub(super) mod departure;
mod drain;
mod field;
mod kill_sessions;
pub(super) mod machine;
mod maint;
pub(super) mod ramp;
mod ready;
mod weight;

use super::{
    expect::{self, Check, Expect, ServerExpect},
    limits,
    parts::{
        Action, Body, ConfirmBy, Confirmation, Need, OnLate, Plan, Premise, Source, Step, Subject, Undo, Until, Wait,
        When, Write,
    },
    refusal::{AlreadyThere, Planned, Reason, ReasonKind, Refusal},
    text::seconds,
};
use crate::{
    model::{
        haproxy::AdminState,
        ids::NodeName,
        intent::{Change, Intent, ServerPath},
        inventory::{Confirm, Inventory, Policy},
        text::Clean,
        time::Now,
        world::World,
    },
    wire::{
        haproxy::{HaproxyProbe, commands::ServerCommands},
        probe::{Probe, ProbeId},
        request::Request,
    },
};
use field::{Field, Seat};

/// What an action makes of the load balancers.
enum Outcome {
    /// Something to do.
    Draft(Draft),
    /// Nothing to do; what is, in a sentence.
    AlreadyThere(String),
}

/// A plan without what all plans have in common.
struct Draft {
    effect: Vec<String>,
    goal: String,
    premises: Vec<Check>,
    steps: Vec<Step>,
    confirm: Blast,
    why: String,
}

/// How far a change reaches, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blast {
    /// Undone by one key, nobody notices.
    Small,
    /// Clients of one server notice, or the next failure would be noticed.
    Target,
    /// More than the target may be concerned.
    Cluster,
}

/// Plans a HAProxy change.
pub(super) fn plan(
    world: &World,
    inventory: &Inventory,
    intent: &Intent,
    policy: &Policy,
    now: Now,
) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if policy.read_only {
        reasons.push(Reason::read_only());
    }
    let Some(path) = intent.change.server() else {
        let what = "This action is not about a server of a load balancer; this is a fault of vakt.";
        let reasons = vec![Reason::new(ReasonKind::Internal, what, Vec::new(), "Report this.")];
        return Err(Refusal::of(intent, intent.change.id().into(), reasons));
    };
    let field = Field::survey(world, inventory, path, policy, now, &mut reasons);
    let outcome = if field.seats.is_empty() { None } else { outcome(&field, intent, &mut reasons) };
    match outcome {
        Some(outcome) if reasons.is_empty() => Ok(finish(outcome, &field, inventory, intent, policy, now)),
        _ => Err(Refusal::of(intent, title(&intent.change, path), reasons)),
    }
}

fn outcome(field: &Field<'_>, intent: &Intent, reasons: &mut Vec<Reason>) -> Option<Outcome> {
    match &intent.change {
        Change::HaproxyDrain { deadline_ms, on_deadline, .. } => {
            Some(drain::plan(field, *deadline_ms, *on_deadline, reasons))
        }
        Change::HaproxyReady { deadline_ms, weight, .. } => Some(ready::plan(field, *deadline_ms, *weight, reasons)),
        Change::HaproxyMaint { .. } => maint::plan(field, reasons),
        Change::HaproxyWeight { weight, .. } => Some(weight::plan(field, *weight, reasons)),
        Change::HaproxyKillSessions { .. } => Some(kill_sessions::plan(field, reasons)),
        Change::VipMove { .. }
        | Change::MysqlSwitchover { .. }
        | Change::MysqlFailover { .. }
        | Change::MysqlFence { .. }
        | Change::MysqlRejoin { .. }
        | Change::MysqlKill { .. }
        | Change::Guest { .. }
        | Change::Node { .. }
        | Change::Tune(_) => None,
    }
}

/// What is wanted, in a few words.
fn title(change: &Change, server: &ServerPath) -> Clean {
    Clean::line(&match change {
        Change::HaproxyDrain { .. } => format!("Drain {server}"),
        Change::HaproxyReady { .. } => format!("Return {server} to traffic"),
        Change::HaproxyMaint { .. } => format!("Put {server} into maintenance"),
        Change::HaproxyWeight { weight, .. } => format!("Give {server} the weight {weight}"),
        Change::HaproxyKillSessions { .. } => format!("Close the sessions of {server}"),
        Change::VipMove { .. }
        | Change::MysqlSwitchover { .. }
        | Change::MysqlFailover { .. }
        | Change::MysqlFence { .. }
        | Change::MysqlRejoin { .. }
        | Change::MysqlKill { .. }
        | Change::Guest { .. }
        | Change::Node { .. }
        | Change::Tune(_) => change.id().to_owned(),
    })
}

fn finish(
    outcome: Outcome,
    field: &Field<'_>,
    inventory: &Inventory,
    intent: &Intent,
    policy: &Policy,
    now: Now,
) -> Planned {
    let draft = match outcome {
        Outcome::AlreadyThere(what) => {
            return Planned::AlreadyThere(AlreadyThere {
                intent: intent.clone(),
                what: Clean::line(&what),
                evidence: field.evidence(),
            });
        }
        Outcome::Draft(draft) => draft,
    };
    let subject = Subject::Server(field.path.clone());
    let mut effect: Vec<Clean> = draft.effect.iter().map(|text| Clean::line(text)).collect();
    for node in &field.without {
        effect.push(Clean::line(&format!("{node} has no backend {} and is left alone.", field.path.backend)));
    }
    Planned::Plan(Box::new(Plan::new(Body {
        cluster: inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("{} on {}", title(&intent.change, &field.path), field.names())),
        effect,
        goal: Clean::line(&draft.goal),
        made_at: now,
        facts_age_ms: field.seats.iter().map(|seat| seat.age_ms).max().unwrap_or(0),
        premises: draft.premises.into_iter().filter_map(|check| premise(check, field)).collect(),
        sources: field
            .seats
            .iter()
            .map(|seat| Source {
                node: seat.node.name.clone(),
                probe: ProbeId::Haproxy,
                requests: HaproxyProbe.requests(seat.node, inventory.settings.poll.deadline_ms),
            })
            .collect(),
        point_of_no_return: draft.steps.iter().position(Step::is_irreversible),
        steps: draft.steps,
        confirmation: confirmation(draft.confirm, &draft.why, &subject, inventory, policy),
        subject,
        runbook: Clean::line(intent.change.id()),
    })))
}

fn premise(check: Check, field: &Field<'_>) -> Option<Premise> {
    let seat = field.seats.iter().find(|seat| seat.node.name == check.node)?;
    let seen = check.judge(&seat.facts, None).seen().clone();
    Some(Premise { check, seen, age_ms: seat.age_ms, age_ms_max: field.stale_after_ms })
}

fn confirmation(blast: Blast, why: &str, subject: &Subject, inventory: &Inventory, policy: &Policy) -> Confirmation {
    let target = || ConfirmBy::Target(Clean::line(subject.name()));
    match (blast, policy.confirm) {
        (Blast::Cluster, _) => {
            Confirmation { by: ConfirmBy::Cluster(Clean::line(inventory.cluster.as_str())), why: Clean::line(why) }
        }
        (Blast::Target, _) => Confirmation { by: target(), why: Clean::line(why) },
        (Blast::Small, Confirm::AlwaysTyped) => {
            Confirmation { by: target(), why: "the configuration asks for a name before every change".into() }
        }
        (Blast::Small, Confirm::ByBlastRadius) => Confirmation { by: ConfirmBy::Enter, why: Clean::line(why) },
    }
}

/// What the actions build steps from.
impl Seat<'_> {
    /// A check on this load balancer.
    fn check(&self, path: &ServerPath, is: ServerExpect) -> Check {
        Check {
            node: self.node.name.clone(),
            probe: ProbeId::Haproxy,
            expect: Expect::Server { server: path.clone(), is },
        }
    }

    /// What the file says of the weight, as a premise; none where this HAProxy does not tell.
    fn weight_in_file(&self, path: &ServerPath) -> Option<Check> {
        self.server.weight_configured.known().map(|weight| self.check(path, ServerExpect::WeightInFile(weight)))
    }

    /// A step that sends `request` here. It has been done when all of `done` hold.
    fn write(&self, path: &ServerPath, what: WriteParts) -> Step {
        let checks = |list: &[ServerExpect]| list.iter().map(|is| self.check(path, *is)).collect::<Vec<_>>();
        let after = [&what.done[..], &what.also_after].concat();
        Step {
            at_once: false,
            title: Clean::line(&format!("{}: {}", self.node.name, what.title)),
            when: what.when,
            action: Action::Write(Box::new(Write {
                node: self.node.name.clone(),
                request: what.request,
                binds: Vec::new(),
                before: checks(&what.before),
                guards: checks(&what.guards),
                done: checks(&what.done),
                after: Until {
                    checks: checks(&after),
                    need: Need::All,
                    holds: 1,
                    poll_ms: limits::VERIFY_POLL_MS,
                    deadline_ms: what.deadline_ms,
                },
                // Somebody may reload HAProxy at any time: what its file says is all that it remembers.
                told_anew: matches!(what.undo, Undo::Send { .. }),
                undo: what.undo,
                rests: None,
            })),
        }
    }

    /// A step that tells the server another state, undone by telling it the one it has. `None` for a state that
    /// cannot be set.
    fn tell(&self, path: &ServerPath, tell: Tell<'_>) -> Option<Step> {
        let undo =
            Undo::Send { label: Clean::line(&tell.from.to_string()), request: self.commands.set_state(tell.from)? };
        Some(self.write(
            path,
            WriteParts {
                title: tell.title,
                when: tell.when,
                request: self.commands.set_state(tell.to)?,
                before: vec![ServerExpect::Told(tell.from)],
                guards: tell.guards.to_vec(),
                done: vec![ServerExpect::Told(tell.to)],
                also_after: tell.also_after.to_vec(),
                deadline_ms: if tell.also_after.is_empty() {
                    limits::VERIFY_DEADLINE_MS
                } else {
                    limits::UP_DEADLINE_MS
                },
                undo,
            },
        ))
    }
}

/// What differs between writes.
struct WriteParts {
    title: String,
    when: When,
    request: Request,
    before: Vec<ServerExpect>,
    guards: Vec<ServerExpect>,
    done: Vec<ServerExpect>,
    also_after: Vec<ServerExpect>,
    deadline_ms: u64,
    undo: Undo,
}

/// A change of what a server is told.
struct Tell<'a> {
    title: String,
    when: When,
    from: AdminState,
    to: AdminState,
    guards: &'a [ServerExpect],
    also_after: &'a [ServerExpect],
}

/// A step that waits until `until` holds on every one of `seats`, while `guards` hold on them.
fn wait(title: &str, when: When, until: Until, guards: Vec<Check>, on_late: OnLate) -> Step {
    Step {
        title: Clean::line(title),
        when,
        action: Action::Wait(Wait { until, guards, on_late, keeps: false }),
        at_once: false,
    }
}

/// The last step of a plan: every load balancer is looked at once more.
fn prove(field: &Field<'_>, title: &str, is: ServerExpect) -> Step {
    let until = Until {
        checks: field.checks(is),
        need: Need::All,
        holds: 1,
        poll_ms: limits::VERIFY_POLL_MS,
        deadline_ms: limits::VERIFY_DEADLINE_MS,
    };
    wait(title, When::Always, until, Vec::new(), OnLate::Fail)
}

/// "a", "a and b", "a, b and c".
pub(super) fn list_words<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<&str> = items.into_iter().collect();
    match items.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// Refuses what would leave too little in traffic; says whether one server would be left alone.
fn judge_capacity(field: &Field<'_>, leaving: &[&Seat<'_>], reasons: &mut Vec<Reason>) -> Blast {
    let (path, floor) = (&field.path, field.capacity_floor_percent);
    let mut last = Vec::new();
    let mut below = Vec::new();
    let mut blast = Blast::Small;
    for seat in leaving.iter().filter(|seat| expect::takes_traffic(seat.server)) {
        let (percent, servers) = expect::remaining(seat.backend, seat.server);
        if servers == 0 {
            last.extend(seat.others_words());
        } else if percent < u64::from(floor) {
            below.push(Clean::line(&format!(
                "{}: {percent} % of the weight would remain, the floor is {floor} %",
                seat.node.name
            )));
            below.extend(seat.others_words());
        } else if servers == 1 {
            blast = Blast::Target;
        }
    }
    if !last.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::LastServer,
            format!("{} is the last usable server of {}.", path.server, path.backend),
            last,
            format!("Bring another server of {} back first.", path.backend),
        ));
    }
    if !below.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::CapacityFloor,
            format!("Too little of {} would stay in traffic without {}.", path.backend, path.server),
            below,
            "Bring another server back first, or lower capacity_floor_percent under [policy].",
        ));
    }
    blast
}

/// Refuses a state that another server or the resolver decides.
fn refuse_inherited(field: &Field<'_>, reasons: &mut Vec<Reason>) {
    for (state, what, cure) in [
        (AdminState::DrainInherited, "drains because the server it tracks does", "Change the server that it tracks."),
        (
            AdminState::MaintInherited,
            "is in maintenance because the server it tracks is",
            "Change the server that it tracks.",
        ),
        (
            AdminState::MaintResolution,
            "is in maintenance because its name does not resolve",
            "Mend the name's resolution, or set an address.",
        ),
    ] {
        let seats: Vec<&Seat<'_>> = field.seats.iter().filter(|seat| seat.told() == Some(state)).collect();
        if !seats.is_empty() {
            let what =
                format!("{} {what}, on {}.", field.path.server, names_of(seats.iter().map(|seat| &seat.node.name)));
            reasons.push(Reason::new(ReasonKind::Inherited, what, field.evidence(), cure));
        }
    }
}

/// Refuses when the load balancers that are to be changed were told different things.
fn refuse_disagreement(field: &Field<'_>, changing: &[&Seat<'_>], unify: &str, reasons: &mut Vec<Reason>) {
    let mut told: Vec<AdminState> = changing.iter().filter_map(|seat| seat.told()).collect();
    told.dedup();
    if told.len() > 1 {
        reasons.push(Reason::new(
            ReasonKind::Disagreement,
            format!("The load balancers disagree about {}.", field.path),
            field.evidence(),
            format!("Bring them to one state first: vakt do {unify} {}.", field.path),
        ));
    }
}

fn names_of<'a>(names: impl Iterator<Item = &'a NodeName>) -> String {
    list_words(names.map(NodeName::as_str))
}
