//! Acknowledged findings: they survive a process, and nobody's is lost when many write at once.

use super::Bed;
use std::thread;
use vakt::{
    model::{text::Clean, time::Wall},
    rules::{Acknowledgement, Acknowledgements, Severity},
};

fn seen(subject: &str, at: i64) -> Acknowledgement {
    Acknowledgement {
        rule: "haproxy.server.down".into(),
        subject: Clean::line(subject),
        severity: Severity::Critical,
        by: "eva".into(),
        reason: "new disk".into(),
        at: Wall(at),
        until: None,
    }
}

#[test]
fn what_was_acknowledged_is_there_for_the_next_process_and_can_be_taken_back() {
    let bed = Bed::new();
    assert_eq!(bed.state().acknowledged(), Acknowledgements::NONE);
    bed.state().acknowledge(seen("web/web03", 1_000), Wall(1_000)).unwrap();
    assert_eq!(bed.state().acknowledged().0, [seen("web/web03", 1_000)]);
    bed.state().unacknowledge(&"haproxy.server.down".into(), &"web/web03".into()).unwrap();
    assert_eq!(bed.state().acknowledged(), Acknowledgements::NONE);
}

#[test]
fn nobody_s_is_lost_when_many_write_at_once() {
    let bed = Bed::new();
    let states: Vec<_> = (0..8).map(|_| bed.state()).collect();
    thread::scope(|scope| {
        for (writer, state) in states.iter().enumerate() {
            scope.spawn(move || {
                for number in 0..10 {
                    state.acknowledge(seen(&format!("{writer}/{number}"), 1_000), Wall(1_000)).unwrap();
                }
            });
        }
    });
    assert_eq!(bed.state().acknowledged().0.len(), 80);
}

#[test]
fn a_damaged_file_hides_nothing() {
    let bed = Bed::new();
    bed.state().acknowledge(seen("web/web03", 1_000), Wall(1_000)).unwrap();
    std::fs::write(bed.file("acknowledged.json"), "[{\"rule\":").unwrap();
    assert_eq!(bed.state().acknowledged(), Acknowledgements::NONE);
    bed.state().acknowledge(seen("web/web01", 2_000), Wall(2_000)).unwrap();
    assert_eq!(bed.state().acknowledged().0, [seen("web/web01", 2_000)]);
}
