//! Runs probes: requests out, replies in, facts into the inbox. One task per running probe; the schedule allows one
//! per node and probe.

use super::inbox::Arrival;
use crate::{
    app::{
        effect::LogAsk,
        msg::{Event, Report},
    },
    model::{ids::NodeName, inventory::Inventory, time::Clock, trouble::Trouble, trouble::TroubleKind},
    transport::Connections,
    wire::{
        logs,
        probe::{Complaint, Facts, ProbeId, ROUNDS_MAX},
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
    reports: mpsc::Sender<Arrival>,
    tasks: TaskTracker,
}

impl Collector {
    /// A collector that reports to `reports`.
    pub fn new(
        connections: Arc<dyn Connections>,
        inventory: Arc<Inventory>,
        clock: Arc<dyn Clock>,
        reports: mpsc::Sender<Arrival>,
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
            let (outcome, complaints, replies) = match outcome {
                Ok(replies) => {
                    let (outcome, complaints) = understood(probe, &replies);
                    (outcome, complaints, Some(replies.into()))
                }
                Err(trouble) => (Err(trouble), Vec::new(), None),
            };
            let report = Report { node, probe, outcome, complaints, round_trip_ms };
            // The loop is gone: the program ends, nobody wants the report.
            let _ = this.reports.send(Arrival { event: Event::Report(report), replies }).await;
        });
    }

    /// Reads a log; the answer arrives as an event, always exactly one.
    pub fn log(&self, ask: LogAsk) {
        let this = self.clone();
        self.tasks.spawn(async move {
            let node = this.inventory.node(&ask.node);
            let outcome = match node.and_then(|node| logs::ask(node, ask.log, ask.window)) {
                None => Err(Trouble::new(
                    TroubleKind::Internal,
                    format!("{} has no {}", ask.node, logs::title(ask.log)),
                    "correct the roles of the node in the configuration",
                )),
                Some(request) => {
                    let reply = this.connections.call(&ask.node, &request).await;
                    reply.map(|reply| logs::answer(ask.log, &reply, ask.window))
                }
            };
            let event = Event::Log { number: ask.number, outcome };
            // The loop is gone: the program ends, nobody reads it.
            let _ = this.reports.send(event.into()).await;
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
        let deadline_ms = self.inventory.settings.poll.deadline_ms;
        let probe = probe.probe();
        let mut requests = probe.requests_in(node, &self.inventory);
        let mut replies = Vec::with_capacity(requests.len());
        for _ in 0..ROUNDS_MAX {
            replies.extend(self.connections.call_all(name, &requests).await?);
            requests = probe.follow(node, deadline_ms, &replies);
            if requests.is_empty() {
                break;
            }
        }
        Ok(replies)
    }
}

/// What replies say; the same for what arrives now and for what a recording kept.
pub fn understood(probe: ProbeId, replies: &[Reply]) -> (Result<Facts, Trouble>, Vec<Complaint>) {
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
