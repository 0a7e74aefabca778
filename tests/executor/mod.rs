//! Runs in a process of their own: `vakt do`, `vakt runs attach|resume|rollback`, on the lab.
//!
//! Every test has a state folder of its own and leaves web03 in traffic, also when it fails.

mod bench;
mod followers;
mod killed;
mod lifecycle;
