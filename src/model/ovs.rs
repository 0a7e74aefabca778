//! Facts about one Open vSwitch as its database says them; `model::ovs_daemon` has what only its daemon can tell.
//!
//! The database says `[]` where there is nothing. Where that is an answer (a port without a tag) the figure is a known
//! `None`; where it means that the daemon has not said yet (the link state of a port that could not be opened) it is
//! unknown. A statistic whose key is missing is unknown too, never zero.
//!
//! Deliberately absent: flow tables and `QoS` queues.

use super::{
    figure::{Figure, Unknown},
    text::Clean,
    time::Mono,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};

/// What the database holds, put together: the switch, its bridges, their ports, their interfaces.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OvsSample {
    /// The switch itself.
    pub switch: Switch,
    /// Bridges by name.
    pub bridges: Vec<Bridge>,
    /// How often the daemon has written statistics since vakt watches. It writes those of all interfaces at once, so
    /// an interface whose counters did not move between two rounds has carried nothing.
    pub rounds: u64,
}

impl OvsSample {
    /// Every interface with its bridge and port: the rows of the one sortable table.
    pub fn interfaces(&self) -> impl Iterator<Item = (&Bridge, &Port, &Interface)> {
        self.bridges.iter().flat_map(|bridge| {
            bridge
                .ports
                .iter()
                .flat_map(move |port| port.interfaces.iter().map(move |interface| (bridge, port, interface)))
        })
    }
}

/// The only row of the table `Open_vSwitch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Switch {
    /// Version text of the daemon.
    pub version: Figure<Clean>,
    /// `external_ids:system-id`.
    pub system_id: Figure<Clean>,
    /// `external_ids:hostname`.
    pub hostname: Figure<Clean>,
    /// The configuration that was asked for (`next_cfg`).
    pub wanted_configuration: Figure<i64>,
    /// The configuration that the daemon has carried out (`cur_cfg`).
    pub applied_configuration: Figure<i64>,
    /// How often the daemon writes statistics, milliseconds; it does not do so more often than every 5000.
    pub statistics_interval_ms: Figure<u64>,
    /// ovs-vswitchd as a process; known only where `other_config:enable-statistics` is set.
    pub daemon: Figure<DaemonProcess>,
}

/// What the database says about ovs-vswitchd (`statistics:process_ovs-vswitchd`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DaemonProcess {
    /// Memory in use (resident), bytes.
    pub resident_bytes: u64,
    /// CPU time since it started, milliseconds.
    pub cpu_ms: u64,
    /// How often it crashed and was started again by its monitor.
    pub crashes: u64,
    /// How long it runs, milliseconds.
    pub uptime_ms: u64,
}

/// A bridge and its ports.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bridge {
    /// Name.
    pub name: Clean,
    /// "system" (kernel) or "netdev" (userspace).
    pub datapath: Figure<Clean>,
    /// Datapath id, hexadecimal.
    pub datapath_id: Figure<Clean>,
    /// What it does when no controller answers.
    pub fail_mode: Figure<FailMode>,
    /// Its controllers.
    pub controllers: Vec<Controller>,
    /// How many mirrors it has.
    pub mirrors: Figure<u64>,
    /// Spanning tree, if any.
    pub spanning_tree: Figure<SpanningTree>,
    /// `other_config:mac-aging-time`, seconds; `None` is the default of 300.
    pub mac_aging_s: Figure<Option<u64>>,
    /// `other_config:mac-table-size`; `None` is the daemon's default.
    pub mac_table_size: Figure<Option<u64>>,
    /// `other_config:hwaddr`.
    pub fixed_mac: Figure<Option<Clean>>,
    /// Ports by name.
    pub ports: Vec<Port>,
}

/// What a bridge does when no controller answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailMode {
    /// It switches as an ordinary switch would (also the default).
    Standalone,
    /// It forwards nothing that no flow allows.
    Secure,
    /// Another word, as it came.
    Other(Clean),
}

/// An OpenFlow controller.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Controller {
    /// Where it is: "tcp:10.0.0.1:6653".
    pub target: Figure<Clean>,
    /// Whether the bridge talks to it now.
    pub connected: Figure<bool>,
    /// "master", "slave", "other".
    pub role: Figure<Clean>,
}

