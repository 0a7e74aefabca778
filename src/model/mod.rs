//! The vocabulary: what a cluster is made of and what can be known about it.
//!
//! Plain values only. No IO, no clock, no client crate: time arrives as an input ([`time::Now`]), and
//! bytes from a node arrive as [`text::Clean`].

pub mod address;
pub mod certificates;
pub mod countdown;
pub mod cut;
pub mod figure;
pub mod guest_act;
pub mod haproxy;
pub mod host;
pub mod hypervisor;
pub mod ids;
pub mod intent;
pub mod inventory;
pub mod link;
pub mod linux_bridge;
pub mod log;
pub mod memcached;
pub mod mysql;
pub mod node_act;
pub mod observation;
pub mod ovs;
pub mod ovs_daemon;
pub mod policy;
pub mod port_setting;
pub mod presence;
pub mod private_network;
pub mod services;
pub mod session_path;
pub mod text;
pub mod time;
pub mod trouble;
pub mod tune_act;
pub mod tuning;
pub mod world;
pub mod write_endpoint;
