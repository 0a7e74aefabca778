//! `tune.set NODE/PORT ovs.…`: a setting of one port of Open vSwitch, with a timer on the node that takes it back.
//!
//! Such a change may cut the way to the node, so that nothing could be undone from here. The way back is therefore put on the
//! node before anything is changed ([`crate::wire::countdown`]). What follows is looked at on new connections only: who cannot
//! make one cannot say that it stays. Without the word, without a connection, without vakt, and also when the node starts anew,
//! the node takes it back by itself.

mod expect;
mod field;

pub use expect::CountdownExpect;
pub(super) use expect::words;

use super::super::{
    expect::{Check, Expect},
    parts::{
        Action, Body, ConfirmBy, Confirmation, Need, OnLate, Plan, Premise, Source, Step, Subject, Undo, Until, Wait,
        When, Write,
    },
    refusal::{AlreadyThere, Planned, Reason, Refusal},
    scene::Scene,
    text::time_words,
};
use crate::{
    model::{intent::Intent, port_setting::PortSetting, text::Clean, tune_act::TuneAct, tuning::Setting},
    wire::{
        countdown::{Countdown, CountdownTask},
        probe::ProbeId,
        request::Call,
    },
};
use field::Field;

/// Between two looks, each on a connection of its own.
const LOOK_POLL_MS: u64 = 500;
/// The same while the word is awaited.
const HOLD_POLL_MS: u64 = 2_000;
/// Longest wait until a change is seen: a new connection takes a moment, on a slow line two.
const SEEN_MS: u64 = 10_000;

/// Plans it.
pub(super) fn plan(
    scene: &Scene<'_>,
    intent: &Intent,
    act: &TuneAct,
    entry: &'static Setting,
) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    let field = Field::survey(scene, entry, act, intent.revert_after_ms, &mut reasons);
    let Some(field) = field.filter(|_| reasons.is_empty()) else {
        let title = Clean::line(&format!("Set {} of {} to {}", act.key, act.target, act.value));
        return Err(Refusal::of(intent, title, reasons));
    };
    let Countdown { from, to, .. } = &field.countdown;
    if from == to {
        return Ok(Planned::AlreadyThere(AlreadyThere {
            intent: intent.clone(),
            what: Clean::line(&format!("{} of {} is {to} already.", entry.key, field.target)),
            evidence: vec![Clean::line(&format!("{}: {} is {from}", field.node.name, entry.key))],
        }));
    }
    Ok(Planned::Plan(Box::new(Plan::new(body(scene, intent, &field)))))
}

/// The name of the timer that steps put on a node, if they do; it is made of the moment of the plan.
pub fn timer_name(steps: &[Step]) -> Option<&Clean> {
    steps.iter().filter_map(Step::write).find_map(|write| match &write.request.call {
        Call::Countdown { countdown, .. } => Some(&countdown.id),
        _ => None,
    })
}

fn body(scene: &Scene<'_>, intent: &Intent, field: &Field<'_>) -> Body {
    let key = &field.entry.key;
    let Countdown { from, to, .. } = &field.countdown;
    let premise = |check: Check, seen: String| Premise {
        check,
        seen: Clean::line(&seen),
        age_ms: field.age_ms,
        age_ms_max: scene.inventory.settings.poll.stale_after_ms.max(SEEN_MS),
    };
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("Set {key} of {} to {to}", field.target)),
        effect: effect(field).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&format!("{key} of {} is {to}, and somebody said that it stays", field.target)),
        subject: Subject::Setting {
            key: Clean::line(key),
            target: field.target.clone(),
            former: Some(Clean::line(from)),
        },
        made_at: scene.now,
        facts_age_ms: field.age_ms,
        premises: vec![
            premise(value(field, from), format!("{key} is {from}")),
            premise(timer(field, CountdownExpect::Idle), "read when the run begins".to_owned()),
        ],
        sources: vec![Source {
            node: field.node.name.clone(),
            probe: ProbeId::Countdown,
            requests: vec![field.countdown.request(CountdownTask::Look)],
        }],
        steps: steps(field),
        point_of_no_return: None,
        confirmation: Confirmation {
            by: ConfirmBy::Target(field.target.clone()),
            why: "it may cut the way to the node".into(),
        },
        runbook: Clean::line(intent.change.id()),
    }
}

fn effect(field: &Field<'_>) -> Vec<String> {
    let Field { entry, node, bridge, countdown, .. } = field;
    let (name, time) = (&node.name, time_words(field.after_ms()));
    let (row, from, to) = (&countdown.row, &countdown.from, &countdown.to);
    let lasts = match countdown.setting {
        PortSetting::Link => "No file is changed: a start of the node brings the port up.",
        _ => "No file is changed: the database of the switch keeps the value, also after a restart.",
    };
    vec![
        format!("{} of {row}, a port of {bridge} on {name}, goes from {from} to {to}.", entry.key),
        format!("Risk: {}", entry.risk),
        format!(
            "First a timer is armed on {name}. It takes the change back by itself {time} later, whether vakt lives and {name} \
             can be reached or not, and at once when {name} starts anew."
        ),
        format!(
            "vakt looks at {name} on new connections only. Whoever wants it to stay says so within that time: vakt runs keep, or a \
             key on the screen of changes. Then the timer is called off and removed."
        ),
        "Until then nobody else changes this cluster with vakt.".to_owned(),
        lasts.to_owned(),
    ]
}

