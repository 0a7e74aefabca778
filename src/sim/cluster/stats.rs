//! `show info`, `show stat` and `show servers state`, written into the captures of real ones.

use super::{
    process::{Process, Service},
    server::{Counters, Server, Told},
    template::{self, Mould, ROWS},
};
use std::fmt::Write;

/// Numbers of proxies begin behind that of the statistics page.
const PROXY_ID_FIRST: u64 = 3;

/// `show info`.
pub(super) fn info(process: &mut Process, node: &str, now_us: u64, wall_ms: i64) -> String {
    let up_s = now_us.saturating_sub(process.started_us) / 1_000_000;
    let start_s = (wall_ms / 1000).max(0).unsigned_abs().saturating_sub(up_s);
    let connections: u64 = process.services.iter_mut().map(|service| service.connections(now_us)).sum();
    let requests: u64 = process.services.iter().map(|service| service.requests_total).sum();
    let bytes: u64 = process.services.iter().map(|service| service.front.bytes_out).sum();
    let rate = process.connection_rate.now(now_us);
    let rate_max = process.connection_rate.max;
    let mut text = String::with_capacity(template::INFO.len() + 64);
    for line in template::INFO.lines() {
        let (key, value) = line.split_once(": ").unwrap_or((line, ""));
        let number = match key {
            "Pid" => process.pid,
            "Uptime_sec" => up_s,
            "CurrConns" => connections,
            "CumConns" => process.connections_total,
            "CumReq" => requests,
            "ConnRate" | "SessRate" => rate,
            "MaxConnRate" | "MaxSessRate" => rate_max,
            // About 2,000 requests per second and core.
            "Idle_pct" => 100 - (rate / 40).min(60),
            "TotalBytesOut" => bytes,
            "Start_time_sec" => start_s,
            "node" => {
                let _ = writeln!(text, "node: {node}");
                continue;
            }
            "Uptime" => {
                let (days, hours, minutes) = (up_s / 86_400, up_s / 3600 % 24, up_s / 60 % 60);
                let _ = writeln!(text, "Uptime: {days}d {hours}h{minutes:02}m{:02}s", up_s % 60);
                continue;
            }
            _ => {
                let _ = writeln!(text, "{key}: {value}");
                continue;
            }
        };
        let _ = writeln!(text, "{key}: {number}");
    }
    text
}

/// `show stat`.
pub(super) fn stat(process: &mut Process, now_us: u64) -> String {
    let rows = &*ROWS;
    let mut text = String::with_capacity(4096);
    let _ = writeln!(text, "{}", rows.header);
    for line in &rows.page {
        let _ = writeln!(text, "{line}");
    }
    for (index, service) in process.services.iter_mut().enumerate() {
        let id = PROXY_ID_FIRST + 2 * index as u64;
        frontend(service, id, now_us, &mut text);
        for (index, server) in service.servers.iter_mut().enumerate() {
            server_row(server, (service.file.backend.as_str(), service.file.mode), (id + 1, index), now_us, &mut text);
        }
        backend(service, id + 1, now_us, &mut text);
    }
    text
}

fn seconds(from_us: u64, now_us: u64) -> u64 {
    now_us.saturating_sub(from_us) / 1_000_000
}

fn last_session(counters: &Counters, now_us: u64) -> String {
    counters.last_session_us.map_or_else(|| "-1".to_owned(), |at| seconds(at, now_us).to_string())
}

fn frontend(service: &mut Service, id: u64, now_us: u64, text: &mut String) {
    let connections = service.connections(now_us);
    let (rate, requests) = (service.front.rate.now(now_us), service.request_rate.now(now_us));
    let mut row = ROWS.row(Mould::Frontend, service.file.mode);
    row.text("pxname", &service.file.frontend);
    let front = &service.front;
    row.numbers(&[
        ("scur", connections),
        ("smax", service.front_max),
        ("slim", service.file.sessions_max),
        ("stot", front.sessions_total),
        ("bin", front.bytes_in),
        ("bout", front.bytes_out),
        ("iid", id),
        ("rate", rate),
        ("rate_max", front.rate.max),
        ("conn_rate", rate),
        ("conn_rate_max", front.rate.max),
        ("conn_tot", front.sessions_total),
    ]);
    if service.file.mode == "http" {
        row.numbers(&[
            ("hrsp_2xx", front.answers_2xx),
            ("hrsp_5xx", front.answers_5xx),
            ("req_rate", requests),
            ("req_rate_max", service.request_rate.max),
            ("req_tot", service.requests_total),
        ]);
    }
    row.write(text);
}

