//! Plans and refusals about nodes as a whole.

use super::{drained, golden, in_maintenance, intent, planned};
use crate::run::{
    cluster::{Cluster, START},
    harness::{Harness, Script},
};
use vakt::{
    model::{
        figure::Figure,
        ids::NodeName,
        inventory::Policy,
        link::{Link, LinkState},
        trouble::{Trouble, TroubleKind},
    },
    plan::{
        self, Planned, ReasonKind, Refusal,
        parts::{Action, Step},
    },
    run::EndingKind,
};

fn pooled() -> Cluster {
    Cluster::healthy().with("web03", |server| (server.sessions, server.pooled) = (2, 2))
}

/// Every plan of a node.
pub(super) fn corpus() -> Vec<(&'static str, Cluster, &'static str)> {
    let healthy = Cluster::healthy;
    let mut forgotten = in_maintenance(healthy());
    *forgotten.on("lb01").server("web03") = healthy().on("lb01").server("web03").clone();
    vec![
        ("node_drain", healthy(), "node.drain web03 --reason kernel"),
        ("node_drain_waits", pooled(), "node.drain web03 --deadline 5s"),
        ("node_drain_forces", pooled(), "node.drain web03 --deadline 5s --on-deadline force"),
        ("node_drain_aborts", pooled(), "node.drain web03 --deadline 5s --on-deadline abort"),
        ("node_drain_drained", drained(healthy()), "node.drain web03"),
        ("node_drain_forgotten_by_one", forgotten, "node.drain web03"),
        ("node_undrain", in_maintenance(healthy()), "node.undrain web03 --deadline 10s"),
        ("node_undrain_drained", drained(healthy()), "node.undrain web03 --deadline 10s"),
        ("node_drain_hypervisor", two_guests(), "node.drain kvm01"),
    ]
}

/// kvm01 with two guests that may both move: one of them has no role that would have to stay apart.
pub(crate) fn two_guests() -> Cluster {
    Cluster::with_guests().with_guest("app01", |guest| guest.name = "batch01")
}

type Change = fn(&mut Cluster);

/// What databases and hypervisors refuse.
fn refusals_of_layers() -> Vec<(&'static str, Cluster, &'static str, &'static [ReasonKind])> {
    use ReasonKind as Kind;
    let databases = |change: Change| {
        let mut cluster = Cluster::with_databases();
        change(&mut cluster);
        cluster
    };
    let silent: Change = |cluster| cluster.database("db03").base.settings.semi_sync_replica = Figure::Known(false);
    vec![
        (
            "refused_node_last_replica",
            databases(|cluster| cluster.database("db03").receives = false),
            "node.drain db02",
            &[Kind::LastServer],
        ),
        ("refused_node_last_acknowledger", databases(silent), "node.drain db02", &[Kind::LastServer]),
        (
            "refused_node_two_primaries",
            databases(|cluster| cluster.database("db03").read_only = false),
            "node.drain db02",
            &[Kind::UnknownFact],
        ),
        (
            "refused_node_primary_busy",
            databases(|cluster| {
                for name in ["db02", "db03"] {
                    cluster.database(name).lag_ms = 42_000;
                }
            }),
            "node.drain db01",
            &[Kind::NotFit, Kind::NotFit],
        ),
        (
            "refused_node_returns_stopped",
            databases(|cluster| cluster.database("db03").receives = false),
            "node.undrain db03",
            &[Kind::NotFit],
        ),
        ("refused_node_guest_bound", Cluster::with_guests(), "node.drain kvm01", &[Kind::NotFit]),
        (
            "refused_node_no_room",
            {
                let mut cluster = two_guests();
                cluster.hypervisor("kvm02").unwrap().memory_mib = 2_500;
                cluster
            },
            "node.drain kvm01",
            &[Kind::CapacityFloor],
        ),
    ]
}

/// The same as [`planned`] while these nodes are drained.
fn planned_beside(cluster: &Cluster, drained: &[&str], line: &str, policy: &Policy) -> Result<Planned, Refusal> {
    let (mut world, inventory) = cluster.world();
    world.drained = drained.iter().map(|name| NodeName::new(*name)).collect();
    plan::plan(&world, &inventory, &intent(line), policy, START)
}

