//! Web servers: masters, their workers and what the workers may become.

use crate::{
    model::{
        figure::{Figure, Unknown},
        services::{WebKind, WebServer},
    },
    wire::{complaints::Complaints, sources::Sources},
};

/// Web servers kept of one node.
const SERVERS_MAX: usize = 16;

/// One process, from `/proc/PID/status`.
#[derive(Debug, Default)]
struct Process {
    parent: Option<u32>,
    resident_kib: Option<u64>,
    /// What is not a file: kernels since 4.5 say so.
    own_kib: Option<u64>,
    threads: Option<u64>,
}

/// The web servers that run.
pub(super) fn of(sources: &Sources<'_>, complaints: &mut Complaints) -> Vec<WebServer> {
    let processes: Vec<Process> = sources.between("/proc/", "/status").map(|(_, lines)| process(lines)).collect();
    let mut servers: Vec<WebServer> = Vec::new();
    for line in sources.lines("master") {
        let Some((master, file)) = line.split_once(' ') else { continue };
        let Ok(master) = master.parse::<u32>() else {
            complaints.add("web servers", format!("not a process number: {master}"));
            continue;
        };
        if servers.len() >= SERVERS_MAX || servers.iter().any(|server| server.master == master) {
            continue;
        }
        let kind = match file {
            _ if file.contains("nginx") => WebKind::Nginx,
            _ if file.contains("php") => WebKind::PhpFpm,
            _ => WebKind::Apache,
        };
        servers.push(server(kind, master, &processes, sources));
    }
    servers
}

fn process(lines: &[&str]) -> Process {
    let field = |key: &str| {
        let text = lines.iter().find_map(|line| line.strip_prefix(key))?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    Process {
        parent: field("PPid:").and_then(|parent| u32::try_from(parent).ok()),
        resident_kib: field("VmRSS:"),
        own_kib: field("RssAnon:"),
        threads: field("Threads:"),
    }
}

fn server(kind: WebKind, master: u32, processes: &[Process], sources: &Sources<'_>) -> WebServer {
    let workers: Vec<&Process> = processes.iter().filter(|process| process.parent == Some(master)).collect();
    let memory: Vec<u64> = workers
        .iter()
        .filter_map(|worker| worker.own_kib.or(worker.resident_kib))
        .map(|kib| kib.saturating_mul(1024))
        .collect();
    let is_read = !memory.is_empty() && memory.len() == workers.len();
    let known = |value: Option<u64>| Figure::from_option(value.filter(|_| is_read), Unknown::Missing);
    let count = workers.len() as u64;
    let workers_max = match kind {
        WebKind::Nginx => Figure::Known(count),
        WebKind::PhpFpm => php(sources),
        WebKind::Apache => {
            apache(sources, workers.iter().any(|worker| worker.threads.is_some_and(|threads| threads > 1)))
        }
    };
    WebServer {
        kind,
        master,
        workers: count,
        workers_max,
        memory_bytes: known(Some(memory.iter().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes)))),
        largest_bytes: known(memory.iter().max().copied()),
    }
}

/// The pools' `pm.max_children` together.
fn php(sources: &Sources<'_>) -> Figure<u64> {
    let pools = ["/etc/php/", "/etc/php-fpm.d/"].into_iter().flat_map(|folder| sources.between(folder, ".conf"));
    let limits = pools.flat_map(|(_, lines)| lines.iter()).filter_map(|line| {
        let value = line.trim().strip_prefix("pm.max_children")?.trim().strip_prefix('=')?;
        value.trim().parse::<u64>().ok()
    });
    let limits: Vec<u64> = limits.collect();
    let sum = limits.iter().fold(0_u64, |sum, limit| sum.saturating_add(*limit));
    Figure::from_option((!limits.is_empty()).then_some(sum), Unknown::NotPermitted)
}

/// Processes that Apache may start. Where each has many threads the limit counts threads. A file may hold the limits
/// of several modes of operation, each in a section of its own: only those of the running mode count.
fn apache(sources: &Sources<'_>, is_threaded: bool) -> Figure<u64> {
    let mut requests = None;
    let mut threads = None;
    for folder in ["/etc/apache2/", "/etc/httpd/"] {
        for (_, lines) in sources.between(folder, ".conf") {
            let mut section_counts = true;
            for line in lines {
                let line = line.trim();
                let lower = line.to_ascii_lowercase();
                if let Some(name) = lower.strip_prefix("<ifmodule") {
                    section_counts = !(name.contains("prefork") && is_threaded)
                        && !((name.contains("worker") || name.contains("event")) && !is_threaded);
                    continue;
                }
                if lower.starts_with("</ifmodule") {
                    section_counts = true;
                    continue;
                }
                let mut words = lower.split_whitespace();
                let (Some(key), Some(value)) = (words.next(), words.next().and_then(|word| word.parse::<u64>().ok()))
                else {
                    continue;
                };
                match key {
                    "maxrequestworkers" | "maxclients" if section_counts => requests = Some(value),
                    "threadsperchild" if section_counts => threads = Some(value),
                    _ => {}
                }
            }
        }
    }
    let processes = requests.map(|requests| match threads.filter(|threads| is_threaded && *threads > 0) {
        Some(threads) => requests.div_ceil(threads),
        None => requests,
    });
    Figure::from_option(processes, Unknown::NotPermitted)
}
