//! Where everything stands on the terminal: one function, used by drawing and by the mouse.
//!
//! Main type: [`Layout`]. All arithmetic saturates: a terminal may be 0x0.

use super::{App, Size, list, network, overview, path, planning, rows::Rows, screen::ScreenId, traffic};
use std::ops::Range;

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Area {
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) width: u16,
    pub(crate) height: u16,
}

impl Area {
    /// Cuts `rows` from the top.
    pub(crate) fn take_top(&mut self, rows: u16) -> Self {
        let rows = rows.min(self.height);
        let top = Self { height: rows, ..*self };
        self.y += rows;
        self.height -= rows;
        top
    }

    /// Cuts `rows` from the bottom.
    pub(crate) fn take_bottom(&mut self, rows: u16) -> Self {
        let rows = rows.min(self.height);
        self.height -= rows;
        Self { y: self.y + self.height, height: rows, ..*self }
    }

    /// Cuts `columns` from the right.
    pub(crate) fn take_right(&mut self, columns: u16) -> Self {
        let columns = columns.min(self.width);
        self.width -= columns;
        Self { x: self.x + self.width, width: columns, ..*self }
    }

    /// Whether a cell lies within.
    pub(crate) fn contains(self, column: u16, row: u16) -> bool {
        (self.x..self.x.saturating_add(self.width)).contains(&column)
            && (self.y..self.y.saturating_add(self.height)).contains(&row)
    }
}

/// Smaller than this, one sentence is all there is room for.
pub(crate) const WIDTH_MIN: u16 = 60;
/// See [`WIDTH_MIN`].
pub(crate) const HEIGHT_MIN: u16 = 16;
/// From this width on the details stand beside the list, and open by themselves.
const SIDE_WIDTH: u16 = 170;
/// From this height on the details stand below the list.
const BELOW_HEIGHT: u16 = 38;

/// Where everything stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    /// There is only room for one sentence.
    pub(crate) is_tiny: bool,
    /// Cluster, counts, clock.
    pub(crate) title: Area,
    /// The screens.
    pub(crate) tabs: Area,
    /// Everything between tabs and keys.
    pub(crate) body: Area,
    /// The keys that can be pressed now.
    pub(crate) keys: Area,
    /// On the overview: "What is wrong" with its heading.
    pub(crate) wrong: Area,
    /// On the overview: the path with its heading.
    pub(crate) path: Area,
    /// One line above the column heads: what the list is about.
    pub(crate) caption: Area,
    /// Column heads.
    pub(crate) heads: Area,
    /// The list's rows (on the node screen: everything).
    pub(crate) list: Area,
    /// The details pane with its border line.
    pub(crate) details: Option<Area>,
    /// The details take the whole body; the list is hidden.
    pub(crate) is_page: bool,
}

impl Layout {
    /// The layout of the current screen.
    pub(crate) fn of(app: &App, rows: &Rows<'_>) -> Self {
        let mut rest = Area { x: 0, y: 0, width: app.size.width, height: app.size.height };
        if rest.width < WIDTH_MIN || rest.height < HEIGHT_MIN {
            return Self { is_tiny: true, body: rest, ..Self::default() };
        }
        let mut layout = Self { title: rest.take_top(1), tabs: rest.take_top(1), ..Self::default() };
        layout.keys = rest.take_bottom(1);
        layout.body = rest;
        match app.place.screen {
            ScreenId::Overview => layout.overview(app, rows, rest),
            ScreenId::Node => {
                layout.caption = rest.take_top(2);
                layout.list = rest;
            }
            ScreenId::Database => layout.database(app, rows, rest),
            ScreenId::Traffic
            | ScreenId::Network
            | ScreenId::Machines
            | ScreenId::Nodes
            | ScreenId::Findings
            | ScreenId::Changes
            | ScreenId::Tune
            | ScreenId::WhatIf => layout.table(app, rest),
        }
        layout
    }

    fn overview(&mut self, app: &App, rows: &Rows<'_>, mut rest: Area) {
        let seen = app.seen();
        let urgent = overview::urgent(seen).count();
        let shown = urgent.min(overview::findings_max(app.size.height));
        let more = u16::from(urgent > shown);
        let wrong = u16::try_from(shown.max(1)).unwrap_or(1) + more + 1;
        let stations = path::height(seen);
        let path = u16::try_from(stations).unwrap_or(u16::MAX).min(path_rows_max(app.size.height));
        self.wrong = rest.take_top(wrong);
        self.path = rest.take_top(path + 1);
        self.caption = rest.take_top(1);
        let nodes = u16::try_from(rows.len().saturating_sub(shown)).unwrap_or(u16::MAX);
        let spare = rest.height.saturating_sub(nodes.saturating_add(1));
        if spare >= 10 {
            self.details = Some(rest.take_bottom(spare));
        }
        self.heads = rest.take_top(1);
        self.list = rest;
    }

    /// Few rows and much to say about each: the details have the larger part, on a small terminal, too.
    fn database(&mut self, app: &App, rows: &Rows<'_>, mut rest: Area) {
        if details_open(app) {
            self.details = Some(if rest.width >= SIDE_WIDTH {
                rest.take_right(rest.width * 3 / 5)
            } else {
                let listed = u16::try_from(rows.len().max(1)).unwrap_or(u16::MAX).saturating_add(2);
                rest.take_bottom(rest.height.saturating_sub(listed.min(rest.height / 2)))
            });
        }
        self.caption = rest.take_top(1);
        self.heads = rest.take_top(1);
        self.list = rest;
    }

