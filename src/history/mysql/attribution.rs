//! "Disk or locks?": what a slow database waits for, in one sentence with the figures that say so.
//!
//! Four columns are judged apart: the machine's disk, the storage engine's own signs of a slow disk, row locks, and work.
//! A column without a single known figure is unknown, and the sentence says so: calm is only said of what was seen.

use crate::model::{
    figure::Figure,
    host::{DiskRates, HostFacts},
    mysql::MysqlFacts,
};
use serde::{Deserialize, Serialize};

/// iowait that an operator should look at, percent of all CPUs.
const IOWAIT_PERCENT: f64 = 25.0;
/// Share of the time in which some task stood still for input or output.
const IO_STALL_PERCENT: f64 = 20.0;
/// Mean wait that is slow for a disk without moving parts, milliseconds.
const AWAIT_SOLID_MS: f64 = 10.0;
/// Mean wait that is slow for a disk that turns, milliseconds: a few seeks.
const AWAIT_ROTATING_MS: f64 = 40.0;
/// Utilisation at which a disk that turns is full. Others serve many requests at once: theirs says nothing.
const BUSY_ROTATING_PERCENT: f64 = 90.0;
/// Redo pressure at which flushing becomes hurried.
const REDO_PERCENT: f64 = 75.0;
/// Share of the running threads that wait for rows.
const LOCK_SHARE_PERCENT: f64 = 20.0;
/// Mean number of waiting sessions below which that share is chance: one short wait of one of three threads.
const LOCK_SESSIONS_MIN: f64 = 0.5;
/// Sessions that wait at this moment, whatever the window says: waits are added up only when they end.
const WAITING_NOW_MIN: u64 = 3;
/// CPU in use that leaves nothing to run on.
const CPU_BUSY_PERCENT: f64 = 90.0;

/// What is looked at. Each figure may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Grid {
    /// CPUs idle with a request to a disk outstanding, percent.
    pub iowait_percent: Figure<f64>,
    /// CPUs in use, percent.
    pub cpu_percent: Figure<f64>,
    /// Mean wait of the slower of reads and writes on the device behind the data directory.
    pub await_ms: Figure<f64>,
    /// Time with a request in flight on that device.
    pub busy_percent: Figure<f64>,
    /// Whether that device turns.
    pub rotational: Figure<bool>,
    /// Share of the window in which some task stood still for input or output.
    pub io_stall_percent: Figure<f64>,
    /// Checkpoint age of the redo log's capacity.
    pub redo_percent: Figure<f64>,
    /// Waits for a free page.
    pub free_waits_per_s: Figure<f64>,
    /// Waits because the log buffer was full.
    pub log_waits_per_s: Figure<f64>,
    /// Logical reads that went to disk.
    pub disk_reads_per_s: Figure<f64>,
    /// Mean number of sessions that waited for a row.
    pub lock_sessions: Figure<f64>,
    /// That number of the running threads.
    pub lock_percent: Figure<f64>,
    /// Sessions that wait for a row now.
    pub waiting_now: Figure<u64>,
    /// Threads that run.
    pub threads_running: Figure<u64>,
    /// Statements.
    pub questions_per_s: Figure<f64>,
}

