//! The cluster as the operator wrote it down: nodes, roles, addresses, and the settings of watching it.
//!
//! `config` makes these values from the file; nothing here knows the file's syntax.

use super::ids::{ClusterName, NodeName};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, path::PathBuf};

/// A validated configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// The cluster's name: typed to confirm what concerns all of it.
    pub cluster: ClusterName,
    /// Nodes in the order of the file. Names are unique.
    pub nodes: Vec<Node>,
    /// Virtual addresses and who may hold them.
    pub vips: Vec<Vip>,
    /// Settings of watching and acting.
    pub settings: Settings,
}

impl Inventory {
    /// The node of that name.
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.iter().find(|node| &node.name == name)
    }

    /// The nodes that have `role`.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.roles.contains(&role))
    }
}

/// What a node is for. A node may have several roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Load balancer at the edge (HAProxy, keepalived).
    Edge,
    /// Web server.
    Web,
    /// Application server.
    App,
    /// MySQL or MariaDB.
    Database,
    /// memcached.
    Cache,
    /// NFS server.
    Storage,
    /// KVM host.
    Hypervisor,
}

impl Role {
    /// Every role, in the order of the traffic path.
    pub const ALL: [Self; 7] =
        [Self::Edge, Self::Web, Self::App, Self::Database, Self::Cache, Self::Storage, Self::Hypervisor];

    /// The word used in the configuration and on screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Web => "web",
            Self::App => "app",
            Self::Database => "database",
            Self::Cache => "cache",
            Self::Storage => "storage",
            Self::Hypervisor => "hypervisor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Unique name, `[A-Za-z0-9_.-]`.
    pub name: NodeName,
    /// At least one.
    pub roles: Vec<Role>,
    /// Host name or address that SSH connects to (before `ssh -G` resolves a `HostName`).
    pub management: String,
    /// Address on the private backplane (RFC 1918).
    pub private: Option<IpAddr>,
    /// Public address, if the node has one.
    pub public: Option<IpAddr>,
    /// Site label: which room, which town.
    pub site: Option<String>,
    /// Jurisdiction label: whose law.
    pub jurisdiction: Option<String>,
    /// How to log in; what is absent comes from `ssh -G`.
    pub ssh: SshOverrides,
    /// The HAProxy stats socket, on nodes that run HAProxy (role `edge` by default).
    pub haproxy_socket: Option<String>,
}

/// SSH settings of the inventory; each overrides what `ssh -G` says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SshOverrides {
    /// Login name.
    pub user: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// Private keys to try, `~` expanded.
    pub identity_files: Vec<PathBuf>,
    /// Names of nodes or jump hosts, nearest first, as in `ssh -J`. `None`: as `ssh -G` says.
    pub jump: Option<Vec<String>>,
    /// known_hosts files. Empty: as `ssh -G` says.
    pub known_hosts_files: Vec<PathBuf>,
    /// Whether an agent may be used. `None`: as `ssh -G` says.
    pub use_agent: Option<bool>,
}

/// A machine that is only passed through: it is not polled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JumpHost {
    /// Name that `jump` lists refer to.
    pub name: String,
    /// Host name or address.
    pub address: String,
    /// How to log in.
    pub ssh: SshOverrides,
}

/// A virtual address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// The nodes that may hold it.
    pub nodes: Vec<NodeName>,
}

/// Everything tunable. Defaults, units and bounds are in `assets/defaults.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Connection settings.
    pub ssh: SshSettings,
    /// Machines that are passed through.
    pub jump_hosts: Vec<JumpHost>,
    /// How often each probe runs.
    pub poll: PollSettings,
    /// When a figure becomes a finding.
    pub thresholds: Thresholds,
    /// What may be done.
    pub policy: Policy,
    /// Where the lock is held, besides the bastion.
    #[serde(default)]
    pub lock: LockSettings,
    /// Where runs are written down.
    #[serde(default)]
    pub state: StateSettings,
    /// How the console looks.
    pub console: ConsoleSettings,
}

