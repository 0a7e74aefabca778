//! What lies over the whole body: a plan before it is started, the run that is followed; and the small question before
//! one of them.

use super::{
    canvas::Canvas,
    overlays::{dialog, scrolled, wrap},
};
use crate::{
    app::{
        App, Overlay, changes,
        decision::Decision,
        figures, following,
        layout::{self, Area},
        meaning::{Line, Meaning, Span},
        planning::{self, Field, Outcome, Planning},
        story,
    },
    model::intent::{Change, duration_word},
    run::Progress,
};

/// The heads of a plan's text.
const HEADS: [&str; 4] =
    ["What it rests on, read again before the first write", "Steps", "How it is read back", "The same as a command"];
/// Labels of a step's lines whose text matters less than the step.
const QUIET: [&str; 6] = ["before", "after", "until", "while", "late", "hole"];
/// Labels of a step's lines that are sent.
const LOUD: [&str; 2] = ["send", "undo"];

/// A plan, a refusal, or the news that nothing is left to do: the text of `--plan`, and below it what can be done.
pub(super) fn plan(canvas: &mut Canvas<'_>, app: &App, planning: &Planning, body: Area) {
    let sheet = layout::sheet(app.size);
    let lines = styled(&planning.text(sheet.width), planning.runbook, app.options.unicode);
    let title = match &planning.outcome {
        _ if planning.runbook => "Runbook",
        Outcome::Plan(_) => "Plan",
        Outcome::Refused(_) => "Refused",
        Outcome::AlreadyThere(_) => "Nothing to do",
    };
    let wanted = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(planning::FOOT_ROWS + 2);
    let mut inside = dialog(canvas, body, sheet.width, wanted, title);
    let foot = inside.take_bottom(planning::FOOT_ROWS.min(inside.height.saturating_sub(1)));
    let age = figures::age(app.now.mono.since_ms(planning.made_at.mono));
    let aside = [Span::dim(format!("planned {age} ago"))];
    let below = window(canvas, &lines, inside, planning.scroll);
    canvas.rule(Area { height: foot.height.min(1), ..foot }, &below, &aside);
    let rows = [Vec::new(), status(app, planning), options(planning), prompt(canvas, app, planning)];
    for (index, row) in rows.iter().enumerate().skip(1).take(usize::from(foot.height.saturating_sub(1))) {
        let y = foot.y + index as u16;
        if index + 1 == rows.len() {
            // The end of what is typed must be seen, whatever stands before it.
            let parts = wrap(row, foot.width);
            let last = if planning.field == Field::None { parts.first() } else { parts.last() };
            canvas.line(foot.x, y, foot.width, last.map_or(&[], Vec::as_slice));
        } else {
            canvas.line(foot.x, y, foot.width, row);
        }
    }
}

/// Lines in a window; returns how many lie below, for the line under it. The offset is clamped, not stored.
fn window(canvas: &mut Canvas<'_>, lines: &[Line], area: Area, offset: usize) -> Line {
    let height = usize::from(area.height);
    let first = offset.min(lines.len().saturating_sub(height));
    for (index, line) in lines.iter().skip(first).take(height).enumerate() {
        canvas.line(area.x, area.y + index as u16, area.width, line);
    }
    match lines.len().saturating_sub(first + height) {
        0 => Vec::new(),
        below => vec![Span::dim(format!("{below} more below"))],
    }
}

/// What must be known before Enter: what the last key came to, what is in the way, whether the world moved.
fn status(app: &App, planning: &Planning) -> Line {
    if let Some(said) = &planning.said {
        return vec![Span::new(said.clone(), Meaning::Warn)];
    }
    if planning.has_moved {
        let words = "The world moved: planned now, it would not be this. R plans again.";
        return vec![Span::signed(words, Meaning::Warn)];
    }
    let Some(plan) = planning.plan() else { return Vec::new() };
    if planning.field == Field::Confirm {
        return vec![Span::dim("Why a name: "), Span::plain(plan.body.confirmation.why.as_str())];
    }
    if let Some(why) = changes::obstacle(app) {
        return vec![Span::signed(&why, Meaning::Warn)];
    }
    match changes::held_by_other(app) {
        Some(holder) => vec![
            Span::signed(&changes::held_words(app, holder), Meaning::Warn),
            Span::new("  b ", Meaning::Key),
            Span::dim("acts nevertheless"),
        ],
        None => vec![Span::dim("Nothing is sent before you confirm.")],
    }
}

