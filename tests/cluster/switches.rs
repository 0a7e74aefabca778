//! Open vSwitch on the lab: what vakt shows is what the switch's own tools say, and what breaks is found.

use super::lab::{Lab, Watch, run};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// A fault must be on the document this soon after it was caused.
const SEEN: Duration = Duration::from_secs(5);
/// Longest wait for a lab that has just been healed.
const CALM: Duration = Duration::from_secs(60);
const NODES: [&str; 10] = ["lb01", "lb02", "web01", "web02", "web03", "db01", "db02", "db03", "kvm01", "kvm02"];

/// The figures of a port that only grow, by the name of the tool and of vakt.
const COUNTERS: [(&str, &str); 8] = [
    ("rx pkts", "rx_packets"),
    ("rx bytes", "rx_bytes"),
    ("rx drop", "rx_dropped"),
    ("rx errs", "rx_errors"),
    ("tx pkts", "tx_packets"),
    ("tx bytes", "tx_bytes"),
    ("tx drop", "tx_dropped"),
    ("tx errs", "tx_errors"),
];

/// `ovs-ofctl dump-ports` of every bridge of a node: counters by port and name of the counter.
type Counted = BTreeMap<(String, String), u64>;

fn counted(node: &str) -> Counted {
    let script = "for b in $(sudo -n ovs-vsctl list-br); do sudo -n ovs-ofctl --names dump-ports $b; done";
    let mut counted = Counted::new();
    let mut port = String::new();
    for line in run(&["ssh", node, script]).lines() {
        let line = line.trim();
        let (direction, pairs) = if let Some(rest) = line.strip_prefix("port ") {
            let (name, pairs) = rest.split_once(": rx ").unwrap();
            name.trim().trim_matches('"').clone_into(&mut port);
            ("rx", pairs)
        } else if let Some(pairs) = line.strip_prefix("tx ") {
            ("tx", pairs)
        } else {
            continue;
        };
        for (key, value) in pairs.split(',').filter_map(|pair| pair.trim().split_once('=')) {
            if let Ok(value) = value.parse() {
                counted.insert((port.clone(), format!("{direction} {key}")), value);
            }
        }
    }
    counted
}

/// A table of `ovs-vsctl`, by the name of the row.
fn table(node: &str, table: &str, columns: &str) -> BTreeMap<String, Vec<Value>> {
    let script = format!("sudo -n ovs-vsctl --format=json --columns={columns} list {table}");
    let answer: Value = serde_json::from_str(&run(&["ssh", node, &script])).unwrap();
    let rows = answer["data"].as_array().unwrap().iter().map(|row| row.as_array().unwrap().clone());
    rows.map(|row| (row[0].as_str().unwrap().to_owned(), row)).collect()
}

/// OVSDB writes a set of one as its element, and an empty one as `["set", []]`.
fn only(value: &Value) -> Value {
    match value {
        Value::Array(parts) if parts.first() == Some(&Value::from("set")) => Value::Null,
        other => other.clone(),
    }
}

fn ports(document: &Value) -> &[Value] {
    document["ovs"]["ports"].as_array().unwrap()
}

fn is_read(document: &Value) -> bool {
    let switches = document["ovs"]["switches"].as_array().unwrap();
    switches.len() == NODES.len()
        && switches.iter().all(|switch| switch["daemon"] == "running" && switch["error"].is_null())
}

fn findings(document: &Value) -> Vec<(String, String)> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let all = document["findings"].as_array().unwrap().iter();
    all.map(|finding| (text(finding, "id"), text(finding, "subject"))).collect()
}

fn about_switches(document: &Value) -> Vec<(String, String)> {
    findings(document).into_iter().filter(|(rule, _)| rule.starts_with("ovs.")).collect()
}

#[test]
fn what_vakt_shows_is_what_the_tools_of_the_switch_say() {
    let Some(lab) = Lab::take() else { return };
    let before: BTreeMap<&str, Counted> = NODES.into_iter().map(|node| (node, counted(node))).collect();
    let mut watch = lab.watch();
    let document = watch.until("ten switches", CALM, is_read);
    drop(watch);
    let after: BTreeMap<&str, Counted> = NODES.into_iter().map(|node| (node, counted(node))).collect();
    let mut compared = 0;
    for port in ports(&document) {
        let (node, name) = (port["node"].as_str().unwrap(), port["interface"].as_str().unwrap());
        for (theirs, ours) in COUNTERS {
            let key = (name.to_owned(), theirs.to_owned());
            let (Some(shown), Some(least), Some(most)) =
                (port[ours].as_u64(), before[node].get(&key), after[node].get(&key))
            else {
                continue;
            };
            // Counters only grow: what vakt shows lies between the tool's answers before and after. The database's
            // own are up to 5 s old, those of patches and tunnels come from there.
            let is_live = !matches!(port["kind"].as_str(), Some("patch" | "vxlan"));
            assert!(shown <= *most, "{node} {name} {ours}: {shown}, the tool says {most} afterwards");
            assert!(!is_live || shown >= *least, "{node} {name} {ours}: {shown}, the tool said {least} before");
            compared += 1;
        }
    }
    // The bridge's own port has another name there.
    let theirs = before
        .values()
        .flat_map(BTreeMap::keys)
        .filter(|(port, counter)| port != "LOCAL" && COUNTERS.iter().any(|(theirs, _)| theirs == counter));
    println!("{compared} counters of {} ports compared", ports(&document).len());
    assert_eq!(compared, theirs.count(), "everything that the tool counts is shown");
}

