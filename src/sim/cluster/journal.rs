//! What a machine's journal holds: what follows from its state, as HAProxy and the kernel word it.

use super::{
    host::Host,
    process::Process,
    server::{CheckWord, Server},
};
use crate::model::{log::LogId, time::Now};
use std::fmt::Write;

/// The lines of one log, as the script of `wire::logs` prints them.
pub(super) fn lines(log: LogId, host: &Host, process: Option<&Process>, now: Now, now_us: u64) -> String {
    let mut lines: Vec<(u64, String)> = Vec::new();
    if matches!(log, LogId::Haproxy | LogId::System)
        && let Some(process) = process
    {
        haproxy(process, &mut lines);
    }
    if matches!(log, LogId::Kernel | LogId::System) {
        lines.push((host.booted_us, "kernel: Linux version 6.1.0-30-amd64".to_owned()));
        if host.is_throttled {
            let text = "kernel: INFO: task mariadbd:812 blocked for more than 120 seconds.";
            lines.push((now_us, text.to_owned()));
        }
    }
    lines.sort_by_key(|(at_us, _)| *at_us);
    let mut page = String::from("\u{1e}zone +0000\n\u{1e}journal\n");
    for (at_us, text) in lines {
        let ago_ms = i64::try_from(now_us.saturating_sub(at_us) / 1000).unwrap_or(0);
        let at_ms = now.wall.0.saturating_sub(ago_ms);
        let (seconds, ms) = (at_ms.div_euclid(1000), at_ms.rem_euclid(1000));
        let _ = writeln!(page, "{seconds}.{ms:03}000 {} {text}", host.file.name);
    }
    page
}

fn haproxy(process: &Process, lines: &mut Vec<(u64, String)>) {
    let pid = process.pid;
    lines.push((process.started_us, format!("haproxy[{pid}]: New worker ({pid}) forked")));
    for service in &process.services {
        for server in service.servers.iter().filter(|server| server.check != CheckWord::None) {
            lines.push((server.changed_us, format!("haproxy[{pid}]: {}", server_words(&service.file.backend, server))));
        }
        if !service.is_up {
            let backend = &service.file.backend;
            lines.push((service.changed_us, format!("haproxy[{pid}]: backend {backend} has no server available!")));
        }
    }
}

fn server_words(backend: &str, server: &Server) -> String {
    let name = &server.file.name;
    let (_, code, answer, description, _) = server.check.words();
    let state = if server.is_running { "UP" } else { "DOWN" };
    let mut words = format!("Server {backend}/{name} is {state}, reason: {description}");
    if !code.is_empty() {
        let _ = write!(words, ", code: {code}");
    }
    if !answer.is_empty() {
        let _ = write!(words, ", info: \"{answer}\"");
    }
    words
}
