//! A figure over time, on a page of its own: axes, gaps, a cursor, marks of what happened, and the same an hour ago.

use super::{
    App, Overlay,
    command::Here,
    effect::Effect,
    figures,
    meaning::{Line, Meaning, Span},
    msg::{Key, KeyCode},
    network,
    rows::RowId,
    screen::ScreenId,
};
use crate::{
    history::{
        figures::Unit,
        recent::{DatabaseFigure, GuestFigure, HostFigure, PortFigure, SeriesKey, TrafficFigure},
    },
    model::{
        ids::{NodeName, ProxyName, ServerName},
        text::Clean,
        time::{Mono, Wall},
    },
    rules::Finding,
};
use serde::{Deserialize, Serialize};

/// What the whole width of a chart may stand for, seconds: two minutes to four hours.
const SPANS_S: [u64; 5] = [120, 600, 3_600, 7_200, 14_400];
/// The span a chart opens with.
const SPAN_FIRST: usize = 1;
/// The past that is compared with.
const AGO_MS: u64 = 3_600_000;

/// A chart that is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chart {
    /// What the row is: "web_cluster/web03".
    pub(crate) about: String,
    /// Figures that the row has; never empty.
    pub(crate) plots: Vec<Plot>,
    /// Which of them is shown.
    pub(crate) chosen: usize,
    /// Which of [`SPANS_S`].
    span: usize,
    /// Columns from the right; `None` while nobody has moved it.
    pub(crate) cursor: Option<usize>,
    /// Whether the same an hour ago is shown, too.
    pub(crate) is_compared: bool,
}

/// A figure of the row: one series, or the sum of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plot {
    pub(crate) figure: Figure,
    /// What is added up.
    parts: Vec<SeriesKey>,
}

/// Which figure, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Figure {
    Host(HostFigure),
    Traffic(TrafficFigure),
    Database(DatabaseFigure),
    Port(PortFigure),
    Guest(GuestFigure),
}

/// Something that happened while the console watched: a mark on the axis of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// When.
    pub(crate) at: Mono,
    /// What, in a few words.
    pub(crate) words: String,
    /// Whether an operator did it.
    pub(crate) is_action: bool,
}

/// More marks are not kept; the oldest go first.
const MARKS_MAX: usize = 256;

/// What happened lately, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks(Vec<Mark>);

impl Marks {
    fn note(&mut self, at: Mono, words: String, is_action: bool) {
        if self.0.len() >= MARKS_MAX {
            self.0.remove(0);
        }
        self.0.push(Mark { at, words, is_action });
    }

    /// Findings that began or ended since the last look.
    pub(crate) fn compare(&mut self, before: &[Finding], now: &[Finding], at: Mono) {
        let is_in = |list: &[Finding], one: &Finding| {
            list.iter().any(|known| known.rule == one.rule && known.subject == one.subject)
        };
        for finding in now.iter().filter(|finding| !is_in(before, finding)) {
            self.note(at, format!("{} began: {}", finding.rule, finding.subject), false);
        }
        for finding in before.iter().filter(|finding| !is_in(now, finding)) {
            self.note(at, format!("{} ended: {}", finding.rule, finding.subject), false);
        }
    }

    /// An operator began something, here or elsewhere.
    pub(crate) fn action(&mut self, words: String, at: Mono) {
        self.note(at, words, true);
    }

    /// Those from `from` to before `to`.
    pub(crate) fn between(&self, from: Mono, to: Mono) -> impl Iterator<Item = &Mark> {
        self.0.iter().filter(move |mark| (from.0..to.0).contains(&mark.at.0))
    }
}

impl Figure {
    /// Its name and its unit.
    pub(crate) fn row(self) -> (&'static str, Unit) {
        match self {
            Self::Host(figure) => figure.row(),
            Self::Traffic(figure) => figure.row(),
            Self::Database(figure) => figure.row(),
            Self::Port(figure) => figure.row(),
            Self::Guest(figure) => figure.row(),
        }
    }
}

