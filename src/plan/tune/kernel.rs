//! `tune.set` of the kernel: a value below `/proc/sys`, and the file that says it at the next start.
//!
//! The value that counts at a start stands in the last of the files that name it, `/etc/sysctl.conf` behind all others: there
//! the line is changed. Where none does, it goes into a file of vakt's own.

use super::{
    STALE_MS, SettingExpect, change_file_step, checks_at,
    keep::{Keeping, Stand},
    step, until,
};
use crate::{
    history::tuning::{called, has},
    model::{
        figure::{Figure, Unknown},
        intent::Intent,
        inventory::{Confirm, Node},
        text::Clean,
        tune_act::{Keep, TuneAct},
        tuning::{Reading, Setting, TuningSample},
    },
    plan::{
        expect::{Check, Expect},
        haproxy::list_words,
        limits,
        parts::{
            Action, Body, ConfirmBy, Confirmation, OnLate, Plan, Premise, Source, Step, Subject, Undo, Wait, Write,
        },
        refusal::{AlreadyThere, Planned, Reason, ReasonKind, Refusal},
        scene::{Scene, sight, sight_or_refuse},
    },
    wire::{file_edit::FileWay, probe::ProbeId, tuning::kernel},
};

/// The setting, the value, and the machines.
struct Field<'a> {
    setting: &'static Setting,
    value: String,
    target: Clean,
    keep: Keep,
    seats: Vec<Seat<'a>>,
}

/// One machine.
struct Seat<'a> {
    node: &'a Node,
    reading: Reading<'a>,
    running: String,
    age_ms: u64,
    keeping: Option<Keeping>,
}

impl Seat<'_> {
    fn sets(&self, value: &str) -> bool {
        self.running != value
    }

    fn evidence(&self, setting: &Setting) -> Clean {
        Clean::line(&format!("{}: {} is {}", self.node.name, setting.key, self.running))
    }
}

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
    let field = survey(scene, act, setting, &mut reasons);
    if let Some(field) = &field {
        judge(field, &mut reasons);
    }
    match field {
        Some(field) if reasons.is_empty() => {
            if field.to_change().next().is_none() {
                return Ok(Planned::AlreadyThere(AlreadyThere {
                    intent: intent.clone(),
                    what: Clean::line(&format!("{} is {} already.", setting.key, field.words())),
                    evidence: field.seats.iter().map(|seat| seat.evidence(setting)).collect(),
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

impl<'a> Field<'a> {
    fn to_change(&self) -> impl Iterator<Item = &Seat<'a>> {
        self.seats.iter().filter(|seat| seat.sets(&self.value) || seat.keeping.is_some())
    }

    fn words(&self) -> String {
        self.setting.unit.words(&self.value)
    }

    fn former(&self) -> Option<Clean> {
        let first = &self.to_change().next()?.running;
        self.to_change().all(|seat| seat.running == *first).then(|| Clean::line(first))
    }
}

fn survey<'a>(
    scene: &Scene<'a>,
    act: &TuneAct,
    setting: &'static Setting,
    reasons: &mut Vec<Reason>,
) -> Option<Field<'a>> {
    let value = setting.unit.canonical(act.value.as_str()).filter(|value| value.bytes().all(|b| b.is_ascii_digit()));
    if value.is_none() || act.key.as_str() != setting.key {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{} is no value of {}: it takes {}.", act.value, act.key, setting.unit.name()),
            Vec::new(),
            "Write a whole number.",
        ));
    }
    let nodes: Vec<&Node> = called(scene.inventory, act.target.as_str());
    let with: Vec<&Node> = nodes.iter().copied().filter(|node| has(setting, node)).collect();
    if with.is_empty() {
        let roles: Vec<&str> = setting.roles.iter().map(|role| role.word()).collect();
        let what = if nodes.is_empty() {
            format!("{} is neither a node nor a role of one.", act.target)
        } else {
            format!("{} has none of the roles for which vakt knows {}.", act.target, setting.key)
        };
        let cure = format!("Name a node with the role {}, or that role.", roles.join(" or "));
        reasons.push(Reason::new(ReasonKind::UnknownTarget, what, Vec::new(), cure));
    }
    let mut seats: Vec<Seat<'a>> = with.into_iter().filter_map(|node| seat(scene, setting, node, reasons)).collect();
    let value = value.filter(|_| !seats.is_empty())?;
    for seat in &mut seats {
        let sample = scene.world.node(&seat.node.name).and_then(|facts| facts.tuning.last());
        seat.keeping = sample.and_then(|sample| keeping(scene, act, (setting, &value), seat, sample, reasons));
    }
    Some(Field { setting, value, target: act.target.clone(), keep: act.keep, seats })
}

fn seat<'a>(
    scene: &Scene<'a>,
    setting: &'static Setting,
    node: &'a Node,
    reasons: &mut Vec<Reason>,
) -> Option<Seat<'a>> {
    let facts = scene.world.node(&node.name)?;
    let limit_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
    let seen = sight(&facts.tuning, &node.name, scene.now, limit_ms);
    let what = format!("The settings of {} are not known well enough.", node.name);
    let (sample, age_ms) = sight_or_refuse(seen, &node.name, what, reasons)?;
    let reading = sample.reading(setting);
    let running = match &reading.running {
        Figure::Known(value) => value.to_string(),
        Figure::Unknown(why) => {
            let (kind, what) = if *why == Unknown::NotOffered {
                (ReasonKind::NotFit, format!("The kernel of {} has no setting {}.", node.name, setting.key))
            } else {
                (ReasonKind::UnknownFact, format!("What {} is on {} is unknown.", setting.key, node.name))
            };
            let line = vec![Clean::line(&format!("{}: {why}", node.name))];
            reasons.push(Reason::new(kind, what, line, "vakt tune shows what each kernel has."));
            return None;
        }
    };
    Some(Seat { node, reading, running, age_ms, keeping: None })
}

