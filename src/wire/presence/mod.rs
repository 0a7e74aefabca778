//! Who is where: one cheap look at the addresses that a node carries, the neighbours it knows, and its keepalived.
//!
//! keepalived tells its state only when a signal makes it write a file; vakt sends none. Its role is seen in what it
//! does: the node carries the address, or it does not. That an instance is in FAULT follows from an interface that its
//! configuration names and that is down or missing; a script that fails is seen in keepalived's log only.
//!
//! Deliberately absent: listening sockets. The kernel walks all of its connections for them, which costs more than
//! everything here; they are read less often (`wire::services`).

mod keepalived;
mod look;

use super::{
    probe::{Complaint, Facts, Probe},
    request::{Call, Reply, Request},
    sources::send_files,
};
use crate::model::inventory::Node;
use std::borrow::Cow;

/// Longest answer; a router with a thousand routes sends about 80 KiB.
pub const CAP_BYTES: usize = 256 * 1024;

/// IPv4 addresses come from the kernel's table of routes, which is there since 2.6; where it is not, `ip` is asked.
/// keepalived writes the numbers of its processes where it was told to by its maker or its distribution. Of its
/// configuration come the lines of blocks that matter, never a secret; of the files that it tracks, their number.
const SCRIPT: &str = concat!(
    "set -- /proc/net/if_inet6 /proc/net/arp /sys/class/net/*/address /sys/class/net/*/operstate ",
    "/etc/keepalived/keepalived.conf; ",
    "r=/run; [ -d /run/systemd ] || r=/var/run; ",
    "for f in $r/keepalived.pid $r/keepalived/keepalived.pid $r/vrrp.pid $r/keepalived/vrrp.pid $r/keepalived_vrrp.pid; do ",
    r#"[ -r $f ] && read -r p <$f && set -- "$@" "/proc/$p/stat"; done; "#,
    "[ -d /proc/1 ] || echo hidden:yes; ",
    "for f in /etc/systemd/system/*.wants/keepalived.service /etc/rc[35].d/S[0-9][0-9]keepalived; do ",
    r#"[ -e "$f" ] && echo enabled:keepalived && break; done; "#,
    "if [ -r /etc/keepalived/keepalived.conf ]; then while read -r k f _; do ",
    r#"f=${f#\"}; f=${f%\"}; [ "$k" = file ] && [ $# -lt 64 ] && [ -f "$f" ] && set -- "$@" "$f"; "#,
    "done </etc/keepalived/keepalived.conf; fi; ",
    r#"if [ -r /proc/net/fib_trie ]; then set -- /proc/net/fib_trie "$@"; "#,
    "else PATH=$PATH:/sbin:/usr/sbin ip -o addr show; fi; ",
    "h=; ",
    send_files!(concat!(
        r"-Em 4000 '^[[:space:]]+\|-- |host LOCAL$|^[0-9a-f]{32} |^[0-9.]+ +0x[0-9a-f]+ +0x|",
        r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$|^[0-9]+ \(|",
        "^(up|down|unknown|dormant|testing|notpresent|lowerlayerdown)$|",
        "^[[:space:]]*(vrrp_instance|state|interface|priority|virtual_router_id|nopreempt|advert_int|preempt_delay|file|weight)",
        r"([[:space:]]|$)|^[[:space:]]*[a-z_]+([[:space:]]+[^[:space:]{}]+)?[[:space:]]*\{[[:space:]]*$|^[[:space:]]*\}|",
        "^[[:space:]]+[A-Za-z0-9_.:-]+(/[0-9]+)?([[:space:]]+(dev|weight|label|scope|brd)[[:space:]].*)?$|",
        "^[[:space:]]*-?[0-9]{1,4}[[:space:]]*$'"
    ))
);

/// Addresses, neighbours, keepalived.
#[derive(Debug)]
pub struct PresenceProbe;

impl PresenceProbe {
    /// Whether `call` is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::Shell { script } if script == SCRIPT)
    }
}

impl Probe for PresenceProbe {
    fn requests(&self, _node: &Node, deadline_ms: u64) -> Vec<Request> {
        vec![Request::read(Call::Shell { script: Cow::Borrowed(SCRIPT) }, deadline_ms, CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let bytes = replies.first().map_or(&[][..], |reply| &reply.bytes);
        let (sample, complaints) = look::interpret(bytes);
        (sample.map(|sample| Facts::Presence(Box::new(sample))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}
