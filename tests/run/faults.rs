//! Every plan of the corpus, every write, every fault, at every moment: the run ends in one of four endings, its
//! journal explains it, and the cluster is at the goal or at the origin unless the ending asks for the operator.

use super::{
    cluster::Cluster,
    harness::{FAULTS, Harness, Killed, Script, explain},
};
use crate::plans::{corpus, plan_of};
use std::collections::{BTreeMap, BTreeSet};
use vakt::{
    model::{haproxy::AdminState, text::Clean},
    plan::{
        Plan,
        parts::{Action, Step},
    },
    run::{Ending, EndingKind, Entry, Recovery, journal},
    wire::{libvirt::operation::Operation, request::Call},
};

type Settings = Vec<(&'static str, &'static str, AdminState, u64)>;

/// Plans that differ in structure; the others are tried twice over (two faults, a fault and a crash, two crashes) only
/// with `EVERYTHING=1`, which takes two minutes.
const DEEP: [&str; 3] = ["drain_then_close", "ready_weight_zero", "maint"];

fn is_tried_twice_over(case: &Case) -> bool {
    DEEP.contains(&case.name) || std::env::var_os("EVERYTHING").is_some()
}

/// A plan, where it starts and where it ends when nothing goes wrong.
struct Case {
    name: &'static str,
    cluster: Cluster,
    plan: Plan,
    goal: Settings,
    ending: Ending,
    writes: usize,
    events: usize,
    boundaries: usize,
}

fn cases() -> Vec<Case> {
    corpus()
        .into_iter()
        .map(|(name, cluster, line)| {
            let plan = plan_of(&cluster, line);
            let mut harness = Harness::new(cluster.clone(), plan.clone(), Script::default());
            let ending = harness.run().unwrap();
            explain(&harness.records, &ending);
            Case {
                name,
                cluster,
                plan,
                goal: harness.cluster.settings(),
                ending,
                writes: harness.sent.len(),
                events: harness.events,
                boundaries: harness.boundaries,
            }
        })
        .collect()
}

fn may_rest(step: &Step) -> bool {
    step.write().is_some_and(|write| write.rests.is_some())
}

fn keeps(step: &Step) -> bool {
    matches!(&step.action, Action::Wait(wait) if wait.keeps)
}

/// What goes on by itself may have come to its end before it could be given up.
fn may_be_over(step: &Step) -> bool {
    let call = step.write().map(|write| &write.request.call);
    matches!(call, Some(Call::LibvirtWrite { operation: Operation::Migrate(_), .. }))
}

#[derive(Default)]
struct Tally(BTreeMap<EndingKind, usize>);

impl Tally {
    fn take(&mut self, what: &str, case: &Case, harness: &Harness, ending: &Ending) {
        *self.0.entry(ending.kind).or_default() += 1;
        explain(&harness.records, ending);
        // Reading a journal back takes longer than the run; every recovery reads one anyway.
        if self.0.values().sum::<usize>() % 20 == 0 {
            journal::verify(&harness.journal, None).unwrap_or_else(|damage| panic!("{what}: {damage}"));
        }
        let now = harness.cluster.settings();
        let origin = case.cluster.settings();
        let is_sound = match ending.kind {
            EndingKind::Reached => now == case.goal,
            EndingKind::RolledBack => now == origin,
            // Whoever was asked may do it after the run has ended, and the ending says so.
            EndingKind::Stopped if case.plan.body.steps.iter().any(may_rest) => now == origin || now == case.goal,
            // What had moved before stays, and the ending says up to which step.
            EndingKind::Stopped if case.plan.body.steps.iter().any(keeps) => {
                now == origin || now == case.goal || ending.why.as_str().contains("What was done up to step")
            }
            EndingKind::Stopped => now == origin || (case.ending.kind == EndingKind::Stopped && now == case.goal),
            EndingKind::NeedsOperator => true,
        };
        assert!(is_sound, "{what}: {ending:?}\n  origin {origin:?}\n  goal   {:?}\n  now    {now:?}", case.goal);
        // What is said to be true was read, or says that it could not be.
        for line in &ending.now_true {
            let (name, said) = line.as_str().split_once(": ").unwrap();
            let is_reachable = harness.cluster.is_reachable(name);
            // A server may be silent whose machine answers.
            let is_silent = harness.cluster.databases.iter().any(|one| one.name == name && !one.serves());
            assert!(is_silent || said.contains("could not be read") != is_reachable, "{what}: {line}");
        }
        harness.cluster.nothing_is_lost();
    }

