//! What the kept conversation with a switch's database answers a poll with: the newest sample when something changed
//! since the last answer, else only that nothing did. As bytes, so that a recording keeps it and a replay reads it.

use crate::{
    model::ovs::{OvsReading, OvsSample},
    wire::{
        complaints::Complaints,
        feed::FeedOutput,
        probe::{Complaint, Facts, Probe},
        request::{Call, Reply, Request},
    },
};
use serde::{Deserialize, Serialize};

/// How long an answer is held back while nothing changes. A bit less than the interval of polls, so that a change
/// never waits for the next poll for long.
pub const HOLD_MS: u64 = 900;
/// Longest answer that is accepted; a switch with 10,000 ports takes about 9 MiB.
const CAP_BYTES: usize = 16 * 1024 * 1024;
/// Complaints that wait for the next answer.
const COMPLAINTS_MAX: usize = 64;

/// Reads the database of the switch as it is told.
#[derive(Debug)]
pub struct OvsProbe;

impl Probe for OvsProbe {
    fn requests(&self, node: &crate::model::inventory::Node, deadline_ms: u64) -> Vec<Request> {
        let Some(ovs) = &node.ovs else { return Vec::new() };
        let call = Call::Ovsdb { socket: ovs.path.clone(), hold_ms: HOLD_MS };
        vec![Request::read(call, deadline_ms.saturating_add(HOLD_MS), CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let mut complaints = Complaints::default();
        let told: Option<Told> = match replies {
            [reply] => serde_json::from_slice(&reply.bytes)
                .map_err(|error| complaints.add("the switch's database", format!("not understood: {error}")))
                .ok(),
            _ => None,
        };
        let Some(told) = told else { return (None, complaints.finish()) };
        let mut all = complaints.finish();
        all.extend(told.complaints.into_iter().take(COMPLAINTS_MAX));
        if told.lost > 0 {
            all.push(Complaint::new("the switch's database", format!("{} messages could not be used", told.lost)));
        }
        let reading = OvsReading { sample: told.sample, round_age_ms: told.round_age_ms };
        (Some(Facts::Ovs(Box::new(reading))), all)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Told {
    /// Everything, when something changed since the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sample: Option<OvsSample>,
    /// How long ago the newest statistics came, milliseconds.
    #[serde(default)]
    round_age_ms: u64,
    /// What was odd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    complaints: Vec<Complaint>,
    /// Messages that could not be used.
    #[serde(default)]
    lost: u64,
}

impl Told {
    /// Notes what a feed tells; what it wants done is the caller's.
    pub fn note(&mut self, output: FeedOutput<OvsSample>) {
        match output {
            FeedOutput::News(sample) => self.sample = Some(sample),
            FeedOutput::Lost(count) => self.lost = self.lost.saturating_add(count),
            FeedOutput::Complaint(complaint) if self.complaints.len() < COMPLAINTS_MAX => {
                if !self.complaints.contains(&complaint) {
                    self.complaints.push(complaint);
                }
            }
            FeedOutput::Complaint(_) | FeedOutput::Send(_) | FeedOutput::Resync | FeedOutput::Close(_) => {}
        }
    }

    /// Whether something changed.
    pub fn has_news(&self) -> bool {
        self.sample.is_some()
    }

    /// How often statistics had come when the sample was put together.
    pub fn rounds(&self) -> Option<u64> {
        self.sample.as_ref().map(|sample| sample.rounds)
    }

    /// The answer's bytes; the newest statistics came `round_age_ms` ago.
    pub fn into_bytes(mut self, round_age_ms: u64) -> Vec<u8> {
        self.round_age_ms = round_age_ms;
        // Plain values under text keys always become JSON.
        serde_json::to_vec(&self).unwrap_or_default()
    }
}
