//! The executor is killed: at most one server takes writes, writes come back by themselves but for the switch itself,
//! and the next start converges.

use super::{
    Watch, handovers,
    scene::{self, DATABASES, Scene, sql},
};
use crate::program::{now, pause};
use std::time::Duration;

const SWITCH: [&str; 5] = ["do", "mysql.switchover", "--to", "db02", "--yes"];
/// Within so long writes are accepted again without anyone.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// Requests in one breath, each with a boundary before and behind, and the record before them.
const BREATH_BOUNDARIES: usize = 2 * 8 + 4;

/// Whether somebody takes a write now, as root on the server that says so, and load balancers send there.
fn takes_a_write(number: u32) -> bool {
    let (writable, sent) = scene::state();
    let [primary] = writable[..] else { return false };
    let insert = format!(
        "set session lock_wait_timeout=1; set session innodb_lock_wait_timeout=1; \
         insert into lab.writes (id) values (unix_timestamp(now(6)) * 1000000 + {number}); select 'done'"
    );
    sent.iter().all(|servers| servers.len() == 1 && servers[0] == primary) && sql(primary, &insert) == "done"
}

#[test]
fn invariant_7_killed_at_boundaries_of_a_switchover_one_server_takes_writes_and_the_next_start_converges() {
    let Some(scene) = Scene::take() else { return };
    let counted = scene.command(&SWITCH).env("VAKT_FAULT", "count").output().unwrap();
    assert_eq!(counted.status.code(), Some(0), "{}", String::from_utf8_lossy(&counted.stdout));
    let last: u32 = String::from_utf8_lossy(&counted.stderr).trim().parse().unwrap();
    let boundaries: Vec<u32> = match std::env::var("VAKT_SWITCHOVER_KILLS").as_deref() {
        Ok("all") => (1..=last).collect(),
        _ => (1..8).map(|part| part * last / 8).collect(),
    };
    let mut standing = 0;
    for at in boundaries {
        scene::restore();
        let known = scene.runs();
        let watch = Watch::start();
        let killed = scene.command(&SWITCH).env("VAKT_FAULT", format!("kill@{at}")).output().unwrap();
        let said = String::from_utf8_lossy(&killed.stdout);
        let run = scene.runs().into_iter().find(|run| !known.contains(run));
        let run = run.unwrap_or_else(|| panic!("killed at {at}, no run: {said}"));
        let start = now();
        let mut is_back = true;
        while !takes_a_write(at) {
            let nobody = scene::state().0.is_empty() || scene::state().1.iter().any(|sent| sent.len() != 1);
            if start.elapsed() > BACK_WITHIN {
                assert!(nobody, "killed at {at}: {:?}", scene::state());
                is_back = false;
                break;
            }
            pause();
        }
        standing += usize::from(!is_back);
        let verb = if at % 2 == 0 { "resume" } else { "rollback" };
        let taken_up = scene.vakt(&["runs", verb, &run, "--yes", "--json"]);
        let what = format!(
            "killed at {at} of {last}, writes came back {is_back}, {verb} ended {:?}: {:?}",
            taken_up.status.code(),
            scene::state()
        );
        println!("{what}");
        if verb == "rollback" && !takes_a_write(at + 50) {
            // The new one takes writes already, and load balancers do not send there: there is only forward.
            assert!(taken_up.status.code() != Some(0), "{what}");
            let on = scene.vakt(&["runs", "resume", &run, "--yes", "--json"]);
            assert_eq!(on.status.code(), Some(0), "{what}: {}", String::from_utf8_lossy(&on.stdout));
        }
        let (writable, _) = scene::state();
        let [primary] = writable[..] else { panic!("{what}: {}", String::from_utf8_lossy(&taken_up.stdout)) };
        assert!(takes_a_write(at + 100), "{what}: {}", String::from_utf8_lossy(&taken_up.stdout));
        if verb == "resume" {
            assert!(scene::is_settled(primary), "{what}: {}", String::from_utf8_lossy(&taken_up.stdout));
        }
        let moved = handovers(&watch.writable());
        assert!(moved.len() <= 1, "{what}: two servers took writes: {moved:?}");
        assert!(DATABASES.iter().any(|(node, _)| *node == primary));
    }
    println!("of these, after {standing} nobody took writes until the next start");
    assert!(standing <= BREATH_BOUNDARIES, "{standing}");
}
