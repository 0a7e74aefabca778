//! Plans and refusals of a failover.

use super::{golden, plan_of, planned, refused};
use crate::run::cluster::{Cluster, START};
use vakt::{
    model::{
        figure::{Figure, Unknown},
        haproxy::AdminState,
        mysql::{DaemonState, SwitchoverWork},
        time::{Mono, Now},
    },
    plan::{Planned, ReasonKind, parts::When},
};

const FAIL_OVER: &str = "mysql.failover";

type Change = fn(&mut Cluster);

/// db03 has received two transactions more than db02.
pub(crate) fn behind() -> Cluster {
    let mut cluster = Cluster::with_lost_primary(DaemonState::Dead);
    cluster.database("db03").received.insert(31, 209);
    cluster
}

fn dead(change: Change) -> Cluster {
    let mut cluster = Cluster::with_lost_primary(DaemonState::Dead);
    change(&mut cluster);
    cluster
}

/// The machine of the primary does not answer.
pub(crate) fn dark(change: Change) -> Cluster {
    let mut cluster = Cluster::with_lost_primary(DaemonState::Alive);
    cluster.vanish("db01");
    change(&mut cluster);
    cluster
}

/// Each with what it must be refused for.
fn refusals() -> Vec<(&'static str, Cluster, &'static str, &'static [ReasonKind])> {
    use ReasonKind as Kind;
    vec![
        ("refused_failover_alive", Cluster::with_databases(), FAIL_OVER, &[Kind::Serves]),
        ("refused_failover_unknown", dead(|_| ()), "mysql.failover --to web03", &[Kind::UnknownTarget]),
        ("refused_failover_unread", dead(|cluster| cluster.vanish("db03")), FAIL_OVER, &[Kind::StaleFacts]),
        (
            "refused_failover_done_already",
            dead(|cluster| cluster.database("db02").read_only = false),
            FAIL_OVER,
            &[Kind::SplitBrain],
        ),
        (
            "refused_failover_other_source",
            dead(|cluster| {
                cluster.database("db03").source = Some("10.10.0.32");
                cluster.database("db02").source = None;
            }),
            "mysql.failover --to db03",
            &[Kind::NoLoadBalancer, Kind::StaleFacts],
        ),
        (
            "refused_failover_automation",
            dead(|cluster| {
                let automation = vec!["MaxScale's monitor holds its lock".into()];
                let work = SwitchoverWork { automation, ..SwitchoverWork::default() };
                cluster.database("db02").base.work = Figure::Known(work);
            }),
            "mysql.failover --to db02",
            &[Kind::NotFit],
        ),
        (
            "refused_failover_nobody",
            dead(|cluster| {
                for name in ["db02", "db03"] {
                    cluster.database(name).applies = false;
                }
            }),
            FAIL_OVER,
            &[Kind::NotFit],
        ),
        (
            "refused_failover_cannot_pass_on",
            {
                let mut cluster = behind();
                cluster.database("db03").applies = false;
                cluster
            },
            FAIL_OVER,
            &[Kind::NotFit],
        ),
    ]
}

/// The same, for a machine that does not answer.
fn refusals_of_dark() -> Vec<(&'static str, Cluster, &'static str, &'static [ReasonKind])> {
    use ReasonKind as Kind;
    vec![
        (
            "refused_failover_dark",
            dark(|cluster| cluster.cuts.lacking = vec!["lb02", "db03"]),
            FAIL_OVER,
            &[Kind::NoFence],
        ),
        (
            "refused_failover_dark_phrase",
            dark(|cluster| cluster.cuts.lacking = vec!["lb02"]),
            "mysql.failover --accept-risk db02",
            &[Kind::NoFence],
        ),
        (
            "refused_failover_dark_reached",
            dark(|cluster| {
                let server = cluster.on("lb02").server("db01");
                (server.healthy, server.failed, server.passed) = (true, false, true);
            }),
            FAIL_OVER,
            &[Kind::Serves],
        ),
        ("refused_failover_dark_unread", dark(|cluster| cluster.vanish("db03")), FAIL_OVER, &[Kind::StaleFacts]),
    ]
}

