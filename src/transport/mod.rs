//! The way to the nodes, and to the one command on this machine that a run may start.

pub mod hook;
#[cfg(feature = "libvirt")]
mod libvirt;
pub mod ssh;

use crate::{
    model::{
        ids::NodeName,
        link::{LinkEvent, Question},
        text::Clean,
        trouble::Trouble,
    },
    wire::request::{Reply, Request},
};
use futures::future::BoxFuture;
use secrecy::SecretString;
use std::fmt;

/// The way to the nodes of one cluster: SSH connections, or a simulation of them.
pub trait Connections: fmt::Debug + Send + Sync {
    /// Sends one read and waits for the answer, at most its deadline. A write is refused before a byte is sent.
    fn call<'a>(&'a self, node: &'a NodeName, request: &'a Request) -> BoxFuture<'a, Result<Reply, Trouble>>;
    /// Reads that belong together, each answered, or the first trouble. A way that can sends them at once: each round trip
    /// wakes several processes on the node.
    fn call_all<'a>(
        &'a self,
        node: &'a NodeName,
        requests: &'a [Request],
    ) -> BoxFuture<'a, Result<Vec<Reply>, Trouble>> {
        Box::pin(async move {
            let mut replies = Vec::with_capacity(requests.len());
            for request in requests {
                replies.push(self.call(node, request).await?);
            }
            Ok(replies)
        })
    }
    /// The operator's answer to a question.
    fn answer(&self, node: &NodeName, question: u64, answer: Answer);
    /// Try again now instead of waiting for the back-off.
    fn reconnect(&self, node: &NodeName);
    /// Closes everything, and waits for it.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// Connections that may change something. Only the executor has them.
pub trait WritingConnections: Connections {
    /// Sends one write, once. Its record is durable: `permit` says so.
    fn send<'a>(&'a self, node: &'a NodeName, request: &'a Request, permit: Permit) -> BoxFuture<'a, Sent>;

    /// Opens what this write would have to open first, so that it leaves at once when its time has come. Nothing is
    /// written; whoever cannot do it, or fails, opens it with the write.
    fn stand_ready<'a>(&'a self, node: &'a NodeName, request: &'a Request) -> BoxFuture<'a, ()> {
        let _ = (node, request);
        Box::pin(std::future::ready(()))
    }
}

/// Connections on which a program can be kept, which holds a lock on the node for as long as this end lives. Only the
/// executor uses them.
pub trait LockChannels: fmt::Debug + Send + Sync {
    /// Runs a command line of our own making in a channel of its own, with its standard input open; the stream is its
    /// input and its output. Dropping the stream ends it.
    fn keep<'a>(&'a self, node: &'a NodeName, command: &'a str) -> BoxFuture<'a, Result<ssh::BoxStream, Trouble>>;
}

/// The word of the executor's journal that the record of a write is durable. Made there and nowhere else; a test of the
/// architecture looks for other makers.
#[derive(Debug)]
pub struct Permit {
    /// The record that announced the write.
    pub record: u64,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The node answered.
    Replied(Reply),
    /// Sent, at least in part, and no answer will come.
    Lost(Clean),
    /// Certainly nothing left this machine.
    NotSent(Clean),
}

/// What the transport tells the loop.
#[derive(Debug, Clone)]
pub enum TransportEvent {
    /// A connection changed.
    Link {
        /// Whose.
        node: NodeName,
        /// How.
        event: LinkEvent,
    },
    /// A connection waits for the operator.
    Question {
        /// Whose.
        node: NodeName,
        /// For what.
        question: Question,
    },
    /// A question needs no answer any more.
    QuestionGone {
        /// Whose.
        node: NodeName,
        /// Which.
        id: u64,
    },
}

/// The operator's answer to a [`Question`]. Neither printed nor recorded.
#[derive(Debug, Clone)]
pub enum Answer {
    /// What was typed.
    Secret(SecretString),
    /// Yes, to a host key.
    Accept,
    /// No, or left unanswered.
    Refuse,
}
