//! The one inbox: everything that can change what is shown arrives here, in one order, bounded.

use crate::{
    app::msg::{Event, Report},
    transport::TransportEvent,
};
use tokio::sync::mpsc;

/// Reports that may wait. One probe in flight per node and kind bounds what can be under way at all.
const REPORTS_MAX: usize = 4096;
/// News of runs that may wait; those who follow runs wait when it is full, so none is lost.
const RUN_NEWS_MAX: usize = 256;
/// Transport events that may wait; senders wait when it is full, so none is lost.
const TRANSPORT_EVENTS_MAX: usize = 1024;

/// Receiving ends, owned by the loop.
#[derive(Debug)]
pub struct Inbox {
    reports: mpsc::Receiver<Report>,
    transport: mpsc::Receiver<TransportEvent>,
    runs: mpsc::Receiver<Event>,
}

/// Sending ends, for collectors, the transport and the port to runs.
#[derive(Debug, Clone)]
pub struct Senders {
    /// Finished probes.
    pub reports: mpsc::Sender<Report>,
    /// Connection events.
    pub transport: mpsc::Sender<TransportEvent>,
    /// News of runs.
    pub runs: mpsc::Sender<Event>,
}

/// A new inbox with its senders.
pub fn inbox() -> (Senders, Inbox) {
    let (reports_in, reports) = mpsc::channel(REPORTS_MAX);
    let (transport_in, transport) = mpsc::channel(TRANSPORT_EVENTS_MAX);
    let (runs_in, runs) = mpsc::channel(RUN_NEWS_MAX);
    let senders = Senders { reports: reports_in, transport: transport_in, runs: runs_in };
    (senders, Inbox { reports, transport, runs })
}

impl Inbox {
    /// The next event from nodes. Connection events come first: a report of a node that went down meanwhile is judged
    /// after the news.
    pub async fn next(&mut self) -> Event {
        tokio::select! {
            biased;
            Some(event) = self.transport.recv() => event.into(),
            Some(event) = self.runs.recv() => event,
            Some(report) = self.reports.recv() => Event::Report(report),
            else => std::future::pending().await,
        }
    }

    /// An event that is already there.
    pub fn ready(&mut self) -> Option<Event> {
        if let Ok(event) = self.transport.try_recv() {
            return Some(event.into());
        }
        if let Ok(event) = self.runs.try_recv() {
            return Some(event);
        }
        self.reports.try_recv().ok().map(Event::Report)
    }
}

impl From<TransportEvent> for Event {
    fn from(event: TransportEvent) -> Self {
        match event {
            TransportEvent::Link { node, event } => Self::Link { node, event },
            TransportEvent::Question { node, question } => Self::Question { node, question },
            TransportEvent::QuestionGone { node, id } => Self::QuestionGone { node, id },
        }
    }
}
