//! The world as the rules may use it: only facts that are fresh, of nodes that answer.

use super::node::Lost;
use crate::model::{
    certificates::CertificatesFacts,
    haproxy::HaproxyFacts,
    host::{HostFacts, HostProfile},
    hypervisor::{HypervisorFacts, HypervisorProfile},
    ids::NodeName,
    inventory::{ExposureSettings, Inventory, Node, PollSettings, Thresholds, Vip},
    linux_bridge::LinuxBridge,
    memcached::MemcachedFacts,
    mysql::MysqlFacts,
    observation::Observed,
    ovs::OvsFacts,
    ovs_daemon::{OvsDetail, OvsLive},
    presence::PresenceFacts,
    private_network::PrivateNetworkFacts,
    services::ServicesFacts,
    time::{Mono, Now, Wall},
    tuning::TuningSample,
    world::{NodeFacts, NodeState, World},
};
use crate::wire::probe::ProbeId;
use std::{
    cell::OnceCell,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// One evaluation's view.
pub(super) struct Scene<'a> {
    pub inventory: &'a Inventory,
    pub now: Now,
    pub limits: &'a Thresholds,
    pub poll: &'a PollSettings,
    pub exposure: &'a ExposureSettings,
    pub vips: &'a [Vip],
    pub nodes: Vec<Seen<'a>>,
    addresses: OnceCell<BTreeMap<IpAddr, usize>>,
}

/// One node.
pub(super) struct Seen<'a> {
    pub node: &'a Node,
    pub facts: &'a NodeFacts,
    /// Unreachable also while a further attempt to connect is made.
    pub state: NodeState,
    pub lost: Option<&'a Lost>,
    /// Fresh, of a node that is up.
    pub host: Option<Fresh<'a, HostFacts>>,
    pub profile: Option<Fresh<'a, HostProfile>>,
    pub haproxy: Option<Fresh<'a, HaproxyFacts>>,
    pub ovs: Option<Fresh<'a, OvsFacts>>,
    pub ovs_live: Option<Fresh<'a, OvsLive>>,
    pub ovs_detail: Option<Fresh<'a, OvsDetail>>,
    pub bridges: Option<Fresh<'a, Vec<LinuxBridge>>>,
    pub guests: Option<Fresh<'a, HypervisorFacts>>,
    pub guest_profile: Option<Fresh<'a, HypervisorProfile>>,
    pub mysql: Option<Fresh<'a, MysqlFacts>>,
    pub presence: Option<Fresh<'a, PresenceFacts>>,
    pub services: Option<Fresh<'a, ServicesFacts>>,
    pub memcached: Option<Fresh<'a, MemcachedFacts>>,
    pub certificates: Option<Fresh<'a, CertificatesFacts>>,
    pub private_network: Option<Fresh<'a, PrivateNetworkFacts>>,
    pub tuning: Option<Fresh<'a, TuningSample>>,
}

/// A fresh fact and when it was taken.
pub(super) struct Fresh<'a, T> {
    pub value: &'a T,
    pub at: Now,
}

impl<T> Clone for Fresh<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Fresh<'_, T> {}

impl<'a> Scene<'a> {
    pub(super) fn new(
        world: &'a World,
        inventory: &'a Inventory,
        lost: &'a BTreeMap<NodeName, Lost>,
        now: Now,
    ) -> Self {
        let settings = &inventory.settings;
        let nodes = inventory.nodes.iter().enumerate().filter_map(|(index, node)| {
            // The world is in the order of the inventory; a recording may say otherwise.
            let facts = world.nodes.get(index).filter(|facts| facts.name == node.name);
            let facts = facts.or_else(|| world.node(&node.name))?;
            Some(Seen::new(node, facts, lost.get(&node.name), inventory, now))
        });
        Self {
            now,
            limits: &settings.thresholds,
            poll: &settings.poll,
            exposure: &settings.exposure,
            inventory,
            vips: &inventory.vips,
            nodes: nodes.collect(),
            addresses: OnceCell::new(),
        }
    }

    pub(super) fn is_up(&self, name: &NodeName) -> bool {
        self.nodes.iter().any(|seen| seen.node.name == *name && seen.state == NodeState::Up)
    }

