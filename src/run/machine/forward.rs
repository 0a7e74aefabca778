//! Towards the goal: premises, then one step after another.

use super::{Act, Entry, Machine, Outcome, Phase, Poll, Stage, StepState, look_words};
use crate::{
    model::text::Clean,
    plan::parts::{Action, Need, OnLate, When},
    run::{
        ending::EndingKind,
        look::{Judgement, Tri, sources_of},
        record::Direction,
    },
};

impl Machine {
    pub(super) fn saw_premises(&mut self, poll: Poll) {
        let checks: Vec<_> = self.plan.body.premises.iter().map(|premise| premise.check.clone()).collect();
        let judged = self.readings.judge(&checks, Need::All);
        match judged.verdict {
            Tri::Holds => {
                self.premises_at = Some(self.now.mono);
                self.note_listeners();
                self.record(Entry::PremisesHeld { seen: judged.seen });
                self.next_step();
            }
            Tri::Unknown if !self.is_late(&poll) => {
                let poll = self.pause(poll);
                self.phase = Phase::Premises(poll);
            }
            Tri::Fails => self.fail(&format!("The world changed since the plan was made: {}.", judged.trouble)),
            Tri::Unknown => self.fail(&format!("A premise cannot be read: {}.", judged.trouble)),
        }
    }

    /// Goes on with the first step that is left.
    pub(super) fn next_step(&mut self) {
        if let Some(why) = self.why_abort() {
            return self.fail(&why);
        }
        let next = (0..self.steps.len()).find(|index| {
            self.steps[*index] == StepState::Pending
                && match self.plan.body.steps[*index].when {
                    When::Always => true,
                    When::Late(decider) => self.late[decider],
                }
        });
        let Some(step) = next else {
            let why = format!("{}.", self.plan.body.goal);
            return self.finish(EndingKind::Reached, &why);
        };
        for earlier in &mut self.steps[..step] {
            if *earlier == StepState::Pending {
                *earlier = StepState::Skipped;
            }
        }
        match &self.plan.body.steps[step].action {
            Action::Write(_) => self.look_before(step, Direction::Forward),
            Action::Wait(wait) if wait.is_hold() => self.begin_hold(step),
            Action::Wait(wait) => {
                let sources = sources_of(wait.until.checks.iter().chain(&wait.guards));
                let (poll_ms, deadline_ms) = (wait.until.poll_ms, wait.until.deadline_ms);
                let poll = self.look(sources, poll_ms, deadline_ms);
                self.phase = Phase::Wait { step, poll };
            }
        }
    }

    /// The look before a write: has it been done, may it be done?
    pub(super) fn saw_before(&mut self, mut act: Act, poll: Poll) {
        let step = act.step;
        let Some(write) = self.write(step) else { return self.give_up("A step is no write.") };
        let done = self.readings.judge(&write.done, Need::All);
        let before = self.readings.judge(&write.before, Need::All);
        let guards = self.readings.judge(&write.guards, Need::All);
        if done.verdict == Tri::Holds && before.verdict != Tri::Holds {
            self.record(Entry::StepFound { step, direction: Direction::Forward, seen: done.seen });
            self.steps[step] = StepState::Found;
            return self.next_step();
        }
        let rest = self.judge_rest(&mut act);
        let moved = [&before, &guards, &rest].into_iter().find(|judged| judged.verdict == Tri::Fails);
        if let Some(Judgement { trouble, .. }) = moved {
            if self.tells_anew(None) {
                return;
            }
            let reloaded = self.words_if_reloaded();
            let why = format!("The world changed before step {}: {trouble}.{reloaded}", step + 1);
            return self.refrain(&act, &why);
        }
        let bound = self.bind(step);
        if [&before, &guards, &rest].into_iter().all(|judged| judged.verdict == Tri::Holds) && bound.is_ok() {
            // A slow answer aged them; nothing is written down or sent yet, so looking once more costs nothing.
            if self.too_old().is_some() && self.premises_left > 0 {
                self.premises_left -= 1;
                return self.look_at_premises();
            }
            let seen = [before.seen, guards.seen, rest.seen].concat();
            return self.announce(act, seen);
        }
        if self.is_late(&poll) {
            let unknown = bound.err().unwrap_or_else(|| look_words(&[before, guards, rest]));
            let why = format!("Before step {}, the world cannot be read: {unknown}.", step + 1);
            return self.refrain(&act, &why);
        }
        act.stage = Stage::Look(self.pause(poll));
        self.phase = Phase::Act(act);
    }

