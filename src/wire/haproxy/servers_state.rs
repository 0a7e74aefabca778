//! `show servers state` (1.6 and later): what an operator told the process, and what its file says.

use super::{prose, status};
use crate::{
    model::{
        figure::{Figure, Unknown},
        haproxy::{Backend, Server},
        text::Clean,
    },
    wire::complaints::Complaints,
};
use std::collections::HashMap;

/// Rows that are looked at.
const ROWS_MAX: usize = super::SERVERS_MAX;

/// The columns that are used; blanks separate them, `-` stands for nothing.
const NAMES: [&str; 7] =
    ["be_name", "srv_name", "srv_admin_state", "srv_uweight", "srv_iweight", "srv_addr", "srv_port"];

/// One row, by the order of [`NAMES`].
type Row<'a> = [Option<&'a str>; NAMES.len()];

/// Adds to each server what this answer says of it. Servers it does not name stay unknown, never ready.
pub(super) fn join(bytes: &[u8], backends: &mut [Backend], complaints: &mut Complaints) {
    let text = String::from_utf8_lossy(bytes);
    let rows = match rows(&text, complaints) {
        Ok(rows) => rows,
        Err(why) => {
            for server in backends.iter_mut().flat_map(|backend| &mut backend.servers) {
                (server.admin, server.configured) = (Figure::Unknown(why), Figure::Unknown(why));
                server.weight_configured = Figure::Unknown(why);
            }
            return;
        }
    };
    for backend in backends {
        for server in &mut backend.servers {
            let name = server.name.clone(); // shared text: the server itself is changed below
            match rows.get(&(backend.name.as_str(), name.as_str())) {
                Some(row) => apply(row, server, complaints),
                None => complaints
                    .add(format!("show servers state {}/{name}", backend.name), "the server is in show stat only"),
            }
        }
    }
}

/// The rows by backend and server; why there are none, if so.
fn rows<'a>(text: &'a str, complaints: &mut Complaints) -> Result<HashMap<(&'a str, &'a str), Row<'a>>, Unknown> {
    let mut lines = text.lines();
    // The format's version stands alone on the first line, the header starts with `#`.
    let header = lines.by_ref().take(8).find_map(|line| line.trim_start().strip_prefix('#'));
    let Some(header) = header.filter(|header| header.contains("srv_admin_state")) else {
        let words = prose(text.as_bytes());
        complaints.add("show servers state", format!("not understood: {words}"));
        return Err(why_not(words.as_str()));
    };
    let columns: Vec<&str> = header.split_whitespace().take(64).collect();
    let positions = NAMES.map(|name| columns.iter().position(|column| *column == name));
    let mut rows = HashMap::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        if rows.len() >= ROWS_MAX {
            complaints.add("show servers state", format!("only the first {ROWS_MAX} servers are kept"));
            break;
        }
        let words: Vec<&str> = line.split(' ').take(64).collect();
        let row = positions.map(|position| words.get(position?).copied().filter(|word| !matches!(*word, "" | "-")));
        let [Some(backend), Some(server), ..] = row else {
            complaints.add("show servers state", format!("a row without names: {line}"));
            continue;
        };
        if rows.insert((backend, server), row).is_some() {
            complaints.add(format!("show servers state {backend}/{server}"), "the server appears twice");
        }
    }
    Ok(rows)
}

/// Errors come as prose; an old version does not know the command.
fn why_not(words: &str) -> Unknown {
    if words.starts_with("Permission denied") {
        Unknown::NotPermitted
    } else if words.starts_with("Unknown command") {
        Unknown::NotOffered
    } else {
        Unknown::Missing
    }
}

fn apply(row: &Row<'_>, server: &mut Server, complaints: &mut Complaints) {
    let [_, _, mask, current_weight, initial_weight, address, port] = row;
    match complaints.number::<u64>("srv_admin_state", mask.unwrap_or_default()) {
        Figure::Known(mask) => {
            let (admin, configured, known) = status::admin(mask);
            (server.admin, server.configured) = (Figure::Known(admin), Figure::Known(configured));
            if !known {
                complaints.add("srv_admin_state", format!("bits that are not known here: {mask:#x}"));
            }
        }
        Figure::Unknown(why) => (server.admin, server.configured) = (Figure::Unknown(why), Figure::Unknown(why)),
    }
    server.weight_configured = complaints.number("srv_iweight", initial_weight.unwrap_or_default());
    if server.weight.why().is_some() {
        server.weight = complaints.number("srv_uweight", current_weight.unwrap_or_default());
    }
    // `show stat` tells addresses to operators and admins only.
    if let (Figure::Unknown(_), Some(address)) = (&server.address, address) {
        let port = port.filter(|port| *port != "0");
        let text = match port {
            Some(port) if address.contains(':') => format!("[{address}]:{port}"),
            Some(port) => format!("{address}:{port}"),
            None => (*address).to_owned(),
        };
        server.address = Figure::Known(Clean::line(&text));
    }
}
