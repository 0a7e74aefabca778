//! The world as the rules may use it: only facts that are fresh, of nodes that answer.

use super::node::Lost;
use crate::model::{
    haproxy::HaproxyFacts,
    host::{HostFacts, HostProfile},
    ids::NodeName,
    inventory::{Inventory, Node, PollSettings, Thresholds},
    observation::Observed,
    time::{Mono, Now, Wall},
    world::{NodeFacts, NodeState, World},
};
use std::{
    cell::OnceCell,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// One evaluation's view.
pub(super) struct Scene<'a> {
    pub now: Now,
    pub limits: &'a Thresholds,
    pub poll: &'a PollSettings,
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
        let poll = &inventory.settings.poll;
        let nodes = inventory.nodes.iter().enumerate().filter_map(|(index, node)| {
            // The world is in the order of the inventory; a recording may say otherwise.
            let facts = world.nodes.get(index).filter(|facts| facts.name == node.name);
            let facts = facts.or_else(|| world.node(&node.name))?;
            Some(Seen::new(node, facts, lost.get(&node.name), poll, now))
        });
        Self { now, limits: &inventory.settings.thresholds, poll, nodes: nodes.collect(), addresses: OnceCell::new() }
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
    fn new(node: &'a Node, facts: &'a NodeFacts, lost: Option<&'a Lost>, poll: &PollSettings, now: Now) -> Self {
        let state = match lost {
            Some(_) => NodeState::Unreachable,
            None => facts.state(now.mono, poll.stale_after_ms),
        };
        let is_answering = state != NodeState::Unreachable;
        // One missed poll is no news; a fact is too old when two of its polls are missing.
        let limit = |interval_ms: u64| poll.stale_after_ms.max(interval_ms.saturating_mul(5) / 2);
        Self {
            node,
            facts,
            state,
            lost,
            host: fresh(&facts.host, now, limit(poll.host_ms)).filter(|_| state == NodeState::Up),
            profile: fresh(&facts.profile, now, limit(poll.host_profile_ms)).filter(|_| state == NodeState::Up),
            haproxy: fresh(&facts.haproxy, now, limit(poll.haproxy_ms)).filter(|_| is_answering),
        }
    }
}

/// The last value while it is young enough, also when the newest poll failed.
fn fresh<T>(observed: &Observed<T>, now: Now, limit_ms: u64) -> Option<Fresh<'_, T>> {
    let at = observed.at().filter(|at| now.mono.since_ms(at.mono) <= limit_ms)?;
    Some(Fresh { value: observed.last()?, at })
}

/// `10.10.0.2`, `10.10.0.2:80`, `[fd00::2]:80`.
fn ip_of(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}
