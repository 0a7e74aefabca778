//! Disks, interfaces, file systems, and who uses the memory.

use super::{Scene, Section, grid};
use crate::{
    app::{
        figures,
        meaning::{Meaning, Span},
    },
    history::recent::HostFigure,
    model::figure::Figure,
    view::table::Column,
};

/// A disk is busy from here on.
const BUSY_PERCENT: f64 = 90.0;

/// Per disk: how much, how long, how full.
pub(super) fn disks(scene: Scene<'_>) -> Section {
    let title = "Disks".to_owned();
    let Some(host) = scene.host else { return Section { title, lines: vec![scene.nothing("not read yet")] } };
    if host.disks.is_empty() {
        return Section { title, lines: vec![scene.nothing("the kernel lists no disk")] };
    }
    let columns = vec![
        Column::left(0, "DISK", 8, 0),
        Column::right(1, "READS", 8, 2),
        Column::right(2, "WRITES", 8, 2),
        Column::right(3, "READ", 9, 4),
        Column::right(4, "WRITTEN", 9, 3),
        Column::right(5, "WAIT R", 8, 0),
        Column::right(6, "WAIT W", 8, 0),
        Column::right(7, "QUEUE", 5, 1),
        Column::right(8, "BUSY", 5, 0),
    ];
    let rows: Vec<Vec<Span>> = host
        .disks
        .iter()
        .map(|disk| {
            vec![
                Span::plain(disk.name.as_str()),
                Span::figure(disk.reads_per_s, figures::rate),
                Span::figure(disk.writes_per_s, figures::rate),
                Span::figure(disk.read_bytes_per_s, figures::bytes_rate),
                Span::figure(disk.write_bytes_per_s, figures::bytes_rate),
                Span::figure(disk.read_await_ms, figures::latency),
                Span::figure(disk.write_await_ms, figures::latency),
                Span::figure(disk.queue, figures::number),
                Span::limited(disk.busy_percent, BUSY_PERCENT, figures::percent),
            ]
        })
        .collect();
    let mut lines = grid(columns, &rows, scene.room, scene.is_old());
    let worst = scene.samples(HostFigure::DiskWorstWait);
    let newest = host.disks.iter().flat_map(|disk| [disk.read_await_ms, disk.write_await_ms]).filter_map(Figure::known);
    if let Some(newest) = newest.reduce(f64::max) {
        let top = worst.iter().flatten().copied().fold(1.0, f32::max);
        lines.push(scene.charted("worst wait", &Span::plain(figures::latency(newest)), &worst, top));
    }
    Section { title, lines }
}

/// Per interface: bits, packets, what was lost.
pub(super) fn network(scene: Scene<'_>) -> Section {
    let title = "Network".to_owned();
    let Some(host) = scene.host else { return Section { title, lines: vec![scene.nothing("not read yet")] } };
    if host.interfaces.is_empty() {
        return Section { title, lines: vec![scene.nothing("the kernel lists no interface but loopback")] };
    }
    let columns = vec![
        Column::left(0, "INTERFACE", 12, 0),
        Column::left(1, "LINK", 7, 2),
        Column::right(2, "IN", 9, 0),
        Column::right(3, "OUT", 9, 0),
        Column::right(4, "PACKETS IN", 10, 4),
        Column::right(5, "PACKETS OUT", 11, 4),
        Column::right(6, "DROPS", 8, 1),
        Column::right(7, "ERRORS", 8, 1),
    ];
    let lossy = |figure: Figure<f64>| {
        let span = Span::figure(figure, figures::rate);
        if figure.known().is_some_and(|rate| rate > 0.0) { span.meaning(Meaning::Warn) } else { span }
    };
    let rows: Vec<Vec<Span>> = host
        .interfaces
        .iter()
        .map(|rates| {
            let counters = host.sample.interfaces.iter().find(|counters| counters.name == rates.name);
            let link = counters.map_or_else(Figure::default, |counters| counters.state.clone());
            let is_down = link.as_ref().known().is_some_and(|state| state.as_str() == "down");
            let link = Span::figure(link, |state| state.to_string());
            vec![
                Span::plain(rates.name.as_str()),
                if is_down { link.meaning(Meaning::Warn) } else { link },
                Span::figure(rates.rx_bits_per_s, figures::bits),
                Span::figure(rates.tx_bits_per_s, figures::bits),
                Span::figure(rates.rx_packets_per_s, figures::rate),
                Span::figure(rates.tx_packets_per_s, figures::rate),
                lossy(rates.drops_per_s),
                lossy(rates.errors_per_s),
            ]
        })
        .collect();
    Section { title, lines: grid(columns, &rows, scene.room, scene.is_old()) }
}

/// Per file system: how full.
pub(super) fn filesystems(scene: Scene<'_>) -> Section {
    let title = "File systems".to_owned();
    let Some(profile) = scene.node.profile.last() else {
        return Section { title, lines: vec![not_read(scene)] };
    };
    if profile.filesystems.is_empty() {
        return Section { title, lines: vec![vec![Span::dim("  none on a device")]] };
    }
    let limit = scene.seen.inventory.settings.thresholds.filesystem_percent;
    let columns = vec![
        Column::left(0, "MOUNTED ON", 16, 0).growing(1),
        Column::right(1, "USED", 5, 0),
        Column::right(2, "FREE", 9, 1),
        Column::right(3, "SIZE", 9, 2),
        Column::left(4, "TYPE", 8, 4),
        Column::left(5, "DEVICE", 14, 3),
    ];
    let rows: Vec<Vec<Span>> = profile
        .filesystems
        .iter()
        .map(|one| {
            // As df does: of what unprivileged users can have.
            let reachable = one.used_bytes.saturating_add(one.available_bytes).max(1);
            let used = one.used_bytes as f64 * 100.0 / reachable as f64;
            vec![
                Span::plain(one.mount.as_str()),
                Span::limited(Figure::Known(used), limit, figures::percent),
                Span::plain(figures::bytes(one.available_bytes)),
                Span::plain(figures::bytes(one.total_bytes)),
                Span::dim(one.kind.as_str()),
                Span::dim(one.device.as_str()),
            ]
        })
        .collect();
    Section { title, lines: grid(columns, &rows, scene.room, false) }
}

/// The largest users of memory.
pub(super) fn units(scene: Scene<'_>) -> Section {
    let title = "Memory by unit".to_owned();
    let Some(profile) = scene.node.profile.last() else {
        return Section { title, lines: vec![not_read(scene)] };
    };
    if profile.units.is_empty() {
        let why = profile.units_unknown.as_ref().map_or("no unit uses memory", |why| why.as_str());
        return Section {
            title,
            lines: vec![vec![Span::plain("  "), Span::new("? ", Meaning::Unknown), Span::dim(why)]],
        };
    }
    let columns = vec![Column::left(0, "UNIT", 30, 0).growing(1), Column::right(1, "MEMORY", 9, 0)];
    let rows: Vec<Vec<Span>> = profile
        .units
        .iter()
        .take(8)
        .map(|unit| vec![Span::plain(unit.unit.as_str()), Span::plain(figures::bytes(unit.bytes))])
        .collect();
    Section { title, lines: grid(columns, &rows, scene.room, false) }
}

fn not_read(scene: Scene<'_>) -> Vec<Span> {
    let why = scene.node.profile.failure().map_or("not read yet", |failure| failure.reason.as_str());
    vec![Span::plain("  "), Span::new("? ", Meaning::Unknown), Span::dim(why)]
}
