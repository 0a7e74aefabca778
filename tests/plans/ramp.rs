//! Where the weight of a server that returns is raised in steps, and where it is not, and why.

use super::{intent, plan_of};
use crate::run::{
    balancer_limits::CONFIG,
    cluster::{Cluster, START},
    harness::{Harness, Script},
};
use vakt::{
    model::{figure::Figure, haproxy::AdminState, ids::NodeName, inventory::Policy, world::World},
    plan::{self, Plan, Planned, parts::Step},
    run::EndingKind,
    wire::request::Call,
};

const LINE: &str = "haproxy.ready web_cluster/web03 --deadline 10s";

fn away() -> Cluster {
    Cluster::healthy().with("web03", |server| (server.told, server.sessions) = (AdminState::Maint, 0))
}

fn weights(plan: &Plan) -> Vec<String> {
    let sent = plan.body.steps.iter().filter_map(Step::write).filter_map(|write| match &write.request.call {
        Call::Haproxy { command, .. } => Some(format!("{} {command}", write.node)),
        _ => None,
    });
    sent.filter_map(|line| line.split_once(" set weight web_cluster/web03 ").map(|(lb, to)| format!("{lb} {to}")))
        .collect()
}

fn effect(plan: &Plan) -> String {
    plan.body.effect.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn planned(cluster: &Cluster, change: impl FnOnce(&mut World, &mut Policy)) -> Plan {
    let (mut world, inventory) = cluster.world();
    let mut policy = inventory.settings.policy.clone();
    change(&mut world, &mut policy);
    match plan::plan(&world, &inventory, &intent(LINE), &policy, START) {
        Ok(Planned::Plan(plan)) => *plan,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_load_balancers_go_up_together_and_end_at_the_weight_that_was() {
    let plan = plan_of(&away(), LINE);
    assert_eq!(weights(&plan), ["lb01 10", "lb02 10", "lb01 50", "lb02 50", "lb01 100", "lb02 100"]);
    let mut harness = Harness::new(away(), plan, Script::default());
    assert_eq!(harness.run().unwrap_or_else(|_| panic!("nobody kills it")).kind, EndingKind::Reached);
    assert_eq!(harness.cluster.settings(), Cluster::healthy().settings());
}

#[test]
fn it_is_not_raised_in_steps_where_weights_do_not_count() {
    let first = planned(&away(), |world, _| {
        let node = world.node_mut(&NodeName::new("lb01")).unwrap();
        let (mut facts, at) = (node.haproxy.last().unwrap().clone(), node.haproxy.at().unwrap());
        for backend in &mut facts.sample.backends {
            backend.algorithm = Figure::Known("source".into());
        }
        node.haproxy.take(facts, at);
    });
    assert_eq!(weights(&first), ["lb02 10", "lb02 50", "lb02 100"]);
    assert!(effect(&first).contains("lb01: source follows no weight that is set now"), "{}", effect(&first));

    let at_once = planned(&away(), |_, policy| policy.ramp_step_ms = 0);
    assert_eq!(weights(&at_once), [""; 0]);
}

#[test]
fn it_is_not_raised_in_steps_where_haproxy_does_it_or_nobody_else_serves() {
    let mut slow = away();
    for balancer in &mut slow.balancers {
        let text = String::from_utf8(balancer.limits.files.read(CONFIG).unwrap().to_vec()).unwrap();
        let text = text.replace("default-server check", "default-server slowstart 30s check");
        assert!(text.contains("slowstart"), "{text}");
        balancer.limits.files.write(CONFIG, text.as_bytes());
    }
    let slow = plan_of(&slow, LINE);
    assert_eq!(weights(&slow), [""; 0]);
    assert!(
        effect(&slow).contains("HAProxy itself raises what web03 gets (slowstart in its file)."),
        "{}",
        effect(&slow)
    );

    let dead = |server: &mut crate::run::cluster::SimServer| {
        (server.healthy, server.failed, server.passed) = (false, true, false);
    };
    let alone = plan_of(&away().with("web01", dead).with("web02", dead), LINE);
    assert_eq!(weights(&alone), [""; 0]);
    assert!(
        effect(&alone).contains("no other server takes traffic: web03 gets everything at once."),
        "{}",
        effect(&alone)
    );
}
