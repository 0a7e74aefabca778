//! The table of replicas with every check, and which of them becomes the primary: the one that has most.

use crate::{
    model::{
        figure::Figure,
        ids::NodeName,
        mysql::{
            ThreadState,
            gtid::{Gtids, MariadbGtids, SeriesId},
        },
    },
    plan::{
        expect::Verdict,
        refusal::{Reason, ReasonKind},
        scene::Scene,
        switchover::{
            DatabaseExpect,
            candidate::{ERRANT_CURE, Line, own_setting_lines, place_line, replication_lines, table_words},
            field::Seat,
            positions::{arrived, position_words},
        },
    },
};

/// Every replica with every check.
pub(super) fn table(replicas: &[Seat<'_>], scene: &Scene<'_>) -> Vec<(NodeName, Vec<Line>)> {
    replicas.iter().map(|seat| (seat.name().clone(), lines(seat, replicas, scene))).collect()
}

fn lines(seat: &Seat<'_>, replicas: &[Seat<'_>], scene: &Scene<'_>) -> Vec<Line> {
    let of = |is: DatabaseExpect, cure: &str| Line::of(&is.judge(&seat.facts, None, None), cure);
    let words = seat.speaks();
    let mut lines = vec![
        received_line(seat),
        applier_line(seat),
        own_line(seat, replicas),
        of(DatabaseExpect::ReadOnly, &format!("Make it read-only: set global {} = 1.", words.read_only)),
        of(DatabaseExpect::NotHeld, "Wait until the run that holds it has ended: vakt runs."),
        of(DatabaseExpect::NoAutomation, "Use that program's own failover, or stop it on every host first."),
    ];
    lines.extend(replication_lines(seat));
    lines.extend(own_setting_lines(seat));
    lines.push(place_line(scene, seat));
    lines
}

fn received_line(seat: &Seat<'_>) -> Line {
    Line::figure(
        &arrived(seat.sample),
        "what it has received",
        |all| (true, format!("received {}", position_words(&all.position()))),
        &format!("Let vakt's login read it: grant {} on *.* to it.", seat.speaks().monitor),
    )
}

/// What has arrived must be applied before anybody writes.
fn applier_line(seat: &Seat<'_>) -> Line {
    let cure = format!("Let it apply what it has: {}, after a look at its error.", seat.speaks().start_applier);
    let applier = seat.channels().first().map(|channel| channel.applier.clone()).unwrap_or_default();
    Line::figure(
        &applier,
        "whether it applies",
        |state| (*state == ThreadState::Running, format!("applier {state}")),
        &cure,
    )
}

/// Transactions that it wrote itself and no other replica has: as the primary it would give them to everybody, as a
/// replica it could not follow. Of one replica alone nobody can tell.
fn own_line(seat: &Seat<'_>, replicas: &[Seat<'_>]) -> Line {
    let others: Vec<&Seat<'_>> = replicas.iter().filter(|other| other.name() != seat.name()).collect();
    let verdict = match seat.sample.own_transactions() {
        Figure::Unknown(why) => Verdict::Unknown(format!("what it wrote itself is unknown: {why}").as_str().into()),
        Figure::Known(own) if replicas.len() < 2 || is_elsewhere(&own, &others) => {
            Verdict::Holds("wrote nothing of its own".into())
        }
        Figure::Known(own) => Verdict::Fails(format!("wrote {own}, which no other replica has").as_str().into()),
    };
    Line::of(&verdict, ERRANT_CURE)
}

/// Whether others have all of that.
fn is_elsewhere(own: &Gtids, others: &[&Seat<'_>]) -> bool {
    let Gtids::Mariadb(own) = own else {
        let known = others.iter().filter_map(|other| other.sample.everything().known());
        let all = known.reduce(|one, other| one.union(&other).unwrap_or(one));
        return own.is_empty() || all.is_some_and(|all| all.reaches(own));
    };
    let states: Vec<&MariadbGtids> =
        others.iter().filter_map(|other| other.sample.state.binlog_state.as_ref().known()).collect();
    // One that was rebuilt knows only where it stands, and has everything before that.
    let has = |other: &MariadbGtids, series: SeriesId, last: u64| match other.last(series) {
        Some(known) => known >= last,
        None => other.head(series.domain).is_some_and(|(_, head)| head >= last),
    };
    own.entries().all(|(series, last)| states.iter().any(|other| has(other, series, last)))
}

/// The place of the one that becomes the primary: the one that is asked for, or that of those who pass the one that has
/// received most. Refused when nobody passes, and when one that does not has more than everybody who does.
pub(super) fn choose(
    replicas: &[Seat<'_>],
    candidates: &[(NodeName, Vec<Line>)],
    to: Option<&NodeName>,
    reasons: &mut Vec<Reason>,
) -> Option<usize> {
    let mut evidence = table_words(candidates);
    let passes = |at: &usize| candidates[*at].1.iter().all(|line| line.passed == Some(true));
    let reach = |at: &usize| arrived(replicas[*at].sample).known();
    // What is unknown reaches nothing, and is reached by everybody.
    let reaches = |one: &usize, other: &usize| match (reach(one), reach(other)) {
        (_, None) => true,
        (Some(one), Some(other)) => one.reaches(&other),
        (None, Some(other)) => other.is_empty(),
    };
    let fit: Vec<usize> = (0..replicas.len()).filter(passes).collect();
    let most = |places: &[usize]| {
        let most = |one: usize, other: usize| if reaches(&other, &one) { other } else { one };
        // From behind: of equal ones the first of the inventory.
        places.iter().rev().copied().reduce(most)
    };
    let wanted = match to {
        Some(to) => replicas.iter().position(|seat| seat.name() == to),
        None => most(&fit),
    };
    let Some(wanted) = wanted else {
        let what = match to {
            Some(to) => format!("{to} does not replicate from the primary: it cannot take its place."),
            None => "No replica can take the place of the primary.".to_owned(),
        };
        // Each with its own cure.
        let failing = candidates.iter().flat_map(|(_, lines)| lines).find(|line| line.passed != Some(true));
        let cure = failing.map_or("Choose a replica of the primary.", |line| line.cure.as_str());
        reasons.push(Reason::new(ReasonKind::NotFit, what, evidence, cure));
        return None;
    };
    for line in candidates[wanted].1.iter().filter(|line| line.passed != Some(true)) {
        let what = format!("{} cannot become the primary: {}.", candidates[wanted].0, line.seen);
        reasons.push(Reason::new(line.kind, what, std::mem::take(&mut evidence), &line.cure));
    }
    // What a sibling has more is taken from it; one that does not apply cannot give it.
    for at in (0..replicas.len()).filter(|at| *at != wanted && !passes(at)) {
        if !reaches(&wanted, &at) {
            let blocked = candidates[at].1.iter().find(|line| line.passed != Some(true));
            let (seen, cure) = blocked.map_or(("", ""), |line| (line.seen.as_str(), line.cure.as_str()));
            let what = format!(
                "{} has received more than {}, and cannot pass it on: {seen}.",
                candidates[at].0, candidates[wanted].0
            );
            reasons.push(Reason::new(ReasonKind::NotFit, what, std::mem::take(&mut evidence), cure));
        }
    }
    Some(wanted)
}