/// Which spanning tree a bridge runs and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanningTree {
    /// None.
    Off,
    /// 802.1D, with the root it follows, if it has said so.
    Stp(Option<Clean>),
    /// 802.1D-2004, with the root it follows, if it has said so.
    Rstp(Option<Clean>),
}

/// A port: one interface, or a bond of several.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Port {
    /// Name.
    pub name: Clean,
    /// Which VLANs it carries and how.
    pub vlan: Figure<Vlan>,
    /// What is configured for several members; without meaning when there is one.
    pub bond: Bond,
    /// Whether it may talk only to unprotected ports.
    pub protected: Figure<bool>,
    /// Whether quality of service is configured.
    pub has_qos: Figure<bool>,
    /// Interfaces by name.
    pub interfaces: Vec<Interface>,
}

impl Port {
    /// Whether several interfaces share the port.
    pub fn is_bond(&self) -> bool {
        self.interfaces.len() > 1
    }
}

/// What a port does with VLAN tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vlan {
    /// Carries one VLAN, untagged.
    Access(u16),
    /// Carries several, tagged.
    Trunk(Trunks),
    /// A trunk whose native VLAN leaves tagged and may come untagged.
    NativeTagged {
        /// The native VLAN.
        native: u16,
        /// What it carries beside it.
        trunks: Trunks,
    },
    /// A trunk whose native VLAN leaves untagged.
    NativeUntagged {
        /// The native VLAN.
        native: u16,
        /// What it carries beside it.
        trunks: Trunks,
    },
    /// Puts a service tag around the customers' tags (802.1ad).
    Dot1qTunnel {
        /// The service tag.
        service: u16,
        /// Which customers' tags it carries.
        customers: Trunks,
    },
}

/// Which VLANs a trunk carries. An empty list in the database means all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trunks {
    /// All.
    All,
    /// These, ascending.
    Only(Vec<u16>),
}

impl Trunks {
    /// Whether it carries `vlan`.
    pub fn carries(&self, vlan: u16) -> bool {
        match self {
            Self::All => true,
            Self::Only(list) => list.binary_search(&vlan).is_ok(),
        }
    }
}

impl Vlan {
    /// Whether frames of `vlan` pass. A service tag counts as the VLAN.
    pub fn carries(&self, vlan: u16) -> bool {
        match self {
            Self::Access(tag) | Self::Dot1qTunnel { service: tag, .. } => *tag == vlan,
            Self::Trunk(trunks) => trunks.carries(vlan),
            // The native VLAN is carried even when the list does not name it.
            Self::NativeTagged { native, trunks } | Self::NativeUntagged { native, trunks } => {
                *native == vlan || trunks.carries(vlan)
            }
        }
    }
}

/// What is configured for a port with several members.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bond {
    /// How members share the traffic; `None` is the default, active-backup.
    pub mode: Figure<Option<BondMode>>,
    /// Address of the active member.
    pub active_member_mac: Figure<Option<Clean>>,
    /// How long a link must be up before it is used, milliseconds.
    pub up_delay_ms: Figure<u64>,
    /// How long a link must be down before it is given up, milliseconds.
    pub down_delay_ms: Figure<u64>,
    /// Link aggregation protocol.
    pub lacp: Figure<Lacp>,
    /// Whether the partner is asked to speak every second (`other_config:lacp-time=fast`) instead of every 30.
    pub lacp_fast: Figure<bool>,
    /// Whether it becomes active-backup when the partner does not speak LACP.
    pub lacp_fallback: Figure<bool>,
    /// The preferred member (`other_config:bond-primary`).
    pub primary: Figure<Option<Clean>>,
}

/// How members of a bond share the traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BondMode {
    /// One member carries everything.
    ActiveBackup,
    /// By source address and VLAN.
    BalanceSlb,
    /// By flow; needs a partner that knows LACP.
    BalanceTcp,
    /// Another word, as it came.
    Other(Clean),
}

/// Link aggregation protocol of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lacp {
    /// Not spoken.
    Off,
    /// Speaks first.
    Active,
    /// Answers only.
    Passive,
    /// Another word, as it came.
    Other(Clean),
}

