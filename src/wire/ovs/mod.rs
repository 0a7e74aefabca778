//! Open vSwitch: its database as a feed (OVSDB, RFC 7047), and the text commands that say what the database does not.
//!
//! The database answers on its own: it also does when the daemon that switches is dead. Live counters, learned
//! addresses and the state of bonds come from the daemon, as text.
//!
//! Deliberately absent: flow tables, and the locks of OVSDB (taking the daemon's own lock would keep it from starting).

mod cells;
pub mod daemon;
mod datum;
mod feed;
mod frames;
mod interface;
pub mod message;
mod sample;
mod schema;
mod tables;
pub mod text;
mod told;

pub use feed::{ECHO_MS, OvsFeed, RESYNCS_MAX, SILENCE_MS_MAX};
pub use frames::MESSAGE_BYTES_MAX;
pub use sample::{BRIDGES_MAX, INTERFACES_MAX};
pub use told::{HOLD_MS, OvsProbe, Told};
