//! Bytes to facts and questions to bytes, one folder per technology; no IO.
//!
//! Parsing what a node sent never panics and never loses a screen to one bad field: every `interpret` returns what it
//! understood and a list of complaints.

mod complaints;
pub mod feed;
pub mod haproxy;
pub mod host;
pub mod linux_bridge;
pub mod mask;
pub mod mysql;
pub mod ovs;
pub mod probe;
pub mod request;
