//! What watching costs on the nodes: each node's processor time while it is watched, against the same node unwatched.
//! At the intervals that vakt ships with: the lab's own configuration asks some things more often.

use crate::{
    lab::{Lab, node},
    measure::{build, load_average, median, minutes, nodes_us, wait},
    program::{Program, now},
};
use std::{collections::BTreeMap, fs, time::Duration};

/// What vakt asks at the intervals that it ships with comes as often in it as it should; only certificates, which are
/// looked at every quarter of an hour, may be missing. A shorter window at a fixed moment after the start always has the
/// same rare questions of some nodes in it, and never those of others.
const WATCHED: Duration = Duration::from_secs(300);
const UNWATCHED: Duration = Duration::from_secs(60);
/// After the last connection was made, or was closed: what that costs is paid once.
const SETTLE: Duration = Duration::from_secs(5);
const PERCENT_MAX: f64 = 0.5;
/// With libvirt, which answers slowly.
const HYPERVISOR_PERCENT_MAX: f64 = 2.5;

#[test]
fn watching_costs_a_node_next_to_nothing() {
    let lab = Lab::take().expect("./dev soak brings the lab up");
    let hypervisors = hypervisors(&lab);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("vakt.toml");
    fs::write(&config, without_intervals(&fs::read_to_string(lab.config()).unwrap())).unwrap();
    let config = config.to_str().unwrap();
    let rounds = (minutes(20) * 60 / (WATCHED + UNWATCHED + 2 * SETTLE).as_secs()).max(1);
    let mut costs: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut before = unwatched();
    for _ in 0..rounds {
        let watched = watched(config);
        let after = unwatched();
        // Against the middle of both neighbours: what else the machine does drifts.
        for (name, percent) in &watched {
            let idle = f64::midpoint(before[name], after[name]);
            costs.entry(name.clone()).or_default().push(percent - idle);
        }
        before = after;
    }
    let mut over = Vec::new();
    println!("{}, {rounds} rounds, {}", build(), load_average());
    for (name, all) in &costs {
        let limit = if hypervisors.contains(name) { HYPERVISOR_PERCENT_MAX } else { PERCENT_MAX };
        let cost = median(all);
        println!("{name}: {cost:+.2} % of a core (at most {limit} %), idle {:.2} %", before[name]);
        if cost > limit {
            over.push(format!("{name}: {cost:.2} %"));
        }
    }
    assert!(over.is_empty(), "over their limit: {over:?}");
}

/// The configuration without its table of intervals.
fn without_intervals(text: &str) -> String {
    let (before, from) = text.split_once("[poll]\n").expect("the lab sets intervals");
    let after = from.find("\n[").map_or("", |end| &from[end..]);
    format!("{before}{after}")
}

fn hypervisors(lab: &Lab) -> Vec<String> {
    let document = lab.status();
    let names = document["nodes"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned());
    names.filter(|name| node(&document, name)["roles"][0] == "hypervisor").collect()
}

/// Percent of a core of each node in one window.
fn window(length: Duration) -> BTreeMap<String, f64> {
    let (start, first) = (now(), nodes_us());
    wait(length);
    let (elapsed, last) = (start.elapsed(), nodes_us());
    last.into_iter().map(|(name, us)| (name.clone(), (us - first[&name]) / elapsed.as_secs_f64() / 10_000.0)).collect()
}

fn unwatched() -> BTreeMap<String, f64> {
    wait(SETTLE);
    window(UNWATCHED)
}

fn watched(config: &str) -> BTreeMap<String, f64> {
    let mut program = Program::vakt(&["--config", config], 160, 50);
    program.wait_for("ten nodes", Duration::from_secs(60), |screen| screen.contains("10 of 10"));
    wait(SETTLE);
    let found = window(WATCHED);
    program.press("q");
    assert_eq!(program.wait_for_end(Duration::from_secs(10)), 0);
    found
}
