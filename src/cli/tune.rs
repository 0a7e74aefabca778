//! `vakt tune`: settings of the nodes side by side, as a table or as JSON. Looks only; `vakt do tune.set` changes one.

use super::{
    Cluster, Exit, Stop,
    gather::Gather,
    output,
    table::{Align, Table},
    tune_document,
};
use crate::{
    app::Options,
    history::tuning::{Fold, Mark, Row, called, fold, survey},
    model::{
        figure::{Figure, Unknown},
        ids::NodeName,
        inventory::Inventory,
        text::Clean,
        tuning::{Advice, Setting},
    },
    runtime::clock::SystemClock,
    wire::probe::ProbeId,
};
use std::{collections::BTreeSet, fmt::Write as _, sync::Arc, time::Duration};

/// Longest wait for all nodes together.
const WAIT: Duration = Duration::from_secs(10);
/// What is looked at of each node.
pub(super) const RESTS_ON: &[ProbeId] =
    &[ProbeId::Tuning, ProbeId::Host, ProbeId::HostProfile, ProbeId::Mysql, ProbeId::Ovs];

/// Prints the settings; well when nodes, files and daemons agree, and nothing puts data at risk.
pub(super) async fn run(cluster: Cluster, options: Options, wanted: Vec<String>, json: bool) -> Result<Exit, Stop> {
    let names = nodes(&cluster.inventory, &wanted)?;
    let mut gather = Gather::of_nodes(cluster, options, &names, RESTS_ON, Arc::new(SystemClock::start()));
    gather.until_plannable(WAIT).await;
    // Some advice rests on rates.
    gather.until_complete(WAIT).await;
    let inventory = gather.inventory();
    let app = gather.end().await;
    let rows = survey(&app.world, &inventory);
    let text = if json {
        let document = tune_document::document(&inventory.cluster, &rows, &app.world);
        serde_json::to_string_pretty(&document).map_err(|error| Stop::failed(format!("vakt tune: {error}")))? + "\n"
    } else {
        text(&rows)
    };
    output::out(&text)?;
    let unread: Vec<&str> =
        app.world.nodes.iter().filter(|node| node.tuning.last().is_none()).map(|node| node.name.as_str()).collect();
    if !unread.is_empty() {
        output::note(&format!("not read: {}; vakt check says why", unread.join(", ")));
    }
    let is_well = unread.is_empty() && rows.iter().all(|row| row.marks.iter().all(|mark| !mark.is_trouble()));
    Ok(if is_well { Exit::Ok } else { Exit::NotWell })
}

/// The nodes of these names or roles; all without any.
fn nodes(inventory: &Inventory, wanted: &[String]) -> Result<BTreeSet<NodeName>, Stop> {
    let mut names = BTreeSet::new();
    if wanted.is_empty() {
        names.extend(inventory.nodes.iter().map(|node| node.name.clone()));
    }
    for word in wanted {
        let found = called(inventory, word);
        if found.is_empty() {
            let word = Clean::line(word);
            return Err(Stop::usage(format!("vakt tune: {word} is neither a node nor a role of one")));
        }
        names.extend(found.into_iter().map(|node| node.name.clone()));
    }
    Ok(names)
}

/// One line for nodes that say the same.
fn text(rows: &[Row]) -> String {
    let left = |name| (name, Align::Left);
    let mut table = Table::new(&[
        left("SETTING"),
        left("NODES"),
        ("RUNNING", Align::Right),
        ("FILE", Align::Right),
        ("DEFAULT", Align::Right),
        left("ADVISED"),
        left("STANDS OUT"),
    ]);
    let mut marked: Vec<(&'static Setting, bool)> = Vec::new();
    for Fold { row, nodes } in fold(rows.to_vec()) {
        let [setting, running, file, default, advised, marks] = cells(&row);
        let nodes: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
        table.row(vec![setting, nodes.join(" "), running, file, default, advised, marks]);
    }
    for row in rows.iter().filter(|row| !row.marks.is_empty()) {
        let is_relaxed = row.marks.contains(&Mark::Relaxed);
        match marked.iter_mut().find(|(setting, _)| setting.key == row.setting.key) {
            Some((_, relaxed)) => *relaxed |= is_relaxed,
            None => marked.push((row.setting, is_relaxed)),
        }
    }
    let mut text = table.text();
    for (setting, is_relaxed) in marked {
        // Writing into a String cannot fail.
        let _ = write!(text, "\n{}: {} Risk: {}", setting.key, setting.why, setting.risk);
        if let Some(loses) = setting.loses.as_ref().filter(|_| is_relaxed) {
            let _ = write!(text, " As it is, a crash loses: {loses}");
        }
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; 6] {
    let words = |value: &Clean| row.setting.unit.words(value.as_str());
    let figure = |value: &Figure<Clean>| match value {
        Figure::Known(value) => words(value),
        Figure::Unknown(Unknown::Missing) => "none".to_owned(),
        Figure::Unknown(Unknown::NotOffered) => "-".to_owned(),
        Figure::Unknown(_) => "?".to_owned(),
    };
    let file = match &row.configured {
        Figure::Known(Some(found)) => words(&found.value),
        Figure::Known(None) | Figure::Unknown(Unknown::NotOffered) => "-".to_owned(),
        Figure::Unknown(_) => "?".to_owned(),
    };
    let advised = match &row.advice {
        Advice::Nothing => "-".to_owned(),
        Advice::Unknown(why) => format!("? {why}"),
        Advice::Value { words, .. } => words.to_string(),
    };
    let marks: Vec<String> = row.marks.iter().map(|mark| mark.words(row.setting)).collect();
    [row.title(), figure(&row.running), file, figure(&row.default), advised, marks.join("; ")]
}
