//! The statements: reads only, bounded, and the very ones that the captures answer.

use super::captures;
use std::{fmt::Write as _, fs};
use vakt::{
    model::mysql::{Capabilities, Dialect},
    wire::mysql::{HeartbeatTable, Statement, capabilities, poll, probe},
};

fn every_capability() -> Vec<Capabilities> {
    let mut all = Vec::new();
    for bits in 0_u32..1 << 14 {
        let bit = |at: u32| bits & (1 << at) != 0;
        for dialect in [Dialect::Mariadb, Dialect::Mysql, Dialect::WithoutGtid] {
            all.push(Capabilities {
                dialect,
                replica_words: bit(1),
                performance_schema: bit(2),
                threads_view: bit(3),
                innodb_metrics: bit(4),
                innodb_transactions: bit(5),
                data_lock_waits: bit(6),
                innodb_lock_waits: bit(7),
                applier_workers: bit(8),
                commit_timestamps: bit(9),
                statement_time_limit: bit(10),
                execution_time_hint: bit(11),
                super_read_only: bit(12),
            });
        }
    }
    all
}

/// What a statement may begin with. `set statement … for` sets for that one statement only.
fn is_read(sql: &str) -> bool {
    let select = sql.strip_prefix("set statement max_statement_time=2 for ").unwrap_or(sql);
    select.starts_with("select ") || sql.starts_with("show ")
}

#[test]
fn invariant_5_every_statement_is_a_bounded_read() {
    let heartbeat = HeartbeatTable::new("percona", "heartbeat", true).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for of in every_capability() {
        seen.extend(
            poll(&of, Some(&heartbeat)).into_iter().chain(probe()).map(|one| (one.sql.into_owned(), one.cap_bytes)),
        );
    }
    assert!(seen.len() > 20, "{}", seen.len());
    for (sql, cap_bytes) in seen {
        assert!(is_read(&sql), "{sql}");
        assert!(cap_bytes <= 4 << 20, "{sql}");
        assert!(!sql.contains(';') && !sql.contains('\n') && !sql.contains("  "), "{sql}");
        for word in ["insert", "update", "delete", "drop", "into outfile", "for update", "lock in", "kill", "reset"] {
            assert!(!sql.contains(&format!("{word} ")), "{word}: {sql}");
        }
        let one_row = sql.contains("@@global") || sql.contains("max(ts)") || sql.starts_with("show ");
        assert!(one_row || sql.contains(" limit "), "{sql}");
    }
}

#[test]
fn a_heartbeat_table_is_a_plain_name() {
    for (schema, table) in [("", "t"), ("a`b", "t"), ("s", "t; drop"), ("s", "ä"), ("s", &"x".repeat(65))] {
        assert_eq!(HeartbeatTable::new(schema, table, true), None, "{schema}.{table}");
    }
}

/// `statements.tsv` of each version is what `capture` was given. `UPDATE=1` writes it.
#[test]
fn the_captures_answer_the_statements_of_today() {
    compare("probe.tsv", &written(&probe()));
    for path in captures::captures() {
        let version = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let answers = captures::read(&path);
        let statements = poll(&capabilities(&answers), None);
        compare(&format!("{version}/statements.tsv"), &written(&statements));
        for statement in &statements {
            assert!(answers.0.contains_key(&statement.id), "{}: no answer to {}", path.display(), statement.sql);
        }
    }
}

fn written(statements: &[Statement]) -> String {
    statements.iter().fold(String::new(), |mut text, one| {
        let id = serde_json::to_value(one.id).unwrap();
        writeln!(text, "{}\t{}", id.as_str().unwrap(), one.sql).unwrap();
        text
    })
}

fn compare(name: &str, now: &str) {
    let path = captures::folder().join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, now).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), now, "{name}; UPDATE=1 rewrites it");
}
