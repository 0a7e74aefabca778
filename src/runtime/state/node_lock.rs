//! The lock across bastions: held on most of the lock nodes, each by a script on a kept channel.
//!
//! A node frees the lock when its script's input ends or has been silent for the lease. This end stops believing in a
//! node earlier than that, so that two operators never both believe.

use crate::{
    model::{
        ids::{ClusterName, NodeName},
        text::Clean,
        trouble::Trouble,
    },
    run::lock::{Holder, LEASE_S, LINE_BYTES_MAX, hold_command},
    transport::{LockChannels, ssh::BoxStream},
};
use futures::future::join_all;
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Longest time in which a node may say whether it is held.
const TAKE_MAX: Duration = Duration::from_secs(10);
/// Longest wait for scripts to remove what they made.
const RELEASE_MAX: Duration = Duration::from_secs(2);

/// How often the lock is renewed, and how long a node is believed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two renewals.
    pub renew: Duration,
    /// A node that has answered no renewal for so long is not believed in any more; shorter than its lease.
    pub belief: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { renew: Duration::from_secs(5), belief: Duration::from_secs(LEASE_S - 10) }
    }
}

/// The lock, held on most of its nodes. Dropping it frees it; [`NodeLock::release`] also waits until nothing is left.
#[derive(Debug)]
pub struct NodeLock {
    held: watch::Receiver<usize>,
    needed: usize,
    end: CancellationToken,
    tasks: TaskTracker,
}

/// Why the lock is not held: fewer nodes than most of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotHeld {
    /// Nodes on which it could have been held.
    pub got: usize,
    /// Nodes that it takes.
    pub needed: usize,
    /// Nodes on which somebody else holds it; unknown when the holder has not said who it is.
    pub busy: Vec<(NodeName, Option<Holder>)>,
    /// Nodes that could not be asked, and why.
    pub unreachable: Vec<(NodeName, Clean)>,
}

