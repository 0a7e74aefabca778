//! The schedule in virtual time: every property over thousands of polls, in milliseconds of real time.

use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use vakt::{
    config,
    model::{ids::NodeName, inventory::Inventory, time::Mono},
    schedule::{Focus, STARTED_PER_CALL_MAX, Schedule},
    wire::probe::ProbeId,
};

fn inventory(nodes: usize, poll: &str) -> Inventory {
    let mut text = format!("[cluster]\nname = \"c\"\n[poll]\n{poll}\n");
    for node in 0..nodes {
        let role = if node % 10 == 0 { "edge" } else { "web" };
        text += &["[[node]]\nname = \"n", &node.to_string(), "\"\nroles = [\"", role, "\"]\nmanagement = \"h"].concat();
        text += &[&node.to_string(), "\"\novs_socket = \"none\"\n"].concat();
    }
    config::load(Path::new("x"), &text, &config::FileMetadata::default()).unwrap().inventory
}

fn name(node: usize) -> NodeName {
    NodeName::from(format!("n{node}"))
}

/// Every poll of a node, most wanted first.
fn asked(inventory: &Inventory, node: usize) -> Vec<(NodeName, ProbeId)> {
    let listed = inventory.node(&name(node)).unwrap();
    let probes = ProbeId::ALL.into_iter().filter(|probe| probe.applies_to(listed));
    probes.map(|probe| (name(node), probe)).collect()
}

/// A loop in virtual time: wakes when something is due or answers, like the real one.
struct Simulation {
    schedule: Schedule,
    now: Mono,
    answers: BTreeSet<(Mono, NodeName, ProbeId)>,
    started: Vec<(Mono, NodeName, ProbeId)>,
    lateness_ms: Vec<u64>,
}

impl Simulation {
    fn new(inventory: &Inventory) -> Self {
        let mut schedule = Schedule::new(inventory);
        for (node, start) in inventory.nodes.iter().zip(0..) {
            schedule.node_up(&node.name, Mono(start % 700));
        }
        Self { schedule, now: Mono(0), answers: BTreeSet::new(), started: Vec::new(), lateness_ms: Vec::new() }
    }

    /// `latency`: how long a poll takes; `None` never answers.
    fn run(&mut self, until: Mono, latency: impl Fn(&NodeName, ProbeId) -> Option<u64>) {
        loop {
            let wakes = [self.schedule.next_due(), self.answers.first().map(|answer| answer.0)];
            let Some(wake) = wakes.into_iter().flatten().min().filter(|wake| *wake <= until) else { break };
            self.now = self.now.max(wake);
            while let Some((at, node, probe)) = self.answers.first().cloned().filter(|answer| answer.0 <= self.now) {
                self.schedule.finished(&node, probe, at);
                self.answers.pop_first();
            }
            let due = self.schedule.next_due();
            for (node, probe) in self.schedule.take_due(self.now) {
                self.lateness_ms.push(self.now.since_ms(due.unwrap()));
                if let Some(latency) = latency(&node, probe) {
                    self.answers.insert((self.now.plus_ms(latency), node.clone(), probe));
                }
                self.started.push((self.now, node, probe));
            }
        }
        self.now = until;
    }

    /// When each poll was started.
    fn times(&self) -> BTreeMap<(&str, ProbeId), Vec<u64>> {
        let mut times = BTreeMap::<_, Vec<u64>>::new();
        for (at, node, probe) in &self.started {
            times.entry((node.as_str(), *probe)).or_default().push(at.0);
        }
        times
    }
}

#[test]
fn a_thousand_nodes_are_spread_over_the_interval_and_none_is_late() {
    let mut simulation = Simulation::new(&inventory(1000, ""));
    simulation.run(Mono(60_000), |_, _| Some(40));
    let mut per_10_ms = BTreeMap::<u64, usize>::new();
    for (at, _, _) in simulation.started.iter().filter(|(at, _, _)| at.0 >= 5_000) {
        *per_10_ms.entry(at.0 / 10).or_default() += 1;
    }
    // 1,000 host polls, 300 of memcached, 200 looks at services, 100 at addresses and of HAProxy each, and 33 profiles
    // a second are about 18 in 10 ms.
    assert!(per_10_ms.values().all(|&started| started <= 28), "{:?}", per_10_ms.values().max());
    simulation.lateness_ms.sort_unstable();
    let p99 = simulation.lateness_ms[simulation.lateness_ms.len() * 99 / 100];
    assert_eq!(p99, 0);
    for (poll, times) in simulation.times().into_iter().filter(|((_, probe), _)| *probe == ProbeId::Host) {
        assert!((59..=61).contains(&times.len()), "{poll:?}: {}", times.len());
        assert!((250..1250).contains(&(times[1] - times[0])), "{poll:?}: {times:?}");
        assert!(times.windows(2).skip(1).all(|pair| pair[1] - pair[0] == 1000), "{poll:?} left its grid: {times:?}");
    }
}

