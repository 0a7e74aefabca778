//! Rates of the ports of plain bridges: the kernel counts them with its devices, which each look at the host reads.

use crate::model::{
    figure::{Figure, Unknown},
    host::HostFacts,
    linux_bridge::LinuxBridgePort,
    ovs::SwitchedRates,
};

/// The rates of a port, as a switch would state them. The kernel adds up what it drops and what arrives broken, both ways.
pub fn rates_of(host: Option<&HostFacts>, port: &LinuxBridgePort) -> SwitchedRates {
    let device = host.and_then(|host| host.interfaces.iter().find(|one| one.name == port.name));
    let Some(device) = device else { return SwitchedRates::unknown(Unknown::Missing) };
    SwitchedRates {
        rx_bits_per_s: device.rx_bits_per_s,
        tx_bits_per_s: device.tx_bits_per_s,
        rx_packets_per_s: device.rx_packets_per_s,
        tx_packets_per_s: device.tx_packets_per_s,
        rx_drops_per_s: device.drops_per_s,
        tx_drops_per_s: Figure::Known(0.0),
        rx_errors_per_s: device.errors_per_s,
        tx_errors_per_s: Figure::Known(0.0),
    }
}
