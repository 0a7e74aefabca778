//! A value of the kernel is set by one fixed script, as root, where it still is what was seen.

use crate::wire::request::{Access, Call, Request};

/// Longest wait for the kernel; it answers at once, `sudo` may not.
const DEADLINE_MS: u64 = 10_000;
/// Longest answer.
const CAP_BYTES: usize = 4 * 1024;
/// As root.
const ENTRY: &str = r#"if [ "$(id -u)" = 0 ]; then exec sh -c "$@"; else exec sudo -n sh -c "$@"; fi"#;
/// Words: the file below `/proc/sys`, the value that was seen, the new one.
const SCRIPT: &str = r#"f=/proc/sys/$1; v=$(cat "$f") || exit 1; [ "$v" = "$2" ] || { echo "$f is $v, not $2: somebody changed it" >&2; exit 1; }; printf '%s\n' "$3" >"$f""#;

/// Sets the value of `key` from one number to another.
pub fn set(key: &str, from: &str, to: &str) -> Request {
    let path = key.replace('.', "/");
    let words = ["sh", "-c", ENTRY, "sh", SCRIPT, "vakt", &path, from, to];
    let argv = words.into_iter().map(str::to_owned).collect();
    Request { access: Access::Write, call: Call::Exec { argv }, deadline_ms: DEADLINE_MS, cap_bytes: CAP_BYTES }
}

/// The path below `/proc/sys`, the value that must be there, and the new one: how a simulated node recognises it.
pub fn asked(call: &Call) -> Option<(&str, &str, &str)> {
    let Call::Exec { argv } = call else { return None };
    match argv.as_slice() {
        [_, _, _, _, script, _, path, from, to] if script == SCRIPT => Some((path, from, to)),
        _ => None,
    }
}