/// The options that can be changed here, with their keys.
fn options(planning: &Planning) -> Line {
    let mut line = Vec::new();
    let mut option = |name: &str, value: String, key: &str| {
        line.extend([
            Span::new(format!("{key} "), Meaning::Key),
            Span::dim(format!("{name} ")),
            Span::plain(value + "   "),
        ]);
    };
    match &planning.intent.change {
        Change::HaproxyDrain { deadline_ms, on_deadline, .. } => {
            option("deadline", duration_word(*deadline_ms), "+ -");
            option("then", on_deadline.word().to_owned(), "o");
        }
        Change::HaproxyReady { deadline_ms, .. } => {
            option("deadline", duration_word(*deadline_ms), "+ -");
        }
        _ => {}
    }
    let reason = planning.intent.reason.as_ref().map_or("none".to_owned(), ToString::to_string);
    option("reason", reason, "e");
    line
}

fn prompt(canvas: &Canvas<'_>, app: &App, planning: &Planning) -> Line {
    if planning.field == Field::None && planning.plan().is_some() && changes::caution(app).is_some() {
        return vec![Span::dim("It cannot be started now; it can be read.")];
    }
    let words = planning.prompt();
    if planning.field == Field::None {
        let meaning = if planning.plan().is_some() { Meaning::Key } else { Meaning::Dim };
        return vec![Span::new(words, meaning)];
    }
    vec![
        Span::new(words, Meaning::Key),
        Span::new(planning.typed.clone(), Meaning::Accent),
        Span::new(canvas.glyphs.caret, Meaning::Accent),
    ]
}

/// The text of a plan by meaning. Not a character is changed, but for terminals that show only ASCII.
fn styled(text: &str, is_page: bool, unicode: bool) -> Vec<Line> {
    let mut continued = Meaning::Text;
    text.lines()
        .enumerate()
        .map(|(index, line)| {
            let line = if unicode { line.to_owned() } else { line.chars().map(ascii).collect() };
            if is_page || index == 0 {
                let meaning = if index == 0 { Meaning::Accent } else { Meaning::Text };
                return vec![Span::new(line, meaning)];
            }
            style_line(&line, &mut continued)
        })
        .collect()
}

/// One line; `continued` is the meaning of the lines that go on from it.
fn style_line(line: &str, continued: &mut Meaning) -> Line {
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    let whole = |meaning| vec![Span::new(line, meaning)];
    let split = |at: usize, head, rest| {
        let (label, text) = line.split_at(at);
        vec![Span::new(label, head), Span::new(text, rest)]
    };
    if HEADS.contains(&line) {
        *continued = Meaning::Text;
        return whole(Meaning::Heading);
    }
    let label = trimmed.split(' ').next().unwrap_or_default();
    if indent == 7 && (LOUD.contains(&label) || QUIET.contains(&label)) {
        *continued = if LOUD.contains(&label) { Meaning::Text } else { Meaning::Dim };
        return split(indent + label.len(), Meaning::Dim, *continued);
    }
    if trimmed.starts_with(['✗', 'X']) && indent == 0 {
        *continued = Meaning::Text;
        let mark = trimmed.chars().next().map_or(0, char::len_utf8);
        return split(mark, Meaning::Crit, Meaning::Text);
    }
    if indent == 2 && trimmed.starts_with(['→', '>']) {
        *continued = Meaning::Key;
        return whole(Meaning::Key);
    }
    if trimmed.starts_with("Press Enter to start") || (indent == 2 && trimmed.starts_with("Type ")) {
        *continued = Meaning::Key;
        return whole(Meaning::Key);
    }
    if trimmed.starts_with("Point of no return") {
        return whole(Meaning::Warn);
    }
    if indent == 2 && trimmed.starts_with("Facts ") {
        return whole(Meaning::Dim);
    }
    let number = label.trim_start_matches(['◆', '*']);
    if indent <= 2 && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        *continued = Meaning::Text;
        let meaning = if number.len() == label.len() { Meaning::Accent } else { Meaning::Warn };
        return split(indent + label.len(), meaning, Meaning::Text);
    }
    if indent < 4 && !trimmed.is_empty() {
        *continued = Meaning::Text;
    }
    whole(*continued)
}

