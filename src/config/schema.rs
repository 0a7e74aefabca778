//! The schema: one table of every section and key. Validation, the check of `assets/defaults.toml`, the check of
//! `config.example.toml` and the reference page all come from it.
//!
//! Numbers (default, unit, bounds) are deliberately absent: they live in `assets/defaults.toml` only.

pub use super::kind::{Kind, quoted};

/// A section of the file.
#[derive(Debug)]
pub struct Section {
    /// Its name: `[name]` or `[[name]]`.
    pub name: &'static str,
    /// Once or many times.
    pub shape: Shape,
    /// What it describes.
    pub what: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

impl Section {
    /// The header as an operator writes it.
    pub fn header(&self) -> String {
        match self.shape {
            Shape::Table => format!("[{}]", self.name),
            Shape::List => format!("[[{}]]", self.name),
        }
    }

    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// How often a section appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `[name]`, at most once.
    Table,
    /// `[[name]]`, any number.
    List,
}

/// A key of a section.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What happens when it is absent.
    pub need: Need,
    /// What it means.
    pub what: &'static str,
}

/// What happens when a key is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The file cannot be used.
    Required,
    /// The text says what holds then.
    Optional(&'static str),
    /// The default of `assets/defaults.toml` holds.
    Tunable,
}

const fn required(name: &'static str, kind: Kind, what: &'static str) -> Key {
    Key { name, kind, need: Need::Required, what }
}

pub(super) const fn optional(name: &'static str, kind: Kind, absent: &'static str, what: &'static str) -> Key {
    Key { name, kind, need: Need::Optional(absent), what }
}

pub(super) const fn tunable(name: &'static str, kind: Kind, what: &'static str) -> Key {
    Key { name, kind, need: Need::Tunable, what }
}

/// Every section, in the order of the example.
pub const SECTIONS: &[Section] = &[
    Section { name: "cluster", shape: Shape::Table, what: "The cluster as a whole.", keys: CLUSTER },
    Section {
        name: "ssh",
        shape: Shape::Table,
        what: "How to log in to every node and jump host, and the transport's limits.",
        keys: SSH,
    },
    Section {
        name: "jump_host",
        shape: Shape::List,
        what: "A machine that is only passed through; it is not polled.",
        keys: JUMP_HOST,
    },
    Section { name: "node", shape: Shape::List, what: "A machine of the cluster.", keys: NODE },
    Section { name: "vip", shape: Shape::List, what: "A virtual address and the nodes that may hold it.", keys: VIP },
    Section { name: "haproxy", shape: Shape::Table, what: "HAProxy on the nodes of role edge.", keys: HAPROXY },
    Section { name: "ovs", shape: Shape::Table, what: "Open vSwitch on the nodes that have it.", keys: OVS },
    Section {
        name: "mysql",
        shape: Shape::Table,
        what: "MySQL or MariaDB on the nodes of role database.",
        keys: MYSQL,
    },
    Section {
        name: "write_endpoint",
        shape: Shape::Table,
        what: "What leads writes to the primary of the databases besides HAProxy, or in its place.",
        keys: super::write_endpoint::KEYS,
    },
    Section { name: "libvirt", shape: Shape::Table, what: "libvirt on the nodes of role hypervisor.", keys: LIBVIRT },
    Section {
        name: "guest",
        shape: Shape::List,
        what: "A guest of a hypervisor that is no node of its own here: what it is for, and where it belongs.",
        keys: GUEST,
    },
    Section {
        name: "residency",
        shape: Shape::Table,
        what: "Where data may live: the jurisdictions that machines of a role may be in.",
        keys: RESIDENCY,
    },
    Section { name: "poll", shape: Shape::Table, what: "How often each thing is read.", keys: POLL },
    Section {
        name: "thresholds",
        shape: Shape::Table,
        what: "When a figure becomes a finding: beyond the limit, for the hold time.",
        keys: THRESHOLDS,
    },
    Section {
        name: "exposure",
        shape: Shape::Table,
        what: "What may be reached from outside. Every other TCP port on a public address is a finding.",
        keys: EXPOSURE,
    },
    Section { name: "policy", shape: Shape::Table, what: "What may be done from this console.", keys: POLICY },
    Section {
        name: "lock",
        shape: Shape::Table,
        what: "One operator at a time: where the lock is held, besides this bastion.",
        keys: LOCK,
    },
    Section {
        name: "state",
        shape: Shape::Table,
        what: "Where runs are written down, and how long they are kept.",
        keys: STATE,
    },
    Section {
        name: "recorder",
        shape: Shape::Table,
        what: "The flight recorder of the console: what it saw, for vakt replay.",
        keys: RECORDER,
    },
    Section { name: "console", shape: Shape::Table, what: "How the console looks.", keys: CONSOLE },
];

