//! Rounds of packets, one after another, as paths.

use crate::model::private_network::{Path, PrivateNetworkFacts, PrivateNetworkSample, ROUNDS_MAX};

/// Facts from the newer round and those before it. A peer that is asked no more is forgotten.
pub fn derive(older: Option<&PrivateNetworkFacts>, newer: PrivateNetworkSample) -> PrivateNetworkFacts {
    let paths = newer.rounds.into_iter().map(|(to, round)| {
        let mut rounds = older.and_then(|older| older.to(to)).map(|path| path.rounds.clone()).unwrap_or_default();
        rounds.push_back(round);
        while rounds.len() > ROUNDS_MAX {
            rounds.pop_front();
        }
        Path { to, rounds }
    });
    PrivateNetworkFacts { paths: paths.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{figure::Figure, private_network::Round};

    fn round(received: u32, best_ms: f64) -> PrivateNetworkSample {
        let best_ms = if received > 0 { Figure::Known(best_ms) } else { Figure::default() };
        let round = Round { sent: 2, received, best_ms, ..Round::default() };
        PrivateNetworkSample { rounds: vec![("10.10.0.2".parse().unwrap(), round)] }
    }

    #[test]
    fn latency_is_the_best_of_six_rounds_and_loss_is_counted_over_five() {
        let mut facts = derive(None, round(2, 0.4));
        assert!(!facts.paths[0].is_settled());
        for (received, best_ms) in [(2, 9.0), (0, 0.0), (1, 7.0)] {
            facts = derive(Some(&facts), round(received, best_ms));
        }
        assert_eq!(facts.paths[0].latency_ms(), Figure::Known(0.4));
        assert_eq!(facts.paths[0].lost(), (3, 8));
        assert_eq!(facts.paths[0].loss_percent(), Figure::Known(37.5));
        for _ in 0..3 {
            facts = derive(Some(&facts), round(2, 8.0));
        }
        assert!(facts.paths[0].is_settled());
        assert_eq!(facts.paths[0].latency_ms(), Figure::Known(7.0));
        for _ in 0..20 {
            facts = derive(Some(&facts), round(2, 0.5));
        }
        assert_eq!(facts.paths[0].rounds.len(), ROUNDS_MAX);
        assert_eq!(facts.paths[0].lost(), (0, 10));
    }

    #[test]
    fn a_cut_is_over_after_two_whole_rounds_and_other_loss_is_not() {
        let lost = |received: &[u32]| {
            let mut facts = PrivateNetworkFacts::default();
            for received in received {
                facts = derive(Some(&facts), round(*received, 0.4));
            }
            facts.paths[0].lost()
        };
        assert_eq!(lost(&[2, 0, 0]), (4, 6));
        assert_eq!(lost(&[2, 0, 0, 2]), (4, 8), "one whole round may be luck");
        assert_eq!(lost(&[2, 0, 0, 2, 2]), (0, 4));
        assert_eq!(lost(&[0, 0, 2, 2, 2]), (0, 6));
        assert_eq!(lost(&[2, 1, 1, 2, 2]), (2, 10), "what gets through now and then is counted on");
        assert_eq!(lost(&[2, 0, 2, 2, 1]), (3, 10), "it began again");
    }
}
