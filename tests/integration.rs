//! The integration tests, one binary.

#[cfg(test)]
mod config;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod schedule;
