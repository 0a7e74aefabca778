//! A cluster in memory that answers requests as real daemons do: for `vakt demo`, for stories of operators, and for
//! measuring vakt at sizes that no laboratory has.
//!
//! [`Cluster`] is pure: time is an input and its answers are made from captures of real daemons. [`Scenario`] says what
//! it consists of and what happens to it, [`Fault`] what can go wrong. A [`Simulation`] lets its time follow a clock;
//! [`SimConnections`] are the way to its nodes within one process, [`SimServer`] and [`SimClient`] between two.
//!
//! Deliberately absent: anything that was not seen on a real daemon. A command that is not modelled is answered as one
//! that the daemon does not know.

mod client;
mod cluster;
mod connections;
mod fault;
pub mod files;
mod links;
mod running;
mod scenario;
mod server;
mod troubles;
mod wire;

pub use client::SimClient;
pub use cluster::{Cluster, Contact, GuestState, LibvirtState, Outcome, Written};
pub use connections::SimConnections;
pub use fault::{Fault, FaultError, ServerPath, WORDS};
pub use running::Simulation;
pub use scenario::{DEFAULT, NODES_MAX, Scenario};
pub use server::SimServer;
