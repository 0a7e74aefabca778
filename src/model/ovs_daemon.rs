//! Facts about one Open vSwitch that its database does not hold: live counters, learned addresses, bonds and datapaths
//! as the daemon runs them.

use super::{
    figure::Figure,
    ovs::{BondMode, Statistics, SwitchedRates},
    text::Clean,
    trouble::Trouble,
};
use serde::{Deserialize, Serialize};

/// Counters of one port of a bridge, read live from the daemon (`ovs-ofctl dump-ports`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortCounters {
    /// Which port.
    pub port: PortReference,
    /// Its counters; a `?` of the daemon is unknown.
    pub statistics: Statistics,
}

/// How a text command names a port: by number or, when asked to, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortReference {
    /// Its number; the bridge itself is [`super::ovs::OFPORT_LOCAL`].
    Number(u16),
    /// Its name.
    Name(Clean),
}

/// Live counters of a bridge and the rates between two reads (`history::ovs`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LiveCounters {
    /// The newer read.
    pub ports: Vec<PortCounters>,
    /// Rates, in the order of the ports.
    pub rates: Vec<SwitchedRates>,
}

/// What the daemon and its process say every second or two.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OvsLiveSample {
    /// Its process.
    pub process: DaemonProcessState,
    /// Why it was not asked or gave no answer; `None` when it answered.
    pub silence: Option<Trouble>,
    /// Its datapaths.
    pub datapaths: Vec<DatapathLoad>,
    /// Counters of the ports of all datapaths, by name.
    pub ports: Vec<PortCounters>,
}

/// The newest live figures and the rates between the last two reads (`history::ovs`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OvsLive {
    /// The process.
    pub process: DaemonProcessState,
    /// Why the daemon gave no answer.
    pub silence: Option<Trouble>,
    /// Its datapaths.
    pub datapaths: Vec<DatapathLoad>,
    /// Counters and rates.
    pub counters: LiveCounters,
}

/// ovs-vswitchd as a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonProcessState {
    /// No file holds its process number: it was never started, or was stopped in good order.
    #[default]
    NotStarted,
    /// It runs.
    Running {
        /// Its number.
        pid: u64,
    },
    /// It is stopped by a signal or a debugger: it switches nothing new.
    Halted {
        /// Its number.
        pid: u64,
    },
    /// Its number is written down and there is no such process: it died.
    Gone {
        /// The number it had.
        pid: u64,
    },
    /// The login may not see processes of others.
    Hidden {
        /// Its number, as written down.
        pid: u64,
    },
}

/// Figures of a datapath (`ovs-appctl dpctl/show`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DatapathLoad {
    /// "netdev@ovs-netdev", "system@ovs-system".
    pub name: Clean,
    /// Packets that a flow took care of.
    pub hits: Figure<u64>,
    /// Packets that had to go up to the daemon.
    pub misses: Figure<u64>,
    /// Packets that the daemon was too slow to take.
    pub lost: Figure<u64>,
    /// The same per second, between the last two reads.
    #[serde(default)]
    pub lost_per_s: Figure<f64>,
    /// Flows.
    pub flows: Figure<u64>,
}

/// What the daemon says less often: bonds, learned addresses, flows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OvsDetail {
    /// Why it was not asked or gave no answer; `None` when it answered.
    pub silence: Option<Trouble>,
    /// Bonds.
    pub bonds: Figure<Vec<BondState>>,
    /// Ports that speak LACP.
    pub lacp: Figure<Vec<LacpState>>,
    /// Flows in each datapath.
    pub upcalls: Figure<Vec<Upcalls>>,
    /// Learned addresses of each bridge.
    pub addresses: Vec<BridgeAddresses>,
}

/// Flows of a datapath (`ovs-appctl upcall/show`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Upcalls {
    /// "netdev@ovs-netdev", "system@ovs-system".
    pub datapath: Clean,
    /// Flows now.
    pub flows: Figure<u64>,
    /// How many the daemon allows itself: it lowers this when it becomes too slow.
    pub flows_max: Figure<u64>,
    /// How long it takes to go through them, milliseconds.
    pub dump_ms: Figure<u64>,
}

/// The addresses that one bridge has learned.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BridgeAddresses {
    /// Its name.
    pub bridge: Clean,
    /// How many.
    pub learned: Figure<u64>,
    /// The first of them.
    pub addresses: Figure<Vec<LearnedAddress>>,
}

