//! From the words of `vakt do` to an ending: confirmed, refused, stopped, left alone.

use super::bench::{Bench, PATIENCE, WEB03, ending_of, is_record, lines};
use crate::{cluster::lab, program::Program};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Command, Stdio};

#[test]
fn a_server_is_drained_and_returned_and_the_same_words_again_find_nothing_to_do() {
    let Some(bench) = Bench::take() else { return };
    let drained = bench.vakt(&["do", "haproxy.drain", WEB03, "--yes", "--json", "--reason", "a kernel"]);
    assert_eq!(drained.status.code(), Some(0), "{}", String::from_utf8_lossy(&drained.stderr));
    let said = lines(&drained);
    let kinds: Vec<String> = said.iter().map(|line| line.as_object().unwrap().keys().next().unwrap().clone()).collect();
    assert_eq!(kinds[..3], ["plan", "opened", "record"]);
    assert_eq!(kinds.last().unwrap(), "ending");
    assert_eq!(ending_of(&drained)["kind"], "reached");
    let opening = is_record(&said[2], "opened").unwrap();
    assert_eq!(opening["plan"]["body"]["intent"]["reason"], "a kernel");
    assert!(!opening["operator"]["login"].as_str().unwrap().is_empty());
    assert_eq!(bench.told(), ["8", "8"]);
    let again = bench.vakt(&["do", "haproxy.drain", WEB03, "--yes"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&again.stdout).contains("Nothing is left to do"));
    let ready = bench.vakt(&["do", "haproxy.ready", WEB03, "--yes"]);
    let text = String::from_utf8_lossy(&ready.stdout);
    assert_eq!(ready.status.code(), Some(0), "{text}");
    assert!(text.contains("✓ 2. lb01: web03 gets new sessions") && text.contains("\nReached: "), "{text}");
    assert!(text.contains("True now\n  lb01: web_cluster/web03 told ready"), "{text}");
    assert_eq!(bench.told(), ["0", "0"]);
}

#[test]
fn what_is_refused_is_refused_with_every_reason_and_nothing_is_sent() {
    let Some(bench) = Bench::take() else { return };
    for (args, says) in [
        (&["do", "haproxy.drain", "mysql_rw/db01", "--yes"][..], "db01 is the last usable server of mysql_rw."),
        (&["do", "haproxy.drain", "web_cluster/a;disable server x", "--yes"], "a;disable server x"),
        (&["--read-only", "do", "haproxy.drain", WEB03, "--yes"], "This console is read-only."),
    ] {
        let refused = bench.vakt(args);
        let text = String::from_utf8_lossy(&refused.stdout);
        assert_eq!(refused.status.code(), Some(4), "{args:?}: {text}");
        assert!(text.starts_with("Refused: ") && text.contains(says) && text.contains("Nothing was sent."), "{text}");
    }
    for args in [&["do", "haproxy.drian", WEB03][..], &["do", "haproxy.drain", WEB03, "--deadline", "soon"]] {
        let unusable = bench.vakt(args);
        assert!(unusable.status.code() == Some(2) && unusable.stdout.is_empty(), "{args:?}");
    }
    // Without a terminal and without --yes there is nobody to ask.
    let unasked = bench.vakt(&["do", "haproxy.drain", WEB03]);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unasked.stderr).contains("--yes"));
    assert_eq!(bench.told(), ["0", "0"]);
    assert!(bench.runs().is_empty());
}

#[test]
fn a_state_folder_that_cannot_be_used_means_that_nothing_is_changed() {
    let Some(bench) = Bench::take() else { return };
    let file = bench.state().join("a file");
    std::fs::write(&file, "").unwrap();
    let refused = bench.command_on(&file, &["do", "haproxy.drain", WEB03, "--yes"]).output().unwrap();
    let text = String::from_utf8_lossy(&refused.stdout);
    assert!(refused.status.code() == Some(4) && text.contains("is no folder"), "{text}");
    assert_eq!(bench.told(), ["0", "0"]);
}

