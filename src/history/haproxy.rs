//! Two HAProxy samples become facts.

use crate::model::haproxy::{HaproxyFacts, HaproxySample};

/// Facts from the newer sample and the earlier facts; `elapsed_ms` lies between the two on the bastion's clock.
pub fn derive(_earlier: Option<&HaproxyFacts>, newer: HaproxySample, _elapsed_ms: u64) -> HaproxyFacts {
    HaproxyFacts { sample: newer, ..HaproxyFacts::default() }
}
