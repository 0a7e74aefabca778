//! The nodes that may hold the address as observed, and every reason why no move can be planned.

use super::{
    Reason, ReasonKind, Scene,
    expect::{instance_of, open_sessions, process_words, words},
    way::Lift,
};
use crate::{
    model::{
        haproxy::HaproxySample,
        ids::NodeName,
        inventory::{Inventory, Node, Vip},
        presence::{PresenceFacts, PresenceSample, ProcessState, VrrpInstance},
        text::Clean,
    },
    plan::{expect::takes_traffic, scene::sight},
    wire::probe::Facts,
};
use std::net::IpAddr;

/// Everything that a move rests on.
pub(super) struct Field<'a> {
    pub(super) address: IpAddr,
    pub(super) target: Seat<'a>,
    pub(super) holder: Seat<'a>,
    /// The others that may hold it.
    pub(super) others: Vec<Seat<'a>>,
    /// The load balancer of the target, where it has one, and the age of its facts.
    pub(super) balancer: Option<(Facts, u64)>,
    /// Clients of the holder's load balancer.
    sessions: Option<u64>,
    pub(super) witness: Option<Witness<'a>>,
}

/// A node that may hold the address.
#[derive(Clone)]
pub(super) struct Seat<'a> {
    pub(super) node: &'a Node,
    pub(super) sample: &'a PresenceSample,
    /// The instance that moves the address; without settings where there is none.
    pub(super) instance: VrrpInstance,
    pub(super) facts: Facts,
    pub(super) age_ms: u64,
}

/// A node that has the holder as a neighbour.
pub(super) struct Witness<'a> {
    pub(super) node: &'a Node,
    /// The address it is asked about: the one that moves, or one that moves along.
    pub(super) address: IpAddr,
}

impl Seat<'_> {
    pub(super) fn is_running(&self) -> bool {
        self.sample.keepalived.process.known() == Some(ProcessState::Running)
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.sample.addresses.as_ref().known().is_some_and(|addresses| addresses.contains(&address))
    }
}

/// How old a look at addresses may be: two of its intervals, or what is stale anyway.
pub(in crate::plan) fn stale_after_ms(inventory: &Inventory) -> u64 {
    let poll = &inventory.settings.poll;
    poll.stale_after_ms.max(poll.presence_ms.saturating_mul(5) / 2)
}

impl<'a> Field<'a> {
    /// Looks at every node that may hold the address. `None` when it is not known who would move it where.
    pub(super) fn survey(scene: &Scene<'a>, address: IpAddr, to: &NodeName, reasons: &mut Vec<Reason>) -> Option<Self> {
        let vip = known_vip(scene.inventory, address, reasons)?;
        Self::survey_of(scene, vip, to, None, reasons)
    }

    /// The same for a virtual address that is known. `absent` is a node that does not answer: it may hold the address, too,
    /// and is not looked at.
    pub(super) fn survey_of(
        scene: &Scene<'a>,
        vip: &Vip,
        to: &NodeName,
        absent: Option<&NodeName>,
        reasons: &mut Vec<Reason>,
    ) -> Option<Self> {
        let address = vip.address;
        if !vip.nodes.contains(to) {
            reasons.push(Reason::new(
                ReasonKind::UnknownTarget,
                format!("{to} is not among the nodes that may hold {address}."),
                vec![Clean::line(&format!("{address}: {}", names(vip.nodes.iter())))],
                "Name one of them, or add the node to the address in vakt's configuration.",
            ));
            return None;
        }
        let vip =
            &Vip { nodes: vip.nodes.iter().filter(|name| Some(*name) != absent).cloned().collect(), ..vip.clone() };
        let seats = seats(scene, vip, reasons);
        let target = seats.iter().find(|seat| seat.node.name == *to).cloned();
        let holder = one_holder(scene, vip, &seats, absent, reasons);
        let (target, holder) = (target?, holder?);
        let others = seats.iter().filter(|seat| ![to, &holder.node.name].contains(&&seat.node.name)).cloned();
        let mut field =
            Self { address, others: others.collect(), balancer: None, sessions: None, witness: None, target, holder };
        if field.is_there() {
            return Some(field);
        }
        field.judge_keepalived(reasons);
        field.judge_balancers(scene, reasons);
        field.witness = field.find_witness(scene);
        Some(field)
    }

    /// Whether the target holds it already.
    pub(super) fn is_there(&self) -> bool {
        self.target.node.name == self.holder.node.name
    }

