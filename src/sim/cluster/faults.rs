//! What breaks in the simulated cluster, and what mends it.

use super::{
    super::fault::{Fault, FaultError, ServerPath},
    Balancer, Cluster, Contact, GuestState, Host, LibvirtState, Switch, micros,
};
use crate::model::{ids::NodeName, inventory::Role};

impl Cluster {
    /// Breaks something, or mends it.
    pub fn fault(&mut self, fault: &Fault) -> Result<(), FaultError> {
        let now_us = micros(self.now);
        match fault {
            Fault::Kill(node) => self.set_contact(node, Contact::Refuses)?,
            Fault::Cut(node) => self.set_contact(node, Contact::Silent)?,
            Fault::Freeze(node) => self.set_contact(node, Contact::Frozen)?,
            Fault::Slow { node, delay_ms } => self.host_mut(node)?.slow_ms = *delay_ms,
            Fault::Throttle(node) => self.host_mut(node)?.is_throttled = true,
            Fault::Heal(node) => self.heal(node, now_us)?,
            Fault::Down(path) | Fault::Up(path) => {
                let is_down = matches!(fault, Fault::Down(_));
                for host in self.hosts_of(path)? {
                    let broken = &mut self.hosts[host].broken;
                    if is_down {
                        broken.insert(path.server.clone())
                    } else {
                        broken.remove(&path.server)
                    };
                }
            }
            Fault::Reload { node, keeps_state } => {
                let keeps_state = *keeps_state || self.keeps_state;
                let process = &mut self.balancer_mut(node)?.process;
                *process = process.reloaded(keeps_state, now_us);
            }
            Fault::LoseReply { node, is_done } => {
                let host = self.balancer_mut(node)?.host;
                self.losing.insert(host, *is_done);
            }
            Fault::Port { node, port, is_off } => self.port_mut(node, port)?.set_port(port, *is_off),
            Fault::Tag { node, port, vlan } => self.port_mut(node, port)?.tag(port, *vlan),
            Fault::Drops { node, port, per_s } => self.port_mut(node, port)?.drop_packets(port, *per_s, now_us),
            Fault::SwitchDaemon(node, daemon) => self.switch_mut(node)?.set_daemon(*daemon, now_us),
            Fault::Split(node) => {
                let host = self.balancer_mut(node)?.host;
                self.split.insert(host);
            }
            Fault::NoPreempt => self.is_nopreempt = true,
            Fault::Stop { service, node } => {
                self.host_mut(node)?.stopped.insert(*service);
            }
            Fault::Start { service, node } => {
                self.host_mut(node)?.stopped.remove(service);
            }
            Fault::Expose { node, port } => {
                self.host_mut(node)?.exposed.insert(*port);
            }
            Fault::Certificate(days) => self.certificate_days = *days,
            Fault::Lossy(node) => self.host_mut(node)?.is_lossy = true,
            Fault::Database { node, fault } => {
                let host = self.by_name.get(node).copied().ok_or_else(|| FaultError::NoNode(node.clone()))?;
                if !self.databases.fault(host, *fault, now_us) {
                    return Err(FaultError::NoDatabase(node.clone()));
                }
            }
            Fault::Spike(factor) => self.load = *factor,
            Fault::Guest { name, state } => self.guest(name, *state, now_us)?,
            Fault::Libvirt { node, state } => {
                let host = self.host_mut(node)?;
                if host.file.role != Role::Hypervisor {
                    return Err(FaultError::NoHypervisor(node.clone()));
                }
                host.libvirt = *state;
            }
            Fault::ResetCounters(Some(node)) => self.balancer_mut(node)?.process.clear_counters(),
            Fault::ResetCounters(None) => {
                self.balancers.iter_mut().for_each(|balancer| balancer.process.clear_counters());
            }
        }
        self.elect();
        Ok(())
    }

    fn host_mut(&mut self, node: &NodeName) -> Result<&mut Host, FaultError> {
        let index = self.by_name.get(node).copied();
        index.and_then(|index| self.hosts.get_mut(index)).ok_or_else(|| FaultError::NoNode(node.clone()))
    }

    /// A machine, and with a hypervisor its guests.
    fn set_contact(&mut self, node: &NodeName, contact: Contact) -> Result<(), FaultError> {
        self.host_mut(node)?.contact = contact;
        let carried: Vec<NodeName> = self.carried_by(node);
        for guest in carried {
            // A guest without its host is out of reach, whatever became of the host.
            let contact = if contact == Contact::Answers { contact } else { Contact::Silent };
            self.host_mut(&guest)?.contact = contact;
        }
        Ok(())
    }

