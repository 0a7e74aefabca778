//! From conditions to findings: hold time, hysteresis, since when.

use super::{Finding, RuleId, Severity, words::duration};
use crate::model::{
    ids::NodeName,
    text::Clean,
    time::{Mono, Now},
};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::BTreeMap};

/// What a rule sees at this moment.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub rule: RuleId,
    /// Unique within the rule.
    pub subject: Clean,
    pub node: Option<NodeName>,
    /// All it is about, `node` among them.
    pub nodes: Vec<NodeName>,
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
            nodes: Vec::new(),
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

    /// The node it is about before all.
    pub(super) fn node(mut self, node: &NodeName) -> Self {
        self.node = Some(node.clone());
        self.nodes([node])
    }

    /// Nodes it is about, too.
    pub(super) fn nodes<'n>(mut self, nodes: impl IntoIterator<Item = &'n NodeName>) -> Self {
        for node in nodes {
            if !self.nodes.contains(node) {
                self.nodes.push(node.clone());
            }
        }
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
            nodes: self.nodes,
            subject: self.subject,
            sentence: self.sentence,
            evidence: self.evidence,
            hint: self.hint.unwrap_or_else(|| Clean::line(rule.action)),
            since,
            follows_from: None,
            acknowledged: None,
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
    /// Beginning of this occurrence; `None` in old recordings, where it is the finding's.
    #[serde(default)]
    occurred: Option<Now>,
    /// Open, and not seen the last time.
    #[serde(default)]
    is_quiet: bool,
    /// When it ended: kept for a while, to know one that comes and goes.
    #[serde(default)]
    ended: Option<Mono>,
    /// Earlier occurrences, each soon after the one before.
    #[serde(default)]
    earlier: Option<Series>,
}

/// Occurrences of one finding, each soon after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Series {
    /// Beginning of the first.
    began: Now,
    /// How many.
    times: u32,
}

/// A beginning that HAProxy gives in whole seconds moves by this much from poll to poll.
const JITTER_MS: u64 = 2_000;
/// A finding that begins again so soon after its end is the same one, that comes and goes.
const AGAIN_MS: u64 = 120_000;
/// So many occurrences in a row are told as one finding that comes and goes.
const AGAIN_TIMES: u32 = 3;
/// How long one that comes and goes stays after it was last seen.
const AGAIN_LINGER_MS: u64 = 60_000;
/// A finding that ended so long ago has cleared: one that flaps has not.
const CLEARED_AFTER_MS: u64 = 30_000;
/// More findings that have ended are not remembered.
const ENDED_MAX: usize = 1024;

impl Tracks {
    /// Takes what the rules see now; gives what is a finding, in no order that matters.
    ///
    /// `is_up`: whether the facts of a node count. What lingers about a node that does not answer is not told: its
    /// silence is.
    pub(super) fn follow(
        &mut self,
        conditions: Vec<Condition>,
        now: Now,
        is_up: impl Fn(&NodeName) -> bool,
    ) -> Vec<(RuleId, Finding)> {
        let mut known: BTreeMap<(RuleId, Clean), Track> =
            self.open.drain(..).map(|track| ((track.rule, track.finding.subject.clone()), track)).collect();
        let mut open = Vec::with_capacity(known.len());
        for condition in single(conditions) {
            let earlier = known.remove(&(condition.rule, condition.subject.clone()));
            open.extend(Track::seen(condition, earlier, now));
        }
        open.extend(known.into_values().filter_map(|track| track.unseen(now)));
        forget(&mut open);
        open.sort_by(|a, b| (a.rule, &a.finding.subject).cmp(&(b.rule, &b.finding.subject)));
        self.open = open;
        let told = self.open.iter().filter(|track| {
            track.is_open && (track.last_seen == now.mono || track.finding.node.as_ref().is_none_or(&is_up))
        });
        told.map(|track| (track.rule, track.finding.clone())).collect()
    }

    /// Rule and subject of what has cleared, as long as it is remembered.
    pub(super) fn cleared(&self, now: Now) -> Vec<(Clean, Clean)> {
        let has = |track: &&Track| track.ended.is_some_and(|at| now.mono.since_ms(at) >= CLEARED_AFTER_MS);
        let cleared = self.open.iter().filter(has);
        cleared.map(|track| (track.finding.rule.clone(), track.finding.subject.clone())).collect()
    }
}

/// One condition a rule and subject: the worst of several.
fn single(mut conditions: Vec<Condition>) -> Vec<Condition> {
    conditions.sort_by(|a, b| {
        let key = |one: &Condition| (Reverse(one.severity), one.level == Level::Near);
        (a.rule, &a.subject).cmp(&(b.rule, &b.subject)).then_with(|| key(a).cmp(&key(b)))
    });
    conditions.dedup_by(|later, first| later.rule == first.rule && later.subject == first.subject);
    conditions
}