/// An address that a bridge has learned (`ovs-appctl fdb/show`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedAddress {
    /// Where it was last seen.
    pub port: PortReference,
    /// In which VLAN; 0 is none.
    pub vlan: u16,
    /// The address.
    pub mac: Clean,
    /// Seconds since it was last seen; `None` for one that was put there and does not age.
    pub age_s: Option<u64>,
}

/// A bond as the daemon runs it (`ovs-appctl bond/show`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BondState {
    /// Name of the port.
    pub name: Clean,
    /// How members share the traffic.
    pub mode: Figure<BondMode>,
    /// "off", "configured" (no partner yet), "negotiated".
    pub lacp_status: Figure<Clean>,
    /// The preferred member; `None` when none is.
    pub primary: Figure<Option<Clean>>,
    /// Members in the daemon's order.
    pub members: Vec<BondMember>,
}

impl BondState {
    /// How many members carry traffic.
    pub fn enabled_members(&self) -> usize {
        self.members.iter().filter(|member| member.enabled == Figure::Known(true)).count()
    }
}

/// A member of a bond.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BondMember {
    /// Name of the interface.
    pub name: Clean,
    /// Whether the bond uses it.
    pub enabled: Figure<bool>,
    /// Whether it could be used: link up and, with LACP, a partner in step.
    pub may_enable: Figure<bool>,
    /// Whether it is the active member.
    pub active: bool,
    /// Load that the daemon counts on it, kilobytes, when it balances.
    pub load_kbytes: Option<u64>,
}

/// Link aggregation of a port as the daemon runs it (`ovs-appctl lacp/show`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LacpState {
    /// Name of the port.
    pub name: Clean,
    /// Whether a partner agreed.
    pub negotiated: Figure<bool>,
    /// Whether it speaks first.
    pub active: Figure<bool>,
    /// This end's name.
    pub system_id: Figure<Clean>,
    /// Members in the daemon's order.
    pub members: Vec<LacpMember>,
}

/// LACP on one member.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LacpMember {
    /// Name of the interface.
    pub name: Clean,
    /// "current", "expired", "defaulted".
    pub status: Figure<Clean>,
    /// Whether it takes part in the aggregation.
    pub attached: Figure<bool>,
    /// What this end says.
    pub actor: Figure<LacpFlags>,
    /// What the other end says.
    pub partner: Figure<LacpFlags>,
    /// The other end's name; all zeroes when it was never heard.
    pub partner_system_id: Figure<Clean>,
}

impl LacpMember {
    /// Whether both ends are in step and pass traffic.
    pub fn is_healthy(&self) -> Figure<bool> {
        let partner_known = self.partner_system_id.as_ref().map(|id| id.as_str() != "00:00:00:00:00:00");
        self.actor.and_then(|actor| partner_known.map(|known| known && actor.passes_traffic()))
    }
}

/// Flags of one end of a LACP link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, clippy::struct_excessive_bools, reason = "the names are those of 802.1AX")]
pub struct LacpFlags {
    pub activity: bool,
    pub timeout: bool,
    pub aggregation: bool,
    pub synchronized: bool,
    pub collecting: bool,
    pub distributing: bool,
    pub defaulted: bool,
    pub expired: bool,
}

impl LacpFlags {
    /// In step, receiving and sending, with a partner that is heard.
    pub fn passes_traffic(self) -> bool {
        self.synchronized && self.collecting && self.distributing && !self.defaulted && !self.expired
    }
}

/// A datapath (`ovs-appctl dpif/show`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Datapath {
    /// "netdev@ovs-netdev", "system@ovs-system".
    pub name: Clean,
    /// Packets that a flow in the datapath took care of.
    pub hits: Figure<u64>,
    /// Packets that had to go up to the daemon.
    pub misses: Figure<u64>,
    /// Its bridges and their ports.
    pub bridges: Vec<DatapathBridge>,
}

/// A bridge of a datapath.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DatapathBridge {
    /// Name.
    pub name: Clean,
    /// Ports.
    pub ports: Vec<DatapathPort>,
}

/// A port as the datapath knows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DatapathPort {
    /// Name.
    pub name: Clean,
    /// Its number on the bridge.
    pub ofport: Figure<u16>,
    /// Its number in the datapath; `None` for a patch, which has none.
    pub datapath_number: Figure<Option<u64>>,
    /// "system", "tap", "vxlan", …
    pub kind: Clean,
}
