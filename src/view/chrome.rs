//! What every screen has: the title line, the tabs, the key line, and one sentence on a tiny terminal.

use super::canvas::{Canvas, line_width};
use crate::{
    app::{
        App, Overlay, Seen, changes, command,
        command::Here,
        decision::About,
        figures,
        following::Stop,
        layout,
        layout::Area,
        logs::Logs,
        meaning::{Meaning, Span},
        planning::{Field, Outcome, Planning},
        replay, standing,
    },
    model::{log::LogWindow, time::Now},
    plan::parts::ConfirmBy,
    rules::Severity,
    run::lock::LockState,
};

/// Findings that nobody has acknowledged, by severity: critical, warnings.
pub(super) fn counts(seen: Seen<'_>) -> (usize, usize) {
    let open = || seen.findings.iter().filter(|finding| finding.acknowledged.is_none());
    let critical = open().filter(|finding| finding.severity == Severity::Critical).count();
    (critical, open().count() - critical)
}

/// Cluster, nodes, counts; mode and clock at the right.
pub(super) fn title(canvas: &mut Canvas<'_>, app: &App, area: Area) {
    let seen = app.seen();
    let census = standing::census(seen);
    let all_up = census.up == census.nodes;
    let name = [Span::dim(" vakt  "), Span::new(seen.inventory.cluster.as_str(), Meaning::Accent), Span::plain(" ")];
    let mut start = canvas.line(area.x, area.y, area.width, &name);
    if app.options.simulated {
        let style = canvas.theme.banner;
        start += canvas.text(area.x + start, area.y, area.width.saturating_sub(start), " SIMULATED ", style);
    }
    let mut left = vec![
        Span::plain("  "),
        Span::new(
            format!("{} of {} nodes", census.up, census.nodes),
            if all_up { Meaning::Text } else { Meaning::Warn },
        ),
    ];
    if census.connecting > 0 {
        left.push(Span::dim(format!(", {} connecting", census.connecting)));
    }
    let (critical, warnings) = counts(seen);
    for (number, meaning) in [(critical, Meaning::Crit), (warnings, Meaning::Warn)] {
        if number > 0 {
            left.push(Span::plain("   "));
            left.push(Span::signed(&number.to_string(), meaning));
        }
    }
    let undecided = changes::undecided(seen).count();
    if undecided > 0 {
        left.push(Span::plain("   "));
        left.push(Span::signed(&figures::counted(undecided, "run undecided", "runs undecided"), Meaning::Warn));
    }
    let acknowledged = seen.findings.len() - critical - warnings;
    if acknowledged > 0 {
        left.push(Span::plain("   "));
        left.push(Span::signed(&format!("{acknowledged} seen"), Meaning::Standby));
    } else if critical + warnings + undecided == 0 {
        let (words, meaning) = if all_up { ("nothing wrong", Meaning::Ok) } else { ("no findings", Meaning::Unknown) };
        left.push(Span::plain("   "));
        left.push(Span::signed(words, meaning));
    }
    let waiting = seen.world.nodes.iter().filter(|node| !node.questions.is_empty()).count();
    if waiting > 0 {
        left.push(Span::new(format!("   {} asking", figures::counted(waiting, "node", "nodes")), Meaning::Warn));
    }
    let used = start + canvas.line(area.x + start, area.y, area.width.saturating_sub(start), &left);
    mode_and_clock(canvas, app, area, used);
}

