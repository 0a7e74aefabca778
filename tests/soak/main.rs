//! Long series against the lab: `./dev soak`. A binary of its own, because none of it belongs into a quick test run;
//! everything is asserted all the same.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and print what they measured"
)]

#[path = "../fuzz/mod.rs"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod fuzz;
#[path = "../cluster/lab.rs"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod lab;
#[path = "../program/mod.rs"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod program;

mod cost;
mod drains;
mod measure;
#[path = "fuzz.rs"]
mod million;
mod watch;
