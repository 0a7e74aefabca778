//! Plans and refusals as text: what `--plan` prints and the confirm screen shows, at any width.
//!
//! Prose is wrapped. Requests are not prose: a request that does not fit continues on the next line behind ` \`, only
//! at a space outside quotes, so that what is copied into a shell is still the same command.

use super::{
    expect::Check,
    parts::{Action, ConfirmBy, Need, OnLate, Plan, Step, Undo, Until, Wait, When, Write},
    refusal::{AlreadyThere, Refusal},
};
use crate::{
    model::{intent::Intent, text::Clean},
    wire::request::{Call, Request, shell_word},
};
use unicode_width::UnicodeWidthStr;

/// Narrowest text; below it lines are longer than the screen.
pub const WIDTH_MIN: usize = 40;

/// The line that does the same: `vakt do haproxy.drain web_cluster/web03 --deadline 60s`.
pub fn command_line(intent: &Intent) -> String {
    let words = intent.words();
    let quoted: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
    format!("vakt do {}", quoted.join(" "))
}

/// A plan, complete.
pub fn plan(plan: &Plan, width: usize) -> String {
    let body = &plan.body;
    let mut page = Page::new(width);
    page.prose(0, body.title.as_str());
    page.blank();
    for sentence in &body.effect {
        page.prose(2, sentence.as_str());
    }
    page.blank();
    page.prose(2, &summary(plan));
    page.prose(2, prompt(plan).as_str());
    page.blank();
    page.prose(0, "What it rests on, read again before the first write");
    for premise in &body.premises {
        let seen = format!("{} {} ago", premise.seen, seconds(premise.age_ms));
        let words =
            format!("{} · {} · {seen}, at most {}", premise.check, premise.tolerance(), seconds(premise.age_ms_max));
        page.row(2, "-", &words);
    }
    page.blank();
    page.prose(0, "Steps");
    for (index, step) in body.steps.iter().enumerate() {
        write_step(&mut page, index, step, body.point_of_no_return);
    }
    page.blank();
    page.prose(0, "How it is read back");
    for source in &body.sources {
        // Scripts and statements of probes are long, only look, and say nothing to an operator.
        let is_usual = |request: &&Request| {
            matches!(request.call, Call::Shell { .. } | Call::ShellWithin { .. } | Call::Sql { .. })
        };
        if source.requests.iter().any(|request| is_usual(&request)) {
            page.row(2, &format!("{:<6}", source.node), &format!("what vakt always reads: {}", source.probe));
        }
        for request in source.requests.iter().filter(|request| !is_usual(request)) {
            page.request(2, source.node.as_str(), request);
        }
    }
    page.blank();
    page.prose(0, "The same as a command");
    page.command(2, &command_line(&body.intent));
    page.blank();
    page.prose(0, &format!("Plan {}, runbook {}.", plan.id, body.runbook));
    page.text
}

/// How the operator starts it, as a sentence: "Type web03 to start: one server stays in traffic".
pub fn prompt(plan: &Plan) -> Clean {
    let confirmation = &plan.body.confirmation;
    let what = match &confirmation.by {
        ConfirmBy::Enter => return "Press Enter to start.".into(),
        ConfirmBy::Target(name) => format!("Type {name} to start"),
        ConfirmBy::Cluster(name) => format!("Type the cluster's name, {name}, to start"),
    };
    Clean::line(&format!("{what}: {}.", confirmation.why))
}

/// A refusal, complete.
pub fn refusal(refusal: &Refusal, width: usize) -> String {
    let mut page = Page::new(width);
    page.prose(0, &format!("Refused: {}", refusal.title));
    for reason in &refusal.reasons {
        page.blank();
        page.row(0, "✗", reason.what.as_str());
        for line in &reason.evidence {
            page.prose(4, line.as_str());
        }
        page.row(2, "→", reason.cure.as_str());
    }
    page.blank();
    page.prose(0, "Nothing was sent.");
    page.text
}

/// The news that nothing is left to do.
pub fn already_there(already: &AlreadyThere, width: usize) -> String {
    let mut page = Page::new(width);
    page.prose(0, already.what.as_str());
    for line in &already.evidence {
        page.prose(2, line.as_str());
    }
    page.prose(0, "Nothing is left to do.");
    page.text
}

