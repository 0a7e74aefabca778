//! One file per screen.

pub(super) mod changes;
pub(super) mod database;
pub(super) mod findings;
pub(super) mod listing;
pub(super) mod machines;
pub(super) mod network;
pub(super) mod node;
pub(super) mod nodes;
pub(super) mod overview;
pub(super) mod traffic;
pub(super) mod tune;
pub(super) mod what_if;
