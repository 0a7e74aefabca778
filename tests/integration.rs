//! The integration tests, one binary.

#[cfg(test)]
mod config;
mod wire;
