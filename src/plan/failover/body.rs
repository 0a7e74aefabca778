//! The plan around the steps: what will happen in sentences, what it rests on, how it is read.

use super::{expect::DaemonExpect, field::Field, steps};
use crate::{
    model::{intent::Intent, mysql::DaemonState, text::Clean},
    plan::{
        haproxy::list_words,
        parts::{Body, ConfirmBy, Confirmation, Premise, Source, Step, Subject},
        scene::Scene,
        switchover::{DatabaseExpect, candidate::table_words, endpoint, expect::lag_of, steps::check},
        text::seconds,
    },
    wire::{mysql, probe::ProbeId},
};

/// Everything but the name. `None` when a step cannot be written down.
pub(super) fn body(scene: &Scene<'_>, intent: &Intent, field: &Field<'_>) -> Option<Body> {
    let (from, to) = (field.lost.name(), field.target.name());
    let steps = steps::all(field)?;
    let endpoints = endpoint::servers(&field.endpoints);
    let ages = field.seats().map(|seat| seat.age_ms).chain(field.endpoints.iter().map(|one| one.age_ms));
    Some(Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("Fail the primary over from {from} to {to}")),
        effect: effect(field, &steps).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&format!("{to} is the primary, and {from} is fenced")),
        subject: Subject::Primary { from: from.clone(), to: to.clone(), endpoints },
        made_at: scene.now,
        facts_age_ms: ages.chain([field.lost.age_ms]).max().unwrap_or(0),
        premises: premises(field),
        sources: sources(scene, field),
        point_of_no_return: steps.iter().position(Step::is_irreversible),
        steps,
        confirmation: Confirmation {
            by: ConfirmBy::Target(Clean::line(to.as_str())),
            why: Clean::line(&format!("{from} is killed and stays masked, and what only it has written may be lost")),
        },
        runbook: Clean::line(intent.change.id()),
    })
}

fn effect(field: &Field<'_>, steps: &[Step]) -> Vec<String> {
    let (lost, to) = (&field.lost, field.target.name());
    let from = lost.name();
    let mut effect = vec![format!("{to} becomes the primary instead of {from}, which does not serve.")];
    effect.push(match lost.state {
        DaemonState::Dead => format!("{from} is dead by its machine's word; systemd may start it again at any time."),
        DaemonState::Frozen => format!("{from} is frozen, not dead: it would go on where it was."),
        DaemonState::Alive => format!("{from} is not dead by its machine's word: it may write until it is fenced."),
    });
    effect.extend(lost.witnesses.iter().map(ToString::to_string));
    effect.push(format!(
        "First {from} is fenced: {} is masked and its processes are killed, and both are read back. It stays so, also \
         after a restart of the machine, until mysql.rejoin takes it back, or systemctl unmask {} by hand.",
        lost.unit, lost.unit
    ));
    effect.push(format!(
        "Then nothing more arrives anywhere: {to} applies what it has received ({} behind now), at most {}, and what \
         another replica has received beyond it comes over from there.",
        lag_words(field),
        seconds(steps::APPLY_MS)
    ));
    let names = list_words(field.endpoints.iter().map(|one| one.node.name.as_str()));
    let paths: std::collections::BTreeSet<String> = field.endpoints.iter().map(|one| one.new.to_string()).collect();
    let paths = list_words(paths.iter().map(String::as_str));
    effect.push(format!("Clients are let in by {paths} on {names} as soon as {to} takes writes."));
    if field.siblings.is_empty() {
        effect.push(format!("No other replica is left: what {to} writes is on it alone until {from} is back."));
    } else {
        let names = list_words(field.siblings.iter().map(|seat| seat.node.name.as_str()));
        effect.push(format!(
            "{names} moves under {to} afterwards; until then, some hundred milliseconds, what {to} writes is on it alone."
        ));
    }
    effect.push(field.loss.words());
    effect.push(format!(
        "Once clients write again, the binary log of {from} is read on its machine: the ending says what {to} lacks of it."
    ));
    let promote = steps.iter().position(Step::is_irreversible).unwrap_or(0);
    // The last but one of the breath lets the last load balancer in.
    let last_in =
        steps.iter().enumerate().skip(promote).take_while(|(at, step)| *at == promote || step.at_once).count();
    effect.push(format!(
        "If vakt dies between steps 1 and {}, nobody can write until vakt runs resume, or, before step {}, vakt runs \
         rollback, which unmasks {from} and starts it.",
        promote + last_in.saturating_sub(1),
        promote + 1
    ));
    effect.extend(field.left_alone.iter().cloned());
    effect.extend(table_words(&field.candidates).iter().map(ToString::to_string));
    effect
}

fn lag_words(field: &Field<'_>) -> String {
    match lag_of(field.target.sample).known() {
        Some(ms) => seconds(ms),
        None => "an unknown time".to_owned(),
    }
}

fn premises(field: &Field<'_>) -> Vec<Premise> {
    let lost = &field.lost;
    let age_ms_max = field.stale_after_ms;
    let no_better = DaemonExpect::NoBetter { than: lost.state, pid: lost.pid };
    let mut premises = vec![Premise {
        seen: lost
            .witnesses
            .iter()
            .find(|line| line.as_str().contains(lost.unit.as_str()))
            .cloned()
            .unwrap_or_default(),
        check: lost.check(no_better),
        age_ms: lost.age_ms,
        age_ms_max,
    }];
    let pointed = DatabaseExpect::PointsTo { node: lost.name().clone(), host: lost.host.clone() };
    for seat in field.replicas() {
        for is in [DatabaseExpect::ReadOnly, pointed.clone(), DatabaseExpect::NotHeld, DatabaseExpect::NoAutomation] {
            let seen = is.judge(&seat.facts, None, None).seen().clone();
            premises.push(Premise { check: check(seat, is), seen, age_ms: seat.age_ms, age_ms_max });
        }
    }
    for seat in &field.others {
        let seen = DatabaseExpect::ReadOnly.judge(&seat.facts, None, None).seen().clone();
        premises.push(Premise { check: check(seat, DatabaseExpect::ReadOnly), seen, age_ms: seat.age_ms, age_ms_max });
    }
    premises.extend(field.endpoints.iter().flat_map(|endpoint| endpoint.premises(age_ms_max)));
    premises
}

fn sources(scene: &Scene<'_>, field: &Field<'_>) -> Vec<Source> {
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let databases = field.seats().map(|seat| Source {
        node: seat.node.name.clone(),
        probe: ProbeId::Switchover,
        requests: mysql::requests_of_plan(seat.node, seat.dialect, deadline_ms),
    });
    let daemon = Source {
        node: field.lost.name().clone(),
        probe: ProbeId::Daemon,
        requests: ProbeId::Daemon.probe().requests(field.lost.node, deadline_ms),
    };
    let binlog = Source {
        node: field.lost.name().clone(),
        probe: ProbeId::Binlog,
        requests: ProbeId::Binlog.probe().requests(field.lost.node, deadline_ms),
    };
    let mut sources: Vec<Source> = [daemon, binlog].into_iter().chain(databases).collect();
    sources.extend(endpoint::sources(&field.endpoints, deadline_ms));
    sources
}
