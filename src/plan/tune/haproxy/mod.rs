//! `tune.set` of HAProxy: a limit that it takes while it runs, or a line of its file, on one load balancer or on all of a role.
//!
//! What it takes while it runs is set there, guarded by the value that was seen, and needs no reload: one would forget what
//! else operators told it, and would leave open connections to the old process. With `--persist` the file says it, too. What
//! it takes from its file only is written there, and HAProxy is reloaded, with what operators told it carried over.

mod effect;
mod expect;
mod field;
mod filing;
mod judge;
mod reload;
mod servers;

pub use expect::{KnobExpect, KnobIs};

use super::{STALE_MS, change_file_step, checks_at, step, until};
use crate::{
    model::{
        haproxy::HaproxySample,
        intent::Intent,
        inventory::Confirm,
        text::Clean,
        tune_act::{Keep, TuneAct},
        tuning::{Knob, Setting, key_and_part},
    },
    plan::{
        expect::{Check, Expect, ServerExpect},
        haproxy::list_words,
        limits,
        parts::{
            Action, Body, ConfirmBy, Confirmation, OnLate, Plan, Premise, Source, Step, Subject, Undo, Wait, Write,
        },
        refusal::{AlreadyThere, Planned, Reason, Refusal},
        scene::Scene,
    },
    wire::{
        haproxy::{HaproxyProbe, set_knob},
        probe::{Facts, Probe, ProbeId},
    },
};
use field::{Field, Seat};