#[test]
fn invariant_9_a_node_that_never_answers_moves_nobody_else() {
    let inventory = inventory(50, "");
    let mut healthy = Simulation::new(&inventory);
    healthy.run(Mono(30_000), |_, _| Some(20));
    let mut stuck = Simulation::new(&inventory);
    stuck.run(Mono(30_000), |node, _| (*node != name(7)).then_some(20));
    let (stuck, healthy) = (stuck.times(), healthy.times());
    for (poll, times) in &healthy {
        let expected = if poll.0 == "n7" { &times[..1] } else { times };
        assert_eq!(stuck[poll], expected, "{poll:?}");
    }
}

#[test]
fn missed_ticks_are_skipped_and_the_grid_is_kept() {
    let mut simulation = Simulation::new(&inventory(3, ""));
    simulation.run(Mono(20_000), |_, _| Some(2_300));
    for (_, times) in simulation.times().into_iter().filter(|((_, probe), _)| *probe == ProbeId::Host) {
        assert!(times.windows(2).skip(1).all(|pair| pair[1] - pair[0] == 3_000), "{times:?}");
    }
}

#[test]
fn the_first_polls_come_at_once_and_only_what_a_node_has() {
    let inventory = inventory(2, "");
    let mut schedule = Schedule::new(&inventory);
    assert_eq!((schedule.next_due(), schedule.take_due(Mono(5))), (None, vec![]));
    schedule.node_up(&name(1), Mono(10));
    assert_eq!(schedule.next_due(), Some(Mono(10)));
    let of_web = asked(&inventory, 1);
    assert!(of_web.iter().all(|(_, probe)| *probe != ProbeId::Haproxy));
    assert_eq!(schedule.take_due(Mono(10)), of_web);
    schedule.node_up(&name(0), Mono(11));
    let of_edge = asked(&inventory, 0);
    assert!(of_edge.contains(&(name(0), ProbeId::Haproxy)));
    assert_eq!(schedule.take_due(Mono(11)), of_edge);
    assert_eq!(schedule.in_flight(), of_web.len() + of_edge.len());
    schedule.node_down(&name(0));
    schedule.finished(&name(0), ProbeId::Host, Mono(12));
    assert_eq!((schedule.in_flight(), schedule.next_due()), (of_web.len(), None));
}

#[test]
fn hurry_asks_now_and_again_after_what_is_in_flight() {
    let mut schedule = Schedule::new(&inventory(2, ""));
    schedule.node_up(&name(1), Mono(0));
    schedule.take_due(Mono(0));
    schedule.finished(&name(1), ProbeId::Host, Mono(20));
    schedule.hurry(&name(1), Mono(30));
    assert_eq!(schedule.take_due(Mono(30)), [(name(1), ProbeId::Host)]);
    assert_eq!(schedule.take_due(Mono(40)), []);
    schedule.finished(&name(1), ProbeId::HostProfile, Mono(50));
    assert_eq!(schedule.take_due(Mono(50)), [(name(1), ProbeId::HostProfile)]);
}

#[test]
fn what_a_node_tells_hurries_one_probe() {
    let mut schedule = Schedule::new(&inventory(2, ""));
    schedule.node_up(&name(1), Mono(0));
    schedule.take_due(Mono(0));
    schedule.finished(&name(1), ProbeId::Host, Mono(20));
    schedule.finished(&name(1), ProbeId::HostProfile, Mono(20));
    schedule.hurry_probe(&name(1), ProbeId::HostProfile, Mono(30));
    assert_eq!(schedule.take_due(Mono(30)), [(name(1), ProbeId::HostProfile)]);
    schedule.hurry_probe(&name(1), ProbeId::HostProfile, Mono(40));
    schedule.hurry_probe(&name(1), ProbeId::Haproxy, Mono(40));
    assert_eq!(schedule.take_due(Mono(40)), [], "one in flight at a time, and nothing that the node does not have");
    schedule.finished(&name(1), ProbeId::HostProfile, Mono(50));
    assert_eq!(schedule.take_due(Mono(50)), [(name(1), ProbeId::HostProfile)]);
}

