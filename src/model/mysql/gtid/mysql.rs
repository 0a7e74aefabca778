//! MySQL: for each source (a UUID, since 8.3 with a tag) a set of numbers, `uuid:1-5:7,uuid:1-3:tag:1-2`.

use super::{GtidError, PARTS_MAX, TEXT_BYTES_MAX, listed, transactions};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    str::FromStr,
};

/// Longest tag, by MySQL's own rule.
pub const TAG_CHARS_MAX: usize = 32;
/// Largest number, by MySQL's own rule: one below 2^63 - 1.
const NUMBER_MAX: u64 = i64::MAX as u64 - 1;
/// Intervals of one source that are named in words.
const INTERVALS_NAMED_MAX: usize = 4;

/// Who wrote transactions: a server, and what a client may have tagged them with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId {
    /// `server_uuid`, big endian.
    pub uuid: u128,
    /// The tag, lower case; empty without one.
    pub tag: String,
}

impl SourceId {
    /// An untagged source from the text of a UUID, with or without dashes.
    pub fn parse(text: &str) -> Result<Self, GtidError> {
        let text = text.trim();
        let dashed = text.len() == 36 && [8, 13, 18, 23].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
        if !dashed && text.len() != 32 {
            return Err(GtidError::NoUuid);
        }
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        // `from_str_radix` would take a sign.
        if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(GtidError::NoUuid);
        }
        let uuid = u128::from_str_radix(&digits, 16).map_err(|_| GtidError::NoUuid)?;
        Ok(Self { uuid, tag: String::new() })
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.uuid);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])?;
        if self.tag.is_empty() { Ok(()) } else { write!(f, ":{}", self.tag) }
    }
}

/// A set. Intervals are sorted, disjoint and never adjacent, both ends included; no source is without one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MysqlGtids(BTreeMap<SourceId, Vec<(u64, u64)>>);

impl MysqlGtids {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many transactions are in it.
    pub fn count(&self) -> u64 {
        self.0.values().map(|intervals| count(intervals)).fold(0, u64::saturating_add)
    }

    /// Everything that is in one of the two.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for (source, intervals) in &other.0 {
            match all.0.entry(source.clone()) {
                Entry::Vacant(slot) => {
                    slot.insert(intervals.clone());
                }
                Entry::Occupied(mut slot) => {
                    let mut both = std::mem::take(slot.get_mut());
                    both.extend_from_slice(intervals);
                    *slot.get_mut() = merged(both);
                }
            }
        }
        all
    }

    /// What is in `self` and not in `other`.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let rest = self.0.iter().filter_map(|(source, intervals)| {
            let rest = match other.0.get(source) {
                Some(taken) => without(intervals, taken),
                None => intervals.clone(),
            };
            (!rest.is_empty()).then(|| (source.clone(), rest))
        });
        Self(rest.collect())
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.subtract(&self.subtract(other))
    }

    /// Whether everything of `other` is in `self`.
    pub fn contains(&self, other: &Self) -> bool {
        other.subtract(self).is_empty()
    }

    /// The set without what the given servers wrote, tagged or not.
    #[must_use]
    pub fn without_sources(&self, uuids: &[u128]) -> Self {
        let kept = self.0.iter().filter(|(source, _)| !uuids.contains(&source.uuid));
        Self(kept.map(|(source, intervals)| (source.clone(), intervals.clone())).collect())
    }

    /// What that server wrote, tagged or not.
    #[must_use]
    pub fn of_source(&self, uuid: u128) -> Self {
        let own = self.0.iter().filter(|(source, _)| source.uuid == uuid);
        Self(own.map(|(source, intervals)| (source.clone(), intervals.clone())).collect())
    }

    /// "3 transactions of 3e11fa47-…: 5-7"; `None` when the set is empty.
    pub fn words(&self) -> Option<String> {
        let parts = self.0.iter().map(|(source, intervals)| {
            let mut named: Vec<String> = intervals.iter().take(INTERVALS_NAMED_MAX).map(interval_text).collect();
            if intervals.len() > INTERVALS_NAMED_MAX {
                named.push("…".to_owned());
            }
            format!("{} of {source}: {}", transactions(count(intervals)), named.join(" "))
        });
        (!self.is_empty()).then(|| listed(parts, self.0.len(), "sources"))
    }
}

