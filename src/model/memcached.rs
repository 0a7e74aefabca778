//! Facts about memcached.

use super::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};

/// One answer to `stats`, or that there was none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MemcachedSample {
    /// Whether it answers.
    pub state: MemcachedState,
    /// "1.6.18".
    pub version: Figure<Clean>,
    /// Since it was started, seconds.
    pub uptime_s: Figure<u64>,
    /// Connections now, vakt's own among them.
    pub connections: Figure<u64>,
    /// Connections at most.
    pub connections_max: Figure<u64>,
    /// Items now.
    pub items: Figure<u64>,
    /// Bytes in use.
    pub bytes: Figure<u64>,
    /// Bytes at most.
    pub bytes_max: Figure<u64>,
    /// Lookups since it was started.
    pub gets: Figure<u64>,
    /// Lookups that found something.
    pub hits: Figure<u64>,
    /// Items stored since it was started.
    pub sets: Figure<u64>,
    /// Items thrown away for lack of room since it was started.
    pub evictions: Figure<u64>,
    /// Connections refused since it was started, for there were too many.
    pub rejected: Figure<u64>,
}

/// Whether memcached answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemcachedState {
    /// It told its figures.
    #[default]
    Answers,
    /// Nothing listens on its port.
    Refuses,
    /// It takes the connection and says nothing, or not all of it.
    Silent,
}

/// What answers say together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MemcachedFacts {
    /// The newest answer.
    pub sample: MemcachedSample,
    /// Whether it has answered since vakt watches.
    pub has_answered: bool,
    /// Lookups per second.
    pub gets_per_s: Figure<f64>,
    /// Lookups of the window that found something, percent; unknown when there were none.
    pub hit_percent: Figure<f64>,
    /// Items stored per second.
    pub sets_per_s: Figure<f64>,
    /// Items thrown away for lack of room per second.
    pub evictions_per_s: Figure<f64>,
}
