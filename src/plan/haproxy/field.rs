//! The load balancers as observed, for one server of one backend, and every reason why they cannot be planned for.

use super::{Check, Reason, ReasonKind, ServerCommands, ServerExpect, ServerPath, expect, names_of};
use crate::{
    model::{
        figure::Figure,
        haproxy::{AdminState, Backend, Server},
        ids::NodeName,
        inventory::{Inventory, Node, Policy},
        text::Clean,
        time::Now,
        world::World,
    },
    plan::scene::sight,
    wire::{haproxy::commands::is_safe_name, probe::Facts},
};

/// The load balancers that have the backend.
pub(super) struct Field<'a> {
    pub(super) path: ServerPath,
    pub(super) seats: Vec<Seat<'a>>,
    /// Load balancers that were read and do not have the backend.
    pub(super) without: Vec<NodeName>,
    pub(super) stale_after_ms: u64,
    pub(super) capacity_floor_percent: u32,
    /// How long a server that returns must do well before its weight is raised; 0 raises it at once.
    pub(super) ramp_step_ms: u64,
}

/// The server on one load balancer.
pub(super) struct Seat<'a> {
    pub(super) node: &'a Node,
    pub(super) backend: &'a Backend,
    pub(super) server: &'a Server,
    /// The same facts, in the form that checks judge.
    pub(super) facts: Facts,
    pub(super) age_ms: u64,
    pub(super) commands: ServerCommands<'a>,
    /// Whether HAProxy itself raises what it gets once it is up.
    pub(super) starts_slowly: bool,
}

impl Seat<'_> {
    /// What the server was told; unknown is refused by the survey.
    pub(super) fn told(&self) -> Option<AdminState> {
        self.server.admin.known()
    }

    /// Sessions and waiting requests; unknown is refused by the survey.
    pub(super) fn sessions(&self) -> u64 {
        let traffic = &self.server.traffic;
        traffic.sessions_current.known().unwrap_or(0) + traffic.queue_current.known().unwrap_or(0)
    }

    /// Current weight; unknown is refused by the survey.
    pub(super) fn weight(&self) -> u64 {
        self.server.weight.known().unwrap_or(0)
    }

    /// Weight in the file, or the current one.
    pub(super) fn weight_configured(&self) -> u64 {
        self.server.weight_configured.known().unwrap_or_else(|| self.weight())
    }

    /// The other servers of the backend, one a line.
    pub(super) fn others_words(&self) -> Vec<Clean> {
        let others = self.backend.servers.iter().filter(|other| other.name != self.server.name);
        let mut lines: Vec<Clean> = others
            .take(20)
            .map(|other| {
                let told = other.admin.known().map_or_else(|| "?".to_owned(), |told| told.to_string());
                let weight = other.weight.known().map_or_else(|| "?".to_owned(), |weight| weight.to_string());
                Clean::line(&format!(
                    "{}: {} is {}, told {told}, weight {weight}",
                    self.node.name, other.name, other.operational
                ))
            })
            .collect();
        if lines.is_empty() {
            lines.push(Clean::line(&format!("{}: {} has no other server", self.node.name, self.backend.name)));
        }
        lines
    }
}

impl<'a> Field<'a> {
    /// Looks at every load balancer of the inventory; whatever stands in the way of planning goes into `reasons`.
    pub(super) fn survey(
        world: &'a World,
        inventory: &'a Inventory,
        path: &'a ServerPath,
        policy: &Policy,
        now: Now,
        reasons: &mut Vec<Reason>,
    ) -> Self {
        let mut field = Self {
            path: path.clone(),
            seats: Vec::new(),
            without: Vec::new(),
            stale_after_ms: inventory.settings.poll.stale_after_ms,
            capacity_floor_percent: policy.capacity_floor_percent,
            ramp_step_ms: u64::from(policy.ramp_step_ms),
        };
        if refuse_unsafe_names(path, reasons) {
            return field;
        }
        let balancers = || inventory.nodes.iter().filter_map(|node| Some((node, node.haproxy_socket.as_deref()?)));
        if balancers().next().is_none() {
            reasons.push(Reason::new(
                ReasonKind::NoLoadBalancer,
                "No node of the configuration runs HAProxy.",
                Vec::new(),
                "Give the load balancers the role edge, or set haproxy_socket.",
            ));
        }
        let mut read = Vec::new();
        for (node, socket) in balancers() {
            match seen(world, node, now, field.stale_after_ms) {
                Err(why) => reasons.push(unread(world, node, why)),
                Ok((sample, age_ms)) => read.push((node, socket, sample, age_ms)),
            }
        }
        field.seat(path, &read, reasons);
        for seat in &mut field.seats {
            seat.starts_slowly = starts_slowly(world, &seat.node.name, path);
        }
        field.refuse_unknown(reasons);
        field.refuse_different_servers(reasons);
        field
    }

