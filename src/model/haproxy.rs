//! Facts about one HAProxy process: `show info`, `show stat`, `show servers state`.

use super::{
    figure::Figure,
    ids::{ProxyName, ServerName},
    inventory::{Inventory, Node},
    text::Clean,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// One read of all three commands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HaproxySample {
    /// `show info`.
    pub info: ProcessInfo,
    /// Frontends.
    pub frontends: Vec<Frontend>,
    /// Backends, each with its servers.
    pub backends: Vec<Backend>,
}

/// What two samples say together. Rates that HAProxy gives itself are in the sample.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HaproxyFacts {
    /// The newer sample.
    pub sample: HaproxySample,
    /// How often the process was replaced or its counters restarted since vakt watches (pid or uptime moved back).
    pub restarts_seen: u32,
    /// Per frontend, in the order of the sample.
    pub frontend_rates: Vec<TrafficRates>,
    /// Per backend, in the order of the sample.
    pub backend_rates: Vec<TrafficRates>,
    /// Per backend, per server, in the order of the sample.
    pub server_rates: Vec<Vec<TrafficRates>>,
}

/// Rates over the window between two samples.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TrafficRates {
    /// New sessions per second.
    pub sessions_per_s: Figure<f64>,
    /// HTTP requests per second (answers for servers); unknown for TCP.
    pub requests_per_s: Figure<f64>,
    /// Bits received from clients per second.
    pub in_bits_per_s: Figure<f64>,
    /// Bits sent to clients per second.
    pub out_bits_per_s: Figure<f64>,
    /// 5xx answers in percent of all answers.
    pub server_errors_percent: Figure<f64>,
    /// 4xx answers in percent of all answers.
    pub client_errors_percent: Figure<f64>,
    /// Connection errors, response errors, retries and redispatches per second.
    pub failures_per_s: Figure<f64>,
}

/// `show info`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Version text.
    pub version: Figure<Clean>,
    /// Process id (of the worker).
    pub pid: Figure<u64>,
    /// Since start.
    pub uptime_s: Figure<u64>,
    /// Connections now.
    pub connections_current: Figure<u64>,
    /// Connection limit.
    pub connections_max: Figure<u64>,
    /// The largest connection limit that it takes while it runs.
    #[serde(default)]
    pub connections_hard_max: Figure<u64>,
    /// Connections per second now.
    pub connections_per_s: Figure<u64>,
    /// New connections a second that it takes at most; 0 for any number.
    #[serde(default)]
    pub connection_rate_limit: Figure<u64>,
    /// New sessions per second now.
    #[serde(default)]
    pub sessions_per_s: Figure<u64>,
    /// New sessions a second that it takes at most; 0 for any number.
    #[serde(default)]
    pub session_rate_limit: Figure<u64>,
    /// Share of time the process slept, percent.
    pub idle_percent: Figure<f64>,
    /// Whether it is stopping (an old worker after a reload).
    pub stopping: Figure<bool>,
    /// Node name HAProxy was given.
    pub node: Figure<Clean>,
}

/// A frontend's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frontend {
    /// Name.
    pub name: ProxyName,
    /// "http" or "tcp".
    pub mode: Figure<Clean>,
    /// OPEN, PAUSED, STOP, …
    pub status: Clean,
    /// Sessions, bytes, answers.
    pub traffic: Traffic,
}

/// A backend's row and its servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// Name.
    pub name: ProxyName,
    /// "http" or "tcp".
    pub mode: Figure<Clean>,
    /// "roundrobin", "leastconn", …
    pub algorithm: Figure<Clean>,
    /// UP, DOWN.
    pub status: Clean,
    /// Servers that take traffic (not backup).
    pub active_servers: Figure<u64>,
    /// Backup servers that would take traffic.
    pub backup_servers: Figure<u64>,
    /// Sessions, bytes, answers.
    pub traffic: Traffic,
    /// Servers in the order HAProxy gives.
    pub servers: Vec<Server>,
}

