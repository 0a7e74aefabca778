//! Help, made from the registry: this screen, this row, and every key.

use super::{
    App, changes, command,
    command::{Command, Here, Scope},
    details,
    keymap::Keymap,
    meaning::{Line, Meaning, Span},
    screen::ScreenId,
};
use std::fmt::Write as _;

/// The lines of the help on the current screen.
pub(crate) fn lines(app: &App) -> Vec<Line> {
    let screen = app.place.screen;
    let mut lines: Vec<Line> = vec![heading(screen.title()), vec![Span::plain(screen.doc())], Vec::new()];
    let here = Here::of(app);
    if let Some(row) = here.row.clone() {
        lines.push(heading("This row"));
        lines.push(vec![Span::plain(details::what_it_is(&row))]);
        lines.extend(details::in_short(app, &row));
        lines.push(Vec::new());
    }
    lines.push(heading("Keys here"));
    let (everywhere, on_screen): (Vec<_>, Vec<_>) = command::all()
        .filter(|command| command.scope.includes(screen))
        .partition(|command| command.scope == Scope::Everywhere);
    lines.extend(on_screen.iter().map(|command| key_line(&here, command)));
    lines.push(Vec::new());
    lines.push(heading("Keys everywhere"));
    lines.extend(everywhere.iter().map(|command| key_line(&here, command)));
    lines.push(Vec::new());
    lines.push(heading("Signs"));
    lines.extend(signs());
    lines
}

fn heading(text: &str) -> Line {
    vec![Span::new(text, Meaning::Heading)]
}

/// One command: its keys, what it does, and why it cannot act now.
fn key_line(here: &Here<'_>, command: &Command) -> Line {
    let keys = shown_keys(&here.app.keymap, command);
    let keys = if keys.is_empty() { "(palette)".to_owned() } else { keys };
    match (command.available)(here) {
        Ok(()) => {
            let mut line = vec![Span::new(format!("{keys:<16} "), Meaning::Key), Span::plain(command.doc)];
            if command.danger.reaches_the_cluster()
                && let Some(caution) = changes::caution(here.app)
            {
                line.push(Span::dim(format!(" Now it can be read but not started: {caution}")));
            }
            line
        }
        Err(reason) => vec![Span::dim(format!("{keys:<16} {} Now: {reason}", command.doc))],
    }
}

/// Every key of a command: `j, Down`.
pub(crate) fn shown_keys(keymap: &Keymap, command: &Command) -> String {
    keymap.keys(command.id).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The signs before names. The glyph itself is drawn by the view, in the set that the terminal has.
pub(crate) const SIGNS: [(Meaning, &str); 8] = [
    (Meaning::Ok, "as it should be"),
    (Meaning::Warn, "worth a look"),
    (Meaning::Crit, "service is lost or about to be, or the node cannot be reached"),
    (Meaning::Stale, "was true some time ago; the age says when"),
    (Meaning::Unknown, "not known; the details say why"),
    (Meaning::Standby, "ready, without work"),
    (Meaning::Drain, "finishes what it has, takes nothing new"),
    (Meaning::Maint, "taken out by somebody"),
];

fn signs() -> impl Iterator<Item = Line> {
    SIGNS
        .iter()
        .map(|(meaning, words)| vec![Span::signed(&format!("{:<14} ", word(*meaning)), *meaning), Span::plain(*words)])
}

/// What a sign is called on screen.
fn word(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Warn => "warning",
        Meaning::Crit => "critical",
        Meaning::Drain => "draining",
        Meaning::Maint => "maintenance",
        other => other.name(),
    }
}

/// The key table of the README, in Markdown.
pub fn markdown() -> String {
    let keymap = Keymap::embedded();
    let mut text = String::from("| Keys | Where | What |\n| --- | --- | --- |\n");
    for command in command::all() {
        let keys = keymap.keys(command.id).iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" ");
        let place = match command.scope {
            Scope::Everywhere => "everywhere".to_owned(),
            Scope::Screens(screens) => {
                screens.iter().map(|screen: &ScreenId| screen.title().to_lowercase()).collect::<Vec<_>>().join(", ")
            }
        };
        let keys = if keys.is_empty() { "palette".to_owned() } else { keys };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "| {keys} | {place} | {} |", command.doc);
    }
    text
}
