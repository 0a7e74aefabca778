//! Runs probes: requests out, replies in, facts into the inbox. One task per running probe; the schedule allows one
//! per node and probe.

use crate::{
    app::msg::Report,
    model::{ids::NodeName, inventory::Inventory, time::Clock, trouble::Trouble, trouble::TroubleKind},
    transport::Connections,
    wire::{
        probe::{Complaint, Facts, ProbeId},
        request::Reply,
    },
};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Runs probes over the connections.
#[derive(Debug, Clone)]
pub struct Collector {
    connections: Arc<dyn Connections>,
    inventory: Arc<Inventory>,
    clock: Arc<dyn Clock>,
    reports: mpsc::Sender<Report>,
    tasks: TaskTracker,
}

impl Collector {
    /// A collector that reports to `reports`.
    pub fn new(
        connections: Arc<dyn Connections>,
        inventory: Arc<Inventory>,
        clock: Arc<dyn Clock>,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        Self { connections, inventory, clock, reports, tasks: TaskTracker::new() }
    }

    /// Starts one run of `probe`; its outcome arrives as a report, always exactly one.
    pub fn poll(&self, node: NodeName, probe: ProbeId) {
        let this = self.clone();
        self.tasks.spawn(async move {
            let started = this.clock.now().mono;
            let outcome = this.ask(&node, probe).await;
            let round_trip_ms = this.clock.now().mono.since_ms(started);
            let (outcome, complaints) = match outcome {
                Ok(replies) => understood(probe, &replies),
                Err(trouble) => (Err(trouble), Vec::new()),
            };
            let report = Report { node, probe, outcome, complaints, round_trip_ms };
            // The loop is gone: the program ends, nobody wants the report.
            let _ = this.reports.send(report).await;
        });
    }

    async fn ask(&self, name: &NodeName, probe: ProbeId) -> Result<Vec<Reply>, Trouble> {
        let Some(node) = self.inventory.node(name) else {
            return Err(Trouble::new(
                TroubleKind::Internal,
                format!("{name} is not in the inventory"),
                "report this as a bug",
            ));
        };
        let requests = probe.probe().requests(node, self.inventory.settings.poll.deadline_ms);
        let mut replies = Vec::with_capacity(requests.len());
        for request in &requests {
            replies.push(self.connections.call(name, request).await?);
        }
        Ok(replies)
    }
}

/// What the replies to a probe say.
pub(super) fn understood(probe: ProbeId, replies: &[Reply]) -> (Result<Facts, Trouble>, Vec<Complaint>) {
    let (facts, complaints) = probe.probe().interpret(replies);
    let outcome = facts.ok_or_else(|| {
        let first = complaints.first().map_or("the answer is empty", |complaint| complaint.text.as_str());
        Trouble::new(
            TroubleKind::AnswerNotUnderstood,
            format!("answer to the {probe} probe not understood: {first}"),
            "see the node's complaints; run the probe by hand with vakt check",
        )
    });
    (outcome, complaints)
}