fn timer(field: &Field<'_>, expect: CountdownExpect) -> Check {
    Check { node: field.node.name.clone(), probe: ProbeId::Countdown, expect: Expect::Countdown(expect) }
}

fn value(field: &Field<'_>, value: &str) -> Check {
    let Countdown { setting, row, .. } = &field.countdown;
    timer(field, CountdownExpect::Value { setting: *setting, row: row.clone(), value: Clean::line(value) })
}

fn until(checks: Vec<Check>, need: Need, poll_ms: u64, deadline_ms: u64) -> Until {
    Until { checks, need, holds: 1, poll_ms, deadline_ms }
}

fn steps(field: &Field<'_>) -> Vec<Step> {
    let (name, time) = (&field.node.name, time_words(field.after_ms()));
    let id = field.countdown.id.clone();
    let armed = timer(field, CountdownExpect::Armed { id: id.clone() });
    let stands = || vec![value(field, &field.countdown.to), armed.clone()];
    let seen = Wait {
        until: until(stands(), Need::All, LOOK_POLL_MS, SEEN_MS.min(field.after_ms())),
        guards: vec![armed.clone()],
        on_late: OnLate::Fail,
        keeps: false,
    };
    let hold = Wait {
        until: until(stands(), Need::Word, HOLD_POLL_MS, field.after_ms()),
        guards: stands(),
        on_late: OnLate::Fail,
        keeps: false,
    };
    let gone = vec![value(field, &field.countdown.to), timer(field, CountdownExpect::Gone { id })];
    let unseen = Clean::line("somebody said that it stays, and it is not seen to be so");
    let last = Wait {
        until: until(gone, Need::All, LOOK_POLL_MS, SEEN_MS),
        guards: Vec::new(),
        on_late: OnLate::Rest(unseen),
        keeps: false,
    };
    let column = field.countdown.setting.column();
    let Countdown { row, to, .. } = &field.countdown;
    vec![
        step(&format!("{name}: arm the timer that takes it back after {time}"), Action::Write(Box::new(arm(field)))),
        step(&format!("{name}: {column} of {row} becomes {to}"), Action::Write(Box::new(set(field)))),
        step(&format!("{name}: see it on a new connection"), Action::Wait(seen)),
        step(&format!("wait for the word that it stays; without it, {name} takes it back"), Action::Wait(hold)),
        step(&format!("{name}: call the timer off"), Action::Write(Box::new(disarm(field)))),
        step("see that it is still so", Action::Wait(last)),
    ]
}

fn step(title: &str, action: Action) -> Step {
    Step { title: Clean::line(title), when: When::Always, action, at_once: false }
}

fn write(field: &Field<'_>, task: CountdownTask, [before, guards, done]: [Vec<Check>; 3], undo: Undo) -> Write {
    Write {
        node: field.node.name.clone(),
        request: field.countdown.request(task),
        binds: Vec::new(),
        before,
        guards,
        done: done.clone(),
        after: until(done, Need::All, LOOK_POLL_MS, SEEN_MS),
        undo,
        rests: None,
        told_anew: false,
    }
}

/// The way back, which the node goes by itself once the time is over.
fn returns(field: &Field<'_>, label: &str, task: CountdownTask) -> Undo {
    Undo::Returns {
        label: Clean::line(label),
        request: field.countdown.request(task),
        after_ms: field.after_ms(),
        seen: timer(field, CountdownExpect::RanOut { id: field.countdown.id.clone() }),
    }
}

fn arm(field: &Field<'_>) -> Write {
    let id = field.countdown.id.clone();
    let before = vec![timer(field, CountdownExpect::Idle)];
    let done = vec![timer(field, CountdownExpect::Armed { id })];
    let guards = vec![value(field, &field.countdown.from)];
    write(field, CountdownTask::Arm, [before, guards, done], returns(field, "no timer", CountdownTask::Disarm))
}

fn set(field: &Field<'_>) -> Write {
    let Countdown { id, from, to, .. } = &field.countdown;
    let guards = vec![timer(field, CountdownExpect::Armed { id: id.clone() })];
    let checks = [vec![value(field, from)], guards, vec![value(field, to)]];
    write(field, CountdownTask::Set, checks, returns(field, from, CountdownTask::SetBack))
}

/// What the node has taken back meanwhile does not stay: then there is no timer to be called off.
fn disarm(field: &Field<'_>) -> Write {
    let Countdown { id, to, .. } = &field.countdown;
    let before = vec![timer(field, CountdownExpect::Here { id: id.clone() })];
    let guards = vec![timer(field, CountdownExpect::Armed { id: id.clone() }), value(field, to)];
    let done = vec![timer(field, CountdownExpect::Gone { id: id.clone() }), value(field, to)];
    let undo = Undo::Send { label: "armed again".into(), request: field.countdown.request(CountdownTask::Arm) };
    write(field, CountdownTask::Disarm, [before, guards, done], undo)
}
