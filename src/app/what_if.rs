//! What a single failure of each node would take down, in plain sentences, the worst first.
//!
//! A pure look at the world as it is: what is down already does not count as a remaining one. A hypervisor takes its
//! guests with it, and cuts off who hangs on its switch alone. What is not known is said to be not known, never left out.

use super::{Seen, figures, machines, meaning::Meaning, path, rows::contains};
use crate::{
    model::{
        haproxy::{OperationalState, Server},
        hypervisor::DomainState,
        ids::{NodeName, ProxyName},
        inventory::{Node, Role},
        world::{NodeFacts, NodeState},
    },
    rules::plugs::{Told, plugs},
};
use std::collections::{BTreeMap, BTreeSet};

/// The failure of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure<'a> {
    pub(crate) node: &'a NodeName,
    /// What would be, the worst first; never empty.
    pub(crate) losses: Vec<Loss>,
}

/// One thing that would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Critical: service ends. Warning: nothing is left to take over. Else it goes on.
    pub(crate) meaning: Meaning,
    /// A sentence.
    pub(crate) words: String,
}

impl Failure<'_> {
    /// How bad the worst of it is.
    pub(crate) fn meaning(&self) -> Meaning {
        self.losses.first().map_or(Meaning::Ok, |loss| loss.meaning)
    }

    fn count(&self, meaning: Meaning) -> usize {
        self.losses.iter().filter(|loss| loss.meaning == meaning).count()
    }
}

/// The failure of each node, the worst first.
pub(crate) fn failures<'a>(seen: Seen<'a>, filter: &str) -> Vec<Failure<'a>> {
    let standing = Standing::of(seen);
    let nodes = seen.inventory.nodes.iter();
    let mut failures: Vec<Failure<'a>> = nodes.map(|node| standing.without(seen, node)).collect();
    failures.retain(|failure| {
        contains(failure.node.as_str(), filter) || failure.losses.iter().any(|loss| contains(&loss.words, filter))
    });
    failures.sort_by_key(|failure| {
        std::cmp::Reverse((failure.count(Meaning::Crit), failure.count(Meaning::Warn), failure.losses.len()))
    });
    failures
}

/// The cluster as it stands, by name of machine.
struct Standing<'a> {
    /// Nodes that answer, and guests that run.
    alive: BTreeSet<&'a str>,
    /// Guests of each hypervisor that would go with it.
    guests: BTreeMap<&'a str, Vec<&'a str>>,
    /// Machines that hang on the switch of a node and on no other one.
    hung: BTreeMap<&'a str, Vec<&'a str>>,
    /// The machines behind the usable servers of each backend, and how many servers it has.
    backends: BTreeMap<&'a ProxyName, Backend<'a>>,
    /// Who holds each virtual address.
    holders: Vec<(&'a crate::model::inventory::Vip, Vec<&'a str>)>,
}

#[derive(Default)]
struct Backend<'a> {
    /// Name of the server to the machine behind it, where that is known.
    usable: BTreeMap<&'a str, Option<&'a str>>,
    servers: BTreeSet<&'a str>,
}

