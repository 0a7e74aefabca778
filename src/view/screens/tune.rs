//! Settings of databases, load balancers and kernels side by side.

use super::{
    super::{canvas::Canvas, table::Column},
    listing::{self, caption},
    overview::more,
};
use crate::{
    app::{
        App,
        layout::{self, Layout},
        meaning::{Line, Meaning, Span},
        rows::Rows,
        tune,
    },
    history::tuning::{Fold, Mark},
    model::ids::NodeName,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SettingColumn {
    Name,
    Nodes,
    Running,
    File,
    Default,
    Marks,
    Advised,
}

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Tune(list) = rows else { return };
    if !layout.is_page {
        table(canvas, app, list, rows, layout);
    }
    if layout.details.is_some() {
        let fold = rows.place(app).and_then(|place| list.get(place));
        let details = fold.map(tune::details).unwrap_or_default();
        listing::pane(canvas, app, layout, &details);
    }
}

fn table(canvas: &mut Canvas<'_>, app: &App, list: &[Fold], rows: &Rows<'_>, layout: &Layout) {
    let (visible, place) = layout::window(app, rows, layout);
    let out = list.iter().filter(|fold| fold.row.marks.iter().any(Mark::is_trouble)).count();
    let is_read = list.iter().any(|fold| fold.row.running.as_ref().known().is_some());
    let title = match out {
        0 if !is_read => vec![Span::new("Settings, not read yet", Meaning::Heading)],
        0 => vec![Span::new("Settings; nodes and files agree", Meaning::Heading)],
        1 => vec![Span::new("Settings, one row to look at", Meaning::Heading)],
        _ => vec![Span::new(format!("Settings, {out} rows to look at"), Meaning::Heading)],
    };
    caption(canvas, app, layout.caption, &title, &more(visible.end, list.len()));
    let columns = vec![
        Column::left(SettingColumn::Name, "SETTING", 24, 0).growing(2),
        Column::left(SettingColumn::Nodes, "NODES", 14, 1).growing(1),
        Column::right(SettingColumn::Running, "RUNNING", 10, 0),
        Column::right(SettingColumn::File, "FILE", 10, 2),
        Column::right(SettingColumn::Default, "DEFAULT", 10, 4),
        Column::left(SettingColumn::Marks, "STANDS OUT", 20, 0).growing(2),
        Column::left(SettingColumn::Advised, "ADVISED", 24, 3).growing(2),
    ];
    let columns = listing::heads(canvas, layout, columns, 2);
    if list.is_empty() {
        let words = if app.screens.of(app.screen()).filter.is_empty() {
            "No setting has been read yet."
        } else {
            "No setting matches the filter. Esc removes it."
        };
        listing::empty(canvas, layout, &[Span::dim(words)]);
    }
    listing::lines(canvas, layout, visible, place, |canvas, row, _, cells| {
        let Some(fold) = list.get(row) else { return };
        for column in &columns {
            canvas.cell(cells, column, &cell(fold, column.key));
        }
    });
}

fn cell(fold: &Fold, column: SettingColumn) -> Line {
    let row = &fold.row;
    match column {
        SettingColumn::Name => vec![Span::new(row.title(), Meaning::Accent)],
        SettingColumn::Nodes => {
            let names: Vec<&str> = fold.nodes.iter().map(NodeName::as_str).collect();
            vec![Span::plain(names.join(" "))]
        }
        SettingColumn::Running => tune::value(row, &row.running),
        SettingColumn::File => tune::in_file(row),
        SettingColumn::Default => tune::value(row, &row.default),
        SettingColumn::Marks => tune::marks(row),
        SettingColumn::Advised => tune::advised(row),
    }
}
