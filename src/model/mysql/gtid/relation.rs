//! How a replica's transactions stand to its primary's.
//!
//! The replica is read first, then the primary: in the other order live traffic makes transactions look errant.

use super::{
    mariadb::{self, MariadbGtids, MariadbRange, SeriesId},
    mysql::MysqlGtids,
    transactions,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a replica stands to its primary; `Display` is the sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "relation")]
pub enum Relation {
    /// The replica has nothing at all, the primary has.
    Empty,
    /// Both have the same.
    Identical,
    /// The replica lacks transactions. The primary still has them in its binary logs; a MariaDB primary does not say,
    /// and the replica finds out when it asks for them.
    Behind {
        /// How many.
        missing: u64,
    },
    /// The replica lacks transactions that the primary has thrown away: it must be made anew from a copy.
    BehindPurged {
        /// How many in all.
        missing: u64,
        /// How many of them are gone.
        purged: u64,
    },
    /// The replica has transactions that the primary does not have: never to be joined by itself.
    Diverged {
        /// How many.
        errant: u64,
        /// Which, in words.
        words: String,
    },
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it has no transaction at all"),
            Self::Identical => f.write_str("it has the same transactions"),
            Self::Behind { missing } => write!(f, "it lacks {}", transactions(*missing)),
            Self::BehindPurged { missing, purged } => write!(
                f,
                "it lacks {}, {purged} of which are in no binary log of the primary; make it anew from a copy",
                transactions(*missing)
            ),
            Self::Diverged { words, .. } => write!(f, "it has what the primary lacks: {words}"),
        }
    }
}

/// MySQL: from `gtid_executed` of both and `gtid_purged` of the primary. What the servers `upstream` of the primary
/// wrote is never errant: the replica may have got it on another way first.
pub fn relation_mysql(
    replica: &MysqlGtids,
    primary: &MysqlGtids,
    primary_purged: &MysqlGtids,
    upstream: &[u128],
) -> Relation {
    let errant = replica.subtract(primary).without_sources(upstream);
    if let Some(words) = errant.words() {
        return Relation::Diverged { errant: errant.count(), words };
    }
    let missing = primary.subtract(replica);
    let purged = missing.intersection(primary_purged).count();
    match missing.count() {
        0 => Relation::Identical,
        _ if replica.is_empty() => Relation::Empty,
        missing if purged > 0 => Relation::BehindPurged { missing, purged },
        missing => Relation::Behind { missing },
    }
}

/// MariaDB: from the replica's `gtid_current_pos`, its `gtid_binlog_state` and `server_id`, and the primary's
/// `gtid_binlog_state` and `gtid_slave_pos`.
///
/// Errant is what the replica itself wrote beyond what the primary has of it, and whatever lies beyond the primary's
/// last number of that domain. A primary that was made from a copy names in its binary log nothing that is older; what it
/// received, as a replica or with the copy, tells how far it has everything all the same.
pub fn relation_mariadb(
    replica_position: &MariadbGtids,
    replica_state: &MariadbGtids,
    replica_server: u32,
    primary_state: &MariadbGtids,
    primary_received: &MariadbGtids,
) -> Relation {
    let mut errant: Vec<MariadbRange> = Vec::new();
    let all = replica_state.union(replica_position);
    for range in all.subtract(primary_state) {
        let SeriesId { domain, server } = range.series;
        // Numbers of a domain have one order: up to what another server wrote before, they are not this one's.
        let others = all.entries().filter(|(series, last)| series.domain == domain && *last < range.last);
        let before = others.map(|(_, last)| last.saturating_add(1)).max();
        let range = MariadbRange { first: range.first.max(before.unwrap_or(0)), ..range };
        let head = primary_state.head(domain).map(|(_, sequence)| sequence);
        let received = primary_received.head(domain).map_or(0, |(_, sequence)| sequence);
        let was_copied = primary_state.last(range.series).is_none() && range.last <= received;
        if server == replica_server {
            errant.extend(Some(range).filter(|_| !was_copied));
        } else if head.is_none_or(|head| range.last > head) {
            let first = head.map_or(range.first, |head| range.first.max(head.saturating_add(1)));
            errant.push(MariadbRange { first, ..range });
        }
    }
    if let Some(words) = mariadb::words(&errant) {
        let errant = errant.iter().map(MariadbRange::count).fold(0, u64::saturating_add);
        return Relation::Diverged { errant, words };
    }
    let missing = primary_state.ahead_of(replica_position);
    match missing.iter().map(MariadbRange::count).fold(0, u64::saturating_add) {
        0 => Relation::Identical,
        _ if replica_position.is_empty() => Relation::Empty,
        missing => Relation::Behind { missing },
    }
}
