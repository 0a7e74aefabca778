//! What two or more samples say together: rates that know counter resets, and fixed rings of figures with gaps.

mod balancer;
pub mod haproxy;
pub mod host;
pub mod mysql;
pub mod ovs;
pub mod recent;
pub mod series;
