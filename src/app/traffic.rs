//! All load balancers' proxies and servers side by side: one row a server while the load balancers agree, one row
//! each where they differ.
//!
//! Main type: [`Traffic`]. It holds references and places, no copies: a frame builds it anew, then draws only the
//! rows in the window.

use super::{
    Seen,
    rows::{self, RowId},
    screen::{ScreenState, Screens},
};
use crate::model::{
    figure::{Figure, Unknown},
    haproxy::{Backend, Frontend, HaproxyFacts, OperationalState, Server, TrafficRates},
    ids::{ProxyName, ServerName},
    world::NodeFacts,
};
use std::{cmp::Reverse, collections::HashMap};

/// The orders of servers within their backend; the first is the default, because its rows never move.
pub(crate) const SORTS: [&str; 7] = ["as configured", "problem first", "load", "rate", "errors", "queue", "name"];

/// One load balancer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Balancer<'a> {
    pub(crate) node: &'a NodeFacts,
    pub(crate) facts: Option<&'a HaproxyFacts>,
    /// Reading fails, or the facts are too old.
    pub(crate) is_stale: bool,
}

/// A proxy and where each load balancer has it.
#[derive(Debug)]
pub(crate) struct Proxy<'a> {
    pub(crate) name: &'a ProxyName,
    /// Per load balancer: place in its sample.
    places: Vec<Option<usize>>,
}

/// A backend's servers and where each load balancer has them.
#[derive(Debug)]
pub(crate) struct Pool<'a> {
    pub(crate) proxy: Proxy<'a>,
    pub(crate) servers: Vec<&'a ServerName>,
    /// Per server, per load balancer: place in the backend. One list, so that a thousand servers are one allocation.
    places: Vec<Option<u32>>,
}

/// A row, by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrafficRow {
    Frontend(usize),
    Backend(usize),
    Server { pool: usize, server: usize },
    Share { pool: usize, server: usize, balancer: usize },
}

/// The whole table.
#[derive(Debug)]
pub(crate) struct Traffic<'a> {
    pub(crate) balancers: Vec<Balancer<'a>>,
    pub(crate) frontends: Vec<Proxy<'a>>,
    pub(crate) pools: Vec<Pool<'a>>,
    /// What is shown, in order.
    pub(crate) rows: Vec<TrafficRow>,
}

/// A server as one load balancer sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerView<'a> {
    pub(crate) balancer: usize,
    pub(crate) server: &'a Server,
    pub(crate) rates: TrafficRates,
}

impl<'a> Traffic<'a> {
    /// The table as the screen's state asks for it.
    pub(crate) fn of(seen: Seen<'a>, state: &ScreenState, screens: &Screens) -> Self {
        let mut traffic = Self::merge(seen);
        traffic.rows = traffic.arrange(state, screens);
        traffic
    }

    /// All proxies and servers of all load balancers, without rows.
    pub(crate) fn merge(seen: Seen<'a>) -> Self {
        let stale_after_ms =
            seen.inventory.settings.poll.stale_after_ms.max(2 * seen.inventory.settings.poll.haproxy_ms);
        let nodes = seen.inventory.nodes.iter().filter(|node| node.haproxy_socket.is_some());
        let balancers: Vec<Balancer<'a>> = nodes
            .filter_map(|listed| seen.world.node(&listed.name))
            .map(|node| Balancer {
                node,
                facts: node.haproxy.last(),
                is_stale: node.haproxy.fresh(seen.now.mono, stale_after_ms).is_none(),
            })
            .collect();
        let frontends =
            merge_proxies(&balancers, |facts| &facts.sample.frontends, |frontend: &Frontend| &frontend.name);
        let backends = merge_proxies(&balancers, |facts| &facts.sample.backends, |backend: &Backend| &backend.name);
        let pools = backends.into_iter().map(|proxy| merge_servers(&balancers, proxy)).collect();
        Self { balancers, frontends, pools, rows: Vec::new() }
    }

    fn arrange(&self, state: &ScreenState, screens: &Screens) -> Vec<TrafficRow> {
        let filter = state.filter.as_str();
        let mut shown = Vec::with_capacity(64);
        for (index, frontend) in self.frontends.iter().enumerate() {
            if rows::contains(frontend.name.as_str(), filter) {
                shown.push(TrafficRow::Frontend(index));
            }
        }
        for (index, pool) in self.pools.iter().enumerate() {
            let whole = rows::contains(pool.proxy.name.as_str(), filter);
            let mut servers: Vec<usize> =
                (0..pool.servers.len()).filter(|server| whole || self.server_matches(index, *server, filter)).collect();
            if servers.is_empty() && !whole {
                continue;
            }
            shown.push(TrafficRow::Backend(index));
            if screens.folded.contains(pool.proxy.name) && filter.is_empty() {
                continue;
            }
            self.sort(index, &mut servers, state.sort);
            for server in servers {
                shown.push(TrafficRow::Server { pool: index, server });
                if self.is_open(index, server, screens) {
                    let balancers = 0..self.balancers.len();
                    shown.extend(balancers.map(|balancer| TrafficRow::Share { pool: index, server, balancer }));
                }
            }
        }
        shown
    }

