//! A dead executor leaves an address that one node holds, and a number that the next start puts right.

use super::bench::{Bench, ending_of};
use crate::cluster::addresses::{holds, numbers, restore};

const MOVE: [&str; 6] = ["do", "vip.move", "203.0.113.100", "--to", "lb02", "--yes"];

/// Brings the address back to lb01, also when the test fails.
struct Cleaner<'a>(&'a Bench);

impl Drop for Cleaner<'_> {
    fn drop(&mut self) {
        restore(self.0.lab());
    }
}

fn state() -> (String, [bool; 2]) {
    let [first, second] = numbers();
    (format!("{first} {second}"), ["lb01", "lb02"].map(holds))
}

#[test]
fn invariant_7_killed_at_every_boundary_of_a_move_it_converges_by_resume_or_rollback() {
    let Some(bench) = Bench::take_patient() else { return };
    restore(bench.lab());
    let cleaner = Cleaner(&bench);
    let counted = bench.command(&MOVE).env("VAKT_FAULT", "count").output().unwrap();
    assert_eq!(counted.status.code(), Some(0), "{}", String::from_utf8_lossy(&counted.stdout));
    let last: u32 = String::from_utf8_lossy(&counted.stderr).trim().parse().unwrap();
    assert!((12..40).contains(&last), "{last} boundaries");
    let moved = ("-51 0".to_owned(), [false, true]);
    let origin = ("0 0".to_owned(), [true, false]);
    let mut endings = Vec::new();
    for at in 1..=last {
        restore(bench.lab());
        let known = bench.runs();
        let killed = bench.command(&MOVE).env("VAKT_FAULT", format!("kill@{at}")).output().unwrap();
        let said = String::from_utf8_lossy(&killed.stdout);
        let run = bench.runs().into_iter().find(|run| !known.contains(run));
        let run = run.unwrap_or_else(|| panic!("killed at {at}, no run: {said}"));
        // Nobody acts on it: whoever holds it, one does.
        let verb = if at % 2 == 0 { "resume" } else { "rollback" };
        let taken_up = bench.vakt(&["runs", verb, &run, "--yes", "--json"]);
        let (code, now) = (taken_up.status.code().unwrap(), state());
        let what = format!("killed at {at} ({:?}), {verb} ended {code}: {now:?}", killed.status.code());
        match code {
            0 => assert_eq!(now, moved, "{what}"),
            5 | 6 => assert_eq!(now, origin, "{what}"),
            // There is nothing to take up: it wrote nothing down, or it had ended.
            2 => assert!(at <= 1 && now == origin, "{what}: {}", String::from_utf8_lossy(&taken_up.stderr)),
            4 => assert!(at >= last - 1 && now == moved, "{what}"),
            _ => panic!("{what}: {}", String::from_utf8_lossy(&taken_up.stdout)),
        }
        if matches!(code, 0 | 5 | 6) {
            endings.push(ending_of(&taken_up)["kind"].as_str().unwrap().to_owned());
        }
    }
    drop(cleaner);
    for kind in ["reached", "rolled_back", "stopped"] {
        assert!(endings.iter().any(|ending| ending == kind), "no run ended {kind}: {endings:?}");
    }
}
