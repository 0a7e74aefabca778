//! Changes that go back unless an operator says that they stay: with and without the word, with every fault, killed at
//! every boundary, with other hands in between.

use super::{
    cluster::Cluster,
    harness::{FAULTS, Harness, Killed, Script, explain},
};
use crate::plans::{intent, plan_of, planned};
use vakt::{
    plan::{self, Plan, parts::Step},
    run::{Ending, EndingKind, Entry, Progress, Record, Recovery},
};

const PLANS: [&str; 3] = [
    "haproxy.maint web_cluster/web03 --revert-after TIME",
    "haproxy.weight web_cluster/web03 --weight 50 --revert-after TIME",
    "tune.set database max_connections 300 --revert-after TIME",
];

/// Longer than a process is away after a crash, and shorter.
const LONG: &str = "90s";
const SHORT: &str = "30s";

fn cases(time: &str) -> Vec<(String, Cluster, Plan)> {
    let lines = PLANS.map(|line| line.replace("TIME", time));
    lines.map(|line| (line.clone(), Cluster::with_databases(), plan_of(&Cluster::with_databases(), &line))).to_vec()
}

fn run(cluster: &Cluster, plan: &Plan, script: Script) -> (Harness, Ending) {
    let mut harness = Harness::new(cluster.clone(), plan.clone(), script);
    let ending = harness.run().unwrap();
    explain(&harness.records, &ending);
    (harness, ending)
}

fn goal(cluster: &Cluster, plan: &Plan) -> Harness {
    let (harness, ending) = run(cluster, plan, Script { keeps: true, ..Script::default() });
    assert_eq!(ending.kind, EndingKind::Reached, "{ending:?}");
    harness
}

fn at_ms(records: &[Record], is: fn(&Entry) -> bool) -> u64 {
    records.iter().find(|record| is(&record.entry)).unwrap().at.mono.0
}

fn is_kept(records: &[Record]) -> bool {
    records.iter().any(|record| matches!(record.entry, Entry::Kept { .. }))
}

#[test]
fn without_the_word_it_goes_back_on_time_and_with_it_it_stays() {
    for (line, cluster, plan) in cases(LONG) {
        let (harness, ending) = run(&cluster, &plan, Script::default());
        assert_eq!(ending.kind, EndingKind::RolledBack, "{line}: {ending:?}");
        assert!(ending.why.as_str().starts_with("Nobody said in time that it stays."), "{}", ending.why);
        assert_eq!(harness.cluster.settings(), cluster.settings(), "{line}");
        let held = at_ms(&harness.records, |entry| matches!(entry, Entry::Holding { .. }));
        let went_back = at_ms(&harness.records, |entry| matches!(entry, Entry::Unwinding { .. }));
        assert!((90_000..91_000).contains(&(went_back - held)), "{line}: {held} {went_back}");

        let kept = goal(&cluster, &plan);
        assert_ne!(kept.cluster.settings(), cluster.settings(), "{line}");
        let by = kept.records.iter().find_map(|record| match &record.entry {
            Entry::Kept { operator, .. } => Some(operator.login.to_string()),
            _ => None,
        });
        assert_eq!(by.as_deref(), Some("kim"), "the journal says who");
    }
}

/// What a change of a node's network waits for is the way to that node: nobody else acts meanwhile.
#[test]
fn only_what_goes_back_by_requests_lends_its_lock() {
    for (line, _, plan) in cases(LONG) {
        assert!(plan.lends_its_lock(), "{line}");
    }
    let port = plan_of(&Cluster::with_guests(), "tune.set kvm01/phy-int ovs.tag 20");
    assert!(port.body.steps.iter().any(|step| step.hold().is_some()) && !port.lends_its_lock());
}

#[test]
fn every_write_with_every_fault_while_somebody_says_that_it_stays() {
    for (line, cluster, plan) in cases(LONG) {
        let goal = goal(&cluster, &plan);
        for write in 0..goal.sent.len() {
            for fault in FAULTS {
                let script = Script { keeps: true, faults: vec![(write, fault)], ..Script::default() };
                let (harness, ending) = run(&cluster, &plan, script);
                let now = harness.cluster.settings();
                match ending.kind {
                    EndingKind::Reached => assert_eq!(now, goal.cluster.settings(), "{line} {fault:?}"),
                    EndingKind::RolledBack => assert_eq!(now, cluster.settings(), "{line} {fault:?}"),
                    EndingKind::Stopped => assert_eq!(now, cluster.settings(), "{line} {fault:?}: {ending:?}"),
                    EndingKind::NeedsOperator => {}
                }
            }
        }
    }
}

