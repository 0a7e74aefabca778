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
    time::Duration,
};
use tokio::time::Instant;

/// Sockets of one node that are remembered.
const PATHS_MAX: usize = 64;

/// What is known about the ways, by path; kept over reconnections.
#[derive(Debug, Default)]
pub(super) struct Routes(Mutex<HashMap<String, Known>>);

#[derive(Debug, Default)]
struct Known {
    /// What was told last.
    told: Option<Result<Way, Trouble>>,
    /// The trouble that holds, without another look, until then.
    resting: Option<(Trouble, Instant)>,
    /// What a look at the node found, and until when no other is needed to explain that nobody answers.
    explained: Option<(Trouble, Instant)>,
}

impl Routes {
    /// The way that worked last.
    pub(super) fn remembered(&self, path: &str) -> Option<Way> {
        self.lock().get(path).and_then(|known| known.told.as_ref()?.as_ref().ok().copied())
    }

    /// Remembers; true when this is news.
    pub(super) fn remember(&self, path: &str, way: &Result<Way, Trouble>) -> bool {
        self.change(path, |known| {
            let news = known.told.as_ref() != Some(way);
            known.told = Some(way.clone());
            news
        })
        .unwrap_or(false)
    }

    /// Lets a trouble hold for a while.
    pub(super) fn rest(&self, path: &str, trouble: &Trouble, pause: Duration) {
        self.change(path, |known| known.resting = Some((trouble.clone(), Instant::now() + pause)));
    }

    /// The trouble that still holds.
    pub(super) fn resting(&self, path: &str) -> Option<Trouble> {
        let routes = self.lock();
        let (trouble, until) = routes.get(path)?.resting.as_ref()?;
        (Instant::now() < *until).then(|| trouble.clone())
    }

    /// Lets what a look at the node found explain for a while why nobody answers.
    pub(super) fn explain_for(&self, path: &str, trouble: &Trouble, pause: Duration) {
        self.change(path, |known| known.explained = Some((trouble.clone(), Instant::now() + pause)));
    }

    /// What still explains it.
    pub(super) fn explained(&self, path: &str) -> Option<Trouble> {
        let routes = self.lock();
        let (trouble, until) = routes.get(path)?.explained.as_ref()?;
        (Instant::now() < *until).then(|| trouble.clone())
    }

