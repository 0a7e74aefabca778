//! A failover while four programs write through HAProxy: after the primary's daemon was killed, and after it was frozen.
//! How long from the confirmation to the first write that is acknowledged, that none of those before is lost, and that no
//! two servers took writes at one moment.

mod dark;
mod kills;
mod rejoin;

use super::switchover::{
    SECONDS_PER_ROUND, WRITERS, Watch, Writer, family, handovers, of,
    scene::{self, DATABASES, Scene, sql},
};
use crate::{
    cluster::lab,
    program::{now, pause},
};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::Stdio,
    time::Duration,
};
use vakt::{model::time::Clock as _, runtime::clock::SystemClock};

/// From the confirmation to the first write that is acknowledged.
const CONFIRMED_TO_WRITTEN_P95_MS: f64 = 1_500.0;

/// What is done to the primary, as root on its node.
/// A unit that is started anew within a moment, as MySQL's on Debian is, would be back before anybody planned anything.
pub(super) const BREAKS: [(&str, &str); 2] = [
    (
        "killed",
        "d=/run/systemd/system/$0.d; mkdir -p $d; printf '[Service]\nRestartSec=5\n' >$d/lab.conf; systemctl daemon-reload; \
         systemctl kill --signal=KILL $0",
    ),
    ("frozen", "systemctl kill --signal=STOP $0"),
];

pub(super) fn break_primary(script: &str) {
    lab::answer(&["exec", "db01", "sh", "-c", script, family::unit()]);
}

fn wall_ms() -> f64 {
    SystemClock::start().now().wall.0 as f64
}

/// A failover to its end: when its plan was complete, which is when it was confirmed, and what was printed.
fn fail_over(scene: &Scene) -> (f64, String) {
    let mut command = scene.command(&["do", "mysql.failover", "--yes", "--reason", "test"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let (mut confirmed, mut text) = (0.0, String::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if line.starts_with("Plan ") {
            confirmed = wall_ms();
        }
        text.push_str(&line);
        text.push('\n');
    }
    let status = child.wait().unwrap();
    assert!(status.success() && text.contains("Reached: "), "{text}");
    assert!(confirmed > 0.0, "{text}");
    (confirmed, text)
}

/// The lines of a text that tell what is lost.
fn loss(text: &str) -> String {
    // What the ending says stands last.
    let from = text.rfind("Lost").unwrap_or_else(|| panic!("no word about a loss: {text}"));
    text[from..].lines().take(2).map(str::trim).collect::<Vec<_>>().join(" ")
}

/// One failover under load; how long it took from the confirmation to the first acknowledged write, milliseconds.
fn round(scene: &Scene, (kind, script): (&str, &str)) -> f64 {
    scene::restore();
    let watch = Watch::start();
    let writers = WRITERS.map(|(node, number)| Writer::start(node, number, SECONDS_PER_ROUND));
    let started = now();
    while writers.iter().any(|writer| writer.acknowledged().len() < 20) {
        assert!(started.elapsed() < Duration::from_secs(10), "the writers do not write");
        pause();
    }
    break_primary(script);
    let (confirmed, text) = fail_over(scene);
    let at = now();
    let after = || writers.iter().flat_map(Writer::acknowledged).filter(|(at, _)| *at > confirmed).count();
    while after() < 100 {
        assert!(at.elapsed() < Duration::from_secs(15), "nobody writes after the failover: {:?}", scene::state());
        pause();
    }
    let seen = watch.writable();
    drop(watch);
    let mut acknowledged: Vec<(f64, u64)> = writers.iter().flat_map(Writer::acknowledged).collect();
    drop(writers);
    acknowledged.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (writable, sent) = scene::state();
    let [primary] = writable[..] else { panic!("{kind}: {writable:?}, {sent:?}\n{text}") };
    assert!(primary != "db01" && sent.iter().all(|servers| servers.len() == 1 && servers[0] == primary), "{sent:?}");
    assert_eq!(handovers(&seen).len(), 1, "{kind}: at no moment two: {:?}", handovers(&seen));
    is_fenced();
    let lost = lost(primary, &acknowledged);
    let first = acknowledged.iter().map(|(at, _)| *at).find(|at| *at > confirmed).unwrap();
    println!(
        "{kind}: {primary} after {:.0} ms; {} acknowledged, {lost} lost; {}",
        first - confirmed,
        acknowledged.len(),
        loss(&text)
    );
    assert_eq!(lost, 0, "{kind}: {text}");
    assert!(loss(&text).contains("none") || loss(&text).contains("which db0"), "{kind}: {}", loss(&text));
    first - confirmed
}

/// The old primary is masked without a process, and stays so when somebody starts it.
fn is_fenced() {
    let script = "systemctl start $0; systemctl is-active $0; pgrep -c $1";
    let said = lab::answer(&["exec", "db01", "sh", "-c", script, family::unit(), family::process()]);
    assert!(said.contains("failed") || said.contains("inactive"), "{said}");
    assert_eq!(said.trim().lines().last(), Some("0"), "{said}");
}

/// Whether that node has a connection with none of these, by their word.
fn is_alone(node: &str, places: &[&str]) -> bool {
    let address = scene::DATABASES.iter().find(|(known, _)| *known == node).unwrap().1;
    let args = ["ss", "-Htn", "state", "connected", "exclude", "time-wait", "dst", address];
    places.iter().all(|place| lab::answer(&[&["exec", place], &args[..]].concat()).trim().is_empty())
}

/// How many of the writes that were acknowledged are not on that server.
fn lost(primary: &str, acknowledged: &[(f64, u64)]) -> usize {
    let ids: BTreeSet<u64> = acknowledged.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), acknowledged.len(), "a number was acknowledged twice");
    let rows = sql(primary, &format!("select id from lab.writes where id >= {}", ids.first().unwrap()));
    let there: BTreeSet<u64> = rows.lines().map(|id| id.parse().unwrap()).collect();
    ids.difference(&there).count()
}

#[test]
fn a_failover_under_load_loses_no_acknowledged_write_and_lets_clients_write_within_a_second_and_a_half() {
    let Some(scene) = Scene::take() else { return };
    let rounds: usize = std::env::var("VAKT_SOAK_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let mut took: Vec<f64> = (0..rounds).flat_map(|_| BREAKS.map(|how| round(&scene, how))).collect();
    took.sort_by(f64::total_cmp);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    println!(
        "{} failovers, 0 acknowledged writes lost; confirmed to written p50 {:.0} ms, p95 {:.0} ms, at most {:.0} ms; load {}",
        took.len(),
        of(&took, 50),
        of(&took, 95),
        of(&took, 100),
        load.split(' ').next().unwrap(),
    );
    assert!(of(&took, 95) <= CONFIRMED_TO_WRITTEN_P95_MS, "{took:?}");
    assert!(DATABASES.iter().any(|(node, _)| *node == "db01"));
}

/// A primary that is alive is left alone.
#[test]
fn a_primary_that_takes_writes_is_no_case_for_a_failover() {
    let Some(scene) = Scene::take() else { return };
    let output = scene.vakt(&["do", "mysql.failover", "--yes"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && text.contains("db01 is alive and takes writes"), "{text}");
    assert!(scene::is_settled("db01"), "{:?}", scene::state());
}
