//! `ovs-appctl dpctl/show -s`: datapaths, in each its ports with their counters of this moment.

use super::{Answer, ROWS_MAX, Understood, port_reference};
use crate::{
    model::{
        figure::{Figure, Unknown},
        ovs::Statistics,
        ovs_daemon::{DatapathLoad, PortCounters},
        text::Clean,
    },
    wire::complaints::Complaints,
};
use serde::Serialize;

/// A datapath with the counters of its ports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatapathCounters {
    /// Its own figures.
    pub load: DatapathLoad,
    /// Its ports. A patch has none here, and tunnels of one kind share one.
    pub ports: Vec<PortCounters>,
}

/// Every datapath, in the daemon's order; none when there is no bridge.
pub fn datapath_counters(bytes: &[u8]) -> Understood<DatapathCounters> {
    let mut answer = Answer::new("dpctl/show", bytes);
    let text = std::mem::take(&mut answer.text);
    let mut datapaths: Vec<DatapathCounters> = Vec::new();
    for (rows, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        if rows >= ROWS_MAX {
            answer.complaints.add("dpctl/show", format!("only {ROWS_MAX} lines are looked at"));
            break;
        }
        let is_head = !line.starts_with([' ', '\t']);
        match (is_head, line.trim(), datapaths.last_mut()) {
            (true, line, _) => match line.strip_suffix(':') {
                Some(name) => datapaths.push(new_datapath(name)),
                None if datapaths.is_empty() => {
                    answer.text = text;
                    return answer.not_understood();
                }
                None => answer.complaints.add("dpctl/show", format!("a line that is not understood: {line}")),
            },
            (false, line, Some(datapath)) => take(line, datapath, &mut answer.complaints),
            (false, _, None) => {
                answer.text = text;
                return answer.not_understood();
            }
        }
    }
    (Some(datapaths), answer.complaints.finish())
}

fn new_datapath(name: &str) -> DatapathCounters {
    let missing = Figure::Unknown(Unknown::Missing);
    let load = DatapathLoad {
        name: Clean::line(name),
        hits: missing,
        misses: missing,
        lost: missing,
        lost_per_s: Figure::Unknown(Unknown::NeedsTwoSamples),
        flows: missing,
    };
    DatapathCounters { load, ports: Vec::new() }
}

fn take(line: &str, datapath: &mut DatapathCounters, complaints: &mut Complaints) {
    if let Some((_, name)) = line.strip_prefix("port ").and_then(|rest| rest.split_once(": ")) {
        // `br-phy (tap)`, `vxlan_sys_4789 (vxlan: packet_type=ptap)`, `eth1`
        let name = name.split_once(" (").map_or(name, |(name, _)| name);
        let missing = Figure::Unknown(Unknown::Missing);
        let statistics = Statistics {
            rx_packets: missing,
            rx_bytes: missing,
            rx_dropped: missing,
            rx_errors: missing,
            rx_frame_err: missing,
            rx_over_err: missing,
            rx_crc_err: Figure::Unknown(Unknown::NotOffered),
            tx_packets: missing,
            tx_bytes: missing,
            tx_dropped: missing,
            tx_errors: missing,
            collisions: missing,
        };
        datapath.ports.push(PortCounters { port: port_reference(name.trim()), statistics });
    } else if let Some(counts) = line.strip_prefix("lookups: ") {
        let load = &mut datapath.load;
        for (key, value) in pairs(counts) {
            let slot = match key {
                "hit" => &mut load.hits,
                "missed" => &mut load.misses,
                "lost" => &mut load.lost,
                _ => continue,
            };
            *slot = complaints.number("dpctl/show lookups", value);
        }
    } else if let Some(flows) = line.strip_prefix("flows: ") {
        datapath.load.flows = complaints.number("dpctl/show flows", flows.trim());
    } else if let Some(last) = datapath.ports.last_mut() {
        counters(line, &mut last.statistics, complaints);
    }
    // Masks and caches of the datapath say nothing here.
}

/// `RX packets:12 errors:0 dropped:0 overruns:0 frame:0`, `RX bytes:936  TX bytes:7832 (7.6 KiB)`, `collisions:0`.
/// Newer versions add `UPCALL packets:? errors:?`, which are no frames of the port.
fn counters(line: &str, into: &mut Statistics, complaints: &mut Complaints) {
    if line.starts_with("UPCALL") {
        return;
    }
    let mut received = true;
    for word in line.split_whitespace() {
        match word {
            "RX" => received = true,
            "TX" => received = false,
            _ => {
                let Some((key, value)) = word.split_once(':') else { continue }; // `(7.6`, `KiB)`
                let slot = match (key, received) {
                    ("packets", true) => &mut into.rx_packets,
                    ("errors", true) => &mut into.rx_errors,
                    ("dropped", true) => &mut into.rx_dropped,
                    ("overruns", true) => &mut into.rx_over_err,
                    ("frame", true) => &mut into.rx_frame_err,
                    ("bytes", true) => &mut into.rx_bytes,
                    ("packets", false) => &mut into.tx_packets,
                    ("errors", false) => &mut into.tx_errors,
                    ("dropped", false) => &mut into.tx_dropped,
                    ("bytes", false) => &mut into.tx_bytes,
                    ("collisions", _) => &mut into.collisions,
                    _ => continue,
                };
                *slot = match value {
                    "?" => Figure::Unknown(Unknown::NotOffered),
                    number => complaints.number(format_args!("dpctl/show {key}"), number),
                };
            }
        }
    }
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split_whitespace().filter_map(|word| word.split_once(':'))
}
