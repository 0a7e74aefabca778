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
    request::{Call, Reply, Request, first_bytes},
    sources::{kept_files, send_files},
};
use crate::model::inventory::Node;

/// Longest answer; a router with a thousand routes sends about 80 KiB.
pub const CAP_BYTES: usize = 256 * 1024;

/// IPv4 addresses come from the kernel's table of routes, which is there since 2.6; where it is not, `ip` is asked.
/// keepalived writes the numbers of its processes where it was told to by its maker or its distribution. Of its
/// configuration come the lines of blocks that matter, never a secret; of the files that it tracks, their number.
///
/// The configuration is taken apart by the shell, once: a bash compares it with what it read before. A line is sent for
/// its first word; lines of one word, or of an address or a name with what may follow it, stand in blocks that matter.
const SCRIPT: &str = concat!(
    "case ${BASH_VERSION:-} in [4-9].*|[1-9][0-9].*) e=$'\\n';; *) e=$(printf '\\n.'); e=${e%.};; esac; h=; ",
    "set -- /proc/net/if_inet6 /proc/net/arp; ",
    "r=/run; [ -d /run/systemd ] || r=/var/run; ",
    "for f in $r/keepalived.pid $r/keepalived/keepalived.pid $r/vrrp.pid $r/keepalived/vrrp.pid $r/keepalived_vrrp.pid; do ",
    r#"[ -r $f ] && read -r p <$f && set -- "$@" "/proc/$p/stat"; done; "#,
    "[ -d /proc/1 ] || h=hidden:yes$e; ",
    "for f in /etc/systemd/system/*.wants/keepalived.service /etc/rc[35].d/S[0-9][0-9]keepalived; do ",
    r#"[ -e "$f" ] && h=${h}enabled:keepalived$e && break; done; "#,
    "t=/etc/keepalived/keepalived.conf; if [ -r $t ]; then u=; ",
    r#"case ${BASH_VERSION:-} in [4-9].*|[1-9][0-9].*) IFS= read -rd "" -n 65536 u <$t; [ ${#u} -lt 65536 ] || u=;; esac; "#,
    r#"if [ -z "$u" ] || [ "$u" != "${vakt_u:-}" ]; then vakt_u=$u; vakt_c=; vakt_f=; n=0; "#,
    "while [ $n -lt 4000 ] && read -r k v w; do n=$((n + 1)); ",
    "case $k in vrrp_instance|state|interface|priority|virtual_router_id|nopreempt|advert_int|preempt_delay|weight|'}'*) ;; ",
    r#"file) f=${v#\"}; f=${f%\"}; case $f in *[!A-Za-z0-9_./:-]*) ;; *) vakt_f="$vakt_f $f";; esac;; "#,
    r#"*) case $k$v$w in *'{') ;; *) case $k in ''|*[!A-Za-z0-9_.:/-]*) continue;; esac; "#,
    "case $v in ''|dev|weight|label|scope|brd) ;; *) continue;; esac;; esac;; esac; ",
    r#"vakt_c="$vakt_c$t:$k $v $w$e"; done <$t; fi; h=$h$vakt_c; "#,
    r#"for f in $vakt_f; do i=; [ -f "$f" ] && [ -r "$f" ] && read -r i <"$f"; "#,
    r#"case $i in ''|*[!0-9-]*|?????*) ;; *) h=$h$f:$i$e;; esac; done; fi; h=${h%"$e"}; "#,
    kept_files!(
        "/sys/class/net/*/operstate" for "3" s in "vakt_i" "vakt_n",
        "/sys/class/net/*/address" for "30" s in "vakt_j" "vakt_m"
    ),
    r#"if [ -r /proc/net/fib_trie ]; then set -- /proc/net/fib_trie "$@"; "#,
    "else PATH=$PATH:/sbin:/usr/sbin ip -o addr show; fi; ",
    send_files!(concat!(
        r"-Em 4000 '^[[:space:]]+\|-- |host LOCAL$|^[0-9a-f]{32} |^[0-9.]+ +0x[0-9a-f]+ +0x|",
        r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$|^[0-9]+ \(|^(up|down|unknown|dormant|testing|notpresent|lowerlayerdown)$'"
    ))
);

/// The same in Perl.
const PERL: &str = concat!(include_str!("../sources.pl"), include_str!("presence.pl"));

/// Addresses, neighbours, keepalived.
#[derive(Debug)]
pub struct PresenceProbe;

impl PresenceProbe {
    /// Whether `call` is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::ShellWithin { script, .. } if script == SCRIPT)
    }
}

impl Probe for PresenceProbe {
    fn requests(&self, _node: &Node, deadline_ms: u64) -> Vec<Request> {
        vec![Request::look(SCRIPT, PERL, deadline_ms, CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let (sample, complaints) = look::interpret(first_bytes(replies));
        (sample.map(|sample| Facts::Presence(Box::new(sample))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}
