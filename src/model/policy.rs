//! What may be done, and how far a change may go.

use serde::{Deserialize, Serialize};

/// What may be done, and how it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// No write leaves this console.
    pub read_only: bool,
    /// Ask for more than Enter even for small changes.
    pub confirm: Confirm,
    /// A change may not leave a backend with less than this share of its servers' weight, percent.
    pub capacity_floor_percent: u32,
    /// So many nodes may be out of service at once.
    #[serde(default = "nodes_out_max")]
    pub nodes_out_max: u32,
    /// After so long a move of the playbook goes back by itself, milliseconds.
    #[serde(default = "playbook_revert_ms")]
    pub playbook_revert_ms: u32,
    /// So long a server that returns must do well before its weight is raised further; 0 raises it at once. Milliseconds.
    #[serde(default = "ramp_step_ms")]
    pub ramp_step_ms: u32,
}

/// For inventories of recordings and plans that say nothing about it.
fn nodes_out_max() -> u32 {
    2
}

/// The same.
fn playbook_revert_ms() -> u32 {
    600_000
}

/// The same.
fn ramp_step_ms() -> u32 {
    5_000
}

/// How changes are confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// By blast radius: Enter, the target's name, or the cluster's name.
    #[default]
    ByBlastRadius,
    /// Always the target's name at least.
    AlwaysTyped,
}
