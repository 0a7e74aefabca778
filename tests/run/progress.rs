//! What a run says about itself while it goes on: for every plan, fault and crash, each step's words follow the records.

use super::{
    cluster::Cluster,
    harness::{FAULTS, Harness, Script},
};
use crate::plans::{corpus, plan_of};
use std::fmt::Write as _;
use vakt::{
    model::time::Wall,
    run::{EndingKind, Mark, Progress, Record, Recovery, StepProgress},
};

/// At the end nothing is on its way, and what the steps say adds up to the ending.
fn check(records: &[Record]) {
    for count in 1..=records.len() {
        let progress = Progress::of(&records[..count]).unwrap();
        let active = progress.steps.iter().zip(&progress.plan.body.steps);
        let active = active.filter(|(step, _)| matches!(step, StepProgress::Active { .. }));
        // But for what is sent in one breath.
        assert!(active.skip(1).all(|(_, step)| step.at_once), "two steps at once: {progress:?}");
        assert!(!progress.sentence().is_empty());
        for step in 0..progress.steps.len() {
            let (mark, words) = progress.words(step, progress.last_at);
            let is_quiet = matches!(progress.steps[step], StepProgress::Pending);
            assert_eq!(is_quiet, words.is_empty() && mark == Mark::None);
        }
    }
    let progress = Progress::of(records).unwrap();
    let kind = progress.ending.as_ref().unwrap().kind;
    let is_done = |step: &StepProgress| matches!(step, StepProgress::Done { .. });
    let is_odd = |step: &StepProgress| {
        matches!(step, StepProgress::Active { .. } | StepProgress::Unknown { .. } | StepProgress::NotUndone { .. })
    };
    match kind {
        EndingKind::Reached => {
            assert!(progress.steps.iter().all(|step| !is_odd(step) && *step != StepProgress::Pending), "{progress:?}");
        }
        EndingKind::RolledBack => {
            assert!(!progress.steps.iter().any(|step| is_done(step) || is_odd(step)), "{progress:?}");
        }
        // What may come late is not known at the end.
        EndingKind::Stopped => {
            let odd = progress.steps.iter().zip(&progress.plan.body.steps).filter(|(state, _)| is_odd(state));
            let mut certain = odd.filter(|(_, step)| step.write().is_none_or(|write| write.rests.is_none()));
            assert!(certain.next().is_none(), "{progress:?}");
        }
        EndingKind::NeedsOperator => {}
    }
}

#[test]
fn steps_add_up_to_the_ending_whatever_goes_wrong() {
    let mut kinds = std::collections::BTreeSet::new();
    for (name, cluster, line) in corpus() {
        let plan = plan_of(&cluster, line);
        let faults = FAULTS.iter().flat_map(|fault| (0..3).map(move |at| vec![(at, *fault)]));
        for faults in std::iter::once(Vec::new()).chain(faults) {
            let script = Script { faults, ..Script::default() };
            let mut harness = Harness::new(cluster.clone(), plan.clone(), script.clone());
            let ending = harness.run().unwrap_or_else(|_| panic!("{name} was killed"));
            kinds.insert(ending.kind);
            check(&harness.records);
        }
    }
    assert_eq!(kinds.len(), 4, "not every ending was seen: {kinds:?}");
}

#[test]
fn a_run_that_was_taken_up_again_tells_one_story() {
    let mut taken_up = 0;
    for (_, cluster, line) in corpus() {
        let plan = plan_of(&cluster, line);
        for kill_at in 1.. {
            let script = Script { kill_at: Some(kill_at), ..Script::default() };
            let mut harness = Harness::new(cluster.clone(), plan.clone(), script);
            if harness.run().is_ok() {
                break;
            }
            let choice = if kill_at % 2 == 0 { Recovery::Resume } else { Recovery::RollBack };
            let Some(mut again) = harness.recover(choice, Script::default()) else { continue };
            again.run().unwrap_or_else(|_| panic!("nobody kills it"));
            check(&again.records);
            taken_up += 1;
        }
    }
    assert!(taken_up > 100, "only {taken_up} runs were taken up");
}

#[test]
fn a_drain_says_what_it_does_record_by_record() {
    let cluster = Cluster::healthy();
    let plan = plan_of(&cluster, "haproxy.drain web_cluster/web03");
    let mut harness = Harness::new(cluster, plan, Script::default());
    harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
    let mut told = String::new();
    for count in 1..=harness.records.len() {
        let progress = Progress::of(&harness.records[..count]).unwrap();
        writeln!(told, "{}", progress.sentence()).unwrap();
        let now = Wall(progress.last_at.0 + 1500);
        for step in 0..progress.steps.len() {
            writeln!(told, "  {}", progress.line(step, now)).unwrap();
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_begins_with_no_opening_is_no_run() {
    assert_eq!(Progress::of(&[]), None);
    let cluster = Cluster::healthy();
    let plan = plan_of(&cluster, "haproxy.drain web_cluster/web03");
    let mut harness = Harness::new(cluster, plan, Script::default());
    harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
    assert_eq!(Progress::of(&harness.records[1..]), None);
}
