//! Sets of global transaction identifiers in both dialects: parse, union, subtract, contains, and how two servers stand
//! to each other, in words.
//!
//! The two dialects never mix: a MySQL set is a set of numbers for each source, a MariaDB state is the last sequence
//! number for each domain and server.

mod mariadb;
mod mysql;
mod relation;

pub use mariadb::{MariadbGtids, MariadbRange, SeriesId};
pub use mysql::{MysqlGtids, SourceId, TAG_CHARS_MAX};
pub use relation::{Relation, relation_mariadb, relation_mysql};

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest text that is parsed. A set with a hundred thousand gaps is about that long.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Most intervals (MySQL) or entries (MariaDB) of one set.
pub const PARTS_MAX: usize = 50_000;
/// Sources or domains that are named in words; the rest is counted.
const NAMED_MAX: usize = 3;

/// A set in its own dialect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gtids {
    /// MariaDB.
    Mariadb(MariadbGtids),
    /// MySQL.
    Mysql(MysqlGtids),
}

impl Gtids {
    /// What `self` has and `other` lacks, in words; `None` when nothing is, an error when the dialects differ.
    pub fn beyond(&self, other: &Self) -> Result<Option<String>, GtidError> {
        match (self, other) {
            (Self::Mariadb(a), Self::Mariadb(b)) => Ok(mariadb::words(&a.subtract(b))),
            (Self::Mysql(a), Self::Mysql(b)) => Ok(a.subtract(b).words()),
            _ => Err(GtidError::DialectsDiffer),
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Mariadb(gtids) => gtids.is_empty(),
            Self::Mysql(gtids) => gtids.is_empty(),
        }
    }

    /// Everything that is in one of the two; an error when the dialects differ.
    pub fn union(&self, other: &Self) -> Result<Self, GtidError> {
        match (self, other) {
            (Self::Mariadb(a), Self::Mariadb(b)) => Ok(Self::Mariadb(a.union(b))),
            (Self::Mysql(a), Self::Mysql(b)) => Ok(Self::Mysql(a.union(b))),
            _ => Err(GtidError::DialectsDiffer),
        }
    }

    /// Whether a server that has `self` has all that one at `other` has: in MariaDB each domain at least as far, in MySQL
    /// every transaction. Sets of two dialects never.
    pub fn reaches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mariadb(a), Self::Mariadb(b)) => a.reaches(b),
            (Self::Mysql(a), Self::Mysql(b)) => a.contains(b),
            _ => false,
        }
    }

    /// As it is told in words: of a MariaDB state the newest of each domain, of a MySQL set everything.
    #[must_use]
    pub fn position(&self) -> Self {
        match self {
            Self::Mariadb(gtids) => Self::Mariadb(gtids.position()),
            Self::Mysql(gtids) => Self::Mysql(gtids.clone()),
        }
    }
}

impl fmt::Display for Gtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mariadb(gtids) => gtids.fmt(f),
            Self::Mysql(gtids) => gtids.fmt(f),
        }
    }
}

/// Why a text is no set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GtidError {
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("the set is longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// More than [`PARTS_MAX`].
    #[error("the set has more than {PARTS_MAX} parts")]
    TooManyParts,
    /// No UUID where one should be.
    #[error("a source is no UUID")]
    NoUuid,
    /// A tag of other characters than `a-z0-9_`, or too long.
    #[error("a tag is malformed")]
    BadTag,
    /// Zero, out of range, the end before the start, or no number at all.
    #[error("an interval is malformed")]
    BadInterval,
    /// A source without an interval.
    #[error("a source has no interval")]
    NoInterval,
    /// Not of the form `domain-server-sequence`.
    #[error("an entry is not of the form domain-server-sequence")]
    BadEntry,
    /// A MariaDB set was compared with a MySQL set.
    #[error("one set is MariaDB's and the other MySQL's; they cannot be compared")]
    DialectsDiffer,
}

/// "1 transaction", "3 transactions".
fn transactions(count: u64) -> String {
    if count == 1 { "1 transaction".to_owned() } else { format!("{count} transactions") }
}

/// Joins what is named and counts what is not.
fn listed(parts: impl Iterator<Item = String>, total: usize, what: &str) -> String {
    let mut text = parts.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if total > NAMED_MAX {
        text = format!("{text} and {} more {what}", total - NAMED_MAX);
    }
    text
}
