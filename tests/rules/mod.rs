//! The rules on worlds made by hand: what becomes a finding, in which words, since when, and what does not.

use std::path::Path;
use vakt::{
    model::{ids::NodeName, time::Now},
    rules::{Finding, Operators, RuleId, Rules, Severity, catalogue, reference},
};

mod addresses;
mod databases;
mod drained;
mod hosts;
mod intents;
mod lost_primary;
mod machines;
mod order;
mod scale;
mod servers;
mod services;
mod spike;
mod stage;
mod switches;

use stage::Stage;

/// `severity subject: sentence`, as the overview shows it.
fn lines(findings: &[Finding]) -> Vec<String> {
    let glyph = |severity| if severity == Severity::Critical { "✗" } else { "▲" };
    findings
        .iter()
        .map(|finding| format!("{} {}: {}", glyph(finding.severity), finding.subject, finding.sentence))
        .collect()
}

#[test]
fn a_healthy_cluster_has_no_findings() {
    let mut stage = Stage::new();
    for _ in 0..60 {
        stage.second();
        assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    }
}

#[test]
fn before_anything_answered_nothing_is_wrong() {
    let stage = Stage::new();
    let empty = vakt::model::world::World::new(&stage.inventory);
    assert_eq!(Rules::default().evaluate(&empty, &stage.inventory, Operators::NONE, stage.now), []);
}

#[test]
fn an_unreachable_node_is_one_finding_with_cause_and_cure() {
    let mut stage = Stage::new();
    stage.host("db01", |host| host.cpu = stage::cpu(60.0, 0.0));
    stage.run(30);
    assert_eq!(lines(&stage.findings()), ["▲ db01: iowait 60 %"]);
    stage.down(
        "db01",
        vakt::model::trouble::TroubleKind::Refused,
        "connection to 10.10.0.21 port 22 refused",
        "start sshd on db01",
    );
    stage.run(12);
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["✗ db01: Unreachable for 12 s: connection to 10.10.0.21 port 22 refused"]);
    assert_eq!(findings[0].rule.as_str(), "node.unreachable");
    assert_eq!(findings[0].hint.as_str(), "start sshd on db01");
    assert_eq!(findings[0].node, Some(NodeName::from("db01")));
    assert_eq!(stage.now.mono.since_ms(findings[0].since.mono), 12_000);
    assert!(findings[0].evidence[0].as_str().starts_with("last facts 12 s old"), "{:?}", findings[0].evidence);
    stage.up("db01");
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new(), "the hold time begins again");
}

#[test]
fn a_stale_node_says_nothing_but_its_age() {
    let mut stage = Stage::new();
    stage.host("db03", |host| host.cpu = stage::cpu(60.0, 50.0));
    stage.run(30);
    stage.cut("db03");
    stage.run(12);
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["▲ db03: No answer for 12 s"]);
    assert_eq!(
        stage.now.mono.since_ms(findings[0].since.mono),
        12_000,
        "since the last answer, not since it was noticed"
    );
}

#[test]
fn a_node_whose_probe_fails_says_why() {
    let mut stage = Stage::new();
    stage.run(5);
    stage.cut("web01");
    stage.fail_host("web01", "/proc is not mounted");
    stage.run(4);
    assert_eq!(lines(&stage.findings()), ["▲ web01: No answer for 4.0 s: /proc is not mounted"]);
}

#[test]
fn a_changed_host_key_is_critical_and_not_merely_unreachable() {
    let mut stage = Stage::new();
    let cause = "host key of web02 changed: SHA256:new, known SHA256:old in /home/eva/.ssh/known_hosts line 3";
    stage.down(
        "web02",
        vakt::model::trouble::TroubleKind::HostKeyChanged,
        cause,
        "compare fingerprints on the console",
    );
    stage.run(1);
    let findings = stage.findings();
    assert_eq!(findings[0].rule.as_str(), "node.host_key");
    assert_eq!(lines(&findings), [format!("✗ web02: {}", cause.replacen('h', "H", 1))]);
}

#[test]
fn a_further_attempt_changes_neither_the_finding_nor_its_beginning() {
    use vakt::model::{link::LinkState, trouble::TroubleKind};
    let mut stage = Stage::new();
    stage.down("db01", TroubleKind::TimedOut, "no answer from 10.10.0.21", "look");
    stage.run(10);
    stage.facts("db01").link.state = LinkState::Connecting { stage: "connecting".into() };
    stage.run(5);
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["✗ db01: Unreachable for 15 s: no answer from 10.10.0.21"]);
    assert_eq!(findings[0].evidence[1].as_str(), "trying again now: connecting");
    stage.down("db01", TroubleKind::Refused, "connection refused", "start sshd");
    stage.run(5);
    assert_eq!(lines(&stage.findings()), ["✗ db01: Unreachable for 20 s: connection refused"]);
    stage.up("db01");
    stage.second();
    assert_eq!(stage.findings(), []);
}

