//! The integration tests, one binary.

mod console;
mod wire;
