//! Two host samples become facts.
//!
//! A rate is known only when both samples are of the same boot and the counter went forward. A counter that went back
//! says that it restarted, not that something negative happened.

use crate::model::{
    figure::{Figure, Unknown},
    host::{
        CpuShares, CpuTicks, DiskCounters, DiskRates, HostFacts, HostSample, InterfaceCounters, InterfaceRates,
        Pressure,
    },
    text::Clean,
    time::Wall,
};
use std::collections::HashMap;

/// Bytes in a sector of `/proc/diskstats`, whatever the device's own sectors are.
const SECTOR_BYTES: f64 = 512.0;
/// `/proc/uptime` counts in hundredths: a window by it is wrong by at most twice that.
const UPTIME_STEP_MS: u64 = 20;
/// Shortest window that rates are made of; below it the clock's step outweighs the counters.
const WINDOW_MS_MIN: u64 = 100;
/// Ticks by which an accounting correction may move a counter back (one second of one CPU).
const TICKS_BACK_MAX: u64 = 100;

/// Facts from the newer sample and, where a rate needs it, the older one.
/// `received` and `round_trip_ms` place the node's clock against the bastion's.
pub fn derive(older: Option<&HostSample>, newer: HostSample, received: Wall, round_trip_ms: u64) -> HostFacts {
    let window = window_ms(older, &newer);
    let between = Between { older, newer: &newer, window };
    let pressure_share = |of: fn(&Pressure) -> u64| between.pressure_percent(of);
    let mut facts = HostFacts {
        window_ms: window,
        clock_offset_ms: clock_offset_ms(&newer, received, round_trip_ms),
        cpu: between.cpu(),
        memory_used_percent: newer.memory.and_then(|memory| {
            let used = memory.total_bytes.saturating_sub(memory.available_bytes);
            ratio(used as f64 * 100.0, memory.total_bytes as f64).map(|share| share.min(100.0))
        }),
        swap_in_per_s: between.rate_of(|sample| sample.swap_in_pages),
        swap_out_per_s: between.rate_of(|sample| sample.swap_out_pages),
        oom_kills_new: between.increase_of(|sample| sample.oom_kills),
        cpu_some_percent: pressure_share(|pressure| pressure.cpu.some_total_us),
        memory_some_percent: pressure_share(|pressure| pressure.memory.some_total_us),
        io_some_percent: pressure_share(|pressure| pressure.io.some_total_us),
        io_full_percent: pressure_share(|pressure| pressure.io.full_total_us),
        disks: between.disks(),
        interfaces: between.interfaces(),
        sample: HostSample::default(),
    };
    let carried = carried_commands(older, &newer);
    facts.sample = newer;
    facts.sample.blocked_commands.extend(carried);
    facts
}

/// Commands in state D are listed on every fifth poll only (listing is dear): in between the last list stands.
fn carried_commands(older: Option<&HostSample>, newer: &HostSample) -> Vec<Clean> {
    let still_blocked = newer.blocked_tasks.known().is_some_and(|tasks| tasks > 0);
    match older {
        Some(older) if still_blocked && newer.blocked_commands.is_empty() => older.blocked_commands.clone(),
        _ => Vec::new(),
    }
}

/// Node's clock minus bastion's: the answer was taken half a round trip before it arrived.
fn clock_offset_ms(newer: &HostSample, received: Wall, round_trip_ms: u64) -> Figure<i64> {
    let half = i64::try_from(round_trip_ms / 2).unwrap_or(i64::MAX);
    newer.clock_ms.map(|clock| clock.saturating_sub(received.0.saturating_sub(half)))
}

/// Time between the samples. Uptime decides, because the wall clock can jump; where the wall clock agrees within
/// uptime's step, it is the finer of the two.
fn window_ms(older: Option<&HostSample>, newer: &HostSample) -> Figure<u64> {
    let Some(older) = older else { return Figure::Unknown(Unknown::NeedsTwoSamples) };
    if let (Figure::Known(before), Figure::Known(now)) = (&older.boot_id, &newer.boot_id)
        && before != now
    {
        return Figure::Unknown(Unknown::CounterReset);
    }
    let by_uptime = newer.uptime_ms.and_then(|now| {
        older.uptime_ms.and_then(|before| Figure::from_option(now.checked_sub(before), Unknown::CounterReset))
    });
    let by_clock = newer
        .clock_ms
        .known()
        .zip(older.clock_ms.known())
        .and_then(|(now, before)| now.checked_sub(before).and_then(|window| u64::try_from(window).ok()));
    let window = match by_clock {
        Some(by_clock) => {
            by_uptime.map(|by_uptime| if by_clock.abs_diff(by_uptime) <= UPTIME_STEP_MS { by_clock } else { by_uptime })
        }
        None => by_uptime,
    };
    window.and_then(|window| {
        if window >= WINDOW_MS_MIN { Figure::Known(window) } else { Figure::Unknown(Unknown::NeedsTwoSamples) }
    })
}

