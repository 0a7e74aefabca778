//! Is it all right? What is wrong, the path of the traffic, and every node.

use super::super::{
    canvas::{Canvas, line_width},
    node_cells, overlays, sections, table,
};
use crate::{
    app::{
        App, changes, details, figures,
        layout::{self, Area, Layout},
        meaning::{Line, Meaning, Span},
        overview::{self, OverviewRow},
        path::{self, Station, Step},
        rows::{self, RowId, Rows},
        standing, telling,
    },
    rules::Finding,
    run::RunSummary,
};

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Overview(list) = rows else { return };
    let (visible, place) = layout::window(app, rows, layout);
    let above = layout::rows_above_list(app, rows);
    wrong(canvas, app, &list[..above.min(list.len())], place, layout.wrong);
    canvas.rule(layout.path, &[Span::new("The path", Meaning::Heading)], &[]);
    draw_path(canvas, &path::steps(app.seen()), layout.path);
    let title = [Span::new("Nodes, those with a problem first", Meaning::Heading)];
    canvas.rule(layout.caption, &title, &more(visible.end, list.len()));
    let columns = table::fit(node_cells::columns(app), layout.list.width.saturating_sub(4), 2);
    canvas.heads(Area { x: layout.heads.x + 3, ..layout.heads }, &columns);
    for (index, row) in visible.clone().enumerate() {
        let Some(OverviewRow::Node(node)) = list.get(row) else { continue };
        let line = Area { y: layout.list.y + index as u16, height: 1, ..layout.list };
        let cells = Area { x: line.x + 3, width: line.width.saturating_sub(4), ..line };
        node_cells::draw(canvas, app, node, &columns, cells);
        if place == Some(row) {
            mark(canvas, line);
        }
    }
    if let (Some(pane), Some(row)) = (layout.details, rows.current(app)) {
        draw_pane(canvas, app, &row, pane);
    }
}

/// Below the nodes, where there is room: the node under the cursor in depth, or the finding and its node.
fn draw_pane(canvas: &mut Canvas<'_>, app: &App, row: &RowId, mut pane: Area) {
    let seen = app.seen();
    let node = match row {
        RowId::Node(name) => Some(name.clone()),
        RowId::Finding(rule, subject) => {
            seen.findings.iter().find(|f| f.rule == *rule && f.subject == *subject).and_then(|f| f.node.clone())
        }
        _ => None,
    };
    let node = node.and_then(|name| seen.world.node(&name));
    let is_wide = pane.width >= BESIDE_WIDTH;
    let Some(node) = node.filter(|_| is_wide || matches!(row, RowId::Node(_))) else {
        overlays::details(canvas, &details::of_row(app, row), pane, 0, false);
        return;
    };
    let standing = standing::of_node(seen, node);
    if matches!(row, RowId::Finding(..)) {
        let finding = Area { width: pane.width / 3, ..pane };
        overlays::details(canvas, &details::of_row(app, row), finding, 0, false);
        pane.x += finding.width;
        pane.width -= finding.width;
    }
    let title = [Span::new(format!("{} ", node.name), Meaning::Accent), Span::signed(standing.word, standing.meaning)];
    canvas.rule(pane.take_top(1), &title, &[]);
    let inside = Area { x: pane.x + 1, width: pane.width.saturating_sub(2), ..pane };
    sections::draw(canvas, app, node, inside, 0);
}

/// From this width on a finding and its node stand side by side.
const BESIDE_WIDTH: u16 = 150;

/// Marks the row under the cursor: a pointer for those who see no colours, and a tint.
pub(in super::super) fn mark(canvas: &mut Canvas<'_>, line: Area) {
    canvas.lay(line, canvas.theme.selection);
    let style = canvas.style(Meaning::Accent).patch(canvas.theme.selection);
    canvas.text(line.x + 1, line.y, 1, canvas.glyphs.cursor, style);
}

/// How many rows lie below the window.
pub(in super::super) fn more(end: usize, count: usize) -> Line {
    if end < count { vec![Span::dim(format!("{} more below", count - end))] } else { Vec::new() }
}

fn wrong(canvas: &mut Canvas<'_>, app: &App, list: &[OverviewRow<'_>], place: Option<usize>, area: Area) {
    canvas.rule(area, &[Span::new("What is wrong", Meaning::Heading)], &[]);
    let seen = app.seen();
    if list.is_empty() {
        canvas.line(area.x + 3, area.y + 1, area.width.saturating_sub(4), &nothing_wrong(app));
        return;
    }
    let subject = list.iter().filter_map(finding).map(|f| super::super::canvas::width(f.subject.as_str())).max();
    let subject = subject.unwrap_or(0).clamp(5, area.width / 4);
    for (index, row) in list.iter().enumerate() {
        let line = Area { y: area.y + 1 + index as u16, height: 1, ..area };
        match row {
            OverviewRow::Finding(finding) => draw_finding(canvas, app, finding, subject, line, place == Some(index)),
            OverviewRow::Run(run) => draw_run(canvas, app, run, line, place == Some(index)),
            OverviewRow::Node(_) => {}
        }
    }
    let hidden = overview::urgent(seen).count() - list.len();
    if hidden > 0 {
        let key = app.keymap.shown("go.findings").unwrap_or_default();
        let words =
            vec![Span::dim(format!("and {hidden} more: ")), Span::new(key, Meaning::Key), Span::dim(" Findings")];
        canvas.line(area.x + 3, area.y + area.height.saturating_sub(1), area.width.saturating_sub(4), &words);
    }
}

