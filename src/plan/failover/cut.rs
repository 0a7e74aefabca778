//! The fence of a primary whose machine does not answer: its address is cut off on every replica and load balancer. What it
//! writes then nobody acknowledges, and no client of a load balancer hears of it.
//!
//! Deliberately absent: cutting it off elsewhere. Who reaches it without a load balancer is told in the plan.

use super::field::Lost;
use crate::{
    model::{
        cut::{CutRoute, CutSample},
        figure::Figure,
        ids::NodeName,
        inventory::Node,
        text::Clean,
    },
    plan::{
        expect::{Check, Expect, Verdict, is_down, verdict},
        haproxy::list_words,
        limits,
        parts::{Action, Premise, Source, Step, When, Write},
        refusal::{Reason, ReasonKind},
        scene::{Scene, sight},
        switchover::{
            endpoint::Endpoint,
            field::{Seat, is_called},
            steps::{QUICK_POLL_MS, send, until},
        },
    },
    wire::{
        cut,
        probe::{Facts, ProbeId},
    },
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

/// What can be expected of a node about one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutExpect {
    /// No route cuts it off.
    Open(Ipv4Addr),
    /// A route with that mark cuts it off, whatever else.
    Marked(Ipv4Addr, u32),
    /// A route with that mark cuts it off, the kernel would not send there, and no connection with it is left.
    Closed(Ipv4Addr, u32),
}

impl CutExpect {
    fn address(self) -> Ipv4Addr {
        match self {
            Self::Open(address) | Self::Marked(address, _) | Self::Closed(address, _) => address,
        }
    }

    /// Judges the facts of one node.
    pub(in crate::plan) fn judge(self, facts: &Facts) -> Verdict {
        let Facts::Cut(sample) = facts else { return Verdict::Unknown("the answer is not about cut addresses".into()) };
        let address = self.address();
        let route = match sample.route(address) {
            Figure::Known(route) => route,
            Figure::Unknown(why) => return unknown(address, "whether it is cut off", why),
        };
        let seen = route_words(address, route);
        match self {
            Self::Open(_) => verdict(route.is_none(), seen),
            Self::Marked(_, mark) => verdict(route.is_some_and(|route| route.mark == mark), seen),
            Self::Closed(_, mark) if route.is_none_or(|route| route.mark != mark) => verdict(false, seen),
            Self::Closed(..) => {
                let Some(way) = sample.way.as_ref().filter(|way| way.address == address) else {
                    return Verdict::Unknown("the way to it was not looked at".into());
                };
                match (way.leads, way.connections) {
                    (Figure::Unknown(why), _) => unknown(address, "whether a way leads there", why),
                    (_, Figure::Unknown(why)) => unknown(address, "whether a connection is left", why),
                    (Figure::Known(true), _) => verdict(false, format!("{seen}, but another way leads there")),
                    (_, Figure::Known(0)) => verdict(true, format!("{seen}, no connection")),
                    (_, Figure::Known(1)) => verdict(false, format!("{seen}, 1 connection is left")),
                    (_, Figure::Known(count)) => verdict(false, format!("{seen}, {count} connections are left")),
                }
            }
        }
    }
}

fn unknown(address: Ipv4Addr, what: &str, why: impl fmt::Display) -> Verdict {
    Verdict::Unknown(Clean::line(&format!("{address}: {what} is unknown: {why}")))
}

fn route_words(address: Ipv4Addr, route: Option<CutRoute>) -> String {
    match route {
        None => format!("{address} is not cut off"),
        Some(route) if route.is_ours() => format!("{address} is cut off (metric {})", route.mark),
        Some(_) => format!("{address} is cut off by a route that is not vakt's"),
    }
}

/// The expectation as a fragment: "10.10.0.31 is not cut off".
impl fmt::Display for CutExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(address) => write!(f, "{address} is not cut off"),
            Self::Marked(address, mark) => write!(f, "{address} is cut off (metric {mark})"),
            Self::Closed(address, mark) => {
                write!(f, "{address} is cut off (metric {mark}), no other way leads there, and no connection is left")
            }
        }
    }
}

/// What a node has cut off, in one line.
pub(in crate::plan) fn words(sample: &CutSample) -> Clean {
    Clean::line(&match &sample.routes {
        Figure::Unknown(why) => format!("what is cut off there is unknown: {why}"),
        Figure::Known(routes) if routes.is_empty() => "no address is cut off there".to_owned(),
        Figure::Known(routes) => {
            let all: Vec<String> =
                routes.iter().take(8).map(|route| route_words(route.address, Some(*route))).collect();
            all.join("; ")
        }
    })
}

/// The mark by which these steps cut an address off.
pub fn cut_mark(steps: &[Step]) -> Option<u32> {
    let writes = steps.iter().filter_map(Step::write);
    writes.filter_map(|write| cut::told(&write.request.call)).find_map(|(does_cut, _, mark)| does_cut.then_some(mark))
}