    fn table(&mut self, app: &App, mut rest: Area) {
        if details_open(app) {
            if rest.width >= SIDE_WIDTH {
                self.details = Some(rest.take_right(rest.width / 3));
            } else if app.size.height >= BELOW_HEIGHT {
                self.details = Some(rest.take_bottom(rest.height * 2 / 5));
            } else {
                self.details = Some(rest);
                self.is_page = true;
                return;
            }
        }
        self.caption = rest.take_top(1);
        self.heads = rest.take_top(1);
        self.list = rest;
    }
}

/// The inside of a sheet that lies over the whole body: a plan, a run.
pub(crate) fn sheet(size: Size) -> Area {
    let mut body = Area { x: 0, y: 0, width: size.width, height: size.height };
    body.take_top(2);
    body.take_bottom(1);
    let width = body.width.saturating_sub(4).min(planning::TEXT_WIDTH_MAX);
    let x = body.x + (body.width.saturating_sub(width)) / 2;
    Area { x, y: body.y + 1, width, height: body.height.saturating_sub(2) }
}

/// How many lines the path may have on a terminal of that height.
fn path_rows_max(height: u16) -> u16 {
    match height {
        0..20 => 2,
        20..28 => 3,
        28..45 => 6,
        _ => 10,
    }
}

/// Whether the current screen shows its details: as the operator said, else where there is room beside the list.
pub(crate) fn details_open(app: &App) -> bool {
    let state = app.screens.of(app.place.screen);
    let wide = matches!(
        app.place.screen,
        ScreenId::Traffic
            | ScreenId::Network
            | ScreenId::Machines
            | ScreenId::Findings
            | ScreenId::Changes
            | ScreenId::Tune
            | ScreenId::WhatIf
    ) && app.size.width >= SIDE_WIDTH;
    state.details.unwrap_or(wide || app.place.screen == ScreenId::Database)
}

/// Whether motion keys move in the details pane rather than in the list.
pub(crate) fn keys_in_details(app: &App, layout: &Layout) -> bool {
    layout.details.is_some() && (layout.is_page || app.screens.of(app.place.screen).in_details)
}

/// The part of the rows that is visible in the list, and the row under the cursor.
pub(crate) fn window(app: &App, rows: &Rows<'_>, layout: &Layout) -> (Range<usize>, Option<usize>) {
    let place = rows.place(app);
    let state = app.screens.of(app.place.screen);
    let above = rows_above_list(app, rows);
    let count = rows.len().saturating_sub(above);
    let height = usize::from(layout.list.height);
    let in_list = place.map_or(0, |place| place.saturating_sub(above));
    let first = list::first_visible(state.cursor.offset, in_list, count, height);
    (above + first..above + (first + height).min(count), place)
}

/// On the overview the first rows are findings, which stand in an area of their own.
pub(crate) fn rows_above_list(app: &App, rows: &Rows<'_>) -> usize {
    match rows {
        Rows::Overview(_) => overview::urgent(app.seen()).count().min(overview::findings_max(app.size.height)),
        _ => 0,
    }
}

/// The row drawn at a cell, for the mouse.
pub(crate) fn row_at(app: &App, rows: &Rows<'_>, layout: &Layout, column: u16, row: u16) -> Option<usize> {
    if layout.is_tiny || layout.is_page {
        return None;
    }
    if layout.wrong.contains(column, row) && row > layout.wrong.y {
        let place = usize::from(row - layout.wrong.y - 1);
        return (place < rows_above_list(app, rows)).then_some(place);
    }
    if layout.list.contains(column, row) {
        let (visible, _) = window(app, rows, layout);
        let place = visible.start + usize::from(row - layout.list.y);
        return visible.contains(&place).then_some(place);
    }
    None
}

/// A tab and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tab {
    pub(crate) area: Area,
    pub(crate) screen: ScreenId,
    /// Its name, in the length that leaves room for every tab.
    pub(crate) title: &'static str,
    /// The key that opens it.
    pub(crate) key: String,
}

/// The tabs: with their whole titles where all of them fit, else with short ones and less space, as many as fit.
pub(crate) fn tabs(app: &App, bar: Area) -> Vec<Tab> {
    let listed: Vec<(ScreenId, String)> = ScreenId::ALL
        .into_iter()
        .filter_map(|screen| Some((screen, app.keymap.shown(screen.command()?).unwrap_or_default())))
        .collect();
    let width = |key: &str, title: &str| u16::try_from(key.chars().count() + 1 + title.len()).unwrap_or(u16::MAX);
    let whole: u16 = listed.iter().map(|(screen, key)| width(key, screen.title()).saturating_add(2)).sum();
    let is_short = whole > bar.width;
    let mut x = bar.x + 1;
    let mut tabs = Vec::new();
    for (screen, key) in listed {
        let title = if is_short { screen.short_title() } else { screen.title() };
        let width = width(&key, title);
        if x.saturating_add(width) > bar.x + bar.width {
            break;
        }
        tabs.push(Tab { area: Area { x, y: bar.y, width, height: bar.height }, screen, title, key });
        x = x.saturating_add(width + if is_short { 1 } else { 2 });
    }
    tabs
}

/// The names of the orders of a screen.
pub(crate) fn sorts(screen: ScreenId) -> &'static [&'static str] {
    match screen {
        ScreenId::Traffic => &traffic::SORTS,
        ScreenId::Network => &network::SORTS,
        ScreenId::Machines => &super::machines::SORTS,
        ScreenId::Nodes => &super::rows::NODE_SORTS,
        ScreenId::Tune => &super::tune::SORTS,
        _ => &[],
    }
}
