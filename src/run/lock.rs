//! Who may act on the cluster: one operator at a time, for the length of a run.

use super::record::Operator;
use crate::{
    model::{text::Clean, time::Wall},
    plan::PlanId,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who holds the lock, as it is written where others can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who.
    pub operator: Operator,
    /// The bastion's host name.
    pub bastion: Clean,
    /// The executor's process on that bastion.
    pub process: u32,
    /// Which run it is held for.
    pub run: PlanId,
    /// What it is held for: the plan's title and the operator's reason.
    pub what: Clean,
    /// Since when, by the bastion's clock.
    pub since: Wall,
}

/// One line: who, where, for what, since when.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = jiff::Timestamp::from_millisecond(self.since.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let Self { operator, bastion, what, run, .. } = self;
        let since = since.strftime("%Y-%m-%d %H:%M:%SZ");
        write!(f, "{} on {bastion} acts since {since}: {what} (run {run})", operator.login)
    }
}

/// The lock as this console sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockState {
    /// Not looked at yet.
    #[default]
    Unread,
    /// Nobody acts.
    Free,
    /// Somebody acts; it may be a run of this console.
    Held(Box<Holder>),
    /// It cannot be read: why.
    Unknown(Clean),
}
