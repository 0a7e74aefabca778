//! From conditions to findings: hold time, hysteresis, since when.

use super::{Finding, RuleId, Severity};
use crate::model::{
    ids::NodeName,
    text::Clean,
    time::{Mono, Now},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a rule sees at this moment.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub rule: RuleId,
    /// Unique within the rule.
    pub subject: Clean,
    pub node: Option<NodeName>,
    pub severity: Severity,
    pub level: Level,
    pub sentence: Clean,
    pub evidence: Vec<Clean>,
    /// Instead of the rule's own advice.
    pub hint: Option<Clean>,
    /// When it began, where the facts say so. A later beginning is a new occurrence.
    pub began: Option<Now>,
    /// The sample that shows it: its beginning where the facts say none and it was not seen before.
    pub sample: Option<Now>,
    /// How long it must hold before it is a finding.
    pub hold_ms: u64,
    /// How long a finding stays after the condition was last seen.
    pub linger_ms: u64,
}

/// Where a figure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Beyond the limit.
    Beyond,
    /// Back within the limit, but not clearly: a finding stays, none begins.
    Near,
}

/// Share of a limit below which a figure is clearly back.
const CLEAR_SHARE: f64 = 0.8;

impl Level {
    /// Where `value` stands against an upper limit; `None` when it is clearly below.
    pub(super) fn of(value: f64, limit: f64) -> Option<Self> {
        Self::between(value, limit * CLEAR_SHARE, limit)
    }

    /// The same with a bound of its own below which the value is clearly back.
    pub(super) fn between(value: f64, clear: f64, limit: f64) -> Option<Self> {
        match value {
            _ if value > limit => Some(Self::Beyond),
            _ if value > clear => Some(Self::Near),
            _ => None,
        }
    }
}

impl Condition {
    /// A condition that is a finding at once and ends at once.
    pub(super) fn new(rule: RuleId, severity: Severity, subject: &str, sentence: impl AsRef<str>) -> Self {
        Self {
            rule,
            subject: Clean::line(subject),
            node: None,
            severity,
            level: Level::Beyond,
            sentence: Clean::line(sentence.as_ref()),
            evidence: Vec::new(),
            hint: None,
            began: None,
            sample: None,
            hold_ms: 0,
            linger_ms: 0,
        }
    }

    pub(super) fn node(mut self, node: &NodeName) -> Self {
        self.node = Some(node.clone());
        self
    }

    pub(super) fn began(mut self, began: Now) -> Self {
        self.began = Some(began);
        self
    }

    /// A figure that moves: it must hold from one sample on, and one sample on the other side does not end it.
    pub(super) fn held(mut self, level: Level, sample: Now, hold_ms: u64) -> Self {
        self.sample = Some(sample);
        self.level = level;
        self.hold_ms = hold_ms;
        self.linger_ms = hold_ms / 2;
        self
    }

    pub(super) fn evidence(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(lines.into_iter().map(|line| Clean::line(&line)));
        self
    }

    fn finding(self, since: Now) -> Finding {
        let rule = self.rule.rule();
        Finding {
            rule: Clean::line(rule.name),
            severity: self.severity,
            node: self.node,
            subject: self.subject,
            sentence: self.sentence,
            evidence: self.evidence,
            hint: self.hint.unwrap_or_else(|| Clean::line(rule.action)),
            since,
        }
    }
}

/// Conditions that were seen, across evaluations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Tracks {
    // A list: maps with structured keys cannot be written as JSON. Sorted by rule and subject.
    open: Vec<Track>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Track {
    rule: RuleId,
    last_seen: Mono,
    hold_ms: u64,
    linger_ms: u64,
    is_open: bool,
    /// As it was when last seen.
    finding: Finding,
}

/// A beginning that HAProxy gives in whole seconds moves by this much from poll to poll.
const JITTER_MS: u64 = 2_000;

impl Tracks {
    /// Takes what the rules see now; gives what is a finding, worst first, then oldest.
    ///
    /// `is_up`: whether the facts of a node count. What lingers about a node that does not answer is not told: its
    /// silence is.
    pub(super) fn follow(
        &mut self,
        conditions: Vec<Condition>,
        now: Now,
        is_up: impl Fn(&NodeName) -> bool,
    ) -> Vec<Finding> {
        let mut known: BTreeMap<(RuleId, Clean), Track> =
            self.open.drain(..).map(|track| ((track.rule, track.finding.subject.clone()), track)).collect();
        let mut open = Vec::with_capacity(known.len());
        for condition in conditions {
            let earlier = known.remove(&(condition.rule, condition.subject.clone()));
            open.extend(Track::seen(condition, earlier, now));
        }
        // Not seen this time.
        open.extend(known.into_values().filter(|track| track.linger_ms > now.mono.since_ms(track.last_seen)));
        open.sort_by(|a, b| (a.rule, &a.finding.subject).cmp(&(b.rule, &b.finding.subject)));
        self.open = open;
        let told = self.open.iter().filter(|track| {
            track.is_open && (track.last_seen == now.mono || track.finding.node.as_ref().is_none_or(&is_up))
        });
        let mut told: Vec<&Track> = told.collect();
        told.sort_by_key(|track| (std::cmp::Reverse(track.finding.severity), track.finding.since.wall, track.rule));
        told.into_iter().map(|track| track.finding.clone()).collect()
    }
}

impl Track {
    /// The track of a condition that is seen now. `None`: near its limit and never beyond it.
    fn seen(condition: Condition, earlier: Option<Self>, now: Now) -> Option<Self> {
        let is_near = condition.level == Level::Near;
        let (since, was_open) = match &earlier {
            Some(earlier) => {
                let known = earlier.finding.since;
                let moved = condition.began.filter(|began| began.wall.0.abs_diff(known.wall.0) > JITTER_MS);
                (moved.unwrap_or(known), earlier.is_open)
            }
            None if is_near => return None,
            None => (condition.began.or(condition.sample).unwrap_or(now), false),
        };
        // The wall clock may step; it decides only where the beginning lies before the start of the program.
        let lasts_ms = now.mono.since_ms(since.mono);
        let is_open = was_open || (!is_near && lasts_ms >= condition.hold_ms);
        let last_seen = match earlier {
            // Near the limit only an open finding stays; what still waits for its hold time runs out.
            Some(earlier) if is_near && !was_open => earlier.last_seen,
            _ => now.mono,
        };
        let (rule, hold_ms, linger_ms) = (condition.rule, condition.hold_ms, condition.linger_ms);
        if now.mono.since_ms(last_seen) > linger_ms {
            return None;
        }
        Some(Self { rule, last_seen, hold_ms, linger_ms, is_open, finding: condition.finding(since) })
    }
}
