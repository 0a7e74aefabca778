//! Rules about HAProxy's servers, folded over the load balancers: down, disagreement, backend without usable server.

use super::{
    Severity,
    catalogue::rules,
    scene::{Scene, Seen, before},
    services::STATS_FULL,
    track::Condition,
    words::{balancers, listed, whole_duration},
};
use crate::model::{
    haproxy::{AdminState, Backend, Check, ConfiguredState, HaproxySample, OperationalState, Server},
    ids::{NodeName, ProxyName, ServerName},
    text::Clean,
    time::Now,
    trouble::TroubleKind,
    world::NodeState,
};
use std::collections::{BTreeMap, BTreeSet};

/// One load balancer whose HAProxy was read a moment ago.
struct Balancer<'a> {
    name: &'a NodeName,
    sample: &'a HaproxySample,
    at: Now,
}

/// One server (or backend) as one load balancer sees it.
struct Side<'a, T> {
    lb: &'a NodeName,
    at: Now,
    what: &'a T,
}

impl<T> Clone for Side<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Side<'_, T> {}

rules! {
    BACKEND_DOWN = "haproxy.backend.down", 45, Critical, "Backend without usable server" {
        meaning: "No server of the backend takes traffic: every request to it fails.",
        causes: "All servers fail their check at once (a shared dependency, a broken deployment), or the last healthy one was taken out.",
        action: "look at the checks of its servers; put one back that was taken out on purpose",
        explained_by: [EveryNode "node.unreachable", EveryNode "node.stale", AnyNode "mysql.cut_off"],
        commands: ["row.logs", "row.chart"],
    }
    SERVER_DOWN = "haproxy.server.down", 51, Critical, "Server down" {
        meaning: "HAProxy's health check fails and the server gets no traffic.",
        causes: "The service or its node is down, or the check times out under load.",
        action: "look at the failing check and the log of the service on that node",
        explained_by: [
            EveryNode "node.unreachable",
            EveryNode "node.stale",
            Node "host.oom_kill",
            Node "ovs.daemon.dead",
            Node "ovs.daemon.halted",
            Node "ovs.port.down",
            Node "ovs.vlan_mismatch",
            Node "mysql.cut_off",
        ],
        commands: ["row.logs", "traffic.node"],
    }
    HAPROXY_UNREADABLE = "haproxy.unreadable", 52, Warning, "HAProxy cannot be read" {
        meaning: "The node answers, its HAProxy does not: what it does with traffic is unknown.",
        causes: "HAProxy is down, its stats socket is missing, busy, or not permitted for this login.",
        action: "run vakt check; see whether haproxy runs and what its configuration says of `stats socket`",
        explained_by: [Node "host.oom_kill"],
        commands: ["row.logs", "traffic.node"],
    }
    DISAGREE = "haproxy.disagree", 53, Warning, "Load balancers disagree" {
        meaning: "The load balancers do not treat a server alike: traffic depends on which of them a client reaches.",
        causes: "A drain or maintenance on one of them only, a check that fails from one side, or different configuration files.",
        action: "make the states alike, or find out why the check fails from one side",
        commands: ["row.logs"],
    }
}

/// Names what is wrong with servers.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    unreadable(scene, conditions);
    let balancers: Vec<Balancer<'_>> = scene
        .nodes
        .iter()
        .filter_map(|seen| seen.haproxy.map(|facts| (seen, facts)))
        .map(|(seen, facts)| Balancer { name: &seen.node.name, sample: &facts.value.sample, at: facts.at })
        .collect();
    let mut dead: BTreeSet<&ProxyName> = BTreeSet::new();
    // Servers that do not take traffic somewhere, by backend, with their place in the list.
    let mut odd: BTreeMap<&ProxyName, BTreeMap<&ServerName, usize>> = BTreeMap::new();
    for backend in balancers.iter().flat_map(|balancer| &balancer.sample.backends) {
        if !backend.servers.is_empty() && !is_usable(backend) {
            dead.insert(&backend.name);
        }
        for (place, server) in backend.servers.iter().enumerate() {
            if !server.takes_traffic() {
                odd.entry(&backend.name).or_default().insert(&server.name, place);
            }
        }
    }
    for (backend, servers) in odd {
        if dead.contains(backend) {
            // Its finding lists its servers.
            conditions.extend(backend_down(scene, &sides_of_backend(&balancers, backend)));
        } else {
            judge_servers(scene, &sides_of_backend(&balancers, backend), &servers, conditions);
        }
    }
}

