//! `mysql.rejoin`: a former primary, or any other database that fell out, is a replica of the primary again.
//!
//! One that is masked is started read-only, whatever its file says, and compared before it replicates anything. A server
//! that has transactions which the primary lacks is left as it was: the two histories are a person's to compare.
//!
//! Deliberately absent: rebuilding a diverged server from another one (the runbook says how, by hand).

mod field;
mod steps;

use super::{
    expect::Check,
    parts::{Body, ConfirmBy, Confirmation, Plan, Premise, Source, Subject},
    refusal::{AlreadyThere, Planned, Reason, Refusal},
    scene::Scene,
    switchover::DatabaseExpect,
};
use crate::{
    model::{ids::NodeName, intent::Intent, text::Clean},
    wire::{mysql, probe::ProbeId},
};
use field::{Field, Found, Joiner};

/// Plans a rejoin.
pub(super) fn plan(scene: &Scene<'_>, intent: &Intent, node: &NodeName) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    match Field::survey(scene, node, &mut reasons) {
        Some(Found::Replica(evidence)) if reasons.is_empty() => Ok(Planned::AlreadyThere(AlreadyThere {
            intent: intent.clone(),
            what: Clean::line(&format!("{node} replicates from the primary already.")),
            evidence,
        })),
        Some(Found::Outside(field)) if reasons.is_empty() => {
            Ok(Planned::Plan(Box::new(Plan::new(body(scene, intent, &field)))))
        }
        _ => {
            let title = Clean::line(&format!("Let {node} replicate from the primary again"));
            Err(Refusal::of(intent, title, reasons))
        }
    }
}

fn body(scene: &Scene<'_>, intent: &Intent, field: &Field<'_>) -> Body {
    let (node, primary) = (field.seat.name(), field.primary.name());
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("Let {node} replicate from {primary} again")),
        effect: effect(field).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&format!("{node} replicates from {primary}, read-only")),
        subject: Subject::Primary { from: node.clone(), to: primary.clone(), endpoints: Vec::new(), address: None },
        made_at: scene.now,
        facts_age_ms: field.primary.age_ms.max(field.age_ms),
        premises: premises(field),
        sources: sources(scene, field),
        point_of_no_return: None,
        steps: steps::all(field),
        confirmation: Confirmation {
            by: ConfirmBy::Target(Clean::line(node.as_str())),
            why: Clean::line(&format!("its database runs again, and takes what {primary} has")),
        },
        runbook: Clean::line(intent.change.id()),
    }
}

fn effect(field: &Field<'_>) -> Vec<String> {
    let (node, primary) = (field.seat.name(), field.primary.name());
    let mut effect = vec![format!("{node} becomes a replica of {primary}. It takes no writes at any moment.")];
    match &field.joiner {
        Joiner::Fenced { unit } => {
            let option = if field.primary.sample.is_mysql() { "--super-read-only" } else { "--read-only" };
            effect.push(format!(
                "It is fenced now: {unit} is unmasked and started with {option}, whatever its file says; that is proven \
                 before anything else."
            ));
            effect.push(format!(
                "Then it is compared: as long as it has a transaction that {primary} lacks, it does not replicate, and is \
                 masked and killed again. What it has more is told in the ending."
            ));
        }
        Joiner::Running => effect.push(format!("It runs, is read-only, and has nothing that {primary} lacks.")),
    }
    if !field.closed.is_empty() {
        let names: Vec<&str> = field.closed.iter().map(|closed| closed.name().as_str()).collect();
        effect.push(format!(
            "A failover has cut its address off on {}; each opens the way again once {node} is known to be read-only and to \
             have nothing that {primary} lacks.",
            super::haproxy::list_words(names)
        ));
    }
    effect.push(format!(
        "It catches up for at most {}; what it lacks comes from the binary logs of {primary}, as far as they reach.",
        super::text::seconds(steps::CATCH_UP_MS)
    ));
    effect.push(format!(
        "After a restart the file of {node} decides whether it is read-only, which vakt does not change."
    ));
    effect.push("Every step is undone if a later one fails.".to_owned());
    effect
}

fn premises(field: &Field<'_>) -> Vec<Premise> {
    let age_ms_max = field.stale_after_ms;
    let mut premises = Vec::new();
    let mut hold = |check: Check, facts, other, age_ms| {
        let seen = check.judge_against(facts, None, other).seen().clone();
        premises.push(Premise { check, seen, age_ms, age_ms_max });
    };
    let (seat, primary) = (&field.seat, &field.primary);
    for is in [DatabaseExpect::Writable, DatabaseExpect::FollowsNobody] {
        hold(super::switchover::steps::check(primary, is), &primary.facts, None, primary.age_ms);
    }
    match &field.joiner {
        Joiner::Fenced { .. } => hold(steps::fenced(seat), &field.daemon, None, field.age_ms),
        Joiner::Running => {
            let beyond = DatabaseExpect::NothingBeyond(primary.name().clone());
            for is in [DatabaseExpect::ReadOnly, DatabaseExpect::FollowsNobody, beyond] {
                let other = Some((&primary.facts, None));
                hold(super::switchover::steps::check(seat, is), &seat.facts, other, field.age_ms);
            }
        }
    }
    premises.extend(field.closed.iter().map(|closed| closed.premise(age_ms_max)));
    premises
}

fn sources(scene: &Scene<'_>, field: &Field<'_>) -> Vec<Source> {
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let database = |seat: &super::switchover::field::Seat<'_>| Source {
        node: seat.node.name.clone(),
        probe: ProbeId::Switchover,
        requests: mysql::requests_of_plan(seat.node, seat.dialect, deadline_ms),
    };
    let daemon = Source {
        node: field.seat.name().clone(),
        probe: ProbeId::Daemon,
        requests: ProbeId::Daemon.probe().requests(field.seat.node, deadline_ms),
    };
    let mut sources = vec![daemon, database(&field.seat), database(&field.primary)];
    sources.extend(field.closed.iter().map(|closed| closed.source(deadline_ms)));
    sources
}
