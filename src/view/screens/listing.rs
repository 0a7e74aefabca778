//! What every screen that lists rows shares: the line above the list, the heads, the rows, the pane of details.

use super::super::{
    canvas::Canvas,
    overlays,
    table::{self, Column, Placed},
};
use super::overview::mark;
use crate::app::{
    App, Overlay,
    details::Detail,
    layout::{self, Area, Layout},
    meaning::{Line, Meaning, Span},
};
use std::ops::Range;

/// Cells left of a row for its mark, and right of it for air.
const MARGIN: u16 = 4;

/// How wide the cells of a row may be together.
pub(super) fn width(layout: &Layout) -> u16 {
    layout.list.width.saturating_sub(MARGIN)
}

/// The columns that fit, with their heads drawn.
pub(super) fn heads<K: Copy>(
    canvas: &mut Canvas<'_>,
    layout: &Layout,
    columns: Vec<Column<K>>,
    gap: u16,
) -> Vec<Placed<K>> {
    let columns = table::fit(columns, width(layout), gap);
    canvas.heads(Area { x: layout.heads.x + 3, ..layout.heads }, &columns);
    columns
}

/// What an empty list says instead of rows.
pub(super) fn empty(canvas: &mut Canvas<'_>, layout: &Layout, words: &[Span]) {
    canvas.line(layout.list.x + 3, layout.list.y, width(layout), words);
}

/// Draws each visible row and the mark of the cursor. `draw` gets the row, its whole line and the room of its cells.
pub(super) fn lines(
    canvas: &mut Canvas<'_>,
    layout: &Layout,
    visible: Range<usize>,
    cursor: Option<usize>,
    mut draw: impl FnMut(&mut Canvas<'_>, usize, Area, Area),
) {
    for (index, row) in visible.enumerate() {
        let line = Area { y: layout.list.y + index as u16, height: 1, ..layout.list };
        let cells = Area { x: line.x + 3, width: width(layout), ..line };
        draw(canvas, row, line, cells);
        if cursor == Some(row) {
            mark(canvas, line);
        }
    }
}

/// The pane of details, where it is open.
pub(super) fn pane(canvas: &mut Canvas<'_>, app: &App, layout: &Layout, details: &[Detail]) {
    if let Some(pane) = layout.details {
        let state = app.screens.of(app.screen());
        overlays::details(canvas, details, pane, state.scroll, layout::keys_in_details(app, layout));
    }
}

/// The line above a list: what it is, its filter, its order, how much lies below.
pub(super) fn caption(canvas: &mut Canvas<'_>, app: &App, area: Area, title: &[Span], more: &[Span]) {
    let state = app.screens.of(app.screen());
    let mut right: Line = more.to_vec();
    if let Some(order) = layout::sorts(app.screen()).get(state.sort) {
        let space = if right.is_empty() { "" } else { "   " };
        right.push(Span::dim(format!("{space}sort: {order}")));
    }
    caption_unsorted(canvas, app, area, title, &right);
}

/// The same for a list whose order is its own.
pub(super) fn caption_unsorted(canvas: &mut Canvas<'_>, app: &App, area: Area, title: &[Span], right: &[Span]) {
    let state = app.screens.of(app.screen());
    let mut left: Line = title.to_vec();
    if matches!(app.overlay, Overlay::Filter) || !state.filter.is_empty() {
        left.push(Span::dim("   filter: "));
        left.push(Span::new(state.filter.clone(), Meaning::Accent));
        if matches!(app.overlay, Overlay::Filter) {
            left.push(Span::new(canvas.glyphs.caret, Meaning::Accent));
        }
    }
    canvas.rule(area, &left, right);
}
