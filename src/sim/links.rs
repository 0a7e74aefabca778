//! The state of every connection to a simulated node: what an SSH connection would go through, as plain values.

use super::{Contact, troubles};
use crate::model::{
    ids::NodeName,
    inventory::{Inventory, SshSettings},
    link::{LinkEvent, LinkSetting, LinkState, Route, Way},
    time::{Mono, Now, Wall},
    trouble::Trouble,
};
use std::collections::HashMap;

/// TCP is given up after this long, as the SSH connections do.
const TCP_WAIT_MS_MAX: u64 = 4_000;
/// Ways there and back that a login takes.
const LOGIN_ROUND_TRIPS: u64 = 5;

/// One connection.
#[derive(Debug)]
struct Link {
    node: NodeName,
    address: String,
    socket: Option<String>,
    state: LinkState,
    /// What is under way, and until when.
    phase: Phase,
    until: Mono,
    backoff_ms: u64,
    /// Answers in a row that missed their deadline.
    missed: u32,
    /// When the node last answered, for keepalives.
    heard: Mono,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Attempt(Contact),
    Up,
    Waiting,
}

/// All connections of one program.
#[derive(Debug)]
pub(super) struct Links {
    all: Vec<Link>,
    by_name: HashMap<NodeName, usize>,
    settings: SshSettings,
}

/// What changed.
pub(super) type Told = (NodeName, LinkEvent);

impl Links {
    pub(super) fn new(inventory: &Inventory) -> Self {
        let all: Vec<Link> = inventory
            .nodes
            .iter()
            .map(|node| Link {
                node: node.name.clone(),
                address: node.management.clone(),
                socket: node.haproxy_socket.clone(),
                state: LinkState::Idle,
                phase: Phase::Waiting,
                until: Mono(0),
                backoff_ms: 0,
                missed: 0,
                heard: Mono(0),
            })
            .collect();
        let by_name = all.iter().enumerate().map(|(index, link)| (link.node.clone(), index)).collect();
        Self { all, by_name, settings: inventory.settings.ssh.clone() }
    }

    fn link_mut(&mut self, node: &NodeName) -> Option<&mut Link> {
        self.by_name.get(node).and_then(|index| self.all.get_mut(*index))
    }

    /// Where a connection stands. `None` for a name that nobody has.
    pub(super) fn state(&self, node: &NodeName) -> Option<&LinkState> {
        self.by_name.get(node).and_then(|index| self.all.get(*index)).map(|link| &link.state)
    }

    /// An answer came in time.
    pub(super) fn answered(&mut self, node: &NodeName, now: Mono) {
        if let Some(link) = self.link_mut(node) {
            (link.missed, link.heard) = (0, now);
        }
    }

    /// An answer missed its deadline.
    pub(super) fn missed(&mut self, node: &NodeName) {
        if let Some(link) = self.link_mut(node) {
            link.missed = link.missed.saturating_add(1);
        }
    }

    /// The operator wants an attempt now.
    pub(super) fn reconnect(&mut self, node: &NodeName, now: Mono) -> Option<Told> {
        let link = self.link_mut(node)?;
        if !matches!(link.state, LinkState::Down { .. }) {
            return None;
        }
        if link.phase == Phase::Waiting {
            link.until = now;
        }
        link.become_(LinkState::Connecting { stage: "resolving".into() })
    }

    /// Lets every connection go on; returns what changed. `contact` says how a node answers now, and how long the way
    /// there and back takes.
    pub(super) fn advance(&mut self, now: Now, contact: impl Fn(&NodeName) -> (Contact, u64)) -> Vec<Told> {
        let mut told = Vec::new();
        for link in &mut self.all {
            link.advance(now, &self.settings, &contact, &mut told);
        }
        told
    }

    /// When the next attempt begins or ends.
    pub(super) fn next_due(&self) -> Option<Mono> {
        self.all.iter().filter(|link| link.phase != Phase::Up).map(|link| link.until).min()
    }
}

impl Link {
    fn become_(&mut self, state: LinkState) -> Option<Told> {
        if self.state == state {
            return None;
        }
        self.state.clone_from(&state);
        Some((self.node.clone(), LinkEvent::State(state)))
    }

