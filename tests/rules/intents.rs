//! What operators want and a load balancer forgot.

use super::{
    lines,
    stage::{Stage, fails},
};
use vakt::{
    model::{
        figure::Figure,
        haproxy::{AdminState, OperationalState, Server},
        ids::NodeName,
        intent::{Intent, ServerPath},
        text::Clean,
        time::Wall,
    },
    plan::PlanId,
    rules::Severity,
    run::{
        Operator, RunState, RunSummary,
        ledger::{Wanted, Wish},
        lock::{Holder, LockState},
    },
};

/// One illness each, of what this file knows.
pub(super) const SCENARIOS: &[fn(&mut Stage)] = &[|stage| wish(stage, Wanted::Drain, 60), busy];

const RUN: &str = "20140513T165320Z-5f3a09c1";

fn wish(stage: &mut Stage, wanted: Wanted, seconds_ago: i64) {
    stage.will.ledger.wishes.push(Wish {
        server: ServerPath { backend: "web_cluster".into(), server: "web03".into() },
        wanted,
        since: Wall(stage.now.wall.0 - seconds_ago * 1000),
        by: "eva".into(),
        reason: Some("kernel update".into()),
        run: PlanId::from(RUN.to_owned()),
    });
}

fn drained(server: &mut Server) {
    (server.operational, server.admin) = (OperationalState::Draining, Figure::Known(AdminState::Drain));
    server.traffic.sessions_current = Figure::Known(0);
}

fn ready(server: &mut Server) {
    (server.operational, server.admin) = (OperationalState::Up, Figure::Known(AdminState::Ready));
}

/// Drained by eva five minutes ago, on processes that run for an hour.
fn drained_stage() -> Stage {
    let mut stage = Stage::new();
    (0..2).for_each(|lb| stage.server(lb, "web03", drained));
    stage.haproxies.iter_mut().for_each(|facts| facts.sample.info.uptime_s = Figure::Known(3600));
    wish(&mut stage, Wanted::Drain, 299);
    stage.second();
    stage
}

/// A drained server that is not empty on one load balancer.
fn busy(stage: &mut Stage) {
    (0..2).for_each(|lb| stage.server(lb, "web03", drained));
    stage.server(1, "web03", |server| server.traffic.sessions_current = Figure::Known(12));
    wish(stage, Wanted::Drain, 299);
}

/// HAProxy on that load balancer starts anew; what it keeps is up to the caller.
fn reload(stage: &mut Stage, lb: usize, uptime_s: u64) {
    stage.haproxies[lb].sample.info.uptime_s = Figure::Known(uptime_s);
}

fn summary(stage: &Stage, line: &str, phase: RunState) -> RunSummary {
    let words: Vec<&str> = line.split(' ').collect();
    RunSummary {
        id: PlanId::from("20140513T170000Z-00000001".to_owned()),
        intent: Intent::parse(&words).unwrap(),
        title: "Return web_cluster/web03 to traffic on lb01 and lb02".into(),
        operator: Operator { login: "ola".into(), ssh_client: None, sudo_user: None },
        opened_at: stage.now.wall,
        last_at: stage.now.wall,
        records: 3,
        state: phase,
        holds_until: None,
        former: None,
        former_value: None,
    }
}

fn held_for(stage: &Stage, what: &str) -> LockState {
    LockState::Held(Box::new(Holder {
        operator: Operator { login: "ola".into(), ssh_client: None, sudo_user: None },
        bastion: "bastion2".into(),
        process: 77,
        run: PlanId::from("20140513T170000Z-00000001".to_owned()),
        what: what.into(),
        since: stage.now.wall,
    }))
}

