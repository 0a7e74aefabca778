//! The way to the nodes.

pub mod ssh;

use crate::model::{
    ids::NodeName,
    link::{LinkEvent, Question},
};
use secrecy::SecretString;

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
