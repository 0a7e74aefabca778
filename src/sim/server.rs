//! The simulation on a unix socket, for other processes: the executor reaches the demo's cluster through it.

use super::{
    SimConnections, Simulation,
    wire::{self, ASKED_BYTES_MAX, Asked, LINES_WAITING_MAX, ToldLine},
};
use crate::{
    model::inventory::Inventory,
    transport::{Connections, TransportEvent},
    wire::request::Access,
};
use std::{io, path::Path, sync::Arc};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    sync::{Semaphore, mpsc},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Clients at once; further ones wait.
const CLIENTS_MAX: usize = 16;
/// Requests of one client at once; further ones wait.
const REQUESTS_MAX: usize = 128;

/// Serves a simulation until it is dropped.
#[derive(Debug)]
pub struct SimServer {
    stop: CancellationToken,
}

impl SimServer {
    /// Listens at `path`. Whoever may open it may change the simulated cluster: it belongs into a folder of one's own.
    ///
    /// # Errors
    /// When the socket cannot be made there.
    pub fn start(simulation: Arc<Simulation>, inventory: Arc<Inventory>, path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let accepting = stop.clone();
        tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(CLIENTS_MAX));
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                let stream = tokio::select! {
                    () = accepting.cancelled() => break,
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => stream,
                        Err(error) => {
                            tracing::warn!("the simulation accepts no more clients: {error}");
                            break;
                        }
                    },
                };
                let (simulation, inventory) = (Arc::clone(&simulation), Arc::clone(&inventory));
                let stop = accepting.clone();
                tasks.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        ended = serve(stream, simulation, &inventory) => if let Err(error) = ended {
                            tracing::info!("a client of the simulation ended: {error}");
                        }
                    }
                    drop(place);
                });
            }
        });
        Ok(Self { stop })
    }
}

impl Drop for SimServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// One client, with connections of its own.
async fn serve(stream: UnixStream, simulation: Arc<Simulation>, inventory: &Inventory) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let (events_in, events) = mpsc::channel(LINES_WAITING_MAX);
    let (lines_in, lines) = mpsc::channel(LINES_WAITING_MAX);
    let connections = Arc::new(SimConnections::start(simulation, inventory, events_in));
    let answered = tokio::select! {
        answered = answer(BufReader::new(read), Arc::clone(&connections), lines_in) => answered,
        told = tell(write, events, lines) => told,
    };
    connections.shutdown().await;
    answered
}

async fn answer(
    mut reader: BufReader<tokio::net::unix::OwnedReadHalf>,
    connections: Arc<SimConnections>,
    lines: mpsc::Sender<ToldLine>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(REQUESTS_MAX));
    while let Some(asked) = wire::next(&mut reader, ASKED_BYTES_MAX).await? {
        let (id, node, request) = match asked {
            Asked::Reconnect { node } => {
                connections.reconnect(&node);
                continue;
            }
            Asked::Request { id, node, request } => (id, node, request),
        };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (connections, lines) = (Arc::clone(&connections), lines.clone());
        tokio::spawn(async move {
            let line = if request.access == Access::Write {
                ToldLine::Sent { id, sent: connections.write(&node, &request).await.into() }
            } else {
                ToldLine::Answer { id, answer: connections.read(&node, &request).await.map(Into::into) }
            };
            // The client is gone: nobody wants the answer.
            let _ = lines.send(line).await;
            drop(place);
        });
    }
    Ok(())
}

async fn tell(
    mut write: OwnedWriteHalf,
    mut events: mpsc::Receiver<TransportEvent>,
    mut lines: mpsc::Receiver<ToldLine>,
) -> io::Result<()> {
    loop {
        let told = tokio::select! {
            Some(event) = events.recv() => match event {
                TransportEvent::Link { node, event } => ToldLine::Link { node, event },
                // A simulation asks nothing.
                TransportEvent::Question { .. } | TransportEvent::QuestionGone { .. } => continue,
            },
            Some(line) = lines.recv() => line,
            else => return Ok(()),
        };
        write.write_all(wire::line(&told)?.as_bytes()).await?;
    }
}
