//! `tune.set`: a setting of a database runs with another value, on one node or on every node with a role.
//!
//! What may be set, and how far, is the server's own word; the catalogue adds what is dangerous. The statement is guarded
//! by the value that was seen: it does nothing where somebody else was faster.
//!
//! With `--persist` the file that counts says it, too; what needs a restart only stands there. Otherwise a restart brings back
//! what files say; the plan tells what that is.
//!
//! On a MySQL that has the setting in `mysqld-auto.cnf` the value stands there (`set persist`), because nothing else would
//! count. It is written there in no other case: it would beat the files that people read.

mod effect;
mod expect;
mod field;
mod file;
mod haproxy;
mod judge;
mod keep;
mod kernel;
mod port;
mod statements;

pub use expect::SettingExpect;
pub(super) use expect::words;
pub use file::{FileExpect, FileIs};
pub use haproxy::{KnobExpect, KnobIs};
pub use port::{CountdownExpect, timer_name};

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
        ids::NodeName,
        intent::Intent,
        inventory::Confirm,
        text::Clean,
        tune_act::{Keep, TuneAct},
        tuning::{Technology, catalogue},
    },
    wire::{
        file_edit::FileWay,
        mysql,
        probe::ProbeId,
        request::{Access, Call, Request},
    },
};
use field::{Field, Seat};
use keep::Keeping;

/// Settings are asked every two minutes; two and a half times that is fresh enough to plan on. They are read again before
/// the first write.
const STALE_MS: u64 = 300_000;
/// Longest wait until the server runs with the value: a buffer pool that shrinks takes its time.
const SET_MS: u64 = 60_000;
/// Longest change of a file: the daemon reads its files as at its start, and a busy disk takes its time.
const FILE_MS: u64 = 30_000;
/// Longest answer of the server.
const CAP_BYTES: usize = 64 * 1024;

/// Plans it.
pub(super) fn plan(scene: &Scene<'_>, intent: &Intent, act: &TuneAct) -> Result<Planned, Refusal> {
    match catalogue().find(act.key.as_str()) {
        Some(setting) if setting.technology == Technology::Haproxy => {
            return haproxy::plan(scene, intent, act, setting);
        }
        Some(setting) if setting.technology == Technology::Kernel => return kernel::plan(scene, intent, act, setting),
        Some(setting) if setting.technology == Technology::Ovs => return port::plan(scene, intent, act, setting),
        _ => {}
    }
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    let field = Field::survey(scene, act, &mut reasons);
    if let Some(field) = &field {
        judge::judge(scene, field, &mut reasons);
    }
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
            Err(Refusal::of(intent, title, reasons))
        }
    }
}

fn check(seat: &Seat<'_>, value: &str) -> Check {
    on(seat, Expect::Setting(SettingExpect { name: seat.name.clone(), value: Clean::line(value), is_persisted: false }))
}

/// The same of the value that the server itself keeps.
fn check_persisted(seat: &Seat<'_>, value: &str) -> Check {
    on(seat, Expect::Setting(SettingExpect { name: seat.name.clone(), value: Clean::line(value), is_persisted: true }))
}

fn on(seat: &Seat<'_>, expect: Expect) -> Check {
    Check { node: seat.node.name.clone(), probe: ProbeId::Tuning, expect }
}

fn checks_of(seat: &Seat<'_>, files: &[FileExpect]) -> Vec<Check> {
    checks_at(&seat.node.name, files)
}

fn checks_at(node: &NodeName, files: &[FileExpect]) -> Vec<Check> {
    let check =
        |file: &FileExpect| Check { node: node.clone(), probe: ProbeId::Tuning, expect: Expect::File(file.clone()) };
    files.iter().map(check).collect()
}

/// What holds on a server before.
fn before(seat: &Seat<'_>) -> Vec<Check> {
    let mut checks = vec![check(seat, &seat.running)];
    checks.extend(seat.persisted.as_ref().map(|kept| check_persisted(seat, kept)));
    checks.extend(seat.keeping.iter().flat_map(|keeping| checks_of(seat, &keeping.before)));
    checks
}

