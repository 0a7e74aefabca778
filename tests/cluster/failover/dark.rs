//! The primary loses its power, silently: nobody answers for it any more, not even with a refusal. Its address is cut off
//! everywhere, another one takes its place, and when it comes back, writable by its file, nobody hears it.

use super::{WRITERS, Writer, fail_over, is_alone, loss, lost, scene, wall_ms};
use crate::{
    cluster::{
        failover::{CONFIRMED_TO_WRITTEN_P95_MS, SECONDS_PER_ROUND, family, of},
        lab,
    },
    program::{now, pause},
};
use scene::{Scene, sql};
use std::time::Duration;

/// Everybody who cuts it off.
const PLACES: [&str; 4] = ["lb01", "lb02", "db02", "db03"];
const ADDRESS: &str = "10.10.0.31";

/// db01 has no power; it is there again, and heard again, when this goes.
pub(super) struct PowerLoss;

impl PowerLoss {
    pub(super) fn cause() -> Self {
        lab::answer(&["poweroff", "db01"]);
        let start = now();
        // What vakt asks HAProxy, too: as long as one reaches it, nobody is replaced.
        while !PLACES[..2].iter().all(|balancer| is_down(balancer)) {
            assert!(start.elapsed() < Duration::from_secs(15), "HAProxy does not notice");
            pause();
        }
        Self
    }

    pub(super) fn end() {
        lab::answer(&["up", "db01"]);
    }
}

impl Drop for PowerLoss {
    fn drop(&mut self) {
        Self::end();
        for node in PLACES {
            let script = format!("while ip route del unreachable {ADDRESS} 2>/dev/null; do :; done");
            lab::answer(&["exec", node, "sh", "-c", &script]);
        }
    }
}

fn is_down(balancer: &str) -> bool {
    let script = "echo 'show stat' | socat - UNIX-CONNECT:/run/haproxy/admin.sock | grep ^mysql_rw,db01,";
    lab::answer(&["exec", balancer, "sh", "-c", script]).contains(",DOWN,")
}

/// The nodes that have cut it off.
fn cut_off_on() -> Vec<&'static str> {
    let is_cut = |node: &&str| {
        let routes = lab::answer(&["exec", node, "ip", "route", "show", "proto", "118"]);
        routes.contains(&format!("unreachable {ADDRESS}"))
    };
    PLACES.into_iter().filter(is_cut).collect()
}

/// One failover under load; how long it took from the confirmation to the first acknowledged write, milliseconds.
fn round(scene: &Scene) -> f64 {
    scene::restore();
    let writers = WRITERS.map(|(node, number)| Writer::start(node, number, SECONDS_PER_ROUND));
    let started = now();
    while writers.iter().any(|writer| writer.acknowledged().len() < 20) {
        assert!(started.elapsed() < Duration::from_secs(10), "the writers do not write");
        pause();
    }
    let power = PowerLoss::cause();
    let (confirmed, text) = fail_over(scene);
    let at = now();
    let after = || writers.iter().flat_map(Writer::acknowledged).filter(|(at, _)| *at > confirmed).count();
    while after() < 100 {
        assert!(
            at.elapsed() < Duration::from_secs(15),
            "nobody writes after the failover: {:?}\n{text}",
            scene::state()
        );
        pause();
    }
    let mut acknowledged: Vec<(f64, u64)> = writers.iter().flat_map(Writer::acknowledged).collect();
    drop(writers);
    acknowledged.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (writable, sent) = scene::state();
    let [primary] = writable[..] else { panic!("{writable:?}, {sent:?}\n{text}") };
    assert!(primary != "db01" && sent.iter().all(|servers| servers.len() == 1 && servers[0] == primary), "{sent:?}");
    assert_eq!(cut_off_on(), PLACES, "{text}");
    let lost = lost(primary, &acknowledged);
    let first = acknowledged.iter().map(|(at, _)| *at).find(|at| *at > confirmed).unwrap();
    println!(
        "dark: {primary} after {:.0} ms; {} acknowledged, {lost} lost; {}",
        first - confirmed,
        acknowledged.len(),
        loss(&text)
    );
    assert_eq!(lost, 0, "{text}");
    drop(power);
    first - confirmed
}

#[test]
fn a_silent_power_loss_under_load_loses_no_acknowledged_write_and_lets_clients_write_within_a_second_and_a_half() {
    let Some(scene) = Scene::take() else { return };
    let rounds: usize = std::env::var("VAKT_SOAK_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let mut took: Vec<f64> = (0..rounds).map(|_| round(&scene)).collect();
    took.sort_by(f64::total_cmp);
    println!(
        "{rounds} failovers of a dark primary, 0 acknowledged writes lost; confirmed to written p50 {:.0} ms, p95 {:.0} ms",
        of(&took, 50),
        of(&took, 95)
    );
    assert!(of(&took, 95) <= CONFIRMED_TO_WRITTEN_P95_MS, "{took:?}");
}

/// With the cut in place nobody hears it, whatever its file says; then it is made harmless, and comes back as a replica.
#[test]
fn a_primary_that_lost_its_power_comes_back_writable_and_is_heard_by_nobody() {
    let Some(scene) = Scene::take() else { return };
    let file = super::rejoin::Writable::make();
    let power = PowerLoss::cause();
    let (_, text) = fail_over(&scene);
    let [primary] = scene::state().0[..] else { panic!("{:?}", scene::state()) };
    PowerLoss::end();
    let start = now();
    while sql("db01", "select @@read_only") != "0" {
        assert!(start.elapsed() < Duration::from_secs(60), "db01 does not come back writable: {text}");
        pause();
    }
    assert_eq!(cut_off_on(), PLACES);
    assert!(is_alone("db01", &PLACES), "somebody is connected with it");
    let (_, sent) = scene::state();
    assert!(sent.iter().all(|servers| servers.len() == 1 && servers[0] == primary), "{sent:?}");
    let output = scene.vakt(&["do", "mysql.rejoin", "db01", "--yes"]);
    assert!(!output.status.success(), "two take writes: {}", String::from_utf8_lossy(&output.stdout));
    let (asked, mut began) = (wall_ms(), 0.0);
    for (action, goal) in [("mysql.fence", "masked and dead"), ("mysql.rejoin", "replicates from")] {
        let output = scene.vakt(&["do", action, "db01", "--yes"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("Reached: ") && text.contains(goal), "{text}");
        if began == 0.0 {
            began = wall_ms();
            assert_eq!(sql("db01", "select 1"), "");
        }
    }
    println!("made harmless {:.0} ms after somebody asked for it, the program's start included", began - asked);
    assert_eq!(sql("db01", if scene::is_mariadb() { "select @@read_only" } else { "select @@super_read_only" }), "1");
    assert!(cut_off_on().is_empty());
    drop((file, power));
    assert!(family::follows("db01", scene::DATABASES.iter().find(|(node, _)| *node == primary).unwrap().1));
}
