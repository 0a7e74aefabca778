//! Addresses that simulated machines have cut off: routes in their kernels, and the replicas that are deaf for it.

use super::{Cluster, Text, host::Contact};
use crate::{
    model::cut::CutRoute,
    wire::{
        cut::{self, CutProbe},
        request::Call,
    },
};
use std::{collections::BTreeMap, fmt::Write as _, net::Ipv4Addr};

/// By machine.
pub(super) type Routes = BTreeMap<usize, Vec<CutRoute>>;

impl Cluster {
    /// What a machine answers about addresses that it has cut off, or does to them; `None` when it is about something else.
    pub(super) fn routes(&mut self, index: usize, call: &Call) -> Option<Text> {
        if let Some((does_cut, address, mark)) = cut::told(call) {
            let route = CutRoute { address, mark, is_told: true };
            let routes = self.routes.entry(index).or_default();
            let is_there = routes.contains(&route);
            routes.retain(|known| *known != route);
            routes.extend(does_cut.then_some(route));
            self.databases.deafen(index, &address.to_string(), does_cut);
            return Some(Text { bytes: String::new(), exit: Some(if does_cut == is_there { 2 } else { 0 }) });
        }
        let asked = CutProbe::asks(call)?;
        let routes = self.routes.get(&index).map_or(&[][..], Vec::as_slice);
        let mut text = String::new();
        for route in routes {
            let _ = writeln!(text, "cut:{:08X} 0205 {}", u32::from(route.address).swap_bytes(), route.mark);
        }
        if let Some(address) = asked {
            let is_cut = routes.iter().any(|route| route.address == address);
            let connections = u8::from(!is_cut && self.is_there(address));
            let _ = write!(text, "way:{address} {}\nconnections:{connections}\n", if is_cut { 2 } else { 0 });
        }
        Some(Text { bytes: text, exit: Some(0) })
    }

    /// A machine that is started anew has the routes of its files.
    pub(super) fn forget_routes(&mut self, index: usize) {
        for route in self.routes.remove(&index).unwrap_or_default() {
            self.databases.deafen(index, &route.address.to_string(), false);
        }
    }

    fn is_there(&self, address: Ipv4Addr) -> bool {
        let text = address.to_string();
        self.hosts.iter().any(|host| host.file.private == text && host.contact == Contact::Answers)
    }
}
