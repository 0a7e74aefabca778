//! The databases of the cluster: at first the first one takes writes, the others replicate from it.
//!
//! Answers are captures of a MariaDB 10.11 (`tests/captures/mysql-replies`) with the figures of the simulation in them; where
//! the cluster is to have MySQL, `mysql` says it in its words.
//! What is not modelled stays as the captured servers had it.

use super::{mysql, switchover::Held, tuning};
use crate::{
    model::{mysql::DaemonState, time::Now},
    sim::fault::DatabaseFault,
    wire::mysql::StatementId,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

const PRIMARY: &str = include_str!("../../../tests/captures/mysql-replies/mariadb-10.11/lab-primary.txt");
const REPLICA: &str = include_str!("../../../tests/captures/mysql-replies/mariadb-10.11/lab-replica.txt");

/// Statements and commits of a primary per second of usual traffic.
const QUESTIONS_PER_S: f64 = 318.0;
const COMMITS_PER_S: f64 = 42.0;
/// Number of the last transaction when the simulation begins.
const SEQUENCE_FIRST: u64 = 207;
/// How long the servers have been up then.
const UPTIME_FIRST_S: u64 = 3 * 86_400;
/// Seconds after which a replica of a dead source says that it has no connection.
const SOURCE_MISSED_S: u64 = 4;
/// Sessions that wait for a row under the fault of that name.
const WAITING: u64 = 6;
/// The session that holds what they wait for.
pub(super) const HOLDER: u64 = 42;

/// One server.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that may be broken")]
pub(super) struct Database {
    /// Its machine.
    pub(super) host: usize,
    /// `server_id`, and the last number of its address.
    pub(super) id: u64,
    name: String,
    pub(super) is_writable: bool,
    /// What its process does.
    pub(super) daemon: DaemonState,
    /// Nothing starts it.
    pub(super) is_masked: bool,
    /// From whom it replicates.
    pub(super) source: Option<usize>,
    /// What a session of vakt holds.
    pub(super) held: Held,
    pub(super) receiver_runs: bool,
    /// Its connection to the source was cut, and nobody told it.
    is_cut_off: bool,
    /// Servers whose address its machine has cut off.
    pub(super) deaf_to: BTreeSet<usize>,
    pub(super) applier_runs: bool,
    pub(super) acknowledges: bool,
    /// Its commits wait for an acknowledgement.
    pub(super) waits: bool,
    /// Transactions that nobody else has.
    pub(super) errant: u64,
    /// Row locks pile up since.
    pub(super) locked_at: Option<u64>,
    /// Waiting sessions that were ended by hand.
    pub(super) ended: BTreeSet<u64>,
    /// Settings that were set while it runs.
    pub(super) set: BTreeMap<String, String>,
    /// Its applier is slow since: it applies a tenth.
    lagging_at: Option<u64>,
    /// The number up to which it has applied, where that is not the primary's.
    pub(super) applied: Option<u64>,
    pub(super) received: Option<u64>,
    /// When its source was heard last, microseconds.
    heard_us: u64,
    questions: f64,
    /// What its sessions have waited for rows, milliseconds.
    waited_ms: f64,
}

impl Database {
    fn is_deaf(&self) -> bool {
        self.source.is_some_and(|source| self.deaf_to.contains(&source))
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Databases {
    pub(super) servers: Vec<Database>,
    /// They are MySQL.
    pub(super) is_mysql: bool,
    /// Who is the primary.
    pub(super) primary: usize,
    /// Who wrote from which number on, the first one first.
    pub(super) eras: Vec<(u64, u64)>,
    /// Number of the last transaction of the primary.
    pub(super) sequence: f64,
    pub(super) stepped_us: u64,
    started_us: u64,
}

impl Databases {
    /// Servers on these machines, with their names.
    pub(super) fn new(hosts: impl Iterator<Item = (usize, String)>, is_mysql: bool, now_us: u64) -> Self {
        let servers = hosts.enumerate().map(|(place, (host, name))| Database {
            host,
            id: 31 + place as u64,
            name,
            is_writable: place == 0,
            daemon: DaemonState::Alive,
            is_masked: false,
            source: (place > 0).then_some(0),
            held: Held::default(),
            receiver_runs: true,
            is_cut_off: false,
            deaf_to: BTreeSet::new(),
            applier_runs: true,
            acknowledges: true,
            waits: place == 0,
            errant: 0,
            locked_at: None,
            ended: BTreeSet::new(),
            set: BTreeMap::new(),
            lagging_at: None,
            applied: None,
            received: None,
            heard_us: now_us,
            questions: 0.0,
            waited_ms: 0.0,
        });
        let eras = vec![(31, 1)];
        let sequence = SEQUENCE_FIRST as f64;
        Self {
            servers: servers.collect(),
            is_mysql,
            primary: 0,
            eras,
            sequence,
            stepped_us: now_us,
            started_us: now_us,
        }
    }

    /// Time passes. `is_alive` says which machines answer their neighbours; `load` is the traffic of the usual one.
    pub(super) fn advance(&mut self, now_us: u64, load: f64, is_alive: impl Fn(usize) -> bool) {
        let passed_s = now_us.saturating_sub(self.stepped_us) as f64 / 1e6;
        if passed_s <= 0.0 {
            return;
        }
        self.stepped_us = now_us;
        self.end_silent_sessions(now_us);
        let of_primary = self.primary;
        let Some(primary) = self.servers.get(of_primary) else { return };
        let primary_lives = is_alive(primary.host) && primary.daemon == DaemonState::Alive;
        if primary_lives && primary.is_writable && !primary.held.is_frozen {
            self.sequence += passed_s * COMMITS_PER_S * load;
        }
        let sequence = self.sequence as u64;
        for (place, server) in self.servers.iter_mut().enumerate() {
            if !is_alive(server.host) || server.daemon != DaemonState::Alive {
                continue;
            }
            if server.locked_at.is_some() {
                server.waited_ms += passed_s * 1000.0 * WAITING as f64;
            }
            server.questions += passed_s * if place == of_primary { QUESTIONS_PER_S * load } else { 6.0 };
            if primary_lives {
                server.heard_us = now_us;
            }
            if place == of_primary || server.source.is_none() {
                continue;
            }
            let received = if server.receiver_runs && primary_lives && !server.is_cut_off && !server.is_deaf() {
                None
            } else {
                Some(server.received.unwrap_or(sequence))
            };
            server.received = received;
            let arrived = received.unwrap_or(sequence);
            server.applied = match (server.applier_runs, server.lagging_at) {
                (true, None) => received,
                (true, Some(_)) => {
                    let before = server.applied.unwrap_or(arrived) as f64;
                    Some(((before + passed_s * COMMITS_PER_S * load * 0.1) as u64).min(arrived))
                }
                (false, _) => Some(server.applied.unwrap_or(arrived)),
            };
        }
    }

    /// Breaks a server, or mends it. `false` when the machine carries none.
    pub(super) fn fault(&mut self, host: usize, fault: DatabaseFault, now_us: u64) -> bool {
        let Some(place) = self.servers.iter().position(|server| server.host == host) else { return false };
        let server = &mut self.servers[place];
        match fault {
            DatabaseFault::Crash => self.set_daemon(place, DaemonState::Dead),
            DatabaseFault::Stand => self.set_daemon(place, DaemonState::Frozen),
            DatabaseFault::Start => self.set_daemon(place, DaemonState::Alive),
            DatabaseFault::StopReplication => (server.receiver_runs, server.applier_runs) = (false, false),
            DatabaseFault::StopApplying => server.applier_runs = false,
            DatabaseFault::CutOff => server.is_cut_off = true,
            DatabaseFault::Lag => server.lagging_at = Some(now_us),
            DatabaseFault::Writable => server.is_writable = true,
            DatabaseFault::ReadOnly => server.is_writable = false,
            DatabaseFault::Errant => server.errant += 1,
            DatabaseFault::NoAcknowledgements => server.acknowledges = false,
            DatabaseFault::RowLocks => (server.locked_at, server.ended) = (Some(now_us), BTreeSet::new()),
        }
        true
    }

    /// A machine has cut an address off, or opened the way again.
    pub(super) fn deafen(&mut self, host: usize, address: &str, is_cut: bool) {
        let Some(of) = (0..self.servers.len()).find(|place| self.address(*place) == address) else { return };
        for server in self.servers.iter_mut().filter(|server| server.host == host) {
            let _ = if is_cut { server.deaf_to.insert(of) } else { server.deaf_to.remove(&of) };
        }
    }

    /// Everything of a server is as it was; it has applied what there is.
    pub(super) fn heal(&mut self, host: usize) {
        for (place, server) in self.servers.iter_mut().enumerate() {
            if server.host == host {
                server.is_writable = place == self.primary;
                (server.daemon, server.is_masked) = (DaemonState::Alive, false);
                (server.receiver_runs, server.applier_runs, server.acknowledges) = (true, true, true);
                server.is_cut_off = false;
                (server.errant, server.locked_at, server.lagging_at) = (0, None, None);
            }
        }
    }

    /// The answer to a statement; `None` when the machine carries no server.
    pub(super) fn answer(&self, host: usize, statement: StatementId, now: Now) -> Option<String> {
        let place = self.servers.iter().position(|server| server.host == host)?;
        let server = &self.servers[place];
        let mould = self.mould(server, statement);
        let spoken = |values| if self.is_mysql { mysql::renamed(values) } else { values };
        Some(match statement {
            StatementId::Variables => {
                let mut values = variables(server);
                values.extend(self.is_mysql.then(|| mysql::variables(server)).into_iter().flatten());
                mould.named(&values)
            }
            StatementId::Status => mould.named(&spoken(self.status(place, server))),
            StatementId::Role if self.is_mysql => mould.columns(&self.role_of_mysql(place)),
            StatementId::Role => mould.columns(&self.role(place, server)),
            StatementId::Replication => mould.columns(&self.replication(server, now)),
            StatementId::LockWaits => self.lock_waits(server),
            StatementId::Transactions => self.transactions(server),
            StatementId::Processes => self.processes(server, &mould),
            StatementId::TuningValues | StatementId::TuningDetails => tuning::answer(server, statement),
            StatementId::SwitchoverChannels => {
                let mould = self.mould(server, StatementId::Replication);
                let text = mould.columns(&self.replication(server, now));
                text.replacen(StatementId::Replication.word(), statement.word(), 1)
            }
            _ if self.is_mysql => self.about_switchover_of_mysql(place, statement).unwrap_or_else(|| mould.text()),
            _ => self.about_switchover(place, statement).unwrap_or_else(|| mould.text()),
        })
    }

    fn mould(&self, server: &Database, statement: StatementId) -> Mould {
        if self.is_mysql {
            return mysql::mould(server, statement);
        }
        Mould::of(if server.source.is_none() { PRIMARY } else { REPLICA }, statement)
    }

    fn status(&self, place: usize, server: &Database) -> BTreeMap<&'static str, String> {
        let questions = 1_000_000.0 + server.questions;
        let share = |share: f64| ((questions * share) as u64).to_string();
        let up_s = UPTIME_FIRST_S + self.stepped_us.saturating_sub(self.started_us) / 1_000_000;
        let is_primary = place == self.primary;
        let acknowledging = self.acknowledging(place);
        let waiting = if server.locked_at.is_some() { WAITING } else { 0 };
        let active = is_primary && acknowledging > 0;
        BTreeMap::from([
            ("uptime", up_s.to_string()),
            ("questions", share(1.0)),
            ("com_select", share(0.61)),
            ("com_insert", share(0.09)),
            ("com_update", share(0.05)),
            ("com_delete", share(0.01)),
            ("com_commit", share(0.13)),
            ("threads_connected", if is_primary { "14".into() } else { "2".into() }),
            ("threads_running", (2 + waiting).to_string()),
            ("innodb_buffer_pool_read_requests", share(9.0)),
            ("innodb_data_fsyncs", share(0.2)),
            ("innodb_row_lock_current_waits", waiting.to_string()),
            ("innodb_row_lock_time", (server.waited_ms as u64).to_string()),
            ("rpl_semi_sync_master_clients", acknowledging.to_string()),
            ("rpl_semi_sync_master_status", on(active)),
            ("rpl_semi_sync_slave_status", on(!is_primary && server.acknowledges && server.receiver_runs)),
        ])
    }

    /// The number up to which it has everything.
    pub(super) fn applied(&self, place: usize) -> u64 {
        let sequence = self.sequence as u64;
        if place == self.primary { sequence } else { self.servers[place].applied.unwrap_or(sequence) }
    }

    /// Replicas that acknowledge what that server commits.
    pub(super) fn acknowledging(&self, place: usize) -> usize {
        let replicas = self.servers.iter().filter(|one| one.source == Some(place));
        let replicas = replicas.filter(|replica| replica.acknowledges && replica.receiver_runs);
        if place == self.primary { replicas.count() } else { 0 }
    }

    /// What it has, in MariaDB's words.
    pub(super) fn position(&self, place: usize, server: &Database) -> String {
        let applied = self.applied(place);
        let own = (server.errant > 0).then(|| format!("0-{}-{}", server.id, applied + server.errant));
        own.unwrap_or_else(|| format!("0-{}-{applied}", self.writer_of(applied)))
    }

    fn role(&self, place: usize, server: &Database) -> BTreeMap<&'static str, String> {
        let position = self.position(place, server);
        let state = self.state(place);
        BTreeMap::from([
            ("read_only", u8::from(!server.is_writable).to_string()),
            ("gtid_binlog_state", state),
            ("gtid_slave_pos", if server.source.is_none() { String::new() } else { position.clone() }),
            ("gtid_current_pos", position),
        ])
    }

    fn replication(&self, server: &Database, now: Now) -> BTreeMap<&'static str, String> {
        let sequence = self.sequence as u64;
        let missed_s = now.mono.0.saturating_mul(1000).saturating_sub(server.heard_us) / 1_000_000;
        // A machine that lives refuses at once; of a silent one it takes its time.
        let is_dead = server.source.is_some_and(|source| self.servers[source].daemon == DaemonState::Dead);
        let is_refused = is_dead || server.is_deaf();
        let is_cut_off = server.receiver_runs && (is_refused || missed_s >= SOURCE_MISSED_S);
        let receiver = match (server.receiver_runs, is_cut_off) {
            (false, _) => "No",
            (true, true) => "Connecting",
            (true, false) => "Yes",
        };
        // What has not arrived is not counted.
        let arrived = server.received.unwrap_or(sequence);
        let behind = arrived.saturating_sub(server.applied.unwrap_or(sequence));
        let seconds = (behind as f64 / COMMITS_PER_S) as u64;
        let runs = receiver == "Yes" && server.applier_runs;
        let (code, error) = if is_cut_off {
            ("2003", "error connecting to master 'replica@10.10.0.31:3306' - retry-time: 1")
        } else {
            ("0", "")
        };
        let mut values = BTreeMap::from([
            ("slave_io_running", receiver.to_owned()),
            ("slave_sql_running", if server.applier_runs { "Yes" } else { "No" }.to_owned()),
            ("seconds_behind_master", if runs { seconds.to_string() } else { "\\N".to_owned() }),
            ("last_io_errno", code.to_owned()),
            ("last_io_error", error.to_owned()),
            ("gtid_io_pos", format!("0-{}-{arrived}", self.writer_of(arrived))),
            ("master_host", server.source.map_or_else(String::new, |source| self.address(source))),
        ]);
        if self.is_mysql {
            values = mysql::renamed(values);
            values.extend(self.replication_of_mysql(server, arrived));
        }
        values
    }

    pub(super) fn waiting_s(&self, server: &Database) -> Option<u64> {
        Some(self.stepped_us.saturating_sub(server.locked_at?) / 1_000_000)
    }

    fn lock_waits(&self, server: &Database) -> String {
        let mut text = "= lock_waits rows\nwaiting_id\tblocking_id\tage_s\twaiting_query\tblocking_query\tlock_table\t\
                        lock_index\tlock_mode\n"
            .to_owned();
        if let Some(age_s) = self.waiting_s(server) {
            // Writing into a String cannot fail.
            for waiting in 0..WAITING {
                let _ = writeln!(
                    text,
                    "{}\t{HOLDER}\t{age_s}\tupdate stock set n = n - ? where id = ?\t\\N\t`shop`.`stock`\tPRIMARY\tX",
                    101 + waiting
                );
            }
        }
        text
    }

    fn transactions(&self, server: &Database) -> String {
        let mut text = "= transactions rows\ntrx_id\ttrx_state\tage_s\ttrx_mysql_thread_id\ttrx_rows_locked\t\
                        trx_rows_modified\ttrx_query\n"
            .to_owned();
        if let Some(age_s) = self.waiting_s(server) {
            let _ = writeln!(text, "4711\tRUNNING\t{}\t{HOLDER}\t1\t1\t\\N", age_s + 1);
            for waiting in 0..WAITING {
                let _ = writeln!(
                    text,
                    "{}\tLOCK WAIT\t{age_s}\t{}\t1\t0\tupdate stock set n = n - ? where id = ?",
                    4712 + waiting,
                    101 + waiting
                );
            }
        }
        text
    }

    fn processes(&self, server: &Database, mould: &Mould) -> String {
        let mut text = mould.text();
        if let Some(age_s) = self.waiting_s(server) {
            let _ = writeln!(text, "{HOLDER}\tshop\t10.10.0.21:50422\tshop\tSleep\t{age_s}\t\t\\N");
            for waiting in (0..WAITING).filter(|waiting| !server.ended.contains(&(101 + *waiting))) {
                let _ = writeln!(
                    text,
                    "{}\tshop\t10.10.0.22:50{}\tshop\tQuery\t{age_s}\tUpdating\tupdate stock set n = n - ? where id = ?",
                    101 + waiting,
                    500 + waiting
                );
            }
        }
        text
    }
}