#[test]
fn one_acts_and_the_other_names_who_does() {
    let Some(bench) = Bench::take() else { return };
    let mut drain = bench.start(&["do", "haproxy.drain", WEB03, "--yes", "--json", "--reason", "new kernel"]);
    let run = drain.opened();
    // A change that the drain does not forbid by itself.
    let other = bench.vakt(&["do", "haproxy.weight", "web_cluster/web02", "--weight", "2", "--yes", "--json"]);
    assert_eq!(other.status.code(), Some(4));
    let refusal = lines(&other).pop().unwrap()["refusal"].clone();
    assert_eq!(refusal["reasons"][0]["kind"], "locked", "{refusal:#}");
    let holder = refusal["reasons"][0]["evidence"][0].as_str().unwrap();
    assert!(holder.contains("new kernel") && holder.contains(&run), "{holder}");
    let (ending, code) = drain.ending();
    assert_eq!((ending["kind"].as_str(), code), (Some("reached"), 0));
    // The lock is free as soon as the ending is told.
    let ready = bench.vakt(&["do", "haproxy.maint", WEB03, "--yes", "--json"]);
    assert_eq!(ending_of(&ready)["kind"], "reached");
}

#[test]
fn on_two_bastions_one_acts_the_other_names_who_does_and_nothing_stays_on_the_nodes() {
    let Some(bench) = Bench::take_locked() else { return };
    let other_bastion = tempfile::tempdir().unwrap();
    // A change that the drain does not forbid by itself.
    let weight = ["do", "haproxy.weight", "web_cluster/web02", "--weight", "2", "--yes", "--json"];
    let mut drain = bench.start(&["do", "haproxy.drain", WEB03, "--yes", "--json", "--reason", "new kernel"]);
    let run = drain.opened();
    let other = bench.command_on(other_bastion.path(), &weight).output().unwrap();
    let refusal = lines(&other).pop().unwrap()["refusal"].clone();
    assert_eq!((other.status.code(), refusal["reasons"][0]["kind"].as_str()), (Some(4), Some("locked")), "{refusal:#}");
    let evidence = refusal["reasons"][0]["evidence"].to_string();
    assert!(evidence.contains("web01: ") && evidence.contains(&run) && evidence.contains("new kernel"), "{evidence}");
    assert_eq!(drain.ending().1, 0);
    for node in ["lb01", "web01", "web02"] {
        let left = lab::run(&["ssh", node, "ls /run/lock /tmp | grep vakt-lab || true"]);
        assert_eq!(left, "", "on {node}");
    }
    // Free as soon as the ending is told.
    let ready =
        bench.command_on(other_bastion.path(), &["do", "haproxy.maint", WEB03, "--yes", "--json"]).output().unwrap();
    assert_eq!(ending_of(&ready)["kind"], "reached");
}

#[test]
fn a_broken_glass_is_journalled_with_who_held_the_lock() {
    let Some(bench) = Bench::take() else { return };
    let mut drain = bench.start(&["do", "haproxy.drain", WEB03, "--yes", "--json"]);
    let held_by = drain.opened();
    let args =
        ["do", "haproxy.weight", "web_cluster/web02", "--weight", "2", "--yes", "--json", "--break-glass", "fire"];
    let other = bench.vakt(&args);
    let glass = lines(&other).iter().find_map(|line| is_record(line, "opened")).unwrap()["broke_glass"].clone();
    assert_eq!(glass["why"], "fire");
    assert!(glass["held_by"].as_str().unwrap().contains(&held_by), "{glass}");
    assert_eq!(ending_of(&other)["kind"], "reached");
    for balancer in ["lb01", "lb02"] {
        bench.tell(balancer, "set weight web_cluster/web02 1");
    }
    assert_eq!(drain.ending().1, 0);
}