fn finding<'a>(row: &OverviewRow<'a>) -> Option<&'a Finding> {
    match row {
        OverviewRow::Finding(finding) => Some(finding),
        OverviewRow::Run(_) | OverviewRow::Node(_) => None,
    }
}

/// A run that somebody has to decide about, with the key that leads to it.
fn draw_run(canvas: &mut Canvas<'_>, app: &App, run: &RunSummary, line: Area, is_marked: bool) {
    let key = app.keymap.shown("go.changes").unwrap_or_default();
    let ago = figures::age(changes::wall_ms(run.opened_at, app.now.wall));
    let right = [Span::new(key, Meaning::Key), Span::dim(format!(" opens it   {ago}"))];
    let kept = line_width(&right) + 2;
    canvas.line(line.x + 3, line.y, 1, &[Span::signed("", changes::meaning(&run.state))]);
    let words = [Span::plain(changes::undecided_words(run))];
    canvas.line(line.x + 5, line.y, line.width.saturating_sub(5 + kept), &words);
    canvas.line_right(line.x, line.y, line.width.saturating_sub(1), &right);
    if is_marked {
        mark(canvas, line);
    }
}

fn draw_finding(canvas: &mut Canvas<'_>, app: &App, finding: &Finding, subject: u16, line: Area, is_marked: bool) {
    let since = figures::duration_s(app.seen().now.mono.since_ms(finding.since.mono) / 1000);
    let right = right_of(app, finding, &since, line.width);
    let kept = line_width(&right) + 2;
    let meaning = telling::meaning(finding);
    let x = line.x + 3;
    canvas.line(x, line.y, 1, &[Span::signed("", meaning)]);
    canvas.line(x + 2, line.y, subject, &[Span::new(finding.subject.as_str(), Meaning::Accent)]);
    let start = 3 + 2 + subject + 2;
    let room = line.width.saturating_sub(start + kept);
    canvas.line(line.x + start, line.y, room, &[Span::new(finding.sentence.as_str(), telling::words_meaning(finding))]);
    canvas.line_right(line.x, line.y, line.width.saturating_sub(1), &right);
    node_cells::lay_freshness(canvas, app, &rows::finding_id(finding), line);
    if is_marked {
        mark(canvas, line);
    }
}

/// Why a finding stands below others, else the keys that may help, and how long it has lasted.
fn right_of(app: &App, finding: &Finding, since: &str, width: u16) -> Line {
    if let Some(why) = telling::why_below(app, finding) {
        return vec![Span::dim(format!("{why}   {since:>9}"))];
    }
    let count = match width {
        0..100 => 1,
        100..150 => 2,
        _ => 3,
    };
    let mut line: Line = Vec::new();
    let keys = telling::keys(app, finding).into_iter().filter(|(_, command)| !command.hint.is_empty());
    for (key, command) in keys.take(count) {
        line.push(Span::new(key, Meaning::Key));
        line.push(Span::dim(format!(" {}  ", command.hint)));
    }
    line.push(Span::dim(format!("{since:>9}")));
    line
}

/// The empty state is a sentence about what is known, not an empty space.
fn nothing_wrong(app: &App) -> Line {
    let seen = app.seen();
    let census = standing::census(seen);
    let silent = census.nodes - census.up;
    if census.nodes == 0 {
        return vec![Span::signed("The configuration lists no nodes.", Meaning::Unknown)];
    }
    if silent == 0 {
        let words = format!("Nothing is wrong: all {} nodes answer, no rule has anything to say.", census.nodes);
        return vec![Span::signed(&words, Meaning::Ok)];
    }
    if census.up == 0 && census.connecting == census.nodes {
        let words = format!("Nothing is known yet: connecting to {}.", figures::counted(silent, "node", "nodes"));
        return vec![Span::signed(&words, Meaning::Unknown)];
    }
    let verb = if silent == 1 { "does" } else { "do" };
    let words = format!("No rule has spoken yet, but {silent} of {} nodes {verb} not answer.", census.nodes);
    vec![Span::signed(&words, Meaning::Unknown)]
}

