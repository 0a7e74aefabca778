//! A drained node that something came back to.

use super::{
    addresses::{both, hold},
    stage::Stage,
};
use vakt::{
    model::{ids::NodeName, intent::Intent, time::Wall},
    plan::PlanId,
    rules::Severity,
    run::{Operator, RunState, RunSummary, ledger::DrainedNode},
};

const VIP: &str = "10.10.0.100";

/// One illness each, of what this file knows.
pub(super) const SCENARIOS: &[fn(&mut Stage)] = &[|stage| {
    drain(stage, 60);
    hold(stage, |stage| both(stage, &[VIP], &[]));
}];

fn drain(stage: &mut Stage, seconds_ago: i64) {
    stage.will.ledger.drained.push(DrainedNode {
        node: NodeName::from("lb01"),
        since: Wall(stage.now.wall.0 - seconds_ago * 1000),
        by: "eva".into(),
        reason: Some("kernel".into()),
        run: PlanId::from("20140513T165320Z-5f3a09c1".to_owned()),
    });
}

/// What is told of drained nodes.
fn told(stage: &mut Stage) -> Vec<(Severity, String)> {
    stage.second();
    let all = stage.findings();
    let found = all.iter().filter(|one| one.rule.as_str() == "node.drained.used");
    found.map(|one| (one.severity, one.sentence.to_string())).collect()
}

#[test]
fn an_address_that_came_back_to_a_drained_node_is_told_with_both_ways_out() {
    let mut stage = Stage::new();
    drain(&mut stage, 299);
    hold(&mut stage, |stage| both(stage, &[VIP], &[]));
    let expected = format!("Holds {VIP}, although eva drained it 5 m 00 s ago (kernel)");
    let told = told(&mut stage);
    assert_eq!(told, [(Severity::Warning, expected)], "{:?}", super::lines(&stage.findings()));
    let all = stage.findings();
    let finding = all.iter().find(|one| one.rule.as_str() == "node.drained.used").unwrap();
    assert_eq!(finding.node, Some(NodeName::from("lb01")));
    let hint = finding.hint.as_str();
    assert!(hint.contains("vakt do node.drain lb01") && hint.contains("vakt do node.undrain lb01"), "{hint}");
}

#[test]
fn a_drained_node_that_is_not_in_use_is_nothing_to_talk_about() {
    let mut stage = Stage::new();
    drain(&mut stage, 299);
    hold(&mut stage, |stage| both(stage, &[], &[VIP]));
    assert_eq!(told(&mut stage), []);
}

#[test]
fn what_a_run_is_about_to_move_is_not_told() {
    let mut stage = Stage::new();
    drain(&mut stage, 299);
    hold(&mut stage, |stage| both(stage, &[VIP], &[]));
    stage.will.runs.push(RunSummary {
        id: PlanId::from("20140513T170000Z-00000001".to_owned()),
        intent: Intent::parse(&["node.undrain", "lb01"]).unwrap(),
        title: "Return lb01 to service".into(),
        operator: Operator { login: "eva".into(), ssh_client: None, sudo_user: None },
        opened_at: stage.now.wall,
        last_at: stage.now.wall,
        records: 3,
        state: RunState::Running,
        holds_until: None,
        former: None,
        former_value: None,
    });
    assert_eq!(told(&mut stage), []);
}
