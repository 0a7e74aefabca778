//! Everything that is wrong, worst first, with what it rests on.

use super::{
    super::{
        canvas::Canvas,
        node_cells::lay_freshness,
        overlays,
        table::{self, Column},
    },
    nodes::caption,
    overview::{mark, more},
};
use crate::{
    app::{
        App, details, figures,
        layout::{self, Area, Layout},
        meaning::{Line, Meaning, Span},
        rows::{self, Rows},
        standing,
    },
    rules::{Finding, Severity},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FindingColumn {
    Severity,
    Subject,
    Sentence,
    Since,
}

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Findings(list) = rows else { return };
    if !layout.is_page {
        table(canvas, app, list, rows, layout);
    }
    if let Some(pane) = layout.details {
        let details = rows.current(app).map(|row| details::of_row(app, &row)).unwrap_or_default();
        let state = app.screens.of(app.screen());
        overlays::details(canvas, &details, pane, state.scroll, layout::keys_in_details(app, layout));
    }
}

fn table(canvas: &mut Canvas<'_>, app: &App, list: &[&Finding], rows: &Rows<'_>, layout: &Layout) {
    let (visible, place) = layout::window(app, rows, layout);
    let title = [Span::new("Findings, worst first", Meaning::Heading)];
    caption(canvas, app, layout.caption, &title, &more(visible.end, list.len()));
    let subject = list.iter().map(|f| super::super::canvas::width(f.subject.as_str())).max().unwrap_or(0);
    let columns = vec![
        Column::left(FindingColumn::Severity, "", 10, 1),
        Column::left(FindingColumn::Subject, "SUBJECT", subject.clamp(7, layout.list.width / 3), 0),
        Column::left(FindingColumn::Sentence, "WHAT IS", 20, 0).growing(1),
        Column::right(FindingColumn::Since, "FOR", 9, 1),
    ];
    let columns = table::fit(columns, layout.list.width.saturating_sub(4), 2);
    canvas.heads(Area { x: layout.heads.x + 3, ..layout.heads }, &columns);
    if list.is_empty() {
        canvas.line(layout.list.x + 3, layout.list.y, layout.list.width.saturating_sub(4), &empty(app));
    }
    for (index, row) in visible.enumerate() {
        let Some(finding) = list.get(row) else { continue };
        let line = Area { y: layout.list.y + index as u16, height: 1, ..layout.list };
        let cells = Area { x: line.x + 3, width: line.width.saturating_sub(4), ..line };
        for column in &columns {
            canvas.cell(cells, column, &[cell(app, finding, column.key)]);
        }
        lay_freshness(canvas, app, &rows::finding_id(finding), cells);
        if place == Some(row) {
            mark(canvas, line);
        }
    }
}

fn cell(app: &App, finding: &Finding, column: FindingColumn) -> Span {
    match column {
        FindingColumn::Severity => {
            let word = match finding.severity {
                Severity::Critical => "critical",
                Severity::Warning => "warning",
            };
            Span::signed(word, finding.severity.into())
        }
        FindingColumn::Subject => Span::new(finding.subject.as_str(), Meaning::Accent),
        FindingColumn::Sentence => Span::plain(finding.sentence.as_str()),
        FindingColumn::Since => Span::dim(figures::duration_s(app.seen().now.mono.since_ms(finding.since.mono) / 1000)),
    }
}

fn empty(app: &App) -> Line {
    let seen = app.seen();
    if !seen.findings.is_empty() {
        return vec![Span::dim("No finding matches the filter. Esc removes it.")];
    }
    let census = standing::census(seen);
    if census.up == census.nodes {
        return vec![Span::signed("Nothing is wrong.", Meaning::Ok)];
    }
    let words = format!("No finding so far; {} of {} nodes answer.", census.up, census.nodes);
    vec![Span::signed(&words, Meaning::Unknown)]
}