fn keeping(
    scene: &Scene<'_>,
    act: &TuneAct,
    (setting, value): (&'static Setting, &str),
    seat: &Seat<'_>,
    sample: &TuningSample,
    reasons: &mut Vec<Reason>,
) -> Option<Keeping> {
    if act.keep == Keep::No {
        return None;
    }
    let name = Clean::line(&setting.key);
    let stand = Stand {
        node: &seat.node.name,
        setting,
        name: &name,
        configured: &seat.reading.configured,
        files: &sample.files,
        folder: None,
        value,
        typed: act.value.as_str().trim(),
        now: scene.now,
    };
    stand.keeping(act.keep, reasons)
}

/// Values that would do harm; the kernel states no range of its own.
fn judge(field: &Field<'_>, reasons: &mut Vec<Reason>) {
    let Ok(value) = field.value.parse::<u64>() else { return };
    let Some((minimum, maximum)) = range(&field.setting.key) else { return };
    if (minimum..=maximum).contains(&value) {
        return;
    }
    reasons.push(Reason::new(
        ReasonKind::NotFit,
        format!("{} of {value} is not set by vakt.", field.setting.key),
        field.seats.iter().map(|seat| seat.evidence(field.setting)).collect(),
        format!("Choose a value from {minimum} to {maximum}."),
    ));
}

/// What the kernel takes, without what would stop a machine from serving.
fn range(key: &str) -> Option<(u64, u64)> {
    Some(match key {
        "net.core.somaxconn" => (128, 65_535),
        "net.ipv4.tcp_max_syn_backlog" => (128, 1_048_576),
        "net.ipv4.ip_nonlocal_bind" => (0, 1),
        "net.ipv4.tcp_tw_reuse" => (0, 2),
        "vm.swappiness" => (1, 100),
        "vm.dirty_ratio" => (2, 80),
        "vm.dirty_background_ratio" => (1, 60),
        "fs.aio-max-nr" => (4_096, 16_777_216),
        _ => return None,
    })
}

fn check(field: &Field<'_>, seat: &Seat<'_>, value: &str) -> Check {
    let is = SettingExpect { name: Clean::line(&field.setting.key), value: Clean::line(value), is_persisted: false };
    Check { node: seat.node.name.clone(), probe: ProbeId::Tuning, expect: Expect::Setting(is) }
}

fn done(field: &Field<'_>, seat: &Seat<'_>) -> Vec<Check> {
    let mut checks = vec![check(field, seat, &field.value)];
    checks.extend(seat.keeping.iter().flat_map(|keeping| checks_at(&seat.node.name, &keeping.done)));
    checks
}

fn body(scene: &Scene<'_>, intent: &Intent, field: &Field<'_>) -> Body {
    let changed: Vec<&Seat<'_>> = field.to_change().collect();
    let nodes = list_words(changed.iter().map(|seat| seat.node.name.as_str()));
    let limit_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let premises = changed.iter().flat_map(|seat| {
        let files = seat.keeping.iter().flat_map(|keeping| checks_at(&seat.node.name, &keeping.before));
        let own = (check(field, seat, &seat.running), seat.evidence(field.setting));
        let all = std::iter::once(own).chain(files.map(|check| (check, "as it was read".into())));
        all.map(|(check, seen)| Premise { check, seen, age_ms: seat.age_ms, age_ms_max: limit_ms })
    });
    let source = |seat: &&Seat<'_>| Source {
        node: seat.node.name.clone(),
        probe: ProbeId::Tuning,
        requests: ProbeId::Tuning.probe().requests(seat.node, deadline_ms).into_iter().take(1).collect(),
    };
    let mut steps: Vec<Step> = changed.iter().flat_map(|seat| steps_of(field, seat)).collect();
    let prove = Wait {
        until: until(changed.iter().flat_map(|seat| done(field, seat)).collect(), 1),
        guards: Vec::new(),
        on_late: OnLate::Fail,
        keeps: false,
    };
    steps.push(step(&format!("{nodes}: see that the value stays"), Action::Wait(prove)));
    let (key, value) = (&field.setting.key, field.words());
    let ends = match field.keep {
        Keep::No => "",
        Keep::InFile => ", also after a restart",
        Keep::PutBack => ", and the file is as it was",
    };
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("Set {key} to {value} on {nodes}{}", super::title_of(field.keep))),
        effect: effect(field).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&format!("{key} is {value} on {nodes}{ends}")),
        subject: Subject::Setting { key: Clean::line(key), target: field.target.clone(), former: field.former() },
        made_at: scene.now,
        facts_age_ms: changed.iter().map(|seat| seat.age_ms).max().unwrap_or(0),
        premises: premises.collect(),
        sources: changed.iter().map(source).collect(),
        steps,
        point_of_no_return: None,
        confirmation: confirmation(scene, field),
        runbook: Clean::line(intent.change.id()),
    }
}

