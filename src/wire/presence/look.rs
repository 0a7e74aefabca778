//! The answer of [`super::PresenceProbe`] as a [`PresenceSample`].

use super::keepalived;
use crate::{
    model::{
        figure::{Figure, Unknown},
        presence::{HardwareAddress, InterfaceState, Keepalived, Neighbour, PresenceSample, ProcessState},
        text::Clean,
    },
    wire::{
        complaints::Complaints,
        probe::Complaint,
        sources::{Sources, as_text},
    },
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

/// Addresses kept of one node.
const ADDRESSES_MAX: usize = 512;
/// Neighbours kept of one node.
const NEIGHBOURS_MAX: usize = 512;
/// Interfaces kept of one node.
const INTERFACES_MAX: usize = 256;
/// `ATF_COM` of `/proc/net/arp`: somebody answered.
const ARP_COMPLETE: u32 = 2;
/// `IFA_F_DADFAILED` of `/proc/net/if_inet6`: another machine has the address, this one does not use it.
const DUPLICATE_FOUND: u32 = 8;

/// What the answer says; `None` when it has nothing of the kernel's network in it.
pub(super) fn interpret(bytes: &[u8]) -> (Option<PresenceSample>, Vec<Complaint>) {
    let text = as_text(bytes);
    let sources = Sources::parse(&text, &["hidden", "enabled"]);
    let mut complaints = Complaints::default();
    if sources.cut {
        complaints.add("the answer", "too many lines; the rest is left out");
    }
    let addresses = addresses(&sources, &mut complaints);
    let interfaces = interfaces(&sources);
    if addresses.why().is_some() && interfaces.is_empty() {
        complaints.add("the answer", "no addresses and no interfaces in it");
        return (None, complaints.finish());
    }
    let sample = PresenceSample {
        addresses,
        interfaces,
        neighbours: neighbours(&sources, &mut complaints),
        states: states(&sources),
        keepalived: Keepalived {
            is_enabled: sources.lines("enabled").contains(&"keepalived"),
            process: process(&sources),
            instances: keepalived::instances(&sources),
        },
    };
    (Some(sample), complaints.finish())
}

/// IPv4 from the table of routes or from `ip`, IPv6 from the kernel's list.
fn addresses(sources: &Sources<'_>, complaints: &mut Complaints) -> Figure<Vec<IpAddr>> {
    let mut found: BTreeSet<IpAddr> = BTreeSet::new();
    let trie = sources.lines("/proc/net/fib_trie");
    local_leaves(trie, &mut found, complaints);
    let printed: Vec<&str> = sources.loose().iter().copied().filter(|line| line.contains(" inet")).collect();
    for line in &printed {
        found.extend(printed_address(line));
    }
    for line in sources.lines("/proc/net/if_inet6") {
        found.extend(listed_address(line, complaints));
    }
    if trie.is_empty() && printed.is_empty() {
        complaints.add("addresses", "neither /proc/net/fib_trie nor the ip command says anything");
        return Figure::Unknown(Unknown::Missing);
    }
    found.retain(|address| !is_local(*address));
    if found.len() > ADDRESSES_MAX {
        complaints.add("addresses", format!("only the first {ADDRESSES_MAX} are kept"));
    }
    Figure::Known(found.into_iter().take(ADDRESSES_MAX).collect())
}

/// `|-- 10.10.0.100`, then `/32 host LOCAL` where the kernel takes packets for it.
fn local_leaves(trie: &[&str], found: &mut BTreeSet<IpAddr>, complaints: &mut Complaints) {
    let mut leaf = None;
    for line in trie {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.trim().parse::<IpAddr>().ok();
            if leaf.is_none() {
                complaints.add("fib_trie", format!("not an address: {address}"));
            }
        } else if line.starts_with("/32 ") && found.len() <= ADDRESSES_MAX {
            found.extend(leaf);
        }
    }
}

/// `2: eth0    inet 10.99.0.11/24 brd …`.
fn printed_address(line: &str) -> Option<IpAddr> {
    let mut words = line.split_whitespace().skip_while(|word| !matches!(*word, "inet" | "inet6")).skip(1);
    words.next()?.split('/').next()?.parse().ok()
}

