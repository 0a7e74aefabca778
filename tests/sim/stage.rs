//! A simulated cluster with a hand on its clock, read through vakt's own parsers.

use vakt::{
    model::{
        haproxy::{HaproxySample, Server},
        host::{HostProfile, HostSample},
        ids::NodeName,
        inventory::{Inventory, Node},
        time::{Mono, Now, Wall},
    },
    sim::{Cluster, Fault, Outcome, Scenario},
    wire::{
        probe::{Complaint, Facts, ProbeId},
        request::{Access, Call, Reply, Request},
    },
};

/// When every test begins: 2026-11-23 14:03:22 UTC.
pub(super) const START: Now = Now { mono: Mono(1_000_000), wall: Wall(1_795_442_602_000) };
pub(super) const SOCKET: &str = "/run/haproxy/admin.sock";

pub(super) fn scenario(name: &str) -> Scenario {
    Scenario::built_in(name).unwrap().unwrap_or_else(|problems| panic!("{problems:?}"))
}

pub(super) struct Stage {
    pub(super) cluster: Cluster,
    pub(super) inventory: Inventory,
}

impl Stage {
    pub(super) fn new(name: &str) -> Self {
        Self::of(&scenario(name), 1)
    }

    pub(super) fn of(scenario: &Scenario, seed: u64) -> Self {
        Self { cluster: Cluster::new(scenario, seed, START), inventory: scenario.inventory().unwrap() }
    }

    pub(super) fn pass(&mut self, ms: u64) {
        let now = self.cluster.now();
        let wall = now.wall.0 + i64::try_from(ms).unwrap();
        self.cluster.advance(Now { mono: now.mono.plus_ms(ms), wall: Wall(wall) });
    }

    pub(super) fn fault(&mut self, words: &str) {
        self.cluster.fault(&Fault::parse(words).unwrap()).unwrap();
    }

    pub(super) fn node(&self, name: &str) -> &Node {
        self.inventory.node(&NodeName::from(name)).unwrap()
    }

    pub(super) fn ask(&mut self, node: &str, request: &Request) -> Reply {
        match self.cluster.answer(&NodeName::from(node), request) {
            Outcome::Reply { reply, .. } => reply,
            other => panic!("{node}: {other:?}"),
        }
    }

    /// The replies to a probe, and what vakt makes of them.
    pub(super) fn probe(&mut self, node: &str, probe: ProbeId) -> (Vec<Reply>, Option<Facts>, Vec<Complaint>) {
        let mut requests = probe.probe().requests(self.node(node), 1_000);
        let mut replies: Vec<Reply> = Vec::new();
        while !requests.is_empty() {
            replies.extend(requests.iter().map(|request| self.ask(node, request)).collect::<Vec<_>>());
            requests = probe.probe().follow(self.node(node), 1_000, &replies);
        }
        let (facts, complaints) = probe.probe().interpret(&replies);
        (replies, facts, complaints)
    }

    pub(super) fn haproxy(&mut self, node: &str) -> HaproxySample {
        match self.probe(node, ProbeId::Haproxy) {
            (_, Some(Facts::Haproxy(sample)), complaints) if complaints.is_empty() => *sample,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn host(&mut self, node: &str) -> HostSample {
        match self.probe(node, ProbeId::Host) {
            (_, Some(Facts::Host(sample)), complaints) if complaints.is_empty() => *sample,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn profile(&mut self, node: &str) -> HostProfile {
        match self.probe(node, ProbeId::HostProfile) {
            (_, Some(Facts::HostProfile(profile)), complaints) if complaints.is_empty() => *profile,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn server(&mut self, node: &str, backend: &str, server: &str) -> Server {
        let sample = self.haproxy(node);
        let found = sample.backends.into_iter().find(|found| found.name.as_str() == backend).unwrap();
        found.servers.into_iter().find(|found| found.name.as_str() == server).unwrap()
    }

    /// Sends one line to HAProxy; its words.
    pub(super) fn command(&mut self, node: &str, command: &str) -> String {
        let reply = self.ask(node, &write(command));
        String::from_utf8(reply.bytes).unwrap()
    }
}

pub(super) fn write(command: &str) -> Request {
    Request {
        access: Access::Write,
        call: Call::Haproxy { socket: SOCKET.into(), command: command.into() },
        deadline_ms: 1_000,
        cap_bytes: 4096,
    }
}
