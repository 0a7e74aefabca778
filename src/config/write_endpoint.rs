//! `[write_endpoint]`: its keys, what only the whole file can tell of it, and what becomes of it.

use super::{
    document::{Document, Table},
    problem::Problems,
    schema::{Key, Kind, optional, tunable},
};
use crate::model::{inventory::Role, write_endpoint::WriteEndpoint};
use std::path::Path;

/// Its keys.
pub(super) const KEYS: &[Key] = &[
    optional(
        "address",
        Kind::Address,
        "no address leads writes",
        "The virtual address that applications write to. It is a [[vip]] whose nodes all run a database, and moves with \
         the primary.",
    ),
    optional(
        "command",
        Kind::Command,
        "no command leads writes",
        "A program on this machine that leads writes to the primary, and its arguments. No shell is involved. What it is \
         asked and must answer: docs/write-endpoint.md.",
    ),
    tunable("command_ms", Kind::Integer, "Longest time that the command may take; nobody can write while it runs."),
];

/// The address is a virtual one of databases, the program one that is found wherever vakt is started.
pub(super) fn check(document: &Document, problems: &mut Problems<'_>) {
    let Some(table) = document.table("write_endpoint") else { return };
    address(document, table, problems);
    let Some(at) = table.position("command") else { return };
    let program = table.texts("command").and_then(<[_]>::first);
    if let Some(program) = program.filter(|program| !Path::new(&program.value).is_absolute()) {
        let cure = "write its whole path: the folder in which vakt is started, and PATH, say nothing here";
        problems.add(at, format!("command \"{}\" is not an absolute path", program.value), cure);
    }
}

fn address(document: &Document, table: &Table, problems: &mut Problems<'_>) {
    let (Some(address), Some(at)) = (table.address("address"), table.position("address")) else { return };
    let Some(vip) = document.list("vip").iter().find(|vip| vip.address("address") == Some(address)) else {
        let what = format!("write endpoint {address} is no virtual address of this file");
        let cure = format!("add a [[vip]] with address = \"{address}\" and the databases as its nodes");
        return problems.add(at, what, cure);
    };
    for name in vip.texts("nodes").unwrap_or_default() {
        let node = document.list("node").iter().find(|node| node.text("name") == Some(&name.value));
        let runs_one = |node: &Table| {
            let has_role = node.roles("roles").is_some_and(|roles| roles.contains(&Role::Database));
            node.text("mysql_socket").map_or(has_role, |socket| socket != super::values::NONE)
        };
        // Who is no node at all is told elsewhere.
        if node.is_some_and(|node| !runs_one(node)) {
            let what = format!("write endpoint {address} may be held by {}, which runs no database", name.value);
            let cure =
                format!("give {} the role database, or take it out of the [[vip]] (line {})", name.value, vip.at.line);
            problems.add(at, what, cure);
        }
    }
}

/// What the file says of it; `command_ms` where it says nothing of that.
pub(super) fn build(document: &Document, command_ms: u64) -> WriteEndpoint {
    let table = document.table("write_endpoint");
    let command = table.and_then(|table| table.texts("command")).unwrap_or_default();
    WriteEndpoint {
        address: table.and_then(|table| table.address("address")),
        command: command.iter().map(|word| word.value.clone()).collect(),
        command_ms,
    }
}
