//! Connections to a simulation: states, troubles, writes, and the same over its socket.

use super::stage::{SOCKET, scenario, write};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};
use vakt::{
    model::{
        ids::NodeName,
        inventory::Inventory,
        link::{LinkEvent, LinkState},
        time::Clock,
        trouble::TroubleKind,
    },
    runtime::clock::SystemClock,
    sim::{Cluster, Fault, SimClient, SimConnections, SimServer, Simulation},
    transport::{Permit, Sent, TransportEvent, WritingConnections},
    wire::request::{Call, Request},
};

/// Nothing here takes longer.
const LIMIT: Duration = Duration::from_secs(10);
const EVENTS: usize = 1024;

struct Bed {
    simulation: Arc<Simulation>,
    inventory: Arc<Inventory>,
    connections: Arc<dyn WritingConnections>,
    events: mpsc::Receiver<TransportEvent>,
    /// What stands behind connections over the socket.
    server: Option<(SimServer, TempDir)>,
}

/// The seed cluster with quick back-off and short deadlines, in this process or over the socket.
async fn bed(over_socket: bool) -> Bed {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let scenario = scenario("seed");
    let mut inventory = scenario.inventory().unwrap();
    (inventory.settings.ssh.backoff_min_ms, inventory.settings.ssh.backoff_max_ms) = (20, 50);
    let inventory = Arc::new(inventory);
    let simulation = Simulation::start(Cluster::new(&scenario, 1, clock.now()), clock, 1.0);
    let (sender, events) = mpsc::channel(EVENTS);
    let (connections, server): (Arc<dyn WritingConnections>, _) = if over_socket {
        let folder = TempDir::new().unwrap();
        let path: PathBuf = folder.path().join("simulation.sock");
        let server = SimServer::start(Arc::clone(&simulation), Arc::clone(&inventory), &path).unwrap();
        (Arc::new(SimClient::connect(&path, sender).await.unwrap()), Some((server, folder)))
    } else {
        (Arc::new(SimConnections::start(Arc::clone(&simulation), &inventory, sender)), None)
    };
    Bed { simulation, inventory, connections, events, server }
}

impl Bed {
    fn fault(&self, words: &str) {
        self.simulation.fault(&Fault::parse(words).unwrap()).unwrap();
    }

    /// Waits until the node's connection has a state that `holds`.
    async fn until(&mut self, node: &str, holds: impl Fn(&LinkState) -> bool) -> LinkState {
        let waiting = async {
            loop {
                let event = self.events.recv().await.unwrap();
                let TransportEvent::Link { node: told, event: LinkEvent::State(state) } = event else {
                    continue;
                };
                if told.as_str() == node && holds(&state) {
                    return state;
                }
            }
        };
        timeout(LIMIT, waiting).await.unwrap_or_else(|_| panic!("{node} did not come into that state"))
    }

    async fn until_down(&mut self, node: &str, kind: TroubleKind) {
        self.until(node, |state| matches!(state, LinkState::Down { trouble, .. } if trouble.kind == kind)).await;
    }

    async fn up(&mut self) {
        let mut missing: Vec<String> = self.inventory.nodes.iter().map(|node| node.name.to_string()).collect();
        while !missing.is_empty() {
            let event = timeout(LIMIT, self.events.recv()).await.unwrap().unwrap();
            let TransportEvent::Link { node, event: LinkEvent::State(LinkState::Up) } = event else {
                continue;
            };
            missing.retain(|name| *name != node.as_str());
        }
    }

    async fn read(&self, node: &str, command: &str, deadline_ms: u64) -> Result<String, TroubleKind> {
        let call = Call::Haproxy { socket: SOCKET.into(), command: command.into() };
        let request = Request::read(call, deadline_ms, 1 << 20);
        let reply = self.connections.call(&NodeName::from(node), &request).await;
        reply.map(|reply| String::from_utf8(reply.bytes).unwrap()).map_err(|trouble| trouble.kind)
    }

    async fn send(&self, node: &str, command: &str, deadline_ms: u64) -> Sent {
        let request = Request { deadline_ms, ..write(command) };
        self.connections.send(&NodeName::from(node), &request, Permit { record: 1 }).await
    }
}

#[tokio::test]
async fn every_node_comes_up_and_answers() {
    for over_socket in [false, true] {
        let mut bed = bed(over_socket).await;
        assert_eq!(bed.read("lb01", "show info", 1_000).await, Err(TroubleKind::ConnectionLost), "not yet up");
        bed.up().await;
        let info = bed.read("lb01", "show info", 1_000).await.unwrap();
        assert!(info.starts_with("Name: HAProxy\n"), "{info}");
        assert_eq!(bed.read("web01", "show info", 1_000).await, Err(TroubleKind::SocketMissing));
        assert_eq!(bed.read("web99", "show info", 1_000).await, Err(TroubleKind::Internal));
        bed.connections.shutdown().await;
    }
}

