//! Programs on nodes that live as long as this end does: what holds the cluster's lock.

use super::{BoxStream, Fleet, not_connected, registry, session::Target};
use crate::{
    model::{
        ids::NodeName,
        trouble::{Trouble, TroubleKind},
    },
    transport::LockChannels,
};
use futures::future::BoxFuture;
use std::sync::atomic::AtomicBool;

/// It says one line at a time.
const UNREAD_BYTES_MAX: usize = 64 * 1024;

impl Fleet {
    /// Runs a command line of our own making with its standard input open.
    pub async fn keep(&self, node: &NodeName, command: &str) -> Result<BoxStream, Trouble> {
        let peer = self.shared.node(node).ok_or_else(|| {
            Trouble::new(TroubleKind::Internal, format!("no node is called {node}"), "report this as a bug of vakt")
        })?;
        if self.shared.stop.is_cancelled() {
            return Err(registry::closed());
        }
        let Some(session) = peer.session() else { return Err(not_connected(node, peer.operator().state())) };
        let opened = session.open(Target::Talk(command.to_owned()), UNREAD_BYTES_MAX, &AtomicBool::default()).await;
        let channel = opened.map_err(|fault| session.open_trouble(&fault))?;
        Ok(Box::new(channel))
    }
}

impl LockChannels for Fleet {
    fn keep<'a>(&'a self, node: &'a NodeName, command: &'a str) -> BoxFuture<'a, Result<BoxStream, Trouble>> {
        Box::pin(self.keep(node, command))
    }
}
