//! `show stat`: one row per frontend, backend, server and listener.

use super::{
    PROXIES_MAX, SERVERS_MAX, prose,
    stat_columns::{Kind, StatColumns},
    table::{self, Columns},
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        haproxy::{Backend, Frontend, Traffic},
        ids::{ProxyName, ServerName},
        text::Clean,
    },
    wire::complaints::Complaints,
};
use csv::ByteRecord;
use std::collections::{HashMap, HashSet};

/// Frontends and backends of the answer; `None` when it is no table of statistics.
pub(super) fn interpret(bytes: &[u8], complaints: &mut Complaints) -> Option<(Vec<Frontend>, Vec<Backend>)> {
    let sound = table::without_stray_quotes(bytes, complaints);
    let mut reader = table::reader(&sound);
    let mut row = ByteRecord::new();
    let header_read = reader.read_byte_record(&mut row).unwrap_or(false);
    let columns = header_read.then(|| Columns::parse(&row, &["pxname", "svname"], complaints)).flatten();
    let Some(columns) = columns else {
        complaints.add("show stat", format!("not understood: {}", prose(bytes)));
        return None;
    };
    let mut gathered = Gathered::new(StatColumns::new(&columns), columns.count());
    // Reading from memory cannot fail; a row that is odd in itself is judged below.
    while let Ok(true) = reader.read_byte_record(&mut row) {
        gathered.take(&row, complaints);
    }
    Some(gathered.finish(complaints))
}

/// Rows sorted into proxies as they come: a backend's servers stand before its own row.
struct Gathered {
    known: StatColumns,
    columns: usize,
    frontends: Vec<Frontend>,
    frontend_names: HashSet<Vec<u8>>,
    backends: Vec<BackendRows>,
    backend_index: HashMap<Vec<u8>, usize>,
    servers: usize,
}

/// A backend that is being gathered.
struct BackendRows {
    backend: Backend,
    has_own_row: bool,
    server_names: HashSet<Vec<u8>>,
}

impl Gathered {
    fn new(known: StatColumns, columns: usize) -> Self {
        Self {
            known,
            columns,
            frontends: Vec::new(),
            frontend_names: HashSet::new(),
            backends: Vec::new(),
            backend_index: HashMap::new(),
            servers: 0,
        }
    }

    fn take(&mut self, row: &ByteRecord, complaints: &mut Complaints) {
        if row.len() == 1 && row.get(0).is_none_or(|only| only.trim_ascii().is_empty()) {
            return; // the empty line that ends the answer
        }
        let names = (self.known.proxy.raw(row).known(), self.known.server.raw(row).known());
        let (Some(proxy), Some(server)) = names else {
            complaints.add("show stat row", format!("without names: {}", Clean::line_from_bytes(row.as_slice())));
            return;
        };
        if row.len() != self.columns {
            let name = Clean::line_from_bytes(proxy);
            complaints.add("show stat row", format!("{} of {} columns in a row of {name}", row.len(), self.columns));
        }
        match self.known.kind_of(row, server, complaints) {
            Some(Kind::Frontend) => self.take_frontend(row, proxy, complaints),
            Some(Kind::Backend) => self.take_backend(row, proxy, complaints),
            Some(Kind::Server) => self.take_server(row, proxy, server, complaints),
            Some(Kind::Listener) | None => {}
        }
    }

    fn take_frontend(&mut self, row: &ByteRecord, proxy: &[u8], complaints: &mut Complaints) {
        if self.frontends.len() >= PROXIES_MAX {
            complaints.add("frontends", format!("only the first {PROXIES_MAX} are kept"));
        } else if self.frontend_names.insert(proxy.to_vec()) {
            self.frontends.push(Frontend {
                name: ProxyName::from(&odd_name(proxy, complaints)),
                mode: self.known.mode.text(row),
                status: self.known.status.text(row).known().unwrap_or_default(),
                traffic: self.known.traffic(row, complaints),
            });
        } else {
            complaints.add(format!("frontend {}", Clean::line_from_bytes(proxy)), "appears twice; the first is used");
        }
    }

    fn take_backend(&mut self, row: &ByteRecord, proxy: &[u8], complaints: &mut Complaints) {
        let traffic = self.known.traffic(row, complaints);
        let status = self.known.status.text(row).known().unwrap_or_default();
        let (mode, algorithm) = (self.known.mode.text(row), self.known.algorithm.text(row));
        let active_servers = self.known.active.number(row, complaints);
        let backup_servers = self.known.backup.number(row, complaints);
        let Some(rows) = self.backend_rows(proxy, complaints) else { return };
        if rows.has_own_row {
            complaints.add(format!("backend {}", rows.backend.name), "appears twice; the first is used");
            return;
        }
        rows.has_own_row = true;
        let backend = &mut rows.backend;
        (backend.mode, backend.algorithm, backend.status) = (mode, algorithm, status);
        (backend.active_servers, backend.backup_servers, backend.traffic) = (active_servers, backup_servers, traffic);
    }

    fn take_server(&mut self, row: &ByteRecord, proxy: &[u8], name: &[u8], complaints: &mut Complaints) {
        if self.servers >= SERVERS_MAX {
            complaints.add("servers", format!("only the first {SERVERS_MAX} are kept"));
            return;
        }
        let server_name = ServerName::from(&odd_name(name, complaints));
        let server = self.known.server_of(row, server_name, complaints);
        let Some(rows) = self.backend_rows(proxy, complaints) else { return };
        if rows.server_names.insert(name.to_vec()) {
            rows.backend.servers.push(server);
            self.servers += 1;
        } else {
            complaints.add(format!("server {}/{}", rows.backend.name, server.name), "appears twice; the first is used");
        }
    }

    /// The backend of that name, new if it was not seen before; `None` beyond the bound.
    fn backend_rows(&mut self, proxy: &[u8], complaints: &mut Complaints) -> Option<&mut BackendRows> {
        if let Some(index) = self.backend_index.get(proxy) {
            return self.backends.get_mut(*index);
        }
        if self.backends.len() >= PROXIES_MAX {
            complaints.add("backends", format!("only the first {PROXIES_MAX} are kept"));
            return None;
        }
        self.backend_index.insert(proxy.to_vec(), self.backends.len());
        self.backends.push(BackendRows {
            backend: Backend {
                name: ProxyName::from(&odd_name(proxy, complaints)),
                mode: Figure::Unknown(Unknown::Missing),
                algorithm: Figure::Unknown(Unknown::Missing),
                status: Clean::default(),
                active_servers: Figure::Unknown(Unknown::Missing),
                backup_servers: Figure::Unknown(Unknown::Missing),
                traffic: Traffic::default(),
                servers: Vec::new(),
            },
            has_own_row: false,
            server_names: HashSet::new(),
        });
        self.backends.last_mut()
    }

    fn finish(self, complaints: &mut Complaints) -> (Vec<Frontend>, Vec<Backend>) {
        for rows in self.backends.iter().filter(|rows| !rows.has_own_row) {
            complaints.add(format!("backend {}", rows.backend.name), "its own row is missing");
        }
        (self.frontends, self.backends.into_iter().map(|rows| rows.backend).collect())
    }
}

/// HAProxy allows only plain characters in names; anything else is the work of somebody in between.
fn odd_name(raw: &[u8], complaints: &mut Complaints) -> Clean {
    let name = Clean::line_from_bytes(raw);
    if name.as_str().as_bytes() != raw {
        complaints.add(format!("name {name}"), "has characters or a length that no HAProxy allows");
    }
    name
}
