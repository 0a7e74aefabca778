//! One write, done or undone: look, announce in the journal, send once, verify by reading back, and settle what is
//! unclear.
//!
//! Doing and undoing are the same but for two things: which state is the target, and what a failure means.

use super::{
    Breath, Direction, Entry, Machine, Mono, Outcome, Phase, Poll, RETURN_GRACE_MS, SETTLE_DEADLINE_MS, SETTLE_LOOKS,
    SETTLE_POLL_MS, StepState, YOUNG_MS, sources_of,
};
use crate::{
    model::text::Clean,
    plan::{
        expect::Check,
        parts::{Need, Undo, Write},
    },
    run::{
        ending::EndingKind,
        look::{Judgement, PollState, Tri},
    },
    wire::{
        haproxy::commands,
        request::{Call, Reply, Request},
    },
};

/// How it is known that an undo has nothing left to do.
const FORGOTTEN: &str = "everything is as it was at the beginning: a reload has undone it";

/// A write in progress.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Act {
    pub(super) step: usize,
    pub(super) direction: Direction,
    pub(super) stage: Stage,
    pub(super) began: Mono,
    /// What is sent with it in one breath; nothing for most writes, and for every undo.
    pub(super) breath: Breath,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stage {
    /// Looking whether it may be sent.
    Look(Poll),
    /// Waiting for its record to be durable.
    Announced { seq: u64, request: Request },
    /// Waiting for the answer.
    Sent { ticket: u64, until: Mono },
    /// Looking whether it had the effect.
    Verify(Poll),
    /// Finding out what happened.
    Settle { poll: Poll, then: Then, why: Clean },
}

/// What follows when it turns out to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Verify it, as if the answer had come.
    Verify,
    /// It failed nevertheless: undo it.
    Fail,
}

impl Machine {
    /// Begins a step in that direction.
    pub(super) fn look_before(&mut self, step: usize, direction: Direction) {
        let Some(write) = self.write(step) else { return self.give_up("A step is no write.") };
        let mut deadline_ms = write.after.deadline_ms;
        let poll_ms = write.after.poll_ms;
        if direction == Direction::Back {
            deadline_ms = deadline_ms.max(back_within_ms(write));
        }
        let breath = match direction {
            Direction::Forward => self.breath_of(step),
            Direction::Back => Breath::default(),
        };
        let sources = sources_of(&self.checks_before(step, &breath));
        let began = self.now.mono;
        let is_seen = |source| self.readings.is_young(source, began, YOUNG_MS);
        if !breath.rest.is_empty() && sources.iter().all(is_seen) {
            let deadline = began.plus_ms(deadline_ms);
            let state = PollState::Pausing { until: began };
            let poll = Poll { sources, every_ms: poll_ms, deadline, held: 0, state };
            return self.saw_before(Act { step, direction, stage: Stage::Look(poll.clone()), began, breath }, poll);
        }
        let poll = self.look(sources, poll_ms, deadline_ms);
        self.phase = Phase::Act(Act { step, direction, stage: Stage::Look(poll), began, breath });
    }

    pub(super) fn saw_act(&mut self, act: Act) {
        match act.stage.clone() {
            Stage::Look(poll) if act.direction == Direction::Forward => self.saw_before(act, poll),
            Stage::Look(poll) => self.saw_before_undo(act, poll),
            Stage::Verify(poll) => self.saw_after(act, poll),
            Stage::Settle { poll, then, why } => self.saw_unsettled(act, poll, then, &why),
            Stage::Announced { .. } | Stage::Sent { .. } => self.phase = Phase::Act(act),
        }
    }

    /// Writes down what will be sent; it is sent when that is durable.
    pub(super) fn announce(&mut self, mut act: Act, seen: Vec<Clean>) {
        let Some(write) = self.write(act.step) else { return self.give_up("A step is no write.") };
        let request = match (act.direction, &write.undo) {
            (Direction::Forward, _) => &write.request,
            (Direction::Back, Undo::Send { request, .. } | Undo::Returns { request, .. }) => request,
            (Direction::Back, Undo::Irreversible { why, .. }) => {
                let why = format!("Step {} cannot be undone: {why}.", act.step + 1);
                return self.needs_operator(&why);
            }
        };
        let node = write.node.clone();
        let request = match self.bindings.fill(request) {
            Ok(request) => request,
            Err(hole) => return self.give_up(&format!("Step {} has no value for {hole}.", act.step + 1)),
        };
        let entry = Entry::StepBegun {
            step: act.step,
            direction: act.direction,
            node,
            request: request.clone(),
            bindings: self.bindings.clone(),
            seen,
        };
        let first = self.record(entry);
        let seq = match self.announce_rest(&mut act) {
            Ok(last) => last.unwrap_or(first),
            Err(hole) => return self.give_up(&format!("A step has no value for {hole}.")),
        };
        if act.direction == Direction::Forward {
            self.note_listener(act.step);
        }
        act.began = self.now.mono;
        act.stage = Stage::Announced { seq, request };
        self.phase = Phase::Act(act);
    }

