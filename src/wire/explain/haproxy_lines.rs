//! Lines of `haproxy.cfg` whose words depend on each other: servers, addresses that are bound, stats sockets.

use super::haproxy::Section;
use crate::model::tuning::time_ms;
use std::fmt::Write as _;

/// HAProxy's own values where a server says nothing.
const INTER_MS: u64 = 2_000;
const RISE: u64 = 2;
const FALL: u64 = 3;

/// What such a line means in its section; nothing for any other line.
pub(super) fn meaning(section: &Section, words: &[String]) -> Option<String> {
    let is_stats_socket = words[0] == "stats" && words.get(1).is_some_and(|word| word == "socket");
    match words[0].as_str() {
        "server" => Some(server(section, words)),
        "bind" => Some(bind(words)),
        "stats" if is_stats_socket => Some(stats_socket(words)),
        "maxconn" if section.keyword != "global" => Some(format!(
            "At most {} connections of clients at once here; whoever comes then waits in the kernel until one ends.",
            words.get(1).map_or("(nothing)", String::as_str)
        )),
        _ => None,
    }
}

/// What a server is asked and how often, its own words before those of `default-server`.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) is_asked: bool,
    pub(super) inter_ms: Option<u64>,
    pub(super) rise: Option<u64>,
    pub(super) fall: Option<u64>,
}

/// The value behind a word of a server's line, or of a `default-server` line that counts for it.
pub(super) fn option<'s>(section: &'s Section, words: &'s [String], name: &str) -> Option<&'s str> {
    let of = |line: &'s [String], from: usize| {
        let at = line.iter().skip(from).position(|word| word == name)?;
        line.get(from + at + 1).map(String::as_str)
    };
    let defaults = || section.line(&["default-server"]).and_then(|line| of(line, 1));
    of(words, 3).or_else(defaults)
}

/// Whether a word without a value stands there.
pub(super) fn flag(section: &Section, words: &[String], name: &str) -> bool {
    let is_off = words.iter().skip(3).any(|word| word.strip_prefix("no-") == Some(name));
    let default = section.line(&["default-server"]).is_some_and(|line| line.iter().skip(1).any(|word| word == name));
    words.iter().skip(3).any(|word| word == name) || (default && !is_off)
}

pub(super) fn checks(section: &Section, words: &[String]) -> Checks {
    let number = |name: &str, default: u64| match option(section, words, name) {
        Some(word) => word.parse().ok(),
        None => Some(default),
    };
    let inter_ms = match option(section, words, "inter") {
        Some(word) => time_ms(word),
        None => Some(INTER_MS),
    };
    Checks { is_asked: flag(section, words, "check"), inter_ms, rise: number("rise", RISE), fall: number("fall", FALL) }
}

fn server(section: &Section, words: &[String]) -> String {
    let word = |index: usize| words.get(index).map_or("(nothing)", String::as_str);
    let mut text = format!("The server {} at {}.", word(1), word(2));
    let checks = checks(section, words);
    if !checks.is_asked {
        text.push_str(" It is never asked whether it is there: it gets its share also when it is dead.");
    } else if let (Some(inter), Some(rise), Some(fall)) = (checks.inter_ms, checks.rise, checks.fall) {
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            " Asked every {}: out after {fall} failures in a row, which is up to {} and the last answer's wait; back after {rise} good \
             answers, {} later.",
            ms_words(inter),
            ms_words(inter.saturating_mul(fall)),
            ms_words(inter.saturating_mul(rise)),
        );
    } else {
        text.push_str(" It is asked whether it is there, in a way that is not understood here.");
    }
    for (name, means) in [("maxconn", "At most"), ("weight", "Weight"), ("slowstart", "Full share only")] {
        match (name, option(section, words, name)) {
            ("maxconn", Some(value)) => {
                let _ = write!(text, " {means} {value} requests at once; more wait in HAProxy.");
            }
            ("maxconn", None) => text.push_str(" Any number of requests at once: none waits in HAProxy."),
            ("slowstart", Some(value)) => {
                let _ = write!(text, " {means} {} after it came back.", time_words(value));
            }
            (_, Some(value)) => {
                let _ = write!(text, " {means} {value}.");
            }
            (_, None) => {}
        }
    }
    if flag(section, words, "backup") {
        text.push_str(" Used only when no other one is up.");
    }
    if flag(section, words, "disabled") {
        text.push_str(" Out of service at the start, until somebody says ready.");
    }
    text
}

fn bind(words: &[String]) -> String {
    let address = words.get(1).map_or("(nothing)", String::as_str);
    let mut text = match address.rsplit_once(':') {
        Some(("*" | "" | "0.0.0.0", port)) => {
            format!("Clients may come to port {port} of every address of this node, also the private ones.")
        }
        Some((host, port)) => format!("Clients may come to port {port} of {host}."),
        None => format!("Clients may come to {address}."),
    };
    if words.iter().any(|word| word == "ssl") {
        text.push_str(" TLS ends here.");
    }
    if words.iter().any(|word| word == "accept-proxy") {
        text.push_str(" Only clients that speak the PROXY protocol.");
    }
    text
}

fn stats_socket(words: &[String]) -> String {
    let at =
        |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1)).map(String::as_str);
    let path = words.get(2).map_or("(nothing)", String::as_str);
    let may = match at("level") {
        Some("admin") => "may read everything and change servers",
        Some("user") => "may read little",
        _ => "may read everything, and change little",
    };
    let who = at("mode").map(|mode| format!(" The file has the mode {mode}.")).unwrap_or_default();
    format!("The control socket {path}: whoever opens it {may}.{who}")
}

/// A time in words; the word itself where it is none.
pub(super) fn time_words(word: &str) -> String {
    time_ms(word).map_or_else(|| word.to_owned(), ms_words)
}

fn ms_words(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    match units.into_iter().find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", ms / unit),
        None => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_daemon_reads_them() {
        let read = ["5000", "5s", "1m", "250ms", "90s", "x", "", "5x", "99999999999999999999"].map(time_ms);
        assert_eq!(read, [Some(5_000), Some(5_000), Some(60_000), Some(250), Some(90_000), None, None, None, None]);
        assert_eq!(["5000", "1m", "1500", "soon"].map(time_words), ["5 s", "1 min", "1500 ms", "soon"]);
    }
}
