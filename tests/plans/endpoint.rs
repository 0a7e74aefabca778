//! Plans and refusals where something else than HAProxy leads writes: a virtual address of the databases, a command.

use super::{failover::dark, plan_of, planned, refused};
use crate::run::{cluster::Cluster, endpoint::COMMAND};
use vakt::{
    model::mysql::DaemonState,
    plan::{Planned, ReasonKind},
    wire::request::{Access, Call},
};

const SWITCH: &str = "mysql.switchover --to db02";
const FAIL_OVER: &str = "mysql.failover --to db02";

fn by_address() -> Cluster {
    Cluster::with_databases().by_address()
}

/// Nobody takes an address from a living holder.
fn nopreempt() -> Cluster {
    let mut cluster = by_address();
    cluster.endpoint.is_nopreempt = true;
    cluster
}

fn lost(daemon: DaemonState) -> Cluster {
    Cluster::with_lost_primary(daemon)
}

/// The machine is dark, and keepalived on db02 has taken the address.
fn dark_by_address() -> Cluster {
    dark(|_| ()).by_address().noticed()
}

/// The same, and keepalived on db03 has taken it.
fn dark_by_another() -> Cluster {
    let mut cluster = dark(|_| ()).by_address();
    cluster.endpoint.keeper("db03").priority = 120;
    cluster.noticed()
}

/// The same, and nobody else has taken it: the dark machine may hold it still.
fn dark_and_held() -> Cluster {
    let mut cluster = dark_by_address();
    cluster.endpoint.holder = Some("db01");
    cluster
}

pub(super) fn corpus() -> Vec<(&'static str, Cluster, &'static str)> {
    vec![
        ("switchover_address", by_address(), SWITCH),
        ("switchover_address_mysql", by_address().speaking_mysql(), SWITCH),
        ("switchover_address_restart", nopreempt(), SWITCH),
        ("failover_address", lost(DaemonState::Frozen).by_address(), FAIL_OVER),
        ("failover_address_dark", dark_by_address(), FAIL_OVER),
        ("failover_address_dark_another", dark_by_another(), FAIL_OVER),
        ("switchover_command", Cluster::with_databases().by_command(), SWITCH),
        ("switchover_both", by_address().by_command(), SWITCH),
        ("failover_command", lost(DaemonState::Dead).by_command(), FAIL_OVER),
        ("failover_command_dark", dark(|_| ()).by_command().noticed(), FAIL_OVER),
    ]
}

#[test]
fn every_refusal_about_the_way_of_writes_reads_as_it_should() {
    use ReasonKind as Kind;
    let with = |change: fn(&mut Cluster)| {
        let mut cluster = by_address();
        change(&mut cluster);
        cluster
    };
    let cases: Vec<(&str, Cluster, &str, &[Kind])> = vec![
        (
            "refused_switchover_address_elsewhere",
            with(|cluster| cluster.endpoint.holder = Some("db03")),
            SWITCH,
            &[Kind::Disagreement],
        ),
        (
            "refused_switchover_address_unheld",
            with(|cluster| cluster.endpoint.holder = None),
            SWITCH,
            &[Kind::SplitBrain],
        ),
        (
            "refused_switchover_address_no_keepalived",
            with(|cluster| cluster.endpoint.keeper("db02").runs = false),
            SWITCH,
            &[Kind::NoService],
        ),
        (
            "refused_switchover_address_no_node",
            with(|cluster| cluster.endpoint.keepers.retain(|keeper| keeper.name != "db02")),
            SWITCH,
            &[Kind::UnknownTarget],
        ),
        ("refused_failover_address_dark", dark_and_held(), FAIL_OVER, &[Kind::SplitBrain]),
        ("refused_failover_address_heard", dark(|_| ()).by_address(), FAIL_OVER, &[Kind::SplitBrain, Kind::Serves]),
        ("refused_vip_of_writes", by_address(), "vip.move 10.10.0.110 --to db02", &[Kind::NotFit]),
    ];
    for (name, cluster, line, kinds) in cases {
        refused(name, &cluster, line, kinds);
    }
}

