//! Taking up a run whose process died: the journal says what was begun, the world says what is done.
//!
//! Of each thing on a node (what one probe tells about) only the last step that was begun can be in doubt: a later one was announced only after an earlier one
//! had been verified. That one is judged by the world; those before it are as the journal says. Of several that were
//! announced in one breath all are in doubt; behind one that was not done only what the world shows was.

use super::{Direction, Entry, Machine, Opened, Operator, Outcome, Poll, StepState};
use crate::{
    model::text::Clean,
    plan::parts::{Action, Need, Undo},
    run::{
        ending::Ending,
        look::Tri,
        record::{BrokeGlass, Record, Recovery},
    },
};

/// Why a journal cannot be taken up again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRecoverable {
    /// Nothing was written, so nothing was sent.
    #[error("the journal is empty: nothing was sent")]
    Empty,
    /// The first record is no opening, or the plan in it is not what its name says.
    #[error("the journal does not begin with a plan")]
    NoPlan,
    /// The run is over.
    #[error("the run has ended: {}", .0.kind)]
    Ended(Box<Ending>),
    /// An operator declared it settled.
    #[error("{by} declared the run settled: {why}")]
    Resolved {
        /// Who.
        by: Clean,
        /// Why.
        why: Clean,
    },
    /// A record names a step that the plan does not have.
    #[error("record {0} does not fit the plan")]
    Foreign(u64),
}

/// How a run is taken up again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Again {
    choice: Recovery,
    operator: Operator,
    pub(super) broke_glass: Option<BrokeGlass>,
}

impl Again {
    pub(super) fn entry(&self) -> Entry {
        Entry::Recovered { choice: self.choice, operator: self.operator.clone(), broke_glass: self.broke_glass.clone() }
    }
}

impl Machine {
    /// Takes up a run from the records of its journal. The next event is `Started`; the world is read before anything
    /// else. A run that was interrupted while being undone goes on being undone, whatever is chosen. An ending that needs
    /// an operator may be taken up again, in either direction: that is what it asks for.
    pub fn recover(records: &[Record], choice: Recovery, operator: Operator) -> Result<Self, NotRecoverable> {
        let first = records.first().ok_or(NotRecoverable::Empty)?;
        let Entry::Opened(opening) = &first.entry else { return Err(NotRecoverable::NoPlan) };
        if !opening.plan.is_intact() {
            return Err(NotRecoverable::NoPlan);
        }
        if let Some(Record { entry: Entry::Ended(ending), .. }) = records.last()
            && ending.kind != super::EndingKind::NeedsOperator
        {
            return Err(NotRecoverable::Ended(ending.clone()));
        }
        if let Some(Record { entry: Entry::Resolved { operator, why }, .. }) = records.last() {
            return Err(NotRecoverable::Resolved { by: operator.login.clone(), why: why.clone() });
        }
        let again = Again { choice, operator, broke_glass: None };
        let mut machine = Self::with(opening.plan.clone(), Opened::Again(again), records.len() as u64);
        for record in records {
            machine.remember(record)?;
        }
        Ok(machine)
    }

    fn remember(&mut self, record: &Record) -> Result<(), NotRecoverable> {
        let count = self.steps.len();
        if matches!(record.entry, Entry::StepBegun { .. } | Entry::StepEnded { .. } | Entry::StepFound { .. }) {
            self.held.last_step_at = Some(record.at.wall);
        }
        let known = |step: usize| if step < count { Ok(step) } else { Err(NotRecoverable::Foreign(record.seq)) };
        match &record.entry {
            Entry::StepBegun { step, direction, bindings, .. } => {
                self.sent = true;
                self.bindings = bindings.clone();
                self.steps[known(*step)?] = StepState::InDoubt(*direction);
            }
            Entry::StepEnded { step, direction, outcome, .. } => {
                let step = known(*step)?;
                self.steps[step] = match (direction, outcome) {
                    (Direction::Forward, Outcome::Done) | (Direction::Back, Outcome::NotDone) => StepState::Done,
                    (Direction::Forward, Outcome::NotDone) => StepState::NotDone,
                    (Direction::Back, Outcome::Done) => StepState::Undone,
                    (direction, Outcome::Unknown) => StepState::InDoubt(*direction),
                };
            }
            Entry::StepFound { step, direction, .. } => {
                let step = known(*step)?;
                self.steps[step] = match direction {
                    Direction::Forward => StepState::Found,
                    Direction::Back => StepState::Undone,
                };
            }
            Entry::WaitEnded { step, late, .. } => {
                let step = known(*step)?;
                (self.steps[step], self.late[step]) = (StepState::Waited, *late);
            }
            Entry::Forgotten { steps, .. } => {
                for step in steps {
                    known(*step)?;
                }
                self.begin_again(steps);
            }
            Entry::Holding { step, until } => {
                known(*step)?;
                self.held.until = Some(*until);
            }
            Entry::Kept { step, .. } => {
                self.steps[known(*step)?] = StepState::Waited;
                self.held.is_kept = true;
            }
            Entry::Unwinding { why } => self.back = Some(why.clone()),
            Entry::Opened(_)
            | Entry::PremisesHeld { .. }
            | Entry::AbortAsked
            | Entry::LockLost { .. }
            | Entry::Recovered { .. }
            | Entry::Resolved { .. } => {}
            // Who comes back to an ended run chooses anew.
            Entry::Ended(ending) => {
                self.notes.clone_from(&ending.notes);
                self.back = None;
            }
        }
        Ok(())
    }

