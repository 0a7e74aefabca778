//! One SSH connection per node, carrying everything.
//!
//! [`Fleet`] is all the rest of vakt sees. Behind it, every node and jump host has an actor ([`peer`]) that makes one
//! [`attempt`] after the other until it has a [`session`], and watches that. Requests go straight to the session:
//! over the kept [`shell`], a channel of their own, a connection of their own ([`afresh`]), or a kept conversation with HAProxy ([`haproxy`]) or a database
//! ([`mysql`]), by the way that [`route`] finds. A fleet only reads; [`WritingFleet`], which only the executor has, adds the one way to write.
//! Deliberately absent: agent forwarding, port forwarding to this machine, and writes that are repeated.

mod afresh;
mod attempt;
mod authentication;
mod backoff;
#[cfg(feature = "libvirt")]
mod bridge;
mod channel;
mod connector;
mod conversations;
mod frame;
mod gate;
mod haproxy;
mod haproxy_cli;
mod identity;
mod kept;
mod known_hosts;
mod known_hosts_file;
mod libvirt;
mod libvirt_writing;
mod mysql;
mod mysql_bridge;
mod mysql_frames;
mod mysql_login;
mod mysql_writing;
mod operator;
mod ovs_daemon;
mod ovsdb;
mod peer;
mod proxy_command;
mod questions;
mod reader;
mod registry;
mod route;
mod scripts;
mod session;
mod settings;
mod shell;
mod ssh_config;
mod stream;
mod tcp;
mod ways;
mod writing;

pub use connector::{Connector, Dialled, TcpConnector};
pub use settings::Local;
pub use stream::{BoxStream, Stream};
pub use writing::WritingFleet;

use super::{Answer, Connections, TransportEvent};
use crate::{
    model::{
        ids::NodeName,
        inventory::Inventory,
        link::LinkState,
        time::Clock,
        trouble::{Trouble, TroubleKind},
    },
    wire::request::{Access, Reply, Request},
};
use futures::future::BoxFuture;
use registry::Shared;
use session::Session;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::mpsc;

/// All connections. Dropping it ends them without a goodbye; [`Fleet::shutdown`] takes leave.
#[derive(Debug)]
pub struct Fleet {
    shared: Arc<Shared>,
}

impl Fleet {
    /// Starts connecting to every node; events arrive in `events`.
    pub fn start(inventory: Arc<Inventory>, clock: Arc<dyn Clock>, events: mpsc::Sender<TransportEvent>) -> Self {
        Self::start_with(inventory, clock, events, Arc::new(TcpConnector), Local::of_this_process())
    }

    /// As [`Fleet::start`], over other streams than TCP and for another operator than the one who runs this process.
    pub fn start_with(
        inventory: Arc<Inventory>,
        clock: Arc<dyn Clock>,
        events: mpsc::Sender<TransportEvent>,
        connector: Arc<dyn Connector>,
        local: Local,
    ) -> Self {
        let shared = Arc::new(Shared::new(inventory, clock, connector, local, events));
        shared.start_nodes(|_| true);
        Self { shared }
    }

    /// As [`Fleet::start`], to these nodes only; others of the inventory are passed through where they are jump hosts.
    pub fn start_some(
        inventory: Arc<Inventory>,
        clock: Arc<dyn Clock>,
        events: mpsc::Sender<TransportEvent>,
        nodes: &BTreeSet<NodeName>,
    ) -> Self {
        let local = Local::of_this_process();
        let shared = Arc::new(Shared::new(inventory, clock, Arc::new(TcpConnector), local, events));
        shared.start_nodes(|name| nodes.contains(name));
        Self { shared }
    }

    /// Sends one request over the node's connection and waits for the answer, at most its deadline.
    /// A write is refused: only the executor's own transport may write.
    pub async fn call(&self, node: &NodeName, request: &Request) -> Result<Reply, Trouble> {
        only_reads(node, request)?;
        if afresh::is_afresh(request) {
            return afresh::call(&self.shared, node, request).await;
        }
        self.session(node)?.call(request).await
    }

    /// Sends requests that belong together, at once where the node can take them so.
    pub async fn call_all(&self, node: &NodeName, requests: &[Request]) -> Result<Vec<Reply>, Trouble> {
        requests.iter().try_for_each(|request| only_reads(node, request))?;
        if requests.iter().any(afresh::is_afresh) {
            let mut replies = Vec::with_capacity(requests.len());
            for request in requests {
                replies.push(self.call(node, request).await?);
            }
            return Ok(replies);
        }
        self.session(node)?.call_all(requests).await
    }

    /// The session with a node, or why there is none.
    fn session(&self, node: &NodeName) -> Result<Arc<Session>, Trouble> {
        let peer = self.shared.node(node).ok_or_else(|| {
            Trouble::new(TroubleKind::Internal, format!("no node is called {node}"), "report this as a bug of vakt")
        })?;
        if self.shared.stop.is_cancelled() {
            return Err(registry::closed());
        }
        peer.session().ok_or_else(|| not_connected(node, peer.operator().state()))
    }

    /// The operator's answer to a question.
    pub fn answer(&self, node: &NodeName, question: u64, answer: Answer) {
        self.shared.questions.answer(node, question, answer);
    }

    /// Try again now instead of waiting for the back-off.
    pub fn reconnect(&self, node: &NodeName) {
        if let Some(peer) = self.shared.node(node) {
            peer.reconnect();
        }
    }

    /// Closes every connection, removes what was made for them, and waits for it.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Connections for Fleet {
    fn call<'a>(&'a self, node: &'a NodeName, request: &'a Request) -> BoxFuture<'a, Result<Reply, Trouble>> {
        Box::pin(self.call(node, request))
    }

    fn call_all<'a>(
        &'a self,
        node: &'a NodeName,
        requests: &'a [Request],
    ) -> BoxFuture<'a, Result<Vec<Reply>, Trouble>> {
        Box::pin(self.call_all(node, requests))
    }

    fn answer(&self, node: &NodeName, question: u64, answer: Answer) {
        self.answer(node, question, answer);
    }

    fn reconnect(&self, node: &NodeName) {
        self.reconnect(node);
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.shutdown())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.forget();
    }
}

fn only_reads(node: &NodeName, request: &Request) -> Result<(), Trouble> {
    if request.access == Access::Write {
        return Err(Trouble::new(
            TroubleKind::ReadOnly,
            format!("this connection only reads; not sent to {node}: {request}"),
            "changes go through a plan: vakt do",
        ));
    }
    Ok(())
}

/// Why a request cannot be sent now.
fn not_connected(node: &NodeName, state: LinkState) -> Trouble {
    let why = match state {
        LinkState::Down { trouble, .. } => return trouble,
        LinkState::Connecting { stage } => stage.to_string(),
        LinkState::Asking => "waiting for an answer of the operator".into(),
        LinkState::Idle | LinkState::Up => "just begun".into(),
    };
    Trouble::new(TroubleKind::ConnectionLost, format!("{node} is not connected yet ({why})"), "wait for it")
}
