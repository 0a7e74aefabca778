//! The daemons of databases in the simulation: they crash, stand still, are started, masked and killed, and their
//! machines say so.

use super::database::Databases;
use crate::{model::mysql::DaemonState, wire::request::Call};

/// What a fence does to a daemon, or its undoing.
const MASK: &str = "systemctl mask";
const UNMASK: &str = "systemctl unmask";

/// Whether `call` fences the daemon of a database, or lets it go.
pub(super) fn is_fence(call: &Call) -> bool {
    matches!(call, Call::Exec { argv } if argv.get(2).is_some_and(|script| script.contains(MASK) || script.contains(UNMASK)))
}

impl Databases {
    /// The daemon by its machine's word; only the machine when it carries none.
    pub(super) fn daemon(&self, host: usize) -> String {
        let Some(server) = self.servers.iter().find(|server| server.host == host) else {
            return "systemd:yes\n".to_owned();
        };
        let unit = if self.is_mysql { "mysql.service" } else { "mariadb.service" };
        let masked = if server.is_masked { format!("masked:{unit}\n") } else { String::new() };
        let process = match server.daemon {
            DaemonState::Dead => String::new(),
            DaemonState::Frozen => format!("process:{} T {unit}\n", 300 + server.id),
            DaemonState::Alive => format!("process:{} S {unit}\n", 300 + server.id),
        };
        format!("systemd:yes\nunit:{unit}\n{masked}{process}")
    }

    /// The end of the binary log on that machine.
    pub(super) fn binary_log(&self, host: usize) -> String {
        let place = self.servers.iter().position(|server| server.host == host);
        if let Some(place) = place.filter(|_| self.is_mysql) {
            return format!("set:{}\nwhole:yes\n", self.executed(place));
        }
        let state = place.map(|place| self.state(place)).unwrap_or_default();
        let lines = state.split(',').filter(|last| !last.is_empty()).map(|last| format!("last:{last}\n"));
        lines.collect::<String>() + "whole:yes\n"
    }

    /// Fences a daemon, or lets it go; the exit status.
    pub(super) fn fence(&mut self, host: usize, call: &Call) -> u32 {
        let Call::Exec { argv } = call else { return 127 };
        let does_release = argv.get(2).is_some_and(|script| script.contains(UNMASK));
        let Some(place) = self.servers.iter().position(|server| server.host == host) else { return 1 };
        self.servers[place].is_masked = !does_release;
        self.servers[place].source = self.servers[place].source.filter(|_| !does_release);
        self.set_daemon(place, if does_release { DaemonState::Alive } else { DaemonState::Dead });
        0
    }

    /// A server that is started anew is as its file says: read-only.
    pub(super) fn set_daemon(&mut self, place: usize, state: DaemonState) {
        let server = &mut self.servers[place];
        if server.daemon == DaemonState::Dead && state == DaemonState::Alive {
            server.is_writable = false;
        }
        server.daemon = state;
        if state == DaemonState::Dead {
            server.held = super::switchover::Held::default();
            // What was set while it ran is in no file.
            server.set.clear();
        }
    }

    /// What the daemon on that machine does, where there is one.
    pub(super) fn daemon_state(&self, host: usize) -> Option<DaemonState> {
        self.servers.iter().find(|server| server.host == host).map(|server| server.daemon)
    }
}
