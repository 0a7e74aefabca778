//! What every screen has: the title line, the tabs, the key line, and one sentence on a tiny terminal.

use super::canvas::{Canvas, line_width};
use crate::{
    app::{
        App, Overlay, Seen, command,
        command::Here,
        figures, layout,
        layout::Area,
        meaning::{Meaning, Span},
        replay, standing,
    },
    model::time::Now,
    rules::Severity,
};

/// Findings by severity: critical, warnings.
pub(super) fn counts(seen: Seen<'_>) -> (usize, usize) {
    let critical = seen.findings.iter().filter(|finding| finding.severity == Severity::Critical).count();
    (critical, seen.findings.len() - critical)
}

/// Cluster, nodes, counts; mode and clock at the right.
pub(super) fn title(canvas: &mut Canvas<'_>, app: &App, area: Area) {
    let seen = app.seen();
    let census = standing::census(seen);
    let all_up = census.up == census.nodes;
    let mut left = vec![
        Span::dim(" vakt  "),
        Span::new(seen.inventory.cluster.as_str(), Meaning::Accent),
        Span::plain("   "),
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
    if critical + warnings == 0 {
        let (words, meaning) = if all_up { ("nothing wrong", Meaning::Ok) } else { ("no findings", Meaning::Unknown) };
        left.push(Span::plain("   "));
        left.push(Span::signed(words, meaning));
    }
    let waiting = seen.world.nodes.iter().filter(|node| !node.questions.is_empty()).count();
    if waiting > 0 {
        left.push(Span::new(format!("   {} asking", figures::counted(waiting, "node", "nodes")), Meaning::Warn));
    }
    let used = canvas.line(area.x, area.y, area.width, &left);
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
    let mode = if app.options.read_only || app.inventory.settings.policy.read_only { "read-only" } else { "watching" };
    let recorded = app.unrecorded.as_ref().map_or("", |_| "recording incomplete, ");
    let full = [Span::new(recorded, Meaning::Warn), Span::dim(format!("{mode}   ")), Span::plain(clock.clone())];
    if line_width(&full) <= room {
        canvas.line_right(area.x, area.y, area.width, &full);
    } else if super::canvas::width(&clock) <= room {
        canvas.line_right(area.x, area.y, area.width, &[Span::plain(clock)]);
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
        canvas.text(tab.area.x + used, bar.y, tab.area.width - used, tab.screen.title(), name);
    }
}

/// The keys that do something now; a notice takes their place for a moment.
pub(super) fn keys(canvas: &mut Canvas<'_>, here: &Here<'_>, area: Area) {
    let app = here.app;
    let hints = match &app.overlay {
        Overlay::None => command_hints(here),
        Overlay::Help(_) => fixed(&[("j k", "scroll"), ("any other key", "close")]),
        Overlay::Palette(_) => fixed(&[("Enter", "take"), ("Up Down", "choose"), ("Esc", "close")]),
        Overlay::Filter => fixed(&[("Enter", "keep"), ("Esc", "remove"), ("Ctrl-u", "empty")]),
        Overlay::Moment(text) => {
            let typed = (format!("go to {text}_"), replay::MOMENT_FORMS);
            std::iter::once(typed).chain(fixed(&[("Enter", "go"), ("Esc", "stay")])).collect()
        }
        Overlay::Prompt(_) => fixed(&[("Enter", "answer"), ("Esc", "leave unanswered"), ("Ctrl-c", "quit")]),
    };
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
            let spans = hint_spans(&key, words);
            let wanted = line_width(&spans);
            if used + wanted > room {
                break;
            }
            used += canvas.line(area.x + used, area.y, wanted, &spans);
        }
    }
    canvas.line_right(area.x, area.y, area.width.saturating_sub(1), &right);
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
