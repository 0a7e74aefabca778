//! Certificates of load balancers: what visitors get on port 443, and what HAProxy's configuration names.
//!
//! `openssl` on the node takes them apart; a private key in the same file never leaves it. Deliberately absent: lists of
//! certificates (`crt-list`) and those that another machine manages.

mod parts;

use super::{
    probe::{Complaint, Facts, Probe},
    request::{Call, Reply, Request},
};
use crate::model::inventory::{Node, Role};

/// Longest answer.
pub const CAP_BYTES: usize = 256 * 1024;
/// Longest wait: a handshake and up to forty files.
pub const DEADLINE_MS: u64 = 15_000;

/// What runs on the node, in a process of its own. Every line of output begins with `cert:`, so that a name in a
/// certificate cannot pass for something else. A relative path is below `crt-base`; of a folder every `.pem` counts.
/// Where the login may not read a file, `sudo -n` may.
const SCRIPT: &str = concat!(
    "PATH=$PATH:/usr/sbin:/sbin; LC_ALL=C; export PATH LC_ALL; exec 2>/dev/null; ",
    "command -v openssl >/dev/null || { echo 'cert:missing openssl'; exit; }; ",
    "if timeout -s KILL 2 true; then t='timeout -s KILL 4'; else t=; fi; ",
    r#"lines() { while IFS= read -r l; do printf 'cert:%s\n' "$l"; done; }; "#,
    "facts='-noout -subject -issuer -serial -enddate -nameopt RFC2253'; ",
    r#"may() { if [ -r "$1" ]; then "$2" "$1"; else sudo -n "$2" "$1"; fi; }; "#,
    r#"told() { printf 'cert:begin file %s\n' "$1"; may "$1" cat | openssl x509 $facts | lines; "#,
    r#"may "$1" cat | openssl x509 -noout -ext subjectAltName | lines; }; "#,
    "a=$(ss -ltn | while read -r s q r l rest; do case $l in *:443) echo \"${l%:443}\"; break;; esac; done); ",
    "case $a in '') ;; 0.0.0.0|'*'|'[::]'|::) a=127.0.0.1;; esac; ",
    r#"if [ -n "$a" ]; then printf 'cert:begin served %s:443\n' "$a"; "#,
    r#"c=$($t openssl s_client -connect "$a:443" </dev/null); "#,
    r#"printf '%s\n' "$c" | openssl x509 $facts | lines; "#,
    r#"printf '%s\n' "$c" | openssl x509 -noout -ext subjectAltName | lines; fi; "#,
    "set -f; n=0; b=; for f in /etc/haproxy/haproxy.cfg; do may $f cat; done | ",
    "while read -r k v l; do case $k in '#'*) continue;; crt-base) b=$v; continue;; esac; set -- $v $l; ",
    r#"while [ $# -gt 1 ]; do if [ "$1" = crt ]; then case $2 in /*) p=$2;; *) p=$b/$2;; esac; echo "$p"; fi; shift; done; "#,
    "done | sort -u | head -n 40 | while read -r p; do ",
    r#"if [ -d "$p" ] || sudo -n test -d "$p"; then set +f; may "$p" ls | head -n 40 | "#,
    r#"while read -r e; do case $e in *.pem|*.crt) told "$p/$e";; esac; done; else told "$p"; fi; done"#
);

/// Certificates and when they end.
#[derive(Debug)]
pub struct CertificatesProbe;

impl CertificatesProbe {
    /// Whether `call` is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::Exec { argv } if argv.last().is_some_and(|script| script == SCRIPT))
    }

    /// Load balancers at the edge.
    pub fn applies_to(node: &Node) -> bool {
        node.roles.contains(&Role::Edge)
    }
}

impl Probe for CertificatesProbe {
    fn requests(&self, _node: &Node, _deadline_ms: u64) -> Vec<Request> {
        let argv = vec!["sh".to_owned(), "-c".to_owned(), SCRIPT.to_owned()];
        vec![Request::read(Call::Exec { argv }, DEADLINE_MS, CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let bytes = replies.first().map_or(&[][..], |reply| &reply.bytes);
        let (facts, complaints) = parts::interpret(bytes);
        (Some(Facts::Certificates(Box::new(facts))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}
