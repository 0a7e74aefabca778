//! The real program on a simulated cluster: `vakt demo`.

use crate::program::{Modes, Program};
use serde_json::Value;
use std::{
    fs,
    process::{Command, Output},
    time::Duration,
};
use tempfile::TempDir;

/// Longest wait for anything here; reached only when something is wrong.
const LIMIT: Duration = Duration::from_secs(20);

/// The program with its temporary files in a folder of the test's own.
fn vakt(folder: &TempDir, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vakt"));
    command.args(args).env("TMPDIR", folder.path()).env_remove("VAKT_CONFIG").env("HOME", folder.path());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_console_opens_with_every_node_known() {
    let mut program = Program::vakt(&["demo"], 120, 40);
    let took = program.wait_for("all nodes", LIMIT, |screen| {
        let nodes = ["lb01", "lb02", "web01", "web02", "web03", "app01", "db01", "db02", "db03", "kvm01", "kvm02"];
        screen.matches("● up").count() >= nodes.len() && nodes.iter().all(|node| screen.contains(node))
    });
    println!("first full screen after {} ms", took.as_millis());
    program.press("q");
    assert_eq!(program.wait_for_end(LIMIT), 0);
    program.wait_for_modes(&Modes::RESTORED, LIMIT);
}

#[test]
fn once_prints_the_status_document_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = vakt(&folder, &["demo", "--once", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let states: Vec<&str> =
        document["nodes"].as_array().unwrap().iter().map(|node| node["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["up"; 11]);
    assert_eq!(document["findings"], Value::Array(Vec::new()), "all is well in the seed cluster");
    assert_eq!(document["haproxy"]["servers"].as_array().unwrap().len(), 14);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn every_scenario_is_listed_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let list = text(&vakt(&folder, &["demo", "--list"]).stdout);
    for name in vakt::sim::Scenario::names() {
        assert!(list.lines().any(|line| line.starts_with(name)), "{list}");
        let output = vakt(&folder, &["demo", name, "--once"]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
    }
}

#[test]
fn a_cluster_of_any_size_answers() {
    let folder = tempfile::tempdir().unwrap();
    let output = vakt(&folder, &["demo", "--nodes", "120", "--once"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("120 of 120 nodes up"), "{}", text(&output.stdout));
}

#[test]
fn what_cannot_be_shown_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&["demo", "nowhere"], "no scenario is called nowhere; the scenarios are seed, web-down"),
        (&["demo", "--speed", "1000"], "--speed is a number from 0.01 to 100"),
        (&["demo", "--nodes", "2"], "2 is not in 3..=2000"),
        (&["demo", "absent.toml", "--once"], "cannot read absent.toml"),
        (&["demo"], "the console needs a terminal"),
    ];
    for (args, words) in cases {
        let output = vakt(&folder, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(words), "{args:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_file_of_ones_own_is_read_and_its_problems_have_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let shown = path.to_string_lossy().into_owned();
    let good = "[scenario]\nabout = \"one\"\n[[node]]\nname = \"web01\"\nrole = \"web\"\noctet = 21\n";
    fs::write(&path, good).unwrap();
    let output = vakt(&folder, &["demo", &shown, "--once"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    fs::write(&path, format!("{good}colour = \"red\"\n\n[[event]]\nfault = \"kill web09\"\n")).unwrap();
    let output = vakt(&folder, &["demo", &shown, "--once"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains(":7:1: unknown key colour") && said.contains(":10:9: no node is called web09"), "{said}");
}
