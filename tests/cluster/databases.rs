//! Databases on the lab: figures that agree with the server's own words of the same second.

use super::lab::{Lab, answer};
use serde_json::Value;
use std::time::Duration;

/// The client of whichever database a flavour has; names and values, apart by tabs.
fn asked(node: &str, statement: &str) -> String {
    let script = format!("$(command -v mariadb || command -v mysql) -NBe \"{statement}\"");
    answer(&["exec", node, "sh", "-c", &script])
}

fn figure(node: &str, name: &str) -> f64 {
    let said = asked(node, &format!("show global status like '{name}'"));
    said.split('\t')
        .nth(1)
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("{node} {name}: {said}"))
}

fn row<'a>(document: &'a Value, node: &str) -> &'a Value {
    let rows = document["mysql"].as_array().unwrap();
    rows.iter().find(|row| row["node"] == node).unwrap_or_else(|| panic!("{node}: {document:#}"))
}

/// Counters move on while both are asked: what vakt says lies between what the server said before and after.
#[test]
fn figures_agree_with_show_global_status_of_the_same_second() {
    let Some(lab) = Lab::take() else { return };
    let mut watch = lab.watch();
    watch.until("every database has rates", Duration::from_secs(20), |document| {
        ["db01", "db02", "db03"].iter().all(|node| row(document, node)["questions_per_s"].is_number())
    });
    for node in ["db01", "db02", "db03"] {
        let before = figure(node, "Questions");
        let document = watch.next();
        let document =
            if row(&document, node)["questions"].as_f64().unwrap() < before { watch.next() } else { document };
        let after = figure(node, "Questions");
        let told = row(&document, node)["questions"].as_f64().unwrap();
        // A document may have been on its way already: what one second asks is the tolerance.
        assert!(told + 60.0 >= before && told <= after, "{node}: {before} <= {told} <= {after}");
        let limit = asked(node, "select @@max_connections").trim().parse::<u64>().unwrap();
        assert_eq!(row(&document, node)["connections_max"], limit, "{node}");
        let connected = figure(node, "Threads_connected");
        let told = row(&document, node)["connections_current"].as_f64().unwrap();
        // The client that asks is one more.
        assert!((told - connected).abs() <= 3.0, "{node}: {told} and {connected}");
        let version = asked(node, "select version()");
        assert_eq!(row(&document, node)["version"], version.trim(), "{node}");
    }
}

#[test]
fn the_topology_is_what_the_servers_say_of_themselves() {
    let Some(lab) = Lab::take() else { return };
    let mut watch = lab.watch();
    let document = watch.until("every replica is compared", Duration::from_secs(20), |document| {
        ["db02", "db03"].iter().all(|node| row(document, node)["missing_transactions"].is_number())
    });
    for node in ["db01", "db02", "db03"] {
        let read_only = asked(node, "select @@global.read_only").trim() == "1";
        assert_eq!(row(&document, node)["takes_writes"], !read_only, "{node}");
    }
    let primary = row(&document, "db01");
    assert_eq!((&primary["role"], &primary["source"]), (&Value::from("primary"), &Value::Null));
    for node in ["db02", "db03"] {
        let replica = row(&document, node);
        assert_eq!((&replica["role"], &replica["source"]), (&Value::from("replica"), &Value::from("db01")));
        let channel = &replica["channels"][0];
        assert_eq!((&channel["receiver"], &channel["applier"]), (&Value::from("running"), &Value::from("running")));
        assert!(channel["applied_lag_ms"].as_u64().unwrap() <= 2_000, "{channel:#}");
        assert_eq!(replica["errant_transactions"], 0, "{replica:#}");
    }
}

/// A client that does nothing but wait is ended; the session beside it goes on.
#[test]
fn a_session_is_ended_and_its_neighbour_is_not() {
    let Some(lab) = Lab::take() else { return };
    let held =
        |seconds: u32| format!("select id from information_schema.processlist where info = 'select sleep({seconds})'");
    let client = |seconds: u32| {
        std::thread::spawn(move || {
            let script = format!("$(command -v mariadb || command -v mysql) -e 'select sleep({seconds})' 2>&1; true");
            answer(&["exec", "db02", "sh", "-c", &script])
        })
    };
    let (ended, left) = (client(41), client(11));
    let mut watch = lab.watch();
    // The list of sessions is asked every five seconds.
    watch.until("both sleep", Duration::from_secs(10), |_| {
        !asked("db02", &held(41)).is_empty() && !asked("db02", &held(11)).is_empty()
    });
    let id = asked("db02", &held(41)).trim().to_owned();
    let done = lab.vakt(&["do", "mysql.kill", &format!("db02/{id}"), "--yes", "--reason", "test"]);
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(ended.join().unwrap().contains("ERROR"));
    assert!(asked("db02", &held(41)).is_empty());
    // It ends by itself, without an error.
    assert!(!left.join().unwrap().contains("ERROR"));
}

/// Nine settings there and back on one server, one on all of them, and what is refused before anything is sent.
#[test]
fn settings_are_set_and_given_back() {
    let Some(lab) = Lab::take() else { return };
    // A setting is known by one name; the server may have another for it.
    let own = |name: &'static str| match name {
        _ if super::switchover::scene::is_mariadb() => name,
        "rpl_semi_sync_master_timeout" => "rpl_semi_sync_source_timeout",
        "innodb_log_file_size" => "innodb_redo_log_capacity",
        _ => name,
    };
    let value = |node: &str, name| asked(node, &format!("select @@global.{}", own(name))).trim().to_owned();
    let set = |words: &[&str]| {
        let all = [&["do", "tune.set"], words, &["--yes", "--reason", "test"]].concat();
        let done = lab.vakt(&all);
        let said = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let settings = [
        ("max_connections", "220"),
        ("innodb_io_capacity", "300"),
        ("innodb_max_dirty_pages_pct", "75.5"),
        ("innodb_lru_scan_depth", "2048"),
        ("sync_binlog", "0"),
        ("innodb_flush_log_at_trx_commit", "2"),
        ("rpl_semi_sync_master_timeout", "3000"),
        ("innodb_buffer_pool_size", "128M"),
        ("innodb_log_file_size", "48M"),
    ];
    for (name, other) in settings {
        let before = value("db03", name);
        let (code, said) = set(&["db03", name, other]);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert_ne!(value("db03", name), before, "{name}");
        let shown = lab.vakt(&["tune", "db03", "--json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let row = shown["settings"].as_array().unwrap().iter().find(|row| row["key"] == name).unwrap();
        let marks: Vec<&str> = row["marks"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(marks.contains(&"not_as_in_file") || marks.contains(&"in_no_file"), "{name}: {row:#}");
        let (code, said) = set(&["db03", name, &before]);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert_eq!(value("db03", name), before, "{name}");
    }
    let (code, said) = set(&["database", "max_connections", "210"]);
    assert_eq!(
        (code, ["db01", "db02", "db03"].map(|node| value(node, "max_connections"))),
        (Some(0), ["210"; 3].map(str::to_owned)),
        "{said}"
    );
    let (code, said) = set(&["database", "max_connections", "200"]);
    assert_eq!(code, Some(0), "{said}");
    for words in [
        ["db03", "innodb_flush_method", "FSYNC"],
        ["db03", "max_connections", "200000"],
        ["db03", "max_connections", "1"],
    ] {
        let (code, said) = set(&words);
        assert_eq!(code, Some(4), "{said}");
    }
}