/// Counters and gauges that frontends, backends and servers share; a column a row does not have is unknown.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// `scur`.
    pub sessions_current: Figure<u64>,
    /// `smax`.
    pub sessions_max_seen: Figure<u64>,
    /// `slim`; unknown when unlimited.
    pub sessions_limit: Figure<u64>,
    /// `stot`.
    pub sessions_total: Figure<u64>,
    /// `lbtot`: times chosen by the balancer.
    pub chosen_total: Figure<u64>,
    /// `qcur`.
    pub queue_current: Figure<u64>,
    /// `qmax`.
    pub queue_max_seen: Figure<u64>,
    /// `rate`: sessions in the last second.
    pub rate_per_s: Figure<u64>,
    /// `req_rate`: requests in the last second (frontends).
    pub request_rate_per_s: Figure<u64>,
    /// `req_tot`.
    pub requests_total: Figure<u64>,
    /// `bin`.
    pub in_bytes: Figure<u64>,
    /// `bout`.
    pub out_bytes: Figure<u64>,
    /// `hrsp_1xx` … `hrsp_5xx`, `hrsp_other`.
    pub answers: Figure<Answers>,
    /// `econ`.
    pub connect_errors_total: Figure<u64>,
    /// `eresp`.
    pub response_errors_total: Figure<u64>,
    /// `ereq`.
    pub request_errors_total: Figure<u64>,
    /// `wretr`.
    pub retries_total: Figure<u64>,
    /// `wredis`.
    pub redispatches_total: Figure<u64>,
    /// `dreq` + `dresp`.
    pub denied_total: Figure<u64>,
    /// `qtime`: mean of the last 1024, milliseconds.
    pub queue_time_ms: Figure<u64>,
    /// `ctime`.
    pub connect_time_ms: Figure<u64>,
    /// `rtime`.
    pub response_time_ms: Figure<u64>,
    /// `ttime`.
    pub total_time_ms: Figure<u64>,
    /// `lastsess`: seconds since the last session.
    pub last_session_s: Figure<u64>,
}

/// Answers by code class since the counters started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "HTTP code classes")]
pub struct Answers {
    pub informational: u64,
    pub success: u64,
    pub redirection: u64,
    pub client_error: u64,
    pub server_error: u64,
    pub other: u64,
}

/// A server within a backend: three different states, as three facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Name.
    pub name: ServerName,
    /// Address and port, if HAProxy tells.
    pub address: Figure<Clean>,
    /// What health checking says (`status`).
    pub operational: OperationalState,
    /// What an operator told this process (runtime API).
    pub admin: Figure<AdminState>,
    /// What the configuration file says (bit 0x04 of `srv_admin_state`; the initial weight beside it).
    pub configured: Figure<ConfiguredState>,
    /// Whether it is a backup server.
    pub backup: Figure<bool>,
    /// Current weight.
    pub weight: Figure<u64>,
    /// Weight in the file.
    pub weight_configured: Figure<u64>,
    /// Seconds since the last change of state.
    pub last_change_s: Figure<u64>,
    /// Downtime in total.
    pub downtime_s: Figure<u64>,
    /// Failed checks since start.
    pub checks_failed_total: Figure<u64>,
    /// Transitions to DOWN since start.
    pub downs_total: Figure<u64>,
    /// Last health check.
    pub check: Check,
    /// Sessions, bytes, answers.
    pub traffic: Traffic,
}

impl Server {
    /// Whether the balancer may choose this server. Weight 0 takes none, and only HAProxy 1.5 says so in its status.
    pub fn takes_traffic(&self) -> bool {
        self.operational.takes_traffic() && self.weight != Figure::Known(0)
    }
}

