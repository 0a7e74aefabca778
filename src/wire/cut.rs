//! An address is cut off a node, and the way to it opened again, by what every Linux has: a route that leads nowhere.
//!
//! The kernel then sends nothing there, so that no new connection can come about from either side. What had arrived on a
//! connection that stood would still be read, and so would what arrives later: the connections are ended, too. Both are
//! gone with a restart of the node, as the kernel's table is.
//!
//! Deliberately absent: packet filters. They would let connections stand, of which nobody could see that they are deaf.

use super::{
    complaints::Complaints,
    probe::{Complaint, Facts, Probe},
    request::{Access, Call, Reply, Request, first_bytes},
};
use crate::model::{
    cut::{CutRoute, CutSample, Way},
    figure::{Figure, Unknown},
    inventory::Node,
    text::Clean,
};
use std::{borrow::Cow, net::Ipv4Addr};

/// Longest answer, bytes.
const CAP_BYTES: usize = 16 * 1024;
/// Routes that are taken in.
const ROUTES_MAX: usize = 100;
/// Longest time for one program that changes the kernel's table.
const DEADLINE_MS: u64 = 5_000;

/// Words of the shell itself: no process is started on the node. The kernel prints a route without a device as `*`, an
/// address as a number of eight hexadecimal digits in the order of the machine's bytes. A table that is too long for a
/// shell is said to be unread.
const SCRIPT: &str = concat!(
    "n=0; { while read -r i d g f r u m k x; do n=$((n + 1)); if [ $n -gt 2000 ]; then printf 'unread:long\\n'; break; fi; ",
    "case $i$k in '*FFFFFFFF') printf 'cut:%s %s %s\\n' \"$d\" \"$f\" \"$m\";; esac; done </proc/net/route; } 2>/dev/null; ",
    "[ $n -gt 0 ] || printf 'unread:missing\\n'; ",
    "for p in ip ss; do command -v $p >/dev/null 2>&1 || [ -x /usr/sbin/$p ] || [ -x /sbin/$p ] || printf 'lacks:%s\\n' $p; done"
);
/// The same in Perl.
const PERL: &str = include_str!("cut.pl");
/// Whether the kernel would send to an address, and connections with it, when that stands behind `a=`.
const WAY: &str = concat!(
    "PATH=$PATH:/usr/sbin:/sbin; ip route get $a >/dev/null 2>&1; printf 'way:%s %s\\n' $a $?; ",
    "s=$(ss -Htn state connected exclude time-wait dst $a 2>/dev/null) && ",
    "printf 'connections:%s\\n' \"$(printf '%s' \"$s\" | grep -c .)\""
);
/// The route first: what is ended before it would be begun anew.
const CUT: &str = r#"s=; [ "$(id -u)" = 0 ] || s="sudo -n"; PATH=$PATH:/usr/sbin:/sbin; $s ip route add unreachable "$1/32" proto 118 metric "$2" || exit 1; $s ss -Ktn dst "$1" >/dev/null"#;
const OPEN: &str = r#"s=; [ "$(id -u)" = 0 ] || s="sudo -n"; PATH=$PATH:/usr/sbin:/sbin; $s ip route del unreachable "$1/32" proto 118 metric "$2""#;
/// What the kernel calls a route that it tells senders of.
const FLAG_TOLD: u32 = 0x200;
/// How `ip route get` ends when the kernel answers that it knows no way.
const NO_WAY: &str = "2";

/// Addresses that a node has cut off.
#[derive(Debug)]
pub struct CutProbe;

impl CutProbe {
    /// The address that `call` asks about besides, if it is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> Option<Option<Ipv4Addr>> {
        match call {
            Call::ShellWithin { script, .. } if script == SCRIPT => Some(None),
            Call::Shell { script } => {
                let rest = script.strip_prefix(SCRIPT)?.strip_prefix("; a=")?;
                let (address, rest) = rest.split_once("; ")?;
                (rest == WAY).then(|| address.parse().ok().map(Some))?
            }
            _ => None,
        }
    }
}

/// What a run asks about one address.
pub fn requests_of_plan(address: Ipv4Addr, deadline_ms: u64) -> Vec<Request> {
    let script = format!("{SCRIPT}; a={address}; {WAY}");
    vec![Request::read(Call::Shell { script: Cow::Owned(script) }, deadline_ms, CAP_BYTES)]
}

fn change(script: &str, address: Ipv4Addr, mark: u32) -> Request {
    let argv = ["sh", "-c", script, "sh", &address.to_string(), &mark.to_string()].map(str::to_owned).to_vec();
    Request { access: Access::Write, call: Call::Exec { argv }, deadline_ms: DEADLINE_MS, cap_bytes: CAP_BYTES }
}

/// Cuts an address off, and ends every connection with it.
pub fn cut(address: Ipv4Addr, mark: u32) -> Request {
    change(CUT, address, mark)
}

/// Opens the way again.
pub fn open(address: Ipv4Addr, mark: u32) -> Request {
    change(OPEN, address, mark)
}

/// The address that `call` cuts off (true) or opens the way to, and the mark of the route.
pub fn told(call: &Call) -> Option<(bool, Ipv4Addr, u32)> {
    let Call::Exec { argv } = call else { return None };
    let [_, _, script, _, address, mark] = argv.as_slice() else { return None };
    let does_cut = match script.as_str() {
        CUT => true,
        OPEN => false,
        _ => return None,
    };
    Some((does_cut, address.parse().ok()?, mark.parse().ok()?))
}