/// `fe80…bc 04 40 20 80     pub0`: address, interface number, prefix length, scope, flags, name.
fn listed_address(line: &str, complaints: &mut Complaints) -> Option<IpAddr> {
    let mut words = line.split_whitespace();
    let digits = words.next()?;
    let flags = words.nth(3).and_then(|flags| u32::from_str_radix(flags, 16).ok());
    let Some(address) = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32) else {
        complaints.add("if_inet6", format!("not an address: {digits}"));
        return None;
    };
    let is_refused = flags.is_some_and(|flags| flags & DUPLICATE_FOUND != 0);
    (!is_refused).then(|| IpAddr::V6(Ipv6Addr::from(address)))
}

/// Addresses that say nothing about who is where.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_unspecified(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified(),
    }
}

fn interfaces(sources: &Sources<'_>) -> Vec<HardwareAddress> {
    sources
        .between("/sys/class/net/", "/address")
        .filter_map(|(interface, lines)| {
            let address = lines.first()?.trim();
            let is_real = is_hardware(address) && address != "00:00:00:00:00:00";
            is_real.then(|| HardwareAddress { interface: Clean::line(interface), address: Clean::line(address) })
        })
        .take(INTERFACES_MAX)
        .collect()
}

/// `/sys/class/net/priv0/operstate:down`; the loopback says nothing.
fn states(sources: &Sources<'_>) -> Figure<Vec<InterfaceState>> {
    let state = |(interface, lines): (&str, &[&str])| {
        let word = lines.first()?.trim();
        let is_down = matches!(word, "down" | "lowerlayerdown" | "notpresent");
        Some(InterfaceState { interface: Clean::line(interface), is_down })
    };
    let states: Vec<InterfaceState> =
        sources.between("/sys/class/net/", "/operstate").filter_map(state).take(INTERFACES_MAX).collect();
    Figure::from_option(Some(states).filter(|states| !states.is_empty()), Unknown::Missing)
}

