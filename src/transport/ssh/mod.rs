//! One SSH connection per node, carrying everything.

use super::{Answer, TransportEvent};
use crate::{
    model::{ids::NodeName, inventory::Inventory, time::Clock, trouble::Trouble},
    wire::request::{Reply, Request},
};
use std::sync::Arc;
use tokio::sync::mpsc;

/// All connections.
#[derive(Debug)]
pub struct Fleet {}

impl Fleet {
    /// Starts connecting to every node; events arrive in `events`.
    pub fn start(_inventory: Arc<Inventory>, _clock: Arc<dyn Clock>, _events: mpsc::Sender<TransportEvent>) -> Self {
        Self {}
    }

    /// Sends one request over the node's connection and waits for the answer, at most its deadline.
    /// A write is refused: only the executor's own transport may write.
    pub async fn call(&self, _node: &NodeName, _request: &Request) -> Result<Reply, Trouble> {
        Err(Trouble::new(crate::model::trouble::TroubleKind::Internal, "not built", "build it"))
    }

    /// The operator's answer to a question.
    pub fn answer(&self, _node: &NodeName, _question: u64, _answer: Answer) {}

    /// Try again now instead of waiting for the back-off.
    pub fn reconnect(&self, _node: &NodeName) {}

    /// Closes every connection, removes what was made for them, and waits for it.
    pub async fn shutdown(self) {}
}
