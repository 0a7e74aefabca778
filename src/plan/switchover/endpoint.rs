//! Where writes go in: the servers of load balancers that lead to the old and to the new primary.

use super::{Reason, ReasonKind, Scene, field::is_called};
use crate::{
    model::{
        haproxy::{AdminState, Backend, Server},
        ids::NodeName,
        intent::ServerPath,
        inventory::Node,
        text::Clean,
    },
    plan::{
        expect::{Check, Expect, ServerExpect, server_words, takes_traffic},
        haproxy::list_words,
        parts::{Premise, Source},
        scene::sight,
    },
    wire::{
        haproxy::commands::ServerCommands,
        probe::{Facts, ProbeId},
        request::Request,
    },
};
use std::collections::BTreeSet;

/// Longest wait for the answer to a write. Nobody can write to the database meanwhile, and the way to the socket stands
/// ready since the run began.
const WRITE_MS: u64 = 2_000;

/// One backend of one load balancer that sends writes to the primary.
pub(in crate::plan) struct Endpoint<'a> {
    pub(in crate::plan) node: &'a Node,
    pub(in crate::plan) old: ServerPath,
    pub(in crate::plan) new: ServerPath,
    /// What the new one is told now; the switch tells it ready.
    pub(in crate::plan) new_told: AdminState,
    pub(in crate::plan) facts: Facts,
    pub(in crate::plan) age_ms: u64,
    pub(in crate::plan) sessions: Option<u64>,
    socket: &'a str,
}

impl Endpoint<'_> {
    pub(in crate::plan) fn name(&self) -> &NodeName {
        &self.node.name
    }

    pub(in crate::plan) fn check(&self, server: &ServerPath, is: ServerExpect) -> Check {
        let expect = Expect::Server { server: server.clone(), is };
        Check { node: self.node.name.clone(), probe: ProbeId::Haproxy, expect }
    }

    /// Tells a server its state. `None` for a state that cannot be told, or an unsafe name, both of which are refused.
    pub(in crate::plan) fn tell(&self, server: &ServerPath, state: AdminState) -> Option<Request> {
        let request = ServerCommands::new(self.socket, &server.backend, &server.server)?.set_state(state)?;
        Some(Request { deadline_ms: WRITE_MS, ..request })
    }

    pub(in crate::plan) fn shutdown(&self, server: &ServerPath) -> Option<Request> {
        let request = ServerCommands::new(self.socket, &server.backend, &server.server)?.shutdown_sessions();
        Some(Request { deadline_ms: WRITE_MS, ..request })
    }

    /// What it is told now, of both servers.
    pub(in crate::plan) fn premises(&self, age_ms_max: u64) -> [Premise; 2] {
        let told = [(&self.old, AdminState::Ready), (&self.new, self.new_told)];
        told.map(|(server, state)| {
            let check = self.check(server, ServerExpect::Told(state));
            let seen = check.judge(&self.facts, None).seen().clone();
            Premise { check, seen, age_ms: self.age_ms, age_ms_max }
        })
    }

    fn evidence(&self) -> Vec<Clean> {
        let line =
            |path: &ServerPath| Clean::line(&format!("{}: {path} {}", self.node.name, server_words(&self.facts, path)));
        vec![line(&self.old), line(&self.new)]
    }
}

/// Whose place is given to whom.
pub(in crate::plan) struct Move<'m> {
    pub(in crate::plan) from: &'m Node,
    pub(in crate::plan) to: &'m Node,
    /// Everybody else with a database.
    pub(in crate::plan) others: Vec<&'m Node>,
    /// Whether a load balancer sends writes to that server now. One that is down is sent to as soon as it is up.
    pub(in crate::plan) is_sent_to: fn(&Server) -> bool,
}

/// Every server by which writes go to the old or the new one, once.
pub(in crate::plan) fn servers(endpoints: &[Endpoint<'_>]) -> Vec<ServerPath> {
    let all: BTreeSet<&ServerPath> = endpoints.iter().flat_map(|one| [&one.old, &one.new]).collect();
    all.into_iter().cloned().collect()
}

/// How the load balancers are read, each once.
pub(in crate::plan) fn sources(endpoints: &[Endpoint<'_>], deadline_ms: u64) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for endpoint in endpoints {
        if sources.iter().all(|source| source.node != *endpoint.name()) {
            let requests = ProbeId::Haproxy.probe().requests(endpoint.node, deadline_ms);
            sources.push(Source { node: endpoint.name().clone(), probe: ProbeId::Haproxy, requests });
        }
    }
    sources
}

/// Every endpoint, and what is left alone, in sentences.
pub(in crate::plan) fn find<'a>(
    field: &Move<'_>,
    scene: &Scene<'a>,
    reasons: &mut Vec<Reason>,
) -> (Vec<Endpoint<'a>>, Vec<String>) {
    let (mut endpoints, mut left_alone) = (Vec::new(), Vec::new());
    let limit_ms = scene.inventory.settings.poll.stale_after_ms;
    let mut is_blind = false;
    for node in &scene.inventory.nodes {
        let (Some(socket), Some(facts)) = (node.haproxy_socket.as_deref(), scene.world.node(&node.name)) else {
            continue;
        };
        let (sample, age_ms) = match sight(&facts.haproxy, &node.name, scene.now, limit_ms) {
            Ok((facts, age_ms)) => (&facts.sample, age_ms),
            Err(why) => {
                is_blind = true;
                reasons.push(Reason::new(
                    ReasonKind::StaleFacts,
                    format!("HAProxy on {} is not known well enough.", node.name),
                    vec![why],
                    format!(
                        "Mend the connection to {}, or take it out of the configuration; then plan again.",
                        node.name
                    ),
                ));
                continue;
            }
        };
        for backend in &sample.backends {
            let at = Place { node, socket, age_ms, facts: &|| Facts::Haproxy(Box::new(sample.clone())), backend };
            match at.judge(field, reasons) {
                Found::Nothing => {}
                Found::LeftAlone(words) => left_alone.push(words),
                Found::Endpoint(endpoint) => endpoints.push(endpoint),
            }
        }
    }
    let is_elsewhere = scene.inventory.settings.write_endpoint.is_set();
    if endpoints.is_empty()
        && !is_blind
        && !is_elsewhere
        && reasons.iter().all(|reason| reason.kind != ReasonKind::LessService)
    {
        reasons.push(Reason::new(
            ReasonKind::NoLoadBalancer,
            format!("No load balancer sends writes to {}: clients would not follow.", field.from.name),
            left_alone.iter().map(|words| Clean::line(words)).collect(),
            "Give HAProxy a backend with the primary ready and the replicas in maintenance (disabled); or say under \
             [write_endpoint] in the configuration which virtual address or command leads writes.",
        ));
    }
    (endpoints, left_alone)
}

