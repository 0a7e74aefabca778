//! The simulated cluster: its bytes, its behaviour, its faults, its connections.

mod behaviour;
mod bytes;
mod connections;
mod demo;
mod machines;
mod scenarios;
mod stage;
