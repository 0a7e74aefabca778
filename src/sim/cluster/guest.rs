//! The guests of a hypervisor, and what libvirt tells of them: written into the captures of a real one.

use crate::{
    model::ids::NodeName,
    wire::libvirt::{
        ANSWERED, Question,
        answer::{self, Definitions, DomainRecord, DomainStatistics, PoolRecord, Statistics},
        operation::{GuestIdentity, Operation},
    },
};
use serde_json::{Map, Value};
use std::{
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
    sync::LazyLock,
};

const STATISTICS: &str = include_str!("../../../tests/captures/libvirt/9.0.0/running.guests.json");
const DEFINITIONS: &str = include_str!("../../../tests/captures/libvirt/9.0.0/running.profile.json");

// Captures that do not parse would leave no guests; the tests of the simulation look for them.
static STATISTICS_OF_ONE: LazyLock<DomainStatistics> = LazyLock::new(|| {
    let answer: Statistics = serde_json::from_str(STATISTICS).unwrap_or_default();
    answer.domains.into_iter().next().unwrap_or_default()
});
static DEFINITIONS_OF_ONE: LazyLock<Definitions> =
    LazyLock::new(|| serde_json::from_str(DEFINITIONS).unwrap_or_default());

/// Where simulated guests have their disks.
const POOL: &str = "<pool type='dir'><name>images</name><target><path>/var/lib/libvirt/images</path></target></pool>";
/// Processor time that a guest uses, and time that it waits for a processor, of one second.
const CPU_SHARE: f64 = 0.06;
const DELAY_SHARE: f64 = 0.004;
/// How long a guest takes to shut down.
const SHUTDOWN_US: u64 = 6_000_000;
/// How long a guest takes to move.
const MOVE_US: u64 = 5_000_000;
/// `VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT`.
const MIGRATION_OUT: u64 = 5;
/// Page faults of a kernel that has just begun, and those that guests have had when the simulation begins.
const PAGE_FAULTS_OF_BOOT: u64 = 900;
const PAGE_FAULTS_AT_START: u64 = 2_000_000;
/// Fields that only QEMU itself knows.
const OF_QEMU: [&str; 4] = ["balloon.", "block.0.rd", "block.0.wr", "block.0.fl"];

/// What becomes of a guest by a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuestState {
    /// It runs.
    #[default]
    Running,
    /// Somebody paused it.
    Paused,
    /// Its disk failed.
    IoError,
    /// Its QEMU was killed.
    Crashed,
    /// It was shut down.
    Off,
    /// Its QEMU does not answer.
    Stuck,
}

impl GuestState {
    /// The words of faults.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("running", Self::Running),
        ("paused", Self::Paused),
        ("io-error", Self::IoError),
        ("crashed", Self::Crashed),
        ("off", Self::Off),
        ("stuck", Self::Stuck),
    ];

    /// The state of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, state)| *state)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, state)| *state == self).map_or("running", |(word, _)| word)
    }

    /// `virDomainState` and its reason.
    fn numbers(self) -> (i64, i64) {
        match self {
            Self::Running | Self::Stuck => (1, 1),
            Self::Paused => (3, 1),
            Self::IoError => (3, 5),
            Self::Crashed => (5, 3),
            Self::Off => (5, 1),
        }
    }

    /// Whether its virtual CPUs turn.
    pub(super) fn turns(self) -> bool {
        matches!(self, Self::Running | Self::Stuck)
    }
}

/// How libvirtd of a hypervisor fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LibvirtState {
    /// It answers.
    #[default]
    Well,
    /// It takes questions and says nothing.
    Frozen,
    /// Nothing listens.
    Dead,
}

impl LibvirtState {
    /// The words of faults.
    pub const WORDS: [(&'static str, Self); 3] = [("well", Self::Well), ("frozen", Self::Frozen), ("dead", Self::Dead)];

    /// The state of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, state)| *state)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, state)| *state == self).map_or("well", |(word, _)| word)
    }
}

/// A guest.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub(super) name: NodeName,
    /// Index of the machine that carries it.
    pub(super) host: usize,
    pub(super) state: GuestState,
    /// Place among the guests of the cluster, for addresses.
    number: usize,
    began_us: u64,
    settled_us: u64,
    cpu_ns: f64,
    delay_ns: f64,
    /// When its kernel began.
    booted_us: u64,
    /// When it will be off, once it was asked to shut down.
    goes_off_us: Option<u64>,
    /// Since when it moves to the other hypervisor.
    move_: Option<u64>,
}

