//! Ten million spoilt answers (`VAKT_FUZZ_EXECUTIONS`), shared by all parsers.

use crate::{
    fuzz::{
        engine::{matrix, run},
        targets::table,
    },
    measure::{build, load_average},
    program::now,
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Executions between two lines of progress, and with one seed: an input is named by little.
const SLICE: u64 = 100_000;

#[test]
fn ten_million_spoilt_answers_break_no_parser() {
    let executions: u64 = std::env::var("VAKT_FUZZ_EXECUTIONS").map_or(10_000_000, |count| count.parse().unwrap());
    let table = table();
    let share = executions.div_ceil(u64::try_from(table.len()).unwrap());
    let next = AtomicUsize::new(0);
    let start = now();
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(target) = table.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let began = now();
                        matrix(target, 40);
                        for slice in 0..share.div_ceil(SLICE) {
                            run(target, slice, SLICE.min(share - slice * SLICE));
                        }
                        println!("{}: {share} executions in {:.0} s", target.name, began.elapsed().as_secs_f64());
                    }
                })
            })
            .collect();
        for worker in running {
            worker.join().unwrap();
        }
    });
    println!("{}: {executions} executions in {:.0} s, {}", build(), start.elapsed().as_secs_f64(), load_average());
}