    /// The record is durable: send, once.
    pub(super) fn announced(&mut self) {
        let Phase::Act(mut act) = std::mem::replace(&mut self.phase, Phase::Ended) else { return };
        let Stage::Announced { request, .. } = act.stage.clone() else { return };
        if act.direction == Direction::Forward {
            if let Some(why) = self.why_abort() {
                return self.refrain(&act, &why);
            }
            if let Some(old) = self.too_old() {
                return self.refrain(&act, &old);
            }
        }
        let Some(node) = self.write(act.step).map(|write| write.node.clone()) else {
            return self.give_up("A step is no write.");
        };
        let (ticket, until) = self.out(node, request);
        act.stage = Stage::Sent { ticket, until };
        self.phase = Phase::Act(act);
    }

    /// Premises may only be so old when the first write leaves.
    pub(super) fn too_old(&self) -> Option<String> {
        let read_at = self.premises_at.filter(|_| !self.sent)?;
        let age_ms = self.now.mono.since_ms(read_at);
        let limit_ms = self.plan.body.premises.iter().map(|premise| premise.age_ms_max).min()?;
        (age_ms > limit_ms).then(|| {
            format!("The premises were read {age_ms} ms before the first write, at most {limit_ms} ms are allowed.")
        })
    }

    pub(super) fn replied(&mut self, ticket: u64, reply: &Reply) {
        let Some(mut act) = self.take_sent(ticket) else { return };
        let objection = match self.write(act.step).map(|write| &write.request.call) {
            Some(Call::Haproxy { .. }) => commands::objection(reply),
            _ => reply
                .exit
                .filter(|status| *status != 0)
                .map(|status| Clean::line(&format!("exit {status}: {}", Clean::line_from_bytes(&reply.stderr)))),
        };
        match objection {
            // What it says is one thing, what is true another.
            Some(words) => self.settle(act, Then::Fail, &format!("The node answered: {words}")),
            // Whoever wants it to stop waits for the end of a breath.
            None if self.send_next(&mut act) => self.phase = Phase::Act(act),
            None => match self.abort.clone() {
                Some(why) if self.rests(&act, &why) => {}
                Some(why) if act.direction == Direction::Forward => self.settle(act, Then::Fail, why.as_str()),
                _ => self.verify(act),
            },
        }
    }

    pub(super) fn reply_lost(&mut self, ticket: u64, why: &Clean) {
        let Some(act) = self.take_sent(ticket) else { return };
        self.settle(act, Then::Verify, &format!("The answer was lost: {why}"));
    }

    pub(super) fn not_sent(&mut self, ticket: u64, why: &Clean) {
        let Some(mut act) = self.take_sent(ticket) else { return };
        let words = format!("Step {} could not be sent: {why}.", act.step + 1);
        self.break_off(&mut act, &words);
        match act.direction {
            Direction::Forward => self.refrain(&act, &words),
            Direction::Back => {
                self.step_ended(act.step, act.direction, Outcome::NotDone, &Clean::line(&words), act.began);
                self.needs_operator(&format!("The undo of step {} could not be sent: {why}.", act.step + 1));
            }
        }
    }