    fn all_endings(&self) {
        for kind in [EndingKind::Reached, EndingKind::RolledBack, EndingKind::Stopped, EndingKind::NeedsOperator] {
            assert!(self.0.contains_key(&kind), "no run ended {kind}: {:?}", self.0);
        }
        println!("{:?}", self.0);
    }
}

fn run(case: &Case, script: Script) -> (Harness, Ending) {
    let mut harness = Harness::new(case.cluster.clone(), case.plan.clone(), script);
    let ending = harness.run().unwrap();
    (harness, ending)
}

#[test]
fn without_faults_every_plan_ends_as_it_says() {
    for case in cases() {
        let expected = match case.name {
            "drain_pooled_keep" | "vm_shutdown_deaf" | "node_drain_waits" => EndingKind::Stopped,
            // Nobody says that it stays.
            "ready_dead" | "vm_migrate_never" | "node_drain_aborts" | "maint_held" | "weight_held" | "tune_held"
            | "limit_rate_held" => EndingKind::RolledBack,
            _ => EndingKind::Reached,
        };
        assert_eq!(case.ending.kind, expected, "{}: {:?}", case.name, case.ending);
        if expected == EndingKind::Reached {
            assert_ne!(case.goal, case.cluster.settings().clone().into_iter().rev().collect::<Vec<_>>());
        }
    }
}

#[test]
fn every_write_with_every_fault_and_every_undo_with_every_fault() {
    let mut tally = Tally::default();
    for case in cases() {
        for first in 0..case.writes {
            for fault in FAULTS {
                let faults = vec![(first, fault)];
                let (harness, ending) = run(&case, Script { faults: faults.clone(), ..Script::default() });
                tally.take(&format!("{} {faults:?}", case.name), &case, &harness, &ending);
                let seconds = if is_tried_twice_over(&case) { first + 1..harness.sent.len() } else { 0..0 };
                for second in seconds {
                    for other in FAULTS {
                        let faults = vec![(first, fault), (second, other)];
                        let (harness, ending) = run(&case, Script { faults: faults.clone(), ..Script::default() });
                        tally.take(&format!("{} {faults:?}", case.name), &case, &harness, &ending);
                    }
                }
            }
        }
    }
    tally.all_endings();
}

#[test]
fn stopped_by_the_operator_at_every_moment() {
    let mut tally = Tally::default();
    for case in cases() {
        let mut seen = BTreeSet::new();
        for after in 0..case.events {
            let script = Script { abort_after: Some(after), ..Script::default() };
            let (harness, ending) = run(&case, script.clone());
            tally.take(&format!("{} stopped after {after}", case.name), &case, &harness, &ending);
            let stopped = harness.records.iter().any(|record| matches!(record.entry, Entry::AbortAsked));
            let is_over = ending.kind == case.ending.kind;
            assert!(stopped || is_over || after == 0, "{} after {after}: {ending:?}", case.name);
            // The undo that follows fails.
            let writes = harness.sent.len();
            let is_new = writes > 0 && seen.insert((writes, harness.records.len()));
            for fault in FAULTS.into_iter().filter(|_| is_new) {
                let script = Script { faults: vec![(writes - 1, fault)], ..script.clone() };
                let (harness, ending) = run(&case, script);
                let what = format!("{} stopped after {after}, then {fault:?}", case.name);
                tally.take(&what, &case, &harness, &ending);
            }
        }
    }
    tally.all_endings();
}