/// The section of that name.
pub fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

const CLUSTER: &[Key] =
    &[required("name", Kind::Name, "Name of the cluster. It is typed to confirm a change that concerns all of it.")];

const USER: Key = optional("user", Kind::Login, "as ssh -G says", "Login name.");
const PORT: Key = optional("port", Kind::Port, "as ssh -G says", "TCP port of sshd.");
const IDENTITY_FILES: Key = optional(
    "identity_files",
    Kind::Files,
    "as ssh -G says",
    "Private keys to try, in this order. ~/ is the home folder; a relative path starts at this file's folder.",
);
const KNOWN_HOSTS_FILES: Key = optional(
    "known_hosts_files",
    Kind::Files,
    "as ssh -G says",
    "Files with known host keys, instead of the usual ones.",
);
const USE_AGENT: Key = optional("use_agent", Kind::Switch, "as ssh -G says", "Whether keys of an SSH agent are tried.");
const JUMP: Key = optional(
    "jump",
    Kind::NamesOrNone,
    "as ssh -G says",
    "Jump hosts or nodes to pass through, the first one first, as in ssh -J. \"none\" connects directly.",
);
const PASSPHRASE: Key = optional(
    "passphrase",
    Kind::Secret,
    "asked in the console",
    "Passphrase of encrypted identity files, where neither an agent nor a person is there to ask (vakt status by cron). \
     A file with this key must be readable by its owner only.",
);

const SSH: &[Key] = &[
    USER,
    PORT,
    IDENTITY_FILES,
    KNOWN_HOSTS_FILES,
    USE_AGENT,
    JUMP,
    PASSPHRASE,
    optional(
        "ssh_config_file",
        Kind::FileOrNone,
        "the user's and the system's, as ssh does",
        "The ssh_config that ssh -G reads. \"none\": only this file and OpenSSH's defaults count.",
    ),
    tunable("connect_timeout_ms", Kind::Integer, "Longest time from the first packet to the end of authentication."),
    tunable("keepalive_interval_ms", Kind::Integer, "Silence after which a keepalive is sent."),
    tunable("keepalive_misses_max", Kind::Integer, "Unanswered keepalives after which the connection is given up."),
    tunable("handshakes_max", Kind::Integer, "Handshakes at once, over all nodes."),
    tunable("handshakes_per_jump_max", Kind::Integer, "Handshakes at once through one jump host."),
    tunable(
        "backoff_min_ms",
        Kind::Integer,
        "First wait before a lost connection is tried again; it doubles, with jitter.",
    ),
    tunable("backoff_max_ms", Kind::Integer, "Longest wait before a lost connection is tried again."),
    tunable("missed_deadlines_max", Kind::Integer, "Missed deadlines in a row that close the connection."),
];

const JUMP_HOST: &[Key] = &[
    required("name", Kind::Name, "Name that jump lists refer to; not also the name of a node."),
    required("address", Kind::Host, "Host name or address that SSH connects to."),
    USER,
    PORT,
    IDENTITY_FILES,
    KNOWN_HOSTS_FILES,
    USE_AGENT,
    JUMP,
    PASSPHRASE,
];