impl Chart {
    /// The chart of the row under the cursor, or why there is none.
    pub(crate) fn behind(here: &Here<'_>) -> Result<Self, String> {
        let row = here.row.as_ref().ok_or("There is no row to chart.")?;
        let app = here.app;
        let (plots, first) = match row {
            RowId::Node(name) if app.screen() == ScreenId::Database => {
                (of_database(app, name).into_iter().chain(of_node(name)).collect(), None)
            }
            RowId::Node(name) => (of_node(name).into_iter().chain(of_database(app, name)).collect(), None),
            RowId::Guest(node, guest) => (of_guest(node, guest), None),
            RowId::Port(node, bridge, port, interface) => {
                (of_port(app, node, (bridge, port), interface.as_ref()), None)
            }
            RowId::Backend(backend) => (of_traffic(app, backend, None, None), None),
            RowId::Server(backend, server) => (of_traffic(app, backend, Some(server), None), None),
            RowId::Share(backend, server, lb) => (of_traffic(app, backend, Some(server), Some(lb)), None),
            RowId::Finding(rule, subject) => {
                let finding = app.seen().findings.iter().find(|one| one.rule == *rule && one.subject == *subject);
                let finding = finding.ok_or("This finding is over.")?;
                of_finding(app, finding)
            }
            _ => (Vec::new(), None),
        };
        if plots.is_empty() {
            return Err("No figure of this row is kept over time.".to_owned());
        }
        let chosen = first.and_then(|first| plots.iter().position(|plot| plot.figure == first)).unwrap_or(0);
        Ok(Self { about: about(row), plots, chosen, span: SPAN_FIRST, cursor: None, is_compared: false })
    }

    /// The figure that is shown.
    pub(crate) fn plot(&self) -> Option<&Plot> {
        self.plots.get(self.chosen)
    }

    /// What the whole width stands for.
    pub(crate) fn span_s(&self) -> u64 {
        SPANS_S.get(self.span).copied().unwrap_or(SPANS_S[SPAN_FIRST])
    }
}

fn about(row: &RowId) -> String {
    match row {
        RowId::Finding(_, subject) => subject.to_string(),
        RowId::Node(name) => name.to_string(),
        RowId::Backend(name) => name.to_string(),
        RowId::Guest(_, guest) => guest.to_string(),
        RowId::Port(node, bridge, port, interface) => {
            format!("{node} {bridge}/{}", interface.as_ref().unwrap_or(port))
        }
        RowId::Server(backend, server) => format!("{backend}/{server}"),
        RowId::Share(backend, server, lb) => format!("{backend}/{server} on {lb}"),
        _ => String::new(),
    }
}

fn of_node(name: &NodeName) -> Vec<Plot> {
    let plot =
        |figure| Plot { figure: Figure::Host(figure), parts: vec![SeriesKey::Host { node: name.clone(), figure }] };
    HostFigure::ALL.map(plot).to_vec()
}

/// Of the database of a node; nothing where none was read.
fn of_database(app: &App, name: &NodeName) -> Vec<Plot> {
    let is_there = app.world.node(name).is_some_and(|node| node.mysql.last().is_some());
    let plot = |figure| Plot {
        figure: Figure::Database(figure),
        parts: vec![SeriesKey::Database { node: name.clone(), figure }],
    };
    if is_there { DatabaseFigure::ALL.map(plot).to_vec() } else { Vec::new() }
}

fn of_guest(node: &NodeName, guest: &Clean) -> Vec<Plot> {
    let plot = |figure| Plot {
        figure: Figure::Guest(figure),
        parts: vec![SeriesKey::Guest { node: node.clone(), guest: guest.clone(), figure }],
    };
    GuestFigure::ALL.map(plot).to_vec()
}

/// Of an interface of Open vSwitch, of a bond (the sum of its members), or of a port of a plain bridge.
fn of_port(app: &App, node: &NodeName, (bridge, port): (&Clean, &Clean), interface: Option<&Clean>) -> Vec<Plot> {
    let bridges = app.world.node(node).map(network::bridges).unwrap_or_default();
    let ports = bridges.into_iter().filter(|view| view.name() == bridge).flat_map(network::BridgeView::ports);
    let interfaces: Vec<&Clean> = ports.filter_map(|view| view.series_of(port, interface)).collect();
    if interfaces.is_empty() {
        return Vec::new();
    }
    let key = |interface: &&Clean, figure| SeriesKey::Port {
        node: node.clone(),
        bridge: bridge.clone(),
        interface: (*interface).clone(),
        figure,
    };
    let plot = |figure| Plot {
        figure: Figure::Port(figure),
        parts: interfaces.iter().map(|interface| key(interface, figure)).collect(),
    };
    PortFigure::ALL.map(plot).to_vec()
}