fn mode_and_clock(canvas: &mut Canvas<'_>, app: &App, area: Area, used: u16) {
    let room = area.width.saturating_sub(used + 2);
    if let Some(replay) = &app.options.replay {
        let banners = replay.banners(app.now, &app.options.zone);
        let fits = |banner: &&String| super::canvas::width(banner) <= room;
        let banner = banners.iter().find(fits).unwrap_or(&banners[2]);
        let x = area.x + area.width.saturating_sub(super::canvas::width(banner).min(area.width));
        let style = canvas.theme.banner;
        canvas.text(x, area.y, area.width, banner, style);
        return;
    }
    let clock = format!("{} ", clock(app, app.now));
    if let Some(paused) = app.paused_at() {
        let age = figures::age(app.now.mono.since_ms(paused.mono));
        let banner = format!(" PAUSED, {age} ago ");
        let wanted = super::canvas::width(&banner) + super::canvas::width(&clock) + 1;
        let x = area.x + area.width.saturating_sub(wanted.min(area.width));
        let style = canvas.theme.banner;
        let drawn = canvas.text(x, area.y, area.width, &banner, style);
        canvas.line(x + drawn + 1, area.y, wanted.saturating_sub(drawn + 1), &[Span::dim(clock)]);
        return;
    }
    let mode = if changes::is_read_only(app) { "read-only" } else { "read-write" };
    // Whoever relies on the recording later should know now.
    let mode = match &app.unrecorded {
        Some(_) => Span::new(format!("recording incomplete, {mode}"), Meaning::Warn),
        None => Span::dim(mode),
    };
    let clock = Span::plain(clock);
    let lock = lock_words(app);
    let join = |parts: &[&Span]| {
        let mut line: Vec<Span> = Vec::new();
        for part in parts {
            if !line.is_empty() {
                line.push(Span::plain("   "));
            }
            line.push((*part).clone());
        }
        line
    };
    // The longest that fits; who holds the lock matters more than the mode, and more than the clock.
    let mut ladder: Vec<Vec<Span>> = lock.iter().map(|words| join(&[&mode, words, &clock])).collect();
    if let Some(shortest) = lock.last() {
        ladder.extend([join(&[shortest, &clock]), join(&[shortest, &Span::plain("")])]);
    }
    ladder.extend([join(&[&mode, &clock]), join(&[&clock])]);
    if let Some(line) = ladder.iter().find(|line| line_width(line) <= room) {
        canvas.line_right(area.x, area.y, area.width, line);
    }
}

/// Who may act now, in full, then shorter and shorter; nothing while the lock is free.
fn lock_words(app: &App) -> Vec<Span> {
    let words = |meaning, words: &[String]| words.iter().map(|words| Span::new(words.clone(), meaning)).collect();
    if let Some(why) = &app.standing.trouble {
        return words(Meaning::Warn, &[format!("no state folder: {why}"), "no state folder".to_owned()]);
    }
    match &app.standing.lock {
        LockState::Unread | LockState::Free => Vec::new(),
        LockState::Unknown(why) => words(Meaning::Warn, &[format!("lock unknown: {why}"), "lock unknown".to_owned()]),
        LockState::Held(holder) if changes::is_ours(app, &holder.run) => {
            words(Meaning::Accent, &[format!("yours: {}", holder.what), "lock is yours".to_owned()])
        }
        LockState::Held(holder) => {
            let name = changes::holder_name(holder);
            let age = figures::age(changes::wall_ms(holder.since, app.now.wall));
            let short = format!("held by {name}");
            words(Meaning::Warn, &[format!("{short} {age}: {}", holder.what), format!("{short} {age}"), short])
        }
    }
}

/// The wall clock with its zone: `14:03:22 CET`.
pub(super) fn clock(app: &App, now: Now) -> String {
    jiff::Timestamp::from_millisecond(now.wall.0).map_or_else(
        |_| "??:??:??".to_owned(),
        |stamp| stamp.to_zoned(app.options.zone.clone()).strftime("%H:%M:%S %Z").to_string(),
    )
}

/// The screens; the open one is lit.
pub(super) fn tabs(canvas: &mut Canvas<'_>, app: &App, bar: Area) {
    for tab in layout::tabs(app, bar) {
        let is_open = tab.screen == app.screen().tab();
        let (key, name) = if is_open {
            (canvas.theme.tab, canvas.theme.tab)
        } else {
            (canvas.style(Meaning::Key), canvas.style(Meaning::Dim))
        };
        if is_open {
            canvas.text(tab.area.x - 1, bar.y, 1, " ", name);
            canvas.text(tab.area.x + tab.area.width, bar.y, 1, " ", name);
        }
        let used = canvas.text(tab.area.x, bar.y, tab.area.width, &format!("{} ", tab.key), key);
        canvas.text(tab.area.x + used, bar.y, tab.area.width - used, tab.title, name);
    }
}

