//! Watching the cluster just long enough to answer once: until every node has said everything or cannot be reached, or
//! the wait is over. The same session and application as the console's, without a terminal.

use super::{Cluster, tune};
use crate::{
    app::{App, Options, msg::Event},
    history::tuning::called,
    model::{
        figure::Unknown,
        hypervisor::DomainRates,
        ids::NodeName,
        intent::Change,
        inventory::{Inventory, Node, Role},
        link::LinkState,
        mysql::MysqlFacts,
        observation::Observed,
        port_setting::PortSetting,
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
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

/// Rates need two samples; the second one comes this long after the first.
const SECOND_SAMPLE_MS: u64 = 250;

/// Nodes besides, that are asked who answers for an address.
const WITNESSES: usize = 3;

/// A headless watch.
#[derive(Debug)]
pub(super) struct Gather {
    /// Holds everything that is known of the cluster: too much to be moved from call to call.
    session: Box<Session>,
    inventory: Arc<Inventory>,
    /// Nodes whose second sample is due.
    second: Vec<(Mono, NodeName, ProbeId)>,
    /// Answers that came too late once and are asked for again: the first one often waits for a login, a relay, a busy node.
    late: BTreeMap<(NodeName, ProbeId), Late>,
    /// Whether the state folder is still to tell how runs and wishes stand.
    standing_due: bool,
    /// What a plan rests on besides load balancers and addresses.
    rests_on: &'static [ProbeId],
}

/// An answer that came too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Late {
    /// It is asked for once more.
    AskedAgain,
    /// What came then stands.
    Settled,
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
        Self {
            session: Box::new(session),
            inventory,
            second: Vec::new(),
            late: BTreeMap::new(),
            standing_due: false,
            rests_on: &[],
        }
    }

    /// Starts connecting to the nodes that a plan of that change looks at.
    pub(super) fn of_change(cluster: Cluster, options: Options, change: &Change, clock: Arc<dyn Clock>) -> Self {
        let balancers = concerned(&cluster.inventory, change);
        Self::of_nodes(cluster, options, &balancers, rests_on(change), clock)
    }

    /// Starts connecting to these nodes. What is waited for is named besides load balancers and addresses.
    pub(super) fn of_nodes(
        cluster: Cluster,
        options: Options,
        names: &BTreeSet<NodeName>,
        rests_on: &'static [ProbeId],
        clock: Arc<dyn Clock>,
    ) -> Self {
        let Cluster { inventory, secrets } = cluster;
        let (senders, inbox) = inbox();
        let fleet = Fleet::start_some(Arc::clone(&inventory), Arc::clone(&clock), senders.transport.clone(), names);
        // Nobody asks nodes that are not connected; jump hosts among them are found in the whole inventory.
        let mut watched = inventory.as_ref().clone();
        watched.nodes.retain(|node| names.contains(&node.name));
        let watched = Arc::new(watched);
        let app = App::new(Arc::clone(&watched), options, clock.now());
        let session = Session::over(Arc::new(fleet), app, &watched, &secrets, clock, (senders, inbox));
        Self {
            session: Box::new(session),
            inventory: watched,
            second: Vec::new(),
            late: BTreeMap::new(),
            standing_due: false,
            rests_on,
        }
    }

    /// The same watch, which also hears how runs and wishes stand.
    #[must_use]
    pub(super) fn with_runs(self, desk: Desk) -> Self {
        Self { session: Box::new(self.session.with_runs(desk)), standing_due: true, ..self }
    }

    /// What is watched of the cluster.
    pub(super) fn inventory(&self) -> Arc<Inventory> {
        Arc::clone(&self.inventory)
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
        self.judge();
    }

    /// Lets the rules look once more: they have a rate limit, and an answer is given at once.
    pub(super) fn judge(&mut self) {
        self.handle(Event::Tick.into());
        self.session.app.judge_now();
    }

    /// Watches until HAProxy, addresses and what else the plan rests on are known on every node, or cannot be, or `wait` is
    /// over.
    pub(super) async fn until_plannable(&mut self, wait: Duration) {
        let deadline = tokio::time::Instant::now() + wait;
        while !self.session.app.world.nodes.iter().zip(&self.inventory.nodes).all(|(facts, node)| {
            let is_lost = matches!(facts.link.state, LinkState::Down { .. } | LinkState::Asking);
            let always = [ProbeId::Haproxy, ProbeId::Presence];
            let mut wanted = always.iter().chain(self.rests_on).filter(|probe| probe.applies_to(node));
            is_lost || wanted.all(|probe| was_asked(facts, *probe) && !self.is_asked_again(&node.name, *probe))
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
        Box::pin((*self.session).end()).await
    }

    async fn step(&mut self) {
        let now = self.session.now().mono;
        let second_ms = self.second.iter().map(|(due, _, _)| due.since_ms(now)).min();
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
        let (due, later) = std::mem::take(&mut self.second).into_iter().partition(|(due, _, _)| *due <= now.mono);
        self.second = later;
        for (_, node, probe) in due as Vec<(Mono, NodeName, ProbeId)> {
            self.session.app.schedule.hurry_probe(&node, probe, now.mono);
        }
        let mut reported = None;
        if let Event::Report(report) = &arrival.event {
            let is_late = report.outcome.as_ref().is_err_and(|trouble| trouble.kind.is_about_time());
            reported = Some((report.node.clone(), report.probe, is_late));
        }
        self.standing_due &= !matches!(arrival.event, Event::Standing(_));
        for left in self.session.handle(arrival) {
            // Headless there is no clipboard, nothing to suspend, and nobody to quit.
            debug_assert!(!matches!(left, Left::Suspend));
        }
        if let Some((node, probe, is_late)) = reported {
            self.ask_again_if(is_late, &node, probe, now.mono);
            if self.session.app.world.node(&node).is_some_and(|facts| needs_second(facts, probe)) {
                self.second.push((now.mono.plus_ms(SECOND_SAMPLE_MS), node, probe));
            }
        }
    }

    /// Once for each probe of a node, so that what does not answer at all costs two deadlines and no more.
    fn ask_again_if(&mut self, is_late: bool, node: &NodeName, probe: ProbeId, now: Mono) {
        match self.late.entry((node.clone(), probe)) {
            Entry::Vacant(entry) if is_late => {
                entry.insert(Late::AskedAgain);
                self.session.app.schedule.hurry_probe(node, probe, now);
            }
            Entry::Occupied(mut entry) => {
                entry.insert(Late::Settled);
            }
            Entry::Vacant(_) => {}
        }
    }

    fn is_asked_again(&self, node: &NodeName, probe: ProbeId) -> bool {
        self.late.get(&(node.clone(), probe)) == Some(&Late::AskedAgain)
    }

    fn complete(&self) -> bool {
        let mut nodes = self.session.app.world.nodes.iter().zip(&self.inventory.nodes);
        // The world is in the order of the inventory.
        let is_settled = |node: &Node| !ProbeId::ALL.iter().any(|probe| self.is_asked_again(&node.name, *probe));
        !self.standing_due
            && nodes.all(|(facts, node)| {
                answered(facts, node) && (!matches!(facts.link.state, LinkState::Up) || is_settled(node))
            })
    }
}

/// The nodes that a plan of that change looks at: load balancers; of a guest every hypervisor, it itself where it is a
/// node, and whoever has its role; of an address the nodes that may hold it, too, and some that may tell who answers for
/// it; of a primary every database; of a session its own.
fn concerned(inventory: &Inventory, change: &Change) -> BTreeSet<NodeName> {
    if let Change::MysqlKill { session, .. } = change {
        return BTreeSet::from([session.node.clone()]);
    }
    if let Change::Tune(act) = change {
        return called(inventory, act.node_or_role()).into_iter().map(|node| node.name.clone()).collect();
    }
    let mut names: BTreeSet<NodeName> =
        inventory.nodes.iter().filter(|node| node.haproxy_socket.is_some()).map(|node| node.name.clone()).collect();
    if change.is_about_primary() {
        names.extend(inventory.nodes.iter().filter(|node| node.database.is_some()).map(|node| node.name.clone()));
    }
    if let Change::Guest { guest, .. } = change {
        let roles = inventory.roles_of(guest.as_str());
        let is_concerned = |node: &&Node| {
            node.libvirt_socket.is_some()
                || node.name.as_str() == guest.as_str()
                || node.roles.iter().any(|role| roles.contains(role))
        };
        names.extend(inventory.nodes.iter().filter(is_concerned).map(|node| node.name.clone()));
    }
    if let Change::Node { node, .. } = change {
        names.extend(concerned_by_node(inventory, node));
    }
    if let Change::VipMove { address, .. } = change {
        names.extend(inventory.vips.iter().filter(|vip| vip.address == *address).flat_map(|vip| vip.nodes.clone()));
        let outside = inventory.nodes.iter().filter(|node| node.private.is_some() && !names.contains(&node.name));
        let witnesses: Vec<NodeName> = outside.take(WITNESSES).map(|node| node.name.clone()).collect();
        names.extend(witnesses);
    }
    names
}

/// The node itself, whoever has a role of it, may hold an address of it, or may have mounted something of it; and some that
/// may tell who answers for an address.
fn concerned_by_node(inventory: &Inventory, name: &NodeName) -> BTreeSet<NodeName> {
    let Some(node) = inventory.node(name) else { return BTreeSet::new() };
    let serves_files = node.roles.contains(&Role::Storage);
    let is_concerned =
        |other: &&Node| serves_files || other.name == *name || other.roles.iter().any(|role| node.roles.contains(role));
    let mut names: BTreeSet<NodeName> =
        inventory.nodes.iter().filter(is_concerned).map(|other| other.name.clone()).collect();
    let mut holds = inventory.vips.iter().filter(|vip| vip.nodes.contains(name)).peekable();
    if holds.peek().is_some() {
        names.extend(holds.flat_map(|vip| vip.nodes.clone()));
        let outside = inventory.nodes.iter().filter(|node| node.private.is_some() && !names.contains(&node.name));
        let witnesses: Vec<NodeName> = outside.take(WITNESSES).map(|node| node.name.clone()).collect();
        names.extend(witnesses);
    }
    names
}

fn answered(facts: &NodeFacts, node: &Node) -> bool {
    match &facts.link.state {
        LinkState::Down { .. } | LinkState::Asking => true,
        LinkState::Up => ProbeId::ALL.into_iter().filter(|probe| probe.applies_to(node)).all(|probe| match probe {
            // A round takes seconds where packets get lost; an answer that is given once does not wait for it.
            // A binary log and a timer are read by runs only.
            ProbeId::PrivateNetwork | ProbeId::Binlog | ProbeId::Countdown | ProbeId::Hook => true,
            ProbeId::Mysql => facts.mysql.failure().is_some() || facts.mysql.last().is_some_and(has_rates),
            ProbeId::Host if facts.host.failure().is_some() => true,
            ProbeId::Guests if facts.hypervisor.failure().is_some() => true,
            probe => was_asked(facts, probe) && !needs_second(facts, probe),
        }),
        LinkState::Idle | LinkState::Connecting { .. } => false,
    }
}

/// Whether there is an answer to that probe, or a reason why there is none.
fn was_asked(facts: &NodeFacts, probe: ProbeId) -> bool {
    fn told<T>(observed: &Observed<T>) -> bool {
        observed.last().is_some() || observed.failure().is_some()
    }
    match probe {
        ProbeId::Host => told(&facts.host),
        ProbeId::HostProfile => told(&facts.profile),
        ProbeId::Guests => told(&facts.hypervisor),
        ProbeId::GuestProfile => told(&facts.hypervisor_profile),
        ProbeId::Presence => told(&facts.presence),
        ProbeId::Services => told(&facts.services),
        ProbeId::Certificates => told(&facts.certificates),
        ProbeId::PrivateNetwork => told(&facts.private_network),
        ProbeId::Memcached => told(&facts.memcached),
        ProbeId::Haproxy => told(&facts.haproxy),
        ProbeId::Ovs => told(&facts.ovs),
        ProbeId::OvsLive => told(&facts.ovs_live),
        ProbeId::OvsDetail => told(&facts.ovs_detail),
        ProbeId::LinuxBridges => told(&facts.bridges),
        ProbeId::Switchover => told(&facts.switchover),
        ProbeId::Daemon => told(&facts.daemon),
        ProbeId::Cut => told(&facts.cut),
        ProbeId::Mysql => told(&facts.mysql),
        ProbeId::Tuning => told(&facts.tuning),
        // Read by runs only.
        ProbeId::Binlog | ProbeId::Countdown | ProbeId::Hook => false,
    }
}

/// What a plan of that change rests on besides load balancers and addresses.
fn rests_on(change: &Change) -> &'static [ProbeId] {
    match change {
        Change::Guest { .. } => &[
            ProbeId::Switchover,
            ProbeId::Daemon,
            ProbeId::Guests,
            ProbeId::GuestProfile,
            ProbeId::Ovs,
            ProbeId::LinuxBridges,
        ],
        Change::Node { .. } => &[
            ProbeId::Host,
            ProbeId::Services,
            ProbeId::Memcached,
            ProbeId::Switchover,
            ProbeId::Guests,
            ProbeId::GuestProfile,
            ProbeId::Ovs,
            ProbeId::LinuxBridges,
        ],
        Change::MysqlKill { .. } => &[ProbeId::Mysql],
        Change::Tune(act) if PortSetting::find(act.key.as_str()).is_some() => &[ProbeId::Ovs],
        Change::Tune(_) => tune::RESTS_ON,
        change if change.is_about_primary() => &[ProbeId::Switchover, ProbeId::Daemon, ProbeId::Cut],
        _ => &[],
    }
}

/// Rates, and how a replica stands to its source, need a second look; a look comes each interval.
fn has_rates(facts: &MysqlFacts) -> bool {
    facts.rates.statements.questions_per_s.why() != Some(Unknown::NeedsTwoSamples)
}

/// Rates need two samples.
fn needs_second(facts: &NodeFacts, probe: ProbeId) -> bool {
    match probe {
        ProbeId::Host => host_needs_second(facts),
        ProbeId::Guests => guests_need_second(facts),
        _ => false,
    }
}

fn guests_need_second(facts: &NodeFacts) -> bool {
    let needs = |rates: &DomainRates| rates.cpu_percent.why() == Some(Unknown::NeedsTwoSamples);
    facts.hypervisor.last().is_some_and(|guests| guests.rates.iter().any(needs))
}

/// Also where the two looks fell into one tick of the node's accounting: a moment later there are shares.
fn host_needs_second(facts: &NodeFacts) -> bool {
    let again = [Some(Unknown::NeedsTwoSamples), Some(Unknown::NothingHappened)];
    facts.host.last().is_some_and(|host| again.contains(&host.cpu.why()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        runtime::{
            clock::SystemClock,
            demo::{Demo, Pace},
        },
        sim::{DEFAULT, Scenario},
    };

    #[tokio::test]
    async fn an_answer_that_comes_too_late_is_asked_for_once_more_and_then_stands() {
        let scenario = Scenario::built_in(DEFAULT).unwrap().unwrap();
        let inventory = Arc::new(scenario.inventory().unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let demo = Demo::start(&scenario, &inventory, Arc::clone(&clock), Pace { speed: 1.0, seed: 1 }).unwrap();
        let app = App::new(Arc::clone(&inventory), Options::default(), clock.now());
        let mut gather = Gather::over(demo.session(app, &inventory), Arc::clone(&inventory));
        gather.until_complete(Duration::from_secs(20)).await;
        assert!(gather.complete(), "the simulated cluster answers");

        let (balancer, now) = (NodeName::from("lb02"), gather.session.now().mono);
        gather.ask_again_if(true, &balancer, ProbeId::Haproxy, now);
        assert!(!gather.complete(), "the second answer is waited for");
        gather.until_complete(Duration::from_secs(20)).await;
        assert!(gather.complete(), "it came");

        gather.ask_again_if(true, &balancer, ProbeId::Haproxy, gather.session.now().mono);
        assert!(gather.complete(), "a service that stays silent is not waited for again");
        gather.end().await;
    }
}
