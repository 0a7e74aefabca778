//! A switchover there and back while four programs write through HAProxy: how long nobody could, that no write that was
//! acknowledged is lost, and that no two servers took writes at one moment.

mod address;
mod by_hand;
mod command;
pub(super) mod family;
mod kills;
mod refusals;
pub(super) mod scene;

use super::lab;
use crate::program::{now, pause};
use scene::{DATABASES, Lines, Scene, sql};
use std::{collections::BTreeSet, fs::File, process::Stdio, time::Duration};

/// What the operators of other programs are promised is seconds; the bar of this one.
const GAP_P95_MS: f64 = 1_000.0;
pub(super) const WRITERS: [(&str, u64); 4] = [("web01", 1), ("web02", 2), ("web03", 3), ("web01", 4)];
/// Inserts per second of each writer: a replica has one applier, and beside it other tests use the same disk.
const RATE: &str = "15";
/// The same in a long series, which has the machine to itself; `VAKT_SOAK_RATE` is another.
const RATE_OF_A_SERIES: &str = "50";
/// Longer than a round takes; they end when nobody reads what they say.
pub(super) const SECONDS_PER_ROUND: usize = 60;

/// One program that writes numbers of its own, and what it was told about each.
pub(super) struct Writer(Lines);

impl Writer {
    pub(super) fn start(node: &str, number: u64, seconds: usize) -> Self {
        Self::to("10.10.0.100", node, number, seconds)
    }

    /// The same to another address.
    fn to(address: &str, node: &str, number: u64, seconds: usize) -> Self {
        let script = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/load/sql.pl")).unwrap();
        let seconds = seconds.to_string();
        // The lab's own load counts from the time of day; these do not meet it.
        let first = (first_id() + number * 10_000_000).to_string();
        let usual = if std::env::var_os("VAKT_SOAK_ROUNDS").is_some() { RATE_OF_A_SERIES } else { RATE };
        let rate = std::env::var("VAKT_SOAK_RATE").unwrap_or_else(|_| usual.into());
        let args = ["perl", "-", address, &rate, &seconds, "/dev/stdout", &first];
        Self(Lines::of(node, Stdio::from(script), &args))
    }

    /// When each write that was acknowledged was, milliseconds, and its number.
    pub(super) fn acknowledged(&self) -> Vec<(f64, u64)> {
        let lines = self.0.lines.lock().unwrap().clone();
        let good = lines.iter().filter_map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [start, id, result, took] = fields[..] else { return None };
            (result == "ok")
                .then(|| (start.parse::<f64>().unwrap() + took.parse::<f64>().unwrap(), id.parse().unwrap()))
        });
        good.collect()
    }

    pub(super) fn failed(&self) -> usize {
        self.0.lines.lock().unwrap().iter().filter(|line| !line.contains("\tok\t")).count()
    }
}

/// A base that no earlier run of the test has used.
fn first_id() -> u64 {
    let seconds: u64 = sql("db01", "select unix_timestamp()").parse().unwrap();
    seconds * 1_000_000_000
}

