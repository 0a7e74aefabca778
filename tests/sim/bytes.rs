//! The bytes of the simulation against the captures of real daemons: same columns, same keys, no complaints.

use super::stage::Stage;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};
use vakt::wire::probe::ProbeId;

fn capture(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(path)).unwrap()
}

fn text(stage: &mut Stage, node: &str, probe: ProbeId, index: usize) -> String {
    let (replies, _, complaints) = stage.probe(node, probe);
    assert!(complaints.is_empty(), "{node}: {complaints:?}");
    String::from_utf8(replies[index].bytes.clone()).unwrap()
}

/// Which columns have a value, by what kind of row it is: type, mode and whether the server is in maintenance.
fn filled(stat: &str) -> BTreeMap<(String, String, bool), BTreeSet<BTreeSet<String>>> {
    let header: Vec<&str> = stat.lines().next().unwrap().trim_start_matches("# ").split(',').collect();
    let position = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let (kind, mode, status) = (position("type"), position("mode"), position("status"));
    let mut found: BTreeMap<_, BTreeSet<BTreeSet<String>>> = BTreeMap::new();
    for line in stat.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields.len(), header.len(), "{line}");
        // The text of a check is there only when it failed, the code only where there was one.
        let volatile = ["last_chk", "check_code", "cookie"];
        let columns = header.iter().zip(&fields).filter(|(name, value)| !value.is_empty() && !volatile.contains(name));
        let columns = columns.map(|(name, _)| (*name).to_owned()).collect();
        let key = (fields[kind].to_owned(), fields[mode].to_owned(), fields[status] == "MAINT");
        found.entry(key).or_default().insert(columns);
    }
    found
}

#[test]
fn show_stat_has_the_columns_of_the_capture_row_by_row() {
    let mut stage = Stage::new("seed");
    stage.pass(30_000);
    stage.command("lb01", "set server web_cluster/web02 state maint");
    let simulated = text(&mut stage, "lb01", ProbeId::Haproxy, 1);
    let lab = capture("haproxy/2.6.12/lab.stat.txt");
    let acted = capture("haproxy/2.6.12/operator-acted.stat.txt");
    assert_eq!(simulated.lines().next(), lab.lines().next());
    let mut real = filled(&lab);
    for (key, columns) in filled(&acted) {
        real.entry(key).or_default().extend(columns);
    }
    for (key, rows) in filled(&simulated) {
        for columns in rows {
            let known = real.get(&key).unwrap_or_else(|| panic!("no captured row of kind {key:?}"));
            assert!(known.contains(&columns), "{key:?} has other columns: {columns:?}\nreal: {known:?}");
        }
    }
}

#[test]
fn show_info_has_the_keys_of_the_capture() {
    let mut stage = Stage::new("seed");
    stage.pass(3_725_000);
    let simulated = text(&mut stage, "lb02", ProbeId::Haproxy, 0);
    let keys = |text: &str| text.lines().map(|line| line.split(": ").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(keys(&simulated), keys(&capture("haproxy/2.6.12/lab.info.txt")));
    assert!(simulated.contains("\nUptime: 0d 1h02m05s\nUptime_sec: 3725\n"), "{simulated}");
    assert!(simulated.contains("\nnode: lb02\n"), "{simulated}");
}

#[test]
fn show_servers_state_has_the_columns_of_the_capture() {
    let mut stage = Stage::new("seed");
    stage.pass(5_000);
    let simulated = text(&mut stage, "lb01", ProbeId::Haproxy, 2);
    let real = capture("haproxy/2.6.12/lab.state.txt");
    assert_eq!(simulated.lines().take(2).collect::<Vec<_>>(), real.lines().take(2).collect::<Vec<_>>());
    let widths: BTreeSet<usize> = real.lines().skip(2).map(|line| line.split(' ').count()).collect();
    for line in simulated.lines().skip(2) {
        assert!(widths.contains(&line.split(' ').count()), "{line}");
    }
    assert!(
        simulated.contains("4 web_cluster 1 web01 10.10.0.21 2 0 1 1 5 15 3 4 6 0 0 0 - 80 - 0 0 - - 0"),
        "{simulated}"
    );
    assert!(simulated.contains("db02 10.10.0.32 0 5 1 1 5 1 0 0 14 0 0 0 - 3306 - 0 0 - - 0"), "{simulated}");
}

#[test]
fn the_host_answers_line_by_line_as_the_captured_one() {
    let sources = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split([' ', '.', '=']).next().unwrap().to_owned()).collect()
    };
    for (node, name) in [("lb01", "lb01"), ("db01", "db01"), ("web02", "db01"), ("kvm01", "kvm02")] {
        let mut stage = Stage::new("seed");
        stage.pass(2_000);
        let simulated = text(&mut stage, node, ProbeId::Host, 0);
        let real = capture(&format!("host/debian-12-lab/{name}.txt"));
        // The boot id is one word that differs; interfaces are followed by their first figure.
        let strip = |text: &str| -> Vec<String> {
            sources(text).into_iter().map(|line| line.split("boot_id:").next().unwrap().to_owned()).collect()
        };
        assert_eq!(strip(&simulated).len(), strip(&real).len(), "{node}");
        for (ours, theirs) in strip(&simulated).iter().zip(strip(&real)) {
            let prefix = |line: &str| line.split_once(':').map(|(path, _)| path.to_owned());
            assert_eq!(prefix(ours), prefix(&theirs), "{node}");
        }
    }
}

#[test]
fn profiles_name_the_machine_and_its_addresses() {
    let mut stage = Stage::new("seed");
    let lb01 = stage.profile("lb01");
    let addresses: Vec<String> = lb01.addresses.iter().map(|found| found.address.to_string()).collect();
    assert_eq!(addresses, ["10.99.0.11/24", "203.0.113.11/24", "203.0.113.100/24", "10.10.0.11/24", "10.10.0.100/24"]);
    assert_eq!(lb01.hostname.clone().known().unwrap().as_str(), "lb01");
    let units = |profile: &vakt::model::host::HostProfile| {
        profile.units.iter().map(|unit| unit.unit.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert!(units(&lb01).contains("haproxy.service"), "{}", units(&lb01));
    let web01 = stage.profile("web01");
    assert!(!units(&web01).contains("mariadb"), "{}", units(&web01));
    assert_eq!(web01.filesystems.len(), 1);
    stage.fault("kill lb01");
    let lb02: Vec<String> = stage.profile("lb02").addresses.iter().map(|found| found.address.to_string()).collect();
    assert!(lb02.contains(&"203.0.113.100/24".to_owned()), "{lb02:?}");
}