fn kinds(planned: Result<Planned, Refusal>) -> Vec<ReasonKind> {
    planned.unwrap_err().reasons.iter().map(|reason| reason.kind).collect()
}

#[test]
fn every_refusal_about_a_node_reads_as_it_should() {
    use ReasonKind as Kind;
    let down = |server: &mut crate::run::cluster::SimServer| {
        (server.healthy, server.failed, server.passed) = (false, true, false);
    };
    let mut silent = Cluster::healthy();
    silent.on("lb02").reachable = false;
    let alone = |mut cluster: Cluster| {
        cluster.balancers.iter_mut().for_each(|one| one.servers.retain(|server| server.name != "web03"));
        cluster
    };
    let cases: Vec<(&str, Cluster, &str, &[Kind])> = vec![
        ("refused_node_unknown", Cluster::healthy(), "node.drain web09", &[Kind::UnknownTarget]),
        ("refused_node_floor", Cluster::healthy().with("web02", down), "node.drain web03", &[Kind::CapacityFloor]),
        ("refused_node_stale", silent, "node.drain web03", &[Kind::StaleFacts]),
        ("refused_node_last_of_role", alone(Cluster::healthy()), "node.drain web03", &[Kind::LastServer]),
    ];
    for (name, cluster, line, expected) in cases.into_iter().chain(refusals_of_layers()) {
        let planned = planned(&cluster, line);
        golden(name, &planned);
        assert_eq!(kinds(planned), expected, "{name}");
    }
}

/// They consist of a switchover, which is run against every fault by itself.
#[test]
fn a_database_leaves_as_its_plan_says() {
    for (name, line) in [("node_drain_replica", "node.drain db03"), ("node_drain_primary", "node.drain db01")] {
        let cluster = Cluster::with_databases();
        let plan = super::plan_of(&cluster, line);
        golden(name, &planned(&cluster, line));
        let mut harness = Harness::new(cluster, plan, Script::default());
        let ending = harness.run().unwrap();
        assert_eq!(ending.kind, EndingKind::Reached, "{name}: {ending:?}");
    }
}

#[test]
fn a_guest_that_does_not_arrive_stays_and_does_not_bring_the_others_back() {
    let cluster = two_guests().with_guest("web03", |guest| guest.never_arrives = true);
    let plan = super::plan_of(&cluster, "node.drain kvm01");
    let mut harness = Harness::new(cluster, plan, Script::default());
    let ending = harness.run().unwrap();
    assert_eq!(ending.kind, EndingKind::Stopped, "{ending:?}");
    assert!(ending.why.as_str().contains("What was done up to step 5 stays"), "{ending:?}");
    let on = |host: usize| harness.cluster.hypervisors[host].guests.iter().map(|guest| guest.name).collect::<Vec<_>>();
    assert_eq!((on(0), on(1)), (vec!["web03"], vec!["app02", "batch01"]));
}

#[test]
fn one_node_more_than_may_be_out_is_refused() {
    let cluster = Cluster::healthy();
    let policy = cluster.world().1.settings.policy;
    let refused = planned_beside(&cluster, &["lb01", "lb02"], "node.drain web03", &policy);
    golden("refused_node_too_many_out", &refused);
    assert_eq!(kinds(refused), [ReasonKind::TooManyOut]);
    // The one that is out already may be drained again, and a policy may allow more.
    assert!(planned_beside(&cluster, &["lb01", "web03"], "node.drain web03", &policy).is_ok());
    let policy = Policy { nodes_out_max: 3, ..policy };
    assert!(planned_beside(&cluster, &["lb01", "lb02"], "node.drain web03", &policy).is_ok());
}

