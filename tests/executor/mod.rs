//! Runs in a process of their own: the executor on a simulated cluster; `vakt do` and `vakt runs` on the lab.
//!
//! Every test has a state folder of its own; those on the lab leave web03 in traffic, also when it fails.

mod address;
mod bench;
mod console;
mod followers;
mod hook;
mod killed;
mod lifecycle;
mod lost;
mod port;
mod simulated;