#[test]
fn settings_and_states_are_those_of_the_database() {
    let Some(lab) = Lab::take() else { return };
    let mut watch = lab.watch();
    let document = watch.until("ten switches", CALM, is_read);
    drop(watch);
    for node in NODES {
        let interfaces = table(node, "interface", "name,admin_state,link_state,ofport,mtu,mac_in_use,error,type");
        let tags = table(node, "port", "name,tag,trunks");
        let shown: Vec<&Value> = ports(&document).iter().filter(|port| port["node"] == node).collect();
        assert_eq!(shown.len(), interfaces.len(), "{node}: every interface is shown once");
        for port in shown {
            let row = &interfaces[port["interface"].as_str().unwrap()];
            let keys = ["", "admin", "link", "ofport", "mtu_bytes", "mac", "error"];
            for (place, key) in keys.into_iter().enumerate().skip(1) {
                assert_eq!(port[key], only(&row[place]), "{node} {} {key}", row[0]);
            }
            let port_row = &tags[port["port"].as_str().unwrap()];
            assert_eq!(port["tag"], only(&port_row[1]), "{node} {} tag", port_row[0]);
            if let Value::Array(parts) = &port_row[2]
                && port["tag"].is_null()
            {
                assert_eq!(port["trunks"], parts[1], "{node} {} trunks", port_row[0]);
            }
        }
    }
}

/// Causes a fault by a script on the node, expects its finding first of all, and heals.
fn is_found(node: &'static str, cause: &str, heal: &'static [&'static str], rule: &str, subject: &str) {
    let Some(lab) = Lab::take() else { return };
    let mut watch = lab.watch();
    calm(&mut watch, node);
    let fault = lab.fault(&["ssh", node, cause], heal);
    let document = watch.until(rule, SEEN, |document| {
        findings(document).first().is_some_and(|(first, about)| first == rule && about == subject)
    });
    println!("{rule} about {subject} {:?} after it was caused", fault.at.elapsed());
    let wrong: Vec<_> = about_switches(&document).into_iter().filter(|(found, _)| found != rule).collect();
    assert_eq!(wrong, [], "nothing else is wrong with switches");
    fault.heal();
    watch.until("healed", CALM, |document| about_switches(document).is_empty());
}

/// All switches are read and nothing is wrong with them, nor with the node that is about to be broken.
fn calm(watch: &mut Watch, node: &str) {
    watch.until("ten switches in order", CALM, |document| {
        let is_quiet = findings(document).iter().all(|(_, subject)| !subject.contains(node));
        is_read(document) && about_switches(document).is_empty() && is_quiet
    });
}

#[test]
fn a_wrong_tag_is_found() {
    is_found(
        "web03",
        "sudo -n ovs-vsctl --timeout=5 set port priv0 tag=11",
        &["ssh", "web03", "sudo -n ovs-vsctl --timeout=5 set port priv0 tag=10"],
        "ovs.vlan_mismatch",
        "web03 br-int/priv0",
    );
}

#[test]
fn a_port_that_is_off_is_found() {
    is_found(
        "web03",
        "sudo -n ip link set eth1 down",
        &["ssh", "web03", "sudo -n ip link set eth1 up"],
        "ovs.port.down",
        "web03 br-phy/eth1",
    );
}

#[test]
fn drops_on_a_port_are_found() {
    is_found(
        "web03",
        "sudo -n ip link set priv0 txqueuelen 1; sudo -n systemd-run -q --unit=vakt-test-drops sh -c \
         'while sleep 0.1; do timeout 0.3 ping -q -n -c 20 -l 20 -W 1 10.10.0.21; done >/dev/null 2>&1'",
        &["ssh", "web03", "sudo -n systemctl stop vakt-test-drops; sudo -n ip link set priv0 txqueuelen 1000"],
        "ovs.drops",
        "web03 br-int/priv0",
    );
}

#[test]
fn a_halted_daemon_is_found() {
    is_found(
        "web03",
        "sudo -n kill -STOP $(cat /run/openvswitch/ovs-vswitchd.pid)",
        &["ssh", "web03", "sudo -n kill -CONT $(cat /run/openvswitch/ovs-vswitchd.pid)"],
        "ovs.daemon.halted",
        "web03",
    );
}