/// The address of the old primary, and everybody who cuts it off.
pub(super) struct Cut<'a> {
    pub(super) address: Ipv4Addr,
    pub(super) places: Vec<Place<'a>>,
    /// Where nothing is proven, one line each. None of them without an operator's word.
    pub(super) doubts: Vec<Clean>,
}

/// A replica or a load balancer that cuts the address off.
pub(super) struct Place<'a> {
    pub(super) node: &'a Node,
    facts: Facts,
    age_ms: u64,
    /// The mark of the route: of this plan, or of an earlier one that left it.
    mark: u32,
}

impl Place<'_> {
    fn check(&self, is: CutExpect) -> Check {
        Check { node: self.node.name.clone(), probe: ProbeId::Cut, expect: Expect::Cut(is) }
    }
}

/// The words that an operator types to take the risk.
pub(super) fn phrase(name: &NodeName) -> String {
    format!("{name} may still take writes")
}

/// Everybody who has to cut that address off, and where nobody can.
pub(super) fn survey<'a>(scene: &Scene<'a>, node: &Node, replicas: &[&Seat<'a>], stale_after_ms: u64) -> Cut<'a> {
    let name = &node.name;
    let mut cut = Cut { address: Ipv4Addr::UNSPECIFIED, places: Vec::new(), doubts: Vec::new() };
    let Some(IpAddr::V4(address)) = node.private else {
        cut.doubts.push(Clean::line(&format!("{name}: the configuration names no private IPv4 address to cut off")));
        return cut;
    };
    cut.address = address;
    let text = address.to_string();
    for seat in replicas {
        if let Some(host) = seat.source().filter(|host| host.as_str() != text) {
            cut.doubts.push(Clean::line(&format!("{}: replicates from {host}, not from {address}", seat.name())));
        }
    }
    let replicates = |other: &Node| replicas.iter().any(|seat| seat.node.name == other.name);
    let has_part = |other: &&Node| other.name != *name && (other.haproxy_socket.is_some() || replicates(other));
    let mark = u32::try_from(scene.now.wall.0 / 1000).unwrap_or(u32::MAX);
    for other in scene.inventory.nodes.iter().filter(has_part) {
        match place(scene, other, address, mark, stale_after_ms) {
            Ok(place) => cut.places.push(place),
            Err(why) => cut.doubts.push(why),
        }
        cut.doubts.extend(other_ways(scene, other, node, &text));
    }
    cut
}

fn place<'a>(
    scene: &Scene<'a>,
    node: &'a Node,
    address: Ipv4Addr,
    mark: u32,
    stale_after_ms: u64,
) -> Result<Place<'a>, Clean> {
    let name = &node.name;
    let say = |what: String| Clean::line(&format!("{name}: {what}"));
    let facts = scene.world.node(name).ok_or_else(|| say("not watched".to_owned()))?;
    let (sample, age_ms) = sight(&facts.cut, name, scene.now, stale_after_ms)?;
    if !sample.lacking.is_empty() {
        return Err(say(format!("{} is not there", list_words(sample.lacking.iter().map(Clean::as_str)))));
    }
    let mark = match sample.route(address) {
        Figure::Unknown(why) => return Err(say(format!("what is cut off there is unknown: {why}"))),
        Figure::Known(None) => mark,
        Figure::Known(Some(route)) if route.is_ours() => route.mark,
        Figure::Known(Some(_)) => return Err(say(route_words(address, sample.route(address).known().flatten()))),
    };
    Ok(Place { node, facts: Facts::Cut(Box::new(sample.clone())), age_ms, mark })
}

/// Servers of a load balancer that lead to the old primary by another address.
fn other_ways(scene: &Scene<'_>, balancer: &Node, lost: &Node, address: &str) -> Vec<Clean> {
    let facts = scene.world.node(&balancer.name).and_then(|facts| facts.haproxy.last());
    let backends = facts.iter().flat_map(|facts| &facts.sample.backends);
    let servers = backends.flat_map(|backend| backend.servers.iter().map(move |server| (backend, server)));
    let hosts = servers.filter_map(|(backend, server)| {
        let (host, _) = server.address.as_ref().known()?.as_str().rsplit_once(':')?;
        (host != address && is_called(lost, host))
            .then(|| format!("{}: {}/{} leads to {host}", balancer.name, backend.name, server.name))
    });
    hosts.map(|line| Clean::line(&line)).collect()
}

