//! `vakt playbook`: what helps now when more comes than the cluster bears, as text or as JSON. Looks only; `vakt do` does it.

use super::{Cluster, Exit, Stop, gather::Gather, output};
use crate::{
    app::Options,
    model::{ids::ClusterName, inventory::Policy, text::Clean},
    plan::{
        playbook::{self, Move, MoveKind},
        text::command_line,
    },
    runtime::clock::SystemClock,
    wire::probe::ProbeId,
};
use serde::Serialize;
use std::{fmt::Write as _, sync::Arc, time::Duration};

/// Longest wait for all nodes together.
const WAIT: Duration = Duration::from_secs(10);
/// What is looked at of each node.
const RESTS_ON: &[ProbeId] = &[ProbeId::Haproxy, ProbeId::Host, ProbeId::Services, ProbeId::Mysql, ProbeId::Tuning];

/// Version of the shape. It grows when a key changes its meaning or goes; new keys do not change it.
const SCHEMA: u32 = 1;

/// The document of `--json`. `docs/playbook-json.md` describes every key; a test compares the two.
#[derive(Debug, Serialize)]
struct Document {
    /// Version of this shape.
    schema: u32,
    /// Of which cluster.
    cluster: ClusterName,
    /// The moves, the best first.
    moves: Vec<MoveDocument>,
}

/// One move.
#[derive(Debug, Serialize)]
struct MoveDocument {
    /// What sort of move it is.
    kind: MoveKind,
    /// What it does.
    what: Clean,
    /// What it would do by the figures of this moment.
    effect: Vec<Clean>,
    /// What may go wrong.
    risk: Clean,
    /// The command that plans it; nothing where no value would help.
    command: Option<String>,
    /// After how long it goes back by itself, milliseconds; nothing where it does not.
    back_after_ms: Option<u64>,
    /// Why it cannot be done now.
    refused: Option<Clean>,
}

/// Prints the moves; well when none is needed.
pub(super) async fn run(cluster: Cluster, options: Options, about: Option<String>, json: bool) -> Result<Exit, Stop> {
    let names = cluster.inventory.nodes.iter().map(|node| node.name.clone()).collect();
    let read_only = options.read_only;
    let mut gather = Gather::of_nodes(cluster, options, &names, RESTS_ON, Arc::new(SystemClock::start()));
    gather.until_plannable(WAIT).await;
    // Predictions rest on rates.
    gather.until_complete(WAIT).await;
    let inventory = gather.inventory();
    let app = gather.end().await;
    let settings = &inventory.settings.policy;
    let policy = Policy { read_only: settings.read_only || read_only, ..settings.clone() };
    let moves =
        playbook::moves(&app.world, &inventory, &policy, app.now, about.as_deref(), settings.playbook_revert_ms);
    let is_well = moves.is_empty();
    let text = if json {
        serde_json::to_string_pretty(&document(inventory.cluster.clone(), moves))
            .map_err(|error| Stop::failed(format!("vakt playbook: {error}")))?
            + "\n"
    } else {
        text(&moves)
    };
    output::out(&text)?;
    Ok(if is_well { Exit::Ok } else { Exit::NotWell })
}

fn document(cluster: ClusterName, moves: Vec<Move>) -> Document {
    Document { schema: SCHEMA, cluster, moves: moves.into_iter().map(row).collect() }
}

fn row(one: Move) -> MoveDocument {
    MoveDocument {
        kind: one.kind,
        command: one.intent.as_ref().map(command_line),
        back_after_ms: one.back_after_ms(),
        what: one.what,
        effect: one.effect,
        risk: one.risk,
        refused: one.refused,
    }
}

fn text(moves: &[Move]) -> String {
    if moves.is_empty() {
        return "Nothing is near its limit, and nobody waits: there is nothing to relieve.\n".to_owned();
    }
    let mut text = String::new();
    // Writing into a String cannot fail.
    for one in moves {
        let not_now = if one.refused.is_some() { " (not now)" } else { "" };
        let _ = writeln!(text, "{}{not_now}", one.what);
        for line in one.refused.iter().chain(&one.effect) {
            let _ = writeln!(text, "    {line}");
        }
        let _ = writeln!(text, "    Risk: {}", one.risk);
        if let (None, Some(intent)) = (&one.refused, &one.intent) {
            let _ = writeln!(text, "    {}", command_line(intent));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn keys(prefix: &str, value: &serde_json::Value) -> BTreeSet<String> {
        let of = |(key, value): (&String, &serde_json::Value)| {
            let path = format!("{prefix}{key}");
            match value.as_array().map(|items| items.iter().find(|item| item.is_object())) {
                Some(Some(item)) => [path.clone() + "[]"].into_iter().chain(keys(&(path + "[]."), item)).collect(),
                Some(None) => BTreeSet::from([path + "[]"]),
                None => BTreeSet::from([path]),
            }
        };
        value.as_object().unwrap().iter().flat_map(of).collect()
    }

    #[test]
    fn the_document_and_its_description_have_the_same_keys() {
        let one = Move {
            kind: MoveKind::RateLimit,
            what: "let fewer in".into(),
            effect: vec!["50 a second".into()],
            risk: "some give up".into(),
            intent: None,
            refused: None,
            is_asked: false,
        };
        let document = serde_json::to_value(document(ClusterName::new("lab"), vec![one])).unwrap();
        let page = include_str!("../../docs/playbook-json.md");
        let described = page.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned()));
        assert_eq!(keys("", &document), described.collect());
    }
}
