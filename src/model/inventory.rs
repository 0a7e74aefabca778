//! The cluster as the operator wrote it down: nodes, roles, addresses, and the settings of watching it.
//!
//! `config` makes these values from the file; nothing here knows the file's syntax.

use super::ids::{ClusterName, NodeName};
pub use super::{
    policy::{Confirm, Policy},
    write_endpoint::WriteEndpoint,
};
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
    /// Guests that are no nodes.
    #[serde(default)]
    pub guests: Vec<Guest>,
    /// Settings of watching and acting.
    pub settings: Settings,
}

impl Inventory {
    /// The node of that name.
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.iter().find(|node| &node.name == name)
    }

    /// What a machine of that name is for: a node, or a guest that is none.
    pub fn roles_of(&self, name: &str) -> &[Role] {
        let node = self.nodes.iter().find(|node| node.name.as_str() == name).map(|node| &node.roles);
        let guest = || self.guests.iter().find(|guest| guest.name == name).map(|guest| &guest.roles);
        node.or_else(guest).map_or(&[], Vec::as_slice)
    }

    /// The hypervisors that a machine of that name may run on; empty: any.
    pub fn hosts_of(&self, name: &str) -> &[NodeName] {
        let node = self.nodes.iter().find(|node| node.name.as_str() == name).map(|node| &node.hosts);
        let guest = || self.guests.iter().find(|guest| guest.name == name).map(|guest| &guest.hosts);
        node.or_else(guest).map_or(&[], Vec::as_slice)
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
    /// Where the database of Open vSwitch is; `None` on nodes that are said to have none.
    #[serde(default)]
    pub ovs: Option<OvsSocket>,
    /// libvirt's socket, on nodes that run guests (role `hypervisor` by default).
    #[serde(default)]
    pub libvirt_socket: Option<String>,
    /// How another hypervisor's libvirtd reaches this one, to move guests here.
    #[serde(default)]
    pub migration_uri: Option<String>,
    /// The hypervisors it may run on, where it is a guest of that name; empty: any, or none.
    #[serde(default)]
    pub hosts: Vec<NodeName>,
    /// The MySQL or MariaDB server, on nodes that run one (role `database` by default).
    #[serde(default)]
    pub database: Option<Database>,
}

/// How a node's database server is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its socket on the node.
    pub socket: String,
    /// Who asks.
    pub login: DatabaseLogin,
    /// The table that a heartbeat program writes.
    pub heartbeat: Option<HeartbeatSettings>,
    /// Whether that program writes UTC.
    pub heartbeat_utc: bool,
    /// With what a former primary logs in to replicate from the new one; without it none can become a replica.
    #[serde(default)]
    pub replication: DatabaseLogin,
}

/// Who asks a database server. Without a user it is the one that the server sees behind the socket: the SSH login, or
/// root where `sudo` leads there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatabaseLogin {
    /// Its name, if it is not the one behind the socket.
    pub user: Option<String>,
    /// Where its password is, if it has one. The password itself is never a part of the inventory.
    pub password: Option<PasswordSource>,
}

/// Where a password is found when it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordSource {
    /// The first line of a file that nobody else may read.
    File(PathBuf),
    /// A variable of vakt's environment.
    Variable(String),
}

/// A heartbeat table (`pt-heartbeat`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatSettings {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
}

/// The socket of a switch's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OvsSocket {
    /// Where it is on the node.
    pub path: String,
    /// Whether the configuration says so for this node. Elsewhere a missing socket means that there is no switch.
    pub is_expected: bool,
}

/// A guest that is no node: it is watched only from its hypervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Its name in libvirt.
    pub name: String,
    /// At least one.
    pub roles: Vec<Role>,
    /// The hypervisors it may run on; empty: any.
    pub hosts: Vec<NodeName>,
}

/// Where machines of a role may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residency {
    /// What they are for.
    pub role: Role,
    /// Whose law may apply to them; at least one.
    pub jurisdictions: Vec<String>,
}

/// How far two nodes are from each other, by their site labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// One site, or nothing is known that would say otherwise.
    Site,
    /// Sites of one town: their labels differ only in a number at the end.
    Town,
    /// Different towns.
    Far,
}

