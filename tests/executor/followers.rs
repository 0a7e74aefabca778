//! Whoever talks to an executor cannot delay or mislead the run.

use super::bench::{Bench, WEB03, is_record};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
};

#[test]
fn slow_and_malicious_followers_cost_the_run_nothing() {
    let Some(bench) = Bench::take() else { return };
    let mut drain = bench.start(&["do", "haproxy.drain", WEB03, "--yes", "--json"]);
    let run = drain.opened();
    let socket = bench.run_folder(&run).join("control.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    let mut others = Vec::new();
    for number in 0..40 {
        // Beyond its bound the executor turns followers away; that is no error here.
        let Ok(mut stream) = UnixStream::connect(&socket) else { continue };
        let _ = match number % 4 {
            // Never reads.
            0 => stream.write_all(b""),
            1 => stream.write_all(&[b'x'; 100_000]),
            2 => stream.write_all(b"{\"abort\":{}}\nnonsense\n\xff\xfe\n"),
            // An answer to a question that nobody asked.
            _ => stream.write_all(b"{\"answer\":{\"node\":\"lb01\",\"question\":7,\"answer\":{\"secret\":\"x\"}}}\n"),
        };
        others.push(stream);
    }
    drain.until("the wait", |line| is_record(line, "wait_ended"));
    let (ending, code) = drain.ending();
    assert_eq!((ending["kind"].as_str(), code), (Some("reached"), 0), "{ending:#}");
}

#[test]
fn a_follower_is_told_the_whole_state_and_may_stop_the_run() {
    let Some(bench) = Bench::take() else { return };
    let mut drain = bench.start(&["do", "haproxy.drain", WEB03, "--yes", "--json"]);
    let run = drain.opened();
    drain.until("the second step", |line| is_record(line, "step_ended").filter(|ended| ended["step"] == 1));
    let mut stream = UnixStream::connect(bench.run_folder(&run).join("control.sock")).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let told: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert!(told["records"].as_u64().unwrap() >= 6, "{told:#}");
    assert_eq!(told["stop_would"], "Stopping undoes steps 2, 1.");
    stream.write_all(b"\"abort\"\n").unwrap();
    let last: Value = lines.map_while(Result::ok).map(|line| serde_json::from_str(&line).unwrap()).last().unwrap();
    assert_eq!(last["ended"], true);
    let (ending, code) = drain.ending();
    assert_eq!((ending["kind"].as_str(), code), (Some("rolled_back"), 5));
}
