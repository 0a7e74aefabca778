//! The integration tests, one binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and print what they measured"
)]

mod architecture;
mod cluster;
mod config;
mod console;
mod contract;
mod executor;
mod fuzz;
#[path = "fuzz/short.rs"]
mod fuzz_short;
mod headless;
mod mysql;
mod ovs;
mod plans;
mod program;
mod replay;
mod rules;
mod run;
mod schedule;
mod sim;
mod state;
mod stories;
mod terminal;
mod wire;
