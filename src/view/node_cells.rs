//! A node's row, on the overview and in the list of nodes.

use super::{
    canvas::Canvas,
    sections,
    table::{Column, Placed},
};
use crate::{
    app::{
        App, Seen, databases, figures,
        layout::Area,
        meaning::{Line, Meaning, Span},
        rows::{self, RowId},
        standing::{self, Freshness, Standing},
        trend,
    },
    history::recent::HostFigure,
    model::{figure::Figure, host::HostFacts, ids::NodeName, world::NodeFacts},
};

/// What a column of a node table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeColumn {
    Name,
    Role,
    State,
    Load,
    Cpu,
    CpuTrend,
    Iowait,
    IowaitTrend,
    Memory,
    Steal,
    Pressure,
    Net,
    Disk,
    Uptime,
    Site,
    Carries,
    Age,
}

/// The columns of a node table, most wanted first by rank.
pub(super) fn columns(app: &App) -> Vec<Column<NodeColumn>> {
    use NodeColumn as C;
    let seen = app.seen();
    let name = seen.inventory.nodes.iter().map(|node| super::canvas::width(node.name.as_str())).max().unwrap_or(4);
    let is_wide = app.size.width >= 160;
    let (trend, carries) = if is_wide { (16, 40) } else { (6, 20) };
    let mut columns = vec![
        Column::left(C::Name, "NODE", name.clamp(5, 20), 0),
        Column::left(C::Role, "ROLE", 10, 4),
        Column::left(C::State, "STATE", 13, 0),
        Column::right(C::Load, "LOAD", 5, 2),
        Column::right(C::Cpu, "CPU", 5, 1),
        Column::left(C::CpuTrend, "", trend, 6),
        Column::right(C::Iowait, "IOWAIT", 6, 1),
        Column::left(C::IowaitTrend, "", trend, 9),
        Column::right(C::Memory, "MEM", 5, 1),
        Column::right(C::Net, "NET", 9, 5),
        Column::right(C::Disk, "DISK", 9, 8),
        Column::right(C::Steal, "STEAL", 5, 10),
        Column::right(C::Pressure, "IO STALL", 8, 10),
        Column::right(C::Uptime, "UPTIME", 9, 11),
        Column::left(C::Carries, "CARRIES / PROBLEM", carries, 3).growing(1),
        Column::right(C::Age, "AGE", 8, 2),
    ];
    if seen.inventory.nodes.iter().any(|node| node.site.is_some()) {
        columns.insert(2, Column::left(C::Site, "SITE", 8, 12));
    }
    columns
}

/// Draws a node's row.
pub(super) fn draw(canvas: &mut Canvas<'_>, app: &App, node: &NodeFacts, columns: &[Placed<NodeColumn>], area: Area) {
    let seen = app.seen();
    let standing = standing::of_node(seen, node);
    // Without figures there is nothing to align, and without a column for it the reason needs a place: it takes that
    // of the figures.
    let has_figures = node.host.last().is_some();
    let has_column = columns.iter().any(|column| column.key == NodeColumn::Carries);
    let is_told = !standing.problem.is_empty() && (!has_figures || (standing.is_stale && !has_column));
    let keeps = |key: NodeColumn| {
        matches!(key, NodeColumn::Name | NodeColumn::Role | NodeColumn::Site | NodeColumn::State | NodeColumn::Age)
    };
    if is_told {
        let told = columns.iter().filter(|column| !keeps(column.key));
        let start = told.clone().map(|column| column.x).min().unwrap_or(0);
        let end = told.map(|column| column.x + column.width).max().unwrap_or(start);
        canvas.line(
            area.x + start,
            area.y,
            end - start,
            &[Span::new(standing.problem.clone(), standing.problem_meaning)],
        );
    }
    for column in columns.iter().filter(|column| !is_told || keeps(column.key)) {
        if let NodeColumn::CpuTrend | NodeColumn::IowaitTrend = column.key {
            if has_figures {
                let figure = match column.key {
                    NodeColumn::CpuTrend => HostFigure::CpuBusy,
                    _ => HostFigure::Iowait,
                };
                let samples = trend::host(seen, &node.name, figure, usize::from(column.width), trend::ROW_SAMPLES);
                let meaning = if standing.is_stale { Meaning::Stale } else { Meaning::Chart };
                canvas.chart(area.x + column.x, area.y, &samples, sections::percent_top(&samples), meaning);
            }
            continue;
        }
        let mut line = cell(seen, node, &standing, column.key);
        if standing.is_stale && !matches!(column.key, NodeColumn::State | NodeColumn::Carries) {
            for span in &mut line {
                span.meaning = Meaning::Stale;
            }
        }
        canvas.cell(area, column, &line);
    }
    lay_freshness(canvas, app, &RowId::Node(node.name.clone()), area);
}

