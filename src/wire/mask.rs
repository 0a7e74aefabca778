//! What must not be read in a recording by everybody who gets hold of it: addresses of strangers. Literals in SQL
//! statements are [`super::mysql::masked`]'s. Text in, text out.
//!
//! Addresses keep their network, so that a replay still shows where clients come from, and one address has one mask in
//! a recording. The mask cannot be taken for an address: nobody blocks or traces the wrong machine because of a replay.

use crate::model::inventory::Inventory;
use sha2::{Digest, Sha256};
use std::{
    borrow::Cow,
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Hides addresses that the inventory does not name.
#[derive(Clone)]
pub struct Mask {
    known: BTreeSet<IpAddr>,
    key: [u8; 16],
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key would undo the masks.
        f.debug_struct("Mask").field("known", &self.known).finish_non_exhaustive()
    }
}

impl Mask {
    /// A mask that leaves the addresses of the inventory readable. `key` must be random and must not be written down.
    pub fn new(inventory: &Inventory, key: [u8; 16]) -> Self {
        let nodes = inventory.nodes.iter().flat_map(|node| {
            let management = node.management.parse::<IpAddr>().ok();
            // A name is a word of the inventory too, even if it looks like an address.
            [management, node.private, node.public, node.name.as_str().parse().ok()].into_iter().flatten()
        });
        let vips = inventory.vips.iter().map(|vip| vip.address);
        let jumps = inventory.settings.jump_hosts.iter().filter_map(|jump| jump.address.parse().ok());
        Self { known: nodes.chain(vips).chain(jumps).collect(), key }
    }

    /// The text with every address masked that neither the inventory names nor is the same on every machine.
    pub fn addresses<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let bytes = text.as_bytes();
        let mut masked: Option<String> = None;
        let (mut copied, mut at) = (0, 0);
        while at < bytes.len() {
            let Some((length, address)) = address_at(text, at) else {
                at += 1;
                continue;
            };
            if self.must_hide(address) {
                let out = masked.get_or_insert_with(|| String::with_capacity(text.len() + 16));
                out.push_str(&text[copied..at]);
                self.push_mask(out, address);
                copied = at + length;
            }
            at += length;
        }
        match masked {
            Some(mut out) => {
                out.push_str(&text[copied..]);
                Cow::Owned(out)
            }
            None => Cow::Borrowed(text),
        }
    }

    fn must_hide(&self, address: IpAddr) -> bool {
        let says_nothing = match address {
            // Netmasks and reserved ranges begin with 240 and more.
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.octets()[0] == 0 || v4.octets()[0] >= 224,
            IpAddr::V6(v6) => {
                v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local()
            }
        };
        !says_nothing && !self.known.contains(&address)
    }

    /// `198.51.masked-7f3a2c`, `2001:db8:masked-0b11e7`.
    fn push_mask(&self, out: &mut String, address: IpAddr) {
        use std::fmt::Write as _;
        let mut digest = Sha256::new();
        digest.update(self.key);
        // Writing into a string cannot fail.
        let _ = match address {
            IpAddr::V4(v4) => {
                digest.update(v4.octets());
                let [a, b, ..] = v4.octets();
                write!(out, "{a}.{b}.masked-")
            }
            IpAddr::V6(v6) => {
                digest.update(v6.octets());
                let [a, b, ..] = v6.segments();
                write!(out, "{a:x}:{b:x}:masked-")
            }
        };
        for byte in digest.finalize().iter().take(3) {
            let _ = write!(out, "{byte:02x}");
        }
    }
}

/// The address that begins at this byte, and how many bytes it takes. Never in the middle of a word or a number.
fn address_at(text: &str, at: usize) -> Option<(usize, IpAddr)> {
    let bytes = text.as_bytes();
    let first = *bytes.get(at)?;
    if !(first.is_ascii_hexdigit() || first == b':') {
        return None;
    }
    let before = at.checked_sub(1).and_then(|at| bytes.get(at).copied());
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let v6 = before != Some(b':') && before != Some(b'.');
    if let Some((length, address)) = v6.then(|| v6_at(text, at)).flatten() {
        return Some((length, address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)));
    }
    let in_number = before == Some(b'.') && at >= 2 && bytes[at - 2].is_ascii_digit();
    let (length, address) = (!in_number).then(|| v4_at(&bytes[at..])).flatten()?;
    Some((length, IpAddr::V4(address)))
}