    /// Every node that may hold it.
    pub(super) fn seats(&self) -> impl Iterator<Item = &Seat<'a>> {
        let holder = (!self.is_there()).then_some(&self.holder);
        std::iter::once(&self.target).chain(holder).chain(&self.others)
    }

    /// Those that run and come before the target.
    pub(super) fn rivals(&self) -> impl Iterator<Item = &Seat<'a>> {
        let own = self.target.instance.priority_now().unwrap_or(0);
        self.seats()
            .filter(|seat| seat.node.name != self.target.node.name && seat.is_running())
            // Equal priorities are decided by addresses.
            .filter(move |seat| seat.instance.priority_now().is_some_and(|priority| priority >= own))
    }

    /// Each node with its priority, one a line.
    pub(super) fn priorities(&self) -> Vec<Clean> {
        self.evidence()
    }

    /// Each node in one line.
    pub(super) fn evidence(&self) -> Vec<Clean> {
        self.seats()
            .map(|seat| Clean::line(&format!("{}: {}", seat.node.name, words(&seat.facts, self.address))))
            .collect()
    }

    pub(super) fn sessions(&self) -> Option<u64> {
        self.sessions
    }

    /// The other addresses that move, because they belong to an instance that is moved.
    pub(super) fn companions(&self, lifts: &[Lift<'_>]) -> Vec<IpAddr> {
        let mut found: Vec<IpAddr> = Vec::new();
        for lift in lifts {
            let tracking = lift.seat.sample.keepalived.instances.iter();
            let tracking = tracking.filter(|instance| instance.files.iter().any(|file| file.path == lift.path));
            for address in tracking.flat_map(|instance| &instance.addresses).filter(|other| **other != self.address) {
                if !found.contains(address) {
                    found.push(*address);
                }
            }
        }
        found
    }

    /// How long the take-over may take, from the write on.
    pub(super) fn takeover_ms(&self) -> u64 {
        let advert_ms = self.target.instance.advert_ms.unwrap_or(1_000);
        let delay_ms = self.target.instance.preempt_delay_ms;
        delay_ms.saturating_add(advert_ms.saturating_mul(4)).saturating_add(super::TAKEOVER_MARGIN_MS)
    }

    /// Hardware addresses under which the target may answer: its own, and the one that VRRP has for the router.
    pub(super) fn hardware(&self) -> Vec<Clean> {
        let own = self.target.sample.interfaces.iter().map(|interface| interface.address.clone());
        let shared = self.target.instance.router_id.map(|id| Clean::line(&format!("00:00:5e:00:01:{id:02x}")));
        own.chain(shared).collect()
    }

    fn judge_keepalived(&self, reasons: &mut Vec<Reason>) {
        let address = self.address;
        let sides = [(&self.target, "it could not take the address over"), (&self.holder, "it would not give it up")];
        for (seat, what) in sides {
            let name = &seat.node.name;
            let keepalived = &seat.sample.keepalived;
            let process = keepalived.process.known();
            if process != Some(ProcessState::Running) {
                let seen = process.map_or_else(|| "keepalived cannot be seen by this login".to_owned(), process_words);
                let kind = if process.is_none() { ReasonKind::UnknownFact } else { ReasonKind::NoService };
                let evidence = vec![Clean::line(&format!("{name}: {seen}"))];
                let what = format!("keepalived on {name} is not at work: {what}.");
                let cure = "Start keepalived there, or let it go on, after a look at its log.";
                reasons.push(Reason::new(kind, what, evidence, cure));
            } else if instance_of(keepalived, address).is_none() {
                let names = keepalived.instances.iter().map(|instance| instance.name.as_str()).collect::<Vec<_>>();
                let seen = if names.is_empty() {
                    "no instance can be read in /etc/keepalived/keepalived.conf".to_owned()
                } else {
                    format!("its instances: {}", names.join(", "))
                };
                reasons.push(Reason::new(
                    ReasonKind::UnknownTarget,
                    format!("keepalived on {name} has no instance with {address}."),
                    vec![Clean::line(&format!("{name}: {seen}"))],
                    "Make keepalived's configurations of these nodes alike, and readable for vakt's login.",
                ));
            }
        }
        let routers = (self.target.instance.router_id, self.holder.instance.router_id);
        if let (Some(of_target), Some(of_holder)) = routers
            && of_target != of_holder
        {
            reasons.push(Reason::new(
                ReasonKind::UnknownTarget,
                format!("{} and {} are not in one virtual router.", self.target.node.name, self.holder.node.name),
                vec![Clean::line(&format!("virtual_router_id {of_target} and {of_holder}"))],
                "Give the instance the same virtual_router_id on every node.",
            ));
        }
        let unknown = self.seats().filter(|seat| seat.is_running() && seat.instance.priority_now().is_none());
        let unknown: Vec<&Seat<'_>> =
            unknown.filter(|seat| instance_of(&seat.sample.keepalived, address).is_some()).collect();
        if !unknown.is_empty() {
            reasons.push(Reason::new(
                ReasonKind::UnknownFact,
                format!("The priority of {} is not known.", names(unknown.iter().map(|seat| &seat.node.name))),
                unknown.iter().map(|seat| unread_words(seat)).collect(),
                "Let vakt's login read keepalived.conf and the files that it tracks, and give each a number.",
            ));
        }
    }

    /// The target's load balancer must serve what the holder's does.
    fn judge_balancers(&mut self, scene: &Scene<'a>, reasons: &mut Vec<Reason>) {
        let limit_ms = scene.inventory.settings.poll.stale_after_ms;
        let read = |seat: &Seat<'a>| -> Result<Option<(&'a HaproxySample, u64)>, Clean> {
            if seat.node.haproxy_socket.is_none() {
                return Ok(None);
            }
            let Some(facts) = scene.world.node(&seat.node.name) else { return Ok(None) };
            sight(&facts.haproxy, &seat.node.name, scene.now, limit_ms).map(|(facts, age)| Some((&facts.sample, age)))
        };
        let of_holder = read(&self.holder).ok().flatten();
        self.sessions = of_holder.and_then(|(sample, _)| open_sessions(sample));
        match read(&self.target) {
            Ok(None) => {}
            Ok(Some((sample, age_ms))) => {
                self.balancer = Some((Facts::Haproxy(Box::new(sample.clone())), age_ms));
                if let Some((of_holder, _)) = of_holder {
                    self.judge_service(of_holder, sample, reasons);
                }
            }
            Err(why) => reasons.push(Reason::new(
                ReasonKind::NoService,
                format!("HAProxy on {} does not answer: the address would lead to nobody.", self.target.node.name),
                vec![why],
                "Start HAProxy there, or mend the connection to the node; then plan again.",
            )),
        }
    }

    fn judge_service(&self, holder: &HaproxySample, target: &HaproxySample, reasons: &mut Vec<Reason>) {
        let usable = |sample: &HaproxySample, name: &str| {
            let backend = sample.backends.iter().find(|backend| backend.name.as_str() == name);
            backend.map(|backend| backend.servers.iter().filter(|server| takes_traffic(server)).count())
        };
        let mut evidence = Vec::new();
        for backend in &holder.backends {
            let name = backend.name.as_str();
            let (here, there) = (usable(holder, name).unwrap_or(0), usable(target, name));
            if here > 0 && there.unwrap_or(0) == 0 {
                let seen = if there.is_some() { "has no usable server" } else { "does not exist" };
                evidence.push(Clean::line(&format!(
                    "{}: {name} {seen}; {} has {here} there",
                    self.target.node.name, self.holder.node.name
                )));
            }
        }
        if !evidence.is_empty() {
            reasons.push(Reason::new(
                ReasonKind::LessService,
                format!("HAProxy on {} would not serve what {} serves.", self.target.node.name, self.holder.node.name),
                evidence,
                "See why its checks fail, or make the load balancers' files equal first.",
            ));
        }
    }

    /// A node outside that has the target as a neighbour in the network of an address that moves.
    fn find_witness(&self, scene: &Scene<'a>) -> Option<Witness<'a>> {
        let hardware = self.hardware();
        let limit_ms = stale_after_ms(scene.inventory).saturating_mul(5);
        let moved = || std::iter::once(self.address).chain(self.target.instance.addresses.iter().copied());
        let outside = scene.inventory.nodes.iter().filter(|node| self.seats().all(|seat| seat.node.name != node.name));
        outside.filter(|node| node.haproxy_socket.is_none()).find_map(|node| {
            let sample = &scene.world.node(&node.name)?.presence.fresh(scene.now.mono, limit_ms)?.sample;
            let knows = |address: &IpAddr| {
                sample.neighbours.iter().any(|neighbour| {
                    hardware.contains(&neighbour.hardware) && is_one_network(neighbour.address, *address)
                })
            };
            moved().find(knows).map(|address| Witness { node, address })
        })
    }
}

