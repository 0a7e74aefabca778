//! Back to the origin: every step that was done is undone, the last one first.

use super::{Act, Direction, Entry, Machine, Phase, Poll, Stage, StepState, look_words};
use crate::{
    model::text::Clean,
    plan::parts::Need,
    run::{ending::EndingKind, look::Tri},
};

impl Machine {
    /// The run cannot go on: undo what was done.
    pub(super) fn fail(&mut self, why: &str) {
        if self.back.is_none() {
            let why = Clean::line(why);
            self.record(Entry::Unwinding { why: why.clone() });
            self.back = Some(why);
        }
        self.unwind();
    }

    /// Undoes the last step that is done; ends when there is none.
    pub(super) fn unwind(&mut self) {
        let why = self.back.clone().unwrap_or_default();
        if self.is_beyond_return() {
            return self.needs_operator(&format!("{why} A step that cannot be undone was done already."));
        }
        let kept = self.kept();
        let last = self.steps.iter().skip(kept).rposition(|state| *state == StepState::Done);
        if let Some(step) = last {
            return self.look_before(kept + step, Direction::Back);
        }
        if kept > 0 && self.steps.iter().take(kept).any(|state| *state == StepState::Done) {
            self.finish(EndingKind::Stopped, &format!("{why} What was done up to step {kept} stays."));
        } else if self.sent {
            self.finish(EndingKind::RolledBack, &format!("{why} Everything is as it was before."));
        } else {
            self.finish(EndingKind::Stopped, &format!("{why} Nothing was changed."));
        }
    }

    /// The look before an undo: is what was done still so?
    pub(super) fn saw_before_undo(&mut self, mut act: Act, poll: Poll) {
        let step = act.step;
        let Some(write) = self.write(step) else { return self.give_up("A step is no write.") };
        let done = self.readings.judge(&write.done, Need::All);
        let before = self.readings.judge(&write.before, Need::All);
        match (done.verdict, before.verdict) {
            (_, Tri::Holds) => {
                self.record(Entry::StepFound { step, direction: Direction::Back, seen: before.seen });
                self.steps[step] = StepState::Undone;
                self.unwind();
            }
            (Tri::Holds, _) => self.announce(act, done.seen),
            _ if self.is_back_at_the_beginning(step) => {
                self.record(Entry::StepFound { step, direction: Direction::Back, seen: before.seen });
                self.steps[step] = StepState::Undone;
                self.unwind();
            }
            // What stands there is nobody's will, but what the file says to a process that started anew.
            (Tri::Fails, Tri::Fails) if self.is_other_process(step) => self.announce(act, done.seen),
            (Tri::Fails, Tri::Fails) => {
                let words = look_words(&[done]);
                self.needs_operator(&format!(
                    "Step {} cannot be undone: somebody else changed it meanwhile ({words}).",
                    step + 1
                ));
            }
            _ if self.is_late(&poll) => {
                let words = look_words(&[done, before]);
                self.needs_operator(&format!(
                    "Step {} cannot be undone: the world cannot be read ({words}).",
                    step + 1
                ));
            }
            _ => {
                act.stage = Stage::Look(self.pause(poll));
                self.phase = Phase::Act(act);
            }
        }
    }
}