    fn advance(
        &mut self,
        now: Now,
        settings: &SshSettings,
        contact: &impl Fn(&NodeName) -> (Contact, u64),
        told: &mut Vec<Told>,
    ) {
        match self.phase {
            Phase::Waiting if self.until <= now.mono => {
                let (contact, latency_ms) = contact(&self.node);
                let wait_ms = match contact {
                    Contact::Answers => latency_ms * LOGIN_ROUND_TRIPS,
                    Contact::Refuses => latency_ms,
                    Contact::Silent => TCP_WAIT_MS_MAX.min(settings.connect_timeout_ms),
                    Contact::Frozen => settings.connect_timeout_ms,
                };
                (self.phase, self.until) = (Phase::Attempt(contact), now.mono.plus_ms(wait_ms));
                // While it is known to be down the reason stays on the screen.
                if !matches!(self.state, LinkState::Down { .. }) {
                    told.extend(self.become_(LinkState::Connecting { stage: "connecting".into() }));
                }
            }
            Phase::Attempt(met) if self.until <= now.mono => self.attempted(met, now, settings, contact, told),
            Phase::Up => {
                let (contact, _) = contact(&self.node);
                let keepalive_ms = settings.keepalive_interval_ms * (u64::from(settings.keepalive_misses_max) + 1);
                let why = match contact {
                    Contact::Refuses => Some("the server closed it".to_owned()),
                    _ if self.missed >= settings.missed_deadlines_max => {
                        Some(format!("{} answers in a row missed their deadline", self.missed))
                    }
                    Contact::Silent | Contact::Frozen if now.mono.since_ms(self.heard) > keepalive_ms => {
                        Some("no answer to keepalives".to_owned())
                    }
                    Contact::Answers => {
                        self.heard = now.mono;
                        None
                    }
                    Contact::Silent | Contact::Frozen => None,
                };
                if let Some(why) = why {
                    self.down(troubles::lost(&self.node, &why), now, settings, told);
                }
            }
            Phase::Waiting | Phase::Attempt(_) => {}
        }
    }

    fn attempted(
        &mut self,
        met: Contact,
        now: Now,
        settings: &SshSettings,
        contact: &impl Fn(&NodeName) -> (Contact, u64),
        told: &mut Vec<Told>,
    ) {
        let trouble = match (met, contact(&self.node).0) {
            (Contact::Answers, Contact::Answers) => {
                (self.phase, self.backoff_ms, self.missed, self.heard) = (Phase::Up, 0, 0, now.mono);
                told.push((self.node.clone(), LinkEvent::Settings(self.settings())));
                told.extend(self.become_(LinkState::Up));
                if let Some(socket) = &self.socket {
                    let route = Route { path: socket.as_str().into(), way: Ok(Way::StreamLocal) };
                    told.push((self.node.clone(), LinkEvent::Route(route)));
                }
                return;
            }
            (Contact::Silent, _) => {
                troubles::no_answer(&self.address, TCP_WAIT_MS_MAX.min(settings.connect_timeout_ms))
            }
            (Contact::Frozen, _) => troubles::said_nothing(&self.node, &self.address, settings.connect_timeout_ms),
            (Contact::Answers | Contact::Refuses, _) => troubles::refused(&self.address),
        };
        self.down(trouble, now, settings, told);
    }

    fn settings(&self) -> Vec<LinkSetting> {
        let setting = |name: &str, value: &str| LinkSetting {
            name: name.into(),
            value: value.into(),
            source: "simulation".into(),
        };
        vec![setting("address", &self.address), setting("user", "demo")]
    }

    /// Down, with a wait that doubles up to the cap. There is no jitter: a simulated node need not be spared.
    fn down(&mut self, trouble: Trouble, now: Now, settings: &SshSettings, told: &mut Vec<Told>) {
        self.backoff_ms = (self.backoff_ms * 2).clamp(settings.backoff_min_ms, settings.backoff_max_ms);
        let retry = Now {
            mono: now.mono.plus_ms(self.backoff_ms),
            wall: Wall(now.wall.0.saturating_add_unsigned(self.backoff_ms)),
        };
        (self.phase, self.until) = (Phase::Waiting, retry.mono);
        told.extend(self.become_(LinkState::Down { trouble, retry: Some(retry) }));
    }
}
