//! A server is drained and brought back again and again, while visitors of three kinds come.

use crate::{
    lab::{self, Lab},
    measure::load_average,
    program::{now, pause},
};
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const SERVER: &str = "web_cluster/web03";
const BALANCERS: [&str; 2] = ["lb01", "lb02"];
/// How long the server stays drained in each round: visitors come about seventy times a second.
const DRAINED_FOR: Duration = Duration::from_millis(1500);

/// Ends the load and brings the server back, also when the test fails.
struct Cleaner<'a>(&'a Lab);

impl Drop for Cleaner<'_> {
    fn drop(&mut self) {
        let _ = self.0.vakt(&["do", "haproxy.ready", SERVER, "--yes"]);
        let _ = std::process::Command::new(lab::SCRIPT).args(["load", "stop"]).output();
    }
}

#[test]
fn a_hundred_drains_lose_no_request_and_let_none_through() {
    let lab = Lab::take().expect("./dev soak brings the lab up");
    let rounds: usize = std::env::var("VAKT_SOAK_ROUNDS").map_or(100, |rounds| rounds.parse().unwrap());
    lab::run(&["load", "start"]);
    let cleaner = Cleaner(&lab);
    let mut quiet = Vec::new();
    let (mut drains, mut readies) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        drains.push(act(&lab, &["haproxy.drain", SERVER, "--deadline", "30s"]));
        let (from, before) = (epoch_ms(), chosen());
        let start = now();
        while start.elapsed() < DRAINED_FOR {
            pause();
        }
        let (after, until) = (chosen(), epoch_ms());
        assert_eq!(before, after, "round {round}: web03 was chosen while it was drained");
        quiet.push((from, until));
        readies.push(act(&lab, &["haproxy.ready", SERVER, "--deadline", "30s"]));
        if round % 10 == 0 {
            println!("{round} of {rounds} rounds; {}", load_average());
        }
    }
    drop(cleaner);
    judge(&quiet);
    println!("drain to its ending: {}; ready to its ending: {}", spread(&mut drains), spread(&mut readies));
}

/// Runs one change to its end, which must be *reached*. Returns how long it took.
fn act(lab: &Lab, words: &[&str]) -> Duration {
    let start = now();
    let output = lab.vakt(&[&["do"], words, &["--yes", "--reason", "soak"]].concat());
    assert!(
        output.status.success(),
        "{words:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    start.elapsed()
}

/// How often each load balancer chose the server so far.
fn chosen() -> Vec<String> {
    BALANCERS
        .iter()
        .map(|balancer| {
            let script = "echo 'show stat' | sudo -n socat - UNIX-CONNECT:/run/haproxy/admin.sock";
            let stat = lab::run(&["ssh", balancer, script]);
            let mut lines = stat.lines();
            let header: Vec<&str> = lines.next().unwrap().trim_start_matches("# ").split(',').collect();
            let column = header.iter().position(|name| *name == "lbtot").unwrap();
            let row = lines.find(|line| line.starts_with("web_cluster,web03,")).unwrap();
            format!("{balancer}: {}", row.split(',').nth(column).unwrap())
        })
        .collect()
}

/// What the visitors wrote down: every request was answered well, and none that began while the server was drained was
/// answered by it.
fn judge(quiet: &[(u128, u128)]) {
    let text = fs::read_to_string(load_record("http.tsv")).unwrap();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    let mut late = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [start, code, _, node, kind] = fields[..] else { panic!("{line}") };
        *kinds.entry(kind).or_default() += 1;
        if code != "200" {
            failed.push(line);
        }
        let start: u128 = start.parse().unwrap();
        // The last millisecond belongs to neither side: both clocks round.
        if node == "web03" && quiet.iter().any(|(from, until)| start > *from && start + 1 < *until) {
            late.push(line);
        }
    }
    println!("requests by kind: {kinds:?}; failed: {}; answered by web03 while drained: {}", failed.len(), late.len());
    assert!(["short", "slow", "kept"].iter().all(|kind| kinds.get(kind).is_some_and(|count| *count > 0)), "{kinds:?}");
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(late.is_empty(), "{late:#?}");
}

fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64();
    format!("p50 {:.2} s, p95 {:.2} s, longest {:.2} s", at(50), at(95), at(100))
}

#[expect(clippy::disallowed_methods, reason = "compared with what the visitors wrote down")]
fn epoch_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

/// A file in which the lab's load writes down what it saw.
fn load_record(name: &str) -> std::path::PathBuf {
    let folder = std::env::var("VAKT_LAB_DIR").unwrap_or_else(|_| "/var/lib/vakt-lab".into());
    std::path::Path::new(&folder).join("load").join(name)
}
