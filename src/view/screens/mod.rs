//! One file per screen.

pub(super) mod changes;
pub(super) mod findings;
pub(super) mod node;
pub(super) mod nodes;
pub(super) mod overview;
pub(super) mod traffic;
