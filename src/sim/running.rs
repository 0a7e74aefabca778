//! A simulation that runs: the cluster, and how fast its time passes.

use super::{Cluster, Contact, Fault, FaultError, Outcome};
use crate::{
    model::{
        ids::NodeName,
        time::{Clock, Mono, Now},
    },
    wire::request::Request,
};
use std::sync::{Arc, Mutex, PoisonError};

/// A cluster whose time follows a clock.
#[derive(Debug)]
pub struct Simulation {
    cluster: Mutex<Cluster>,
    clock: Arc<dyn Clock>,
    started: Mono,
    speed: f64,
}

impl Simulation {
    /// Lets time pass for a cluster that was made just now, `speed` times as fast as on the clock. Nodes show the
    /// clock's time of day all the same: a cluster whose clocks run ahead would be another fault.
    pub fn start(cluster: Cluster, clock: Arc<dyn Clock>, speed: f64) -> Arc<Self> {
        let started = cluster.now().mono;
        Arc::new(Self { cluster: Mutex::new(cluster), clock, started, speed })
    }

    /// The clock that is on the wall of whoever watches.
    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The cluster at this moment.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        let real = self.clock.now();
        let elapsed_ms = real.mono.since_ms(self.started) as f64 * self.speed;
        let now = Now { mono: self.started.plus_ms(elapsed_ms as u64), wall: real.wall };
        let mut cluster = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.advance(now);
        act(&mut cluster)
    }

    /// Breaks something, or mends it.
    pub fn fault(&self, fault: &Fault) -> Result<(), FaultError> {
        self.with(|cluster| cluster.fault(fault))
    }

    /// What comes of a request at this moment.
    pub(super) fn answer(&self, node: &NodeName, request: &Request) -> Outcome {
        self.with(|cluster| cluster.answer(node, request))
    }

    /// Whether and how a node answers, and how long the way there takes, milliseconds.
    pub(super) fn contact(&self, node: &NodeName) -> (Contact, u64) {
        self.with(|cluster| (cluster.contact(node), cluster.latency_ms()))
    }
}
