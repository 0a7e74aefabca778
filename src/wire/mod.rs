//! Bytes to facts and questions to bytes, one folder per technology; no IO.
//!
//! Parsing what a node sent never panics and never loses a screen to one bad field: every `interpret` returns what it
//! understood and a list of complaints.

pub mod certificates;
mod complaints;
pub mod countdown;
pub mod cut;
pub mod explain;
pub mod feed;
pub mod file_edit;
pub mod haproxy;
pub mod hook;
pub mod host;
pub mod libvirt;
pub mod linux_bridge;
pub mod logs;
pub mod mask;
pub mod memcached;
pub mod mysql;
pub mod ovs;
pub mod presence;
pub mod private_network;
pub mod probe;
pub mod request;
pub mod services;
mod sources;
pub mod tuning;
