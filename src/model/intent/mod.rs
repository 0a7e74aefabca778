//! What an operator wants changed, as a value: an [`Intent`], written and read as the words of `vakt do`.
//!
//! An intent says nothing about how, and nothing about whether it is possible: `plan` answers both. Names are taken as
//! they were typed; it is the plan that refuses an unsafe one, so that the console and the command line refuse with the
//! same words.
//!
//! Deliberately absent: quoting for a shell (`plan::text` prints the line).

mod words;

pub use super::session_path::{SessionPart, SessionPath};
pub use words::{NotAnIntent, duration_word};

use super::{
    guest_act::GuestAct,
    ids::{GuestName, NodeName, ProxyName, ServerName},
    node_act::NodeAct,
    text::Clean,
    tune_act::TuneAct,
};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, num::NonZeroU32};

/// How long sessions may take to end, unless the operator says otherwise.
pub const DEADLINE_MS_DEFAULT: u64 = 60_000;
/// Longest deadline that can be asked for: a day.
pub const DEADLINE_MS_MAX: u64 = 24 * 3600 * 1000;
/// Shortest deadline: less could not even be measured.
pub const DEADLINE_MS_MIN: u64 = 1_000;
/// Shortest time after which a change may go back by itself: somebody has to look at it and say that it stays.
pub const REVERT_AFTER_MS_MIN: u64 = 10_000;
/// HAProxy's largest weight.
pub const WEIGHT_MAX: u64 = 256;

/// What is wanted, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The change.
    pub change: Change,
    /// Why, in the operator's words; kept in the journal.
    pub reason: Option<Clean>,
    /// It goes back by itself after so long, unless an operator says that it stays. Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert_after_ms: Option<NonZeroU32>,
}

impl Intent {
    /// A change that stays.
    pub fn new(change: Change, reason: Option<Clean>) -> Self {
        Self { change, reason, revert_after_ms: None }
    }
}

/// One server of one backend, on every load balancer that has the backend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerPath {
    /// The backend.
    pub backend: ProxyName,
    /// The server in it.
    pub server: ServerName,
}

impl fmt::Display for ServerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.backend, self.server)
    }
}

impl ServerPath {
    /// From `backend/server`. HAProxy allows no `/` in names.
    pub fn parse(word: &str) -> Option<Self> {
        let (backend, server) = word.split_once('/')?;
        (!backend.is_empty() && !server.is_empty()).then(|| Self {
            backend: ProxyName::from(&Clean::line(backend)),
            server: ServerName::from(&Clean::line(server)),
        })
    }
}

/// Every change there is. Adding an action adds a variant, its words below, and a file under `plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// `haproxy.drain`: no new sessions; wait until the present ones are gone.
    HaproxyDrain {
        /// Which server.
        server: ServerPath,
        /// How long sessions may take to end.
        deadline_ms: u64,
        /// What then.
        on_deadline: OnDeadline,
    },
    /// `haproxy.ready`: back into traffic, once a check passes.
    HaproxyReady {
        /// Which server.
        server: ServerPath,
        /// How long a check may take to pass.
        deadline_ms: u64,
        /// The weight to return with; as it is (or as the file says, where it is 0) when absent.
        weight: Option<u64>,
    },
    /// `haproxy.maint`: out of traffic at once, not checked any more.
    HaproxyMaint {
        /// Which server.
        server: ServerPath,
    },
    /// `haproxy.weight`: another share of new sessions.
    HaproxyWeight {
        /// Which server.
        server: ServerPath,
        /// The new weight.
        weight: u64,
    },
    /// `haproxy.kill-sessions`: end the sessions of a server that gets no new ones.
    HaproxyKillSessions {
        /// Which server.
        server: ServerPath,
    },
    /// `vip.move`: another node holds a virtual address.
    VipMove {
        /// Which address.
        address: IpAddr,
        /// Who holds it then.
        to: NodeName,
    },
    /// `mysql.switchover`: another database is the primary, planned.
    MysqlSwitchover {
        /// Which node's.
        to: NodeName,
    },
    /// `mysql.failover`: another database is the primary, because the present one does not serve any more.
    MysqlFailover {
        /// Which node's; the one that has most when absent.
        to: Option<NodeName>,
        /// What the operator typed of the risk, where nothing proves that the old primary does not write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accept_risk: Option<Clean>,
    },
    /// `mysql.fence`: a former primary that runs again is made harmless.
    MysqlFence {
        /// Which node's.
        node: NodeName,
    },
    /// `mysql.rejoin`: a database that fell out is a replica of the primary again.
    MysqlRejoin {
        /// Which node's.
        node: NodeName,
    },
    /// `mysql.kill`: a session of a database ends, or its statement does.
    MysqlKill {
        /// Which.
        session: SessionPath,
        /// What of it.
        part: SessionPart,
    },
    /// `vm.…`: a guest of a hypervisor as a whole.
    Guest {
        /// Which.
        guest: GuestName,
        /// What is done with it.
        act: GuestAct,
    },
    /// `node.…`: a node as a whole, over all layers.
    Node {
        /// Which.
        node: NodeName,
        /// What is done with it.
        act: NodeAct,
    },
    /// `tune.set`: a setting runs with another value.
    Tune(Box<TuneAct>),
}

