//! The configuration file: reading, resolving with provenance, validating with every problem at once.

use crate::model::inventory::Inventory;
use std::path::PathBuf;

/// A configuration that can be used, and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub inventory: Inventory,
    /// The file.
    pub path: PathBuf,
}

/// One problem of a configuration file. `Display` is `file:line:column: what; cure`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// 1-based; 0 when the problem has no line (the file cannot be read).
    pub line: usize,
    /// 1-based; 0 when the problem has no column.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub cure: String,
}