#[test]
fn a_drain_that_a_reload_lost_is_told_at_the_next_poll() {
    let mut stage = drained_stage();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    stage.server(0, "web03", ready);
    reload(&mut stage, 0, 0);
    stage.second();
    let findings = stage.findings();
    assert_eq!(
        lines(&findings),
        [
            "✗ web_cluster/web03: Takes traffic on lb01 although eva drained it 5 m 01 s ago (kernel update); HAProxy there restarted 0 s ago"
        ]
    );
    let finding = &findings[0];
    assert_eq!((finding.rule.as_str(), finding.node.clone()), ("haproxy.intent.lost", Some(NodeName::from("web03"))));
    assert_eq!(finding.since.wall, stage.now.wall, "since the restart");
    let evidence: Vec<&str> = finding.evidence.iter().map(Clean::as_str).collect();
    assert_eq!(
        evidence,
        [
            "lb01: told ready, up, HAProxy up 0 s",
            "lb02: told drain, draining, HAProxy up 1 h 00 m",
            "run 20140513T165320Z-5f3a09c1: vakt runs show 20140513T165320Z-5f3a09c1",
        ]
    );
    assert_eq!(
        finding.hint.as_str(),
        "r applies it again, like vakt do haproxy.drain web_cluster/web03 --deadline 60s --reason 'kernel update'; \
         to accept what is: vakt do haproxy.ready web_cluster/web03 --deadline 60s"
    );
    // It stays, with its beginning, and is no disagreement besides.
    for _ in 0..20 {
        let uptime_s = stage.haproxies[0].sample.info.uptime_s.known().unwrap_or_default();
        reload(&mut stage, 0, uptime_s + 1);
        stage.second();
    }
    assert_eq!(stage.findings().len(), 1, "{:?}", lines(&stage.findings()));
    assert_eq!(stage.findings()[0].since, finding.since);
    // Applied again: over at once.
    stage.server(0, "web03", drained);
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
}

#[test]
fn a_drain_that_survived_a_reload_is_not_reported() {
    let mut stage = drained_stage();
    (0..2).for_each(|lb| reload(&mut stage, lb, 0));
    for _ in 0..20 {
        stage.second();
        assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    }
}

#[test]
fn lost_everywhere_and_without_a_restart_the_sentence_says_so() {
    let mut stage = drained_stage();
    (0..2).for_each(|lb| stage.server(lb, "web03", ready));
    stage.second();
    assert_eq!(
        lines(&stage.findings()),
        [
            "✗ web_cluster/web03: Takes traffic on both load balancers although eva drained it 5 m 01 s ago (kernel update); HAProxy did not restart since: somebody told it so"
        ]
    );
}

#[test]
fn a_server_that_is_down_only_threatens_to_take_traffic() {
    let mut stage = drained_stage();
    (0..2).for_each(|lb| {
        stage.server(lb, "web03", ready);
        stage.server(lb, "web03", fails(0));
        reload(&mut stage, lb, 2);
    });
    stage.second();
    let findings = stage.findings();
    let lost = findings.iter().find(|finding| finding.rule.as_str() == "haproxy.intent.lost").unwrap();
    assert_eq!(lost.severity, Severity::Warning);
    assert!(
        lost.sentence.as_str().starts_with("Will take traffic as soon as it is up on both load balancers although"),
        "{}",
        lost.sentence
    );
}

#[test]
fn maintenance_that_only_drains_and_weights_are_warnings() {
    let mut stage = Stage::new();
    (0..2).for_each(|lb| stage.server(lb, "web03", drained));
    wish(&mut stage, Wanted::Maint, 7200);
    stage.second();
    assert_eq!(
        lines(&stage.findings()),
        [
            "▲ web_cluster/web03: Only drains on both load balancers although eva put it into maintenance 2 h 00 m ago (kernel update)"
        ]
    );
    let mut stage = Stage::new();
    wish(&mut stage, Wanted::Weight(10), 60);
    stage.second();
    assert_eq!(
        lines(&stage.findings()),
        [
            "▲ web_cluster/web03: Has weight 100 on both load balancers although eva gave it weight 10 1 m 01 s ago (kernel update)"
        ]
    );
    assert!(
        stage.findings()[0]
            .hint
            .as_str()
            .ends_with("to accept what is: vakt do haproxy.weight web_cluster/web03 --weight 100")
    );
}

#[test]
fn two_lost_wishes_of_one_server_are_one_finding() {
    let mut stage = Stage::new();
    wish(&mut stage, Wanted::Drain, 60);
    wish(&mut stage, Wanted::Weight(10), 60);
    stage.second();
    assert_eq!(stage.findings().len(), 1, "{:?}", lines(&stage.findings()));
    assert_eq!(stage.findings()[0].severity, Severity::Critical);
}

