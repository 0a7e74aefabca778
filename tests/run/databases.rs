//! Three databases in memory that understand the statements of a switchover as MariaDB 10.11 was seen to: a lock and a
//! named lock end with their session, an applier that is stopped applies nothing, and nobody writes past `read_only`.

use super::cuts::Cuts;
use std::collections::BTreeMap;
use vakt::{
    model::{
        figure::Figure,
        mysql::{
            AccountSessions, BinlogSample, Channel, DaemonProcess, DaemonSample, DaemonState, Dialect, Identity, Lags,
            LockWait, MysqlSample, Process, Replication, Replicator, ServerSample, SwitchoverSample,
            SwitchoverSettings, SwitchoverWork, ThreadState, Transaction, gtid::Gtids,
        },
        text::Clean,
        tuning::{TuningSample, catalogue},
    },
    sim::files::Files,
    wire::{
        request::{Call, Reply, Request, SqlSession},
        tuning::kernel,
    },
};

const PRIMARY_FILES: &str = include_str!("../captures/tuning/debian-12-lab/primary.files.txt");

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a server")]
pub(crate) struct SimDatabase {
    pub(crate) name: &'static str,
    pub(crate) host: &'static str,
    pub(crate) server: u32,
    pub(crate) reachable: bool,
    /// What its process does.
    pub(crate) daemon: DaemonState,
    /// Nothing starts it.
    pub(crate) masked: bool,
    pub(crate) read_only: bool,
    /// Nobody commits: a session holds the read lock.
    pub(crate) frozen: bool,
    /// A session holds the named lock.
    pub(crate) lease: bool,
    /// The session that stays open lives.
    pub(crate) session: bool,
    pub(crate) source: Option<&'static str>,
    pub(crate) receives: bool,
    pub(crate) applies: bool,
    /// Its receiver has a connection.
    pub(crate) hears: bool,
    /// The last transaction of each server that has arrived, applied or not.
    pub(crate) received: BTreeMap<u32, u64>,
    /// The last transaction of each server.
    pub(crate) state: BTreeMap<u32, u64>,
    /// What stands still: settings, work, accounts.
    pub(crate) base: SwitchoverSample,
    /// Seconds behind, by its own word.
    pub(crate) lag_ms: u64,
    /// Its sessions, and who waits for whom.
    pub(crate) sessions: Vec<Process>,
    pub(crate) waits: Vec<(u64, u64)>,
    /// Settings that may be tuned.
    pub(crate) tuning: TuningSample,
    /// The files that say what a restart brings.
    pub(crate) files: Files,
}

const HOSTS: [(&str, &str, u32); 3] =
    [("db01", "10.10.0.31", 31), ("db02", "10.10.0.32", 32), ("db03", "10.10.0.33", 33)];

/// db01 is the primary, the others follow it; commits wait for one acknowledgement.
pub(crate) fn healthy() -> Vec<SimDatabase> {
    HOSTS
        .into_iter()
        .map(|(name, host, server)| SimDatabase {
            name,
            host,
            server,
            reachable: true,
            daemon: DaemonState::Alive,
            masked: false,
            read_only: name != "db01",
            frozen: false,
            lease: false,
            session: false,
            source: (name != "db01").then_some("10.10.0.31"),
            receives: true,
            applies: true,
            hears: true,
            received: BTreeMap::from([(31, 207)]),
            state: BTreeMap::from([(31, 207)]),
            base: base(server, name == "db01"),
            lag_ms: 0,
            sessions: sessions(),
            waits: vec![(101, 42), (102, 42)],
            tuning: crate::mysql::tuning::of_lab(if name == "db01" { "primary" } else { "replica" }),
            files: Files::new(PRIMARY_FILES),
        })
        .map(|mut database| {
            database.read_files();
            database
        })
        .collect()
}