const NODE: &[Key] = &[
    required("name", Kind::Name, "Unique name of the node."),
    required("roles", Kind::Roles, "What the node is for; at least one."),
    required("management", Kind::Host, "Host name or address that SSH connects to."),
    optional("private", Kind::PrivateAddress, "unknown", "Address on the private backplane: RFC 1918, or fc00::/7."),
    optional("public", Kind::PublicAddress, "none", "Public address."),
    optional("site", Kind::Label, "unknown", "Which room, which town."),
    optional("jurisdiction", Kind::Label, "unknown", "Whose law applies to data on it."),
    USER,
    PORT,
    IDENTITY_FILES,
    KNOWN_HOSTS_FILES,
    USE_AGENT,
    JUMP,
    PASSPHRASE,
    optional(
        "haproxy_socket",
        Kind::RemotePathOrNone,
        "the socket of [haproxy] on nodes of role edge, none on others",
        "HAProxy's stats socket on this node. \"none\": no HAProxy here.",
    ),
    optional(
        "ovs_socket",
        Kind::RemotePathOrNone,
        "the socket of [ovs] where it exists; a node without it has no Open vSwitch",
        "The database of Open vSwitch on this node; a finding when it is missing. \"none\": no Open vSwitch here.",
    ),
    optional(
        "mysql_socket",
        Kind::RemotePathOrNone,
        "the socket of [mysql] on nodes of role database, none on others",
        "Socket of MySQL or MariaDB on this node. \"none\": no database here.",
    ),
    optional(
        "libvirt_socket",
        Kind::RemotePathOrNone,
        "the socket of [libvirt] on nodes of role hypervisor, none on others",
        "libvirt's socket on this node. \"none\": no guests here.",
    ),
    optional("migration_uri", Kind::Label, "none", "How other libvirtds reach this one, to move guests here."),
    optional(
        "hosts",
        Kind::Names,
        "it is a machine of its own, or may run on any hypervisor",
        "The hypervisors that this node may run on, where it is a guest of that name.",
    ),
];

const VIP: &[Key] = &[
    required("address", Kind::Address, "The virtual address."),
    required("nodes", Kind::Names, "The nodes that may hold it; at least one."),
];

const HAPROXY: &[Key] = &[tunable("socket", Kind::RemotePath, "Stats socket on nodes of role edge.")];

const OVS: &[Key] = &[tunable(
    "socket",
    Kind::RemotePath,
    "Socket of its database. The daemon's own sockets are expected in the same folder.",
)];

const MYSQL: &[Key] = &[
    tunable("socket", Kind::RemotePath, "Socket of the server on nodes of role database."),
    optional(
        "user",
        Kind::Label,
        "whoever the server sees behind the socket: the SSH login, or root by sudo (unix_socket, auth_socket)",
        "Login name of vakt's account on the servers.",
    ),
    optional("password_file", Kind::File, "none", "A file on this machine with that account's password, mode 0600."),
    optional(
        "password_env",
        Kind::Label,
        "none",
        "A variable of vakt's environment with that password, where there is no password_file.",
    ),
    optional(
        "replication_user",
        Kind::Label,
        "none: no switchover",
        "With it a former primary logs in to the new one.",
    ),
    optional("replication_password_file", Kind::File, "none", "A file with that account's password, mode 0600."),
    optional("replication_password_env", Kind::Label, "none", "A variable of vakt's environment with it, instead."),
    optional(
        "heartbeat_table",
        Kind::Label,
        "none",
        "The table that a heartbeat program (pt-heartbeat) writes on the primary, as schema.table.",
    ),
    tunable("heartbeat_utc", Kind::Switch, "Whether that program writes UTC (--utc)."),
];

const LIBVIRT: &[Key] = &[tunable(
    "socket",
    Kind::RemotePath,
    "libvirt's read-only socket on nodes of role hypervisor; of modular daemons /run/libvirt/virtqemud-sock-ro.",
)];

const GUEST: &[Key] = &[
    required("name", Kind::Name, "Its name in libvirt, unique in the cluster."),
    required("roles", Kind::Roles, "What it is for; at least one."),
    optional("hosts", Kind::Names, "any hypervisor", "The hypervisors it may run on."),
];

