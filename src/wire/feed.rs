//! What a node pushes without being asked: a feed turns the bytes of a connection into news, and says what to send.
//!
//! A feed does no IO and reads no clock. Whoever owns the connection calls [`Feed::open`] when it is made,
//! [`Feed::take`] for what arrives, [`Feed::tick`] about once a second, and does what each [`FeedOutput`] says.

use super::probe::Complaint;
use crate::model::{text::Clean, time::Mono};

/// Turns a connection's bytes into news.
pub trait Feed {
    /// What it tells.
    type News;

    /// The connection is made, for the first time or again: everything half-read is forgotten.
    fn open(&mut self, now: Mono) -> Vec<FeedOutput<Self::News>>;

    /// Bytes arrived.
    fn take(&mut self, bytes: &[u8], now: Mono) -> Vec<FeedOutput<Self::News>>;

    /// Time passed.
    fn tick(&mut self, now: Mono) -> Vec<FeedOutput<Self::News>>;
}

/// What a feed wants or tells, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedOutput<N> {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Something became known.
    News(N),
    /// What was told before may be outdated until the next news: the feed asks for everything again.
    Resync,
    /// So many messages could not be used: something may have been missed.
    Lost(u64),
    /// Something in a message was not understood; the rest was.
    Complaint(Complaint),
    /// The connection is of no use any more, for this reason. Close it and, after a pause, open another.
    Close(Clean),
}
