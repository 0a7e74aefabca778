//! Guests of the lab's hypervisors: what vakt says agrees with libvirt's own tool and with Open vSwitch.
//!
//! Tolerances: what does not move is equal; memory of the QEMU process lies within 5 % of what virsh said just before or
//! just after; processor shares of the same seconds differ by at most 5 points of a core; an uptime by 15 s (it is read twice a minute).

use super::lab::{Lab, answer};
use crate::program::now;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

const HOSTS: [(&str, &str); 2] = [("kvm01", "app01"), ("kvm02", "app02")];
const RESIDENT_SHARE: f64 = 0.05;
const CPU_POINTS: f64 = 5.0;
const UPTIME_S: u64 = 15;

fn on(host: &str, script: &str) -> String {
    answer(&["exec", host, "sh", "-c", script])
}

/// `virsh domstats` of one guest.
fn domstats(host: &str, guest: &str) -> BTreeMap<String, String> {
    let text = on(host, &format!("virsh domstats --raw {guest}"));
    let fields = text.lines().filter_map(|line| line.trim().split_once('='));
    fields.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn number(stats: &BTreeMap<String, String>, key: &str) -> u64 {
    stats.get(key).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {key} in {stats:?}"))
}

fn guest<'a>(document: &'a Value, host: &str, name: &str) -> &'a Value {
    let guests = document["vms"]["guests"].as_array().unwrap();
    guests.iter().find(|guest| guest["node"] == host && guest["name"] == name).unwrap()
}

#[test]
fn state_memory_disks_and_ports_of_guests_agree_with_virsh_and_ovs_vsctl() {
    let Some(lab) = Lab::take() else { return };
    let before: Vec<_> = HOSTS.iter().map(|(host, guest)| domstats(host, guest)).collect();
    let document = lab.status();
    for ((host, name), before) in HOSTS.into_iter().zip(before) {
        let after = domstats(host, name);
        let row = guest(&document, host, name);
        assert_eq!(row["state"], on(host, &format!("virsh domstate {name}")).trim(), "{row:#}");
        assert_eq!(row["vcpus"], number(&after, "vcpu.current"));
        assert_eq!(row["memory_current_bytes"], number(&after, "balloon.current") * 1024);
        assert_eq!(row["memory_maximum_bytes"], number(&after, "balloon.maximum") * 1024);
        assert_eq!(row["disks"][0]["path"], after["block.0.path"]);
        assert_eq!(row["disks"][0]["capacity_bytes"], number(&after, "block.0.capacity"));
        let resident = row["memory_resident_bytes"].as_u64().unwrap() as f64;
        let said = [&before, &after].map(|stats| number(stats, "balloon.rss") as f64 * 1024.0);
        let is_near = |said: f64| (resident - said).abs() <= said * RESIDENT_SHARE;
        assert!(said.into_iter().any(is_near), "resident {resident}, virsh {said:?}");
        plugged(host, row);
        let age: u64 = on(host, &format!("echo $(( $(date +%s) - $(stat -c %Y /run/libvirt/qemu/{name}.pid) ))"))
            .trim()
            .parse()
            .unwrap();
        let uptime = row["uptime_s"].as_u64().unwrap();
        assert!(uptime <= age && age - uptime <= UPTIME_S, "uptime {uptime}, its pid file says {age}");
    }
}

/// Bridge, VLAN and identity of the guest's port, as Open vSwitch has them.
fn plugged(host: &str, row: &Value) {
    let interface = &row["interfaces"][0];
    let tap = interface["name"].as_str().unwrap();
    let tag = on(host, &format!("ovs-vsctl get port {tap} tag"));
    assert_eq!(interface["vlans"], serde_json::json!([tag.trim().parse::<u64>().unwrap()]));
    assert_eq!(interface["bridge"], on(host, &format!("ovs-vsctl port-to-br {tap}")).trim());
    let ids = on(host, &format!("ovs-vsctl get interface {tap} external_ids"));
    assert!(ids.contains(row["uuid"].as_str().unwrap()), "the port carries the guest's identity: {ids}");
    assert!(ids.contains(interface["mac"].as_str().unwrap()), "and its address: {ids}");
}

#[test]
fn processor_time_of_guests_agrees_with_virsh_over_the_same_seconds() {
    let Some(lab) = Lab::take() else { return };
    let mut watch = lab.watch();
    let known =
        |document: &Value| HOSTS.iter().all(|(host, name)| !guest(document, host, name)["cpu_percent"].is_null());
    watch.until("rates of all guests", Duration::from_secs(10), known);
    let start = now();
    let time = || HOSTS.map(|(host, name)| number(&domstats(host, name), "cpu.time"));
    let before = time();
    let mut shares: [Vec<f64>; 2] = Default::default();
    while start.elapsed() < Duration::from_secs(8) {
        let document = watch.next();
        for ((host, name), shares) in HOSTS.into_iter().zip(&mut shares) {
            shares.extend(guest(&document, host, name)["cpu_percent"].as_f64());
        }
    }
    let (after, elapsed_ns) = (time(), start.elapsed().as_nanos() as f64);
    for (place, (host, name)) in HOSTS.into_iter().enumerate() {
        let said = (after[place] - before[place]) as f64 / elapsed_ns * 100.0;
        let mean = shares[place].iter().sum::<f64>() / shares[place].len() as f64;
        assert!((mean - said).abs() <= CPU_POINTS, "{name} on {host}: {mean:.1} %, virsh {said:.1} %");
    }
}
