//! Runs, those that need somebody first; below them what is changed but not permanent.

use super::{
    super::{
        canvas::Canvas,
        table::{Column, Placed},
    },
    listing::{self, caption},
    overview::more,
};
use crate::{
    app::{
        App, change_details, changes,
        changes::ChangeRow,
        details, figures,
        layout::{self, Area, Layout},
        meaning::{Line, Meaning, Span},
        rows::Rows,
    },
    run::{RunState, RunSummary, ledger::Wish},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChangeColumn {
    State,
    Ago,
    Who,
    What,
    How,
    Why,
}

/// Below this width there is one column between two cells instead of two.
const NARROW: u16 = 100;

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Changes(list) = rows else { return };
    if !layout.is_page {
        table(canvas, app, list, rows, layout);
    }
    if layout.details.is_some() {
        let details = rows.current(app).map(|row| details::of_row(app, &row)).unwrap_or_default();
        listing::pane(canvas, app, layout, &details);
    }
}

fn table(canvas: &mut Canvas<'_>, app: &App, list: &[ChangeRow<'_>], rows: &Rows<'_>, layout: &Layout) {
    let (visible, place) = layout::window(app, rows, layout);
    let has_runs = matches!(list.first(), Some(ChangeRow::Run(_)) | None);
    let words = if has_runs { "Runs, those that need somebody first" } else { HEADING };
    caption(canvas, app, layout.caption, &[Span::new(words, Meaning::Heading)], &more(visible.end, list.len()));
    let gap = if layout.list.width < NARROW { 1 } else { 2 };
    let columns = listing::heads(canvas, layout, columns(), gap);
    if list.is_empty() {
        listing::empty(canvas, layout, &empty(app));
    }
    listing::lines(canvas, layout, visible, place, |canvas, row, line, cells| {
        if let Some(kind) = list.get(row) {
            draw_row(canvas, app, *kind, &columns, line, cells);
        }
    });
}

const HEADING: &str = "Changed, but not permanent";

fn columns() -> Vec<Column<ChangeColumn>> {
    vec![
        Column::left(ChangeColumn::State, "STATE", 16, 0),
        Column::right(ChangeColumn::Ago, "AGO", 8, 0),
        Column::left(ChangeColumn::Who, "WHO", 8, 1),
        Column::left(ChangeColumn::What, "WHAT", 24, 0).growing(2),
        Column::left(ChangeColumn::How, "TOOK, HOLDS", 16, 0).growing(2),
        Column::left(ChangeColumn::Why, "WHY", 16, 2).growing(2),
    ]
}

fn draw_row(
    canvas: &mut Canvas<'_>,
    app: &App,
    row: ChangeRow<'_>,
    columns: &[Placed<ChangeColumn>],
    line: Area,
    cells: Area,
) {
    match row {
        ChangeRow::Heading => canvas.rule(line, &[Span::new(HEADING, Meaning::Heading)], &[]),
        ChangeRow::Run(run) => {
            for column in columns {
                let cell = run_cell(canvas, app, run, column.key);
                canvas.cell(cells, column, &cell);
            }
        }
        ChangeRow::Wish(wish) => {
            for column in columns {
                canvas.cell(cells, column, &wish_cell(app, wish, column.key));
            }
        }
    }
}

fn run_cell(canvas: &Canvas<'_>, app: &App, run: &RunSummary, column: ChangeColumn) -> Line {
    let seen = app.seen();
    match column {
        ChangeColumn::State if run.state == RunState::Running => {
            let meaning = if run.holds_until.is_some() { Meaning::Warn } else { Meaning::Accent };
            vec![Span::new(format!("{} {}", canvas.glyphs.ellipsis, run.word()), meaning)]
        }
        ChangeColumn::State => vec![change_details::state(run, changes::meaning(&run.state))],
        ChangeColumn::Ago => vec![Span::dim(figures::age(changes::wall_ms(run.opened_at, seen.now.wall)))],
        ChangeColumn::Who => vec![Span::plain(run.operator.login.as_str())],
        ChangeColumn::What => vec![Span::new(run.title.as_str(), Meaning::Accent)],
        ChangeColumn::How => {
            let took = change_details::took(seen, run);
            match &run.state {
                RunState::Running if run.holds_until.is_some() => {
                    let words = run.holds_until.map(|until| changes::held_until_words(seen, until));
                    vec![Span::new(words.unwrap_or_default(), Meaning::Warn)]
                }
                RunState::Running => vec![Span::plain(took)],
                state => vec![Span::plain(format!("{took}: ")), Span::dim(changes::why(state))],
            }
        }
        ChangeColumn::Why => why(run.intent.reason.as_ref().map(crate::model::text::Clean::as_str)),
    }
}

fn wish_cell(app: &App, wish: &Wish, column: ChangeColumn) -> Line {
    let seen = app.seen();
    match column {
        ChangeColumn::State if changes::is_lost(seen, wish) => {
            vec![Span::signed(&format!("{} lost", changes::wanted_word(wish.wanted)), Meaning::Crit)]
        }
        ChangeColumn::State => {
            let words = change_details::wanted_words(wish.wanted);
            vec![Span::signed(&words, changes::wanted_meaning(wish.wanted))]
        }
        ChangeColumn::Ago => vec![Span::dim(figures::age(changes::wall_ms(wish.since, seen.now.wall)))],
        ChangeColumn::Who => vec![Span::plain(wish.by.as_str())],
        ChangeColumn::What => vec![Span::new(wish.server.to_string(), Meaning::Accent)],
        ChangeColumn::How => change_details::holds_line(seen, wish),
        ChangeColumn::Why => why(wish.reason.as_ref().map(crate::model::text::Clean::as_str)),
    }
}

fn why(reason: Option<&str>) -> Line {
    vec![reason.map_or_else(|| Span::dim("-"), Span::plain)]
}

/// An empty list says why it is empty.
fn empty(app: &App) -> Line {
    let standing = &app.standing;
    if !standing.runs.is_empty() || !standing.ledger.wishes.is_empty() {
        return vec![Span::dim("No run matches the filter. Esc removes it.")];
    }
    match &standing.trouble {
        Some(why) => vec![Span::signed(&format!("The state folder cannot be used: {why}"), Meaning::Warn)],
        None => vec![Span::dim("Nothing was changed yet. On a server, d opens the plan that drains it.")],
    }
}
