//! The one way to write over SSH. Only the executor makes a [`WritingFleet`]; the console and every command that looks
//! have a [`Fleet`], which refuses.

use super::{BoxStream, Fleet, afresh};
use crate::{
    model::{ids::NodeName, text::Clean, trouble::Trouble},
    transport::{Answer, Connections, LockChannels, Permit, Sent, WritingConnections},
    wire::request::{Access, Reply, Request},
};
use futures::future::BoxFuture;

/// A fleet that may also write, unless the configuration or the command line forbids it.
#[derive(Debug)]
pub struct WritingFleet {
    fleet: Fleet,
    read_only: bool,
}

impl WritingFleet {
    /// Over these connections. A read-only one refuses every write, whoever asks.
    pub fn new(fleet: Fleet, read_only: bool) -> Self {
        Self { fleet, read_only }
    }

    /// Sends one write, once. Its record is durable: `permit` says so.
    pub async fn send(&self, node: &NodeName, request: &Request, permit: Permit) -> Sent {
        if self.read_only {
            return Sent::NotSent(Clean::line(&format!("vakt is read-only; not sent to {node}: {request}")));
        }
        if request.access != Access::Write {
            return Sent::NotSent(Clean::line(&format!("this is no write: {request}")));
        }
        tracing::info!(%node, record = permit.record, %request, "write");
        if afresh::is_afresh(request) {
            return afresh::send(&self.fleet.shared, node, request).await;
        }
        match self.fleet.session(node) {
            Ok(session) => session.send(request).await,
            Err(trouble) => Sent::NotSent(trouble.cause),
        }
    }
}

impl Connections for WritingFleet {
    fn call<'a>(&'a self, node: &'a NodeName, request: &'a Request) -> BoxFuture<'a, Result<Reply, Trouble>> {
        Box::pin(self.fleet.call(node, request))
    }

    fn call_all<'a>(
        &'a self,
        node: &'a NodeName,
        requests: &'a [Request],
    ) -> BoxFuture<'a, Result<Vec<Reply>, Trouble>> {
        Box::pin(self.fleet.call_all(node, requests))
    }

    fn answer(&self, node: &NodeName, question: u64, answer: Answer) {
        self.fleet.answer(node, question, answer);
    }

    fn reconnect(&self, node: &NodeName) {
        self.fleet.reconnect(node);
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.fleet.shutdown())
    }
}

impl LockChannels for WritingFleet {
    fn keep<'a>(&'a self, node: &'a NodeName, command: &'a str) -> BoxFuture<'a, Result<BoxStream, Trouble>> {
        Box::pin(self.fleet.keep(node, command))
    }
}

impl WritingConnections for WritingFleet {
    fn send<'a>(&'a self, node: &'a NodeName, request: &'a Request, permit: Permit) -> BoxFuture<'a, Sent> {
        Box::pin(self.send(node, request, permit))
    }

    fn stand_ready<'a>(&'a self, node: &'a NodeName, request: &'a Request) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.read_only || request.access != Access::Write {
                return;
            }
            if let Ok(session) = self.fleet.session(node)
                && let Err(trouble) = session.stand_ready(request).await
            {
                // The write itself will tell what is wrong.
                tracing::debug!(%node, %trouble, "nothing stands ready");
            }
        })
    }
}