    /// The world after a crash: judge what is in doubt, then go on or back.
    pub(super) fn saw_after_crash(&mut self, poll: Poll) {
        let mut unclear = Vec::new();
        let mut judged = self.steps.clone();
        let mut questions = self.in_question();
        questions.sort_unstable();
        // A breath that broke off at this step.
        let mut broken_at: Option<usize> = None;
        for step in questions {
            let Some(write) = self.write(step) else { continue };
            let is_behind = broken_at.is_some_and(|at| self.is_one_breath(at, step));
            let done = self.readings.judge(&write.done, Need::All);
            let before = self.readings.judge(&write.before, Need::All);
            let forgotten = if done.verdict == Tri::Holds { Vec::new() } else { self.forgotten_meanwhile(step) };
            // What leaves no state behind looks done wherever there was nothing to do.
            let leaves_none = matches!(write.undo, Undo::Irreversible { is_whole: false, .. });
            judged[step] = match (done.verdict, before.verdict, self.steps[step]) {
                (.., StepState::InDoubt(Direction::Forward)) if is_behind && leaves_none => StepState::Pending,
                (Tri::Holds, ..) => StepState::Done,
                // Whoever was asked may still do it.
                (.., StepState::InDoubt(Direction::Forward)) if write.rests.is_some() => {
                    unclear.push(format!("step {}: {}", step + 1, super::look_words(&[done])));
                    StepState::Unknown
                }
                (_, Tri::Holds, StepState::InDoubt(Direction::Back)) => StepState::Undone,
                // Never took effect, or was forgotten since (a reload).
                (_, Tri::Holds, _) => StepState::Pending,
                (_, _, StepState::InDoubt(Direction::Forward)) if is_behind => StepState::Pending,
                (_, _, StepState::InDoubt(Direction::Back)) if !forgotten.is_empty() => StepState::Undone,
                _ if !forgotten.is_empty() => {
                    for earlier in &forgotten {
                        judged[*earlier] = StepState::Pending;
                    }
                    StepState::Pending
                }
                _ => {
                    unclear.push(format!("step {}: {}", step + 1, super::look_words(&[done, before])));
                    StepState::Unknown
                }
            };
            if judged[step] == StepState::Pending && self.steps[step] == StepState::InDoubt(Direction::Forward) {
                broken_at = broken_at.filter(|at| self.is_one_breath(*at, step)).or(Some(step));
            }
        }
        self.keep_what_has_served(&mut judged);
        if unclear.is_empty() {
            self.write_judgement(&judged);
            self.steps = judged;
            self.note_listeners();
            return self.take_up();
        }
        if self.is_late(&poll) {
            self.steps = judged;
            let why = format!("What was done before the interruption is unclear: {}.", unclear.join("; "));
            return self.needs_operator(&why);
        }
        let poll = self.pause(poll);
        self.phase = super::Phase::Recovering(poll);
    }

    /// What was done before a step that cannot be undone, and is gone since, has served its end: a session that held
    /// something until then. It is not done again.
    fn keep_what_has_served(&self, judged: &mut [StepState]) {
        let is_return = |index: &usize| {
            let write = self.write(*index);
            judged[*index] == StepState::Done
                && write.is_some_and(|write| matches!(write.undo, Undo::Irreversible { is_whole: true, .. }))
        };
        let Some(beyond) = (0..judged.len()).find(is_return) else { return };
        for (now, was) in judged.iter_mut().zip(&self.steps).take(beyond) {
            if (*now, *was) == (StepState::Pending, StepState::Done) {
                *now = StepState::Done;
            }
        }
    }

