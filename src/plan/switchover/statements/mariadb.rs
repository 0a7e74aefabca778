//! MariaDB's words.

use super::{Follow, Words};
use crate::wire::request::{SECRET, SqlStep};

pub(super) const WORDS: Words = Words {
    read_only: "read_only",
    make_read_only: "set global read_only = 1",
    is_read_only: "select @@global.read_only",
    stop: "stop slave",
    start: "start slave",
    stop_applier: "stop slave sql_thread",
    start_applier: "start slave sql_thread",
    forget: "reset slave all",
    by_gtid: "change master to master_use_gtid=slave_pos",
    logs_applied: "log_slave_updates",
    semi_sync_replica: "rpl_semi_sync_slave_enabled",
    monitor: "SLAVE MONITOR",
    follow_monitor: "REPLICATION CLIENT, SLAVE MONITOR",
    semi_sync,
    point,
    follow,
    end_sessions,
};

fn semi_sync(_: &str, waits: bool) -> String {
    format!("set global rpl_semi_sync_master_enabled = {}", u8::from(waits))
}

fn point(host: &str, port: u16) -> String {
    format!("change master to master_host='{host}', master_port={port}, master_use_gtid=slave_pos")
}

/// What it wrote itself is what it has: there its replication begins.
fn follow(to: &Follow<'_>) -> Vec<String> {
    let Follow { host, port, user } = to;
    vec![
        "set global gtid_slave_pos = @@global.gtid_binlog_pos".to_owned(),
        format!(
            "change master to master_host='{host}', master_port={port}, master_user='{user}', \
             master_password='{SECRET}', master_connect_retry=1, master_use_gtid=slave_pos"
        ),
    ]
}

fn end_sessions(users: &[&str]) -> Vec<SqlStep> {
    users.iter().map(|user| SqlStep::run(format!("kill connection user '{user}'"))).collect()
}
