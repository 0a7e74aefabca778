//! Everything that is wrong, worst first, with what it rests on.

use super::{
    super::{canvas::Canvas, node_cells::lay_freshness, table::Column},
    listing::{self, caption},
    overview::more,
};
use crate::{
    app::{
        App, details, figures,
        layout::{self, Layout},
        meaning::{Line, Meaning, Span},
        rows::{self, Rows},
        standing, telling,
    },
    rules::{Finding, Severity},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FindingColumn {
    Severity,
    Subject,
    Sentence,
    Below,
    Since,
}

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Findings(list) = rows else { return };
    if !layout.is_page {
        table(canvas, app, list, rows, layout);
    }
    if layout.details.is_some() {
        let details = rows.current(app).map(|row| details::of_row(app, &row)).unwrap_or_default();
        listing::pane(canvas, app, layout, &details);
    }
}

fn table(canvas: &mut Canvas<'_>, app: &App, list: &[&Finding], rows: &Rows<'_>, layout: &Layout) {
    let (visible, place) = layout::window(app, rows, layout);
    let title = [Span::new("Findings, where to look first", Meaning::Heading)];
    caption(canvas, app, layout.caption, &title, &more(visible.end, list.len()));
    let subject = list.iter().map(|f| super::super::canvas::width(f.subject.as_str())).max().unwrap_or(0);
    let why = list.iter().filter_map(|finding| telling::why_below(app, finding));
    let below = why.map(|why| super::super::canvas::width(&why)).max();
    let mut columns = vec![
        Column::left(FindingColumn::Severity, "", 10, 1),
        Column::left(FindingColumn::Subject, "SUBJECT", subject.clamp(7, layout.list.width / 3), 0),
        Column::left(FindingColumn::Sentence, "WHAT IS", 20, 0).growing(1),
        Column::right(FindingColumn::Since, "FOR", 9, 1),
    ];
    if let Some(below) = below {
        columns.insert(3, Column::left(FindingColumn::Below, "WHY BELOW", below.clamp(9, 34), 2));
    }
    let columns = listing::heads(canvas, layout, columns, 2);
    if list.is_empty() {
        listing::empty(canvas, layout, &empty(app));
    }
    listing::lines(canvas, layout, visible, place, |canvas, row, _, cells| {
        let Some(finding) = list.get(row) else { return };
        for column in &columns {
            canvas.cell(cells, column, &[cell(app, finding, column.key)]);
        }
        lay_freshness(canvas, app, &rows::finding_id(finding), cells);
    });
}

fn cell(app: &App, finding: &Finding, column: FindingColumn) -> Span {
    match column {
        FindingColumn::Severity => {
            let word = match finding.severity {
                Severity::Critical => "critical",
                Severity::Warning => "warning",
            };
            Span::signed(word, telling::meaning(finding))
        }
        FindingColumn::Subject => Span::new(finding.subject.as_str(), Meaning::Accent),
        FindingColumn::Sentence => Span::new(finding.sentence.as_str(), telling::words_meaning(finding)),
        FindingColumn::Below => Span::dim(telling::why_below(app, finding).unwrap_or_default()),
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
