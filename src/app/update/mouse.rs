//! The mouse: tabs, rows and the wheel, found by the same layout that is drawn.

use super::keys;
use crate::app::{
    App, Overlay, command,
    commands::rows::move_by,
    effect::Effect,
    layout::{self, Layout},
    list::Motion,
    msg::{KeyCode, Mouse, MouseAction},
    rows::Rows,
};

/// Rows a notch of the wheel moves.
const WHEEL_ROWS: isize = 3;

pub(super) fn mouse(app: &mut App, mouse: Mouse) -> Vec<Effect> {
    match &mut app.overlay {
        Overlay::None | Overlay::Filter => {}
        Overlay::Help(line) | Overlay::Matrix(line) => {
            *line = line.saturating_add_signed(wheel(mouse.action));
            return Vec::new();
        }
        Overlay::Palette(open) => {
            open.mark(wheel(mouse.action).signum());
            return Vec::new();
        }
        // A stray click must not answer or close a question.
        Overlay::Prompt(_) | Overlay::Moment(_) | Overlay::Decision(_) | Overlay::Chart(_) => return Vec::new(),
        Overlay::Plan(_) | Overlay::Run | Overlay::Logs(_) | Overlay::Playbook(_) => {
            let key = if wheel(mouse.action) < 0 { KeyCode::Up } else { KeyCode::Down };
            for _ in 0..wheel(mouse.action).unsigned_abs() {
                keys::scroll(app, key);
            }
            return Vec::new();
        }
    }
    match mouse.action {
        MouseAction::Click => click(app, mouse.column, mouse.row),
        MouseAction::ScrollUp | MouseAction::ScrollDown => move_by(app, Motion::By(wheel(mouse.action))),
    }
}

fn wheel(action: MouseAction) -> isize {
    match action {
        MouseAction::Click => 0,
        MouseAction::ScrollUp => -WHEEL_ROWS,
        MouseAction::ScrollDown => WHEEL_ROWS,
    }
}

/// The first click on a row marks it, a click on the marked row opens it.
fn click(app: &mut App, column: u16, row: u16) -> Vec<Effect> {
    let rows = Rows::of(app);
    let layout = Layout::of(app, &rows);
    let tab = layout::tabs(app, layout.tabs).into_iter().find(|tab| tab.area.contains(column, row));
    if let Some(command) = tab.and_then(|tab| tab.screen.command()).and_then(command::find) {
        drop(rows);
        return command::give(app, command);
    }
    let Some(place) = layout::row_at(app, &rows, &layout, column, row) else { return Vec::new() };
    let is_marked = rows.place(app) == Some(place);
    let id = rows.id(place);
    drop(rows);
    if is_marked {
        return command::find("row.open").map_or_else(Vec::new, |open| command::give(app, open));
    }
    if let Some(id) = id {
        app.screens.of_mut(app.place.screen).cursor.put(id, place);
    }
    Vec::new()
}
