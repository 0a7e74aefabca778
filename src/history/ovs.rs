//! Samples of a switch become rates.
//!
//! The daemon writes the statistics of all interfaces at once, every 5 s at most. A rate therefore lies between two
//! such rounds and not between two samples: a tag that somebody sets in between brings a sample with the old counters.
//! Whoever needs rates of a second reads counters live.

use crate::model::{
    figure::{Figure, Unknown},
    ovs::{Interface, OvsFacts, OvsSample, Statistics, SwitchedRates},
    ovs_daemon::{LiveCounters, OvsLive, OvsLiveSample, PortCounters, PortReference},
    time::Mono,
};
use std::collections::{BTreeMap, BTreeSet};

/// Shortest window between rounds: below it when the message came says more about the network than about the switch.
const ROUND_MS_MIN: u64 = 1000;
/// Shortest window between live reads.
const WINDOW_MS_MIN: u64 = 100;
/// After so many missing rounds the last rates say nothing about now: the daemon may be dead.
const ROUNDS_MISSED_MAX: u64 = 3;
/// How often rounds come when the switch does not say.
const ROUND_MS: u64 = 5000;

/// Facts from the earlier facts and the newer sample, which arrived at `at`.
pub fn derive(earlier: Option<OvsFacts>, newer: OvsSample, at: Mono) -> OvsFacts {
    let Some(earlier) = earlier else {
        // When the daemon wrote what a first sample says is not known: the next round is the first to count.
        return OvsFacts { sample: newer, ..OvsFacts::default() };
    };
    // The feed starts to count again when vakt does: a replayed or restored state may be ahead of it.
    let is_round = newer.rounds != earlier.sample.rounds;
    let window_ms = earlier.counted_at.map(|before| at.since_ms(before));
    if !is_round || window_ms.is_some_and(|ms| ms < ROUND_MS_MIN) {
        return keep_rates(earlier, newer);
    }
    let rates = newer
        .interfaces()
        .map(|(_, _, interface)| {
            let rates = match (earlier.counted.get(&interface.id), window_ms) {
                (Some(before), Some(ms)) => rates_between(before, &interface.statistics, ms),
                _ => SwitchedRates::unknown(Unknown::NeedsTwoSamples),
            };
            (interface.id.clone(), rates)
        })
        .collect();
    let counted = newer.interfaces().map(|(_, _, interface)| (interface.id.clone(), interface.statistics)).collect();
    OvsFacts { sample: newer, counted_at: Some(at), counted, rates }
}

/// No new counters: what is known of interfaces that are still there stays.
fn keep_rates(earlier: OvsFacts, newer: OvsSample) -> OvsFacts {
    let there: BTreeSet<_> = newer.interfaces().map(|(_, _, interface)| interface.id.clone()).collect();
    let (mut counted, mut rates) = (earlier.counted, earlier.rates);
    counted.retain(|id, _| there.contains(id));
    rates.retain(|id, _| there.contains(id));
    OvsFacts { sample: newer, counted_at: earlier.counted_at, counted, rates }
}

/// The rates of an interface as they can be stated at `now`: unknown when rounds no longer come.
pub fn rates_at(facts: &OvsFacts, interface: &Interface, now: Mono) -> SwitchedRates {
    let interval_ms = facts.sample.switch.statistics_interval_ms.known().unwrap_or(ROUND_MS);
    match (facts.counted_at, facts.rates.get(&interface.id)) {
        (Some(at), _) if now.since_ms(at) > interval_ms.saturating_mul(ROUNDS_MISSED_MAX) => {
            SwitchedRates::unknown(Unknown::NotReported)
        }
        (Some(_), Some(rates)) => *rates,
        _ => SwitchedRates::unknown(Unknown::NeedsTwoSamples),
    }
}

/// Live figures from the earlier ones and a newer read.
pub fn derive_daemon(earlier: Option<&OvsLive>, newer: OvsLiveSample, elapsed_ms: u64) -> OvsLive {
    let OvsLiveSample { process, silence, datapaths, ports } = newer;
    let counters = derive_live(earlier.map(|earlier| &earlier.counters), ports, elapsed_ms);
    let mut datapaths = datapaths;
    for datapath in &mut datapaths {
        let before = earlier.and_then(|earlier| earlier.datapaths.iter().find(|one| one.name == datapath.name));
        datapath.lost_per_s = match before.map(|before| before.lost) {
            Some(Figure::Known(before)) if elapsed_ms >= WINDOW_MS_MIN => datapath.lost.and_then(|now| {
                now.checked_sub(before).map_or(Figure::Unknown(Unknown::CounterReset), |lost| {
                    Figure::Known(lost as f64 * 1000.0 / elapsed_ms as f64)
                })
            }),
            _ => Figure::Unknown(Unknown::NeedsTwoSamples),
        };
    }
    OvsLive { process, silence, datapaths, counters }
}

/// Where a port of that name stands among the live counters.
fn live_place(live: &OvsLive, interface: &Interface) -> Option<usize> {
    let is_it = |row: &PortCounters| matches!(&row.port, PortReference::Name(name) if *name == interface.name);
    live.counters.ports.iter().position(is_it)
}

