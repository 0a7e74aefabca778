//! The lock on real nodes, by two operators whose connections are their own.

use super::holder;
use crate::cluster::lab::Lab;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use vakt::{
    config::{self, FileMetadata},
    model::{
        ids::{ClusterName, NodeName},
        inventory::Inventory,
        time::Clock,
    },
    run::lock::{self, LockState},
    runtime::{
        clock::SystemClock,
        state::{NodeLock, NotHeld, Pace},
    },
    transport::ssh::Fleet,
};

const NODES: [&str; 3] = ["lb01", "web01", "web02"];
const WAIT: Duration = Duration::from_secs(20);

/// One operator's connections to the lock nodes.
struct Bastion {
    fleet: Fleet,
    _events: mpsc::Receiver<vakt::transport::TransportEvent>,
}

impl Bastion {
    async fn connected(inventory: &Arc<Inventory>) -> Self {
        let (sender, mut events) = mpsc::channel(1024);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let fleet = Fleet::start(Arc::clone(inventory), clock, sender);
        let up = async {
            for node in names() {
                while fleet.keep(&node, ":").await.is_err() {
                    events.recv().await.unwrap();
                }
            }
        };
        tokio::time::timeout(WAIT, up).await.unwrap();
        Self { fleet, _events: events }
    }

    async fn take(&self, cluster: &ClusterName, process: u32) -> Result<NodeLock, NotHeld> {
        NodeLock::take(&self.fleet, cluster, &names(), &holder(process), Pace::default()).await
    }

    /// Who holds it, as one node tells.
    async fn asks(&self, cluster: &ClusterName, node: &str) -> LockState {
        let reply = self.fleet.call(&NodeName::from(node), &lock::read_request(cluster)).await.unwrap();
        lock::interpret(&reply)
    }
}

fn names() -> Vec<NodeName> {
    NODES.map(NodeName::from).to_vec()
}

fn inventory(lab: &Lab) -> Arc<Inventory> {
    let text = std::fs::read_to_string(lab.config()).unwrap();
    let metadata = FileMetadata { mode: Some(0o600), home: Some("/root".into()) };
    let mut inventory = config::load(lab.config().as_ref(), &text, &metadata).unwrap().inventory;
    inventory.nodes.retain(|node| NODES.contains(&node.name.as_str()));
    Arc::new(inventory)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_bastions_one_acts_the_other_names_the_holder_and_nothing_stays() {
    let Some(lab) = Lab::take() else { return };
    let inventory = inventory(&lab);
    let (a, b) = (Bastion::connected(&inventory).await, Bastion::connected(&inventory).await);
    let cluster = ClusterName::new(format!("test-{}", std::process::id()));
    for round in 0..100 {
        let (of_a, of_b) = tokio::join!(a.take(&cluster, 1), b.take(&cluster, 2));
        assert!(of_a.is_ok() != of_b.is_ok(), "round {round}: {of_a:?} {of_b:?}");
        of_a.or(of_b).unwrap().release().await;
    }
    let held = a.take(&cluster, 1).await.unwrap();
    let refused = b.take(&cluster, 2).await.unwrap_err();
    assert!(refused.busy.iter().any(|(_, found)| *found == Some(holder(1))), "{refused}");
    for node in NODES {
        assert_eq!(b.asks(&cluster, node).await, LockState::Held(Box::new(holder(1))), "{node}");
    }
    // The connection is cut without a goodbye: the nodes free it by themselves.
    drop(a);
    tokio::time::timeout(WAIT, held.lost()).await.unwrap();
    let freed = async {
        loop {
            if let Ok(lock) = b.take(&cluster, 2).await {
                return lock;
            }
        }
    };
    let lock = tokio::time::timeout(WAIT, freed).await.unwrap();
    lock.release().await;
    for node in NODES {
        let script = format!("ls -d /run/lock/vakt-{cluster}.* /tmp/vakt-{cluster}.* 2>/dev/null; :");
        let call = vakt::wire::request::Call::Shell { script: script.into() };
        let request = vakt::wire::request::Request::read(call, 5_000, 4_096);
        let left = b.fleet.call(&NodeName::from(node), &request).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&left.bytes), "", "{node}");
    }
    b.fleet.shutdown().await;
}