fn is_usable(backend: &Backend) -> bool {
    backend.servers.iter().any(Server::takes_traffic)
}

fn sides_of_backend<'a>(balancers: &[Balancer<'a>], name: &ProxyName) -> Vec<Side<'a, Backend>> {
    let of = |balancer: &Balancer<'a>| {
        let what = balancer.sample.backends.iter().find(|backend| backend.name == *name)?;
        Some(Side { lb: balancer.name, at: balancer.at, what })
    };
    balancers.iter().filter_map(of).collect()
}

/// `place`: where the server is in the list of one balancer; with equal configuration, in that of all.
fn sides_of_server<'a>(backends: &[Side<'a, Backend>], name: &ServerName, place: usize) -> Vec<Side<'a, Server>> {
    let of = |side: &Side<'a, Backend>| {
        let at_place = side.what.servers.get(place).filter(|server| server.name == *name);
        let what = at_place.or_else(|| side.what.servers.iter().find(|server| server.name == *name))?;
        Some(Side { lb: side.lb, at: side.at, what })
    };
    backends.iter().filter_map(of).collect()
}

/// More servers of one backend that are down are told in one line.
const DOWN_TOLD_SINGLY_MAX: usize = 8;

fn judge_servers(
    scene: &Scene<'_>,
    backends: &[Side<'_, Backend>],
    servers: &BTreeMap<&ServerName, usize>,
    conditions: &mut Vec<Condition>,
) {
    let Some(name) = backends.first().map(|side| &side.what.name) else { return };
    let mut down = Vec::new();
    for (server, place) in servers {
        let sides = sides_of_server(backends, server, *place);
        let mut treatments: Vec<Treatment> = sides.iter().map(|side| Treatment::of(side.what)).collect();
        treatments.dedup();
        match treatments.as_slice() {
            [Treatment::Down] => down.push(sides),
            [_] | [] => {}
            _ => conditions.push(with_evidence(scene, disagreement(scene, name, &sides), &sides)),
        }
    }
    if down.len() > DOWN_TOLD_SINGLY_MAX {
        conditions.extend(many_down(scene, backends, &down));
        return;
    }
    for sides in down {
        conditions.extend(server_down(scene, name, &sides).map(|condition| with_evidence(scene, condition, &sides)));
    }
}

/// How a load balancer treats a server, as far as balancers should agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Treatment {
    Up,
    Down,
    Draining,
    Maintenance,
    Other,
}

impl Treatment {
    fn of(server: &Server) -> Self {
        match (&server.operational, server.admin.known()) {
            // Nobody wanted this: the name of the server stopped resolving.
            (_, Some(AdminState::MaintResolution)) | (OperationalState::Down | OperationalState::GoingUp { .. }, _) => {
                Self::Down
            }
            _ if server.takes_traffic() => Self::Up,
            (state, _) if state.takes_traffic() || *state == OperationalState::Draining => Self::Draining,
            (OperationalState::Maintenance, _) => Self::Maintenance,
            _ => Self::Other,
        }
    }

    fn words(self, server: &Server) -> String {
        match self {
            Self::Up => "up".into(),
            Self::Down => format!("down ({})", check_words(server)),
            Self::Draining => "draining".into(),
            Self::Maintenance if server.configured.known() == Some(ConfiguredState::Disabled) => {
                "disabled in its file".into()
            }
            Self::Maintenance => "in maintenance".into(),
            Self::Other => server.operational.to_string(),
        }
    }
}