/// A replica, a session that holds rows and does nothing, two that wait for it.
fn sessions() -> Vec<Process> {
    let text = |text: &str| Figure::Known(text.into());
    let session = |id, user: &str, host: &str, command: &str, seconds, statement: &str| Process {
        id,
        user: text(user),
        host: text(host),
        command: text(command),
        seconds: Figure::Known(seconds),
        statement: text(statement),
        ..Process::default()
    };
    vec![
        session(5, "replica", "10.10.0.32:43186", "Binlog Dump", 1790, ""),
        session(101, "shop", "10.10.0.22:50500", "Query", 9, "update stock set n = n - ? where id = ?"),
        session(102, "shop", "10.10.0.22:50501", "Query", 8, "update stock set n = n - ? where id = ?"),
        session(42, "shop", "10.10.0.21:50422", "Sleep", 12, ""),
    ]
}

fn base(server: u32, is_primary: bool) -> SwitchoverSample {
    SwitchoverSample {
        dialect: Figure::Known(Dialect::Mariadb),
        settings: SwitchoverSettings {
            version: Figure::Known("10.11.6-MariaDB-log".into()),
            server_id: Figure::Known(server),
            port: Figure::Known(3306),
            binary_log: Figure::Known(true),
            logs_applied: Figure::Known(true),
            binlog_format: Figure::Known("ROW".into()),
            gtid_strict: Figure::Known(true),
            gtid_domain: Figure::Known(0),
            server_uuid: Figure::default(),
            gtid_mode: Figure::default(),
            semi_sync_word: Figure::Known("master".into()),
            slave_pos: Figure::Known(vakt::model::mysql::gtid::MariadbGtids::default()),
            filters: Figure::Known("".into()),
            semi_sync_source: Figure::Known(is_primary),
            semi_sync_replica: Figure::Known(true),
            event_scheduler: Figure::Known(false),
            galera: Figure::Known(false),
            group_replication: Figure::Known(false),
            sql_mode: Figure::Known("STRICT_TRANS_TABLES".into()),
            connections_max: Figure::Known(200),
            buffer_pool_bytes: Figure::Known(64 << 20),
        },
        work: Figure::Known(SwitchoverWork {
            semi_sync_active: Some(is_primary),
            semi_sync_clients: Some(if is_primary { 2 } else { 0 }),
            ..SwitchoverWork::default()
        }),
        accounts: Figure::Known(vec![
            AccountSessions { user: "root".into(), sessions: 2, is_own: true, passes_read_only: true },
            AccountSessions { user: "shop".into(), sessions: 4, is_own: false, passes_read_only: false },
        ]),
        replicators: Figure::Known(vec![Replicator { user: "replica".into(), host: "10.10.0.%".into() }]),
        ..SwitchoverSample::default()
    }
}

impl SimDatabase {
    fn position(&self) -> (u32, u64) {
        last_of(&self.state, self.server)
    }

    /// Whether it answers statements.
    pub(crate) fn serves(&self) -> bool {
        self.reachable && self.daemon == DaemonState::Alive
    }

    /// Whether it could take a write, now or when a signal lets it go on.
    fn may_write(&self) -> bool {
        !self.read_only && self.daemon != DaemonState::Dead
    }

