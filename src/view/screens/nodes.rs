//! Every node as a row.

use super::{
    super::{canvas::Canvas, node_cells},
    listing::{self, caption},
    overview::more,
};
use crate::app::{
    App,
    layout::{self, Layout},
    meaning::{Meaning, Span},
    rows::Rows,
};

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Nodes(list) = rows else { return };
    let (visible, place) = layout::window(app, rows, layout);
    let title = [Span::new(format!("{} of {} nodes", list.len(), app.seen().world.nodes.len()), Meaning::Heading)];
    caption(canvas, app, layout.caption, &title, &more(visible.end, list.len()));
    let gap = if app.screens.of(app.screen()).wide { 1 } else { 2 };
    let columns = listing::heads(canvas, layout, node_cells::columns(app), gap);
    if list.is_empty() {
        listing::empty(canvas, layout, &[Span::dim("No node matches the filter.")]);
    }
    listing::lines(canvas, layout, visible, place, |canvas, row, _, cells| {
        if let Some(node) = list.get(row) {
            node_cells::draw(canvas, app, node, &columns, cells);
        }
    });
}
