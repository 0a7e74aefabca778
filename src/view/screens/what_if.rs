//! What a single failure of each node would take down, the worst first.

use super::{
    super::{canvas::Canvas, table::Column},
    listing::{self, caption},
    overview::more,
};
use crate::app::{
    App, details, figures,
    layout::{self, Layout},
    meaning::{Line, Meaning, Span},
    rows::Rows,
    what_if::Failure,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureColumn {
    Node,
    Effect,
    Words,
}

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::WhatIf(list) = rows else { return };
    if !layout.is_page {
        table(canvas, app, list, rows, layout);
    }
    if layout.details.is_some() {
        let failure = rows.place(app).and_then(|place| list.get(place));
        let details = failure.map(details::of_failure).unwrap_or_default();
        listing::pane(canvas, app, layout, &details);
    }
}

fn table(canvas: &mut Canvas<'_>, app: &App, list: &[Failure<'_>], rows: &Rows<'_>, layout: &Layout) {
    let (visible, place) = layout::window(app, rows, layout);
    let title = [Span::new("If one node fails, the worst first", Meaning::Heading)];
    caption(canvas, app, layout.caption, &title, &more(visible.end, list.len()));
    let name = list.iter().map(|failure| super::super::canvas::width(failure.node.as_str())).max().unwrap_or(4);
    let columns = vec![
        Column::left(FailureColumn::Node, "IF THIS FAILS", name.clamp(13, 24), 0),
        Column::left(FailureColumn::Effect, "THEN", 16, 0),
        Column::left(FailureColumn::Words, "WHAT HAPPENS", 30, 0).growing(1),
    ];
    let columns = listing::heads(canvas, layout, columns, 2);
    if list.is_empty() {
        listing::empty(canvas, layout, &[Span::dim("No node matches the filter. Esc removes it.")]);
    }
    listing::lines(canvas, layout, visible, place, |canvas, row, _, cells| {
        let Some(failure) = list.get(row) else { return };
        for column in &columns {
            canvas.cell(cells, column, &cell(failure, column.key));
        }
    });
}

fn cell(failure: &Failure<'_>, column: FailureColumn) -> Line {
    match column {
        FailureColumn::Node => vec![Span::new(failure.node.as_str(), Meaning::Accent)],
        FailureColumn::Effect => vec![effect(failure)],
        FailureColumn::Words => {
            let mut line = vec![Span::plain(failure.losses.first().map(|loss| loss.words.clone()).unwrap_or_default())];
            if failure.losses.len() > 1 {
                let more = figures::counted(failure.losses.len() - 1, "more effect", "more effects");
                line.push(Span::dim(format!("  and {more}")));
            }
            line
        }
    }
}

/// The worst of it in a word.
fn effect(failure: &Failure<'_>) -> Span {
    match failure.meaning() {
        Meaning::Crit => Span::signed("service ends", Meaning::Crit),
        Meaning::Warn => Span::signed("no spare left", Meaning::Warn),
        Meaning::Stale => Span::signed("is down now", Meaning::Stale),
        Meaning::Unknown => Span::signed("not known", Meaning::Unknown),
        _ => Span::signed("goes on", Meaning::Ok),
    }
}
