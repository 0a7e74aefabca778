//! The followed run as lines: its steps while it goes on and its ending, or everything it wrote down as prose.

use super::{
    App,
    following::{Following, Stop},
    meaning::{Line, Meaning, Span, plain_text},
};
use crate::{
    model::time::Wall,
    plan::{Plan, text},
    run::{
        Ending, EndingKind, Entry, Mark, Outcome, Progress, Record, duration,
        story::{Told, operator_words},
    },
};
use unicode_width::UnicodeWidthStr;

/// Words behind a step stand in its line up to this width.
const ASIDE_MAX: usize = 30;

/// Lines of bounded width.
struct Page {
    width: usize,
    unicode: bool,
    lines: Vec<Line>,
}

impl Page {
    fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Vec::new());
        }
    }

    fn heading(&mut self, words: &str) {
        self.blank();
        self.lines.push(vec![Span::new(words, Meaning::Heading)]);
    }

    /// Text of one meaning behind a head; its other lines stand under the text.
    fn text(&mut self, head: &Span, words: &str, meaning: Meaning) {
        let indent = plain_width(head);
        let room = self.width.saturating_sub(indent).max(10);
        for (index, part) in wrapped(words, room).into_iter().enumerate() {
            let head = if index == 0 { head.clone() } else { Span::plain(" ".repeat(indent)) };
            self.lines.push(vec![head, Span::new(part, meaning)]);
        }
    }

    fn mark(&self, mark: Mark) -> &'static str {
        if self.unicode { mark.glyph() } else { mark.ascii() }
    }
}

/// Columns of a span; the mark of a sign takes one.
fn plain_width(span: &Span) -> usize {
    let sign = usize::from(span.text.starts_with(super::meaning::SIGN));
    span.text.trim_start_matches(super::meaning::SIGN).width() + sign
}

/// Breaks text at spaces.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    for word in text.split(' ') {
        if !part.is_empty() && part.width() + 1 + word.width() > room {
            parts.push(std::mem::take(&mut part));
        }
        if !part.is_empty() {
            part.push(' ');
        }
        part.push_str(word);
    }
    parts.push(part);
    parts
}

/// What the view of the followed run shows at that width.
pub(crate) fn lines(app: &App, width: u16) -> Vec<Line> {
    let Some(following) = &app.following else { return Vec::new() };
    let mut page = Page { width: usize::from(width), unicode: app.options.unicode, lines: Vec::new() };
    if following.story {
        // There is a plan as soon as there is a record.
        if let Some(progress) = &following.progress {
            following.records.iter().for_each(|record| tell(&mut page, app, &progress.plan, record));
        }
        if following.records.is_empty() {
            page.text(&Span::plain(""), "Nothing is written down yet.", Meaning::Dim);
        }
        return page.lines;
    }
    head(&mut page, app, following);
    if let Some(progress) = &following.progress {
        steps(&mut page, progress, app.now.wall, following);
        if let Some(ending) = &progress.ending {
            end(&mut page, following, ending);
        }
    }
    page.lines
}