impl Guest {
    pub(super) fn new(name: NodeName, host: usize, number: usize, now_us: u64) -> Self {
        let state = GuestState::default();
        Self {
            name,
            host,
            state,
            number,
            began_us: now_us,
            settled_us: now_us,
            cpu_ns: 4e9,
            delay_ns: 1e8,
            booted_us: 0,
            goes_off_us: None,
            move_: None,
        }
    }

    /// Changes its state; a start begins its counters anew.
    pub(super) fn become_(&mut self, state: GuestState, now_us: u64) {
        self.settle(now_us);
        let was_off = matches!(self.state, GuestState::Off | GuestState::Crashed);
        if was_off && state.turns() {
            (self.began_us, self.cpu_ns, self.delay_ns) = (now_us, 0.0, 0.0);
            self.booted_us = now_us;
        }
        (self.goes_off_us, self.move_) = (None, None);
        self.state = state;
    }

    /// Whether it is the one that a write means.
    pub(super) fn is(&self, identity: &GuestIdentity) -> bool {
        self.name.as_str() == identity.name && self.uuid() == identity.uuid
    }

    /// Carries an operation out as libvirt does; `false` where libvirt refuses.
    pub(super) fn operate(&mut self, operation: &Operation, now_us: u64) -> bool {
        self.settle(now_us);
        match (operation, self.state) {
            (Operation::Suspend, GuestState::Running) => self.become_(GuestState::Paused, now_us),
            (Operation::Resume, GuestState::Paused | GuestState::IoError)
            | (Operation::Start, GuestState::Off | GuestState::Crashed) => self.become_(GuestState::Running, now_us),
            (Operation::Shutdown, GuestState::Running) => self.goes_off_us = Some(now_us + SHUTDOWN_US),
            (Operation::Reset, GuestState::Running) => self.booted_us = now_us,
            (Operation::Migrate(_), GuestState::Running) if self.move_.is_none() => self.move_ = Some(now_us),
            (Operation::AbortJob, _) if self.move_.is_some() => self.move_ = None,
            _ => return false,
        }
        true
    }

    /// Whether it has arrived elsewhere at that moment.
    pub(super) fn has_arrived(&self, now_us: u64) -> bool {
        self.move_.is_some_and(|began_us| began_us + MOVE_US <= now_us)
    }

    /// It goes on on that machine.
    pub(super) fn arrive(&mut self, host: usize, now_us: u64) {
        (self.host, self.move_, self.began_us) = (host, None, now_us);
    }

    /// What libvirt tells of its job; nothing where it has none.
    fn job(&self, now_us: u64) -> Map<String, Value> {
        let mut job = Map::new();
        let Some(began_us) = self.move_ else { return job };
        let total: u64 = 128 << 20;
        let done = (now_us.saturating_sub(began_us)).min(MOVE_US) * total / MOVE_US;
        for (key, value) in [
            ("operation", MIGRATION_OUT),
            ("time_elapsed", now_us.saturating_sub(began_us) / 1000),
            ("data_total", total),
            ("data_processed", done),
            ("data_remaining", total - done),
            ("memory_dirty_rate", 120),
        ] {
            set(&mut job, key, value.into());
        }
        job
    }

    fn settle(&mut self, now_us: u64) {
        let elapsed_ns = now_us.saturating_sub(self.settled_us) as f64 * 1000.0;
        self.settled_us = now_us;
        if self.state.turns() {
            self.cpu_ns += elapsed_ns * CPU_SHARE;
            self.delay_ns += elapsed_ns * DELAY_SHARE;
        }
        if self.goes_off_us.is_some_and(|at_us| at_us <= now_us) {
            (self.state, self.goes_off_us) = (GuestState::Off, None);
        }
    }

    /// What its kernel tells: it had many at once when it began, and some more each second.
    fn page_faults(&self, now_us: u64) -> u64 {
        let seconds = now_us.saturating_sub(self.booted_us) / 1_000_000;
        let since = if self.booted_us == 0 { PAGE_FAULTS_AT_START } else { 0 };
        PAGE_FAULTS_OF_BOOT + since + seconds * 20
    }