impl Distance {
    /// Between two nodes.
    pub fn between(one: &Node, other: &Node) -> Self {
        let (Some(one), Some(other)) = (&one.site, &other.site) else { return Self::Site };
        let town = |site: &str| {
            site.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | ' ' | '.')).to_owned()
        };
        if one == other {
            Self::Site
        } else if town(one) == town(other) {
            Self::Town
        } else {
            Self::Far
        }
    }
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
    /// What may be reached from outside.
    #[serde(default)]
    pub exposure: ExposureSettings,
    /// What may be done.
    pub policy: Policy,
    /// Where data may live; a role that is not named may be anywhere.
    #[serde(default)]
    pub residency: Vec<Residency>,
    /// What leads writes to the primary besides HAProxy.
    #[serde(default)]
    pub write_endpoint: WriteEndpoint,
    /// Where the lock is held, besides the bastion.
    #[serde(default)]
    pub lock: LockSettings,
    /// Where runs are written down.
    #[serde(default)]
    pub state: StateSettings,

    /// What the console records.
    #[serde(default)]
    pub recorder: RecorderSettings,
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
    /// Live counters of switches, and whether their daemon runs.
    #[serde(default = "switch_live_ms")]
    pub switch_live_ms: u64,
    /// Bonds, learned addresses and flows of switches; plain bridges and addresses.
    #[serde(default = "switch_ms")]
    pub switch_ms: u64,
    /// MySQL's and MariaDB's counters and replication.
    #[serde(default)]
    pub mysql_ms: u64,
    /// State and counters of guests.
    #[serde(default)]
    pub guests_ms: u64,
    /// Definitions of guests and capacity of their hosts.
    #[serde(default)]
    pub guest_profile_ms: u64,
    /// Addresses, neighbours and keepalived, on nodes that may hold a virtual address.
    #[serde(default)]
    pub presence_ms: u64,
    /// Listening sockets, workers of web servers, NFS mounts.
    #[serde(default)]
    pub services_ms: u64,
    /// memcached's own figures.
    #[serde(default)]
    pub memcached_ms: u64,
    /// Certificates of the load balancers.
    #[serde(default)]
    pub certificates_ms: u64,
    /// Round trips between nodes over their private addresses.
    #[serde(default)]
    pub private_network_ms: u64,
    /// Longest wait for one answer.
    pub deadline_ms: u64,
    /// A node is stale when its newest answer is older than this.
    pub stale_after_ms: u64,
}

/// For inventories of recordings that say nothing about it.
fn switch_live_ms() -> u64 {
    2_000
}

/// For inventories of recordings that say nothing about it.
fn switch_ms() -> u64 {
    15_000
}

/// What may be reached from outside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExposureSettings {
    /// TCP ports on which a node may listen on a public address.
    pub ports: Vec<u16>,
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
    /// Packets that a port of a switch may drop or damage per second.
    #[serde(default = "one")]
    pub switch_drops_per_s: f64,
    /// Share of a link's speed, percent.
    #[serde(default = "eighty")]
    pub link_percent: f64,
    /// Limits of databases.
    #[serde(default)]
    pub database: DatabaseThresholds,
    /// Virtual CPUs of running guests for each CPU of their host.
    #[serde(default = "any")]
    pub vcpus_per_cpu: f64,
    /// Memory of running guests in percent of their host's.
    #[serde(default = "any")]
    pub guest_memory_percent: f64,
    /// A certificate that ends within so many days is worth a line.
    #[serde(default)]
    pub certificate_days: u64,
    /// Within so many days it is critical.
    #[serde(default)]
    pub certificate_critical_days: u64,
    /// Memory of all workers that a web server may start, percent of the node's.
    #[serde(default)]
    pub web_memory_percent: f64,
    /// Evictions of one memcached per second.
    #[serde(default)]
    pub memcached_evictions_per_s: f64,
    /// Round trip over private addresses within a site, milliseconds.
    #[serde(default)]
    pub private_site_ms: f64,
    /// The same between sites of one town.
    #[serde(default)]
    pub private_town_ms: f64,
    /// The same between towns.
    #[serde(default)]
    pub private_far_ms: f64,
    /// Packets lost on the private network, percent.
    #[serde(default)]
    pub private_loss_percent: f64,
    /// Traffic of a frontend that is this many times the usual is a spike.
    #[serde(default = "spike_factor_default")]
    pub spike_factor: f64,
    /// How long a traffic figure must stay beyond its limit before it becomes a finding.
    pub hold_ms: u64,
    /// The same for figures of a host, which move more.
    pub host_hold_ms: u64,
}

/// For inventories of recordings that say nothing about it.
fn one() -> f64 {
    1.0
}

/// For inventories of recordings that say nothing about it.
fn eighty() -> f64 {
    80.0
}

/// For an inventory in an old recording, which says nothing about it.
fn spike_factor_default() -> f64 {
    3.0
}

/// Limits of database servers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DatabaseThresholds {
    /// How far a replica may be behind.
    pub lag_ms: u64,
    /// Connections in use, percent of those allowed.
    pub connections_percent: f64,
    /// Checkpoint age, percent of the redo log's capacity.
    pub redo_percent: f64,
    /// Old row versions that wait for the purge.
    pub history_list: u64,
    /// Age of a transaction, seconds.
    pub transaction_s: u64,
}

/// A limit that an inventory of an old recording does not know: nothing is beyond it.
fn any() -> f64 {
    f64::MAX
}

/// The flight recorder. The default stands for an inventory in an old recording, which says nothing about it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecorderSettings {
    /// Whether the console records by itself.
    pub enabled: bool,
    /// Whether literals of SQL statements, and addresses outside the inventory, are masked.
    pub mask: bool,
    /// Room for all recordings of the cluster, MiB.
    pub total_mib: u64,
    /// Recordings older than this are removed, days.
    pub age_days: u64,
    /// Length of one file of a recording, seconds.
    pub segment_s: u64,
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
