//! Addresses that nodes have cut off, in memory: a route that leads nowhere, and what ends with it.

use std::net::Ipv4Addr;
use vakt::{
    model::{
        cut::{CutRoute, CutSample, Way},
        figure::Figure,
        haproxy::AdminState,
        text::Clean,
    },
    wire::{probe::Facts, request::Reply},
};

/// What the databases of the cluster are called on the private network.
const PRIMARY: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 31);
/// Everybody who takes part in cutting it off.
const NODES: [&str; 5] = ["lb01", "lb02", "db01", "db02", "db03"];

/// Every route of every node.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Cuts {
    routes: Vec<(&'static str, CutRoute)>,
    /// Nodes without the program `ss`.
    pub(crate) lacking: Vec<&'static str>,
    /// A connection with the address that does not end on that node.
    pub(crate) stuck: Option<&'static str>,
}

impl Cuts {
    /// Whether that node has cut that host off.
    pub(crate) fn has(&self, node: &str, host: &str) -> bool {
        self.routes.iter().any(|(name, route)| *name == node && route.address.to_string() == host)
    }

    /// Whether everybody but itself has cut that host off.
    pub(crate) fn is_alone(&self, name: &str, host: &str) -> bool {
        NODES.iter().filter(|node| **node != name).all(|node| self.has(node, host))
    }

    /// Somebody puts a route there.
    pub(crate) fn put(&mut self, node: &'static str, mark: u32) {
        self.routes.push((node, CutRoute { address: PRIMARY, mark, is_told: true }));
    }

    /// Somebody puts routes of their own in the place of what is there.
    pub(crate) fn meddle(&mut self, node: &str) {
        for (name, route) in &mut self.routes {
            if *name == node {
                route.mark = 7;
            }
        }
    }

    /// A restart of the node takes its routes with it.
    pub(crate) fn restart(&mut self, node: &str) {
        self.routes.retain(|(name, _)| *name != node);
    }

    pub(crate) fn sample(&self, node: &str) -> CutSample {
        let mine = self.routes.iter().filter(|(name, _)| *name == node);
        let has = self.has(node, &PRIMARY.to_string());
        let is_stuck = self.stuck.is_some_and(|stuck| stuck == node);
        let way = Way {
            address: PRIMARY,
            leads: Figure::Known(!has),
            connections: Figure::Known(u64::from(!has || is_stuck)),
        };
        let lacking = self.lacking.iter().filter(|name| **name == node).map(|_| Clean::line("ss"));
        CutSample {
            routes: Figure::Known(mine.map(|(_, route)| *route).collect()),
            lacking: lacking.collect(),
            way: Some(way),
        }
    }

    pub(crate) fn facts(&self, node: &str) -> Facts {
        Facts::Cut(Box::new(self.sample(node)))
    }

    /// As `ip route` does: it adds none twice, and takes away none that is not there.
    pub(crate) fn send(&mut self, node: &str, (does_cut, address, mark): (bool, Ipv4Addr, u32)) -> Reply {
        let name = *NODES.iter().find(|name| **name == node).unwrap();
        let route = (name, CutRoute { address, mark, is_told: true });
        let is_there = self.routes.contains(&route);
        if does_cut && !is_there {
            self.routes.push(route);
        } else {
            self.routes.retain(|known| does_cut || *known != route);
        }
        Reply { exit: Some(if does_cut == is_there { 2 } else { 0 }), ..Reply::default() }
    }

    /// What operators set.
    pub(crate) fn settings(&self) -> Vec<(&'static str, &'static str, AdminState, u64)> {
        let mut all: Vec<_> =
            self.routes.iter().map(|(name, route)| (*name, "cut", AdminState::Ready, u64::from(route.mark))).collect();
        all.sort_unstable_by_key(|(name, ..)| *name);
        all
    }
}
