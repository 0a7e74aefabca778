//! The program on the lab: real daemons, real faults.
//!
//! With `VAKT_LAB=1` a missing lab is a failure; without it these tests say that they are skipped. Faults change the
//! lab, so they take turns, and each heals what it broke.

pub(crate) mod addresses;
mod balancer_settings;
mod catalogue;
mod databases;
mod failover;
mod faults;
mod findings;
mod guests;
mod headless;
mod held;
mod host;
pub(crate) mod lab;
mod lasting;
mod machines;
mod nodes;
mod ports;
mod ramp;
mod reload;
mod services;
mod spike;
mod spike_by_keys;
mod switches;
mod switchover;
mod ten_nodes;
mod twenty_settings;
