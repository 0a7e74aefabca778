//! The machine: which event does what in which phase.
//!
//! `forward` carries steps out, `back` undoes them, `act` is what both share (look, announce, send, verify, settle),
//! `anew` tells again what a process has forgotten, `hold` waits for an operator's word, `finish` ends the run, `recover` takes
//! one up again.

mod act;
mod anew;
mod back;
mod breath;
mod finish;
mod forward;
mod hold;
mod recover;

pub(super) use anew::waits_behind;
pub use recover::NotRecoverable;

use super::{
    ending::{Ending, EndingKind},
    event::{RunCommand, RunEvent},
    look::{Poll, PollState, Readings, SourceKey, sources_of},
    record::{BrokeGlass, Direction, Entry, Opening, Operator, Outcome, Record},
};
use crate::{
    model::{
        text::Clean,
        time::{Mono, Now},
    },
    plan::{
        Plan,
        hole::Bindings,
        limits,
        parts::{Action, Write},
    },
};
use act::{Act, Stage, look_words};
use anew::Listeners;
use breath::Breath;
use hold::Held;
use std::collections::BTreeSet;

/// Added to a request's own deadline before its answer is given up: the executor should have told by then.
const GRACE_MS: u64 = 1_000;
/// Longest time to find out whether a write took effect.
const SETTLE_DEADLINE_MS: u64 = 10_000;
/// Added to the time after which a node takes a change back by itself: it may start anew meanwhile, and connections come up
/// again one after the other.
const RETURN_GRACE_MS: u64 = 60_000;
/// Between two looks while finding out.
const SETTLE_POLL_MS: u64 = 200;
/// Why it stops when the operator asked.
const STOPPED: &str = "The operator stopped it";
/// Looks in a row that must show no effect: a request whose answer was lost may still be on its way.
const SETTLE_LOOKS: u32 = 5;
/// Before several writes in one breath nobody may have to wait for a look: what was read within so many milliseconds, of a
/// node to which nothing was sent since, is that look.
const YOUNG_MS: u64 = 250;

/// A run in progress.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    plan: Plan,
    opening: Opened,
    phase: Phase,
    steps: Vec<StepState>,
    /// Waits that ran out of time.
    late: Vec<bool>,
    bindings: Bindings,
    readings: Readings,
    /// Set when it unwinds: why.
    back: Option<Clean>,
    /// Set when it is to stop: why, without a full stop.
    abort: Option<Clean>,
    /// Whether a write was sent, or may have been before a crash.
    sent: bool,
    /// When the premises were read; none for a run that was taken up again.
    premises_at: Option<Mono>,
    /// How often they may be read anew, because reading something else took too long.
    premises_left: u32,
    held: Held,
    listeners: Listeners,
    notes: Vec<Clean>,
    /// What the newest look of the present wait saw.
    looked_at: Vec<Clean>,
    next_seq: u64,
    next_ticket: u64,
    now: Now,
    out: Vec<RunCommand>,
}

/// What the first record of this process says.
#[derive(Debug, Clone, PartialEq)]
enum Opened {
    New(Box<Opening>),
    Again(recover::Again),
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    New,
    Opening { seq: u64 },
    Premises(Poll),
    Recovering(Poll),
    Act(Act),
    Wait { step: usize, poll: Poll },
    Survey { poll: Poll, ending: Box<Ending> },
    Closing { seq: u64, ending: Box<Ending> },
    Ended,
}

/// What is known of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepState {
    /// Not begun.
    Pending,
    /// A branch that was not taken.
    Skipped,
    /// The world was already so; not ours to undo.
    Found,
    /// Sent and seen.
    Done,
    /// Sent or not, without effect.
    NotDone,
    /// Nobody can say.
    Unknown,
    /// Done, and undone again.
    Undone,
    /// A wait that is over.
    Waited,
    /// Begun in that direction when the process died.
    InDoubt(Direction),
}

impl Machine {
    /// A new run. The caller has linted the plan.
    pub fn new(plan: Plan, operator: Operator, previous: Option<super::journal::Head>) -> Self {
        let opening = Opening { plan: plan.clone(), operator, previous, broke_glass: None };
        Self::with(plan, Opened::New(Box::new(opening)), 0)
    }