    fn carried_by(&self, node: &NodeName) -> Vec<NodeName> {
        let Some(host) = self.by_name.get(node).copied() else { return Vec::new() };
        self.guests.iter().filter(|guest| guest.host == host).map(|guest| guest.name.clone()).collect()
    }

    /// A guest that stands still is a machine that says nothing.
    fn guest(&mut self, name: &NodeName, state: GuestState, now_us: u64) -> Result<(), FaultError> {
        let guest = self.guests.iter_mut().find(|guest| guest.name == *name);
        guest.ok_or_else(|| FaultError::NoGuest(name.clone()))?.become_(state, now_us);
        let host = self.host_mut(name)?;
        let was_silent = host.contact != Contact::Answers;
        host.contact = if state == GuestState::Running { Contact::Answers } else { Contact::Silent };
        if was_silent && state == GuestState::Running {
            host.boot(now_us);
        }
        Ok(())
    }

    /// A killed machine starts again, and HAProxy on it from its file.
    fn heal(&mut self, node: &NodeName, now_us: u64) -> Result<(), FaultError> {
        let host = self.host_mut(node)?;
        let was_dead = host.contact == Contact::Refuses;
        (host.contact, host.slow_ms, host.is_throttled) = (Contact::Answers, 0, false);
        host.libvirt = LibvirtState::Well;
        host.broken.clear();
        host.stopped.clear();
        host.exposed.clear();
        host.is_lossy = false;
        if was_dead {
            host.boot(now_us);
            if let Some(index) = self.by_name.get(node).copied() {
                self.forget_routes(index);
            }
        }
        if let Ok(switch) = self.switch_mut(node) {
            switch.heal(now_us);
        }
        if was_dead && let Ok(balancer) = self.balancer_mut(node) {
            balancer.process = balancer.process.reloaded(false, now_us);
        }
        if let Some(host) = self.by_name.get(node) {
            self.databases.heal(*host);
            self.split.remove(host);
        }
        for guest in &mut self.guests {
            if guest.name == *node {
                guest.become_(GuestState::Running, now_us);
            }
        }
        for guest in self.carried_by(node) {
            let runs = self.guests.iter().any(|known| known.name == guest && known.state == GuestState::Running);
            if runs {
                self.host_mut(&guest)?.contact = Contact::Answers;
            }
        }
        Ok(())
    }

    fn switch_mut(&mut self, node: &NodeName) -> Result<&mut Switch, FaultError> {
        let index = *self.by_name.get(node).ok_or_else(|| FaultError::NoNode(node.clone()))?;
        let missing = || FaultError::NoPort { node: node.clone(), port: String::new() };
        self.switches.get_mut(&index).ok_or_else(missing)
    }

    /// The switch that has such a port.
    fn port_mut(&mut self, node: &NodeName, port: &str) -> Result<&mut Switch, FaultError> {
        let switch = self.switch_mut(node)?;
        if switch.ports().iter().any(|known| known == port) {
            Ok(switch)
        } else {
            Err(FaultError::NoPort { node: node.clone(), port: port.to_owned() })
        }
    }

    fn balancer_mut(&mut self, node: &NodeName) -> Result<&mut Balancer, FaultError> {
        let index = *self.by_name.get(node).ok_or_else(|| FaultError::NoNode(node.clone()))?;
        let balancer = self.balancers.iter_mut().find(|balancer| balancer.host == index);
        balancer.ok_or_else(|| FaultError::NoBalancer(node.clone()))
    }

    /// The machines behind a server's name.
    fn hosts_of(&self, path: &ServerPath) -> Result<Vec<usize>, FaultError> {
        let mut found: Vec<usize> = self
            .balancers
            .iter()
            .flat_map(|balancer| &balancer.process.services)
            .filter(|service| path.backend.as_ref().is_none_or(|backend| *backend == service.file.backend))
            .flat_map(|service| &service.servers)
            .filter(|server| server.file.name == path.server)
            .map(|server| server.file.host)
            .collect();
        found.dedup();
        if found.is_empty() { Err(FaultError::NoServer(path.to_string())) } else { Ok(found) }
    }
}
