//! Which finding is told first, what comes and goes, and what somebody has seen.

use super::{
    lines,
    stage::{Stage, cpu, fails},
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use vakt::{
    model::{figure::Figure, text::Clean, time::Wall, trouble::TroubleKind},
    rules::{Acknowledgement, Finding, Severity},
};

fn down(stage: &mut Stage, node: &str) {
    stage.down(node, TroubleKind::TimedOut, "no answer", "look");
}

fn fail_everywhere(stage: &mut Stage, server: &str) {
    (0..2).for_each(|lb| stage.server(lb, server, fails(1)));
}

fn heal_everywhere(stage: &mut Stage, server: &str) {
    let healthy = super::stage::server(server, "10.10.0.5:80");
    (0..2).for_each(|lb| stage.server(lb, server, |known| *known = healthy.clone()));
}

/// `rule subject < cause`, in order.
fn told(stage: &Stage) -> Vec<String> {
    let one = |finding: &Finding| {
        let cause = finding.follows_from.as_ref().map(|cause| format!(" < {} {}", cause.rule, cause.subject));
        let seen = if finding.acknowledged.is_some() { " (seen)" } else { "" };
        format!("{} {}{}{seen}", finding.rule, finding.subject, cause.unwrap_or_default())
    };
    stage.findings().iter().map(one).collect()
}

#[test]
fn a_dead_node_explains_its_server() {
    let mut stage = Stage::new();
    fail_everywhere(&mut stage, "web03");
    stage.run(2);
    down(&mut stage, "web03");
    stage.second();
    assert_eq!(
        told(&stage),
        ["node.unreachable web03", "haproxy.server.down web_cluster/web03 < node.unreachable web03"]
    );
    stage.up("web03");
    stage.second();
    assert_eq!(told(&stage), ["haproxy.server.down web_cluster/web03"], "without the cause it is one of its own");
}

/// A warning that is the cause of something critical is as urgent as that.
#[test]
fn a_cause_is_as_urgent_as_the_worst_that_comes_of_it() {
    let mut stage = Stage::new();
    stage.profile("db01", |profile| profile.filesystems = vec![super::stage::filesystem("/", 99)]);
    fail_everywhere(&mut stage, "web03");
    stage.cut("web03");
    stage.run(8);
    let told = told(&stage);
    assert_eq!(told[0], "node.stale web03", "{told:?}");
    assert_eq!(told[1], "host.filesystem db01 /", "{told:?}");
    assert_eq!(told[2], "haproxy.server.down web_cluster/web03 < node.stale web03", "{told:?}");
}

#[test]
fn a_dead_backend_follows_from_its_nodes_only_when_all_of_them_are_gone() {
    let mut stage = Stage::new();
    for server in ["web01", "web02", "web03"] {
        fail_everywhere(&mut stage, server);
    }
    down(&mut stage, "web01");
    down(&mut stage, "web02");
    stage.second();
    assert_eq!(told(&stage)[2], "haproxy.backend.down web_cluster", "web03 answers: the nodes are not all of it");
    down(&mut stage, "web03");
    stage.second();
    assert_eq!(told(&stage)[3], "haproxy.backend.down web_cluster < node.unreachable web01");
}

#[test]
fn a_queue_follows_from_the_server_that_is_missing() {
    let mut stage = Stage::new();
    stage.haproxies[0].sample.backends[0].traffic.queue_current = Figure::Known(70);
    stage.run(15);
    assert_eq!(told(&stage), ["haproxy.queue web_cluster"]);
    fail_everywhere(&mut stage, "web03");
    stage.second();
    assert_eq!(
        told(&stage),
        ["haproxy.server.down web_cluster/web03", "haproxy.queue web_cluster < haproxy.server.down web_cluster/web03"]
    );
}

/// A slow disk is where to look, not the requests that wait for it.
#[test]
fn a_queue_follows_from_a_slow_disk_under_one_of_its_servers() {
    let mut stage = Stage::new();
    stage.haproxies[0].sample.backends[0].traffic.queue_current = Figure::Known(70);
    stage.host("db01", |host| host.cpu = cpu(60.0, 0.0));
    stage.run(20);
    assert_eq!(told(&stage)[0], "haproxy.queue web_cluster", "db01 is none of its servers");
    stage.host("web02", |host| host.cpu = cpu(60.0, 0.0));
    stage.run(20);
    let told = told(&stage);
    assert!(told.contains(&"haproxy.queue web_cluster < host.iowait web02".to_owned()), "{told:?}");
    assert!(told[0].starts_with("host.iowait"), "{told:?}");
}

#[test]
fn what_comes_and_goes_is_told_once_and_says_so() {
    let mut stage = Stage::new();
    let mut openings = 0;
    let mut was_open = false;
    for round in 0..20 {
        if round % 2 == 0 {
            fail_everywhere(&mut stage, "web03");
        } else {
            heal_everywhere(&mut stage, "web03");
        }
        for _ in 0..5 {
            stage.second();
            let is_open = !stage.findings().is_empty();
            openings += usize::from(is_open && !was_open);
            was_open = is_open;
        }
    }
    assert_eq!(openings, 3, "from the third time on it stays");
    let sentence = stage.findings()[0].sentence.to_string();
    assert!(sentence.ends_with("; comes and goes, 10 times in 1 m 36 s"), "{sentence}");
    stage.run(60);
    assert_eq!(told(&stage), Vec::<String>::new(), "and it ends when it is quiet");
}

fn acknowledge(stage: &mut Stage, finding: &Finding, severity: Severity, until_ms: Option<i64>) {
    let now = stage.now.wall;
    let one = Acknowledgement {
        rule: finding.rule.clone(),
        subject: finding.subject.clone(),
        severity,
        by: "eva".into(),
        reason: "new disk".into(),
        at: now,
        until: until_ms.map(|ms| Wall(now.0 + ms)),
    };
    stage.will.acknowledged.add(one, now);
}

#[test]
fn what_somebody_has_seen_stands_last_until_its_end() {
    let mut stage = Stage::new();
    down(&mut stage, "db01");
    stage.host("db02", |host| host.cpu = cpu(60.0, 0.0));
    stage.run(20);
    assert_eq!(told(&stage), ["node.unreachable db01", "host.iowait db02"]);
    let first = stage.findings().remove(0);
    acknowledge(&mut stage, &first, Severity::Critical, Some(60_000));
    stage.second();
    assert_eq!(told(&stage), ["host.iowait db02", "node.unreachable db01 (seen)"]);
    stage.up("db01");
    stage.second();
    down(&mut stage, "db01");
    stage.second();
    assert_eq!(told(&stage)[1], "node.unreachable db01 (seen)", "for its time also when it begins again");
    stage.run(60);
    assert_eq!(told(&stage), ["node.unreachable db01", "host.iowait db02"]);
}

#[test]
fn what_was_seen_until_it_clears_has_cleared_when_it_stays_away_and_everything_is_seen() {
    let mut stage = Stage::new();
    down(&mut stage, "db01");
    stage.run(3);
    let first = stage.findings().remove(0);
    acknowledge(&mut stage, &first, Severity::Critical, None);
    stage.run(500);
    assert_eq!(told(&stage), ["node.unreachable db01 (seen)"]);
    stage.up("db01");
    stage.run(10);
    assert_eq!(stage.rules.cleared(), [], "it may come and go");
    down(&mut stage, "db01");
    stage.second();
    assert_eq!(told(&stage), ["node.unreachable db01 (seen)"]);
    stage.up("db01");
    stage.cut("web01");
    stage.run(50);
    assert_eq!(stage.rules.cleared(), [], "who does not see everything does not say that something is over");
    stage.up("web01");
    stage.run(2);
    assert_eq!(stage.rules.cleared(), [(first.rule.clone(), first.subject)]);
    stage.run(200);
    assert_eq!(stage.rules.cleared(), [], "it is forgotten");
}

#[test]
fn what_gets_worse_comes_back_and_what_follows_is_seen_with_it() {
    let mut stage = Stage::new();
    stage.cut("web03");
    stage.run(8);
    let silent = stage.findings().remove(0);
    acknowledge(&mut stage, &silent, Severity::Warning, None);
    stage.second();
    assert_eq!(told(&stage), ["node.stale web03 (seen)"]);
    fail_everywhere(&mut stage, "web03");
    stage.second();
    assert_eq!(told(&stage), ["node.stale web03", "haproxy.server.down web_cluster/web03 < node.stale web03"]);
    acknowledge(&mut stage, &silent, Severity::Critical, None);
    stage.second();
    assert_eq!(
        told(&stage),
        ["node.stale web03 (seen)", "haproxy.server.down web_cluster/web03 < node.stale web03 (seen)"]
    );
}

#[test]
fn acknowledgements_are_bounded_and_one_a_finding() {
    let mut stage = Stage::new();
    down(&mut stage, "db01");
    stage.second();
    let mut finding = stage.findings().remove(0);
    for _ in 0..3 {
        acknowledge(&mut stage, &finding, Severity::Critical, None);
    }
    assert_eq!(stage.will.acknowledged.0.len(), 1);
    for number in 0..1000 {
        finding.subject = Clean::line(&format!("node {number}"));
        acknowledge(&mut stage, &finding, Severity::Critical, None);
    }
    assert_eq!(stage.will.acknowledged.0.len(), 256);
    assert_eq!(stage.will.acknowledged.0.last().map(|one| one.subject.as_str()), Some("node 999"));
    assert!(stage.will.acknowledged.take_back(&finding.rule, &finding.subject));
}

/// What may go wrong in one second.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    ServerDown(usize),
    ServerUp(usize),
    NodeDown(usize),
    NodeUp(usize),
    Iowait(u8),
    Queue(u8),
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        (0..3usize).prop_map(Mishap::ServerDown),
        (0..3usize).prop_map(Mishap::ServerUp),
        (0..3usize).prop_map(Mishap::NodeDown),
        (0..3usize).prop_map(Mishap::NodeUp),
        (0..100u8).prop_map(Mishap::Iowait),
        (0..100u8).prop_map(Mishap::Queue),
    ]
}

