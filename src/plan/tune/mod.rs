//! `tune.set`: a setting of a database runs with another value, on one node or on every node with a role.
//!
//! What may be set, and how far, is the server's own word; the catalogue adds what is dangerous. The statement is guarded
//! by the value that was seen: it does nothing where somebody else was faster.
//!
//! Deliberately absent: files. A restart of the server brings back what they say; the plan tells what that is.

mod expect;
mod field;
mod judge;

pub use expect::SettingExpect;
pub(super) use expect::words;

use super::{
    expect::{Check, Expect},
    limits,
    parts::{
        Action, Body, ConfirmBy, Confirmation, Need, OnLate, Plan, Premise, Source, Step, Subject, Undo, Until, Wait,
        When, Write,
    },
    refusal::{AlreadyThere, Planned, Reason, Refusal},
    scene::Scene,
};
use crate::{
    history::tuning::is_relaxed_at,
    model::{
        figure::Figure, intent::Intent, inventory::Confirm, mysql::Dialect, text::Clean, tune_act::TuneAct,
        tuning::Unit,
    },
    wire::{
        mysql,
        probe::ProbeId,
        request::{Access, Call, Request, SqlSession, SqlStep},
    },
};
use field::{Field, Seat};

/// Settings are asked every two minutes; two and a half times that is fresh enough to plan on. They are read again before
/// the first write.
const STALE_MS: u64 = 300_000;
/// Longest wait until the server runs with the value: a buffer pool that shrinks takes its time.
const SET_MS: u64 = 60_000;
/// Longest answer of the server.
const CAP_BYTES: usize = 64 * 1024;

/// Plans it.
pub(super) fn plan(scene: &Scene<'_>, intent: &Intent, act: &TuneAct) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    let field = Field::survey(scene, act, &mut reasons);
    if let Some(field) = &field {
        judge::judge(scene, field, &mut reasons);
    }
    reasons.sort_by_key(|reason| reason.kind);
    match field {
        Some(field) if reasons.is_empty() => {
            if field.to_change().next().is_none() {
                return Ok(Planned::AlreadyThere(AlreadyThere {
                    intent: intent.clone(),
                    what: Clean::line(&format!("{} is {} already.", field.setting.key, field.value_words())),
                    evidence: field.seats.iter().map(Seat::evidence).collect(),
                }));
            }
            Ok(Planned::Plan(Box::new(Plan::new(body(scene, intent, &field)))))
        }
        _ => {
            let title = Clean::line(&format!("Set {} of {} to {}", act.key, act.target, act.value));
            Err(Refusal { intent: intent.clone(), title, reasons })
        }
    }
}

fn check(seat: &Seat<'_>, value: &str) -> Check {
    let is = SettingExpect { name: seat.name.clone(), value: Clean::line(value) };
    Check { node: seat.node.name.clone(), probe: ProbeId::Tuning, expect: Expect::Setting(is) }
}

fn body(scene: &Scene<'_>, intent: &Intent, field: &Field<'_>) -> Body {
    let limit_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
    let changed: Vec<&Seat<'_>> = field.to_change().collect();
    let names: Vec<&str> = changed.iter().map(|seat| seat.node.name.as_str()).collect();
    let nodes = super::haproxy::list_words(names.iter().copied());
    let premise = |seat: &&Seat<'_>| Premise {
        check: check(seat, &seat.running),
        seen: Clean::line(&format!("{} is {}", seat.name, field.setting.unit.words(&seat.running))),
        age_ms: seat.age_ms,
        age_ms_max: limit_ms,
    };
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let source = |seat: &&Seat<'_>| Source {
        node: seat.node.name.clone(),
        probe: ProbeId::Tuning,
        requests: mysql::requests_of_setting(seat.node, deadline_ms, seat.dialect, seat.name.as_str()),
    };
    let prove = Wait {
        until: until(changed.iter().map(|seat| check(seat, &field.value)).collect(), 2),
        guards: Vec::new(),
        on_late: OnLate::Fail,
        keeps: false,
    };
    let mut steps: Vec<Step> = changed.iter().map(|seat| set(field, seat)).collect();
    steps.push(step(&format!("{nodes}: see that the value stays"), Action::Wait(prove)));
    let (key, value) = (&field.setting.key, field.value_words());
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("Set {key} to {value} on {nodes}")),
        effect: effect(field, &nodes).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&format!("{key} is {value} on {nodes}")),
        subject: Subject::Setting { key: Clean::line(key), target: field.target.clone(), former: field.former() },
        made_at: scene.now,
        facts_age_ms: changed.iter().map(|seat| seat.age_ms).max().unwrap_or(0),
        premises: changed.iter().map(premise).collect(),
        sources: changed.iter().map(source).collect(),
        steps,
        point_of_no_return: None,
        confirmation: confirmation(scene, field, &names),
        runbook: Clean::line(intent.change.id()),
    }
}

/// By what can be lost, then by how many servers it reaches.
fn confirmation(scene: &Scene<'_>, field: &Field<'_>, names: &[&str]) -> Confirmation {
    if field.relaxed().next().is_some() {
        return Confirmation {
            by: ConfirmBy::Cluster(Clean::line(scene.inventory.cluster.as_str())),
            why: "a crash loses more than before".into(),
        };
    }
    let target = ConfirmBy::Target(field.target.clone());
    match names {
        [_, _, ..] => Confirmation { by: target, why: "it reaches several servers".into() },
        _ if scene.policy.confirm == Confirm::AlwaysTyped => {
            Confirmation { by: target, why: "the configuration asks for a name before every change".into() }
        }
        _ => Confirmation { by: ConfirmBy::Enter, why: "one server runs otherwise, and it can be undone".into() },
    }
}