#[test]
fn a_lost_lock_stops_it_at_every_moment_as_the_operator_would() {
    let mut tally = Tally::default();
    for case in cases() {
        for after in 0..case.events {
            let (by_operator, asked) = run(&case, Script { abort_after: Some(after), ..Script::default() });
            let script = Script { lock_lost_after: Some(after), ..Script::default() };
            let (harness, ending) = run(&case, script);
            let what = format!("{} lost the lock after {after}", case.name);
            tally.take(&what, &case, &harness, &ending);
            assert_eq!((ending.kind, &harness.sent), (asked.kind, &by_operator.sent), "{what}");
            assert_eq!(harness.cluster.settings(), by_operator.cluster.settings(), "{what}");
            let why = harness.records.iter().find_map(|record| match &record.entry {
                Entry::LockLost { why } => Some(why),
                _ => None,
            });
            assert!(after == 0 || why.is_some() || ending.kind == case.ending.kind, "{what}: {ending:?}");
            assert_eq!(
                ending.why.as_str().contains("The lock was lost: lb01"),
                asked.why.as_str().contains("stopped it")
            );
        }
    }
    // Needs the operator only where a write had a fault besides; the other three endings are all seen.
    for kind in [EndingKind::Reached, EndingKind::RolledBack, EndingKind::Stopped] {
        assert!(tally.0.contains_key(&kind), "no run ended {kind}: {:?}", tally.0);
    }
}

#[test]
fn killed_at_every_boundary_and_taken_up_again() {
    let mut tally = Tally::default();
    for case in cases() {
        for kill_at in 1..=case.boundaries {
            for choice in [Recovery::Resume, Recovery::RollBack] {
                let what = format!("{} killed at {kill_at}, {choice:?}", case.name);
                let script = Script { kill_at: Some(kill_at), ..Script::default() };
                let mut harness = Harness::new(case.cluster.clone(), case.plan.clone(), script);
                let Err(Killed) = harness.run() else { panic!("{what}: it lived") };
                let before = harness.cluster.settings();
                let had_sent = !harness.sent.is_empty();
                match harness.recover(choice, Script::default()) {
                    Some(mut again) => {
                        let ending = again.run().unwrap();
                        tally.take(&what, &case, &again, &ending);
                        let can_decide = case.plan.body.point_of_no_return.is_none()
                            && !case.plan.body.steps.iter().any(may_be_over);
                        assert!(ending.kind != EndingKind::NeedsOperator || !can_decide, "{what}: {ending:?}");
                    }
                    None if had_sent => assert_eq!(before, case.goal, "{what}: it had ended"),
                    None => assert_eq!(before, case.cluster.settings(), "{what}: nothing was sent"),
                }
            }
        }
    }
    tally.all_endings();
}

#[test]
fn killed_again_while_being_taken_up() {
    let mut tally = Tally::default();
    let is_decided =
        |case: &Case| case.plan.body.point_of_no_return.is_none() && !case.plan.body.steps.iter().any(may_be_over);
    for case in cases().into_iter().filter(|case| is_tried_twice_over(case) && is_decided(case)) {
        for kill_at in 1..=case.boundaries {
            for (choice, then) in [
                (Recovery::Resume, Recovery::Resume),
                (Recovery::Resume, Recovery::RollBack),
                (Recovery::RollBack, Recovery::Resume),
            ] {
                let stride = if case.name == "maint" { 2 } else { 7 };
                for second in (1..60).step_by(stride) {
                    let what = format!("{} killed at {kill_at} and {second}, {choice:?} {then:?}", case.name);
                    let script = Script { kill_at: Some(kill_at), ..Script::default() };
                    let mut harness = Harness::new(case.cluster.clone(), case.plan.clone(), script);
                    let Err(Killed) = harness.run() else { panic!("{what}: it lived") };
                    let script = Script { kill_at: Some(second), ..Script::default() };
                    let Some(mut again) = harness.recover(choice, script) else { break };
                    let mut done = again.run();
                    let was_killed = done.is_err();
                    if was_killed {
                        let Some(once_more) = again.recover(then, Script::default()) else { break };
                        again = once_more;
                        done = again.run();
                    }
                    let ending = done.unwrap();
                    assert_ne!(ending.kind, EndingKind::NeedsOperator, "{what}: {ending:?}");
                    tally.take(&what, &case, &again, &ending);
                    if !was_killed {
                        break; // it was over before
                    }
                }
            }
        }
    }
    assert!(tally.0.contains_key(&EndingKind::Reached) && tally.0.contains_key(&EndingKind::RolledBack));
    assert!(!tally.0.contains_key(&EndingKind::NeedsOperator), "{:?}", tally.0);
}

