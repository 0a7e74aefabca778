//! The commands of HAProxy's socket that the simulation knows, and what HAProxy answers to them.
//!
//! A command that is not modelled is answered as one that HAProxy does not know, never with made-up data.

use super::{
    process::Process,
    server::{Server, Told},
    stats,
};

/// Longest line that HAProxy reads (`tune.bufsize`).
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Weight that `set weight` accepts at most.
const WEIGHT_MAX: u64 = 256;

/// Runs one line; the answer without its final empty line.
pub(super) fn run(process: &mut Process, node: &str, line: &str, now_us: u64, wall_ms: i64) -> String {
    if line.len() > LINE_BYTES_MAX {
        return unknown(line);
    }
    // `;` separates commands: that is why a name with one is never sent.
    let answers: Vec<String> =
        line.split(';').map(|command| one(process, node, command.trim(), now_us, wall_ms)).collect();
    answers.join("\n")
}

fn one(process: &mut Process, node: &str, command: &str, now_us: u64, wall_ms: i64) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words[..] {
        ["show", "info"] => stats::info(process, node, now_us, wall_ms),
        ["show", "stat"] => stats::stat(process, now_us),
        ["show", "servers", "state"] => stats::servers_state(process, None, now_us).unwrap_or_default(),
        ["show", "servers", "state", backend] => {
            stats::servers_state(process, Some(backend), now_us).unwrap_or_else(|| "Can't find backend.\n".to_owned())
        }
        ["set", "server", path, "state", state] => on_server(process, path, |server| {
            let told = match state {
                "ready" => Told::Ready,
                "drain" => Told::Drain,
                "maint" => Told::Maint,
                _ => return "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n".into(),
            };
            server.tell(told, now_us);
            String::new()
        }),
        ["set", "weight", path, weight] | ["set", "server", path, "weight", weight] => {
            on_server(process, path, |server| set_weight(server, weight))
        }
        ["get", "weight", path] => {
            on_server(process, path, |server| format!("{} (initial {})\n", server.weight, server.file.weight))
        }
        ["disable", "server", path] => on_server(process, path, |server| {
            server.tell(Told::Maint, now_us);
            String::new()
        }),
        ["enable", "server", path] => on_server(process, path, |server| {
            server.tell(Told::Ready, now_us);
            String::new()
        }),
        ["shutdown", "sessions", "server", path] => on_server(process, path, |server| {
            server.drop_sessions(now_us);
            String::new()
        }),
        ["set", "maxconn", "server", path, number] => on_server(process, path, |server| match number.parse() {
            Ok(number) => {
                server.file.sessions_max = number;
                String::new()
            }
            Err(_) => "maxconn string empty or preceded by garbage".into(),
        }),
        ["set", "maxconn", "frontend", name, number] => {
            match (process.services.iter_mut().find(|service| service.file.frontend == name), number.parse()) {
                (Some(service), Ok(number)) => {
                    service.file.sessions_max = number;
                    String::new()
                }
                (None, _) => "No such frontend.\n".into(),
                (_, Err(_)) => "Integer value expected.\n".into(),
            }
        }
        ["clear", "counters", "all"] => {
            process.clear_counters();
            String::new()
        }
        _ => unknown(command),
    }
}

fn on_server(process: &mut Process, path: &str, act: impl FnOnce(&mut Server) -> String) -> String {
    match path.split_once('/') {
        Some((backend, name)) if !backend.is_empty() && !name.is_empty() => {
            process.server_mut(backend, name).map_or_else(str::to_owned, act)
        }
        _ => "Require 'backend/server'.\n".into(),
    }
}

fn set_weight(server: &mut Server, text: &str) -> String {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let Ok(number) = digits.parse::<i64>() else {
        return "Empty weight string empty or preceded by garbage\n".into();
    };
    let weight = match (&text[digits.len()..], u64::try_from(number)) {
        ("%", Err(_)) => return "Relative weight must be positive.\n".into(),
        ("%", Ok(percent)) => (server.file.weight * percent.min(25_600) / 100).min(WEIGHT_MAX),
        ("", Ok(weight)) if weight <= WEIGHT_MAX => weight,
        ("", _) => return "Absolute weight can only be between 0 and 256 inclusive.\n".into(),
        _ => return "Trailing garbage in weight string\n".into(),
    };
    server.weight = weight;
    String::new()
}

fn unknown(command: &str) -> String {
    let word: String = command.split_whitespace().next().unwrap_or_default().chars().take(64).collect();
    format!(
        "Unknown command: '{word}', but maybe one of the following ones is a better match:\n  help [<command>]                        : list matching or all commands\n  prompt                                  : toggle interactive mode with prompt\n  quit                                    : disconnect\n"
    )
}
