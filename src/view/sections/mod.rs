//! The parts of the node screen, as blocks of lines that flow into as many columns as the terminal has.

mod connection;
mod database;
mod devices;
mod machine;
mod services;

use super::{
    canvas::{Canvas, line_width, width},
    glyphs::Glyphs,
    table::{self, Align, Column},
};
use crate::{
    app::{
        App, Seen,
        layout::Area,
        meaning::{Line, Meaning, Span},
    },
    model::{host::HostFacts, link::LinkState, world::NodeFacts},
};

/// A block with a title.
pub(super) struct Section {
    title: String,
    lines: Vec<Line>,
}

/// What the sections of one node are built from.
#[derive(Clone, Copy)]
struct Scene<'a> {
    app: &'a App,
    seen: Seen<'a>,
    node: &'a NodeFacts,
    host: Option<&'a HostFacts>,
    glyphs: &'static Glyphs,
    /// Columns a line may have.
    room: u16,
}

/// A section is never narrower than this unless the terminal is.
const SECTION_WIDTH: u16 = 56;
/// Between two columns of sections.
const GUTTER: u16 = 3;

pub(super) use database::draw as database;

/// Draws the sections of a node from line `scroll` on.
pub(super) fn draw(canvas: &mut Canvas<'_>, app: &App, node: &NodeFacts, area: Area, scroll: usize) {
    if area.width == 0 || area.height == 0 {
        return;
    }
    let columns = ((area.width + GUTTER) / (SECTION_WIDTH + GUTTER)).clamp(1, 3);
    let room = (area.width - GUTTER * (columns - 1).min(area.width)) / columns;
    let scene = Scene { app, seen: app.seen(), node, host: node.host.last(), glyphs: canvas.glyphs, room };
    let sections = all(scene);
    let flowed = flow(&sections, usize::from(columns), room, canvas.glyphs);
    let height = usize::from(area.height);
    let longest = flowed.iter().map(Vec::len).max().unwrap_or(0);
    let first = scroll.min(longest.saturating_sub(height));
    for (index, lines) in flowed.iter().enumerate() {
        let x = area.x + (room + GUTTER) * index as u16;
        for (row, line) in lines.iter().skip(first).take(height).enumerate() {
            canvas.line(x, area.y + row as u16, room, line);
        }
    }
    let below = longest.saturating_sub(first + height);
    if below > 0 {
        let words = [Span::dim(format!(" {below} more below "))];
        canvas.line_right(area.x, area.y + area.height - 1, area.width, &words);
    }
}

/// The title of the section about the connection.
const CONNECTION: &str = "Connection";
/// Where services stand in the usual order: behind the network that leads to them.
const SERVICES_PLACE: usize = 5;

/// In the order of an investigation: what is slow, what is full, what it is, how it is reached.
fn all(scene: Scene<'_>) -> Vec<Section> {
    let mut sections = vec![
        machine::processor(scene),
        devices::disks(scene),
        machine::memory(scene),
        machine::pressure(scene),
        devices::network(scene),
        devices::filesystems(scene),
        devices::units(scene),
        machine::host(scene),
        connection::connection(scene),
    ];
    if let Some(services) = services::services(scene) {
        sections.insert(SERVICES_PLACE, services);
    }
    sections.extend(connection::complaints(scene));
    // While a node cannot be reached, the way to it is what matters.
    if !matches!(scene.node.link.state, LinkState::Up) {
        let place = sections.iter().position(|section| section.title == CONNECTION).unwrap_or_default();
        let connection = sections.remove(place);
        sections.insert(0, connection);
    }
    sections
}

/// Puts sections one below the other into columns of about the same height, in order.
fn flow(sections: &[Section], columns: usize, room: u16, glyphs: &Glyphs) -> Vec<Vec<Line>> {
    let tall = |section: &Section| section.lines.len() + 2;
    let total: usize = sections.iter().map(tall).sum();
    let target = total.div_ceil(columns.max(1));
    let mut flowed: Vec<Vec<Line>> = vec![Vec::new()];
    for section in sections {
        let used = flowed.last().map_or(0, Vec::len);
        // A section goes where more than half of it fits below the target height.
        if used > 0 && used + tall(section) / 2 > target && flowed.len() < columns {
            flowed.push(Vec::new());
        }
        if let Some(column) = flowed.last_mut() {
            if !column.is_empty() {
                column.push(Vec::new());
            }
            column.push(title_line(&section.title, room, glyphs));
            column.extend(section.lines.iter().cloned());
        }
    }
    flowed
}

