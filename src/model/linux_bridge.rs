//! Facts about plain Linux bridges (`brctl`, `ip link … type bridge`): hosts that have no Open vSwitch, or both.
//!
//! What Open vSwitch would say and a plain bridge cannot: tunnels, bonds, who is behind a port, policing.

use super::{figure::Figure, text::Clean};
use serde::{Deserialize, Serialize};

/// A bridge of the kernel.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LinuxBridge {
    /// Name.
    pub name: Clean,
    /// Its identity in a spanning tree: priority and address.
    pub bridge_id: Figure<Clean>,
    /// Whether it takes part in a spanning tree.
    pub spanning_tree: Figure<bool>,
    /// How long an address is remembered, milliseconds.
    pub ageing_ms: Figure<u64>,
    /// Whether it looks at VLAN tags; unknown before kernel 3.9, where it does not.
    pub filters_vlans: Figure<bool>,
    /// Largest frame it carries, bytes.
    pub mtu_bytes: Figure<u64>,
    /// `operstate`: "up", "down", "unknown".
    pub state: Figure<Clean>,
    /// Ports by name.
    pub ports: Vec<LinuxBridgePort>,
}

/// A device in a bridge.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LinuxBridgePort {
    /// Name.
    pub name: Clean,
    /// What the bridge does with it.
    pub forwarding: Figure<PortForwarding>,
    /// Largest frame it carries, bytes.
    pub mtu_bytes: Figure<u64>,
    /// `operstate`: "up", "down", "unknown".
    pub state: Figure<Clean>,
}

/// What a bridge does with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of 802.1D")]
pub enum PortForwarding {
    Disabled,
    Listening,
    Learning,
    Forwarding,
    Blocking,
}
