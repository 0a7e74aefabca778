//! Every frontend, backend and server of all load balancers. Cells are built for visible rows only.

use super::{
    super::{
        canvas::Canvas,
        node_cells::lay_freshness,
        table::{Column, Placed},
        traffic_cells::{self, TrafficColumn},
    },
    listing::{self, caption},
    overview::more,
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
    // Without a row there is nothing to tell about: the list keeps its width of the moment before.
    if let (Some(_), Some(row)) = (layout.details, rows.current(app)) {
        listing::pane(canvas, app, layout, &details::of_row_within(app, Some(traffic), &row));
    }
}

fn table(canvas: &mut Canvas<'_>, app: &App, traffic: &Traffic<'_>, rows: &Rows<'_>, layout: &Layout) {
    let (visible, place) = layout::window(app, rows, layout);
    caption(canvas, app, layout.caption, &balancers(app, traffic), &more(visible.end, traffic.rows.len()));
    let gap = if app.screens.of(app.screen()).wide { 1 } else { 2 };
    let columns = listing::heads(canvas, layout, traffic_cells::columns(app, traffic, layout.list.width), gap);
    if traffic.rows.is_empty() {
        listing::empty(canvas, layout, &empty(app, traffic));
    }
    listing::lines(canvas, layout, visible, place, |canvas, row, _, cells| {
        if let Some(kind) = traffic.rows.get(row) {
            draw_row(canvas, app, traffic, *kind, &columns, cells);
        }
    });
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
