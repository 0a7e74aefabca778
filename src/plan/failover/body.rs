//! The plan around the steps: what will happen in sentences, what it rests on, how it is read.

use super::{
    cut::{self, Cut},
    expect::DaemonExpect,
    field::{Daemon, Fence, Field},
    steps,
};
use crate::{
    model::{intent::Intent, mysql::DaemonState, text::Clean},
    plan::{
        expect::{ServerExpect, Verdict},
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
    let ages = ages.chain(field.besides.age_ms());
    let address = field.besides.address();
    Some(Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("Fail the primary over from {from} to {to}")),
        effect: effect(field, &steps).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&format!("{to} is the primary, and {from} is fenced")),
        subject: Subject::Primary { from: from.clone(), to: to.clone(), endpoints, address },
        made_at: scene.now,
        facts_age_ms: ages.chain([field.lost.age_ms]).max().unwrap_or(0),
        premises: premises(field),
        sources: sources(scene, field),
        point_of_no_return: steps.iter().position(Step::is_irreversible),
        steps,
        confirmation: confirmation(field),
        runbook: Clean::line(intent.change.id()),
    })
}

fn confirmation(field: &Field<'_>) -> Confirmation {
    let (from, to) = (field.lost.name(), field.target.name());
    let target = ConfirmBy::Target(Clean::line(to.as_str()));
    let (by, why) = match &field.lost.fence {
        Fence::Daemon(_) => {
            (target, format!("{from} is killed and stays masked, and what only it has written may be lost"))
        }
        Fence::Cut(cut) if cut.doubts.is_empty() => {
            (target, format!("{from} stays cut off, and what only it has written may be lost"))
        }
        Fence::Cut(_) => (
            ConfirmBy::Target(Clean::line(&cut::phrase(from))),
            format!("nothing proves that {from} does not write, and a second primary would make two histories"),
        ),
    };
    Confirmation { by, why: Clean::line(&why) }
}

fn effect(field: &Field<'_>, steps: &[Step]) -> Vec<String> {
    let (lost, to) = (&field.lost, field.target.name());
    let from = lost.name();
    let mut effect = vec![format!("{to} becomes the primary instead of {from}, which does not serve.")];
    match &lost.fence {
        Fence::Daemon(daemon) => daemon_words(&mut effect, field, daemon),
        Fence::Cut(cut) => cut_words(&mut effect, field, cut),
    }
    effect.push(format!(
        "Then nothing more arrives anywhere: {to} applies what it has received ({} behind now), at most {}, and what \
         another replica has received beyond it comes over from there.",
        lag_words(field),
        seconds(steps::APPLY_MS)
    ));
    let names = list_words(field.endpoints.iter().map(|one| one.node.name.as_str()));
    let paths: std::collections::BTreeSet<String> = field.endpoints.iter().map(|one| one.new.to_string()).collect();
    let paths = list_words(paths.iter().map(String::as_str));
    if !field.endpoints.is_empty() {
        effect.push(format!("Clients are let in by {paths} on {names} as soon as {to} takes writes."));
    }
    effect.extend(field.besides.effect());
    if field.siblings.is_empty() {
        effect.push(format!("No other replica is left: what {to} writes is on it alone until {from} is back."));
    } else {
        let names = list_words(field.siblings.iter().map(|seat| seat.node.name.as_str()));
        effect.push(format!(
            "{names} moves under {to} afterwards; until then, some hundred milliseconds, what {to} writes is on it alone."
        ));
    }
    effect.push(field.loss.words());
    effect.push(match &lost.fence {
        Fence::Daemon(_) => format!(
            "Once clients write again, the binary log of {from} is read on its machine: the ending says what {to} lacks of it."
        ),
        Fence::Cut(_) => format!("What {from} has and {to} lacks is told when {from} comes back (mysql.rejoin)."),
    });
    let promote = steps.iter().position(Step::is_irreversible).unwrap_or(0);
    // The last but one of the breath lets the last load balancer in; without one, the last one lets clients write.
    let switch = steps.iter().enumerate().skip(promote).take_while(|(at, step)| *at == promote || step.at_once);
    let breath_ends = promote + switch.count();
    let last_in = if field.endpoints.is_empty() { breath_ends } else { breath_ends - 1 };
    let back = match &lost.fence {
        Fence::Daemon(_) => format!("unmasks {from} and starts it"),
        Fence::Cut(_) => format!("opens the way to {from} again"),
    };
    effect.push(format!(
        "If vakt dies between steps 1 and {last_in}, nobody can write until vakt runs resume, or, before step {}, vakt runs \
         rollback, which {back}.",
        promote + 1
    ));
    effect.extend(field.left_alone.iter().cloned());
    effect.extend(table_words(&field.candidates).iter().map(ToString::to_string));
    effect
}

