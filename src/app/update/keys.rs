//! Keys: to what lies over the screen, else by the keymap to a command.

use crate::app::{
    App, Overlay, chart, command, decision,
    effect::Effect,
    following, logs,
    msg::{Key, KeyCode},
    palette, planning, playbook, prompt, replay,
};

/// Longest filter or palette query.
const TEXT_MAX: usize = 200;

pub(super) fn key(app: &mut App, key: Key) -> Vec<Effect> {
    // The quitting key ends everything, whatever lies over the screen.
    if key.ctrl && key.code == KeyCode::Char('c') {
        return app.end();
    }
    if key.ctrl && key.code == KeyCode::Char('l') {
        return vec![Effect::Redraw];
    }
    match std::mem::take(&mut app.overlay) {
        Overlay::Prompt(open) => prompt::key(app, open, key),
        Overlay::Palette(open) => palette_key(app, open, key),
        Overlay::Plan(open) => planning::key(app, open, key),
        Overlay::Decision(open) => decision::key(app, open, key),
        Overlay::Chart(open) => {
            let effects = chart::key(app, open, key);
            after_overlay(app);
            effects
        }
        Overlay::Logs(open) => {
            let effects = logs::key(app, open, key);
            after_overlay(app);
            effects
        }
        Overlay::Run => {
            let effects = following::key(app, key);
            after_overlay(app);
            effects
        }
        Overlay::Filter => {
            filter_key(app, key);
            after_overlay(app);
            Vec::new()
        }
        Overlay::Help(line) => {
            app.overlay = scrolled(app, line, key).map_or(Overlay::None, Overlay::Help);
            after_overlay(app);
            Vec::new()
        }
        Overlay::Matrix(line) => {
            app.overlay = scrolled(app, line, key).map_or(Overlay::None, Overlay::Matrix);
            after_overlay(app);
            Vec::new()
        }
        Overlay::Moment(text) => moment_key(app, text, key),
        Overlay::Playbook(open) => {
            let effects = playbook::key(app, open, key);
            after_overlay(app);
            effects
        }
        Overlay::None => {
            if let Some(command) = app.keymap.command(key, app) {
                return command::give(app, command);
            }
            app.notify(format!("{key} means nothing here; ? shows the keys"));
            Vec::new()
        }
    }
}

/// A question that arrived meanwhile is asked once the operator is done.
fn after_overlay(app: &mut App) {
    prompt::open_if_idle(app);
}

pub(super) fn paste(app: &mut App, text: &str) {
    let typed: String = text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect();
    match &mut app.overlay {
        Overlay::Prompt(prompt) => prompt.add(text),
        Overlay::Palette(open) => open.edit(|query| append(query, &typed)),
        Overlay::Filter => append(&mut app.screens.of_mut(app.place.screen).filter, &typed),
        Overlay::Moment(text) => append(text, &typed),
        Overlay::Plan(open) => planning::add(open, text),
        Overlay::Decision(open) => decision::add(open, text),
        Overlay::Logs(open) => logs::add(open, text),
        Overlay::None
        | Overlay::Help(_)
        | Overlay::Matrix(_)
        | Overlay::Run
        | Overlay::Chart(_)
        | Overlay::Playbook(_) => {}
    }
}

/// A step of the wheel in what lies over the screen, unless something is being typed there.
pub(super) fn scroll(app: &mut App, code: KeyCode) {
    if matches!(&app.overlay, Overlay::Plan(open) if open.field != planning::Field::None) {
        return;
    }
    if matches!(app.overlay, Overlay::Plan(_) | Overlay::Run | Overlay::Logs(_) | Overlay::Playbook(_)) {
        key(app, Key::plain(code));
    }
}

fn append(text: &mut String, typed: &str) {
    let room = TEXT_MAX.saturating_sub(text.chars().count());
    text.extend(typed.chars().take(room));
}

fn palette_key(app: &mut App, mut open: palette::Palette, key: Key) -> Vec<Effect> {
    match (key.code, key.ctrl) {
        (KeyCode::Enter, _) => {
            let effects = palette::take(app, open);
            after_overlay(app);
            return effects;
        }
        (KeyCode::Esc, _) => {
            after_overlay(app);
            return Vec::new();
        }
        (KeyCode::Down | KeyCode::Tab, _) | (KeyCode::Char('n' | 'j'), true) => open.mark(1),
        (KeyCode::Up | KeyCode::BackTab, _) | (KeyCode::Char('p' | 'k'), true) => open.mark(-1),
        (KeyCode::PageDown, _) => open.mark(10),
        (KeyCode::PageUp, _) => open.mark(-10),
        (KeyCode::Backspace, _) => open.edit(|query| {
            query.pop();
        }),
        (KeyCode::Char('u'), true) => open.edit(String::clear),
        (KeyCode::Char(c), false) => open.edit(|query| append(query, c.encode_utf8(&mut [0; 4]))),
        _ => {}
    }
    app.overlay = Overlay::Palette(open);
    Vec::new()
}

/// The filter acts while it is typed; Enter keeps it, Esc removes it.
fn filter_key(app: &mut App, key: Key) {
    let filter = &mut app.screens.of_mut(app.place.screen).filter;
    match (key.code, key.ctrl) {
        (KeyCode::Enter, _) => return,
        (KeyCode::Esc, _) => {
            filter.clear();
            return;
        }
        (KeyCode::Backspace, _) => {
            filter.pop();
        }
        (KeyCode::Char('u'), true) => filter.clear(),
        (KeyCode::Char(c), false) => append(filter, c.encode_utf8(&mut [0; 4])),
        _ => {}
    }
    app.overlay = Overlay::Filter;
}

/// A moment of the recording is typed; Enter goes there.
fn moment_key(app: &mut App, mut text: String, key: Key) -> Vec<Effect> {
    match (key.code, key.ctrl) {
        (KeyCode::Enter, _) => {
            let Some(replay) = &app.options.replay else { return Vec::new() };
            match replay::moment(&text, replay.start.wall, replay.end.wall, &app.options.zone) {
                Ok(jog) => return vec![Effect::Replay(jog)],
                Err(unclear) => app.notify(unclear),
            }
        }
        (KeyCode::Esc, _) => return Vec::new(),
        (KeyCode::Backspace, _) => {
            text.pop();
        }
        (KeyCode::Char('u'), true) => text.clear(),
        (KeyCode::Char(c), false) => append(&mut text, c.encode_utf8(&mut [0; 4])),
        _ => {}
    }
    app.overlay = Overlay::Moment(text);
    Vec::new()
}

/// The first visible line of a page of lines after a key; `None`: the key closes it.
fn scrolled(app: &App, line: usize, key: Key) -> Option<usize> {
    let page = usize::from(app.size.height.saturating_sub(6)).max(1);
    let line = match key.code {
        KeyCode::Down | KeyCode::Char('j') => line + 1,
        KeyCode::Up | KeyCode::Char('k') => line.saturating_sub(1),
        KeyCode::PageDown | KeyCode::Char(' ') => line + page,
        KeyCode::PageUp => line.saturating_sub(page),
        KeyCode::Home => 0,
        KeyCode::End => LINES_MAX,
        _ => return None,
    };
    Some(line.min(LINES_MAX))
}

/// More lines than such a page has; drawing stops at the last one.
const LINES_MAX: usize = 1_200;