#[test]
fn the_last_one_that_is_left_is_not_drained() {
    let policy = Policy { nodes_out_max: 9, ..Cluster::healthy().world().1.settings.policy };
    let databases = Cluster::with_databases();
    for (name, cluster, drained, line) in [
        ("refused_node_last_in_service", &databases, ["db02"], "node.drain db03"),
        ("refused_node_primary_alone", &databases, ["db02"], "node.drain db01"),
        ("refused_node_last_hypervisor", &two_guests(), ["kvm02"], "node.drain kvm01"),
    ] {
        let refused = planned_beside(cluster, &drained, line, &policy);
        golden(name, &refused);
        assert!(kinds(refused).iter().all(|kind| *kind == ReasonKind::LastServer), "{name}");
    }
}

#[test]
fn a_guest_that_has_arrived_stays_where_it_is() {
    let plan = super::plan_of(&two_guests(), "node.drain kvm01");
    let keeps = |step: &Step| matches!(&step.action, Action::Wait(wait) if wait.keeps);
    let kept: Vec<usize> = (0..plan.body.steps.len()).filter(|at| keeps(&plan.body.steps[*at])).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    for at in kept {
        assert!(plan.body.steps[at].title.as_str().ends_with("and nowhere else"), "{}", plan.body.steps[at].title);
    }
}

#[test]
fn a_node_that_cannot_be_reached_counts_as_out_and_is_not_returned() {
    let (mut world, inventory) = in_maintenance(Cluster::healthy()).world();
    let policy = Policy { nodes_out_max: 1, ..inventory.settings.policy.clone() };
    let trouble = Trouble::new(TroubleKind::Unreachable, "no route to 10.99.0.23", "look at the network");
    let state = LinkState::Down { trouble, retry: None };
    world.node_mut(&NodeName::new("web03")).unwrap().link = Link { state, ..Link::default() };
    let plan = |line: &str| plan::plan(&world, &inventory, &intent(line), &policy, START);
    golden("refused_node_unreachable", &plan("node.undrain web03"));
    assert_eq!(kinds(plan("node.undrain web03")), [ReasonKind::NotFit]);
    assert!(kinds(plan("node.drain lb01")).contains(&ReasonKind::TooManyOut));
}

#[test]
fn what_is_already_so_says_so_of_a_node() {
    let policy = Cluster::healthy().world().1.settings.policy;
    let out = planned_beside(&in_maintenance(Cluster::healthy()), &["web03"], "node.drain web03", &policy);
    golden("already_node_drained", &out);
    let back = planned(&Cluster::healthy(), "node.undrain web03");
    golden("already_node_in_service", &back);
    for planned in [out, back] {
        assert!(matches!(planned, Ok(Planned::AlreadyThere(_))), "{planned:?}");
    }
}

#[test]
fn a_node_that_is_out_by_hand_is_taken_note_of() {
    // Nothing has to be told to anybody, and the run writes down that it is drained, or that it is so no more.
    let policy = Cluster::healthy().world().1.settings.policy;
    let cases = [
        (in_maintenance(Cluster::healthy()), [].as_slice(), "node.drain web03"),
        (Cluster::healthy(), ["web03"].as_slice(), "node.undrain web03"),
    ];
    for (cluster, marked, line) in cases {
        let planned = planned_beside(&cluster, marked, line, &policy);
        let Ok(Planned::Plan(plan)) = planned else { panic!("{line}: {planned:?}") };
        assert_eq!(plan.body.steps.len(), 1, "{line}");
        assert!(plan.body.steps[0].write().is_none(), "{line}");
    }
}

#[test]
fn two_servers_of_one_backend_on_one_machine_leave_together() {
    let mut cluster = Cluster::healthy();
    for balancer in &mut cluster.balancers {
        let copy = balancer.server("web03").clone();
        balancer.server("web02").address = copy.address;
    }
    let (world, mut inventory) = cluster.world();
    let node = inventory.nodes.iter_mut().find(|node| node.name.as_str() == "web03").unwrap();
    node.private = Some("10.10.0.23".parse().unwrap());
    let refused =
        plan::plan(&world, &inventory, &intent("node.drain web03"), &inventory.settings.policy, START).unwrap_err();
    assert_eq!(refused.reasons.len(), 1, "{refused:?}");
    assert_eq!(refused.reasons[0].kind, ReasonKind::CapacityFloor);
    assert!(refused.reasons[0].what.as_str().contains("web02 and web03"), "{refused:?}");
}
