//! Findings on real daemons: what a monitoring system is told, what somebody acknowledges, which log says why.

use super::lab::Lab;
use crate::program::Program;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_monitoring_system_gets_one_line_and_its_code_and_what_is_acknowledged_is_well() {
    let Some(lab) = Lab::take() else { return };
    let fault = lab.fault(&["kill", "web03"], &["up", "web03"]);
    let state = tempfile::tempdir().unwrap();
    let place = state.path().display().to_string();
    let check = || {
        let output = lab.vakt(&["--state", &place, "status", "--check", "--wait", "5"]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, line) = check();
    assert_eq!(code, Some(2), "{line}");
    assert!(line.starts_with("VAKT CRITICAL - web03: ") && line.contains("nodes_up=9;"), "{line}");
    assert_eq!(line.lines().count(), 1);

    let mut program = Program::vakt(&["--config", lab.config(), "--state", &place], 160, 50);
    program.wait_for("the server is down", LIMIT, |screen| {
        screen.lines().any(|line| line.contains("web_cluster/web03") && line.contains("Down on both"))
    });
    program.press("7");
    // The node and its server are told by different daemons: one may be read before the other.
    let cause_first = |screen: &str| {
        let first = screen.lines().find(|line| line.contains("critical"));
        first.is_some_and(|line| line.contains("web03") && line.contains("Unreachable"))
    };
    program.wait_for("the cause first, and what follows from it", LIMIT, |screen| {
        screen.contains("where to look first") && cause_first(screen) && screen.contains("follows from web03")
    });
    program.press("A");
    program.wait_for("the question", LIMIT, |screen| screen.contains("Acknowledge web03"));
    program.press("new disk\r");
    program.wait_for("it stands last", LIMIT, |screen| screen.contains("seen by"));
    program.press("q");
    program.wait_for_end(LIMIT);
    let (code, line) = check();
    assert!(!line.contains("web03: "), "{line}");
    assert!(line.contains("acknowledged=2;") || code != Some(2), "{code:?} {line}");
    fault.heal();
}

/// Of a node where the login is no root, too.
#[test]
fn the_logs_behind_a_row_come_from_the_node_and_leave_nothing_there() {
    let Some(lab) = Lab::take() else { return };
    let mut program = Program::vakt(&["--config", lab.config()], 160, 50);
    program.wait_for("ten nodes", LIMIT, |screen| screen.contains("10 of 10"));
    for (node, log) in
        [("lb01", "HAProxy log of lb01"), ("lb02", "HAProxy log of lb02"), ("db02", "database log of db02")]
    {
        program.press("6");
        program.press("/");
        program.press("\u{15}");
        program.press(&format!("{node}\r"));
        program.wait_for("the node", LIMIT, |screen| screen.contains(&format!("filter: {node}")));
        program.press("L");
        program.wait_for("its log", LIMIT, |screen| screen.contains(log) && !screen.contains("reading…"));
        let screen = program.screen();
        // Whose log it is stands in its lines; which database it is depends on the lab.
        let words: &[&str] = if node == "db02" { &["maria", "mysql", "[MY-"] } else { &["haproxy"] };
        assert!(screen.lines().skip(3).any(|line| words.iter().any(|word| line.contains(word))), "{screen}");
        program.press("\u{1b}");
        program.wait_for("the list", LIMIT, |screen| !screen.contains(log));
    }
    program.press("q");
    assert_eq!(program.wait_for_end(LIMIT), 0);
}
