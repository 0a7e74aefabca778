//! Facts about services that need no client of their own: what listens, the workers of web servers, NFS mounts.

use super::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One look at a node's services.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServicesSample {
    /// Sockets that wait to be spoken to, sorted by port.
    pub listeners: Figure<Vec<Listener>>,
    /// UDP sockets that take packets of anybody on a port that the kernel lends: most of them ask a question and are gone
    /// with its answer. One that stays serves.
    #[serde(default)]
    pub lent: Vec<Listener>,
    /// Services that the system starts at boot, of those that vakt knows: "memcached", "nginx".
    pub enabled: Vec<Clean>,
    /// Web servers that run.
    pub web: Vec<WebServer>,
    /// NFS mounts.
    pub nfs: Vec<NfsMount>,
    /// HAProxy's sockets to which somebody is connected.
    #[serde(default)]
    pub conversations: Vec<Conversations>,
    /// Conversations that one of them allows, where HAProxy's configuration says so and the login may read it.
    #[serde(default)]
    pub conversations_max: Option<u64>,
    /// TCP connections of the node that are open, whoever began them; read where a web server runs.
    #[serde(default)]
    pub connections: Figure<u64>,
}

/// Who talks to a unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversations {
    /// Path of the socket.
    pub path: Clean,
    /// Connections, those that wait for their turn among them.
    pub count: u64,
}

/// UDP ports on which a machine waits for the answers to its own DHCP questions.
pub const DHCP_CLIENT: [u16; 2] = [68, 546];

/// A socket that waits for connections, or for packets of anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// Its port.
    pub port: u16,
    /// What it speaks.
    #[serde(default)]
    pub protocol: Protocol,
    /// The address it is bound to; unspecified (`0.0.0.0`, `::`) means every address of the node.
    pub address: IpAddr,
}

/// What a socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// It waits for connections.
    #[default]
    Tcp,
    /// It takes packets of anybody, on a port that the kernel does not lend to whoever asks a question.
    Udp,
}

impl Protocol {
    /// "TCP", "UDP".
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl Listener {
    /// "80"; "161/udp" of one that takes packets.
    pub fn port_words(&self) -> String {
        match self.protocol {
            Protocol::Tcp => self.port.to_string(),
            Protocol::Udp => format!("{}/udp", self.port),
        }
    }
}

/// A web or application server made of a master and its workers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WebServer {
    /// Which.
    pub kind: WebKind,
    /// Process number of its master.
    pub master: u32,
    /// Its workers now.
    pub workers: u64,
    /// Workers that it may start at most, where its configuration says so and the login may read it. A server that
    /// carries many connections in one worker (nginx) starts no more than it has.
    pub workers_max: Figure<u64>,
    /// Memory of all workers that is theirs alone, bytes; on old kernels all their resident memory, which counts what
    /// they share once for each.
    pub memory_bytes: Figure<u64>,
    /// The largest worker, bytes.
    pub largest_bytes: Figure<u64>,
}

/// Web servers that vakt knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebKind {
    /// nginx.
    #[default]
    Nginx,
    /// Apache.
    Apache,
    /// PHP's process manager.
    PhpFpm,
}

impl WebKind {
    /// The name for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "Apache",
            Self::PhpFpm => "PHP-FPM",
        }
    }
}

impl WebServer {
    /// Memory of a worker on average, bytes.
    pub fn worker_bytes(&self) -> Figure<u64> {
        let workers = self.workers;
        self.memory_bytes
            .and_then(|bytes| Figure::from_option(bytes.checked_div(workers), super::figure::Unknown::NothingHappened))
    }

    /// Memory that all workers would need if every one that may start did, bytes.
    pub fn full_bytes(&self) -> Figure<u64> {
        self.workers_max.and_then(|max| self.worker_bytes().map(|each| each.saturating_mul(max.max(self.workers))))
    }
}

/// An NFS mount, from `/proc/self/mountstats`: what the kernel counts, without touching the server.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NfsMount {
    /// Server and path: "10.10.0.25:/srv/share".
    pub device: Clean,
    /// Where it is mounted.
    pub mount: Clean,
    /// "nfs" or "nfs4".
    pub kind: Clean,
    /// Seconds since it was mounted.
    pub age_s: Figure<u64>,
    /// Requests sent since then, over all connections.
    pub sent: Figure<u64>,
    /// Answers received since then.
    pub received: Figure<u64>,
    /// Operations answered since then.
    pub operations: Figure<u64>,
    /// Milliseconds from sending to answer, over these operations together.
    pub round_trip_ms: Figure<u64>,
    /// Requests that had to be sent again because no answer came in time.
    pub timeouts: Figure<u64>,
}

/// What looks say together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServicesFacts {
    /// The newest look.
    pub sample: ServicesSample,
    /// NFS mounts over time, in the order of the sample.
    pub nfs: Vec<NfsState>,
}

/// How an NFS mount stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NfsState {
    /// Operations per second.
    pub operations_per_s: Figure<f64>,
    /// Mean milliseconds from sending to answer; unknown when there was none.
    pub latency_ms: Figure<f64>,
    /// Requests sent again, per second.
    pub timeouts_per_s: Figure<f64>,
    /// Requests on their way since the last answer.
    pub waiting: u64,
    /// How long requests have been on their way with no answer coming at all; 0 when the server answers or nobody asks.
    pub silent_ms: u64,
}
