//! The integration tests, one binary.

#[cfg(test)]
mod config;
mod plans;
mod run;
mod wire;
