//! The fence: nothing of the old primary writes any more, and nothing starts it again.

use crate::{
    model::text::Clean,
    wire::request::{Access, Call, Request},
};

/// Longest wait for systemd to read its units again, and for the daemon to be gone.
const DEADLINE_MS: u64 = 5_000;
const CAP_BYTES: usize = 4_096;

/// Masked first: whoever kills it first has systemd start it anew. Killed, not stopped: one that is frozen would not
/// hear, and one that is not must not finish what it was about to confirm. The last command takes back a start that
/// systemd had planned already.
const FENCE: &str = r#"s=; [ "$(id -u)" = 0 ] || s="sudo -n"; $s systemctl mask "$1" || exit 1; $s systemctl kill --signal=KILL "$1"; $s systemctl stop --no-block "$1"; :"#;
const RELEASE: &str =
    r#"s=; [ "$(id -u)" = 0 ] || s="sudo -n"; $s systemctl unmask "$1" && $s systemctl start --no-block "$1""#;
/// Whatever its file says: units of MariaDB and MySQL take options from this variable, which is taken back at once. One
/// that does not is left masked.
const START_READ_ONLY: &str = r#"s=; [ "$(id -u)" = 0 ] || s="sudo -n"; $s systemctl unmask "$1" || exit 1; systemctl show -p ExecStart "$1" | grep -q MYSQLD_OPTS || { $s systemctl mask "$1"; exit 1; }; $s systemctl set-environment MYSQLD_OPTS="--read-only=1 --skip-slave-start"; $s systemctl start "$1"; r=$?; $s systemctl unset-environment MYSQLD_OPTS; exit $r"#;
/// A server that was killed recovers before it is started.
const START_MS: u64 = 120_000;

fn script(unit: &Clean, script: &str) -> Request {
    let argv = ["sh", "-c", script, "sh", unit.as_str()].map(str::to_owned).to_vec();
    Request { access: Access::Write, call: Call::Exec { argv }, deadline_ms: DEADLINE_MS, cap_bytes: CAP_BYTES }
}

/// Masks the unit and kills what it started.
pub(in crate::plan) fn raise(unit: &Clean) -> Request {
    script(unit, FENCE)
}

/// The way back: whoever was dead before is started, as systemd would have done.
pub(super) fn lower(unit: &Clean) -> Request {
    script(unit, RELEASE)
}

/// Starts one that is masked, so that it takes no writes.
pub(in crate::plan) fn start_read_only(unit: &Clean) -> Request {
    Request { deadline_ms: START_MS, ..script(unit, START_READ_ONLY) }
}
