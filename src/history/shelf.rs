//! Figures of many things over time: ports of switches, guests of hypervisors, databases. Each thing has a place in the
//! rows of its node's ring, as servers have in that of their load balancer.

use super::{
    coarse::Coarse,
    recent::{missed, reaches},
    series::{Ring, SAMPLES_MAX, Series},
};
use crate::model::{ids::NodeName, text::Clean, time::Mono};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a thing is called on its node: bridge and interface, nothing and the guest's name, or nothing at all.
pub(super) type Name = (Clean, Clean);

/// The things of every node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Shelves {
    by_node: BTreeMap<NodeName, Shelf>,
}

/// The things of one node. Whoever was seen first keeps its place; a place is given away again when its owner has been
/// gone for as long as the ring reaches back.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Shelf {
    interval_ms: u64,
    newest: Option<Mono>,
    ring: Ring,
    coarse: Coarse,
    places: Vec<Place>,
}

/// Who owns a place, and when it was last seen, by the count of the ring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    name: Name,
    seen: u64,
}

impl Shelves {
    /// One poll of a node, which comes every `interval_ms`; all nodes together have at most `most` places. Returns how
    /// many things found none.
    pub(super) fn push<const N: usize>(
        &mut self,
        node: &NodeName,
        things: &[(Name, [Option<f32>; N])],
        (at, interval_ms): (Mono, u64),
        most: usize,
    ) -> usize {
        if things.is_empty() && !self.by_node.contains_key(node) {
            return 0;
        }
        let taken: usize = self.by_node.values().map(|rack| rack.places.len()).sum();
        if taken >= most && !self.by_node.contains_key(node) {
            return things.len();
        }
        let rack = self.by_node.entry(node.clone()).or_default();
        rack.interval_ms = interval_ms.max(1);
        rack.fill_gaps(at);
        rack.push(things, at, most.saturating_sub(taken))
    }

    /// A poll that gave nothing.
    pub(super) fn push_gap(&mut self, node: &NodeName, at: Mono) {
        if let Some(rack) = self.by_node.get_mut(node) {
            rack.fill_gaps(at);
            rack.ring.push_gaps(1);
        }
    }

    /// The samples of figure `index` of `width` of a thing.
    pub(super) fn series(&self, node: &NodeName, name: &Name, (index, width): (usize, usize)) -> Option<Series<'_>> {
        let rack = self.by_node.get(node)?;
        let place = rack.places.iter().position(|place| place.name == *name)?;
        Some(rack.ring.series(place * width + index))
    }

    /// The largest sample of that figure from `from` to before `to`.
    pub(super) fn largest(
        &self,
        node: &NodeName,
        name: &Name,
        (index, width): (usize, usize),
        (from, to): (Mono, Mono),
    ) -> Option<f32> {
        let rack = self.by_node.get(node)?;
        let place = rack.places.iter().position(|place| place.name == *name)? * width + index;
        let (newest, fine) = (rack.newest?, rack.ring.series(place));
        if reaches(newest, fine.len(), rack.interval_ms, from) {
            return fine.largest(newest, rack.interval_ms, (from, to));
        }
        rack.coarse.largest(place, from, to)
    }

    #[cfg(test)]
    fn places(&self) -> usize {
        self.by_node.values().map(|rack| rack.places.len()).sum()
    }
}

impl Shelf {
    fn fill_gaps(&mut self, at: Mono) {
        self.ring.push_gaps(missed(self.newest, at, self.interval_ms.max(1)));
        self.newest = Some(at);
    }

    fn push<const N: usize>(&mut self, things: &[(Name, [Option<f32>; N])], at: Mono, mut room: usize) -> usize {
        let mut placed: Vec<Option<usize>> = Vec::with_capacity(things.len());
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        for (index, (name, _)) in things.iter().enumerate() {
            // Nearly always the order of the poll before.
            let same = self.places.get(index).filter(|place| place.name == *name).map(|_| index);
            let place = same.or_else(|| self.places.iter().position(|place| place.name == *name));
            taken.extend(place);
            placed.push(place);
        }
        for (slot, (name, _)) in placed.iter_mut().zip(things).filter(|(slot, _)| slot.is_none()) {
            *slot = self.place_of(name, &mut taken, &mut room, N);
        }
        let mut row = vec![None; self.places.len() * N];
        for (place, (_, figures)) in placed.iter().zip(things) {
            if let Some(slots) = place.and_then(|place| row.get_mut(place * N..(place + 1) * N)) {
                slots.copy_from_slice(figures);
            }
        }
        self.coarse.push(&row, at);
        self.ring.push(row);
        let seen = self.ring.pushed();
        for index in placed.iter().flatten() {
            if let Some(place) = self.places.get_mut(*index) {
                place.seen = seen;
            }
        }
        placed.iter().filter(|place| place.is_none()).count()
    }

