//! Looks at the world: rounds of reads, repeated until something holds or time is up, and what they say together.

use crate::{
    model::{ids::NodeName, text::Clean, time::Mono},
    plan::{
        expect::{Check, Verdict},
        parts::Need,
    },
    wire::probe::{Facts, ProbeId},
};
use std::collections::{BTreeMap, BTreeSet};

/// Where facts come from.
pub(super) type SourceKey = (NodeName, ProbeId);

/// A condition being polled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Poll {
    pub(super) sources: BTreeSet<SourceKey>,
    pub(super) every_ms: u64,
    pub(super) deadline: Mono,
    /// Looks in a row in which it held.
    pub(super) held: u32,
    pub(super) state: PollState,
}

/// What a poll is doing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PollState {
    /// Reads are out.
    Looking { ticket: u64, waiting_for: BTreeSet<SourceKey>, until: Mono },
    /// Until the next look.
    Pausing { until: Mono },
}

/// The newest facts, and those of the look before.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Readings(BTreeMap<SourceKey, Reading>);

#[derive(Debug, Clone, PartialEq)]
struct Reading {
    now: Result<Facts, Clean>,
    before: Option<Facts>,
    /// When it was asked for; none once something was sent to its node.
    asked_at: Option<Mono>,
}

/// What checks say together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judgement {
    pub(super) verdict: Tri,
    /// One line a check: what was seen.
    pub(super) seen: Vec<Clean>,
    /// What does not hold or is unknown, in one line.
    pub(super) trouble: Clean,
}

/// Three answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tri {
    Holds,
    Fails,
    Unknown,
}

impl Readings {
    /// A new look begins: what was new is now the look before.
    pub(super) fn turn(&mut self, sources: &BTreeSet<SourceKey>, at: Mono) {
        for source in sources {
            let earlier = self.0.remove(source);
            let before = earlier.and_then(|reading| reading.now.ok().or(reading.before));
            self.0.insert(
                source.clone(),
                Reading { now: Err("not answered in time".into()), before, asked_at: Some(at) },
            );
        }
    }

    /// Something was sent to that node: what was read of it before says little now.
    pub(super) fn touched(&mut self, node: &NodeName) {
        for (_, reading) in self.0.iter_mut().filter(|((of, _), _)| of == node) {
            reading.asked_at = None;
        }
    }

    /// Whether that source answered a question that is at most so old.
    pub(super) fn is_young(&self, source: &SourceKey, now: Mono, age_ms_max: u64) -> bool {
        let reading = self.0.get(source).filter(|reading| reading.now.is_ok());
        reading.and_then(|reading| reading.asked_at).is_some_and(|at| now.since_ms(at) <= age_ms_max)
    }

    /// An answer arrived.
    pub(super) fn take(&mut self, source: &SourceKey, outcome: Result<Facts, Clean>) {
        if let Some(reading) = self.0.get_mut(source) {
            reading.now = outcome;
        }
    }

    /// The newest facts of a source, or why there are none.
    pub(super) fn facts(&self, source: &SourceKey) -> Result<&Facts, Clean> {
        match self.0.get(source) {
            Some(reading) => reading.now.as_ref().map_err(Clone::clone),
            None => Err("not read".into()),
        }
    }

    /// What another node says, where a check compares with it.
    fn other(&self, check: &Check) -> Option<(&Facts, Option<&Facts>)> {
        let (node, probe) = check.other()?;
        match self.0.get(&(node.clone(), probe)) {
            Some(Reading { now: Ok(facts), before, .. }) => Some((facts, before.as_ref())),
            _ => None,
        }
    }

    /// Judges checks by the newest look.
    pub(super) fn judge(&self, checks: &[Check], need: Need) -> Judgement {
        let verdicts: Vec<(&Check, Verdict)> = checks
            .iter()
            .map(|check| {
                let verdict = match self.0.get(&(check.node.clone(), check.probe)) {
                    Some(Reading { now: Ok(facts), before, .. }) => {
                        check.judge_against(facts, before.as_ref(), self.other(check))
                    }
                    Some(Reading { now: Err(why), .. }) => Verdict::Unknown(why.clone()),
                    None => Verdict::Unknown("not read".into()),
                };
                (check, verdict)
            })
            .collect();
        let holds = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Holds(_))).count();
        let fails = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Fails(_))).count();
        let verdict = match need {
            Need::All | Need::Word if holds == verdicts.len() => Tri::Holds,
            Need::All | Need::Word if fails > 0 => Tri::Fails,
            Need::Any if holds > 0 => Tri::Holds,
            Need::Any if fails == verdicts.len() => Tri::Fails,
            Need::All | Need::Any | Need::Word => Tri::Unknown,
        };
        let line = |(check, verdict): &(&Check, Verdict)| format!("{}: {}", check.node, verdict.seen());
        let mut trouble: Vec<String> = verdicts
            .iter()
            .filter_map(|(check, verdict)| match verdict {
                Verdict::Holds(_) => None,
                Verdict::Fails(seen) => Some(format!("{}: {seen}, where \"{}\" is needed", check.node, check.expect)),
                Verdict::Unknown(why) => Some(format!("{}: {why}", check.node)),
            })
            .collect();
        trouble.dedup();
        Judgement {
            verdict,
            seen: verdicts.iter().map(|pair| Clean::line(&line(pair))).collect(),
            trouble: Clean::line(&trouble.join("; ")),
        }
    }
}

/// The sources of these checks.
pub(super) fn sources_of<'c>(checks: impl IntoIterator<Item = &'c Check>) -> BTreeSet<SourceKey> {
    let own_and_other = |check: &'c Check| {
        let sources = std::iter::once((&check.node, check.probe)).chain(check.other());
        sources.map(|(node, probe)| (node.clone(), probe))
    };
    checks.into_iter().flat_map(own_and_other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mysql::SwitchoverSample;

    #[test]
    fn a_reading_is_young_until_its_time_is_up_or_its_node_is_touched() {
        let source: SourceKey = ("db01".into(), ProbeId::Switchover);
        let other: SourceKey = ("db02".into(), ProbeId::Switchover);
        let mut readings = Readings::default();
        readings.turn(&BTreeSet::from([source.clone(), other.clone()]), Mono(1_000));
        assert!(!readings.is_young(&source, Mono(1_001), 250), "not answered");
        let facts = || Ok(Facts::Switchover(Box::<SwitchoverSample>::default()));
        readings.take(&source, facts());
        readings.take(&other, facts());
        assert!(readings.is_young(&source, Mono(1_250), 250) && !readings.is_young(&source, Mono(1_251), 250));
        readings.touched(&source.0);
        assert!(!readings.is_young(&source, Mono(1_001), 250) && readings.is_young(&other, Mono(1_001), 250));
    }
}