/// The keys that do something now; a notice takes their place for a moment.
pub(super) fn keys(canvas: &mut Canvas<'_>, here: &Here<'_>, area: Area) {
    let app = here.app;
    let hints = match &app.overlay {
        Overlay::None => command_hints(here),
        Overlay::Help(_) | Overlay::Matrix(_) => fixed(&[("j k", "scroll"), ("any other key", "close")]),
        Overlay::Palette(_) => fixed(&[("Enter", "take"), ("Up Down", "choose"), ("Esc", "close")]),
        Overlay::Filter => fixed(&[("Enter", "keep"), ("Esc", "remove"), ("Ctrl-u", "empty")]),
        Overlay::Moment(text) => {
            let typed = (format!("go to {text}_"), replay::MOMENT_FORMS);
            std::iter::once(typed).chain(fixed(&[("Enter", "go"), ("Esc", "stay")])).collect()
        }
        Overlay::Prompt(_) => fixed(&[("Enter", "answer"), ("Esc", "leave unanswered"), ("Ctrl-c", "quit")]),
        Overlay::Plan(open) => plan_hints(app, open),
        Overlay::Decision(open) if open.has_field() => {
            let tab = matches!(open.about, About::Acknowledge { .. }).then_some(("Tab", "its end"));
            let hints: Vec<_> = [("Enter", "take")].into_iter().chain(tab).collect();
            fixed(&[&hints[..], &[("Esc", "leave"), ("Ctrl-u", "empty")]].concat())
        }
        Overlay::Decision(_) => fixed(&[("Enter", "do it"), ("Esc", "leave")]),
        Overlay::Run => run_hints(app),
        Overlay::Logs(open) => log_hints(open),
        Overlay::Playbook(_) => {
            fixed(&[("Enter", "its plan"), ("j k", "choose"), ("+ -", "back sooner or later"), ("Esc", "close")])
        }
        Overlay::Chart(_) => fixed(&[
            ("Tab", "next figure"),
            ("+ -", "zoom"),
            ("h l", "cursor"),
            ("b", "an hour before"),
            ("Esc", "close"),
        ]),
    };
    let caution = matches!(app.overlay, Overlay::None) && changes::caution(app).is_some();
    let always: Vec<(String, &str)> = match &app.overlay {
        Overlay::None => ["console.help", "console.quit"].into_iter().filter_map(|id| hint(here, id)).collect(),
        _ => Vec::new(),
    };
    let right: Vec<Span> = always.iter().flat_map(|(key, words)| hint_spans(key, words)).collect();
    let kept = line_width(&right);
    let room = area.width.saturating_sub(kept + 1);
    if let Some((text, _)) = &app.toast {
        canvas.line(area.x, area.y, room, &[Span::new(format!(" {text}"), Meaning::Warn)]);
    } else {
        let mut used = 0;
        for (key, words) in hints {
            let mut spans = hint_spans(&key, words);
            // A verb whose plan could be read but not started is dim; the help says why.
            if caution && command::is_verb_hint(words) {
                spans[0].meaning = Meaning::Dim;
            }
            let wanted = line_width(&spans);
            if used + wanted > room {
                break;
            }
            used += canvas.line(area.x + used, area.y, wanted, &spans);
        }
    }
    canvas.line_right(area.x, area.y, area.width.saturating_sub(1), &right);
}

/// What the keys do while a plan is open.
fn plan_hints(app: &App, open: &Planning) -> Vec<(String, &'static str)> {
    if open.field != Field::None {
        return fixed(&[("Enter", "take"), ("Esc", "back to the plan"), ("Ctrl-u", "empty")]);
    }
    let mut hints = Vec::new();
    match &open.outcome {
        Outcome::Plan(_) if changes::caution(app).is_some() => {}
        Outcome::Plan(plan) if plan.body.confirmation.by == ConfirmBy::Enter => {
            hints.extend(fixed(&[("Enter", "start")]));
        }
        Outcome::Plan(_) => hints.extend(fixed(&[("Enter", "confirm")])),
        Outcome::Refused(_) | Outcome::AlreadyThere(_) => {}
    }
    if open.plan().is_some() && changes::obstacle(app).is_none() && changes::held_by_other(app).is_some() {
        hints.extend(fixed(&[("b", "break the lock")]));
    }
    if open.risk(app).is_some() {
        hints.extend(fixed(&[("a", "take the risk")]));
    }
    let page = if open.runbook { "plan" } else { "runbook" };
    hints.extend(fixed(&[("?", page), ("R", "plan again"), ("y", "copy"), ("j k", "scroll"), ("Esc", "leave")]));
    hints
}