    /// Whether every step behind `first` up to `last` is sent at once.
    fn is_one_breath(&self, first: usize, last: usize) -> bool {
        first < last && self.plan.body.steps[first + 1..=last].iter().all(|step| step.at_once)
    }

    /// What the world says goes into the journal: the next crash must not find the same doubt again.
    fn write_judgement(&mut self, judged: &[StepState]) {
        for (step, now) in judged.iter().enumerate() {
            let was = self.steps[step];
            let doubted = if let StepState::InDoubt(direction) = was { direction } else { Direction::Forward };
            let (outcome, how) = match (doubted, now) {
                _ if was == *now => continue,
                (Direction::Forward, StepState::Pending) if self.went_back(step).is_some() => {
                    (Outcome::NotDone, "after the interruption, the node has taken it back by itself")
                }
                (Direction::Forward, StepState::Done) => {
                    (Outcome::Done, "after the interruption, the world shows its effect")
                }
                (Direction::Forward, _) => {
                    (Outcome::NotDone, "after the interruption, the world shows no effect of it")
                }
                (Direction::Back, StepState::Undone) => {
                    (Outcome::Done, "after the interruption, the world shows it undone")
                }
                (Direction::Back, _) => (Outcome::NotDone, "after the interruption, the world still shows its effect"),
            };
            let began = self.now.mono;
            self.step_ended(step, doubted, outcome, &how.into(), began);
        }
    }

    /// The steps that only the world can tell about: of each thing on a node that a probe tells about the last one that
    /// changed its state, the last one that told each thing what a process may forget, and every one that was interrupted.
    fn in_question(&self) -> Vec<usize> {
        let mut known = std::collections::BTreeSet::new();
        let mut steps = Vec::new();
        for (index, step) in self.plan.body.steps.iter().enumerate().rev() {
            let Some(write) = step.write() else { continue };
            let in_doubt = matches!(self.steps[index], StepState::InDoubt(_));
            // A step without undo leaves no state behind (closed sessions); what the journal says of it stands.
            let is_state = !step.is_irreversible();
            // Several things may stand on one node: a server of databases, and keepalived.
            let place = (&write.node, write.done.first().map(|check| check.probe));
            if in_doubt || (is_state && self.steps[index] == StepState::Done && !known.contains(&place)) {
                steps.push(index);
                if is_state {
                    known.insert(place);
                }
            }
        }
        let last_told: Vec<usize> = self.last_told().into_iter().filter(|step| !steps.contains(step)).collect();
        steps.extend(last_told);
        steps
    }

    fn take_up(&mut self) {
        let Opened::Again(again) = &self.opening else { return self.give_up("It was not interrupted.") };
        let choice = again.choice;
        if let Some(why) = self.back.clone() {
            return self.fail(why.as_str());
        }
        if choice == Recovery::RollBack {
            return self.fail("The operator chose to roll it back.");
        }
        if let Some(why) = self.why_abort() {
            return self.fail(&why);
        }
        if let Some(why) = self.hold_is_over() {
            return self.fail(why);
        }
        let nothing_begun = !self.sent;
        self.reset_for_resume();
        if nothing_begun { self.look_at_premises() } else { self.next_step() }
    }

    /// Steps that are to be done (again), and the waits that follow them.
    fn reset_for_resume(&mut self) {
        for state in &mut self.steps {
            if matches!(state, StepState::NotDone | StepState::Undone | StepState::Skipped) {
                *state = StepState::Pending;
            }
        }
        let is_write = |index: &usize| matches!(self.plan.body.steps[*index].action, Action::Write(_));
        let count = self.steps.len();
        let first_open = (0..count)
            .filter(is_write)
            .find(|index| self.steps[*index] == StepState::Pending && self.is_always(*index));
        let last_done = (0..count).filter(is_write).rfind(|index| self.steps[*index] == StepState::Done);
        let from = first_open.or(last_done).unwrap_or(0);
        for index in from..count {
            let is_kept = self.held.is_kept && self.plan.body.steps[index].hold().is_some();
            if self.steps[index] == StepState::Waited && !is_kept {
                (self.steps[index], self.late[index]) = (StepState::Pending, false);
            }
        }
    }

    fn is_always(&self, index: usize) -> bool {
        self.plan.body.steps[index].when == crate::plan::parts::When::Always
    }
}
