//! What only a rejoin must hold: whoever comes back takes no writes at any moment, and one that has diverged is left as
//! it was, with its transactions named.

use super::{
    cluster::Cluster,
    harness::{Harness, Killed, Script},
};
use crate::plans::{plan_of, rejoin};
use vakt::{
    model::{figure::Figure, mysql::DaemonState},
    plan::Plan,
    run::{Ending, EndingKind, Recovery},
};

fn plan(cluster: &Cluster) -> Plan {
    plan_of(cluster, "mysql.rejoin db01")
}

fn starts() -> [Cluster; 6] {
    let families: [fn(Cluster) -> Cluster; 2] = [|cluster| cluster, Cluster::speaking_mysql];
    let [mariadb, mysql] = families.map(|family| [family(rejoin::fenced()), family(rejoin::running())]);
    let ([a, b], [c, d]) = (mariadb, mysql);
    [rejoin::cut_off(a.clone()), rejoin::cut_off(d.clone()), a, b, c, d]
}

fn run(start: &Cluster) -> (Harness, Ending) {
    let mut harness = Harness::new(start.clone(), plan(start), Script::default());
    let ending = harness.run().unwrap();
    (harness, ending)
}

#[test]
fn a_former_primary_comes_back_read_only_and_has_everything() {
    for start in starts() {
        let (mut harness, ending) = run(&start);
        assert_eq!(ending.kind, EndingKind::Reached, "{ending:?}");
        assert!(!harness.cluster.cuts.has("db02", "10.10.0.31") && !harness.cluster.cuts.has("lb01", "10.10.0.31"));
        let primary = harness.cluster.database("db02").state.clone();
        let old = harness.cluster.database("db01");
        assert!(old.read_only && old.source == Some("10.10.0.32") && !old.masked);
        assert!(primary[&32] - old.state[&32] <= 1, "{:?} {primary:?}", old.state);
    }
}

/// MySQL tells what its binary logs do not hold any more: that is asked before anything replicates.
#[test]
fn one_that_could_not_catch_up_is_fenced_again() {
    let mut start = rejoin::fenced().speaking_mysql();
    start.database("db02").base.state.purged = Figure::Known(super::mysql::set(&[(31, 207), (32, 220)].into()));
    let (mut harness, ending) = run(&start);
    assert_eq!(ending.kind, EndingKind::RolledBack, "{ending:?}");
    assert!(ending.why.as_str().contains("in no binary log of db02 any more"), "{ending:?}");
    let old = harness.cluster.database("db01");
    assert!(old.masked && old.daemon == DaemonState::Dead);
}

#[test]
fn one_that_has_diverged_is_fenced_again_and_its_transactions_are_named() {
    let mut start = rejoin::fenced();
    start.database("db01").state.insert(31, 209);
    let (mut harness, ending) = run(&start);
    assert_eq!(ending.kind, EndingKind::RolledBack, "{ending:?}");
    assert!(ending.why.as_str().contains("0-31-208 to 0-31-209"), "{ending:?}");
    let old = harness.cluster.database("db01");
    assert!(old.masked && old.daemon == DaemonState::Dead && old.source != Some("10.10.0.32"));
    assert!(!harness.sent.iter().any(|sent| sent.contains("change master")), "{:?}", harness.sent);
}

/// That no two may write is looked at with every write (`databases::one_takes_writes`).
#[test]
fn killed_at_every_boundary_the_next_start_goes_on_or_back() {
    for start in starts() {
        let plan = plan(&start);
        let mut whole = Harness::new(start.clone(), plan.clone(), Script::default());
        whole.run().unwrap();
        for kill_at in 1..=whole.boundaries {
            for (choice, expected) in
                [(Recovery::Resume, EndingKind::Reached), (Recovery::RollBack, EndingKind::RolledBack)]
            {
                let script = Script { kill_at: Some(kill_at), ..Script::default() };
                let mut harness = Harness::new(start.clone(), plan.clone(), script);
                let Err(Killed) = harness.run() else { panic!("killed at {kill_at}: it lived") };
                let Some(mut again) = harness.recover(choice, Script::default()) else { continue };
                let ending = again.run().unwrap();
                // Before anything was sent there is nothing to take back.
                let is_sound = ending.kind == expected || ending.kind == EndingKind::Stopped;
                assert!(is_sound, "killed at {kill_at}, {choice:?}: {ending:?}");
                assert!(again.cluster.database("db01").read_only || again.cluster.database("db01").masked);
            }
        }
    }
}