/// Whether two addresses are likely in one network: lengths of prefixes are not told, most are so long.
fn is_one_network(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.octets()[..3] == other.octets()[..3],
        (IpAddr::V6(one), IpAddr::V6(other)) => one.segments()[..4] == other.segments()[..4],
        _ => false,
    }
}

fn unread_words(seat: &Seat<'_>) -> Clean {
    let unread = seat.instance.files.iter().filter(|file| file.value.known().is_none());
    let unread: Vec<String> = unread.map(|file| format!("{} ({})", file.name, file.path)).collect();
    if unread.is_empty() {
        return Clean::line(&format!("{}: the instance has no priority", seat.node.name));
    }
    Clean::line(&format!("{}: no number can be read in {}", seat.node.name, unread.join(", ")))
}

pub(super) fn known_vip<'a>(inventory: &'a Inventory, address: IpAddr, reasons: &mut Vec<Reason>) -> Option<&'a Vip> {
    let found = inventory.vips.iter().find(|vip| vip.address == address);
    if found.is_none() {
        let known =
            inventory.vips.iter().map(|vip| Clean::line(&format!("{}: {}", vip.address, names(vip.nodes.iter()))));
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            format!("{address} is no virtual address of this cluster."),
            known.collect(),
            "Check the address; virtual addresses stand under [[vip]] in the configuration.",
        ));
    }
    found
}

