//! Somebody reloads HAProxy in the middle of a run: what it was told is told again, at every moment, also where the process
//! of the run dies as well; who takes something back by hand is not overruled.

use super::{
    cluster::Cluster,
    harness::{Harness, Killed, Meddling, Script, explain},
};
use crate::plans::{corpus, plan_of};
use vakt::{
    model::haproxy::AdminState,
    plan::Plan,
    run::{
        Ending, EndingKind, Entry, Progress, Recovery, StepProgress,
        ledger::{Ledger, Wanted},
    },
};

/// Everything that tells servers a state.
const DRAINS: [&str; 4] = ["drain", "drain_pooled_keep", "maint", "node_drain"];
const RETURNS: [&str; 4] = ["ready_from_drain", "ready_from_maint", "node_undrain", "node_undrain_drained"];
/// Events behind the last look of a run: nobody looks any more.
const BEHIND_THE_LAST_LOOK: usize = 4;

const RELOADS: [(&str, Meddling); 3] = [
    ("lb01", |cluster| cluster.on("lb01").reload()),
    ("lb02", |cluster| cluster.on("lb02").reload()),
    ("both", |cluster| cluster.balancers.iter_mut().for_each(super::cluster::Balancer::reload)),
];

struct Case {
    name: &'static str,
    cluster: Cluster,
    plan: Plan,
    /// Without a reload.
    whole: Harness,
    ending: Ending,
}

fn cases(names: &[&str]) -> Vec<Case> {
    let all: Vec<Case> = corpus()
        .into_iter()
        .filter(|(name, ..)| names.contains(name))
        .map(|(name, cluster, line)| {
            let plan = plan_of(&cluster, line);
            let (whole, ending) = run(&cluster, &plan, Script::default());
            Case { name, cluster, plan, whole, ending }
        })
        .collect();
    assert_eq!(all.len(), names.len(), "the corpus has all of {names:?}");
    all
}

fn run(cluster: &Cluster, plan: &Plan, script: Script) -> (Harness, Ending) {
    let mut harness = Harness::new(cluster.clone(), plan.clone(), script);
    let ending = harness.run().unwrap();
    explain(&harness.records, &ending);
    (harness, ending)
}

fn forgotten(harness: &Harness) -> usize {
    harness.records.iter().filter(|record| matches!(record.entry, Entry::Forgotten { .. })).count()
}

/// What is wished behind the run, and the nodes that are drained.
fn wishes(harness: &Harness) -> (Vec<(String, Wanted)>, usize) {
    let mut ledger = Ledger::default();
    ledger.fold(&harness.records);
    (ledger.wishes.iter().map(|wish| (wish.server.to_string(), wish.wanted)).collect(), ledger.drained.len())
}

/// What a reader of the records sees adds up: no step stays open or failed in a run that reached its goal.
fn reads_well(harness: &Harness) {
    for count in 1..=harness.records.len() {
        let progress = Progress::of(&harness.records[..count]).unwrap();
        let active = progress.steps.iter().filter(|step| matches!(step, StepProgress::Active { .. }));
        assert!(active.count() <= 1, "{progress:?}");
    }
    let progress = Progress::of(&harness.records).unwrap();
    let is_settled = |step: &StepProgress| {
        matches!(
            step,
            StepProgress::Done { .. } | StepProgress::Found | StepProgress::Waited { .. } | StepProgress::Skipped
        )
    };
    assert!(progress.steps.iter().all(is_settled), "{progress:?}");
}

#[test]
fn a_reload_at_any_moment_of_a_drain_changes_nothing_of_its_end() {
    let mut told_anew = 0;
    for case in cases(&DRAINS) {
        for (who, reload) in RELOADS {
            for after in 1..=case.whole.events {
                let what = format!("{}: {who} reloaded after {after}", case.name);
                let script = Script { meanwhile: Some((after, reload)), ..Script::default() };
                let (harness, ending) = run(&case.cluster, &case.plan, script);
                told_anew += forgotten(&harness);
                // Sessions that would not end are gone with the old processes.
                let is_emptied = case.name == "drain_pooled_keep" && ending.kind == EndingKind::Reached;
                assert!(is_emptied || ending.kind == case.ending.kind, "{what}: {ending:?}");
                if ending.kind == EndingKind::Reached {
                    reads_well(&harness);
                    assert_eq!(wishes(&harness), wishes(&case.whole), "{what}");
                }
                if harness.cluster.settings() != case.whole.cluster.settings() {
                    assert!(after + BEHIND_THE_LAST_LOOK > harness.events, "{what}: {:?}", harness.cluster.settings());
                }
                let is_told = ending.notes.iter().any(|note| note.as_str().contains("forgotten what it was told"));
                assert_eq!(is_told, forgotten(&harness) > 0, "{what}: {ending:?}");
            }
        }
    }
    assert!(told_anew > 100, "{told_anew}");
    println!("told anew in {told_anew} runs");
}