    /// Whether a server shows one row per load balancer: because they differ, or because the operator asked.
    fn is_open(&self, pool: usize, server: usize, screens: &Screens) -> bool {
        if self.balancers.len() < 2 {
            return false;
        }
        let asked = !screens.opened.is_empty() && {
            let pool = &self.pools[pool];
            screens.opened.contains(&(pool.proxy.name.clone(), pool.servers[server].clone()))
        };
        asked != self.differs(pool, server)
    }

    fn server_matches(&self, pool: usize, server: usize, filter: &str) -> bool {
        rows::contains(self.pools[pool].servers[server].as_str(), filter)
            || self.views(pool, server).any(|view| rows::contains(state_word(&view.server.operational), filter))
    }

    fn sort(&self, pool: usize, servers: &mut [usize], sort: usize) {
        let number = |figure: Figure<f64>| Reverse(figure.known().map_or(-1, |value| (value * 1000.0) as i64));
        match sort {
            1 => servers.sort_by_cached_key(|server| Reverse(self.trouble(pool, *server))),
            2 => servers.sort_by_cached_key(|server| {
                Reverse(sum(self.views(pool, *server).map(|view| view.server.traffic.sessions_current)).known())
            }),
            3 => servers.sort_by_cached_key(|server| {
                number(sum_f64(self.views(pool, *server).map(|view| requests_or_sessions(&view.rates))))
            }),
            4 => servers.sort_by_cached_key(|server| {
                number(weighted(
                    self.views(pool, *server).map(|view| (view.rates.server_errors_percent, view.rates.requests_per_s)),
                ))
            }),
            5 => servers.sort_by_cached_key(|server| {
                Reverse(sum(self.views(pool, *server).map(|view| view.server.traffic.queue_current)).known())
            }),
            6 => servers.sort_by_key(|server| self.pools[pool].servers[*server]),
            _ => {}
        }
    }

    /// How much a server wants attention: larger is worse.
    pub(crate) fn trouble(&self, pool: usize, server: usize) -> u8 {
        let worst = self.views(pool, server).map(|view| match &view.server.operational {
            OperationalState::Down | OperationalState::GoingUp { .. } => 5,
            OperationalState::GoingDown { .. } => 4,
            OperationalState::Other(_) => 3,
            OperationalState::Stopping | OperationalState::Draining => 2,
            OperationalState::Maintenance => 1,
            OperationalState::Up | OperationalState::Unchecked => 0,
        });
        worst.max().unwrap_or(3) + u8::from(self.differs(pool, server))
    }

    /// What the load balancers whose word counts say of a server. While at least one is fresh, stale ones are left
    /// out: their last value is shown in their column, but it is neither added up nor compared.
    pub(crate) fn views(&self, pool: usize, server: usize) -> impl Iterator<Item = ServerView<'a>> + Clone + '_ {
        let any_fresh = self.balancers.iter().any(|balancer| !balancer.is_stale);
        (0..self.balancers.len())
            .filter(move |balancer| !any_fresh || !self.balancers[*balancer].is_stale)
            .filter_map(move |balancer| self.view(pool, server, balancer))
    }

