//! The step that waits for an operator's word: what was done goes back without it.
//!
//! Its end is a moment of the bastion's clock that is written down when it begins, so that a process that takes the run up
//! again knows how much is left: the time runs on while nobody carries the run out. A clock that was set back makes nobody
//! wait longer than the whole time; one that was set forward takes the change back early.

use super::{Entry, Machine, Operator, Phase, StepState};
use crate::{
    model::time::Wall,
    plan::parts::{Action, Step, When},
    run::look::sources_of,
};

/// Why it goes back.
const NO_WORD: &str = "Nobody said in time that it stays.";

/// What is known of the step.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Held {
    /// When it goes back, once the step has begun.
    pub(super) until: Option<Wall>,
    /// When the last step before a crash was written down: from there on the time is counted where the step had not begun.
    pub(super) last_step_at: Option<Wall>,
    /// Whether the word was given.
    pub(super) is_kept: bool,
    /// The word, given after a crash before the step is reached again.
    word: Option<Operator>,
}

impl Machine {
    /// The step that waits for a word; the lint allows one.
    fn hold_step(&self) -> Option<(usize, u64)> {
        let mut steps = self.plan.body.steps.iter().map(Step::hold).enumerate();
        steps.find_map(|(index, wait)| wait.map(|wait| (index, wait.until.deadline_ms)))
    }

    /// Whether it only waits for a word, so that others may change something else meanwhile. What it did is looked at all the
    /// time, and its way back does nothing where somebody else was there.
    pub fn lends_its_lock(&self) -> bool {
        let holds = |at: usize| self.hold_step().is_some_and(|(step, _)| step == at);
        matches!(&self.phase, Phase::Wait { step, .. } if holds(*step)) && self.plan.lends_its_lock()
    }

    /// Whether what was done is being undone.
    pub fn goes_back(&self) -> bool {
        self.back.is_some()
    }

    /// Begins to wait, or goes on waiting.
    pub(super) fn begin_hold(&mut self, step: usize) {
        let Action::Wait(wait) = self.plan.body.steps[step].action.clone() else {
            return self.give_up("A step is no wait.");
        };
        if self.held.until.is_none() {
            let until = self.hold_ends(wait.until.deadline_ms);
            self.record(Entry::Holding { step, until });
            self.held.until = Some(until);
        }
        let left_ms = self.hold_left_ms(wait.until.deadline_ms);
        if left_ms == 0 {
            return self.hold_is_late(step, Vec::new());
        }
        if let Some(operator) = self.held.word.take() {
            return self.keep(step, operator);
        }
        let sources = sources_of(wait.until.checks.iter().chain(&wait.guards));
        let poll = self.look(sources, wait.until.poll_ms, left_ms);
        self.phase = Phase::Wait { step, poll };
    }

    fn hold_ends(&self, deadline_ms: u64) -> Wall {
        let counted = || Wall(self.held.last_step_at.unwrap_or(self.now.wall).0.saturating_add_unsigned(deadline_ms));
        self.held.until.unwrap_or_else(counted)
    }

    /// What is left of it; never more than the whole.
    fn hold_left_ms(&self, deadline_ms: u64) -> u64 {
        let left_ms = self.hold_ends(deadline_ms).0.saturating_sub(self.now.wall.0);
        u64::try_from(left_ms).unwrap_or(0).min(deadline_ms)
    }

    /// Nobody gave the word.
    pub(super) fn hold_is_late(&mut self, step: usize, seen: Vec<crate::model::text::Clean>) {
        self.record(Entry::WaitEnded { step, late: true, seen });
        (self.steps[step], self.late[step]) = (StepState::Waited, true);
        self.fail(NO_WORD);
    }

    /// An operator says that it stays. Before the step has begun, and after its time, nobody can say that.
    pub(super) fn keep_asked(&mut self, operator: Operator) {
        let Some((step, _)) = self.hold_step() else { return };
        if self.back.is_some() || self.abort.is_some() || self.steps[step] != StepState::Pending {
            return;
        }
        match &self.phase {
            Phase::Wait { step: at, poll } if *at == step && !self.is_late(poll) => self.keep(step, operator),
            Phase::Wait { step: at, .. } if *at == step => {}
            // It began before a crash, and is not reached again yet.
            _ if self.held.until.is_some() => self.held.word = Some(operator),
            _ => {}
        }
    }

    fn keep(&mut self, step: usize, operator: Operator) {
        self.record(Entry::Kept { step, operator });
        self.held.is_kept = true;
        let seen = std::mem::take(&mut self.looked_at);
        self.record(Entry::WaitEnded { step, late: false, seen });
        self.steps[step] = StepState::Waited;
        self.next_step();
    }

    /// Why a run that is taken up goes back instead of waiting on: its time has passed, or what it did is gone.
    pub(super) fn hold_is_over(&self) -> Option<&'static str> {
        let (hold, deadline_ms) = self.hold_step().filter(|_| self.sent && !self.held.is_kept)?;
        let is_counted = self.held.until.is_some() || self.held.last_step_at.is_some();
        if is_counted && self.hold_left_ms(deadline_ms) == 0 {
            return Some(NO_WORD);
        }
        let is_gone = |(state, step): (&StepState, &Step)| {
            let is_sure = step.when == When::Always && step.write().is_some();
            is_sure && !matches!(state, StepState::Done | StepState::Found | StepState::Skipped)
        };
        let is_any_gone = self.steps.iter().zip(&self.plan.body.steps).take(hold).any(is_gone);
        (self.held.until.is_some() && is_any_gone).then_some("What was done is not so any more.")
    }
}
