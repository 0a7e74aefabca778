//! Scenario files: what comes with the program, and what is wrong with one that is not.

use super::stage::{Stage, scenario};
use std::path::Path;
use vakt::sim::{DEFAULT, NODES_MAX, Scenario};

#[test]
fn every_scenario_is_valid_and_has_a_line_about_it() {
    let mut names: Vec<&str> = Scenario::names().collect();
    assert_eq!(names.first(), Some(&DEFAULT));
    for name in &names {
        let scenario = scenario(name);
        assert!(!scenario.about.is_empty(), "{name}");
        assert!(!scenario.inventory().unwrap().nodes.is_empty());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenarios");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    names.sort_unstable();
    assert_eq!(files, names, "every file is a scenario that can be asked for");
}

#[test]
fn the_seed_is_the_cluster_of_the_article() {
    let names: Vec<String> = Stage::new("seed").inventory.nodes.iter().map(|node| node.name.to_string()).collect();
    let article = ["lb01", "lb02", "web01", "web02", "web03", "app01", "db01", "db02", "db03", "kvm01", "kvm02"];
    assert_eq!(names, article);
}

#[test]
fn crowded_has_two_hundred_servers() {
    let mut stage = Stage::new("crowded");
    stage.pass(2_000);
    assert_eq!(stage.haproxy("lb01").backends[1].servers.len(), 200);
}

#[test]
fn any_size_makes_a_valid_cluster() {
    for (asked, nodes) in [(0, 3), (3, 3), (10, 10), (100, 100), (102, 102), (1_000, 1_000), (9_999, NODES_MAX)] {
        let scenario = Scenario::large(asked);
        assert_eq!(scenario.inventory().unwrap().nodes.len(), nodes, "{asked}");
    }
    let mut stage = Stage::of(&Scenario::large(250), 1);
    stage.pass(2_000);
    assert_eq!(stage.haproxy("lb05").backends[1].servers.len(), 48);
}

#[test]
fn the_script_of_a_scenario_happens() {
    let mut stage = Stage::new("web-down");
    let is_up = |stage: &mut Stage| stage.server("lb01", "web_cluster", "web02").operational.takes_traffic();
    stage.pass(9_000);
    assert!(is_up(&mut stage));
    stage.pass(6_000);
    assert!(!is_up(&mut stage));
    stage.pass(15_000);
    assert!(is_up(&mut stage));
}

#[test]
fn a_wrong_file_has_every_problem_with_its_line() {
    let text = r#"[scenario]
about = "x"
cluster = "x"
latency_ms = "fast"
colour = "red"

[[node]]
name = "lb01"
role = "egde"

[[node]]
name = "web01"
role = "web"
octett = 21

[[backend]]
name = "web cluster"
frontend = "http_front"
servers = ["web02"]
requests_per_s = -1

[[event]]
after_s = 5
fault = "explode web01"

[[event]]
fault = "kill web07"

[[weather]]
"#;
    let problems = Scenario::read("bad", Path::new("bad.toml"), text).unwrap_err();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_file_that_is_not_toml_says_where() {
    let problems = Scenario::read("bad", Path::new("bad.toml"), "[scenario\nabout = 1\n").unwrap_err();
    assert_eq!((problems[0].line, problems.len()), (1, 1), "{problems:?}");
}
