//! A virtual address is moved there and back while visitors come: how long nobody answered, and whether two held it.

use super::lab::{self, Lab};
use crate::program::{now, pause};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

const ADDRESS: &str = "203.0.113.100";
const BALANCERS: [&str; 2] = ["lb01", "lb02"];
/// The bar: half of the moves are not noticed for longer.
const GAP_MS: f64 = 300.0;
/// As long as one advertisement takes to be heard, the former holder does not know; more would be two holders.
const OVERLAP_MS: f64 = 250.0;
/// Beyond the last answer: answers are written down when they are whole.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Milliseconds of the day, the node, and whether the address came.
type Seen = (f64, &'static str, bool);

/// Who got and who lost the address, as the kernel of each load balancer tells it.
struct Watch {
    children: Vec<Child>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Watch {
    fn start() -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let children = BALANCERS.map(|balancer| {
            let mut child = Command::new(lab::SCRIPT)
                .args(["exec", balancer, "ip", "-o", "-ts", "monitor", "address"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let (lines, seen) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::clone(&seen));
            thread::spawn(move || {
                for line in lines.map_while(Result::ok).filter(|line| line.contains(ADDRESS)) {
                    let at = line.split_once(']').map_or(0.0, |(stamp, _)| of_day_ms(stamp.trim_start_matches('[')));
                    seen.lock().unwrap().push((at, balancer, !line.contains("Deleted")));
                }
            });
            child
        });
        Self { children: children.into(), seen }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// "2026-11-29T01:21:09.471677" as milliseconds of its day.
fn of_day_ms(stamp: &str) -> f64 {
    let time = stamp.split_once('T').unwrap().1;
    let parts: Vec<f64> = time.split(':').map(|part| part.parse().unwrap()).collect();
    ((parts[0] * 60.0 + parts[1]) * 60.0 + parts[2]) * 1000.0
}

/// Ends the load and brings the address back to lb01, also when the test fails.
struct Cleaner<'a>(&'a Lab);

impl Drop for Cleaner<'_> {
    fn drop(&mut self) {
        let _ = Command::new(lab::SCRIPT).args(["load", "stop"]).output();
        lab::put_back(|| restore(self.0));
    }
}

/// Both numbers are 0, and lb01 holds the address, past vakt.
pub(crate) fn restore(_lab: &Lab) {
    for balancer in BALANCERS {
        lab::run(&["exec", balancer, "sh", "-c", "echo 0 >/etc/keepalived/priority"]);
    }
    let start = now();
    while !holds("lb01") || holds("lb02") {
        assert!(start.elapsed() < Duration::from_secs(30), "lb01 does not take {ADDRESS} back");
        pause();
    }
}

/// Whether that load balancer holds the address, by its own word.
pub(crate) fn holds(balancer: &str) -> bool {
    !lab::answer(&["exec", balancer, "ip", "-o", "addr", "show", "to", ADDRESS]).trim().is_empty()
}

/// What the number in the tracked file of each load balancer is.
pub(crate) fn numbers() -> [String; 2] {
    BALANCERS.map(|balancer| lab::run(&["exec", balancer, "cat", "/etc/keepalived/priority"]).trim().to_owned())
}

#[test]
fn an_address_moves_there_and_back_with_a_gap_that_is_hardly_noticed_and_never_two_holders() {
    let Some(lab) = Lab::take() else { return };
    let rounds: usize = std::env::var("VAKT_SOAK_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    restore(&lab);
    lab::run(&["load", "start"]);
    let cleaner = Cleaner(&lab);
    let watch = Watch::start();
    for _ in 0..rounds {
        for (target, numbers_after) in [("lb02", ["-51", "0"]), ("lb01", ["0", "0"])] {
            let moved = lab.vakt(&["do", "vip.move", ADDRESS, "--to", target, "--yes", "--reason", "test"]);
            let text = String::from_utf8_lossy(&moved.stdout);
            assert!(moved.status.success() && text.contains("Reached: "), "{text}");
            assert!(text.contains("see who answers for"), "a third node tells who answers: {text}");
            let told = text.split_once("Reached: ").unwrap().1;
            assert!(!told.contains("has not learned"), "{text}");
            assert!(BALANCERS.iter().all(|balancer| holds(balancer) == (*balancer == target)), "{text}");
            assert_eq!(numbers(), numbers_after);
        }
    }
    let start = now();
    while start.elapsed() < LAST_ANSWERS {
        pause();
    }
    let seen = watch.seen.lock().unwrap().clone();
    drop(watch);
    drop(cleaner);
    judge(&lab, seen, rounds);
}

/// Each move: how long both held the address, and how long no visitor got an answer around it.
fn judge(lab: &Lab, mut seen: Vec<Seen>, rounds: usize) {
    seen.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut came: BTreeMap<&str, f64> = BTreeMap::from([("lb01", 0.0)]);
    let (mut overlaps, mut moments) = (Vec::new(), Vec::new());
    for (at, node, has_come) in seen {
        if has_come {
            moments.push(at);
            came.insert(node, at);
        } else {
            came.remove(node);
            overlaps.extend(came.values().map(|since| at - since));
        }
    }
    assert_eq!(moments.len(), 2 * rounds, "every move is one arrival: {moments:?}");
    let answers = good_answers(lab);
    let mut gaps: Vec<f64> = moments.iter().map(|moment| gap_around(&answers, *moment)).collect();
    gaps.sort_by(f64::total_cmp);
    overlaps.sort_by(f64::total_cmp);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let of = |values: &[f64], percent: usize| values[(values.len() - 1) * percent / 100];
    println!(
        "{} moves: no answer for p50 {:.0} ms, p95 {:.0} ms, at most {:.0} ms; both held it for at most {:.1} ms; load {}",
        moments.len(),
        of(&gaps, 50),
        of(&gaps, 95),
        of(&gaps, 100),
        of(&overlaps, 100),
        load.split(' ').next().unwrap(),
    );
    assert!(of(&gaps, 50) <= GAP_MS, "{gaps:?}");
    assert!(of(&overlaps, 100) <= OVERLAP_MS, "{overlaps:?}");
}

/// When each quick page was answered well, milliseconds of the day, in order.
fn good_answers(lab: &Lab) -> Vec<f64> {
    // Beside the configuration, whichever flavour it is.
    let text = std::fs::read_to_string(std::path::Path::new(lab.config()).with_file_name("load/http.tsv")).unwrap();
    let mut answers: Vec<f64> = text
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [start, code, took, _, kind] = fields[..] else { panic!("{line}") };
            let at = start.parse::<f64>().unwrap() + took.parse::<f64>().unwrap();
            (code == "200" && kind == "short").then_some(at % 86_400_000.0)
        })
        .collect();
    answers.sort_by(f64::total_cmp);
    answers
}

/// The longest time without a good answer within a second of that moment. Visitors come every 20 ms.
fn gap_around(answers: &[f64], moment: f64) -> f64 {
    let near: Vec<f64> = answers.iter().copied().filter(|at| (at - moment).abs() < 1_000.0).collect();
    assert!(near.len() > 10, "visitors came around the move: {near:?}");
    near.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

/// The configuration of both as it was before, also when the test fails.
struct Unwilling<'a>(&'a Lab);

impl<'a> Unwilling<'a> {
    /// Nobody takes an address from a living holder, and a file moves nothing.
    fn make(lab: &'a Lab) -> Self {
        const CHANGE: &str = "cd /etc/keepalived && cp -p keepalived.conf keepalived.before && \
            sed -i 's/preempt_delay .*/nopreempt/; s/state MASTER/state BACKUP/' keepalived.conf && \
            systemctl restart keepalived";
        let unwilling = Self(lab);
        for balancer in ["lb02", "lb01"] {
            lab::run(&["exec", balancer, "sh", "-c", CHANGE]);
        }
        unwilling
    }
}

impl Drop for Unwilling<'_> {
    fn drop(&mut self) {
        const BACK: &str = "cd /etc/keepalived && [ ! -e keepalived.before ] || { mv keepalived.before keepalived.conf; \
            systemctl restart keepalived; }";
        for balancer in BALANCERS {
            let _ = Command::new(lab::SCRIPT).args(["exec", balancer, "sh", "-c", BACK]).output();
        }
        lab::put_back(|| restore(self.0));
    }
}

#[test]
fn where_nobody_gives_way_keepalived_is_restarted_on_the_holder() {
    let Some(lab) = Lab::take() else { return };
    restore(&lab);
    let unwilling = Unwilling::make(&lab);
    let mut watch = lab.watch();
    watch.until("one holds it", Duration::from_secs(20), |_| holds("lb01") != holds("lb02"));
    for _ in 0..2 {
        let (target, former) = if holds("lb01") { ("lb02", "lb01") } else { ("lb01", "lb02") };
        let moved = lab.vakt(&["do", "vip.move", ADDRESS, "--to", target, "--yes", "--reason", "test"]);
        let text = String::from_utf8_lossy(&moved.stdout);
        assert!(moved.status.success() && text.contains("Reached: "), "{text}");
        assert!(holds(target) && !holds(former), "{text}");
        assert_eq!(lab::run(&["exec", former, "systemctl", "is-active", "keepalived"]).trim(), "active");
    }
    drop(unwilling);
}