/// Two samples and the time between them.
#[derive(Clone, Copy)]
struct Between<'a> {
    older: Option<&'a HostSample>,
    newer: &'a HostSample,
    window: Figure<u64>,
}

impl Between<'_> {
    /// The older sample, if a rate can be made of the two.
    fn comparable(&self) -> Figure<&HostSample> {
        self.window.and_then(|_| Figure::from_option(self.older, Unknown::NeedsTwoSamples))
    }

    fn increase_of(&self, counter: fn(&HostSample) -> Figure<u64>) -> Figure<u64> {
        let now = counter(self.newer);
        self.comparable().and_then(|older| counter(older).and_then(|before| now.and_then(|now| increase(before, now))))
    }

    fn rate_of(&self, counter: fn(&HostSample) -> Figure<u64>) -> Figure<f64> {
        self.increase_of(counter).and_then(|by| self.per_second(by as f64))
    }

    fn per_second(&self, amount: f64) -> Figure<f64> {
        self.window.map(|window_ms| amount * 1000.0 / window_ms as f64)
    }

    /// Microseconds of stall in percent of the window.
    fn pressure_percent(&self, total_us: fn(&Pressure) -> u64) -> Figure<f64> {
        let now = self.newer.pressure;
        self.comparable().and_then(|older| {
            let before = older.pressure;
            before.and_then(|before| {
                now.and_then(|now| {
                    increase(total_us(&before), total_us(&now)).and_then(|stalled_us| {
                        self.window.map(|window_ms| (stalled_us as f64 / (window_ms as f64 * 10.0)).min(100.0))
                    })
                })
            })
        })
    }

    fn cpu(&self) -> Figure<CpuShares> {
        let now = self.newer.cpu;
        self.comparable().and_then(|older| older.cpu.and_then(|before| now.and_then(|now| cpu_shares(&before, &now))))
    }

    fn disks(&self) -> Vec<DiskRates> {
        let before: HashMap<&Clean, &DiskCounters> =
            self.older.iter().flat_map(|older| &older.disks).map(|disk| (&disk.name, disk)).collect();
        self.newer.disks.iter().map(|disk| self.disk(before.get(&disk.name).copied(), disk)).collect()
    }

    fn disk(&self, before: Option<&DiskCounters>, now: &DiskCounters) -> DiskRates {
        let unknown = |why| {
            let figure = Figure::Unknown(why);
            DiskRates {
                name: now.name.clone(),
                reads_per_s: figure,
                writes_per_s: figure,
                read_bytes_per_s: figure,
                write_bytes_per_s: figure,
                read_await_ms: figure,
                write_await_ms: figure,
                queue: figure,
                busy_percent: figure,
            }
        };
        let window_ms = match self.window {
            Figure::Known(window_ms) => window_ms as f64,
            Figure::Unknown(why) => return unknown(why),
        };
        let Some(before) = before else { return unknown(Unknown::NeedsTwoSamples) };
        let counts = (
            increase(before.reads, now.reads).known(),
            increase(before.writes, now.writes).known(),
            increase(before.read_sectors, now.read_sectors).known(),
            increase(before.write_sectors, now.write_sectors).known(),
        );
        // A device that was taken out and put back restarts all its counters: the times are worthless too.
        let (Some(reads), Some(writes), Some(read_sectors), Some(write_sectors)) = counts else {
            return unknown(Unknown::CounterReset);
        };
        let wait = |ms: Figure<u64>, operations: u64| ms.and_then(|ms| ratio(ms as f64, operations as f64));
        DiskRates {
            name: now.name.clone(),
            reads_per_s: self.per_second(reads as f64),
            writes_per_s: self.per_second(writes as f64),
            read_bytes_per_s: self.per_second(read_sectors as f64 * SECTOR_BYTES),
            write_bytes_per_s: self.per_second(write_sectors as f64 * SECTOR_BYTES),
            read_await_ms: wait(increase_wrapping(before.read_ms, now.read_ms), reads),
            write_await_ms: wait(increase_wrapping(before.write_ms, now.write_ms), writes),
            queue: increase_wrapping(before.weighted_ms, now.weighted_ms).map(|ms| ms as f64 / window_ms),
            busy_percent: increase_wrapping(before.busy_ms, now.busy_ms)
                .map(|ms| (ms as f64 * 100.0 / window_ms).min(100.0)),
        }
    }

    fn interfaces(&self) -> Vec<InterfaceRates> {
        let before: HashMap<&Clean, &InterfaceCounters> =
            self.older.iter().flat_map(|older| &older.interfaces).map(|one| (&one.name, one)).collect();
        self.newer.interfaces.iter().map(|one| self.interface(before.get(&one.name).copied(), one)).collect()
    }

    fn interface(&self, before: Option<&InterfaceCounters>, now: &InterfaceCounters) -> InterfaceRates {
        let rate = |counter: fn(&InterfaceCounters) -> u64| {
            let before = self.window.and_then(|_| Figure::from_option(before, Unknown::NeedsTwoSamples));
            before.and_then(|before| increase(counter(before), counter(now))).and_then(|by| self.per_second(by as f64))
        };
        InterfaceRates {
            name: now.name.clone(),
            rx_bits_per_s: rate(|one| one.rx_bytes).map(|bytes| bytes * 8.0),
            tx_bits_per_s: rate(|one| one.tx_bytes).map(|bytes| bytes * 8.0),
            rx_packets_per_s: rate(|one| one.rx_packets),
            tx_packets_per_s: rate(|one| one.tx_packets),
            drops_per_s: rate(|one| one.rx_dropped.saturating_add(one.tx_dropped)),
            errors_per_s: rate(|one| one.rx_errors.saturating_add(one.tx_errors)),
        }
    }
}