#[test]
fn asked_to_stop_it_undoes_what_it_did() {
    let Some(bench) = Bench::take() else { return };
    // By the operator's Ctrl-C, and by the machine that shuts down.
    for by_operator in [true, false] {
        let mut drain = bench.start(&["do", "haproxy.drain", WEB03, "--yes", "--json"]);
        // The wait for sessions that follows takes a second at least.
        drain.until("the second step", |line| is_record(line, "step_ended").filter(|ended| ended["step"] == 1));
        if by_operator {
            let pid = Pid::from_raw(drain.child.id().try_into().unwrap()).unwrap();
            kill_process(pid, Signal::INT).unwrap();
        } else {
            kill_process(bench.executor(), Signal::TERM).unwrap();
        }
        let (ending, code) = drain.ending();
        assert_eq!((ending["kind"].as_str(), code), (Some("rolled_back"), 5), "{ending:#}");
        assert!(ending["why"].as_str().unwrap().contains("The operator stopped it"), "{ending:#}");
        assert_eq!(bench.told(), ["0", "0"]);
    }
}

#[test]
fn detached_it_goes_on_and_holds_nothing_of_who_began_it() {
    let Some(bench) = Bench::take() else { return };
    // `output` waits for the end of its pipes, and of the copy under another number that the shell leaves open: an
    // executor that held one would be waited for.
    let vakt = bench.command(&["do", "haproxy.drain", WEB03, "--yes", "--json", "--detach"]);
    let detached = Command::new("sh")
        .args(["-c", "exec 7>&1; exec \"$@\"", "sh"])
        .arg(vakt.get_program())
        .args(vakt.get_args())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(detached.status.code(), Some(0));
    let said = lines(&detached);
    let run = said.last().unwrap()["opened"]["run"].as_str().unwrap().to_owned();
    assert!(bench.run_folder(&run).join("control.sock").exists(), "it was waited for");
    let pid = bench.executor();
    let session = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let fields: Vec<&str> = session.rsplit(')').next().unwrap().split_whitespace().collect();
    assert_eq!(fields[3], pid.as_raw_nonzero().to_string(), "it leads its own session");
    let attached = bench.vakt(&["runs", "attach", &run, "--json"]);
    assert_eq!(ending_of(&attached)["kind"], "reached");
}

#[test]
fn on_a_terminal_it_asks_and_tells_each_step() {
    let Some(bench) = Bench::take() else { return };
    let mut program = Program::vakt(&bench.arguments(&["do", "haproxy.drain", WEB03]), 100, 60);
    program.wait_for("the question", PATIENCE, |screen| screen.contains("Enter to start, Ctrl-C to leave:"));
    assert!(bench.runs().is_empty());
    program.press("no\r");
    program.wait_for("nothing", PATIENCE, |screen| screen.contains("Not confirmed. Nothing was sent."));
    assert_eq!(program.wait_for_end(PATIENCE), 4);
    let mut program = Program::vakt(&bench.arguments(&["do", "haproxy.drain", WEB03]), 100, 60);
    program.wait_for("the question", PATIENCE, |screen| screen.contains("Enter to start, Ctrl-C to leave:"));
    program.press("\r");
    program.wait_for("the ending", PATIENCE, |screen| screen.contains("True now"));
    let screen = program.screen();
    assert!(screen.contains("✓ 1. lb01: no new sessions for web03 ·") && screen.contains("Reached: "), "{screen}");
    assert_eq!(program.wait_for_end(PATIENCE), 0);
}

#[test]
fn a_vanished_terminal_does_not_touch_the_run() {
    let Some(bench) = Bench::take() else { return };
    let mut program = Program::vakt(&bench.arguments(&["do", "haproxy.drain", WEB03, "--yes"]), 100, 60);
    program.wait_for("a step", PATIENCE, |screen| screen.contains("✓ 1. lb01"));
    program.close_terminal();
    let run = bench.runs().pop().unwrap();
    let attached = bench.vakt(&["runs", "attach", &run, "--json"]);
    assert_eq!(ending_of(&attached)["kind"], "reached");
    assert_eq!(bench.told(), ["8", "8"]);
}