    /// The same for a name at any time: it does not depend on what else is simulated.
    fn uuid(&self) -> String {
        let mut hash = DefaultHasher::new();
        self.name.as_str().hash(&mut hash);
        let number = hash.finish();
        format!("{:08x}-0000-4000-8000-{:012x}", number >> 32, number & 0xffff_ffff_ffff)
    }

    fn statistics(&mut self, now_us: u64) -> DomainStatistics {
        self.settle(now_us);
        let mut stats = STATISTICS_OF_ONE.stats.clone();
        let (number, reason) = self.state.numbers();
        let path = format!("/var/lib/libvirt/images/{}.raw", self.name);
        set(&mut stats, "state.state", number.into());
        set(&mut stats, "state.reason", reason.into());
        set(&mut stats, "cpu.time", (self.cpu_ns as u64).into());
        set(&mut stats, "vcpu.0.time", ((self.cpu_ns * 0.8) as u64).into());
        set(&mut stats, "vcpu.0.delay", (self.delay_ns as u64).into());
        set(&mut stats, "balloon.minor_fault", self.page_faults(now_us).into());
        set(&mut stats, "block.0.path", path.into());
        set(&mut stats, "net.0.name", format!("vnet{}", self.number).into());
        let is_off = number == 5;
        stats.retain(|key, _| match self.state {
            GuestState::Stuck => {
                !ANSWERED.contains(&key.as_str()) && !OF_QEMU.iter().any(|start| key.starts_with(start))
                    || matches!(key.as_str(), "balloon.current" | "balloon.maximum")
            }
            _ if is_off => {
                let kept =
                    ["state.", "balloon.current", "balloon.maximum", "vcpu.current", "vcpu.maximum", "block.0.name"];
                kept.iter().any(|start| key.starts_with(start))
            }
            _ => true,
        });
        DomainStatistics { name: self.name.as_str().into(), uuid: self.uuid().into(), stats, job: self.job(now_us) }
    }

    /// The hardware address by which a switch hears it, while it runs.
    pub(super) fn heard(&self) -> Option<String> {
        self.state.turns().then(|| self.mac())
    }

    fn mac(&self) -> String {
        format!("52:54:00:0a:0b:{:02x}", self.number % 256)
    }

    fn definition(&self) -> DomainRecord {
        let one = DEFINITIONS_OF_ONE.domains.first().cloned().unwrap_or_default();
        let (name, uuid) = (one.name.as_str().unwrap_or("?"), one.uuid.as_str().unwrap_or("?"));
        let xml = one
            .xml
            .replace(uuid, &self.uuid())
            .replace(name, self.name.as_str())
            .replace("52:54:00:0a:0b:41", &self.mac())
            .replace("vnet0", &format!("vnet{}", self.number));
        DomainRecord {
            name: self.name.as_str().into(),
            uuid: self.uuid().into(),
            autostart: true.into(),
            persistent: true.into(),
            snapshots: 0.into(),
            xml,
        }
    }
}

fn set(stats: &mut Map<String, Value>, key: &str, value: Value) {
    stats.insert(key.to_owned(), value);
}

/// What libvirt tells of these guests.
pub(super) fn answer<'a>(
    guests: impl Iterator<Item = &'a mut Guest>,
    question: Question,
    now_us: u64,
) -> Option<String> {
    let bytes = match question {
        Question::Statistics => {
            answer::bytes(&Statistics { domains: guests.map(|guest| guest.statistics(now_us)).collect() })
        }
        Question::Definitions => {
            let domains = guests.map(|guest| guest.definition()).collect();
            let pools = Some(vec![PoolRecord { active: true.into(), xml: POOL.to_owned() }]);
            answer::bytes(&Definitions { domains, pools, ..DEFINITIONS_OF_ONE.clone() })
        }
    };
    bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// When each QEMU process began, as the node's script tells.
pub(super) fn starts<'a>(guests: impl Iterator<Item = &'a Guest>, now_us: u64, wall_ms: i64) -> String {
    let now = wall_ms / 1000;
    let mut text = format!("{now}\n");
    for guest in guests.filter(|guest| !matches!(guest.state, GuestState::Off | GuestState::Crashed)) {
        let age_s = i64::try_from(now_us.saturating_sub(guest.began_us) / 1_000_000).unwrap_or(0);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {}.pid", now - age_s - AGE_AT_START_S, guest.name);
    }
    text
}

/// How long guests have run when the simulation begins.
const AGE_AT_START_S: i64 = 3 * 86_400;