/// An interface: a NIC, a tap of a VM, a patch to another bridge, a tunnel.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Interface {
    /// The database's name for the row: an interface that was deleted and made again has another.
    pub id: Clean,
    /// Name.
    pub name: Clean,
    /// What it is.
    pub kind: Figure<InterfaceKind>,
    /// Its number on the bridge.
    pub ofport: Figure<Ofport>,
    /// Why the daemon could not set it up; `None` when it could.
    pub error: Figure<Option<Clean>>,
    /// Whether it is switched on.
    pub admin: Figure<LinkState>,
    /// Whether it has a link.
    pub link: Figure<LinkState>,
    /// How often the link changed.
    pub link_changes: Figure<u64>,
    /// Negotiated speed, bits per second.
    pub link_bits_per_s: Figure<u64>,
    /// Whether both directions work at once.
    pub full_duplex: Figure<bool>,
    /// Largest frame it carries, bytes.
    pub mtu_bytes: Figure<u64>,
    /// Largest frame the operator asked for; `None` when nobody did.
    pub mtu_wanted_bytes: Figure<Option<u64>>,
    /// Its address.
    pub mac: Figure<Clean>,
    /// Whether its LACP partner is heard; `None` when LACP is off.
    pub lacp_current: Figure<Option<bool>>,
    /// What it takes at most, kilobits per second; 0 is no limit.
    pub policing_kbits_per_s: Figure<u64>,
    /// How much may exceed that for a moment, kilobits.
    pub policing_burst_kbits: Figure<u64>,
    /// State of bidirectional forwarding detection; `None` when it is not used.
    pub bfd_state: Figure<Option<Clean>>,
    /// Whether connectivity fault management sees a fault; `None` when it is not used.
    pub cfm_fault: Figure<Option<bool>>,
    /// Kernel driver.
    pub driver: Figure<Clean>,
    /// Who is behind it.
    pub behind: Figure<Behind>,
    /// Counters as the daemon wrote them last.
    pub statistics: Statistics,
}

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Up.
    Up,
    /// Down.
    Down,
}

/// The number of an interface on its bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ofport {
    /// It works under this number; 65534 is the bridge itself.
    Number(u16),
    /// -1: the daemon could not set it up, see the interface's error.
    Failed,
}

/// The number of the bridge's own interface, `LOCAL` in OpenFlow.
pub const OFPORT_LOCAL: u16 = 65534;

/// What an interface is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceKind {
    /// A network device of the host: a NIC, or the tap of a VM.
    System,
    /// A device that the switch made for the host itself.
    Internal,
    /// A cable to the interface of that name on another bridge.
    Patch(Option<Clean>),
    /// A tunnel to another host.
    Tunnel(Tunnel),
    /// Another type, as it came.
    Other(Clean),
}

/// A tunnel's ends and key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// "vxlan", "gre", "geneve", …
    pub protocol: Clean,
    /// The other end; `None` when the database does not name one.
    pub remote: Option<TunnelEnd>,
    /// This end; `None` leaves it to the routing table.
    pub local: Option<TunnelEnd>,
    /// What it accepts and what it sends.
    pub key: TunnelKey,
}

/// One end of a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelEnd {
    /// A fixed address.
    Address(IpAddr),
    /// Chosen by flows.
    Flow,
    /// A host name or something else, as it came.
    Other(Clean),
}

/// A tunnel's key (VXLAN: the network identifier).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelKey {
    /// None: key 0, or no key where the protocol may go without.
    None,
    /// A fixed key in both directions.
    Fixed(u64),
    /// Chosen by flows.
    Flow,
    /// Not the same in both directions, or something else, as it came.
    Other(Clean),
}

/// Who is behind an interface (`external_ids`); libvirt and its like write this.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Behind {
    /// `attached-mac`: the guest's address.
    pub guest_mac: Option<Clean>,
    /// `iface-id`: the guest's network interface.
    pub interface_id: Option<Clean>,
    /// `vm-id`: the guest.
    pub machine_id: Option<Clean>,
}