/// The node behind the server, and what each load balancer says.
fn with_evidence(scene: &Scene<'_>, condition: Condition, sides: &[Side<'_, Server>]) -> Condition {
    let condition = match sides.first().and_then(|side| behind(scene, side.what)) {
        Some(seen) => condition.node(&seen.node.name).evidence(node_line(seen)),
        None => condition,
    };
    condition.evidence(sides.iter().map(side_line)).evidence(silent(scene))
}

/// The node that a server stands on.
pub(super) fn behind<'s, 'a>(scene: &'s Scene<'a>, server: &Server) -> Option<&'s Seen<'a>> {
    scene.behind(server.name.as_str(), server.address.as_ref().known().map(Clean::as_str))
}

/// The nodes of these servers; none where one of them stands on no node that is known, so that nothing is said of all.
fn nodes_behind<'s>(scene: &'s Scene<'_>, servers: impl Iterator<Item = &'s Server>) -> Vec<&'s NodeName> {
    let nodes: Option<Vec<_>> = servers.map(|server| Some(&behind(scene, server)?.node.name)).collect();
    nodes.unwrap_or_default()
}

/// Load balancers that have no say at the moment.
pub(super) fn silent(scene: &Scene<'_>) -> impl Iterator<Item = String> {
    let silent = scene.nodes.iter().filter(|seen| seen.node.haproxy_socket.is_some() && seen.haproxy.is_none());
    silent.map(|seen| format!("{}: cannot be read now", seen.node.name))
}

fn node_line(seen: &Seen<'_>) -> Option<String> {
    let name = &seen.node.name;
    match seen.state {
        NodeState::Up => Some(format!("{name} itself answers")),
        NodeState::Stale | NodeState::Unreachable => Some(format!("{name} itself is {}", seen.state.word())),
        NodeState::Connecting => None,
    }
}

fn subject(backend: &ProxyName, server: &ServerName) -> String {
    format!("{backend}/{server}")
}

fn server_down(scene: &Scene<'_>, backend: &ProxyName, sides: &[Side<'_, Server>]) -> Option<Condition> {
    // Down everywhere since the last of them found out.
    let last = sides.iter().min_by_key(|side| side.what.last_change_s.known().unwrap_or(u64::MAX))?;
    let server = last.what;
    let names: Vec<&NodeName> = sides.iter().map(|side| side.lb).collect();
    let since = since(last);
    let duration = since.map(|since| format!(" for {}", seconds_since(scene, since))).unwrap_or_default();
    let place = balancers(&names, balancers_known(scene));
    let gone = behind(scene, server).filter(|seen| matches!(seen.state, NodeState::Unreachable | NodeState::Stale));
    let gone = gone.map(|seen| format!("; {} itself is {}", seen.node.name, seen.state.word())).unwrap_or_default();
    let text = format!("Down on {place}{duration}: {}{gone}", check_words(server));
    let severity = if server.backup.known() == Some(true) { Severity::Warning } else { Severity::Critical };
    let condition = Condition::new(SERVER_DOWN, severity, &subject(backend, &server.name), text);
    Some(Condition { began: since, ..condition })
}

/// "50 of 100 servers down on both load balancers, the first for 12 s: most L7TOUT".
fn many_down(scene: &Scene<'_>, backends: &[Side<'_, Backend>], down: &[Vec<Side<'_, Server>>]) -> Option<Condition> {
    let backend = backends.first()?.what;
    let names: Vec<&NodeName> = backends.iter().map(|side| side.lb).collect();
    let place = balancers(&names, balancers_known(scene));
    let began = down.iter().flatten().filter_map(since).min_by_key(|since| since.wall);
    let duration = began.map(|since| format!(", the first for {}", seconds_since(scene, since))).unwrap_or_default();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for side in down.iter().filter_map(|sides| sides.first()) {
        *reasons
            .entry(side.what.check.status.as_ref().known().map_or("no check result", Clean::as_str))
            .or_default() += 1;
    }
    let most = reasons.iter().max_by_key(|(_, count)| **count).map(|(reason, _)| *reason).unwrap_or_default();
    let text = format!("{} of {} servers down on {place}{duration}: most {most}", down.len(), backend.servers.len());
    let lines = down.iter().filter_map(|sides| sides.first()).take(EVIDENCE_SERVERS_MAX);
    let evidence = lines.map(|side| format!("{}: {}", side.what.name, check_words(side.what)));
    let condition = Condition::new(SERVER_DOWN, Severity::Critical, backend.name.as_str(), text);
    let condition = condition.nodes(nodes_behind(scene, down.iter().flatten().map(|side| side.what)));
    Some(Condition { began, ..condition.evidence(evidence).evidence(silent(scene)) })
}

