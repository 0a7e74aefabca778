//! Every fact has an age and a source; a failed probe never shows as zero.

use super::{
    text::Clean,
    time::{Mono, Now},
    trouble::{Trouble, TroubleKind},
};
use serde::{Deserialize, Serialize};

/// What is known of one thing: the last value with its moment, and whether reading it fails now.
///
/// The last value survives a failure, so that it can be shown dimmed with its age and the reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed<T> {
    value: Option<Taken<T>>,
    failure: Option<Failure>,
}

/// A value and when it was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Taken<T> {
    value: T,
    at: Now,
}

/// A probe that fails: since when, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The first failure in a row.
    pub since: Now,
    /// The latest reason.
    pub reason: Clean,
    /// The kind of the latest trouble, where rules must tell kinds apart.
    #[serde(default)]
    pub kind: Option<TroubleKind>,
}

impl<T> Default for Observed<T> {
    fn default() -> Self {
        Self { value: None, failure: None }
    }
}

impl<T> Observed<T> {
    /// Takes a fresh value; ends a failure.
    pub fn take(&mut self, value: T, at: Now) {
        self.value = Some(Taken { value, at });
        self.failure = None;
    }

    /// The last value still holds: it was asked for again and nothing has changed. Nothing happens where there is none.
    pub fn confirm(&mut self, at: Now) {
        if let Some(taken) = &mut self.value {
            taken.at = at;
            self.failure = None;
        }
    }

    /// Notes that reading failed; keeps the last value.
    pub fn fail(&mut self, reason: Clean, at: Now) {
        let since = self.failure.as_ref().map_or(at, |earlier| earlier.since);
        self.failure = Some(Failure { since, reason, kind: None });
    }

    /// The same, with the kind of the trouble.
    pub fn fail_with(&mut self, trouble: &Trouble, at: Now) {
        let since = self.failure.as_ref().map_or(at, |earlier| earlier.since);
        self.failure = Some(Failure { since, reason: trouble.cause.clone(), kind: Some(trouble.kind) });
    }

    /// The last value, however old.
    pub fn last(&self) -> Option<&T> {
        self.value.as_ref().map(|taken| &taken.value)
    }

    /// The last value, to add what only another answer tells.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.value.as_mut().map(|taken| &mut taken.value)
    }

    /// When the last value was taken.
    pub fn at(&self) -> Option<Now> {
        self.value.as_ref().map(|taken| taken.at)
    }

    /// Age of the last value in milliseconds.
    pub fn age_ms(&self, now: Mono) -> Option<u64> {
        self.value.as_ref().map(|taken| now.since_ms(taken.at.mono))
    }

    /// The failure in progress.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The last value if reading does not fail and it is no older than `limit_ms`.
    pub fn fresh(&self, now: Mono, limit_ms: u64) -> Option<&T> {
        match (&self.value, &self.failure) {
            (Some(taken), None) if now.since_ms(taken.at.mono) <= limit_ms => Some(&taken.value),
            _ => None,
        }
    }
}
