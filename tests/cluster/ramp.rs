//! A server returns under load: its weight rises in steps on both load balancers, no request fails, and it ends as it was.

use super::{
    lab::{Lab, answer, run},
    nodes::no_request_failed,
};
use crate::program::{now, pause};
use std::{
    process::{Command, Stdio},
    time::Duration,
};

const BALANCERS: [&str; 2] = ["lb01", "lb02"];
const WEIGHT: u64 = 100;
/// What the file says; it has no steps.
const WEIGHT_IN_FILE: u64 = 1;

fn asked(node: &str, command: &str) -> String {
    let script = format!("echo '{command}' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock");
    answer(&["exec", node, "sh", "-c", &script])
}

fn set(weight: u64) {
    for node in BALANCERS {
        for server in ["web01", "web02", "web03"] {
            asked(node, &format!("set weight web_cluster/{server} {weight}"));
        }
    }
}

/// The weight of web03 by HAProxy's own word.
fn weight(node: &str) -> u64 {
    let told = asked(node, "get weight web_cluster/web03");
    told.split(' ').next().unwrap().parse().unwrap_or_else(|error| panic!("{told}: {error}"))
}

/// Weights are as the file says, the server is in traffic and the load is over, also when the test fails.
struct Calm<'l>(&'l Lab);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        set(WEIGHT_IN_FILE);
        let _ = self.0.vakt(&["do", "haproxy.ready", "web_cluster/web03", "--yes"]);
        let _ = Command::new(super::lab::SCRIPT).args(["load", "stop"]).output();
    }
}

#[test]
fn a_server_returns_in_steps_under_load_and_no_request_fails() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let _calm = Calm(&lab);
    set(WEIGHT);
    run(&["load", "start"]);
    let drained = lab.vakt(&["do", "haproxy.drain", "web_cluster/web03", "--yes"]);
    assert_eq!(drained.status.code(), Some(0), "{}", String::from_utf8_lossy(&drained.stdout));

    let mut ready = Command::new(crate::program::path())
        .env("VAKT_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/lab-state"))
        .args(["--config", lab.config(), "do", "haproxy.ready", "web_cluster/web03", "--yes"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let began = now();
    let mut seen: Vec<Vec<(u64, u128)>> = vec![Vec::new(); BALANCERS.len()];
    let code = loop {
        for (node, seen) in BALANCERS.iter().zip(&mut seen) {
            let weight = weight(node);
            if seen.last().is_none_or(|(last, _)| *last != weight) {
                seen.push((weight, began.elapsed().as_millis()));
            }
        }
        if let Some(code) = ready.try_wait().unwrap() {
            break code;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{seen:?}");
        pause();
    };
    println!("weights and milliseconds: {seen:?}");
    assert_eq!(code.code(), Some(0), "{seen:?}");
    for (node, seen) in BALANCERS.iter().zip(&seen) {
        let weights: Vec<u64> = seen.iter().map(|(weight, _)| *weight).collect();
        assert_eq!(weights, [100, 10, 50, 100], "{node}");
        assert_eq!(weight(node), WEIGHT, "{node}");
    }
    let said = run(&["load", "stop"]);
    println!("{said}");
    no_request_failed();
}
