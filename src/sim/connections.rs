//! Connections to the nodes of a simulation in the same process.

use super::{Contact, Outcome, Simulation, links::Links, links::Told, troubles};
use crate::{
    model::{ids::NodeName, inventory::Inventory, link::LinkState, text::Clean, trouble::Trouble},
    transport::{Answer, Connections, Permit, Sent, TransportEvent, WritingConnections},
    wire::request::{Access, Call, Reply, Request},
};
use futures::future::BoxFuture;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The connections are looked after this often at least.
const LOOK_MS_MAX: u64 = 50;

/// The way to the nodes of a simulation. Several programs may have one each.
#[derive(Debug)]
pub struct SimConnections {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Shared {
    simulation: Arc<Simulation>,
    links: Mutex<Links>,
    events: mpsc::Sender<TransportEvent>,
    /// Something happened to a connection.
    changed: Notify,
}

/// Why there is no answer.
enum Failure {
    /// Nothing left this machine.
    NotSent(Trouble),
    /// It was sent, and no answer will come.
    Lost(Trouble),
}

impl Failure {
    fn trouble(self) -> Trouble {
        match self {
            Self::NotSent(trouble) | Self::Lost(trouble) => trouble,
        }
    }
}

impl SimConnections {
    /// Starts connecting to every node; events arrive in `events`, as those of the SSH connections do.
    pub fn start(simulation: Arc<Simulation>, inventory: &Inventory, events: mpsc::Sender<TransportEvent>) -> Self {
        let links = Mutex::new(Links::new(inventory));
        let shared = Arc::new(Shared { simulation, links, events, changed: Notify::new() });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn({
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = shared.keep_connected() => {}
                }
            }
        });
        Self { shared, stop, tasks }
    }

    /// Sends one write. The caller answers for its record: the executor by its permit, the simulation's socket because
    /// the executor is at its other end.
    pub(super) async fn write(&self, node: &NodeName, request: &Request) -> Sent {
        if request.access != Access::Write {
            return Sent::NotSent(Clean::line("this is a read; reads are called, not sent"));
        }
        match self.shared.ask(node, request).await {
            Ok(reply) => Sent::Replied(reply),
            Err(Failure::NotSent(trouble)) => Sent::NotSent(trouble.cause),
            Err(Failure::Lost(trouble)) => Sent::Lost(trouble.cause),
        }
    }

    /// Sends one read.
    pub(super) async fn read(&self, node: &NodeName, request: &Request) -> Result<Reply, Trouble> {
        if request.access == Access::Write {
            return Err(troubles::writes_refused(node, request));
        }
        self.shared.ask(node, request).await.map_err(Failure::trouble)
    }
}

