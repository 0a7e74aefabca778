//! Looks at a node's services, one after another: rates of its NFS mounts, and how long one has been silent.

use crate::model::{
    figure::{Figure, Unknown},
    services::{NfsMount, NfsState, ServicesFacts, ServicesSample},
};

/// Facts from the newer look and what was known before it; `elapsed_ms` lies between them.
pub fn derive(older: Option<&ServicesFacts>, newer: ServicesSample, elapsed_ms: u64) -> ServicesFacts {
    let nfs = newer.nfs.iter().map(|mount| state(before(older, mount), mount, elapsed_ms)).collect();
    ServicesFacts { sample: newer, nfs }
}

/// The same mount in the look before.
fn before<'a>(older: Option<&'a ServicesFacts>, mount: &NfsMount) -> Option<(&'a NfsMount, Option<&'a NfsState>)> {
    let older = older?;
    let place = older.sample.nfs.iter().position(|known| known.mount == mount.mount && known.device == mount.device)?;
    Some((older.sample.nfs.get(place)?, older.nfs.get(place)))
}

fn state(before: Option<(&NfsMount, Option<&NfsState>)>, now: &NfsMount, elapsed_ms: u64) -> NfsState {
    let Some((older, state)) = before.filter(|_| elapsed_ms > 0) else {
        let why = Figure::Unknown(Unknown::NeedsTwoSamples);
        return NfsState { operations_per_s: why, latency_ms: why, timeouts_per_s: why, ..NfsState::default() };
    };
    let operations = increase(older.operations, now.operations);
    let waited_ms = increase(older.round_trip_ms, now.round_trip_ms);
    let (waiting, silent_ms) = silence(older, now, state, elapsed_ms);
    let per_second = |count: u64| count as f64 * 1000.0 / elapsed_ms as f64;
    NfsState {
        operations_per_s: operations.map(per_second),
        latency_ms: operations.and_then(|count| {
            waited_ms.and_then(|waited_ms| match count {
                0 => Figure::Unknown(Unknown::NothingHappened),
                _ => Figure::Known(waited_ms as f64 / count as f64),
            })
        }),
        timeouts_per_s: increase(older.timeouts, now.timeouts).map(per_second),
        waiting,
        silent_ms,
    }
}

/// Requests on their way, and how long no answer came at all.
///
/// The kernel counts a request each time it is sent, so that what is sent and what is received drift apart for ever
/// once a connection broke. Only the drift between two looks counts; an answer forgives all that was before it.
fn silence(older: &NfsMount, now: &NfsMount, state: Option<&NfsState>, elapsed_ms: u64) -> (u64, u64) {
    let (Some(sent), Some(received)) =
        (increase(older.sent, now.sent).known(), increase(older.received, now.received).known())
    else {
        return (0, 0);
    };
    if received > 0 {
        return (sent.saturating_sub(received), 0);
    }
    let waiting = state.map_or(0, |state| state.waiting).saturating_add(sent);
    let so_far_ms = state.map_or(0, |state| state.silent_ms);
    (waiting, if waiting > 0 { so_far_ms.saturating_add(elapsed_ms) } else { 0 })
}

/// A counter that went back belongs to another mount.
fn increase(before: Figure<u64>, now: Figure<u64>) -> Figure<u64> {
    before.and_then(|before| now.and_then(|now| Figure::from_option(now.checked_sub(before), Unknown::CounterReset)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::text::Clean;

    fn look(sent: u64, received: u64, operations: u64, round_trip_ms: u64) -> ServicesSample {
        let mount = NfsMount {
            device: Clean::line("10.10.0.25:/srv"),
            mount: Clean::line("/srv"),
            sent: Figure::Known(sent),
            received: Figure::Known(received),
            operations: Figure::Known(operations),
            round_trip_ms: Figure::Known(round_trip_ms),
            timeouts: Figure::Known(0),
            ..NfsMount::default()
        };
        ServicesSample { nfs: vec![mount], ..ServicesSample::default() }
    }

    #[test]
    fn a_server_that_answers_is_not_silent_and_has_a_latency() {
        let first = derive(None, look(100, 100, 100, 400), 0);
        assert_eq!(first.nfs[0].latency_ms, Figure::Unknown(Unknown::NeedsTwoSamples));
        let second = derive(Some(&first), look(111, 110, 110, 460), 5000);
        assert_eq!(second.nfs[0].latency_ms, Figure::Known(6.0));
        assert_eq!(second.nfs[0].operations_per_s, Figure::Known(2.0));
        assert_eq!(second.nfs[0].silent_ms, 0);
    }

    #[test]
    fn requests_without_any_answer_make_it_silent_until_one_comes() {
        let mut facts = derive(None, look(100, 99, 99, 400), 0);
        for turn in 1..=4 {
            // The application asks once and then hangs: the kernel sends no more.
            facts = derive(Some(&facts), look(100 + turn.min(2), 99, 99, 400), 5000);
        }
        assert_eq!((facts.nfs[0].waiting, facts.nfs[0].silent_ms), (2, 20_000));
        assert_eq!(facts.nfs[0].latency_ms, Figure::Unknown(Unknown::NothingHappened));
        facts = derive(Some(&facts), look(105, 104, 104, 90_000), 5000);
        assert_eq!(facts.nfs[0].silent_ms, 0);
        facts = derive(Some(&facts), look(105, 104, 104, 90_000), 5000);
        assert_eq!(facts.nfs[0].silent_ms, 0, "what was sent twice is forgiven");
    }

    #[test]
    fn nobody_who_asks_makes_no_silence() {
        let first = derive(None, look(100, 100, 100, 400), 0);
        assert_eq!(derive(Some(&first), look(100, 100, 100, 400), 5000).nfs[0].silent_ms, 0);
    }
}
