//! The logs behind a row, over the whole body: the newest line at the bottom.

use super::{canvas::Canvas, overlays::wrap_hanging};
use crate::app::{
    App,
    layout::Area,
    logs::{self, Logs},
    meaning::{Line, Meaning, Span},
};

/// Draws what is open.
pub(super) fn draw(canvas: &mut Canvas<'_>, app: &App, open: &Logs, mut body: Area) {
    let ground = canvas.theme.dialog;
    canvas.clear(body, ground);
    let title = [Span::new(logs::title(open), Meaning::Accent)];
    canvas.rule(body.take_top(1), &title, &[]);
    let mut state = logs::state(app, open);
    if open.is_filtering {
        state.push(Span::new(canvas.glyphs.caret, Meaning::Accent));
    }
    let head = body.take_top(1);
    canvas.line(head.x + 1, head.y, head.width.saturating_sub(2), &state);
    let inside = Area { x: body.x + 1, width: body.width.saturating_sub(2), ..body };
    let lines = logs::body(app, open);
    let end = lines.len().saturating_sub(open.back).max(1).min(lines.len());
    // From the newest line upwards until the room is full: what lies above costs nothing.
    let mut parts: Vec<Line> = Vec::new();
    for line in lines[..end].iter().rev() {
        let mut broken = wrap_hanging(line, inside.width, logs::indent(open));
        broken.extend(parts);
        parts = broken;
        if parts.len() >= usize::from(inside.height) {
            break;
        }
    }
    // At the top of the log there is room below it: what follows fills it.
    for line in &lines[end..] {
        if parts.len() >= usize::from(inside.height) {
            break;
        }
        let room = usize::from(inside.height) - parts.len();
        parts.extend(wrap_hanging(line, inside.width, logs::indent(open)).into_iter().take(room));
    }
    let hidden = parts.len().saturating_sub(usize::from(inside.height));
    for (row, line) in parts[hidden..].iter().enumerate() {
        canvas.line(inside.x, inside.y + row as u16, inside.width, line);
    }
}
