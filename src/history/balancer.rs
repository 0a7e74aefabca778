//! The last minutes of one load balancer: backends and servers, each at its place in the rows of one ring.

use super::{
    coarse::Coarse,
    recent::{ROWS_MAX, TrafficFigure, missed, reaches, small},
    series::{Ring, SAMPLES_MAX, Series},
};
use crate::model::{
    figure::Figure,
    haproxy::{HaproxyFacts, Traffic, TrafficRates},
    ids::{ProxyName, ServerName},
    time::Mono,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Figures of each backend and server, in the order of [`TrafficFigure`].
const FIGURES: usize = 4;

/// One load balancer's history. Whoever was seen first keeps its place; a place is given away again when its owner has
/// been gone for as long as the ring reaches back.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct BalancerHistory {
    newest: Option<Mono>,
    ring: Ring,
    #[serde(default)]
    coarse: Coarse,
    places: Vec<Place>,
    /// Where the things of the last poll are, in its order: nearly always the order of the next one.
    order: Vec<Option<usize>>,
}

/// Who owns a place, and when it was last seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    backend: ProxyName,
    /// None: the backend itself.
    server: Option<ServerName>,
    /// By the count of the ring.
    seen: u64,
}

impl Place {
    fn is(&self, backend: &ProxyName, server: Option<&ServerName>) -> bool {
        // The server first: it differs between neighbours, the backend seldom does.
        self.server.as_ref() == server && &self.backend == backend
    }
}

impl BalancerHistory {
    /// The samples of one figure of a backend or of a server in it.
    pub(super) fn series(
        &self,
        backend: &ProxyName,
        server: Option<&ServerName>,
        figure: TrafficFigure,
    ) -> Option<Series<'_>> {
        let place = self.places.iter().position(|place| place.is(backend, server))?;
        let gone_for = self.ring.pushed().saturating_sub(self.places.get(place)?.seen);
        (gone_for <= SAMPLES_MAX as u64).then(|| self.ring.series(place * FIGURES + figure as usize))
    }

    /// The largest sample of a figure from `from` to before `to`.
    pub(super) fn largest(
        &self,
        (backend, server): (&ProxyName, Option<&ServerName>),
        figure: TrafficFigure,
        (from, to): (Mono, Mono),
        interval_ms: u64,
    ) -> Option<f32> {
        let place = self.places.iter().position(|place| place.is(backend, server))? * FIGURES + figure as usize;
        let newest = self.newest?;
        let fine = self.ring.series(place);
        if reaches(newest, fine.len(), interval_ms, from) {
            return fine.largest(newest, interval_ms, (from, to));
        }
        self.coarse.largest(place, from, to)
    }

    /// Adds a gap for each whole interval since the last poll.
    pub(super) fn fill_gaps(&mut self, at: Mono, interval_ms: u64) {
        self.ring.push_gaps(missed(self.newest, at, interval_ms));
        self.newest = Some(at);
    }

    /// A poll that gave nothing.
    pub(super) fn push_gap(&mut self) {
        self.ring.push_gaps(1);
    }

    /// One poll. Returns how many backends and servers found no place.
    pub(super) fn push(&mut self, facts: &HaproxyFacts) -> usize {
        let things = things(facts);
        if !self.order_holds(facts) {
            self.assign_places(facts);
        }
        let mut row = vec![None; self.places.len() * FIGURES];
        for ((_, _, traffic, rates), place) in things.zip(&self.order) {
            if let Some(slots) = place.and_then(|place| row.get_mut(place * FIGURES..(place + 1) * FIGURES)) {
                slots.copy_from_slice(&figures(traffic, rates));
            }
        }
        if let Some(at) = self.newest {
            self.coarse.push(&row, at);
        }
        self.ring.push(row);
        let seen = self.ring.pushed();
        for place in self.order.iter().flatten() {
            if let Some(place) = self.places.get_mut(*place) {
                place.seen = seen;
            }
        }
        self.order.iter().filter(|place| place.is_none()).count()
    }

    /// Whether the names of this poll are those of the last one, in the same order.
    fn order_holds(&self, facts: &HaproxyFacts) -> bool {
        let holds = |place: Option<usize>, backend, server| {
            place.and_then(|place| self.places.get(place)).is_some_and(|place| place.is(backend, server))
        };
        things(facts).count() == self.order.len()
            && things(facts).zip(&self.order).all(|((backend, server, ..), place)| holds(*place, backend, server))
    }

    /// Finds everybody's place anew: after a reload, or while there are more things than places.
    fn assign_places(&mut self, facts: &HaproxyFacts) {
        let now = self.ring.pushed();
        let owned: HashMap<(&ProxyName, Option<&ServerName>), usize> = (self.places.iter().enumerate())
            .map(|(index, place)| ((&place.backend, place.server.as_ref()), index))
            .collect();
        self.order = things(facts).map(|(backend, server, ..)| owned.get(&(backend, server)).copied()).collect();
        let mut free: Vec<usize> = (self.places.iter().enumerate())
            .filter(|(index, place)| {
                now.saturating_sub(place.seen) > SAMPLES_MAX as u64 && !self.order.contains(&Some(*index))
            })
            .map(|(index, _)| index)
            .collect();
        for (slot, (backend, server, ..)) in self.order.iter_mut().zip(things(facts)).filter(|(slot, _)| slot.is_none())
        {
            let place = Place { backend: backend.clone(), server: server.cloned(), seen: now };
            if let Some((index, owner)) = free.pop().and_then(|index| Some((index, self.places.get_mut(index)?))) {
                self.ring.blank(index * FIGURES..(index + 1) * FIGURES);
                self.coarse.blank(&(index * FIGURES..(index + 1) * FIGURES));
                *owner = place;
                *slot = Some(index);
            } else if self.places.len() < ROWS_MAX {
                *slot = Some(self.places.len());
                self.places.push(place);
            }
        }
    }
}

/// Every backend followed by its servers, with figures.
fn things(
    facts: &HaproxyFacts,
) -> impl Iterator<Item = (&ProxyName, Option<&ServerName>, &Traffic, Option<&TrafficRates>)> {
    facts.sample.backends.iter().enumerate().flat_map(|(index, backend)| {
        let rates = facts.server_rates.get(index).map_or(&[][..], Vec::as_slice);
        let servers = backend
            .servers
            .iter()
            .enumerate()
            .map(move |(row, server)| (&backend.name, Some(&server.name), &server.traffic, rates.get(row)));
        std::iter::once((&backend.name, None, &backend.traffic, facts.backend_rates.get(index))).chain(servers)
    })
}

/// In the order of [`TrafficFigure`].
fn figures(traffic: &Traffic, rates: Option<&TrafficRates>) -> [Option<f32>; FIGURES] {
    let count = |figure: Figure<u64>| figure.known().map(|value| value as f32);
    let rate = |of: fn(&TrafficRates) -> Figure<f64>| rates.map(of).and_then(small);
    let errors = if traffic.answers.why().is_some() {
        rate(|rates| rates.failures_per_s)
    } else {
        rate(|rates| rates.server_errors_percent)
    };
    [
        count(traffic.sessions_current),
        count(traffic.queue_current),
        rate(|rates| rates.sessions_per_s).or_else(|| count(traffic.rate_per_s)),
        errors,
    ]
}
