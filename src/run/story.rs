//! A run as prose: everything its journal says, in the order in which it happened.

use super::{
    journal::{Journal, Tail},
    progress::duration,
    record::{BrokeGlass, Direction, Entry, Opening, Operator, Outcome, Record, Recovery},
    summary::RunState,
};
use crate::{
    model::{
        text::Clean,
        time::{Now, Wall},
    },
    plan::{
        Plan,
        text::{Page, command_line},
    },
    wire::request::Request,
};
use jiff::tz::TimeZone;

/// Where the text of a record begins, behind its time.
const INDENT: usize = 15;

/// The whole story of a journal; `lives` tells whether its executor does. Times are those of the bastion's clock, in
/// `zone`; requests stand byte for byte.
pub fn story(journal: &Journal, lives: bool, zone: &TimeZone, width: usize) -> String {
    let mut page = Page::new(width);
    let state = RunState::of(journal, lives);
    match journal.records.first().map(|record| (record.at, &record.entry)) {
        Some((at, Entry::Opened(opening))) => {
            opened(&mut page, opening, at, &state, zone);
            page.blank();
            page.prose(0, "What happened");
            for record in &journal.records {
                tell(&mut page, record, &opening.plan, zone);
            }
        }
        _ => page.prose(0, "The journal does not begin with a plan."),
    }
    match &journal.tail {
        Tail::Whole => {}
        Tail::Torn { record, .. } => {
            page.blank();
            page.prose(
                0,
                &format!("Record {record} was being written when the process ended; nothing followed from it."),
            );
        }
        Tail::Damaged(damage) => {
            page.blank();
            page.prose(0, &format!("The journal is damaged: {damage}. What follows is not shown."));
        }
    }
    next(&mut page, journal, &state);
    page.text
}

fn opened(page: &mut Page, opening: &Opening, at: Now, state: &RunState, zone: &TimeZone) {
    let body = &opening.plan.body;
    page.prose(0, body.title.as_str());
    page.blank();
    page.prose(2, &format!("Run {}: {}.", opening.plan.id, state.word()));
    page.prose(2, &format!("Begun by {} on {}.", operator_words(&opening.operator), date(at.wall, zone)));
    match &body.intent.reason {
        Some(reason) => page.prose(2, &format!("Reason: {reason}")),
        None => page.prose(2, "No reason was given."),
    }
    page.command(2, &command_line(&body.intent));
}

/// "eva from 192.0.2.7, through sudo as ola".
pub fn operator_words(operator: &Operator) -> String {
    let client = operator.ssh_client.as_ref().map(|client| format!(" from {client}")).unwrap_or_default();
    let sudo = operator.sudo_user.as_ref().map(|user| format!(", through sudo by {user}")).unwrap_or_default();
    format!("{}{client}{sudo}", operator.login)
}

fn date(wall: Wall, zone: &TimeZone) -> String {
    formatted(wall, zone, "%Y-%m-%d at %H:%M:%S %Z")
}

fn formatted(wall: Wall, zone: &TimeZone, format: &str) -> String {
    let stamp = jiff::Timestamp::from_millisecond(wall.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    stamp.to_zoned(zone.clone()).strftime(format).to_string()
}

/// What a record says. The console and the command line print it, each in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<'r> {
    /// A sentence.
    pub words: String,
    /// What it rests on, one line each.
    pub below: Vec<Clean>,
    /// What is sent, byte for byte.
    pub request: Option<&'r Request>,
    /// That somebody acted although the lock was held, and why.
    pub glass: Option<String>,
}

