//! Moving in lists, opening and copying rows.

use super::{DETAILED, LOOKS, ROWS, SORTED, TABLES, always};
use crate::app::{
    App, Overlay,
    chart::{self, Chart},
    command::{Command, Danger, Scope},
    effect::Effect,
    evidence, following,
    layout::{self, Layout},
    list::{self, Motion},
    logs::{self, Logs},
    rows::{RowId, Rows},
    screen::{Place, ScreenId},
};
use crate::model::ids::NodeName;

pub(in crate::app) const COMMANDS: &[Command] = &[
    Command {
        id: "row.open",
        title: "Open this row",
        hint: "open",
        doc: "Goes in: a node opens its screen, a run its story, a server or finding its details.",
        scope: ROWS,
        danger: LOOKS,
        available: |here| here.row.as_ref().map(|_| ()).ok_or_else(|| "There is no row to open.".to_owned()),
        act: open,
    },
    Command {
        id: "row.down",
        title: "Down",
        hint: "",
        doc: "One row down; on the node screen and in the details, one line.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| move_by(app, Motion::By(1)),
    },
    Command {
        id: "row.up",
        title: "Up",
        hint: "",
        doc: "One row up; on the node screen and in the details, one line.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| move_by(app, Motion::By(-1)),
    },
    Command {
        id: "row.page_down",
        title: "Page down",
        hint: "",
        doc: "One page down.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| move_by(app, Motion::Pages(1)),
    },
    Command {
        id: "row.page_up",
        title: "Page up",
        hint: "",
        doc: "One page up.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| move_by(app, Motion::Pages(-1)),
    },
    Command {
        id: "row.first",
        title: "First row",
        hint: "",
        doc: "To the first row.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| move_by(app, Motion::First),
    },
    Command {
        id: "row.last",
        title: "Last row",
        hint: "",
        doc: "To the last row.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| move_by(app, Motion::Last),
    },
    Command {
        id: "list.filter",
        title: "Filter the rows",
        hint: "filter",
        doc: "Shows only rows that contain what is typed: names, states, roles. Esc removes the filter.",
        scope: TABLES,
        danger: LOOKS,
        available: always,
        act: |app| {
            app.overlay = Overlay::Filter;
            Vec::new()
        },
    },
    Command {
        id: "list.sort",
        title: "Sort by the next order",
        hint: "sort",
        doc: "Goes through the orders of this list; the line above the list says which one holds.",
        scope: SORTED,
        danger: LOOKS,
        available: always,
        act: sort,
    },
    Command {
        id: "list.wide",
        title: "More columns",
        hint: "wide",
        doc: "Shows every column that fits, with less space between them; once more goes back.",
        scope: SORTED,
        danger: LOOKS,
        available: always,
        act: |app| {
            let state = app.screens.of_mut(app.place.screen);
            state.wide = !state.wide;
            Vec::new()
        },
    },
    Command {
        id: "pane.next",
        title: "Next pane",
        hint: "details",
        doc: "Opens the details of the row, moves the keys into them, and closes them again.",
        scope: DETAILED,
        danger: LOOKS,
        available: always,
        act: next_pane,
    },
    Command {
        id: "row.logs",
        title: "Read the logs behind this row",
        hint: "logs",
        doc: "Shows the journal and the daemon's log behind this row, followed; of a finding, around its beginning.",
        scope: Scope::Everywhere,
        danger: Danger::Console,
        available: |here| Logs::behind(here).map(|_| ()),
        act: logs::open,
    },
    Command {
        id: "database.status_text",
        title: "Read what InnoDB says of itself",
        hint: "InnoDB",
        doc: "Asks the database of this row once for its engine's status text, literals masked; r reads it again.",
        scope: Scope::Screens(&[ScreenId::Database]),
        danger: Danger::Console,
        available: |here| Logs::status_text(here).map(|_| ()),
        act: logs::open_status_text,
    },
    Command {
        id: "row.chart",
        title: "Chart the figures of this row",
        hint: "graph",
        doc: "Draws the figures of this row over minutes or hours, with what happened, and against an hour before.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: |here| Chart::behind(here).map(|_| ()),
        act: chart::open,
    },
    Command {
        id: "row.copy",
        title: "Copy this row",
        hint: "copy",
        doc: "Puts the row on the clipboard as text; with open details, all of them.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: |here| here.row.as_ref().map(|_| ()).ok_or_else(|| "There is no row to copy.".to_owned()),
        act: |app| match evidence::of_row(app) {
            Some(text) => {
                app.notify(format!("Sent to the clipboard: {}", text.lines().next().unwrap_or_default()));
                vec![Effect::Copy(text)]
            }
            None => Vec::new(),
        },
    },
];