/// How far a counter moved on; one that moved back started again.
fn increase(before: u64, now: u64) -> Figure<u64> {
    Figure::from_option(now.checked_sub(before), Unknown::CounterReset)
}

/// The same for the kernel's 32-bit millisecond counters, which wrap after 49 days of accumulated time: a step from
/// the upper quarter of 32 bits into the lower one is a wrap.
fn increase_wrapping(before: u64, now: u64) -> Figure<u64> {
    const WRAP: u64 = 1 << 32;
    if (WRAP / 4 * 3..WRAP).contains(&before) && now < WRAP / 4 {
        Figure::Known(now + WRAP - before)
    } else {
        increase(before, now)
    }
}

/// `a / b`; nothing happened when `b` is zero.
fn ratio(a: f64, b: f64) -> Figure<f64> {
    if b > 0.0 { Figure::Known(a / b) } else { Figure::Unknown(Unknown::NothingHappened) }
}

/// Percent of the window's ticks. iowait and idle may go back a little by the kernel's own word; a step back of more
/// than a second in anything else is a restart.
fn cpu_shares(before: &CpuTicks, now: &CpuTicks) -> Figure<CpuShares> {
    let parts = |ticks: &CpuTicks| {
        [ticks.user, ticks.nice, ticks.system, ticks.irq, ticks.softirq, ticks.steal, ticks.idle, ticks.iowait]
    };
    let mut by = [0.0_f64; 8];
    for (index, (before, now)) in parts(before).into_iter().zip(parts(now)).enumerate() {
        if index < 6 && before.saturating_sub(now) > TICKS_BACK_MAX {
            return Figure::Unknown(Unknown::CounterReset);
        }
        by[index] = now.saturating_sub(before) as f64;
    }
    let total: f64 = by.iter().sum();
    if total <= 0.0 {
        return Figure::Unknown(Unknown::NothingHappened);
    }
    let [user, nice, system, irq, softirq, steal, idle, iowait] = by.map(|ticks| ticks * 100.0 / total);
    Figure::Known(CpuShares { user, nice, system, idle, iowait, irq, softirq, steal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::{Memory, PressureOf};
    use proptest::prelude::*;

    /// A sample `ms` after boot in which everything moved on in proportion.
    fn sample(ms: u64) -> HostSample {
        let ticks = ms / 10;
        let counter = |name: &str| InterfaceCounters {
            name: name.into(),
            rx_bytes: ms * 125,
            rx_packets: ms,
            tx_bytes: ms * 250,
            tx_packets: ms,
            rx_dropped: ms / 1000,
            ..InterfaceCounters::default()
        };
        HostSample {
            clock_ms: Figure::Known(1_700_000_000_000 + ms.cast_signed()),
            uptime_ms: Figure::Known(ms / 10 * 10),
            boot_id: Figure::Known("a".into()),
            cpu: Figure::Known(CpuTicks { user: ticks, idle: ticks * 2, iowait: ticks, ..CpuTicks::default() }),
            cpus: Figure::Known(4),
            blocked_tasks: Figure::Known(1),
            swap_in_pages: Figure::Known(ms / 100),
            oom_kills: Figure::Known(ms / 1000),
            memory: Figure::Known(Memory { total_bytes: 1000, available_bytes: 250, ..Memory::default() }),
            pressure: Figure::Known(Pressure {
                io: PressureOf { some_total_us: ms * 500, full_total_us: ms * 250, ..PressureOf::default() },
                ..Pressure::default()
            }),
            disks: vec![DiskCounters {
                name: "sda".into(),
                reads: ms / 100,
                read_sectors: ms / 100 * 8,
                read_ms: ms / 100 * 5,
                weighted_ms: ms * 2,
                busy_ms: ms / 2,
                ..DiskCounters::default()
            }],
            interfaces: vec![counter("eth0")],
            ..HostSample::default()
        }
    }

    fn facts(before: &HostSample, now: HostSample) -> HostFacts {
        derive(Some(before), now, Wall(0), 0)
    }

    #[test]
    fn figures_of_a_quiet_second() {
        let facts = facts(&sample(50_000), sample(51_000));
        assert_eq!(facts.window_ms, Figure::Known(1000));
        let cpu = facts.cpu.known().unwrap();
        assert_eq!((cpu.user, cpu.idle, cpu.iowait, cpu.busy()), (25.0, 50.0, 25.0, 25.0));
        assert_eq!(facts.memory_used_percent, Figure::Known(75.0));
        assert_eq!(facts.swap_in_per_s, Figure::Known(10.0));
        assert_eq!(facts.oom_kills_new, Figure::Known(1));
        assert_eq!((facts.io_some_percent, facts.io_full_percent), (Figure::Known(50.0), Figure::Known(25.0)));
        let disk = &facts.disks[0];
        assert_eq!((disk.reads_per_s, disk.read_bytes_per_s), (Figure::Known(10.0), Figure::Known(40_960.0)));
        assert_eq!((disk.read_await_ms, disk.busy_percent), (Figure::Known(5.0), Figure::Known(50.0)));
        assert_eq!(disk.queue, Figure::Known(2.0));
        assert_eq!(disk.write_await_ms, Figure::Unknown(Unknown::NothingHappened));
        assert_eq!(facts.interfaces[0].rx_bits_per_s, Figure::Known(1_000_000.0));
        assert_eq!(facts.interfaces[0].tx_bits_per_s, Figure::Known(2_000_000.0));
        assert_eq!(facts.interfaces[0].drops_per_s, Figure::Known(1.0));
    }

    #[test]
    fn the_first_sample_has_no_rates_and_no_zeros() {
        let facts = derive(None, sample(50_000), Wall(0), 0);
        assert_eq!(facts.cpu.why(), Some(Unknown::NeedsTwoSamples));
        assert_eq!(facts.disks[0].reads_per_s.why(), Some(Unknown::NeedsTwoSamples));
        assert_eq!(facts.interfaces[0].rx_bits_per_s.why(), Some(Unknown::NeedsTwoSamples));
        assert_eq!(facts.memory_used_percent, Figure::Known(75.0));
    }

    #[test]
    fn a_reboot_is_a_reset_even_when_counters_have_passed_the_old_ones() {
        let back = facts(&sample(50_000), sample(2_000));
        let mut other_boot = sample(90_000);
        other_boot.boot_id = Figure::Known("b".into());
        for facts in [back, facts(&sample(50_000), other_boot)] {
            assert_eq!(facts.window_ms.why(), Some(Unknown::CounterReset));
            assert_eq!(facts.cpu.why(), Some(Unknown::CounterReset));
            assert_eq!(facts.disks[0].reads_per_s.why(), Some(Unknown::CounterReset));
            assert_eq!(facts.interfaces[0].rx_bits_per_s.why(), Some(Unknown::CounterReset));
            assert_eq!(facts.io_full_percent.why(), Some(Unknown::CounterReset));
        }
    }

    #[test]
    fn a_clock_that_jumps_changes_no_rate() {
        for jump in [-3_600_000, -500, 500, 86_400_000] {
            let mut now = sample(51_000);
            now.clock_ms = now.clock_ms.map(|clock| clock + jump);
            let facts = facts(&sample(50_000), now);
            assert_eq!(facts.window_ms, Figure::Known(1000), "{jump}");
            assert_eq!(facts.interfaces[0].rx_bits_per_s, Figure::Known(1_000_000.0), "{jump}");
        }
    }

    #[test]
    fn the_clock_offset_takes_half_the_round_trip_off() {
        let now = sample(0);
        let received = Wall(1_700_000_000_000 - 300 + 20);
        assert_eq!(derive(None, now, received, 40).clock_offset_ms, Figure::Known(300));
    }

    #[test]
    fn millisecond_counters_wrap_and_others_reset() {
        let (mut before, mut now) = (sample(50_000), sample(51_000));
        before.disks[0].read_ms = (1 << 32) - 20;
        now.disks[0].read_ms = 30;
        assert_eq!(facts(&before, now.clone()).disks[0].read_await_ms, Figure::Known(5.0));
        before.disks[0].read_ms = 1 << 20;
        assert_eq!(facts(&before, now.clone()).disks[0].read_await_ms.why(), Some(Unknown::CounterReset));
        before.disks[0].reads = 1 << 33;
        let disk = &facts(&before, now).disks[0];
        assert_eq!(disk.busy_percent.why(), Some(Unknown::CounterReset));
    }

    #[test]
    fn iowait_that_goes_back_is_clamped_and_the_shares_add_up() {
        let (before, mut now) = (sample(50_000), sample(51_000));
        now.cpu = now.cpu.map(|cpu| CpuTicks { iowait: 10, ..cpu });
        let cpu = facts(&before, now).cpu.known().unwrap();
        assert!(cpu.iowait.abs() < f64::EPSILON);
        let CpuShares { user, nice, system, idle, iowait, irq, softirq, steal } = cpu;
        assert!((user + nice + system + idle + iowait + irq + softirq + steal - 100.0).abs() < 1e-9);
    }

    #[test]
    fn devices_come_and_go() {
        let (before, mut now) = (sample(50_000), sample(51_000));
        now.interfaces.push(InterfaceCounters {
            name: "tap0".into(),
            rx_bytes: 1 << 50,
            ..InterfaceCounters::default()
        });
        now.disks.clear();
        let facts = facts(&before, now);
        assert_eq!(facts.interfaces[0].rx_bits_per_s, Figure::Known(1_000_000.0));
        assert_eq!(facts.interfaces[1].rx_bits_per_s.why(), Some(Unknown::NeedsTwoSamples));
        assert!(facts.disks.is_empty());
    }

    #[test]
    fn blocked_commands_stand_until_nothing_is_blocked() {
        let mut before = sample(50_000);
        before.blocked_commands = vec!["mariadbd".into()];
        let between = facts(&before, sample(51_000));
        assert_eq!(between.sample.blocked_commands, before.blocked_commands);
        let mut quiet = sample(52_000);
        quiet.blocked_tasks = Figure::Known(0);
        assert!(facts(&between.sample, quiet).sample.blocked_commands.is_empty());
    }

    /// Every rate and share of the facts.
    fn all_rates(facts: &HostFacts) -> Vec<Figure<f64>> {
        let mut all = vec![
            facts.memory_used_percent,
            facts.swap_in_per_s,
            facts.swap_out_per_s,
            facts.cpu_some_percent,
            facts.memory_some_percent,
            facts.io_some_percent,
            facts.io_full_percent,
        ];
        for d in &facts.disks {
            all.extend([d.reads_per_s, d.writes_per_s, d.read_bytes_per_s, d.write_bytes_per_s]);
            all.extend([d.read_await_ms, d.write_await_ms, d.queue, d.busy_percent]);
        }
        for i in &facts.interfaces {
            all.extend([i.rx_bits_per_s, i.tx_bits_per_s, i.rx_packets_per_s, i.tx_packets_per_s]);
            all.extend([i.drops_per_s, i.errors_per_s]);
        }
        all
    }

    fn counter() -> impl Strategy<Value = u64> {
        prop_oneof![0_u64..1000, Just(u64::from(u32::MAX)), (1_u64 << 31)..(1 << 33), any::<u64>()]
    }

    prop_compose! {
        fn any_sample()(c in proptest::collection::vec(counter(), 24), boot in 0_u8..2, clock in any::<i64>()) -> HostSample {
            let mut sample = sample(0);
            sample.clock_ms = Figure::Known(clock);
            sample.uptime_ms = Figure::Known(c[0]);
            sample.boot_id = Figure::Known(if boot == 0 { "a".into() } else { "b".into() });
            sample.cpu = Figure::Known(CpuTicks {
                user: c[1], nice: c[2], system: c[3], idle: c[4], iowait: c[5], irq: c[6], softirq: c[7], steal: c[8],
            });
            sample.pressure = Figure::Known(Pressure {
                io: PressureOf { some_total_us: c[9], full_total_us: c[10], ..PressureOf::default() },
                ..Pressure::default()
            });
            sample.disks[0] = DiskCounters {
                name: "sda".into(), reads: c[11], read_sectors: c[12], read_ms: c[13], writes: c[14],
                write_sectors: c[15], write_ms: c[16], in_flight: c[17], busy_ms: c[18], weighted_ms: c[19],
            };
            sample.interfaces[0].rx_bytes = c[20];
            sample.interfaces[0].rx_dropped = c[21];
            sample.interfaces[0].tx_dropped = c[22];
            sample.memory = Figure::Known(Memory { total_bytes: c[22], available_bytes: c[23], ..Memory::default() });
            sample
        }
    }

    proptest! {
        #[test]
        fn no_rate_is_negative_and_no_share_exceeds_the_whole(
            before in any_sample(), now in any_sample(), received in any::<i64>(), round_trip in any::<u64>(),
        ) {
            let facts = derive(Some(&before), now, Wall(received), round_trip);
            for rate in all_rates(&facts).into_iter().filter_map(Figure::known) {
                prop_assert!(rate.is_finite() && rate >= 0.0, "{}", rate);
            }
            for share in [facts.io_some_percent, facts.io_full_percent, facts.memory_used_percent, facts.disks[0].busy_percent] {
                prop_assert!(share.known().is_none_or(|share| share <= 100.0));
            }
            if let Figure::Known(CpuShares { user, nice, system, idle, iowait, irq, softirq, steal }) = facts.cpu {
                let sum = user + nice + system + idle + iowait + irq + softirq + steal;
                prop_assert!((sum - 100.0).abs() < 1e-6, "{}", sum);
            }
        }

        /// Whatever restarts between two honest samples, no rate is above what really happened.
        #[test]
        fn honest_counters_give_honest_rates(
            start in 0_u64..10_000_000, window in 100_u64..100_000, jump in -100_000_i64..100_000, reset in any::<bool>(),
        ) {
            let (before, mut now) = (sample(start), sample(start + window));
            now.clock_ms = now.clock_ms.map(|clock| clock + jump);
            if reset {
                now.interfaces[0].rx_bytes %= 1000;
                now.disks[0].reads = 0;
            }
            let facts = derive(Some(&before), now, Wall(0), 0);
            // The clock's steps (10 ms of uptime twice, 20 ms of agreement) bound the error of a short window.
            let slack = 1.0 + 40.0 / (window as f64 - 40.0).max(60.0);
            if let Some(rate) = facts.interfaces[0].rx_bits_per_s.known() {
                prop_assert!(rate <= 1_000_000.0 * slack + 1.0, "{} in {}", rate, window);
            }
            if let Some(rate) = facts.disks[0].reads_per_s.known() {
                prop_assert!(rate <= 10.0 * slack + 1000.0 / window as f64 * slack, "{} in {}", rate, window);
            }
        }
    }
}