/// Plans it.
pub(super) fn plan(
    scene: &Scene<'_>,
    intent: &Intent,
    act: &TuneAct,
    setting: &'static Setting,
) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    let field = Field::survey(scene, act, setting, &mut reasons);
    if let Some(field) = &field {
        judge::judge(field, &mut reasons);
        servers::judge(field, &mut reasons);
    }
    match field {
        Some(field) if reasons.is_empty() => {
            if field.to_change().next().is_none() {
                return Ok(Planned::AlreadyThere(AlreadyThere {
                    intent: intent.clone(),
                    what: Clean::line(&format!("{} is {} already.", field.key, field.value_words())),
                    evidence: field.seats.iter().flat_map(Seat::evidence).collect(),
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

fn on(seat: &Seat<'_>, expect: Expect) -> Check {
    Check { node: seat.node.name.clone(), probe: ProbeId::Haproxy, expect }
}

fn check(seat: &Seat<'_>, knob: &Knob, is: KnobIs) -> Check {
    on(seat, Expect::Knob(KnobExpect { knob: knob.clone(), is }))
}

/// What operators told servers, which a reload must carry over.
fn told(seat: &Seat<'_>) -> Vec<Check> {
    let servers = seat.carried.iter().flat_map(|carried| {
        let server = |is| on(seat, Expect::Server { server: carried.path.clone(), is });
        [server(ServerExpect::Told(carried.told)), server(ServerExpect::Weight(carried.weight))]
    });
    servers.collect()
}

fn before(seat: &Seat<'_>) -> Vec<Check> {
    let knobs = seat.knobs.iter().map(|(knob, value)| check(seat, knob, KnobIs::Is(*value)));
    let mut checks: Vec<Check> = knobs.collect();
    checks.extend(seat.filing.iter().flat_map(|filing| checks_at(&seat.node.name, &filing.keeping.before)));
    checks.extend(told(seat));
    checks
}

fn done(field: &Field<'_>, seat: &Seat<'_>) -> Vec<Check> {
    let value = |old: u64| field.number.unwrap_or(old);
    let knobs = seat.knobs.iter().map(|(knob, old)| check(seat, knob, KnobIs::Is(value(*old))));
    let mut checks: Vec<Check> = knobs.collect();
    checks.extend(seat.filing.iter().flat_map(|filing| checks_at(&seat.node.name, &filing.keeping.done)));
    checks.extend(told(seat));
    checks
}

fn body(scene: &Scene<'_>, intent: &Intent, field: &Field<'_>) -> Body {
    let changed: Vec<&Seat<'_>> = field.to_change().collect();
    let names: Vec<&str> = changed.iter().map(|seat| seat.node.name.as_str()).collect();
    let nodes = list_words(names.iter().copied());
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let mut steps: Vec<Step> = changed.iter().flat_map(|seat| steps_of(field, seat)).collect();
    let prove = Wait {
        until: until(changed.iter().flat_map(|seat| done(field, seat)).collect(), 2),
        guards: Vec::new(),
        on_late: OnLate::Fail,
        keeps: false,
    };
    steps.push(step(&format!("{nodes}: see that the value stays"), Action::Wait(prove)));
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&title(field, &nodes)),
        effect: effect::effect(field, &nodes).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&goal(field, &nodes)),
        subject: Subject::Setting { key: field.key.clone(), target: field.target.clone(), former: field.former() },
        made_at: scene.now,
        facts_age_ms: changed.iter().map(|seat| seat.age_ms.max(seat.files_age_ms())).max().unwrap_or(0),
        premises: changed.iter().flat_map(|seat| premises(scene, seat)).collect(),
        sources: changed.iter().flat_map(|seat| sources(field, seat, deadline_ms)).collect(),
        point_of_no_return: steps.iter().position(Step::is_irreversible),
        confirmation: confirmation(scene, field, &names, &steps),
        steps,
        runbook: Clean::line(intent.change.id()),
    }
}

fn premises(scene: &Scene<'_>, seat: &Seat<'_>) -> Vec<Premise> {
    let stale_ms = scene.inventory.settings.poll.stale_after_ms;
    let facts = Facts::Haproxy(Box::new(seat.sample.clone()));
    let premise = |check: Check| {
        let is_file = check.probe == ProbeId::Tuning;
        let seen = if is_file { "as it was read".into() } else { check.judge(&facts, None).seen().clone() };
        let (age_ms, age_ms_max) =
            if is_file { (seat.files_age_ms(), STALE_MS.max(stale_ms)) } else { (seat.age_ms, stale_ms) };
        Premise { check, seen, age_ms, age_ms_max }
    };
    before(seat).into_iter().map(premise).collect()
}

/// How a load balancer is read back: HAProxy itself, and its files where one is changed.
fn sources(field: &Field<'_>, seat: &Seat<'_>, deadline_ms: u64) -> Vec<Source> {
    let node = &seat.node.name;
    let needs_haproxy = !seat.knobs.is_empty() || !seat.carried.is_empty() || servers::is_seen_at_servers(field);
    let haproxy = needs_haproxy.then(|| Source {
        node: node.clone(),
        probe: ProbeId::Haproxy,
        requests: HaproxyProbe.requests(seat.node, deadline_ms),
    });
    let files = seat.filing.as_ref().map(|_| Source {
        node: node.clone(),
        probe: ProbeId::Tuning,
        requests: ProbeId::Tuning.probe().requests(seat.node, deadline_ms).into_iter().take(1).collect(),
    });
    haproxy.into_iter().chain(files).collect()
}

/// By what can be undone, then by how many load balancers it reaches.
fn confirmation(scene: &Scene<'_>, field: &Field<'_>, names: &[&str], steps: &[Step]) -> Confirmation {
    let target = |why: &str| Confirmation { by: ConfirmBy::Target(field.target.clone()), why: Clean::line(why) };
    if steps.iter().any(Step::is_irreversible) {
        return target("the way back could stop HAProxy, and is another change");
    }
    if field.to_change().any(Seat::is_reloaded) {
        return target("HAProxy is reloaded");
    }
    match names {
        [_, _, ..] => target("it reaches several load balancers"),
        _ if scene.policy.confirm == Confirm::AlwaysTyped => {
            target("the configuration asks for a name before every change")
        }
        _ => {
            Confirmation { by: ConfirmBy::Enter, why: "one load balancer runs otherwise, and it can be undone".into() }
        }
    }
}

/// The file comes first: if HAProxy refuses it, nothing runs otherwise yet.
fn steps_of(field: &Field<'_>, seat: &Seat<'_>) -> Vec<Step> {
    let file = seat.filing.as_ref().map(|filing| {
        let ends = if seat.is_reloaded() { ", and HAProxy is reloaded" } else { "" };
        let title = format!("{}: {}{ends}", seat.node.name, filing.keeping.words(&field.key, field.setting.unit));
        let mut change = change_file_step(&title, &seat.node.name, &filing.keeping);
        if let Action::Write(write) = &mut change.action {
            // Another process serves afterwards: what operators told the old one holds in it, too.
            let told = if seat.is_reloaded() { told(seat) } else { Vec::new() };
            write.guards.extend(told.iter().cloned());
            write.after.checks.extend(told);
            write.after.checks.extend(servers::promised(field, seat));
        }
        change
    });
    let checks = servers::wait_for_checks(field, seat);
    file.into_iter().chain(checks).chain(seat.turned(field).filter_map(|turn| set(field, seat, turn))).collect()
}

fn set(field: &Field<'_>, seat: &Seat<'_>, (knob, old): &(Knob, u64)) -> Option<Step> {
    let value = field.number?;
    let done = vec![check(seat, knob, KnobIs::Is(value))];
    let is_frontend = matches!(knob, Knob::Frontend(_));
    let guards =
        if is_frontend && stops_when_full(seat.sample) { vec![check(seat, knob, KnobIs::HasRoom)] } else { Vec::new() };
    let undo = if !guards.is_empty() && value < *old {
        // Nobody looks whether clients wait before a run is undone.
        Undo::Irreversible {
            why: "this HAProxy may stop dead when the limit is raised again while clients wait".into(),
            is_whole: true,
        }
    } else {
        Undo::Send { label: Clean::line(&knob.says(*old)), request: set_knob(seat.socket, knob, *old)? }
    };
    let mut after = until(done.clone(), 1);
    after.deadline_ms = limits::VERIFY_DEADLINE_MS;
    let write = Write {
        node: seat.node.name.clone(),
        request: set_knob(seat.socket, knob, value)?,
        binds: Vec::new(),
        before: vec![check(seat, knob, KnobIs::Is(*old))],
        guards,
        done,
        after,
        undo,
        rests: None,
        told_anew: false,
    };
    Some(step(&format!("{}: {}", seat.node.name, knob.says(value)), Action::Write(Box::new(write))))
}

/// Whether this HAProxy may deadlock, and is then aborted by its own watchdog, when a frontend gets another limit while
/// clients wait for it (haproxy#2726; seen on 2.6.12, mended in 3.1; earlier branches got it in some of their releases).
fn stops_when_full(sample: &HaproxySample) -> bool {
    let version = sample.info.version.as_ref().known().map(Clean::as_str).unwrap_or_default();
    let mut parts = version.split(|letter: char| !letter.is_ascii_digit()).map(|part| part.parse::<u64>().ok());
    let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) else { return true };
    (major, minor) < (3, 1)
}

fn title(field: &Field<'_>, nodes: &str) -> String {
    if field.keep == Keep::PutBack && field.number.is_none() {
        return format!("Put the file that names {} back on {nodes}", field.key);
    }
    format!("Set {} to {} on {nodes}{}", field.key, field.value_words(), super::title_of(field.keep))
}

fn goal(field: &Field<'_>, nodes: &str) -> String {
    let (key, value) = (&field.key, field.value_words());
    match field.keep {
        Keep::No => format!("{key} is {value} on {nodes}"),
        Keep::InFile => format!("{key} is {value} on {nodes}, also after a restart"),
        Keep::PutBack if field.number.is_none() => format!("the file that names {key} on {nodes} is as it was"),
        Keep::PutBack => format!("{key} is {value} on {nodes}, and the file is as it was"),
    }
}

/// The setting in one line, for what is true after a run.
pub(super) fn words(key: &str, facts: &Facts) -> Clean {
    match facts {
        Facts::Haproxy(sample) => {
            let knobs = Knob::all(key, sample).unwrap_or_default();
            let told = knobs.iter().take(NAMED_MAX).map(|knob| match knob.running(sample).known() {
                Some(value) => {
                    let value = if value == 0 { "any number".to_owned() } else { value.to_string() };
                    let part = if knobs.len() > 1 { format!(" for {knob}") } else { String::new() };
                    let load = knob.load(sample).map(|load| format!(" ({load})")).unwrap_or_default();
                    format!("{value}{part}{load}")
                }
                None => format!("unknown for {knob}"),
            });
            let told: Vec<String> = told.collect();
            let more = knobs.len().saturating_sub(NAMED_MAX);
            let more = if more > 0 { format!(", and so on for {more} more") } else { String::new() };
            if told.is_empty() {
                "is in the file, and HAProxy answers".into()
            } else {
                Clean::line(&format!("is {}{more}", told.join(", ")))
            }
        }
        Facts::Tuning(sample) => match sample.haproxy.as_ref().map(|config| config.standing(key)).known() {
            Some(Ok(standing)) => match standing.counts() {
                Some(found) => Clean::line(&format!("{}:{} says {}", found.file, found.line, found.value)),
                None => Clean::line(&format!("no file names {}", key_and_part(key).0)),
            },
            Some(Err(why)) => Clean::line(&why.to_string()),
            None => "what files say is unknown".into(),
        },
        _ => "the answer is about no settings".into(),
    }
}

/// Parts that are named in one line.
const NAMED_MAX: usize = 3;
