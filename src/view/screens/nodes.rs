//! Every node as a row.

use super::{
    super::{canvas::Canvas, node_cells, table},
    overview::{mark, more},
};
use crate::app::{
    App, Overlay,
    layout::{self, Area, Layout},
    meaning::{Line, Meaning, Span},
    rows::Rows,
};

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Nodes(list) = rows else { return };
    let (visible, place) = layout::window(app, rows, layout);
    let title = [Span::new(format!("{} of {} nodes", list.len(), app.seen().world.nodes.len()), Meaning::Heading)];
    caption(canvas, app, layout.caption, &title, &more(visible.end, list.len()));
    let gap = if app.screens.of(app.screen()).wide { 1 } else { 2 };
    let columns = table::fit(node_cells::columns(app), layout.list.width.saturating_sub(4), gap);
    canvas.heads(Area { x: layout.heads.x + 3, ..layout.heads }, &columns);
    if list.is_empty() {
        canvas.line(layout.list.x + 3, layout.list.y, layout.list.width, &[Span::dim("No node matches the filter.")]);
    }
    for (index, row) in visible.enumerate() {
        let Some(node) = list.get(row) else { continue };
        let line = Area { y: layout.list.y + index as u16, height: 1, ..layout.list };
        let cells = Area { x: line.x + 3, width: line.width.saturating_sub(4), ..line };
        node_cells::draw(canvas, app, node, &columns, cells);
        if place == Some(row) {
            mark(canvas, line);
        }
    }
}

/// The line above a list: what it is, its filter, its order, how much lies below.
pub(in super::super) fn caption(canvas: &mut Canvas<'_>, app: &App, area: Area, title: &[Span], more: &[Span]) {
    let state = app.screens.of(app.screen());
    let mut left: Line = title.to_vec();
    if matches!(app.overlay, Overlay::Filter) || !state.filter.is_empty() {
        left.push(Span::dim("   filter: "));
        left.push(Span::new(state.filter.clone(), Meaning::Accent));
        if matches!(app.overlay, Overlay::Filter) {
            left.push(Span::new(canvas.glyphs.caret, Meaning::Accent));
        }
    }
    let mut right: Line = more.to_vec();
    if let Some(order) = layout::sorts(app.screen()).get(state.sort) {
        let space = if right.is_empty() { "" } else { "   " };
        right.push(Span::dim(format!("{space}sort: {order}")));
    }
    canvas.rule(area, &left, &right);
}
