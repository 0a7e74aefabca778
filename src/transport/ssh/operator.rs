//! The operator as one connection sees him: whom to ask, and how its state shows.

use super::{
    super::{Answer, TransportEvent},
    questions::Questions,
};
use crate::model::{
    ids::NodeName,
    link::{Ask, LinkEvent, LinkState},
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Tells what happens to one connection, and asks on its behalf.
#[derive(Debug)]
pub(super) struct Operator {
    /// The node that is told about; for a jump host, the first node that goes through it.
    node: NodeName,
    /// The jump host's name. A jump host's states are not told, only its questions are.
    hop: Option<String>,
    /// Whether nothing is told of it, because another connection stands for the node.
    is_silent: bool,
    questions: Arc<Questions>,
    events: mpsc::Sender<TransportEvent>,
    state: watch::Sender<LinkState>,
    /// Handshake permits of the connection, given back while a question stands.
    permits: Mutex<Vec<tokio::sync::OwnedSemaphorePermit>>,
    /// Ends of the present attempt: a question does not outlive its connection.
    attempt: Mutex<CancellationToken>,
}

impl Operator {
    pub(super) fn new(
        node: NodeName,
        hop: Option<String>,
        questions: Arc<Questions>,
        events: mpsc::Sender<TransportEvent>,
    ) -> Self {
        Self {
            node,
            hop,
            is_silent: false,
            questions,
            events,
            state: watch::Sender::new(LinkState::Idle),
            permits: Mutex::default(),
            attempt: Mutex::default(),
        }
    }

    /// The same for a connection of which nothing is told.
    #[must_use]
    pub(super) fn silent(self) -> Self {
        Self { is_silent: true, ..self }
    }

    /// The node under whose name things are told and asked.
    pub(super) fn node(&self) -> &NodeName {
        &self.node
    }

    /// The connection's state, now and in future.
    pub(super) fn states(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    pub(super) fn state(&self) -> LinkState {
        self.state.borrow().clone()
    }

    /// Sets the state and tells it.
    pub(super) async fn become_(&self, state: LinkState) {
        let changed = self.state.send_if_modified(|now| {
            let changed = *now != state;
            now.clone_from(&state);
            changed
        });
        if changed {
            self.tell(LinkEvent::State(state)).await;
        }
    }

    /// A stage of connecting. Not told while the node is known to be down: the reason stays on screen.
    pub(super) async fn stage(&self, words: &str) {
        if !matches!(self.state(), LinkState::Down { .. }) {
            self.become_(LinkState::Connecting { stage: words.into() }).await;
        }
    }

    /// Tells something about the connection, unless it is a jump host's.
    pub(super) async fn tell(&self, event: LinkEvent) {
        if self.hop.is_none() && !self.is_silent {
            // The loop that listens is gone only at the end of the program.
            let _ = self.events.send(TransportEvent::Link { node: self.node.clone(), event }).await;
        }
    }

    /// How texts of a jump host are marked: its questions appear under a node's name.
    pub(super) fn prefix(&self) -> String {
        self.hop.as_ref().map(|hop| format!("jump host {hop}:")).unwrap_or_default()
    }

    /// A new attempt begins; its questions end when `attempt` is cancelled.
    pub(super) fn begin(&self, attempt: CancellationToken, permits: Vec<tokio::sync::OwnedSemaphorePermit>) {
        *self.attempt.lock().unwrap_or_else(PoisonError::into_inner) = attempt;
        *self.permits.lock().unwrap_or_else(PoisonError::into_inner) = permits;
    }

    /// Gives the handshake permits back.
    pub(super) fn release(&self) {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Asks. `None` when the attempt ended before the answer came.
    pub(super) async fn ask(&self, ask: Ask) -> Option<Answer> {
        // Others must not wait for this operator's coffee break.
        self.release();
        let before = self.state();
        self.become_(LinkState::Asking).await;
        let attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = tokio::select! {
            answer = self.questions.ask(&self.node, ask) => Some(answer),
            () = attempt.cancelled() => None,
        };
        let after = match before {
            LinkState::Down { .. } => before,
            _ => LinkState::Connecting { stage: "authenticating".into() },
        };
        self.become_(after).await;
        answer
    }
}
