//! `show info`: lines of `Name: value`.

use super::prose;
use crate::{
    model::{
        figure::{Figure, Unknown},
        haproxy::ProcessInfo,
        text::Clean,
    },
    wire::complaints::Complaints,
};
use std::collections::HashMap;

/// Lines that are looked at; 3.x prints about 90.
const LINES_MAX: usize = 1_000;

/// What the answer says of the process; figures it lacks are unknown.
pub(super) fn interpret(bytes: &[u8], complaints: &mut Complaints) -> ProcessInfo {
    let text = String::from_utf8_lossy(bytes);
    let mut values: HashMap<&str, &str> = HashMap::new();
    for line in text.lines().take(LINES_MAX) {
        if let Some((name, value)) = line.split_once(':') {
            // The first wins: `description` is free text and printed last.
            values.entry(name.trim()).or_insert(value.trim());
        }
    }
    if !values.contains_key("Version") && !values.contains_key("Pid") {
        complaints.add("show info", format!("not understood: {}", prose(bytes)));
    }
    let absent = if values.is_empty() { Unknown::Missing } else { Unknown::NotOffered };
    let words = |name: &str| {
        let value = values.get(name).filter(|value| !value.is_empty());
        Figure::from_option(value.map(|value| Clean::line(value)), absent)
    };
    let mut number = |name: &str| match values.get(name) {
        Some(value) => complaints.number::<u64>(format_args!("show info {name}"), value),
        None => Figure::Unknown(absent),
    };
    ProcessInfo {
        version: words("Version"),
        pid: number("Pid"),
        uptime_s: number("Uptime_sec"),
        connections_current: number("CurrConns"),
        connections_max: number("Maxconn"),
        connections_hard_max: number("Hard_maxconn"),
        connections_per_s: number("ConnRate"),
        connection_rate_limit: number("ConnRateLimit"),
        sessions_per_s: number("SessRate"),
        session_rate_limit: number("SessRateLimit"),
        idle_percent: number("Idle_pct").map(|percent| (percent as f64).min(100.0)),
        stopping: number("Stopping").map(|flag| flag != 0),
        node: words("node"),
    }
}