fn daemon_words(effect: &mut Vec<String>, field: &Field<'_>, daemon: &Daemon) {
    let from = field.lost.name();
    effect.push(match daemon.state {
        DaemonState::Dead => format!("{from} is dead by its machine's word; systemd may start it again at any time."),
        DaemonState::Frozen => format!("{from} is frozen, not dead: it would go on where it was."),
        DaemonState::Alive => format!("{from} is not dead by its machine's word: it may write until it is fenced."),
    });
    effect.extend(field.lost.witnesses.iter().map(ToString::to_string));
    effect.push(format!(
        "First {from} is fenced: {} is masked and its processes are killed, and both are read back. It stays so, also \
         after a restart of the machine, until mysql.rejoin takes it back, or systemctl unmask {} by hand.",
        daemon.unit, daemon.unit
    ));
}

fn cut_words(effect: &mut Vec<String>, field: &Field<'_>, cut: &Cut<'_>) {
    let (from, address) = (field.lost.name(), cut.address);
    effect.push(format!("The machine of {from} does not answer: whether its database still runs is not known."));
    effect.extend(field.lost.witnesses.iter().map(ToString::to_string));
    if !cut.places.is_empty() {
        effect.push(format!(
            "First {from} is fenced by its address: {} send nothing to {address} any more and end their connections with \
             it, which is read back on each. So no replica acknowledges what it writes, and no client of a load balancer \
             reaches it. This stays until mysql.rejoin {from}, or a restart of the node; \
             by hand it is ip route del unreachable {address}.",
            cut.names()
        ));
        effect.push(format!(
            "A client that reaches {from} without a load balancer is not cut off: what {from} takes from it is on {from} alone."
        ));
    }
    if !cut.doubts.is_empty() {
        effect.push(format!("Nothing proves that {from} takes no writes any more:"));
        effect.extend(cut.doubts.iter().map(ToString::to_string));
    }
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
    let mut premises = match &lost.fence {
        Fence::Daemon(daemon) => vec![Premise {
            seen: lost
                .witnesses
                .iter()
                .find(|line| line.as_str().contains(daemon.unit.as_str()))
                .cloned()
                .unwrap_or_default(),
            check: lost.check(DaemonExpect::NoBetter { than: daemon.state, pid: daemon.pid }),
            age_ms: lost.age_ms,
            age_ms_max,
        }],
        Fence::Cut(cut) => cut.premises(age_ms_max),
    };
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
    premises.extend(field.besides.premises(age_ms_max));
    if matches!(lost.fence, Fence::Cut(_)) {
        // Whoever reaches it again finds it alive.
        let is = ServerExpect::NoNewSessions;
        premises.extend(field.endpoints.iter().filter_map(|endpoint| {
            let check = endpoint.check(&endpoint.old, is);
            let Verdict::Holds(seen) = check.judge(&endpoint.facts, None) else { return None };
            Some(Premise { check, seen, age_ms: endpoint.age_ms, age_ms_max })
        }));
    }
    premises
}

fn sources(scene: &Scene<'_>, field: &Field<'_>) -> Vec<Source> {
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let databases = field.seats().map(|seat| Source {
        node: seat.node.name.clone(),
        probe: ProbeId::Switchover,
        requests: mysql::requests_of_plan(seat.node, seat.dialect, deadline_ms),
    });
    let of_lost = |probe: ProbeId| Source {
        node: field.lost.name().clone(),
        probe,
        requests: probe.probe().requests(field.lost.node, deadline_ms),
    };
    let fence = match &field.lost.fence {
        Fence::Daemon(_) => vec![of_lost(ProbeId::Daemon), of_lost(ProbeId::Binlog)],
        Fence::Cut(cut) => cut.sources(deadline_ms),
    };
    let mut sources: Vec<Source> = fence.into_iter().chain(databases).collect();
    sources.extend(endpoint::sources(&field.endpoints, deadline_ms));
    sources.extend(field.besides.sources());
    sources
}
