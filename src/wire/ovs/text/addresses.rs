//! `ovs-appctl fdb/show`: a heading, then port, VLAN, address and age.

use super::{Answer, ROWS_MAX, Understood, port_reference};
use crate::model::{ovs_daemon::LearnedAddress, text::Clean};

/// The addresses that a bridge has learned, in the daemon's order.
pub fn learned_addresses(bytes: &[u8]) -> Understood<LearnedAddress> {
    let mut answer = Answer::new("fdb/show", bytes);
    let text = std::mem::take(&mut answer.text);
    let mut lines = text.lines();
    // Version 3 writes "port", version 4 "Port".
    let heading = lines.next().map(str::to_ascii_lowercase).unwrap_or_default();
    if !heading.split_whitespace().eq(["port", "vlan", "mac", "age"]) {
        answer.text = text;
        return answer.not_understood();
    }
    let mut addresses = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        if addresses.len() >= ROWS_MAX {
            answer.complaints.add("fdb/show", format!("only {ROWS_MAX} addresses are kept"));
            break;
        }
        match address(line) {
            Some(address) => addresses.push(address),
            None => answer.complaints.add("fdb/show", format!("a line that is not understood: {line}")),
        }
    }
    (Some(addresses), answer.complaints.finish())
}

fn address(line: &str) -> Option<LearnedAddress> {
    let words: Vec<&str> = line.split_whitespace().take(5).collect();
    let [port, vlan, mac, age] = words.as_slice() else { return None };
    let is_mac = mac.len() == 17 && mac.split(':').filter(|part| u8::from_str_radix(part, 16).is_ok()).count() == 6;
    Some(LearnedAddress {
        port: port_reference(port),
        vlan: vlan.parse().ok()?,
        mac: is_mac.then(|| Clean::line(mac))?,
        age_s: if *age == "static" { None } else { Some(age.parse().ok()?) },
    })
}
