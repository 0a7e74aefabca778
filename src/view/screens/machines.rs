//! Hypervisors with what they promised against what they have, and the guests they carry.

use super::{
    super::{
        canvas::{Canvas, line_width},
        node_cells::lay_freshness,
        table::Column,
    },
    listing::{self, caption},
    overview::more,
};
use crate::{
    app::{
        App, Seen, details, figures,
        layout::{self, Area, Layout},
        machines::{self, Capacity, Guest, MachineRow},
        meaning::{Line, Meaning, Span},
        rows::Rows,
    },
    model::{figure::Figure, inventory::Thresholds, world::NodeFacts},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MachineColumn {
    Name,
    State,
    Vcpus,
    Cpu,
    Steal,
    Memory,
    MemoryUsed,
    Disk,
    Net,
    Vlan,
    Uptime,
    Autostart,
    Role,
}

/// Below this width there is one column between two cells instead of two.
const NARROW: u16 = 100;
/// Cells of a bar.
const BAR: usize = 10;

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Machines(list) = rows else { return };
    if !layout.is_page {
        table(canvas, app, list, rows, layout);
    }
    if layout.details.is_some() {
        let details = rows.current(app).map(|row| details::of_row(app, &row)).unwrap_or_default();
        listing::pane(canvas, app, layout, &details);
    }
}

fn table(canvas: &mut Canvas<'_>, app: &App, list: &[MachineRow<'_>], rows: &Rows<'_>, layout: &Layout) {
    let (visible, place) = layout::window(app, rows, layout);
    caption(canvas, app, layout.caption, &title(list), &more(visible.end, list.len()));
    let gap = if layout.list.width < NARROW { 1 } else { 2 };
    let columns = listing::heads(canvas, layout, columns(list), gap);
    if list.is_empty() {
        listing::empty(canvas, layout, &empty(app));
    }
    listing::lines(canvas, layout, visible, place, |canvas, row, _, cells| {
        let Some(row) = list.get(row) else { return };
        match row {
            MachineRow::Host(node) => host(canvas, app, node, cells),
            MachineRow::Guest(guest) => {
                let is_old = machines::unread(app.seen(), guest.host).is_some();
                for column in &columns {
                    let mut line = cell(app.seen(), guest, column.key);
                    if is_old {
                        for span in &mut line {
                            span.meaning = Meaning::Stale;
                        }
                    }
                    canvas.cell(cells, column, &line);
                }
            }
        }
        lay_freshness(canvas, app, &row.id(), cells);
    });
}

