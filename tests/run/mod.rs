//! Runs: the machine against every fault, the journal against every flipped bit.

pub(crate) mod balancer_limits;
pub(crate) mod cluster;
mod countdown;
pub(crate) mod cuts;
pub(crate) mod databases;
pub(crate) mod endpoint;
mod failover;
mod faults;
pub(crate) mod guests;
pub(crate) mod harness;
mod hold;
mod inventory;
mod journal;
mod ledger;
pub(crate) mod mysql;
mod progress;
mod rejoin;
mod reload;
mod switchover;
