//! Connections to a simulation that another process runs.

use super::{
    troubles,
    wire::{self, Asked, LINES_WAITING_MAX, SentLine, TOLD_BYTES_MAX, TextReply, ToldLine},
};
use crate::{
    model::{ids::NodeName, text::Clean, trouble::Trouble},
    transport::{Answer, Connections, Permit, Sent, TransportEvent, WritingConnections},
    wire::request::{Access, Reply, Request},
};
use futures::future::BoxFuture;
use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{UnixStream, unix::OwnedReadHalf},
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// The simulation keeps every deadline itself; its process may be stopped, though.
const GRACE_MS: u64 = 1_000;

/// What came back for one request.
#[derive(Debug)]
enum Came {
    Answer(Result<TextReply, Trouble>),
    Sent(SentLine),
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Came>>>>;

/// A place in the list of those who wait; given up whatever becomes of the waiting.
struct Slot<'a> {
    id: u64,
    waiting: &'a Waiting,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        lock(self.waiting).remove(&self.id);
    }
}

/// The way to the nodes of a simulation in another process.
#[derive(Debug)]
pub struct SimClient {
    asked: mpsc::Sender<Asked>,
    waiting: Waiting,
    next_id: std::sync::atomic::AtomicU64,
    stop: CancellationToken,
}

impl SimClient {
    /// Connects to the socket of a running demo; the connections' events arrive in `events`.
    ///
    /// # Errors
    /// When nothing listens there.
    pub async fn connect(path: &Path, events: mpsc::Sender<TransportEvent>) -> io::Result<Self> {
        let (read, mut write) = UnixStream::connect(path).await?.into_split();
        let (asked, mut lines) = mpsc::channel::<Asked>(LINES_WAITING_MAX);
        let (waiting, stop) = (Waiting::default(), CancellationToken::new());
        let ends = stop.clone();
        tokio::spawn(async move {
            let outgoing = async {
                while let Some(asked) = lines.recv().await {
                    let Ok(line) = wire::line(&asked) else { continue };
                    if write.write_all(line.as_bytes()).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                () = ends.cancelled() => {}
                () = outgoing => {}
            }
            ends.cancel();
        });
        let (ends, answers) = (stop.clone(), Arc::clone(&waiting));
        tokio::spawn(async move {
            tokio::select! {
                () = ends.cancelled() => {}
                () = listen(read, &answers, &events) => {}
            }
            ends.cancel();
            // Whoever still waits learns that no answer will come.
            lock(&answers).clear();
        });
        Ok(Self { asked, waiting, next_id: std::sync::atomic::AtomicU64::new(1), stop })
    }

    /// Sends a request; what came back. `Err` says whether it may have been sent.
    async fn ask(&self, node: &NodeName, request: &Request) -> Result<Came, bool> {
        if self.stop.is_cancelled() {
            return Err(false);
        }
        let id = self.next_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).insert(id, sender);
        let _slot = Slot { id, waiting: &self.waiting };
        let asked = Asked::Request { id, node: node.clone(), request: request.clone() };
        let limit = Duration::from_millis(request.deadline_ms.saturating_add(GRACE_MS));
        if self.asked.send(asked).await.is_err() {
            return Err(false);
        }
        let came = tokio::select! {
            came = timeout(limit, receiver) => came.ok().and_then(Result::ok),
            () = self.stop.cancelled() => None,
        };
        came.ok_or(true)
    }

    async fn read(&self, node: &NodeName, request: &Request) -> Result<Reply, Trouble> {
        if request.access == Access::Write {
            return Err(troubles::writes_refused(node, request));
        }
        match self.ask(node, request).await {
            Ok(Came::Answer(answer)) => answer.map(Into::into),
            Ok(Came::Sent(_)) | Err(_) => Err(troubles::simulation_gone()),
        }
    }

    async fn write(&self, node: &NodeName, request: &Request) -> Sent {
        match self.ask(node, request).await {
            Ok(Came::Sent(sent)) => sent.into(),
            // A read is answered as a read: it was not sent as a write.
            Ok(Came::Answer(_)) => Sent::NotSent(Clean::line("this is a read; reads are called, not sent")),
            Err(true) => Sent::Lost(troubles::simulation_gone().cause),
            Err(false) => Sent::NotSent(troubles::simulation_gone().cause),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(read: OwnedReadHalf, waiting: &Waiting, events: &mpsc::Sender<TransportEvent>) {
    let mut reader = BufReader::new(read);
    loop {
        let told = match wire::next(&mut reader, TOLD_BYTES_MAX).await {
            Ok(Some(told)) => told,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!("the simulation's answer is not understood: {error}");
                return;
            }
        };
        let (id, came) = match told {
            ToldLine::Link { node, event } => {
                // The loop that listens is gone only at the end of the program.
                let _ = events.send(TransportEvent::Link { node, event }).await;
                continue;
            }
            ToldLine::Answer { id, answer } => (id, Came::Answer(answer)),
            ToldLine::Sent { id, sent } => (id, Came::Sent(sent)),
        };
        if let Some(sender) = lock(waiting).remove(&id) {
            // Its caller has stopped waiting.
            let _ = sender.send(came);
        }
    }
}

impl Connections for SimClient {
    fn call<'a>(&'a self, node: &'a NodeName, request: &'a Request) -> BoxFuture<'a, Result<Reply, Trouble>> {
        Box::pin(self.read(node, request))
    }

    /// A simulation asks nothing.
    fn answer(&self, _node: &NodeName, _question: u64, _answer: Answer) {}

    fn reconnect(&self, node: &NodeName) {
        // When the queue is full the simulation is stuck, and one attempt less changes nothing.
        let _ = self.asked.try_send(Asked::Reconnect { node: node.clone() });
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.stop.cancel() })
    }
}

impl WritingConnections for SimClient {
    fn send<'a>(&'a self, node: &'a NodeName, request: &'a Request, _permit: Permit) -> BoxFuture<'a, Sent> {
        Box::pin(self.write(node, request))
    }
}

impl Drop for SimClient {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