/// Of a backend or a server in it, added up over all load balancers or on one of them.
fn of_traffic(app: &App, backend: &ProxyName, server: Option<&ServerName>, lb: Option<&NodeName>) -> Vec<Plot> {
    let balancers = || {
        let all = app.inventory.nodes.iter().filter(|node| node.haproxy_socket.is_some());
        all.map(|node| node.name.clone()).filter(|name| lb.is_none_or(|lb| lb == name))
    };
    let key = |node: NodeName, figure: TrafficFigure| match server {
        Some(server) => SeriesKey::Server { node, backend: backend.clone(), server: server.clone(), figure },
        None => SeriesKey::Backend { node, backend: backend.clone(), figure },
    };
    let plot =
        |figure| Plot { figure: Figure::Traffic(figure), parts: balancers().map(|node| key(node, figure)).collect() };
    TrafficFigure::ALL.map(plot).to_vec()
}

/// The figures of what a finding is about, with the one that the rule looks at first.
fn of_finding(app: &App, finding: &Finding) -> (Vec<Plot>, Option<Figure>) {
    let subject = finding.subject.as_str();
    let first = match finding.rule.as_str() {
        "host.iowait" => Some(Figure::Host(HostFigure::Iowait)),
        "host.io_pressure" | "host.blocked_tasks" => Some(Figure::Host(HostFigure::IoFull)),
        "host.steal" => Some(Figure::Host(HostFigure::Steal)),
        "host.memory" | "host.swap_in" | "host.oom_kill" => Some(Figure::Host(HostFigure::MemoryUsed)),
        "haproxy.queue" => Some(Figure::Traffic(TrafficFigure::Queue)),
        "haproxy.errors" => Some(Figure::Traffic(TrafficFigure::Errors)),
        "haproxy.sessions" => Some(Figure::Traffic(TrafficFigure::Sessions)),
        "mysql.replication.lag" | "mysql.replication.unheard" => Some(Figure::Database(DatabaseFigure::Lag)),
        "mysql.row_locks" => Some(Figure::Database(DatabaseFigure::RowLocks)),
        "mysql.connections" => Some(Figure::Database(DatabaseFigure::Running)),
        _ => None,
    };
    if finding.rule.as_str().starts_with("haproxy.") {
        let plots = match subject.split_once('/') {
            Some((backend, server)) => {
                of_traffic(app, &ProxyName::from(backend), Some(&ServerName::from(server)), None)
            }
            None => of_traffic(app, &ProxyName::from(subject), None, None),
        };
        let is_known = plots.iter().flat_map(|plot| &plot.parts).any(|key| app.seen().history.series(key).is_some());
        if is_known {
            return (plots, first);
        }
    }
    let Some(node) = &finding.node else { return (Vec::new(), None) };
    let plots = if finding.rule.as_str().starts_with("mysql.") {
        of_database(app, node).into_iter().chain(of_node(node)).collect()
    } else if finding.rule.as_str().starts_with("vm.") && has_guest(app, node, subject) {
        of_guest(node, &finding.subject)
    } else {
        let place = subject.strip_prefix(node.as_str()).and_then(|rest| rest.trim_start().split_once('/'));
        let port = place.filter(|_| finding.rule.as_str().starts_with("ovs."));
        let plots = port.map(|(bridge, port)| of_port(app, node, (&Clean::line(bridge), &Clean::line(port)), None));
        plots.filter(|plots| !plots.is_empty()).unwrap_or_else(|| of_node(node))
    };
    (plots, first)
}

fn has_guest(app: &App, node: &NodeName, name: &str) -> bool {
    let guests = app.world.node(node).and_then(|node| node.hypervisor.last());
    guests.is_some_and(|guests| guests.domain(name).is_some())
}