    /// `None` when there is no room for another path.
    fn change<T>(&self, path: &str, change: impl FnOnce(&mut Known) -> T) -> Option<T> {
        let mut routes = self.lock();
        if routes.len() >= PATHS_MAX && !routes.contains_key(path) {
            return None;
        }
        Some(change(routes.entry(path.to_owned()).or_default()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
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
         if [ \"$(id -u)\" = 0 ]; then echo root; \
         elif command -v sudo >/dev/null; then echo sudo; sudo -n test -S $p && echo socket_for_sudo; fi; \
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
    let mut relays = failed.iter().filter(|failed| failed.way != Way::StreamLocal).peekable();
    if relays.peek().is_some() && relays.all(|failed| failed.said.contains("not found")) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/run/haproxy/admin.sock";

    fn look(words: &str) -> Look {
        Look::parse(words.replace(' ', "\n").as_bytes())
    }

    fn explained(words: &str, failed: &[(Way, &str)]) -> TroubleKind {
        let failed: Vec<Failed> = [(Way::StreamLocal, "")]
            .iter()
            .chain(failed)
            .map(|&(way, said)| Failed { way, said: said.into() })
            .collect();
        explain("lb01", PATH, &look(words), &failed).kind
    }

    #[test]
    fn an_explanation_holds_for_its_time_and_one_path() {
        let routes = Routes::default();
        let trouble = Trouble::new(TroubleKind::DaemonNotRunning, "nobody answers", "start it");
        routes.explain_for(PATH, &trouble, Duration::from_secs(60));
        assert_eq!(routes.explained(PATH), Some(trouble.clone()));
        assert_eq!(routes.explained("/run/other.sock"), None);
        routes.explain_for(PATH, &trouble, Duration::ZERO);
        assert_eq!(routes.explained(PATH), None);
    }

    #[test]
    fn each_cause_is_told_apart() {
        use TroubleKind::{
            DaemonNotRunning, ForwardingForbidden, ProgramMissing, SocketMissing, SocketNotPermitted, SudoNeedsPassword,
        };
        let refused = "2026/11/23 07:00:00 socat[7] E connect(5, AF=1, 16): Connection refused";
        let sudo = Way::SudoSocat;
        for (words, failed, kind) in [
            ("sudo", vec![], SocketMissing),
            ("", vec![], SocketMissing),
            ("exists", vec![], SocketMissing),
            ("exists socket permitted socat", vec![(Way::Socat, refused)], DaemonNotRunning),
            (
                "exists socket permitted netcat",
                vec![(Way::Netcat, "nc: unix connect failed: Connection refused")],
                DaemonNotRunning,
            ),
            ("exists socket permitted forbidden", vec![], ForwardingForbidden),
            ("exists socket permitted", vec![], DaemonNotRunning),
            ("exists socket", vec![], SocketNotPermitted),
            ("exists socket sudo", vec![(sudo, "sudo: a password is required\n")], SudoNeedsPassword),
            (
                "exists socket sudo",
                vec![(sudo, "sudo: a terminal is required to read the password")],
                SudoNeedsPassword,
            ),
            (
                "exists socket sudo",
                vec![(sudo, "Sorry, user op is not allowed to execute 'socat'")],
                SocketNotPermitted,
            ),
            ("exists socket sudo", vec![(sudo, "op is not in the sudoers file.")], SocketNotPermitted),
            ("sudo socket_for_sudo", vec![(sudo, refused)], DaemonNotRunning),
            (
                "sudo socket_for_sudo",
                vec![(sudo, "sudo: socat: command not found"), (Way::SudoNetcat, "sudo: nc: command not found")],
                ProgramMissing,
            ),
        ] {
            assert_eq!(explained(words, &failed), kind, "{words}: {failed:?}");
        }
    }

    #[test]
    fn relays_are_tried_as_the_login_first_and_by_sudo_where_it_may_not() {
        assert_eq!(look("exists socket permitted socat netcat sudo").relays(), [Way::Socat, Way::Netcat]);
        assert_eq!(look("exists socket permitted sudo").relays(), []);
        assert_eq!(look("sudo socket_for_sudo").relays(), [Way::SudoSocat, Way::SudoNetcat]);
        assert_eq!(look("exists socket root sudo").relays(), []);
    }

    #[test]
    fn a_path_that_could_be_anything_else_is_not_used() {
        for path in ["run/x", "/run/a b", "/run/a,b", "/run/$(id)", "/run/x;y", "/run/'", "", "/run/\u{1b}"] {
            assert!(!is_usable_path(path), "{path:?}");
        }
        assert!(is_usable_path(PATH) && is_usable_path("/run/haproxy-1.8/admin+x@0_a.sock"));
    }

    #[test]
    fn only_news_is_told() {
        let routes = Routes::default();
        assert!(routes.remember(PATH, &Ok(Way::Socat)));
        assert!(!routes.remember(PATH, &Ok(Way::Socat)));
        assert_eq!(routes.remembered(PATH), Some(Way::Socat));
        let trouble = socket_missing("lb01", PATH);
        assert!(routes.remember(PATH, &Err(trouble)));
        assert_eq!(routes.remembered(PATH), None);
    }

    #[test]
    fn a_trouble_rests_for_a_while() {
        let routes = Routes::default();
        assert_eq!(routes.resting(PATH), None);
        let trouble = sudo_password("lb01", PATH);
        routes.rest(PATH, &trouble, Duration::from_secs(3600));
        assert_eq!(routes.resting(PATH), Some(trouble.clone()));
        routes.rest(PATH, &trouble, Duration::ZERO);
        assert_eq!(routes.resting(PATH), None);
    }
}