/// The newest counters of an interface: live ones, or those of the database.
pub fn counters_of(live: Option<&OvsLive>, interface: &Interface) -> Statistics {
    let counted = live.and_then(|live| live.counters.ports.get(live_place(live, interface)?));
    counted.map_or(interface.statistics, |row| row.statistics)
}

/// The live rates of the port of that name, or those between the last two rounds of the database.
pub fn rates_of(facts: &OvsFacts, live: Option<&OvsLive>, interface: &Interface, now: Mono) -> SwitchedRates {
    let live = live.and_then(|live| live.counters.rates.get(live_place(live, interface)?).copied());
    match live {
        Some(rates) if rates.rx_bits_per_s.why().is_none() => rates,
        _ => rates_at(facts, interface, now),
    }
}

/// Live counters and their rates; `elapsed_ms` lies between the two reads on the bastion's clock.
pub fn derive_live(earlier: Option<&LiveCounters>, newer: Vec<PortCounters>, elapsed_ms: u64) -> LiveCounters {
    let before: BTreeMap<&PortReference, &Statistics> =
        earlier.iter().flat_map(|earlier| &earlier.ports).map(|row| (&row.port, &row.statistics)).collect();
    let rates = newer
        .iter()
        .map(|row| match before.get(&row.port) {
            Some(before) if elapsed_ms >= WINDOW_MS_MIN => rates_between(before, &row.statistics, elapsed_ms),
            _ => SwitchedRates::unknown(Unknown::NeedsTwoSamples),
        })
        .collect();
    LiveCounters { ports: newer, rates }
}