/// Points out a row whose state changed lately.
pub(super) fn lay_freshness(canvas: &mut Canvas<'_>, app: &App, row: &RowId, area: Area) {
    match app.changes.freshness(row, app.seen().now.mono) {
        Some(Freshness::Pulse) => canvas.lay(area, canvas.theme.pulse),
        Some(Freshness::Tint) => canvas.lay(area, canvas.theme.tint),
        None => {}
    }
}

fn cell(seen: Seen<'_>, node: &NodeFacts, standing: &Standing, column: NodeColumn) -> Line {
    let limits = &seen.inventory.settings.thresholds;
    let host = node.host.last();
    let figure = |of: fn(&HostFacts) -> Figure<f64>| host.map_or_else(Figure::default, of);
    let span = match column {
        NodeColumn::Name => Span::new(node.name.as_str(), Meaning::Text),
        NodeColumn::Role => {
            let roles = seen.inventory.node(&node.name).map_or(&[][..], |listed| &listed.roles);
            Span::dim(roles.iter().map(|role| role.word()).collect::<Vec<_>>().join(", "))
        }
        NodeColumn::Site => {
            Span::dim(seen.inventory.node(&node.name).and_then(|listed| listed.site.clone()).unwrap_or_default())
        }
        NodeColumn::State => Span::signed(standing.word, standing.meaning),
        NodeColumn::Load => Span::figure(figure(|host| host.sample.load.map(|load| load.one_minute)), figures::number),
        NodeColumn::Cpu => Span::figure(figure(|host| host.cpu.map(|cpu| cpu.busy())), figures::percent),
        NodeColumn::Iowait => {
            Span::limited(figure(|host| host.cpu.map(|cpu| cpu.iowait)), limits.iowait_percent, figures::percent)
        }
        NodeColumn::Steal => {
            Span::limited(figure(|host| host.cpu.map(|cpu| cpu.steal)), limits.steal_percent, figures::percent)
        }
        NodeColumn::Memory => {
            Span::limited(figure(|host| host.memory_used_percent), limits.memory_percent, figures::percent)
        }
        NodeColumn::Pressure => {
            Span::limited(figure(|host| host.io_full_percent), limits.io_full_percent, figures::percent)
        }
        NodeColumn::Net => Span::figure(rows::network_bits(node), figures::bits),
        NodeColumn::Disk => Span::figure(host.map_or_else(Figure::default, disk_bytes), figures::bytes_rate),
        NodeColumn::Uptime => {
            let uptime = host.map_or_else(Figure::default, |host| host.sample.uptime_ms);
            Span::figure(uptime, |ms| figures::duration_s(ms / 1000))
        }
        NodeColumn::Age => match standing.age_ms {
            Some(age) => Span::dim(figures::age(age)),
            None => Span::new("?", Meaning::Unknown),
        },
        NodeColumn::Carries => return carries(seen, node, standing),
        NodeColumn::CpuTrend | NodeColumn::IowaitTrend => Span::default(),
    };
    vec![span]
}

/// What all disks read and write together.
fn disk_bytes(host: &HostFacts) -> Figure<f64> {
    crate::app::traffic::sum_f64(host.disks.iter().flat_map(|disk| [disk.read_bytes_per_s, disk.write_bytes_per_s]))
}

/// The problem of a node, or else what would be missed if it were gone.
fn carries(seen: Seen<'_>, node: &NodeFacts, standing: &Standing) -> Line {
    if !standing.problem.is_empty() {
        return vec![Span::new(standing.problem.clone(), standing.problem_meaning)];
    }
    let mut parts = Vec::new();
    for vip in &seen.inventory.vips {
        if crate::app::path::holders(seen, vip).iter().any(|holder| holder.name == node.name) {
            parts.push(format!("VIP {}", vip.address));
        }
    }
    if let Some(haproxy) = node.haproxy.last() {
        parts.push(figures::counted(haproxy.sample.frontends.len(), "frontend", "frontends"));
    }
    parts.extend(databases::carries(seen, node));
    let backends = serves(seen, &node.name);
    if !backends.is_empty() {
        parts.push(format!("serves {}", backends.join(", ")));
    }
    vec![Span::dim(parts.join(", "))]
}

/// The backends that have a server of this node's name.
fn serves(seen: Seen<'_>, node: &NodeName) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for facts in seen.world.nodes.iter().filter_map(|node| node.haproxy.last()) {
        for backend in &facts.sample.backends {
            let has = backend.servers.iter().any(|server| server.name.as_str() == node.as_str());
            if has && !found.iter().any(|known| known == backend.name.as_str()) {
                found.push(backend.name.to_string());
            }
        }
    }
    found
}