    /// A place for somebody new: a free one, or one at the end while there is room.
    fn place_of(&mut self, name: &Name, taken: &mut BTreeSet<usize>, room: &mut usize, width: usize) -> Option<usize> {
        let now = self.ring.pushed();
        let is_free = |(index, place): &(usize, &Place)| {
            now.saturating_sub(place.seen) > SAMPLES_MAX as u64 && !taken.contains(index)
        };
        let free = self.places.iter().enumerate().find(is_free).map(|(index, _)| index);
        let owner = Place { name: name.clone(), seen: now };
        let index = match free {
            Some(index) => {
                self.ring.blank(index * width..(index + 1) * width);
                self.coarse.blank(&(index * width..(index + 1) * width));
                *self.places.get_mut(index)? = owner;
                index
            }
            None if *room > 0 => {
                *room -= 1;
                self.places.push(owner);
                self.places.len() - 1
            }
            None => return None,
        };
        taken.insert(index);
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn things(names: &[&str], value: f32) -> Vec<(Name, [Option<f32>; 2])> {
        names.iter().map(|name| ((Clean::default(), Clean::line(name)), [Some(value), None])).collect()
    }

    fn samples(shelves: &Shelves, name: &str) -> Option<Vec<Option<f32>>> {
        let name = (Clean::default(), Clean::line(name));
        Some(shelves.series(&"kvm01".into(), &name, (0, 2))?.iter().collect())
    }

    fn push(shelves: &mut Shelves, second: u64, names: &[&str], most: usize) -> usize {
        let at = (Mono(second * 1000), 1000);
        shelves.push(&"kvm01".into(), &things(names, second as f32), at, most)
    }

    #[test]
    fn a_thing_keeps_its_place_whatever_the_order_and_a_missed_poll_is_a_gap() {
        let mut shelves = Shelves::default();
        assert_eq!(push(&mut shelves, 1, &["a", "b"], 9), 0);
        assert_eq!(push(&mut shelves, 2, &["b", "a", "c"], 9), 0);
        shelves.push_gap(&"kvm01".into(), Mono(3000));
        assert_eq!(push(&mut shelves, 5, &["c"], 9), 0);
        assert_eq!(samples(&shelves, "a"), Some(vec![Some(1.0), Some(2.0), None, None, None]));
        assert_eq!(samples(&shelves, "c"), Some(vec![None, Some(2.0), None, None, Some(5.0)]));
        let c = (Clean::default(), Clean::line("c"));
        assert_eq!(shelves.largest(&"kvm01".into(), &c, (0, 2), (Mono(0), Mono(9000))), Some(5.0));
        let back: Shelves = serde_json::from_str(&serde_json::to_string(&shelves).unwrap()).unwrap();
        assert_eq!(back, shelves);
    }

    #[test]
    fn invariant_8_places_are_bounded_over_all_nodes_and_given_away_again() {
        let mut shelves = Shelves::default();
        assert_eq!(push(&mut shelves, 1, &["a", "b", "c"], 2), 1);
        assert_eq!(shelves.push(&"kvm02".into(), &things(&["d"], 1.0), (Mono(1000), 1000), 2), 1);
        assert_eq!(shelves.places(), 2);
        for second in 2..4 + SAMPLES_MAX as u64 {
            assert_eq!(push(&mut shelves, second, &["a"], 2), 0);
        }
        assert_eq!(push(&mut shelves, 700, &["a", "c"], 2), 0, "who left long ago makes room");
        assert_eq!(samples(&shelves, "b"), None);
        assert_eq!(samples(&shelves, "c").and_then(|samples| samples.into_iter().flatten().next()), Some(700.0));
    }
}
