//! The connections of the console in virtual time: how the transport would tell of a machine that comes, goes or hangs.

use super::stage::{Happening, Stage};
use vakt::{
    app::msg::Event,
    model::{
        ids::NodeName,
        link::{LinkEvent, LinkState, Route, Way},
        text::Clean,
        trouble::{Trouble, TroubleKind},
    },
    sim::Contact,
};

/// From the first byte to a connection that is up.
const HANDSHAKE_MS: u64 = 20;

/// One connection.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) is_up: bool,
    /// How the machine answered when it was last looked at.
    contact: Contact,
    /// Answers in a row that missed their deadline.
    missed: u32,
    backoff_ms: u64,
    /// Attempts of an earlier moment are dropped.
    attempt: u64,
}

impl Link {
    pub(super) fn new(contact: Contact) -> Self {
        Self { is_up: false, contact, missed: 0, backoff_ms: 0, attempt: 0 }
    }
}

impl Stage {
    /// The console connects to every node.
    pub(super) fn connect_all(&mut self) {
        let names: Vec<NodeName> = self.links.keys().cloned().collect();
        for node in names {
            self.links.insert(node.clone(), Link::new(self.cluster.contact(&node)));
            self.begin_attempt(&node);
        }
    }

    fn begin_attempt(&mut self, node: &NodeName) {
        self.link_state(node, LinkState::Connecting { stage: "connecting".into() });
        let silent_ms = self.inventory.settings.ssh.connect_timeout_ms;
        let wait_ms = match self.cluster.contact(node) {
            Contact::Answers | Contact::Refuses => HANDSHAKE_MS,
            Contact::Silent | Contact::Frozen => silent_ms,
        };
        let Some(link) = self.links.get_mut(node) else { return };
        link.attempt += 1;
        let attempt = link.attempt;
        self.later(wait_ms, Happening::Attempted { node: node.clone(), attempt });
    }

    /// An attempt is over.
    pub(super) fn attempted(&mut self, node: &NodeName, attempt: u64) {
        if self.links.get(node).is_none_or(|link| link.attempt != attempt || link.is_up) {
            return;
        }
        let address = self.address(node);
        match self.cluster.contact(node) {
            Contact::Answers => self.up(node),
            Contact::Refuses => {
                let trouble = Trouble::new(
                    TroubleKind::Refused,
                    format!("connection to {address} port 22 refused"),
                    "start sshd there, or check the port in the configuration",
                );
                self.down(node, trouble);
            }
            Contact::Silent | Contact::Frozen => {
                let trouble = Trouble::new(
                    TroubleKind::TimedOut,
                    format!("{address} port 22 did not answer"),
                    "check that the machine is running and that the network and firewalls let TCP through",
                );
                self.down(node, trouble);
            }
        }
    }

    fn up(&mut self, node: &NodeName) {
        let Some(link) = self.links.get_mut(node) else { return };
        (link.is_up, link.missed, link.backoff_ms) = (true, 0, 0);
        self.link_state(node, LinkState::Up);
        let socket = self.inventory.node(node).and_then(|node| node.haproxy_socket.clone());
        if let Some(path) = socket {
            let route = Route { path: Clean::line(&path), way: Ok(Way::StreamLocal) };
            self.tell(Event::Link { node: node.clone(), event: LinkEvent::Route(route) });
        }
    }

    /// The connection is gone; it is tried again after the back-off.
    pub(super) fn down(&mut self, node: &NodeName, trouble: Trouble) {
        let ssh = &self.inventory.settings.ssh;
        let (min_ms, max_ms) = (ssh.backoff_min_ms, ssh.backoff_max_ms);
        let Some(link) = self.links.get_mut(node) else { return };
        (link.is_up, link.missed) = (false, 0);
        link.backoff_ms = (link.backoff_ms * 2).clamp(min_ms, max_ms);
        let wait_ms = link.backoff_ms;
        let retry = Some(self.at(wait_ms));
        self.link_state(node, LinkState::Down { trouble, retry });
        self.later(wait_ms, Happening::Retry(node.clone()));
    }

    pub(super) fn retry(&mut self, node: &NodeName) {
        if self.links.get(node).is_some_and(|link| !link.is_up) {
            self.begin_attempt(node);
        }
    }

    /// What the machines do changes by faults and by the scenario's script; the transport notices in its own time.
    pub(super) fn look_at_contacts(&mut self) {
        let names: Vec<NodeName> = self.links.keys().cloned().collect();
        for node in names {
            let contact = self.cluster.contact(&node);
            let ssh = &self.inventory.settings.ssh;
            let keepalive_ms = ssh.keepalive_interval_ms * (u64::from(ssh.keepalive_misses_max) + 1);
            let Some(link) = self.links.get_mut(&node) else { continue };
            if link.contact == contact {
                continue;
            }
            link.contact = contact;
            match contact {
                Contact::Refuses if link.is_up => self.later(1, Happening::Lost(node, "the server closed it")),
                Contact::Silent | Contact::Frozen if link.is_up => {
                    self.later(keepalive_ms, Happening::Lost(node, "no answer to keepalives"));
                }
                _ => {}
            }
        }
    }

    /// The transport notices that the connection is gone, unless the machine is back.
    pub(super) fn lost(&mut self, node: &NodeName, why: &str) {
        let is_back = self.cluster.contact(node) == Contact::Answers;
        if !is_back && self.links.get(node).is_some_and(|link| link.is_up) {
            self.down(node, connection_lost(node, why));
        }
    }

    /// An answer came, or missed its deadline.
    pub(super) fn answered(&mut self, node: &NodeName, in_time: bool) {
        let missed_max = self.inventory.settings.ssh.missed_deadlines_max;
        let Some(link) = self.links.get_mut(node) else { return };
        link.missed = if in_time { 0 } else { link.missed + 1 };
        if link.is_up && link.missed >= missed_max {
            let why = format!("{missed_max} answers in a row missed their deadline");
            self.down(node, connection_lost(node, &why));
        }
    }

    fn link_state(&mut self, node: &NodeName, state: LinkState) {
        self.tell(Event::Link { node: node.clone(), event: LinkEvent::State(state) });
    }

    fn address(&self, node: &NodeName) -> String {
        self.inventory.node(node).map(|node| node.management.clone()).unwrap_or_default()
    }
}

pub(super) fn connection_lost(node: &NodeName, why: &str) -> Trouble {
    Trouble::new(
        TroubleKind::ConnectionLost,
        format!("connection to {node} lost: {why}"),
        "vakt reconnects by itself; check the node and the network if it does not come back",
    )
}