impl<'a> Standing<'a> {
    fn of(seen: Seen<'a>) -> Self {
        let stale_after_ms = seen.inventory.settings.poll.stale_after_ms;
        let answers = |node: &&NodeFacts| node.state(seen.now.mono, stale_after_ms) == NodeState::Up;
        let mut alive: BTreeSet<&str> =
            seen.world.nodes.iter().filter(answers).map(|node| node.name.as_str()).collect();
        let mut guests = BTreeMap::new();
        for host in machines::hosts(seen) {
            let active = |guest: &machines::Guest<'a>| guest.domain.state.known().is_some_and(DomainState::is_active);
            let names: Vec<&str> =
                machines::guests(host).filter(active).map(|guest| guest.domain.name.as_str()).collect();
            let runs = |guest: &machines::Guest<'a>| {
                matches!(guest.domain.state.known(), Some(DomainState::Running | DomainState::Blocked))
            };
            let running = machines::guests(host).filter(runs).map(|guest| guest.domain.name.as_str());
            alive.extend(running.filter(|name| seen.inventory.guests.iter().any(|guest| guest.name == *name)));
            guests.insert(host.name.as_str(), names);
        }
        let holders = seen.inventory.vips.iter();
        let holders =
            holders.map(|vip| (vip, path::holders(seen, vip).iter().map(|node| node.name.as_str()).collect()));
        Self { alive, guests, hung: hung(seen), backends: backends(seen), holders: holders.collect() }
    }

    /// What the failure of a node and of the guests on it would mean.
    fn without(&self, seen: Seen<'a>, node: &'a Node) -> Failure<'a> {
        let name = node.name.as_str();
        let carried = self.guests.get(name).map(Vec::as_slice).unwrap_or_default();
        let cut: Vec<&str> = self.hung.get(name).into_iter().flatten().copied().collect();
        let cut: Vec<&str> = cut.into_iter().filter(|machine| !carried.contains(machine)).collect();
        let lost: BTreeSet<&str> =
            std::iter::once(name).chain(carried.iter().copied()).chain(cut.iter().copied()).collect();
        let mut losses = Vec::new();
        self.addresses(&lost, &mut losses);
        self.balancers(seen, &lost, &mut losses);
        self.servers(&lost, &mut losses);
        self.roles(seen, &lost, &mut losses);
        if !carried.is_empty() {
            let count = figures::counted(carried.len(), "guest", "guests");
            losses.push(Loss {
                meaning: Meaning::Text,
                words: format!("It takes {count} with it: {}.", listed(carried)),
            });
        }
        if !cut.is_empty() {
            let they = if cut.len() == 1 { "it hangs" } else { "they hang" };
            let words = format!("It cuts {} off: {they} on its switch and on no other that vakt sees.", listed(&cut));
            losses.push(Loss { meaning: Meaning::Text, words });
        }
        if node.roles.contains(&Role::Hypervisor)
            && seen.world.node(&node.name).is_some_and(|node| node.hypervisor.last().is_none())
        {
            let words = "Which guests it would take with it is not known: its libvirt was not read.".into();
            losses.push(Loss { meaning: Meaning::Unknown, words });
        }
        if !self.alive.contains(name) {
            losses.push(Loss {
                meaning: Meaning::Stale,
                words: "It does not answer now; what it carried is already gone or not known.".into(),
            });
        }
        losses.sort_by_key(|loss| std::cmp::Reverse(loss.meaning.badness()));
        if losses.is_empty() {
            losses.push(Loss { meaning: Meaning::Ok, words: "Nothing that vakt knows of depends on it.".into() });
        }
        Failure { node: &node.name, losses }
    }

    fn addresses(&self, lost: &BTreeSet<&str>, losses: &mut Vec<Loss>) {
        for (vip, holders) in
            self.holders.iter().filter(|(_, holders)| holders.iter().any(|holder| lost.contains(holder)))
        {
            if holders.iter().any(|holder| !lost.contains(holder)) {
                continue;
            }
            let heirs: Vec<&str> = vip.nodes.iter().map(NodeName::as_str).filter(|name| !lost.contains(name)).collect();
            let heirs: Vec<&str> = heirs.into_iter().filter(|name| self.alive.contains(name)).collect();
            losses.push(if heirs.is_empty() {
                let words = format!("Nobody is left to hold {}: clients reach nothing there.", vip.address);
                Loss { meaning: Meaning::Crit, words }
            } else {
                let words = format!("{} moves to {}; open connections end.", vip.address, listed(&heirs));
                Loss { meaning: Meaning::Text, words }
            });
        }
    }

    fn balancers(&self, seen: Seen<'_>, lost: &BTreeSet<&str>, losses: &mut Vec<Loss>) {
        let all = seen.inventory.nodes.iter().filter(|node| node.haproxy_socket.is_some());
        let (gone, left): (Vec<&str>, Vec<&str>) =
            all.map(|node| node.name.as_str()).partition(|name| lost.contains(name));
        let left = left.iter().filter(|name| self.alive.contains(**name)).count();
        if gone.is_empty() || !gone.iter().any(|name| self.alive.contains(name)) {
            return;
        }
        if left == 0 {
            let words = "No load balancer is left: nothing behind HAProxy can be reached.".into();
            losses.push(Loss { meaning: Meaning::Crit, words });
        } else if left == 1 {
            losses.push(Loss { meaning: Meaning::Warn, words: "One load balancer is left.".into() });
        }
    }

    fn servers(&self, lost: &BTreeSet<&str>, losses: &mut Vec<Loss>) {
        for (backend, of) in &self.backends {
            let is_lost = |machine: Option<&str>| machine.is_some_and(|machine| lost.contains(machine));
            let usable = of.usable.len();
            let gone = of.usable.values().filter(|machine| is_lost(**machine)).count();
            if gone == 0 {
                continue;
            }
            let (left, all) = (usable - gone, of.servers.len());
            losses.push(match left {
                0 => Loss { meaning: Meaning::Crit, words: format!("{backend} has no usable server left.") },
                1 => Loss { meaning: Meaning::Warn, words: format!("{backend} keeps 1 of {all} servers.") },
                _ => Loss { meaning: Meaning::Text, words: format!("{backend} keeps {left} of {all} servers.") },
            });
        }
    }

    fn roles(&self, seen: Seen<'_>, lost: &BTreeSet<&str>, losses: &mut Vec<Loss>) {
        for role in Role::ALL {
            let nodes = seen.inventory.nodes.iter().filter(|node| node.roles.contains(&role));
            let nodes = nodes.map(|node| node.name.as_str());
            let guests = seen.inventory.guests.iter().filter(|guest| guest.roles.contains(&role));
            let all: Vec<&str> = nodes.chain(guests.map(|guest| guest.name.as_str())).collect();
            let now: Vec<&str> = all.iter().copied().filter(|name| self.alive.contains(name)).collect();
            let left: Vec<&str> = now.iter().copied().filter(|name| !lost.contains(name)).collect();
            if left.len() == now.len() || role == Role::Hypervisor && left.is_empty() && all.len() == 1 {
                continue;
            }
            match left.as_slice() {
                [] => {
                    let words = format!("No machine of role {role} is left.");
                    losses.push(Loss { meaning: Meaning::Crit, words });
                }
                [one] if all.len() > 1 => {
                    let words = format!("{one} is the only machine of role {role} left.");
                    losses.push(Loss { meaning: Meaning::Warn, words });
                }
                _ => {}
            }
        }
    }
}

