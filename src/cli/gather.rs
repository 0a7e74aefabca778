//! Watching the cluster just long enough to answer once: until every node has said everything or cannot be reached, or
//! the wait is over. The same session and application as the console's, without a terminal.

use super::Cluster;
use crate::{
    app::{App, Options, msg::Event},
    model::{
        figure::Unknown,
        ids::NodeName,
        inventory::{Inventory, Node},
        link::LinkState,
        time::{Clock, Mono},
        world::NodeFacts,
    },
    runtime::{
        inbox::{Arrival, inbox},
        runs::Desk,
        session::{Left, Session},
    },
    transport::{Connections, ssh::Fleet},
    wire::probe::ProbeId,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Rates need two samples; the second one comes this long after the first.
const SECOND_SAMPLE_MS: u64 = 250;

/// A headless watch.
#[derive(Debug)]
pub(super) struct Gather {
    session: Session,
    inventory: Arc<Inventory>,
    /// Nodes whose second sample is due.
    second: Vec<(Mono, NodeName)>,
    /// Whether the state folder is still to tell how runs and wishes stand.
    standing_due: bool,
}

impl Gather {
    /// Starts connecting.
    pub(super) fn start(cluster: Cluster, options: Options, clock: Arc<dyn Clock>) -> Self {
        let Cluster { inventory, secrets } = cluster;
        let app = App::new(Arc::clone(&inventory), options, clock.now());
        Self::over(Session::start(app, &inventory, &secrets, clock), inventory)
    }

    /// Watches over a session that somebody else has started.
    pub(super) fn over(session: Session, inventory: Arc<Inventory>) -> Self {
        Self { session, inventory, second: Vec::new(), standing_due: false }
    }

    /// Starts connecting to the load balancers only.
    pub(super) fn load_balancers(cluster: Cluster, options: Options, clock: Arc<dyn Clock>) -> Self {
        let Cluster { inventory, secrets } = cluster;
        let balancers: BTreeSet<NodeName> =
            inventory.nodes.iter().filter(|node| node.haproxy_socket.is_some()).map(|node| node.name.clone()).collect();
        let (senders, inbox) = inbox();
        let fleet =
            Fleet::start_some(Arc::clone(&inventory), Arc::clone(&clock), senders.transport.clone(), &balancers);
        // Nobody asks nodes that are not connected; jump hosts among them are found in the whole inventory.
        let mut watched = inventory.as_ref().clone();
        watched.nodes.retain(|node| balancers.contains(&node.name));
        let watched = Arc::new(watched);
        let app = App::new(Arc::clone(&watched), options, clock.now());
        let session = Session::over(Arc::new(fleet), app, &watched, &secrets, clock, (senders, inbox));
        Self { session, inventory: watched, second: Vec::new(), standing_due: false }
    }

    /// The same watch, which also hears how runs and wishes stand.
    #[must_use]
    pub(super) fn with_runs(self, desk: Desk) -> Self {
        Self { session: self.session.with_runs(desk), standing_due: true, ..self }
    }

    /// The state so far.
    pub(super) fn app(&self) -> &App {
        &self.session.app
    }

    /// The connections, to ask nodes directly.
    pub(super) fn connections(&self) -> &dyn Connections {
        self.session.connections()
    }

    /// Watches until every node has answered completely or `wait` is over.
    pub(super) async fn until_complete(&mut self, wait: Duration) {
        let deadline = tokio::time::Instant::now() + wait;
        while !self.complete() {
            if tokio::time::timeout_at(deadline, self.step()).await.is_err() {
                break;
            }
        }
        // Rules have a rate limit; the answer is judged once more at its end.
        self.handle(Event::Tick.into());
        self.session.app.judge_now();
    }

    /// Watches until HAProxy has answered on every node, or cannot be reached, or `wait` is over.
    pub(super) async fn until_balancers_are_known(&mut self, wait: Duration) {
        let deadline = tokio::time::Instant::now() + wait;
        while !self.session.app.world.nodes.iter().all(|facts| {
            let is_lost = matches!(facts.link.state, LinkState::Down { .. } | LinkState::Asking);
            is_lost || facts.haproxy.last().is_some() || facts.haproxy.failure().is_some()
        }) {
            if tokio::time::timeout_at(deadline, self.step()).await.is_err() {
                break;
            }
        }
        self.handle(Event::Tick.into());
    }

    /// Watches for `wait`.
    pub(super) async fn for_a_while(&mut self, wait: Duration) {
        let deadline = tokio::time::Instant::now() + wait;
        while tokio::time::timeout_at(deadline, self.step()).await.is_ok() {}
    }

    /// Closes the connections.
    pub(super) async fn end(self) -> App {
        self.session.end().await
    }

    async fn step(&mut self) {
        let now = self.session.now().mono;
        let second_ms = self.second.iter().map(|(due, _)| due.since_ms(now)).min();
        let arrival = match second_ms {
            Some(ms) => match tokio::time::timeout(Duration::from_millis(ms), self.session.next()).await {
                Ok(arrival) => arrival,
                Err(_) => Event::Tick.into(),
            },
            None => self.session.next().await,
        };
        self.handle(arrival);
    }

    fn handle(&mut self, arrival: Arrival) {
        let now = self.session.now();
        let (due, later) = std::mem::take(&mut self.second).into_iter().partition(|(due, _)| *due <= now.mono);
        self.second = later;
        for (_, node) in due as Vec<(Mono, NodeName)> {
            self.session.app.schedule.hurry(&node, now.mono);
        }
        let reported = match &arrival.event {
            Event::Report(report) if report.probe == ProbeId::Host => Some(report.node.clone()),
            _ => None,
        };
        self.standing_due &= !matches!(arrival.event, Event::Standing(_));
        for left in self.session.handle(arrival) {
            // Headless there is no clipboard, nothing to suspend, and nobody to quit.
            debug_assert!(!matches!(left, Left::Suspend));
        }
        if let Some(node) = reported
            && self.session.app.world.node(&node).is_some_and(needs_second)
        {
            self.second.push((now.mono.plus_ms(SECOND_SAMPLE_MS), node));
        }
    }

    fn complete(&self) -> bool {
        let mut nodes = self.session.app.world.nodes.iter().zip(&self.inventory.nodes);
        // The world is in the order of the inventory.
        !self.standing_due && nodes.all(|(facts, node)| answered(facts, node))
    }
}

fn answered(facts: &NodeFacts, node: &Node) -> bool {
    match &facts.link.state {
        LinkState::Down { .. } | LinkState::Asking => true,
        LinkState::Up => ProbeId::ALL.into_iter().filter(|probe| probe.applies_to(node)).all(|probe| match probe {
            ProbeId::Host => facts.host.failure().is_some() || (facts.host.last().is_some() && !needs_second(facts)),
            ProbeId::HostProfile => facts.profile.last().is_some() || facts.profile.failure().is_some(),
            ProbeId::Haproxy => facts.haproxy.last().is_some() || facts.haproxy.failure().is_some(),
        }),
        LinkState::Idle | LinkState::Connecting { .. } => false,
    }
}

fn needs_second(facts: &NodeFacts) -> bool {
    facts.host.last().is_some_and(|host| host.cpu.why() == Some(Unknown::NeedsTwoSamples))
}
