//! Each named fault of the lab: it is really there, vakt names it first and nothing wrong beside it, and both end.

mod table;

use super::lab::{Lab, Watch, answer, run};
use crate::program::{now, pause};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};
use table::{ONCE, Row, TABLE};
use vakt::rules::RuleId;

/// Longest wait until a daemon shows what was done to it, or that it is over.
const DAEMON: Duration = Duration::from_secs(15);
/// Longest wait until the fault before is forgotten.
const SETTLED: Duration = Duration::from_secs(60);
/// Documents that are looked at after the finding was seen: what else comes up beside it?
const LOOK_ON: usize = 3;

/// Heals the node when it goes, also when the test fails.
struct Healing<'a>(&'a Row);

impl Drop for Healing<'_> {
    fn drop(&mut self) {
        run(&["heal", self.0.node, self.0.fault]);
    }
}

#[test]
fn the_table_has_every_fault_of_the_lab() {
    let listed = run(&["fault", "list"]);
    let faults: BTreeSet<&str> =
        listed.lines().filter(|line| !line.starts_with("now:")).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(faults, TABLE.iter().map(|row| row.fault).collect::<BTreeSet<_>>());
}

#[test]
#[ignore = "takes minutes and needs a quiet machine: ./dev soak faults"]
fn every_fault_is_really_there_is_named_first_and_is_gone_after_its_healing() {
    let Some(lab) = Lab::take() else { return };
    let mut watch = lab.watch();
    let only = std::env::var("VAKT_FAULTS").unwrap_or_default();
    let mut failed = Vec::new();
    for row in TABLE.iter().filter(|row| only.is_empty() || only.split(',').any(|name| name == row.fault)) {
        // One fault that is not understood says nothing about the next.
        if catch_unwind(AssertUnwindSafe(|| one(row, &mut watch))).is_err() {
            failed.push(row.fault);
        }
    }
    assert!(failed.is_empty(), "not as the table says: {failed:?}");
}

fn one(row: &Row, watch: &mut Watch) {
    let name = row.fault;
    // What a run that was ended left behind.
    run(&["heal", row.node, name]);
    until_found(watch, &format!("nothing is found before {name}"), SETTLED, <[Value]>::is_empty);
    assert!(name == ONCE || !asked(row), "{name} is there before it is caused");
    let healing = Healing(row);
    run(&["fault", name, row.node]);
    let caused = now();
    // Rules come with their technology: until then a fault is only proven to be there.
    let known = row.finding.rules.iter().any(|rule| RuleId::named(rule).is_some());
    let seen = known.then(|| expect(row, caused, watch));
    until(&format!("{name} is there"), || asked(row));
    // A second time: nothing more happens, and what the healing must know is not forgotten.
    if name != ONCE {
        run(&["fault", name, row.node]);
    }
    drop(healing);
    let healed = now();
    if name != ONCE {
        until(&format!("{name} is gone"), || !asked(row));
    }
    let Some(seen) = seen else {
        println!("{name:16} there and gone; no rule names it yet");
        return;
    };
    println!("{name:16} seen after {:.1} s", seen.as_secs_f64());
    if name != ONCE {
        until_found(watch, &format!("{name} is not found any more"), row.finding.gone_within, <[Value]>::is_empty);
        println!("{name:16} gone {:.1} s after its healing", healed.elapsed().as_secs_f64());
    }
}

/// Reads documents until their findings satisfy `holds`.
fn until_found(watch: &mut Watch, what: &str, limit: Duration, mut holds: impl FnMut(&[Value]) -> bool) {
    let start = now();
    loop {
        let document = watch.next();
        if holds(findings(&document)) {
            return;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}: {:#?}", findings(&document));
    }
}

/// The finding is first in time, and all the others follow from it or are declared.
fn expect(row: &Row, caused: Instant, watch: &mut Watch) -> Duration {
    let expected = &row.finding;
    let wanted = |found: &Value| {
        expected.rules.contains(&text(found, "id")) && text(found, "subject").contains(expected.subject)
    };
    let mut others = BTreeSet::new();
    let mut note = |all: &[Value]| {
        for found in all.iter().filter(|found| !wanted(found)) {
            let follows = expected.rules.contains(&text(&found["follows_from"], "id"));
            if !follows && !expected.symptoms.contains(&text(found, "id")) {
                let words = ["id", "subject", "summary"].map(|field| text(found, field));
                others.insert(words.join(" | "));
            }
        }
    };
    until_found(watch, &format!("{} is the first finding", row.fault), expected.seen_within, |all| {
        note(all);
        all.first().is_some_and(wanted)
    });
    let seen = caused.elapsed();
    for _ in 0..LOOK_ON {
        note(findings(&watch.next()));
    }
    assert!(others.is_empty(), "beside {}: {others:#?}", row.fault);
    seen
}

fn findings(document: &Value) -> &[Value] {
    document["findings"].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(found: &'a Value, field: &str) -> &'a str {
    found[field].as_str().unwrap_or_default()
}

/// Whether the daemon's own tool shows the fault.
fn asked(row: &Row) -> bool {
    let answers: String = row.ask.iter().map(|(node, script)| answer(&["exec", node, "sh", "-c", script])).collect();
    (row.there)(&answers)
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let start = now();
    while !holds() {
        assert!(start.elapsed() < DAEMON, "{what}: not within {DAEMON:?}");
        pause();
    }
}