/// The same, for what is about replicas and load balancers.
fn refusals_of_replicas() -> Vec<(&'static str, Cluster, &'static str, &'static [ReasonKind])> {
    use ReasonKind as Kind;
    vec![
        (
            "refused_failover_errant",
            dead(|cluster| _ = cluster.database("db03").state.insert(33, 208)),
            "mysql.failover --to db03",
            &[Kind::NotFit],
        ),
        (
            "refused_failover_unknown_received",
            dead(|cluster| cluster.database("db02").base.settings.server_id = Figure::Unknown(Unknown::NotPermitted)),
            FAIL_OVER,
            &[Kind::UnknownFact],
        ),
        (
            "refused_failover_galera",
            dead(|cluster| cluster.database("db02").base.settings.galera = Figure::Known(true)),
            FAIL_OVER,
            &[Kind::NoWay],
        ),
        (
            "refused_failover_mysql_group",
            dead(|cluster| {
                for name in ["db02", "db03"] {
                    cluster.database(name).base.settings.group_replication = Figure::Known(true);
                }
            })
            .speaking_mysql(),
            FAIL_OVER,
            &[Kind::NoWay],
        ),
        (
            "refused_failover_mysql_errant",
            dead(|cluster| _ = cluster.database("db03").state.insert(33, 3)).speaking_mysql(),
            "mysql.failover --to db03",
            &[Kind::NotFit],
        ),
        (
            "refused_failover_drained",
            dead(|cluster| cluster.on("lb02").server("db02").told = AdminState::MaintInherited),
            "mysql.failover --to db02",
            &[Kind::Inherited],
        ),
        (
            "refused_failover_no_server",
            dead(|cluster| cluster.on("lb01").servers.retain(|server| server.name != "db02")),
            "mysql.failover --to db02",
            &[Kind::LessService],
        ),
        (
            "refused_failover_many",
            dead(|cluster| {
                cluster.vanish("db01");
                cluster.cuts.lacking = vec!["lb01"];
                cluster.vanish("db03");
                cluster.database("db02").applies = false;
            }),
            FAIL_OVER,
            &[Kind::StaleFacts, Kind::NoFence, Kind::NotFit],
        ),
    ]
}

#[test]
fn every_refusal_of_a_failover_reads_as_it_should_and_names_its_cure() {
    for (name, cluster, line, kinds) in refusals().into_iter().chain(refusals_of_dark()).chain(refusals_of_replicas()) {
        refused(name, &cluster, line, kinds);
    }
}

#[test]
fn a_jurisdiction_that_may_not_have_the_data_is_refused() {
    let (world, mut inventory) = Cluster::with_lost_primary(DaemonState::Dead).world();
    let role = vakt::model::inventory::Role::Database;
    inventory.settings.residency = vec![vakt::model::inventory::Residency { role, jurisdictions: vec!["NO".into()] }];
    let policy = inventory.settings.policy.clone();
    let planned = |line: &str| vakt::plan::plan(&world, &inventory, &super::intent(line), &policy, START);
    golden("refused_failover_jurisdiction", &planned("mysql.failover --to db03"));
    // Nobody has to say which: the one that may.
    let Ok(Planned::Plan(plan)) = planned(FAIL_OVER) else { panic!() };
    assert_eq!(plan.body.subject.name(), "db02");
}