    /// Fills the holes that this step binds.
    fn bind(&mut self, step: usize) -> Result<(), Clean> {
        let Some(write) = self.plan.body.steps.get(step).and_then(crate::plan::parts::Step::write) else {
            return Ok(());
        };
        for bind in &write.binds {
            let facts = self.readings.facts(&(bind.from.node.clone(), bind.from.probe))?;
            let value = bind.from.figure(facts).ok_or_else(|| Clean::line(&format!("{} is unknown", bind.name)))?;
            if !self.bindings.bind(bind, &value) {
                return Err(Clean::line(&format!("{} cannot be {value:?}", bind.name)));
            }
        }
        Ok(())
    }

    /// A step that is not sent: everything before it is undone.
    pub(super) fn refrain(&mut self, act: &Act, why: &str) {
        let how = Clean::line(why);
        let mut act = act.clone();
        self.break_off(&mut act, why);
        self.step_ended(act.step, act.direction, Outcome::NotDone, &how, act.began);
        self.steps[act.step] = StepState::NotDone;
        self.fail(why);
    }

    pub(super) fn saw_wait(&mut self, step: usize, mut poll: Poll) {
        let Action::Wait(wait) = self.plan.body.steps[step].action.clone() else {
            return self.give_up("A step is no wait.");
        };
        let guards = self.readings.judge(&wait.guards, Need::All);
        let judged = self.readings.judge(&wait.until.checks, wait.until.need);
        let is_as_wanted = judged.verdict == Tri::Holds && guards.verdict == Tri::Holds;
        // While a word is awaited the locks are lent: what is forgotten then goes back.
        if !is_as_wanted && !wait.is_hold() && self.tells_anew(None) {
            return;
        }
        if guards.verdict == Tri::Fails {
            let reloaded = self.words_if_reloaded();
            return self.fail(&format!("While waiting in step {}: {}.{reloaded}", step + 1, guards.trouble));
        }
        let holds = is_as_wanted && !wait.is_hold();
        poll.held = if holds { poll.held + 1 } else { 0 };
        if poll.held >= wait.until.holds {
            self.looked_at.clear();
            self.steps[step] = StepState::Waited;
            if let OnLate::Tell { held, .. } = &wait.on_late {
                self.notes.push(Clean::line(&format!("{held}.")));
            }
            self.record(Entry::WaitEnded { step, late: false, seen: judged.seen });
            return self.next_step();
        }
        if !self.is_late(&poll) {
            let poll = self.pause(poll);
            self.phase = Phase::Wait { step, poll };
            self.looked_at = judged.seen;
            return;
        }
        self.looked_at.clear();
        if wait.is_hold() {
            return self.hold_is_late(step, judged.seen);
        }
        self.late[step] = true;
        self.record(Entry::WaitEnded { step, late: true, seen: [judged.seen.clone(), guards.seen.clone()].concat() });
        self.steps[step] = StepState::Waited;
        if guards.verdict == Tri::Unknown {
            return self.fail(&format!(
                "At the end of step {}, the world cannot be read: {}.",
                step + 1,
                guards.trouble
            ));
        }
        match wait.on_late {
            OnLate::Fail => {
                let reloaded = self.words_if_reloaded();
                self.fail(&format!("Step {} ran out of time: {}.{reloaded}", step + 1, judged.trouble));
            }
            OnLate::Rest(words) => self.finish(EndingKind::Stopped, &format!("{words}.")),
            OnLate::Tell { late, .. } => {
                let seen: Vec<&str> = judged.seen.iter().map(Clean::as_str).collect();
                self.notes.push(Clean::line(&format!("{late}: {}.", seen.join("; "))));
                self.next_step();
            }
            OnLate::GoOn(words) => {
                self.notes.push(Clean::line(&format!("{words}.")));
                self.next_step();
            }
        }
    }
}