impl fmt::Display for NotHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.got + self.busy.len() + self.unreachable.len();
        write!(f, "the lock needs {} of {nodes} nodes and got {}", self.needed, self.got)?;
        for (node, holder) in &self.busy {
            match holder {
                Some(holder) => write!(f, "; {node}: {holder}")?,
                None => write!(f, "; {node}: held by somebody who has not said who it is")?,
            }
        }
        for (node, why) in &self.unreachable {
            write!(f, "; {node}: {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for NotHeld {}

/// A node's answer.
enum Answer {
    Held(BufReader<BoxStream>),
    Busy(Option<Holder>),
    Trouble(Clean),
}

impl NodeLock {
    /// Takes the lock on all these nodes at once. With less than most of them it is given back everywhere.
    pub async fn take(
        channels: &dyn LockChannels,
        cluster: &ClusterName,
        nodes: &[NodeName],
        holder: &Holder,
        pace: Pace,
    ) -> Result<Self, NotHeld> {
        let command = hold_command(cluster);
        let asked = nodes.iter().map(|node| async {
            let answer = timeout(TAKE_MAX, ask(channels, node, &command, holder)).await;
            let silent = || Answer::Trouble(Clean::line(&format!("no answer within {} s", TAKE_MAX.as_secs())));
            (node.clone(), answer.unwrap_or_else(|_| silent()))
        });
        let mut refused = NotHeld { got: 0, needed: nodes.len() / 2 + 1, busy: Vec::new(), unreachable: Vec::new() };
        let mut streams = Vec::new();
        for (node, answer) in join_all(asked).await {
            match answer {
                Answer::Held(stream) => streams.push((node, stream)),
                Answer::Busy(holder) => refused.busy.push((node, holder)),
                Answer::Trouble(why) => refused.unreachable.push((node, why)),
            }
        }
        refused.got = streams.len();
        let (count, held) = watch::channel(streams.len());
        let lock = Self { held, needed: refused.needed, end: CancellationToken::new(), tasks: TaskTracker::new() };
        let count = Arc::new(count);
        for (node, stream) in streams {
            lock.tasks.spawn(hold(node, stream, pace, lock.end.clone(), Arc::clone(&count)));
        }
        if lock.is_held() {
            return Ok(lock);
        }
        lock.release().await;
        Err(refused)
    }

    /// Whether most nodes hold it now.
    pub fn is_held(&self) -> bool {
        *self.held.borrow() >= self.needed
    }

    /// Ends when it is not held on most nodes any more.
    pub async fn lost(&self) {
        let mut held = self.held.clone();
        // The senders are the tasks that hold it: without them nothing is held.
        let _ = held.wait_for(|count| *count < self.needed).await;
    }

    /// Frees it and waits until the nodes have removed what they made, as far as they can be reached.
    pub async fn release(self) {
        self.end.cancel();
        self.tasks.close();
        let _ = timeout(RELEASE_MAX, self.tasks.wait()).await;
    }
}

impl Drop for NodeLock {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// Asks one node to hold it.
async fn ask(channels: &dyn LockChannels, node: &NodeName, command: &str, holder: &Holder) -> Answer {
    let told = async {
        let line = holder.line().map_err(|error| Clean::line(&error.to_string()))?;
        let mut stream = channels.keep(node, command).await.map_err(|Trouble { cause, .. }| cause)?;
        let sent = stream.write_all(&line).await;
        sent.map_err(|error| Clean::line(&format!("it does not listen: {error}")))?;
        let mut stream = BufReader::new(stream);
        let first = line_of(&mut stream).await;
        Ok::<_, Clean>((stream, first.unwrap_or_default()))
    };
    let (mut stream, first) = match told.await {
        Ok(told) => told,
        Err(why) => return Answer::Trouble(why),
    };
    match first.strip_prefix(b"trouble ") {
        _ if first == b"held" => Answer::Held(stream),
        _ if first == b"busy" => {
            let second = line_of(&mut stream).await.unwrap_or_default();
            Answer::Busy(Holder::read(&second))
        }
        Some(why) => Answer::Trouble(Clean::line_from_bytes(why)),
        None if first.is_empty() => Answer::Trouble("its lock script ended without a word".into()),
        None => Answer::Trouble(Clean::line(&format!("its lock script said {}", Clean::line_from_bytes(&first)))),
    }
}

/// One line without its end, bounded; nothing when there is none.
async fn line_of(stream: &mut BufReader<BoxStream>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = stream.take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line).await;
    (read.is_ok() && line.pop() == Some(b'\n')).then_some(line)
}

/// Renews the lock on one node until it is freed or lost.
async fn hold(
    node: NodeName,
    stream: BufReader<BoxStream>,
    pace: Pace,
    end: CancellationToken,
    count: Arc<watch::Sender<usize>>,
) {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).take(u64::MAX);
    let mut heard = Vec::new();
    // When the newest renewal that was answered was sent: the node counts from then or later.
    let (mut sent, mut renewed) = (Instant::now(), Instant::now());
    let why = loop {
        tokio::select! {
            () = end.cancelled() => break None,
            () = sleep_until(sent + pace.renew) => {
                sent = Instant::now();
                if write.write_all(b"\n").await.is_err() {
                    break Some("its connection ended");
                }
            }
            read = lines.read_until(b'\n', &mut heard) => match read {
                Ok(_) if heard == b"alive\n" => {
                    renewed = sent;
                    heard.clear();
                }
                _ => break Some("its connection ended"),
            },
            () = sleep_until(renewed + pace.belief) => break Some("it does not answer"),
        }
    };
    count.send_modify(|count| *count -= 1);
    if let Some(why) = why {
        tracing::warn!("the lock on {node} is lost: {why}");
        return;
    }
    // The end of its input lets the script clean up; then its output ends, too.
    let _ = write.shutdown().await;
    let _ = timeout(RELEASE_MAX, lines.read_to_end(&mut heard)).await;
}