#[test]
fn maintenance_is_more_than_a_drain_asks_for() {
    let mut stage = drained_stage();
    for lb in 0..2 {
        stage.server(lb, "web03", |server| {
            (server.operational, server.admin) = (OperationalState::Maintenance, Figure::Known(AdminState::Maint));
        });
    }
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
}

#[test]
fn nothing_is_said_while_a_run_works_on_the_server() {
    let mut stage = drained_stage();
    (0..2).for_each(|lb| stage.server(lb, "web03", ready));
    // A run of this bastion.
    let run = summary(&stage, "haproxy.ready web_cluster/web03", RunState::Running);
    stage.will.runs = vec![run];
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    // A run of another bastion, known by the lock alone.
    stage.will.runs.clear();
    stage.will.lock = held_for(&stage, "Return web_cluster/web03 to traffic on lb01 and lb02: done");
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    // Another server is none of its business, also when its name begins alike.
    for what in ["Drain web_cluster/web031 on lb01", "Drain web_cluster/web02 on lb01"] {
        stage.will.lock = held_for(&stage, what);
        stage.second();
        assert_eq!(stage.findings().len(), 1, "{what}");
    }
    // An interrupted run does nothing any more.
    stage.will.lock = LockState::Free;
    let run = summary(&stage, "haproxy.ready web_cluster/web03", RunState::Interrupted);
    stage.will.runs = vec![run];
    stage.second();
    assert_eq!(stage.findings().len(), 1);
}

#[test]
fn facts_from_before_the_wish_and_stale_facts_prove_nothing() {
    let mut stage = Stage::new();
    // The run ended a moment ago; both load balancers were read before that.
    wish(&mut stage, Wanted::Drain, -1);
    stage.now.wall.0 += 1_500;
    let findings = stage.rules.evaluate(&stage.world, &stage.inventory, stage.will.operators(), stage.now);
    assert_eq!(lines(&findings), Vec::<String>::new());
    stage.now.wall.0 -= 1_500;
    stage.second();
    stage.second();
    assert_eq!(stage.findings().len(), 1, "the next poll proves it");
    // A load balancer that is silent has no say, and the evidence tells that.
    stage.server(0, "web03", drained);
    stage.cut("lb02");
    stage.run(10);
    let findings = stage.findings();
    assert!(findings.iter().all(|finding| finding.rule.as_str() != "haproxy.intent.lost"), "{:?}", lines(&findings));
}

#[test]
fn a_server_that_is_gone_from_its_file_is_no_finding() {
    let mut stage = drained_stage();
    for haproxy in &mut stage.haproxies {
        haproxy.sample.backends[0].servers.retain(|server| server.name.as_str() != "web03");
    }
    stage.run(3);
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    assert_eq!(stage.will.ledger.wishes.len(), 1, "it keeps its wish");
}

#[test]
fn a_drained_server_that_is_not_empty_is_told_once_nobody_waits_for_it() {
    let mut stage = Stage::new();
    busy(&mut stage);
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new(), "sessions may end this moment");
    (0..6).for_each(|_| {
        stage.second();
        stage.findings();
    });
    let findings = stage.findings();
    assert_eq!(
        lines(&findings),
        ["▲ web_cluster/web03: 12 sessions are left on lb02 although eva drained it 5 m 06 s ago (kernel update)"]
    );
    let evidence: Vec<&str> = findings[0].evidence.iter().map(Clean::as_str).collect();
    assert_eq!(evidence[..2], ["lb01: told drain, 0 sessions", "lb02: told drain, 12 sessions"]);
    assert!(
        findings[0].hint.as_str().contains("vakt do haproxy.kill-sessions web_cluster/web03"),
        "{}",
        findings[0].hint
    );

    stage.will.runs.push(summary(&stage, "haproxy.drain web_cluster/web03", RunState::Running));
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new(), "a run waits for it");
    stage.will.runs.clear();
    stage.server(1, "web03", |server| server.traffic.sessions_current = Figure::Known(0));
    (0..10).for_each(|_| {
        stage.second();
        stage.findings();
    });
    assert_eq!(lines(&stage.findings()), Vec::<String>::new(), "it is empty");
}