fn title(list: &[MachineRow<'_>]) -> Line {
    let hosts = list.iter().filter(|row| matches!(row, MachineRow::Host(_))).count();
    let guests = list.len() - hosts;
    let words = format!(
        "{}, {}",
        figures::counted(hosts, "hypervisor", "hypervisors"),
        figures::counted(guests, "guest", "guests")
    );
    vec![Span::new(words, Meaning::Heading)]
}

fn columns(list: &[MachineRow<'_>]) -> Vec<Column<MachineColumn>> {
    use MachineColumn as C;
    let names = list.iter().filter_map(|row| match row {
        MachineRow::Guest(guest) => Some(super::super::canvas::width(guest.domain.name.as_str()) + 2),
        MachineRow::Host(_) => None,
    });
    let name = names.max().unwrap_or(0).clamp(9, 28);
    vec![
        Column::left(C::Name, "  GUEST", name, 0),
        Column::left(C::State, "STATE", 24, 0).growing(2),
        Column::right(C::Vcpus, "VCPU", 4, 2),
        Column::right(C::Cpu, "CPU", 6, 1),
        Column::right(C::Steal, "STEAL", 6, 1),
        Column::right(C::Memory, "MEMORY", 8, 3),
        Column::right(C::MemoryUsed, "USED", 5, 2),
        Column::right(C::Disk, "DISK", 9, 4),
        Column::right(C::Net, "NET", 9, 4),
        Column::right(C::Vlan, "VLAN", 6, 6),
        Column::right(C::Uptime, "UPTIME", 9, 5),
        Column::left(C::Autostart, "BOOT", 4, 7),
        Column::left(C::Role, "ROLE", 10, 8),
    ]
}

/// A hypervisor: how it stands, and its bars.
fn host(canvas: &mut Canvas<'_>, app: &App, node: &NodeFacts, cells: Area) {
    let seen = app.seen();
    let limits = &seen.inventory.settings.thresholds;
    let is_old = machines::unread(seen, node).is_some();
    let mut line = vec![Span::new(format!("{} ", node.name), Meaning::Heading)];
    line.extend(machines::host_state(seen, node));
    let capacity = machines::capacity(node);
    if let Figure::Known((active, all)) = capacity.guests {
        line.push(Span::dim(format!("  {active} of {} on", figures::counted(all, "guest", "guests"))));
    }
    canvas.line(cells.x, cells.y, cells.width, &line);
    let used = line_width(&line);
    let mut parts = [memory(limits, &capacity, canvas), processors(limits, &capacity, canvas)];
    if is_old {
        for span in parts.iter_mut().flatten() {
            span.meaning = Meaning::Stale;
        }
    }
    let room = cells.width.saturating_sub(used + 2);
    let [memory, processors] = parts;
    // Where both do not fit, the promise of memory matters more; where that does not fit, the state does.
    let both: Line = memory.iter().cloned().chain([Span::plain("   ")]).chain(processors).collect();
    if let Some(aside) = [both, memory].into_iter().find(|aside| line_width(aside) <= room) {
        canvas.line_right(cells.x + used + 2, cells.y, room, &aside);
    }
}

fn memory(limits: &Thresholds, capacity: &Capacity, canvas: &Canvas<'_>) -> Line {
    let Figure::Known((promised, has)) = capacity.memory_kib else {
        return vec![Span::new("memory ?", Meaning::Unknown)];
    };
    let share = promised as f64 / (has as f64).max(1.0) * 100.0;
    let mut line = bar("memory ", share, limits.guest_memory_percent, canvas);
    let kib = |kib: u64| figures::bytes(kib.saturating_mul(1024));
    line.push(Span::dim(format!(" {} of {}", kib(promised), kib(has))));
    line
}

fn processors(limits: &Thresholds, capacity: &Capacity, canvas: &Canvas<'_>) -> Line {
    let Figure::Known((promised, has)) = capacity.vcpus else { return vec![Span::new("vCPU ?", Meaning::Unknown)] };
    let share = promised as f64 / (has as f64).max(1.0) / limits.vcpus_per_cpu * 100.0;
    // A full bar is the limit: more virtual CPUs than CPUs are usual.
    let mut line = bar("cpu ", share, 100.0, canvas);
    line.push(Span::dim(format!(" {promised} vCPU on {has}")));
    line
}

/// A bar of ten cells.
fn bar(label: &str, percent: f64, limit: f64, canvas: &Canvas<'_>) -> Line {
    let filled = ((percent / 100.0 * BAR as f64).round().max(0.0) as usize).min(BAR);
    let meaning = if percent > limit { Meaning::Warn } else { Meaning::Chart };
    let (full, rest) = (canvas.glyphs.levels[7], canvas.glyphs.gap);
    vec![Span::dim(label), Span::new(full.repeat(filled), meaning), Span::new(rest.repeat(BAR - filled), Meaning::Line)]
}

fn cell(seen: Seen<'_>, guest: &Guest<'_>, column: MachineColumn) -> Line {
    let limits = &seen.inventory.settings.thresholds;
    let (domain, rates) = (guest.domain, guest.rates);
    let span = match column {
        MachineColumn::Name => Span::plain(format!("  {}", domain.name)),
        MachineColumn::State => match machines::job(guest) {
            Some(job) => return vec![machines::state(guest), Span::new(format!("  {job}"), Meaning::Drain)],
            None => machines::state(guest),
        },
        MachineColumn::Vcpus => Span::figure(domain.vcpus, figures::count),
        MachineColumn::Cpu => off(guest, Span::figure(rates.cpu_percent, figures::percent)),
        MachineColumn::Steal => {
            off(guest, Span::limited(rates.steal_percent, limits.steal_percent, figures::percent_fine))
        }
        MachineColumn::Memory => {
            Span::figure(domain.memory.current_kib, |kib| figures::bytes(kib.saturating_mul(1024)))
        }
        MachineColumn::MemoryUsed => {
            off(guest, Span::limited(machines::memory_percent(domain), limits.memory_percent, figures::percent))
        }
        MachineColumn::Disk => off(guest, Span::figure(machines::disk_bytes(rates), figures::bytes_rate)),
        MachineColumn::Net => off(guest, Span::figure(machines::network_bits(rates), figures::bits)),
        MachineColumn::Vlan => machines::vlans(guest),
        MachineColumn::Uptime => {
            let uptime = guest.definition.map_or_else(Figure::default, |definition| definition.uptime_s);
            off(guest, Span::figure(uptime, figures::duration_s))
        }
        MachineColumn::Autostart => {
            let autostart = guest.definition.map_or_else(Figure::default, |definition| definition.autostart);
            Span::figure(autostart, |on| if on { "auto" } else { "hand" }.to_owned()).meaning(Meaning::Dim)
        }
        MachineColumn::Role => {
            let roles = seen.inventory.roles_of(domain.name.as_str());
            Span::dim(roles.iter().map(|role| role.word()).collect::<Vec<_>>().join(", "))
        }
    };
    vec![span]
}

/// What is off has no figures, and that is not unknown.
fn off(guest: &Guest<'_>, span: Span) -> Span {
    let is_off = guest.domain.state.known().is_some_and(|state| !state.is_active());
    if is_off { Span::dim("-") } else { span }
}

/// An empty list says why it is empty.
fn empty(app: &App) -> Line {
    if machines::hosts(app.seen()).next().is_some() {
        return vec![Span::dim("No machine matches the filter. Esc removes it.")];
    }
    vec![Span::dim("No node has the role hypervisor or a libvirt_socket.")]
}
