//! How a unix socket on a node is reached, and why it is not.
//!
//! A refused forwarding looks the same for a missing socket, a forbidden one and a server that forbids forwarding.
//! So one look at the node tells which ways are worth trying, and the words of the relay that failed tell the rest.

use crate::{
    model::{
        link::Way,
        trouble::{Trouble, TroubleKind},
    },
    wire::request::shell_word,
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Sockets of one node that are remembered.
const PATHS_MAX: usize = 64;

/// The ways that worked, by path; kept over reconnections.
#[derive(Debug, Default)]
pub(super) struct Routes(Mutex<HashMap<String, Result<Way, Trouble>>>);

impl Routes {
    /// The way that worked last.
    pub(super) fn remembered(&self, path: &str) -> Option<Way> {
        self.lock().get(path).and_then(|known| known.as_ref().ok().copied())
    }

    /// Remembers; true when this is news.
    pub(super) fn remember(&self, path: &str, way: &Result<Way, Trouble>) -> bool {
        let mut routes = self.lock();
        if routes.get(path) == Some(way) || (routes.len() >= PATHS_MAX && !routes.contains_key(path)) {
            return false;
        }
        routes.insert(path.to_owned(), way.clone());
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Result<Way, Trouble>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether vakt can name the path to every relay program: absolute, and nothing that socat's address syntax, a
/// shell or a screen would take for something else.
pub(super) fn is_usable_path(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@');
    path.starts_with('/') && path.chars().all(plain)
}

/// The command line of a relay; `None` for the way that needs none.
pub(super) fn relay(way: Way, path: &str) -> Option<String> {
    let path = shell_word(path);
    match way {
        Way::StreamLocal => None,
        Way::Socat => Some(format!("exec socat - UNIX-CONNECT:{path}")),
        Way::Netcat => Some(format!("exec nc -U {path}")),
        Way::SudoSocat => Some(format!("exec sudo -n socat - UNIX-CONNECT:{path}")),
        Way::SudoNetcat => Some(format!("exec sudo -n nc -U {path}")),
    }
}

/// The look at the node: one word a line.
pub(super) fn look(path: &str) -> String {
    let path = shell_word(path);
    format!(
        "p={path}; [ -e $p ] && echo exists; [ -S $p ] && echo socket; [ -r $p ] && [ -w $p ] && echo permitted; \
         command -v socat >/dev/null && echo socat; nc -h 2>&1 | grep -q -e -U && echo netcat; \
         [ \"$(id -u)\" = 0 ] && echo root; \
         if command -v sudo >/dev/null; then echo sudo; sudo -n test -S $p && echo socket_for_sudo; fi; \
         grep -hisqE -e '^[[:space:]]*(AllowStreamLocalForwarding[[:space:]]+(no|remote)|DisableForwarding[[:space:]]+yes)' \
         /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf && echo forbidden; true"
    )
}

/// What the look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one answer of the node")]
pub(super) struct Look {
    pub(super) exists: bool,
    pub(super) socket: bool,
    pub(super) permitted: bool,
    pub(super) socat: bool,
    pub(super) netcat: bool,
    pub(super) root: bool,
    pub(super) sudo: bool,
    pub(super) socket_for_sudo: bool,
    pub(super) forbidden: bool,
}

impl Look {
    /// Reads the words; unknown ones are passed over.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let has = |word: &str| text.lines().any(|line| line == word);
        Self {
            exists: has("exists"),
            socket: has("socket"),
            permitted: has("permitted"),
            socat: has("socat"),
            netcat: has("netcat"),
            root: has("root"),
            sudo: has("sudo"),
            socket_for_sudo: has("socket_for_sudo"),
            forbidden: has("forbidden"),
        }
    }

    /// The relays worth trying, in order.
    pub(super) fn relays(&self) -> Vec<Way> {
        let mut ways = Vec::new();
        if self.permitted {
            ways.extend(self.socat.then_some(Way::Socat));
            ways.extend(self.netcat.then_some(Way::Netcat));
        } else if self.sudo && !self.root {
            // The programs may be in a folder that only root's search path has; sudo says if they are not.
            ways.push(Way::SudoSocat);
            ways.push(Way::SudoNetcat);
        }
        ways
    }
}

/// One way that was tried, and what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) way: Way,
    /// Standard error of the relay; empty for a refused forwarding.
    pub(super) said: String,
}

/// The trouble that explains why no way worked, with its cure.
pub(super) fn explain(node: &str, path: &str, look: &Look, failed: &[Failed]) -> Trouble {
    if look.exists && !look.socket {
        return Trouble::new(
            TroubleKind::SocketMissing,
            format!("{path} on {node} is not a socket"),
            "correct the socket's path in the configuration",
        );
    }
    for (needle, make) in DECISIVE {
        if failed.iter().any(|failed| failed.said.contains(needle)) {
            return make(node, path);
        }
    }
    if !look.exists && !look.socket_for_sudo {
        return socket_missing(node, path);
    }
    if look.permitted {
        return explain_permitted(node, path, look, failed);
    }
    if !look.sudo {
        return Trouble::new(
            TroubleKind::SocketNotPermitted,
            format!("the login may not open {path} on {node}, and there is no sudo"),
            format!("add the login to the group that owns {path}, or log in as another user"),
        );
    }
    let missing = failed.iter().filter(|failed| failed.said.contains("not found")).count();
    if missing == failed.len() && missing > 0 {
        return relay_missing(node, path);
    }
    let said = failed.iter().map(|failed| failed.said.trim()).find(|said| !said.is_empty()).unwrap_or("no word");
    Trouble::new(
        TroubleKind::SocketNotPermitted,
        format!("the login may not open {path} on {node}, and sudo does not help ({said})"),
        format!("add the login to the group that owns {path}, or allow it: sudo socat - UNIX-CONNECT:{path}"),
    )
}

/// The socket is there and permitted, but neither forwarding nor a relay got through.
fn explain_permitted(node: &str, path: &str, look: &Look, failed: &[Failed]) -> Trouble {
    let relays = failed.iter().any(|failed| failed.way != Way::StreamLocal);
    if look.forbidden && !relays {
        return Trouble::new(
            TroubleKind::ForwardingForbidden,
            format!("sshd on {node} forbids forwarding to sockets, and neither socat nor nc -U is installed there"),
            "install socat, or set AllowStreamLocalForwarding yes in sshd_config",
        );
    }
    if !relays {
        // Permitted, not forbidden, no relay to ask: the forwarding failed because nobody listens.
        return daemon_not_running(node, path);
    }
    let said = failed.iter().map(|failed| failed.said.trim()).find(|said| !said.is_empty()).unwrap_or("no word");
    Trouble::new(
        TroubleKind::DaemonNotRunning,
        format!("{path} on {node} gives no answer ({said})"),
        "look at the daemon behind the socket on the node",
    )
}

type Make = fn(&str, &str) -> Trouble;

/// Words of relays, sudo and the shell that settle the matter, the most telling first.
const DECISIVE: [(&str, Make); 7] = [
    ("Connection refused", daemon_not_running),
    ("password is required", sudo_password),
    ("terminal is required", sudo_password),
    ("not allowed to execute", sudo_not_allowed),
    ("not in the sudoers", sudo_not_allowed),
    ("may not run sudo", sudo_not_allowed),
    ("No such file or directory", socket_missing),
];

fn socket_missing(node: &str, path: &str) -> Trouble {
    Trouble::new(
        TroubleKind::SocketMissing,
        format!("{path} does not exist on {node}"),
        "start the daemon, or correct the socket's path in the configuration or the daemon's",
    )
}

fn daemon_not_running(node: &str, path: &str) -> Trouble {
    Trouble::new(
        TroubleKind::DaemonNotRunning,
        format!("nothing listens behind {path} on {node}"),
        "start the daemon; the socket is left over from its last run",
    )
}

fn sudo_password(node: &str, path: &str) -> Trouble {
    Trouble::new(
        TroubleKind::SudoNeedsPassword,
        format!("sudo on {node} asks for a password, and the login may not open {path} without it"),
        format!("allow it in sudoers: LOGIN ALL=(root) NOPASSWD: /usr/bin/socat - UNIX-CONNECT:{path}"),
    )
}

fn sudo_not_allowed(node: &str, path: &str) -> Trouble {
    Trouble::new(
        TroubleKind::SocketNotPermitted,
        format!("the login may not open {path} on {node}, and sudo does not allow it either"),
        format!("allow it in sudoers: LOGIN ALL=(root) NOPASSWD: /usr/bin/socat - UNIX-CONNECT:{path}"),
    )
}

fn relay_missing(node: &str, path: &str) -> Trouble {
    Trouble::new(
        TroubleKind::ProgramMissing,
        format!("neither socat nor nc is installed on {node}, and the login may not open {path} itself"),
        "install socat there, or add the login to the group that owns the socket",
    )
}
