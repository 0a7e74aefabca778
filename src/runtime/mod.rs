//! Where the values meet the world: the loop, the terminal, the collectors, the clock, the recorder,
//! the replay.

pub mod clock;
pub mod collector;
pub mod console;
pub mod inbox;
pub mod limits;
pub mod recorder;
pub mod replay;
pub mod session;
pub mod signals;
pub mod terminal;