    /// A server as one load balancer sees it.
    pub(crate) fn view(&self, pool: usize, server: usize, balancer: usize) -> Option<ServerView<'a>> {
        let facts = self.balancers[balancer].facts?;
        let pool = &self.pools[pool];
        let backend_place = (*pool.proxy.places.get(balancer)?)?;
        let place = (*pool.places.get(server * self.balancers.len() + balancer)?)? as usize;
        let server = facts.sample.backends.get(backend_place)?.servers.get(place)?;
        let rates = facts.server_rates.get(backend_place).and_then(|rates| rates.get(place)).copied();
        Some(ServerView { balancer, server, rates: rates.unwrap_or_default() })
    }

    /// A backend as one load balancer sees it.
    pub(crate) fn backend(&self, pool: usize, balancer: usize) -> Option<(&'a Backend, TrafficRates)> {
        let facts = self.balancers[balancer].facts?;
        let place = (*self.pools[pool].proxy.places.get(balancer)?)?;
        let rates = facts.backend_rates.get(place).copied().unwrap_or_default();
        Some((facts.sample.backends.get(place)?, rates))
    }

    /// A frontend as one load balancer sees it.
    pub(crate) fn frontend(&self, frontend: usize, balancer: usize) -> Option<(&'a Frontend, TrafficRates)> {
        let facts = self.balancers[balancer].facts?;
        let place = (*self.frontends[frontend].places.get(balancer)?)?;
        let rates = facts.frontend_rates.get(place).copied().unwrap_or_default();
        Some((facts.sample.frontends.get(place)?, rates))
    }

    /// The load balancers whose word counts: the fresh ones, or all when none is.
    pub(crate) fn counted(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        let any_fresh = self.balancers.iter().any(|balancer| !balancer.is_stale);
        (0..self.balancers.len()).filter(move |index| !any_fresh || !self.balancers[*index].is_stale)
    }

    /// Whether fresh load balancers say different things about a server: whether it takes traffic, what an operator
    /// told them, what their file says, its weight, or that it exists at all.
    pub(crate) fn differs(&self, pool: usize, server: usize) -> bool {
        let mut fresh = self.fresh_views(pool, server);
        let Some(first) = fresh.next() else { return false };
        fresh.any(|other| match (first, other) {
            (Some(a), Some(b)) => DIFFERENCES.iter().any(|(_, differ)| differ(a.server, b.server)),
            (a, b) => a.is_some() != b.is_some(),
        })
    }

    /// What they differ about, in words.
    pub(crate) fn differences(&self, pool: usize, server: usize) -> Vec<&'static str> {
        let views: Vec<Option<ServerView<'_>>> = self.fresh_views(pool, server).collect();
        let known: Vec<&Server> = views.iter().flatten().map(|view| view.server).collect();
        let mut found = Vec::new();
        if !known.is_empty() && known.len() < views.len() {
            found.push("whether it exists");
        }
        let pairs = |differ: &fn(&Server, &Server) -> bool| known.windows(2).any(|pair| differ(pair[0], pair[1]));
        found.extend(DIFFERENCES.iter().filter(|(_, differ)| pairs(differ)).map(|(what, _)| *what));
        found
    }

    fn fresh_views(&self, pool: usize, server: usize) -> impl Iterator<Item = Option<ServerView<'a>>> + '_ {
        let fresh = self.balancers.iter().enumerate().filter(|(_, balancer)| !balancer.is_stale);
        fresh.map(move |(index, _)| self.view(pool, server, index))
    }

    /// What a row is about.
    pub(crate) fn id(&self, row: TrafficRow) -> RowId {
        match row {
            TrafficRow::Frontend(index) => RowId::Frontend(self.frontends[index].name.clone()),
            TrafficRow::Backend(index) => RowId::Backend(self.pools[index].proxy.name.clone()),
            TrafficRow::Server { pool, server } => {
                let pool = &self.pools[pool];
                RowId::Server(pool.proxy.name.clone(), pool.servers[server].clone())
            }
            TrafficRow::Share { pool, server, balancer } => {
                let pool = &self.pools[pool];
                let lb = self.balancers[balancer].node.name.clone();
                RowId::Share(pool.proxy.name.clone(), pool.servers[server].clone(), lb)
            }
        }
    }

    /// Whether a row is about `id`, without copying names.
    pub(crate) fn is(&self, row: TrafficRow, id: &RowId) -> bool {
        match (row, id) {
            (TrafficRow::Frontend(index), RowId::Frontend(name)) => self.frontends[index].name == name,
            (TrafficRow::Backend(index), RowId::Backend(name)) => self.pools[index].proxy.name == name,
            (TrafficRow::Server { pool, server }, RowId::Server(backend, name)) => {
                self.pools[pool].servers[server] == name && self.pools[pool].proxy.name == backend
            }
            (TrafficRow::Share { pool, server, balancer }, RowId::Share(backend, name, lb)) => {
                self.pools[pool].servers[server] == name
                    && self.pools[pool].proxy.name == backend
                    && self.balancers[balancer].node.name == *lb
            }
            _ => false,
        }
    }
}

