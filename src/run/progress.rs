//! How far a run is, folded from its records: what every step has come to, what is being done or waited for, how it
//! ended. The run screen, `vakt do` and `vakt runs show` say it with the same words.
//!
//! Durations between processes come from the bastion's wall clock, because a console, an executor and the executor that
//! takes a run up again each count from a start of their own.

use super::{
    ending::Ending,
    machine::waits_behind,
    record::{Direction, Entry, Operator, Outcome, Record, Recovery},
};
use crate::{
    model::{
        text::Clean,
        time::{Mono, Wall},
    },
    plan::{
        Plan,
        parts::{Action, Need, When},
    },
};
use serde::{Deserialize, Serialize};

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is carried out.
    pub plan: Plan,
    /// Who began it.
    pub operator: Operator,
    /// When its first record was written.
    pub opened_at: Wall,
    /// When its newest record was written.
    pub last_at: Wall,
    /// One entry a step of the plan, in its order.
    pub steps: Vec<StepProgress>,
    /// Whether the premises were read again and held.
    pub premises_held: bool,
    /// Whether an operator asked to stop.
    pub stop_asked: bool,
    /// When it goes back without an operator's word, while or after it waited for one; by the bastion's clock.
    pub holds_until: Option<Wall>,
    /// Who said that it stays.
    pub kept_by: Option<Operator>,
    /// Why everything that was done is being undone, or was.
    pub unwinding: Option<Clean>,
    /// The last time it was taken up again: which way, and who.
    pub recovered: Option<(Recovery, Operator)>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// The last record, by the clock of the process that wrote it.
    last_mono: Mono,
    /// It was taken up again to go on, and has not begun anything since.
    taking_up: bool,
}

/// What a step has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepProgress {
    /// Its turn has not come.
    Pending,
    /// Its turn has come: looked at, sent, read back, or waited for.
    Active {
        /// Doing or undoing.
        direction: Direction,
        /// Whether the request's record is written: it has been sent, or is about to be.
        sent: bool,
        /// Since when, by the bastion's clock.
        since: Wall,
    },
    /// A branch that was not taken.
    Skipped,
    /// The world was already so: nothing was sent.
    Found,
    /// Sent, and seen.
    Done {
        /// From the record of its beginning.
        elapsed_ms: u64,
    },
    /// A wait that is over.
    Waited {
        /// How long.
        elapsed_ms: u64,
        /// Whether it ran out of time.
        late: bool,
    },
    /// Not sent, or sent without effect.
    NotDone {
        /// Why.
        why: Clean,
    },
    /// Nobody can say.
    Unknown {
        /// Why.
        why: Clean,
    },
    /// Done, and undone again.
    Undone {
        /// What undoing took; 0 where the world was already so.
        elapsed_ms: u64,
    },
    /// It should have been undone and was not.
    NotUndone {
        /// Why.
        why: Clean,
    },
}

/// The sign before a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// Nothing yet.
    None,
    /// Being done: `…`.
    Active,
    /// As it should be: `✓`.
    Good,
    /// Worth a look: `▲`.
    Warn,
    /// Failed: `✗`.
    Bad,
    /// Undone: `↩`.
    Undone,
    /// Not needed: `-`.
    Skipped,
    /// Unknown: `?`.
    Unknown,
}

impl Mark {
    /// The sign for terminals that show every character.
    pub fn glyph(self) -> &'static str {
        match self {
            Self::None => " ",
            Self::Active => "…",
            Self::Good => "✓",
            Self::Warn => "▲",
            Self::Bad => "✗",
            Self::Undone => "↩",
            Self::Skipped => "-",
            Self::Unknown => "?",
        }
    }

    /// The sign in ASCII.
    pub fn ascii(self) -> &'static str {
        match self {
            Self::None => " ",
            Self::Active => ".",
            Self::Good => "+",
            Self::Warn => "!",
            Self::Bad => "x",
            Self::Undone => "<",
            Self::Skipped => "-",
            Self::Unknown => "?",
        }
    }
}

