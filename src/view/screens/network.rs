//! Every bridge, port and interface of all nodes: what does not fit together on top, then the tree or the table.

use super::{
    super::{
        canvas::Canvas,
        node_cells::lay_freshness,
        table::{Column, Placed},
    },
    listing::{self, caption},
    overview::more,
};
use crate::{
    app::{
        App, Seen, details, figures,
        layout::{self, Area, Layout},
        meaning::{Line, Meaning, Span},
        network::{BridgeView, Network, NetworkRow, PortView, daemon_standing, misfits},
        rows::Rows,
    },
    model::{
        figure::{Figure, Unknown},
        ovs::SwitchedRates,
        world::NodeFacts,
    },
};

/// Narrower than this, columns stand closer.
const NARROW: u16 = 100;

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NetworkColumn {
    Node,
    Bridge,
    Name,
    State,
    Vlan,
    Kind,
    Behind,
    Received,
    Sent,
    PacketsIn,
    PacketsOut,
    Drops,
    Errors,
    Mtu,
    Speed,
    Ofport,
}

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, rows: &Rows<'_>, layout: &Layout) {
    let Rows::Network(network) = rows else { return };
    if !layout.is_page {
        table(canvas, app, network, rows, layout);
    }
    if layout.details.is_some() {
        let details = rows.current(app).map(|row| details::of_row(app, &row)).unwrap_or_default();
        listing::pane(canvas, app, layout, &details);
    }
}

fn columns(app: &App, network: &Network<'_>) -> Vec<Column<NetworkColumn>> {
    use NetworkColumn as C;
    let seen = app.seen();
    let name = seen.world.nodes.iter().map(|node| super::super::canvas::width(node.name.as_str())).max().unwrap_or(4);
    let mut columns = vec![
        Column::left(C::Name, if network.is_flat { "PORT" } else { "NODE, BRIDGE, PORT" }, 18, 0),
        Column::left(C::State, "STATE", 10, 0),
        Column::left(C::Vlan, "VLAN", 9, 1),
        Column::left(C::Kind, "KIND", 8, 5),
        Column::right(C::Received, "IN", 9, 2),
        Column::right(C::Sent, "OUT", 9, 2),
        Column::right(C::PacketsIn, "PACKETS IN", 10, 9),
        Column::right(C::PacketsOut, "OUT", 9, 9),
        Column::right(C::Drops, "DROPS", 8, 3),
        Column::right(C::Errors, "ERRORS", 8, 6),
        Column::right(C::Mtu, "MTU", 5, 7),
        Column::right(C::Speed, "SPEED", 9, 8),
        Column::right(C::Ofport, "OFPORT", 6, 10),
        Column::left(C::Behind, "BEHIND IT", 14, 4).growing(1),
    ];
    if network.is_flat {
        columns.insert(0, Column::left(C::Bridge, "BRIDGE", 8, 4));
        columns.insert(0, Column::left(C::Node, "NODE", name.clamp(5, 16), 0));
    }
    columns
}

fn table(canvas: &mut Canvas<'_>, app: &App, network: &Network<'_>, rows: &Rows<'_>, layout: &Layout) {
    let (visible, place) = layout::window(app, rows, layout);
    let title = title(app, network);
    let aside = more(visible.end, network.rows.len());
    if network.is_flat {
        caption(canvas, app, layout.caption, &title, &aside);
    } else {
        listing::caption_unsorted(canvas, app, layout.caption, &title, &aside);
    }
    let is_tight = app.screens.of(app.screen()).wide || layout.list.width < NARROW;
    let columns = listing::heads(canvas, layout, columns(app, network), if is_tight { 1 } else { 2 });
    if network.rows.is_empty() {
        listing::empty(canvas, layout, &empty(app, network));
    }
    listing::lines(canvas, layout, visible, place, |canvas, row, line, cells| {
        if let Some(kind) = network.rows.get(row) {
            draw_row(canvas, app, network, kind, &columns, line, cells);
            if !app.changes.is_empty()
                && let Some(id) = network.id(row)
            {
                lay_freshness(canvas, app, &id, cells);
            }
        }
    });
}

/// How much there is, and whether it fits together.
fn title(app: &App, network: &Network<'_>) -> Line {
    let ports = figures::counted(network.ports, "port", "ports");
    let nodes = figures::counted(network.nodes, "node", "nodes");
    let words = if network.is_flat { format!("All {ports} of {nodes} ") } else { format!("{ports} of {nodes} ") };
    let mut line = vec![Span::new(words, Meaning::Heading)];
    let wrong = misfits(app.seen()).count();
    let shown = network.rows.iter().filter(|row| matches!(row, NetworkRow::Finding(_))).count();
    if wrong > shown {
        line.push(Span::signed(&format!("{} more findings, see 7", wrong - shown), Meaning::Warn));
    } else if wrong == 0 && network.nodes > 0 {
        line.push(Span::signed("all fit together", Meaning::Ok));
    }
    line
}