/// What happens to a draining server that still has sessions at the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDeadline {
    /// It keeps draining; the run ends *stopped*.
    #[default]
    Keep,
    /// It goes into maintenance; what is open stays open.
    Maint,
    /// It goes into maintenance and its sessions are closed.
    MaintAndClose,
}

impl OnDeadline {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Keep, Self::Maint, Self::MaintAndClose];

    /// The word of `--on-deadline`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Maint => "maint",
            Self::MaintAndClose => "maint+close",
        }
    }
}

impl Change {
    /// The command's id.
    pub fn id(&self) -> &'static str {
        match self {
            Self::HaproxyDrain { .. } => "haproxy.drain",
            Self::HaproxyReady { .. } => "haproxy.ready",
            Self::HaproxyMaint { .. } => "haproxy.maint",
            Self::HaproxyWeight { .. } => "haproxy.weight",
            Self::HaproxyKillSessions { .. } => "haproxy.kill-sessions",
            Self::VipMove { .. } => VIP_MOVE,
            Self::MysqlSwitchover { .. } => MYSQL_SWITCHOVER,
            Self::MysqlKill { .. } => MYSQL_KILL,
            Self::Guest { act, .. } => act.id(),
            Self::Node { act, .. } => act.id(),
            Self::MysqlFailover { .. } => MYSQL_FAILOVER,
            Self::MysqlFence { .. } => MYSQL_FENCE,
            Self::MysqlRejoin { .. } => MYSQL_REJOIN,
            Self::Tune(_) => TuneAct::ID,
        }
    }

    /// What it is about, as it is written behind the action; empty when that is not said.
    pub fn target(&self) -> String {
        match self {
            Self::VipMove { address, .. } => address.to_string(),
            Self::MysqlKill { session, .. } => session.to_string(),
            Self::Guest { guest, .. } => guest.to_string(),
            Self::MysqlFence { node } | Self::MysqlRejoin { node } | Self::Node { node, .. } => node.to_string(),
            Self::Tune(act) => act.target.to_string(),
            _ => self.server().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// Whether it is about who is the primary of the databases.
    pub fn is_about_primary(&self) -> bool {
        matches!(
            self,
            Self::MysqlSwitchover { .. }
                | Self::MysqlFailover { .. }
                | Self::MysqlFence { .. }
                | Self::MysqlRejoin { .. }
        )
    }

    /// The server of a load balancer that it is about; none where it is about something else.
    pub fn server(&self) -> Option<&ServerPath> {
        match self {
            Self::VipMove { .. }
            | Self::MysqlSwitchover { .. }
            | Self::MysqlFailover { .. }
            | Self::MysqlFence { .. }
            | Self::MysqlRejoin { .. }
            | Self::MysqlKill { .. }
            | Self::Guest { .. }
            | Self::Node { .. }
            | Self::Tune(_) => None,
            Self::HaproxyDrain { server, .. }
            | Self::HaproxyReady { server, .. }
            | Self::HaproxyMaint { server }
            | Self::HaproxyWeight { server, .. }
            | Self::HaproxyKillSessions { server } => Some(server),
        }
    }
}

/// The ids of every action.
pub const ACTIONS: [&str; 20] = [
    "haproxy.drain",
    "haproxy.ready",
    "haproxy.maint",
    "haproxy.weight",
    "haproxy.kill-sessions",
    VIP_MOVE,
    MYSQL_SWITCHOVER,
    MYSQL_FAILOVER,
    MYSQL_FENCE,
    MYSQL_REJOIN,
    MYSQL_KILL,
    "vm.suspend",
    "vm.resume",
    "vm.start",
    "vm.shutdown",
    "vm.reset",
    GuestAct::MIGRATE,
    NodeAct::DRAIN,
    NodeAct::UNDRAIN,
    TuneAct::ID,
];

const VIP_MOVE: &str = "vip.move";
const MYSQL_SWITCHOVER: &str = "mysql.switchover";
const MYSQL_KILL: &str = "mysql.kill";
const MYSQL_FAILOVER: &str = "mysql.failover";
const MYSQL_FENCE: &str = "mysql.fence";
const MYSQL_REJOIN: &str = "mysql.rejoin";