    fn seat(
        &mut self,
        path: &'a ServerPath,
        read: &[(&'a Node, &'a str, &'a crate::model::haproxy::HaproxySample, u64)],
        reasons: &mut Vec<Reason>,
    ) {
        let mut lacking = Vec::new();
        for &(node, socket, sample, age_ms) in read {
            let Some(backend) = sample.backends.iter().find(|backend| backend.name == path.backend) else {
                self.without.push(node.name.clone());
                continue;
            };
            let server = backend.servers.iter().find(|server| server.name == path.server);
            let commands = ServerCommands::new(socket, &path.backend, &path.server);
            match (server, commands) {
                (Some(server), Some(commands)) => {
                    let facts = Facts::Haproxy(Box::new(sample.clone()));
                    self.seats.push(Seat { node, backend, server, facts, age_ms, commands, starts_slowly: false });
                }
                _ => lacking.push((node, backend)),
            }
        }
        if !lacking.is_empty() {
            let servers = |backend: &Backend| {
                super::list_words(backend.servers.iter().take(20).map(|server| server.name.as_str()))
            };
            let evidence =
                lacking.iter().map(|(node, backend)| Clean::line(&format!("{}: {}", node.name, servers(backend))));
            reasons.push(Reason::new(
                ReasonKind::UnknownTarget,
                format!(
                    "{} has no server {} on {}.",
                    path.backend,
                    path.server,
                    names_of(lacking.iter().map(|(node, _)| &node.name))
                ),
                evidence.collect(),
                "Check the name; if the load balancers have different files, make them equal first.",
            ));
        } else if self.seats.is_empty() && !read.is_empty() {
            let evidence = read.iter().map(|(node, _, sample, _)| {
                let names = super::list_words(sample.backends.iter().take(20).map(|backend| backend.name.as_str()));
                Clean::line(&format!("{}: {names}", node.name))
            });
            reasons.push(Reason::new(
                ReasonKind::UnknownTarget,
                format!("No load balancer has a backend {}.", path.backend),
                evidence.collect(),
                "Check the name.",
            ));
        }
    }

    /// Figures without which no plan can be verified or undone.
    fn refuse_unknown(&self, reasons: &mut Vec<Reason>) {
        let mut unknown = Vec::new();
        for seat in &self.seats {
            let traffic = &seat.server.traffic;
            let figures = [
                ("what it is told", seat.server.admin.why()),
                ("its weight", seat.server.weight.why()),
                ("its sessions", traffic.sessions_current.why()),
                ("its queue", traffic.queue_current.why()),
            ];
            for (name, why) in figures {
                if let Some(why) = why {
                    unknown.push(Clean::line(&format!("{}: {name} is unknown: {why}", seat.node.name)));
                }
            }
        }
        if !unknown.is_empty() {
            reasons.push(Reason::new(
                ReasonKind::UnknownFact,
                format!("HAProxy does not tell enough about {}.", self.path),
                unknown,
                "Use HAProxy 1.6 or later, and give vakt a socket of level admin.",
            ));
        }
    }

    /// One name for two machines: acting on it would act on both.
    fn refuse_different_servers(&self, reasons: &mut Vec<Reason>) {
        let mut addresses: Vec<&Clean> = self
            .seats
            .iter()
            .filter_map(|seat| match &seat.server.address {
                Figure::Known(address) => Some(address),
                Figure::Unknown(_) => None,
            })
            .collect();
        addresses.sort();
        addresses.dedup();
        if addresses.len() > 1 {
            let evidence = self.seats.iter().filter_map(|seat| {
                let address = seat.server.address.as_ref().known()?;
                Some(Clean::line(&format!("{}: {} is {address}", seat.node.name, self.path)))
            });
            reasons.push(Reason::new(
                ReasonKind::Disagreement,
                format!("The load balancers disagree: {} has more than one address.", self.path),
                evidence.collect(),
                "Make the load balancers' files equal first.",
            ));
        }
    }

    /// "lb01 and lb02".
    pub(super) fn names(&self) -> String {
        names_of(self.seats.iter().map(|seat| &seat.node.name))
    }

    /// The server on each load balancer, one a line.
    pub(super) fn evidence(&self) -> Vec<Clean> {
        let line = |seat: &Seat<'_>| {
            Clean::line(&format!("{}: {}", seat.node.name, expect::server_words(&seat.facts, &self.path)))
        };
        self.seats.iter().map(line).collect()
    }

    /// The same check on every load balancer.
    pub(super) fn checks(&self, is: ServerExpect) -> Vec<Check> {
        self.seats.iter().map(|seat| seat.check(&self.path, is)).collect()
    }

    /// Sessions and waiting requests on all load balancers.
    pub(super) fn sessions(&self) -> u64 {
        self.seats.iter().map(Seat::sessions).sum()
    }

    /// Whether a connection stays with one client for long: TCP mode.
    pub(super) fn is_tcp(&self) -> bool {
        self.seats.iter().any(|seat| seat.backend.mode.as_ref().known().is_some_and(|mode| mode.as_str() == "tcp"))
    }
}

/// Whether HAProxy itself raises what that server gets once it is up, as far as its files are known.
fn starts_slowly(world: &World, node: &NodeName, path: &ServerPath) -> bool {
    let sample = world.node(node).and_then(|facts| facts.tuning.last());
    let config = sample.and_then(|sample| sample.haproxy.as_ref().known());
    config.is_some_and(|config| config.starts_slowly(path.backend.as_str(), path.server.as_str()))
}

/// Refuses as long as a load balancer is not known well enough: it may have a server that nobody knows of.
pub(super) fn refuse_unread(world: &World, inventory: &Inventory, now: Now, reasons: &mut Vec<Reason>) {
    let stale_after_ms = inventory.settings.poll.stale_after_ms;
    for node in inventory.nodes.iter().filter(|node| node.haproxy_socket.is_some()) {
        if let Err(why) = seen(world, node, now, stale_after_ms) {
            reasons.push(unread(world, node, why));
        }
    }
}

fn unread(world: &World, node: &Node, why: Clean) -> Reason {
    let what = format!("HAProxy on {} is not known well enough.", node.name);
    Reason::new(ReasonKind::StaleFacts, what, vec![why], way_to_sight(world, node))
}

/// The facts about a load balancer with their age, if they are fresh.
fn seen<'w>(
    world: &'w World,
    node: &Node,
    now: Now,
    stale_after_ms: u64,
) -> Result<(&'w crate::model::haproxy::HaproxySample, u64), Clean> {
    let facts = world.node(&node.name).ok_or_else(|| Clean::line(&format!("{}: never read", node.name)))?;
    let (facts, age_ms) = sight(&facts.haproxy, &node.name, now, stale_after_ms)?;
    Ok((&facts.sample, age_ms))
}

