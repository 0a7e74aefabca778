//! Two host samples become facts.

use crate::model::{
    host::{HostFacts, HostSample},
    time::Wall,
};

/// Facts from the newer sample and, where a rate needs it, the older one.
/// `received` and `round_trip_ms` place the node's clock against the bastion's.
pub fn derive(_older: Option<&HostSample>, newer: HostSample, _received: Wall, _round_trip_ms: u64) -> HostFacts {
    HostFacts { sample: newer, ..HostFacts::default() }
}
