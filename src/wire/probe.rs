//! What is asked regularly: a probe names its requests and turns the replies into facts.

use super::{
    certificates, countdown, cut, haproxy, hook, host, libvirt, linux_bridge, memcached, mysql, ovs, presence,
    private_network,
    request::{Reply, Request},
    services, tuning,
};
use crate::model::{
    certificates::CertificatesFacts,
    countdown::CountdownSample,
    cut::CutSample,
    haproxy::HaproxySample,
    host::{HostProfile, HostSample},
    hypervisor::{HypervisorProfile, HypervisorSample},
    inventory::{Inventory, Node, PollSettings},
    linux_bridge::LinuxBridge,
    memcached::MemcachedSample,
    mysql::{BinlogSample, DaemonSample, MysqlSample, SwitchoverSample},
    ovs::OvsReading,
    ovs_daemon::{OvsDetail, OvsLiveSample},
    presence::PresenceSample,
    private_network::PrivateNetworkSample,
    services::ServicesSample,
    text::Clean,
    tuning::TuningSample,
    write_endpoint::HookSample,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Interval of taking along what the database of a switch has told.
const OVS_MS: u64 = 1_000;
/// Interval of what a switchover rests on: a plan reads it once more before it acts.
const SWITCHOVER_MS: u64 = 6_000;

/// Interval of settings, which nobody changes often: whoever looks at them has them asked at once.
const TUNING_MS: u64 = 600_000;

/// How much less often a node is asked for its addresses that may not hold a virtual one.
const PRESENCE_ELSEWHERE: u64 = 5;
/// How much less often a node is asked for its listening sockets that nobody reaches from outside.
const SERVICES_INSIDE: u64 = 6;

/// Every probe there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeId {
    /// `/proc` figures that move every second.
    Host,
    /// Kernel, file systems, units.
    HostProfile,
    /// HAProxy's three `show` commands.
    Haproxy,
    /// The database of Open vSwitch, as it tells its changes.
    Ovs,
    /// Live counters of Open vSwitch, and whether its daemon runs.
    OvsLive,
    /// Bonds, learned addresses and flows of Open vSwitch.
    OvsDetail,
    /// Plain bridges of the kernel.
    LinuxBridges,
    /// A MySQL or MariaDB server.
    Mysql,
    /// State and counters of guests.
    Guests,
    /// Definitions of guests and what their host has to give.
    GuestProfile,
    /// Addresses, neighbours, keepalived.
    Presence,
    /// Listening sockets, workers of web servers, NFS mounts.
    Services,
    /// memcached's own figures.
    Memcached,
    /// Certificates of load balancers.
    Certificates,
    /// Round trips between nodes.
    PrivateNetwork,
    /// What a switchover of the database rests on.
    Switchover,
    /// The daemon of a database, by its machine's word.
    Daemon,
    /// The newest binary log of a database that does not run. Only a run asks for it.
    Binlog,
    /// Settings of kernel and database, and what files say of them.
    Tuning,
    /// The timer on a node that takes a change of its switch back. Only a run asks for it.
    Countdown,
    /// Addresses that a replica or a load balancer has cut off.
    Cut,
    /// The command on the bastion that leads writes to the primary. Only a run asks it.
    Hook,
}

impl ProbeId {
    /// Every probe. Of those that are due at the same moment the earlier one comes first. A recording knows probes by
    /// their place: a new one is added at the end.
    pub const ALL: [Self; 22] = [
        Self::Host,
        Self::Haproxy,
        Self::HostProfile,
        Self::Presence,
        Self::Services,
        Self::Guests,
        Self::GuestProfile,
        Self::Ovs,
        Self::OvsLive,
        Self::OvsDetail,
        Self::LinuxBridges,
        Self::Memcached,
        Self::PrivateNetwork,
        Self::Certificates,
        Self::Mysql,
        Self::Switchover,
        Self::Daemon,
        Self::Binlog,
        Self::Tuning,
        Self::Countdown,
        Self::Cut,
        Self::Hook,
    ];

