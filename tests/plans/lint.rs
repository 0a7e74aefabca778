//! The linter: every plan of the corpus is sound, and every rule finds the plan that breaks it.

use super::{corpus, plan_of};
use crate::run::cluster::{Cluster, inventory};
use std::collections::BTreeSet;
use vakt::{
    model::ids::NodeName,
    plan::{
        Plan,
        expect::{Check, Expect, ServerExpect},
        hole::{Bind, Bindings, HoleKind},
        lint::{Rule, lint},
        parts::{Action, Body, ConfirmBy, OnLate, Undo, Wait, When, Write},
    },
    wire::{
        probe::ProbeId,
        request::{Access, Call},
    },
};

#[test]
fn every_plan_of_the_corpus_is_sound() {
    for (name, cluster, line) in corpus() {
        let (_, inventory) = cluster.world();
        assert_eq!(lint(&plan_of(&cluster, line), &inventory), [], "{name}");
    }
}

fn write(body: &mut Body, step: usize) -> &mut Write {
    match &mut body.steps[step].action {
        Action::Write(write) => write,
        Action::Wait(_) => panic!("step {step} waits"),
    }
}

fn wait(body: &mut Body, step: usize) -> &mut Wait {
    match &mut body.steps[step].action {
        Action::Wait(wait) => wait,
        Action::Write(_) => panic!("step {step} writes"),
    }
}

fn command(body: &mut Body, step: usize) -> &mut String {
    match &mut write(body, step).request.call {
        Call::Haproxy { command, .. } => command,
        other => panic!("{other:?}"),
    }
}

type Break = fn(&mut Body);

/// The plan has steps 0, 1 drain; 2 wait; 3, 4 maintenance; 5, 6 close; 7 prove.
const BREAKS: &[(&str, Rule, Break)] = &[
    ("no steps", Rule::Size, |body| body.steps.clear()),
    ("no premises", Rule::Size, |body| body.premises.clear()),
    ("an empty title", Rule::Words, |body| body.title = "".into()),
    ("an empty effect", Rule::Words, |body| body.effect.clear()),
    ("an empty step title", Rule::Words, |body| body.steps[0].title = "".into()),
    ("a node that does not exist", Rule::Target, |body| write(body, 0).node = NodeName::from("lb09")),
    ("another socket", Rule::Target, |body| {
        let Call::Haproxy { socket, .. } = &mut write(body, 0).request.call else { panic!() };
        *socket = "/tmp/else".into();
    }),
    ("no source", Rule::Source, |body| body.sources.truncate(1)),
    ("a source that writes", Rule::Source, |body| body.sources[0].requests[0].access = Access::Write),
    ("a write marked as read", Rule::Access, |body| write(body, 0).request.access = Access::Read),
    ("a second command", Rule::OneCommand, |body| command(body, 0).push_str(";show info")),
    ("a line break", Rule::OneCommand, |body| command(body, 0).push_str("\nshow info")),
    ("an empty command", Rule::OneCommand, |body| command(body, 0).clear()),
    ("no pre-check", Rule::Unverified, |body| write(body, 0).before.clear()),
    ("no post-check", Rule::Unverified, |body| write(body, 0).after.checks.clear()),
    ("a wait for nothing", Rule::Unverified, |body| wait(body, 2).until.checks.clear()),
    ("the same before and after", Rule::SameState, |body| {
        let done = write(body, 0).done.clone();
        write(body, 0).before = done;
    }),
    ("a weak post-check", Rule::WeakCheck, |body| {
        let before = write(body, 0).before.clone();
        write(body, 0).after.checks = before;
    }),
    ("no undo and no reason", Rule::NoUndo, |body| {
        write(body, 0).undo = Undo::Irreversible { why: "".into(), is_whole: false }
    }),
    ("a point of no return too late", Rule::PointOfNoReturn, |body| body.point_of_no_return = Some(6)),
    ("no point of no return", Rule::PointOfNoReturn, |body| body.point_of_no_return = None),
    ("a wait without pause", Rule::Endless, |body| wait(body, 2).until.poll_ms = 0),
    ("a wait for a year", Rule::Endless, |body| wait(body, 2).until.deadline_ms = 365 * 24 * 3600 * 1000),
    ("a write without deadline", Rule::Endless, |body| write(body, 0).request.deadline_ms = 0),
    ("a branch on a later step", Rule::Branch, |body| body.steps[3].when = When::Late(7)),
    ("a branch on a write", Rule::Branch, |body| body.steps[3].when = When::Late(0)),
    ("a branch on a wait that fails", Rule::Branch, |body| wait(body, 2).on_late = OnLate::Fail),
    ("a hole that nothing binds", Rule::Hole, |body| command(body, 0).push_str("{hole:weight}")),
    ("a hole that is bound later", Rule::Hole, |body| {
        command(body, 0).push_str("{hole:weight}");
        let bind = bind(body);
        write(body, 1).binds.push(bind);
    }),
    ("a hole that is bound in a branch only", Rule::Hole, |body| {
        command(body, 4).push_str("{hole:weight}");
        let bind = bind(body);
        write(body, 3).binds.push(bind);
    }),
    ("a hole that is bound twice", Rule::Hole, |body| {
        let bind = bind(body);
        write(body, 0).binds.push(bind.clone());
        write(body, 1).binds.push(bind);
    }),
    ("no proof at the end", Rule::Unproven, |body| drop(body.steps.pop())),
    ("a proof of one node only", Rule::Unproven, |body| wait(body, 7).until.checks.truncate(1)),
    ("Enter for what cannot be undone", Rule::TooEasy, |body| body.confirmation.by = ConfirmBy::Enter),
];