/// What holds afterwards.
fn done(field: &Field<'_>, seat: &Seat<'_>) -> Vec<Check> {
    let mut checks = vec![check(seat, if seat.sets { &field.value } else { &seat.running })];
    checks.extend(seat.persisted.as_ref().map(|_| check_persisted(seat, &field.value)));
    checks.extend(seat.keeping.iter().flat_map(|keeping| checks_of(seat, &keeping.done)));
    checks
}

fn body(scene: &Scene<'_>, intent: &Intent, field: &Field<'_>) -> Body {
    let limit_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
    let changed: Vec<&Seat<'_>> = field.to_change().collect();
    let names: Vec<&str> = changed.iter().map(|seat| seat.node.name.as_str()).collect();
    let nodes = super::haproxy::list_words(names.iter().copied());
    let premises = |seat: &&Seat<'_>| {
        let (age_ms, running) = (seat.age_ms, field.setting.unit.words(&seat.running));
        let seen = Clean::line(&format!("{} is {running}", seat.name));
        let all = before(seat).into_iter().enumerate().map(move |(index, check)| {
            let seen = if index == 0 { seen.clone() } else { "as it was read".into() };
            Premise { check, seen, age_ms, age_ms_max: limit_ms }
        });
        all.collect::<Vec<_>>()
    };
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let source = |seat: &&Seat<'_>| Source {
        node: seat.node.name.clone(),
        probe: ProbeId::Tuning,
        requests: {
            let files = ProbeId::Tuning.probe().requests(seat.node, deadline_ms).into_iter().take(1);
            let files = files.filter(|_| seat.keeping.is_some());
            let server = mysql::requests_of_setting(seat.node, deadline_ms, seat.dialect, seat.name.as_str());
            files.chain(server).collect()
        },
    };
    let prove = Wait {
        until: until(changed.iter().flat_map(|seat| done(field, seat)).collect(), 2),
        guards: Vec::new(),
        on_late: OnLate::Fail,
        keeps: false,
    };
    let mut steps: Vec<Step> = changed.iter().flat_map(|seat| steps_of(field, seat)).collect();
    steps.push(step(&format!("{nodes}: see that the value stays"), Action::Wait(prove)));
    let (key, value) = (&field.setting.key, field.value_words());
    let goal = goal(field, &nodes);
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("Set {key} to {value} on {nodes}{}", title_of(field.keep))),
        effect: effect::effect(field, &nodes).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&goal),
        subject: Subject::Setting { key: Clean::line(key), target: field.target.clone(), former: field.former() },
        made_at: scene.now,
        facts_age_ms: changed.iter().map(|seat| seat.age_ms).max().unwrap_or(0),
        premises: changed.iter().flat_map(premises).collect(),
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

fn until(checks: Vec<Check>, holds: u32) -> Until {
    Until { checks, need: Need::All, holds, poll_ms: limits::VERIFY_POLL_MS, deadline_ms: SET_MS }
}

fn step(title: &str, action: Action) -> Step {
    Step { title: Clean::line(title), when: When::Always, action, at_once: false }
}

/// The file comes first: if its daemon refuses it, nothing runs otherwise yet.
fn steps_of(field: &Field<'_>, seat: &Seat<'_>) -> Vec<Step> {
    let file = seat.keeping.as_ref().map(|keeping| change_file(field, seat, keeping));
    let server = match &seat.persisted {
        Some(kept) => Some(persist(field, seat, kept)),
        None => seat.sets.then(|| set(field, seat)),
    };
    file.into_iter().chain(server).collect()
}

fn change_file(field: &Field<'_>, seat: &Seat<'_>, keeping: &Keeping) -> Step {
    let title = format!("{}: {}", seat.node.name, keeping.words(&seat.name, field.setting.unit));
    change_file_step(&title, &seat.node.name, keeping)
}

