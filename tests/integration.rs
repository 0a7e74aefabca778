//! The integration tests, one binary.

mod architecture;
mod cluster;
mod config;
mod console;
mod contract;
mod headless;
mod program;
mod rules;
mod schedule;
mod terminal;
mod wire;
