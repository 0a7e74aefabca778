//! Lines of logs, as a node keeps them.

use super::{text::Clean, time::Wall};
use serde::{Deserialize, Serialize};

/// Which log of a node. The tables of units and files are in `wire::logs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogId {
    /// Everything the system's journal holds.
    System,
    /// The kernel's messages.
    Kernel,
    /// HAProxy.
    Haproxy,
    /// nginx or Apache.
    Web,
    /// MySQL or MariaDB.
    Database,
    /// What InnoDB says of itself (`show engine innodb status`): asked of the server, and no log of the past.
    InnodbStatus,
    /// Open vSwitch and its database.
    OpenVSwitch,
    /// keepalived.
    Keepalived,
    /// memcached.
    Memcached,
    /// libvirt.
    Libvirt,
    /// The NFS server.
    Nfs,
    /// Logins.
    Ssh,
}

/// Which part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogWindow {
    /// The newest lines.
    Newest,
    /// From shortly before a moment until some time after it.
    Around(Wall),
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When, by the node's clock; `None` where the line does not say it in a way that can be understood.
    pub at: Option<Wall>,
    /// Who wrote it: a program of the journal, or the name of a file.
    pub from: Clean,
    /// What it says, without time and host.
    pub text: Clean,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogPage {
    /// The oldest first.
    pub lines: Vec<LogLine>,
    /// What could not be read, and why.
    pub missing: Vec<Clean>,
}
