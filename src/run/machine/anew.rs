//! A process that starts anew in the middle of a run has forgotten what it was told: somebody reloads HAProxy. What it was
//! told is told again, from the first step that is gone, and what was waited for on its node since then is waited for again.
//!
//! It counts as forgotten only where the world shows another process, and everything as it was before the first of those
//! steps. Who takes something back by hand leaves the process as it is: that is somebody's will, and the run goes back. A
//! request whose answer was lost is told again only where the process that it was sent to is gone.

use super::{Act, Direction, Entry, Machine, Outcome, StepState};
use crate::{
    model::{ids::NodeName, text::Clean},
    plan::{
        Plan,
        expect::process_of,
        limits,
        parts::{Action, Need},
    },
    run::look::Tri,
};
use std::collections::{BTreeMap, BTreeSet};

/// The process that each step told, by its number on its node.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Listeners {
    of: BTreeMap<usize, u64>,
    /// How often something was told again.
    told_anew: u32,
}

impl Machine {
    /// Remembers which process runs where that step was told something, by the newest look.
    pub(super) fn note_listener(&mut self, step: usize) {
        if let Some(process) = self.listener(step) {
            self.listeners.of.insert(step, process);
        }
    }

    /// The same for every step, once everything that the run rests on was read.
    pub(super) fn note_listeners(&mut self) {
        for step in 0..self.steps.len() {
            self.note_listener(step);
        }
    }

    fn listener(&self, step: usize) -> Option<u64> {
        let write = self.write(step).filter(|write| write.told_anew)?;
        let check = write.done.first()?;
        process_of(self.readings.facts(&(check.node.clone(), check.probe)).ok()?)
    }

    /// Steps that told one thing one state after the other, the first one first.
    fn chains(&self, counts: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
        let mut chains: Vec<Vec<usize>> = Vec::new();
        for step in (0..self.steps.len()).filter(|step| counts(*step)) {
            let Some(write) = self.write(step).filter(|write| write.told_anew) else { continue };
            let leads_here = |chain: &&mut Vec<usize>| {
                let last = chain.last().and_then(|last| self.write(*last));
                last.is_some_and(|last| last.done == write.before)
            };
            match chains.iter_mut().find(leads_here) {
                Some(chain) => chain.push(step),
                None => chains.push(vec![step]),
            }
        }
        chains
    }

    /// Whether the world is as it was before the first of them, and not as it is after the last.
    fn is_as_before(&self, chain: &[usize]) -> bool {
        let (Some(head), Some(tail)) = (chain.first(), chain.last()) else { return false };
        let (Some(head), Some(tail)) = (self.write(*head), self.write(*tail)) else { return false };
        self.readings.judge(&head.before, Need::All).verdict == Tri::Holds
            && self.readings.judge(&tail.done, Need::All).verdict != Tri::Holds
    }

    /// The steps that another process was told, and that the one of now shows nothing of.
    fn forgotten(&self, open: Option<usize>) -> Vec<usize> {
        let chains = self.chains(|step| self.steps[step] == StepState::Done || Some(step) == open);
        let is_other = |step: &usize| self.is_other_process(*step);
        let gone = chains.into_iter().filter(|chain| chain.iter().any(is_other) && self.is_as_before(chain));
        let mut steps: Vec<usize> = gone.flatten().collect();
        steps.sort_unstable();
        steps
    }

    /// Whether another process runs there than the one that was told that step, or was read before anything was told.
    pub(super) fn is_other_process(&self, step: usize) -> bool {
        let (then, now) = (self.listeners.of.get(&step), self.listener(step));
        then.zip(now).is_some_and(|(then, now)| *then != now)
    }

    /// Begins again with what was forgotten, if anything was. `open` is a write that was sent and not seen yet.
    pub(super) fn tells_anew(&mut self, open: Option<&Act>) -> bool {
        if self.abort.is_some() || self.back.is_some() || self.listeners.told_anew >= limits::TOLD_ANEW_MAX {
            return false;
        }
        let steps = self.forgotten(open.map(|act| act.step));
        if steps.is_empty() || open.is_some_and(|act| !steps.contains(&act.step)) {
            return false;
        }
        self.listeners.told_anew += 1;
        let why = self.forgot_words(&steps);
        self.record(Entry::Forgotten { steps: steps.clone(), why: why.clone() });
        let note = Clean::line(&format!("{why}; it was told again."));
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
        self.looked_at.clear();
        self.begin_again(&steps);
        self.next_step();
        true
    }

