//! The way through jump hosts: who is reached through whom, and whether that ever ends.

use super::{
    document::{Document, Table},
    problem::{At, Position, Problems},
    suggest::nearest,
};
use std::collections::{BTreeMap, BTreeSet};

/// The `jump` of a node: its own, or that of `[ssh]` up to the node itself, which cannot be reached through itself.
pub(super) fn of_node(ssh: Option<&Table>, node: &Table) -> Option<Vec<At<String>>> {
    if let Some(own) = node.texts("jump") {
        return Some(own.to_vec());
    }
    let inherited = ssh?.texts("jump")?;
    let name = node.text("name");
    Some(inherited.iter().take_while(|hop| Some(hop.value.as_str()) != name).cloned().collect())
}

/// One machine that can be connected to.
struct Stop {
    /// Where its `jump` stands.
    at: Position,
    chain: Vec<String>,
}

/// Notes unknown jump hosts and loops.
pub(super) fn check(document: &Document, problems: &mut Problems<'_>) {
    let ssh = document.table("ssh");
    let jump_hosts = document.list("jump_host").iter().map(|host| (host, host.texts("jump").map(<[_]>::to_vec)));
    let nodes = document.list("node").iter().map(|node| (node, of_node(ssh, node)));
    let mut stops = BTreeMap::new();
    for (table, chain) in jump_hosts.chain(nodes) {
        let Some(name) = table.text("name") else { continue };
        let chain = chain.unwrap_or_default();
        let at = table.position("jump").or_else(|| chain.first().map(|hop| hop.at)).unwrap_or(table.at);
        let chain = chain.into_iter().map(|hop| hop.value).collect();
        stops.entry(name).or_insert(Stop { at, chain });
    }
    unknown(document, &stops, problems);
    loops(&stops, problems);
}

fn unknown(document: &Document, stops: &BTreeMap<&str, Stop>, problems: &mut Problems<'_>) {
    let tables = document.table("ssh").into_iter().chain(document.list("jump_host")).chain(document.list("node"));
    let hops = tables.filter_map(|table| table.texts("jump")).flatten();
    for hop in hops.filter(|hop| !stops.contains_key(hop.value.as_str())) {
        let add = format!("add a [[jump_host]] with name = \"{}\" and its address", hop.value);
        let cure = match nearest(&hop.value, stops.keys().copied()) {
            Some(near) => format!("did you mean \"{near}\"? Otherwise {add}"),
            None => add,
        };
        problems.add(hop.at, format!("unknown jump host \"{}\"", hop.value), cure);
    }
}

fn loops(stops: &BTreeMap<&str, Stop>, problems: &mut Problems<'_>) {
    let rings: BTreeMap<&str, Vec<&str>> =
        stops.keys().filter_map(|&name| Some((name, ring(&way_to(stops, name))?))).collect();
    let is_member = |name: &str| rings.get(name).is_some_and(|ring| ring.contains(&name));
    let mut told = BTreeSet::new();
    for (&name, ring) in &rings {
        if is_member(name) {
            let members: BTreeSet<&str> = ring.iter().copied().collect();
            let at = members.iter().filter_map(|member| stops.get(member)).map(|stop| stop.at).min();
            if let Some(at) = at.filter(|_| told.insert(members)) {
                let text = in_order(ring, stops).join(" -> ");
                problems.add(
                    at,
                    format!("jump loop: {text}"),
                    "remove jump from one of them, so that one is reached directly",
                );
            }
        } else if let Some(stop) = stops.get(name).filter(|_| !ring.iter().any(|stop| is_member(stop))) {
            // Whoever stands behind a loop runs into it; that is told above, once. This way only repeats itself.
            let twice = ring.first().copied().unwrap_or_default();
            problems.add(
                stop.at,
                format!("jump loop: the way to {name} passes {twice} twice"),
                "name each jump host once",
            );
        }
    }
}

/// The stops on the way to `name`, last one first: itself, the end of its chain, …, the start of that one's chain.
/// As in ssh, only the first stop of a chain may have a way of its own. Ends at the first repetition.
fn way_to<'s>(stops: &'s BTreeMap<&str, Stop>, name: &'s str) -> Vec<&'s str> {
    let mut way = vec![name];
    let mut current = name;
    while let Some(stop) = stops.get(current) {
        for hop in stop.chain.iter().rev() {
            let repeated = way.contains(&hop.as_str());
            way.push(hop);
            if repeated {
                return way;
            }
        }
        match stop.chain.first() {
            Some(first) => current = first,
            None => break,
        }
    }
    way
}

/// The part of a way between the two appearances of its last stop.
fn ring<'s>(way: &[&'s str]) -> Option<Vec<&'s str>> {
    let last = way.last()?;
    let first = way.iter().position(|stop| stop == last)?;
    (first + 1 < way.len()).then(|| way[first..].to_vec())
}

/// The ring starting at the member that comes first in the file.
fn in_order<'s>(ring: &[&'s str], stops: &BTreeMap<&str, Stop>) -> Vec<&'s str> {
    let members = &ring[1..];
    let start = (0..members.len()).min_by_key(|&index| stops.get(members[index]).map(|stop| stop.at)).unwrap_or(0);
    (0..=members.len()).map(|step| members[(start + step) % members.len()]).collect()
}
