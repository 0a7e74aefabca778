//! Databases: who replicates from whom, and of the one under the cursor whether it is the disk or the locks.

use super::{
    super::{canvas::Canvas, sections, table::Column},
    listing::{self, caption},
    overview::more,
};
use crate::app::{
    App,
    databases::{self, DatabaseRow},
    figures,
    layout::{self, Layout},
    meaning::{Line, Meaning, Span},
    rows::Rows,
};
use crate::model::{figure::Figure, mysql::MysqlFacts};

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DatabaseColumn {
    Name,
    Role,
    State,
    Writes,
    Queries,
    Changes,
    Connections,
    Locks,
    Hit,
    Lag,
    Relation,
    SemiSync,
    Version,
    Age,
}

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Databases(list) = rows else { return };
    let (visible, place) = layout::window(app, rows, layout);
    let title = [Span::new(figures::counted(list.len(), "database", "databases"), Meaning::Heading)];
    caption(canvas, app, layout.caption, &title, &more(visible.end, list.len()));
    let columns = listing::heads(canvas, layout, columns(app, list), 2);
    if list.is_empty() {
        listing::empty(canvas, layout, &empty(app));
    }
    listing::lines(canvas, layout, visible, place, |canvas, row, _, cells| {
        let Some(row) = list.get(row) else { return };
        for column in &columns {
            canvas.cell(cells, column, &cell(app, row, column.key));
        }
    });
    if let (Some(pane), Some(row)) = (layout.details, place.and_then(|place| list.get(place))) {
        let scroll = app.screens.of(app.screen()).scroll;
        sections::database(canvas, app, row, pane, scroll, layout::keys_in_details(app, layout));
    }
}

fn columns(app: &App, list: &[DatabaseRow<'_>]) -> Vec<Column<DatabaseColumn>> {
    use DatabaseColumn as C;
    let widest = list.iter().map(|row| row.depth * 2 + row.node.name.as_str().chars().count()).max().unwrap_or(4);
    let name = u16::try_from(widest).unwrap_or(20).clamp(6, 24);
    let version = if app.size.width >= 160 { 24 } else { 12 };
    vec![
        Column::left(C::Name, "SERVER", name, 0),
        Column::left(C::Role, "ROLE", 7, 1),
        Column::left(C::State, "STATE", 11, 0),
        Column::left(C::Writes, "WRITES", 9, 1),
        Column::right(C::Lag, "LAG", 8, 0),
        Column::right(C::Relation, "GTID", 9, 2),
        Column::left(C::SemiSync, "SEMI-SYNC", 10, 3),
        Column::right(C::Queries, "Q/S", 6, 2),
        Column::right(C::Changes, "W/S", 6, 5),
        Column::right(C::Connections, "CONN", 9, 4),
        Column::right(C::Locks, "WAIT", 5, 5),
        Column::right(C::Hit, "HIT", 6, 6),
        Column::left(C::Version, "VERSION", version, 7).growing(1),
        Column::right(C::Age, "AGE", 6, 6),
    ]
}

fn cell(app: &App, row: &DatabaseRow<'_>, column: DatabaseColumn) -> Line {
    use DatabaseColumn as C;
    let seen = app.seen();
    let (word, meaning, _) = databases::standing(seen, row.node);
    let facts = row.node.mysql.last();
    let is_old = databases::is_old(seen, row.node);
    let figure = |of: fn(&MysqlFacts) -> Figure<f64>| facts.map_or_else(Figure::default, of);
    let mut span = match column {
        C::Name => {
            let branch = if row.depth > 0 { format!("{}- ", "  ".repeat(row.depth - 1)) } else { String::new() };
            return vec![Span::dim(branch), Span::plain(row.node.name.as_str())];
        }
        C::State => return vec![Span::signed(word, meaning)],
        C::Role => Span::plain(row.place.role.word()),
        C::Age => match row.node.mysql.age_ms(seen.now.mono) {
            Some(age) => Span::dim(figures::age(age)),
            None => Span::new("?", Meaning::Unknown),
        },
        C::Queries => Span::figure(figure(|facts| facts.rates.statements.questions_per_s), figures::number),
        C::Changes => Span::figure(figure(|facts| facts.rates.statements.writes_per_s()), figures::number),
        C::Locks => Span::figure(figure(|facts| facts.sample.innodb.row_locks.waiting_now.map(|n| n as f64)), |n| {
            format!("{n:.0}")
        }),
        C::Hit => Span::figure(figure(|facts| facts.rates.engine.hit.window_percent), figures::percent_fine),
        C::Connections => {
            let server = facts.map(|facts| &facts.sample.server);
            match server.and_then(|server| server.threads_connected.known().zip(server.connections_max.known())) {
                Some((now, most)) => Span::plain(format!("{now}/{most}")),
                None => Span::new("?", Meaning::Unknown),
            }
        }
        _ => match facts {
            None => Span::new("?", Meaning::Unknown),
            Some(facts) => match column {
                C::Writes => databases::writes(facts),
                C::Lag => databases::lag(facts, seen.inventory.settings.thresholds.database.lag_ms),
                C::Relation => databases::relation(facts),
                C::SemiSync => databases::semi_sync(facts, row.place.role),
                _ => match facts.sample.identity.version.as_ref().known() {
                    Some(version) => Span::dim(version.as_str()),
                    None => Span::new("?", Meaning::Unknown),
                },
            },
        },
    };
    if is_old && column != C::Age {
        span.meaning = Meaning::Stale;
    }
    vec![span]
}

fn empty(app: &App) -> Line {
    let filter = &app.screens.of(app.screen()).filter;
    if filter.is_empty() {
        vec![Span::signed("No node of the configuration has a database.", Meaning::Unknown)]
    } else {
        vec![Span::dim(format!("Nothing matches {filter:?}. Esc removes the filter."))]
    }
}
