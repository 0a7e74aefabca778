//! What is due: one in flight per node and probe, missed ticks skipped, what the operator looks at first.
//!
//! Every (node, probe) has its own grid of moments, `interval` apart and moved by a fixed phase, so that a thousand
//! nodes are spread over the interval instead of being asked at once. Within a second a node has one moment for all its
//! probes: what wakes it wakes it once. A poll that takes longer than its interval skips the moments it missed: the next
//! one is on the grid again, and nothing is ever caught up. A failure changes nothing; it is bounded by its deadline, and
//! whether a node is asked at all is decided by its connection.
//!
//! Deliberately absent: clocks, deadlines, back-off. Time is an input, and the transport has the other two.

use crate::{
    model::{
        ids::NodeName,
        inventory::{Inventory, Node},
        time::Mono,
    },
    wire::probe::ProbeId,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::collections::{BTreeMap, BTreeSet};

/// Polls that one call of [`Schedule::take_due`] starts at most; the rest stays due and comes with the next call.
/// It bounds the work of one turn of the loop when a thousand nodes come up together.
pub const STARTED_PER_CALL_MAX: usize = 64;

const PROBES: usize = ProbeId::ALL.len();

/// Probes whose intervals are multiples of this are asked at the same moment of it.
const BEAT_MS: u64 = 1_000;

/// The polling plan of all nodes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// In the order of the inventory.
    nodes: Vec<Planned>,
    index: BTreeMap<NodeName, usize>,
    /// Per probe, in the order of [`ProbeId::ALL`]: what waits, the longest waiting first.
    #[serde(deserialize_with = "one_per_probe")]
    waiting: [BTreeSet<(Mono, usize)>; PROBES],
    focus: Focus,
}

/// What the operator looks at: asked before everything else that is due.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Focus {
    /// The node whose screen is open.
    pub node: Option<NodeName>,
    /// The probe whose facts the screen shows for all nodes.
    pub probe: Option<ProbeId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Planned {
    name: NodeName,
    #[serde(deserialize_with = "one_per_probe")]
    slots: [Slot; PROBES],
}

/// Where a probe stands in the turn of its node, in sixths of the interval. A place does not depend on how many probes
/// there are: a new one moves none of the others.
fn place_in_turn(probe: usize) -> u64 {
    const PLACES: [u64; 6] = [0, 2, 4, 1, 3, 5];
    PLACES[probe % PLACES.len()]
}

/// A recording of an older vakt has fewer probes: the others were never asked.
fn one_per_probe<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(source: D) -> Result<[T; PROBES], D::Error> {
    let mut known = Vec::<T>::deserialize(source)?;
    known.resize_with(PROBES, T::default);
    known.try_into().map_err(|_| D::Error::custom("as many as there are probes"))
}

/// One probe of one node.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Slot {
    /// 0 where the node has nothing that this probe asks.
    interval_ms: u64,
    phase_ms: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// The node's connection is not up.
    #[default]
    Off,
    Waiting {
        due: Mono,
    },
    InFlight {
        since: Mono,
        /// The operator asked meanwhile: due again as soon as this one ends.
        again: bool,
    },
}

impl Slot {
    fn new(probe: usize, node_index: usize, node: &Node, inventory: &Inventory) -> Self {
        let id = ProbeId::ALL[probe];
        if !id.applies_to(node) {
            return Self::default();
        }
        let interval_ms = id.interval_on_ms(node, inventory).max(1);
        // Multiples of the golden ratio fill the interval evenly for any number of nodes, and neighbours in the file
        // land far apart. The rarer probes of one node take different seconds, so that its answers do not queue behind
        // another; within a second they go out with the frequent ones: each question that comes alone wakes the SSH daemon
        // and a reader, which is a tenth of what watching costs a database.
        let turn = u32::try_from(node_index).unwrap_or(u32::MAX).wrapping_mul(0x9E37_79B9);
        let share_of = |turn: u32, count: u64| u64::from(turn).saturating_mul(count) >> 32;
        let place = interval_ms * place_in_turn(probe) / 6;
        let phase_ms = if interval_ms.is_multiple_of(BEAT_MS) {
            // Nodes whose moments are near each other must not meet in the same second, too: another ratio.
            let other = u32::try_from(node_index).unwrap_or(u32::MAX).wrapping_mul(0xC13F_A9A9);
            let beats = share_of(other, interval_ms / BEAT_MS) + place / BEAT_MS;
            (beats * BEAT_MS + share_of(turn, BEAT_MS)) % interval_ms
        } else {
            (share_of(turn, interval_ms) + place) % interval_ms
        };
        Self { interval_ms, phase_ms, state: State::Off }
    }