/// Who still reaches it, so that it may serve: then it is only vakt that does not.
pub(super) fn refuse_reached(
    name: &NodeName,
    replicas: &[&Seat<'_>],
    endpoints: &[Endpoint<'_>],
    witnesses: &[Clean],
    reasons: &mut Vec<Reason>,
) {
    let told = |endpoint: &&Endpoint<'_>| {
        let found = crate::plan::expect::find(&endpoint.facts, &endpoint.old).ok();
        found.map(|(_, server)| {
            (is_down(server), server.operational.takes_traffic() && server.check.health.known().is_some())
        })
    };
    let is_up = |endpoint: &&Endpoint<'_>| told(endpoint).is_some_and(|(_, is_up)| is_up);
    let up: Vec<&str> = endpoints.iter().filter(is_up).map(|endpoint| endpoint.name().as_str()).collect();
    let is_seen_down = endpoints.iter().any(|endpoint| told(&endpoint).is_some_and(|(is_down, _)| is_down));
    let hears = |seat: &&&Seat<'_>| {
        let channel = seat.channels().first();
        channel.is_some_and(|channel| {
            channel.receiver.as_ref().known() == Some(&crate::model::mysql::ThreadState::Running)
        })
    };
    let hearing: Vec<&str> = replicas.iter().filter(hears).map(|seat| seat.name().as_str()).collect();
    let who = match (up.is_empty(), is_seen_down, hearing.is_empty()) {
        (false, ..) => format!("HAProxy on {}", list_words(up)),
        (true, false, false) => list_words(hearing),
        _ => return,
    };
    let noticed = if endpoints.is_empty() { "the replicas have" } else { "HAProxy has" };
    reasons.push(Reason::new(
        ReasonKind::Serves,
        format!("{who} still reaches {name}: it may serve, and only the way from here to its machine is cut."),
        witnesses.to_vec(),
        format!(
            "Mend the way to {name}. If it fell silent a moment ago, plan again once {noticed} noticed; if it does serve, \
             move the primary without a loss: vakt do mysql.switchover --to NODE."
        ),
    ));
}

impl Cut<'_> {
    /// What must hold for as long as nobody but the new primary may write.
    pub(super) fn proof(&self) -> Vec<Check> {
        self.places.iter().map(|place| place.check(CutExpect::Closed(self.address, place.mark))).collect()
    }

    /// The names of everybody who cuts it off.
    pub(super) fn names(&self) -> String {
        list_words(self.places.iter().map(|place| place.node.name.as_str()))
    }

    pub(super) fn premises(&self, age_ms_max: u64) -> Vec<Premise> {
        let premise = |place: &Place<'_>| {
            let is = match place.facts_route(self.address) {
                Some(route) => CutExpect::Marked(self.address, route.mark),
                None => CutExpect::Open(self.address),
            };
            let seen = is.judge(&place.facts).seen().clone();
            Premise { check: place.check(is), seen, age_ms: place.age_ms, age_ms_max }
        };
        self.places.iter().map(premise).collect()
    }

    pub(super) fn sources(&self, deadline_ms: u64) -> Vec<Source> {
        let source = |place: &Place<'_>| Source {
            node: place.node.name.clone(),
            probe: ProbeId::Cut,
            requests: cut::requests_of_plan(self.address, deadline_ms),
        };
        self.places.iter().map(source).collect()
    }

    pub(super) fn age_ms(&self) -> u64 {
        self.places.iter().map(|place| place.age_ms).max().unwrap_or_default()
    }

    /// The address is cut off, one node after the other in one breath: load balancers first, so that what the old primary
    /// is told last is still received.
    pub(super) fn raise(&self, lost: &Lost<'_>) -> Vec<Step> {
        let mut places: Vec<&Place<'_>> = self.places.iter().collect();
        places.sort_by_key(|place| place.node.haproxy_socket.is_none());
        // What an earlier plan left cut off is looked at like the rest, and not cut off twice.
        places.retain(|place| place.facts_route(self.address).is_none());
        let step = |(number, place): (usize, &Place<'_>)| {
            // A route that is there while a connection is left was put there, and can be taken back.
            let done = vec![place.check(CutExpect::Marked(self.address, place.mark))];
            let after = [&done[..], &[place.check(CutExpect::Closed(self.address, place.mark))]].concat();
            let title = format!("{}: {} ({}) is cut off, and proven", place.node.name, lost.name(), self.address);
            Step {
                title: Clean::line(&title),
                when: When::Always,
                at_once: number > 0,
                action: Action::Write(Box::new(Write {
                    node: place.node.name.clone(),
                    request: cut::cut(self.address, place.mark),
                    rests: None,
                    told_anew: false,
                    binds: Vec::new(),
                    before: vec![place.check(CutExpect::Open(self.address))],
                    guards: Vec::new(),
                    done,
                    after: until(after, 1, QUICK_POLL_MS, limits::VERIFY_DEADLINE_MS),
                    undo: send("the way is open again", cut::open(self.address, place.mark)),
                })),
            }
        };
        places.into_iter().enumerate().map(step).collect()
    }
}

impl Place<'_> {
    fn facts_route(&self, address: Ipv4Addr) -> Option<CutRoute> {
        let Facts::Cut(sample) = &self.facts else { return None };
        sample.route(address).known().flatten()
    }
}
