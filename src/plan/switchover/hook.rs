//! The command of the operator's that leads writes, where the configuration names one: asked before anything changes, called
//! once between the fence and the first write on the new primary, and called the other way round when that is undone.
//!
//! It is a step like any other, on the node that becomes the primary in name only: what it did is what it says when it is
//! asked (`wire::hook`). Whatever goes wrong with it is settled by asking.

use super::steps::{send, until};
use crate::{
    model::{
        ids::NodeName,
        inventory::{Node, WriteEndpoint},
        text::Clean,
        write_endpoint::HookSample,
    },
    plan::{
        expect::{Check, Expect, Verdict, verdict},
        limits,
        parts::{Action, Premise, Source, Step, When, Write},
        scene::Scene,
        text::seconds,
    },
    wire::{
        hook,
        probe::{Facts, ProbeId},
    },
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What can be expected of the command: that it leads writes to one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookExpect {
    /// Nodes, by their names.
    pub leads_to: Vec<NodeName>,
}

impl HookExpect {
    pub(in crate::plan) fn judge(&self, facts: &Facts) -> Verdict {
        let Facts::Hook(sample) = facts else { return Verdict::Unknown("the answer is not the command's".into()) };
        match sample.leads_to.as_ref().known() {
            Some(name) => {
                let is_one = self.leads_to.iter().any(|one| one.as_str() == name.as_str());
                verdict(is_one, format!("leads writes to {name}"))
            }
            None => Verdict::Unknown(unknown_words(sample)),
        }
    }
}

impl fmt::Display for HookExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the command leads writes to {}",
            self.leads_to.iter().map(NodeName::as_str).collect::<Vec<_>>().join(" or ")
        )
    }
}

fn unknown_words(sample: &HookSample) -> Clean {
    Clean::line(&match (&sample.objection, sample.leads_to.as_ref().why()) {
        (Some(objection), _) => format!("the command says that it cannot: {objection}"),
        (None, Some(why)) => format!("where the command leads writes is unknown: {why}"),
        (None, None) => "where the command leads writes is unknown".to_owned(),
    })
}

/// What it says, in one line.
pub(in crate::plan) fn words(sample: &HookSample) -> Clean {
    match sample.leads_to.as_ref().known() {
        Some(name) => Clean::line(&format!("writes are led to {name}, by the command's word")),
        None => unknown_words(sample),
    }
}

/// The command, between two nodes.
pub(in crate::plan) struct Hook<'a> {
    endpoint: &'a WriteEndpoint,
    from: &'a Node,
    to: &'a Node,
    /// Whether it may lead to the new primary already: nobody knows what was done since the old one fell silent.
    may_be_there: bool,
}

impl<'a> Hook<'a> {
    /// None where the configuration names no command.
    pub(in crate::plan) fn of(scene: &Scene<'a>, from: &'a Node, to: &'a Node, may_be_there: bool) -> Option<Self> {
        let endpoint = &scene.inventory.settings.write_endpoint;
        (!endpoint.command.is_empty()).then_some(Self { endpoint, from, to, may_be_there })
    }

    fn check(&self, leads_to: &[&Node]) -> Check {
        let leads_to = leads_to.iter().map(|node| node.name.clone()).collect();
        Check { node: self.to.name.clone(), probe: ProbeId::Hook, expect: Expect::Hook(HookExpect { leads_to }) }
    }

    /// It leads to the old primary.
    pub(in crate::plan) fn before(&self) -> Check {
        self.check(&[self.from])
    }

    /// It leads to the new one.
    pub(in crate::plan) fn done(&self) -> Check {
        self.check(&[self.to])
    }

    /// The command, in one line: its program.
    fn program(&self) -> &str {
        self.endpoint.command.first().map_or("", String::as_str)
    }

    /// Leads writes to the new primary, which does not take them yet.
    pub(in crate::plan) fn lead(&self) -> Step {
        let done = vec![self.done()];
        let (from, to) = (&self.from.name, &self.to.name);
        let title = format!("{to}: the command leads writes to it");
        let undo = send(&format!("writes are led to {from}"), hook::lead(self.endpoint, self.to, self.from));
        Step {
            title: Clean::line(&title),
            when: When::Always,
            at_once: true,
            action: Action::Write(Box::new(Write {
                node: to.clone(),
                request: hook::lead(self.endpoint, self.from, self.to),
                binds: Vec::new(),
                before: vec![self.before()],
                guards: Vec::new(),
                after: until(done.clone(), 1, limits::VERIFY_POLL_MS, limits::VERIFY_DEADLINE_MS),
                done,
                undo,
                rests: None,
                told_anew: false,
            })),
        }
    }

    /// Its own word, when the run begins: it is not asked while a plan is made.
    pub(in crate::plan) fn premise(&self, age_ms_max: u64) -> Premise {
        let check = if self.may_be_there { self.check(&[self.from, self.to]) } else { self.before() };
        Premise { check, seen: "asked when the run begins".into(), age_ms: 0, age_ms_max }
    }

    pub(in crate::plan) fn source(&self) -> Source {
        let requests = vec![hook::check(self.endpoint, self.from, self.to)];
        Source { node: self.to.name.clone(), probe: ProbeId::Hook, requests }
    }

    /// What it does, in sentences.
    pub(in crate::plan) fn effect(&self) -> Vec<String> {
        let (to, program) = (&self.to.name, self.program());
        let limit = seconds(self.endpoint.command_ms);
        vec![
            format!(
                "{program} on the bastion leads writes to {to}: asked with --check before anything changes, called once \
                 while nobody can write, at most {limit}, and killed then."
            ),
            format!(
                "If it fails, everything is undone, and it is called the other way round where it led writes to {to} \
                 nevertheless. If it has to be killed, where it leads writes then decides. If it does not say, the run needs you."
            ),
        ]
    }
}