/// Machines by the only switch on which they hang.
fn hung(seen: Seen<'_>) -> BTreeMap<&str, Vec<&str>> {
    let told = seen.world.nodes.iter().map(|node| Told {
        node: &node.name,
        presence: node.presence.last().map(|facts| &facts.sample),
        guests: node.hypervisor_profile.last(),
        switch: node.ovs.last().map(|facts| &facts.sample),
        detail: node.ovs_detail.last(),
    });
    let mut hung: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (machine, plugs) in plugs(&told.collect::<Vec<_>>()) {
        let Some(first) = plugs.first() else { continue };
        if plugs.iter().all(|plug| plug.switch == first.switch) && machine != first.switch.as_str() {
            hung.entry(first.switch.as_str()).or_default().push(machine);
        }
    }
    hung
}

/// Usable servers of each backend over all load balancers that answer, and the machine behind each.
fn backends(seen: Seen<'_>) -> BTreeMap<&ProxyName, Backend<'_>> {
    let poll = &seen.inventory.settings.poll;
    let limit_ms = poll.stale_after_ms.max(poll.haproxy_ms.saturating_mul(5) / 2);
    let mut backends: BTreeMap<&ProxyName, Backend<'_>> = BTreeMap::new();
    for facts in seen.world.nodes.iter().filter_map(|node| node.haproxy.fresh(seen.now.mono, limit_ms)) {
        for backend in &facts.sample.backends {
            let of = backends.entry(&backend.name).or_default();
            for server in &backend.servers {
                of.servers.insert(server.name.as_str());
                if is_usable(server) {
                    of.usable.insert(server.name.as_str(), server.machine(seen.inventory));
                }
            }
        }
    }
    backends
}

fn is_usable(server: &Server) -> bool {
    matches!(
        server.operational,
        OperationalState::Up | OperationalState::Unchecked | OperationalState::GoingDown { .. }
    )
}

/// "a", "a and b", "a, b and c"; of many the first ones.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 6;
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [before @ .., last] if names.len() <= SHOWN => format!("{} and {last}", before.join(", ")),
        _ => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{App, Options},
        config::{self, FileMetadata},
        model::{
            figure::Figure,
            haproxy::{Backend, HaproxyFacts},
            hypervisor::{DomainSample, HypervisorFacts},
            link::LinkState,
            time::{Mono, Now, Wall},
        },
    };

    const NOW: Now = Now { mono: Mono(10_000), wall: Wall(0) };
    const CLUSTER: &str = "[cluster]\nname = \"c\"\n\
        [[node]]\nname = \"lb01\"\nroles = [\"edge\"]\nmanagement = \"10.0.0.1\"\n\
        [[node]]\nname = \"web01\"\nroles = [\"web\"]\nmanagement = \"10.0.0.2\"\n\
        [[node]]\nname = \"web02\"\nroles = [\"web\"]\nmanagement = \"10.0.0.3\"\n\
        [[node]]\nname = \"kvm01\"\nroles = [\"hypervisor\"]\nmanagement = \"10.0.0.4\"\n\
        [[guest]]\nname = \"app01\"\nroles = [\"app\"]\n";

    fn server(name: &str, address: &str, operational: OperationalState) -> Server {
        Server {
            name: name.into(),
            address: Figure::Known(address.into()),
            operational,
            admin: Figure::default(),
            configured: Figure::default(),
            backup: Figure::default(),
            weight: Figure::default(),
            weight_configured: Figure::default(),
            last_change_s: Figure::default(),
            downtime_s: Figure::default(),
            checks_failed_total: Figure::default(),
            downs_total: Figure::default(),
            check: crate::model::haproxy::Check::default(),
            traffic: crate::model::haproxy::Traffic::default(),
        }
    }

    /// Two web servers behind one load balancer; a hypervisor that carries web02 and app01.
    fn app(second: OperationalState, guests: DomainState) -> App {
        let loaded = config::load("x".as_ref(), CLUSTER, &FileMetadata::default());
        let mut app = App::new(loaded.unwrap().inventory, Options::default(), NOW);
        for node in &mut app.world.nodes {
            node.link.state = LinkState::Up;
            node.host.take(crate::model::host::HostFacts::default(), NOW);
        }
        let mut haproxy = HaproxyFacts::default();
        haproxy.sample.backends.push(Backend {
            name: "web".into(),
            mode: Figure::default(),
            algorithm: Figure::default(),
            status: "UP".into(),
            active_servers: Figure::default(),
            backup_servers: Figure::default(),
            traffic: crate::model::haproxy::Traffic::default(),
            servers: vec![
                server("first", "10.0.0.2:80", OperationalState::Up),
                server("web02", "192.0.2.1:80", second),
            ],
        });
        app.world.nodes[0].haproxy.take(haproxy, NOW);
        let mut facts = HypervisorFacts::default();
        for name in ["web02", "app01"] {
            let state = Figure::Known(guests);
            facts.sample.domains.push(DomainSample { name: name.into(), state, ..DomainSample::default() });
            facts.rates.push(crate::model::hypervisor::DomainRates::default());
        }
        app.world.nodes[3].hypervisor.take(facts, NOW);
        app
    }

    fn told<'a>(failures: &'a [Failure<'_>], node: &str) -> Vec<(Meaning, &'a str)> {
        let failure = failures.iter().find(|failure| failure.node.as_str() == node).unwrap();
        failure.losses.iter().map(|loss| (loss.meaning, loss.words.as_str())).collect()
    }

    #[test]
    fn a_hypervisor_takes_its_guests_and_their_service_with_it() {
        let app = app(OperationalState::Up, DomainState::Running);
        let failures = failures(app.seen(), "");
        let losses = told(&failures, "kvm01");
        assert!(losses.contains(&(Meaning::Crit, "No machine of role app is left.")), "{losses:?}");
        assert!(losses.contains(&(Meaning::Warn, "web keeps 1 of 2 servers.")), "{losses:?}");
        assert!(losses.contains(&(Meaning::Text, "It takes 2 guests with it: web02 and app01.")), "{losses:?}");
    }

    #[test]
    fn a_switch_cuts_off_who_hangs_on_it_alone() {
        use crate::model::{
            ovs::{Behind, Bridge, Interface, OvsFacts, Port},
            presence::{HardwareAddress, PresenceFacts, PresenceSample},
        };
        let mut app = app(OperationalState::Up, DomainState::Off);
        let mac = "52:54:00:00:00:01";
        let interfaces = vec![HardwareAddress { interface: "eth0".into(), address: mac.into() }];
        let sample = PresenceSample { interfaces, ..PresenceSample::default() };
        app.world.nodes[0].presence.take(PresenceFacts { sample, ..PresenceFacts::default() }, NOW);
        let behind = Figure::Known(Behind { guest_mac: Some(mac.into()), ..Behind::default() });
        let tap = Interface { name: "tap1".into(), behind, ..Interface::default() };
        let port = Port { name: "tap1".into(), interfaces: vec![tap], ..Port::default() };
        let mut switch = OvsFacts::default();
        switch.sample.bridges.push(Bridge { name: "br0".into(), ports: vec![port], ..Bridge::default() });
        app.world.nodes[3].ovs.take(switch.clone(), NOW);
        {
            let failures = failures(app.seen(), "");
            let lost = told(&failures, "kvm01");
            let words = "It cuts lb01 off: it hangs on its switch and on no other that vakt sees.";
            assert!(lost.contains(&(Meaning::Text, words)), "{lost:?}");
            assert_eq!(lost[0].0, Meaning::Crit, "no load balancer is left: {lost:?}");
        }
        app.world.nodes[2].ovs.take(switch, NOW);
        let failures = failures(app.seen(), "");
        assert!(!told(&failures, "kvm01").iter().any(|(_, words)| words.contains("cuts")), "another switch is left");
    }

    #[test]
    fn the_only_load_balancer_comes_before_what_can_be_replaced() {
        let app = app(OperationalState::Up, DomainState::Running);
        let failures = failures(app.seen(), "");
        let lost = told(&failures, "lb01");
        assert!(lost.contains(&(Meaning::Crit, "No load balancer is left: nothing behind HAProxy can be reached.")));
        let order: Vec<Meaning> = failures.iter().map(Failure::meaning).collect();
        let badness: Vec<u8> = order.iter().map(|meaning| meaning.badness()).collect();
        assert!(badness.is_sorted_by(|a, b| a >= b), "the worst first: {order:?}");
    }

    #[test]
    fn what_is_down_already_does_not_count_as_one_that_remains() {
        let app = app(OperationalState::Down, DomainState::Running);
        let failures = failures(app.seen(), "");
        assert!(told(&failures, "web01").contains(&(Meaning::Crit, "web has no usable server left.")));
        let lost = told(&failures, "web02");
        assert!(!lost.iter().any(|(_, words)| words.starts_with("web ")), "it served nothing: {lost:?}");
    }

    #[test]
    fn guests_that_are_off_are_no_loss_and_what_is_not_known_is_said() {
        let mut app = app(OperationalState::Up, DomainState::Off);
        let words = |app: &App| {
            let failures = failures(app.seen(), "kvm01");
            told(&failures, "kvm01").iter().map(|(_, words)| (*words).to_owned()).collect::<Vec<_>>()
        };
        assert!(!words(&app).iter().any(|words| words.contains("guests with it")));
        app.world.nodes[3].hypervisor = crate::model::observation::Observed::default();
        assert!(words(&app).iter().any(|words| words.contains("not known")), "{:?}", words(&app));
        app.world.nodes[3].link.state = LinkState::Connecting { stage: "connecting".into() };
        app.world.nodes[3].host = crate::model::observation::Observed::default();
        assert!(words(&app).iter().any(|words| words.contains("does not answer now")));
    }
}