    /// Whether `node` has what this probe asks.
    pub fn applies_to(self, node: &Node) -> bool {
        match self {
            Self::Ovs | Self::OvsLive | Self::OvsDetail => node.ovs.is_some(),
            Self::Host | Self::HostProfile | Self::LinuxBridges | Self::Presence | Self::Services | Self::Tuning => {
                true
            }
            Self::Haproxy => node.haproxy_socket.is_some(),
            Self::Memcached => memcached::MemcachedProbe::applies_to(node),
            Self::Certificates => certificates::CertificatesProbe::applies_to(node),
            Self::PrivateNetwork => node.private.is_some(),
            Self::Mysql | Self::Switchover | Self::Daemon => node.database.is_some(),
            Self::Guests | Self::GuestProfile => node.libvirt_socket.is_some(),
            Self::Cut => node.database.is_some() || node.haproxy_socket.is_some(),
            Self::Binlog | Self::Countdown | Self::Hook => false,
        }
    }

    /// Its interval.
    pub fn interval_ms(self, poll: &PollSettings) -> u64 {
        match self {
            Self::Host => poll.host_ms,
            Self::HostProfile => poll.host_profile_ms,
            Self::Haproxy => poll.haproxy_ms,
            // The database says what changed; a poll only takes it along.
            Self::Ovs => OVS_MS,
            Self::OvsLive => poll.switch_live_ms,
            Self::OvsDetail | Self::LinuxBridges => poll.switch_ms,
            Self::Mysql => poll.mysql_ms,
            Self::Guests => poll.guests_ms,
            Self::GuestProfile => poll.guest_profile_ms,
            Self::Presence => poll.presence_ms,
            Self::Services => poll.services_ms,
            Self::Memcached => poll.memcached_ms,
            Self::Certificates => poll.certificates_ms,
            Self::PrivateNetwork => poll.private_network_ms,
            Self::Switchover | Self::Daemon | Self::Binlog | Self::Countdown | Self::Cut | Self::Hook => SWITCHOVER_MS,
            Self::Tuning => TUNING_MS,
        }
    }

    /// Its interval on `node`: where nothing can move, the same question is asked less often.
    pub fn interval_on_ms(self, node: &Node, inventory: &Inventory) -> u64 {
        let interval_ms = self.interval_ms(&inventory.settings.poll);
        let may_hold = || inventory.vips.iter().any(|vip| vip.nodes.contains(&node.name));
        match self {
            Self::Presence if !may_hold() => interval_ms.saturating_mul(PRESENCE_ELSEWHERE),
            Self::Services if node.public.is_none() && !may_hold() => interval_ms.saturating_mul(SERVICES_INSIDE),
            _ => interval_ms,
        }
    }

    /// The probe itself.
    pub fn probe(self) -> &'static dyn Probe {
        match self {
            Self::Host => &host::HostProbe,
            Self::HostProfile => &host::HostProfileProbe,
            Self::Haproxy => &haproxy::HaproxyProbe,
            Self::Ovs => &ovs::OvsProbe,
            Self::OvsLive => &ovs::daemon::OvsLiveProbe,
            Self::OvsDetail => &ovs::daemon::OvsDetailProbe,
            Self::LinuxBridges => &linux_bridge::LinuxBridgesProbe,
            Self::Mysql => &mysql::MysqlProbe,
            Self::Guests => &libvirt::GuestsProbe,
            Self::GuestProfile => &libvirt::GuestProfileProbe,
            Self::Presence => &presence::PresenceProbe,
            Self::Services => &services::ServicesProbe,
            Self::Memcached => &memcached::MemcachedProbe,
            Self::Certificates => &certificates::CertificatesProbe,
            Self::PrivateNetwork => &private_network::PrivateNetworkProbe,
            Self::Switchover => &mysql::SwitchoverProbe,
            Self::Daemon => &mysql::DaemonProbe,
            Self::Binlog => &mysql::BinlogProbe,
            Self::Tuning => &tuning::TuningProbe,
            Self::Countdown => &countdown::CountdownProbe,
            Self::Cut => &cut::CutProbe,
            Self::Hook => &hook::HookProbe,
        }
    }
}