/// The line under the effect: age of the facts, how far back is possible.
fn summary(plan: &Plan) -> String {
    let age = plan.body.facts_age_ms as f64 / 1000.0;
    let is_kept = |step: &Step| matches!(&step.action, Action::Wait(wait) if wait.keeps);
    let is_held = plan.body.steps.iter().any(|step| step.hold().is_some());
    if is_held || plan.body.steps.iter().any(is_kept) {
        let stays = if is_held {
            "every step can be undone, until somebody says that it stays"
        } else {
            "what has moved stays, the step that sees it says so"
        };
        return format!("Facts {age:.1} s old · {stays}");
    }
    let undo = match plan.body.point_of_no_return {
        None => "every step can be undone".to_owned(),
        Some(index) => format!("undo possible until step {}", index + 1),
    };
    format!("Facts {age:.1} s old · {undo}")
}

fn write_step(page: &mut Page, index: usize, step: &Step, point_of_no_return: Option<usize>) {
    let no_return = point_of_no_return == Some(index);
    let mark = if no_return { "◆" } else { " " };
    page.row(0, &format!("{mark}{:>2}", index + 1), step.title.as_str());
    if no_return {
        page.prose(7, "Point of no return.");
    }
    if let When::Late(decider) = step.when {
        page.prose(7, &format!("Only if step {} runs out of time.", decider + 1));
    }
    if step.at_once {
        page.prose(7, &format!("Sent as soon as step {index} was answered as it must be, without a look between."));
    }
    match &step.action {
        Action::Write(write) => write_write(page, write),
        Action::Wait(wait) => write_wait(page, wait, point_of_no_return.is_some_and(|point| point < index)),
    }
}

fn write_write(page: &mut Page, write: &Write) {
    page.request(7, "send", &write.request);
    // The lines themselves, as they stand in the file.
    if let Call::FileEdit { edit, way } = &write.request.call {
        for line in edit.difference(*way) {
            page.as_it_is(&format!("{:>14}{line}", ""));
        }
    }
    for bind in &write.binds {
        let name = &bind.name;
        page.row(7, "hole  ", &format!("{name} is {} that this step reads: {}", bind.kind.word(), bind.from.expect));
    }
    let expects = |checks: &[Check]| {
        let here = |check: &Check| check.node == write.node;
        let words: Vec<String> =
            checks.iter().map(|check| if here(check) { check.expect.to_string() } else { check.to_string() }).collect();
        words.join("; ")
    };
    let before = [&write.before[..], &write.guards].concat();
    page.row(7, "before", &expects(&before));
    page.row(7, "after ", &format!("{}, {}", expects(&write.after.checks), within(&write.after)));
    match &write.undo {
        Undo::Send { request, .. } => page.request(7, "undo", request),
        Undo::Returns { request, after_ms, .. } => {
            page.request(7, "undo", request);
            page.row(7, "alone ", &format!("the node does so by itself, within {}", time_words(*after_ms)));
        }
        Undo::Irreversible { why, .. } => page.row(7, "undo  ", &format!("none: {why}")),
    }
    if let Some(words) = &write.rests {
        page.row(7, "late  ", &format!("the run ends: {words}"));
    }
    if write.told_anew {
        page.row(7, "anew  ", &format!("told again where a reload on {} makes it forgotten", write.node));
    }
}

fn write_wait(page: &mut Page, wait: &Wait, is_beyond_return: bool) {
    if wait.is_hold() {
        page.row(7, "until ", &format!("an operator says so, at most {}", time_words(wait.until.deadline_ms)));
    } else {
        write_until(page, wait);
    }
    let mut held: Vec<String> = wait.guards.iter().map(|check| check.expect.to_string()).collect();
    held.dedup();
    if !held.is_empty() {
        page.row(7, "while ", &held.join("; "));
    }
    let late = match &wait.on_late {
        OnLate::Fail if is_beyond_return => "the run ends and says what is true and what to type".to_owned(),
        OnLate::Fail => "the run is undone".to_owned(),
        OnLate::Rest(words) => format!("the run ends: {words}"),
        OnLate::GoOn(words) => format!("the run goes on: {words}"),
        OnLate::Tell { late, .. } => format!("the run goes on, and its ending says what was seen: {late}"),
    };
    page.row(7, "late  ", &late);
    if wait.keeps {
        page.row(7, "then  ", "what was done so far stays, whatever fails later");
    }
}

