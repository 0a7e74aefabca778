//! Plain Linux bridges, from `/sys/class/net`: one read by `grep`, each line with the file it came from.
//!
//! `brctl` and `bridge` are not needed: many a host has neither, and old ones cannot write JSON.

use super::{
    complaints::Complaints,
    probe::{Complaint, Facts, Probe},
    request::{Call, Reply, Request},
};
use crate::model::{
    figure::{Figure, Unknown},
    inventory::Node,
    linux_bridge::{LinuxBridge, LinuxBridgePort, PortForwarding},
    text::Clean,
};
use std::{borrow::Cow, collections::BTreeMap};

/// What is run. A file that is not there is no complaint of grep's (`-s`): hosts without a bridge have none of them.
pub const SCRIPT: &str = "grep -s '' /sys/class/net/*/bridge/stp_state /sys/class/net/*/bridge/bridge_id \
/sys/class/net/*/bridge/ageing_time /sys/class/net/*/bridge/vlan_filtering /sys/class/net/*/brif/*/state \
/sys/class/net/*/mtu /sys/class/net/*/operstate";

/// Bridges kept of one host.
pub const BRIDGES_MAX: usize = 1000;
/// Ports kept of one host.
pub const PORTS_MAX: usize = 20_000;
/// Lines looked at.
const LINES_MAX: usize = 200_000;

/// Longest answer that is accepted.
const CAP_BYTES: usize = 8 * 1024 * 1024;

/// Plain bridges of the kernel.
#[derive(Debug)]
pub struct LinuxBridgesProbe;

impl LinuxBridgesProbe {
    /// Whether `call` is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::Shell { script } if script == SCRIPT)
    }
}

impl Probe for LinuxBridgesProbe {
    fn requests(&self, _node: &Node, deadline_ms: u64) -> Vec<Request> {
        vec![Request::read(Call::Shell { script: Cow::Borrowed(SCRIPT) }, deadline_ms, CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let Some(reply) = replies.first().filter(|reply| !reply.bytes.is_empty()) else {
            return (None, vec![Complaint::new("/sys/class/net", "says nothing")]);
        };
        let (bridges, complaints) = interpret(&reply.bytes);
        (Some(Facts::LinuxBridges(bridges)), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

/// Every bridge by name.
pub fn interpret(bytes: &[u8]) -> (Vec<LinuxBridge>, Vec<Complaint>) {
    let mut complaints = Complaints::default();
    let text = String::from_utf8_lossy(bytes);
    let files = files(&text, &mut complaints);
    let device = |name: &str, file: &str| files.get(&(name, file)).copied();
    let mut bridges = Vec::new();
    let mut ports_kept = 0;
    for ((name, file), spanning_tree) in &files {
        if *file != "bridge/stp_state" {
            continue;
        }
        if bridges.len() >= BRIDGES_MAX {
            complaints.add("bridges", format!("only {BRIDGES_MAX} are kept"));
            break;
        }
        let mut number = |file: &str| match device(name, file) {
            None => Figure::Unknown(Unknown::NotOffered),
            Some(text) => complaints.number::<u64>(format_args!("{name}/{file}"), text),
        };
        // The kernel counts in hundredths of a second.
        let ageing_ms = number("bridge/ageing_time").map(|ticks| ticks.saturating_mul(10));
        let filters_vlans = number("bridge/vlan_filtering").map(|flag| flag != 0);
        let mtu_bytes = number("mtu");
        let ports = ports(name, &files, &mut complaints);
        let room = PORTS_MAX - ports_kept;
        if ports.len() > room {
            complaints.add("bridge ports", format!("only {PORTS_MAX} are kept"));
        }
        let ports: Vec<LinuxBridgePort> = ports.into_iter().take(room).collect();
        ports_kept += ports.len();
        bridges.push(LinuxBridge {
            name: Clean::line(name),
            bridge_id: Figure::from_option(device(name, "bridge/bridge_id").map(Clean::line), Unknown::Missing),
            // 1: the kernel's own, 2: a daemon's.
            spanning_tree: complaints
                .number::<u64>(format_args!("{name}/stp_state"), spanning_tree)
                .map(|state| state != 0),
            ageing_ms,
            filters_vlans,
            mtu_bytes,
            state: Figure::from_option(device(name, "operstate").map(Clean::line), Unknown::Missing),
            ports,
        });
    }
    (bridges, complaints.finish())
}

/// The first line of each file, by device and the file's path below it.
fn files<'a>(text: &'a str, complaints: &mut Complaints) -> BTreeMap<(&'a str, &'a str), &'a str> {
    let mut files = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        if index >= LINES_MAX {
            complaints.add("/sys/class/net", format!("only {LINES_MAX} lines are looked at"));
            break;
        }
        let parts = line.strip_prefix("/sys/class/net/").and_then(|rest| {
            // No value here holds a colon; the names of devices on old kernels may.
            let (path, value) = rest.rsplit_once(':')?;
            let (device, file) = path.split_once('/')?;
            Some(((device, file), value))
        });
        match parts {
            Some((path, value)) => {
                files.entry(path).or_insert(value);
            }
            None => complaints.add("/sys/class/net", format!("a line that is not understood: {line}")),
        }
    }
    files
}

fn ports(bridge: &str, files: &BTreeMap<(&str, &str), &str>, complaints: &mut Complaints) -> Vec<LinuxBridgePort> {
    let mut ports = Vec::new();
    for ((_, file), state) in files
        .range((bridge, "brif/")..)
        .take_while(|((device, file), _)| *device == bridge && file.starts_with("brif/"))
    {
        let Some(name) = file.strip_prefix("brif/").and_then(|file| file.strip_suffix("/state")) else { continue };
        let forwarding = match *state {
            "0" => Figure::Known(PortForwarding::Disabled),
            "1" => Figure::Known(PortForwarding::Listening),
            "2" => Figure::Known(PortForwarding::Learning),
            "3" => Figure::Known(PortForwarding::Forwarding),
            "4" => Figure::Known(PortForwarding::Blocking),
            other => {
                complaints.add(format!("{bridge}/brif/{name}/state"), format!("not a state that is known: {other}"));
                Figure::Unknown(Unknown::Malformed)
            }
        };
        let mtu_bytes = match files.get(&(name, "mtu")) {
            None => Figure::Unknown(Unknown::Missing),
            Some(text) => complaints.number(format_args!("{name}/mtu"), text),
        };
        let state = files.get(&(name, "operstate")).map(|word| Clean::line(word));
        ports.push(LinuxBridgePort {
            name: Clean::line(name),
            forwarding,
            mtu_bytes,
            state: Figure::from_option(state, Unknown::Missing),
        });
    }
    ports
}