/// Opens the chart of the row under the cursor.
pub(crate) fn open(app: &mut App) -> Vec<Effect> {
    let opened = Chart::behind(&Here::of(app));
    match opened {
        Ok(chart) => app.overlay = Overlay::Chart(Box::new(chart)),
        Err(reason) => app.notify(reason),
    }
    Vec::new()
}

/// A key while a chart is open.
pub(crate) fn key(app: &mut App, mut chart: Box<Chart>, key: Key) -> Vec<Effect> {
    let count = chart.plots.len().max(1);
    let last = usize::from(app.size.width);
    match key.code {
        KeyCode::Esc | KeyCode::Char('q' | 'g') => return Vec::new(),
        KeyCode::Tab | KeyCode::Down | KeyCode::Char('j') => chart.chosen = (chart.chosen + 1) % count,
        KeyCode::BackTab | KeyCode::Up | KeyCode::Char('k') => chart.chosen = (chart.chosen + count - 1) % count,
        KeyCode::Char('+' | '=') => chart.span = chart.span.saturating_sub(1),
        KeyCode::Char('-') => chart.span = (chart.span + 1).min(SPANS_S.len() - 1),
        KeyCode::Left | KeyCode::Char('h') => chart.cursor = Some(chart.cursor.map_or(0, |at| at + 1).min(last)),
        KeyCode::Right | KeyCode::Char('l') => chart.cursor = chart.cursor.and_then(|at| at.checked_sub(1)),
        KeyCode::End => chart.cursor = None,
        KeyCode::Char('b') => chart.is_compared = !chart.is_compared,
        _ => {}
    }
    app.overlay = Overlay::Chart(chart);
    Vec::new()
}

/// A chart cut to the columns it is drawn in.
#[derive(Debug)]
pub(crate) struct Drawn<'a> {
    /// The largest sample of each column, oldest first; `None` is a gap.
    pub(crate) now: Vec<Option<f32>>,
    /// The same an hour before, where that is asked for.
    pub(crate) ago: Vec<Option<f32>>,
    /// What happened in each column.
    pub(crate) marks: Vec<Vec<&'a Mark>>,
    /// The top of the scale.
    pub(crate) top: f32,
    /// The column under the cursor.
    pub(crate) cursor: Option<usize>,
    /// Length of a column, milliseconds.
    pub(crate) column_ms: u64,
    /// End of the last column.
    end: Mono,
}

/// Cuts the chart to `columns` columns.
pub(crate) fn cut<'a>(app: &'a App, chart: &Chart, columns: usize) -> Drawn<'a> {
    let columns = columns.max(1);
    let column_ms = (chart.span_s() * 1000).div_ceil(columns as u64).max(1);
    // Columns are cut at multiples of their length: the chart moves and does not flicker.
    let end = Mono((app.seen().now.mono.0 / column_ms + 1).saturating_mul(column_ms));
    // Before the clock began there was nothing.
    let begin = |column: usize| end.0.checked_sub((columns - column) as u64 * column_ms);
    let samples = |ago_ms: u64| -> Vec<Option<f32>> {
        let of = |column: usize| {
            let from = Mono(begin(column)?.checked_sub(ago_ms)?);
            largest(app, chart, from, Mono(from.0 + column_ms))
        };
        (0..columns).map(of).collect()
    };
    let now = samples(0);
    let ago = if chart.is_compared { samples(AGO_MS) } else { vec![None; columns] };
    let marks = (0..columns).map(|column| {
        let from = begin(column).map(Mono);
        from.map(|from| app.marks.between(from, Mono(from.0 + column_ms)).collect()).unwrap_or_default()
    });
    let marks = marks.collect();
    let largest = now.iter().chain(&ago).flatten().copied().fold(0.0, f32::max);
    let unit = chart.plot().map_or(Unit::Number, |plot| plot.figure.row().1);
    let cursor = chart.cursor.map(|back| (columns - 1).saturating_sub(back));
    Drawn { now, ago, marks, top: round_up(largest, unit), cursor, column_ms, end }
}

/// The sum of the parts' largest samples; `None` where no part is known.
fn largest(app: &App, chart: &Chart, from: Mono, to: Mono) -> Option<f32> {
    let parts = chart.plot()?.parts.iter().filter_map(|key| app.seen().history.largest(key, from, to));
    parts.reduce(|sum, part| sum + part)
}