fn v4_at(bytes: &[u8]) -> Option<(usize, Ipv4Addr)> {
    let mut octets = [0_u8; 4];
    let mut at = 0;
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            if bytes.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let digits = bytes[at..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || digits > 3 {
            return None;
        }
        *octet = std::str::from_utf8(&bytes[at..at + digits]).ok()?.parse().ok()?;
        at += digits;
    }
    let goes_on = match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'.'), Some(next)) => next.is_ascii_digit(),
        (Some(next), _) => next.is_ascii_alphanumeric() || *next == b'_',
        (None, _) => false,
    };
    (!goes_on).then_some((at, Ipv4Addr::from(octets)))
}

/// Longest text of an IPv6 address, with an IPv4 tail and a port behind it.
const V6_BYTES_MAX: usize = 52;

fn v6_at(text: &str, at: usize) -> Option<(usize, Ipv6Addr)> {
    let bytes = &text.as_bytes()[at..];
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':' || *byte == b'.';
    let run = bytes.iter().take(V6_BYTES_MAX + 1).take_while(|byte| is_part(byte)).count();
    if run > V6_BYTES_MAX || !has_two_colons(&bytes[..run]) {
        return None;
    }
    // Letters behind it: a name with colons, not an address.
    if bytes.get(run).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return None;
    }
    let mut run = text.get(at..at + run)?.trim_end_matches('.');
    // Punctuation, or a port without brackets.
    loop {
        if let Ok(address) = run.parse() {
            return Some((run.len(), address));
        }
        run = &run[..run.rfind(':')?];
        if !has_two_colons(run.as_bytes()) {
            return None;
        }
    }
}

fn has_two_colons(bytes: &[u8]) -> bool {
    bytes.iter().filter(|byte| **byte == b':').nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mask() -> Mask {
        Mask { known: ["10.10.0.21".parse().unwrap(), "2001:db8::5".parse().unwrap()].into(), key: [7; 16] }
    }

    #[test]
    fn strangers_are_masked_and_the_inventory_stays() {
        let text = mask()
            .addresses("from 198.51.100.7:4711 to 10.10.0.21:80, again 198.51.100.7, not 198.51.100.8")
            .into_owned();
        let (first, rest) = text.strip_prefix("from ").unwrap().split_once(":4711 to 10.10.0.21:80, again ").unwrap();
        let (second, third) = rest.split_once(", not ").unwrap();
        assert!(
            first.starts_with("198.51.masked-") && first == second && third.starts_with("198.51.masked-"),
            "{text}"
        );
        assert_ne!(first, third);
    }

    #[test]
    fn ipv6_in_every_dress() {
        for text in [
            "2001:db8:1::7",
            "[2001:db8:1::7]:443",
            "2001:db8:1:0:0:0:0:7",
            "2001:DB8:1::7%eth0",
            "src=2001:db8:1::7,",
            "2001:db8:1::7:",
            "2001:db8:1:0:0:0:0:7:443",
        ] {
            let masked = mask().addresses(text).into_owned();
            assert!(masked.contains("2001:db8:masked-") && !masked.contains(":7"), "{text}: {masked}");
        }
        assert!(mask().addresses("::ffff:198.51.100.7").starts_with("198.51.masked-"));
        assert_eq!(mask().addresses("a 2001:db8::5 b"), "a 2001:db8::5 b");
    }

    #[test]
    fn what_is_no_address_stays() {
        for text in [
            "14:03:22",
            "52:54:00:12:34:56",
            "1.2.3",
            "2.6.12-1+deb12u1",
            "1.2.3.4.5",
            "v1.2.3.4",
            "std::abc",
            "::1",
            "127.0.0.1",
            "255.255.255.0",
            "0.0.0.0:80",
            "fe80::5054:ff:fe12:3456",
            "1.2.3.456",
            "0.42 0.30 0.20 1/200",
            "node_1.2.3.4",
            "::",
            "",
        ] {
            assert_eq!(mask().addresses(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_address_survives_any_surroundings(before in "[ -~æ]{0,12}", octets in any::<[u8; 4]>(), after in "[ -~æ]{0,12}") {
            prop_assume!((1..224).contains(&octets[0]) && octets[0] != 127 && octets[0] != 169);
            let address = Ipv4Addr::from(octets).to_string();
            let text = format!("{before} {address} {after}");
            let masked = mask().addresses(&text).into_owned();
            let bare = format!(" {address} ");
            prop_assert!(!masked.contains(&bare), "{}", masked);
        }

        #[test]
        fn any_text_is_masked_without_a_panic(text in "\\PC{0,80}") {
            let _ = mask().addresses(&text);
        }
    }
}
