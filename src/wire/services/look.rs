//! The answer of [`super::ServicesProbe`] as a [`ServicesSample`].

use super::{listeners, nfs, web};
use crate::{
    model::{
        figure::{Figure, Unknown},
        services::{Conversations, ServicesSample},
        text::Clean,
    },
    wire::{
        complaints::Complaints,
        probe::Complaint,
        sources::{Sources, as_text},
    },
};
use std::collections::BTreeMap;

/// Sockets kept of one node.
const SOCKETS_MAX: usize = 16;
/// Services started at boot that are named.
const ENABLED_MAX: usize = 32;

/// What the answer says; `None` when no command of the script ran.
pub(super) fn interpret(bytes: &[u8]) -> (Option<ServicesSample>, Vec<Complaint>) {
    let text = as_text(bytes);
    let sources = Sources::parse(&text, &["tables", "enabled", "master"]);
    let mut complaints = Complaints::default();
    if sources.cut {
        complaints.add("the answer", "too many lines; the rest is left out");
    }
    let listeners::Found { listeners, lent } = listeners::of(&sources, &mut complaints);
    if listeners.why().is_some() && sources.lines("master").is_empty() && sources.lines("enabled").is_empty() {
        complaints.add("the answer", "neither sockets nor services in it");
        return (None, complaints.finish());
    }
    let sample = ServicesSample {
        listeners,
        lent,
        enabled: enabled(&sources),
        web: web::of(&sources, &mut complaints),
        nfs: nfs::of(&sources, &mut complaints),
        conversations: conversations(&sources),
        conversations_max: conversations_max(&sources),
        connections: connections(&sources),
    };
    (Some(sample), complaints.finish())
}

/// `memcached.service`, `S80memcached`: the names.
fn enabled(sources: &Sources<'_>) -> Vec<Clean> {
    let mut names: Vec<Clean> = Vec::new();
    for line in sources.lines("enabled") {
        let name = match line.strip_suffix(".service") {
            Some(name) => name,
            None => line.trim_start_matches('S').trim_start_matches(|c: char| c.is_ascii_digit()),
        };
        let name = Clean::line(name);
        if !names.contains(&name) && names.len() < ENABLED_MAX {
            names.push(name);
        }
    }
    names
}

/// `0000000000000000: 00000003 00000000 00000000 0001 03 51990 /run/haproxy/admin.sock`: one line a connected end.
fn conversations(sources: &Sources<'_>) -> Vec<Conversations> {
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for line in sources.lines("/proc/net/unix") {
        let Some(path) = line.split_whitespace().nth(7).filter(|path| path.starts_with('/')) else { continue };
        let path = bound_path(path);
        if counted.len() < SOCKETS_MAX || counted.contains_key(path) {
            *counted.entry(path).or_default() += 1;
        }
    }
    counted.into_iter().map(|(path, count)| Conversations { path: Clean::line(path), count }).collect()
}

/// HAProxy binds its socket under another name, `/run/haproxy/admin.sock.148.tmp`, and renames the file: the kernel
/// keeps the name that it was bound to.
fn bound_path(path: &str) -> &str {
    let renamed = path.strip_suffix(".tmp").and_then(|rest| rest.rsplit_once('.'));
    renamed.filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit())).map_or(path, |(path, _)| path)
}

/// `stats maxconn 20` of HAProxy's configuration.
fn conversations_max(sources: &Sources<'_>) -> Option<u64> {
    let mut lines = sources.lines("/etc/haproxy/haproxy.cfg").iter();
    lines.find_map(|line| line.trim().strip_prefix("stats")?.trim().strip_prefix("maxconn")?.trim().parse().ok())
}

/// `Tcp: RtoAlgorithm … CurrEstab …` and a line of values below it.
fn connections(sources: &Sources<'_>) -> Figure<u64> {
    let lines = sources.lines("/proc/net/snmp").iter().filter_map(|line| line.strip_prefix("Tcp: "));
    let lines: Vec<&str> = lines.take(2).collect();
    let [names, values] = lines[..] else { return Figure::Unknown(Unknown::Missing) };
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let value = pairs.find(|(name, _)| *name == "CurrEstab").and_then(|(_, value)| value.parse().ok());
    Figure::from_option(value, Unknown::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_connections_are_found_by_their_name() {
        let of = |text: &str| interpret(format!("tables:yes\n{text}").as_bytes()).0.unwrap_or_default().connections;
        let lines = "/proc/net/snmp:Ip: Forwarding CurrEstab\n/proc/net/snmp:Ip: 1 2\n\
            /proc/net/snmp:Tcp: RtoAlgorithm MaxConn CurrEstab InSegs\n/proc/net/snmp:Tcp: 1 -1 57 99\n";
        assert_eq!(of(lines), Figure::Known(57));
        assert_eq!(of("/proc/net/snmp:Tcp: RtoAlgorithm MaxConn CurrEstab\n"), Figure::Unknown(Unknown::Missing));
        assert_eq!(of("/proc/net/snmp:Tcp: CurrEstab\n/proc/net/snmp:Tcp: x\n"), Figure::Unknown(Unknown::Missing));
    }

    #[test]
    fn connected_ends_of_a_socket_are_counted() {
        let text = "tables:yes\n/proc/net/unix:0000000000000000: 00000003 00000000 00000000 0001 03 51990 /run/haproxy/admin.sock\n\
                    /proc/net/unix:0000000000000000: 00000003 00000000 00000000 0001 03 51991 /run/haproxy/admin.sock.148.tmp\n\
                    /etc/haproxy/haproxy.cfg:    stats maxconn 20\n";
        let sample = interpret(text.as_bytes()).0.unwrap_or_default();
        assert_eq!(sample.conversations, [Conversations { path: "/run/haproxy/admin.sock".into(), count: 2 }]);
        assert_eq!(sample.conversations_max, Some(20));
    }
}
