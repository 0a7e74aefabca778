//! What only a switchover must hold: wherever its process dies, one server takes writes or the next start makes it so;
//! whatever fails after the standstill has begun, writes are back within two seconds.

use super::{
    cluster::Cluster,
    harness::{FAULTS, Harness, Killed, Script},
};
use crate::plans::plan_of;
use vakt::{
    model::haproxy::AdminState,
    plan::Plan,
    run::{Direction, EndingKind, Entry, Recovery},
};

/// Writes go on within so long of whatever made the run turn back.
const BACK_MS: u64 = 2_000;

fn starts() -> [(&'static str, Cluster); 6] {
    let idle = Cluster::with_databases().with("db01", |server| server.sessions = 0);
    let mysql = Cluster::with_databases().speaking_mysql();
    [
        ("with sessions", Cluster::with_databases()),
        ("idle", idle),
        ("MySQL", mysql),
        ("by an address", Cluster::with_databases().by_address()),
        ("by a command", Cluster::with_databases().by_command()),
        ("by both", Cluster::with_databases().by_address().by_command()),
    ]
}

fn plan(cluster: &Cluster) -> Plan {
    plan_of(cluster, "mysql.switchover --to db02")
}

/// The one server that takes writes, if every load balancer sends to it alone and nobody holds it.
fn serving(cluster: &Cluster) -> Option<&'static str> {
    let writable: Vec<_> = cluster.databases.iter().filter(|one| !one.read_only && !one.frozen).collect();
    let [one] = writable[..] else { return None };
    if cluster.endpoint.is_set() {
        return cluster.endpoint.leads_to(one.name).then_some(one.name);
    }
    let ready = cluster.balancers.iter().map(|balancer| {
        let servers = balancer.servers.iter().filter(|server| server.backend == "mysql_rw");
        servers.filter(|server| server.told == AdminState::Ready).map(|server| server.name).collect::<Vec<_>>()
    });
    ready.into_iter().all(|names| names == [one.name]).then_some(one.name)
}

#[test]
fn killed_at_every_boundary_one_server_takes_writes_or_the_next_start_makes_it_so() {
    for (kind, start) in starts() {
        let plan = plan(&start);
        let mut whole = Harness::new(start.clone(), plan.clone(), Script::default());
        assert_eq!(whole.run().unwrap().kind, EndingKind::Reached);
        assert_eq!(serving(&whole.cluster), Some("db02"));
        let mut nobody = Vec::new();
        for kill_at in 1..=whole.boundaries {
            for choice in [Recovery::Resume, Recovery::RollBack] {
                let what = format!("{kind}, killed at {kill_at}, {choice:?}");
                let script = Script { kill_at: Some(kill_at), ..Script::default() };
                let mut harness = Harness::new(start.clone(), plan.clone(), script);
                let Err(Killed) = harness.run() else { panic!("{what}: it lived") };
                harness.cluster.process_died();
                if serving(&harness.cluster).is_none() && choice == Recovery::Resume {
                    nobody.push(kill_at);
                }
                let Some(mut again) = harness.recover(choice, Script::default()) else { continue };
                let mut ending = again.run().unwrap();
                if ending.kind == EndingKind::NeedsOperator {
                    // Only behind the point of no return, where there is no way back: forward there is.
                    let is_promoted = !again.cluster.database("db02").read_only;
                    assert!(choice == Recovery::RollBack && is_promoted, "{what}: {ending:?}");
                    again = again.recover(Recovery::Resume, Script::default()).unwrap();
                    ending = again.run().unwrap();
                    assert_eq!(ending.kind, EndingKind::Reached, "{what}: {ending:?}");
                }
                let expected = if ending.kind == EndingKind::Reached { "db02" } else { "db01" };
                assert_eq!(serving(&again.cluster), Some(expected), "{what}: {ending:?}");
                again.cluster.nothing_is_lost();
            }
        }
        // The one boundary without an automatic return: the breath from the fence to the load balancers.
        let breath = nobody.last().zip(nobody.first()).map_or(0, |(last, first)| last - first + 1);
        assert_eq!(breath, nobody.len(), "{kind}: {nobody:?}");
        assert!((1..=14).contains(&breath), "{kind}: {nobody:?}");
    }
}

#[test]
fn whatever_fails_after_the_standstill_has_begun_writes_are_back_within_two_seconds() {
    writes_come_back(&Cluster::with_databases());
    writes_come_back(&Cluster::with_databases().speaking_mysql());
    writes_come_back(&Cluster::with_databases().by_address());
    writes_come_back(&Cluster::with_databases().by_command());
}

fn writes_come_back(start: &Cluster) {
    let plan = plan(start);
    let freeze = plan.body.steps.iter().position(|step| step.title.as_str().contains("nobody writes")).unwrap();
    let mut came_back = 0;
    for write in 0..14 {
        for fault in FAULTS {
            let script = Script { faults: vec![(write, fault)], ..Script::default() };
            let mut harness = Harness::new(start.clone(), plan.clone(), script);
            let ending = harness.run().unwrap();
            let begun = harness.records.iter().any(|record| {
                matches!(&record.entry, Entry::StepBegun { step, direction: Direction::Forward, .. } if *step == freeze)
            });
            if ending.kind != EndingKind::RolledBack || !begun {
                continue;
            }
            let turned = harness.records.iter().find(|record| matches!(record.entry, Entry::Unwinding { .. })).unwrap();
            let back = harness.records.iter().find(|record| match &record.entry {
                Entry::StepEnded { step, direction: Direction::Back, .. }
                | Entry::StepFound { step, direction: Direction::Back, .. } => *step == freeze,
                Entry::Ended(_) => true,
                _ => false,
            });
            let took_ms = back.unwrap().at.mono.since_ms(turned.at.mono);
            assert!(took_ms <= BACK_MS, "write {write}, {fault:?}: {took_ms} ms");
            assert_eq!(serving(&harness.cluster), Some("db01"), "write {write}, {fault:?}: {ending:?}");
            came_back += 1;
        }
    }
    assert!(came_back > 10, "{came_back}");
}

#[test]
fn a_candidate_that_stops_applying_after_the_standstill_has_begun_is_given_up_in_time() {
    let start = Cluster::with_databases();
    let plan = plan(&start);
    let mut seen = false;
    for after in 0..400 {
        let stop: fn(&mut Cluster) = |cluster| {
            let frozen = cluster.database("db01").frozen;
            cluster.database("db02").applies &= !frozen;
        };
        let script = Script { meanwhile: Some((after, stop)), ..Script::default() };
        let mut harness = Harness::new(start.clone(), plan.clone(), script);
        let ending = harness.run().unwrap();
        harness.cluster.nothing_is_lost();
        if ending.why.as_str().contains("ran out of time") {
            seen = true;
            assert_eq!(serving(&harness.cluster), Some("db01"), "after {after}: {ending:?}");
        }
    }
    assert!(seen, "it never was late");
}