#[test]
fn killed_after_a_fault_it_converges_too() {
    let mut tally = Tally::default();
    for case in cases().into_iter().filter(|case| case.writes > 0 && is_tried_twice_over(case)) {
        for fault in FAULTS {
            for kill_at in (1..case.boundaries + 30).step_by(4) {
                let what = format!("{} {fault:?}, killed at {kill_at}", case.name);
                let faults = vec![(case.writes - 1, fault)];
                let script = Script { faults, kill_at: Some(kill_at), ..Script::default() };
                let mut harness = Harness::new(case.cluster.clone(), case.plan.clone(), script);
                let Err(Killed) = harness.run() else { break };
                if let Some(mut again) = harness.recover(Recovery::RollBack, Script::default()) {
                    let ending = again.run().unwrap();
                    tally.take(&what, &case, &again, &ending);
                }
            }
        }
    }
    assert!(tally.0.contains_key(&EndingKind::RolledBack) && tally.0.contains_key(&EndingKind::NeedsOperator));
}

#[test]
fn a_full_disk_ends_the_run_without_another_write() {
    for case in cases() {
        let records = {
            let (harness, _) = run(&case, Script::default());
            harness.records.len() as u64
        };
        for at in 0..records {
            let (harness, ending) = run(&case, Script { journal_full_at: Some(at), ..Script::default() });
            let what = format!("{} full at {at}", case.name);
            if harness.sent.is_empty() {
                assert_eq!(ending.kind, EndingKind::Stopped, "{what}");
                assert_eq!(harness.cluster.settings(), case.cluster.settings(), "{what}");
            } else {
                assert_eq!(ending.kind, EndingKind::NeedsOperator, "{what}");
            }
        }
    }
}

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

#[test]
fn a_changed_world_stops_the_run_and_names_what_moved() {
    for (name, change, words) in [
        (
            "drain",
            (|cluster| cluster.on("lb02").server("web03").told = AdminState::Maint) as fn(&mut Cluster),
            "lb02: told maint, where \"web03 is told ready\" is needed",
        ),
        (
            "drain",
            |cluster| {
                for balancer in &mut cluster.balancers {
                    balancer.server("web02").told = AdminState::Maint;
                }
            },
            "lb01: 33 % and 1 other server, where \"without web03, web_cluster keeps 50 % of its weight\" is needed",
        ),
        (
            "weight",
            |cluster| cluster.on("lb01").server("web03").weight = 80,
            "lb01: weight 80, where \"web03 has weight 100\" is needed",
        ),
        (
            "maint",
            |cluster| cluster.on("lb01").servers.retain(|server| server.name != "web03"),
            "lb01: backend web_cluster has no server web03",
        ),
        ("maint", |cluster| cluster.on("lb01").reachable = false, "lb01: connection refused"),
    ] {
        let case = case(name);
        let (harness, ending) = run(&case, Script { meanwhile: Some((1, change)), ..Script::default() });
        assert_eq!(ending.kind, EndingKind::Stopped, "{ending:?}");
        assert!(harness.sent.is_empty(), "{:?}", harness.sent);
        assert!(ending.why.as_str().contains(words), "{}", ending.why);
    }
}

