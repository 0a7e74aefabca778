//! keepalived's configuration: its instances, the addresses that each moves, and the files that change its priority.
//!
//! The probe sends the lines of blocks that matter; lines of other blocks that look alike are told apart by the block
//! that they stand in.

use crate::{
    model::{
        figure::{Figure, Unknown},
        presence::{TrackedFile, VrrpInstance},
        text::Clean,
    },
    wire::sources::Sources,
};
use std::net::IpAddr;

const FILE: &str = "/etc/keepalived/keepalived.conf";
/// Instances kept of one node.
const INSTANCES_MAX: usize = 64;
/// Addresses kept of one instance.
const ADDRESSES_MAX: usize = 128;
/// Tracked interfaces kept of one instance.
const INTERFACES_MAX: usize = 64;
/// Tracked files kept of one instance.
const FILES_MAX: usize = 16;
/// Blocks within blocks that are followed.
const DEPTH_MAX: usize = 8;

/// A file as its own block describes it.
#[derive(Default)]
struct Described<'a> {
    name: &'a str,
    path: &'a str,
    weight: i64,
}

/// A file as an instance names it; without a weight the file's own one counts.
struct Named<'a> {
    instance: usize,
    name: &'a str,
    weight: Option<i64>,
    is_reverse: bool,
}

#[derive(Default)]
struct Reading<'a> {
    found: Vec<VrrpInstance>,
    described: Vec<Described<'a>>,
    named: Vec<Named<'a>>,
    /// The keywords of the open blocks, the innermost last.
    open: Vec<&'a str>,
}

/// Every instance of the configuration.
pub(super) fn instances(sources: &Sources<'_>) -> Vec<VrrpInstance> {
    let mut reading = Reading::default();
    for line in sources.lines(FILE) {
        let line = line.split(['#', '!']).next().unwrap_or_default().trim();
        let is_opened = line.ends_with('{');
        let words: Vec<&str> = line.trim_end_matches('{').split_whitespace().take(8).collect();
        match words.as_slice() {
            _ if line.starts_with('}') => drop(reading.open.pop()),
            [key, rest @ ..] if is_opened => reading.block(key, rest.first().copied().unwrap_or_default()),
            // An answer of an earlier vakt has no braces.
            ["vrrp_instance", rest @ ..] => reading.block("vrrp_instance", rest.first().copied().unwrap_or_default()),
            [key, rest @ ..] => reading.line(key, rest),
            [] => {}
        }
    }
    reading.finish(sources)
}

impl<'a> Reading<'a> {
    fn block(&mut self, key: &'a str, name: &'a str) {
        let is_top = matches!(key, "vrrp_instance" | "vrrp_script" | "vrrp_sync_group" | "global_defs");
        if is_top {
            // Whatever was not closed ends here.
            self.open.clear();
        }
        if key == "vrrp_instance" && self.found.len() < INSTANCES_MAX {
            self.found.push(VrrpInstance { name: Clean::line(name), ..VrrpInstance::default() });
        }
        if self.open.is_empty() && matches!(key, "track_file" | "vrrp_track_file") {
            self.described.push(Described { name, ..Described::default() });
        }
        if self.open.len() < DEPTH_MAX {
            self.open.push(key);
        }
    }

