//! The way a request takes, and how each station stands: clients, virtual addresses, load balancers, web servers,
//! databases; hypervisors carry them all.

use super::{
    Seen, databases, figures,
    meaning::{Meaning, Span},
    standing,
    traffic::{self, Traffic},
};
use crate::model::{
    figure::{Figure, Unknown},
    haproxy::OperationalState,
    ids::NodeName,
    inventory::{Role, Vip},
    world::NodeFacts,
};

/// One station of the path.
#[derive(Debug, Clone)]
pub(crate) struct Station {
    /// Glyph and colour.
    pub(crate) meaning: Meaning,
    /// Whether a glyph stands before the name.
    pub(crate) has_glyph: bool,
    /// The name.
    pub(crate) name: String,
    /// What flows there, most wanted first; cut from the end when space is short.
    pub(crate) facts: Vec<Span>,
}

/// A step of the path with its stations one below the other.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Whether traffic flows from the step before into this one.
    pub(crate) is_fed: bool,
    /// What flows into it altogether; shown on the arrow where there is room.
    pub(crate) flow: Option<Span>,
    /// 0 keeps its facts longest when space is short.
    pub(crate) rank: u8,
    /// Columns of a fact, so that nothing moves when a figure grows by a digit.
    pub(crate) fact_width: usize,
    pub(crate) stations: Vec<Station>,
}

impl Step {
    fn new(title: &'static str, rank: u8, stations: Vec<Station>) -> Self {
        let fact_width = if title == "data" { 14 } else { 9 };
        Self { is_fed: true, flow: None, rank, fact_width, stations }
    }
}

/// How many stations the longest step has, without looking at the traffic.
pub(crate) fn height(seen: Seen<'_>) -> usize {
    let steps: [&[Role]; 4] =
        [&[Role::Edge], &[Role::Web, Role::App], &[Role::Database, Role::Cache, Role::Storage], &[Role::Hypervisor]];
    let count = |roles: &[Role]| {
        seen.inventory.nodes.iter().filter(|node| node.roles.iter().any(|role| roles.contains(role))).count()
    };
    steps.iter().map(|roles| count(roles)).max().unwrap_or(0).max(seen.inventory.vips.len())
}

/// The path's steps; steps without stations are left out.
pub(crate) fn steps(seen: Seen<'_>) -> Vec<Step> {
    let traffic = Traffic::merge(seen);
    let mut steps = Vec::new();
    if !traffic.balancers.is_empty() {
        steps.push(Step::new("clients", 1, vec![clients(&traffic)]));
    }
    let vips: Vec<Station> = seen.inventory.vips.iter().map(|vip| vip_station(seen, vip)).collect();
    steps.push(Step::new("addresses", 4, vips));
    let balancers = traffic.balancers.iter().enumerate().map(|(index, _)| balancer_station(seen, &traffic, index));
    let rates = (0..traffic.balancers.len()).filter(|index| !traffic.balancers[*index].is_stale);
    let rate = traffic::sum_f64(rates.map(|index| balancer_rate(&traffic, index)));
    let flow = rate.known().map(|rate| Span::plain(figures::rate(rate)));
    steps.push(Step { flow, ..Step::new("load balancers", 2, balancers.collect()) });
    let behind: &[(&str, u8, &[Role])] =
        &[("web", 0, &[Role::Web, Role::App]), ("data", 3, &[Role::Database, Role::Cache, Role::Storage])];
    let mut taken: Vec<NodeName> = traffic.balancers.iter().map(|balancer| balancer.node.name.clone()).collect();
    for (title, rank, roles) in behind {
        let stations = stations_of(seen, &traffic, roles, &mut taken);
        let flow = if *title == "data" { databases::flow(seen) } else { requests(seen, &traffic, roles) };
        steps.push(Step { flow, ..Step::new(title, *rank, stations) });
    }
    let stations = stations_of(seen, &traffic, &[Role::Hypervisor], &mut taken);
    steps.push(Step { is_fed: false, ..Step::new("hypervisors", 5, stations) });
    steps.retain(|step| !step.stations.is_empty());
    steps
}