/// A way in which two load balancers may differ about a server.
type Difference = (&'static str, fn(&Server, &Server) -> bool);

/// What load balancers can differ about.
const DIFFERENCES: [Difference; 4] = [
    ("state", |a, b| side(&a.operational) != side(&b.operational)),
    ("admin state", |a, b| a.admin != b.admin),
    ("configured state", |a, b| a.configured != b.configured),
    ("weight", |a, b| a.weight != b.weight),
];

/// HTTP proxies count requests, TCP proxies sessions.
pub(crate) fn requests_or_sessions(rates: &TrafficRates) -> Figure<f64> {
    match (rates.requests_per_s, rates.sessions_per_s) {
        (Figure::Unknown(_), sessions @ Figure::Known(_)) => sessions,
        (requests, _) => requests,
    }
}

/// States between which checks move a server back and forth are one side: load balancers check at different moments.
fn side(state: &OperationalState) -> u8 {
    match state {
        OperationalState::Up | OperationalState::GoingDown { .. } | OperationalState::Unchecked => 0,
        OperationalState::Down | OperationalState::GoingUp { .. } => 1,
        OperationalState::Stopping | OperationalState::Draining => 2,
        OperationalState::Maintenance => 3,
        OperationalState::Other(_) => 4,
    }
}

fn state_word(state: &OperationalState) -> &str {
    match state {
        OperationalState::Up | OperationalState::GoingDown { .. } => "up",
        OperationalState::Down | OperationalState::GoingUp { .. } => "down",
        OperationalState::Stopping => "stopping",
        OperationalState::Draining => "draining",
        OperationalState::Maintenance => "maintenance",
        OperationalState::Unchecked => "no check",
        OperationalState::Other(text) => text.as_str(),
    }
}

/// Adds what is known; unknown only when nothing is.
pub(crate) fn sum(figures: impl Iterator<Item = Figure<u64>>) -> Figure<u64> {
    let mut total = None;
    let mut why = Unknown::NotReadYet;
    for figure in figures {
        match figure {
            Figure::Known(value) => total = Some(total.unwrap_or(0u64).saturating_add(value)),
            Figure::Unknown(reason) => why = reason,
        }
    }
    Figure::from_option(total, why)
}

/// Adds what is known; unknown only when nothing is.
pub(crate) fn sum_f64(figures: impl Iterator<Item = Figure<f64>>) -> Figure<f64> {
    let mut total = None;
    let mut why = Unknown::NotReadYet;
    for figure in figures {
        match figure {
            Figure::Known(value) => total = Some(total.unwrap_or(0.0) + value),
            Figure::Unknown(reason) => why = reason,
        }
    }
    Figure::from_option(total, why)
}

/// Mean of values weighted by rates; where nothing moves, the plain mean.
pub(crate) fn weighted(pairs: impl Iterator<Item = (Figure<f64>, Figure<f64>)>) -> Figure<f64> {
    let (mut total, mut weight, mut plain, mut known) = (0.0, 0.0, 0.0, 0u32);
    let mut why = Unknown::NotReadYet;
    for (value, rate) in pairs {
        match value {
            Figure::Known(value) => {
                let rate = rate.known().unwrap_or(0.0);
                total += value * rate;
                weight += rate;
                plain += value;
                known += 1;
            }
            Figure::Unknown(reason) => why = reason,
        }
    }
    match known {
        0 => Figure::Unknown(why),
        _ if weight > 0.0 => Figure::Known(total / weight),
        count => Figure::Known(plain / f64::from(count)),
    }
}

fn merge_proxies<'a, T: 'a>(
    balancers: &[Balancer<'a>],
    list: impl Fn(&'a HaproxyFacts) -> &'a Vec<T>,
    name: impl Fn(&'a T) -> &'a ProxyName,
) -> Vec<Proxy<'a>> {
    let mut merged: Vec<Proxy<'a>> = Vec::new();
    for (balancer, facts) in balancers.iter().enumerate().filter_map(|(i, lb)| lb.facts.map(|facts| (i, facts))) {
        for (place, proxy) in list(facts).iter().enumerate() {
            let name = name(proxy);
            let known = merged.iter().position(|other| other.name == name).unwrap_or_else(|| {
                merged.push(Proxy { name, places: vec![None; balancers.len()] });
                merged.len() - 1
            });
            merged[known].places[balancer] = Some(place);
        }
    }
    merged
}

fn merge_servers<'a>(balancers: &[Balancer<'a>], proxy: Proxy<'a>) -> Pool<'a> {
    let stride = balancers.len();
    let mut pool = Pool { proxy, servers: Vec::new(), places: Vec::new() };
    for (index, balancer) in balancers.iter().enumerate() {
        let backend_place = pool.proxy.places.get(index).copied().flatten();
        let backend = balancer.facts.zip(backend_place).and_then(|(facts, place)| facts.sample.backends.get(place));
        let Some(backend) = backend else { continue };
        let is_first = pool.servers.is_empty();
        // Made only when two load balancers list their servers in different orders.
        let mut by_name: Option<HashMap<&'a ServerName, usize>> = None;
        for (place, server) in backend.servers.iter().enumerate() {
            let known = match pool.servers.get(place) {
                _ if is_first => None,
                Some(name) if **name == server.name => Some(place),
                _ => {
                    let names = by_name
                        .get_or_insert_with(|| pool.servers.iter().enumerate().map(|(at, name)| (*name, at)).collect());
                    names.get(&server.name).copied()
                }
            };
            let known = known.unwrap_or_else(|| {
                pool.servers.push(&server.name);
                pool.places.extend(std::iter::repeat_n(None, stride));
                pool.servers.len() - 1
            });
            pool.places[known * stride + index] = u32::try_from(place).ok();
        }
    }
    pool
}
