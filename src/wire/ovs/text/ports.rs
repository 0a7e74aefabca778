//! `ovs-ofctl dump-ports`: two lines for each port, a `?` where the datapath does not count.

use super::{Answer, ROWS_MAX, Understood, port_reference};
use crate::{
    model::{
        figure::{Figure, Unknown},
        ovs::Statistics,
        ovs_daemon::PortCounters,
    },
    wire::complaints::Complaints,
};

/// Counters of every port of a bridge, in the daemon's order.
pub fn port_counters(bytes: &[u8]) -> Understood<PortCounters> {
    let mut answer = Answer::new("dump-ports", bytes);
    let text = std::mem::take(&mut answer.text);
    let mut lines = text.lines();
    if !lines.next().is_some_and(|line| line.starts_with("OFPST_PORT reply")) {
        answer.text = text;
        return answer.not_understood();
    }
    let complaints = &mut answer.complaints;
    let mut ports: Vec<PortCounters> = Vec::new();
    for line in lines.map(str::trim) {
        if let Some((port, counters)) = line.strip_prefix("port ").and_then(|rest| rest.rsplit_once(": rx ")) {
            if ports.len() >= ROWS_MAX {
                complaints.add("dump-ports", format!("only {ROWS_MAX} ports are kept"));
                break;
            }
            let mut statistics = Statistics::default();
            take(counters, Direction::Received, &mut statistics, complaints);
            ports.push(PortCounters { port: port_reference(port.trim()), statistics });
        } else if let (Some(counters), Some(last)) = (line.strip_prefix("tx "), ports.last_mut()) {
            take(counters, Direction::Sent, &mut last.statistics, complaints);
        } else if !line.is_empty() && !line.starts_with("duration=") {
            complaints.add("dump-ports", format!("a line that is not understood: {line}"));
        }
    }
    // What no line said was not in the answer.
    ports.iter_mut().flat_map(|port| all(&mut port.statistics)).for_each(|counter| {
        if counter.why() == Some(Unknown::NotReadYet) {
            *counter = Figure::Unknown(Unknown::Missing);
        }
    });
    (Some(ports), answer.complaints.finish())
}

#[derive(Clone, Copy)]
enum Direction {
    Received,
    Sent,
}

/// `pkts=12, bytes=936, drop=?, errs=?, coll=?`
fn take(counters: &str, direction: Direction, into: &mut Statistics, complaints: &mut Complaints) {
    for pair in counters.split(',') {
        let Some((key, value)) = pair.trim().split_once('=') else {
            complaints.add("dump-ports", format!("a counter that is not understood: {pair}"));
            continue;
        };
        let slot = match (key, direction) {
            ("pkts", Direction::Received) => &mut into.rx_packets,
            ("bytes", Direction::Received) => &mut into.rx_bytes,
            ("drop", Direction::Received) => &mut into.rx_dropped,
            ("errs", Direction::Received) => &mut into.rx_errors,
            ("frame", Direction::Received) => &mut into.rx_frame_err,
            ("over", Direction::Received) => &mut into.rx_over_err,
            ("crc", Direction::Received) => &mut into.rx_crc_err,
            ("pkts", Direction::Sent) => &mut into.tx_packets,
            ("bytes", Direction::Sent) => &mut into.tx_bytes,
            ("drop", Direction::Sent) => &mut into.tx_dropped,
            ("errs", Direction::Sent) => &mut into.tx_errors,
            ("coll", Direction::Sent) => &mut into.collisions,
            _ => continue,
        };
        *slot = match value {
            "?" => Figure::Unknown(Unknown::NotOffered),
            number => complaints.number(format_args!("dump-ports {key}"), number),
        };
    }
}

fn all(statistics: &mut Statistics) -> [&mut Figure<u64>; 12] {
    [
        &mut statistics.rx_packets,
        &mut statistics.rx_bytes,
        &mut statistics.rx_dropped,
        &mut statistics.rx_errors,
        &mut statistics.rx_frame_err,
        &mut statistics.rx_over_err,
        &mut statistics.rx_crc_err,
        &mut statistics.tx_packets,
        &mut statistics.tx_bytes,
        &mut statistics.tx_dropped,
        &mut statistics.tx_errors,
        &mut statistics.collisions,
    ]
}