/// Counters of an interface. Received is what the switch received: for a VM's tap, what the VM sent.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of ovs-vswitchd.conf.db(5)")]
pub struct Statistics {
    pub rx_packets: Figure<u64>,
    pub rx_bytes: Figure<u64>,
    pub rx_dropped: Figure<u64>,
    pub rx_errors: Figure<u64>,
    pub rx_frame_err: Figure<u64>,
    pub rx_over_err: Figure<u64>,
    pub rx_crc_err: Figure<u64>,
    pub tx_packets: Figure<u64>,
    pub tx_bytes: Figure<u64>,
    pub tx_dropped: Figure<u64>,
    pub tx_errors: Figure<u64>,
    pub collisions: Figure<u64>,
}

/// Rates of an interface over a window.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names carry direction and unit")]
pub struct SwitchedRates {
    pub rx_bits_per_s: Figure<f64>,
    pub tx_bits_per_s: Figure<f64>,
    pub rx_packets_per_s: Figure<f64>,
    pub tx_packets_per_s: Figure<f64>,
    pub rx_drops_per_s: Figure<f64>,
    pub tx_drops_per_s: Figure<f64>,
    pub rx_errors_per_s: Figure<f64>,
    pub tx_errors_per_s: Figure<f64>,
}

impl SwitchedRates {
    /// Both directions together, bits per second.
    pub fn bits_per_s(&self) -> Figure<f64> {
        sum(self.rx_bits_per_s, self.tx_bits_per_s)
    }

    /// Packets dropped in either direction, per second.
    pub fn drops_per_s(&self) -> Figure<f64> {
        sum(self.rx_drops_per_s, self.tx_drops_per_s)
    }

    /// Packets with errors in either direction, per second.
    pub fn errors_per_s(&self) -> Figure<f64> {
        sum(self.rx_errors_per_s, self.tx_errors_per_s)
    }

    /// Two interfaces together; a figure that one of them does not know is not known.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let both = |one: Figure<f64>, other: Figure<f64>| one.and_then(|one| other.map(|other| one + other));
        Self {
            rx_bits_per_s: both(self.rx_bits_per_s, other.rx_bits_per_s),
            tx_bits_per_s: both(self.tx_bits_per_s, other.tx_bits_per_s),
            rx_packets_per_s: both(self.rx_packets_per_s, other.rx_packets_per_s),
            tx_packets_per_s: both(self.tx_packets_per_s, other.tx_packets_per_s),
            rx_drops_per_s: both(self.rx_drops_per_s, other.rx_drops_per_s),
            tx_drops_per_s: both(self.tx_drops_per_s, other.tx_drops_per_s),
            rx_errors_per_s: both(self.rx_errors_per_s, other.rx_errors_per_s),
            tx_errors_per_s: both(self.tx_errors_per_s, other.tx_errors_per_s),
        }
    }

    /// All unknown for one reason.
    pub fn unknown(why: Unknown) -> Self {
        let none = Figure::Unknown(why);
        Self {
            rx_bits_per_s: none,
            tx_bits_per_s: none,
            rx_packets_per_s: none,
            tx_packets_per_s: none,
            rx_drops_per_s: none,
            tx_drops_per_s: none,
            rx_errors_per_s: none,
            tx_errors_per_s: none,
        }
    }
}

/// Two directions: one that is not known counts as nothing as long as the other is known.
fn sum(one: Figure<f64>, other: Figure<f64>) -> Figure<f64> {
    match (one, other) {
        (Figure::Known(one), Figure::Known(other)) => Figure::Known(one + other),
        (Figure::Known(known), _) | (_, Figure::Known(known)) => Figure::Known(known),
        (unknown, _) => unknown,
    }
}

/// What one poll of the database brought.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OvsReading {
    /// Everything, when something changed since the poll before.
    pub sample: Option<OvsSample>,
    /// How long ago the newest statistics came, milliseconds.
    pub round_age_ms: u64,
}

/// What the database said over time (`history::ovs`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OvsFacts {
    /// The newest sample.
    pub sample: OvsSample,
    /// When the last round of statistics came.
    pub counted_at: Option<Mono>,
    /// What the last round said, by the interface's id.
    pub counted: BTreeMap<Clean, Statistics>,
    /// Rates between the last two rounds, by the interface's id.
    pub rates: BTreeMap<Clean, SwitchedRates>,
}
