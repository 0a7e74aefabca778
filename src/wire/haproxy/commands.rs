//! HAProxy's write commands, and what its answers to them mean.
//!
//! HAProxy splits a line at `;` and at line breaks, therefore a name that is not `[A-Za-z0-9_.:-]` is refused, never
//! escaped: [`ServerCommands::new`] is the only way to a write, and it checks.
//!
//! Deliberately absent: commands with payload. Limits of a process, its frontends and servers are in `knobs`.

use crate::{
    model::{
        haproxy::AdminState,
        ids::{ProxyName, ServerName},
        text::Clean,
    },
    wire::request::{Access, Call, Reply, Request},
};

/// Longest wait for the answer to a write, the way to the socket included. HAProxy answers within a millisecond; a node
/// that is overloaded takes more than a second to start the relay to it, and then a change is wanted most.
pub const WRITE_DEADLINE_MS: u64 = 4_000;
/// Longest answer to a write; it is one line.
pub const WRITE_CAP_BYTES: usize = 4 * 1024;
/// Longest name that is sent.
pub const NAME_BYTES_MAX: usize = 128;

/// Whether HAProxy reads this name as one name.
pub fn is_safe_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(allowed)
}

/// The write commands for one server, on the socket of one node.
#[derive(Debug, Clone, Copy)]
pub struct ServerCommands<'a> {
    socket: &'a str,
    backend: &'a str,
    server: &'a str,
}

impl<'a> ServerCommands<'a> {
    /// `None` when a name is not safe to send.
    pub fn new(socket: &'a str, backend: &'a ProxyName, server: &'a ServerName) -> Option<Self> {
        let (backend, server) = (backend.as_str(), server.as_str());
        (is_safe_name(backend) && is_safe_name(server)).then_some(Self { socket, backend, server })
    }

    /// `set server … state …`. `None` for a state that an operator cannot set (an inherited one).
    pub fn set_state(&self, state: AdminState) -> Option<Request> {
        let word = match state {
            AdminState::Ready => "ready",
            AdminState::Drain => "drain",
            AdminState::Maint => "maint",
            AdminState::DrainInherited | AdminState::MaintInherited | AdminState::MaintResolution => return None,
        };
        Some(self.write(format!("set server {}/{} state {word}", self.backend, self.server)))
    }

    /// `set weight …`, an absolute weight.
    pub fn set_weight(&self, weight: u64) -> Request {
        self.write(format!("set weight {}/{} {weight}", self.backend, self.server))
    }

    /// `shutdown sessions server …`. HAProxy closes them after it has answered.
    pub fn shutdown_sessions(&self) -> Request {
        self.write(format!("shutdown sessions server {}/{}", self.backend, self.server))
    }

    fn write(&self, command: String) -> Request {
        write(self.socket, command)
    }
}

/// A write on a socket.
pub(super) fn write(socket: &str, command: String) -> Request {
    Request {
        access: Access::Write,
        call: Call::Haproxy { socket: socket.to_owned(), command },
        deadline_ms: WRITE_DEADLINE_MS,
        cap_bytes: WRITE_CAP_BYTES,
    }
}

/// What HAProxy objects to: success is an empty answer, anything else is prose without a code. `None` is not yet proof
/// that the change took place: that is read back.
pub fn objection(reply: &Reply) -> Option<Clean> {
    let words = reply.bytes.trim_ascii();
    if !words.is_empty() {
        return Some(super::prose(words));
    }
    reply.exit.filter(|status| *status != 0).map(|status| {
        Clean::line(&format!("the way to the socket ended with {status}: {}", Clean::line_from_bytes(&reply.stderr)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: &str = "/run/haproxy/admin.sock";

    fn command(request: &Request) -> &str {
        match &request.call {
            Call::Haproxy { command, .. } => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_are_what_the_manual_says() {
        let (backend, server) = (ProxyName::from("web_cluster"), ServerName::from("web03"));
        let commands = ServerCommands::new(SOCKET, &backend, &server).unwrap();
        let drain = commands.set_state(AdminState::Drain).unwrap();
        assert_eq!(drain.access, Access::Write);
        assert_eq!(command(&drain), "set server web_cluster/web03 state drain");
        assert_eq!(command(&commands.set_weight(50)), "set weight web_cluster/web03 50");
        assert_eq!(command(&commands.shutdown_sessions()), "shutdown sessions server web_cluster/web03");
        assert!(commands.set_state(AdminState::MaintInherited).is_none());
    }

    #[test]
    fn an_unsafe_name_has_no_commands() {
        let good = ProxyName::from("b");
        for name in ["a;disable server x", "a b", "a\nb", "", "a/b", "é", "a\\", "$(id)", &"a".repeat(129)] {
            assert!(ServerCommands::new(SOCKET, &good, &ServerName::new(name)).is_none(), "{name:?}");
            assert!(ServerCommands::new(SOCKET, &ProxyName::new(name), &ServerName::from("s")).is_none(), "{name:?}");
        }
    }

    #[test]
    fn an_empty_answer_is_no_objection() {
        let reply = |bytes: &str, exit| Reply { bytes: bytes.into(), exit, ..Reply::default() };
        assert_eq!(objection(&reply("\n", None)), None);
        assert_eq!(objection(&reply("", Some(0))), None);
        assert_eq!(objection(&reply("No such server.\n\n", None)), Some("No such server.".into()));
        assert!(objection(&reply("", Some(1))).is_some());
    }
}
