//! Rules about HAProxy's servers, folded over the load balancers: down, disagreement, backend without usable server.

use super::{
    RuleId, Severity,
    scene::{Scene, Seen, before},
    track::Condition,
    words::{balancers, listed, whole_duration},
};
use crate::model::{
    haproxy::{AdminState, Backend, Check, ConfiguredState, HaproxySample, OperationalState, Server},
    ids::{NodeName, ProxyName, ServerName},
    text::Clean,
    time::Now,
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
    let mut odd: BTreeSet<(&ProxyName, &ServerName)> = BTreeSet::new();
    for balancer in &balancers {
        for backend in &balancer.sample.backends {
            if !backend.servers.is_empty() && !is_usable(backend) {
                dead.insert(&backend.name);
            }
            let not_taking = backend.servers.iter().filter(|server| !server.operational.takes_traffic());
            odd.extend(not_taking.map(|server| (&backend.name, &server.name)));
        }
    }
    let places = Places::of(&balancers, &odd);
    for name in &dead {
        conditions.extend(backend_down(scene, &balancers, name));
    }
    for (backend, server) in odd {
        let sides = places.sides(backend, server);
        conditions.extend(server_condition(scene, backend, &sides, dead.contains(backend)));
    }
}

fn is_usable(backend: &Backend) -> bool {
    backend.servers.iter().any(|server| server.operational.takes_traffic())
}

/// Where the odd servers are on every load balancer: one pass, however many are odd.
struct Places<'a>(BTreeMap<(&'a ProxyName, &'a ServerName), Vec<Side<'a, Server>>>);

impl<'a> Places<'a> {
    fn of(balancers: &[Balancer<'a>], odd: &BTreeSet<(&'a ProxyName, &'a ServerName)>) -> Self {
        let mut places = BTreeMap::<_, Vec<_>>::new();
        let concerned: BTreeSet<&ProxyName> = odd.iter().map(|(backend, _)| *backend).collect();
        for balancer in balancers {
            for backend in balancer.sample.backends.iter().filter(|backend| concerned.contains(&backend.name)) {
                for server in backend.servers.iter().filter(|server| odd.contains(&(&backend.name, &server.name))) {
                    let side = Side { lb: balancer.name, at: balancer.at, what: server };
                    places.entry((&backend.name, &server.name)).or_default().push(side);
                }
            }
        }
        Self(places)
    }

    fn sides(&self, backend: &ProxyName, server: &ServerName) -> Vec<Side<'a, Server>> {
        self.0.get(&(backend, server)).cloned().unwrap_or_default()
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
            (state, _) if state.takes_traffic() => Self::Up,
            (OperationalState::Draining, _) => Self::Draining,
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

fn server_condition(
    scene: &Scene<'_>,
    backend: &ProxyName,
    sides: &[Side<'_, Server>],
    backend_is_dead: bool,
) -> Option<Condition> {
    let treatments: BTreeSet<Treatment> = sides.iter().map(|side| Treatment::of(side.what)).collect();
    let is_disagreed = treatments.len() > 1;
    // The finding of a backend without usable server lists its servers.
    let is_down = treatments.first() == Some(&Treatment::Down) && !backend_is_dead;
    if !is_disagreed && !is_down {
        return None;
    }
    let server = sides.first()?.what;
    let behind = scene.behind(server.name.as_str(), server.address.as_ref().known().map(Clean::as_str));
    let condition =
        if is_disagreed { disagreement(scene, backend, sides) } else { server_down(scene, backend, sides, behind)? };
    let condition = match behind {
        Some(seen) => condition.node(&seen.node.name).evidence(node_line(seen)),
        None => condition,
    };
    let silent = scene.nodes.iter().filter(|seen| seen.node.haproxy_socket.is_some() && seen.haproxy.is_none());
    let silent = silent.map(|seen| format!("{}: cannot be read now", seen.node.name));
    Some(condition.evidence(sides.iter().map(side_line)).evidence(silent))
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

fn server_down(
    scene: &Scene<'_>,
    backend: &ProxyName,
    sides: &[Side<'_, Server>],
    behind: Option<&Seen<'_>>,
) -> Option<Condition> {
    // Down everywhere since the last of them found out.
    let last = sides.iter().min_by_key(|side| side.what.last_change_s.known().unwrap_or(u64::MAX))?;
    let server = last.what;
    let names: Vec<&NodeName> = sides.iter().map(|side| side.lb).collect();
    let since = since(last);
    let duration = since.map(|since| format!(" for {}", seconds_since(scene, since))).unwrap_or_default();
    let place = balancers(&names, balancers_known(scene));
    let gone = behind.filter(|seen| matches!(seen.state, NodeState::Unreachable | NodeState::Stale));
    let gone = gone.map(|seen| format!("; {} itself is {}", seen.node.name, seen.state.word())).unwrap_or_default();
    let text = format!("Down on {place}{duration}: {}{gone}", check_words(server));
    let severity = if server.backup.known() == Some(true) { Severity::Warning } else { Severity::Critical };
    let condition = Condition::new(RuleId::ServerDown, severity, &subject(backend, &server.name), text);
    Some(Condition { began: since, ..condition })
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
    let condition = Condition::new(RuleId::Disagree, Severity::Warning, &subject, says.join(", "));
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

fn backend_down(scene: &Scene<'_>, all: &[Balancer<'_>], name: &ProxyName) -> Option<Condition> {
    let sides: Vec<Side<'_, Backend>> = all
        .iter()
        .filter_map(|balancer| {
            let backend = balancer.sample.backends.iter().find(|backend| backend.name == *name)?;
            let is_dead = !backend.servers.is_empty() && !is_usable(backend);
            is_dead.then_some(Side { lb: balancer.name, at: balancer.at, what: backend })
        })
        .collect();
    let backend = sides.first()?.what;
    // Dead since the last server went, on the balancer where that was last.
    let changes = sides.iter().filter_map(|side| {
        let last = side.what.servers.iter().filter_map(|server| server.last_change_s.known()).min()?;
        Some(before(side.at, last.saturating_mul(1000)))
    });
    let began = changes.max_by_key(|since| since.wall);
    let duration = began.map(|since| format!(" for {}", seconds_since(scene, since))).unwrap_or_default();
    let names: Vec<&NodeName> = sides.iter().map(|side| side.lb).collect();
    let place = balancers(&names, balancers_known(scene));
    let text = format!("No usable server on {place}{duration}: {}", counts(backend));
    let evidence = sides.iter().flat_map(|side| {
        let lb = side.lb;
        side.what
            .servers
            .iter()
            .take(20)
            .map(move |server| format!("{lb}: {} is {}", server.name, Treatment::of(server).words(server)))
    });
    let condition = Condition::new(RuleId::BackendDown, Severity::Critical, name.as_str(), text).evidence(evidence);
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
        let text = format!("HAProxy cannot be read: {}", failure.reason);
        let condition = Condition::new(RuleId::HaproxyUnreadable, Severity::Warning, seen.node.name.as_str(), text)
            .node(&seen.node.name)
            .began(failure.since)
            .evidence(seen.node.haproxy_socket.as_ref().map(|path| format!("socket {path}")));
        // One answer that was lost on the way is no news.
        let hold_ms = scene.poll.haproxy_ms.saturating_mul(3) / 2;
        conditions.push(Condition { hint: route.map(|trouble| trouble.cure.clone()), hold_ms, ..condition });
    }
}