/// How it stands, and what stopping would do.
fn head(page: &mut Page, app: &App, following: &Following) {
    let Some(progress) = &following.progress else {
        let (words, meaning) = match &following.vanished {
            Some(why) => (format!("It cannot be followed: {why}"), Meaning::Warn),
            None if following.is_ours => {
                ("Starting: the lock is taken and the journal is opened.".to_owned(), Meaning::Text)
            }
            None => ("Its journal is being read.".to_owned(), Meaning::Text),
        };
        page.text(&Span::plain(""), &words, meaning);
        return;
    };
    let settled = following.resolved().map(|(by, why)| format!("Settled by {by}: {why}"));
    let meaning = match (&following.vanished, &progress.ending) {
        _ if settled.is_some() => Meaning::Standby,
        (Some(_), _) => Meaning::Crit,
        (None, Some(ending)) => of_kind(ending.kind),
        (None, None) if progress.unwinding.is_some() || progress.stop_asked => Meaning::Warn,
        (None, None) => Meaning::Accent,
    };
    match &following.vanished {
        _ if settled.is_some() => {
            page.text(&Span::signed(" ", meaning), settled.as_deref().unwrap_or_default(), meaning);
        }
        Some(why) => {
            let words = format!("Interrupted: its executor is gone without an ending. {why}");
            page.text(&Span::signed(" ", meaning), &words, meaning);
            page.text(&Span::plain("  "), "c resumes it, b rolls it back, D marks it as settled.", Meaning::Key);
        }
        None if meaning == Meaning::Accent => {
            page.text(&Span::plain(""), progress.sentence().as_str(), meaning);
        }
        None => page.text(&Span::signed(" ", meaning), progress.sentence().as_str(), meaning),
    }
    let until = if following.goes_on() { app.now.wall } else { progress.last_at };
    let took = duration(progress.elapsed_ms(until));
    let so_far = if following.goes_on() { "so far" } else { "in all" };
    let begun = clock(app, progress.opened_at);
    let who = &progress.operator.login;
    let reason = progress.plan.body.intent.reason.as_ref().map(|reason| format!(" · {reason}")).unwrap_or_default();
    page.text(&Span::plain(""), &format!("Begun {begun} by {who} · {took} {so_far}{reason}"), Meaning::Dim);
    if following.goes_on() {
        let would = following.stop_would.as_ref().map(ToString::to_string).unwrap_or_default();
        if following.stop == Stop::Asking {
            let words = format!("Stop it? {would} Press S once more to stop; any other key lets it go on.");
            page.text(&Span::signed(" ", Meaning::Warn), &words, Meaning::Warn);
        } else if following.stop == Stop::Sent || progress.stop_asked {
            page.text(&Span::plain(""), "Stopping was asked for; it stops as soon as it is safe.", Meaning::Warn);
        } else {
            if progress.holding().is_some() {
                let words = "says that it stays; without that it goes back by itself.";
                page.text(&Span::new("Y ", Meaning::Key), words, Meaning::Text);
            }
            page.text(&Span::new("S ", Meaning::Key), &format!("stops it safely. {would}"), Meaning::Text);
        }
    }
    page.blank();
}

fn of_kind(kind: EndingKind) -> Meaning {
    match kind {
        EndingKind::Reached => Meaning::Ok,
        EndingKind::RolledBack | EndingKind::Stopped => Meaning::Warn,
        EndingKind::NeedsOperator => Meaning::Crit,
    }
}

fn of_mark(mark: Mark) -> Meaning {
    match mark {
        Mark::None => Meaning::Text,
        Mark::Active => Meaning::Accent,
        Mark::Good => Meaning::Ok,
        Mark::Warn | Mark::Undone => Meaning::Warn,
        Mark::Bad => Meaning::Crit,
        Mark::Skipped => Meaning::Dim,
        Mark::Unknown => Meaning::Unknown,
    }
}

/// The plan's steps with what each has come to, and under the one that waits what was seen last.
fn steps(page: &mut Page, progress: &Progress, now: Wall, following: &Following) {
    let is_interrupted = following.vanished.is_some();
    for (index, step) in progress.plan.body.steps.iter().enumerate() {
        let (mark, words) = match progress.words(index, now) {
            (Mark::Active, _) if is_interrupted => (Mark::Unknown, "interrupted here".to_owned()),
            told => told,
        };
        let meaning = of_mark(mark);
        let head = format!("{} {:>2} ", page.mark(mark), index + 1);
        let title = step.title.as_str();
        let title_meaning = if mark == Mark::Skipped { Meaning::Dim } else { Meaning::Text };
        let room = page.width.saturating_sub(head.width() + title.width() + 2);
        if words.width() <= room.min(ASIDE_MAX) && head.width() + title.width() <= page.width {
            let gap = room - words.width() + 2;
            let mut line = vec![Span::new(head, meaning), Span::new(title, title_meaning)];
            if !words.is_empty() {
                line.push(Span::new(format!("{}{words}", " ".repeat(gap)), meaning));
            }
            page.lines.push(line);
        } else {
            let indent = " ".repeat(head.width());
            page.text(&Span::new(head, meaning), title, title_meaning);
            page.text(&Span::plain(indent), &words, meaning);
        }
        if mark == Mark::Active {
            for line in &following.seen {
                page.text(&Span::plain(" ".repeat(5)), line.as_str(), Meaning::Dim);
            }
        }
    }
}

