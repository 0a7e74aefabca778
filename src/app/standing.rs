//! How a node stands, in one word and one sentence, and which states changed lately.

use super::{Seen, figures, meaning::Meaning, rows::RowId, telling};
use crate::{
    model::{
        link::LinkState,
        time::Mono,
        world::{NodeFacts, NodeState},
    },
    rules::Finding,
};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::HashMap};

/// A node at a glance.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// Glyph and colour of its state.
    pub(crate) meaning: Meaning,
    /// The state's word.
    pub(crate) word: &'static str,
    /// The worst thing about it, in one line; empty when there is nothing to say.
    pub(crate) problem: String,
    /// How much the problem matters.
    pub(crate) problem_meaning: Meaning,
    /// Age of its newest host figures.
    pub(crate) age_ms: Option<u64>,
    /// Whether its figures are too old to act on.
    pub(crate) is_stale: bool,
}

/// How `node` stands.
pub(crate) fn of_node(seen: Seen<'_>, node: &NodeFacts) -> Standing {
    let now = seen.now.mono;
    let stale_after_ms = seen.inventory.settings.poll.stale_after_ms;
    let state = node.state(now, stale_after_ms);
    let age_ms = node.host.age_ms(now);
    let finding = worst_finding(seen, node);
    let asking = matches!(node.link.state, LinkState::Asking) || !node.questions.is_empty();
    let (meaning, word) = match state {
        NodeState::Connecting if asking => (Meaning::Warn, "asks you"),
        NodeState::Up => (finding.map_or(Meaning::Ok, of_finding), state.word()),
        _ => (Meaning::from(state), state.word()),
    };
    let (problem, problem_meaning) = problem_of(seen, node, state, finding, age_ms);
    let is_stale = matches!(state, NodeState::Stale | NodeState::Unreachable);
    Standing { meaning, word, problem, problem_meaning, age_ms, is_stale }
}

/// What somebody has seen does not make a node look ill.
fn of_finding(finding: &Finding) -> Meaning {
    if finding.acknowledged.is_some() { Meaning::Ok } else { finding.severity.into() }
}

fn worst_finding<'a>(seen: Seen<'a>, node: &NodeFacts) -> Option<&'a Finding> {
    let about = seen.findings.iter().filter(|finding| finding.node.as_ref() == Some(&node.name));
    // The first of the worst: they stand in the order in which to look at them.
    about.min_by_key(|finding| (finding.acknowledged.is_some(), Reverse(finding.severity)))
}

fn problem_of(
    seen: Seen<'_>,
    node: &NodeFacts,
    state: NodeState,
    finding: Option<&Finding>,
    age_ms: Option<u64>,
) -> (String, Meaning) {
    let why_not_read = node.host.failure().map(|failure| failure.reason.as_str().to_owned());
    if let Some(trouble) = node.link.lost() {
        let before = age_ms.map_or("never answered yet; ".to_owned(), |_| String::new());
        return (format!("{before}{}", trouble.cause), Meaning::Crit);
    }
    match (&node.link.state, state) {
        (LinkState::Asking, _) => ("waits for your answer".to_owned(), Meaning::Warn),
        (LinkState::Connecting { stage }, NodeState::Connecting) => (stage.as_str().to_owned(), Meaning::Dim),
        (LinkState::Idle, _) => ("waits for its turn to connect".to_owned(), Meaning::Dim),
        (_, NodeState::Stale) => {
            // The age stands beside it; the reason, if there is one, says more than the age again.
            let age = figures::age(age_ms.unwrap_or_else(|| seen.now.mono.since_ms(node.link.since.mono)));
            (why_not_read.unwrap_or_else(|| format!("no answer for {age}")), Meaning::Stale)
        }
        (_, NodeState::Connecting) => match why_not_read {
            Some(why) => (why, Meaning::Stale),
            None => ("connected, first figures on their way".to_owned(), Meaning::Dim),
        },
        _ => match (finding, why_not_read) {
            (Some(finding), _) => (finding.sentence.as_str().to_owned(), telling::meaning(finding)),
            (None, Some(why)) => (why, Meaning::Stale),
            (None, None) if seen.world.drained.contains(&node.name) => ("drained".to_owned(), Meaning::Dim),
            (None, None) => (String::new(), Meaning::Text),
        },
    }
}

/// How many nodes there are, and how many answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Census {
    pub(crate) nodes: usize,
    pub(crate) up: usize,
    pub(crate) connecting: usize,
}

/// Counts the nodes by state.
pub(crate) fn census(seen: Seen<'_>) -> Census {
    let stale_after_ms = seen.inventory.settings.poll.stale_after_ms;
    let mut census = Census { nodes: seen.world.nodes.len(), ..Census::default() };
    for node in &seen.world.nodes {
        match node.state(seen.now.mono, stale_after_ms) {
            NodeState::Up => census.up += 1,
            NodeState::Connecting => census.connecting += 1,
            NodeState::Stale | NodeState::Unreachable => {}
        }
    }
    census
}

/// A change is pointed out strongly this long.
const PULSE_MS: u64 = 1500;
/// A change stays tinted this long.
const TINT_MS: u64 = 15_000;
/// More changes than anybody can look at are not remembered.
const CHANGES_MAX: usize = 1024;

/// Which rows changed their state lately.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(RowId, Mono)>", into = "Vec<(RowId, Mono)>")]
pub(crate) struct Changes(HashMap<RowId, Mono>);

/// How fresh a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Just now: pulse.
    Pulse,
    /// A moment ago: steady tint.
    Tint,
}

// A list: maps with structured keys cannot be written as JSON.
impl From<Vec<(RowId, Mono)>> for Changes {
    fn from(rows: Vec<(RowId, Mono)>) -> Self {
        Self(rows.into_iter().collect())
    }
}

impl From<Changes> for Vec<(RowId, Mono)> {
    fn from(changes: Changes) -> Self {
        let mut rows: Self = changes.0.into_iter().collect();
        rows.sort();
        rows
    }
}

impl Changes {
    /// Notes that a row's state changed.
    pub(crate) fn note(&mut self, row: RowId, now: Mono) {
        if self.0.len() >= CHANGES_MAX {
            self.0.retain(|_, at| now.since_ms(*at) < TINT_MS);
        }
        if self.0.len() < CHANGES_MAX {
            self.0.insert(row, now);
        }
    }

    /// Whether nothing changed since the start.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the row changed lately.
    pub(crate) fn freshness(&self, row: &RowId, now: Mono) -> Option<Freshness> {
        if self.0.is_empty() {
            return None;
        }
        match now.since_ms(*self.0.get(row)?) {
            0..PULSE_MS => Some(Freshness::Pulse),
            PULSE_MS..TINT_MS => Some(Freshness::Tint),
            _ => None,
        }
    }
}

/// Why the word of a node's HAProxy is old or missing.
pub(crate) fn haproxy_trouble(node: &NodeFacts) -> String {
    match (node.link.lost(), node.haproxy.failure()) {
        (Some(trouble), _) => trouble.cause.as_str().to_owned(),
        (_, Some(failure)) => failure.reason.as_str().to_owned(),
        (_, None) if node.haproxy.last().is_none() => "not read yet".to_owned(),
        _ => "no answer since".to_owned(),
    }
}
