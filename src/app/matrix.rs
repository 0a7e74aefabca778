//! Round trips between nodes over their private addresses, as a table of everyone with everyone, the bad pairs below.

use super::{
    App, Seen, figures,
    meaning::{Line, Meaning, Span},
};
use crate::model::{
    figure::Figure,
    inventory::{Distance, Node},
    private_network::Path,
};

/// Columns of a node's name at the beginning of its row.
const NAME_WIDTH: usize = 8;
/// Columns of a cell.
const CELL_WIDTH: usize = 6;
/// Pairs that are listed below the table.
const PAIRS_MAX: usize = 40;

/// A pair of nodes and the path between them.
struct Pair<'a> {
    from: &'a Node,
    to: &'a Node,
    path: &'a Path,
}

/// The lines of the overlay for a dialog of at most `room` columns.
pub(crate) fn lines(app: &App, room: u16) -> Vec<Line> {
    let seen = app.seen();
    let nodes: Vec<&Node> = seen.inventory.nodes.iter().filter(|node| node.private.is_some()).collect();
    if nodes.len() < 2 {
        return vec![vec![Span::dim("Fewer than two nodes of the configuration have a private address.")]];
    }
    let fits = (usize::from(room).saturating_sub(NAME_WIDTH) / CELL_WIDTH).max(1);
    let shown = &nodes[..nodes.len().min(fits)];
    let mut lines = vec![head(shown)];
    lines.extend(nodes.iter().map(|from| row(seen, from, shown)));
    if shown.len() < nodes.len() {
        lines.push(vec![Span::dim(format!("{} more columns on a wider terminal", nodes.len() - shown.len()))]);
    }
    lines.push(Vec::new());
    lines.push(legend(seen));
    lines.push(Vec::new());
    lines.extend(worst(seen, &nodes));
    lines
}

fn head(nodes: &[&Node]) -> Line {
    let mut line = vec![Span::new(format!("{:<NAME_WIDTH$}", "ms"), Meaning::Dim)];
    line.extend(
        nodes.iter().map(|node| Span::new(format!("{:>CELL_WIDTH$}", short(node, CELL_WIDTH - 1)), Meaning::Heading)),
    );
    line
}

/// The end of a name tells nodes apart.
fn short(node: &Node, width: usize) -> String {
    let name = node.name.as_str();
    let skipped = name.chars().count().saturating_sub(width);
    name.chars().skip(skipped).collect()
}

fn row(seen: Seen<'_>, from: &Node, nodes: &[&Node]) -> Line {
    let mut line = vec![Span::new(format!("{:<NAME_WIDTH$}", short(from, NAME_WIDTH - 1)), Meaning::Heading)];
    line.extend(nodes.iter().map(|to| {
        let cell = cell(seen, from, to);
        Span::new(format!("{:>CELL_WIDTH$}", cell.text), cell.meaning)
    }));
    line
}

fn cell(seen: Seen<'_>, from: &Node, to: &Node) -> Span {
    if from.name == to.name {
        return Span::dim("-");
    }
    let Some(path) = path(seen, from, to) else { return Span::new("?", Meaning::Unknown) };
    let limits = &seen.inventory.settings.thresholds;
    match (path.loss_percent(), path.latency_ms()) {
        (Figure::Known(loss), _) if loss >= 100.0 => Span::new("lost", Meaning::Crit),
        (Figure::Known(loss), _) if loss > limits.private_loss_percent => {
            Span::new(format!("{loss:.0}%"), Meaning::Crit)
        }
        (_, Figure::Known(ms)) => {
            let meaning = if ms > limit_ms(seen, from, to) { Meaning::Warn } else { Meaning::Text };
            Span::new(trip(ms), meaning)
        }
        (_, Figure::Unknown(_)) => Span::new("?", Meaning::Unknown),
    }
}

/// Three digits at most.
fn trip(ms: f64) -> String {
    match ms {
        _ if ms < 10.0 => format!("{ms:.2}"),
        _ if ms < 100.0 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

/// The path of a pair, whoever of the two measures it.
fn path<'a>(seen: Seen<'a>, one: &Node, other: &Node) -> Option<&'a Path> {
    let measured = |from: &Node, to: &Node| seen.world.node(&from.name)?.private_network.last()?.to(to.private?);
    measured(one, other).or_else(|| measured(other, one))
}

fn limit_ms(seen: Seen<'_>, from: &Node, to: &Node) -> f64 {
    let limits = &seen.inventory.settings.thresholds;
    match Distance::between(from, to) {
        Distance::Site => limits.private_site_ms,
        Distance::Town => limits.private_town_ms,
        Distance::Far => limits.private_far_ms,
    }
}

fn legend(seen: Seen<'_>) -> Line {
    let limits = &seen.inventory.settings.thresholds;
    let words = format!(
        "The quickest trip there and back. Allowed: {} in a site, {} in a town, {} beyond; ? is not measured.",
        figures::latency(limits.private_site_ms),
        figures::latency(limits.private_town_ms),
        figures::latency(limits.private_far_ms)
    );
    vec![Span::dim(words)]
}

/// The pairs, those first that are furthest beyond what is allowed.
fn worst(seen: Seen<'_>, nodes: &[&Node]) -> Vec<Line> {
    let mut pairs: Vec<(f64, Pair<'_>)> = Vec::new();
    for (index, from) in nodes.iter().enumerate() {
        for to in &nodes[index + 1..] {
            let Some(path) = path(seen, from, to) else { continue };
            let share = path.latency_ms().known().map_or(0.0, |ms| ms / limit_ms(seen, from, to));
            let loss = path.loss_percent().known().unwrap_or_default();
            pairs.push((share + loss * 100.0, Pair { from, to, path }));
        }
    }
    if pairs.is_empty() {
        return vec![vec![Span::new("Nothing is measured yet: a round is made every few seconds.", Meaning::Unknown)]];
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut lines = vec![vec![Span::new("Pairs, the worst first", Meaning::Heading)]];
    lines.extend(pairs.iter().take(PAIRS_MAX).map(|(_, pair)| pair_line(seen, pair)));
    lines
}

fn pair_line(seen: Seen<'_>, pair: &Pair<'_>) -> Line {
    let limit_ms = limit_ms(seen, pair.from, pair.to);
    let slow = pair.path.latency_ms().known().is_some_and(|ms| ms > limit_ms);
    let (lost, sent) = pair.path.lost();
    let newest = pair.path.rounds.back();
    let mean = newest.map(|round| round.mean_ms).unwrap_or_default();
    let names = format!("{} - {}", pair.from.name, pair.to.name);
    let meaning = if lost > 1 {
        Meaning::Crit
    } else if slow {
        Meaning::Warn
    } else {
        Meaning::Ok
    };
    vec![
        Span::signed("", meaning),
        Span::plain(format!(" {names:<18}")),
        Span::figure(pair.path.latency_ms(), |ms| format!("{:>9}", figures::latency(ms))),
        Span::dim(format!(" of {:<8}", figures::latency(limit_ms))),
        Span::dim(" mean "),
        Span::figure(mean, |ms| format!("{:>9}", figures::latency(ms))),
        Span::new(format!("  {lost} of {sent} lost"), if lost > 1 { Meaning::Crit } else { Meaning::Dim }),
    ]
}