impl Progress {
    /// Folds the records of one run, from the first on. Nothing when they do not begin with an opening.
    pub fn of(records: &[Record]) -> Option<Self> {
        let (first, rest) = records.split_first()?;
        let Entry::Opened(opening) = &first.entry else { return None };
        let mut progress = Self {
            plan: opening.plan.clone(),
            operator: opening.operator.clone(),
            opened_at: first.at.wall,
            last_at: first.at.wall,
            steps: vec![StepProgress::Pending; opening.plan.body.steps.len()],
            premises_held: false,
            stop_asked: false,
            holds_until: None,
            kept_by: None,
            unwinding: None,
            recovered: None,
            ending: None,
            last_mono: first.at.mono,
            taking_up: false,
        };
        for record in rest {
            progress.take(record);
        }
        Some(progress)
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        let waited_ms = record.at.mono.since_ms(self.last_mono);
        let since = record.at.wall;
        match &record.entry {
            Entry::PremisesHeld { .. } => self.premises_held = true,
            Entry::StepBegun { step, direction, .. } => {
                self.set(*step, StepProgress::Active { direction: *direction, sent: true, since });
            }
            Entry::StepEnded { step, direction, outcome, how, elapsed_ms } => {
                let (elapsed_ms, why) = (*elapsed_ms, how.clone());
                let state = match (direction, outcome) {
                    (Direction::Forward, Outcome::Done) => StepProgress::Done { elapsed_ms },
                    (Direction::Forward, Outcome::NotDone) => StepProgress::NotDone { why },
                    (Direction::Back, Outcome::Done) => StepProgress::Undone { elapsed_ms },
                    (Direction::Back, Outcome::NotDone) => StepProgress::NotUndone { why },
                    (_, Outcome::Unknown) => StepProgress::Unknown { why },
                };
                self.set(*step, state);
            }
            Entry::StepFound { step, direction, .. } => {
                let state = match direction {
                    Direction::Forward => StepProgress::Found,
                    Direction::Back => StepProgress::Undone { elapsed_ms: 0 },
                };
                self.set(*step, state);
            }
            Entry::WaitEnded { step, late, .. } => {
                self.set(*step, StepProgress::Waited { elapsed_ms: waited_ms, late: *late });
            }
            Entry::Forgotten { steps, .. } => self.begin_again(steps),
            Entry::Holding { until, .. } => self.holds_until = Some(*until),
            Entry::Kept { operator, .. } => self.kept_by = Some(operator.clone()),
            Entry::AbortAsked | Entry::LockLost { .. } => self.stop_asked = true,
            Entry::Unwinding { why } => self.unwinding = Some(why.clone()),
            Entry::Recovered { choice, operator, .. } => {
                self.recovered = Some((*choice, operator.clone()));
                // Who comes back to an ended run chooses anew.
                if self.ending.take().is_some() {
                    self.unwinding = None;
                }
                self.stop_asked = false;
                self.taking_up = *choice == Recovery::Resume && self.unwinding.is_none();
            }
            Entry::Ended(ending) => self.ending = Some((**ending).clone()),
            // The summary of the run says who settled it.
            Entry::Opened(_) | Entry::Resolved { .. } => {}
        }
        self.last_at = record.at.wall;
        self.last_mono = record.at.mono;
        let goes_on = matches!(
            record.entry,
            Entry::StepBegun { .. } | Entry::StepFound { .. } | Entry::WaitEnded { .. } | Entry::Unwinding { .. }
        );
        self.taking_up &= !goes_on;
        self.mark_active(since);
    }

    /// What a resumed run does again counts as not begun: steps without effect, and the waits behind the first of them.
    fn reopen(&mut self) {
        for step in &mut self.steps {
            if matches!(step, StepProgress::NotDone { .. } | StepProgress::Undone { .. } | StepProgress::Skipped) {
                *step = StepProgress::Pending;
            }
        }
        let steps = &self.plan.body.steps;
        let is_write = |index: &usize| steps[*index].write().is_some();
        let count = self.steps.len();
        let first_open = (0..count)
            .filter(is_write)
            .find(|index| self.steps[*index] == StepProgress::Pending && steps[*index].when == When::Always);
        let last_done = (0..count).filter(is_write).rfind(|at| matches!(self.steps[*at], StepProgress::Done { .. }));
        let from = first_open.or(last_done).unwrap_or(0);
        for (step, planned) in self.steps.iter_mut().zip(steps).skip(from) {
            let is_kept = self.kept_by.is_some() && planned.hold().is_some();
            if matches!(step, StepProgress::Waited { .. }) && !is_kept {
                *step = StepProgress::Pending;
            }
        }
    }