fn confirmation(scene: &Scene<'_>, field: &Field<'_>) -> Confirmation {
    let target = |why: &str| Confirmation { by: ConfirmBy::Target(field.target.clone()), why: Clean::line(why) };
    match field.to_change().count() {
        1 if scene.policy.confirm == Confirm::AlwaysTyped => {
            target("the configuration asks for a name before every change")
        }
        1 => Confirmation { by: ConfirmBy::Enter, why: "one machine runs otherwise, and it can be undone".into() },
        _ => target("it reaches several machines"),
    }
}

fn effect(field: &Field<'_>) -> Vec<String> {
    let (setting, unit) = (field.setting, field.setting.unit);
    let mut effect = Vec::new();
    for seat in field.to_change() {
        let node = &seat.node.name;
        if seat.sets(&field.value) {
            effect.push(format!(
                "{} on {node} goes from {} to {}.",
                setting.key,
                unit.words(&seat.running),
                field.words()
            ));
        }
        effect.push(match (&seat.keeping, field.keep, &seat.reading.configured) {
            (Some(keeping), ..) => match (keeping.way, keeping.edit.change.sum()) {
                (FileWay::TakeBack, _) => format!("{} on {node} is as it was before vakt's last change.", keeping.edit.path),
                (FileWay::Make, None) => {
                    format!("No file on {node} names it: {} is written, and is read last of its folder.", keeping.edit.path)
                }
                (FileWay::Make, Some(_)) => format!(
                    "{} on {node} says it from then on; the file as it was stays beside it as {}. Remove it when nobody needs it.",
                    keeping.edit.path, keeping.edit.kept
                ),
            },
            (None, Keep::No, Figure::Known(Some((value, place)))) => {
                format!("No file is changed: a restart of {node} brings {} ({}:{}).", unit.words(value.as_str()), place.file, place.line)
            }
            (None, Keep::No, Figure::Known(None)) => {
                format!("No file is changed: a restart of {node} brings the kernel's own value.")
            }
            (None, Keep::No, Figure::Unknown(why)) => {
                format!("No file is changed: a restart of {node} brings what files say, which is unknown: {why}.")
            }
            (None, ..) => format!("The files on {node} say so already."),
        });
    }
    if let Some(since) = &setting.since {
        effect.push(format!("When it counts: {since}."));
    }
    effect.push(format!("Risk: {}", setting.risk));
    effect
}

/// The kernel first: a file is judged by nobody, so what stands there was taken by the kernel before.
fn steps_of(field: &Field<'_>, seat: &Seat<'_>) -> Vec<Step> {
    let value = seat.sets(&field.value).then(|| set(field, seat));
    let file = seat.keeping.as_ref().map(|keeping| {
        let words = keeping.words(&Clean::line(&field.setting.key), field.setting.unit);
        change_file_step(&format!("{}: {words}", seat.node.name), &seat.node.name, keeping)
    });
    value.into_iter().chain(file).collect()
}

fn set(field: &Field<'_>, seat: &Seat<'_>) -> Step {
    let request = |from: &str, to: &str| kernel::set(&field.setting.key, from, to);
    let done = vec![check(field, seat, &field.value)];
    let mut after = until(done.clone(), 1);
    after.deadline_ms = limits::VERIFY_DEADLINE_MS;
    let write = Write {
        node: seat.node.name.clone(),
        request: request(&seat.running, &field.value),
        binds: Vec::new(),
        before: vec![check(field, seat, &seat.running)],
        guards: Vec::new(),
        done,
        after,
        undo: Undo::Send {
            label: Clean::line(&field.setting.unit.words(&seat.running)),
            request: request(&field.value, &seat.running),
        },
        rests: None,
        told_anew: false,
    };
    let title = format!("{}: {} becomes {}", seat.node.name, field.setting.key, field.words());
    step(&title, Action::Write(Box::new(write)))
}