impl Grid {
    /// From the facts of a host and of the server on it, and what is known of the device behind the data directory.
    pub fn new(
        host: Option<&HostFacts>,
        disk: Option<&DiskRates>,
        rotational: Figure<bool>,
        mysql: &MysqlFacts,
    ) -> Self {
        let cpu = host.map(|host| host.cpu).unwrap_or_default();
        let disk_figure = |of: fn(&DiskRates) -> Figure<f64>| disk.map(of).unwrap_or_default();
        let waits = (disk_figure(|disk| disk.read_await_ms), disk_figure(|disk| disk.write_await_ms));
        let rates = &mysql.rates;
        Self {
            iowait_percent: cpu.map(|cpu| cpu.iowait),
            cpu_percent: cpu.map(|cpu| cpu.busy()),
            // A direction in which nothing happened has no wait: the other one stands.
            await_ms: match waits {
                (Figure::Known(read), Figure::Known(write)) => Figure::Known(read.max(write)),
                (known @ Figure::Known(_), _) | (_, known) => known,
            },
            busy_percent: disk_figure(|disk| disk.busy_percent),
            rotational,
            io_stall_percent: host.map(|host| host.io_some_percent).unwrap_or_default(),
            redo_percent: rates.redo.pressure_percent,
            free_waits_per_s: rates.engine.free_waits_per_s,
            log_waits_per_s: rates.redo.buffer_waits_per_s,
            disk_reads_per_s: rates.engine.disk_reads_per_s,
            lock_sessions: rates.locks.load_sessions,
            lock_percent: rates.locks.load_percent,
            waiting_now: mysql.sample.innodb.row_locks.waiting_now,
            threads_running: mysql.sample.server.threads_running,
            questions_per_s: rates.statements.questions_per_s,
        }
    }
}

impl Grid {
    /// Whether the machine itself says that its disk is slow: a full log alone may have another reason.
    pub fn is_disk_slow(&self) -> bool {
        let await_limit = if self.rotational.known() == Some(false) { AWAIT_SOLID_MS } else { AWAIT_ROTATING_MS };
        let beyond = |figure: Figure<f64>, limit: f64| figure.known().is_some_and(|value| value >= limit);
        beyond(self.await_ms, await_limit)
            || beyond(self.iowait_percent, IOWAIT_PERCENT)
            || beyond(self.io_stall_percent, IO_STALL_PERCENT)
    }
}

/// What the server waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bottleneck {
    /// Neither disk nor locks nor CPU.
    Nothing,
    /// The disk.
    Disk,
    /// Row locks; the disk is calm.
    Locks,
    /// Both: locks are held longer while their holders wait for the disk, so the disk comes first.
    DiskAndLocks,
    /// The CPUs.
    Cpu,
    /// Too little is known.
    Unknown,
}

/// One sentence and its class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The class.
    pub bottleneck: Bottleneck,
    /// The sentence, with the figures that say so.
    pub sentence: String,
}

/// A column: the figures that say that it is the cause, those that say that it is not, nothing in either when none was known.
#[derive(Default)]
struct Column {
    high: Vec<String>,
    calm: Vec<String>,
}

impl Column {
    fn judge(&mut self, figure: Figure<f64>, limit: f64, words: impl FnOnce(f64) -> String) {
        if let Figure::Known(value) = figure {
            if value >= limit { &mut self.high } else { &mut self.calm }.push(words(value));
        }
    }

    fn is_high(&self) -> bool {
        !self.high.is_empty()
    }

    fn is_known(&self) -> bool {
        self.is_high() || !self.calm.is_empty()
    }
}

/// The attribution.
pub fn attribute(grid: &Grid) -> Attribution {
    let (disk, locks, cpu) = (disk(grid), locks(grid), cpu(grid));
    let work = work(grid);
    let (bottleneck, words) = match (disk.is_high(), locks.is_high()) {
        (true, true) => (
            Bottleneck::DiskAndLocks,
            format!("Disk first, then locks: {}; {}", disk.high.join(", "), locks.high.join(", ")),
        ),
        (true, false) => (Bottleneck::Disk, format!("Disk: {}; {}", disk.high.join(", "), beside("row locks", &locks))),
        (false, true) => {
            (Bottleneck::Locks, format!("Locks: {}; {}", locks.high.join(", "), beside("the disk", &disk)))
        }
        (false, false) if cpu.is_high() => (
            Bottleneck::Cpu,
            format!("CPU: {}; {}; {}", cpu.high.join(", "), beside("the disk", &disk), beside("row locks", &locks)),
        ),
        (false, false) if disk.is_known() && locks.is_known() => (
            Bottleneck::Nothing,
            format!("Neither disk nor locks: {}; {}", disk.calm.join(", "), locks.calm.join(", ")),
        ),
        (false, false) => {
            (Bottleneck::Unknown, format!("Not known: {}; {}", beside("the disk", &disk), beside("row locks", &locks)))
        }
    };
    Attribution { bottleneck, sentence: format!("{words}{work}.") }
}

