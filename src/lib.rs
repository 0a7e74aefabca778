//! vakt: a terminal console from which an operator on a bastion runs a whole high-availability cluster.
//!
//! The layers, and what each may use, are listed in `ARCHITECTURE.md`; `tests/architecture` enforces them.

pub mod app;
pub mod cli;
pub mod config;
pub mod history;
pub mod model;
pub mod plan;
pub mod rules;
pub mod run;
pub mod runtime;
pub mod schedule;
pub mod sim;
pub mod transport;
pub mod view;
pub mod wire;