#[tokio::test]
async fn writes_go_through_send_only() {
    for over_socket in [false, true] {
        let mut bed = bed(over_socket).await;
        bed.up().await;
        let drain = write("set server web_cluster/web03 state drain");
        let refused = bed.connections.call(&NodeName::from("lb01"), &drain).await.unwrap_err();
        assert_eq!(refused.kind, TroubleKind::ReadOnly);
        let state = |text: String| text.lines().find(|line| line.contains(" web03 ")).unwrap().to_owned();
        let before = state(bed.read("lb01", "show servers state", 1_000).await.unwrap());
        assert!(before.contains(" web03 10.10.0.23 2 0 "), "{before}");
        let Sent::Replied(reply) = bed.send("lb01", "set server web_cluster/web03 state drain", 1_000).await else {
            panic!("no reply")
        };
        assert!(reply.bytes.is_empty());
        let after = state(bed.read("lb01", "show servers state", 1_000).await.unwrap());
        assert!(after.contains(" web03 10.10.0.23 2 8 "), "{after}");
        let read = Request::read(drain.call, 1_000, 4096);
        let not = bed.connections.send(&NodeName::from("lb01"), &read, Permit { record: 2 }).await;
        assert!(matches!(not, Sent::NotSent(_)), "{not:?}");
    }
}

#[tokio::test]
async fn a_lost_reply_and_a_late_one_are_lost_and_a_dead_node_gets_nothing() {
    for over_socket in [false, true] {
        let mut bed = bed(over_socket).await;
        bed.up().await;
        bed.fault("lose-reply lb01");
        assert!(matches!(bed.send("lb01", "set weight web_cluster/web01 1", 60).await, Sent::Lost(_)));
        bed.fault("slow lb01 500");
        assert!(matches!(bed.send("lb01", "set weight web_cluster/web01 1", 60).await, Sent::Lost(_)));
        bed.fault("heal lb01");
        assert!(matches!(bed.send("lb01", "set weight web_cluster/web01 1", 1_000).await, Sent::Replied(_)));
        bed.fault("kill lb01");
        assert!(matches!(bed.send("lb01", "set weight web_cluster/web01 1", 60).await, Sent::NotSent(_)));
        bed.until_down("lb01", TroubleKind::ConnectionLost).await;
        assert!(matches!(bed.send("lb01", "set weight web_cluster/web01 1", 60).await, Sent::NotSent(_)));
    }
}

#[tokio::test]
async fn a_killed_node_is_refused_until_it_is_back() {
    let mut bed = bed(false).await;
    bed.up().await;
    bed.fault("kill lb01");
    bed.until_down("lb01", TroubleKind::ConnectionLost).await;
    bed.until_down("lb01", TroubleKind::Refused).await;
    assert_eq!(bed.read("lb01", "show info", 1_000).await, Err(TroubleKind::Refused));
    bed.fault("heal lb01");
    bed.until("lb01", |state| *state == LinkState::Up).await;
    assert!(bed.read("lb01", "show info", 1_000).await.is_ok());
}

#[tokio::test]
async fn a_node_that_is_cut_or_frozen_costs_deadlines_and_then_its_connection() {
    for fault in ["cut lb01", "freeze lb01"] {
        let mut bed = bed(false).await;
        bed.up().await;
        bed.fault(fault);
        for _ in 0..bed.inventory.settings.ssh.missed_deadlines_max {
            assert_eq!(bed.read("lb01", "show info", 30).await, Err(TroubleKind::DeadlineMissed));
        }
        bed.until_down("lb01", TroubleKind::ConnectionLost).await;
        // The others do not notice.
        assert!(bed.read("lb02", "show info", 1_000).await.is_ok());
    }
}

#[tokio::test]
async fn a_reconnect_is_tried_at_once() {
    for over_socket in [false, true] {
        let mut bed = bed(over_socket).await;
        bed.up().await;
        bed.fault("kill web01");
        bed.until_down("web01", TroubleKind::Refused).await;
        bed.connections.reconnect(&NodeName::from("web01"));
        bed.until("web01", |state| matches!(state, LinkState::Connecting { .. })).await;
    }
}

#[tokio::test]
async fn who_waits_for_a_simulation_that_ends_is_told() {
    let mut bed = bed(true).await;
    bed.up().await;
    bed.fault("freeze lb01");
    let server = bed.server.take();
    let waiting = bed.send("lb01", "set weight web_cluster/web01 1", 8_000);
    let ending = async { drop(server) };
    let (sent, ()) = tokio::join!(timeout(LIMIT, waiting), ending);
    assert!(!matches!(sent.unwrap(), Sent::Replied(_)));
    // From now on it is certain that nothing leaves.
    let ended = async {
        while !matches!(bed.send("lb01", "set weight web_cluster/web01 1", 50).await, Sent::NotSent(_)) {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, ended).await.unwrap();
}

#[tokio::test]
async fn a_client_that_talks_nonsense_ends_alone() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut bed = bed(true).await;
    bed.up().await;
    let path = bed.server.as_ref().unwrap().1.path().join("simulation.sock");
    for nonsense in [b"not json\n".to_vec(), vec![b'x'; 100 * 1024]] {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        // The server may close before all of it is written.
        let _ = stream.write_all(&nonsense).await;
        let mut rest = Vec::new();
        let end = timeout(LIMIT, stream.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "the server closes the connection");
    }
    assert!(bed.read("lb01", "show info", 1_000).await.is_ok());
}