    /// The first moment of the grid at or after `at`.
    fn on_grid(&self, at: Mono) -> Mono {
        let over = at.0 % self.interval_ms.max(1);
        let wait = (self.phase_ms + self.interval_ms).saturating_sub(over) % self.interval_ms.max(1);
        at.plus_ms(wait)
    }
}

impl Schedule {
    /// Nothing is due until a node is up.
    pub fn new(inventory: &Inventory) -> Self {
        let nodes = inventory.nodes.iter().enumerate();
        Self {
            nodes: nodes
                .map(|(index, node)| Planned {
                    name: node.name.clone(),
                    slots: std::array::from_fn(|probe| Slot::new(probe, index, node, inventory)),
                })
                .collect(),
            index: inventory.nodes.iter().enumerate().map(|(index, node)| (node.name.clone(), index)).collect(),
            ..Self::default()
        }
    }

    /// The node's connection is up: its probes are due now.
    pub fn node_up(&mut self, node: &NodeName, now: Mono) {
        self.node_down(node);
        for (node, probe) in self.slots_of(node) {
            self.wait(node, probe, now);
        }
    }

    /// The node's connection is gone: nothing is due, nothing is in flight.
    pub fn node_down(&mut self, node: &NodeName) {
        for (node, probe) in self.slots_of(node) {
            self.set(node, probe, State::Off);
        }
    }

    /// Takes what is due now and marks it as in flight: what has the focus, then what waits longest.
    ///
    /// At most [`STARTED_PER_CALL_MAX`]; [`Self::next_due`] then still lies in the past.
    pub fn take_due(&mut self, now: Mono) -> Vec<(NodeName, ProbeId)> {
        let mut taken = Vec::new();
        if let Some(focused) = self.focus.node.clone() {
            for (node, probe) in self.slots_of(&focused) {
                if self.slot(node, probe).is_some_and(|slot| matches!(slot.state, State::Waiting { due } if due <= now))
                {
                    self.start(node, probe, now, &mut taken);
                }
            }
        }
        if let Some(probe) = self.focus.probe.and_then(position) {
            // Half of the budget: a focus on every node must not keep the other probes waiting for ever.
            while taken.len() < STARTED_PER_CALL_MAX / 2
                && let Some(&(_, node)) = self.waiting[probe].first().filter(|(due, _)| *due <= now)
            {
                self.start(node, probe, now, &mut taken);
            }
        }
        while taken.len() < STARTED_PER_CALL_MAX
            && let Some((due, node, probe)) = self.longest_waiting()
            && due <= now
        {
            self.start(node, probe, now, &mut taken);
        }
        taken
    }

    /// An answer or failure arrived: no longer in flight. What its interval meanwhile missed is skipped.
    pub fn finished(&mut self, node: &NodeName, probe: ProbeId, now: Mono) {
        let (Some(&node), Some(probe)) = (self.index.get(node), position(probe)) else { return };
        let Some(slot) = self.slot(node, probe).copied() else { return };
        // Reports may arrive behind the end of their connection.
        let State::InFlight { since, again } = slot.state else { return };
        // A poll off the grid (the first one, a hurried one) may lie just before a moment of the grid. Two samples so
        // close together make poor rates; within the same moment they would make none.
        let earliest = since.plus_ms((slot.interval_ms / 4).max(1));
        let due = if again { now } else { slot.on_grid(now.max(earliest)) };
        self.wait(node, probe, due);
    }

    /// The next moment at which something is due, for the loop's timer; in the past when something waits already.
    pub fn next_due(&self) -> Option<Mono> {
        self.longest_waiting().map(|(due, _, _)| due)
    }

