//! A cluster in memory that answers requests as real daemons do: for `vakt demo`, for stories of operators, and for
//! measuring vakt at sizes that no laboratory has.
//!
//! [`Cluster`] is pure: time is an input and its answers are made from captures of real daemons. [`Scenario`] says what
//! it consists of and what happens to it, [`Fault`] what can go wrong.
//!
//! Deliberately absent: anything that was not seen on a real daemon. A command that is not modelled is answered as one
//! that the daemon does not know.

mod cluster;
mod fault;
mod scenario;

pub use cluster::{Cluster, Contact, Outcome, Written};
pub use fault::{Fault, FaultError, ServerPath, WORDS};
pub use scenario::{DEFAULT, NODES_MAX, Scenario};