fn effect(field: &Field<'_>, nodes: &str) -> Vec<String> {
    let setting = field.setting;
    let unit = setting.unit;
    let mut effect = Vec::new();
    for seat in field.to_change() {
        effect.push(format!(
            "{} on {} goes from {} to {}.",
            seat.name,
            seat.node.name,
            unit.words(&seat.running),
            field.value_words()
        ));
    }
    if let Some(loses) = setting.loses.as_ref().filter(|_| field.relaxed().next().is_some()) {
        effect.push(format!("This makes a crash lose more. What can be lost: {loses}"));
    }
    effect.extend(after_restart(field));
    let left: Vec<&str> =
        field.seats.iter().filter(|seat| seat.running == field.value).map(|seat| seat.node.name.as_str()).collect();
    if !left.is_empty() {
        effect.push(format!("Left alone, because it is so already: {}.", left.join(", ")));
    }
    effect.extend(field.notes.iter().cloned());
    if let Some(since) = &setting.since {
        effect.push(format!("When it counts: {since}."));
    }
    effect.push(format!("Risk: {}", setting.risk));
    effect.push(format!("Clients of {nodes} stay connected."));
    effect
}

/// What a restart brings back, one sentence for nodes of which the same is true.
fn after_restart(field: &Field<'_>) -> Vec<String> {
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for seat in field.to_change() {
        let brings = match &seat.configured {
            Figure::Known(Some((value, place))) if value.as_str() == field.value => {
                format!("brings this value, too ({}:{})", place.file, place.line)
            }
            Figure::Known(Some((value, place))) => {
                format!("brings back {} ({}:{})", field.setting.unit.words(value.as_str()), place.file, place.line)
            }
            Figure::Known(None) => "brings back the default, because no file names it".to_owned(),
            Figure::Unknown(why) => format!("brings back what files say, which is unknown: {why}"),
        };
        match told.iter_mut().find(|(known, _)| *known == brings) {
            Some((_, names)) => names.push(seat.node.name.as_str()),
            None => told.push((brings, vec![seat.node.name.as_str()])),
        }
    }
    let words = super::haproxy::list_words;
    told.into_iter()
        .map(|(brings, names)| format!("No file is changed: a restart of {} {brings}.", words(names)))
        .collect()
}

fn until(checks: Vec<Check>, holds: u32) -> Until {
    Until { checks, need: Need::All, holds, poll_ms: limits::VERIFY_POLL_MS, deadline_ms: SET_MS }
}

fn step(title: &str, action: Action) -> Step {
    Step { title: Clean::line(title), when: When::Always, action, at_once: false }
}

fn set(field: &Field<'_>, seat: &Seat<'_>) -> Step {
    let unit = field.setting.unit;
    let done = vec![check(seat, &field.value)];
    let write = Write {
        node: seat.node.name.clone(),
        request: request(unit, seat, &seat.running, &field.value),
        binds: Vec::new(),
        before: vec![check(seat, &seat.running)],
        guards: Vec::new(),
        done: done.clone(),
        after: until(done, 1),
        undo: Undo::Send {
            label: Clean::line(&unit.words(&seat.running)),
            request: request(unit, seat, &field.value, &seat.running),
        },
        rests: None,
    };
    step(&format!("{}: {} becomes {}", seat.node.name, seat.name, field.value_words()), Action::Write(Box::new(write)))
}

/// Sets the value in a session that first sees the other one: where somebody was faster, nothing happens. Values are
/// compared by the server, which writes them in several ways.
fn request(unit: Unit, seat: &Seat<'_>, from: &str, to: &str) -> Request {
    let view = match seat.dialect {
        Dialect::Mariadb => "information_schema.GLOBAL_VARIABLES",
        Dialect::Mysql | Dialect::WithoutGtid => "performance_schema.global_variables",
    };
    let quoted = |value: &str| if unit.is_number() { value.to_owned() } else { format!("'{value}'") };
    let name = &seat.name;
    let guard = format!("select variable_value = {} from {view} where variable_name = '{name}'", quoted(from));
    let call = Call::SqlWrite {
        socket: seat.database.socket.clone(),
        login: seat.database.login.clone(),
        session: SqlSession::Own,
        statements: vec![SqlStep::must_say(guard, "1"), SqlStep::run(format!("set global {name} = {}", quoted(to)))],
        secret: None,
    };
    Request { access: Access::Write, call, deadline_ms: SET_MS, cap_bytes: CAP_BYTES }
}

impl<'a> Field<'a> {
    /// Where something is to be done.
    fn to_change(&self) -> impl Iterator<Item = &Seat<'a>> {
        self.seats.iter().filter(|seat| seat.running != self.value)
    }

    /// Where a crash would lose more than now.
    fn relaxed(&self) -> impl Iterator<Item = &Seat<'a>> {
        let is_relaxed = |value: &str, seat: &Seat<'_>| is_relaxed_at(self.setting, value, seat.place);
        self.to_change().filter(move |seat| is_relaxed(&self.value, seat))
    }

    /// The value before, where all of them have the same.
    fn former(&self) -> Option<Clean> {
        let first = self.to_change().next()?;
        self.to_change().all(|seat| seat.running == first.running).then(|| Clean::line(&first.running))
    }

    fn value_words(&self) -> String {
        self.setting.unit.words(&self.value)
    }
}
