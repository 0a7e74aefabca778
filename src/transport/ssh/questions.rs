//! Questions that wait for the operator, and the way their answers come back.
//!
//! Nothing is held up by a question but the one who asks: no handshake permit, no lock of another node.

use super::super::{Answer, TransportEvent};
use crate::model::{
    ids::NodeName,
    link::{Ask, Question},
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{mpsc, oneshot};

/// Open questions at once, over all nodes. Beyond that a question counts as refused.
const OPEN_MAX: usize = 256;

/// The open questions.
#[derive(Debug)]
pub(super) struct Questions {
    open: Mutex<Open>,
    events: mpsc::Sender<TransportEvent>,
}

#[derive(Debug, Default)]
struct Open {
    next_id: u64,
    waiting: HashMap<u64, (NodeName, oneshot::Sender<Answer>)>,
}

impl Questions {
    pub(super) fn new(events: mpsc::Sender<TransportEvent>) -> Self {
        Self { open: Mutex::default(), events }
    }

    /// Asks, and waits without limit: the caller bounds it by its own life (shutdown, the connection's end).
    pub(super) async fn ask(&self, node: &NodeName, ask: Ask) -> Answer {
        let (sender, receiver) = oneshot::channel();
        let Some(id) = self.register(node, sender) else { return Answer::Refuse };
        // Dropping this future (the connection ended, shutdown) withdraws the question.
        let withdrawal = Withdrawal { questions: self, node, id };
        let question = Question { id, ask };
        if self.events.send(TransportEvent::Question { node: node.clone(), question }).await.is_err() {
            return Answer::Refuse;
        }
        let answer = receiver.await.unwrap_or(Answer::Refuse);
        drop(withdrawal);
        answer
    }

    /// Takes the operator's answer. An answer to a question that is gone is dropped.
    pub(super) fn answer(&self, node: &NodeName, id: u64, answer: Answer) {
        let mut open = self.lock();
        if open.waiting.get(&id).is_some_and(|(asked, _)| asked == node)
            && let Some((_, sender)) = open.waiting.remove(&id)
        {
            // The asker may have given up in this very moment; then nobody needs the answer.
            let _ = sender.send(answer);
        }
    }

    fn register(&self, node: &NodeName, sender: oneshot::Sender<Answer>) -> Option<u64> {
        let mut open = self.lock();
        if open.waiting.len() >= OPEN_MAX {
            return None;
        }
        open.next_id += 1;
        let id = open.next_id;
        open.waiting.insert(id, (node.clone(), sender));
        Some(id)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the question when its asker stops waiting unanswered, and says so.
struct Withdrawal<'a> {
    questions: &'a Questions,
    node: &'a NodeName,
    id: u64,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if self.questions.lock().waiting.remove(&self.id).is_some() {
            // A full event queue loses the notice, not the withdrawal: an answer to it will be dropped.
            let _ =
                self.questions.events.try_send(TransportEvent::QuestionGone { node: self.node.clone(), id: self.id });
        }
    }
}
