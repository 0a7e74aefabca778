//! What only a failover must hold: no two servers may write at any moment, wherever its process dies; everything that
//! anybody received is there in the end; and the next start converges.

use super::{
    cluster::Cluster,
    harness::{FAULTS, Harness, Killed, Script},
};
use crate::plans::{
    failover::{behind, dark},
    plan_of,
};
use vakt::{
    model::{haproxy::AdminState, mysql::DaemonState},
    plan::Plan,
    run::{EndingKind, Recovery},
};

fn starts() -> [(&'static str, Cluster); 12] {
    let mut again = Cluster::with_databases();
    again.database("db01").read_only = true;
    [
        ("dead", Cluster::with_lost_primary(DaemonState::Dead)),
        ("frozen", Cluster::with_lost_primary(DaemonState::Frozen)),
        ("behind", behind()),
        ("back, read-only", again),
        ("MySQL, dead", Cluster::with_lost_primary(DaemonState::Dead).speaking_mysql()),
        ("MySQL, behind", behind().speaking_mysql()),
        ("dark", dark(|_| ())),
        (
            "MySQL, dark and behind",
            dark(|cluster| _ = cluster.database("db03").received.insert(31, 209)).speaking_mysql(),
        ),
        ("frozen, by an address", Cluster::with_lost_primary(DaemonState::Frozen).by_address()),
        ("dead, by a command", Cluster::with_lost_primary(DaemonState::Dead).by_command()),
        ("dark, by an address", dark(|_| ()).by_address().noticed()),
        ("dark, by a command", dark(|_| ()).by_command().noticed()),
    ]
}

fn plan(cluster: &Cluster) -> Plan {
    plan_of(cluster, "mysql.failover --to db02")
}

/// The one server that takes writes, if every load balancer sends to it alone.
fn serving(cluster: &Cluster) -> Option<&'static str> {
    let writable: Vec<_> = cluster.databases.iter().filter(|one| one.serves() && !one.read_only).collect();
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

/// Everything that arrived anywhere before the failover is on the new primary.
fn nothing_that_arrived_is_lost(before: &Cluster, after: &Cluster) {
    let Some(primary) = after.databases.iter().find(|one| one.name == "db02" && !one.read_only) else { return };
    for replica in before.databases.iter().filter(|one| one.name != "db01") {
        for (server, last) in &replica.received {
            let has = primary.state.get(server).copied().unwrap_or(0);
            assert!(has >= *last, "0-{server}-{last} of {} is lost", replica.name);
        }
    }
}

#[test]
fn killed_at_every_boundary_the_next_start_makes_one_server_take_writes() {
    for (kind, start) in starts() {
        let plan = plan(&start);
        let mut whole = Harness::new(start.clone(), plan.clone(), Script::default());
        let ending = whole.run().unwrap();
        assert_eq!(ending.kind, EndingKind::Reached, "{kind}: {ending:?}");
        assert_eq!(serving(&whole.cluster), Some("db02"), "{kind}");
        nothing_that_arrived_is_lost(&start, &whole.cluster);
        for kill_at in 1..=whole.boundaries {
            for choice in [Recovery::Resume, Recovery::RollBack] {
                let what = format!("{kind}, killed at {kill_at}, {choice:?}");
                let script = Script { kill_at: Some(kill_at), ..Script::default() };
                let mut harness = Harness::new(start.clone(), plan.clone(), script);
                let Err(Killed) = harness.run() else { panic!("{what}: it lived") };
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
                match ending.kind {
                    EndingKind::Reached => {
                        assert_eq!(serving(&again.cluster), Some("db02"), "{what}: {ending:?}");
                        nothing_that_arrived_is_lost(&start, &again.cluster);
                    }
                    // Nothing was sent, or all was taken back: nobody but the old primary may write.
                    _ => assert!(again.cluster.database("db02").read_only, "{what}: {ending:?}"),
                }
                again.cluster.nothing_is_lost();
            }
        }
    }
}

/// That no two may write is looked at with every write (`databases::one_takes_writes`).
#[test]
fn whatever_fails_the_new_primary_writes_only_when_the_old_one_is_fenced() {
    let mut promoted = 0;
    for (kind, start) in starts() {
        let plan = plan(&start);
        let mut whole = Harness::new(start.clone(), plan.clone(), Script::default());
        whole.run().unwrap();
        for write in 0..whole.sent.len() {
            for fault in FAULTS {
                let script = Script { faults: vec![(write, fault)], ..Script::default() };
                let mut harness = Harness::new(start.clone(), plan.clone(), script);
                let ending = harness.run().unwrap();
                if !harness.cluster.database("db02").read_only {
                    promoted += 1;
                    let is_alone = harness.cluster.cuts.is_alone("db01", "10.10.0.31");
                    let old = harness.cluster.database("db01");
                    let is_dead = old.masked && old.daemon == DaemonState::Dead;
                    assert!(is_dead || is_alone, "{kind}, {write}, {fault:?}: {ending:?}");
                    nothing_that_arrived_is_lost(&start, &harness.cluster);
                }
            }
        }
    }
    assert!(promoted > 20, "{promoted}");
}

#[test]
fn a_primary_that_is_started_anew_before_the_first_write_is_left_alone() {
    let start = Cluster::with_lost_primary(DaemonState::Dead);
    let revive: fn(&mut Cluster) = |cluster| cluster.database("db01").daemon = DaemonState::Alive;
    let script = Script { meanwhile: Some((1, revive)), ..Script::default() };
    let mut harness = Harness::new(start.clone(), plan(&start), script);
    let ending = harness.run().unwrap();
    assert_eq!(ending.kind, EndingKind::Stopped, "{ending:?}");
    assert!(ending.why.as_str().contains("its daemon does not run"), "{ending:?}");
    assert!(harness.sent.is_empty());
}

/// The ending says what is lost by the old primary's own files: none, the exact transactions, or that nobody can say.
#[test]
fn the_loss_is_told_exactly_where_the_old_binary_log_is_read() {
    let told_of = |change: fn(&mut Cluster), family: fn(Cluster) -> Cluster| {
        let mut start = family(Cluster::with_lost_primary(DaemonState::Frozen));
        change(&mut start);
        let mut harness = Harness::new(start.clone(), plan(&start), Script::default());
        let ending = harness.run().unwrap();
        assert_eq!(ending.kind, EndingKind::Reached, "{ending:?}");
        ending.notes.iter().map(ToString::to_string).find(|note| note.starts_with("Lost")).unwrap()
    };
    let told = |change| told_of(change, |cluster| cluster);
    assert_eq!(told(|_| ()), "Lost: none. db02 has everything that the binary log of db01 holds.");
    let lost = told(|cluster| _ = cluster.database("db01").state.insert(31, 208));
    assert!(lost.contains("1 transaction of domain 0: 0-31-208, which db02 lacks"), "{lost}");
    let lost = told_of(|cluster| _ = cluster.database("db01").state.insert(31, 208), Cluster::speaking_mysql);
    assert!(lost.contains("1 transaction of 46e0d9d4-ec11-11f1-9e05-a65d17bcae31: 208, which db02 lacks"), "{lost}");
}

/// A replica that has more than was known when the plan was made gives it to the target before anybody writes.
#[test]
fn what_arrived_after_the_plan_was_made_comes_over_from_whoever_has_it() {
    let start = Cluster::with_lost_primary(DaemonState::Frozen);
    let more: fn(&mut Cluster) = |cluster| _ = cluster.database("db03").received.insert(31, 240);
    let script = Script { meanwhile: Some((2, more)), ..Script::default() };
    let mut harness = Harness::new(start.clone(), plan(&start), script);
    let ending = harness.run().unwrap();
    assert_eq!(ending.kind, EndingKind::Reached, "{ending:?}");
    assert!(harness.cluster.database("db02").state[&31] >= 240);
    assert!(ending.notes.iter().any(|note| note.as_str().contains("db03 had received more")), "{ending:?}");
}

/// What an earlier run left cut off is not cut off twice, and counts.
#[test]
fn an_address_that_is_cut_off_in_part_is_cut_off_where_it_is_not() {
    let start = dark(|cluster| cluster.cuts.put("lb02", 1_795_442_000));
    let mut harness = Harness::new(start.clone(), plan(&start), Script::default());
    let ending = harness.run().unwrap();
    assert_eq!(ending.kind, EndingKind::Reached, "{ending:?}");
    assert_eq!(harness.sent.iter().filter(|sent| sent.contains("ip route add")).count(), 3, "{:?}", harness.sent);
    assert!(harness.cluster.cuts.is_alone("db01", "10.10.0.31"));
}

/// A connection that does not end on one replica is no proof there: everything is taken back, and nobody else writes.
#[test]
fn a_connection_that_is_left_on_a_replica_takes_everything_back() {
    let start = dark(|cluster| cluster.cuts.stuck = Some("db03"));
    let mut harness = Harness::new(start.clone(), plan(&start), Script::default());
    let ending = harness.run().unwrap();
    assert_eq!(ending.kind, EndingKind::RolledBack, "{ending:?}");
    assert!(ending.why.as_str().contains("1 connection is left"), "{ending:?}");
    assert!(harness.cluster.database("db02").read_only && !harness.cluster.cuts.has("lb01", "10.10.0.31"));
}

/// A load balancer that is started anew while the run waits has lost its route: the run ends before anybody writes.
#[test]
fn a_cut_that_is_gone_before_anybody_writes_stops_the_run() {
    let start = dark(|_| ());
    let restart: fn(&mut Cluster) = |cluster| cluster.cuts.restart("lb01");
    let plan = plan(&start);
    for at in 4..10 {
        let script = Script { meanwhile: Some((at, restart)), ..Script::default() };
        let mut harness = Harness::new(start.clone(), plan.clone(), script);
        let ending = harness.run().unwrap();
        let is_cut = harness.cluster.cuts.has("lb01", "10.10.0.31");
        assert!(is_cut || ending.kind != EndingKind::Reached, "{at}: {ending:?}");
    }
}
