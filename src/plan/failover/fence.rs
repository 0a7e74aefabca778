//! The fence: nothing of the old primary writes any more, and nothing starts it again.

use crate::{
    model::{mysql::Dialect, text::Clean},
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
/// Whatever its file says: units of MariaDB and of Oracle's packages take options from this variable, which is taken back
/// at once. One that does not is left masked.
const START_READ_ONLY: &str = r#"s=; [ "$(id -u)" = 0 ] || s="sudo -n"; $s systemctl unmask "$1" || exit 1; systemctl show -p ExecStart "$1" | grep -q MYSQLD_OPTS || { $s systemctl mask "$1"; exit 1; }; $s systemctl set-environment MYSQLD_OPTS="--read-only=1 --skip-slave-start"; $s systemctl start "$1"; r=$?; $s systemctl unset-environment MYSQLD_OPTS; exit $r"#;
/// The same for MySQL, whose unit on Debian takes no options: the command that it starts is given them for this one start,
/// in a file below `/run` that is gone again before this ends, or with the machine. A unit that starts several commands, or
/// by a shell, is left masked.
const START_SUPER_READ_ONLY: &str = r#"s=; [ "$(id -u)" = 0 ] || s="sudo -n"; o="--super-read-only=1 --skip-replica-start"; $s systemctl unmask "$1" || exit 1; x=$(systemctl show -p ExecStart "$1"); case $x in *MYSQLD_OPTS*) $s systemctl set-environment MYSQLD_OPTS="$o"; $s systemctl start "$1"; r=$?; $s systemctl unset-environment MYSQLD_OPTS; exit $r;; esac; c=${x#*argv[]=}; c=${c%% ;*}; case $x in *argv*argv*) c=;; esac; case $c in *[!a-zA-Z0-9/_.=,:@\ -]*) c=;; /*/mysqld|/*/mysqld\ *) ;; *) c=;; esac; [ -n "$c" ] || { $s systemctl mask "$1"; exit 1; }; d=/run/systemd/system/$1.d; $s mkdir -p "$d" && printf '[Service]\nExecStart=\nExecStart=%s\n' "$c $o" | $s tee "$d/vakt-once.conf" >/dev/null && $s systemctl daemon-reload && $s systemctl start "$1"; r=$?; $s rm -f "$d/vakt-once.conf"; $s rmdir "$d" 2>/dev/null; $s systemctl daemon-reload; exit $r"#;
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
pub(in crate::plan) fn start_read_only(unit: &Clean, dialect: Dialect) -> Request {
    let text = if dialect == Dialect::Mysql { START_SUPER_READ_ONLY } else { START_READ_ONLY };
    Request { deadline_ms: START_MS, ..script(unit, text) }
}