/// A character that every terminal has.
pub(super) fn ascii(c: char) -> char {
    match c {
        '✗' => 'X',
        '→' => '>',
        '◆' => '*',
        '·' | '–' => '-',
        '…' => '~',
        '✓' => '+',
        '▲' => '!',
        '↩' => '<',
        c => c,
    }
}

/// The run that is followed.
pub(super) fn run(canvas: &mut Canvas<'_>, app: &App, body: Area) {
    let Some(following) = &app.following else { return };
    let sheet = layout::sheet(app.size);
    let mut lines = story::lines(app, sheet.width);
    if !app.options.unicode {
        for span in lines.iter_mut().flatten() {
            span.text = span.text.chars().map(ascii).collect();
        }
    }
    let title = if following.title.is_empty() { following.run.as_str() } else { following.title.as_str() };
    let mut inside = dialog(canvas, body, sheet.width, body.height, title);
    let foot = inside.take_bottom(following::FOOT_ROWS.min(inside.height.saturating_sub(1)));
    let below = window(canvas, &lines, inside, following.scroll);
    canvas.rule(Area { height: foot.height.min(1), ..foot }, &below, &[]);
    if foot.height > 1 {
        let words = match &following.said {
            Some(said) => Span::new(said.clone(), Meaning::Warn),
            None if following.goes_on() => {
                Span::dim("It is carried out by a process of its own; leaving this leaves it alone.")
            }
            None if following.is_undecided() => Span::dim("Nothing is sent until somebody takes it up."),
            None => Span::dim("It is over; nothing more is sent."),
        };
        canvas.line(foot.x, foot.y + 1, foot.width, &[words]);
    }
}

/// A small question.
pub(super) fn decision(canvas: &mut Canvas<'_>, decision: &Decision, body: Area) {
    let room = 76.min(body.width.saturating_sub(4));
    let mut lines: Vec<Line> =
        decision.words().into_iter().flat_map(|words| wrap(&[Span::plain(words)], room)).collect();
    lines.push(Vec::new());
    let mut field = vec![Span::new(decision.prompt(), Meaning::Key)];
    if decision.has_field() {
        field.push(Span::new(decision.typed.clone(), Meaning::Accent));
        field.push(Span::new(canvas.glyphs.caret, Meaning::Accent));
    }
    lines.extend(wrap(&field, room));
    if let Some(said) = &decision.said {
        lines.extend(wrap(&[Span::new(said.clone(), Meaning::Warn)], room));
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let inside = dialog(canvas, body, room, height, &decision.title());
    // The field is the last thing to be cut on a small terminal.
    let hidden = lines.len().saturating_sub(usize::from(inside.height));
    scrolled(canvas, &lines[hidden..], inside, 0);
}

/// What is open, in one sentence, for a terminal on which it cannot be shown.
pub(super) fn in_short(app: &App) -> Option<String> {
    match &app.overlay {
        Overlay::Plan(planning) => Some(match &planning.outcome {
            Outcome::Plan(plan) => {
                format!("A plan is open: {}. Nothing is sent; it is read on a larger terminal.", plan.body.title)
            }
            Outcome::Refused(refusal) => format!("Refused: {}", refusal.title),
            Outcome::AlreadyThere(already) => already.what.to_string(),
        }),
        Overlay::Decision(decision) => {
            Some(format!("A question is open: {}. It is answered on a larger terminal.", decision.title()))
        }
        Overlay::Playbook(_) => Some("What helps now is listed; it is read on a larger terminal.".to_owned()),
        Overlay::Run => app.following.as_ref().map(|following| {
            let words = following.progress.as_ref().map_or("Starting.".into(), Progress::sentence);
            format!("{}: {words}", following.title)
        }),
        _ => None,
    }
}