/// Draws the steps side by side; facts are cut before names, and stations that do not fit are counted.
fn draw_path(canvas: &mut Canvas<'_>, steps: &[Step], area: Area) {
    let rows = usize::from(area.height.saturating_sub(1));
    if rows == 0 || steps.is_empty() {
        return;
    }
    let room = area.width.saturating_sub(4);
    let arrow = super::super::canvas::width(canvas.glyphs.arrow) + 2;
    let (facts, has_flows) = facts_that_fit(steps, arrow, room, rows);
    let mut x = area.x + 3;
    let edge = area.x + area.width.saturating_sub(1);
    for (step, facts) in steps.iter().zip(facts) {
        if x >= edge {
            break;
        }
        if x > area.x + 3 {
            let sign = if step.is_fed { canvas.glyphs.arrow } else { canvas.glyphs.bar };
            let style = canvas.style(Meaning::Line);
            if let Some(flow) = step.flow.as_ref().filter(|_| has_flows) {
                let width = flow_width(step);
                canvas.line(x, area.y + 1, width.min(edge - x), &[flow_cell(flow, width)]);
                x = (x + width).min(edge);
            }
            canvas.text(x + 1, area.y + 1, (edge - x).min(3), sign, style);
            x = (x + arrow).min(edge);
        }
        let width = step_width(step, facts, rows).min(edge.saturating_sub(x));
        let name = name_width(step);
        let (shown, hidden) = shown_stations(step, rows);
        for (index, station) in shown.iter().enumerate() {
            let line = station_line(station, name, facts, step.fact_width);
            canvas.line(x, area.y + 1 + index as u16, width, &line);
        }
        if let Some(hidden) = hidden {
            canvas.line(x, area.y + rows as u16, width, &[hidden]);
        }
        x = x.saturating_add(width);
    }
}

/// As many stations as fit, the worst first when some do not; then a count of the others.
fn shown_stations(step: &Step, rows: usize) -> (Vec<&Station>, Option<Span>) {
    if step.stations.len() <= rows {
        return (step.stations.iter().collect(), None);
    }
    let mut stations: Vec<&Station> = step.stations.iter().collect();
    stations.sort_by_key(|station| std::cmp::Reverse(station.meaning.badness()));
    let hidden = stations.split_off(rows.saturating_sub(1));
    let worst = hidden.iter().fold(Meaning::Ok, |worst, station| worst.worse(station.meaning));
    (stations, Some(Span::signed(&format!("{} more", hidden.len()), worst)))
}

fn name_width(step: &Step) -> u16 {
    step.stations.iter().map(|station| super::super::canvas::width(&station.name)).max().unwrap_or(0)
}

fn step_width(step: &Step, facts: usize, rows: usize) -> u16 {
    let name = name_width(step);
    let (_, hidden) = shown_stations(step, rows);
    let hidden = hidden.map_or(0, |words| line_width(&[words]));
    step.stations
        .iter()
        .map(|station| line_width(&station_line(station, name, facts, step.fact_width)))
        .max()
        .unwrap_or(0)
        .max(hidden)
}

/// A fixed width, as a fact has: nothing moves when a figure grows by a digit.
fn flow_width(step: &Step) -> u16 {
    let fixed = u16::try_from(step.fact_width).unwrap_or(u16::MAX);
    step.flow.as_ref().map_or(0, |flow| super::super::canvas::width(&flow.text).max(fixed) + 1)
}

fn flow_cell(flow: &Span, width: u16) -> Span {
    let width = usize::from(width);
    Span::new(format!("{:>width$}", flow.text), flow.meaning)
}

/// How many facts each step shows, and whether arrows carry what flows: two a station, then one; then the arrows go
/// bare, and then what matters least on the way loses its only one.
fn facts_that_fit(steps: &[Step], arrow: u16, room: u16, rows: usize) -> (Vec<usize>, bool) {
    let arrows = arrow * u16::try_from(steps.len().saturating_sub(1)).unwrap_or(0);
    let needed = |facts: &[usize]| {
        steps.iter().zip(facts).map(|(step, facts)| step_width(step, *facts, rows)).sum::<u16>() + arrows
    };
    let flows: u16 = steps.iter().skip(1).map(flow_width).sum();
    let mut facts = vec![2; steps.len()];
    for most in [2, 1] {
        facts.fill(most);
        if needed(&facts).saturating_add(flows) <= room {
            return (facts, true);
        }
    }
    let mut by_rank: Vec<usize> = (0..steps.len()).collect();
    by_rank.sort_by_key(|index| std::cmp::Reverse(steps[*index].rank));
    for index in by_rank {
        if needed(&facts) <= room {
            break;
        }
        facts[index] = 0;
    }
    (facts, false)
}

fn station_line(station: &Station, name: u16, facts: usize, fact_width: usize) -> Line {
    let padding = " ".repeat(usize::from(name.saturating_sub(super::super::canvas::width(&station.name))));
    let mut line = Vec::with_capacity(2 + 2 * facts);
    if station.has_glyph {
        line.push(Span::signed("", station.meaning));
        line.push(Span::plain(" "));
    }
    line.push(Span::plain(format!("{}{}", station.name, if facts > 0 { &padding } else { "" })));
    for fact in station.facts.iter().take(facts) {
        line.push(Span::plain(" "));
        // A fixed width: the next column must not move when a rate grows by a digit.
        line.push(Span::new(format!("{:>fact_width$}", fact.text), fact.meaning));
    }
    line
}
