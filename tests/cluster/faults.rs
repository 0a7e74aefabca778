//! Faults in the lab and what vakt makes of them.

use super::lab::{Lab, answer, node, sshd_answers};
use crate::program::{Program, now, pause};
use serde_json::Value;
use std::{fs, time::Duration};

/// Longest wait for anything that should take a second or two; the measured times are printed.
const LIMIT: Duration = Duration::from_secs(15);

#[test]
fn a_killed_web_server_is_down_and_unreachable_and_comes_back_without_a_restart() {
    let Some(lab) = Lab::take() else { return };
    let mut program = Program::vakt(&["--config", lab.config()], 160, 50);
    program.wait_for("ten nodes", LIMIT, |screen| screen.contains("10 of 10"));
    let fault = lab.fault(&["kill", "web03"], &["up", "web03"]);
    program.wait_for("web03 is missing", LIMIT, |screen| screen.contains("9 of 10"));
    println!("node unreachable on screen {:?} after the kill returned", fault.at.elapsed());
    program.press("2");
    program.wait_for("DOWN on the traffic screen", LIMIT, |screen| {
        screen.lines().any(|line| line.contains("web03") && line.contains("down"))
    });
    println!("server down on screen {:?} after the kill returned", fault.at.elapsed());
    program.press("1");
    program.wait_for("the overview", LIMIT, |screen| screen.contains("What is wrong"));
    let screen = program.screen();
    let sentence = screen.lines().find(|line| line.contains("web03")).unwrap();
    assert!(sentence.contains('✗'), "{screen}");
    fault.heal();
    let answered = sshd_answers("10.99.0.23", LIMIT);
    program.wait_for("ten nodes again", LIMIT, |screen| screen.contains("10 of 10"));
    let back = answered.elapsed();
    println!("live again {back:?} after its sshd answered");
    assert!(back < Duration::from_secs(5), "{back:?}");
    program.press("q");
    assert_eq!(program.wait_for_end(LIMIT), 0);
}

#[test]
fn invariant_9_a_silently_cut_node_is_stale_and_the_others_are_polled_on_time() {
    let Some(lab) = Lab::take() else { return };
    let mut watch = lab.watch();
    watch.until("all up", LIMIT, |document| all_up(document, 10));
    let fault = lab.fault(&["cut", "db03", "all"], &["heal", "db03"]);
    watch.until("db03 stale", LIMIT, |document| node(document, "db03")["state"] != "up");
    println!("marked {:?} after the cut", fault.at.elapsed());
    assert!(fault.at.elapsed() < Duration::from_secs(5), "{:?}", fault.at.elapsed());
    let mut ages_ms = Vec::new();
    for _ in 0..20 {
        let document = watch.next();
        for row in document["nodes"].as_array().unwrap() {
            if row["name"] != "db03" {
                assert_eq!(row["state"], "up", "{row:#}");
                ages_ms.push(row["age_ms"].as_u64().unwrap());
            }
        }
    }
    ages_ms.sort_unstable();
    let p99 = ages_ms[ages_ms.len() * 99 / 100];
    println!("age of the other nine: p50 {} ms, p99 {p99} ms", ages_ms[ages_ms.len() / 2]);
    assert!(p99 <= 1500, "p99 {p99} ms");
    fault.heal();
    watch.until("all up again", Duration::from_secs(30), |document| all_up(document, 10));
    primary_greets_again();
}

/// When a replica comes back that was cut silently, MariaDB's primary greets nobody for up to 20 s: it waits for the end
/// of the old connection to that replica. The next test would take that for a fault.
fn primary_greets_again() {
    let (start, mut at_once) = (now(), 0);
    while at_once < 15 {
        assert!(start.elapsed() < Duration::from_secs(90), "db01 greets nobody");
        let asked = now();
        let said = answer(&[
            "exec",
            "db01",
            "sh",
            "-c",
            "timeout 5 $(command -v mariadb || command -v mysql) -NBe 'select 1'",
        ]);
        at_once = if said.trim() == "1" && asked.elapsed() < Duration::from_secs(1) { at_once + 1 } else { 0 };
        (0..20).for_each(|_| pause());
    }
}

#[test]
fn a_changed_host_key_is_refused_with_fingerprints_file_and_line() {
    let Some(lab) = Lab::take() else { return };
    // The lab's configuration, with a known_hosts file in which web01 has web02's key.
    let text = fs::read_to_string(lab.config()).unwrap();
    let document: toml::Table = text.parse().unwrap();
    let known = document["ssh"]["known_hosts_files"][0].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let swapped = folder.path().join("known_hosts");
    let keys = fs::read_to_string(known).unwrap();
    let key_of =
        |address: &str| keys.lines().find(|line| line.contains(address)).unwrap().split_once(' ').unwrap().1.to_owned();
    fs::write(&swapped, format!("10.99.0.21 {}\n", key_of("10.99.0.22"))).unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, text.replace(known, &swapped.to_string_lossy())).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_vakt"))
        .arg("--config")
        .arg(&config)
        .args(["status", "--json", "--wait", "30"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let web01 = node(&document, "web01");
    assert_eq!(web01["error"]["kind"], "host_key_changed", "{web01:#}");
    let cause = web01["error"]["cause"].as_str().unwrap();
    assert!(cause.contains("SHA256:") && cause.contains("known_hosts:1"), "{cause}");
    // That nothing is sent before the key is accepted is proved in tests/contract, where the server counts.
}

#[test]
fn a_dead_node_costs_the_status_no_more_than_its_wait() {
    let Some(lab) = Lab::take() else { return };
    let fault = lab.fault(&["poweroff", "web03"], &["up", "web03"]);
    let started = now();
    let output = lab.vakt(&["status", "--json", "--wait", "3"]);
    let took = started.elapsed();
    println!("status with one silent node: {took:?}");
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["nodes"].as_array().unwrap().iter().filter(|node| node["state"] == "up").count(), 9);
    assert_ne!(node(&document, "web03")["state"], "up");
    assert!(took < Duration::from_secs(8), "{took:?}");
    fault.heal();
}

fn all_up(document: &Value, count: usize) -> bool {
    let nodes = document["nodes"].as_array().unwrap();
    nodes.len() == count && nodes.iter().all(|node| node["state"] == "up")
}