const RESIDENCY: &[Key] = &[
    optional("database", Kind::Labels, "anywhere", "Jurisdictions that databases may be in."),
    optional("storage", Kind::Labels, "anywhere", "Jurisdictions that file servers may be in."),
    optional("cache", Kind::Labels, "anywhere", "Jurisdictions that caches may be in."),
    optional("app", Kind::Labels, "anywhere", "Jurisdictions that application servers may be in."),
];

const POLL: &[Key] = &[
    tunable("host_ms", Kind::Integer, "Interval of CPU, disks, memory, pressure and interfaces."),
    tunable("host_profile_ms", Kind::Integer, "Interval of kernel, file systems and memory by unit."),
    tunable("haproxy_ms", Kind::Integer, "Interval of HAProxy's information, statistics and server states."),
    tunable("switch_live_ms", Kind::Integer, "Interval of live counters of switches, and of the look at their daemon."),
    tunable("switch_ms", Kind::Integer, "Interval of bonds, learned addresses, plain bridges and addresses."),
    tunable("mysql_ms", Kind::Integer, "Interval of the counters and the replication of MySQL and MariaDB."),
    tunable("guests_ms", Kind::Integer, "Interval of state and counters of guests. Their events are told at once."),
    tunable("guest_profile_ms", Kind::Integer, "Interval of definitions of guests and capacity of their hosts."),
    tunable(
        "presence_ms",
        Kind::Integer,
        "Interval of addresses, neighbours and keepalived on nodes that may hold a virtual address; others are asked a fifth as often.",
    ),
    tunable(
        "services_ms",
        Kind::Integer,
        "Interval of listening sockets, workers of web servers and NFS mounts on nodes with a public address; others are asked a third as often.",
    ),
    tunable("memcached_ms", Kind::Integer, "Interval of memcached's figures, on nodes of role cache, web or app."),
    tunable("certificates_ms", Kind::Integer, "Interval of the certificates of load balancers."),
    tunable(
        "private_network_ms",
        Kind::Integer,
        "Interval of round trips between nodes over their private addresses: two packets a pair.",
    ),
    tunable("deadline_ms", Kind::Integer, "Longest wait for one answer."),
    tunable(
        "stale_after_ms",
        Kind::Integer,
        "Age of the newest answer beyond which a node is stale. Where it is not set, it is at least two and a half times host_ms.",
    ),
];

const THRESHOLDS: &[Key] = &[
    tunable("iowait_percent", Kind::Decimal, "CPU time spent waiting for disks."),
    tunable("steal_percent", Kind::Decimal, "CPU time the hypervisor gave to others."),
    tunable("io_full_percent", Kind::Decimal, "Share of time in which every task stalled on IO."),
    tunable("memory_percent", Kind::Decimal, "Memory in use."),
    tunable("filesystem_percent", Kind::Decimal, "File system in use."),
    tunable("clock_offset_ms", Kind::Integer, "Offset between the node's clock and the bastion's, either way."),
    tunable("queue_requests", Kind::Integer, "Requests waiting in a backend's queue."),
    tunable("sessions_percent", Kind::Decimal, "Sessions in percent of their limit."),
    tunable("errors_percent", Kind::Decimal, "Share of 5xx answers."),
    tunable("switch_drops_per_s", Kind::Decimal, "Packets that a port of a switch drops or damages."),
    tunable("link_percent", Kind::Decimal, "Traffic of a link in percent of its speed."),
    tunable("replication_lag_ms", Kind::Integer, "How far a replica may be behind its primary."),
    tunable("connections_percent", Kind::Decimal, "Connections of a database server in percent of its limit."),
    tunable("redo_percent", Kind::Decimal, "Checkpoint age in percent of the redo log's capacity."),
    tunable("history_list", Kind::Integer, "Old row versions that wait for the purge of InnoDB."),
    tunable("transaction_s", Kind::Integer, "Age of an open transaction."),
    tunable("vcpus_per_cpu", Kind::Decimal, "Virtual CPUs of running guests for each CPU of their host."),
    tunable("guest_memory_percent", Kind::Decimal, "Memory of running guests, of their host's memory."),
    tunable("certificate_days", Kind::Integer, "Days before a certificate ends."),
    tunable("certificate_critical_days", Kind::Integer, "Days before its end from which it is critical."),
    tunable(
        "web_memory_percent",
        Kind::Decimal,
        "Memory that all workers a web server may start would need, in percent of the node's.",
    ),
    tunable("memcached_evictions_per_s", Kind::Decimal, "Items that a memcached throws away for lack of room."),
    tunable("private_site_ms", Kind::Decimal, "Round trip between nodes of one site."),
    tunable(
        "private_town_ms",
        Kind::Decimal,
        "Round trip between sites of one town: labels that differ only in a number at their end.",
    ),
    tunable("private_far_ms", Kind::Decimal, "Round trip between towns."),
    tunable("private_loss_percent", Kind::Decimal, "Packets lost between two nodes."),
    tunable("spike_factor", Kind::Decimal, "Traffic of a frontend, in times of what it got over the last minutes."),
    tunable(
        "hold_ms",
        Kind::Integer,
        "How long a traffic figure must stay beyond its limit before it becomes a finding.",
    ),
    tunable("host_hold_ms", Kind::Integer, "The same for figures of a host, which move more."),
];

