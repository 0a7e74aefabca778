//! Time as a value. Only `runtime::clock` reads a clock; everything else receives a [`Now`].

use serde::{Deserialize, Serialize};

/// Milliseconds on a clock that never goes back, counted from the start of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mono(pub u64);

impl Mono {
    /// Milliseconds from `earlier` to `self`; 0 when `earlier` is later.
    pub fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `ms` milliseconds after this one.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Milliseconds since 1970-01-01 UTC, as the bastion's clock says; for people, never for durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub i64);

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Now {
    /// For ages, deadlines and rates.
    pub mono: Mono,
    /// For what a person reads.
    pub wall: Wall,
}

/// Where a layer that waits gets its time from; `runtime::clock` has the real one, tests have their own.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// Both clocks, now.
    fn now(&self) -> Now;
}
