//! What all connections share, and which machines there are connections to.

use super::{
    connector::Connector,
    identity::Keyring,
    operator::Operator,
    peer::Peer,
    questions::Questions,
    settings::{Destination, Local},
};
use crate::{
    model::{
        ids::NodeName,
        inventory::Inventory,
        time::Clock,
        trouble::{Trouble, TroubleKind},
    },
    transport::TransportEvent,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Machines that are passed through, beyond the nodes.
const HOPS_MAX: usize = 256;

/// What all connections share.
pub(super) struct Shared {
    pub(super) inventory: Arc<Inventory>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) local: Local,
    pub(super) keyring: Keyring,
    pub(super) questions: Arc<Questions>,
    pub(super) events: mpsc::Sender<TransportEvent>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    handshakes: Arc<Semaphore>,
    /// By path: the machines to pass, then its own name. A node's path is its name alone.
    peers: Mutex<HashMap<Vec<String>, Arc<Peer>>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("connector", &self.connector).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(
        inventory: Arc<Inventory>,
        clock: Arc<dyn Clock>,
        connector: Arc<dyn Connector>,
        local: Local,
        events: mpsc::Sender<TransportEvent>,
    ) -> Self {
        let handshakes = inventory.settings.ssh.handshakes_max.max(1) as usize;
        Self {
            inventory,
            clock,
            connector,
            local,
            keyring: Keyring::default(),
            questions: Arc::new(Questions::new(events.clone())),
            events,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            handshakes: Arc::new(Semaphore::new(handshakes)),
            peers: Mutex::default(),
        }
    }

    /// One handshake more, as soon as there is room.
    pub(super) async fn handshake_permit(&self) -> Result<OwnedSemaphorePermit, Trouble> {
        Arc::clone(&self.handshakes).acquire_owned().await.map_err(|_| closed())
    }

    /// Starts a connection to every node that is wanted. The others may still be passed through.
    pub(super) fn start_nodes(self: &Arc<Self>, wanted: impl Fn(&NodeName) -> bool) {
        for node in self.inventory.nodes.iter().filter(|node| wanted(&node.name)) {
            let destination = Destination::new(node.name.as_str(), &node.management, &node.ssh);
            let operator = self.operator(node.name.clone(), None);
            self.start(vec![node.name.as_str().to_owned()], destination, operator);
        }
    }

    /// The connection to a node.
    pub(super) fn node(&self, name: &NodeName) -> Option<Arc<Peer>> {
        self.lock().get(std::slice::from_ref(&name.as_str().to_owned())).cloned()
    }

    /// The connection to a machine that `asking` goes through, started if need be. `before` are the machines that
    /// lead to it; if there are none, its own settings say how it is reached.
    pub(super) fn hop(
        self: &Arc<Self>,
        nearest: &str,
        before: &[String],
        asking: &NodeName,
    ) -> Result<Arc<Peer>, Trouble> {
        let mut destination = self.destination(nearest);
        let mut path = Vec::new();
        if !before.is_empty() && destination.jump.as_deref() != Some(before) {
            destination.jump = Some(before.to_vec());
            path.extend_from_slice(before);
        }
        path.push(nearest.to_owned());
        let mut peers = self.lock();
        if let Some(peer) = peers.get(&path) {
            return Ok(Arc::clone(peer));
        }
        if peers.len() >= self.inventory.nodes.len() + HOPS_MAX {
            return Err(Trouble::new(
                TroubleKind::SettingsUnusable,
                format!("more than {HOPS_MAX} jump hosts"),
                "name jump hosts once, under jump_hosts in the configuration",
            ));
        }
        let operator = self.operator(asking.clone(), Some(nearest.to_owned()));
        let peer = Arc::new(Peer::new(destination, self, operator));
        peers.insert(path, Arc::clone(&peer));
        drop(peers);
        self.tasks.spawn(Arc::clone(&peer).run());
        Ok(peer)
    }

    /// A node or jump host of the inventory by its name, or the text as `ssh -J` takes it.
    fn destination(&self, hop: &str) -> Destination {
        let node = self.inventory.nodes.iter().find(|node| node.name.as_str() == hop);
        let jump_host = self.inventory.settings.jump_hosts.iter().find(|jump_host| jump_host.name == hop);
        match (node, jump_host) {
            (Some(node), _) => Destination::new(hop, &node.management, &node.ssh),
            (None, Some(jump_host)) => Destination::new(hop, &jump_host.address, &jump_host.ssh),
            (None, None) => Destination::parse(hop),
        }
    }

    fn operator(&self, node: NodeName, hop: Option<String>) -> Operator {
        Operator::new(node, hop, Arc::clone(&self.questions), self.events.clone())
    }

    /// One that says nothing of the connection's states; questions are asked under the node's name.
    pub(super) fn silent_operator(&self, node: NodeName) -> Operator {
        self.operator(node, None).silent()
    }

    fn start(self: &Arc<Self>, path: Vec<String>, destination: Destination, operator: Operator) {
        let peer = Arc::new(Peer::new(destination, self, operator));
        self.lock().insert(path, Arc::clone(&peer));
        self.tasks.spawn(peer.run());
    }

    /// Forgets the connections; they hold what is shared, and it holds them.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<String>, Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// vakt is ending.
pub(super) fn closed() -> Trouble {
    Trouble::new(TroubleKind::ConnectionLost, "the connections are being closed", "start vakt again")
}
