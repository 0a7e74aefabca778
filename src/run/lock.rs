//! Who may act on the cluster: one operator at a time, for the length of a run.
//!
//! On a bastion the lock is a file of the state folder. Across bastions it is held on nodes: a shell script on a kept
//! channel holds `flock` on a file of the node, renews it as long as it hears from us, and removes the file when its
//! standard input ends, however it ends. The words of a holder travel over standard input: they are never part of a
//! command.

use super::record::Operator;
use crate::{
    model::{
        ids::{ClusterName, NodeName},
        text::Clean,
        time::Wall,
    },
    plan::PlanId,
    wire::request::{Call, Reply, Request, shell_word},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// A node gives the lock up when it has heard nothing for so long: a connection that was cut silently tells nothing.
pub const LEASE_S: u64 = 30;
/// Longest line that a holder's script says or is told.
pub const LINE_BYTES_MAX: usize = 8 * 1024;
/// Longest wait for the answer of who holds the lock on a node.
const READ_DEADLINE_MS: u64 = 3_000;
/// Longest name of a cluster in a file name.
const NAME_CHARS_MAX: usize = 64;

/// Who holds the lock, as it is written where others can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who.
    pub operator: Operator,
    /// The bastion's host name.
    pub bastion: Clean,
    /// The executor's process on that bastion.
    pub process: u32,
    /// Which run it is held for.
    pub run: PlanId,
    /// What it is held for: the plan's title and the operator's reason.
    pub what: Clean,
    /// Since when, by the bastion's clock.
    pub since: Wall,
}

/// One line: who, where, for what, since when.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = jiff::Timestamp::from_millisecond(self.since.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let Self { operator, bastion, what, run, .. } = self;
        let since = since.strftime("%Y-%m-%d %H:%M:%SZ");
        write!(f, "{} on {bastion} acts since {since}: {what} (run {run})", operator.login)
    }
}

/// The lock as this console sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockState {
    /// Not looked at yet.
    #[default]
    Unread,
    /// Nobody acts.
    Free,
    /// Somebody acts; it may be a run of this console.
    Held(Box<Holder>),
    /// It cannot be read: why.
    Unknown(Clean),
}

/// The cluster's name as a file name: letters, digits, `-`, `_` and `.` stay; a name that had others, or could be taken
/// for something else, gets a part of its hash, so that two clusters never share a file.
pub fn file_name(cluster: &ClusterName) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = cluster.as_str();
    if !name.is_empty() && name.len() <= NAME_CHARS_MAX && !name.starts_with('.') && name.chars().all(is_safe) {
        return name.to_owned();
    }
    let [a, b, c, d, ..] = Sha256::digest(name.as_bytes()).0;
    let safe: String = name.chars().map(|c| if is_safe(c) { c } else { '_' }).take(NAME_CHARS_MAX).collect();
    format!("{}~{:08x}", safe.trim_start_matches('.'), u32::from_be_bytes([a, b, c, d]))
}

/// Sets `p` to the path of the lock, for every login on the node the same one: /run/lock where everybody may write
/// there, as on Debian, else /tmp. The choice must not depend on who asks, or two logins would hold two locks.
const PATH: &str =
    r#"d=/tmp; [ "$(stat -L -c %a /run/lock 2>/dev/null)" = 1777 ] && d=/run/lock; p="$d/vakt-$n.lock"; "#;

/// Prints the words of each holder whose script lives: `p.by.PID`.
const HOLDERS: &str =
    r#"for f in "$p".by.*; do [ -f "$f" ] && [ -d "/proc/${f##*.}" ] && head -c 8000 "$f" 2>/dev/null; done"#;

