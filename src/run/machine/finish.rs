//! Endings: read the world once more, say what is true, write it down.

use super::{Ending, EndingKind, Machine, Phase, StepState};
use crate::{
    model::text::Clean,
    plan::parts::Undo,
    run::{event::RunCommand, record::Entry},
    wire::request::Call,
};

/// Lines of an ending that say what to type.
const TYPE_LINES_MAX: usize = 20;

impl Machine {
    /// Ends the run: reads the world first, so that what is said is true now.
    pub(super) fn finish(&mut self, kind: EndingKind, why: &str) {
        let ending = Box::new(self.compose(kind, why));
        let sources = self.all_sources();
        let poll = self.look(sources, 1, 0);
        self.phase = Phase::Survey { poll, ending };
    }

    /// A person has to decide.
    pub(super) fn needs_operator(&mut self, why: &str) {
        self.finish(EndingKind::NeedsOperator, why);
    }

    /// A contradiction in the plan that the lint should have found.
    pub(super) fn give_up(&mut self, why: &str) {
        let kind = if self.sent { EndingKind::NeedsOperator } else { EndingKind::Stopped };
        self.finish(kind, &format!("This is a fault of vakt. {why}"));
    }

    /// The survey is complete: write the ending down.
    pub(super) fn close(&mut self, ending: Ending) {
        let ending = Box::new(self.with_facts(ending));
        let seq = self.record(Entry::Ended(ending.clone()));
        self.phase = Phase::Closing { seq, ending };
    }

    pub(super) fn compose(&self, kind: EndingKind, why: &str) -> Ending {
        let type_next = if kind == EndingKind::NeedsOperator { self.type_next() } else { Vec::new() };
        Ending { kind, why: Clean::line(why), notes: self.notes.clone(), now_true: Vec::new(), type_next }
    }

    /// Adds what the last look says of the subject, node by node.
    pub(super) fn with_facts(&self, mut ending: Ending) -> Ending {
        let subject = &self.plan.body.subject;
        let lines = self.plan.body.sources.iter().map(|source| {
            let words = match self.readings.facts(&(source.node.clone(), source.probe)) {
                Ok(facts) => subject.words(facts),
                Err(why) => Clean::line(&format!("could not be read: {why}")),
            };
            Clean::line(&format!("{}: {}{words}", source.node, subject.head()))
        });
        ending.now_true = lines.collect();
        ending
    }

    /// The commands that help: look, go on or back, and what undoes each step by hand.
    fn type_next(&self) -> Vec<Clean> {
        let id = &self.plan.id;
        let mut lines = vec![format!("vakt runs show {id}")];
        if !self.is_beyond_return() {
            lines.push(format!("vakt runs rollback {id}"));
        }
        lines.push(format!("vakt runs resume {id}"));
        for (index, state) in self.steps.iter().enumerate().rev() {
            let is_open = matches!(state, StepState::Done | StepState::Unknown | StepState::InDoubt(_));
            let Some(write) = self.write(index).filter(|_| is_open) else { continue };
            if let Undo::Send { request, .. } | Undo::Returns { request, .. } = &write.undo {
                let request = self.bindings.fill(request).unwrap_or_else(|_| request.clone());
                let on = if let Call::Hook { .. } = request.call { "the bastion" } else { write.node.as_str() };
                lines.push(format!("on {on}, to undo step {}: {request}", index + 1));
            }
        }
        lines.truncate(TYPE_LINES_MAX);
        lines.push(format!("vakt runs resolve {id} --reason '…', once it is as it should be"));
        lines.iter().map(|line| Clean::line(line)).collect()
    }

    /// Whether nothing more will happen.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Ended && !self.out.iter().any(|command| matches!(command, RunCommand::End(_)))
    }
}