fn disagreement(scene: &Scene<'_>, backend: &ProxyName, sides: &[Side<'_, Server>]) -> Condition {
    let mut by_words = Vec::<(String, Vec<&NodeName>)>::new();
    for side in sides {
        let words = Treatment::of(side.what).words(side.what);
        match by_words.iter_mut().find(|(known, _)| *known == words) {
            Some((_, names)) => names.push(side.lb),
            None => by_words.push((words, vec![side.lb])),
        }
    }
    let says: Vec<String> = by_words
        .iter()
        .map(|(words, names)| format!("{} {} {words}", listed(names), if names.len() == 1 { "says" } else { "say" }))
        .collect();
    let name = sides.first().map(|side| &side.what.name);
    let subject = name.map(|name| subject(backend, name)).unwrap_or_default();
    // They differ since the last change on any of them. One check cycle apart is no disagreement: hence the hold time.
    let began = sides.iter().filter_map(since).max_by_key(|since| since.wall);
    let condition = Condition::new(DISAGREE, Severity::Warning, &subject, says.join(", "));
    Condition { began, hold_ms: scene.limits.hold_ms, ..condition }
}

fn balancers_known(scene: &Scene<'_>) -> usize {
    scene.nodes.iter().filter(|seen| seen.node.haproxy_socket.is_some()).count()
}

/// When the server's state last changed.
fn since(side: &Side<'_, Server>) -> Option<Now> {
    let changed_s = side.what.last_change_s.known()?;
    Some(before(side.at, changed_s.saturating_mul(1000)))
}

fn seconds_since(scene: &Scene<'_>, since: Now) -> String {
    // By the wall clock: it may have begun before this program.
    whole_duration(u64::try_from(scene.now.wall.0.saturating_sub(since.wall.0) / 1000).unwrap_or_default())
}

/// "L7TOUT in 500 ms", "L4CON connection refused", "L7STS 503 in 2 ms".
fn check_words(server: &Server) -> String {
    if server.admin.known() == Some(AdminState::MaintResolution) {
        return "its name does not resolve".into();
    }
    let Check { status, code, duration_ms, text, .. } = &server.check;
    let Some(status) = status.as_ref().known() else { return "no check result".into() };
    let mut words = vec![status.to_string()];
    words.extend(code.known().filter(|&code| code > 0).map(|code| code.to_string()));
    words.extend(text.as_ref().known().filter(|text| !text.is_empty()).map(|text| text.as_str().to_lowercase()));
    words.extend(duration_ms.known().map(|ms| format!("in {ms} ms")));
    words.join(" ")
}

fn side_line(side: &Side<'_, Server>) -> String {
    let server = side.what;
    let mut parts = vec![format!("{}: {}", side.lb, server.operational)];
    parts.extend(server.admin.known().map(|admin| format!("admin {admin}")));
    parts.extend(server.last_change_s.known().map(|changed| format!("for {}", whole_duration(changed))));
    parts.push(format!("check {}", check_words(server)));
    let failed = server.check.fall.known().zip(server.checks_failed_total.known());
    parts.extend(failed.map(|(fall, failed)| format!("{failed} failed in total, {fall} in a row take it out")));
    parts.extend(
        server
            .check
            .answer
            .as_ref()
            .known()
            .filter(|answer| !answer.is_empty())
            .map(|answer| format!("it said: {answer}")),
    );
    parts.join(", ")
}