/// What lets a load balancer be known well enough. One that was neither read nor failed is only being connected to.
fn way_to_sight(world: &World, node: &Node) -> String {
    let haproxy = world.node(&node.name).map(|facts| (&facts.haproxy, facts.link.lost().is_some()));
    if haproxy.is_some_and(|(haproxy, is_lost)| !is_lost && haproxy.last().is_none() && haproxy.failure().is_none()) {
        return format!("{} is being read for the first time: wait a moment, then plan again.", node.name);
    }
    format!("Mend the connection to {}, or take it out of the configuration; then plan again.", node.name)
}

/// Refuses names that HAProxy would read as something else; says whether there is one.
fn refuse_unsafe_names(path: &ServerPath, reasons: &mut Vec<Reason>) -> bool {
    let mut found = false;
    for (what, name) in [("backend", path.backend.as_str()), ("server", path.server.as_str())] {
        if !is_safe_name(name) {
            found = true;
            reasons.push(Reason::new(
                ReasonKind::UnsafeName,
                format!("The {what} name is not safe to send to HAProxy; nothing was sent."),
                vec![Clean::line(&format!("{what}: {name:?}"))],
                "Use a name of letters, digits and _ . : - only; rename it in haproxy.cfg if it really is called that.",
            ));
        }
    }
    found
}
