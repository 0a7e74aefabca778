//! What operators want, beyond the length of a run: a server that was drained shall stay drained until somebody says
//! otherwise, also when HAProxy is reloaded and forgets it.
//!
//! The ledger is folded from the journals of runs that ended, in their order; it holds nothing that they do not say.

use crate::{
    model::{intent::ServerPath, text::Clean, time::Wall},
    plan::PlanId,
};
use serde::{Deserialize, Serialize};

/// Every wish that holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// In the order of servers.
    pub wishes: Vec<Wish>,
    /// The newest run that was folded in.
    pub folded: Option<PlanId>,
}

/// What somebody wants of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Which server, on every load balancer.
    pub server: ServerPath,
    /// What it shall be.
    pub wanted: Wanted,
    /// Since when.
    pub since: Wall,
    /// Who.
    pub by: Clean,
    /// Why.
    pub reason: Option<Clean>,
    /// The run that brought it about.
    pub run: PlanId,
}

/// What a server shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// No new sessions.
    Drain,
    /// No traffic, no checks.
    Maint,
    /// Another weight than the file's.
    Weight(u64),
}

impl Ledger {
    /// Takes in what the records of one ended run say. The rules of wishes come with the ledger's own part; until then
    /// only the run's name is remembered.
    pub fn fold(&mut self, records: &[super::Record]) {
        if let Some(super::Record { entry: super::Entry::Opened(opening), .. }) = records.first() {
            self.folded = Some(opening.plan.id.clone());
        }
    }
}
