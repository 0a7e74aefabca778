//! What the databases of the simulation say and do around a switchover: the statements of `plan::switchover`, in the
//! order in which they come, and the sessions that hold something for a run.

use super::{
    database::{Databases, HOLDER},
    mysql, tuning,
};
use crate::{
    model::mysql::DaemonState,
    wire::{
        mysql::StatementId,
        request::{SqlSession, SqlStep},
    },
};

/// A server ends a session of the lease that has been silent for so long.
const SILENT_US: u64 = 3_000_000;
/// The same for one that freezes nothing.
const READY_US: u64 = 20_000_000;
/// Exit status of statements of which one failed.
const FAILED: u32 = 1;

/// What a session of vakt holds on a server.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    /// It is open, and when it was heard last, microseconds.
    heard_us: Option<u64>,
    /// Nobody commits.
    pub(super) is_frozen: bool,
    pub(super) has_lock: bool,
}

impl Databases {
    /// Sessions that have been silent for too long end, and what they held with them.
    pub(super) fn end_silent_sessions(&mut self, now_us: u64) {
        for server in &mut self.servers {
            let limit_us = if server.held.is_frozen { SILENT_US } else { READY_US };
            if server.held.heard_us.is_some_and(|heard_us| now_us > heard_us.saturating_add(limit_us)) {
                server.held = Held::default();
            }
        }
    }

    /// Carries statements out; the exit status, `None` when the machine carries no server.
    pub(super) fn carry_out(&mut self, host: usize, session: SqlSession, statements: &[SqlStep]) -> Option<u32> {
        let place = self.servers.iter().position(|server| server.host == host)?;
        let now_us = self.stepped_us;
        let held = &mut self.servers[place].held;
        match session {
            SqlSession::Within if held.heard_us.is_none() => return Some(FAILED),
            SqlSession::Own => {}
            _ => held.heard_us = Some(now_us),
        }
        for statement in statements {
            let spoken =
                if self.is_mysql { mysql::in_words_of_mariadb(&statement.sql) } else { Some((&*statement.sql).into()) };
            let Some(sql) = spoken else {
                self.servers[place].held = Held::default();
                return Some(FAILED);
            };
            let answer = self.run(place, &sql);
            if statement.answer.as_ref().is_some_and(|wanted| answer.as_ref() != Some(wanted)) {
                self.servers[place].held = Held::default();
                return Some(FAILED);
            }
        }
        if session == SqlSession::Ends {
            self.servers[place].held = Held::default();
        }
        Some(0)
    }

    /// One statement; what the first row of its answer begins with.
    fn run(&mut self, place: usize, sql: &str) -> Option<String> {
        let sequence = self.sequence as u64;
        let server = &mut self.servers[place];
        if let Some(is_so) = tuning::compared(server, sql) {
            return Some(is_so);
        }
        if tuning::set(server, sql) {
            return None;
        }
        match sql {
            "flush tables with read lock" => server.held.is_frozen = true,
            "unlock tables" => server.held.is_frozen = false,
            "stop slave sql_thread" => server.applier_runs = false,
            "stop slave" => (server.receiver_runs, server.applier_runs) = (false, false),
            "start slave" => (server.receiver_runs, server.applier_runs) = (true, true),
            "reset slave all" => server.source = None,
            "set global read_only = 1" => server.is_writable = false,
            "set global read_only = 0" => self.takes_writes(place, sequence),
            "select @@global.read_only" => return Some(u8::from(!server.is_writable).to_string()),
            sql if sql.starts_with("select get_lock(") => {
                let is_free = !server.held.has_lock;
                server.held.has_lock = true;
                return Some(u8::from(is_free).to_string());
            }
            sql if sql.starts_with("select release_lock(") => server.held.has_lock = false,
            sql if sql.starts_with("kill ") => {
                let id: Option<u64> = sql.rsplit(' ').next().and_then(|id| id.parse().ok());
                if id == Some(HOLDER) {
                    server.locked_at = None;
                }
                server.ended.extend(id);
            }
            sql if sql.starts_with("change master to ") => {
                let host = sql.split('\'').nth(1).unwrap_or_default();
                let source = (0..self.servers.len()).find(|other| self.address(*other) == host);
                let server = &mut self.servers[place];
                (server.source, server.receiver_runs, server.applier_runs) = (source, false, false);
            }
            // What is set for a session, or changes nothing that is simulated.
            _ => {}
        }
        None
    }