/// Requests a second that load balancers send to the nodes of these roles.
fn requests(seen: Seen<'_>, traffic: &Traffic<'_>, roles: &[Role]) -> Option<Span> {
    let is_there = |name: &str| {
        seen.inventory
            .nodes
            .iter()
            .any(|node| node.name.as_str() == name && node.roles.iter().any(|role| roles.contains(role)))
    };
    let mut rates = Vec::new();
    for pool in 0..traffic.pools.len() {
        for (server, name) in traffic.pools[pool].servers.iter().enumerate() {
            if is_there(name.as_str()) {
                rates.extend(traffic.views(pool, server).map(|view| view.rates.requests_per_s));
            }
        }
    }
    let is_known = rates.iter().any(|rate| rate.known().is_some());
    let sum = traffic::sum_f64(rates.into_iter()).known().filter(|_| is_known)?;
    Some(Span::plain(figures::rate(sum)))
}

/// A node with several roles stands where the traffic reaches it first.
fn stations_of(seen: Seen<'_>, traffic: &Traffic<'_>, roles: &[Role], taken: &mut Vec<NodeName>) -> Vec<Station> {
    let mut stations = Vec::new();
    for listed in seen.inventory.nodes.iter().filter(|node| node.roles.iter().any(|role| roles.contains(role))) {
        if taken.contains(&listed.name) {
            continue;
        }
        taken.push(listed.name.clone());
        if let Some(node) = seen.world.node(&listed.name) {
            stations.push(node_station(seen, traffic, node));
        }
    }
    stations
}

fn clients(traffic: &Traffic<'_>) -> Station {
    let rate = traffic::sum_f64(traffic.counted().flat_map(|balancer| {
        (0..traffic.frontends.len())
            .filter_map(move |index| traffic.frontend(index, balancer))
            .map(|(_, rates)| traffic::requests_or_sessions(&rates))
    }));
    let mut rate = Span::figure(rate, figures::rate);
    if traffic.balancers.iter().all(|balancer| balancer.is_stale) && rate.meaning == Meaning::Text {
        rate.meaning = Meaning::Stale;
    }
    Station { meaning: Meaning::Text, has_glyph: false, name: "clients".to_owned(), facts: vec![rate] }
}

/// Who says that it carries the address: by its newest look at its addresses, else by the list in its profile.
pub(crate) fn holders<'a>(seen: Seen<'a>, vip: &Vip) -> Vec<&'a NodeFacts> {
    let wanted = vip.address.to_string();
    let listed = |node: &NodeFacts| {
        node.profile.last().is_some_and(|profile| {
            profile.addresses.iter().any(|held| held.address.as_str().split('/').next() == Some(wanted.as_str()))
        })
    };
    let carries = |node: &&NodeFacts| {
        let looked = node.presence.last().and_then(|presence| presence.carries(vip.address).known());
        looked.unwrap_or_else(|| listed(node))
    };
    seen.world.nodes.iter().filter(carries).collect()
}

fn vip_station(seen: Seen<'_>, vip: &Vip) -> Station {
    let holders = holders(seen, vip);
    let asked = vip.nodes.iter().filter_map(|name| seen.world.node(name));
    let anybody_read = asked.clone().any(|node| node.profile.last().is_some() || node.presence.last().is_some());
    let (meaning, words) = match holders.as_slice() {
        [] if !anybody_read => (Meaning::Unknown, "holder not read yet".to_owned()),
        [] => (Meaning::Crit, "held by nobody".to_owned()),
        // The holder's word is as old as the holder's last answer.
        [one] if standing::of_node(seen, one).is_stale => (Meaning::Stale, format!("held by {}", one.name)),
        [one] => (Meaning::Ok, format!("held by {}", one.name)),
        [first, rest @ ..] => (Meaning::Crit, format!("held by {} and {} more", first.name, rest.len())),
    };
    let facts = vec![Span::new(words, if meaning == Meaning::Ok { Meaning::Dim } else { meaning })];
    Station { meaning, has_glyph: true, name: vip.address.to_string(), facts }
}

fn balancer_rate(traffic: &Traffic<'_>, index: usize) -> Figure<f64> {
    traffic::sum_f64(
        (0..traffic.frontends.len())
            .filter_map(|frontend| traffic.frontend(frontend, index))
            .map(|(_, rates)| traffic::requests_or_sessions(&rates)),
    )
}