    /// What was forgotten counts as not begun, and so do the waits that look at those who have forgotten it.
    fn begin_again(&mut self, steps: &[usize]) {
        for step in waits_behind(&self.plan, steps) {
            if matches!(self.steps[step], StepProgress::Waited { .. }) {
                self.steps[step] = StepProgress::Pending;
            }
        }
        let first = steps.first().copied().unwrap_or(self.steps.len());
        for step in self.steps.iter_mut().skip(first).filter(|step| **step == StepProgress::Skipped) {
            *step = StepProgress::Pending;
        }
        for step in steps {
            self.set(*step, StepProgress::Pending);
        }
    }

    fn set(&mut self, step: usize, state: StepProgress) {
        if let Some(slot) = self.steps.get_mut(step) {
            *slot = state;
        }
    }

    /// Finds the step whose turn it is: looking and waiting leave no record of their beginning.
    fn mark_active(&mut self, since: Wall) {
        let mut before = None;
        for (index, step) in self.steps.iter_mut().enumerate() {
            if let StepProgress::Active { sent: false, since, .. } = step {
                before = Some((index, *since));
                *step = StepProgress::Pending;
            }
        }
        if self.ending.is_some() {
            return self.settle();
        }
        if self.taking_up {
            self.reopen();
        }
        let is_sent = self.steps.iter().any(|step| matches!(step, StepProgress::Active { .. }));
        if is_sent || self.unwinding.is_some() || !(self.premises_held || self.recovered.is_some()) {
            return;
        }
        let Some(next) = self.next_step() else { return };
        for step in 0..next {
            if self.steps[step] == StepProgress::Pending {
                self.steps[step] = StepProgress::Skipped;
            }
        }
        let since = before.filter(|(index, _)| *index == next).map_or(since, |(_, since)| since);
        self.steps[next] = StepProgress::Active { direction: Direction::Forward, sent: false, since };
    }

    /// The step that is next: the first one left whose condition holds.
    fn next_step(&self) -> Option<usize> {
        let is_late = |step: usize| matches!(self.steps.get(step), Some(StepProgress::Waited { late: true, .. }));
        (0..self.steps.len()).find(|index| {
            self.steps[*index] == StepProgress::Pending
                && match self.plan.body.steps[*index].when {
                    When::Always => true,
                    When::Late(decider) => is_late(decider),
                }
        })
    }

    /// At the end no step is on its way any more; branches that were not taken are told from steps that never came.
    fn settle(&mut self) {
        let reached = self.ending.as_ref().is_some_and(|ending| ending.kind == super::EndingKind::Reached);
        for step in &mut self.steps {
            match step {
                StepProgress::Active { .. } => {
                    *step = StepProgress::Unknown { why: "the run ended before it was seen".into() };
                }
                StepProgress::Pending if reached => *step = StepProgress::Skipped,
                _ => {}
            }
        }
    }

    /// The step whose turn it is.
    pub fn active(&self) -> Option<usize> {
        self.steps.iter().position(|step| matches!(step, StepProgress::Active { .. }))
    }

    /// From the first record to the last, or to `now` while it has no ending. Milliseconds.
    pub fn elapsed_ms(&self, now: Wall) -> u64 {
        let until = if self.ending.is_some() { self.last_at } else { now.max(self.last_at) };
        wall_ms(self.opened_at, until)
    }

    /// What stands behind a step: its sign, and what it has come to in a few words (`31 ms`; empty while its turn has
    /// not come). `now` is the bastion's clock, for how long something still may take.
    pub fn words(&self, step: usize, now: Wall) -> (Mark, String) {
        let Some(state) = self.steps.get(step) else { return (Mark::None, String::new()) };
        match state {
            StepProgress::Pending => (Mark::None, String::new()),
            StepProgress::Active { direction: Direction::Back, .. } => (Mark::Active, "being undone".to_owned()),
            StepProgress::Active { sent, since, .. } => (Mark::Active, self.active_words(step, *sent, *since, now)),
            StepProgress::Skipped => (Mark::Skipped, "not needed".to_owned()),
            StepProgress::Found => (Mark::Good, "was so already, nothing sent".to_owned()),
            StepProgress::Done { elapsed_ms } | StepProgress::Waited { elapsed_ms, late: false } => {
                (Mark::Good, duration(*elapsed_ms))
            }
            StepProgress::Waited { elapsed_ms, late: true } => {
                (Mark::Warn, format!("ran out of time after {}", duration(*elapsed_ms)))
            }
            StepProgress::NotDone { why } => (Mark::Bad, why.to_string()),
            StepProgress::Unknown { why } => (Mark::Unknown, format!("unknown: {why}")),
            StepProgress::Undone { elapsed_ms: 0 } => (Mark::Undone, "undone".to_owned()),
            StepProgress::Undone { elapsed_ms } => (Mark::Undone, format!("undone, {}", duration(*elapsed_ms))),
            StepProgress::NotUndone { why } => (Mark::Bad, format!("not undone: {why}")),
        }
    }

