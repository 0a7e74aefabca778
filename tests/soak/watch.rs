//! The console watches the lab for an hour: what does it cost here, and does anything grow?

use crate::{
    lab::Lab,
    measure::{build, descriptors, load_average, median, memory_kib, minutes, processor_s, wait},
    program::{Program, now},
};
use std::time::Duration;

/// Until then it may grow: connections, profiles, the first minutes of every series.
const WARM_UP_MINUTES: u64 = 10;
const GROWTH_KIB_MAX: f64 = 1024.0;
const MEMORY_KIB_MAX: f64 = 64.0 * 1024.0;
const PROCESSOR_PERCENT_MAX: f64 = 5.0;
/// Looked at in turns, one a minute.
const SCREENS: [&str; 6] = ["1", "2", "3", "4", "5", "6"];

/// The middle of a minute's samples.
struct Minute {
    memory_kib: f64,
    descriptors: f64,
}

#[test]
fn an_hour_of_watching_stays_small_and_nothing_grows() {
    let lab = Lab::take().expect("./dev soak brings the lab up");
    let minutes = minutes(60);
    let warm_up = WARM_UP_MINUTES.min(minutes / 2);
    let mut program = Program::vakt(&["--config", lab.config()], 160, 50);
    program.wait_for("ten nodes", Duration::from_secs(60), |screen| screen.contains("10 of 10"));
    let pid = program.pid();
    let (start, processor_before) = (now(), processor_s(pid));
    let mut all = Vec::new();
    for minute in 0..minutes {
        program.press(SCREENS[usize::try_from(minute).unwrap() % SCREENS.len()]);
        let mut memory = Vec::new();
        let mut open = Vec::new();
        for _ in 0..60 {
            wait(Duration::from_secs(1));
            memory.push(f64::from(u32::try_from(memory_kib(pid)).unwrap()));
            open.push(f64::from(u32::try_from(descriptors(pid)).unwrap()));
        }
        all.push(Minute { memory_kib: median(&memory), descriptors: median(&open) });
        let last = &all[all.len() - 1];
        println!("minute {minute}: {:.0} KiB, {} descriptors, {}", last.memory_kib, last.descriptors, load_average());
    }
    let percent = (processor_s(pid) - processor_before) / start.elapsed().as_secs_f64() * 100.0;
    program.press("q");
    assert_eq!(program.wait_for_end(Duration::from_secs(10)), 0);
    judge(&all, usize::try_from(warm_up).unwrap(), percent);
}

fn judge(all: &[Minute], warm_up: usize, percent: f64) {
    let last = &all[all.len() - 1];
    // The same screens in both halves would not help: a minute is compared with the largest one before.
    let settled = all[..=warm_up.min(all.len() - 1)].iter().map(|minute| minute.memory_kib).fold(0.0, f64::max);
    let growth = last.memory_kib - settled;
    let most = all.iter().map(|minute| minute.memory_kib).fold(0.0, f64::max);
    let descriptors = all[warm_up.min(all.len() - 1)].descriptors;
    println!(
        "{}: {percent:.2} % of a core, at most {most:.0} KiB, {growth:+.0} KiB after {warm_up} minutes, \
         descriptors {descriptors} then {}, {}",
        build(),
        last.descriptors,
        load_average()
    );
    assert!(growth < GROWTH_KIB_MAX, "memory grew by {growth} KiB");
    assert!(last.descriptors <= descriptors, "descriptors: {descriptors}, then {}", last.descriptors);
    assert!(most <= MEMORY_KIB_MAX, "{most} KiB");
    assert!(percent <= PROCESSOR_PERCENT_MAX, "{percent} % of a core");
}
