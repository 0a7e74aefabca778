//! A dead executor leaves nothing that has to be mended by hand.

use super::bench::{Bench, WEB03, ending_of, until};
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;

/// Boundaries that a drain passes; a run with `VAKT_FAULT=count` tells.
fn boundaries(bench: &Bench) -> u32 {
    let counted =
        bench.command(&["do", "haproxy.drain", WEB03, "--yes", "--json"]).env("VAKT_FAULT", "count").output().unwrap();
    assert_eq!(counted.status.code(), Some(0), "{}", String::from_utf8_lossy(&counted.stdout));
    bench.reset();
    String::from_utf8_lossy(&counted.stderr).trim().parse().unwrap()
}

#[test]
fn invariant_7_killed_at_every_boundary_of_a_drain_it_converges_by_resume_or_rollback() {
    let Some(bench) = Bench::take() else { return };
    let last = boundaries(&bench);
    // Six records at least and two writes, with a moment before and after each.
    assert!((16..100).contains(&last), "{last} boundaries");
    let mut endings = Vec::new();
    for at in 1..=last {
        let known = bench.runs();
        let mut drain = bench.command(&["do", "haproxy.drain", WEB03, "--yes", "--json"]);
        let killed = drain.env("VAKT_FAULT", format!("kill@{at}")).output().unwrap();
        let run = bench.runs().into_iter().find(|run| !known.contains(run)).unwrap();
        let verb = if at % 2 == 0 { "resume" } else { "rollback" };
        let taken_up = bench.vakt(&["runs", verb, &run, "--yes", "--json"]);
        let code = taken_up.status.code().unwrap();
        let told = bench.told();
        let what = format!("killed at {at} ({:?}), {verb} ended {code}, web03 is told {told:?}", killed.status.code());
        match code {
            0 => assert_eq!(told, ["8", "8"], "{what}"),
            // Undone; or nothing had been sent.
            5 | 6 => assert_eq!(told, ["0", "0"], "{what}"),
            // There is nothing to take up: it wrote nothing down, or it had ended.
            2 => assert!(at <= 1 && told == ["0", "0"], "{what}: {}", String::from_utf8_lossy(&taken_up.stderr)),
            4 => assert!(at >= last - 1 && told == ["8", "8"], "{what}"),
            _ => panic!("{what}: {}", String::from_utf8_lossy(&taken_up.stdout)),
        }
        if matches!(code, 0 | 5 | 6) {
            let kind = ending_of(&taken_up)["kind"].as_str().unwrap().to_owned();
            assert_ne!(kind, "needs_operator", "{what}");
            endings.push(kind);
        }
        bench.reset();
    }
    for kind in ["reached", "rolled_back", "stopped"] {
        assert!(endings.iter().any(|ending| ending == kind), "no run ended {kind}: {endings:?}");
    }
}

#[test]
fn who_follows_a_run_whose_executor_dies_hears_what_to_type() {
    let Some(bench) = Bench::take() else { return };
    let mut drain = bench.start(&["do", "haproxy.drain", WEB03, "--yes", "--json"]);
    let run = drain.opened();
    drain.until("a step", |line| super::bench::is_record(line, "step_ended"));
    rustix::process::kill_process(bench.executor(), Signal::KILL).unwrap();
    let vanished = drain.until("vanished", |line| line.get("vanished").cloned());
    assert_eq!(vanished["run"], run.as_str());
    assert_eq!(drain.child.wait().unwrap().code(), Some(7));
    // Whoever attaches later is told the same, in prose.
    let attached = bench.vakt(&["runs", "attach", &run]);
    let text = String::from_utf8_lossy(&attached.stdout);
    assert!(text.contains(&format!("vakt runs resume {run}")) && text.contains("1. lb01"), "{text}");
    assert_eq!(attached.status.code(), Some(7));
    // A torn last line, as a crash of the machine leaves it, is cut off; what stands before it counts.
    let journal = bench.run_folder(&run).join("journal.jsonl");
    let mut bytes = std::fs::read(&journal).unwrap();
    let whole = bytes.len();
    bytes.extend_from_slice(b"{\"sum\":\"00");
    std::fs::write(&journal, &bytes).unwrap();
    // A flipped bit is no crash: it is refused, and nothing is sent.
    bytes.truncate(whole);
    let torn = std::fs::read(&journal).unwrap();
    for at in [100, whole - 20] {
        bytes[at] ^= 1;
        std::fs::write(&journal, &bytes).unwrap();
        bytes[at] ^= 1;
        let refused = bench.vakt(&["runs", "rollback", &run[..20], "--yes"]);
        let text = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
        assert!(refused.status.code() == Some(4) && text.contains("is damaged"), "{text}");
        assert!(text.contains("Nothing was sent."), "{text}");
    }
    std::fs::write(&journal, torn).unwrap();
    let undone = bench.vakt(&["runs", "rollback", &run, "--yes", "--json"]);
    assert_eq!(undone.status.code(), Some(5), "{}", String::from_utf8_lossy(&undone.stdout));
    assert_eq!(bench.told(), ["0", "0"]);
}

#[test]
fn an_executor_that_panics_leaves_a_run_that_can_be_taken_up() {
    let Some(bench) = Bench::take() else { return };
    let mut drain = bench.command(&["do", "haproxy.drain", WEB03, "--yes", "--json"]);
    let failed = drain.env("VAKT_FAULT", "panic@12").output().unwrap();
    assert_eq!(failed.status.code(), Some(7), "{}", String::from_utf8_lossy(&failed.stdout));
    let runs = bench.runs();
    let undone = bench.vakt(&["runs", "rollback", &runs[0], "--yes", "--json"]);
    assert_eq!(undone.status.code(), Some(5), "{}", String::from_utf8_lossy(&undone.stdout));
    assert_eq!(bench.told(), ["0", "0"]);
}

#[test]
fn whoever_began_it_is_killed_after_each_of_its_records_and_the_run_goes_on() {
    let Some(bench) = Bench::take() else { return };
    let whole = bench.vakt(&["do", "haproxy.drain", WEB03, "--yes", "--json"]);
    let records = super::bench::lines(&whole).iter().filter(|line| line.get("record").is_some()).count();
    assert!(records >= 8, "{records} records");
    for after in 1..records {
        bench.reset();
        let mut drain = bench.start(&["do", "haproxy.drain", WEB03, "--yes", "--json"]);
        let run = drain.opened();
        for _ in 0..after {
            drain.until("a record", |line| line.get("record").cloned());
        }
        drain.child.kill().unwrap();
        drain.child.wait().unwrap();
        let attached = bench.vakt(&["runs", "attach", &run, "--json"]);
        assert_eq!(ending_of(&attached)["kind"], "reached", "killed after record {after}");
        assert_eq!(bench.told(), ["8", "8"]);
    }
}

#[test]
fn the_run_outlives_who_began_it() {
    let Some(bench) = Bench::take() else { return };
    let mut drain = bench.start(&["do", "haproxy.drain", WEB03, "--yes", "--json"]);
    let run = drain.opened();
    drain.child.kill().unwrap();
    assert_eq!(drain.child.wait().unwrap().signal(), Some(9));
    let attached = bench.vakt(&["runs", "attach", &run, "--json"]);
    assert_eq!(ending_of(&attached)["kind"], "reached");
    assert_eq!(attached.status.code(), Some(0));
    assert_eq!(bench.told(), ["8", "8"]);
    until("the socket is gone", || !bench.run_folder(&run).join("control.sock").exists());
}