    /// The operator asked: this node's probes are due now; what is in flight is asked again as soon as it ends.
    pub fn hurry(&mut self, node: &NodeName, now: Mono) {
        for (node, probe) in self.slots_of(node) {
            self.hurry_slot(node, probe, now);
        }
    }

    /// The node told that what this probe asks has changed: the same for that probe alone.
    pub fn hurry_probe(&mut self, node: &NodeName, probe: ProbeId, now: Mono) {
        let Some(probe) = position(probe) else { return };
        for (node, asked) in self.slots_of(node) {
            if asked == probe {
                self.hurry_slot(node, probe, now);
            }
        }
    }

    /// The same, unless the probe is asked already: for those who only want an answer of now.
    pub fn hurry_waiting(&mut self, node: &NodeName, probe: ProbeId, now: Mono) {
        let Some(probe) = position(probe) else { return };
        for (node, asked) in self.slots_of(node) {
            let is_waiting =
                self.slot(node, asked).is_some_and(|slot| matches!(slot.state, State::Waiting { due } if due > now));
            if asked == probe && is_waiting {
                self.wait(node, probe, now);
            }
        }
    }

    fn hurry_slot(&mut self, node: usize, probe: usize, now: Mono) {
        match self.slot(node, probe).map(|slot| slot.state) {
            Some(State::Waiting { due }) if due > now => self.wait(node, probe, now),
            Some(State::InFlight { since, .. }) => self.set(node, probe, State::InFlight { since, again: true }),
            _ => {}
        }
    }

    /// What the operator looks at now. Only the order of what is due changes, never an interval.
    pub fn focus(&mut self, focus: Focus) {
        self.focus = focus;
    }

    /// How many polls run, over all nodes.
    pub fn in_flight(&self) -> usize {
        let slots = self.nodes.iter().flat_map(|node| &node.slots);
        slots.filter(|slot| matches!(slot.state, State::InFlight { .. })).count()
    }

    /// The slots of a node that are asked at all.
    fn slots_of(&self, node: &NodeName) -> impl Iterator<Item = (usize, usize)> + use<> {
        let node = self.index.get(node).copied();
        let asked = node.and_then(|node| self.nodes.get(node)).map(|node| node.slots.map(|slot| slot.interval_ms > 0));
        (0..PROBES).filter_map(move |probe| asked?[probe].then_some((node?, probe)))
    }

    fn slot(&self, node: usize, probe: usize) -> Option<&Slot> {
        self.nodes.get(node)?.slots.get(probe)
    }

    fn longest_waiting(&self) -> Option<(Mono, usize, usize)> {
        // Of what is due at the same moment, the most wanted probe comes first: the order of `ProbeId::ALL`.
        let firsts = self.waiting.iter().enumerate();
        let firsts = firsts.filter_map(|(probe, waiting)| waiting.first().map(|&(due, node)| (due, node, probe)));
        firsts.min_by_key(|&(due, node, probe)| (due, probe, node))
    }

    fn start(&mut self, node: usize, probe: usize, now: Mono, taken: &mut Vec<(NodeName, ProbeId)>) {
        self.set(node, probe, State::InFlight { since: now, again: false });
        if let Some(planned) = self.nodes.get(node) {
            taken.push((planned.name.clone(), ProbeId::ALL[probe]));
        }
    }

    fn wait(&mut self, node: usize, probe: usize, due: Mono) {
        self.set(node, probe, State::Waiting { due });
    }

    /// The only place that changes a state, so that `waiting` always says the same as the slots.
    fn set(&mut self, node: usize, probe: usize, state: State) {
        let Some(slot) = self.nodes.get_mut(node).and_then(|node| node.slots.get_mut(probe)) else { return };
        if let State::Waiting { due } = slot.state {
            self.waiting[probe].remove(&(due, node));
        }
        if let State::Waiting { due } = state {
            self.waiting[probe].insert((due, node));
        }
        slot.state = state;
    }
}

fn position(probe: ProbeId) -> Option<usize> {
    ProbeId::ALL.iter().position(|&id| id == probe)
}