    /// The act that waits for this answer.
    fn take_sent(&mut self, ticket: u64) -> Option<Act> {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Act(act) if matches!(act.stage, Stage::Sent { ticket: awaited, .. } if awaited == ticket) => {
                Some(act)
            }
            other => {
                self.phase = other;
                None
            }
        }
    }

    fn verify(&mut self, mut act: Act) {
        let sources = sources_of(self.target(&act).0.iter());
        let (poll_ms, deadline_ms) = self.times_after(&act);
        act.stage = Stage::Verify(self.look(sources, poll_ms, deadline_ms));
        self.phase = Phase::Act(act);
    }

    /// What is to be seen after doing or undoing, how many of it, and in how many looks.
    fn target(&self, act: &Act) -> (Vec<Check>, Need, u32) {
        match (self.write(act.step), act.direction) {
            (Some(_), Direction::Forward) if !act.breath.answered.is_empty() => (self.checks_after(act), Need::All, 1),
            (Some(write), Direction::Forward) => (write.after.checks.clone(), write.after.need, write.after.holds),
            (Some(write), Direction::Back) => (write.before.clone(), Need::All, 1),
            (None, _) => (Vec::new(), Need::All, 1),
        }
    }

    fn saw_after(&mut self, mut act: Act, mut poll: Poll) {
        let (checks, need, holds) = self.target(&act);
        let judged = self.readings.judge(&checks, need);
        poll.held = if judged.verdict == Tri::Holds { poll.held + 1 } else { 0 };
        if poll.held >= holds {
            let how = Clean::line(&judged.seen.iter().map(Clean::as_str).collect::<Vec<_>>().join("; "));
            return self.is_done(&mut act, &how);
        }
        match act.direction {
            Direction::Forward if self.tells_anew(Some(&act)) => return,
            Direction::Back if self.is_back_at_the_beginning(act.step) => {
                return self.is_done(&mut act, &FORGOTTEN.into());
            }
            Direction::Forward | Direction::Back => {}
        }
        if self.is_late(&poll) {
            if self.rests(&act, &judged.trouble) {
                return;
            }
            return self.settle(act, Then::Fail, &format!("It was not seen in time: {}", judged.trouble));
        }
        act.stage = Stage::Verify(self.pause(poll));
        self.phase = Phase::Act(act);
    }

    /// Ends the run where it rests, if the effect of this write may still come: nobody can call it back, and nothing
    /// would tell that it was not heard.
    fn rests(&mut self, act: &Act, seen: &Clean) -> bool {
        let words = self.write(act.step).and_then(|write| write.rests.clone());
        let Some(words) = words.filter(|_| act.direction == Direction::Forward) else { return false };
        self.step_ended(act.step, act.direction, Outcome::Unknown, seen, act.began);
        self.steps[act.step] = StepState::Unknown;
        let why = self.why_abort().map_or_else(String::new, |why| format!("{why} "));
        self.finish(EndingKind::Stopped, &format!("{why}{words}."));
        true
    }

    /// Finds out whether a write took effect.
    pub(super) fn settle(&mut self, mut act: Act, then: Then, why: &str) {
        self.break_off(&mut act, why);
        let Some(write) = self.write(act.step) else { return self.give_up("A step is no write.") };
        let sources = sources_of(write.before.iter().chain(&write.done));
        let deadline_ms = SETTLE_DEADLINE_MS.max(back_within_ms(write));
        let poll = self.look(sources, SETTLE_POLL_MS, deadline_ms);
        act.stage = Stage::Settle { poll, then, why: Clean::line(why) };
        self.phase = Phase::Act(act);
    }

    fn saw_unsettled(&mut self, mut act: Act, mut poll: Poll, then: Then, why: &Clean) {
        let Some(write) = self.write(act.step) else { return self.give_up("A step is no write.") };
        let done = self.readings.judge(&write.done, Need::All);
        let before = self.readings.judge(&write.before, Need::All);
        let (target, origin) = match act.direction {
            Direction::Forward => (&done, &before),
            Direction::Back => (&before, &done),
        };
        if target.verdict == Tri::Holds {
            return self.took_effect(act, then, why);
        }
        // A step that cannot be undone may have had a part of its effect: only *done* is certain of it.
        let may_be_partly = matches!(write.undo, Undo::Irreversible { is_whole: false, .. });
        match act.direction {
            // The answer was lost, and whoever may have heard it is gone.
            Direction::Forward if then == Then::Verify && self.tells_anew(Some(&act)) => return,
            Direction::Back if self.is_back_at_the_beginning(act.step) => {
                return self.is_done(&mut act, &FORGOTTEN.into());
            }
            Direction::Forward | Direction::Back => {}
        }
        let is_gone = || act.direction == Direction::Forward && self.is_back_at_the_beginning(act.step);
        let is_certain = (origin.verdict == Tri::Holds || is_gone()) && !may_be_partly;
        // Neither stands, and what stands there is what the file says to a process that started anew.
        let is_replaced = !is_certain
            && done.verdict == Tri::Fails
            && before.verdict == Tri::Fails
            && self.is_other_process(act.step);
        poll.held = if is_certain || is_replaced { poll.held + 1 } else { 0 };
        if poll.held >= SETTLE_LOOKS && is_replaced {
            return self.was_replaced(&act, why);
        }
        if poll.held >= SETTLE_LOOKS {
            if let Some(seen) = self.went_back(act.step) {
                let how = format!("Step {} does not stand: {why}; {seen}.", act.step + 1);
                return self.refrain(&act, &how);
            }
            let how = Clean::line(&format!("{why}; the world shows no effect"));
            return self.had_no_effect(&act, &how);
        }
        if self.is_late(&poll) {
            let seen = super::look_words(&[done, before]);
            return self.is_unknown(&act, &Clean::line(&format!("{why}; then {seen}")));
        }
        act.stage = Stage::Settle { poll: self.pause(poll), then, why: why.clone() };
        self.phase = Phase::Act(act);
    }

    /// What was seen of it, if the node has taken the write of that step back by itself.
    pub(super) fn went_back(&self, step: usize) -> Option<Clean> {
        let (_, seen) = self.plan.body.steps.get(step)?.returns()?;
        let judged = self.readings.judge(std::slice::from_ref(seen), Need::All);
        let words = || judged.seen.iter().map(Clean::as_str).collect::<Vec<_>>().join("; ");
        (judged.verdict == Tri::Holds).then(|| Clean::line(&words()))
    }

    fn took_effect(&mut self, mut act: Act, then: Then, why: &Clean) {
        match (act.direction, then) {
            (Direction::Back, _) => self.is_done(&mut act, &Clean::line(&format!("{why}; the world shows it undone"))),
            (Direction::Forward, Then::Verify) if self.abort.is_none() => self.verify(act),
            (Direction::Forward, _) => {
                self.step_ended(act.step, act.direction, Outcome::Done, why, act.began);
                self.steps[act.step] = StepState::Done;
                self.fail(&format!("Step {}: {why}.", act.step + 1));
            }
        }
    }

    fn is_done(&mut self, act: &mut Act, how: &Clean) {
        self.breath_is_seen(act);
        self.step_ended(act.step, act.direction, Outcome::Done, how, act.began);
        match act.direction {
            Direction::Forward => {
                self.steps[act.step] = StepState::Done;
                self.note_listener(act.step);
                self.next_step();
            }
            Direction::Back => {
                self.steps[act.step] = StepState::Undone;
                self.unwind();
            }
        }
    }

    fn had_no_effect(&mut self, act: &Act, how: &Clean) {
        match act.direction {
            Direction::Forward => {
                let reloaded = self.words_if_reloaded();
                self.refrain(act, &format!("Step {} was not done: {how}.{reloaded}", act.step + 1));
            }
            Direction::Back => {
                self.step_ended(act.step, act.direction, Outcome::NotDone, how, act.began);
                self.needs_operator(&format!("The undo of step {} had no effect: {how}.", act.step + 1));
            }
        }
    }

    fn is_unknown(&mut self, act: &Act, how: &Clean) {
        self.step_ended(act.step, act.direction, Outcome::Unknown, how, act.began);
        self.steps[act.step] = StepState::Unknown;
        let what = match act.direction {
            Direction::Forward => "Whether step",
            Direction::Back => "Whether the undo of step",
        };
        self.needs_operator(&format!("{what} {} was done is unknown: {how}.", act.step + 1));
    }

    /// It is to stop in the middle of a write.
    pub(super) fn abort_act(&mut self, act: Act) {
        let why = self.abort.clone().unwrap_or_default();
        match &act.stage {
            Stage::Look(_) => self.refrain(&act, &format!("{why}.")),
            Stage::Verify(_) if self.rests(&act, &why) => {}
            Stage::Verify(_) => self.settle(act, Then::Fail, why.as_str()),
            // Not yet sent, or on its way: decided by the journal's or the node's answer.
            Stage::Announced { .. } | Stage::Sent { .. } | Stage::Settle { .. } => self.phase = Phase::Act(act),
        }
    }
}

/// How long a node that takes a write back by itself may be out of reach until it is known whether it did.
pub(super) fn back_within_ms(write: &Write) -> u64 {
    write.undo.returns().map_or(0, |(after_ms, _)| after_ms.saturating_add(RETURN_GRACE_MS))
}

/// What is wrong with these, in one line.
pub(super) fn look_words(judged: &[Judgement]) -> Clean {
    let mut words: Vec<&str> =
        judged.iter().filter(|one| one.verdict != Tri::Holds).map(|one| one.trouble.as_str()).collect();
    words.dedup();
    Clean::line(&words.join("; "))
}