/// What a wait looks at, and how long.
fn write_until(page: &mut Page, wait: &Wait) {
    let mut words: Vec<String> = wait.until.checks.iter().map(|check| check.expect.to_string()).collect();
    words.dedup();
    if words.len() > 1 && wait.until.need == Need::All {
        // Different things on different nodes.
        words = wait.until.checks.iter().map(ToString::to_string).collect();
    }
    let where_it_holds = match (wait.until.need, wait.until.checks.len()) {
        (Need::All, count) if count == words.len() => "",
        (_, 1) => "",
        (Need::All | Need::Word, _) => " on each",
        (Need::Any, _) => " on one of them",
    };
    page.row(7, "until ", &format!("{}{where_it_holds}, {}", words.join("; "), within(&wait.until)));
}

/// "3 looks in a row 0.5 s apart, at most 60 s".
fn within(until: &Until) -> String {
    let at_most = seconds(until.deadline_ms);
    if until.holds > 1 {
        format!("{} looks in a row {} apart, at most {at_most}", until.holds, seconds(until.poll_ms))
    } else {
        format!("at most {at_most}")
    }
}

/// "60 s", "0.5 s".
pub(crate) fn seconds(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{:.1} s", ms as f64 / 1000.0) }
}

/// "90 s", "5 minutes", "2 hours": times that somebody chose.
pub(crate) fn time_words(ms: u64) -> String {
    match ms {
        3_600_000 => "an hour".to_owned(),
        _ if ms > 3_600_000 && ms.is_multiple_of(3_600_000) => format!("{} hours", ms / 3_600_000),
        _ if ms > 120_000 && ms.is_multiple_of(60_000) => format!("{} minutes", ms / 60_000),
        _ => seconds(ms),
    }
}

/// Lines of bounded width.
pub(crate) struct Page {
    width: usize,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn new(width: usize) -> Self {
        Self { width: width.max(WIDTH_MIN), text: String::new() }
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Wrapped text.
    pub(crate) fn prose(&mut self, indent: usize, text: &str) {
        self.wrapped(&" ".repeat(indent), &" ".repeat(indent), text);
    }

    /// Wrapped text behind a mark; its other lines stand under the text.
    pub(crate) fn row(&mut self, indent: usize, mark: &str, text: &str) {
        let head = format!("{}{mark} ", " ".repeat(indent));
        let under = " ".repeat(head.width());
        self.wrapped(&head, &under, text);
    }

    /// A request behind a mark, byte for byte.
    pub(crate) fn request(&mut self, indent: usize, mark: &str, request: &Request) {
        // Every name in a request was checked; the sanitiser is for plans that come back from a file.
        // Whole, however long: a line of a node would be cut.
        let text = Clean::block_from_bytes(request.to_string().replace('\n', "␊").as_bytes());
        let head = format!("{}{mark:<6} ", " ".repeat(indent));
        self.shell(&head, text.as_str());
    }

    fn as_it_is(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(crate) fn command(&mut self, indent: usize, line: &str) {
        self.shell(&" ".repeat(indent), Clean::line(line).as_str());
    }

    fn wrapped(&mut self, head: &str, under: &str, text: &str) {
        self.lines(head, under, text.split(' '), "");
    }

    fn shell(&mut self, head: &str, line: &str) {
        let under = " ".repeat(head.width());
        self.lines(head, &under, shell_words(line).into_iter(), " \\");
    }

    fn lines<'t>(&mut self, head: &str, under: &str, words: impl Iterator<Item = &'t str>, continued: &str) {
        let room = self.width - continued.width().min(self.width);
        let mut line = head.to_owned();
        let mut is_first = true;
        for word in words {
            if !is_first && line.width() + 1 + word.width() > room {
                self.text.push_str(&line);
                self.text.push_str(continued);
                self.text.push('\n');
                under.clone_into(&mut line);
                is_first = true;
            }
            if !is_first {
                line.push(' ');
            }
            line.push_str(word);
            is_first = false;
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// Splits at spaces outside single quotes.
fn shell_words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, c) in line.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => {
                words.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(&line[start..]);
    words
}
