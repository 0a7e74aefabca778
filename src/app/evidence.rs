//! The current row as text, for the clipboard.

use super::{
    App, change_details, changes,
    details::{self, Detail},
    layout, machines,
    meaning::plain_text,
    rows::{RowId, Rows},
    screen::ScreenId,
    standing,
};

/// The row under the cursor; with open details, all of them.
pub(crate) fn of_row(app: &App) -> Option<String> {
    let row = match app.place.screen {
        ScreenId::Node => RowId::Node(app.place.node.clone()?),
        _ => Rows::of(app).current(app)?,
    };
    let seen = app.seen();
    let cluster = &app.inventory.cluster;
    let whole = app.place.screen == ScreenId::Node || layout::details_open(app);
    let head = match &row {
        RowId::Node(name) => {
            let node = seen.world.node(name)?;
            let standing = standing::of_node(seen, node);
            let problem = if standing.problem.is_empty() { String::new() } else { format!(": {}", standing.problem) };
            format!("{cluster}: {name} is {}{problem}", standing.word)
        }
        RowId::Finding(rule, subject) => {
            let finding = seen.findings.iter().find(|f| f.rule == *rule && f.subject == *subject)?;
            format!("{cluster}: {subject}: {}", finding.sentence)
        }
        RowId::Guest(host, name) => {
            let guest = machines::guest(seen, host, name)?;
            format!("{cluster}: guest {name} on {host} is {}", guest.domain.state_words())
        }
        RowId::Frontend(name) => format!("{cluster}: frontend {name}"),
        RowId::Backend(name) => format!("{cluster}: backend {name}"),
        RowId::Server(backend, server) => format!("{cluster}: server {backend}/{server}"),
        RowId::Share(backend, server, lb) => format!("{cluster}: server {backend}/{server} on {lb}"),
        RowId::Bridge(node, bridge) => format!("{cluster}: bridge {bridge} of {node}"),
        RowId::Port(node, bridge, port, _) => format!("{cluster}: port {port} of the bridge {bridge} of {node}"),
        RowId::Setting(node, title) => format!("{cluster}: setting {title} on {node}"),
        RowId::Run(id) => {
            let run = changes::run(seen, id)?;
            format!("{cluster}: {} ({id}): {}: {}", run.title, run.state.word(), changes::why(&run.state))
        }
        RowId::Wish(server, is_weight) => {
            let wish = changes::wish(seen, server, *is_weight)?;
            format!("{cluster}: {}: {}, by {}", wish.server, change_details::wanted_words(wish.wanted), wish.by)
        }
    };
    let is_plain = !whole && matches!(row, RowId::Node(_) | RowId::Finding(..) | RowId::Run(_) | RowId::Wish(..));
    if is_plain {
        return Some(head);
    }
    let lines = details::of_row(app, &row).into_iter().map(|detail| match detail {
        Detail::Title(line) | Detail::Text(line) => plain_text(&line),
        Detail::Heading(text) => format!("\n{text}"),
        Detail::Pair(label, value) => format!("{label}: {}", plain_text(&value)),
    });
    Some(std::iter::once(head).chain(lines.skip(1)).collect::<Vec<_>>().join("\n"))
}