/// One counter of an interface that went back means that all of them started again.
fn rates_between(before: &Statistics, now: &Statistics, window_ms: u64) -> SwitchedRates {
    let pairs = [
        (before.rx_bytes, now.rx_bytes),
        (before.tx_bytes, now.tx_bytes),
        (before.rx_packets, now.rx_packets),
        (before.tx_packets, now.tx_packets),
        (before.rx_dropped, now.rx_dropped),
        (before.tx_dropped, now.tx_dropped),
        (before.rx_errors, now.rx_errors),
        (before.tx_errors, now.tx_errors),
    ];
    let went_back = |(before, now): &(Figure<u64>, Figure<u64>)| {
        before.known().zip(now.known()).is_some_and(|(before, now)| now < before)
    };
    if pairs.iter().any(went_back) {
        return SwitchedRates::unknown(Unknown::CounterReset);
    }
    let per_second = |(before, now): (Figure<u64>, Figure<u64>)| {
        now.and_then(|now| match before {
            Figure::Known(before) => Figure::Known(now.saturating_sub(before) as f64 * 1000.0 / window_ms as f64),
            Figure::Unknown(_) => Figure::Unknown(Unknown::NeedsTwoSamples),
        })
    };
    let [rx_bytes, tx_bytes, rx_packets, tx_packets, rx_drops, tx_drops, rx_errors, tx_errors] = pairs.map(per_second);
    SwitchedRates {
        rx_bits_per_s: rx_bytes.map(|bytes| bytes * 8.0),
        tx_bits_per_s: tx_bytes.map(|bytes| bytes * 8.0),
        rx_packets_per_s: rx_packets,
        tx_packets_per_s: tx_packets,
        rx_drops_per_s: rx_drops,
        tx_drops_per_s: tx_drops,
        rx_errors_per_s: rx_errors,
        tx_errors_per_s: tx_errors,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        ovs::{Bridge, Port},
        text::Clean,
    };
    use proptest::prelude::*;

    fn counters(n: u64) -> Statistics {
        Statistics {
            rx_bytes: Figure::Known(n * 100),
            rx_packets: Figure::Known(n),
            tx_bytes: Figure::Known(n * 1000),
            tx_packets: Figure::Known(n * 2),
            rx_dropped: Figure::Known(n / 10),
            tx_dropped: Figure::Unknown(Unknown::Missing),
            ..Statistics::default()
        }
    }

    fn sample(rounds: u64, interfaces: &[(&str, u64)]) -> OvsSample {
        let ports = interfaces
            .iter()
            .map(|(id, n)| Port {
                interfaces: vec![Interface { id: Clean::line(id), statistics: counters(*n), ..Interface::default() }],
                ..Port::default()
            })
            .collect();
        OvsSample { rounds, bridges: vec![Bridge { ports, ..Bridge::default() }], ..OvsSample::default() }
    }

    fn rates(facts: &OvsFacts, id: &str) -> SwitchedRates {
        facts.rates[&Clean::line(id)]
    }

    #[test]
    fn rates_lie_between_rounds_of_statistics() {
        let first = derive(None, sample(0, &[("a", 5), ("b", 7)]), Mono(0));
        assert!(first.rates.is_empty());
        let second = derive(Some(first), sample(1, &[("a", 10), ("b", 7)]), Mono(3000));
        // When the first counters were written is not known, so there is no window yet.
        assert_eq!(rates(&second, "a"), SwitchedRates::unknown(Unknown::NeedsTwoSamples));
        let third = derive(Some(second), sample(2, &[("a", 110), ("b", 7)]), Mono(8000));
        let a = rates(&third, "a");
        assert_eq!((a.rx_packets_per_s, a.tx_packets_per_s), (Figure::Known(20.0), Figure::Known(40.0)));
        assert_eq!((a.rx_bits_per_s, a.tx_bits_per_s), (Figure::Known(16_000.0), Figure::Known(160_000.0)));
        assert_eq!((a.rx_drops_per_s, a.tx_drops_per_s.why()), (Figure::Known(2.0), Some(Unknown::Missing)));
        // The round came and its counters are the same: it carried nothing, and that is known.
        assert_eq!(rates(&third, "b").rx_bits_per_s, Figure::Known(0.0));
    }

    #[test]
    fn a_change_between_rounds_keeps_the_rates() {
        let second = derive(Some(derive(None, sample(0, &[("a", 0)]), Mono(0))), sample(1, &[("a", 0)]), Mono(5000));
        let third = derive(Some(second), sample(2, &[("a", 50)]), Mono(10_000));
        let renamed = derive(Some(third), sample(2, &[("a", 50), ("new", 3)]), Mono(12_000));
        assert_eq!(
            (renamed.counted_at, rates(&renamed, "a").rx_packets_per_s),
            (Some(Mono(10_000)), Figure::Known(10.0))
        );
        let fourth = derive(Some(renamed), sample(3, &[("a", 100), ("new", 4)]), Mono(15_000));
        assert_eq!(rates(&fourth, "a").rx_packets_per_s, Figure::Known(10.0));
        assert_eq!(rates(&fourth, "new").rx_packets_per_s.why(), Some(Unknown::NeedsTwoSamples));
        let gone = derive(Some(fourth), sample(3, &[("new", 4)]), Mono(16_000));
        assert_eq!((gone.rates.len(), gone.counted.len()), (1, 1));
    }

    #[test]
    fn a_counter_that_goes_back_is_a_reset_of_the_interface() {
        let second = derive(Some(derive(None, sample(0, &[("a", 9)]), Mono(0))), sample(1, &[("a", 100)]), Mono(5000));
        let third = derive(Some(second), sample(2, &[("a", 3)]), Mono(10_000));
        assert_eq!(rates(&third, "a"), SwitchedRates::unknown(Unknown::CounterReset));
        let fourth = derive(Some(third), sample(3, &[("a", 8)]), Mono(15_000));
        assert_eq!(rates(&fourth, "a").rx_packets_per_s, Figure::Known(1.0));
    }

    #[test]
    fn rates_end_when_rounds_do() {
        let second = derive(Some(derive(None, sample(0, &[("a", 0)]), Mono(0))), sample(1, &[("a", 0)]), Mono(5000));
        let facts = derive(Some(second), sample(2, &[("a", 50)]), Mono(10_000));
        let (_, _, interface) = facts.sample.interfaces().next().unwrap();
        assert_eq!(rates_at(&facts, interface, Mono(25_000)).rx_packets_per_s, Figure::Known(10.0));
        assert_eq!(rates_at(&facts, interface, Mono(25_001)), SwitchedRates::unknown(Unknown::NotReported));
    }

    #[test]
    fn live_counters_give_rates_of_a_second() {
        let read = |name: &str, n| PortCounters { port: PortReference::Name(name.into()), statistics: counters(n) };
        let first = derive_live(None, vec![read("a", 10), read("b", 10)], 0);
        assert_eq!(first.rates[0], SwitchedRates::unknown(Unknown::NeedsTwoSamples));
        let second = derive_live(Some(&first), vec![read("b", 12), read("a", 10), read("c", 1)], 500);
        assert_eq!(second.rates[0].rx_packets_per_s, Figure::Known(4.0));
        assert_eq!(second.rates[1].rx_packets_per_s, Figure::Known(0.0));
        assert_eq!(second.rates[2].rx_packets_per_s.why(), Some(Unknown::NeedsTwoSamples));
        let third = derive_live(Some(&second), vec![read("b", 3)], 1000);
        assert_eq!(third.rates[0].rx_packets_per_s.why(), Some(Unknown::CounterReset));
    }

    proptest! {
        #[test]
        fn no_rate_is_negative(counts in any::<[u32; 3]>(), rounds in any::<[u8; 3]>(), times in any::<[u64; 3]>()) {
            let mut facts = None;
            for ((count, round), at) in counts.into_iter().zip(rounds).zip(times) {
                facts = Some(derive(facts, sample(u64::from(round), &[("a", u64::from(count))]), Mono(at)));
            }
            let facts = facts.unwrap();
            for rates in facts.rates.values() {
                for rate in [rates.rx_bits_per_s, rates.tx_packets_per_s, rates.rx_drops_per_s].into_iter().filter_map(Figure::known) {
                    prop_assert!(rate.is_finite() && rate >= 0.0);
                }
            }
        }
    }
}