impl Probe for CutProbe {
    fn requests(&self, _node: &Node, deadline_ms: u64) -> Vec<Request> {
        vec![Request::look(SCRIPT, PERL, deadline_ms, CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let (sample, complaints) = interpret(first_bytes(replies));
        (Some(Facts::Cut(Box::new(sample))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

fn interpret(bytes: &[u8]) -> (CutSample, Vec<Complaint>) {
    let mut complaints = Complaints::default();
    let (mut routes, mut unread, mut lacking) = (Vec::new(), None, Vec::new());
    let mut way: Option<Way> = None;
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(2 * ROUTES_MAX) {
        let line = Clean::line_from_bytes(line);
        match line.as_str().split_once(':') {
            Some(("cut", words)) => match route(words) {
                Some(route) if routes.len() < ROUTES_MAX => routes.push(route),
                Some(_) => unread = Some(Unknown::NotOffered),
                None => unread = Some(complain(&mut complaints, "a route")),
            },
            Some(("unread", "long")) => unread = Some(Unknown::NotOffered),
            Some(("unread", "missing")) => unread = Some(Unknown::Missing),
            Some(("lacks", name @ ("ip" | "ss"))) => lacking.push(Clean::line(name)),
            Some(("way", words)) => match words.split_once(' ').map(|(address, end)| (address.parse(), end)) {
                Some((Ok(address), end)) => {
                    let leads = match end {
                        "0" => Figure::Known(true),
                        NO_WAY => Figure::Known(false),
                        _ => Figure::Unknown(Unknown::Missing),
                    };
                    way = Some(Way { address, leads, connections: Figure::Unknown(Unknown::Missing) });
                }
                _ => _ = complain(&mut complaints, "a way"),
            },
            Some(("connections", number)) => match (&mut way, number.parse()) {
                (Some(way), Ok(number)) => way.connections = Figure::Known(number),
                _ => _ = complain(&mut complaints, "connections"),
            },
            _ => unread = Some(complain(&mut complaints, "a line")),
        }
    }
    // Where a line is not understood, nobody knows that there is no route.
    let routes = unread.map_or(Figure::Known(routes), Figure::Unknown);
    (CutSample { routes, lacking, way }, complaints.finish())
}

fn complain(complaints: &mut Complaints, what: &str) -> Unknown {
    complaints.add(format!("{what} among addresses that are cut off"), "not understood");
    Unknown::Malformed
}

/// `1F000A0A 0205 1795442602`.
fn route(words: &str) -> Option<CutRoute> {
    let mut words = words.split(' ');
    let address = u32::from_str_radix(words.next().filter(|word| word.len() == 8)?, 16).ok()?;
    let flags = u32::from_str_radix(words.next()?, 16).ok()?;
    let mark = words.next()?.parse().ok()?;
    // The kernel prints the number as its machine holds it; x86 and ARM hold the first byte last.
    let address = Ipv4Addr::from(address.swap_bytes());
    Some(CutRoute { address, mark, is_told: flags & FLAG_TOLD != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 31);

    #[test]
    fn a_route_that_leads_nowhere_is_told_with_its_mark() {
        let text = b"cut:1F000A0A 0205 1795442602\ncut:20000A0A 0005 0\nway:10.10.0.31 2\nconnections:0\n";
        let (sample, complaints) = interpret(text);
        assert_eq!(complaints, []);
        let ours = CutRoute { address: ADDRESS, mark: 1_795_442_602, is_told: true };
        assert_eq!(sample.route(ADDRESS), Figure::Known(Some(ours)));
        let other = sample.route(Ipv4Addr::new(10, 10, 0, 32)).known().flatten().unwrap();
        assert!(ours.is_ours() && !other.is_ours());
        let way = sample.way.unwrap();
        assert_eq!((way.leads, way.connections), (Figure::Known(false), Figure::Known(0)));
    }

    #[test]
    fn what_was_not_read_is_unknown_and_not_open() {
        for text in ["unread:missing\n", "unread:long\ncut:1F000A0A 0205 1795442602\n", "cut:1F 0205 x\n", "what\n"] {
            let (sample, _) = interpret(text.as_bytes());
            assert!(sample.route(ADDRESS).known().is_none(), "{text}");
        }
        let (sample, _) = interpret(b"way:10.10.0.31 127\n");
        let way = sample.way.unwrap();
        assert!(way.leads.known().is_none() && way.connections.known().is_none());
    }

    #[test]
    fn what_is_asked_is_recognised() {
        let requests = requests_of_plan(ADDRESS, 1_000);
        assert_eq!(CutProbe::asks(&requests[0].call), Some(Some(ADDRESS)));
        assert_eq!(told(&cut(ADDRESS, 7).call), Some((true, ADDRESS, 7)));
        assert_eq!(told(&open(ADDRESS, 7).call), Some((false, ADDRESS, 7)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_understood_or_complained_about(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (sample, _) = interpret(&bytes);
            prop_assert!(sample.routes.as_ref().known().is_none_or(|all| all.len() <= ROUTES_MAX));
        }
    }
}