    fn active_words(&self, step: usize, sent: bool, since: Wall, now: Wall) -> String {
        let gone_ms = wall_ms(since, now);
        match &self.plan.body.steps[step].action {
            Action::Write(_) if sent => format!("sent, reading back, {}", duration(gone_ms)),
            Action::Write(_) => "looking before it is sent".to_owned(),
            Action::Wait(wait) if wait.is_hold() => self.holding_words(now),
            Action::Wait(wait) => {
                let mut words: Vec<String> = wait.until.checks.iter().map(|check| check.expect.to_string()).collect();
                words.dedup();
                let on = match (wait.until.need, wait.until.checks.len()) {
                    (_, 1) => "",
                    (Need::All | Need::Word, _) => " on each",
                    (Need::Any, _) => " on one of them",
                };
                let left = seconds(wait.until.deadline_ms.saturating_sub(gone_ms).div_ceil(1000));
                format!("until {}{on}; {left} left", words.join("; "))
            }
        }
    }

    fn holding_words(&self, now: Wall) -> String {
        match self.holds_until {
            Some(until) => format!("goes back in {}", seconds(wall_ms(now, until).div_ceil(1000))),
            None => "about to wait".to_owned(),
        }
    }

    /// Whether others may change something else while it waits for a word.
    pub fn lends_its_lock(&self) -> bool {
        self.plan.lends_its_lock()
    }

    /// Whether it waits for an operator's word now: the step, and when it goes back without one.
    pub fn holding(&self) -> Option<(usize, Wall)> {
        let step = self.active().filter(|step| self.plan.body.steps[*step].hold().is_some())?;
        Some((step, self.holds_until.filter(|_| self.kept_by.is_none() && self.unwinding.is_none())?))
    }

    /// A step as one line: `✓  1 lb01: no new sessions for web03 · 31 ms`.
    pub fn line(&self, step: usize, now: Wall) -> String {
        let (mark, words) = self.words(step, now);
        let title = self.plan.body.steps.get(step).map_or("", |step| step.title.as_str());
        let behind = if words.is_empty() { String::new() } else { format!(" · {words}") };
        format!("{} {:>2} {title}{behind}", mark.glyph(), step + 1)
    }

    /// What it is doing as a whole, in one sentence: under the title while it runs, instead of it at the end.
    pub fn sentence(&self) -> Clean {
        if let Some(ending) = &self.ending {
            return Clean::line(&format!("{}: {}", capital(ending.kind.word()), ending.why));
        }
        if let Some(why) = &self.unwinding {
            return Clean::line(&format!("It is being undone: {why}"));
        }
        match (self.active(), &self.recovered) {
            (Some(step), _) if !self.stop_asked && self.holding().is_some() => {
                let of = self.steps.len();
                Clean::line(&format!("Step {} of {of}: it goes back unless somebody says that it stays.", step + 1))
            }
            _ if self.stop_asked => "It was asked to stop, and does so as soon as it is safe.".into(),
            (Some(step), _) => Clean::line(&format!("Step {} of {}.", step + 1, self.steps.len())),
            (None, Some(_)) => "Taken up again; the world is being read before anything else.".into(),
            (None, None) if self.premises_held => "Every step is done; the world is read once more.".into(),
            (None, None) => "Reading again what the plan rests on.".into(),
        }
    }
}

/// Milliseconds between two readings of the bastion's clock; 0 where it was set back.
fn wall_ms(from: Wall, to: Wall) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0)
}

/// `31 ms`, `2.4 s`, `41 s`, `3 m 12 s`: durations of steps and runs.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => seconds(ms / 1000),
    }
}

/// `41 s`, `3 m 12 s`, `2 h 05 m`.
fn seconds(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
    }
}

/// The same text with a capital first letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
}
