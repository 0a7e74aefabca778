//! The integration tests, one binary.

mod config;
mod console;
mod wire;