fn seats<'a>(scene: &Scene<'a>, vip: &Vip, reasons: &mut Vec<Reason>) -> Vec<Seat<'a>> {
    let mut seats = Vec::new();
    let limit_ms = stale_after_ms(scene.inventory);
    for name in &vip.nodes {
        let facts = scene.world.node(name).zip(scene.inventory.node(name));
        let Some((facts, node)) = facts else { continue };
        let read = sight::<PresenceFacts>(&facts.presence, name, scene.now, limit_ms).and_then(|(facts, age_ms)| {
            let sample = &facts.sample;
            match sample.addresses.as_ref().why() {
                Some(why) => Err(Clean::line(&format!("{name}: its addresses are unknown: {why}"))),
                None => Ok((sample, age_ms)),
            }
        });
        match read {
            Ok((sample, age_ms)) => seats.push(Seat {
                node,
                instance: instance_of(&sample.keepalived, vip.address).cloned().unwrap_or_default(),
                facts: Facts::Presence(Box::new(sample.clone())),
                sample,
                age_ms,
            }),
            Err(why) => reasons.push(Reason::new(
                ReasonKind::StaleFacts,
                format!("Whether {name} holds {} is not known well enough.", vip.address),
                vec![why],
                format!("Mend the connection to {name}, or take it out of the address in vakt's configuration; then plan again."),
            )),
        }
    }
    seats
}

/// The one that holds it; nodes that may not hold it are looked at, too.
fn one_holder<'a>(
    scene: &Scene<'a>,
    vip: &Vip,
    seats: &[Seat<'a>],
    absent: Option<&NodeName>,
    reasons: &mut Vec<Reason>,
) -> Option<Seat<'a>> {
    let address = vip.address;
    let holders: Vec<&Seat<'a>> = seats.iter().filter(|seat| seat.holds(address)).collect();
    let limit_ms = stale_after_ms(scene.inventory).saturating_mul(5);
    let foreign = scene.world.nodes.iter();
    let foreign = foreign.filter(|node| !vip.nodes.contains(&node.name) && Some(&node.name) != absent);
    let foreign: Vec<&NodeName> = foreign
        .filter(|node| {
            let facts = node.presence.fresh(scene.now.mono, limit_ms);
            facts.is_some_and(|facts| facts.carries(address).known() == Some(true))
        })
        .map(|node| &node.name)
        .collect();
    let evidence = || {
        let of_seats = seats.iter().map(|seat| format!("{}: {}", seat.node.name, words(&seat.facts, address)));
        let of_foreign = foreign.iter().map(|name| format!("{name}: holds it, and is not among its nodes"));
        of_seats.chain(of_foreign).map(|line| Clean::line(&line)).collect::<Vec<_>>()
    };
    match (holders.as_slice(), foreign.is_empty()) {
        ([one], true) => return Some((*one).clone()),
        // Somebody who could not be read may hold it: that is told already.
        ([], true) if seats.len() < vip.nodes.len() => {}
        ([], true) if let Some(absent) = absent => reasons.push(Reason::new(
            ReasonKind::SplitBrain,
            format!("No node that answers holds {address}: {absent} may hold it still, and clients with it."),
            evidence(),
            format!(
                "Cut the power of {absent}, or its network: then keepalived on another node takes the address within \
                 seconds. Where nobody takes it, see keepalived's log there. Then plan again."
            ),
        )),
        ([], true) => reasons.push(Reason::new(
            ReasonKind::SplitBrain,
            format!("Nobody holds {address}: there is nothing to move."),
            evidence(),
            "See in keepalived's log on its nodes what its scripts and interfaces say.",
        )),
        _ => reasons.push(Reason::new(
            ReasonKind::SplitBrain,
            format!("{address} is held by several nodes, or by a foreign one: a move would not end that."),
            evidence(),
            "Mend the network between them, or stop keepalived where the address should not be.",
        )),
    }
    None
}

fn names<'a>(names: impl Iterator<Item = &'a NodeName>) -> String {
    crate::plan::haproxy::list_words(names.map(NodeName::as_str))
}
