//! `/proc/stat`, `loadavg`, `meminfo`, `vmstat`, `uptime` and `pressure` as gauges and counters.

use crate::wire::sources::Sources;
use crate::{
    model::{
        figure::{Figure, Unknown},
        host::{CpuTicks, Load, Memory, Pressure, PressureOf},
    },
    wire::complaints::Complaints,
};

/// The node's clock as `EPOCHREALTIME` or `date +%s.%N` print it, in milliseconds since 1970.
/// The decimal sign follows the node's locale. Whole seconds (busybox has no `%N`) are too coarse to compare clocks.
pub(super) fn clock_ms(sources: &Sources<'_>, complaints: &mut Complaints) -> Figure<i64> {
    let Some(text) = sources.first("clock") else { return Figure::Unknown(Unknown::Missing) };
    let (seconds, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    if fraction.is_empty() || fraction.starts_with(['%', 'N']) {
        return Figure::Unknown(Unknown::NotOffered);
    }
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let parsed = seconds.parse::<u32>().ok().zip(millis.parse::<u16>().ok());
    if let Some((seconds, millis)) = parsed {
        return Figure::Known(i64::from(seconds) * 1000 + i64::from(millis));
    }
    complaints.add("clock", format!("not a time: {text}"));
    Figure::Unknown(Unknown::Malformed)
}

/// First figure of `/proc/uptime`, seconds with two decimals, as milliseconds.
pub(super) fn uptime_ms(sources: &Sources<'_>, complaints: &mut Complaints) -> Figure<u64> {
    let text = sources.first("/proc/uptime").and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    complaints.fraction("uptime", text).map(|seconds| (seconds * 1000.0).round() as u64)
}

/// The line of all CPUs in `/proc/stat`. 2.4 kernels stop at idle and 2.6.10 has no steal: absent columns are 0 there,
/// because those kernels count that time elsewhere.
pub(super) fn cpu_ticks(sources: &Sources<'_>, complaints: &mut Complaints) -> Figure<CpuTicks> {
    let Some(line) = value_after(sources.lines("/proc/stat"), "cpu ") else {
        return Figure::Unknown(Unknown::Missing);
    };
    let mut ticks = [0_u64; 8];
    let mut given = 0;
    for (slot, word) in ticks.iter_mut().zip(line.split_whitespace()) {
        match complaints.number("stat cpu", word) {
            Figure::Known(value) => *slot = value,
            Figure::Unknown(why) => return Figure::Unknown(why),
        }
        given += 1;
    }
    if given < 4 {
        complaints.add("stat cpu", "fewer than four columns");
        return Figure::Unknown(Unknown::Malformed);
    }
    let [user, nice, system, idle, iowait, irq, softirq, steal] = ticks;
    Figure::Known(CpuTicks { user, nice, system, idle, iowait, irq, softirq, steal })
}

/// How many `cpuN` lines `/proc/stat` has.
pub(super) fn cpus(sources: &Sources<'_>) -> Figure<u32> {
    let is_cpu = |line: &&&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let count = sources.lines("/proc/stat").iter().filter(is_cpu).count();
    if count == 0 { Figure::Unknown(Unknown::Missing) } else { Figure::Known(count as u32) }
}

/// `procs_blocked` of `/proc/stat`.
pub(super) fn blocked_tasks(sources: &Sources<'_>, complaints: &mut Complaints) -> Figure<u32> {
    let text = value_after(sources.lines("/proc/stat"), "procs_blocked ").unwrap_or_default();
    complaints.number("stat procs_blocked", text)
}

/// `/proc/loadavg`.
pub(super) fn load(sources: &Sources<'_>, complaints: &mut Complaints) -> Figure<Load> {
    let mut words = sources.first("/proc/loadavg").unwrap_or_default().split_whitespace();
    let mut next = || complaints.fraction("loadavg", words.next().unwrap_or_default());
    let (one, five, fifteen) = (next(), next(), next());
    one.and_then(|one_minute| {
        five.and_then(|five_minutes| fifteen.map(|fifteen_minutes| Load { one_minute, five_minutes, fifteen_minutes }))
    })
}

/// `/proc/meminfo`. Kernels before 3.14 have no MemAvailable: free, buffers and cached together are the estimate.
pub(super) fn memory(sources: &Sources<'_>, complaints: &mut Complaints) -> Figure<Memory> {
    let lines = sources.lines("/proc/meminfo");
    let mut bytes = |key: &str| -> Figure<u64> {
        let text = value_after(lines, key).unwrap_or_default();
        let kib = text.strip_suffix("kB").unwrap_or(text).trim_end();
        complaints
            .number::<u64>(format_args!("meminfo {}", key.trim_end_matches(':')), kib)
            .map(|kib| kib.saturating_mul(1024))
    };
    let available = bytes("MemAvailable:").known().or_else(|| {
        let free = bytes("MemFree:").known()?;
        Some(free.saturating_add(bytes("Buffers:").known()?).saturating_add(bytes("Cached:").known()?))
    });
    let total = bytes("MemTotal:");
    let mut or_zero = |key| bytes(key).known().unwrap_or(0);
    let (dirty, writeback) = (or_zero("Dirty:"), or_zero("Writeback:"));
    let (swap_total, swap_free) = (or_zero("SwapTotal:"), or_zero("SwapFree:"));
    total.and_then(|total_bytes| {
        Figure::from_option(available, Unknown::Missing).map(|available_bytes| Memory {
            total_bytes,
            available_bytes: available_bytes.min(total_bytes),
            dirty_bytes: dirty,
            writeback_bytes: writeback,
            swap_total_bytes: swap_total,
            swap_free_bytes: swap_free,
        })
    })
}

/// One counter of `/proc/vmstat`; `pswpin ` with the space. Absent while the file is there: this kernel has none.
pub(super) fn vmstat(sources: &Sources<'_>, key: &str, complaints: &mut Complaints) -> Figure<u64> {
    let lines = sources.lines("/proc/vmstat");
    match value_after(lines, key) {
        Some(text) => complaints.number("vmstat", text),
        None if lines.is_empty() => Figure::Unknown(Unknown::Missing),
        None => Figure::Unknown(Unknown::NotOffered),
    }
}

/// `/proc/pressure/*`: kernel 4.20 and later, unless switched off (then the files cannot be read).
pub(super) fn pressure(sources: &Sources<'_>, complaints: &mut Complaints) -> Figure<Pressure> {
    let mut of = |path: &str| -> Figure<PressureOf> {
        let lines = sources.lines(path);
        if lines.is_empty() {
            return Figure::Unknown(Unknown::NotOffered);
        }
        let some = pressure_line(lines, "some ", complaints);
        // The `full` line of cpu came with 5.13; where it is absent nothing was counted.
        let full = if value_after(lines, "full ").is_some() {
            pressure_line(lines, "full ", complaints)
        } else {
            Figure::Known((0.0, 0))
        };
        some.and_then(|(some_avg10_percent, some_total_us)| {
            full.map(|(full_avg10_percent, full_total_us)| PressureOf {
                some_avg10_percent,
                some_total_us,
                full_avg10_percent,
                full_total_us,
            })
        })
    };
    let (cpu, memory, io) = (of("/proc/pressure/cpu"), of("/proc/pressure/memory"), of("/proc/pressure/io"));
    cpu.and_then(|cpu| memory.and_then(|memory| io.map(|io| Pressure { cpu, memory, io })))
}

/// `avg10=… avg60=… avg300=… total=…`: the first in percent and the last in microseconds.
fn pressure_line(lines: &[&str], kind: &str, complaints: &mut Complaints) -> Figure<(f64, u64)> {
    let text = value_after(lines, kind).unwrap_or_default();
    let field = |name: &str| text.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap_or_default();
    let avg10 = complaints.fraction("pressure", field("avg10="));
    let total = complaints.number("pressure", field("total="));
    avg10.and_then(|avg10| total.map(|total| (avg10.min(100.0), total)))
}

/// What follows `key` on the first line that starts with it, without the blanks around it.
fn value_after<'a>(lines: &[&'a str], key: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| line.strip_prefix(key)).map(str::trim)
}