    /// The node behind a HAProxy server: by its address, else by its name.
    pub(super) fn behind(&self, server: &str, address: Option<&str>) -> Option<&Seen<'a>> {
        let by_address = address.and_then(ip_of).and_then(|address| self.addresses().get(&address));
        let by_name = || self.nodes.iter().position(|seen| seen.node.name.as_str() == server);
        self.nodes.get(by_address.copied().or_else(by_name)?)
    }

    /// Made when the first server is looked up: most evaluations find nothing odd.
    fn addresses(&self) -> &BTreeMap<IpAddr, usize> {
        self.addresses.get_or_init(|| {
            let nodes = self.nodes.iter().enumerate();
            let of = |(index, seen): (usize, &Seen<'_>)| {
                let addresses = [ip_of(&seen.node.management), seen.node.public, seen.node.private];
                addresses.into_iter().flatten().map(move |address| (address, index))
            };
            nodes.flat_map(of).collect()
        })
    }
}

/// The moment `ms` before `at`.
pub(super) fn before(at: Now, ms: u64) -> Now {
    let wall = at.wall.0.saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX));
    Now { mono: Mono(at.mono.0.saturating_sub(ms)), wall: Wall(wall) }
}

impl<'a> Seen<'a> {
    /// Whether it answers now.
    pub(super) fn is_up(&self) -> bool {
        self.state == NodeState::Up
    }

    /// Whether everything that the rules read of it is there.
    pub(super) fn is_seen(&self) -> bool {
        let balances = self.node.haproxy_socket.is_some();
        let was_read = self.facts.mysql.last().is_some();
        self.state == NodeState::Up
            && self.host.is_some()
            && (self.haproxy.is_some() || !balances)
            && (self.mysql.is_some() || !was_read)
    }

    fn new(node: &'a Node, facts: &'a NodeFacts, lost: Option<&'a Lost>, inventory: &Inventory, now: Now) -> Self {
        let poll = &inventory.settings.poll;
        let state = match lost {
            Some(_) => NodeState::Unreachable,
            None => facts.state(now.mono, poll.stale_after_ms),
        };
        let is_up = state == NodeState::Up;
        let is_answering = state != NodeState::Unreachable;
        // One missed poll is no news; a fact is too old when two of its polls are missing.
        let limit = |interval_ms: u64| poll.stale_after_ms.max(interval_ms.saturating_mul(5) / 2);
        let of = |probe: ProbeId| limit(probe.interval_on_ms(node, inventory));
        Self {
            node,
            facts,
            state,
            lost,
            host: fresh(&facts.host, now, limit(poll.host_ms)).filter(|_| state == NodeState::Up),
            profile: fresh(&facts.profile, now, limit(poll.host_profile_ms)).filter(|_| state == NodeState::Up),
            haproxy: fresh(&facts.haproxy, now, limit(poll.haproxy_ms)).filter(|_| is_answering),
            ovs: fresh(&facts.ovs, now, limit(OVS_MS)).filter(|_| is_up),
            ovs_live: fresh(&facts.ovs_live, now, limit(poll.switch_live_ms)).filter(|_| is_up),
            ovs_detail: fresh(&facts.ovs_detail, now, limit(poll.switch_ms)).filter(|_| is_up),
            bridges: fresh(&facts.bridges, now, limit(poll.switch_ms)).filter(|_| is_up),
            guests: fresh(&facts.hypervisor, now, limit(poll.guests_ms)).filter(|_| is_answering),
            guest_profile: fresh(&facts.hypervisor_profile, now, limit(poll.guest_profile_ms)).filter(|_| is_answering),
            mysql: fresh(&facts.mysql, now, limit(poll.mysql_ms)).filter(|_| is_answering),
            presence: fresh(&facts.presence, now, of(ProbeId::Presence)).filter(|_| state == NodeState::Up),
            certificates: fresh(&facts.certificates, now, of(ProbeId::Certificates)).filter(|_| state == NodeState::Up),
            private_network: fresh(&facts.private_network, now, of(ProbeId::PrivateNetwork))
                .filter(|_| state == NodeState::Up),
            tuning: fresh(&facts.tuning, now, of(ProbeId::Tuning)).filter(|_| is_answering),
            memcached: fresh(&facts.memcached, now, of(ProbeId::Memcached)).filter(|_| state == NodeState::Up),
            services: fresh(&facts.services, now, of(ProbeId::Services)).filter(|_| state == NodeState::Up),
        }
    }
}

/// A switch's database is asked for a sign of life every two seconds.
const OVS_MS: u64 = 2_000;

/// The last value while it is young enough, also when the newest poll failed.
fn fresh<T>(observed: &Observed<T>, now: Now, limit_ms: u64) -> Option<Fresh<'_, T>> {
    let at = observed.at().filter(|at| now.mono.since_ms(at.mono) <= limit_ms)?;
    Some(Fresh { value: observed.last()?, at })
}

/// `10.10.0.2`, `10.10.0.2:80`, `[fd00::2]:80`.
fn ip_of(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}
