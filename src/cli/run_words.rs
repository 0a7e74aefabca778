//! What happens in a run, line by line, in the words of its plan.

use crate::{
    plan::{Plan, parts::Step},
    run::{Direction, Ending, EndingKind, Entry, Outcome, Record},
};
use std::fmt::Write;

/// The line for a record; `None` for one that says nothing new to a reader.
pub(super) fn line(plan: &Plan, record: &Record) -> Option<String> {
    let title = |step: usize| {
        let title = plan.body.steps.get(step).map_or("", |step: &Step| step.title.as_str());
        format!("{}. {title}", step + 1)
    };
    Some(match &record.entry {
        Entry::Opened(_) | Entry::StepBegun { .. } | Entry::Ended(_) => return None,
        Entry::PremisesHeld { .. } => "✓ everything it rests on still holds".to_owned(),
        Entry::StepEnded { step, direction, outcome, how, elapsed_ms } => match (direction, outcome) {
            (Direction::Forward, Outcome::Done) => format!("✓ {} · {elapsed_ms} ms", title(*step)),
            (Direction::Back, Outcome::Done) => format!("↶ undone: {} · {elapsed_ms} ms", title(*step)),
            (Direction::Forward, Outcome::NotDone) => format!("✗ not done: {}: {how}", title(*step)),
            (Direction::Back, Outcome::NotDone) => format!("✗ not undone: {}: {how}", title(*step)),
            (_, Outcome::Unknown) => format!("? unknown: {}: {how}", title(*step)),
        },
        Entry::StepFound { step, direction: Direction::Forward, .. } => format!("✓ {} · was so already", title(*step)),
        Entry::StepFound { step, direction: Direction::Back, .. } => {
            format!("↶ nothing to undo: {} · was so already", title(*step))
        }
        Entry::WaitEnded { step, late: false, .. } => format!("✓ {}", title(*step)),
        Entry::WaitEnded { step, late: true, .. } => format!("! out of time: {}", title(*step)),
        Entry::Forgotten { why, .. } => format!("! {why}; it is told again"),
        Entry::Holding { step, until } => format!(
            "… {}\n    back at {}, unless: vakt runs keep {}",
            title(*step),
            super::runs::moment(*until),
            plan.id
        ),
        Entry::Kept { operator, .. } => format!("✓ {} says that it stays", operator.login),
        Entry::AbortAsked => "! asked to stop".to_owned(),
        Entry::LockLost { why } => format!("! the lock was lost: {why}"),
        Entry::Unwinding { why } => format!("↶ {why} What was done is undone."),
        Entry::Recovered { choice, operator, .. } => {
            let what = match choice {
                crate::run::Recovery::Resume => "to go on",
                crate::run::Recovery::RollBack => "to undo it",
            };
            format!("· taken up by {} {what}", operator.login)
        }
        Entry::Resolved { operator, why } => format!("· {} declared it settled: {why}", operator.login),
    })
}

/// The ending, what is true now, and what to type.
pub(super) fn ending(ending: &Ending) -> String {
    let mut text = String::new();
    let word = ending.kind.word();
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    // Writing into a string cannot fail.
    let _ = writeln!(text, "\n{first}{}: {}", letters.as_str(), ending.why);
    for note in &ending.notes {
        let _ = writeln!(text, "  {note}");
    }
    if !ending.now_true.is_empty() {
        let _ = writeln!(text, "\nTrue now");
    }
    for line in &ending.now_true {
        let _ = writeln!(text, "  {line}");
    }
    if ending.kind == EndingKind::NeedsOperator {
        let _ = writeln!(text, "\nType one of");
        for line in &ending.type_next {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}
