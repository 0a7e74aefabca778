//! The console on a recording. There is no session here and there are no connections: whatever the application wants
//! done to the cluster goes nowhere, so that the past can neither be changed nor be mistaken for now.
//!
//! Main type: [`Player`], which moves in a recording. [`run`] puts it on a terminal.

mod console;
mod player;

pub use console::run;
pub use player::Player;
