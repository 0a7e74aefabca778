//! Somebody reloads HAProxy by hand while a node is being drained: the run tells it again what it has forgotten, and the node
//! is out of service on both load balancers.

use super::lab::{self, Lab, answer, run, until};
use serde_json::Value;
use std::{
    process::{Command, Stdio},
    time::Duration,
};

const NODE: &str = "web03";
const RELOADED: &str = "lb01";
const BALANCERS: [&str; 2] = ["lb01", "lb02"];

fn asked(node: &str, command: &str) -> String {
    let script = format!("echo '{command}' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock");
    answer(&["exec", node, "sh", "-c", &script])
}

/// What HAProxy says of the server: `UP`, `DRAIN`, `MAINT`.
fn status(node: &str) -> String {
    let table = asked(node, "show stat");
    let columns: Vec<&str> = table.lines().next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
    let place = columns.iter().position(|column| *column == "status");
    let row = table.lines().find(|line| line.starts_with(&format!("web_cluster,{NODE},")));
    row.zip(place).and_then(|(row, place)| row.split(',').nth(place)).unwrap_or_default().to_owned()
}

fn process(node: &str) -> String {
    asked(node, "show info").lines().find_map(|line| line.strip_prefix("Pid: ")).unwrap_or_default().to_owned()
}

/// The node is in service and the load is over, also when the test fails.
struct Calm<'l>(&'l Lab);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        let _ = self.0.vakt(&["do", "node.undrain", NODE, "--yes"]);
        let _ = Command::new(lab::SCRIPT).args(["load", "stop"]).output();
        for node in BALANCERS {
            asked(node, &format!("set server web_cluster/{NODE} state ready"));
        }
    }
}

#[test]
fn a_reload_by_hand_in_the_middle_of_a_drain_is_told_again() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let _calm = Calm(&lab);
    run(&["load", "start"]);
    // Slow pages keep the drain waiting; nobody prepared the reload, so that no state is carried over.
    let slow = "setsid sh -c 'for i in $(seq 60); do curl -s -m 20 -o /dev/null http://10.10.0.100/slow & sleep 0.2; done' \
                </dev/null >/dev/null 2>&1 &";
    answer(&["exec", "db03", "sh", "-c", slow]);
    answer(&["exec", RELOADED, "rm", "-f", "/run/haproxy/server-state"]);
    let before = process(RELOADED);
    let mut command = Command::new(crate::program::path());
    command.env("VAKT_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/lab-state"));
    command.args(["--config", lab.config(), "do", "node.drain", NODE, "--yes", "--reason", "test"]);
    let drain = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("both load balancers drain it", Duration::from_secs(30), || {
        BALANCERS.iter().all(|node| status(node) == "DRAIN")
    });
    run(&["exec", RELOADED, "systemctl", "reload", "haproxy"]);
    let output = drain.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_ne!(process(RELOADED), before, "it was reloaded");
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("HAProxy on lb01 started anew and has forgotten what it was told; it is told again"),
        "{said}"
    );
    assert!(words.contains(&format!("Reached: {NODE} is drained")), "{said}");
    assert_eq!(BALANCERS.map(status), ["MAINT", "MAINT"]);
    let wishes: Value = lab.status()["wishes"].clone();
    let is_wished = |wish: &Value| wish["server"] == NODE && wish["wanted"] == "maint";
    assert!(wishes.as_array().unwrap().iter().any(is_wished), "{wishes:#}");
    let findings = lab.status()["findings"].clone();
    let is_lost = |finding: &Value| finding["rule"] == "haproxy.intent.lost";
    assert!(!findings.as_array().unwrap().iter().any(is_lost), "{findings:#}");
}
