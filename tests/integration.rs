//! The integration tests, one binary.

mod architecture;
mod cluster;
mod config;
mod console;
mod headless;
mod program;
mod terminal;
mod wire;
