//! The way back to a primary whose address was cut off: on every node where that is so it is opened again.

use super::cut::CutExpect;
use crate::{
    model::{figure::Figure, ids::NodeName, inventory::Node, text::Clean},
    plan::{
        expect::{Check, Expect},
        limits,
        parts::{Action, Premise, Source, Step, When, Write},
        scene::{Scene, sight},
        switchover::steps::{send, until},
    },
    wire::{
        cut,
        probe::{Facts, ProbeId},
    },
};
use std::net::{IpAddr, Ipv4Addr};

/// A node that has cut the address off.
pub(in crate::plan) struct Closed<'a> {
    node: &'a Node,
    address: Ipv4Addr,
    mark: u32,
    facts: Facts,
    age_ms: u64,
}

/// Everybody who has cut that node's address off, and who cannot be asked.
pub(in crate::plan) fn survey<'a>(
    scene: &Scene<'a>,
    of: &Node,
    stale_after_ms: u64,
) -> (Vec<Closed<'a>>, Vec<(NodeName, Clean)>) {
    let (mut closed, mut unread) = (Vec::new(), Vec::new());
    let Some(IpAddr::V4(address)) = of.private else { return (closed, unread) };
    let asked = |node: &&Node| node.name != of.name && ProbeId::Cut.applies_to(node);
    for node in scene.inventory.nodes.iter().filter(asked) {
        let Some(facts) = scene.world.node(&node.name) else { continue };
        match sight(&facts.cut, &node.name, scene.now, stale_after_ms) {
            Err(why) => unread.push((node.name.clone(), why)),
            Ok((sample, age_ms)) => {
                if let Figure::Known(Some(route)) = sample.route(address)
                    && route.is_ours()
                {
                    let facts = Facts::Cut(Box::new(sample.clone()));
                    closed.push(Closed { node, address, mark: route.mark, facts, age_ms });
                }
            }
        }
    }
    (closed, unread)
}

impl Closed<'_> {
    pub(in crate::plan) fn name(&self) -> &NodeName {
        &self.node.name
    }

    pub(in crate::plan) fn check(&self, is: CutExpect) -> Check {
        Check { node: self.node.name.clone(), probe: ProbeId::Cut, expect: Expect::Cut(is) }
    }

    fn is_marked(&self) -> CutExpect {
        CutExpect::Marked(self.address, self.mark)
    }

    /// That the way is open.
    pub(in crate::plan) fn is_open(&self) -> Check {
        self.check(CutExpect::Open(self.address))
    }

    pub(in crate::plan) fn premise(&self, age_ms_max: u64) -> Premise {
        let seen = self.is_marked().judge(&self.facts).seen().clone();
        Premise { check: self.check(self.is_marked()), seen, age_ms: self.age_ms, age_ms_max }
    }

    pub(in crate::plan) fn source(&self, deadline_ms: u64) -> Source {
        let requests = cut::requests_of_plan(self.address, deadline_ms);
        Source { node: self.node.name.clone(), probe: ProbeId::Cut, requests }
    }

    /// The way is open again, as long as `guards` hold.
    pub(in crate::plan) fn reopen(&self, to: &NodeName, guards: Vec<Check>) -> Step {
        let done = vec![self.is_open()];
        Step {
            title: Clean::line(&format!("{}: the way to {to} ({}) is open again", self.node.name, self.address)),
            when: When::Always,
            at_once: false,
            action: Action::Write(Box::new(Write {
                node: self.node.name.clone(),
                request: cut::open(self.address, self.mark),
                rests: None,
                told_anew: false,
                binds: Vec::new(),
                before: vec![self.check(self.is_marked())],
                guards,
                done: done.clone(),
                after: until(done, 1, limits::VERIFY_POLL_MS, limits::VERIFY_DEADLINE_MS),
                undo: send("cut off again", cut::cut(self.address, self.mark)),
            })),
        }
    }
}
