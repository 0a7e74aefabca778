//! Two answers of memcached become rates.

use crate::model::{
    figure::{Figure, Unknown},
    memcached::{MemcachedFacts, MemcachedSample, MemcachedState},
};

/// Facts from the newer answer and what was known before it; `elapsed_ms` lies between them.
pub fn derive(older: Option<&MemcachedFacts>, newer: MemcachedSample, elapsed_ms: u64) -> MemcachedFacts {
    let before = older.map(|older| &older.sample).filter(|older| older.state == MemcachedState::Answers);
    let gets = increase(before, &newer, |sample| sample.gets);
    let hits = increase(before, &newer, |sample| sample.hits);
    let per_second = |count: Figure<u64>| {
        count.and_then(|count| match elapsed_ms {
            0 => Figure::Unknown(Unknown::NeedsTwoSamples),
            _ => Figure::Known(count as f64 * 1000.0 / elapsed_ms as f64),
        })
    };
    MemcachedFacts {
        has_answered: newer.state == MemcachedState::Answers || older.is_some_and(|older| older.has_answered),
        gets_per_s: per_second(gets),
        hit_percent: gets.and_then(|gets| {
            hits.and_then(|hits| match gets {
                0 => Figure::Unknown(Unknown::NothingHappened),
                _ => Figure::Known((hits as f64 / gets as f64 * 100.0).min(100.0)),
            })
        }),
        sets_per_s: per_second(increase(before, &newer, |sample| sample.sets)),
        evictions_per_s: per_second(increase(before, &newer, |sample| sample.evictions)),
        sample: newer,
    }
}

/// What a counter grew by. Its uptime, or the counter itself, went back: it was started again.
fn increase(
    older: Option<&MemcachedSample>,
    newer: &MemcachedSample,
    counter: fn(&MemcachedSample) -> Figure<u64>,
) -> Figure<u64> {
    if newer.state != MemcachedState::Answers {
        return Figure::Unknown(Unknown::NotRunning);
    }
    let Some(older) = older else { return Figure::Unknown(Unknown::NeedsTwoSamples) };
    let restarted = matches!((older.uptime_s, newer.uptime_s), (Figure::Known(old), Figure::Known(new)) if new < old);
    if restarted {
        return Figure::Unknown(Unknown::CounterReset);
    }
    counter(older).and_then(|before| {
        counter(newer).and_then(|now| Figure::from_option(now.checked_sub(before), Unknown::CounterReset))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(uptime_s: u64, gets: u64, hits: u64, evictions: u64) -> MemcachedSample {
        MemcachedSample {
            uptime_s: Figure::Known(uptime_s),
            gets: Figure::Known(gets),
            hits: Figure::Known(hits),
            evictions: Figure::Known(evictions),
            ..MemcachedSample::default()
        }
    }

    #[test]
    fn the_window_decides_not_the_lifetime() {
        let first = derive(None, answer(100, 1_000, 999, 0), 0);
        assert_eq!(first.hit_percent, Figure::Unknown(Unknown::NeedsTwoSamples));
        let second = derive(Some(&first), answer(103, 1_300, 1_149, 60), 3_000);
        assert_eq!(second.gets_per_s, Figure::Known(100.0));
        assert_eq!(second.hit_percent, Figure::Known(50.0));
        assert_eq!(second.evictions_per_s, Figure::Known(20.0));
        let third = derive(Some(&second), answer(106, 1_300, 1_149, 60), 3_000);
        assert_eq!(third.hit_percent, Figure::Unknown(Unknown::NothingHappened));
    }

    #[test]
    fn a_restart_is_no_negative_rate_and_silence_no_zero() {
        let first = derive(None, answer(100, 1_000, 999, 5), 0);
        let restarted = derive(Some(&first), answer(2, 1_200, 1_100, 9), 3_000);
        assert_eq!(restarted.gets_per_s, Figure::Unknown(Unknown::CounterReset));
        let dead = MemcachedSample { state: MemcachedState::Refuses, ..MemcachedSample::default() };
        let dead = derive(Some(&restarted), dead, 3_000);
        assert_eq!(dead.evictions_per_s, Figure::Unknown(Unknown::NotRunning));
        assert!(dead.has_answered);
        let back = derive(Some(&dead), answer(1, 0, 0, 0), 3_000);
        assert_eq!(back.gets_per_s, Figure::Unknown(Unknown::NeedsTwoSamples));
    }
}
