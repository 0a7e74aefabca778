//! Sockets that wait to be spoken to, from `ss` or from the kernel's tables.

use crate::{
    model::{
        figure::{Figure, Unknown},
        services::{Listener, Protocol},
    },
    wire::{complaints::Complaints, sources::Sources},
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Sockets kept of one node.
const LISTENERS_MAX: usize = 1024;
/// Sockets kept of those on ports that the kernel lends; a busy resolver has hundreds for a moment.
const LENT_MAX: usize = 64;

/// `ip_local_port_range` where the kernel's own value is not in the answer.
const LENT: (u16, u16) = (32_768, 60_999);
/// `TCP_LISTEN` of `/proc/net/tcp`.
const LISTENS: &str = "0A";
/// `TCP_CLOSE` of `/proc/net/udp`: not connected to anybody.
const UNCONNECTED: &str = "07";

/// What waits.
pub(super) struct Found {
    /// The sockets; unknown where neither source says anything.
    pub(super) listeners: Figure<Vec<Listener>>,
    /// UDP sockets on ports that the kernel lends, the first ones by port.
    pub(super) lent: Vec<Listener>,
}

/// The sockets.
pub(super) fn of(sources: &Sources<'_>, complaints: &mut Complaints) -> Found {
    let mut found: BTreeSet<Listener> = BTreeSet::new();
    let mut borrowed: BTreeSet<Listener> = BTreeSet::new();
    let lent = sources.first("/proc/sys/net/ipv4/ip_local_port_range").and_then(range).unwrap_or(LENT);
    let mut keep = |listener: Listener, complaints: &mut Complaints| {
        if listener.protocol == Protocol::Udp && (lent.0..=lent.1).contains(&listener.port) {
            borrowed.insert(listener);
            return;
        }
        if found.len() < LISTENERS_MAX {
            found.insert(listener);
        } else {
            complaints.add("sockets", format!("only the first {LISTENERS_MAX} are kept"));
        }
    };
    let mut is_told = false;
    for line in sources.loose() {
        is_told |= line.starts_with("State ") || line.starts_with("Netid ");
        let Some((protocol, local)) = waits(line) else { continue };
        is_told = true;
        match printed(local) {
            Some((address, port)) => keep(Listener { port, protocol, address }, complaints),
            None => complaints.add("ss", format!("not an address and a port: {local}")),
        }
    }
    let tables = [
        ("/proc/net/tcp", Protocol::Tcp, LISTENS),
        ("/proc/net/tcp6", Protocol::Tcp, LISTENS),
        ("/proc/net/udp", Protocol::Udp, UNCONNECTED),
        ("/proc/net/udp6", Protocol::Udp, UNCONNECTED),
    ];
    for (table, protocol, state) in tables {
        for line in sources.lines(table) {
            is_told = true;
            let words: Vec<&str> = line.split_whitespace().take(4).collect();
            let [_, local, _, of] = words[..] else {
                complaints.add(table, format!("not understood: {line}"));
                continue;
            };
            if of != state {
                continue;
            }
            match listed(local) {
                Some((address, port)) => keep(Listener { port, protocol, address }, complaints),
                None => complaints.add(table, format!("not an address and a port: {local}")),
            }
        }
    }
    // The kernel's tables are there and hold no listening socket: that is an answer, too.
    is_told |= sources.first("tables").is_some();
    let listeners = if is_told {
        Figure::Known(found.into_iter().collect())
    } else {
        complaints.add("sockets", "neither ss nor /proc/net/tcp says anything");
        Figure::Unknown(Unknown::Missing)
    };
    Found { listeners, lent: borrowed.into_iter().take(LENT_MAX).collect() }
}

/// Two numbers: the first and the last port.
fn range(line: &str) -> Option<(u16, u16)> {
    let mut words = line.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// `tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*`, `udp UNCONN 0 0 0.0.0.0:68 …`, and without the first word where `ss` was
/// asked for one kind only: what speaks there, and its address and port.
fn waits(line: &str) -> Option<(Protocol, &str)> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let (protocol, state) = match first {
        "tcp" => (Protocol::Tcp, words.next()?),
        "udp" => (Protocol::Udp, words.next()?),
        state => (Protocol::Tcp, state),
    };
    let waits = matches!((protocol, state), (Protocol::Tcp, "LISTEN") | (Protocol::Udp, "UNCONN"));
    waits.then(|| (protocol, words.nth(2).unwrap_or_default()))
}

/// `0.0.0.0:80`, `127.0.0.53%lo:53`, `[::]:22`, `*:22`, `:::22`, `[fe80::1]%eth0:546`.
fn printed(local: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = local.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let address = address.split('%').next().unwrap_or_default().trim_matches(['[', ']']);
    let address = match address {
        "*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        other => other.parse().ok()?,
    };
    Some((plain(address), port))
}

/// `16000A0A:2BCB`: groups of four bytes in the order of the processor, which is little-endian on all that matter.
fn listed(local: &str) -> Option<(IpAddr, u16)> {
    let (digits, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Option<Vec<u32>> = (0..digits.len() / 8)
        .map(|index| u32::from_str_radix(digits.get(index * 8..index * 8 + 8)?, 16).ok().map(u32::swap_bytes))
        .collect();
    let address = match (digits.len(), words?.as_slice()) {
        (8, [word]) => IpAddr::V4(Ipv4Addr::from(*word)),
        (32, [a, b, c, d]) => {
            let bits = [a, b, c, d].into_iter().fold(0_u128, |bits, word| bits << 32 | u128::from(*word));
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        _ => return None,
    };
    Some((plain(address), port))
}

/// An IPv4 address in the clothes of an IPv6 one is an IPv4 address.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str, port: u16) -> (IpAddr, u16) {
        (address.parse().unwrap(), port)
    }

    #[test]
    fn udp_sockets_that_serve_are_told_from_those_that_ask() {
        let of = |text: &str| {
            let mut complaints = Complaints::default();
            let found = super::of(&Sources::parse(text, &["tables"]), &mut complaints);
            assert!(complaints.finish().is_empty());
            let words = |found: &[Listener]| -> Vec<String> {
                found.iter().map(|listener| format!("{} {}", listener.address, listener.port_words())).collect()
            };
            (words(&found.listeners.known().unwrap()), words(&found.lent))
        };
        let told = |serve: &[&str], lent: &[&str]| {
            let words = |of: &[&str]| of.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            (words(serve), words(lent))
        };
        let printed = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n\
            udp   UNCONN 0      0            0.0.0.0:161        0.0.0.0:*\n\
            udp   UNCONN 0      0            0.0.0.0:40001      0.0.0.0:*\n\
            udp   ESTAB  0      0          10.0.0.1:123       10.0.0.2:123\n\
            tcp   LISTEN 0      128             [::]:22            [::]:*\n";
        assert_eq!(of(printed), told(&[":: 22", "0.0.0.0 161/udp"], &["0.0.0.0 40001/udp"]));
        let narrowed = format!("{printed}/proc/sys/net/ipv4/ip_local_port_range:50000\t60000\n");
        assert_eq!(of(&narrowed), told(&[":: 22", "0.0.0.0 161/udp", "0.0.0.0 40001/udp"], &[]));
        let tables = "tables:yes\n/proc/net/tcp:   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000\n\
            /proc/net/tcp:   1: 00000000:0017 00000000:0000 07 00000000:00000000 00:00000000\n\
            /proc/net/udp:  10: 00000000:00A1 00000000:0000 07 00000000:00000000 00:00000000\n\
            /proc/net/udp6:  11: 00000000000000000000000000000000:E29F 00000000000000000000000000000000:0000 07 0\n";
        assert_eq!(of(tables), told(&["0.0.0.0 22", "0.0.0.0 161/udp"], &[":: 58015/udp"]));
    }

    #[test]
    fn every_form_of_ss_is_understood() {
        assert_eq!(printed("0.0.0.0:80"), Some(listener("0.0.0.0", 80)));
        assert_eq!(printed("127.0.0.53%lo:53"), Some(listener("127.0.0.53", 53)));
        assert_eq!(printed("[::]:22"), Some(listener("::", 22)));
        assert_eq!(printed("*:22"), Some(listener("::", 22)));
        assert_eq!(printed(":::22"), Some(listener("::", 22)));
        assert_eq!(printed("[fe80::1]%eth0:546"), Some(listener("fe80::1", 546)));
        assert_eq!(printed("[::ffff:10.0.0.1]:80"), Some(listener("10.0.0.1", 80)));
        assert_eq!(printed("nonsense"), None);
        assert_eq!(printed("1.2.3.4:99999"), None);
    }

    #[test]
    fn the_kernels_tables_say_the_same() {
        assert_eq!(listed("16000A0A:2BCB"), Some(listener("10.10.0.22", 11211)));
        assert_eq!(listed("00000000000000000000000000000000:0016"), Some(listener("::", 22)));
        assert_eq!(listed("B80D0120000000000000000001000000:0050"), Some(listener("2001:db8::1", 80)));
        assert_eq!(listed("16000A0:2BCB"), None);
        assert_eq!(listed("é0000000:2BCB"), None);
    }
}