fn is_hardware(text: &str) -> bool {
    text.len() == 17 && text.split(':').all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// `10.10.0.22       0x1         0x2         52:54:00:0a:0a:16     *        priv0`.
fn neighbours(sources: &Sources<'_>, complaints: &mut Complaints) -> Vec<Neighbour> {
    let mut found = Vec::new();
    for line in sources.lines("/proc/net/arp") {
        let words: Vec<&str> = line.split_whitespace().take(8).collect();
        let [address, _, flags, hardware, _, interface, ..] = words[..] else { continue };
        let Ok(address) = address.parse::<IpAddr>() else { continue };
        let flags = flags.strip_prefix("0x").and_then(|flags| u32::from_str_radix(flags, 16).ok());
        let Some(flags) = flags.filter(|_| is_hardware(hardware)) else {
            complaints.add("arp", format!("not understood: {line}"));
            continue;
        };
        if flags & ARP_COMPLETE == 0 {
            continue;
        }
        if found.len() >= NEIGHBOURS_MAX {
            complaints.add("arp", format!("only the first {NEIGHBOURS_MAX} are kept"));
            break;
        }
        let hardware = Clean::line(&hardware.to_ascii_lowercase());
        found.push(Neighbour { address, hardware, interface: Clean::line(interface) });
    }
    found
}

/// `150 (keepalived) S 1 …` of every process that keepalived noted; the worst state counts.
fn process(sources: &Sources<'_>) -> Figure<ProcessState> {
    let mut worst = ProcessState::Absent;
    for (_, lines) in sources.between("/proc/", "/stat") {
        let Some(line) = lines.first() else { continue };
        let (Some(open), Some(close)) = (line.find('('), line.rfind(')')) else { continue };
        // The number may belong to another process by now.
        if !line.get(open + 1..close).is_some_and(|name| name.starts_with("keepalived")) {
            continue;
        }
        let state = match line.get(close + 1..).and_then(|rest| rest.trim_start().chars().next()) {
            Some('T' | 't') => ProcessState::Stopped,
            Some('D') => ProcessState::Blocked,
            Some('Z' | 'X' | 'x') | None => continue,
            Some(_) => ProcessState::Running,
        };
        worst = match (worst, state) {
            (ProcessState::Stopped, _) | (_, ProcessState::Stopped) => ProcessState::Stopped,
            (ProcessState::Blocked, _) | (_, ProcessState::Blocked) => ProcessState::Blocked,
            _ => ProcessState::Running,
        };
    }
    let is_hidden = sources.first("hidden").is_some();
    if worst == ProcessState::Absent && is_hidden {
        return Figure::Unknown(Unknown::NotPermitted);
    }
    Figure::Known(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_instance_watches_and_moves_is_read_from_its_blocks() {
        let base = "/proc/net/fib_trie:  |-- 10.0.0.1\n/proc/net/fib_trie:  /32 host LOCAL\n\
                    /sys/class/net/pub0/operstate:down\n/sys/class/net/priv0/operstate:unknown\n";
        let config = "vrrp_instance edge {\n    interface priv0\n    track_interface {\n        pub0\n        \
                      eth9 weight -10\n    }\n    virtual_ipaddress {\n        10.0.0.100/24 dev priv0\n    }\n    \
                      nopreempt\n}\nvrrp_instance other {\n    interface eth1\n    dont_track_primary\n}";
        let lines: Vec<String> = config.lines().map(|line| format!("/etc/keepalived/keepalived.conf:{line}")).collect();
        let sample = facts(&format!("{base}{}\n", lines.join("\n")));
        let [edge, other] = sample.keepalived.instances.as_slice() else { panic!("two instances") };
        assert_eq!((edge.tracked.as_slice(), edge.is_nopreempt), (&["pub0".into()][..], true));
        assert_eq!(edge.addresses, ["10.0.0.100".parse::<IpAddr>().unwrap()]);
        assert!(other.ignores_interface && other.tracked.is_empty());
        assert_eq!(sample.broken(edge), Some("its interface pub0 is down".to_owned()));
        assert_eq!(sample.broken(other), None, "its interface does not matter to it");
        let nothing_told = facts("/proc/net/fib_trie:  |-- 10.0.0.1\n/proc/net/fib_trie:  /32 host LOCAL\n");
        assert_eq!(nothing_told.broken(edge), None, "what is not told is not broken");
    }

    fn facts(text: &str) -> PresenceSample {
        interpret(text.as_bytes()).0.unwrap_or_default()
    }

    #[test]
    fn only_what_the_kernel_takes_packets_for_is_carried() {
        let text = "/proc/net/fib_trie:     |-- 10.10.0.0\n/proc/net/fib_trie:     |-- 10.10.0.100\n\
                    /proc/net/fib_trie:        /32 host LOCAL\n/proc/net/fib_trie:     |-- 127.0.0.0\n\
                    /proc/net/fib_trie:        /8 host LOCAL\n/proc/net/fib_trie:     |-- 127.0.0.1\n\
                    /proc/net/fib_trie:        /32 host LOCAL\n";
        assert_eq!(facts(text).addresses, Figure::Known(vec!["10.10.0.100".parse().unwrap()]));
    }

    #[test]
    fn without_the_table_of_routes_the_ip_command_counts() {
        let text = "2: eth0    inet 10.99.0.11/24 brd 10.99.0.255 scope global eth0\\       valid_lft forever\n\
                    2: eth0    inet6 fe80::1/64 scope link \\       valid_lft forever\n";
        assert_eq!(facts(text).addresses, Figure::Known(vec!["10.99.0.11".parse().unwrap()]));
    }

    #[test]
    fn a_frozen_keepalived_is_stopped_and_a_reused_number_is_not_it() {
        let base = "/proc/net/fib_trie:  |-- 10.0.0.1\n/proc/net/fib_trie:  /32 host LOCAL\n";
        let state = |lines: &str| facts(&format!("{base}{lines}")).keepalived.process;
        let running = "/proc/150/stat:150 (keepalived) S 1 150\n";
        assert_eq!(state(""), Figure::Known(ProcessState::Absent));
        assert_eq!(state(running), Figure::Known(ProcessState::Running));
        let stopped = format!("{running}/proc/151/stat:151 (keepalived_vrrp) T 150 150\n");
        assert_eq!(state(&stopped), Figure::Known(ProcessState::Stopped));
        assert_eq!(state("/proc/150/stat:150 (cron) S 1 150\n"), Figure::Known(ProcessState::Absent));
        assert_eq!(state("/proc/150/stat:150 (keepalived) Z 1 150\n"), Figure::Known(ProcessState::Absent));
        assert_eq!(state("hidden:yes\n"), Figure::Unknown(Unknown::NotPermitted));
    }

    #[test]
    fn an_address_that_another_machine_has_is_not_carried() {
        let text = "/proc/net/fib_trie:  |-- 10.0.0.1\n/proc/net/fib_trie:  /32 host LOCAL\n\
                    /proc/net/if_inet6:20010db8000000000000000000000001 02 40 00 88     eth0\n\
                    /proc/net/if_inet6:20010db8000000000000000000000002 02 40 00 80     eth0\n";
        let carried: Vec<IpAddr> = ["10.0.0.1", "2001:db8::2"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(facts(text).addresses, Figure::Known(carried));
    }
}
