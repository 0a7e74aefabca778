//! MariaDB: for each domain and server the last sequence number, `0-31-207,1-32-9`.
//!
//! A position (`gtid_slave_pos`) has one entry for a domain, a state (`gtid_binlog_state`) one for each server that ever
//! wrote into it. An entry stands for itself and everything before it.

use super::{GtidError, PARTS_MAX, TEXT_BYTES_MAX, listed, transactions};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// What one server wrote into one domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesId {
    /// `gtid_domain_id`: transactions of one domain have one order.
    pub domain: u32,
    /// `server_id` of the server that wrote.
    pub server: u32,
}

/// A position or a state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MariadbGtids(BTreeMap<SeriesId, u64>);

/// Consecutive numbers of one series, both ends included. Numbers that another server used in between are among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MariadbRange {
    /// Domain and server.
    pub series: SeriesId,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
}

impl MariadbGtids {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every entry.
    pub fn entries(&self) -> impl Iterator<Item = (SeriesId, u64)> {
        self.0.iter().map(|(series, sequence)| (*series, *sequence))
    }

    /// The last number of a series.
    pub fn last(&self, series: SeriesId) -> Option<u64> {
        self.0.get(&series).copied()
    }

    /// The highest entry of a domain. With `gtid_strict_mode` that is the last one.
    pub fn head(&self, domain: u32) -> Option<(SeriesId, u64)> {
        let whole = SeriesId { domain, server: 0 }..=SeriesId { domain, server: u32::MAX };
        self.0.range(whole).map(|(series, sequence)| (*series, *sequence)).max_by_key(|(_, sequence)| *sequence)
    }

    /// One entry for a domain: the position that this state stands at.
    #[must_use]
    pub fn position(&self) -> Self {
        let mut heads: BTreeMap<u32, (SeriesId, u64)> = BTreeMap::new();
        for (series, sequence) in self.entries() {
            let head = heads.entry(series.domain).or_insert((series, sequence));
            if sequence > head.1 {
                *head = (series, sequence);
            }
        }
        Self(heads.into_values().collect())
    }

    /// For each series the higher of the two.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for (series, sequence) in other.entries() {
            let last = all.0.entry(series).or_insert(sequence);
            *last = sequence.max(*last);
        }
        all
    }

    /// What that server wrote.
    #[must_use]
    pub fn of_server(&self, server: u32) -> Self {
        Self(self.0.iter().filter(|(series, _)| series.server == server).map(|(id, last)| (*id, *last)).collect())
    }

    /// For each series what `self` has beyond `other`.
    pub fn subtract(&self, other: &Self) -> Vec<MariadbRange> {
        let beyond = self.entries().filter_map(|(series, last)| {
            let reached = other.last(series);
            // A series may start at 0; without an entry, nothing of it is there.
            let first = reached.map_or(0, |reached| reached.saturating_add(1));
            reached.is_none_or(|reached| reached < last).then_some(MariadbRange { series, first, last })
        });
        beyond.collect()
    }

    /// Whether `self` has every series of `other` at least as far.
    pub fn contains(&self, other: &Self) -> bool {
        other.entries().all(|(series, sequence)| self.last(series).is_some_and(|last| last >= sequence))
    }

    /// Whether `self`, as a position, has every domain of `other` at least as far, whoever wrote: a server at `other`
    /// can replicate from one at `self`, unless it holds transactions of its own.
    pub fn reaches(&self, other: &Self) -> bool {
        other
            .position()
            .entries()
            .all(|(series, sequence)| self.head(series.domain).is_some_and(|(_, reached)| reached >= sequence))
    }

    /// For each domain what a server at `other` still lacks of a server at `self`, whoever wrote.
    pub fn ahead_of(&self, other: &Self) -> Vec<MariadbRange> {
        let ahead = self.position().0.into_iter().filter_map(|(series, last)| {
            let reached = other.head(series.domain).map(|(_, sequence)| sequence);
            let first = reached.map_or(0, |reached| reached.saturating_add(1));
            reached.is_none_or(|reached| reached < last).then_some(MariadbRange { series, first, last })
        });
        ahead.collect()
    }
}

impl MariadbRange {
    /// How many numbers.
    pub fn count(&self) -> u64 {
        // A series whose start is unknown is counted from 1, where a server starts.
        self.last.saturating_sub(self.first.max(1)).saturating_add(1)
    }
}

/// "3 transactions of domain 0: 0-31-205 to 0-31-207"; `None` when there is none.
pub(super) fn words(ranges: &[MariadbRange]) -> Option<String> {
    let parts = ranges.iter().map(|range| {
        let SeriesId { domain, server } = range.series;
        let count = transactions(range.count());
        match (range.first, range.last) {
            (0, last) => format!("everything of domain {domain} up to {domain}-{server}-{last}"),
            (first, last) if first == last => format!("{count} of domain {domain}: {domain}-{server}-{last}"),
            (first, last) => {
                format!("{count} of domain {domain}: {domain}-{server}-{first} to {domain}-{server}-{last}")
            }
        }
    });
    (!ranges.is_empty()).then(|| listed(parts, ranges.len(), "series"))
}

impl FromStr for MariadbGtids {
    type Err = GtidError;

    fn from_str(text: &str) -> Result<Self, GtidError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(GtidError::TooLong);
        }
        let mut found = BTreeMap::new();
        for (index, entry) in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).enumerate() {
            if index >= PARTS_MAX {
                return Err(GtidError::TooManyParts);
            }
            let (series, sequence) = parse_entry(entry).ok_or(GtidError::BadEntry)?;
            let last = found.entry(series).or_insert(sequence);
            *last = sequence.max(*last);
        }
        Ok(Self(found))
    }
}

fn parse_entry(entry: &str) -> Option<(SeriesId, u64)> {
    // `parse` would take a sign.
    if !entry.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return None;
    }
    let (domain, rest) = entry.split_once('-')?;
    let (server, sequence) = rest.split_once('-')?;
    Some((SeriesId { domain: domain.parse().ok()?, server: server.parse().ok()? }, sequence.parse().ok()?))
}

impl TryFrom<String> for MariadbGtids {
    type Error = GtidError;

    fn try_from(text: String) -> Result<Self, GtidError> {
        text.parse()
    }
}

impl From<MariadbGtids> for String {
    fn from(gtids: MariadbGtids) -> Self {
        gtids.to_string()
    }
}

impl fmt::Display for MariadbGtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (series, sequence)) in self.entries().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}-{}-{sequence}", series.domain, series.server)?;
        }
        Ok(())
    }
}