/// The machine's view of the disk and the engine's: either is enough.
fn disk(grid: &Grid) -> Column {
    let rotating = grid.rotational.known() == Some(true);
    let kind = match grid.rotational {
        Figure::Known(true) => " of a disk that turns",
        Figure::Known(false) => " of a solid-state disk",
        Figure::Unknown(_) => "",
    };
    // Of a disk of unknown kind only what is slow for both is slow.
    let await_limit = if grid.rotational.known() == Some(false) { AWAIT_SOLID_MS } else { AWAIT_ROTATING_MS };
    let mut column = Column::default();
    column.judge(grid.await_ms, await_limit, |ms| format!("await {ms:.1} ms{kind}"));
    if rotating {
        column.judge(grid.busy_percent, BUSY_ROTATING_PERCENT, |busy| format!("utilisation {busy:.0} %"));
    }
    column.judge(grid.iowait_percent, IOWAIT_PERCENT, |iowait| format!("iowait {iowait:.0} %"));
    column.judge(grid.io_stall_percent, IO_STALL_PERCENT, |stall| {
        format!("tasks stalled on IO {stall:.0} % of the time")
    });
    column.judge(grid.redo_percent, REDO_PERCENT, |redo| format!("redo log {redo:.0} % full"));
    // Any wait of these is one too many; none is not worth a word beside the others.
    for (figure, words) in
        [(grid.free_waits_per_s, "waits for a free page"), (grid.log_waits_per_s, "waits for the log buffer")]
    {
        if let Figure::Known(rate) = figure
            && rate > 0.0
        {
            column.high.push(format!("{rate:.1} {words} a second"));
        }
    }
    if column.is_high()
        && let Figure::Known(rate) = grid.disk_reads_per_s
        && rate >= 1.0
    {
        column.high.push(format!("{rate:.0} page reads a second"));
    }
    column
}

fn locks(grid: &Grid) -> Column {
    let mut column = Column::default();
    match (grid.lock_sessions, grid.lock_percent) {
        (Figure::Known(sessions), Figure::Known(share)) => {
            let running =
                grid.threads_running.known().map_or(String::new(), |running| format!(" of {running} running"));
            let words = format!("{sessions:.1} sessions{running} waited for rows ({share:.0} %)");
            let high = share >= LOCK_SHARE_PERCENT && sessions >= LOCK_SESSIONS_MIN;
            if high { &mut column.high } else { &mut column.calm }.push(words);
        }
        (Figure::Known(sessions), Figure::Unknown(_)) => {
            column.judge(Figure::Known(sessions), 1.0, |sessions| format!("{sessions:.1} sessions waited for rows"));
        }
        _ => {}
    }
    if let Figure::Known(waiting) = grid.waiting_now {
        if waiting >= WAITING_NOW_MIN {
            column.high.push(format!("{waiting} wait for rows now"));
        } else if column.calm.is_empty() {
            column.calm.push(format!("{waiting} wait for rows now"));
        }
    }
    column
}

fn cpu(grid: &Grid) -> Column {
    let mut column = Column::default();
    column.judge(grid.cpu_percent, CPU_BUSY_PERCENT, |busy| format!("{busy:.0} % in use"));
    column
}

/// The work that is done meanwhile: a calm grid with few statements is an idle server, not a fast one.
fn work(grid: &Grid) -> String {
    match grid.questions_per_s {
        Figure::Known(rate) => format!("; {rate:.0} statements a second"),
        Figure::Unknown(_) => String::new(),
    }
}

/// What is said of a column that is not the cause.
fn beside(name: &str, column: &Column) -> String {
    let verb = if name.starts_with("row") { "are" } else { "is" };
    if column.is_known() {
        format!("{name} {verb} calm ({})", column.calm.join(", "))
    } else {
        format!("{name} {verb} unknown")
    }
}