/// What the keys do while the view of the run is open.
fn run_hints(app: &App) -> Vec<(String, &'static str)> {
    let Some(following) = &app.following else { return Vec::new() };
    let mut hints = Vec::new();
    if following.goes_on() {
        hints.extend(fixed(&[("S", if following.stop == Stop::Asking { "really stop it" } else { "stop safely" })]));
    }
    if following.is_undecided() {
        hints.extend(fixed(&[("c", "resume"), ("b", "roll back"), ("D", "settled")]));
    }
    let page = if following.story { "steps" } else { "story" };
    let leave = if following.goes_on() { "leave, it goes on" } else { "close" };
    hints.extend(fixed(&[("v", page), ("y", "copy"), ("j k", "scroll"), ("Esc", leave)]));
    hints
}

/// What the keys do while logs are open.
fn log_hints(open: &Logs) -> Vec<(String, &'static str)> {
    if open.is_filtering {
        return fixed(&[("Enter", "keep"), ("Esc", "remove"), ("Ctrl-u", "empty")]);
    }
    let next = (open.sources.len() > 1).then_some(("Tab", "next log"));
    let part = open
        .began
        .map(|_| if open.window == LogWindow::Newest { ("t", "around the finding") } else { ("t", "newest lines") });
    let follow = if open.is_text() { ("r", "read again") } else { ("End", "follow") };
    let hints: Vec<_> = [("j k", "scroll"), follow].into_iter().chain(next).chain(part).collect();
    fixed(&[&hints[..], &[("/", "filter"), ("y", "copy"), ("Esc", "close")]].concat())
}

fn fixed(hints: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    hints.iter().map(|(key, words)| ((*key).to_owned(), *words)).collect()
}

fn command_hints(here: &Here<'_>) -> Vec<(String, &'static str)> {
    command::here(here.app)
        .filter(|command| !["console.help", "console.quit"].contains(&command.id))
        .filter_map(|command| hint(here, command.id))
        .collect()
}

/// A command's key and word, if it has both and can act now.
fn hint(here: &Here<'_>, id: &str) -> Option<(String, &'static str)> {
    let command = command::find(id)?;
    let key = here.app.keymap.shown(id)?;
    (!command.hint.is_empty() && command::available(command, here).is_ok()).then_some((key, command.hint))
}

fn hint_spans(key: &str, words: &str) -> [Span; 2] {
    [Span::new(format!(" {key}"), Meaning::Key), Span::dim(format!(" {words} "))]
}

/// On a terminal too small for anything else: one sentence, and the worst that is wrong.
pub(super) fn tiny(canvas: &mut Canvas<'_>, app: &App, area: Area) {
    let seen = app.seen();
    let census = standing::census(seen);
    let (critical, warnings) = counts(seen);
    let summary = format!(
        "{}: {} of {} up, {} critical, {}",
        seen.inventory.cluster,
        census.up,
        census.nodes,
        critical,
        figures::counted(warnings, "warning", "warnings")
    );
    let meaning = if critical > 0 {
        Meaning::Crit
    } else if warnings > 0 || census.up < census.nodes {
        Meaning::Warn
    } else {
        Meaning::Ok
    };
    let mut y = 0;
    let replayed = app.options.replay.as_ref().map(|replay| {
        let [_, banner, _] = replay.banners(app.now, &app.options.zone);
        Span::new(banner.trim(), Meaning::Warn)
    });
    let mut lines: Vec<Span> = replayed.into_iter().chain([Span::signed(&summary, meaning)]).collect();
    if let Some(words) = super::sheet::in_short(app) {
        lines.push(Span::plain(words));
    }
    if let Some(worst) = seen.findings.first() {
        lines.push(Span::new(format!("{}: {}", worst.subject, worst.sentence), worst.severity.into()));
    }
    lines.push(Span::dim(format!(
        "This terminal is {} by {}; the screens need {} by {}.",
        app.size.width,
        app.size.height,
        layout::WIDTH_MIN,
        layout::HEIGHT_MIN
    )));
    for line in lines {
        for part in super::overlays::wrap(&[line], area.width) {
            if y >= area.height {
                return;
            }
            canvas.line(area.x, area.y + y, area.width, &part);
            y += 1;
        }
    }
}