const WEB: [&str; 3] = ["web01", "web02", "web03"];

fn happen(stage: &mut Stage, mishap: Mishap) {
    match mishap {
        Mishap::ServerDown(which) => fail_everywhere(stage, WEB[which]),
        Mishap::ServerUp(which) => heal_everywhere(stage, WEB[which]),
        Mishap::NodeDown(which) => down(stage, WEB[which]),
        Mishap::NodeUp(which) => stage.up(WEB[which]),
        Mishap::Iowait(share) => stage.host("db01", |host| host.cpu = cpu(f64::from(share), 0.0)),
        Mishap::Queue(waiting) => {
            stage.haproxies[0].sample.backends[0].traffic.queue_current = Figure::Known(u64::from(waiting));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever happens: never two lines for one thing, causes above symptoms, one order, always the same.
    #[test]
    fn whatever_happens_each_thing_is_told_once_and_in_one_order(
        mishaps in prop::collection::vec(prop::option::of(mishap()), 1..120)
    ) {
        let mut stage = Stage::new();
        for mishap in mishaps {
            if let Some(mishap) = mishap {
                happen(&mut stage, mishap);
            }
            stage.second();
            let findings = stage.findings();
            let mut unique = BTreeSet::new();
            for (place, finding) in findings.iter().enumerate() {
                prop_assert!(unique.insert((finding.rule.clone(), finding.subject.clone())), "twice: {finding:?}");
                if let Some(cause) = &finding.follows_from {
                    let above = findings[..place].iter().any(|one| one.rule == cause.rule && one.subject == cause.subject);
                    prop_assert!(above, "{:?}", lines(&findings));
                }
            }
            // Three servers, three nodes, one backend, one disk, one queue.
            prop_assert!(findings.len() <= 9, "{:?}", lines(&findings));
            let again = stage.rules.evaluate(&stage.world, &stage.inventory, stage.will.operators(), stage.now);
            prop_assert_eq!(&again, &findings, "the same moment is told the same way");
        }
    }

    /// However fast it flaps: a bounded number of openings.
    #[test]
    fn flapping_opens_a_bounded_number_of_findings(on in 1..50u32, off in 1..50u32) {
        let mut stage = Stage::new();
        let (mut openings, mut was_open) = (0, false);
        for second in 0..600 {
            match second % (on + off) {
                0 => fail_everywhere(&mut stage, "web03"),
                place if place == on => heal_everywhere(&mut stage, "web03"),
                _ => {}
            }
            stage.second();
            let is_open = !stage.findings().is_empty();
            openings += u32::from(is_open && !was_open);
            was_open = is_open;
        }
        prop_assert!(openings <= 3, "{openings} openings at {on} s on, {off} s off");
    }
}
