//! What operators have seen and do not want to be told first: an acknowledgement of one finding, with a reason and an
//! end. It hides nothing; it puts a finding last until its end, until it clears, or until it gets worse.

use super::{Finding, Severity};
use crate::model::{text::Clean, time::Wall};
use serde::{Deserialize, Serialize};

/// More are not kept; the oldest go first.
const KEPT_MAX: usize = 256;
/// One that lasts until its finding clears is forgotten after this long: milliseconds.
const FORGOTTEN_AFTER_MS: i64 = 30 * 24 * 3_600_000;

/// One acknowledged finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Rule of the finding.
    pub rule: Clean,
    /// Subject of the finding.
    pub subject: Clean,
    /// How bad it was, with what follows from it: beyond that it comes back.
    pub severity: Severity,
    /// Who.
    pub by: Clean,
    /// Why.
    pub reason: Clean,
    /// When.
    pub at: Wall,
    /// When it ends; `None`: when the finding clears. Whoever watches then takes it back: see [`super::Rules::cleared`].
    pub until: Option<Wall>,
}

/// All that were made, the oldest first; one a finding.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acknowledgements(pub Vec<Acknowledgement>);

impl Acknowledgement {
    fn is_about(&self, rule: &Clean, subject: &Clean) -> bool {
        self.rule == *rule && self.subject == *subject
    }

    /// Whether it still holds for this finding, which is as bad as `severity` with what follows from it.
    fn holds(&self, finding: &Finding, severity: Severity, now: Wall) -> bool {
        let is_over = self.until.is_some_and(|until| now >= until);
        self.is_about(&finding.rule, &finding.subject) && !is_over && severity <= self.severity
    }
}

impl Acknowledgements {
    /// None.
    pub const NONE: Self = Self(Vec::new());

    /// The one that holds for this finding now.
    pub(super) fn of(&self, finding: &Finding, severity: Severity, now: Wall) -> Option<&Acknowledgement> {
        self.0.iter().find(|one| one.holds(finding, severity, now))
    }

    /// Takes one in; an earlier one of the same finding is over, and so is what ended before `now`.
    pub fn add(&mut self, one: Acknowledgement, now: Wall) {
        self.0.retain(|known| {
            let is_over = match known.until {
                Some(until) => now >= until,
                None => now.0.saturating_sub(known.at.0) > FORGOTTEN_AFTER_MS,
            };
            !is_over && !known.is_about(&one.rule, &one.subject)
        });
        self.0.push(one);
        let beyond = self.0.len().saturating_sub(KEPT_MAX);
        self.0.drain(..beyond);
    }

    /// Takes back that of a finding. Whether there was one.
    pub fn take_back(&mut self, rule: &Clean, subject: &Clean) -> bool {
        let before = self.0.len();
        self.0.retain(|known| !known.is_about(rule, subject));
        self.0.len() < before
    }
}