/// The change of one file of a node.
fn change_file_step(title: &str, node: &NodeName, keeping: &Keeping) -> Step {
    let back = if keeping.way == FileWay::Make { FileWay::TakeBack } else { FileWay::Make };
    let request = |way: FileWay| Request {
        access: Access::Write,
        call: Call::FileEdit { edit: Box::new(keeping.edit.clone()), way },
        deadline_ms: FILE_MS,
        cap_bytes: CAP_BYTES,
    };
    let done = checks_at(node, &keeping.done);
    let write = Write {
        node: node.clone(),
        request: request(keeping.way),
        binds: Vec::new(),
        before: checks_at(node, &keeping.before),
        guards: Vec::new(),
        done: done.clone(),
        after: until(done, 1),
        undo: Undo::Send { label: "the file as it was".into(), request: request(back) },
        rests: None,
        told_anew: false,
    };
    step(title, Action::Write(Box::new(write)))
}

/// The server keeps the value itself, and runs with it.
fn persist(field: &Field<'_>, seat: &Seat<'_>, kept: &str) -> Step {
    let unit = field.setting.unit;
    let both = |running: &str, persisted: &str| {
        let running = seat.sets.then(|| check(seat, running));
        running.into_iter().chain([check_persisted(seat, persisted)]).collect::<Vec<_>>()
    };
    let done = both(&field.value, &field.value);
    let write = Write {
        node: seat.node.name.clone(),
        request: statements::persist(unit, seat, kept, &field.value),
        binds: Vec::new(),
        before: both(&seat.running, kept),
        guards: Vec::new(),
        done: done.clone(),
        after: until(done, 1),
        undo: Undo::Send {
            label: Clean::line(&unit.words(kept)),
            request: statements::persist_back(unit, seat, kept, &field.value),
        },
        rests: None,
        told_anew: false,
    };
    let title = format!("{}: {} becomes {} and is kept", seat.node.name, seat.name, field.value_words());
    step(&title, Action::Write(Box::new(write)))
}

fn title_of(keep: Keep) -> &'static str {
    match keep {
        Keep::No => "",
        Keep::InFile => ", and in the file",
        Keep::PutBack => ", and put its file back",
    }
}

fn goal(field: &Field<'_>, nodes: &str) -> String {
    let (key, value) = (&field.setting.key, field.value_words());
    let runs = field.to_change().all(|seat| seat.sets || seat.running == field.value);
    match (field.keep, runs) {
        (Keep::No, _) => format!("{key} is {value} on {nodes}"),
        (Keep::InFile, true) => format!("{key} is {value} on {nodes}, also after a restart"),
        (Keep::InFile, false) => format!("{key} is {value} on {nodes} after a restart"),
        (Keep::PutBack, true) => format!("{key} is {value} on {nodes}, and the file is as it was"),
        (Keep::PutBack, false) => format!("the file that names {key} on {nodes} is as it was"),
    }
}

fn set(field: &Field<'_>, seat: &Seat<'_>) -> Step {
    let unit = field.setting.unit;
    let done = vec![check(seat, &field.value)];
    let write = Write {
        node: seat.node.name.clone(),
        request: statements::set(unit, seat, &seat.running, &field.value),
        binds: Vec::new(),
        before: vec![check(seat, &seat.running)],
        guards: Vec::new(),
        done: done.clone(),
        after: until(done, 1),
        undo: Undo::Send {
            label: Clean::line(&unit.words(&seat.running)),
            request: statements::set(unit, seat, &field.value, &seat.running),
        },
        rests: None,
        told_anew: false,
    };
    step(&format!("{}: {} becomes {}", seat.node.name, seat.name, field.value_words()), Action::Write(Box::new(write)))
}

impl<'a> Field<'a> {
    /// Where something is to be done.
    fn to_change(&self) -> impl Iterator<Item = &Seat<'a>> {
        self.seats.iter().filter(|seat| seat.is_changed())
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
