//! The executor is killed: at no moment two servers take writes, and the next start converges.

use super::{BREAKS, Watch, break_primary, handovers, scene};
use crate::program::{now, pause};
use scene::{Scene, sql};
use std::time::Duration;

const FAIL_OVER: [&str; 5] = ["do", "mysql.failover", "--to", "db02", "--yes"];

/// Whether that server takes a write now, as root, and load balancers send there.
fn takes_a_write(primary: &str, number: u32) -> bool {
    let insert = format!(
        "set session lock_wait_timeout=1; insert into lab.writes (id) values (unix_timestamp(now(6)) * 1000000 + {number}); \
         select 'done'"
    );
    let (_, sent) = scene::state();
    sent.iter().all(|servers| servers.len() == 1 && servers[0] == primary) && sql(primary, &insert) == "done"
}

#[test]
fn invariant_7_killed_at_boundaries_of_a_failover_never_two_servers_take_writes_and_the_next_start_converges() {
    let Some(scene) = Scene::take() else { return };
    break_primary(BREAKS[1].1);
    let counted = scene.command(&FAIL_OVER).env("VAKT_FAULT", "count").output().unwrap();
    assert_eq!(counted.status.code(), Some(0), "{}", String::from_utf8_lossy(&counted.stdout));
    let last: u32 = String::from_utf8_lossy(&counted.stderr).trim().parse().unwrap();
    let boundaries: Vec<u32> = match std::env::var("VAKT_FAILOVER_KILLS").as_deref() {
        Ok("all") => (1..=last).collect(),
        _ => (1..6).map(|part| part * last / 6).collect(),
    };
    for at in boundaries {
        scene::restore();
        let known = scene.runs();
        let watch = Watch::start();
        break_primary(BREAKS[at as usize % 2].1);
        let killed = scene.command(&FAIL_OVER).env("VAKT_FAULT", format!("kill@{at}")).output().unwrap();
        let said = String::from_utf8_lossy(&killed.stdout);
        let run = scene.runs().into_iter().find(|run| !known.contains(run));
        let run = run.unwrap_or_else(|| panic!("killed at {at}, no run: {said}"));
        let taken_up = scene.vakt(&["runs", "resume", &run, "--yes", "--json"]);
        let text = String::from_utf8_lossy(&taken_up.stdout);
        let what = format!("killed at {at} of {last}, resume ended {:?}: {:?}", taken_up.status.code(), scene::state());
        println!("{what}");
        // The last boundary is behind the ending: nothing is left to take up.
        let start = now();
        while !takes_a_write("db02", at) {
            assert!(start.elapsed() < Duration::from_secs(10), "{what}: {text}");
            pause();
        }
        let moved = handovers(&watch.writable());
        assert!(moved.len() <= 1, "{what}: two servers took writes: {moved:?}");
    }
}