    fn line(&mut self, key: &'a str, rest: &[&'a str]) {
        let value = rest.first().copied();
        match (self.open.as_slice(), self.found.last_mut()) {
            (["vrrp_instance"], Some(instance)) => setting(instance, key, value),
            (["vrrp_instance", "virtual_ipaddress" | "virtual_ipaddress_excluded"], Some(instance)) => {
                let address = key.split('/').next().and_then(|text| text.parse::<IpAddr>().ok());
                if instance.addresses.len() < ADDRESSES_MAX {
                    instance.addresses.extend(address);
                }
            }
            // An interface with a weight changes the priority only.
            (["vrrp_instance", "track_interface"], Some(instance))
                if !rest.contains(&"weight") && instance.tracked.len() < INTERFACES_MAX =>
            {
                instance.tracked.push(Clean::line(key));
            }
            (["vrrp_instance", "track_file"], Some(_)) => {
                let weight = rest.iter().position(|word| *word == "weight").and_then(|at| rest.get(at + 1));
                let named = Named {
                    instance: self.found.len() - 1,
                    name: key,
                    weight: weight.and_then(|weight| weight.parse().ok()),
                    is_reverse: rest.contains(&"reverse"),
                };
                self.named.push(named);
            }
            (["track_file" | "vrrp_track_file"], _) => {
                let Some(file) = self.described.last_mut() else { return };
                match (key, value) {
                    ("file", Some(path)) => file.path = path.trim_matches('"'),
                    ("weight", Some(weight)) => file.weight = weight.parse().unwrap_or(0),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn finish(mut self, sources: &Sources<'_>) -> Vec<VrrpInstance> {
        for named in &self.named {
            let described = self.described.iter().find(|file| file.name == named.name);
            let path = described.map_or("", |file| file.path);
            let weight = named.weight.or(described.map(|file| file.weight)).unwrap_or(0);
            let number = sources.first(path).and_then(|line| line.trim().parse::<i64>().ok());
            let file = TrackedFile {
                name: Clean::line(named.name),
                path: Clean::line(path),
                weight: if named.is_reverse { weight.saturating_neg() } else { weight },
                value: number.map_or(Figure::Unknown(Unknown::Missing), Figure::Known),
            };
            if let Some(instance) = self.found.get_mut(named.instance).filter(|found| found.files.len() < FILES_MAX) {
                instance.files.push(file);
            }
        }
        self.found
    }
}

/// A line of the instance itself.
fn setting(instance: &mut VrrpInstance, key: &str, value: Option<&str>) {
    match (key, value) {
        ("nopreempt", _) => instance.is_nopreempt = true,
        ("dont_track_primary", _) => instance.ignores_interface = true,
        // `interface` and `state` may come again in blocks of an answer without braces: the first one counts.
        ("state", Some(value)) => {
            instance.state.get_or_insert_with(|| Clean::line(value));
        }
        ("interface", Some(value)) => {
            instance.interface.get_or_insert_with(|| Clean::line(value));
        }
        ("priority", Some(value)) => instance.priority = instance.priority.or(value.parse().ok()),
        ("virtual_router_id", Some(value)) => instance.router_id = instance.router_id.or(value.parse().ok()),
        ("advert_int", Some(value)) => instance.advert_ms = instance.advert_ms.or(ms(value)),
        ("preempt_delay", Some(value)) => instance.preempt_delay_ms = ms(value).unwrap_or(0),
        _ => {}
    }
}

/// Seconds with a fraction, at most an hour, as milliseconds.
fn ms(seconds: &str) -> Option<u64> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let whole: u64 = whole.parse().ok().filter(|whole| *whole <= 3600)?;
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(whole * 1000 + digits.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str], others: &str) -> Vec<VrrpInstance> {
        let text = lines.iter().fold(String::new(), |text, line| text + FILE + ":" + line + "\n");
        instances(&Sources::parse(&format!("{text}{others}"), &[]))
    }

    const LINES: [&str; 27] = [
        "global_defs {",
        "}",
        "vrrp_script check {",
        "    weight -60",
        "}",
        "track_file operators {",
        "    file \"/etc/keepalived/priority\"",
        "    weight 2",
        "}",
        "vrrp_instance edge {",
        "    interface priv0",
        "    priority 150 # of two",
        "    advert_int 0.2",
        "    preempt_delay 3",
        "    unicast_peer {",
        "        10.10.0.12",
        "    }",
        "    track_file {",
        "        operators weight 1",
        "        operators",
        "        gone weight 1 reverse",
        "    }",
        "    virtual_ipaddress {",
        "        10.10.0.100/24 dev priv0",
        "        2001:db8::1",
        "    }",
        "}",
    ];

    #[test]
    fn an_instance_has_its_own_lines_addresses_and_files() {
        let found = read(&LINES, "/etc/keepalived/priority:-7\n");
        let [edge] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((edge.priority, edge.advert_ms, edge.preempt_delay_ms), (Some(150), Some(200), 3000));
        let addresses: Vec<String> = edge.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.10.0.100", "2001:db8::1"], "a peer is no address of it");
        let files: Vec<(&str, i64, Option<i64>)> =
            edge.files.iter().map(|file| (file.path.as_str(), file.weight, file.value.known())).collect();
        assert_eq!(
            files,
            [("/etc/keepalived/priority", 1, Some(-7)), ("/etc/keepalived/priority", 2, Some(-7)), ("", -1, None)]
        );
        assert_eq!(edge.priority_now(), None, "one of its files cannot be read");
    }

    #[test]
    fn what_a_file_holds_is_added_to_the_priority() {
        let lines: Vec<&str> = LINES.into_iter().filter(|line| !line.contains("gone")).collect();
        assert_eq!(read(&lines, "/etc/keepalived/priority:-7\n")[0].priority_now(), Some(150 - 7 - 14));
    }

    #[test]
    fn an_answer_without_braces_is_still_read() {
        let found =
            read(&["vrrp_instance a {", "  priority 9", "vrrp_instance b {", "  nopreempt", "  priority 8"], "");
        assert_eq!(found.iter().map(|one| one.priority).collect::<Vec<_>>(), [Some(9), Some(8)]);
        assert!(found[1].is_nopreempt && !found[0].is_nopreempt);
    }

    #[test]
    fn seconds_have_fractions_and_a_bound() {
        assert_eq!(["0.2", "1", "0.05", "3.1234"].map(ms), [Some(200), Some(1000), Some(50), Some(3123)]);
        assert_eq!(["", "x", "99999", "1.x"].map(ms), [None; 4]);
    }
}