    /// Those steps are still to be done, and what was waited for since is to be waited for.
    pub(super) fn begin_again(&mut self, steps: &[usize]) {
        for wait in waits_behind(&self.plan, steps) {
            if self.steps[wait] == StepState::Waited {
                (self.steps[wait], self.late[wait]) = (StepState::Pending, false);
            }
        }
        let first = steps.first().copied().unwrap_or(self.steps.len());
        for state in self.steps.iter_mut().skip(first).filter(|state| **state == StepState::Skipped) {
            *state = StepState::Pending;
        }
        for step in steps {
            self.steps[*step] = StepState::Pending;
            self.listeners.of.remove(step);
        }
    }

    /// What is said behind the reason of a failure where a process started anew and what it forgot is not told again.
    pub(super) fn words_if_reloaded(&self) -> String {
        let is_other = |step: &usize| self.is_other_process(*step);
        let steps: Vec<usize> = (0..self.steps.len()).filter(is_other).collect();
        if self.back.is_some() || steps.is_empty() {
            return String::new();
        }
        format!(" HAProxy on {} started anew meanwhile: see who reloads it, then plan again.", self.names(&steps).0)
    }

    /// The nodes of those steps in words, and whether it is one.
    fn names(&self, steps: &[usize]) -> (String, bool) {
        let writes = steps.iter().filter_map(|step| self.write(*step));
        let nodes: BTreeSet<&str> = writes.map(|write| write.node.as_str()).collect();
        let is_one = nodes.len() == 1;
        (nodes.into_iter().collect::<Vec<_>>().join(" and "), is_one)
    }

    fn forgot_words(&self, steps: &[usize]) -> Clean {
        let (names, is_one) = self.names(steps);
        let has = if is_one { "has" } else { "have" };
        Clean::line(&format!("HAProxy on {names} started anew and {has} forgotten what it was told"))
    }

    /// Whether nothing is left of that step, because everything that was told with it is as it was at the beginning: a
    /// process that started anew has undone all of it.
    pub(super) fn is_back_at_the_beginning(&self, step: usize) -> bool {
        let chains = self.chains(|other| other == step || self.steps[other] == StepState::Done);
        chains.iter().any(|chain| chain.contains(&step) && self.is_as_before(chain))
    }

    /// A write of which nothing stands because a process started anew behind it, as something else than it was before: what was
    /// done is undone, and an undo is sent to the new process.
    pub(super) fn was_replaced(&mut self, act: &Act, why: &Clean) {
        let reloaded = self.words_if_reloaded();
        let how = Clean::line(&format!("{why}; a process that started anew knows nothing of it"));
        match act.direction {
            Direction::Forward => {
                self.step_ended(act.step, act.direction, Outcome::Done, &how, act.began);
                self.steps[act.step] = StepState::Done;
                self.fail(&format!("Step {} does not stand: {how}.{reloaded}", act.step + 1));
            }
            Direction::Back if self.listeners.told_anew < limits::TOLD_ANEW_MAX => {
                self.listeners.told_anew += 1;
                self.step_ended(act.step, act.direction, Outcome::NotDone, &how, act.began);
                self.look_before(act.step, Direction::Back);
            }
            Direction::Back => {
                self.step_ended(act.step, act.direction, Outcome::NotDone, &how, act.began);
                self.needs_operator(&format!("The undo of step {} does not stand: {how}.", act.step + 1));
            }
        }
    }

    /// The last step of each chain that was told.
    pub(super) fn last_told(&self) -> Vec<usize> {
        let chains = self.chains(|step| was_told(self.steps[step]));
        chains.iter().filter_map(|chain| chain.last().copied()).collect()
    }

    /// After an interruption: what was told before a process started anew, as far as the world shows nothing of any of it.
    pub(super) fn forgotten_meanwhile(&self, step: usize) -> Vec<usize> {
        let chains = self.chains(|step| was_told(self.steps[step]));
        let chain = chains.into_iter().find(|chain| chain.contains(&step));
        chain.filter(|chain| self.is_as_before(chain)).unwrap_or_default()
    }
}

/// Whether it was, as far as the journal knows.
fn was_told(state: StepState) -> bool {
    matches!(state, StepState::Done | StepState::InDoubt(_))
}

/// The waits behind the first of those steps that look at a node of theirs, but for those whose end stays: what was
/// waited for there has to be seen once more.
pub(in crate::run) fn waits_behind(plan: &Plan, steps: &[usize]) -> Vec<usize> {
    let all = &plan.body.steps;
    let nodes: BTreeSet<&NodeName> =
        steps.iter().filter_map(|step| all.get(*step)?.write()).map(|write| &write.node).collect();
    let first = steps.first().copied().unwrap_or(all.len());
    let is_meant = |index: &usize| match &all[*index].action {
        Action::Wait(wait) => !wait.keeps && !wait.is_hold() && !nodes.is_disjoint(&all[*index].nodes()),
        Action::Write(_) => false,
    };
    (first..all.len()).filter(is_meant).collect()
}