fn balancer_station(seen: Seen<'_>, traffic: &Traffic<'_>, index: usize) -> Station {
    let balancer = traffic.balancers[index];
    let standing = standing::of_node(seen, balancer.node);
    let name = balancer.node.name.to_string();
    let Some(_) = balancer.facts else {
        let words = balancer.node.haproxy.failure().map_or("not read yet", |_| "haproxy not read");
        let meaning = Meaning::Unknown.worse(standing.meaning);
        return Station { meaning, has_glyph: true, name, facts: vec![Span::new(words, Meaning::Unknown)] };
    };
    let rate = balancer_rate(traffic, index);
    if balancer.is_stale {
        let meaning = Meaning::Stale.worse(standing.meaning);
        return Station { meaning, has_glyph: true, name, facts: vec![Span::new(standing.word, Meaning::Stale)] };
    }
    // Another holder and no traffic is what a healthy second load balancer looks like.
    let is_holder =
        seen.inventory.vips.iter().any(|vip| holders(seen, vip).iter().any(|h| h.name == balancer.node.name));
    let held_elsewhere = seen.inventory.vips.iter().any(|vip| !holders(seen, vip).is_empty()) && !is_holder;
    let idle = rate.known().is_none_or(|rate| rate < 1.0);
    if held_elsewhere && idle && standing.meaning == Meaning::Ok {
        let facts = vec![Span::new("standby", Meaning::Standby)];
        return Station { meaning: Meaning::Standby, has_glyph: true, name, facts };
    }
    Station { meaning: standing.meaning, has_glyph: true, name, facts: vec![Span::figure(rate, figures::rate)] }
}

/// A node behind the load balancers: its own standing and that of the servers that carry its name.
fn node_station(seen: Seen<'_>, traffic: &Traffic<'_>, node: &NodeFacts) -> Station {
    let standing = standing::of_node(seen, node);
    let mut meaning = standing.meaning;
    let (mut rates, mut sessions, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for pool in 0..traffic.pools.len() {
        let Some(server) = traffic.pools[pool].servers.iter().position(|name| name.as_str() == node.name.as_str())
        else {
            continue;
        };
        for view in traffic.views(pool, server) {
            if !matches!(view.server.operational, OperationalState::Up | OperationalState::Unchecked) {
                meaning = meaning.worse(Meaning::from(&view.server.operational));
            }
            rates.push(view.rates.requests_per_s);
            sessions.push(view.server.traffic.sessions_current);
            times.push((view.server.traffic.response_time_ms.map(|ms| ms as f64), view.rates.requests_per_s));
        }
    }
    let mut facts = Vec::new();
    let database = if standing.is_stale { None } else { databases::on_the_path(seen, node) };
    if let Some(words) = database {
        meaning =
            words.iter().fold(
                meaning,
                |worst, span| if span.meaning == Meaning::Crit { worst.worse(Meaning::Crit) } else { worst },
            );
        facts.extend(words);
    } else if standing.is_stale || meaning == Meaning::Unknown {
        facts.push(Span::new(standing.word, meaning));
    } else if rates.iter().any(|rate| matches!(rate, Figure::Known(_))) {
        facts.push(Span::figure(traffic::sum_f64(rates.iter().copied()), figures::rate));
        let moves = rates.iter().any(|rate| rate.known().is_some_and(|rate| rate > 0.0));
        let time = if moves { traffic::weighted(times.into_iter()) } else { Figure::Unknown(Unknown::NothingHappened) };
        let time = Span::figure(time, |ms| figures::latency_whole(ms.round() as u64));
        facts.push(time.meaning(Meaning::Dim));
    } else if !sessions.is_empty() {
        let sum = traffic::sum(sessions.into_iter());
        facts.push(Span::figure(sum, |count| figures::counted(count as usize, "session", "sessions")));
    } else if let Some(host) = node.host.last() {
        facts.push(Span::figure(host.sample.load, |load| format!("load {}", figures::number(load.one_minute))));
    }
    Station { meaning, has_glyph: true, name: node.name.to_string(), facts }
}
