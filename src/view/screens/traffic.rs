//! Every frontend, backend and server of all load balancers. Cells are built for visible rows only.

use super::{
    super::{
        canvas::Canvas,
        node_cells::lay_freshness,
        overlays,
        table::{self, Column, Placed},
        traffic_cells::{self, TrafficColumn},
    },
    nodes::caption,
    overview::{mark, more},
};
use crate::app::{
    App, details, figures,
    layout::{self, Area, Layout},
    meaning::{Line, Meaning, Span},
    rows::Rows,
    standing,
    traffic::{Traffic, TrafficRow},
};

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Traffic(traffic) = rows else { return };
    if !layout.is_page {
        table(canvas, app, traffic, rows, layout);
    }
    if let (Some(pane), Some(row)) = (layout.details, rows.current(app)) {
        let state = app.screens.of(app.screen());
        let details = details::of_row_within(app, Some(traffic), &row);
        overlays::details(canvas, &details, pane, state.scroll, layout::keys_in_details(app, layout));
    }
}

fn table(canvas: &mut Canvas<'_>, app: &App, traffic: &Traffic<'_>, rows: &Rows<'_>, layout: &Layout) {
    let (visible, place) = layout::window(app, rows, layout);
    caption(canvas, app, layout.caption, &balancers(app, traffic), &more(visible.end, traffic.rows.len()));
    let gap = if app.screens.of(app.screen()).wide { 1 } else { 2 };
    let columns =
        table::fit(traffic_cells::columns(app, traffic, layout.list.width), layout.list.width.saturating_sub(4), gap);
    canvas.heads(Area { x: layout.heads.x + 3, ..layout.heads }, &columns);
    if traffic.rows.is_empty() {
        canvas.line(layout.list.x + 3, layout.list.y, layout.list.width.saturating_sub(4), &empty(app, traffic));
    }
    for (index, row) in visible.enumerate() {
        let Some(kind) = traffic.rows.get(row) else { continue };
        let line = Area { y: layout.list.y + index as u16, height: 1, ..layout.list };
        let cells = Area { x: line.x + 3, width: line.width.saturating_sub(4), ..line };
        draw_row(canvas, app, traffic, *kind, &columns, cells);
        if place == Some(row) {
            mark(canvas, line);
        }
    }
}

fn draw_row(
    canvas: &mut Canvas<'_>,
    app: &App,
    traffic: &Traffic<'_>,
    row: TrafficRow,
    columns: &[Placed<TrafficColumn>],
    area: Area,
) {
    for column in columns {
        if column.key == TrafficColumn::Trend {
            if let Some(samples) = traffic_cells::trend(app, traffic, row, usize::from(column.width)) {
                let top = samples.iter().flatten().copied().fold(0.0, f32::max);
                canvas.chart(area.x + column.x, area.y, &samples, top, Meaning::Chart);
            }
            continue;
        }
        let line = traffic_cells::cell(app, traffic, row, column.key);
        canvas.cell(area, column, &line);
    }
    if !app.changes.is_empty() {
        lay_freshness(canvas, app, &traffic.id(row), area);
    }
}

/// The load balancers and how each stands.
fn balancers(app: &App, traffic: &Traffic<'_>) -> Line {
    let mut line = vec![Span::new("Traffic of ", Meaning::Heading)];
    for (index, balancer) in traffic.balancers.iter().enumerate() {
        if index > 0 {
            line.push(Span::dim(", "));
        }
        line.push(Span::new(format!("{} ", balancer.node.name), Meaning::Heading));
        let age = balancer.node.haproxy.age_ms(app.seen().now.mono);
        line.push(match (balancer.is_stale, age) {
            (false, _) => Span::signed("", Meaning::Ok),
            (true, Some(age)) => Span::signed(&figures::age(age), Meaning::Stale),
            (true, None) => Span::signed(&standing::haproxy_trouble(balancer.node), Meaning::Unknown),
        });
    }
    line
}

/// An empty table says why it is empty.
fn empty(app: &App, traffic: &Traffic<'_>) -> Line {
    if traffic.balancers.is_empty() {
        return vec![Span::signed("No node of the configuration has a HAProxy socket.", Meaning::Unknown)];
    }
    if traffic.pools.is_empty() && traffic.frontends.is_empty() {
        let first = traffic.balancers[0].node;
        let words = format!("No load balancer has answered yet. {}: {}.", first.name, standing::haproxy_trouble(first));
        return vec![Span::signed(&words, Meaning::Unknown)];
    }
    let filter = &app.screens.of(app.screen()).filter;
    vec![Span::dim(format!("Nothing matches {filter:?}. Esc removes the filter."))]
}

/// Keeps the column type next to its table.
pub(in super::super) type Columns = Vec<Column<TrafficColumn>>;