/// Two load balancers are read for the premises, then one before the first step.
#[test]
fn premises_that_a_slow_answer_aged_are_read_anew_and_too_often_it_stops() {
    let case = case("drain");
    let held = |harness: &Harness| {
        harness.records.iter().filter(|record| matches!(record.entry, Entry::PremisesHeld { .. })).count()
    };
    let (harness, ending) = run(&case, Script { slow_reads: 2..3, ..Script::default() });
    assert_eq!((ending.kind, held(&harness)), (EndingKind::Reached, 2), "{ending:?}");
    let (harness, ending) = run(&case, Script { slow_reads: 0..usize::MAX, ..Script::default() });
    assert_eq!((ending.kind, held(&harness)), (EndingKind::Stopped, 3), "{ending:?}");
    assert!(ending.why.as_str().starts_with("The premises were read 2700 ms before the first write"), "{}", ending.why);
    assert!(harness.sent.is_empty(), "{:?}", harness.sent);
    let meddled: fn(&mut Cluster) = |cluster| cluster.on("lb02").server("web03").told = AdminState::Maint;
    let script = Script { slow_reads: 2..3, meanwhile: Some((5, meddled)), ..Script::default() };
    let (harness, ending) = run(&case, script);
    assert!(harness.sent.is_empty() && ending.why.as_str().starts_with("The world changed"), "{ending:?}");
}

#[test]
fn a_drain_that_somebody_takes_back_in_the_middle_is_noticed_and_undone_elsewhere() {
    let case = case("drain_pooled_keep");
    // The same process: nobody reloaded it, somebody wants it so.
    let forget: fn(&mut Cluster) = |cluster| cluster.on("lb01").server("web03").told = AdminState::Ready;
    let (harness, ending) = run(&case, Script { meanwhile: Some((case.events - 12, forget)), ..Script::default() });
    assert_eq!(ending.kind, EndingKind::RolledBack, "{ending:?}");
    assert!(ending.why.as_str().contains("While waiting in step 3: lb01: told ready"), "{}", ending.why);
    assert_eq!(harness.cluster.settings(), case.cluster.settings());
}

#[test]
fn what_somebody_else_set_meanwhile_is_not_undone() {
    let case = case("drain_pooled_keep");
    let maint: fn(&mut Cluster) = |cluster| cluster.on("lb01").server("web03").told = AdminState::MaintInherited;
    let after = case.events - 12;
    let script = Script { meanwhile: Some((after, maint)), abort_after: Some(after + 1), ..Script::default() };
    let (mut harness, ending) = run(&case, script);
    assert_eq!(ending.kind, EndingKind::NeedsOperator, "{ending:?}");
    assert!(ending.why.as_str().contains("somebody else changed it"), "{}", ending.why);
    assert_eq!(harness.cluster.on("lb01").server("web03").told, AdminState::MaintInherited);
}

#[test]
fn a_dead_server_never_gets_traffic_by_ready() {
    let case = case("ready_dead");
    let (harness, ending) = run(&case, Script::default());
    assert_eq!(ending.kind, EndingKind::RolledBack);
    assert!(harness.sent.iter().all(|line| !line.contains("state ready")), "{:?}", harness.sent);
}

#[test]
fn an_ending_that_needs_an_operator_says_what_is_true_and_what_to_type() {
    let case = case("maint");
    let faults = vec![(1, super::harness::Fault::Gone)];
    let (_, ending) = run(&case, Script { faults, ..Script::default() });
    assert_eq!(ending.kind, EndingKind::NeedsOperator);
    let lines = |list: &[Clean]| list.iter().map(Clean::as_str).collect::<Vec<_>>().join("\n  ");
    let text = format!("{}\n  {}\n\n  {}", ending.why, lines(&ending.now_true), lines(&ending.type_next));
    insta::assert_snapshot!(text);
}
