//! Findings: what is wrong, with evidence, since when.
//!
//! A rule looks at the world as it is and names conditions ([`track::Condition`]); [`Rules`] makes findings of them:
//! it waits for the hold time, keeps a finding open while the figure is not clearly back, and remembers since when.
//! [`catalogue`] is the table of all rules; the documentation comes from it.
//!
//! Deliberately absent: history (a rule that needs the past keeps what it needs in its track) and acknowledgement,
//! which is the operator's and lives in the application.

mod catalogue;
mod host;
mod intents;
mod node;
mod scene;
mod servers;
mod track;
mod traffic;
mod words;

pub use catalogue::{Rule, RuleId, catalogue, reference};

use crate::{
    model::{ids::NodeName, inventory::Inventory, text::Clean, time::Now, world::World},
    run::{RunSummary, ledger::Ledger, lock::LockState},
};
use node::Lost;
use scene::Scene;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use track::Tracks;

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a look.
    Warning,
    /// Service is lost or about to be.
    Critical,
}

/// One thing that is wrong. `rule` and `subject` together are unique.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule: "node.unreachable", "haproxy.server.down".
    pub rule: Clean,
    /// How bad.
    pub severity: Severity,
    /// The node it is about, for opening it; none for a fact about several.
    pub node: Option<NodeName>,
    /// What it is about, as the first column shows it: "web03", "web_cluster/web03".
    pub subject: Clean,
    /// One sentence: what is. ("Down on both load balancers for 12 s: L7TOUT /health answered nothing in 500 ms")
    pub sentence: Clean,
    /// Values it rests on, one a line.
    pub evidence: Vec<Clean>,
    /// What to do.
    pub hint: Clean,
    /// Since when the condition holds. What began before vakt did has the program's start on the monotonic clock; the
    /// wall clock is right in any case.
    pub since: Now,
}

/// What operators want of the cluster and who changes it now, as far as rules must know.
#[derive(Debug, Clone, Copy)]
pub struct Operators<'a> {
    /// What shall be.
    pub ledger: &'a Ledger,
    /// Who acts.
    pub lock: &'a LockState,
    /// Runs of this bastion.
    pub runs: &'a [RunSummary],
}

impl Operators<'static> {
    /// Nobody wants anything.
    pub const NONE: Self = {
        static LEDGER: Ledger = Ledger { wishes: Vec::new(), folded: Vec::new(), dropped: 0 };
        static LOCK: LockState = LockState::Free;
        Self { ledger: &LEDGER, lock: &LOCK, runs: &[] }
    };
}

/// Keeps findings open across evaluations (hold time, hysteresis, `since`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rules {
    tracks: Tracks,
    lost: BTreeMap<NodeName, Lost>,
}

impl Rules {
    /// Every finding that holds now, worst first, then oldest.
    pub fn evaluate(
        &mut self,
        world: &World,
        inventory: &Inventory,
        operators: Operators<'_>,
        now: Now,
    ) -> Vec<Finding> {
        node::remember(&mut self.lost, world);
        let scene = Scene::new(world, inventory, &self.lost, now);
        let mut conditions = Vec::new();
        node::judge(&scene, &mut conditions);
        host::judge(&scene, &mut conditions);
        servers::judge(&scene, &mut conditions);
        traffic::judge(&scene, &mut conditions);
        intents::judge(&scene, operators, &mut conditions);
        self.tracks.follow(conditions, now, |node| scene.is_up(node))
    }
}
