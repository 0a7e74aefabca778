//! Somebody reloads HAProxy while a server is drained: what was forgotten is seen and applied again, what was kept is
//! not mentioned. On the lab, with the real console.

use super::bench::{Bench, PATIENCE, WEB03, until};
use crate::{
    cluster::lab,
    program::{Program, now},
};
use std::time::Duration;

/// From the moment the reload is done to the words on the screen.
const SEEN_WITHIN: Duration = Duration::from_secs(2);
const STATE_FILE: &str = "/run/haproxy/server-state";

fn drained(bench: &Bench) -> Program {
    let output = bench.vakt(&["do", "haproxy.drain", WEB03, "--yes", "--reason", "kernel update"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let program = Program::vakt(&bench.arguments(&[]), 160, 50);
    program.wait_for("ten nodes", PATIENCE, |screen| screen.contains("10 of 10"));
    program
}

#[test]
fn a_drain_that_a_reload_forgot_is_seen_within_two_seconds_and_applied_again_by_a_key() {
    let Some(bench) = Bench::take() else { return };
    let mut program = drained(&bench);
    lab::run(&["ssh", "lb01", &format!("rm -f {STATE_FILE} && systemctl reload haproxy")]);
    let reloaded = now();
    program.wait_for("the lost drain", PATIENCE, |screen| screen.contains("Takes traffic on lb01 although"));
    let seen = reloaded.elapsed();
    println!("a lost drain is on the screen {seen:?} after the reload returned");
    assert!(seen < SEEN_WITHIN, "{seen:?}:\n{}", program.screen());
    assert_eq!(bench.told(), ["0", "8"]);
    // The first finding is marked when the console opens on it.
    program.press("7");
    // The overview has the sentence, too; the key line names what can be done here now.
    program.wait_for("the findings", PATIENCE, |screen| {
        screen.contains("where to look first") && screen.contains("r re-apply")
    });
    program.press("r");
    program.wait_for("the plan", PATIENCE, |screen| screen.contains("Press Enter to start"));
    program.press("\r");
    program.wait_for("its ending", PATIENCE, |screen| screen.contains("Reached"));
    assert_eq!(bench.told(), ["8", "8"]);
}

/// Removes the file at the end, also of a test that failed: every later reload would read it.
struct StateFile;

impl Drop for StateFile {
    fn drop(&mut self) {
        lab::run(&["ssh", "lb01", &format!("rm -f {STATE_FILE}")]);
    }
}

#[test]
fn a_drain_that_survived_a_reload_is_not_mentioned() {
    let Some(bench) = Bench::take() else { return };
    let program = drained(&bench);
    let keep = "echo 'show servers state' | socat - UNIX-CONNECT:/run/haproxy/admin.sock";
    let _file = StateFile;
    let process = || bench.tell("lb01", "show info").lines().find(|line| line.starts_with("Pid: ")).map(str::to_owned);
    let before = process();
    lab::run(&["ssh", "lb01", &format!("{keep} > {STATE_FILE} && systemctl reload haproxy")]);
    // The reload returns before the new process has read the file.
    until("the new process answers", || process() != before);
    assert_eq!(bench.told(), ["8", "8"], "the state file did not carry it over");
    // A new process is read: the console's own figure of its age says so.
    program.wait_for("the new process", PATIENCE, |screen| screen.contains("10 of 10"));
    let status = bench.vakt(&["status", "--json", "--wait", "30"]);
    let document: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let lost = document["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "haproxy.intent.lost");
    assert!(lost.is_none(), "{lost:?}");
    let wish = &document["wishes"][0];
    assert_eq!((&wish["server"], &wish["wanted"]), (&"web03".into(), &"drain".into()), "{wish:#}");
    let sides = wish["load_balancers"].as_array().unwrap();
    assert!(sides.len() == 2 && sides.iter().all(|side| side["holds"] == true), "{wish:#}");
    assert!(!program.screen().contains("although"), "{}", program.screen());
}