/// Words of `policy.confirm`.
pub const CONFIRM: &[&str] = &["by_blast_radius", "always_typed"];
/// Words of `console.theme`.
pub const THEMES: &[&str] = &["dark", "light", "mono"];
/// Words of `console.glyphs`.
pub const GLYPHS: &[&str] = &["auto", "unicode", "ascii"];

const EXPOSURE: &[Key] = &[optional(
    "ports",
    Kind::Ports,
    "80, 443 and 22",
    "TCP ports on which a node may listen on a public address. The port of its sshd is always allowed.",
)];

const POLICY: &[Key] = &[
    tunable("read_only", Kind::Switch, "No change leaves this console."),
    tunable(
        "confirm",
        Kind::Choice(CONFIRM),
        "\"by_blast_radius\": Enter, the target's name or the cluster's name. \"always_typed\": at least the target's name.",
    ),
    tunable("capacity_floor_percent", Kind::Integer, "No change leaves a backend with less than this of its weight."),
    tunable("nodes_out_max", Kind::Integer, "So many nodes may be drained, or out of reach, at once."),
    tunable("playbook_revert_ms", Kind::Integer, "After so long a move of the playbook goes back by itself."),
    tunable("ramp_step_ms", Kind::Integer, "So long a returning server must do well before its weight is raised."),
];

const LOCK: &[Key] = &[optional(
    "nodes",
    Kind::Names,
    "operators of one bastion exclude each other, those of two do not",
    "An odd number of nodes on which a run holds the lock; it needs most of them. Every bastion must name the same ones.",
)];

const STATE: &[Key] = &[
    optional(
        "directory",
        Kind::Folder,
        "/var/lib/vakt where you may write there, else ~/.local/state/vakt",
        "The state folder: journals, ledger, lock. --state and $VAKT_STATE come first.",
    ),
    tunable("runs_max", Kind::Integer, "Ended runs that are kept; the oldest go first. Open ones always stay."),
    tunable("age_max_days", Kind::Integer, "How long an ended run is kept."),
];

const RECORDER: &[Key] = &[
    tunable("enabled", Kind::Switch, "Whether the console records by itself; --record FILE records in any case."),
    tunable(
        "mask",
        Kind::Switch,
        "Whether literals of SQL statements, and addresses that this file does not name, are masked in recordings.",
    ),
    tunable("total_mib", Kind::Integer, "Room for all recordings of this cluster; the oldest are removed first."),
    tunable("age_days", Kind::Integer, "Recordings older than this are removed."),
    tunable("segment_s", Kind::Integer, "Length of one file of a recording; each begins with everything known then."),
];

const CONSOLE: &[Key] = &[
    tunable("theme", Kind::Choice(THEMES), "Colours; \"mono\" also when NO_COLOR is set."),
    tunable("glyphs", Kind::Choice(GLYPHS), "Symbols; \"auto\" follows the locale."),
    tunable("mouse", Kind::Switch, "Whether the mouse works in the console."),
];