fn variables(server: &Database) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("hostname", server.name.clone()),
        ("server_id", server.id.to_string()),
        ("read_only", on(!server.is_writable)),
    ])
}

fn on(is_on: bool) -> String {
    if is_on { "ON" } else { "OFF" }.to_owned()
}

/// One captured answer.
pub(super) struct Mould {
    lines: Vec<&'static str>,
}

impl Mould {
    pub(super) fn of(captures: &'static str, statement: StatementId) -> Self {
        let head = format!("= {} rows", statement.word());
        let lines = captures.lines().skip_while(|line| *line != head);
        let mut lines: Vec<&str> = lines
            .enumerate()
            .take_while(|(at, line)| *at == 0 || !line.starts_with("= "))
            .map(|(_, line)| line)
            .collect();
        if lines.is_empty() {
            // A statement that the captured server was not asked.
            lines = vec!["= status refused 1064 not in the simulation"];
        }
        Self { lines }
    }

    /// Its head, and nothing below.
    pub(super) fn without_rows(mut self) -> Self {
        self.lines.truncate(2);
        self
    }

    pub(super) fn text(&self) -> String {
        self.lines.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// Names and values, some of them replaced.
    pub(super) fn named(&self, values: &BTreeMap<&str, String>) -> String {
        self.lines.iter().fold(String::new(), |text, line| {
            let replaced = line
                .split_once('\t')
                .and_then(|(name, _)| Some(format!("{name}\t{}", values.get(name.to_ascii_lowercase().as_str())?)));
            text + replaced.as_deref().unwrap_or(line) + "\n"
        })
    }

    /// Whether there is a row of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.split('\t').next() == Some(name))
    }

    /// Rows, some of whose columns are replaced.
    fn columns(&self, values: &BTreeMap<&'static str, String>) -> String {
        let names: Vec<String> = self.lines.get(1).unwrap_or(&"").split('\t').map(str::to_ascii_lowercase).collect();
        self.lines.iter().enumerate().fold(String::new(), |text, (index, line)| {
            if index < 2 {
                return text + line + "\n";
            }
            let cells = line.split('\t').enumerate().map(|(place, cell)| {
                let value = names.get(place).and_then(|name| values.get(name.as_str()));
                value.map_or(cell, String::as_str)
            });
            text + &cells.collect::<Vec<_>>().join("\t") + "\n"
        })
    }
}