/// One operator at a time, also across bastions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LockSettings {
    /// Nodes on which a run holds the lock, an odd number; none: only the bastion's own lock.
    pub nodes: Vec<NodeName>,
}

/// The state folder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StateSettings {
    /// Where, if the configuration says so.
    pub directory: Option<PathBuf>,
    /// Ended runs that are kept.
    pub runs_max: u32,
    /// How long an ended run is kept, days.
    pub age_max_days: u32,
}

/// Settings of the SSH transport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshSettings {
    /// Which ssh_config `ssh -G` reads.
    pub config_file: SshConfigFile,
    /// From the first packet to the end of authentication.
    pub connect_timeout_ms: u64,
    /// Silence after which a keepalive is sent.
    pub keepalive_interval_ms: u64,
    /// Unanswered keepalives after which the connection is given up.
    pub keepalive_misses_max: u32,
    /// Handshakes at once, over all nodes.
    pub handshakes_max: u32,
    /// Handshakes at once through one jump host.
    pub handshakes_per_jump_max: u32,
    /// First wait before trying again; doubles with jitter.
    pub backoff_min_ms: u64,
    /// Longest wait before trying again.
    pub backoff_max_ms: u64,
    /// Consecutive missed deadlines that close the connection.
    pub missed_deadlines_max: u32,
}

/// Which file `ssh -G` reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SshConfigFile {
    /// The user's and the system's, as `ssh` does.
    #[default]
    Default,
    /// None: only the inventory and OpenSSH's defaults.
    None,
    /// This one (`ssh -F`).
    File(PathBuf),
}

/// Intervals between polls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollSettings {
    /// CPU, disks, memory, pressure, interfaces.
    pub host_ms: u64,
    /// Kernel, filesystems, memory by unit.
    pub host_profile_ms: u64,
    /// HAProxy information, statistics and server states.
    pub haproxy_ms: u64,
    /// Longest wait for one answer.
    pub deadline_ms: u64,
    /// A node is stale when its newest answer is older than this.
    pub stale_after_ms: u64,
}

/// Limits beyond which a figure is worth a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// iowait in percent of all CPU time.
    pub iowait_percent: f64,
    /// Steal in percent.
    pub steal_percent: f64,
    /// Share of time all tasks stalled on IO, percent.
    pub io_full_percent: f64,
    /// Memory in use, percent.
    pub memory_percent: f64,
    /// Filesystem in use, percent.
    pub filesystem_percent: f64,
    /// Clock offset between bastion and node.
    pub clock_offset_ms: u64,
    /// Queue of a backend, requests.
    pub queue_requests: u64,
    /// Sessions of a proxy or server in percent of its limit.
    pub sessions_percent: f64,
    /// Share of 5xx answers, percent.
    pub errors_percent: f64,
    /// How long a traffic figure must stay beyond its limit before it becomes a finding.
    pub hold_ms: u64,
    /// The same for figures of a host, which move more.
    pub host_hold_ms: u64,
}

/// What may be done, and how it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// No write leaves this console.
    pub read_only: bool,
    /// Ask for more than Enter even for small changes.
    pub confirm: Confirm,
    /// A change may not leave a backend with less than this share of its servers' weight, percent.
    pub capacity_floor_percent: u32,
}

/// How changes are confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// By blast radius: Enter, the target's name, or the cluster's name.
    #[default]
    ByBlastRadius,
    /// Always the target's name at least.
    AlwaysTyped,
}

/// How the console looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleSettings {
    /// Colours.
    pub theme: ThemeName,
    /// Symbols.
    pub glyphs: Glyphs,
    /// Whether the mouse is captured.
    pub mouse: bool,
}

/// Colour themes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeName {
    /// For dark terminals.
    #[default]
    Dark,
    /// For light terminals.
    Light,
    /// No colours (also when `NO_COLOR` is set).
    Mono,
}

/// Symbol sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Glyphs {
    /// By the locale: Unicode in UTF-8, ASCII elsewhere.
    #[default]
    Auto,
    /// Unicode symbols and block characters.
    Unicode,
    /// ASCII only.
    Ascii,
}