/// Holds the lock. The file is opened for reading only and made only where there is none (`set -C` is O_EXCL): another
/// user's file in a sticky folder can neither be opened with O_CREAT nor written to, and a link is not followed.
/// After the lock was taken the path must still lead to the locked file: its last holder may have removed it.
const HOLD: &str = r#"IFS= read -r h || exit 1
umask 022
command -v flock >/dev/null 2>&1 || { echo "trouble flock is not installed (package util-linux)"; exit 1; }
by="$p.by.$$"
held=
leave() { rm -f "$by"; [ -n "$held" ] && rm -f "$p" 2>/dev/null; held=; }
trap leave EXIT
trap "exit 1" HUP INT TERM PIPE
i=0
while [ -z "$held" ]; do
  i=$((i+1))
  [ "$i" -gt 20 ] && { echo "trouble $p changes all the time"; exit 1; }
  [ -e "$p" ] || (set -C; : > "$p") 2>/dev/null
  { [ -f "$p" ] && [ ! -L "$p" ]; } || { [ -e "$p" ] && { echo "trouble $p is no regular file"; exit 1; }; }
  { command exec 9< "$p"; } 2>/dev/null || { [ -e "$p" ] || [ -w "$d" ] || { echo "trouble cannot write in $d"; exit 1; }
    [ -e "$p" ] && { echo "trouble cannot read $p"; exit 1; }
    continue; }
  if flock -n 9; then
    a=$(stat -L -c %d:%i /proc/self/fd/9 2>/dev/null)
    b=$(stat -c %d:%i "$p" 2>/dev/null)
    [ -n "$a" ] && [ "$a" = "$b" ] && held=yes
  else
    w=$(HOLDERS)
    [ -n "$w" ] || [ "$i" -ge 10 ] && { echo busy; printf "%s
" "$w"; exit 1; }
    sleep 0.1 2>/dev/null || sleep 1
  fi
done
for f in "$p".by.*; do [ -d "/proc/${f##*.}" ] || rm -f "$f" 2>/dev/null; done
rm -f "$by"
(set -C; printf "%s
" "$h" > "$by") 2>/dev/null
echo held
if command -v timeout >/dev/null 2>&1; then
  while timeout LEASE sh -c "read -r x" 9<&-; do echo alive 2>/dev/null || break; done
else
  while read -r x; do echo alive 2>/dev/null || break; done
fi
"#;

/// The command line that holds the lock on a node for as long as its standard input lives. The first line it is told is
/// the holder as [`Holder::line`] says it; it answers `held`, `busy` and the holder's line, or `trouble` and why. Each
/// further line renews the lock for [`LEASE_S`] seconds and is answered with `alive`.
pub fn hold_command(cluster: &ClusterName) -> String {
    let script = format!("n=$1; {PATH}{HOLD}").replace("HOLDERS", HOLDERS).replace("LEASE", &LEASE_S.to_string());
    format!("exec sh -c {} vakt-lock {}", shell_word(&script), shell_word(&file_name(cluster)))
}

/// Asks a node who holds the lock there. Nothing is made or changed; what a holder left behind is not believed unless
/// the lock is held now.
pub fn read_request(cluster: &ClusterName) -> Request {
    let look = r#"if [ -f "$p" ] && { command exec 9< "$p"; } 2>/dev/null; then if flock -n -s 9; then echo free; else echo busy; HOLDERS; fi; else echo free; fi"#;
    let look = look.replace("HOLDERS", HOLDERS);
    let script = format!("(n={}; {PATH}{look}) 2>/dev/null", shell_word(&file_name(cluster)));
    Request::read(Call::Shell { script: script.into() }, READ_DEADLINE_MS, LINE_BYTES_MAX)
}

/// What a node answered to [`read_request`].
pub fn interpret(reply: &Reply) -> LockState {
    let mut lines = reply.bytes.split(|byte| *byte == b'\n');
    match lines.next() {
        Some(b"free") => LockState::Free,
        Some(b"busy") => match lines.find_map(Holder::read) {
            Some(holder) => LockState::Held(Box::new(holder)),
            None => LockState::Unknown("it is held by somebody who has not said who it is".into()),
        },
        _ => LockState::Unknown("the node's answer cannot be read".into()),
    }
}

/// The lock of the cluster, from what its lock nodes say: whoever holds it anywhere is shown, and it is free when most
/// nodes say so.
pub fn of_nodes(states: &[(NodeName, LockState)]) -> LockState {
    let held = states.iter().find(|(_, state)| matches!(state, LockState::Held(_)));
    let free = states.iter().filter(|(_, state)| *state == LockState::Free).count();
    if let Some((_, held)) = held {
        return held.clone();
    }
    if free * 2 > states.len() {
        return LockState::Free;
    }
    let unclear = states.iter().filter(|(_, state)| *state != LockState::Free);
    let words: Vec<String> = unclear
        .map(|(node, state)| match state {
            LockState::Unknown(why) => format!("{node}: {why}"),
            _ => format!("{node}: not asked yet"),
        })
        .collect();
    LockState::Unknown(Clean::line(&words.join("; ")))
}

impl Holder {
    /// One line of JSON, as it is told to a node.
    pub fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// From such a line, which anybody on the node may have written: bounded and sanitised.
    pub fn read(line: &[u8]) -> Option<Self> {
        if line.len() > LINE_BYTES_MAX {
            return None;
        }
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_a_file_name_of_its_own() {
        for (cluster, name) in [("oslo-prod", "oslo-prod"), ("a.b_c", "a.b_c")] {
            assert_eq!(file_name(&ClusterName::new(cluster)), name);
        }
        let odd = ["", ".", "..", "../x", "a b", "a/b", "a_b~", "ø", &"x".repeat(300), &"x".repeat(301)];
        let names: std::collections::BTreeSet<String> =
            odd.iter().map(|name| file_name(&ClusterName::new(*name))).collect();
        assert_eq!(names.len(), odd.len());
        assert!(names.iter().all(|name| !name.contains('/') && !name.starts_with('.') && name.len() < 80), "{names:?}");
    }

    #[test]
    fn the_nodes_together() {
        let node = |name: &str, state: LockState| (NodeName::from(name), state);
        let unknown = || LockState::Unknown("not connected".into());
        let free = || LockState::Free;
        assert_eq!(of_nodes(&[node("a", free()), node("b", free()), node("c", unknown())]), LockState::Free);
        assert_eq!(
            of_nodes(&[node("a", free()), node("b", LockState::Unread), node("c", unknown())]),
            LockState::Unknown("b: not asked yet; c: not connected".into())
        );
    }

    #[test]
    fn a_hostile_answer_is_bounded_and_sanitised() {
        let reply = |bytes: &[u8]| Reply { bytes: bytes.to_vec(), ..Reply::default() };
        assert_eq!(interpret(&reply(b"free\n")), LockState::Free);
        for bad in [&b""[..], b"x", b"busy", b"busy\n{\"operator\":1}\n", &[b'{'; 10_000]] {
            assert!(matches!(interpret(&reply(bad)), LockState::Unknown(_)));
        }
        let forged = br#"{"operator":{"login":"e\u001b[2Jva","ssh_client":null,"sudo_user":null},"bastion":"b","process":1,"run":"../../x","what":"w","since":0}"#;
        let LockState::Held(holder) = interpret(&reply(&[b"busy\n", &forged[..]].concat())) else { panic!("not held") };
        assert_eq!((holder.operator.login.as_str(), holder.run.as_str()), ("e\u{241b}[2Jva", "x"));
    }
}