fn sort(app: &mut App) -> Vec<Effect> {
    let screen = app.place.screen;
    let orders = layout::sorts(screen);
    let state = app.screens.of_mut(screen);
    if !orders.is_empty() {
        state.sort = (state.sort + 1) % orders.len();
    }
    Vec::new()
}

fn next_pane(app: &mut App) -> Vec<Effect> {
    let rows = Rows::of(app);
    let layout = Layout::of(app, &rows);
    drop(rows);
    let screen = app.place.screen;
    let is_open = layout::details_open(app);
    let state = app.screens.of_mut(screen);
    if !is_open {
        state.details = Some(true);
        state.scroll = 0;
    } else if layout.is_page || state.in_details {
        state.details = Some(false);
        state.in_details = false;
    } else {
        state.in_details = true;
    }
    Vec::new()
}

fn open(app: &mut App) -> Vec<Effect> {
    let Some(row) = Rows::of(app).current(app) else { return Vec::new() };
    match row {
        RowId::Node(name) => go_to_node(app, name),
        RowId::Finding(..) if app.place.screen == ScreenId::Overview => {
            let state = app.screens.of_mut(ScreenId::Findings);
            state.filter.clear();
            state.cursor.put(row, 0);
            state.details = Some(true);
            state.scroll = 0;
            app.go(Place::new(ScreenId::Findings));
            Vec::new()
        }
        RowId::Run(id) if app.place.screen == ScreenId::Changes => following::show(app, &id),
        RowId::Run(id) => {
            let state = app.screens.of_mut(ScreenId::Changes);
            state.filter.clear();
            state.cursor.put(RowId::Run(id), 0);
            app.go(Place::new(ScreenId::Changes));
            Vec::new()
        }
        RowId::Finding(..) if layout::details_open(app) => {
            let node = app.findings.iter().find(|finding| super::super::rows::finding_id(finding) == row);
            if let Some(name) = node.and_then(|finding| finding.node.clone()) {
                return go_to_node(app, name);
            }
            app.notify("This finding is not about one node.");
            Vec::new()
        }
        RowId::Guest(host, name) if layout::details_open(app) => {
            // The machine itself where it is a node, else the one that carries it.
            let own = app.inventory.nodes.iter().map(|node| &node.name).find(|node| node.as_str() == name.as_str());
            let target = own.cloned().unwrap_or(host);
            go_to_node(app, target)
        }
        _ => {
            // Where the details already stand beside the list, the keys go into them.
            let is_open = layout::details_open(app);
            let state = app.screens.of_mut(app.place.screen);
            state.details = Some(true);
            state.in_details = is_open;
            state.scroll = 0;
            Vec::new()
        }
    }
}

pub(in crate::app) fn go_to_node(app: &mut App, name: NodeName) -> Vec<Effect> {
    app.screens.of_mut(ScreenId::Node).scroll = 0;
    app.go(Place::node(name));
    Vec::new()
}

/// Moves the cursor, or scrolls where there are lines instead of rows.
pub(in crate::app) fn move_by(app: &mut App, motion: Motion) -> Vec<Effect> {
    let screen = app.place.screen;
    let rows = Rows::of(app);
    let layout = Layout::of(app, &rows);
    if screen == ScreenId::Node || layout::keys_in_details(app, &layout) {
        let pane = if screen == ScreenId::Node { layout.list } else { layout.details.unwrap_or_default() };
        drop(rows);
        let state = app.screens.of_mut(screen);
        // The last line is known only to the one who lays the lines out; drawing stops there, and so does scrolling
        // further than any pane can be long.
        state.scroll = motion.from(state.scroll, SCROLL_MAX, usize::from(pane.height));
        return Vec::new();
    }
    let Some(place) = rows.place(app) else { return Vec::new() };
    let above = layout::rows_above_list(app, &rows);
    let count = rows.len();
    let height = usize::from(layout.list.height);
    let target = rows.landing(motion.from(place, count, height), place);
    let (visible, _) = layout::window(app, &rows, &layout);
    let id = rows.id(target);
    drop(rows);
    let state = app.screens.of_mut(screen);
    if let Some(id) = id {
        let offset = visible.start.saturating_sub(above);
        state.cursor.put(id, target);
        state.cursor.offset = list::first_visible(offset, target.saturating_sub(above), count - above, height);
        if !state.in_details {
            state.scroll = 0;
        }
    }
    Vec::new()
}

/// More lines than any details pane or node screen has.
const SCROLL_MAX: usize = 400;