/// The last health check.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Check {
    /// "L7OK", "L4TOUT", …; without the mark of a check in progress.
    pub status: Figure<Clean>,
    /// Whether a check is in flight.
    pub in_progress: bool,
    /// HTTP code of the check.
    pub code: Figure<u64>,
    /// Duration.
    pub duration_ms: Figure<u64>,
    /// `check_desc`, human words.
    pub text: Figure<Clean>,
    /// `last_chk`, what the server said.
    pub answer: Figure<Clean>,
    /// `check_rise`.
    pub rise: Figure<u64>,
    /// `check_fall`.
    pub fall: Figure<u64>,
    /// `check_health`: 0 … rise + fall - 1.
    pub health: Figure<u64>,
}

/// `status` of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationalState {
    /// Takes traffic.
    Up,
    /// Takes traffic, checks begin to fail: `done` of `needed`.
    GoingDown {
        /// Checks left of `needed` (as HAProxy prints it).
        done: u64,
        /// `fall`.
        needed: u64,
    },
    /// Takes no traffic.
    Down,
    /// Takes no traffic yet, checks pass: `done` of `needed`.
    GoingUp {
        /// Passed checks.
        done: u64,
        /// `rise`.
        needed: u64,
    },
    /// Finishes what it has (`NOLB`).
    Stopping,
    /// Weight 0 or told to drain.
    Draining,
    /// Out of traffic, not checked.
    Maintenance,
    /// Takes traffic, nobody checks it.
    Unchecked,
    /// Words this version of vakt does not know.
    Other(Clean),
}

impl OperationalState {
    /// Whether the balancer may choose this server.
    pub fn takes_traffic(&self) -> bool {
        matches!(self, Self::Up | Self::GoingDown { .. } | Self::Unchecked)
    }
}

impl fmt::Display for OperationalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.pad("up"),
            Self::GoingDown { done, needed } => f.pad(&format!("up {done}/{needed}")),
            Self::Down => f.pad("down"),
            Self::GoingUp { done, needed } => f.pad(&format!("down {done}/{needed}")),
            Self::Stopping => f.pad("stopping"),
            Self::Draining => f.pad("draining"),
            Self::Maintenance => f.pad("maintenance"),
            Self::Unchecked => f.pad("no check"),
            Self::Other(text) => f.pad(text.as_str()),
        }
    }
}

/// What an operator told the running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminState {
    /// Nothing special.
    Ready,
    /// `set server … state drain`.
    Drain,
    /// `set server … state maint`.
    Maint,
    /// A tracked server drains.
    DrainInherited,
    /// A tracked server is in maintenance.
    MaintInherited,
    /// Its name does not resolve.
    MaintResolution,
}

impl fmt::Display for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
            Self::DrainInherited => "drain (inherited)",
            Self::MaintInherited => "maint (inherited)",
            Self::MaintResolution => "maint (name does not resolve)",
        })
    }
}

/// What the configuration file says of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfiguredState {
    /// Enabled.
    Ready,
    /// `disabled` in the file (bit 0x04).
    Disabled,
}

impl fmt::Display for ConfiguredState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ready => "ready",
            Self::Disabled => "disabled",
        })
    }
}

impl Server {
    /// The machine behind it: by its address, else by its name; a node, or a guest that is none.
    pub fn machine<'a>(&self, inventory: &'a Inventory) -> Option<&'a str> {
        let ip = |text: &str| {
            text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        };
        let address = self.address.as_ref().known().and_then(|address| ip(address.as_str()));
        let has = |node: &&Node| {
            let own = [ip(&node.management), node.private, node.public];
            address.is_some() && own.into_iter().flatten().any(|own| Some(own) == address)
        };
        let is_named = |node: &&Node| node.name.as_str() == self.name.as_str();
        let found = inventory.nodes.iter().find(has).or_else(|| inventory.nodes.iter().find(is_named));
        let guest = || inventory.guests.iter().find(|guest| guest.name == self.name.as_str());
        found.map(|node| node.name.as_str()).or_else(|| guest().map(|guest| guest.name.as_str()))
    }
}