    fn takes_writes(&mut self, place: usize, sequence: u64) {
        self.servers[place].is_writable = true;
        let primary = &self.servers[self.primary];
        let is_heard = !self.servers[place].deaf_to.contains(&self.primary);
        if place == self.primary || (primary.is_writable && primary.daemon != DaemonState::Dead && is_heard) {
            return;
        }
        let former = &mut self.servers[self.primary];
        (former.applied, former.received) = (Some(sequence), Some(sequence));
        let promoted = &mut self.servers[place];
        (promoted.applied, promoted.received) = (None, None);
        self.eras.push((promoted.id, sequence + 1));
        self.primary = place;
    }

    /// Who wrote the transaction of that number.
    pub(super) fn writer_of(&self, number: u64) -> u64 {
        self.eras.iter().rev().find(|(_, first)| *first <= number).map_or(31, |(id, _)| *id)
    }

    /// The last transaction of each server that a server has.
    pub(super) fn state(&self, place: usize) -> String {
        let applied = self.applied(place);
        let mut last: std::collections::BTreeMap<u64, u64> = std::collections::BTreeMap::new();
        for (at, (id, first)) in self.eras.iter().enumerate().filter(|(_, (_, first))| *first <= applied) {
            let end = self.eras.get(at + 1).map_or(applied, |(_, next)| (next - 1).min(applied));
            if end >= *first {
                last.insert(*id, end);
            }
        }
        let mut entries: Vec<String> = last.iter().map(|(id, last)| format!("0-{id}-{last}")).collect();
        let position = self.position(place, &self.servers[place]);
        if !entries.contains(&position) {
            entries.push(position);
        }
        entries.join(",")
    }

    pub(super) fn address(&self, place: usize) -> String {
        format!("10.10.0.{}", self.servers[place].id)
    }

    /// The answers that only a switchover asks for.
    pub(super) fn about_switchover(&self, place: usize, statement: StatementId) -> Option<String> {
        let server = &self.servers[place];
        let on = |is_on: bool| if is_on { "ON" } else { "OFF" };
        let is_primary = place == self.primary;
        let rows = match statement {
            StatementId::SwitchoverSettings => format!(
                "Variable_name\tValue\nbinlog_format\tROW\nevent_scheduler\tOFF\ngtid_domain_id\t0\ngtid_slave_pos\t\n\
                 gtid_strict_mode\tON\ninnodb_buffer_pool_size\t67108864\nlog_bin\tON\nlog_slave_updates\tON\n\
                 max_connections\t200\nport\t3306\nreplicate_do_db\t\nreplicate_do_table\t\nreplicate_ignore_db\t\n\
                 replicate_ignore_table\t\nreplicate_wild_do_table\t\nreplicate_wild_ignore_table\t\n\
                 rpl_semi_sync_master_enabled\t{}\nrpl_semi_sync_slave_enabled\t{}\nserver_id\t{}\n\
                 sql_mode\tSTRICT_TRANS_TABLES\nversion\t10.11.6-MariaDB-0+deb12u1-log\nwsrep_on\tOFF",
                on(server.waits),
                on(server.acknowledges),
                server.id
            ),
            StatementId::SwitchoverState => format!(
                "read_only\tgtid_binlog_state\tgtid_current_pos\tlease\n{}\t{}\t{}\t{}",
                u8::from(!server.is_writable),
                self.state(place),
                self.position(place, server),
                if server.held.has_lock { "4711" } else { "\\N" }
            ),
            StatementId::SwitchoverWork => {
                let acknowledging = self.acknowledging(place);
                format!(
                    "transaction_s\tstatement_s\tmetadata_waits\tdefinition_changes\tevents\tsemi_sync_active\t\
                     semi_sync_clients\tmaxscale\tmaxscale_primary\tmha\torchestrator\treplication_manager\n\
                     {}\t0\t0\t0\t0\t{}\t{acknowledging}\t\\N\t\\N\t\\N\t\\N\t\\N",
                    self.waiting_s(server).map_or(0, |waiting_s| waiting_s + 1),
                    on(is_primary && acknowledging > 0)
                )
            }
            // Applications come through the load balancers, which send them to the primary.
            StatementId::SwitchoverAccounts => {
                let application = if is_primary { "\nshop\t4\t0\t0" } else { "" };
                format!("user\tsessions\town\tpasses\nroot\t1\t1\t1{application}")
            }
            StatementId::SwitchoverReplicators => "user\thost\nreplica\t10.10.0.%".to_owned(),
            _ => return None,
        };
        Some(format!("= {} rows\n{rows}\n", statement.word()))
    }
}
