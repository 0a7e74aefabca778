//! Where the values meet the world: the loop, the terminal, the collectors, the clock, the recorder, the state folder.

pub mod clock;
pub mod collector;
pub mod console;
pub mod executor;
pub mod follow;
pub mod inbox;
pub mod limits;
pub mod lines;
pub mod passphrases;
pub mod recorder;
pub mod runs;
pub mod session;
pub mod signals;
pub mod state;
pub mod terminal;