#[test]
fn the_focus_comes_first_within_the_budget_and_starves_nobody() {
    let inventory = inventory(1000, "haproxy_ms = 200");
    let mut schedule = Schedule::new(&inventory);
    for node in &inventory.nodes {
        schedule.node_up(&node.name, Mono(0));
    }
    schedule.focus(Focus { node: Some(name(990)), probe: Some(ProbeId::Haproxy) });
    let first = schedule.take_due(Mono(0));
    assert_eq!(first.len(), STARTED_PER_CALL_MAX);
    let focused = asked(&inventory, 990);
    assert_eq!(first[..focused.len()], focused);
    assert!(first[focused.len()..STARTED_PER_CALL_MAX / 2].iter().all(|(_, probe)| *probe == ProbeId::Haproxy));
    assert!(first[STARTED_PER_CALL_MAX / 2..].iter().all(|(_, probe)| *probe == ProbeId::Host));
    // Overload: every answer comes at once, so that the focused probe is due at each turn, and turns are rare.
    let mut seen: BTreeSet<(NodeName, ProbeId)> = first.iter().cloned().collect();
    let mut running = first;
    for turn in 1..240 {
        let now = Mono(turn * 250);
        for (node, probe) in running {
            schedule.finished(&node, probe, now);
        }
        running = schedule.take_due(now);
        assert!(running.len() <= STARTED_PER_CALL_MAX);
        seen.extend(running.iter().cloned());
    }
    let all: usize = (0..1000).map(|node| asked(&inventory, node).len()).sum();
    assert_eq!(seen.len(), all, "everything was asked at least once");
}

#[test]
fn it_survives_being_written_down() {
    let mut schedule = Schedule::new(&inventory(20, ""));
    schedule.node_up(&name(0), Mono(3));
    schedule.take_due(Mono(3));
    schedule.finished(&name(0), ProbeId::Host, Mono(4));
    let text = serde_json::to_string(&schedule).unwrap();
    assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
}

#[derive(Debug, Clone)]
enum Step {
    Up(usize),
    Down(usize),
    Finish(usize, usize),
    Hurry(usize),
    Take,
    Sleep(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..5usize).prop_map(Step::Up),
        (0..5usize).prop_map(Step::Down),
        (0..5usize, 0..ProbeId::ALL.len()).prop_map(|(node, probe)| Step::Finish(node, probe)),
        (0..5usize).prop_map(Step::Hurry),
        Just(Step::Take),
        (0..3000u64).prop_map(Step::Sleep),
    ]
}

proptest! {
    #[test]
    fn at_most_one_is_in_flight_whatever_happens(steps in proptest::collection::vec(step(), 0..200)) {
        let mut schedule = Schedule::new(&inventory(5, ""));
        let mut in_flight = BTreeSet::new();
        let mut up = BTreeSet::new();
        let mut now = Mono(0);
        for step in steps {
            match step {
                Step::Up(node) => {
                    schedule.node_up(&name(node), now);
                    up.insert(name(node));
                    in_flight.retain(|(of, _)| *of != name(node));
                }
                Step::Down(node) => {
                    schedule.node_down(&name(node));
                    up.remove(&name(node));
                    in_flight.retain(|(of, _)| *of != name(node));
                }
                Step::Finish(node, probe) => {
                    schedule.finished(&name(node), ProbeId::ALL[probe], now);
                    in_flight.remove(&(name(node), ProbeId::ALL[probe]));
                }
                Step::Hurry(node) => schedule.hurry(&name(node), now),
                Step::Sleep(ms) => now = now.plus_ms(ms),
                Step::Take => {
                    for poll in schedule.take_due(now) {
                        prop_assert!(up.contains(&poll.0), "asked while down");
                        prop_assert!(in_flight.insert(poll), "asked twice");
                    }
                    prop_assert!(schedule.next_due().is_none_or(|due| due > now));
                }
            }
            prop_assert_eq!(schedule.in_flight(), in_flight.len());
        }
    }
}