/// Keeps the memory of what has ended within its bound, the newest.
fn forget(open: &mut Vec<Track>) {
    let mut ended: Vec<Mono> = open.iter().filter_map(|track| track.ended).collect();
    if ended.len() > ENDED_MAX {
        ended.sort_unstable();
        let oldest = ended[ended.len() - ENDED_MAX];
        open.retain(|track| track.ended.is_none_or(|at| at >= oldest));
    }
}

impl Track {
    /// The track of a condition that is seen now. `None`: near its limit and never beyond it.
    fn seen(condition: Condition, known: Option<Self>, now: Now) -> Option<Self> {
        let is_near = condition.level == Level::Near;
        let (lasting, past) = match known {
            Some(track) if track.ended.is_some() => (None, track.unseen(now)),
            lasting => (lasting, None),
        };
        if lasting.is_none() && is_near {
            return past;
        }
        let was_open = lasting.as_ref().is_some_and(|track| track.is_open);
        let last_seen = match &lasting {
            // Near the limit only an open finding stays; what still waits for its hold time runs out.
            Some(track) if is_near && !was_open => track.last_seen,
            _ => now.mono,
        };
        let (rule, hold_ms, linger_ms) = (condition.rule, condition.hold_ms, condition.linger_ms);
        if now.mono.since_ms(last_seen) > linger_ms {
            return None;
        }
        let (occurred, earlier) = occurrence(&condition, lasting.as_ref(), past.as_ref(), now);
        // The wall clock may step; it decides only where the beginning lies before the start of the program.
        let lasts_ms = now.mono.since_ms(occurred.mono);
        let is_open = was_open || (!is_near && lasts_ms >= hold_ms);
        let finding = condition.finding(occurred);
        let (occurred, is_quiet, ended) = (Some(occurred), false, None);
        let track = Self { rule, last_seen, hold_ms, linger_ms, is_open, finding, occurred, is_quiet, ended, earlier };
        Some(track.telling_its_series(now))
    }

    /// The track of a condition that is not seen now, as long as it matters.
    fn unseen(self, now: Now) -> Option<Self> {
        if let Some(at) = self.ended {
            return (now.mono.since_ms(at) < AGAIN_MS).then_some(self);
        }
        let linger_ms = if self.comes_and_goes(now) { self.linger_ms.max(AGAIN_LINGER_MS) } else { self.linger_ms };
        if now.mono.since_ms(self.last_seen) < linger_ms {
            return Some(Self { is_quiet: true, ..self });
        }
        self.is_open.then_some(Self { is_open: false, ended: Some(now.mono), ..self })
    }

    fn occurred(&self) -> Now {
        self.occurred.unwrap_or(self.finding.since)
    }

    /// This occurrence and those before it, unless it lasted: then it did not come and go.
    fn series(&self) -> Option<Series> {
        let lasted_ms = self.last_seen.since_ms(self.occurred().mono);
        let (began, times) = self.earlier.map_or((self.occurred(), 0), |series| (series.began, series.times));
        (lasted_ms < AGAIN_MS).then_some(Series { began, times: times.saturating_add(1) })
    }

    fn comes_and_goes(&self, now: Now) -> bool {
        let times = self.earlier.map_or(1, |series| series.times.saturating_add(1));
        self.is_open && times >= AGAIN_TIMES && now.mono.since_ms(self.occurred().mono) < AGAIN_MS
    }

    /// What comes and goes says so, and lasts since it first came.
    fn telling_its_series(mut self, now: Now) -> Self {
        if let Some(series) = self.earlier.filter(|_| self.comes_and_goes(now)) {
            let (times, span) = (series.times.saturating_add(1), duration(now.mono.since_ms(series.began.mono)));
            let sentence = format!("{}; comes and goes, {times} times in {span}", self.finding.sentence);
            self.finding.sentence = Clean::line(&sentence);
            self.finding.since = series.began;
        }
        self
    }
}

/// When what is seen now began, and what went before it.
fn occurrence(condition: &Condition, lasting: Option<&Track>, past: Option<&Track>, now: Now) -> (Now, Option<Series>) {
    let begins = condition.began.or(condition.sample).unwrap_or(now);
    match lasting {
        Some(track) if track.is_quiet && track.comes_and_goes(now) => (begins, track.series()),
        Some(track) => {
            let known = track.occurred();
            let moved = condition.began.filter(|began| began.wall.0.abs_diff(known.wall.0) > JITTER_MS);
            (moved.unwrap_or(known), track.earlier)
        }
        None => (begins, past.and_then(Track::series)),
    }
}
