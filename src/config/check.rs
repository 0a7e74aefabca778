//! What only the whole file can tell: absences, repetitions, references, intervals that contradict each other.

use super::{
    defaults,
    document::{Document, Table},
    jump,
    problem::{Position, Problems},
    suggest::nearest,
    write_endpoint,
};
use crate::{model::inventory::Role, wire::mysql::HeartbeatTable};
use std::{collections::BTreeMap, fmt::Display, net::IpAddr};

/// Notes every problem of the file as a whole. `mode`: the file's permission bits, where the system has them.
pub(super) fn check(document: &Document, mode: Option<u32>, problems: &mut Problems<'_>) {
    secrecy(document, mode, problems);
    if !document.has("cluster") {
        let (what, cure) = missing_cluster_name();
        problems.add(Position::START, what, cure);
    }
    if !document.has("node") {
        problems.add(
            Position::START,
            "no nodes",
            "add a [[node]] with name, roles and management for each machine; `vakt config example` shows how",
        );
    }
    repetitions(document, problems);
    jump::check(document, problems);
    vips(document, problems);
    write_endpoint::check(document, problems);
    guests(document, problems);
    lock(document, problems);
    mysql(document, problems);
    intervals(document, problems);
}

/// What is said when the cluster has no name.
pub(super) fn missing_cluster_name() -> (String, String) {
    let cure = "add name = \"…\" under [cluster]; it is typed to confirm a change that concerns the whole cluster";
    ("the cluster has no name".into(), cure.into())
}

/// The heartbeat table is a schema and a name.
fn mysql(document: &Document, problems: &mut Problems<'_>) {
    let Some(mysql) = document.table("mysql") else { return };
    if let (Some(table), Some(at)) = (mysql.text("heartbeat_table"), mysql.position("heartbeat_table")) {
        let plain =
            table.split_once('.').is_some_and(|(schema, table)| HeartbeatTable::new(schema, table, true).is_some());
        if !plain {
            let cure = "write schema.table, both of letters, digits, '_' or '$'";
            problems.add(at, format!("heartbeat_table \"{table}\" is not a table"), cure);
        }
    }
}

/// Who can read the file can read its secrets.
fn secrecy(document: &Document, mode: Option<u32>, problems: &mut Problems<'_>) {
    let Some(mode) = mode.filter(|mode| mode & 0o077 != 0) else { return };
    if let Some((key, at)) = document.secrets().min_by_key(|(_, at)| *at) {
        let path = problems.path().display().to_string();
        problems.add(
            at,
            format!("{key} is a secret and others can read this file (mode {:04o})", mode & 0o7777),
            format!("run chmod 600 {path}, and change the secret if someone may have read it"),
        );
    }
}

fn repetitions(document: &Document, problems: &mut Problems<'_>) {
    let mut management = First::new("management address");
    let mut private = First::new("private address");
    let mut public = First::new("public address");
    let ssh = document.table("ssh");
    let port = |table: &Table| table.integer("port").or_else(|| ssh?.integer("port")).unwrap_or(22);
    names(document, problems);
    for node in document.list("node") {
        if let Some(address) = node.text("management") {
            // The same address behind another jump host, or on another port, is another machine.
            let way: Vec<_> = jump::of_node(ssh, node).into_iter().flatten().map(|hop| hop.value).collect();
            let key = (address.to_lowercase(), port(node), way);
            management.see_as(key, address, node, "management", problems);
        }
        for (seen, key) in [(&mut private, "private"), (&mut public, "public")] {
            if let Some(address) = node.address(key) {
                seen.see(address, node, key, problems);
            }
        }
    }
    let mut virtual_addresses = First::new("virtual address");
    for vip in document.list("vip") {
        if let Some(address) = vip.address("address") {
            virtual_addresses.see(address, vip, "address", problems);
            taken_by_node(address, vip, &private, &public, problems);
        }
    }
}

/// Nodes and jump hosts share one set of names: `jump` may refer to both.
fn names(document: &Document, problems: &mut Problems<'_>) {
    let mut hosts: Vec<_> = document.list("node").iter().map(|node| (node, "node")).collect();
    hosts.extend(document.list("jump_host").iter().map(|host| (host, "jump host")));
    hosts.sort_by_key(|(host, _)| host.at);
    let mut seen: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (host, what) in hosts {
        let (Some(name), Some(at)) = (host.text("name"), host.position("name")) else { continue };
        if let Some((line, first)) = seen.get(name) {
            let what = format!("duplicate {what} {name}: line {line} has a {first} of that name already");
            problems.add(at, what, "give each its own name, or remove one");
        } else {
            seen.insert(name, (at.line, what));
        }
    }
}

fn taken_by_node(
    address: IpAddr,
    vip: &Table,
    private: &First<IpAddr>,
    public: &First<IpAddr>,
    problems: &mut Problems<'_>,
) {
    if let Some(line) = private.line(&address).or_else(|| public.line(&address)) {
        problems.add(
            vip.position("address").unwrap_or(vip.at),
            format!("virtual address {address} is a node's own address (line {line})"),
            "give the address that moves between the nodes",
        );
    }
}

/// Remembers where each value was first seen.
struct First<K> {
    what: &'static str,
    lines: BTreeMap<K, usize>,
}

impl<K: Ord> First<K> {
    fn new(what: &'static str) -> Self {
        Self { what, lines: BTreeMap::new() }
    }