impl<'r> Told<'r> {
    /// What the record says, in the words of its plan.
    pub fn of(record: &'r Record, plan: &Plan) -> Self {
        let say = |words: String, below: &[Clean]| Self { words, below: below.to_vec(), request: None, glass: None };
        match &record.entry {
            Entry::Opened(opening) => {
                let glass = opening.broke_glass.as_ref().map(glass_words);
                Self { glass, ..say("The run was opened.".to_owned(), &[]) }
            }
            Entry::PremisesHeld { seen } => {
                say("Everything the plan rests on was read again and held.".to_owned(), seen)
            }
            Entry::StepBegun { step, direction, node, request, seen, .. } => {
                let words = format!("{}: about to send to {node}", step_words(plan, *step, *direction));
                Self { request: Some(request), ..say(words, seen) }
            }
            Entry::StepEnded { step, direction, outcome, how, elapsed_ms } => {
                let words = step_words(plan, *step, *direction);
                let took = duration(*elapsed_ms);
                say(format!("{words}: {} after {took}: {how}", outcome_word(*outcome)), &[])
            }
            Entry::StepFound { step, direction, seen } => {
                say(format!("{}: it was so already, nothing was sent", step_words(plan, *step, *direction)), seen)
            }
            Entry::WaitEnded { step, late, seen } => {
                let how = if *late { "the time ran out" } else { "it holds" };
                say(format!("{}: {how}", step_words(plan, *step, Direction::Forward)), seen)
            }
            Entry::Forgotten { steps, why } => {
                let below: Vec<Clean> =
                    steps.iter().map(|step| Clean::line(&step_words(plan, *step, Direction::Forward))).collect();
                say(format!("{why}. It is told again."), &below)
            }
            Entry::Holding { step, .. } => say(
                format!("{}: it goes back without an operator's word", step_words(plan, *step, Direction::Forward)),
                &[],
            ),
            Entry::Kept { operator, .. } => say(format!("{} says that it stays.", operator_words(operator)), &[]),
            Entry::AbortAsked => say("The operator asked to stop.".to_owned(), &[]),
            Entry::LockLost { why } => say(format!("The lock was lost: {why}."), &[]),
            Entry::Unwinding { why } => say(format!("From here on what was done is undone. {why}"), &[]),
            Entry::Recovered { choice, operator, broke_glass } => {
                let choice = match choice {
                    Recovery::Resume => "to go on",
                    Recovery::RollBack => "to roll back",
                };
                let words = format!("Taken up again by {}, {choice}.", operator_words(operator));
                Self { glass: broke_glass.as_ref().map(glass_words), ..say(words, &[]) }
            }
            Entry::Ended(ending) => say(format!("The run ended: {}. {}", ending.kind, ending.why), &ending.notes),
            Entry::Resolved { operator, why } => {
                say(format!("Declared settled by {}: {why}", operator_words(operator)), &[])
            }
        }
    }
}

/// One record, behind its time.
fn tell(page: &mut Page, record: &Record, plan: &Plan, zone: &TimeZone) {
    let time = formatted(record.at.wall, zone, "%H:%M:%S%.3f");
    let told = Told::of(record, plan);
    page.row(0, &format!("{time:<w$}", w = INDENT - 1), &told.words);
    for line in &told.below {
        page.row(INDENT, "-", line.as_str());
    }
    if let Some(request) = told.request {
        page.request(INDENT, "send", request);
    }
    if let Some(words) = &told.glass {
        page.prose(INDENT, words);
    }
}

fn glass_words(BrokeGlass { why, held_by }: &BrokeGlass) -> String {
    let holder = if held_by.is_empty() { "somebody who did not say who it is" } else { held_by.as_str() };
    format!("The lock was held by {holder}. It was broken: {why}")
}

/// "Step 1, lb01: no new sessions for web03", or the same "undone".
fn step_words(plan: &Plan, step: usize, direction: Direction) -> String {
    let title = plan.body.steps.get(step).map_or("unknown", |step| step.title.as_str());
    match direction {
        Direction::Forward => format!("Step {}, {title}", step + 1),
        Direction::Back => format!("Undoing step {}, {title}", step + 1),
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::NotDone => "not done",
        Outcome::Unknown => "nobody can say whether it was done,",
    }
}

/// What is true, and what a person can do.
fn next(page: &mut Page, journal: &Journal, state: &RunState) {
    let last = journal.records.iter().rev().find_map(|record| match &record.entry {
        Entry::Ended(ending) => Some(ending),
        _ => None,
    });
    if let Some(ending) = last.filter(|ending| !ending.now_true.is_empty()) {
        page.blank();
        page.prose(0, "What was true at the end");
        for line in &ending.now_true {
            page.row(2, "-", line.as_str());
        }
    }
    let Some(Entry::Opened(opening)) = journal.records.first().map(|record| &record.entry) else { return };
    let id = &opening.plan.id;
    let lines: Vec<Clean> = match state {
        RunState::Running => vec![Clean::line(&format!("vakt runs attach {id}"))],
        RunState::Interrupted => {
            ["resume {id}", "rollback {id}", "resolve {id} --reason '…', once it is as it should be"]
                .map(|line| Clean::line(&format!("vakt runs {}", line.replace("{id}", id.as_str()))))
                .to_vec()
        }
        RunState::Ended { .. } => last.map(|ending| ending.type_next.clone()).unwrap_or_default(),
        RunState::Resolved { .. } | RunState::Damaged(_) => Vec::new(),
    };
    if !lines.is_empty() {
        page.blank();
        page.prose(0, "What to type");
        for line in &lines {
            page.command(2, line.as_str());
        }
    }
}