/// Whether each server took writes by its own word, again and again, on the one clock of the machine.
pub(super) struct Watch(Vec<(&'static str, Lines)>);

/// A server that took writes at some moment between two: on a busy machine it may be stopped in between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Writable {
    from_ms: f64,
    until_ms: f64,
    node: &'static str,
}

impl Watch {
    pub(super) fn start() -> Self {
        let script = "perl -e '$| = 1; while (1) { print q(set @f = sysdate(6); set @r = @@global.read_only; \
            select round(unix_timestamp(@f) * 1000, 1), @r, round(unix_timestamp(sysdate(6)) * 1000, 1);), chr(10); \
            select(undef, undef, undef, 0.008) }' | $(command -v mariadb || command -v mysql) -N --unbuffered";
        Self(DATABASES.map(|(node, _)| (node, Lines::of(node, Stdio::null(), &["sh", "-c", script]))).into())
    }

    /// When a server took writes, in order.
    pub(super) fn writable(&self) -> Vec<Writable> {
        let mut seen: Vec<Writable> = Vec::new();
        for (node, lines) in &self.0 {
            for line in lines.lines.lock().unwrap().iter() {
                let fields: Vec<&str> = line.split('\t').collect();
                let [from, "0", until] = fields[..] else { continue };
                seen.push(Writable { from_ms: from.parse().unwrap(), until_ms: until.parse().unwrap(), node });
            }
        }
        seen.sort_by(|one, other| one.from_ms.total_cmp(&other.from_ms));
        seen
    }
}

/// The moments at which another server takes writes. Where two of them took turns, which means that both did, there are
/// more than there were switchovers: a server that certainly took writes after the next one did comes back.
pub(super) fn handovers(seen: &[Writable]) -> Vec<(f64, &'static str)> {
    let mut moved = Vec::new();
    let Some(first) = seen.first() else { return moved };
    let (mut node, mut certainly_ms) = (first.node, first.until_ms);
    for one in seen {
        if one.node == node {
            certainly_ms = certainly_ms.min(one.until_ms);
        } else if one.from_ms > certainly_ms {
            moved.push((one.from_ms, one.node));
            (node, certainly_ms) = (one.node, one.until_ms);
        }
    }
    moved
}

#[test]
fn two_servers_that_take_turns_are_seen_and_one_that_was_stopped_while_it_answered_is_not() {
    let seen = |all: &[(f64, f64, &'static str)]| {
        let all: Vec<Writable> = all
            .iter()
            .map(|(from_ms, until_ms, node)| Writable { from_ms: *from_ms, until_ms: *until_ms, node })
            .collect();
        handovers(&all).len()
    };
    assert_eq!(seen(&[(1.0, 2.0, "a"), (10.0, 11.0, "b"), (20.0, 21.0, "b")]), 1);
    assert_eq!(seen(&[(1.0, 2.0, "a"), (10.0, 11.0, "b"), (12.0, 13.0, "a"), (14.0, 15.0, "b")]), 3);
    // It began to answer before the hand-over and read its state behind it.
    assert_eq!(seen(&[(1.0, 2.0, "a"), (10.0, 30.0, "b"), (12.0, 13.0, "a"), (31.0, 32.0, "b")]), 1);
}

pub(super) fn of(values: &[f64], percent: usize) -> f64 {
    values[(values.len() - 1) * percent / 100]
}

#[test]
fn a_switchover_there_and_back_under_load_loses_no_acknowledged_write_and_never_has_two_writable_servers() {
    let Some(scene) = Scene::take() else { return };
    // A long series compares itself with what it takes by hand.
    let wanted: Option<usize> = std::env::var("VAKT_SOAK_ROUNDS").ok().map(|rounds| rounds.parse().unwrap());
    let (rounds, by_hand) = (wanted.unwrap_or(2), wanted.unwrap_or(0));
    let watch = Watch::start();
    let seconds = (rounds + by_hand) * SECONDS_PER_ROUND;
    let writers = WRITERS.map(|(node, number)| Writer::start(node, number, seconds));
    let started = now();
    while writers.iter().any(|writer| writer.acknowledged().len() < 20) {
        assert!(started.elapsed() < Duration::from_secs(10), "the writers do not write");
        pause();
    }
    for round in 0..rounds + by_hand {
        for (from, target) in [("db01", "db02"), ("db02", "db01")] {
            if round < rounds {
                _ = scene.switch_to(target);
            } else {
                by_hand::switch(from, target);
            }
            assert!(scene::is_settled(target), "{:?}", scene::state());
            let (before, at) = (writers[0].acknowledged().len(), now());
            while writers[0].acknowledged().len() < before + 30 {
                assert!(at.elapsed() < Duration::from_secs(10), "nobody writes after the switchover to {target}");
                pause();
            }
        }
    }
    let seen = watch.writable();
    drop(watch);
    let moved = handovers(&seen);
    let count = 2 * (rounds + by_hand);
    assert_eq!(moved.len(), count, "each switchover is one hand-over, at no moment two: {moved:?}");
    let mut acknowledged: Vec<(f64, u64)> = writers.iter().flat_map(Writer::acknowledged).collect();
    let failed: usize = writers.iter().map(Writer::failed).sum();
    drop(writers);
    acknowledged.sort_by(|one, other| one.0.total_cmp(&other.0));
    nothing_is_lost(&acknowledged);
    println!("{} writes acknowledged, 0 lost, {failed} not acknowledged", acknowledged.len());
    let (ours, theirs) = moved.split_at(2 * rounds);
    let gaps = told("vakt", &acknowledged, ours);
    assert!(of(&gaps, 95) <= GAP_P95_MS, "{gaps:?}");
    if !theirs.is_empty() {
        told("by hand", &acknowledged, theirs);
    }
}

/// Every write that was acknowledged is on every server.
fn nothing_is_lost(acknowledged: &[(f64, u64)]) {
    let ids: BTreeSet<u64> = acknowledged.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), acknowledged.len(), "a number was acknowledged twice");
    let lowest = ids.first().unwrap();
    for (node, _) in DATABASES {
        if node != "db01" {
            family::wait_for_all_of(node, "db01");
        }
        let rows = sql(node, &format!("select id from lab.writes where id >= {lowest}"));
        let there: BTreeSet<u64> = rows.lines().map(|id| id.parse().unwrap()).collect();
        let lost: Vec<&u64> = ids.difference(&there).collect();
        assert!(lost.is_empty(), "{node} lacks {} acknowledged writes: {lost:?}", lost.len());
    }
}

/// Prints how long no write was acknowledged around each switchover; the gaps in order, milliseconds.
fn told(who: &str, acknowledged: &[(f64, u64)], moved: &[(f64, &'static str)]) -> Vec<f64> {
    let gap = |(moment, _): &(f64, &'static str)| {
        // Also one that lasts longer than the time around it.
        let pairs = acknowledged.windows(2).map(|pair| (pair[0].0, pair[1].0));
        let near = pairs.filter(|(from, until)| *until > moment - 2_000.0 && *from < moment + 2_000.0);
        near.map(|(from, until)| until - from).fold(0.0, f64::max)
    };
    let mut gaps: Vec<f64> = moved.iter().map(gap).collect();
    gaps.sort_by(f64::total_cmp);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    println!(
        "{who}: {} switchovers; no write for p50 {:.0} ms, p95 {:.0} ms, at most {:.0} ms; load {}",
        gaps.len(),
        of(&gaps, 50),
        of(&gaps, 95),
        of(&gaps, 100),
        load.split(' ').next().unwrap(),
    );
    gaps
}

/// A verb of the lab that breaks something until the guard goes.
fn fault(scene: &Scene, words: &[&str], heal: &'static [&'static str]) -> lab::Fault {
    scene.lab().fault(words, heal)
}