/// A reload brings a server back by itself, before anybody has seen that its checks pass. What the run did goes back; where it
/// had told the one that was reloaded nothing yet, its ending says who was reloaded.
#[test]
fn a_reload_at_any_moment_of_a_return_ends_whole_or_says_who_was_reloaded() {
    for case in cases(&RETURNS) {
        for (who, reload) in RELOADS {
            for after in 1..=case.whole.events {
                let what = format!("{}: {who} reloaded after {after}", case.name);
                let script = Script { meanwhile: Some((after, reload)), ..Script::default() };
                let (mut harness, ending) = run(&case.cluster, &case.plan, script);
                assert_ne!(ending.kind, EndingKind::NeedsOperator, "{what}: {ending:?}");
                if harness.sent.is_empty() || after + BEHIND_THE_LAST_LOOK > harness.events {
                    continue;
                }
                let told = ["lb01", "lb02"].map(|name| harness.cluster.on(name).server("web03").told);
                if told[0] != told[1] {
                    assert!(ending.why.as_str().contains("started anew meanwhile"), "{what}: {ending:?}");
                    continue;
                }
                let former = case.cluster.clone().on("lb01").server("web03").told;
                let wanted = if ending.kind == EndingKind::Reached { AdminState::Ready } else { former };
                assert_eq!(told[0], wanted, "{what}: {ending:?}");
            }
        }
    }
}

#[test]
fn a_reload_while_the_process_of_the_run_is_dead_is_noticed_by_the_next_one() {
    for case in cases(&["drain", "maint", "node_drain"]) {
        for kill_at in 1..=case.whole.boundaries {
            for (who, reload) in RELOADS {
                for choice in [Recovery::Resume, Recovery::RollBack] {
                    let what = format!("{}: killed at {kill_at}, {who} reloaded, {choice:?}", case.name);
                    let script = Script { kill_at: Some(kill_at), ..Script::default() };
                    let mut harness = Harness::new(case.cluster.clone(), case.plan.clone(), script);
                    let Err(Killed) = harness.run() else { panic!("{what}: it lived") };
                    reload(&mut harness.cluster);
                    let Some(mut again) = harness.recover(choice, Script::default()) else { continue };
                    let ending = again.run().unwrap();
                    explain(&again.records, &ending);
                    let now = again.cluster.settings();
                    match ending.kind {
                        EndingKind::Reached => assert_eq!(now, case.whole.cluster.settings(), "{what}: {ending:?}"),
                        EndingKind::RolledBack | EndingKind::Stopped => {
                            assert_eq!(now, case.cluster.settings(), "{what}: {ending:?}");
                        }
                        EndingKind::NeedsOperator => panic!("{what}: {ending:?}"),
                    }
                    let is_on = choice == Recovery::Resume;
                    assert!(!is_on || ending.kind == EndingKind::Reached, "{what}: {ending:?}");
                }
            }
        }
    }
}

#[test]
fn where_somebody_reloads_it_again_and_again_the_run_goes_back_and_says_so() {
    for case in cases(&["drain", "node_drain"]) {
        let mut cluster = case.cluster.clone();
        cluster.on("lb02").is_reloaded_at_once = true;
        let (harness, ending) = run(&cluster, &case.plan, Script::default());
        assert_eq!(ending.kind, EndingKind::RolledBack, "{ending:?}");
        assert!(ending.why.as_str().contains("started anew meanwhile: see who reloads it"), "{}", ending.why);
        assert_eq!(forgotten(&harness), 3);
        assert_eq!(harness.cluster.settings(), cluster.settings());
    }
}

#[test]
fn a_server_that_somebody_brings_back_by_hand_stays_back() {
    for case in cases(&["drain", "node_drain"]) {
        let by_hand: Meddling = |cluster| cluster.on("lb01").server("web03").told = AdminState::Ready;
        let ended = case.whole.events - BEHIND_THE_LAST_LOOK;
        for after in 1..ended {
            let script = Script { meanwhile: Some((after, by_hand)), ..Script::default() };
            let (mut harness, ending) = run(&case.cluster, &case.plan, script);
            assert_eq!(forgotten(&harness), 0);
            if ending.kind != EndingKind::Reached {
                assert_eq!(harness.cluster.on("lb01").server("web03").told, AdminState::Ready, "{after}: {ending:?}");
            }
        }
    }
}
