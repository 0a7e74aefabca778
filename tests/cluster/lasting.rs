//! Settings that last: a value is set and stands in the file, the daemon starts again and runs with it, and going back leaves
//! every file as it was, byte for byte.

use super::lab::{Lab, answer};
use serde_json::Value;
use std::time::Duration;

fn asked(sql: &str) -> String {
    let script = format!("$(command -v mariadb || command -v mysql) -NBe '{sql}' 2>&1");
    answer(&["exec", NODE, "sh", "-c", &format!("{script}; true")]).trim().to_owned()
}

const NODE: &str = "db03";

/// Every option file with its checksum, mode and owner.
fn files() -> String {
    let script =
        "cd /etc/mysql && find . -type f | sort | while read -r f; do sha256sum $f; stat -c \"%a %U %G %Y\" $f; done";
    answer(&["exec", NODE, "sh", "-c", script])
}

fn set(lab: &Lab, words: &[&str]) -> (Option<i32>, String) {
    let all = [&["do", "tune.set", NODE], words, &["--yes", "--reason", "test"]].concat();
    let done = lab.vakt(&all);
    (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

fn restart() {
    answer(&["exec", NODE, "sh", "-c", "systemctl restart mariadb 2>/dev/null || systemctl restart mysql"]);
}

/// What vakt says of the setting: marks, and file with line.
fn told(lab: &Lab, key: &str) -> Value {
    let shown = lab.vakt(&["tune", NODE, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    shown["settings"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone()
}

#[test]
fn a_persisted_value_outlives_a_restart_and_goes_without_a_trace() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let before = files();
    for (key, value) in [("max_connections", "220"), ("innodb_lru_scan_depth", "2048")] {
        let former = asked(&format!("select @@global.{key}"));
        let (code, said) = set(&lab, &[key, value, "--persist"]);
        assert_eq!(code, Some(0), "{said}");
        assert_ne!(files(), before);
        restart();
        let mut watch = lab.watch();
        watch.until("it runs with the value", Duration::from_secs(60), |_| {
            asked(&format!("select @@global.{key}")) == value
        });
        assert!(!told(&lab, key)["marks"].to_string().contains("not_as_in_file"));
        let (code, said) = set(&lab, &[key, &former, "--put-back"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(files(), before, "{key}");
        assert_eq!(asked(&format!("select @@global.{key}")), former);
    }
    // What needs a restart only stands in the file.
    let (code, said) = set(&lab, &["innodb_flush_method", "fsync", "--persist"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("It counts when the server on db03 starts again"), "{said}");
    assert_ne!(files(), before);
    let running = asked("select @@global.innodb_flush_method");
    let (code, said) = set(&lab, &["innodb_flush_method", &running, "--put-back"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(files(), before);
}

/// The daemon would not start with its files: whatever is wrong with them, vakt leaves them as they are.
#[test]
fn a_file_that_the_daemon_refuses_is_not_left_behind() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let folder = answer(&[
        "exec",
        NODE,
        "sh",
        "-c",
        "ls -d /etc/mysql/mariadb.conf.d 2>/dev/null || echo /etc/mysql/mysql.conf.d",
    ]);
    let bad = format!("{}/zy-test.cnf", folder.trim());
    let write = format!("printf \"[mysqld]\\ninnodb_flush_method = nonsense\\n\" >{bad}; chmod 644 {bad}");
    answer(&["exec", NODE, "sh", "-c", &write]);
    let before = files();
    let (code, said) = set(&lab, &["max_connections", "230", "--persist"]);
    let after = files();
    answer(&["exec", NODE, "rm", &bad]);
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains("not accepted") && said.contains("nonsense"), "{said}");
    assert_eq!(after, before);
    assert_eq!(asked("select @@global.max_connections"), "200");
}

/// What a MySQL keeps itself beats every file: there the value stands.
#[test]
fn a_value_that_mysql_keeps_itself_is_changed_there() {
    let Some(lab) = Lab::take_unhurried() else { return };
    if super::switchover::scene::is_mariadb() {
        return;
    }
    let before = files();
    asked("set persist max_connections = 210");
    let (code, said) = set(&lab, &["max_connections", "230", "--persist"]);
    let kept = asked(
        "select variable_value from performance_schema.persisted_variables where variable_name = \"max_connections\"",
    );
    let runs = asked("select @@global.max_connections");
    asked("reset persist max_connections");
    asked("set global max_connections = 200");
    assert_eq!((code, kept.as_str(), runs.as_str()), (Some(0), "230", "230"), "{said}");
    assert_eq!(files(), before, "no file is touched");
}
