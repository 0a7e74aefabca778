//! libvirt: what its client library tells becomes JSON in the transport, and facts here.
//!
//! The JSON has libvirt's own words: the keys of `virsh domstats` and the XML of `virsh dumpxml`. So a recording, a
//! capture and a simulated hypervisor are read by the same parser as a real one.
//!
//! Deliberately absent: libvirt's wire protocol, which its own library speaks (feature `libvirt`).

pub mod answer;
mod definition;
pub mod operation;
mod statistics;

use super::{
    complaints::Complaints,
    probe::{Complaint, Facts, Probe},
    request::{Call, Reply, Request},
};
use crate::model::inventory::Node;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Longest answer: some thousand domains.
pub const CAP_BYTES: usize = 16 * 1024 * 1024;
/// Domains kept of one hypervisor.
pub const DOMAINS_MAX: usize = 2000;
/// Disks, and interfaces, kept of one domain.
pub const DEVICES_MAX: usize = 256;
/// Definitions take a call for each domain.
const DEFINITIONS_DEADLINE_MS: u64 = 5_000;
/// Longest list of QEMU's start times.
const STARTS_CAP_BYTES: usize = 256 * 1024;

/// Fields that only an answering QEMU gives: without them libvirt told what it knows by itself.
pub const ANSWERED: [&str; 3] = ["balloon.rss", "balloon.available", "block.0.rd.reqs"];

/// When each QEMU process began: its pid file is written once, at its start, by libvirt 1 to 11.
const STARTS: &str = "date +%s; cd /run/libvirt/qemu 2>/dev/null && stat -c '%Y %n' -- *.pid 2>/dev/null; true";

/// What is asked of libvirt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// State and counters of all domains, and their jobs.
    Statistics,
    /// Definitions of all domains, and the capacity of the host.
    Definitions,
}

impl Question {
    /// What an operator would type after `virsh`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Statistics => "domstats --nowait",
            Self::Definitions => "list --all; virsh nodeinfo; virsh dumpxml DOMAIN",
        }
    }
}

/// Reads state and counters of all guests.
#[derive(Debug)]
pub struct GuestsProbe;

impl Probe for GuestsProbe {
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request> {
        let Some(socket) = &node.libvirt_socket else { return Vec::new() };
        vec![ask(socket, Question::Statistics, deadline_ms)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let mut complaints = Complaints::default();
        let sample = statistics::interpret(bytes(replies, 0), &mut complaints);
        (sample.map(|sample| Facts::Guests(Box::new(sample))), complaints.finish())
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

/// Reads how guests are defined, and what their host has to give.
#[derive(Debug)]
pub struct GuestProfileProbe;

impl GuestProfileProbe {
    /// Whether `call` asks when each guest began: how a simulated node recognises it.
    pub fn asks_starts(call: &Call) -> bool {
        matches!(call, Call::Shell { script } if script == STARTS)
    }
}

impl Probe for GuestProfileProbe {
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request> {
        let Some(socket) = &node.libvirt_socket else { return Vec::new() };
        let starts = Call::Shell { script: Cow::Borrowed(STARTS) };
        vec![
            ask(socket, Question::Definitions, deadline_ms.max(DEFINITIONS_DEADLINE_MS)),
            Request::read(starts, deadline_ms, STARTS_CAP_BYTES),
        ]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let mut complaints = Complaints::default();
        let profile = definition::interpret(bytes(replies, 0), bytes(replies, 1), &mut complaints);
        (profile.map(|profile| Facts::GuestProfile(Box::new(profile))), complaints.finish())
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

/// The socket of libvirt on which something may be changed: beside the one that is read there is one of the same name
/// without `-ro`.
pub fn writing_socket(node: &Node) -> Option<&str> {
    let socket = node.libvirt_socket.as_deref()?;
    Some(socket.strip_suffix("-ro").unwrap_or(socket))
}

fn ask(socket: &str, question: Question, deadline_ms: u64) -> Request {
    Request::read(Call::Libvirt { socket: socket.to_owned(), question }, deadline_ms, CAP_BYTES)
}

fn bytes(replies: &[Reply], index: usize) -> &[u8] {
    replies.get(index).map_or(&[], |reply| &reply.bytes)
}
