//! "Disk or locks?": a table of grids and what is said of them.

use vakt::{
    history::mysql::attribution::{Attribution, Bottleneck, Grid, attribute},
    model::{
        figure::{Figure, Unknown},
        host::{CpuShares, DiskRates, HostFacts},
        mysql::MysqlFacts,
    },
};

fn known(value: f64) -> Figure<f64> {
    Figure::Known(value)
}

/// Everything known, nothing conspicuous.
fn calm() -> Grid {
    Grid {
        iowait_percent: known(2.0),
        cpu_percent: known(30.0),
        await_ms: known(0.8),
        busy_percent: known(12.0),
        rotational: Figure::Known(false),
        io_stall_percent: known(1.0),
        redo_percent: known(20.0),
        free_waits_per_s: known(0.0),
        log_waits_per_s: known(0.0),
        disk_reads_per_s: known(3.0),
        lock_sessions: known(0.1),
        lock_percent: known(1.0),
        waiting_now: Figure::Known(0),
        threads_running: Figure::Known(8),
        questions_per_s: known(900.0),
    }
}

fn nothing_known() -> Grid {
    Grid::default()
}

#[test]
fn each_grid_has_its_sentence() {
    let locked =
        Grid { lock_sessions: known(6.0), lock_percent: known(60.0), threads_running: Figure::Known(10), ..calm() };
    let cases = [
        (
            "calm",
            calm(),
            Bottleneck::Nothing,
            "Neither disk nor locks: await 0.8 ms of a solid-state disk, iowait 2 %, tasks stalled on IO 1 % of the \
             time, redo log 20 % full; 0.1 sessions of 8 running waited for rows (1 %); 900 statements a second.",
        ),
        (
            "throttled disk",
            Grid { await_ms: known(85.0), iowait_percent: known(61.0), ..calm() },
            Bottleneck::Disk,
            "Disk: await 85.0 ms of a solid-state disk, iowait 61 %, 3 page reads a second; row locks are calm (0.1 \
             sessions of 8 running waited for rows (1 %)); 900 statements a second.",
        ),
        (
            "row lock pile-up",
            locked,
            Bottleneck::Locks,
            "Locks: 6.0 sessions of 10 running waited for rows (60 %); the disk is calm (await 0.8 ms of a solid-state \
             disk, iowait 2 %, tasks stalled on IO 1 % of the time, redo log 20 % full); 900 statements a second.",
        ),
        (
            "both",
            Grid { io_stall_percent: known(70.0), ..locked },
            Bottleneck::DiskAndLocks,
            "Disk first, then locks: tasks stalled on IO 70 % of the time, 3 page reads a second; 6.0 sessions of 10 \
             running waited for rows (60 %); 900 statements a second.",
        ),
        (
            "cpu",
            Grid { cpu_percent: known(97.0), ..calm() },
            Bottleneck::Cpu,
            "CPU: 97 % in use; the disk is calm (await 0.8 ms of a solid-state disk, iowait 2 %, tasks stalled on IO 1 % \
             of the time, redo log 20 % full); row locks are calm (0.1 sessions of 8 running waited for rows (1 %)); 900 \
             statements a second.",
        ),
        (
            "nothing known",
            nothing_known(),
            Bottleneck::Unknown,
            "Not known: the disk is unknown; row locks are unknown.",
        ),
        (
            "locks known, disk not",
            Grid { lock_sessions: known(0.0), lock_percent: known(0.0), ..nothing_known() },
            Bottleneck::Unknown,
            "Not known: the disk is unknown; row locks are calm (0.0 sessions waited for rows (0 %)).",
        ),
        (
            "disk slow, locks unknown",
            Grid { await_ms: known(50.0), ..nothing_known() },
            Bottleneck::Disk,
            "Disk: await 50.0 ms; row locks are unknown.",
        ),
        (
            "locks high, disk unknown",
            Grid { waiting_now: Figure::Known(5), ..nothing_known() },
            Bottleneck::Locks,
            "Locks: 5 wait for rows now; the disk is unknown.",
        ),
    ];
    for (name, grid, bottleneck, sentence) in cases {
        let expected = Attribution { bottleneck, sentence: sentence.to_owned() };
        assert_eq!(attribute(&grid), expected, "{name}");
    }
}

#[test]
fn what_is_slow_depends_on_the_disk() {
    let class = |grid: Grid| attribute(&grid).bottleneck;
    let with_await = |ms: f64, rotational| Grid { await_ms: known(ms), rotational, ..calm() };
    let unknown = Figure::Unknown(Unknown::NotOffered);
    assert_eq!(class(with_await(20.0, Figure::Known(false))), Bottleneck::Disk);
    assert_eq!(class(with_await(20.0, Figure::Known(true))), Bottleneck::Nothing);
    assert_eq!(class(with_await(20.0, unknown)), Bottleneck::Nothing);
    assert_eq!(class(with_await(60.0, unknown)), Bottleneck::Disk);
    // A solid-state disk that is busy all the time may have room for a hundred more requests at once.
    let busy = |rotational| Grid { busy_percent: known(99.0), rotational, ..calm() };
    assert_eq!(class(busy(Figure::Known(false))), Bottleneck::Nothing);
    assert_eq!(class(busy(Figure::Known(true))), Bottleneck::Disk);
}

#[test]
fn the_engine_alone_can_tell_a_slow_disk() {
    let of_engine = |grid: Grid| attribute(&grid).bottleneck;
    assert_eq!(of_engine(Grid { redo_percent: known(80.0), ..nothing_known() }), Bottleneck::Disk);
    assert_eq!(of_engine(Grid { free_waits_per_s: known(0.2), ..calm() }), Bottleneck::Disk);
    assert_eq!(of_engine(Grid { log_waits_per_s: known(0.2), ..calm() }), Bottleneck::Disk);
}

#[test]
fn a_share_of_few_threads_is_chance() {
    let grid =
        Grid { lock_sessions: known(0.3), lock_percent: known(30.0), threads_running: Figure::Known(1), ..calm() };
    assert_eq!(attribute(&grid).bottleneck, Bottleneck::Nothing);
    let share_unknown = Grid { lock_sessions: known(4.0), lock_percent: Figure::default(), ..calm() };
    assert_eq!(attribute(&share_unknown).bottleneck, Bottleneck::Locks);
}

#[test]
fn the_grid_takes_the_slower_direction_of_the_device() {
    let disk = DiskRates {
        read_await_ms: Figure::Unknown(Unknown::NothingHappened),
        write_await_ms: known(30.0),
        ..DiskRates::default()
    };
    let cpu = CpuShares { iowait: 40.0, idle: 50.0, user: 10.0, ..CpuShares::default() };
    let host = HostFacts { cpu: Figure::Known(cpu), io_some_percent: known(33.0), ..HostFacts::default() };
    let grid = Grid::new(Some(&host), Some(&disk), Figure::Known(false), &MysqlFacts::default());
    assert_eq!((grid.await_ms, grid.iowait_percent, grid.io_stall_percent), (known(30.0), known(40.0), known(33.0)));
    assert_eq!(attribute(&grid).bottleneck, Bottleneck::Disk);
    let both = DiskRates { read_await_ms: known(90.0), ..disk };
    assert_eq!(Grid::new(None, Some(&both), Figure::default(), &MysqlFacts::default()).await_ms, known(90.0));
    assert_eq!(Grid::new(None, None, Figure::default(), &MysqlFacts::default()), Grid::default());
}
