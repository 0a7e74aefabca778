//! The databases of the simulation when they are MySQL: its words for what MariaDB calls otherwise, and sets of
//! transactions by UUID. Answers are captures of a MySQL 9.7 with the figures of the simulation in them.

use super::database::{Database, Databases, Mould};
use crate::wire::mysql::StatementId;
use std::{borrow::Cow, collections::BTreeMap};

const PRIMARY: &str = include_str!("../../../tests/captures/mysql-replies/mysql-9.7/lab-primary.txt");
const REPLICA: &str = include_str!("../../../tests/captures/mysql-replies/mysql-9.7/lab-replica.txt");
/// Where the numbers of transactions begin that nobody else has.
const ERRANT_FIRST: u64 = 1_000_001;

/// `server_uuid` of a server by its number.
fn uuid(server: u64) -> String {
    format!("4819d653-ec11-11f1-b5ad-d6c68cc0ac{server:02}")
}

/// A statement in MariaDB's words; `None` for one in words that MySQL does not know.
pub(super) fn in_words_of_mariadb(sql: &str) -> Option<Cow<'_, str>> {
    if sql.contains("slave") || sql.contains("master_") {
        return None;
    }
    let words = match sql {
        "set global super_read_only = 1" => "set global read_only = 1",
        "select @@global.super_read_only" => "select @@global.read_only",
        "stop replica sql_thread" => "stop slave sql_thread",
        "stop replica" => "stop slave",
        "start replica" => "start slave",
        "reset replica all" => "reset slave all",
        sql => {
            let of_source = sql.replace("change replication source to source_host", "change master to master_host");
            return Some(of_source.replace("rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled").into());
        }
    };
    Some(words.into())
}

/// What the captured servers answered to a statement.
pub(super) fn mould(server: &Database, statement: StatementId) -> Mould {
    let mould = Mould::of(if server.source.is_none() { PRIMARY } else { REPLICA }, statement);
    match statement {
        // What the captured workers did last says nothing of these: without rows the server's own figure counts.
        StatementId::Workers | StatementId::Received => mould.without_rows(),
        _ => mould,
    }
}

pub(super) fn variables(server: &Database) -> [(&'static str, String); 4] {
    let on = |is_on: bool| if is_on { "ON" } else { "OFF" }.to_owned();
    [
        ("server_uuid", uuid(server.id)),
        ("super_read_only", on(!server.is_writable)),
        ("rpl_semi_sync_source_enabled", on(server.waits)),
        ("rpl_semi_sync_replica_enabled", on(server.acknowledges)),
    ]
}

/// Figures of a MariaDB under MySQL's names.
pub(super) fn renamed(values: BTreeMap<&'static str, String>) -> BTreeMap<&'static str, String> {
    let name = |name| match name {
        "rpl_semi_sync_master_clients" => "rpl_semi_sync_source_clients",
        "rpl_semi_sync_master_status" => "rpl_semi_sync_source_status",
        "rpl_semi_sync_slave_status" => "rpl_semi_sync_replica_status",
        "slave_io_running" => "replica_io_running",
        "slave_sql_running" => "replica_sql_running",
        "seconds_behind_master" => "seconds_behind_source",
        "master_host" => "source_host",
        name => name,
    };
    values.into_iter().map(|(known, value)| (name(known), value)).collect()
}

impl Databases {
    /// Every transaction up to that number, by who wrote it.
    fn set(&self, last: u64) -> String {
        let mut parts: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (at, (id, first)) in self.eras.iter().enumerate().filter(|(_, (_, first))| *first <= last) {
            let end = self.eras.get(at + 1).map_or(last, |(_, next)| (next - 1).min(last));
            if end >= *first {
                parts.entry(*id).or_default().push(format!("{first}-{end}"));
            }
        }
        let sources = parts.iter().map(|(id, intervals)| format!("{}:{}", uuid(*id), intervals.join(":")));
        sources.collect::<Vec<_>>().join(",")
    }

    /// `gtid_executed` of a server.
    pub(super) fn executed(&self, place: usize) -> String {
        let server = &self.servers[place];
        let set = self.set(self.applied(place));
        if server.errant == 0 {
            return set;
        }
        format!("{set},{}:{ERRANT_FIRST}-{}", uuid(server.id), ERRANT_FIRST + server.errant - 1)
    }

    /// What MySQL tells of where it replicates from, besides what is renamed.
    pub(super) fn replication_of_mysql(&self, server: &Database, arrived: u64) -> [(&'static str, String); 2] {
        let of_source = server.source.map_or_else(String::new, |source| uuid(self.servers[source].id));
        [("retrieved_gtid_set", self.set(arrived)), ("source_uuid", of_source)]
    }

    pub(super) fn role_of_mysql(&self, place: usize) -> BTreeMap<&'static str, String> {
        let server = &self.servers[place];
        BTreeMap::from([
            ("read_only", u8::from(!server.is_writable).to_string()),
            ("gtid_executed", self.executed(place)),
            ("gtid_purged", String::new()),
        ])
    }

    /// The answers that only a switchover asks for.
    pub(super) fn about_switchover_of_mysql(&self, place: usize, statement: StatementId) -> Option<String> {
        let server = &self.servers[place];
        let on = |is_on: bool| if is_on { "ON" } else { "OFF" };
        let is_primary = place == self.primary;
        let rows = match statement {
            StatementId::SwitchoverSettings => format!(
                "Variable_name\tValue\nbinlog_format\tROW\nevent_scheduler\tOFF\ngtid_executed\t\ngtid_mode\tON\n\
                 innodb_buffer_pool_size\t67108864\nlog_bin\tON\nlog_replica_updates\tON\nmax_connections\t200\n\
                 port\t3306\nrpl_semi_sync_replica_enabled\t{}\nrpl_semi_sync_source_enabled\t{}\nserver_id\t{}\n\
                 server_uuid\t{}\nsql_mode\tSTRICT_TRANS_TABLES\nversion\t9.7.4-2",
                on(server.acknowledges),
                on(server.waits),
                server.id,
                uuid(server.id)
            ),
            StatementId::SwitchoverState => format!(
                "read_only\tsuper_read_only\tgtid_executed\tgtid_purged\tlease\n{0}\t{0}\t{1}\t\t{2}",
                u8::from(!server.is_writable),
                self.executed(place),
                if server.held.has_lock { "4711" } else { "\\N" }
            ),
            StatementId::SwitchoverWork => {
                let acknowledging = self.acknowledging(place);
                format!(
                    "transaction_s\tstatement_s\tmetadata_waits\tdefinition_changes\tevents\tsemi_sync_active\t\
                     semi_sync_clients\tfilters\tmha\tshell\torchestrator\treplication_manager\n\
                     {}\t0\t0\t0\t0\t{}\t{acknowledging}\t\t\\N\t\\N\t\\N\t\\N",
                    self.waiting_s(server).map_or(0, |waiting_s| waiting_s + 1),
                    on(is_primary && acknowledging > 0)
                )
            }
            // Applications come through the load balancers, which send them to the primary.
            StatementId::SwitchoverAccounts => {
                let application = if is_primary { "\nshop\t4\t0\t0" } else { "" };
                format!("user\tsessions\town\tpasses\nroot\t1\t1\t0{application}")
            }
            StatementId::SwitchoverReplicators => "user\thost\nreplica\t10.10.0.%".to_owned(),
            _ => return None,
        };
        Some(format!("= {} rows\n{rows}\n", statement.word()))
    }
}