/// What is true after a crash does not depend on where it happened: before the word it goes back when its time has passed
/// and waits on when it has not; after the word it stays.
#[test]
fn killed_at_every_boundary_it_waits_on_goes_back_or_stays() {
    for time in [LONG, SHORT] {
        for (line, cluster, plan) in cases(time) {
            let goal = goal(&cluster, &plan);
            for kill_at in 1..=goal.boundaries {
                for keeps_again in [false, true] {
                    let what = format!("{line} killed at {kill_at}, then {keeps_again}");
                    let script = Script { keeps: true, kill_at: Some(kill_at), ..Script::default() };
                    let mut harness = Harness::new(cluster.clone(), plan.clone(), script);
                    let Err(Killed) = harness.run() else { panic!("{what}: it lived") };
                    let was_kept = is_kept(&harness.records);
                    let had_begun =
                        harness.records.iter().any(|record| matches!(record.entry, Entry::StepBegun { .. }));
                    let script = Script { keeps: keeps_again, ..Script::default() };
                    let Some(mut again) = harness.recover(Recovery::Resume, script) else { continue };
                    let ending = again.run().unwrap();
                    explain(&again.records, &ending);
                    let (now, origin) = (again.cluster.settings(), cluster.settings());
                    let goes_on = time == LONG || !had_begun;
                    let expected = match () {
                        () if was_kept || (keeps_again && goes_on) => (EndingKind::Reached, goal.cluster.settings()),
                        () => (EndingKind::RolledBack, origin.clone()),
                    };
                    let nothing = (EndingKind::Stopped, origin);
                    assert!([expected, nothing].contains(&(ending.kind, now)), "{what}: {ending:?}");
                    // Whoever follows it sees the same.
                    assert_eq!(Progress::of(&again.records).unwrap().kept_by.is_some(), is_kept(&again.records));
                }
            }
        }
    }
}

#[test]
fn after_a_crash_the_word_may_come_before_the_world_was_read() {
    for (time, kind) in [(LONG, EndingKind::Reached), (SHORT, EndingKind::RolledBack)] {
        for (line, cluster, plan) in cases(time) {
            let mut harness = Harness::new(cluster.clone(), plan.clone(), Script::default());
            harness.kill_when(|entry| matches!(entry, Entry::Holding { .. }));
            let Err(Killed) = harness.run() else { panic!("{line}: it lived") };
            let mut again =
                harness.recover(Recovery::Resume, Script { keeps_at_once: true, ..Script::default() }).unwrap();
            let ending = again.run().unwrap();
            assert_eq!(ending.kind, kind, "{line}: {ending:?}");
        }
    }
}

#[test]
fn stopping_while_it_waits_is_going_back() {
    for (line, cluster, plan) in cases(LONG) {
        let (harness, _) = run(&cluster, &plan, Script::default());
        let (again, ending) =
            run(&cluster, &plan, Script { abort_after: Some(harness.events / 2), ..Script::default() });
        assert_eq!(ending.kind, EndingKind::RolledBack, "{line}: {ending:?}");
        assert!(ending.why.as_str().contains("The operator stopped it"), "{}", ending.why);
        assert_eq!(again.cluster.settings(), cluster.settings());
    }
}

#[test]
fn what_somebody_else_changes_meanwhile_is_left_to_the_operator() {
    let (_, cluster, plan) = cases(LONG).remove(1);
    let (harness, _) = run(&cluster, &plan, Script::default());
    let other: fn(&mut Cluster) = |cluster| cluster.on("lb02").server("web03").weight = 7;
    let script = Script { meanwhile: Some((harness.events / 2, other)), ..Script::default() };
    let (_, ending) = run(&cluster, &plan, script);
    assert_eq!(ending.kind, EndingKind::NeedsOperator, "{ending:?}");
    assert!(ending.why.as_str().contains("lb02: weight 7"), "{}", ending.why);
}

/// HAProxy restarts and has the file's weight again: there is nothing left to wait for.
#[test]
fn what_is_gone_meanwhile_is_not_done_again() {
    let (_, cluster, plan) = cases(LONG).remove(1);
    let mut harness = Harness::new(cluster.clone(), plan, Script::default());
    harness.kill_when(|entry| matches!(entry, Entry::Holding { .. }));
    let Err(Killed) = harness.run() else { panic!("it lived") };
    for balancer in &mut harness.cluster.balancers {
        balancer.server("web03").weight = 100;
    }
    let mut again = harness.recover(Recovery::Resume, Script::default()).unwrap();
    let ending = again.run().unwrap();
    assert_eq!((ending.kind, again.sent.len()), (EndingKind::RolledBack, 0), "{ending:?}");
}

#[test]
fn a_plan_that_cannot_be_undone_does_not_promise_it() {
    let cluster = Cluster::healthy();
    let (world, inventory) = cluster.world();
    for line in ["haproxy.kill-sessions web_cluster/web03", "haproxy.drain web_cluster/web03"] {
        let mut wanted = intent(line);
        wanted.revert_after_ms = std::num::NonZeroU32::new(60_000);
        let cluster = cluster.clone();
        let is_drained = line.contains("kill");
        let (world, inventory) = if is_drained {
            cluster.with("web03", |server| server.told = vakt::model::haproxy::AdminState::Drain).world()
        } else {
            (world.clone(), inventory.clone())
        };
        let refusal = plan::plan(&world, &inventory, &wanted, &inventory.settings.policy, super::cluster::START);
        let refusal = refusal.expect_err(line);
        assert!(refusal.reasons[0].what.as_str().starts_with("It cannot go back by itself"), "{refusal:?}");
    }
    assert!(planned(&cluster, "haproxy.maint web_cluster/web03").is_ok());
    let holds = |plan: &Plan| plan.body.steps.iter().filter_map(Step::hold).count();
    assert_eq!(holds(&plan_of(&cluster, "haproxy.maint web_cluster/web03")), 0);
}
