//! Several writes in one breath: announced together, each sent as soon as the one before was answered as it must be, seen
//! together at the end.
//!
//! A breath that breaks off is ordinary from there on: what was answered is done, what was not sent is not done, and the
//! one at which it broke is settled by the world.

use super::{Act, Direction, Machine, Outcome, StepState};
use crate::{
    model::text::Clean,
    plan::{expect::Check, parts::Need},
    run::{
        event::RunCommand,
        look::{Judgement, Tri},
        record::Entry,
    },
    wire::request::Request,
};
use std::collections::VecDeque;

/// What belongs to a write besides itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Breath {
    /// Those that were answered as they must be, not yet seen.
    pub(super) answered: Vec<usize>,
    /// Those that follow; with their requests once they are announced.
    pub(super) rest: VecDeque<(usize, Option<Request>)>,
}

impl Machine {
    /// The writes that follow that one at once and are still to be done.
    pub(super) fn breath_of(&self, step: usize) -> Breath {
        let after = self.plan.body.steps.iter().enumerate().skip(step + 1);
        let after = after.take_while(|(_, step)| step.at_once).map(|(index, _)| index);
        let rest = after.filter(|index| self.steps[*index] == StepState::Pending).map(|index| (index, None)).collect();
        Breath { answered: Vec::new(), rest }
    }

    /// Every step of it, in order.
    fn members(act: &Act) -> Vec<usize> {
        let rest = act.breath.rest.iter().map(|(step, _)| *step);
        act.breath.answered.iter().copied().chain([act.step]).chain(rest).collect()
    }

    /// Everything that a look before the first of them must read.
    pub(super) fn checks_before(&self, act_step: usize, breath: &Breath) -> Vec<Check> {
        let steps = [act_step].into_iter().chain(breath.rest.iter().map(|(step, _)| *step));
        let writes = steps.filter_map(|step| self.write(step));
        let checks = writes.flat_map(|write| {
            let binds = write.binds.iter().map(|bind| &bind.from);
            write.before.iter().chain(&write.done).chain(&write.guards).chain(binds)
        });
        checks.cloned().collect()
    }

    /// What is to be seen once all were answered.
    pub(super) fn checks_after(&self, act: &Act) -> Vec<Check> {
        let writes = Self::members(act).into_iter().filter_map(|step| self.write(step));
        writes.flat_map(|write| write.after.checks.clone()).collect()
    }

    /// How long that may take, and how often it is looked at.
    pub(super) fn times_after(&self, act: &Act) -> (u64, u64) {
        let writes = || Self::members(act).into_iter().filter_map(|step| self.write(step));
        let poll_ms = writes().map(|write| write.after.poll_ms).min().unwrap_or(1);
        (poll_ms, writes().map(|write| write.after.deadline_ms).max().unwrap_or(0))
    }

    /// Whether those that follow may be sent, too. What an earlier one of the breath brings about needs not hold yet.
    pub(super) fn judge_rest(&mut self, act: &mut Act) -> Judgement {
        let mut brought: Vec<Check> = self.write(act.step).map(|write| write.done.clone()).unwrap_or_default();
        let mut wanted = Vec::new();
        let mut found = Vec::new();
        for (step, _) in &act.breath.rest {
            let Some(write) = self.write(*step) else { continue };
            let before: Vec<Check> = write.before.iter().filter(|check| !brought.contains(check)).cloned().collect();
            let is_done = self.readings.judge(&write.done, Need::All).verdict == Tri::Holds;
            if is_done && self.readings.judge(&before, Need::All).verdict == Tri::Fails {
                found.push(*step);
                continue;
            }
            wanted.extend(before);
            wanted.extend(write.guards.iter().cloned());
            brought.extend(write.done.iter().cloned());
        }
        let judged = self.readings.judge(&wanted, Need::All);
        if judged.verdict == Tri::Holds {
            for step in found {
                let seen = self.write(step).map(|write| self.readings.judge(&write.done, Need::All).seen);
                self.record(Entry::StepFound { step, direction: Direction::Forward, seen: seen.unwrap_or_default() });
                self.steps[step] = StepState::Found;
                act.breath.rest.retain(|(member, _)| *member != step);
            }
        }
        judged
    }

    /// Writes down what will be sent after the first; `None` when a request lacks a value. The number of the last record.
    pub(super) fn announce_rest(&mut self, act: &mut Act) -> Result<Option<u64>, Clean> {
        let mut last = None;
        for place in 0..act.breath.rest.len() {
            let step = act.breath.rest[place].0;
            let Some(write) = self.write(step) else { continue };
            let (node, request) = (write.node.clone(), self.bindings.fill(&write.request)?);
            last = Some(self.record(Entry::StepBegun {
                step,
                direction: Direction::Forward,
                node,
                request: request.clone(),
                bindings: self.bindings.clone(),
                seen: Vec::new(),
            }));
            act.breath.rest[place].1 = Some(request);
        }
        Ok(last)
    }

    /// The one that is out was answered as it must be: sends the next. `false` when there is none.
    pub(super) fn send_next(&mut self, act: &mut Act) -> bool {
        let Some((step, request)) = act.breath.rest.pop_front() else { return false };
        let (Some(request), Some(node)) = (request, self.write(step).map(|write| write.node.clone())) else {
            return false;
        };
        act.breath.answered.push(act.step);
        act.step = step;
        let (ticket, until) = self.out(node, request);
        act.stage = super::Stage::Sent { ticket, until };
        true
    }

    /// Sends a request that is announced.
    pub(super) fn out(&mut self, node: crate::model::ids::NodeName, request: Request) -> (u64, super::Mono) {
        let ticket = self.ticket();
        let until = self.now.mono.plus_ms(request.deadline_ms + super::GRACE_MS);
        self.sent = true;
        self.readings.touched(&node);
        self.out.push(RunCommand::Send { ticket, node, request });
        self.wait_until(until);
        (ticket, until)
    }

    /// Ends the breath at the step that it has come to: what was answered is done, what follows is not sent.
    pub(super) fn break_off(&mut self, act: &mut Act, why: &str) {
        let breath = std::mem::take(&mut act.breath);
        self.record_answered(&breath, act.began);
        let how = Clean::line(&format!("not sent: {why}"));
        for (step, request) in breath.rest {
            if request.is_some() {
                self.step_ended(step, Direction::Forward, Outcome::NotDone, &how, act.began);
                self.steps[step] = StepState::NotDone;
            }
        }
    }

    /// All were answered, and all is seen.
    pub(super) fn breath_is_seen(&mut self, act: &mut Act) {
        let breath = std::mem::take(&mut act.breath);
        self.record_answered(&breath, act.began);
    }

    fn record_answered(&mut self, breath: &Breath, began: super::Mono) {
        for step in &breath.answered {
            let how = "answered as it must be".into();
            self.step_ended(*step, Direction::Forward, Outcome::Done, &how, began);
            self.steps[*step] = StepState::Done;
        }
    }
}