#[test]
fn nodes_behind_a_dead_jump_host_are_one_finding() {
    let mut stage = Stage::new();
    for node in ["web01", "web02", "db01"] {
        stage.down(
            node,
            vakt::model::trouble::TroubleKind::JumpHostDown,
            "jump host bastion timed out",
            "check bastion",
        );
    }
    stage.run(3);
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["✗ web01 and 2 more: 3 nodes unreachable for 3.0 s: jump host bastion timed out"]);
    assert_eq!(findings[0].evidence[0].as_str(), "web01, web02, db01");
}

#[test]
fn worst_first_then_oldest_then_always_the_same_order() {
    let mut stage = Stage::new();
    stage.host("web02", |host| host.cpu = stage::cpu(60.0, 0.0));
    stage.host("web01", |host| host.cpu = stage::cpu(60.0, 0.0));
    stage.run(20);
    stage.down("db02", vakt::model::trouble::TroubleKind::TimedOut, "no answer", "look");
    stage.run(5);
    stage.down("db01", vakt::model::trouble::TroubleKind::TimedOut, "no answer", "look");
    stage.run(5);
    let subjects: Vec<String> = stage.findings().iter().map(|finding| finding.subject.to_string()).collect();
    assert_eq!(subjects, ["db02", "db01", "web01", "web02"]);
}

#[test]
fn what_is_written_down_goes_on_where_it_stood() {
    let mut stage = Stage::new();
    stage.host("db01", |host| host.cpu = stage::cpu(60.0, 0.0));
    stage.run(8);
    assert_eq!(stage.findings(), []);
    let text = serde_json::to_string(&stage.rules).unwrap();
    stage.rules = serde_json::from_str(&text).unwrap();
    stage.run(3);
    assert_eq!(lines(&stage.findings()), ["▲ db01: iowait 60 %"]);
}

/// Illnesses, one list a file of tests; together they make every rule fire.
const SCENARIOS: &[&[fn(&mut Stage)]] = &[
    // In the order of the alphabet.
    addresses::SCENARIOS,
    databases::SCENARIOS,
    drained::SCENARIOS,
    intents::SCENARIOS,
    lost_primary::SCENARIOS,
    services::SCENARIOS,
    spike::SCENARIOS,
    stage::SCENARIOS,
    switches::SCENARIOS,
];

/// Every rule of the table fires somewhere: a rule that cannot fire is a promise that is not kept.
#[test]
fn every_rule_of_the_catalogue_can_fire() {
    let mut seen = machines::every_rule();
    for scenario in SCENARIOS.iter().copied().flatten() {
        let mut stage = Stage::new();
        scenario(&mut stage);
        stage.run(30);
        let findings = stage.findings();
        let mut unique = std::collections::BTreeSet::new();
        for finding in findings {
            assert!(unique.insert((finding.rule.clone(), finding.subject.clone())), "twice: {finding:?}");
            assert!(!finding.hint.is_empty() && !finding.sentence.is_empty(), "{finding:?}");
            assert!(finding.since.wall <= stage.now.wall, "{finding:?}");
            seen.insert(finding.rule.to_string());
        }
    }
    for rule in catalogue().iter().map(|id| id.rule()) {
        assert!(seen.contains(rule.name), "{} never fires", rule.name);
    }
}

#[test]
fn the_catalogue_is_in_order_and_says_everything() {
    let mut names = std::collections::BTreeSet::new();
    assert!(catalogue().is_sorted(), "the order of the ranks");
    for &id in catalogue() {
        let rule = id.rule();
        assert!(names.insert(rule.name), "{} stands twice", rule.name);
        assert_eq!(serde_json::to_value(id).unwrap(), rule.name, "the name is the identity in files too");
        assert_eq!(serde_json::from_value::<RuleId>(rule.name.into()).unwrap(), id);
        for text in [rule.meaning, rule.causes] {
            assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{}: {text}", rule.name);
        }
        assert!(!rule.action.ends_with('.'), "{}: the action is a fragment", rule.name);
        for id in rule.commands {
            assert!(vakt::app::command::find(id).is_some(), "{} names {id}, which is no command", rule.name);
        }
    }
}

/// A cause is a rule, and no rule explains itself over however many others.
#[test]
fn causes_exist_and_go_one_way() {
    fn explained(rule: RuleId, above: &mut Vec<RuleId>) {
        assert!(!above.contains(&rule), "a circle: {above:?} {rule:?}");
        above.push(rule);
        for cause in rule.rule().explained_by {
            let name = cause.rule;
            let cause = RuleId::named(name).unwrap_or_else(|| panic!("{} names {name}", rule.rule().name));
            explained(cause, above);
        }
        above.pop();
    }
    for &rule in catalogue() {
        explained(rule, &mut Vec::new());
    }
}

#[test]
fn the_findings_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/findings.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), reference(), "UPDATE=1 cargo test rewrites it");
}

/// Whatever a hostile node sends, an evaluation ends without a panic.
#[test]
fn absurd_figures_are_survived() {
    let mut stage = Stage::new();
    stage::absurd(&mut stage);
    stage.run(30);
    for finding in stage.findings() {
        assert!(finding.sentence.as_str().chars().count() <= 512);
    }
    let late = Now { mono: vakt::model::time::Mono(u64::MAX), wall: vakt::model::time::Wall(i64::MIN) };
    stage.rules.evaluate(&stage.world, &stage.inventory, stage.will.operators(), late);
}