impl fmt::Display for ProbeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Host => "host",
            Self::HostProfile => "host profile",
            Self::Haproxy => "haproxy",
            Self::Ovs => "switch",
            Self::OvsLive => "switch counters",
            Self::OvsDetail => "switch details",
            Self::LinuxBridges => "plain bridges",
            Self::Mysql => "mysql",
            Self::Guests => "guests",
            Self::GuestProfile => "guest profile",
            Self::Presence => "presence",
            Self::Services => "services",
            Self::Memcached => "memcached",
            Self::Certificates => "certificates",
            Self::PrivateNetwork => "private network",
            Self::Switchover => "switchover",
            Self::Daemon => "database daemon",
            Self::Binlog => "binary log",
            Self::Tuning => "settings",
            Self::Countdown => "timer",
            Self::Cut => "addresses cut off",
            Self::Hook => "command",
        })
    }
}

/// Rounds of one run of a probe, at most: what [`Probe::requests`] names, and twice what [`Probe::follow`] adds.
pub const ROUNDS_MAX: usize = 3;

/// Asks and understands.
pub trait Probe: Sync {
    /// The requests, sent one after another; all are reads.
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request>;
    /// The same for a probe that must know the other nodes.
    fn requests_in(&self, node: &Node, inventory: &Inventory) -> Vec<Request> {
        self.requests(node, inventory.settings.poll.deadline_ms)
    }
    /// What is sent next, once everything before has been answered: `replies` are those of all rounds so far. Nothing
    /// ends the run. Only what the replies say may decide.
    fn follow(&self, _node: &Node, _deadline_ms: u64, _replies: &[Reply]) -> Vec<Request> {
        Vec::new()
    }
    /// What the replies (as many as requests) say. `None` when nothing at all was understood.
    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>);
    /// Whether replies may hold SQL statements, whose literals must be masked where replies are kept. Facts of such a
    /// probe must hold none: what is recorded of the world is not masked again, addresses apart.
    fn holds_statements(&self) -> bool;
}

/// What one run of a probe found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facts {
    /// Of [`ProbeId::Host`].
    Host(Box<HostSample>),
    /// Of [`ProbeId::HostProfile`].
    HostProfile(Box<HostProfile>),
    /// Of [`ProbeId::Haproxy`].
    Haproxy(Box<HaproxySample>),
    /// Of [`ProbeId::Ovs`].
    Ovs(Box<OvsReading>),
    /// Of [`ProbeId::OvsLive`].
    OvsLive(Box<OvsLiveSample>),
    /// Of [`ProbeId::OvsDetail`].
    OvsDetail(Box<OvsDetail>),
    /// Of [`ProbeId::LinuxBridges`].
    LinuxBridges(Vec<LinuxBridge>),
    /// Of [`ProbeId::Mysql`].
    Mysql(Box<MysqlSample>),
    /// Of [`ProbeId::Guests`].
    Guests(Box<HypervisorSample>),
    /// Of [`ProbeId::GuestProfile`].
    GuestProfile(Box<HypervisorProfile>),
    /// Of [`ProbeId::Presence`].
    Presence(Box<PresenceSample>),
    /// Of [`ProbeId::Services`].
    Services(Box<ServicesSample>),
    /// Of [`ProbeId::Memcached`].
    Memcached(Box<MemcachedSample>),
    /// Of [`ProbeId::Certificates`].
    Certificates(Box<CertificatesFacts>),
    /// Of [`ProbeId::PrivateNetwork`].
    PrivateNetwork(Box<PrivateNetworkSample>),
    /// Of [`ProbeId::Switchover`].
    Switchover(Box<SwitchoverSample>),
    /// Of [`ProbeId::Daemon`].
    Daemon(Box<DaemonSample>),
    /// Of [`ProbeId::Binlog`].
    Binlog(Box<BinlogSample>),
    /// Of [`ProbeId::Tuning`].
    Tuning(Box<TuningSample>),
    /// Of [`ProbeId::Countdown`].
    Countdown(Box<CountdownSample>),
    /// Of [`ProbeId::Cut`].
    Cut(Box<CutSample>),
    /// Of [`ProbeId::Hook`].
    Hook(Box<HookSample>),
}

/// Something in an answer that was not understood; the rest was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// What it is about: "diskstats", "show stat column scur".
    pub about: Clean,
    /// What is odd.
    pub text: Clean,
}

impl Complaint {
    /// A complaint from our words and the node's.
    pub fn new(about: impl AsRef<str>, text: impl AsRef<str>) -> Self {
        Self { about: Clean::line(about.as_ref()), text: Clean::line(text.as_ref()) }
    }
}
