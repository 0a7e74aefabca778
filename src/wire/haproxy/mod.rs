//! HAProxy's runtime API: `show info`, `show stat`, `show servers state`.
//!
//! One process answers for itself: with `nbproc` (gone since 2.5) the figures are those of the process behind the socket.
//!
//! Deliberately absent: the JSON and typed forms (45 and 8 times the bytes for the same figures).

pub mod commands;
mod info;
mod knobs;
mod servers_state;
mod stat;
mod stat_columns;
mod status;
mod table;

pub use knobs::set_knob;

use super::{
    complaints::Complaints,
    probe::{Complaint, Facts, Probe},
    request::{Call, Reply, Request},
};
use crate::model::{haproxy::HaproxySample, inventory::Node, text::Clean};

/// Longest answer to `show info`; it is about 2 KiB.
pub const INFO_CAP_BYTES: usize = 64 * 1024;
/// Longest answer to `show stat` and to `show servers state`; 20,000 servers take about 6 MiB.
pub const TABLE_CAP_BYTES: usize = 8 * 1024 * 1024;
/// Servers kept of one process.
pub const SERVERS_MAX: usize = 20_000;
/// Frontends and backends kept of one process, each.
pub const PROXIES_MAX: usize = 5_000;

/// The commands, in the order of the replies.
const COMMANDS: [(&str, usize); 3] =
    [("show info", INFO_CAP_BYTES), ("show stat", TABLE_CAP_BYTES), ("show servers state", TABLE_CAP_BYTES)];

/// Reads one HAProxy process.
#[derive(Debug)]
pub struct HaproxyProbe;

impl Probe for HaproxyProbe {
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request> {
        let Some(socket) = &node.haproxy_socket else { return Vec::new() };
        COMMANDS
            .iter()
            .map(|(command, cap_bytes)| {
                let call = Call::Haproxy { socket: socket.clone(), command: (*command).to_owned() };
                Request::read(call, deadline_ms, *cap_bytes)
            })
            .collect()
    }

    /// `None` when `show stat` was not understood: a sample without it would look like a process without proxies.
    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let mut complaints = Complaints::default();
        for (reply, (command, _)) in replies.iter().zip(COMMANDS) {
            if let Some(status) = reply.exit.filter(|status| *status != 0) {
                let words = Clean::line_from_bytes(&reply.stderr);
                complaints
                    .add(format!("{command}: exit"), format!("the way to the socket ended with {status}: {words}"));
            }
        }
        let bytes = |index: usize| replies.get(index).map_or(&[][..], |reply| &reply.bytes);
        let info = info::interpret(bytes(0), &mut complaints);
        let Some((frontends, mut backends)) = stat::interpret(bytes(1), &mut complaints) else {
            return (None, complaints.finish());
        };
        servers_state::join(bytes(2), &mut backends, &mut complaints);
        let sample = HaproxySample { info, frontends, backends };
        (Some(Facts::Haproxy(Box::new(sample))), complaints.finish())
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

/// The first line of an answer that is not what was asked for: HAProxy answers errors in prose, without a code.
fn prose(bytes: &[u8]) -> Clean {
    let line = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    if line.is_empty() { Clean::line("nothing") } else { Clean::line_from_bytes(line.trim_ascii()) }
}
