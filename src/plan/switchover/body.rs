//! The plan around the steps: what will happen in sentences, what it rests on, how it is read.

use super::{
    Scene, candidate, endpoint,
    expect::DatabaseExpect,
    field::{Field, Seat},
    statements, steps,
};
use crate::{
    model::{intent::Intent, text::Clean},
    plan::{
        haproxy::list_words,
        parts::{Body, ConfirmBy, Confirmation, Premise, Source, Step, Subject},
        text::seconds,
    },
    wire::{mysql, probe::ProbeId},
};

/// Everything but the name. `None` when a step cannot be written down.
pub(super) fn body(scene: &Scene<'_>, intent: &Intent, field: &Field<'_>) -> Option<Body> {
    let (from, to) = (field.primary.name(), field.target.name());
    let steps = steps::all(field)?;
    let endpoints = endpoint::servers(&field.endpoints);
    let ages = field.seats().map(|seat| seat.age_ms).chain(field.endpoints.iter().map(|one| one.age_ms));
    let ages = ages.chain(field.besides.age_ms());
    let address = field.besides.address();
    Some(Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("Switch the primary over from {from} to {to}")),
        effect: effect(field, &steps).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&format!("{to} is the primary, and {from} replicates from it")),
        subject: Subject::Primary { from: from.clone(), to: to.clone(), endpoints, address },
        made_at: scene.now,
        facts_age_ms: ages.max().unwrap_or(0),
        premises: premises(field),
        sources: sources(scene, field),
        point_of_no_return: steps.iter().position(Step::is_irreversible),
        steps,
        confirmation: Confirmation {
            by: ConfirmBy::Target(Clean::line(to.as_str())),
            why: Clean::line(&format!("writes stand still for a moment, and clients of {from} are disconnected")),
        },
        runbook: Clean::line(intent.change.id()),
    })
}

/// Logins whose sessions end, those with a plain name.
pub(super) fn sessions_users<'f>(field: &'f Field<'_>) -> Vec<&'f str> {
    let plain = |user: &&str| user.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    let accounts = field.primary.sample.accounts.as_ref().known().map_or(&[][..], Vec::as_slice);
    let foreign = accounts.iter().filter(|account| !account.is_own).map(|account| account.user.as_str());
    foreign.filter(plain).collect()
}

fn effect(field: &Field<'_>, steps: &[Step]) -> Vec<String> {
    let (from, to) = (field.primary.name(), field.target.name());
    let mut effect = vec![format!("{to} becomes the primary instead of {from}, which becomes its replica.")];
    if !field.siblings.is_empty() {
        let names = list_words(field.siblings.iter().map(|seat| seat.node.name.as_str()));
        effect.push(format!("{names} moves under {to} before anything stands still."));
    }
    effect.push(format!(
        "Writes wait while {to} applies the last transactions ({} behind now), at most {}; then they go on there, or, \
         whatever fails, on {from}.",
        candidate::lag_words(field),
        seconds(steps::CATCH_UP_MS),
    ));
    effect.extend(sessions_words(field));
    effect.extend(field.besides.effect());
    let number = |wanted: &dyn Fn(&Step) -> bool| steps.iter().position(wanted).map_or(0, |at| at + 1);
    let is_fence = |step: &Step| {
        step.write().is_some_and(|write| write.done.contains(&steps::check(&field.primary, DatabaseExpect::ReadOnly)))
    };
    effect.push(format!(
        "If vakt dies while {from} stands still, its session ends and writes go on there: at once, or after {} s where \
         the connection is silent.",
        statements::LEASE_S
    ));
    // The last but one of the breath lets the last load balancer in; without one, the last one lets clients write.
    let promote = steps.iter().position(Step::is_irreversible).unwrap_or(0);
    let last = steps.iter().rposition(|step| step.at_once).map_or(promote, |last| last.max(promote));
    let last_in = if field.endpoints.is_empty() { last + 1 } else { last };
    effect.push(format!(
        "If it dies between steps {} and {last_in}, which take some milliseconds{}, nobody can write until vakt runs resume, \
         or, before step {}, vakt runs rollback.",
        number(&is_fence),
        field.besides.time_words(),
        promote + 1
    ));
    effect.push(format!(
        "{from} stays read-only for as long as it runs; after a restart its file decides, which vakt does not change."
    ));
    effect.extend(field.left_alone.iter().cloned());
    let differences = candidate::differences(field);
    if !differences.is_empty() {
        effect.push(format!("{to} differs: {}.", differences.join("; ")));
    }
    effect.extend(candidate::words(field).iter().map(ToString::to_string));
    effect
}

/// What becomes of the sessions through load balancers, where writes come in by them.
fn sessions_words(field: &Field<'_>) -> Option<String> {
    if field.endpoints.is_empty() {
        return None;
    }
    let to = field.target.name();
    let names = list_words(field.endpoints.iter().map(|one| one.node.name.as_str()));
    let sessions: Option<u64> = field.endpoints.iter().map(|one| one.sessions).sum();
    let sessions = sessions.map_or_else(|| "The".to_owned(), |sessions| format!("The {sessions}"));
    let paths: std::collections::BTreeSet<String> = field.endpoints.iter().map(|one| one.old.to_string()).collect();
    let paths = list_words(paths.iter().map(String::as_str));
    Some(format!("{sessions} sessions through {paths} on {names} end; clients connect anew and reach {to}."))
}

fn premises(field: &Field<'_>) -> Vec<Premise> {
    let (primary, target) = (&field.primary, &field.target);
    let other = Some((&primary.facts, None));
    let mut premises = Vec::new();
    let mut hold = |seat: &Seat<'_>, is: DatabaseExpect| {
        let seen = is.judge(&seat.facts, None, other).seen().clone();
        let check = steps::check(seat, is);
        premises.push(Premise { check, seen, age_ms: seat.age_ms, age_ms_max: field.stale_after_ms });
    };
    for is in [
        DatabaseExpect::Writable,
        DatabaseExpect::FollowsNobody,
        DatabaseExpect::NotHeld,
        DatabaseExpect::NothingInTheWay,
        DatabaseExpect::NobodyPassesReadOnly,
        DatabaseExpect::NoAutomation,
    ] {
        hold(primary, is);
    }
    for seat in field.replicas() {
        for is in [
            DatabaseExpect::ReadOnly,
            steps::follows(primary),
            DatabaseExpect::NothingBeyond(primary.name().clone()),
            DatabaseExpect::NotHeld,
        ] {
            hold(seat, is);
        }
    }
    let lag_ms = field.lag_ms_max;
    hold(target, DatabaseExpect::LagAtMost { ms: lag_ms });
    for seat in &field.others {
        hold(seat, DatabaseExpect::ReadOnly);
    }
    premises.extend(field.endpoints.iter().flat_map(|endpoint| endpoint.premises(field.stale_after_ms)));
    premises.extend(field.besides.premises(field.stale_after_ms));
    premises
}

fn sources(scene: &Scene<'_>, field: &Field<'_>) -> Vec<Source> {
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let databases = field.seats().map(|seat| Source {
        node: seat.node.name.clone(),
        probe: ProbeId::Switchover,
        requests: mysql::requests_of_plan(seat.node, seat.dialect, deadline_ms),
    });
    let mut sources: Vec<Source> = databases.collect();
    sources.extend(endpoint::sources(&field.endpoints, deadline_ms));
    sources.extend(field.besides.sources());
    sources
}