fn title_line(title: &str, room: u16, glyphs: &Glyphs) -> Line {
    let rest = usize::from(room.saturating_sub(width(title) + 3));
    vec![
        Span::new(format!("{} ", glyphs.line), Meaning::Line),
        Span::new(title.to_owned(), Meaning::Heading),
        Span::new(format!(" {}", glyphs.line.repeat(rest)), Meaning::Line),
    ]
}

impl Scene<'_> {
    /// A label and what follows it.
    fn row(&self, label: &str, spans: impl IntoIterator<Item = Span>) -> Line {
        let mut line = vec![Span::dim(format!("  {label:<11}"))];
        line.extend(spans);
        if self.is_old() {
            for span in line.iter_mut().skip(1) {
                span.meaning = Meaning::Stale;
            }
        }
        line
    }

    /// A label, a value to the right in a fixed width, and its chart.
    fn charted(&self, label: &str, value: &Span, samples: &[Option<f32>], top: f32) -> Line {
        let value = Span::new(format!("{:>9}  ", value.text), value.meaning);
        let mut line = self.row(label, [value]);
        line.extend(spark(samples, top, self.glyphs));
        line
    }

    /// How many columns a chart beside a value has.
    fn chart_room(&self) -> usize {
        usize::from(self.room.saturating_sub(28)).min(60)
    }

    /// Whether the figures are too old to act on.
    fn is_old(&self) -> bool {
        let limit_ms = self.seen.inventory.settings.poll.stale_after_ms;
        self.node.host.fresh(self.seen.now.mono, limit_ms).is_none()
    }

    /// Why there is nothing to show.
    fn nothing(&self, why: &str) -> Line {
        let reason = self.node.host.failure().map_or(why, |failure| failure.reason.as_str());
        vec![Span::plain("  "), Span::new("? ", Meaning::Unknown), Span::dim(reason.to_owned())]
    }
}

/// The top of a chart of percentages: quiet machines keep a shape, busy ones their height.
pub(super) fn percent_top(samples: &[Option<f32>]) -> f32 {
    samples.iter().flatten().copied().fold(40.0, f32::max)
}

/// A chart as text; gaps are marked, what was before the first sample is blank.
fn spark(samples: &[Option<f32>], top: f32, glyphs: &Glyphs) -> Line {
    let first = samples.iter().position(Option::is_some).unwrap_or(samples.len());
    let mut line: Line = vec![Span::plain(" ".repeat(first))];
    for sample in &samples[first..] {
        let (symbol, meaning) = match sample {
            Some(value) => {
                let level = (value / top.max(f32::EPSILON) * 7.0).round().clamp(0.0, 7.0) as usize;
                (glyphs.levels[level], Meaning::Chart)
            }
            None => (glyphs.gap, Meaning::Line),
        };
        match line.last_mut() {
            Some(last) if last.meaning == meaning => last.text.push_str(symbol),
            _ => line.push(Span::new(symbol, meaning)),
        }
    }
    line
}

/// A small table as lines; columns fall away by rank.
fn grid(columns: Vec<Column<usize>>, rows: &[Vec<Span>], room: u16, old: bool) -> Vec<Line> {
    let placed = table::fit(columns, room.saturating_sub(2), 2);
    let pad = |span: Span, column: &table::Placed<usize>| -> Vec<Span> {
        let wide = line_width(std::slice::from_ref(&span));
        let space = usize::from(column.width.saturating_sub(wide));
        if wide > column.width {
            let cut: String = span.text.chars().take(usize::from(column.width.saturating_sub(1))).collect();
            return vec![Span::new(format!("{cut}~"), span.meaning)];
        }
        match column.align {
            Align::Left => vec![span, Span::plain(" ".repeat(space))],
            Align::Right => vec![Span::plain(" ".repeat(space)), span],
        }
    };
    let join = |cells: Vec<(Span, &table::Placed<usize>)>| -> Line {
        let mut line = vec![Span::plain("  ")];
        for (index, (span, column)) in cells.into_iter().enumerate() {
            if index > 0 {
                line.push(Span::plain("  "));
            }
            line.extend(pad(span, column));
        }
        line
    };
    let heads = placed.iter().map(|column| (Span::new(column.title.clone(), Meaning::Heading), column)).collect();
    let mut lines = vec![join(heads)];
    for row in rows {
        let cells = placed.iter().filter_map(|column| row.get(column.key).map(|span| (span.clone(), column)));
        let cells = cells.map(|(span, column)| (if old { span.meaning(Meaning::Stale) } else { span }, column));
        lines.push(join(cells.collect()));
    }
    lines
}
