//! What leads writes to the primary besides HAProxy, or in its place: a virtual address (`plan::vip::writes`), a command
//! (`hook`), both, or nothing.

use super::{Reason, Scene, hook::Hook};
use crate::{
    model::inventory::Node,
    plan::{
        expect::Check,
        parts::{Premise, Source, Step, Write},
        vip::{Passage, PrimaryChange},
    },
};
use std::net::IpAddr;

/// Everything but the load balancers.
#[derive(Default)]
pub(in crate::plan) struct Besides<'a> {
    passage: Option<Passage>,
    hook: Option<Hook<'a>>,
}

impl<'a> Besides<'a> {
    /// For a primary that serves.
    pub(in crate::plan) fn of_switchover(
        scene: &Scene<'a>,
        from: &'a Node,
        to: &'a Node,
        reasons: &mut Vec<Reason>,
    ) -> Self {
        let change = PrimaryChange { from: &from.name, to: &to.name, serves: true, is_absent: false };
        Self { passage: Passage::of(scene, &change, reasons), hook: Hook::of(scene, from, to, false) }
    }

    /// For one that does not; `is_absent` where its machine does not answer either.
    pub(in crate::plan) fn of_failover(
        scene: &Scene<'a>,
        from: &'a Node,
        to: &'a Node,
        is_absent: bool,
        reasons: &mut Vec<Reason>,
    ) -> Self {
        let change = PrimaryChange { from: &from.name, to: &to.name, serves: false, is_absent };
        Self { passage: Passage::of(scene, &change, reasons), hook: Hook::of(scene, from, to, true) }
    }

    /// What leads writes to the new primary, before that takes them. Each is sent at once, behind a write.
    pub(in crate::plan) fn before(&self) -> Vec<Step> {
        let of_address = self.passage.iter().flat_map(|passage| passage.before.iter().cloned());
        of_address.chain(self.hook.as_ref().map(Hook::lead)).collect()
    }

    /// Whether it is looked at before anybody writes: nobody knows a command well enough to believe its exit status.
    pub(in crate::plan) fn needs_look(&self) -> bool {
        self.hook.is_some()
    }

    /// What follows once it does.
    pub(in crate::plan) fn after(&self) -> Vec<Step> {
        self.passage.iter().flat_map(|passage| passage.after.iter().cloned()).collect()
    }

    /// What `before` rests on: read where nobody waits, so that the switch that follows within moments goes by it.
    pub(in crate::plan) fn looks(&self) -> Vec<Check> {
        let steps = self.before();
        let looks = |write: &Write| [&write.before[..], &write.guards[..]].concat();
        let mut checks: Vec<Check> = Vec::new();
        for check in steps.iter().filter_map(Step::write).flat_map(looks) {
            if !checks.contains(&check) {
                checks.push(check);
            }
        }
        checks
    }

    /// The same, of the address alone: a command takes longer than one look may.
    pub(in crate::plan) fn quick_looks(&self) -> Vec<Check> {
        let hook = self.hook.as_ref().map(Hook::before);
        self.looks().into_iter().filter(|check| Some(check) != hook.as_ref()).collect()
    }

    pub(in crate::plan) fn premises(&self, age_ms_max: u64) -> Vec<Premise> {
        let of_address = self.passage.iter().flat_map(|passage| passage.premises.iter().cloned());
        of_address.chain(self.hook.as_ref().map(|hook| hook.premise(age_ms_max))).collect()
    }

    pub(in crate::plan) fn sources(&self) -> Vec<Source> {
        let of_address = self.passage.iter().flat_map(|passage| passage.sources.iter().cloned());
        of_address.chain(self.hook.as_ref().map(Hook::source)).collect()
    }

    /// Everything leads to the new primary.
    pub(in crate::plan) fn proof(&self) -> Vec<Check> {
        let of_address = self.passage.iter().flat_map(|passage| passage.proof.iter().cloned());
        of_address.chain(self.hook.as_ref().map(Hook::done)).collect()
    }

    /// In sentences.
    pub(in crate::plan) fn effect(&self) -> Vec<String> {
        let of_address = self.passage.iter().flat_map(|passage| passage.effect.iter().cloned());
        of_address.chain(self.hook.iter().flat_map(Hook::effect)).collect()
    }

    /// What is to be added to "some milliseconds".
    pub(in crate::plan) fn time_words(&self) -> &'static str {
        if self.hook.is_some() { " and what the command needs" } else { "" }
    }

    pub(in crate::plan) fn address(&self) -> Option<IpAddr> {
        self.passage.as_ref().map(|passage| passage.address)
    }

    /// Age of the oldest fact.
    pub(in crate::plan) fn age_ms(&self) -> Option<u64> {
        self.passage.as_ref().map(|passage| passage.age_ms)
    }
}