impl Shared {
    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves every connection on until everything ends.
    async fn keep_connected(&self) {
        loop {
            let now = self.simulation.clock().now();
            let (told, due) = {
                let mut links = self.links();
                let told = self
                    .simulation
                    .with(|cluster| links.advance(now, |node| (cluster.contact(node), cluster.latency_ms())));
                (told, links.next_due())
            };
            for event in told {
                self.tell(event).await;
            }
            let wait_ms = due.map_or(LOOK_MS_MAX, |due| due.since_ms(now.mono)).clamp(1, LOOK_MS_MAX);
            tokio::select! {
                () = sleep(Duration::from_millis(wait_ms)) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    async fn tell(&self, (node, event): Told) {
        // The loop that listens is gone only at the end of the program.
        let _ = self.events.send(TransportEvent::Link { node, event }).await;
    }

    async fn ask(&self, node: &NodeName, request: &Request) -> Result<Reply, Failure> {
        let state = self.links().state(node).cloned();
        match state {
            None => return Err(Failure::NotSent(troubles::no_node(node))),
            Some(LinkState::Up) => {}
            Some(state) => return Err(Failure::NotSent(troubles::not_connected(node, &state))),
        }
        let (contact, latency_ms) = self.simulation.contact(node);
        if contact == Contact::Refuses {
            self.changed.notify_one();
            return Err(Failure::NotSent(troubles::lost(node, "the server closed it")));
        }
        sleep(Duration::from_millis(latency_ms)).await;
        match self.simulation.answer(node, request) {
            Outcome::Reply { mut reply, delay_ms } => {
                if delay_ms + latency_ms >= request.deadline_ms {
                    return Err(self.miss(node, request, latency_ms).await);
                }
                if delay_ms > 0 {
                    sleep(Duration::from_millis(delay_ms)).await;
                }
                self.links().answered(node, self.simulation.clock().now().mono);
                if reply.bytes.len() > request.cap_bytes {
                    return Err(Failure::Lost(troubles::too_long(node, request)));
                }
                reply.elapsed_us = (latency_ms + delay_ms) * 1000;
                Ok(reply)
            }
            // As the transport does it: a server that says nothing is missed, and the connection is well.
            Outcome::Silent if matches!(request.call, Call::Sql { .. } | Call::SqlWrite { .. }) => {
                sleep(Duration::from_millis(request.deadline_ms.saturating_sub(latency_ms))).await;
                self.links().answered(node, self.simulation.clock().now().mono);
                Err(Failure::Lost(troubles::database_silent(node)))
            }
            Outcome::Silent => {
                let waited_ms = request.deadline_ms * 9 / 10;
                sleep(Duration::from_millis(waited_ms.saturating_sub(latency_ms))).await;
                self.links().answered(node, self.simulation.clock().now().mono);
                Err(Failure::Lost(troubles::libvirt_silent(node, waited_ms)))
            }
            Outcome::NoSocket if matches!(request.call, Call::Libvirt { .. } | Call::LibvirtWrite { .. }) => {
                Err(Failure::NotSent(troubles::libvirt_dead(node)))
            }
            Outcome::NoSocket => {
                let socket = match &request.call {
                    Call::Haproxy { socket, .. }
                    | Call::Ovsdb { socket, .. }
                    | Call::Sql { socket, .. }
                    | Call::SqlWrite { socket, .. } => socket.as_str(),
                    _ => "",
                };
                Err(Failure::NotSent(troubles::no_socket(node, socket)))
            }
            Outcome::Unreachable if self.simulation.contact(node).0 == Contact::Refuses => {
                self.changed.notify_one();
                Err(Failure::Lost(troubles::lost(node, "the server closed it")))
            }
            Outcome::Lost | Outcome::Unreachable => Err(self.miss(node, request, latency_ms).await),
        }
    }

    /// Waits for an answer that does not come.
    async fn miss(&self, node: &NodeName, request: &Request, waited_ms: u64) -> Failure {
        sleep(Duration::from_millis(request.deadline_ms.saturating_sub(waited_ms))).await;
        self.links().missed(node);
        self.changed.notify_one();
        Failure::Lost(troubles::deadline_missed(node, request))
    }
}

impl Connections for SimConnections {
    fn call<'a>(&'a self, node: &'a NodeName, request: &'a Request) -> BoxFuture<'a, Result<Reply, Trouble>> {
        Box::pin(self.read(node, request))
    }

    /// A simulation asks nothing.
    fn answer(&self, _node: &NodeName, _question: u64, _answer: Answer) {}

    fn reconnect(&self, node: &NodeName) {
        let told = self.shared.links().reconnect(node, self.shared.simulation.clock().now().mono);
        if let Some(told) = told {
            let shared = Arc::clone(&self.shared);
            self.tasks.spawn(async move {
                shared.tell(told).await;
                shared.changed.notify_one();
            });
        }
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.stop.cancel();
            self.tasks.close();
            self.tasks.wait().await;
        })
    }
}

impl WritingConnections for SimConnections {
    fn send<'a>(&'a self, node: &'a NodeName, request: &'a Request, _permit: Permit) -> BoxFuture<'a, Sent> {
        Box::pin(self.write(node, request))
    }
}

impl Drop for SimConnections {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.close();
    }
}