/// The order of things, by which no two servers write and nothing is lost that somebody still has.
#[test]
fn the_fence_comes_before_everything_and_all_is_applied_before_anybody_writes() {
    let plan = plan_of(&behind(), "mysql.failover --to db02");
    let titles: Vec<&str> = plan.body.steps.iter().map(|step| step.title.as_str()).collect();
    let place = |words: &str| {
        titles.iter().position(|title| title.contains(words)).unwrap_or_else(|| panic!("{words}: {titles:?}"))
    };
    assert_eq!(place("masked and killed"), 0);
    assert_eq!(place("see that nothing comes from db01"), 1);
    assert!(place("db02: wait until it has applied all") < place("db02: has it received all that db03 has?"));
    assert!(place("db02: replicates from db03") < place("mysql_rw/db01 is out"));
    assert!(place("mysql_rw/db01 is out") < place("db02: takes writes"));
    assert!(place("db02: takes writes") < place("mysql_rw/db02 is in"));
    assert!(place("mysql_rw/db02 is in") < place("forgets that it replicated"));
    let promote = &plan.body.steps[place("db02: takes writes")];
    assert_eq!(plan.body.point_of_no_return, Some(place("db02: takes writes")));
    let sent = promote.write().unwrap().request.to_string();
    assert!(sent.find("stop slave sql_thread") < sent.find("set global read_only = 0"), "{sent}");
    // What takes long is behind the first write.
    assert!(place("takes writes") < place("db03: is set to replicate from db02"));
    let decider = place("db02: has it received all that db03 has?");
    assert_eq!(plan.body.steps[place("db02: replicates from db03")].when, When::Late(decider));
}

#[test]
fn the_replica_that_has_most_is_chosen_and_of_equal_ones_the_first() {
    assert_eq!(plan_of(&behind(), FAIL_OVER).body.subject.name(), "db03");
    assert_eq!(plan_of(&dead(|_| ()), FAIL_OVER).body.subject.name(), "db02");
}

/// A server that was rebuilt from another one has no binary log of what was before.
#[test]
fn one_that_was_primary_once_is_fit_although_a_rebuilt_sibling_does_not_name_what_it_wrote() {
    let mut cluster = dead(|_| ());
    cluster.database("db02").state.insert(32, 150);
    assert_eq!(plan_of(&cluster, FAIL_OVER).body.subject.name(), "db02");
    cluster.database("db02").state.insert(32, 208);
    assert!(planned(&cluster, "mysql.failover --to db02").is_err());
}

fn loss_of(cluster: &Cluster) -> String {
    let plan = plan_of(cluster, FAIL_OVER);
    let line = plan.body.effect.iter().find(|line| line.as_str().starts_with("Lost: "));
    line.unwrap_or_else(|| panic!("no word about a loss")).to_string()
}

/// *None* is said when it is known; every doubt is *unknown*.
#[test]
fn no_loss_is_said_only_when_commits_waited_until_the_end_and_every_replica_was_read() {
    let with = |last_word| Cluster { last_word, ..Cluster::with_lost_primary(DaemonState::Dead) };
    assert!(loss_of(&with(Some((true, 900)))).starts_with("Lost: none"));
    // It gives up waiting after two seconds: a longer silence may hide that it did.
    for doubtful in [None, Some((false, 900)), Some((true, 2_001)), Some((false, 0))] {
        assert!(loss_of(&with(doubtful)).starts_with("Lost: unknown"), "{doubtful:?}");
    }
    // A replica that was not read is no plan at all.
    assert!(planned(&dead(|cluster| cluster.vanish("db03")), FAIL_OVER).is_err());
}

#[test]
fn a_primary_that_answers_again_and_is_read_only_may_be_given_up() {
    let mut cluster = Cluster::with_databases();
    cluster.database("db01").read_only = true;
    let planned = planned(&cluster, FAIL_OVER);
    assert!(matches!(planned, Ok(Planned::Plan(_))), "{}", super::render(&planned, 120));
}

/// A silence that the quick question has heard counts before the slow one has noticed.
#[test]
fn a_primary_that_fell_silent_a_moment_ago_is_not_called_alive() {
    let cluster = Cluster::with_databases();
    let (mut world, inventory) = cluster.world();
    let later = Now { mono: Mono(START.mono.0 - 100), wall: START.wall };
    world.nodes.iter_mut().find(|node| node.name.as_str() == "db01").unwrap().mysql.fail("reset".into(), later);
    let policy = inventory.settings.policy.clone();
    let planned = vakt::plan::plan(&world, &inventory, &super::intent(FAIL_OVER), &policy, START);
    assert!(matches!(planned, Ok(Planned::Plan(_))), "{}", super::render(&planned, 120));
}