    fn unit(&self) -> &'static str {
        if self.is_mysql() { "mysql.service" } else { "mariadb.service" }
    }

    /// The daemon by its machine's word.
    pub(crate) fn daemon(&self) -> DaemonSample {
        let unit: Clean = self.unit().into();
        let process = |state: &str| DaemonProcess { pid: 330, state: state.into(), unit: unit.clone() };
        let processes = match self.daemon {
            DaemonState::Dead => Vec::new(),
            DaemonState::Frozen => vec![process("T")],
            DaemonState::Alive => vec![process("S")],
        };
        let (unit, is_masked) = (Figure::Known(unit.clone()), Figure::Known(self.masked));
        DaemonSample { unit, is_masked, processes: Figure::Known(processes) }
    }

    /// Its binary log, by its files.
    pub(crate) fn binlog(&self) -> BinlogSample {
        if self.is_mysql() {
            return BinlogSample { written: Figure::Known(Gtids::Mysql(super::mysql::set(&self.state))) };
        }
        let entries: Vec<String> = self.state.iter().map(|(server, last)| format!("0-{server}-{last}")).collect();
        BinlogSample { written: Figure::Known(Gtids::Mariadb(entries.join(",").parse().unwrap())) }
    }

    /// The script that fences it, or lets it go again: as systemd was seen to.
    fn set_kernel(&mut self, (path, from, to): (&str, &str, &str)) -> Option<Reply> {
        if !self.reachable {
            return None;
        }
        let exit = self.files.set_kernel(path, from, to);
        self.read_files();
        Some(Reply { exit: Some(exit), ..Reply::default() })
    }

    fn run_script(&mut self, argv: &[String]) -> Option<Reply> {
        assert_eq!(argv.last().map(String::as_str), Some(self.unit()));
        if !self.reachable {
            return None;
        }
        let option = if self.is_mysql() { "--super-read-only=1 --skip-replica-start" } else { "--read-only=1" };
        if argv[2].contains(option) {
            (self.masked, self.daemon, self.read_only, self.source) = (false, DaemonState::Alive, true, None);
        } else if argv[2].contains("systemctl unmask") {
            (self.masked, self.daemon) = (false, DaemonState::Alive);
        } else {
            assert!(argv[2].contains("systemctl mask") && argv[2].contains("--signal=KILL"), "{argv:?}");
            (self.masked, self.daemon) = (true, DaemonState::Dead);
        }
        Some(Reply { exit: Some(0), ..Reply::default() })
    }

    pub(crate) fn sample(&self) -> SwitchoverSample {
        let mut sample = self.base.clone();
        let entries: Vec<String> = self.state.iter().map(|(server, last)| format!("0-{server}-{last}")).collect();
        let (server, last) = self.position();
        let of_received = last_of(&self.received, self.server);
        sample.state.read_only = Figure::Known(self.read_only);
        sample.state.binlog_state = Figure::Known(entries.join(",").parse().unwrap());
        sample.state.current_pos = Figure::Known(format!("0-{server}-{last}").parse().unwrap());
        sample.state.lease = Figure::Known(self.lease.then_some(77));
        let thread = |runs| Figure::Known(if runs { ThreadState::Running } else { ThreadState::Stopped });
        let channel = |host: &'static str| Channel {
            source_host: Figure::Known(host.into()),
            source_port: Figure::Known(3306),
            receiver: match thread(self.receives) {
                Figure::Known(ThreadState::Running) if !self.hears => Figure::Known(ThreadState::Connecting),
                state => state,
            },
            received_gtids: Figure::Known(Gtids::Mariadb(
                format!("0-{}-{}", of_received.0, of_received.1).parse().unwrap(),
            )),
            applier: thread(self.applies),
            by_gtid: Figure::Known("Slave_Pos".into()),
            delay_s: Figure::Known(0),
            lags: Lags { applied_ms: Figure::Known(self.lag_ms), ..Lags::default() },
            ..Channel::default()
        };
        sample.channels = Figure::Known(self.source.into_iter().map(channel).collect());
        if self.is_mysql() {
            self.as_mysql(&mut sample);
        }
        sample
    }

    /// What the probe of databases reads of it, as far as its sessions go.
    pub(crate) fn status(&self) -> MysqlSample {
        let waits = self.waits.iter().map(|(waiting, blocking)| LockWait {
            waiting: Figure::Known(*waiting),
            blocking: Figure::Known(*blocking),
            ..LockWait::default()
        });
        let transaction = |session: &Process| Transaction {
            process: Figure::Known(session.id),
            state: Figure::Known("RUNNING".into()),
            age_s: session.seconds,
            rows_modified: Figure::Known(session.id / 10),
            ..Transaction::default()
        };
        MysqlSample {
            processes: Figure::Known(self.sessions.clone()),
            transactions: Figure::Known(self.sessions.iter().filter(|one| one.id != 5).map(transaction).collect()),
            lock_waits: Figure::Known(waits.collect()),
            server: ServerSample { threads_connected: Figure::Known(14), ..ServerSample::default() },
            identity: Identity { read_only: Figure::Known(self.read_only), ..Identity::default() },
            replication: Replication { channels: self.sample().channels, ..Replication::default() },
            ..MysqlSample::default()
        }
    }

    /// What a process of vakt held ends with it.
    pub(crate) fn session_ends(&mut self) {
        (self.lease, self.frozen, self.session) = (false, false, false);
    }

    /// Carries statements out; `None` when the server cannot be reached.
    pub(crate) fn send(&mut self, request: &Request) -> Option<Reply> {
        if let Some(asked) = kernel::asked(&request.call) {
            return self.set_kernel(asked);
        }
        if let Call::Exec { argv } = &request.call {
            return self.run_script(argv);
        }
        if let Call::FileEdit { edit, way } = &request.call {
            let done = self.files.carry_out(edit, *way);
            self.read_files();
            let (exit, stderr) = done.map_or_else(|why| (1, why.into_bytes()), |()| (0, Vec::new()));
            return self.reachable.then(|| Reply { exit: Some(exit), stderr, ..Reply::default() });
        }
        let Call::SqlWrite { session, statements, .. } = &request.call else { panic!("{request}") };
        let failed = |words: &str| Some(Reply { exit: Some(1), stderr: words.into(), ..Reply::default() });
        if !self.serves() {
            return None;
        }
        if *session == SqlSession::Within && !self.session {
            return failed("the session that was open is gone");
        }
        self.session |= *session == SqlSession::Opens;
        for statement in statements {
            let answer = self.run(&statement.sql);
            if statement.answer.as_ref().is_some_and(|wanted| *wanted != answer) {
                self.session_ends();
                return failed("another answer than it must be");
            }
        }
        if *session == SqlSession::Ends {
            self.session_ends();
        }
        Some(Reply { exit: Some(0), ..Reply::default() })
    }

    fn run(&mut self, sql: &str) -> String {
        if self.is_mysql() {
            return self.run_in_mariadb(&super::mysql::in_words_of_mariadb(sql));
        }
        self.run_in_mariadb(sql)
    }

    fn run_in_mariadb(&mut self, sql: &str) -> String {
        match sql {
            "flush tables with read lock" => self.frozen = true,
            "unlock tables" => self.frozen = false,
            "select get_lock('vakt.switchover', 0)" => {
                let is_free = !self.lease;
                self.lease = true;
                return u8::from(is_free).to_string();
            }
            "select release_lock('vakt.switchover')" => self.lease = false,
            "set global read_only = 1" => self.read_only = true,
            "set global read_only = 0" => self.read_only = false,
            "select @@global.read_only" => return u8::from(self.read_only).to_string(),
            "stop slave sql_thread" => self.applies = false,
            "stop slave" => (self.receives, self.applies) = (false, false),
            "start slave" => (self.receives, self.applies) = (true, true),
            "reset slave all" => self.source = None,
            sql if sql.starts_with("change master to ") => {
                let host = sql.split('\'').nth(1).unwrap();
                self.source = HOSTS.iter().map(|(_, known, _)| *known).find(|known| *known == host);
                (self.receives, self.applies) = (false, false);
            }
            sql if sql.starts_with("kill connection ") && !sql.contains('\'') => {
                let id: u64 = sql.rsplit(' ').next().unwrap().parse().unwrap();
                self.sessions.retain(|session| session.id != id);
            }
            sql if sql.starts_with("kill query ") => {
                let id: u64 = sql.rsplit(' ').next().unwrap().parse().unwrap();
                let session = self.sessions.iter_mut().find(|session| session.id == id).unwrap();
                (session.command, session.seconds) = (Figure::Known("Sleep".into()), Figure::Known(0));
            }
            sql if sql.starts_with("select variable_value = ") => {
                let wanted = sql.split(' ').nth(3).unwrap().trim_matches('\'');
                let name = sql.rsplit('\'').nth(1).unwrap();
                let unit = catalogue().find(name).unwrap().unit;
                let is_so = unit.canonical(self.variable(name).as_str()).as_deref() == Some(wanted);
                return u8::from(is_so).to_string();
            }
            sql if sql.starts_with("set global rpl_semi_sync_master_enabled = ") => {
                self.base.settings.semi_sync_source = Figure::Known(sql.ends_with('1'));
            }
            sql if sql.starts_with("set global gtid_slave_pos = ") => self.received = self.state.clone(),
            sql if sql.starts_with("set session ") || sql.starts_with("kill connection user '") => {}
            sql if sql.starts_with("set global ") => {
                let (name, value) = sql["set global ".len()..].split_once(" = ").unwrap();
                *self.variable(name) = value.trim_matches('\'').into();
            }
            other => panic!("not a statement of a switchover: {other}"),
        }
        String::new()
    }

    /// What the probe makes of the files as they are.
    pub(crate) fn read_files(&mut self) {
        let read = crate::mysql::tuning::of_files(self.files.answer().as_bytes());
        (self.tuning.option_files, self.tuning.files) = (read.option_files, read.files);
        (self.tuning.kernel, self.tuning.kernel_files) = (read.kernel, read.kernel_files);
        self.tuning.option_folder = read.option_folder;
    }

    /// The value of a setting.
    pub(crate) fn variable(&mut self, name: &str) -> &mut Clean {
        let Figure::Known(variables) = &mut self.tuning.variables else { panic!("no variables") };
        &mut variables.iter_mut().find(|variable| variable.name.as_str() == name).unwrap().value
    }

    /// All settings in one number.
    fn tuned(&self) -> u64 {
        let Figure::Known(variables) = &self.tuning.variables else { panic!("no variables") };
        let texts = variables.iter().map(|variable| format!("{}={}", variable.name, variable.value));
        let files = self.files.all().flat_map(|(path, bytes)| [path.as_bytes(), bytes].concat()).collect::<Vec<_>>();
        let kernel = self.tuning.kernel.as_ref().known().into_iter().flatten();
        let kernel = kernel.flat_map(|(name, value)| format!("{name}={value}").into_bytes());
        texts
            .flat_map(String::into_bytes)
            .chain(files)
            .chain(kernel)
            .fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
    }

    /// What operators set, without what moves by itself.
    pub(crate) fn setting(&self) -> (&'static str, &'static str, bool, u64) {
        let runs = self.source.is_none() || (self.receives && self.applies);
        let bits =
            u64::from(runs) + 2 * u64::from(self.lease) + 4 * u64::from(self.frozen) + 8 * u64::from(self.masked);
        (self.name, self.source.unwrap_or("nobody"), self.read_only, bits ^ self.tuned().wrapping_shl(4))
    }
}

