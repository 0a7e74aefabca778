//! What helps now when more comes than the cluster bears: every move that is possible, the best first, each with what it
//! would do by the figures of this moment.
//!
//! A move is an ordinary intent: it is planned, shown, confirmed and taken back like any other. What is refused says why, by
//! the word of the figures here, or by that of the planner. A prediction is a sum over what is known; what is not known is
//! said to be unknown.
//!
//! Deliberately absent: choosing. Nothing is done before somebody confirms the plan of one move.

mod databases;
mod pool;
mod relief;
mod room;

use super::{
    refusal::{Planned, Refusal},
    scene::{Scene, sight},
};
use crate::model::{
    ids::NodeName,
    intent::{Change, Intent},
    inventory::{Inventory, Policy},
    text::Clean,
    time::Now,
    tune_act::{Keep, TuneAct},
    world::World,
};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// More moves are not listed.
const MOVES_MAX: usize = 24;
/// Something this near to its limit wants room, percent.
const NEAR_PERCENT: u64 = 80;

/// One move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// What sort of move it is.
    pub kind: MoveKind,
    /// What it does, in plain words, with its target: "let each server of `web_cluster` take 130 sessions instead of 100".
    pub what: Clean,
    /// What it would do by the figures of this moment, a sentence each.
    pub effect: Vec<Clean>,
    /// What may go wrong with it.
    pub risk: Clean,
    /// The change; nothing where no value would help.
    pub intent: Option<Intent>,
    /// Why it cannot be done now.
    pub refused: Option<Clean>,
    /// Whether it is about what the operator asked about.
    #[serde(default)]
    pub is_asked: bool,
}

/// Sorts of moves; those that cost clients least come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveKind {
    /// The servers of a backend take more sessions at once.
    ServerLimit,
    /// The server that is nearest to its limit gets a smaller share.
    Weight,
    /// A database takes more connections.
    Connections,
    /// A frontend takes more sessions.
    FrontendLimit,
    /// A server that slows its backend down is taken out.
    SlowServer,
    /// A long statement of a database is ended.
    Statement,
    /// A backend that uses up what another one needs loses a server.
    HeavyBackend,
    /// Fewer new sessions are let in.
    RateLimit,
}

impl Move {
    /// What tells moves apart from one look to the next: the sort and the target, not the figures.
    pub fn same_as(&self, other: &Self) -> bool {
        let target = |one: &Self| one.intent.as_ref().map(|intent| (intent.change.target(), key(&intent.change)));
        self.kind == other.kind
            && match (target(self), target(other)) {
                (Some(a), Some(b)) => a == b,
                _ => self.what == other.what,
            }
    }

    /// After how long it goes back by itself, milliseconds; nothing where it does not.
    pub fn back_after_ms(&self) -> Option<u64> {
        self.intent.as_ref()?.revert_after_ms.map(|ms| u64::from(ms.get()))
    }
}

fn key(change: &Change) -> Option<Clean> {
    match change {
        Change::Tune(act) => Some(act.key.clone()),
        _ => None,
    }
}

/// Every move, the best first: those that can be done, of these the ones that `about` names, then by what they cost clients.
///
/// `about` is the subject of a finding: a backend, a server of one, a frontend, a node. `back_after_ms`: when a move goes back
/// by itself.
pub fn moves(
    world: &World,
    inventory: &Inventory,
    policy: &Policy,
    now: Now,
    about: Option<&str>,
    back_after_ms: u32,
) -> Vec<Move> {
    let scene = Scene { world, inventory, policy, now };
    let mut pools = pool::pools(&scene);
    pools.sort_by_key(|pool| std::cmp::Reverse(pool.waiting()));
    let mut moves = Vec::new();
    room::moves(&scene, &pools, &mut moves);
    relief::moves(&scene, &pools, &mut moves);
    databases::moves(&scene, &mut moves);
    let mut moves: Vec<Move> =
        moves.into_iter().filter_map(|draft| draft.finish(&scene, about, NonZeroU32::new(back_after_ms))).collect();
    moves.sort_by_key(|one| (one.refused.is_some(), !one.is_asked, one.kind));
    moves.truncate(MOVES_MAX);
    moves
}

/// A move that no planner has looked at.
struct Draft {
    kind: MoveKind,
    what: String,
    effect: Vec<String>,
    risk: String,
    change: Option<Change>,
    refused: Option<String>,
    /// Names by which a finding would be about it: backend, server, frontend, node.
    about: Vec<String>,
}

impl Draft {
    /// `None` where nothing is left to do.
    fn finish(self, scene: &Scene<'_>, about: Option<&str>, back_after: Option<NonZeroU32>) -> Option<Move> {
        let goes_back =
            matches!(self.change, Some(Change::Tune(_) | Change::HaproxyWeight { .. } | Change::HaproxyMaint { .. }));
        let reason = Some("traffic spike".into());
        let revert_after_ms = back_after.filter(|_| goes_back);
        let intent = self.change.map(|change| Intent { change, reason, revert_after_ms });
        let mut refused = self.refused;
        if let (None, Some(intent)) = (&refused, &intent) {
            match super::plan(scene.world, scene.inventory, intent, scene.policy, scene.now) {
                Ok(Planned::Plan(_)) => {}
                Ok(Planned::AlreadyThere(_)) => return None,
                Err(refusal) => refused = Some(words_of(&refusal)),
            }
        }
        let is_asked = about.is_some_and(|about| {
            let whole = about.split('/').next().unwrap_or(about);
            self.about.iter().any(|name| name == about || name == whole)
        });
        Some(Move {
            kind: self.kind,
            what: Clean::line(&self.what),
            effect: self.effect.iter().map(|line| Clean::line(line)).collect(),
            risk: Clean::line(&self.risk),
            intent,
            refused: refused.map(|why| Clean::line(&why)),
            is_asked,
        })
    }
}

/// The first reason, and what to do about it.
fn words_of(refusal: &Refusal) -> String {
    match refusal.reasons.first() {
        Some(reason) => format!("{} {}", reason.what, reason.cure),
        None => "it cannot be planned".to_owned(),
    }
}

/// A setting of `target` gets a value, no file is changed.
fn set(target: &str, key: &str, value: u64) -> Change {
    Change::Tune(Box::new(TuneAct {
        target: Clean::line(target),
        key: Clean::line(key),
        value: Clean::line(&value.to_string()),
        keep: Keep::No,
    }))
}

/// Facts of a node that are fresh enough to reckon with.
fn fresh<'w, T>(
    scene: &Scene<'_>,
    node: &NodeName,
    of: &'w crate::model::observation::Observed<T>,
    interval_ms: u64,
) -> Option<&'w T> {
    let limit_ms = scene.inventory.settings.poll.stale_after_ms.max(interval_ms.saturating_mul(5) / 2);
    sight(of, node, scene.now, limit_ms).ok().map(|(facts, _)| facts)
}

/// `now` in percent of `limit`.
fn share(now: u64, limit: u64) -> Option<u64> {
    now.saturating_mul(100).checked_div(limit)
}

/// "1.2 s", "35 ms".
fn time(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{:.1} s", ms as f64 / 1000.0) }
}