/// The words of the refusal, and no others, make a plan; it says what is not proven, is confirmed by the same words, and
/// calls the loss unknown whatever was read before.
#[test]
fn who_types_the_risk_gets_a_plan_that_names_it() {
    let cluster = dark(|cluster| cluster.cuts.lacking = vec!["lb02", "db03"]);
    let Err(refusal) = planned(&cluster, FAIL_OVER) else { panic!() };
    let (_, inventory) = cluster.world();
    let phrase = vakt::plan::failover::risk_offered(&refusal, &inventory).unwrap();
    assert_eq!(phrase.as_str(), "db01 may still take writes");
    let risk = planned(&cluster, &format!("mysql.failover --accept-risk \"{phrase}\""));
    golden("failover_dark_risk", &risk);
    let Ok(Planned::Plan(plan)) = risk else { panic!() };
    assert_eq!(plan.body.confirmation.by, vakt::plan::parts::ConfirmBy::Target(phrase));
    let effect: Vec<&str> = plan.body.effect.iter().map(vakt::model::text::Clean::as_str).collect();
    assert!(effect.iter().any(|line| line.starts_with("Lost: unknown.")), "{effect:?}");
    assert!(effect.contains(&"lb02: ss is not there"), "{effect:?}");
}

/// A replica that was not read may have what no other has: that risk is told, too, and the loss is unknown.
#[test]
fn a_replica_that_nobody_read_makes_the_loss_unknown_and_is_named() {
    let cluster = dark(|cluster| cluster.vanish("db03"));
    let plan = plan_of(&cluster, "mysql.failover --accept-risk \"db01 may still take writes\"");
    let effect: Vec<&str> = plan.body.effect.iter().map(vakt::model::text::Clean::as_str).collect();
    assert!(effect.iter().any(|line| line.starts_with("Lost: unknown.")), "{effect:?}");
    assert!(effect.iter().any(|line| line.starts_with("db03: ")), "{effect:?}");
    // Where the daemon can be killed, the phrase opens nothing.
    let alive = dead(|cluster| cluster.vanish("db03"));
    assert!(planned(&alive, "mysql.failover --accept-risk \"db01 may still take writes\"").is_err());
}

/// A load balancer that noticed late may have let clients write to a primary that no replica heard any more.
#[test]
fn no_loss_is_said_of_a_dark_primary_only_when_load_balancers_lost_it_in_time() {
    assert!(loss_of(&dark(|_| ())).starts_with("Lost: none"));
    for doubtful in [None, Some((false, 900)), Some((true, 2_001))] {
        let told = loss_of(&Cluster { last_word: doubtful, ..dark(|_| ()) });
        assert!(told.starts_with("Lost: unknown"), "{doubtful:?}: {told}");
    }
    let (mut world, inventory) = dark(|_| ()).world();
    for node in world.nodes.iter_mut().filter(|node| node.name.as_str().starts_with("lb")) {
        let mut facts = node.haproxy.last().unwrap().clone();
        for server in facts.sample.backends.iter_mut().flat_map(|backend| &mut backend.servers) {
            server.last_change_s = Figure::Unknown(Unknown::Missing);
        }
        node.haproxy.take(facts, Now { mono: Mono(START.mono.0 - 300), wall: START.wall });
    }
    let policy = inventory.settings.policy.clone();
    let Ok(Planned::Plan(plan)) = vakt::plan::plan(&world, &inventory, &super::intent(FAIL_OVER), &policy, START)
    else {
        panic!()
    };
    assert!(plan.body.effect.iter().any(|line| line.as_str().starts_with("Lost: unknown")), "{:?}", plan.body.effect);
}