/// Time passes: whoever takes writes and is sent to gets one, replicas apply what their source had before.
pub(crate) fn pass(
    databases: &mut [SimDatabase],
    cuts: &Cuts,
    is_sent_to: impl Fn(&str) -> bool,
    acknowledged: &mut Vec<(u32, u64)>,
) {
    let before: BTreeMap<&str, BTreeMap<u32, u64>> =
        databases.iter().filter(|one| one.serves()).map(|one| (one.host, one.state.clone())).collect();
    // A connection to a process that stands still stays open.
    let open: Vec<&str> = databases.iter().filter(|one| one.daemon != DaemonState::Dead).map(|one| one.host).collect();
    for database in databases {
        if !database.reachable {
            // Its server ends a session that has become silent.
            database.session_ends();
        }
        let hears = |source: &&str| !cuts.has(database.name, source);
        let source = database.source.filter(hears);
        database.hears = database.receives && source.is_some_and(|source| open.contains(&source));
        if let Some(state) = source.and_then(|source| before.get(source))
            && database.receives
        {
            advance(&mut database.received, state);
        }
        if database.applies && database.source.is_some() {
            let received = database.received.clone();
            advance(&mut database.state, &received);
        }
        if database.serves() && !database.read_only && !database.frozen && is_sent_to(database.name) {
            let (_, last) = database.position();
            database.state.insert(database.server, last + 1);
            acknowledged.push((database.server, last + 1));
        }
    }
}

fn advance(own: &mut BTreeMap<u32, u64>, other: &BTreeMap<u32, u64>) {
    for (server, last) in other {
        let own = own.entry(*server).or_insert(0);
        *own = (*own).max(*last);
    }
}

/// The last transaction of a position or a state.
fn last_of(state: &BTreeMap<u32, u64>, server: u32) -> (u32, u64) {
    state.iter().map(|(server, last)| (*server, *last)).max_by_key(|(_, last)| *last).unwrap_or((server, 0))
}

/// At no moment two of them take writes. What one writes that everybody has cut off, nobody hears of.
pub(crate) fn one_takes_writes(databases: &[SimDatabase], cuts: &Cuts) {
    let writes = |one: &&SimDatabase| one.may_write() && !cuts.is_alone(one.name, one.host);
    let writable: Vec<&str> = databases.iter().filter(writes).map(|one| one.name).collect();
    assert!(writable.len() <= 1, "{writable:?} take writes");
}