/// What is to be known once it is over.
fn end(page: &mut Page, following: &Following, ending: &Ending) {
    if !ending.notes.is_empty() {
        page.heading("Besides");
        for note in &ending.notes {
            page.text(&Span::plain("  "), note.as_str(), Meaning::Text);
        }
    }
    page.heading("What is true now");
    for line in &ending.now_true {
        page.text(&Span::plain("  "), line.as_str(), Meaning::Text);
    }
    if !ending.type_next.is_empty() {
        page.heading("What to type");
        for line in &ending.type_next {
            page.text(&Span::plain("  "), line.as_str(), Meaning::Key);
        }
        page.text(&Span::plain("  "), "Here: c resumes it, b rolls it back, D marks it as settled.", Meaning::Key);
    }
    page.blank();
    page.text(&Span::plain(""), &format!("The record: vakt runs show {}", following.run), Meaning::Dim);
}

/// A record in a sentence, with what it rests on below: the words of `vakt runs show`.
fn tell(page: &mut Page, app: &App, plan: &Plan, record: &Record) {
    let head = Span::dim(format!("{}  ", clock(app, record.at.wall)));
    let told = Told::of(record, plan);
    page.text(&head, &told.words, meaning_of(&record.entry));
    let indent = Span::plain(" ".repeat(12));
    if let Entry::Opened(opening) = &record.entry {
        let by = format!("by {}", operator_words(&opening.operator));
        page.text(&indent, &by, Meaning::Dim);
        page.text(&indent, &text::command_line(&plan.body.intent), Meaning::Dim);
    }
    for line in &told.below {
        page.text(&indent, line.as_str(), Meaning::Dim);
    }
    if let Some(request) = told.request {
        page.text(&indent, &request.to_string(), Meaning::Text);
    }
    if let Some(words) = &told.glass {
        page.text(&indent, words, Meaning::Warn);
    }
}

/// How good or bad the news of a record is.
fn meaning_of(entry: &Entry) -> Meaning {
    match entry {
        Entry::Opened(_) | Entry::PremisesHeld { .. } | Entry::StepBegun { .. } => Meaning::Text,
        Entry::StepEnded { outcome: Outcome::Done, .. }
        | Entry::StepFound { .. }
        | Entry::Kept { .. }
        | Entry::WaitEnded { late: false, .. } => Meaning::Ok,
        Entry::StepEnded { outcome: Outcome::NotDone, .. } => Meaning::Crit,
        Entry::StepEnded { outcome: Outcome::Unknown, .. } => Meaning::Unknown,
        Entry::WaitEnded { late: true, .. }
        | Entry::AbortAsked
        | Entry::Forgotten { .. }
        | Entry::Holding { .. }
        | Entry::Unwinding { .. }
        | Entry::LockLost { .. }
        | Entry::Recovered { .. } => Meaning::Warn,
        Entry::Resolved { .. } => Meaning::Standby,
        Entry::Ended(ending) => of_kind(ending.kind),
    }
}

/// Everything that is shown, as text for the clipboard.
pub(crate) fn summary(app: &App) -> String {
    let Some(following) = &app.following else { return String::new() };
    let head = format!("{}: {} ({})", app.inventory.cluster, following.title, following.run);
    let lines = lines(app, 116).into_iter().map(|line| plain_text(&line));
    std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
}

/// `14:03:22`, in the zone of this console.
pub(crate) fn clock(app: &App, wall: Wall) -> String {
    jiff::Timestamp::from_millisecond(wall.0).map_or_else(
        |_| "??:??:??".to_owned(),
        |stamp| stamp.to_zoned(app.options.zone.clone()).strftime("%H:%M:%S").to_string(),
    )
}