fn empty(app: &App, network: &Network<'_>) -> Line {
    let filter = &app.screens.of(app.screen()).filter;
    if network.nodes > 0 && !filter.is_empty() {
        return vec![Span::dim(format!("Nothing matches {filter:?}. Esc removes the filter."))];
    }
    if app.seen().world.nodes.iter().any(|node| node.bridges.last().is_some()) {
        return vec![Span::dim("No node has Open vSwitch or a plain bridge.")];
    }
    vec![Span::signed("No node has answered yet.", Meaning::Unknown)]
}

fn draw_row(
    canvas: &mut Canvas<'_>,
    app: &App,
    network: &Network<'_>,
    row: &NetworkRow<'_>,
    columns: &[Placed<NetworkColumn>],
    line: Area,
    cells: Area,
) {
    let seen = app.seen();
    match row {
        NetworkRow::Finding(finding) => {
            let sentence = [
                Span::signed("", finding.severity.into()),
                Span::new(format!(" {}  ", finding.subject), Meaning::Accent),
                Span::new(finding.sentence.as_str(), finding.severity.into()),
            ];
            canvas.line(cells.x, line.y, cells.width, &sentence);
        }
        NetworkRow::Node(node) => {
            canvas.line(cells.x, line.y, cells.width, &node_line(seen, node));
        }
        NetworkRow::Bridge(bridge) => {
            canvas.line(cells.x, line.y, cells.width, &bridge_line(*bridge));
        }
        NetworkRow::Port(port) => {
            let rates = port.rates(seen.now.mono);
            for column in columns {
                canvas.cell(cells, column, &cell(seen, network, port, &rates, column.key));
            }
        }
    }
}

fn node_line(seen: Seen<'_>, node: &NodeFacts) -> Line {
    let mut line = vec![Span::new(format!("{}  ", node.name), Meaning::Accent)];
    line.extend(daemon_standing(seen, node));
    line
}

fn bridge_line(bridge: BridgeView<'_>) -> Line {
    vec![Span::new(format!("  {}  ", bridge.name()), Meaning::Heading), Span::dim(bridge.words())]
}

fn cell(
    seen: Seen<'_>,
    network: &Network<'_>,
    port: &PortView<'_>,
    rates: &SwitchedRates,
    column: NetworkColumn,
) -> Line {
    use NetworkColumn as C;
    let counted = |figure: Figure<f64>| {
        // A patch or a tunnel has no queue of its own that could overflow.
        if matches!(figure.why(), Some(Unknown::NotOffered | Unknown::Missing)) {
            return Span::dim("-");
        }
        let mut span = Span::figure(figure, figures::rate);
        if figure.known().is_some_and(|rate| rate > 0.0) {
            span.meaning = Meaning::Warn;
        }
        span
    };
    let span = match column {
        C::Node => Span::plain(port.node.name.as_str()),
        C::Bridge => Span::dim(port.bridge.name().as_str()),
        C::Name => {
            let indent = match (network.is_flat, port.is_member()) {
                (true, _) => "",
                (false, false) => "    ",
                (false, true) => "      ",
            };
            Span::plain(format!("{indent}{}", port.name()))
        }
        C::State => {
            let (meaning, word) = port.standing(seen);
            Span::signed(word, meaning)
        }
        C::Vlan => Span::figure(port.vlan(), |words| words),
        C::Kind => Span::dim(port.kind_words()),
        C::Behind => Span::plain(port.behind_words(seen)),
        C::Received => Span::figure(rates.rx_bits_per_s, figures::bits),
        C::Sent => Span::figure(rates.tx_bits_per_s, figures::bits),
        C::PacketsIn => Span::figure(rates.rx_packets_per_s, figures::rate),
        C::PacketsOut => Span::figure(rates.tx_packets_per_s, figures::rate),
        C::Drops => counted(rates.drops_per_s()),
        C::Errors => counted(rates.errors_per_s()),
        C::Mtu => Span::figure(port.mtu(), |mtu| mtu.to_string()),
        C::Speed => Span::figure(port.speed(), |speed| figures::bits(speed as f64)),
        C::Ofport => Span::figure(port.ofport(), |number| number),
    };
    vec![span]
}
