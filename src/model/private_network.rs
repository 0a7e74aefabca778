//! Facts about the private network: round trips between nodes over their private addresses.

use super::figure::{Figure, Unknown};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, net::IpAddr};

/// Rounds that are kept of a path.
pub const ROUNDS_MAX: usize = 8;
/// Rounds whose best trip is the latency of a path: one late answer of a busy node says nothing about the network.
const LATENCY_ROUNDS: usize = 6;
/// Rounds over which loss is counted.
const LOSS_ROUNDS: usize = 5;
/// Whole rounds after a cut that say it is mended.
const MENDED_ROUNDS: usize = 2;

/// One round of packets from a node to others.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PrivateNetworkSample {
    /// One row a peer, in the order of the answer.
    pub rounds: Vec<(IpAddr, Round)>,
}

/// A few packets to one peer and what came back.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Round {
    /// Packets sent.
    pub sent: u32,
    /// Answers.
    pub received: u32,
    /// The quickest answer, milliseconds.
    pub best_ms: Figure<f64>,
    /// The mean, milliseconds.
    pub mean_ms: Figure<f64>,
    /// The slowest answer, milliseconds.
    pub worst_ms: Figure<f64>,
}

/// What rounds say together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PrivateNetworkFacts {
    /// One path a peer.
    pub paths: Vec<Path>,
}

/// The way to one peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Path {
    /// The peer's private address.
    pub to: IpAddr,
    /// The last rounds, newest last.
    pub rounds: VecDeque<Round>,
}

impl Path {
    /// The quickest answer of the last rounds, milliseconds.
    pub fn latency_ms(&self) -> Figure<f64> {
        let best = self.rounds.iter().rev().take(LATENCY_ROUNDS).filter_map(|round| round.best_ms.known());
        Figure::from_option(best.min_by(f64::total_cmp), Unknown::NothingHappened)
    }

    /// Packets that were lost of those sent in the last rounds.
    pub fn lost(&self) -> (u32, u32) {
        let counted = self.mended_rounds().unwrap_or(LOSS_ROUNDS).min(LOSS_ROUNDS);
        self.rounds
            .iter()
            .rev()
            .take(counted)
            .fold((0, 0), |(lost, sent), round| (lost + round.sent.saturating_sub(round.received), sent + round.sent))
    }

    /// How many rounds are whole since everything was lost: a cut that is mended is over, other loss may come again.
    fn mended_rounds(&self) -> Option<usize> {
        let whole = self.rounds.iter().rev().take_while(|round| round.received >= round.sent).count();
        let before = self.rounds.iter().rev().nth(whole)?;
        (whole >= MENDED_ROUNDS && before.received == 0).then_some(whole)
    }

    /// The same in percent.
    pub fn loss_percent(&self) -> Figure<f64> {
        let (lost, sent) = self.lost();
        Figure::from_option((sent > 0).then(|| f64::from(lost) / f64::from(sent) * 100.0), Unknown::NothingHappened)
    }

    /// Whether enough rounds were made to judge its latency.
    pub fn is_settled(&self) -> bool {
        self.rounds.len() >= LATENCY_ROUNDS
    }
}

impl PrivateNetworkFacts {
    /// The path to a peer.
    pub fn to(&self, address: IpAddr) -> Option<&Path> {
        self.paths.iter().find(|path| path.to == address)
    }

    /// Forgets what was measured to a peer: it was down, and that says nothing about the way to it.
    pub fn forget(&mut self, address: IpAddr) {
        for path in self.paths.iter_mut().filter(|path| path.to == address) {
            path.rounds.clear();
        }
    }
}
