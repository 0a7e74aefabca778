//! What a run hears and what it wants: the whole interface between the machine and the executor around it.

use super::{
    ending::Ending,
    record::{Operator, Record},
};
use crate::{
    model::{ids::NodeName, text::Clean, time::Mono},
    wire::{
        probe::{Facts, ProbeId},
        request::{Reply, Request},
    },
};
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    /// Begin. Once, first.
    Started,
    /// That record, and every one before it, will survive a crash.
    Journalled {
        /// Its number.
        seq: u64,
    },
    /// The journal cannot be written any more.
    JournalFailed {
        /// Why.
        why: Clean,
    },
    /// A [`RunCommand::Read`] is answered.
    Read {
        /// Which one.
        ticket: u64,
        /// Where.
        node: NodeName,
        /// What was read.
        probe: ProbeId,
        /// Facts, or why there are none.
        outcome: Result<Facts, Clean>,
    },
    /// A [`RunCommand::Send`] is answered by the node.
    Replied {
        /// Which one.
        ticket: u64,
        /// The answer.
        reply: Reply,
    },
    /// Sent, at least in part, and no answer will come: its effect is unknown.
    ReplyLost {
        /// Which one.
        ticket: u64,
        /// Why.
        why: Clean,
    },
    /// Certainly not sent: there was no connection, or the transport refused.
    NotSent {
        /// Which one.
        ticket: u64,
        /// Why.
        why: Clean,
    },
    /// Time passed.
    Tick,
    /// An operator says that what was done stays; it means something only while the run waits for that word.
    KeepAsked {
        /// Who.
        operator: Operator,
    },
    /// The operator wants it to end.
    AbortAsked,
    /// Others may act now: the lock over the nodes is no longer held. It ends as if the operator had asked.
    LockLost {
        /// Why.
        why: Clean,
    },
}

/// Something the executor is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunCommand {
    /// Append to the journal and make durable, in order; then [`RunEvent::Journalled`].
    Journal(Box<Record>),
    /// Send these reads and interpret the replies; then [`RunEvent::Read`].
    Read {
        /// Names the answer.
        ticket: u64,
        /// Where.
        node: NodeName,
        /// Who interprets.
        probe: ProbeId,
        /// What is sent.
        requests: Vec<Request>,
    },
    /// Send this write, once; then one of `Replied`, `ReplyLost`, `NotSent`.
    Send {
        /// Names the answer.
        ticket: u64,
        /// Where.
        node: NodeName,
        /// What is sent.
        request: Request,
    },
    /// Tick at this moment at the latest. A later one does not replace an earlier one.
    Wait {
        /// When.
        until: Mono,
    },
    /// It is over; nothing follows.
    End(Box<Ending>),
}