fn bind(body: &Body) -> Bind {
    let node = body.sources[0].node.clone();
    let server = body.intent.change.server().unwrap().clone();
    let from = Check { node, probe: ProbeId::Haproxy, expect: Expect::Server { server, is: ServerExpect::Weight(0) } };
    Bind { name: "weight".into(), kind: HoleKind::Number, from }
}

fn sound() -> Plan {
    let pooled = Cluster::healthy().with("web03", |server| (server.sessions, server.pooled) = (2, 2));
    plan_of(&pooled, "haproxy.drain web_cluster/web03 --deadline 5s --on-deadline maint+close")
}

#[test]
fn every_rule_finds_the_plan_that_breaks_it() {
    assert_eq!(lint(&sound(), &inventory()), []);
    let mut found = BTreeSet::new();
    for (what, rule, breaks) in BREAKS {
        let mut body = sound().body;
        breaks(&mut body);
        let faults = lint(&Plan::new(body), &inventory());
        assert!(faults.iter().any(|fault| fault.rule == *rule), "{what}: {faults:?}");
        found.insert(*rule);
    }
    let mut renamed = sound();
    renamed.body.effect.push("Something else.".into());
    assert_eq!(lint(&renamed, &inventory()).iter().map(|fault| fault.rule).collect::<Vec<_>>(), [Rule::Name]);
}

#[test]
fn a_hole_takes_only_what_its_kind_allows() {
    let mut body = sound().body;
    let bind = bind(&body);
    command(&mut body, 0).push_str(" {hole:weight}!");
    let request = write(&mut body, 0).request.clone();
    let mut bindings = Bindings::default();
    assert_eq!(bindings.fill(&request).unwrap_err().as_str(), "weight");
    for value in ["", "1;disable", "1\n2", "-1", "123456789012345678901", "a"] {
        assert!(!bindings.bind(&bind, value), "{value:?}");
    }
    assert!(bindings.bind(&bind, "100"));
    let filled = bindings.fill(&request).unwrap();
    assert!(filled.to_string().contains("state drain 100!"), "{filled}");
}