    /// The same run, begun or taken up although somebody else holds the lock; its first record says so.
    #[must_use]
    pub fn breaking_glass(mut self, glass: BrokeGlass) -> Self {
        match &mut self.opening {
            Opened::New(opening) => opening.broke_glass = Some(glass),
            Opened::Again(again) => again.broke_glass = Some(glass),
        }
        self
    }

    fn with(plan: Plan, opening: Opened, next_seq: u64) -> Self {
        let count = plan.body.steps.len();
        Self {
            plan,
            opening,
            phase: Phase::New,
            steps: vec![StepState::Pending; count],
            late: vec![false; count],
            bindings: Bindings::default(),
            readings: Readings::default(),
            back: None,
            abort: None,
            sent: false,
            premises_at: None,
            premises_left: limits::PREMISES_ANEW_MAX,
            held: Held::default(),
            listeners: Listeners::default(),
            notes: Vec::new(),
            looked_at: Vec::new(),
            next_seq,
            next_ticket: 0,
            now: Now::default(),
            out: Vec::new(),
        }
    }

    /// The plan that is carried out.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes one event; returns what is to be done, in order.
    pub fn on(&mut self, now: Now, event: RunEvent) -> Vec<RunCommand> {
        self.now = now;
        match event {
            RunEvent::Started => self.started(),
            RunEvent::Journalled { seq } => self.journalled(seq),
            RunEvent::JournalFailed { why } => self.journal_failed(&why),
            RunEvent::Read { ticket, node, probe, outcome } => self.read(ticket, &(node, probe), outcome),
            RunEvent::Replied { ticket, reply } => self.replied(ticket, &reply),
            RunEvent::ReplyLost { ticket, why } => self.reply_lost(ticket, &why),
            RunEvent::NotSent { ticket, why } => self.not_sent(ticket, &why),
            RunEvent::Tick => self.tick(),
            RunEvent::KeepAsked { operator } => self.keep_asked(operator),
            RunEvent::AbortAsked => self.stop(STOPPED, Entry::AbortAsked),
            RunEvent::LockLost { why } => {
                let words = format!("The lock was lost: {why}");
                self.stop(&words, Entry::LockLost { why });
            }
        }
        std::mem::take(&mut self.out)
    }

    fn started(&mut self) {
        if self.phase != Phase::New {
            return;
        }
        let entry = match &self.opening {
            Opened::New(opening) => Entry::Opened(opening.clone()),
            Opened::Again(again) => again.entry(),
        };
        let seq = self.record(entry);
        self.phase = Phase::Opening { seq };
    }

    fn journalled(&mut self, seq: u64) {
        match &self.phase {
            Phase::Opening { seq: awaited } if seq >= *awaited => self.opened(),
            Phase::Act(Act { stage: Stage::Announced { seq: awaited, .. }, .. }) if seq >= *awaited => self.announced(),
            Phase::Closing { seq: awaited, ending } if seq >= *awaited => {
                let ending = ending.clone();
                self.phase = Phase::Ended;
                self.out.push(RunCommand::End(ending));
            }
            _ => {}
        }
    }

    fn opened(&mut self) {
        if matches!(self.opening, Opened::Again(_)) {
            let sources = self.all_sources();
            // A node that takes its part back by itself may be out of reach until then.
            let writes = self.plan.body.steps.iter().filter_map(crate::plan::parts::Step::write);
            let back_ms = writes.map(act::back_within_ms).max().unwrap_or(0);
            let poll = self.look(sources, SETTLE_POLL_MS, SETTLE_DEADLINE_MS.max(back_ms));
            self.phase = Phase::Recovering(poll);
        } else if let Some(why) = self.why_abort() {
            self.fail(&why);
        } else {
            self.look_at_premises();
        }
    }

    pub(super) fn look_at_premises(&mut self) {
        let sources = sources_of(self.plan.body.premises.iter().map(|premise| &premise.check));
        let poll = self.look(sources, limits::VERIFY_POLL_MS, limits::VERIFY_DEADLINE_MS);
        self.phase = Phase::Premises(poll);
    }

    fn read(&mut self, ticket: u64, source: &SourceKey, outcome: Result<crate::wire::probe::Facts, Clean>) {
        let Some(poll) = self.phase.poll() else { return };
        let PollState::Looking { ticket: awaited, waiting_for, .. } = &mut poll.state else { return };
        if *awaited != ticket || !waiting_for.remove(source) {
            return; // an answer to an earlier look
        }
        let is_complete = waiting_for.is_empty();
        self.readings.take(source, outcome);
        if is_complete {
            self.looked();
        }
    }

