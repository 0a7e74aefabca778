//! MySQL's words (8.0.22 and later), as MySQL 9.7 was seen to take them.
//!
//! `super_read_only` stops administrators, too, and sets `read_only` with it; `read_only = 0` takes back both. A session
//! that holds the read lock sets it at once, and so does any other one. There is no position to set: a server asks for
//! whatever it lacks (`source_auto_position`). `get_source_public_key` lets an account of `caching_sha2_password` in where
//! the connection is not encrypted.

use super::{Follow, Words};
use crate::wire::request::{EACH, SECRET, SqlStep};

pub(super) const WORDS: Words = Words {
    read_only: "super_read_only",
    make_read_only: "set global super_read_only = 1",
    is_read_only: "select @@global.super_read_only",
    stop: "stop replica",
    start: "start replica",
    stop_applier: "stop replica sql_thread",
    start_applier: "start replica sql_thread",
    forget: "reset replica all",
    by_gtid: "change replication source to source_auto_position=1",
    logs_applied: "log_replica_updates",
    semi_sync_replica: "rpl_semi_sync_replica_enabled",
    monitor: "REPLICATION CLIENT",
    follow_monitor: "REPLICATION CLIENT, SELECT ON performance_schema.*",
    semi_sync,
    point,
    follow,
    end_sessions,
};

/// The plug-in is called by the word for the side that waits.
fn semi_sync(word: &str, waits: bool) -> String {
    format!("set global rpl_semi_sync_{word}_enabled = {}", u8::from(waits))
}

fn point(host: &str, port: u16) -> String {
    format!("change replication source to source_host='{host}', source_port={port}, source_auto_position=1")
}

fn follow(to: &Follow<'_>) -> Vec<String> {
    let Follow { host, port, user } = to;
    vec![format!(
        "change replication source to source_host='{host}', source_port={port}, source_user='{user}', \
         source_password='{SECRET}', source_connect_retry=1, source_auto_position=1, get_source_public_key=1"
    )]
}

/// MySQL ends no sessions by their login. Threads of replication bear the name of whoever started them.
fn end_sessions(users: &[&str]) -> Vec<SqlStep> {
    if users.is_empty() {
        return Vec::new();
    }
    let users: Vec<String> = users.iter().map(|user| format!("'{user}'")).collect();
    let query = format!(
        "select processlist_id from performance_schema.threads where type = 'FOREGROUND' \
         and name not like 'thread/sql/replica%' and name not like 'thread/sql/slave%' \
         and processlist_id <> connection_id() and processlist_user in ({})",
        users.join(", ")
    );
    vec![SqlStep::for_each(query, format!("kill connection {EACH}"))]
}
