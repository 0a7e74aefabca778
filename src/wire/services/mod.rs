//! Services that need no client of their own: listening sockets, the workers of web servers, NFS mounts.
//!
//! A UDP socket that serves looks like one that waits for an answer; the latter gets its port from the range that the
//! kernel lends (`ip_local_port_range`). Sockets in it are kept apart: only time tells a service that was put there on
//! purpose (`WireGuard` on 51820) from a question.
//!
//! Deliberately absent: the names of processes behind sockets (only root may read them, and only by looking through
//! every process).

mod listeners;
mod look;
mod nfs;
mod web;

use super::{
    probe::{Complaint, Facts, Probe},
    request::{Call, Reply, Request, first_bytes},
    sources::send_files,
};
use crate::model::inventory::Node;

/// Longest answer; a web server with 500 workers sends about 100 KiB.
pub const CAP_BYTES: usize = 512 * 1024;

/// `ss` asks the kernel for listening sockets only; `/proc/net/tcp` and `/proc/net/udp` are read where it is missing.
///
/// How many connections are open the kernel counts itself; which of them are a web server's it tells only by listing all.
///
/// Workers are the children of the process whose number a web server wrote down, at most 512 of them. What they may
/// need comes from the configuration. `/proc/self/mountstats` is what the kernel counts: a dead server is not touched.
const SCRIPT: &str = concat!(
    "case :$PATH: in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/sbin:/sbin;; esac; set -- /proc/self/mountstats /proc/sys/net/ipv4/ip_local_port_range; ",
    "[ -d /etc/haproxy ] && set -- \"$@\" /proc/net/unix /etc/haproxy/haproxy.cfg; ",
    "ss -ltun || { echo tables:yes; set -- /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 \"$@\"; }; ",
    "for f in /etc/systemd/system/multi-user.target.wants/*.service /etc/rc3.d/S*; do ",
    r#"case $f in *memcached*|*nginx*|*apache2*|*httpd*|*php*fpm*) echo "enabled:${f##*/}";; esac; done; "#,
    "r=/run; [ -d /run/systemd ] || r=/var/run; w=; ",
    "for f in $r/nginx.pid $r/apache2/apache2.pid $r/apache2.pid $r/httpd/httpd.pid $r/httpd.pid ",
    "$r/php/php*-fpm.pid $r/php-fpm/php-fpm.pid $r/php-fpm.pid; do ",
    r#"[ -r "$f" ] && read -r p <"$f" && [ -d "/proc/$p" ] || continue; w=y; "#,
    r#"c=; if [ -r "/proc/$p/task/$p/children" ]; then read -r c <"/proc/$p/task/$p/children"; "#,
    r#"else c=$(ps -o pid= --ppid "$p"); fi; "#,
    r#"printf 'master:%s %s\n' "$p" "$f"; "#,
    r#"for k in $c; do [ $# -lt 600 ] && set -- "$@" "/proc/$k/status"; done; done; "#,
    "[ -z $w ] || set -- \"$@\" /proc/net/snmp /etc/nginx/nginx.conf /etc/apache2/apache2.conf /etc/apache2/mods-enabled/mpm_*.conf ",
    "/etc/httpd/conf/httpd.conf /etc/httpd/conf.d/*mpm*.conf /etc/httpd/conf.modules.d/*mpm*.conf ",
    "/etc/php/*/fpm/pool.d/*.conf /etc/php-fpm.d/*.conf; ",
    "h=; ",
    send_files!(concat!(
        r"-E '^ *[0-9]+: [0-9A-F]+:[0-9A-F]{4} 0+:0000 0[A7] |^[0-9]+[[:space:]]+[0-9]+$|^(Name|PPid|VmRSS|RssAnon|Threads):|",
        r"^Tcp: | fstype nfs| 03 +[0-9]+ /[^ ]*haproxy[^ ]*$|^[[:space:]]*stats[[:space:]]+maxconn[[:space:]]|^[[:space:]]+(age|xprt):|^[[:space:]]+[A-Z_0-9]+: [1-9]|",
        r"^[[:space:]]*(worker_processes|MaxRequestWorkers|MaxClients|ServerLimit|ThreadsPerChild|pm\.max_children|",
        r#"</?IfModule)[[:space:]=>]'"#
    ))
);

/// The same in Perl.
const PERL: &str = concat!(include_str!("../sources.pl"), include_str!("services.pl"));

/// Listeners, workers, NFS.
#[derive(Debug)]
pub struct ServicesProbe;

impl ServicesProbe {
    /// Whether `call` is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::ShellWithin { script, .. } if script == SCRIPT)
    }
}

impl Probe for ServicesProbe {
    fn requests(&self, _node: &Node, deadline_ms: u64) -> Vec<Request> {
        vec![Request::look(SCRIPT, PERL, deadline_ms, CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let (sample, complaints) = look::interpret(first_bytes(replies));
        (sample.map(|sample| Facts::Services(Box::new(sample))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}
