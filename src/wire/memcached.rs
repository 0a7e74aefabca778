//! memcached's `stats`, asked over its own port through the connection: nothing runs on the node for it.

use super::{
    complaints::Complaints,
    probe::{Complaint, Facts, Probe},
    request::{Call, Reply, Request, TCP_REFUSED, TCP_SILENT},
};
use crate::model::{
    figure::{Figure, Unknown},
    inventory::{Node, Role},
    memcached::{MemcachedSample, MemcachedState},
    text::Clean,
};
use std::{borrow::Cow, collections::HashMap};

/// Its port.
pub const PORT: u16 = 11211;
/// Longest answer; the newest memcached sends 4 KiB.
pub const CAP_BYTES: usize = 64 * 1024;
/// Fields of one answer that are looked at.
const FIELDS_MAX: usize = 512;

/// memcached's own figures.
#[derive(Debug)]
pub struct MemcachedProbe;

impl MemcachedProbe {
    /// Whether `call` is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::Tcp { port: PORT, send, .. } if send == "stats\r\n")
    }

    /// Where memcached may be.
    pub fn applies_to(node: &Node) -> bool {
        node.roles.iter().any(|role| matches!(role, Role::Cache | Role::Web | Role::App))
    }
}

impl Probe for MemcachedProbe {
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request> {
        let mut hosts: Vec<String> = node.private.iter().map(ToString::to_string).collect();
        hosts.push("127.0.0.1".to_owned());
        let call = Call::Tcp { hosts, port: PORT, send: Cow::Borrowed("stats\r\n"), end: Cow::Borrowed("END\r\n") };
        vec![Request::read(call, deadline_ms, CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let Some(reply) = replies.first() else { return (None, Vec::new()) };
        let (sample, complaints) = interpret(reply);
        (sample.map(|sample| Facts::Memcached(Box::new(sample))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

fn interpret(reply: &Reply) -> (Option<MemcachedSample>, Vec<Complaint>) {
    let state = match reply.exit {
        Some(TCP_REFUSED) => MemcachedState::Refuses,
        Some(TCP_SILENT) => MemcachedState::Silent,
        _ => MemcachedState::Answers,
    };
    if state != MemcachedState::Answers {
        return (Some(absent(state)), Vec::new());
    }
    let text = String::from_utf8_lossy(&reply.bytes);
    let fields: HashMap<&str, &str> = text
        .lines()
        .take(FIELDS_MAX)
        .filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let mut complaints = Complaints::default();
    if fields.is_empty() {
        let first = text.lines().next().unwrap_or_default();
        complaints.add("memcached", format!("not an answer to stats: {}", Clean::line(first)));
        return (None, complaints.finish());
    }
    let mut number = |name: &str| complaints.number(name, fields.get(name).copied().unwrap_or_default());
    let sample = MemcachedSample {
        state,
        version: Figure::from_option(fields.get("version").map(|text| Clean::line(text)), Unknown::Missing),
        uptime_s: number("uptime"),
        connections: number("curr_connections"),
        // Old versions do not tell it.
        connections_max: number("max_connections"),
        items: number("curr_items"),
        bytes: number("bytes"),
        bytes_max: number("limit_maxbytes"),
        gets: number("cmd_get"),
        hits: number("get_hits"),
        sets: number("cmd_set"),
        evictions: number("evictions"),
        rejected: number("rejected_connections"),
    };
    (Some(sample), complaints.finish())
}

/// Nothing is known of one that does not answer.
fn absent(state: MemcachedState) -> MemcachedSample {
    let why = Figure::Unknown(Unknown::NotRunning);
    MemcachedSample {
        state,
        version: Figure::Unknown(Unknown::NotRunning),
        uptime_s: why,
        connections: why,
        connections_max: why,
        items: why,
        bytes: why,
        bytes_max: why,
        gets: why,
        hits: why,
        sets: why,
        evictions: why,
        rejected: why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nobody_answers_is_an_answer() {
        let refused = Reply { exit: Some(TCP_REFUSED), ..Reply::default() };
        assert_eq!(interpret(&refused).0.map(|sample| sample.state), Some(MemcachedState::Refuses));
        let silent = Reply { exit: Some(TCP_SILENT), bytes: b"STAT pid 1\r\n".to_vec(), ..Reply::default() };
        let sample = interpret(&silent).0.unwrap_or_default();
        assert_eq!((sample.state, sample.gets), (MemcachedState::Silent, Figure::Unknown(Unknown::NotRunning)));
    }

    #[test]
    fn another_daemon_on_the_port_is_not_taken_for_it() {
        let reply = Reply { exit: Some(0), bytes: b"HTTP/1.1 400 Bad Request\r\n".to_vec(), ..Reply::default() };
        let (sample, complaints) = interpret(&reply);
        assert_eq!(sample, None);
        assert_eq!(complaints.len(), 1);
    }
}