fn server_row(server: &mut Server, of: (&str, &'static str), ids: (u64, usize), now_us: u64, text: &mut String) {
    let ((backend, mode), (proxy_id, index)) = (of, ids);
    let sessions = server.sessions(now_us);
    let rate = server.counters.rate.now(now_us);
    let is_maint = server.told == Told::Maint;
    let mut row = ROWS.row(if is_maint { Mould::Maint } else { Mould::Server }, mode);
    row.text("pxname", backend);
    row.text("svname", &server.file.name);
    row.owned("status", server.status());
    row.owned("addr", format!("{}:{}", server.file.address, server.file.port));
    let counters = &server.counters;
    row.owned("lastsess", last_session(counters, now_us));
    row.numbers(&[
        ("scur", sessions),
        ("smax", counters.sessions_max),
        ("slim", server.file.sessions_max),
        ("stot", counters.sessions_total),
        ("bin", counters.bytes_in),
        ("bout", counters.bytes_out),
        ("econ", counters.connect_errors),
        ("eresp", counters.response_errors),
        ("wretr", counters.retries),
        ("wredis", counters.redispatches),
        ("weight", server.weight),
        ("chkfail", counters.checks_failed),
        ("chkdown", counters.downs),
        ("lastchg", seconds(server.changed_us, now_us)),
        ("downtime", server.downtime_us(now_us) / 1_000_000),
        ("iid", proxy_id),
        ("sid", index as u64 + 1),
        ("lbtot", counters.chosen),
        ("rate", rate),
        ("rate_max", counters.rate.max),
        ("rtime", counters.response_ms as u64),
        ("ttime", counters.response_ms as u64),
        ("rtime_max", counters.response_ms_max as u64),
        ("ttime_max", counters.response_ms_max as u64),
        ("connect", counters.sessions_total),
        ("used_conn_cur", sessions),
        ("need_conn_est", counters.sessions_max),
        ("uweight", server.weight),
    ]);
    // Figures of the capture that belong to its own requests.
    row.numbers(&[("ctime", 0), ("ctime_max", 0), ("qtime", 0), ("qtime_max", 0), ("srv_icur", 0), ("reuse", 0)]);
    row.numbers(&[("idle_conn_cur", 0), ("safe_conn_cur", 0)]);
    row.text("cookie", "");
    if mode == "http" {
        row.numbers(&[("hrsp_2xx", counters.answers_2xx), ("req_tot", counters.sessions_total)]);
        row.numbers(&[("hrsp_3xx", 0), ("hrsp_4xx", 0)]);
    }
    if !is_maint {
        let (word, code, last, description, _) = server.check.words();
        row.text("check_status", if word.is_empty() { "INI" } else { word });
        row.text("check_code", if mode == "http" || word != "L7OK" { code } else { "0" });
        row.text("last_chk", last);
        row.text("check_desc", if word.is_empty() { "Initializing" } else { description });
        row.numbers(&[
            ("check_rise", server.file.rise),
            ("check_fall", server.file.fall),
            ("check_health", server.health),
        ]);
    }
    row.write(text);
}

fn backend(service: &mut Service, id: u64, now_us: u64, text: &mut String) {
    let sessions = service.sessions(now_us);
    let queued = service.queued();
    let rate = service.back.rate.now(now_us);
    let usable: Vec<u64> =
        service.servers.iter().filter(|server| server.is_usable()).map(|server| server.weight).collect();
    let weight: u64 = usable.iter().sum();
    let mut row = ROWS.row(Mould::Backend, service.file.mode);
    let back = &service.back;
    row.text("pxname", &service.file.backend);
    row.text("status", if service.is_up { "UP" } else { "DOWN" });
    row.text("algo", service.file.algorithm);
    row.owned("lastsess", last_session(back, now_us));
    row.numbers(&[
        ("qcur", queued),
        ("qmax", back.queue_max),
        ("scur", sessions),
        ("smax", back.sessions_max),
        // HAProxy's default `fullconn`: a tenth of what its frontends may have.
        ("slim", (service.file.sessions_max / 10).max(1)),
        ("stot", back.sessions_total),
        ("bin", back.bytes_in),
        ("bout", back.bytes_out),
        ("econ", back.connect_errors),
        ("eresp", back.response_errors),
        ("wretr", back.retries),
        ("wredis", back.redispatches),
        ("weight", weight),
        ("act", usable.len() as u64),
        ("chkdown", back.downs),
        ("lastchg", seconds(service.changed_us, now_us)),
        ("downtime", service.downtime_us(now_us) / 1_000_000),
        ("iid", id),
        ("lbtot", back.chosen),
        ("rate", rate),
        ("rate_max", back.rate.max),
        ("rtime", back.response_ms as u64),
        ("ttime", back.response_ms as u64),
        ("rtime_max", back.response_ms_max as u64),
        ("ttime_max", back.response_ms_max as u64),
        ("connect", back.sessions_total),
        ("uweight", weight),
        ("ctime", 0),
        ("ctime_max", 0),
        ("reuse", 0),
    ]);
    if service.file.mode == "http" {
        row.numbers(&[
            ("hrsp_2xx", back.answers_2xx),
            ("hrsp_5xx", back.answers_5xx),
            ("req_tot", back.sessions_total),
        ]);
    }
    row.write(text);
}

/// `show servers state`, of one backend or of all. `None` when there is no such backend.
pub(super) fn servers_state(process: &Process, only: Option<&str>, now_us: u64) -> Option<String> {
    let mut text: String = template::state_head().flat_map(|line| [line, "\n"]).collect();
    let mut found = only.is_none();
    for (index, service) in process.services.iter().enumerate() {
        if only.is_some_and(|name| name != service.file.backend) {
            continue;
        }
        found = true;
        let proxy_id = PROXY_ID_FIRST + 2 * index as u64 + 1;
        for (index, server) in service.servers.iter().enumerate() {
            let (_, _, _, _, status) = server.check.words();
            let _ = writeln!(
                text,
                "{proxy_id} {} {} {} {} {} {} {} {} {} {status} {} {} {} 0 0 0 - {} - 0 0 - - 0",
                service.file.backend,
                index + 1,
                server.file.name,
                server.file.address,
                if server.is_running { 2 } else { 0 },
                server.admin_mask(),
                server.weight,
                server.file.weight,
                seconds(server.changed_us, now_us),
                server.check.result(),
                server.health,
                if server.told == Told::Maint { 14 } else { 6 },
                server.file.port,
            );
        }
    }
    found.then_some(text)
}
