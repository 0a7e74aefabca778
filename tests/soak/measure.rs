//! What a process and the nodes cost, read from the kernel.

use crate::{
    lab,
    program::{now, pause},
};
use rustix::process::Pid;
use std::{collections::BTreeMap, fs, time::Duration};

/// Ticks of a second in `/proc/PID/stat`.
const TICKS_PER_S: f64 = 100.0;

/// Resident memory in KiB.
pub(crate) fn memory_kib(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Open file descriptors.
pub(crate) fn descriptors(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).unwrap().count()
}

/// Processor time so far, in seconds.
pub(crate) fn processor_s(pid: Pid) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    // Behind the name, which may hold blanks, utime and stime are the 12th and 13th field.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / TICKS_PER_S
}

/// Processor time of each node since it started, in microseconds.
pub(crate) fn nodes_us() -> BTreeMap<String, f64> {
    lab::run(&["usage"])
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(node, usage)| (node.to_owned(), usage.parse().unwrap()))
        .collect()
}

pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap();
    format!("load {}", text.split(' ').next().unwrap())
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Lets time pass: these series measure what happens meanwhile.
pub(crate) fn wait(duration: Duration) {
    let start = now();
    while start.elapsed() < duration {
        pause();
    }
}

/// How long a series lasts: `VAKT_SOAK_MINUTES`, or what it takes by itself.
pub(crate) fn minutes(default: u64) -> u64 {
    std::env::var("VAKT_SOAK_MINUTES").map_or(default, |minutes| minutes.parse().unwrap())
}

/// Which program was measured: bars are meant for the one that is shipped.
pub(crate) fn build() -> &'static str {
    if cfg!(debug_assertions) { "a debug build" } else { "a release build" }
}
