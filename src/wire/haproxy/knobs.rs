//! The commands by which a process is given another limit.

use super::commands::{is_safe_name, write};
use crate::{
    model::{intent::ServerPath, tuning::Knob},
    wire::request::Request,
};

/// The command that sets a limit; nothing where a name is not safe to send.
pub fn set_knob(socket: &str, knob: &Knob, value: u64) -> Option<Request> {
    let path = |path: &ServerPath| is_safe_name(path.backend.as_str()) && is_safe_name(path.server.as_str());
    let command = match knob {
        Knob::Connections => format!("set maxconn global {value}"),
        Knob::ConnectionRate => format!("set rate-limit connections global {value}"),
        Knob::SessionRate => format!("set rate-limit sessions global {value}"),
        Knob::Frontend(name) if is_safe_name(name.as_str()) => format!("set maxconn frontend {name} {value}"),
        Knob::Server(server) if path(server) => format!("set maxconn server {server} {value}"),
        Knob::Frontend(_) | Knob::Server(_) => return None,
    };
    Some(write(socket, command))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::Call;

    fn command(knob: &Knob) -> Option<String> {
        match set_knob("/run/haproxy/admin.sock", knob, 7)?.call {
            Call::Haproxy { command, .. } => Some(command),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_limit_has_its_command_and_no_odd_name_is_sent() {
        let server = |path| ServerPath::parse(path).unwrap();
        let said = [
            (Knob::Connections, Some("set maxconn global 7")),
            (Knob::ConnectionRate, Some("set rate-limit connections global 7")),
            (Knob::SessionRate, Some("set rate-limit sessions global 7")),
            (Knob::Frontend("http_front".into()), Some("set maxconn frontend http_front 7")),
            (Knob::Server(server("web_cluster/web01")), Some("set maxconn server web_cluster/web01 7")),
            (Knob::Frontend("a;disable frontend b".into()), None),
            (Knob::Server(server("a b/c")), None),
            (Knob::Server(server("a/c d")), None),
        ];
        for (knob, wanted) in said {
            assert_eq!(command(&knob).as_deref(), wanted);
        }
    }
}