/// Servers that the evidence lists.
const EVIDENCE_SERVERS_MAX: usize = 20;

fn backend_down(scene: &Scene<'_>, all: &[Side<'_, Backend>]) -> Option<Condition> {
    let is_dead = |side: &&Side<'_, Backend>| !side.what.servers.is_empty() && !is_usable(side.what);
    let sides: Vec<Side<'_, Backend>> = all.iter().filter(is_dead).copied().collect();
    let backend = sides.first()?.what;
    // Dead since the last server went, on the balancer where that was last.
    let changes = sides.iter().filter_map(|side| {
        let last = side.what.servers.iter().filter_map(|server| server.last_change_s.known()).min()?;
        Some(before(side.at, last.saturating_mul(1000)))
    });
    let began = changes.max_by_key(|since| since.wall);
    let duration = began.map(|since| format!(" for {}", seconds_since(scene, since))).unwrap_or_default();
    let names: Vec<&NodeName> = sides.iter().map(|side| side.lb).collect();
    let place = match (names.len(), balancers_known(scene)) {
        (2, 2) => "either load balancer".to_owned(),
        (all, of) if all == of && of > 2 => format!("any of {of} load balancers"),
        _ => listed(&names),
    };
    let text = format!("No usable server on {place}{duration}: {}", counts(backend));
    let evidence = sides.iter().flat_map(|side| {
        let lb = side.lb;
        side.what
            .servers
            .iter()
            .take(EVIDENCE_SERVERS_MAX)
            .map(move |server| format!("{lb}: {} is {}", server.name, Treatment::of(server).words(server)))
    });
    let condition = Condition::new(BACKEND_DOWN, Severity::Critical, backend.name.as_str(), text).evidence(evidence);
    let is_down = |server: &&Server| Treatment::of(server) == Treatment::Down;
    let down = sides.iter().flat_map(|side| side.what.servers.iter().filter(is_down));
    let condition = condition.nodes(nodes_behind(scene, down));
    Some(Condition { began, ..condition })
}

/// "2 down, 1 in maintenance".
fn counts(backend: &Backend) -> String {
    let mut counted: BTreeMap<Treatment, usize> = BTreeMap::new();
    for server in &backend.servers {
        *counted.entry(Treatment::of(server)).or_default() += 1;
    }
    let words = counted.into_iter().map(|(treatment, count)| {
        let words = match treatment {
            Treatment::Up => "up",
            Treatment::Down => "down",
            Treatment::Draining => "draining",
            Treatment::Maintenance => "in maintenance",
            Treatment::Other => "stopping",
        };
        format!("{count} {words}")
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The node answers and its HAProxy does not.
fn unreadable(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    for seen in scene.nodes.iter().filter(|seen| seen.node.haproxy_socket.is_some()) {
        let Some(failure) = seen.facts.haproxy.failure().filter(|_| seen.state == NodeState::Up) else { continue };
        let route = seen.node.haproxy_socket.as_deref().and_then(|path| {
            let routes = &seen.facts.link.routes;
            routes.iter().find(|route| route.path.as_str() == path)?.way.as_ref().err()
        });
        let (rule, text) = match route.map(|trouble| trouble.kind) {
            Some(TroubleKind::StatsSocketFull) => {
                (STATS_FULL, format!("All conversations of HAProxy's stats socket are in use: {}", failure.reason))
            }
            _ => (HAPROXY_UNREADABLE, format!("HAProxy cannot be read: {}", failure.reason)),
        };
        let condition = Condition::new(rule, Severity::Warning, seen.node.name.as_str(), text)
            .node(&seen.node.name)
            .began(failure.since)
            .evidence(seen.node.haproxy_socket.as_ref().map(|path| format!("socket {path}")));
        // One answer that was lost on the way is no news.
        let hold_ms = scene.poll.haproxy_ms.saturating_mul(3) / 2;
        conditions.push(Condition { hint: route.map(|trouble| trouble.cure.clone()), hold_ms, ..condition });
    }
}
