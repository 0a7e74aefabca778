//! What two or more samples say together: rates that know counter resets, and fixed rings of figures with gaps.

pub mod haproxy;
pub mod host;
pub mod recent;
pub mod series;
