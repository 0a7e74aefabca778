//! What two or more samples say together: rates that know counter resets, and fixed rings of figures with gaps.

mod balancer;
pub mod coarse;
pub mod figures;
pub mod haproxy;
pub mod host;
pub mod hypervisor;
pub mod linux_bridge;
pub mod memcached;
pub mod mysql;
pub mod ovs;
pub mod presence;
pub mod private_network;
pub mod recent;
pub mod series;
pub mod services;
mod shelf;
pub mod tuning;