/// A top that is easily read: 1, 2 or 5 times a power of ten; never less than what makes noise look like news.
fn round_up(largest: f32, unit: Unit) -> f32 {
    let least = match unit {
        Unit::Percent => 10.0,
        Unit::Count | Unit::PerSecond | Unit::Milliseconds => 5.0,
        Unit::BitsPerSecond => 1_000.0,
        Unit::Number => 1.0,
    };
    let wanted = largest.max(least);
    let power = 10_f32.powf(wanted.log10().floor());
    let top = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|top| *top >= wanted * 0.999);
    let top = top.unwrap_or(wanted);
    if unit == Unit::Percent { top.min(100.0) } else { top }
}

/// A figure with its unit.
pub(crate) fn value(figure: f32, unit: Unit) -> String {
    let figure = f64::from(figure);
    match unit {
        Unit::Percent => figures::percent_fine(figure),
        Unit::Count => figures::count(figure.max(0.0).round() as u64),
        Unit::PerSecond => figures::rate(figure),
        Unit::BitsPerSecond => figures::bits(figure),
        Unit::Milliseconds => figures::latency(figure),
        Unit::Number => figures::number(figure),
    }
}

/// On top: the figure, the row, what the width stands for.
pub(crate) fn title(chart: &Chart) -> String {
    let name = chart.plot().map_or("", |plot| plot.figure.row().0);
    let count = chart.plots.len();
    let span = match chart.span_s() {
        seconds @ 0..3_600 => format!("{} m", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    };
    format!("{} of {}, {} of {count}; the last {span}", name, chart.about, chart.chosen + 1)
}

/// The line below: what the cursor says, or the newest value and the largest.
pub(crate) fn reading(app: &App, chart: &Chart, drawn: &Drawn<'_>) -> Line {
    let Some(plot) = chart.plot() else { return Vec::new() };
    let unit = plot.figure.row().1;
    let said =
        |sample: Option<f32>| sample.map_or_else(|| "? nothing was read".to_owned(), |sample| value(sample, unit));
    let column = drawn.cursor.unwrap_or(drawn.now.len().saturating_sub(1));
    let newest = drawn.now.iter().rev().flatten().next().copied();
    let shown = if drawn.cursor.is_some() { drawn.now.get(column).copied().flatten() } else { newest };
    let mut line = vec![
        Span::plain(if drawn.cursor.is_some() { moment(app, drawn, column) } else { "now".to_owned() }),
        Span::plain("  "),
        Span::new(said(shown), Meaning::Accent),
    ];
    if chart.is_compared {
        line.push(Span::dim(format!("   an hour before: {}", said(drawn.ago.get(column).copied().flatten()))));
    }
    let marks = drawn.marks.get(column).into_iter().flatten();
    line.extend(marks.map(|mark| Span::new(format!("   {}", mark.words), Meaning::Warn)));
    if drawn.cursor.is_none() {
        let known = || drawn.now.iter().flatten().copied();
        if let (Some(most), Some(least)) = (known().reduce(f32::max), known().reduce(f32::min)) {
            line.push(Span::dim(format!("   from {} to {}", value(least, unit), value(most, unit))));
        }
    }
    line
}

/// The clock at the beginning of a column.
pub(crate) fn moment(app: &App, drawn: &Drawn<'_>, column: usize) -> String {
    let now = app.seen().now;
    // By the wall clock: the column may lie before the start of the program.
    let back = (drawn.now.len().saturating_sub(column)) as u64 * drawn.column_ms;
    let ago_ms = back.saturating_sub(drawn.end.since_ms(now.mono));
    let wall = Wall(now.wall.0.saturating_sub(i64::try_from(ago_ms).unwrap_or(0)));
    let format = if drawn.column_ms < 60_000 { "%H:%M:%S" } else { "%H:%M" };
    let stamp = jiff::Timestamp::from_millisecond(wall.0);
    stamp.map_or_else(|_| "?".to_owned(), |at| at.to_zoned(app.options.zone.clone()).strftime(format).to_string())
}
