//! The daemon of a database as its machine shows it. The machine is asked, not the server: so it is known of a server
//! that does not answer, too.

use super::gtid::Gtids;
use crate::model::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};

/// One look at a machine that runs a database server.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DaemonSample {
    /// The unit that starts it: "mariadb.service". Not offered where the machine is not run by systemd.
    pub unit: Figure<Clean>,
    /// Whether that unit is masked: nothing starts it, after a restart of the machine neither.
    pub is_masked: Figure<bool>,
    /// Processes of database servers, of the unit and of whoever else started one.
    pub processes: Figure<Vec<DaemonProcess>>,
}

/// What a server that does not run has written, by its own files.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BinlogSample {
    /// MariaDB: of each domain and server the last transaction in its newest binary log, those of earlier logs among them.
    /// MySQL: every transaction of its newest binary log and of those before it.
    pub written: Figure<Gtids>,
}

/// One process of a database server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DaemonProcess {
    /// Its number.
    pub pid: u32,
    /// The kernel's letter for its state: `T` is stopped by a signal, `Z` is dead already.
    pub state: Clean,
    /// The unit that it belongs to; empty where it belongs to none.
    pub unit: Clean,
}

/// What a daemon does, by its machine's word. The later one is nearer to service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonState {
    /// There is no process.
    Dead,
    /// A signal stopped it: it does nothing, and would go on where it was.
    Frozen,
    /// It runs, whether it answers or not.
    Alive,
}

impl DaemonState {
    /// In words: "does not run".
    pub fn words(self) -> &'static str {
        match self {
            Self::Dead => "does not run",
            Self::Frozen => "is stopped by a signal",
            Self::Alive => "runs",
        }
    }
}

impl DaemonProcess {
    fn state(&self) -> DaemonState {
        match self.state.as_str() {
            "Z" | "X" | "x" => DaemonState::Dead,
            "T" | "t" => DaemonState::Frozen,
            _ => DaemonState::Alive,
        }
    }
}

impl DaemonSample {
    /// The processes that may be the server's: of its unit, or of none.
    pub fn own(&self) -> Figure<Vec<&DaemonProcess>> {
        let unit = self.unit.as_ref().known().map(Clean::as_str);
        let is_own =
            |process: &&DaemonProcess| process.unit.is_empty() || unit.is_none_or(|unit| process.unit.as_str() == unit);
        let lives = |process: &&DaemonProcess| process.state() != DaemonState::Dead;
        self.processes.as_ref().map(|all| all.iter().filter(is_own).filter(lives).collect())
    }

    /// What the server does.
    pub fn state(&self) -> Figure<DaemonState> {
        self.own().map(|own| own.iter().map(|process| process.state()).max().unwrap_or(DaemonState::Dead))
    }

    /// The number of its process, if it has exactly one.
    pub fn pid(&self) -> Option<u32> {
        match self.own().known()?.as_slice() {
            [one] => Some(one.pid),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(processes: &[(u32, &str, &str)]) -> DaemonSample {
        let process = |(pid, state, unit): &(u32, &str, &str)| DaemonProcess {
            pid: *pid,
            state: Clean::line(state),
            unit: Clean::line(unit),
        };
        DaemonSample {
            unit: Figure::Known("mariadb.service".into()),
            is_masked: Figure::Known(false),
            processes: Figure::Known(processes.iter().map(process).collect()),
        }
    }

    #[test]
    fn the_process_nearest_to_service_counts_and_those_of_other_units_do_not() {
        let own = "mariadb.service";
        assert_eq!(sample(&[]).state(), Figure::Known(DaemonState::Dead));
        assert_eq!(sample(&[(7, "Z", own)]).state(), Figure::Known(DaemonState::Dead));
        assert_eq!(sample(&[(7, "T", own)]).state(), Figure::Known(DaemonState::Frozen));
        assert_eq!(sample(&[(7, "T", own), (8, "D", "")]).state(), Figure::Known(DaemonState::Alive));
        assert_eq!(sample(&[(7, "S", "docker-1.scope.service")]).state(), Figure::Known(DaemonState::Dead));
        assert_eq!((sample(&[(7, "S", own)]).pid(), sample(&[(7, "S", own), (8, "S", own)]).pid()), (Some(7), None));
        assert!(DaemonSample::default().state().why().is_some());
    }
}