    fn tick(&mut self) {
        let now = self.now.mono;
        if let Phase::Act(Act { stage: Stage::Sent { ticket, until, .. }, .. }) = &self.phase {
            if now >= *until {
                let ticket = *ticket;
                self.reply_lost(ticket, &"no answer in time".into());
            }
            return;
        }
        match self.phase.poll().map(|poll| &poll.state) {
            Some(PollState::Looking { until, .. }) if now >= *until => self.looked(),
            Some(PollState::Pausing { until }) if now >= *until => self.look_again(),
            _ => {}
        }
    }

    /// A look is complete: judge what was seen.
    fn looked(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Premises(poll) => self.saw_premises(poll),
            Phase::Recovering(poll) => self.saw_after_crash(poll),
            Phase::Act(act) => self.saw_act(act),
            Phase::Wait { step, poll } => self.saw_wait(step, poll),
            // What is forgotten before the last word is told again, too.
            Phase::Survey { ending, .. } if ending.kind != EndingKind::NeedsOperator && self.tells_anew(None) => {}
            Phase::Survey { ending, .. } => self.close(*ending),
            other => self.phase = other,
        }
    }

    /// It is to end: the present step is finished or undone, then everything before it.
    fn stop(&mut self, why: &str, entry: Entry) {
        if self.abort.is_some() || matches!(self.phase, Phase::Survey { .. } | Phase::Closing { .. } | Phase::Ended) {
            return;
        }
        self.abort = Some(Clean::line(why));
        // Before the first record there is no journal; the flag is enough.
        if self.phase != Phase::New {
            self.record(entry);
        }
        if self.back.is_some() {
            return; // it is being undone already
        }
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Premises(_) | Phase::Wait { .. } => self.fail(&format!("{why}.")),
            Phase::Act(act) => self.abort_act(act),
            // Waiting for the journal or reading after a crash: decided when that is over.
            other => self.phase = other,
        }
    }

    /// Why it is to stop, as a sentence.
    fn why_abort(&self) -> Option<String> {
        self.abort.as_ref().map(|why| format!("{why}."))
    }

    /// What the newest look saw while it waits, one line a check; nothing while it does not wait.
    pub fn seen_while_waiting(&self) -> &[Clean] {
        if matches!(self.phase, Phase::Wait { .. }) { &self.looked_at } else { &[] }
    }

    /// What stopping would do at this moment, for the line under the title.
    pub fn if_stopped_now(&self) -> Clean {
        if matches!(self.phase, Phase::Survey { .. } | Phase::Closing { .. } | Phase::Ended) {
            return "It is over.".into();
        }
        if self.back.is_some() {
            return "It is being undone already.".into();
        }
        if self.is_beyond_return() {
            return "A step that cannot be undone is done: stopping leaves the rest to you.".into();
        }
        if let Phase::Act(Act { breath, stage: Stage::Announced { .. } | Stage::Sent { .. }, .. }) = &self.phase
            && !(breath.answered.is_empty() && breath.rest.is_empty())
        {
            return "Several requests leave in one breath: stopping waits for their end.".into();
        }
        let is_undoable = |state: &StepState| matches!(state, StepState::Done | StepState::InDoubt(_));
        let kept = self.kept();
        let steps = self.steps.iter().enumerate().skip(kept);
        let mut numbers: Vec<usize> = steps.filter(|(_, state)| is_undoable(state)).map(|(at, _)| at + 1).collect();
        if let Phase::Act(Act { step, stage: Stage::Sent { .. } | Stage::Verify(_) | Stage::Settle { .. }, .. }) =
            &self.phase
        {
            numbers.push(step + 1);
        }
        match numbers[..] {
            [] if kept > 0 => Clean::line(&format!("Stopping leaves what was done up to step {kept}.")),
            [] => "Nothing has been changed: stopping leaves everything as it is.".into(),
            [only] => Clean::line(&format!("Stopping undoes step {only}.")),
            _ => {
                let words: Vec<String> = numbers.iter().rev().map(usize::to_string).collect();
                Clean::line(&format!("Stopping undoes steps {}.", words.join(", ")))
            }
        }
    }

    // What every phase uses.

    /// Writes a record; returns its number.
    fn record(&mut self, entry: Entry) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.out.push(RunCommand::Journal(Box::new(Record { seq, at: self.now, entry })));
        seq
    }

    fn step_ended(&mut self, step: usize, direction: Direction, outcome: Outcome, how: &Clean, began: Mono) {
        let elapsed_ms = self.now.mono.since_ms(began);
        self.record(Entry::StepEnded { step, direction, outcome, how: how.clone(), elapsed_ms });
    }

    /// The write of a step; the lint sees to it that an act's step is one.
    fn write(&self, step: usize) -> Option<&Write> {
        self.plan.body.steps.get(step).and_then(crate::plan::parts::Step::write)
    }

    fn all_sources(&self) -> BTreeSet<SourceKey> {
        self.plan.body.sources.iter().map(|source| (source.node.clone(), source.probe)).collect()
    }

    /// How many of the first steps stay done whatever happens: up to the last wait that held and keeps them.
    fn kept(&self) -> usize {
        let keeps = |index: &usize| {
            let is_held = self.steps[*index] == StepState::Waited && !self.late[*index];
            let action = self.plan.body.steps.get(*index).map(|step| &step.action);
            is_held && matches!(action, Some(Action::Wait(wait)) if wait.keeps)
        };
        (0..self.steps.len()).rev().find(keeps).map_or(0, |last| last + 1)
    }

    fn is_beyond_return(&self) -> bool {
        let steps = self.steps.iter().zip(&self.plan.body.steps);
        steps.skip(self.kept()).any(|(state, step)| *state == StepState::Done && step.is_irreversible())
    }

    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    fn wait_until(&mut self, until: Mono) {
        self.out.push(RunCommand::Wait { until });
    }

    /// Begins to poll.
    fn look(&mut self, sources: BTreeSet<SourceKey>, poll_ms: u64, deadline_ms: u64) -> Poll {
        let deadline = self.now.mono.plus_ms(deadline_ms);
        let state = self.send_reads(&sources);
        Poll { sources, every_ms: poll_ms, deadline, held: 0, state }
    }

    fn send_reads(&mut self, sources: &BTreeSet<SourceKey>) -> PollState {
        let ticket = self.ticket();
        self.readings.turn(sources, self.now.mono);
        let mut longest_ms = 0;
        for (node, probe) in sources {
            let requests = self.plan.source(node, *probe).map(|source| source.requests.clone()).unwrap_or_default();
            longest_ms = longest_ms.max(requests.iter().map(|request| request.deadline_ms).sum());
            self.out.push(RunCommand::Read { ticket, node: node.clone(), probe: *probe, requests });
        }
        let until = self.now.mono.plus_ms(longest_ms + GRACE_MS);
        self.wait_until(until);
        PollState::Looking { ticket, waiting_for: sources.clone(), until }
    }

    fn look_again(&mut self) {
        let Some(sources) = self.phase.poll().map(|poll| poll.sources.clone()) else { return };
        let state = self.send_reads(&sources);
        if let Some(poll) = self.phase.poll() {
            poll.state = state;
        }
    }

    /// The same poll, until its next look; the last one comes at the deadline.
    fn pause(&mut self, mut poll: Poll) -> Poll {
        let until = self.now.mono.plus_ms(poll.every_ms).min(poll.deadline.max(self.now.mono.plus_ms(1)));
        poll.state = PollState::Pausing { until };
        self.wait_until(until);
        poll
    }

    fn is_late(&self, poll: &Poll) -> bool {
        self.now.mono >= poll.deadline
    }

    /// The journal cannot be written: nothing may be sent any more, not even an undo.
    fn journal_failed(&mut self, why: &Clean) {
        if self.phase == Phase::Ended {
            return;
        }
        let (kind, words) = if self.sent {
            (EndingKind::NeedsOperator, format!("The journal cannot be written any more: {why}."))
        } else {
            (EndingKind::Stopped, format!("The journal cannot be written: {why}. Nothing was changed."))
        };
        let ending = self.compose(kind, &words);
        self.phase = Phase::Ended;
        self.out.push(RunCommand::End(Box::new(self.with_facts(ending))));
    }
}

impl Phase {
    fn poll(&mut self) -> Option<&mut Poll> {
        match self {
            Self::Premises(poll)
            | Self::Recovering(poll)
            | Self::Wait { poll, .. }
            | Self::Survey { poll, .. }
            | Self::Act(Act { stage: Stage::Look(poll) | Stage::Verify(poll) | Stage::Settle { poll, .. }, .. }) => {
                Some(poll)
            }
            _ => None,
        }
    }
}