/// keepalived is told, and the command called, while nobody can write: behind the fence, before the first write.
#[test]
fn writes_are_led_between_the_fence_and_the_first_write() {
    for (name, cluster, line) in corpus() {
        let plan = plan_of(&cluster, line);
        let beyond = plan.body.point_of_no_return.unwrap();
        let first = plan.body.steps[..beyond].iter().rposition(|step| !step.at_once).unwrap();
        let is_told = |step: &vakt::plan::parts::Step| {
            step.write().is_some_and(|write| match &write.request.call {
                Call::Hook { .. } => true,
                Call::Exec { argv } => argv.iter().any(|word| word == "/etc/keepalived/priority"),
                _ => false,
            })
        };
        for (at, step) in plan.body.steps.iter().enumerate().filter(|(_, step)| is_told(step)) {
            assert!((first..beyond).contains(&at), "{name}: step {}", at + 1);
            assert!(!step.is_irreversible(), "{name}: step {}", at + 1);
        }
        let told = plan.body.steps.iter().filter(|step| is_told(step)).count();
        assert_eq!(
            told,
            usize::from(!name.contains("restart") && name != "failover_address_dark")
                + usize::from(name == "switchover_both"),
            "{name}"
        );
    }
}

/// The command is asked with the words of the configuration, to look and to act, and the other way round to go back.
#[test]
fn the_command_is_called_with_both_nodes_and_their_addresses() {
    let plan = plan_of(&Cluster::with_databases().by_command(), SWITCH);
    let hooks = plan.body.sources.iter().flat_map(|source| &source.requests);
    let hooks = hooks.filter(|request| matches!(request.call, Call::Hook { .. }));
    let asked: Vec<_> = hooks.map(|request| (request.access, request.to_string())).collect();
    let sides = "--from db01 --from-address 10.10.0.31 --to db02 --to-address 10.10.0.32";
    let words = format!("{COMMAND} --zone db.example.net --check {sides} # on the bastion");
    assert_eq!(asked, [(Access::Read, words)]);
    let step = plan.body.steps.iter().find(|step| step.title.as_str().contains("the command leads")).unwrap();
    let write = step.write().unwrap();
    assert_eq!(write.request.to_string(), format!("{COMMAND} --zone db.example.net {sides} # on the bastion"));
    let vakt::plan::parts::Undo::Send { request, .. } = &write.undo else { panic!("{:?}", write.undo) };
    let back = "--from db02 --from-address 10.10.0.32 --to db01 --to-address 10.10.0.31";
    assert_eq!(request.to_string(), format!("{COMMAND} --zone db.example.net {back} # on the bastion"));
}

/// A plan that names another program than the configuration of whoever carries it out is no plan there.
#[test]
fn no_other_program_is_started_than_the_configuration_names() {
    let cluster = Cluster::with_databases().by_command();
    let plan = plan_of(&cluster, SWITCH);
    let (_, mut inventory) = cluster.world();
    assert!(vakt::plan::lint::lint(&plan, &inventory).is_empty());
    for command in [vec![], vec!["/usr/local/sbin/another".to_owned()]] {
        inventory.settings.write_endpoint.command = command;
        let faults = vakt::plan::lint::lint(&plan, &inventory);
        assert!(faults.iter().any(|fault| fault.rule == vakt::plan::lint::Rule::Target), "{faults:?}");
    }
}

#[test]
fn the_address_may_be_moved_to_the_primary_alone() {
    let mut cluster = by_address();
    cluster.endpoint.holder = Some("db03");
    cluster.endpoint.keeper("db03").number = 70;
    let planned = planned(&cluster, "vip.move 10.10.0.110 --to db01");
    assert!(matches!(planned, Ok(Planned::Plan(_))), "{}", super::render(&planned, 120));
}
