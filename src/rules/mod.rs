//! Findings: what is wrong, with evidence, since when, and what it follows from.
//!
//! A rule looks at the world as it is and names conditions ([`track::Condition`]); [`Rules`] makes findings of them:
//! it waits for the hold time, keeps a finding open while the figure is not clearly back, and remembers since when.
//! [`catalogue`] is the table of all rules; the documentation comes from it.
//!
//! Deliberately absent: history (a rule that needs the past keeps what it needs in its track).

mod acknowledge;
mod addresses;
mod catalogue;
mod certificates;
mod cut_off;
mod databases;
mod drained;
mod exposure;
mod fate;
mod host;
mod intents;
mod lost_primary;
mod machines;
mod node;
mod order;
mod overdue;
pub(crate) mod plugs;
mod private_network;
mod replication;
mod scene;
mod servers;
mod services;
mod settings;
mod spike;
mod switches;
mod switches_fleet;
mod track;
mod traffic;
mod words;

pub use acknowledge::{Acknowledgement, Acknowledgements};
pub use catalogue::{Cause, Relation, Rule, RuleId, catalogue, reference};
pub use settings::is_about_settings;

use crate::{
    model::{
        ids::{NodeName, ProxyName},
        inventory::Inventory,
        text::Clean,
        time::Now,
        world::World,
    },
    run::{RunSummary, ledger::Ledger, lock::LockState},
};
use node::Lost;
use scene::{Scene, Seen};
use serde::{Deserialize, Serialize};
use spike::Usual;
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
    /// Every node it is about.
    #[serde(default)]
    pub nodes: Vec<NodeName>,
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
    /// What explains it: then that is where to look.
    #[serde(default)]
    pub follows_from: Option<Follows>,
    /// Who has seen it, or its cause, and does not want to be told first.
    #[serde(default)]
    pub acknowledged: Option<Acknowledgement>,
}

/// The finding that explains another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follows {
    /// Its rule.
    pub rule: Clean,
    /// Its rule's title: "Node unreachable".
    pub title: Clean,
    /// Its subject.
    pub subject: Clean,
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
    /// What they have seen already.
    pub acknowledged: &'a Acknowledgements,
}

impl Operators<'static> {
    /// Nobody wants anything.
    pub const NONE: Self = {
        static LEDGER: Ledger = Ledger { wishes: Vec::new(), folded: Vec::new(), dropped: 0, drained: Vec::new() };
        static LOCK: LockState = LockState::Free;
        Self { ledger: &LEDGER, lock: &LOCK, runs: &[], acknowledged: &Acknowledgements::NONE }
    };
}

/// Keeps findings open across evaluations (hold time, hysteresis, `since`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rules {
    tracks: Tracks,
    lost: BTreeMap<NodeName, Lost>,
    /// What frontends usually get.
    #[serde(default)]
    usual: BTreeMap<ProxyName, Usual>,
    /// What has cleared for good, by rule and subject.
    #[serde(default)]
    cleared: Vec<(Clean, Clean)>,
}

impl Rules {
    /// Findings, by rule and subject, that ended a while ago and did not begin again. Nothing has cleared while a part
    /// of the cluster cannot be seen.
    pub fn cleared(&self) -> &[(Clean, Clean)] {
        &self.cleared
    }

    /// Every finding that holds now, in the order in which to look at them: see [`order`].
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
        addresses::judge(&scene, &mut conditions);
        certificates::judge(&scene, &mut conditions);
        databases::judge(&scene, &mut conditions);
        exposure::judge(&scene, &mut conditions);
        private_network::judge(&scene, &mut conditions);
        fate::judge(&scene, &mut conditions);
        host::judge(&scene, &mut conditions);
        machines::judge(&scene, &mut conditions);
        node::judge(&scene, &mut conditions);
        replication::judge(&scene, &mut conditions);
        servers::judge(&scene, &mut conditions);
        switches_fleet::judge(&scene, &mut conditions);
        switches::judge(&scene, &mut conditions);
        services::judge(&scene, &mut conditions);
        settings::judge(&scene, &mut conditions);
        spike::judge(&scene, &mut self.usual, &mut conditions);
        traffic::judge(&scene, &mut conditions);
        // Last: it takes back what others say less well.
        drained::judge(&scene, operators, &mut conditions);
        overdue::judge(&scene, operators, &mut conditions);
        lost_primary::judge(&scene, operators, &mut conditions);
        cut_off::judge(&scene, operators, &mut conditions);
        intents::judge(&scene, operators, &mut conditions);
        let sees_all = scene.nodes.iter().all(Seen::is_seen);
        let open = self.tracks.follow(conditions, now, |node| scene.is_up(node));
        self.cleared = if sees_all { self.tracks.cleared(now) } else { Vec::new() };
        order::arrange(open, operators.acknowledged, now)
    }
}
