//! The console and its runs, on the lab: begun by keys, left behind by a console that is killed, interrupted, taken up
//! by the next one.

use super::bench::{Bench, PATIENCE, WEB03};
use crate::program::Program;
use rustix::process::{Signal, kill_process};

/// A console that has read both load balancers: a plan needs to know them, and ten nodes may be up before that.
fn ready(bench: &Bench, env: &[(&str, &str)]) -> Program {
    let mut program = Program::vakt_with(&bench.arguments(&[]), env, 120, 40);
    program.wait_for("ten nodes", PATIENCE, |screen| screen.contains("10 of 10"));
    program.press("2");
    program.wait_for("both load balancers", PATIENCE, |screen| screen.contains("Traffic of lb01 ●, lb02 ●"));
    program
}

/// A console with the cursor on web03 of the traffic screen.
fn on_web03(bench: &Bench, env: &[(&str, &str)]) -> Program {
    let mut program = ready(bench, env);
    program.press("/web03\r");
    program.wait_for("one server", PATIENCE, |screen| screen.contains("web03") && !screen.contains("web01"));
    // Filtered to the head of its backend and itself.
    program.press("\x1b[F");
    program
}

/// Begins a drain by keys.
fn confirmed(bench: &Bench, env: &[(&str, &str)]) -> Program {
    let mut program = on_web03(bench, env);
    program.press("d");
    program.wait_for("the plan", PATIENCE, |screen| screen.contains("Drain web_cluster/web03 on lb01 and lb02"));
    program.press("\r");
    program
}

/// Begins a drain by keys; returns when its run is open.
fn begun(bench: &Bench) -> (Program, String) {
    let program = confirmed(bench, &[]);
    program.wait_for("the run", PATIENCE, |screen| screen.contains("S stops it safely"));
    let runs = bench.runs();
    assert_eq!(runs.len(), 1);
    (program, runs[0].clone())
}

#[test]
fn a_killed_console_leaves_its_run_alone_and_the_next_one_shows_it() {
    let Some(bench) = Bench::take() else { return };
    let (program, run) = begun(&bench);
    kill_process(program.pid(), Signal::KILL).unwrap();
    drop(program);
    let attached = bench.vakt(&["runs", "attach", &run]);
    assert_eq!(attached.status.code(), Some(0), "{}", String::from_utf8_lossy(&attached.stdout));
    assert_eq!(bench.told(), ["8", "8"]);
    let mut next = Program::vakt(&bench.arguments(&[]), 120, 40);
    next.press("8");
    next.wait_for("the run", PATIENCE, |screen| screen.contains("reached") && screen.contains(WEB03));
    next.press("q");
    assert_eq!(next.wait_for_end(PATIENCE), 0);
}

#[test]
fn an_interrupted_run_stands_in_the_first_lines_and_a_key_resumes_it() {
    let Some(bench) = Bench::take() else { return };
    // Behind both writes: without sessions the run is over sooner than somebody could end it from outside.
    let program = confirmed(&bench, &[("VAKT_FAULT", "kill@12")]);
    program.wait_for("that it is gone", PATIENCE, |screen| screen.contains("interrupted") || screen.contains("gone"));
    kill_process(program.pid(), Signal::KILL).unwrap();
    drop(program);
    let mut next = Program::vakt(&bench.arguments(&[]), 120, 40);
    next.wait_for("the interrupted run", PATIENCE, |screen| screen.contains("interrupted"));
    next.press("8");
    next.wait_for("the runs", PATIENCE, |screen| screen.contains("Runs, those that need somebody first"));
    next.press("c");
    next.wait_for("the question", PATIENCE, |screen| screen.contains("Resume a run"));
    next.press("\r");
    next.wait_for("its ending", PATIENCE, |screen| screen.contains("Reached"));
    assert_eq!(bench.told(), ["8", "8"]);
}

#[test]
fn the_last_server_is_refused_in_the_console_with_the_words_of_the_command_line() {
    let Some(bench) = Bench::take() else { return };
    let headless = bench.vakt(&["do", "haproxy.drain", "mysql_rw/db01", "--yes"]);
    assert_eq!(headless.status.code(), Some(4));
    let words = String::from_utf8(headless.stdout).unwrap();
    let mut program = ready(&bench, &[]);
    program.press(":haproxy.drain mysql_rw/db01\r");
    program.wait_for("the refusal", PATIENCE, |screen| screen.contains("Nothing was sent."));
    let screen = program.screen();
    for line in words.lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert!(screen.contains(line), "{line:?} is not on the screen:\n{screen}");
    }
    assert!(words.contains("db01 is the last usable server of mysql_rw."), "{words}");
    assert!(bench.runs().is_empty());
}
