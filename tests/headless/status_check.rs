//! `vakt status --check`: the line and the code that a monitoring system reads.

use super::status_schema::{AT, finding, sample};
use vakt::{
    cli::{
        status_check::{CheckState, judge},
        status_document::document,
    },
    model::link::LinkState,
    rules::{Finding, Severity},
    run::ledger::Ledger,
};

fn judged(findings: &[Finding], all_up: bool) -> (CheckState, String) {
    let (inventory, mut world) = sample();
    if all_up {
        let host = world.nodes[0].host.last().cloned().unwrap();
        for node in &mut world.nodes {
            node.link.state = LinkState::Up;
            node.host.take(host.clone(), AT);
        }
    }
    judge(&document(&world, &inventory, &Ledger::default(), findings, AT))
}

fn open(severity: Severity) -> Finding {
    Finding { severity, acknowledged: None, ..finding() }
}

#[test]
fn the_worst_finding_that_nobody_has_seen_decides() {
    let (state, line) = judged(&[open(Severity::Warning), open(Severity::Critical), finding()], true);
    assert_eq!(state, CheckState::Critical);
    let start = "VAKT CRITICAL - web03: Not reachable (oslo-prod: 1 critical, 1 warning, 1 acknowledged) | nodes_up=";
    assert!(line.starts_with(start), "{line}");
    assert_eq!(line.matches('\n').count(), 1);
    let (state, line) = judged(&[open(Severity::Warning), finding()], true);
    assert_eq!(state, CheckState::Warning, "{line}");
    let (state, line) = judged(&[finding()], true);
    assert_eq!(state, CheckState::Ok, "{line}");
    assert!(line.contains("1 acknowledged"), "{line}");
}

#[test]
fn a_node_that_has_not_answered_is_unknown_and_not_well() {
    let (state, line) = judged(&[], false);
    assert_eq!(state, CheckState::Unknown);
    assert!(line.starts_with("VAKT UNKNOWN - no answer yet from "), "{line}");
    let (state, line) = judged(&[], true);
    assert_eq!(state, CheckState::Ok, "{line}");
}

/// `'label'=value;warn;crit;min;max`, separated by spaces, behind the only bar.
#[test]
fn the_performance_data_can_be_read_by_programs() {
    let mut odd = open(Severity::Critical);
    odd.sentence = "a | b".into();
    let (_, line) = judged(&[odd], true);
    let (words, data) = line.trim_end().split_once('|').unwrap();
    assert!(words.contains("a / b"), "{words}");
    let labels: Vec<&str> = data
        .split_whitespace()
        .map(|part| {
            let (label, values) = part.split_once('=').unwrap();
            let mut values = values.split(';');
            values.next().unwrap().parse::<u64>().unwrap();
            assert!(values.count() <= 4, "{part}");
            label
        })
        .collect();
    assert_eq!(labels, ["nodes_up", "critical", "warnings", "acknowledged"]);
}