    fn line(&self, value: &K) -> Option<usize> {
        self.lines.get(value).copied()
    }

    fn see(&mut self, value: K, table: &Table, key: &str, problems: &mut Problems<'_>)
    where
        K: Display,
    {
        let shown = value.to_string();
        self.see_as(value, &shown, table, key, problems);
    }

    fn see_as(&mut self, value: K, shown: &str, table: &Table, key: &str, problems: &mut Problems<'_>) {
        let at = table.position(key).unwrap_or(table.at);
        if let Some(first) = self.lines.get(&value) {
            let what = format!("duplicate {} {shown}: line {first} has it already", self.what);
            problems.add(at, what, format!("give each its own {}, or remove one", self.what));
        } else {
            self.lines.insert(value, at.line);
        }
    }
}

fn vips(document: &Document, problems: &mut Problems<'_>) {
    let names: Vec<&str> = document.list("node").iter().filter_map(|node| node.text("name")).collect();
    for vip in document.list("vip") {
        for node in vip.texts("nodes").unwrap_or_default() {
            if names.contains(&node.value.as_str()) {
                continue;
            }
            let cure = match nearest(&node.value, names.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add a [[node]] with name = \"{}\", or remove it here", node.value),
            };
            problems.add(node.at, format!("virtual address on unknown node \"{}\"", node.value), cure);
        }
    }
}

/// Guests have names of their own, and run on hypervisors of this file.
fn guests(document: &Document, problems: &mut Problems<'_>) {
    let mut names = First::new("guest");
    for guest in document.list("guest") {
        if let Some(name) = guest.text("name") {
            names.see(name.to_owned(), guest, "name", problems);
            if let Some(node) = document.list("node").iter().find(|node| node.text("name") == Some(name)) {
                let at = guest.position("name").unwrap_or(guest.at);
                let what = format!("guest {name} is a node, too (line {})", node.at.line);
                problems.add(at, what, "remove this [[guest]]: a guest that is a node needs no table of its own");
            }
        }
    }
    let hypervisors = || {
        let nodes = document.list("node").iter();
        let nodes = nodes.filter(|node| node.roles("roles").is_some_and(|roles| roles.contains(&Role::Hypervisor)));
        nodes.filter_map(|node| node.text("name"))
    };
    for table in document.list("guest").iter().chain(document.list("node")) {
        for host in table.texts("hosts").unwrap_or_default() {
            let name = host.value.as_str();
            if hypervisors().any(|hypervisor| hypervisor == name) {
                continue;
            }
            let cure = match nearest(name, hypervisors()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("give a node called \"{name}\" the role hypervisor, or remove it here"),
            };
            problems.add(host.at, format!("\"{name}\" is no hypervisor of this file"), cure);
        }
    }
}

/// The lock is held by most of its nodes: with an even number two halves could each believe the other has it.
fn lock(document: &Document, problems: &mut Problems<'_>) {
    let Some(lock) = document.table("lock") else { return };
    let names: Vec<&str> = document.list("node").iter().filter_map(|node| node.text("name")).collect();
    let nodes = lock.texts("nodes").unwrap_or_default();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes {
        let name = node.value.as_str();
        if let Some(line) = seen.insert(name, node.at.line) {
            problems.add(node.at, format!("lock node {name} is named twice (line {line})"), "name each node once");
        } else if !names.contains(&name) {
            let cure = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add a [[node]] with name = \"{name}\", or remove it here"),
            };
            problems.add(node.at, format!("lock on unknown node \"{name}\""), cure);
        }
    }
    if let Some(at) = lock.position("nodes").filter(|_| !nodes.is_empty() && seen.len().is_multiple_of(2)) {
        let what =
            format!("the lock is held on {} nodes: an even number has no majority when it splits in half", seen.len());
        problems.add(at, what, "name an odd number of nodes: one, three or five");
    }
}

fn intervals(document: &Document, problems: &mut Problems<'_>) {
    let of = |section: &str, key: &str| {
        let own = document.table(section).and_then(|table| table.integer(key));
        own.unwrap_or_else(|| defaults::integer(section, key))
    };
    if let Some(poll) = document.table("poll") {
        let (host_ms, stale_ms) = (of("poll", "host_ms"), of("poll", "stale_after_ms"));
        if let Some(at) = poll.position("stale_after_ms").filter(|_| stale_ms <= host_ms) {
            problems.add(
                at,
                format!("stale_after_ms = {stale_ms} ms is not longer than host_ms = {host_ms} ms: every node would be stale between two polls"),
                format!("use at least {} ms, or remove the line", stale_after_ms(host_ms)),
            );
        }
    }
    if let Some(ssh) = document.table("ssh") {
        let (min, max) = (of("ssh", "backoff_min_ms"), of("ssh", "backoff_max_ms"));
        let at = ssh.position("backoff_min_ms").or_else(|| ssh.position("backoff_max_ms"));
        if let Some(at) = at.filter(|_| min > max) {
            problems.add(
                at,
                format!("backoff_min_ms = {min} ms is longer than backoff_max_ms = {max} ms"),
                "make the first wait no longer than the longest",
            );
        }
    }
}

/// The stale limit that goes with a poll interval: one answer may be lost and the next one late.
pub(super) fn stale_after_ms(host_ms: u64) -> u64 {
    defaults::integer("poll", "stale_after_ms").max(host_ms.saturating_mul(5) / 2)
}
