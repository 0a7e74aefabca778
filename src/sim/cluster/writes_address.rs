//! The virtual address by which writes come in: of the databases that answer and whose keepalived runs, the one of highest
//! priority holds it. What becomes of the databases themselves keepalived does not know.

use super::{Cluster, Host, presence};
use crate::model::inventory::Role;

/// The address, and who holds it.
#[derive(Debug, Clone)]
pub(super) struct WritesAddress {
    addresses: Vec<String>,
    holder: Option<usize>,
}

impl WritesAddress {
    /// Nobody holds it yet.
    pub(super) fn new(address: Option<String>) -> Self {
        Self { addresses: address.into_iter().collect(), holder: None }
    }

    /// The address, if there is one.
    pub(super) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// It with its holder.
    pub(super) fn held(&self) -> impl Iterator<Item = (&String, usize)> {
        self.addresses.iter().zip(self.holder)
    }

    /// The databases get their priorities: the first ones come first.
    pub(super) fn rank(&self, hosts: &mut [Host]) {
        let databases = hosts.iter_mut().filter(|host| host.file.role == Role::Database);
        for (place, host) in databases.enumerate().filter(|_| !self.addresses.is_empty()) {
            host.priority = presence::priority(place);
        }
    }

    /// keepalived decides anew.
    pub(super) fn elect(&mut self, hosts: &mut [Host], is_nopreempt: bool) {
        if self.addresses.is_empty() {
            return;
        }
        let stays = is_nopreempt && self.holder.is_some_and(|host| hosts[host].may_hold_addresses());
        let databases = hosts.iter().enumerate().filter(|(_, host)| host.file.role == Role::Database);
        let able = databases.filter(|(_, host)| host.may_hold_addresses());
        let best = able.rev().max_by_key(|(_, host)| host.priority + host.priority_file).map(|(index, _)| index);
        self.holder = if stays { self.holder } else { best };
        for (index, host) in hosts.iter_mut().enumerate().filter(|(_, host)| host.file.role == Role::Database) {
            let held = if self.holder == Some(index) { self.addresses.as_slice() } else { &[] };
            host.hold_addresses(held);
        }
    }
}

impl Cluster {
    /// The virtual addresses that a machine may hold.
    pub(super) fn kept_by(&self, index: usize) -> &[String] {
        if self.hosts[index].file.role == Role::Database { self.writes_to.addresses() } else { &self.vips }
    }
}
