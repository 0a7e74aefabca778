//! What one layer contributes to a plan over several: steps with everything they rest on.
//!
//! Each layer is planned as if it were alone, on the world as observed; a run looks again before every step. So layers
//! that are put behind each other must not change what the others rest on.

use super::{
    expect::Check,
    parts::{Action, Body, Premise, Source, Step, When},
};
use crate::{model::text::Clean, wire::probe::Facts};

/// A part of a plan.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// What will happen, in sentences.
    pub(super) effect: Vec<Clean>,
    pub(super) premises: Vec<Premise>,
    pub(super) sources: Vec<Source>,
    pub(super) steps: Vec<Step>,
    /// What the last step of the plan has to see.
    pub(super) proof: Vec<Check>,
}

impl Share {
    /// A whole plan as a part; what its last step sees is seen again at the end.
    pub(super) fn of_body(body: Body) -> Self {
        let Body { effect, premises, sources, steps, .. } = body;
        let proof = match steps.last().map(|step| &step.action) {
            Some(Action::Wait(wait)) => wait.until.checks.clone(),
            Some(Action::Write(_)) | None => Vec::new(),
        };
        Self { effect, premises, sources, steps, proof }
    }

    /// What it does stays done once its last step held, whatever fails behind it.
    #[must_use]
    pub(super) fn kept(mut self) -> Self {
        if let Some(Step { action: Action::Wait(wait), .. }) = self.steps.last_mut() {
            wait.keeps = true;
        }
        self
    }

    /// A premise, with what is seen now.
    pub(super) fn rest_on(&mut self, check: Check, facts: &Facts, age_ms: u64, age_ms_max: u64) {
        let seen = check.judge(facts, None).seen().clone();
        self.premises.push(Premise { check, seen, age_ms, age_ms_max });
    }

    /// A sentence more.
    pub(super) fn say(&mut self, sentence: impl AsRef<str>) {
        self.effect.push(Clean::line(sentence.as_ref()));
    }

    /// Puts another part behind this one. What both read is read once.
    pub(super) fn append(&mut self, mut other: Self) {
        let before = self.steps.len();
        for step in &mut other.steps {
            if let When::Late(decider) = &mut step.when {
                *decider += before;
            }
        }
        self.steps.append(&mut other.steps);
        self.effect.append(&mut other.effect);
        for premise in other.premises {
            if self.premises.iter().all(|known| known.check != premise.check) {
                self.premises.push(premise);
            }
        }
        for check in other.proof {
            if !self.proof.contains(&check) {
                self.proof.push(check);
            }
        }
        other.sources.into_iter().for_each(|source| self.read(source));
    }

    /// Reads one thing more.
    pub(super) fn read(&mut self, source: Source) {
        let known = self.sources.iter_mut().find(|known| known.node == source.node && known.probe == source.probe);
        match known {
            Some(known) => {
                let new = source.requests.into_iter().filter(|request| !known.requests.contains(request));
                let new: Vec<_> = new.collect();
                known.requests.extend(new);
            }
            None => self.sources.push(source),
        }
    }
}