enum Found<'a> {
    Nothing,
    LeftAlone(String),
    Endpoint(Endpoint<'a>),
}

/// One backend of one load balancer.
struct Place<'a, 'p> {
    node: &'a Node,
    socket: &'a str,
    age_ms: u64,
    facts: &'p dyn Fn() -> Facts,
    backend: &'a Backend,
}

impl<'a> Place<'a, '_> {
    /// The server of this backend that leads to that node.
    fn server(&self, node: &Node) -> Option<&'a Server> {
        let leads = |server: &&Server| {
            let address = server.address.as_ref().known().map(Clean::as_str);
            address.and_then(|address| address.rsplit_once(':')).is_some_and(|(host, _)| is_called(node, host))
        };
        self.backend.servers.iter().find(leads)
    }

    fn judge(&self, field: &Move<'_>, reasons: &mut Vec<Reason>) -> Found<'a> {
        let (from, to) = (field.from, field.to);
        let Some(old) = self.server(from) else { return Found::Nothing };
        let name = format!("{} on {}", self.backend.name, self.node.name);
        if !(field.is_sent_to)(old) {
            return Found::LeftAlone(format!("{name} sends nothing to {} and is left alone.", from.name));
        }
        let Some(new) = self.server(to) else {
            let servers = self.backend.servers.iter().take(20).map(|server| server.name.as_str());
            reasons.push(Reason::new(
                ReasonKind::LessService,
                format!("{name} has no server for {}: its clients would have nobody.", to.name),
                vec![Clean::line(&list_words(servers))],
                "Add it to haproxy.cfg as a disabled server first.",
            ));
            return Found::Nothing;
        };
        if takes_traffic(new) {
            return Found::LeftAlone(format!("{name} sends to both, as for reads, and is left alone."));
        }
        let path = |server: &Server| ServerPath { backend: self.backend.name.clone(), server: server.name.clone() };
        let endpoint = Endpoint {
            node: self.node,
            old: path(old),
            new: path(new),
            new_told: new.admin.known().unwrap_or(AdminState::MaintInherited),
            facts: (self.facts)(),
            age_ms: self.age_ms,
            sessions: old.traffic.sessions_current.known(),
            socket: self.socket,
        };
        let is_stranger = |node: &&&Node| self.server(node).is_some_and(takes_traffic);
        let strangers: Vec<&str> = field.others.iter().filter(is_stranger).map(|node| node.name.as_str()).collect();
        if !strangers.is_empty() {
            reasons.push(Reason::new(
                ReasonKind::Disagreement,
                format!("{name} sends to {} as well: it is not known what goes there.", list_words(strangers)),
                endpoint.evidence(),
                "Keep exactly one server ready where writes go in.",
            ));
        }
        if ServerCommands::new(self.socket, &endpoint.old.backend, &endpoint.old.server).is_none()
            || ServerCommands::new(self.socket, &endpoint.new.backend, &endpoint.new.server).is_none()
        {
            reasons.push(Reason::new(
                ReasonKind::UnsafeName,
                format!("A name of {name} is not safe to send to HAProxy."),
                endpoint.evidence(),
                "Use names of letters, digits and _ . : - only.",
            ));
        }
        let told = old.admin.known();
        let can_be_told = matches!(endpoint.new_told, AdminState::Maint | AdminState::Drain);
        if told != Some(AdminState::Ready) || !can_be_told {
            reasons.push(Reason::new(
                ReasonKind::Inherited,
                format!("{name} cannot be switched: {} and {} are not ready and in maintenance.", old.name, new.name),
                endpoint.evidence(),
                format!("Put {} into maintenance first: vakt do haproxy.maint {}.", new.name, endpoint.new),
            ));
        }
        Found::Endpoint(endpoint)
    }
}