impl FromStr for MysqlGtids {
    type Err = GtidError;

    /// Understands what the server prints (line breaks behind commas) and what an operator may paste.
    fn from_str(text: &str) -> Result<Self, GtidError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(GtidError::TooLong);
        }
        let mut found: BTreeMap<SourceId, Vec<(u64, u64)>> = BTreeMap::new();
        let mut parts = 0;
        for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            let mut words = one.split(':').map(str::trim);
            let mut source = SourceId::parse(words.next().unwrap_or_default())?;
            let mut has_interval = false;
            for word in words {
                if word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    source.tag = parse_tag(word)?;
                    has_interval = false;
                    continue;
                }
                parts += 1;
                if parts > PARTS_MAX {
                    return Err(GtidError::TooManyParts);
                }
                has_interval = true;
                let interval = parse_interval(word)?;
                match found.get_mut(&source) {
                    Some(intervals) => intervals.push(interval),
                    None => {
                        found.insert(source.clone(), vec![interval]);
                    }
                }
            }
            if !has_interval {
                return Err(GtidError::NoInterval);
            }
        }
        Ok(Self(found.into_iter().map(|(source, intervals)| (source, merged(intervals))).collect()))
    }
}

impl TryFrom<String> for MysqlGtids {
    type Error = GtidError;

    fn try_from(text: String) -> Result<Self, GtidError> {
        text.parse()
    }
}

impl From<MysqlGtids> for String {
    fn from(gtids: MysqlGtids) -> Self {
        gtids.to_string()
    }
}

/// As the server prints it, on one line.
impl fmt::Display for MysqlGtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut earlier: Option<&SourceId> = None;
        for (source, intervals) in &self.0 {
            // A source's tags stand behind its untagged intervals: the empty tag sorts first.
            match earlier {
                Some(earlier) if earlier.uuid == source.uuid => write!(f, ":{}", source.tag)?,
                Some(_) => write!(f, ",{source}")?,
                None => write!(f, "{source}")?,
            }
            for interval in intervals {
                write!(f, ":{}", interval_text(interval))?;
            }
            earlier = Some(source);
        }
        Ok(())
    }
}

fn interval_text((first, last): &(u64, u64)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn parse_tag(word: &str) -> Result<String, GtidError> {
    let sound = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if sound && word.len() <= TAG_CHARS_MAX { Ok(word.to_ascii_lowercase()) } else { Err(GtidError::BadTag) }
}

fn parse_interval(word: &str) -> Result<(u64, u64), GtidError> {
    let number = |text: &str| {
        let text = text.trim();
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| plain && (1..=NUMBER_MAX).contains(number)).ok_or(GtidError::BadInterval)
    };
    let (first, last) = match word.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(word)?, number(word)?),
    };
    if first <= last { Ok((first, last)) } else { Err(GtidError::BadInterval) }
}

fn count(intervals: &[(u64, u64)]) -> u64 {
    intervals.iter().map(|(first, last)| last - first + 1).fold(0, u64::saturating_add)
}

/// Sorted, overlapping and adjacent ones joined.
fn merged(mut intervals: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    intervals.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::with_capacity(intervals.len());
    for (first, last) in intervals {
        match joined.last_mut() {
            Some(earlier) if first <= earlier.1.saturating_add(1) => earlier.1 = earlier.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// The parts of `intervals` that no interval of `taken` covers; both are sorted and disjoint.
fn without(intervals: &[(u64, u64)], taken: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut rest = Vec::new();
    let mut at = 0;
    for (first, last) in intervals {
        let mut from = *first;
        while taken.get(at).is_some_and(|(_, end)| end < first) {
            at += 1;
        }
        for (start, end) in taken.iter().skip(at).take_while(|(start, _)| start <= last) {
            if from < *start {
                rest.push((from, start - 1));
            }
            from = end + 1;
        }
        if from <= *last {
            rest.push((from, *last));
        }
    }
    rest
}
