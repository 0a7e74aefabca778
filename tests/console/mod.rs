//! The console: messages in, screens out. Every story goes through `update` and `draw`.

mod change_stages;
mod changes;
mod chart;
mod keys;
mod logs;
mod network;
mod polling;
mod properties;
mod runs;
mod screens;
pub(crate) mod world;
