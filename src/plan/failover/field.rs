//! The databases as observed: whose place is to be taken, by what is known that it does not serve, and every reason why
//! no failover can be planned.

use super::{
    candidate,
    cut::{self, Cut},
    expect::words as daemon_words,
    loss::{self, Loss},
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        haproxy::{AdminState, Server},
        ids::NodeName,
        inventory::Node,
        mysql::{DaemonSample, DaemonState},
        text::Clean,
        world::NodeFacts,
    },
    plan::{
        expect::{Check, Expect, find},
        haproxy::list_words,
        refusal::{Reason, ReasonKind},
        scene::{Scene, sight},
        switchover::{
            besides::Besides,
            candidate::Line,
            endpoint::{self, Endpoint},
            field::{STALE_MS, Seat, is_called, name_hosts, refuse_families, refuse_unknown, seat},
        },
        text::seconds,
    },
    wire::probe::ProbeId,
};

use super::expect::DaemonExpect;

/// Everything that a failover rests on.
pub(super) struct Field<'a> {
    pub(super) lost: Lost<'a>,
    pub(super) target: Seat<'a>,
    /// The other replicas of the old primary: they move under the target afterwards.
    pub(super) siblings: Vec<Seat<'a>>,
    /// Databases that replicate from somebody else: left alone.
    pub(super) others: Vec<Seat<'a>>,
    pub(super) endpoints: Vec<Endpoint<'a>>,
    /// What leads writes besides.
    pub(super) besides: Besides<'a>,
    pub(super) left_alone: Vec<String>,
    /// Each replica with each check.
    pub(super) candidates: Vec<(NodeName, Vec<Line>)>,
    pub(super) loss: Loss,
    pub(super) stale_after_ms: u64,
}

/// The primary that does not serve.
pub(super) struct Lost<'a> {
    pub(super) node: &'a Node,
    /// What the replicas call it.
    pub(super) host: Clean,
    pub(super) port: u16,
    pub(super) fence: Fence<'a>,
    pub(super) age_ms: u64,
    /// Who says what about it, one a line.
    pub(super) witnesses: Vec<Clean>,
}

/// How it is kept from writing.
pub(super) enum Fence<'a> {
    /// Its machine answers: its daemon is masked and killed.
    Daemon(Daemon),
    /// Its machine does not: nobody hears it any more.
    Cut(Cut<'a>),
}

/// The daemon of the old primary, by its machine's word.
pub(super) struct Daemon {
    /// The unit that starts it.
    pub(super) unit: Clean,
    pub(super) state: DaemonState,
    pub(super) pid: Option<u32>,
    age_ms: u64,
}

impl Lost<'_> {
    pub(super) fn name(&self) -> &NodeName {
        &self.node.name
    }

    pub(super) fn check(&self, is: DaemonExpect) -> Check {
        Check { node: self.node.name.clone(), probe: ProbeId::Daemon, expect: Expect::Daemon(is) }
    }

    /// What must hold for as long as nobody but the new primary may write.
    pub(super) fn proof(&self) -> Vec<Check> {
        match &self.fence {
            Fence::Daemon(_) => vec![self.check(DaemonExpect::Fenced)],
            Fence::Cut(cut) => cut.proof(),
        }
    }

    /// Why nothing is proven, one a line; only where the operator takes the risk.
    pub(super) fn doubts(&self) -> &[Clean] {
        match &self.fence {
            Fence::Daemon(_) => &[],
            Fence::Cut(cut) => &cut.doubts,
        }
    }
}

/// Databases by what they say of themselves.
struct Answers<'a> {
    seats: Vec<Seat<'a>>,
    /// Those that say nothing, and why.
    silent: Vec<(&'a Node, Clean)>,
}

impl<'a> Answers<'a> {
    fn of(scene: &Scene<'a>, stale_after_ms: u64) -> Self {
        let mut answers = Self { seats: Vec::new(), silent: Vec::new() };
        for node in &scene.inventory.nodes {
            let (Some(database), Some(facts)) = (&node.database, scene.world.node(&node.name)) else { continue };
            match sight(&facts.switchover, &node.name, scene.now, stale_after_ms) {
                // The quicker question noticed it first.
                Ok(_) if fell_silent(facts) => answers.silent.push((node, Clean::line(&silence(facts, scene)))),
                Ok((sample, age_ms)) => answers.seats.push(seat(node, database, sample, age_ms)),
                Err(why) => answers.silent.push((node, why)),
            }
        }
        answers
    }

    /// The node that the replicas replicate from.
    fn source(&self, scene: &Scene<'a>, reasons: &mut Vec<Reason>) -> Option<&'a Node> {
        let databases = || scene.inventory.nodes.iter().filter(|node| node.database.is_some());
        let sources = self.seats.iter().filter_map(|seat| seat.source());
        let mut nodes: Vec<&Node> =
            sources.filter_map(|host| databases().find(|node| is_called(node, host.as_str()))).collect();
        nodes.sort_by_key(|node| &node.name);
        nodes.dedup_by_key(|node| &node.name);
        // Of a chain the first one is meant: it replicates from nobody.
        let follows =
            |node: &&Node| self.seats.iter().any(|seat| seat.node.name == node.name && !seat.channels().is_empty());
        nodes.retain(|node| !follows(node));
        match nodes.as_slice() {
            [one] => return Some(one),
            [] => reasons.push(Reason::new(
                ReasonKind::UnknownTarget,
                "No replica tells from whom it replicates: it is not known whose place is to be taken.",
                self.evidence(),
                "Let a replica be read; where nothing replicates, there is nobody to fail over to.",
            )),
            several => reasons.push(Reason::new(
                ReasonKind::SplitBrain,
                format!("Replicas follow {}.", list_words(several.iter().map(|node| node.name.as_str()))),
                self.evidence(),
                "Let them all follow the right one first.",
            )),
        }
        None
    }

    /// Replicas, as far as anybody knows, that say nothing.
    fn unread(&self, lost: &Node) -> Vec<Clean> {
        let silent = self.silent.iter().filter(|(node, _)| node.name != lost.name);
        silent.map(|(_, why)| why.clone()).collect()
    }

    fn evidence(&self) -> Vec<Clean> {
        self.seats.iter().map(Seat::words).chain(self.silent.iter().map(|(_, why)| why.clone())).collect()
    }

    /// What forbids a failover, whoever would be the new primary.
    fn judge(&self, lost: &Node, takes_risk: bool, reasons: &mut Vec<Reason>) {
        let takes_writes = |seat: &&Seat<'_>| seat.sample.state.read_only.known() == Some(false);
        for seat in self.seats.iter().filter(takes_writes) {
            let (name, read_only) = (seat.name(), seat.speaks().read_only);
            if *name == lost.name {
                reasons.push(Reason::new(
                    ReasonKind::Serves,
                    format!("{name} is alive and takes writes: a failover would stop it and could lose them."),
                    vec![seat.words()],
                    "Move the primary without a loss: vakt do mysql.switchover --to NODE.",
                ));
            } else {
                reasons.push(Reason::new(
                    ReasonKind::SplitBrain,
                    format!("{name} takes writes already: it may be the primary by now."),
                    vec![seat.words()],
                    format!("Find out who made it writable; make it read-only if nobody meant to (set global {read_only} = 1 on {name})."),
                ));
            }
        }
        for (node, why) in self.silent.iter().filter(|(node, _)| node.name != lost.name && !takes_risk) {
            reasons.push(Reason::new(
                ReasonKind::StaleFacts,
                format!("{} cannot be read: it may have what no other replica has.", node.name),
                vec![why.clone()],
                format!(
                    "Mend the connection to {}, or take its database out of the configuration and accept that what only \
                     it has is lost; then plan again.",
                    node.name
                ),
            ));
        }
    }
}

/// Whether a database that answered this question left a later one unanswered.
fn fell_silent(facts: &NodeFacts) -> bool {
    let asked_at = facts.switchover.at();
    facts.mysql.failure().is_some_and(|failure| asked_at.is_some_and(|at| failure.since.mono > at.mono))
}

fn silence(facts: &NodeFacts, scene: &Scene<'_>) -> String {
    let observed = facts.mysql.failure().or(facts.switchover.failure());
    match observed {
        Some(failure) => format!(
            "{}: no answer from the database since {}: {}",
            facts.name,
            seconds(scene.now.mono.since_ms(failure.since.mono)),
            failure.reason
        ),
        None => format!("{}: the database was not asked", facts.name),
    }
}

impl<'a> Field<'a> {
    /// Looks at every database. `None` when it is not known whose place is to be taken, or by whom it could be.
    pub(super) fn survey(
        scene: &Scene<'a>,
        to: Option<&NodeName>,
        risk: Option<&Clean>,
        reasons: &mut Vec<Reason>,
    ) -> Option<Self> {
        if let Some(to) = to {
            scene.database_or_refuse(to, reasons)?;
        }
        let stale_after_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
        let mut answers = Answers::of(scene, stale_after_ms);
        let mut found = Vec::new();
        refuse_families(&answers.seats, &mut found);
        refuse_unknown(&answers.seats, &mut found);
        let is_known = found.is_empty();
        reasons.append(&mut found);
        let node = is_known.then(|| answers.source(scene, reasons)).flatten()?;
        let takes_risk = risk.is_some_and(|risk| risk.as_str() == cut::phrase(&node.name));
        let facts = scene.world.node(&node.name)?;
        let machine = Daemon::of(facts, scene, stale_after_ms);
        // Where the daemon can be killed, nobody has to take a risk.
        let takes_risk = takes_risk && machine.is_err();
        answers.judge(node, takes_risk, reasons);
        let witnesses = witnesses(scene, facts, &answers);
        let unread = answers.unread(node);
        name_hosts(&mut answers.seats, node);
        let mut seats = answers.seats;
        seats.retain(|seat| seat.node.name != node.name);
        let follows = |seat: &Seat<'_>| seat.source().is_some_and(|source| is_called(node, source.as_str()));
        let (mut replicas, others): (Vec<_>, Vec<_>) = seats.into_iter().partition(follows);
        let read: Vec<&Seat<'a>> = replicas.iter().collect();
        let told = (witnesses, unread);
        let lost = Lost::fenced(scene, node, &read, (machine, takes_risk), told, reasons);
        let candidates = candidate::table(&replicas, scene);
        let at = candidate::choose(&replicas, &candidates, to, reasons)?;
        let target = replicas.remove(at);
        let (siblings, lost) = (replicas, lost?);
        let nodes = siblings.iter().chain(&others).map(|seat| seat.node).collect();
        let change = endpoint::Move { from: node, to: target.node, others: nodes, is_sent_to };
        let mut found = Vec::new();
        let (endpoints, left_alone) = endpoint::find(&change, scene, &mut found);
        let is_unread = |reason: &Reason| reason.kind == ReasonKind::StaleFacts;
        if takes_risk && !endpoints.is_empty() {
            found.retain(|reason| !is_unread(reason));
        }
        reasons.append(&mut found);
        let besides = Besides::of_failover(scene, node, target.node, is_absent(&lost, facts, scene), reasons);
        let mut field = Self {
            besides,
            lost,
            target,
            siblings,
            others,
            endpoints,
            left_alone,
            candidates,
            loss: Loss::Unknown(String::new()),
            stale_after_ms,
        };
        field.hear_load_balancers();
        if matches!(field.lost.fence, Fence::Cut(_)) {
            let replicas: Vec<&Seat<'a>> = field.replicas().collect();
            cut::refuse_reached(field.lost.name(), &replicas, &field.endpoints, &field.lost.witnesses, reasons);
        }
        field.loss = loss::judge(&field.lost, facts, &field.endpoints, scene.now);
        Some(field)
    }

    /// Every server that replicated from the old primary.
    pub(super) fn replicas(&self) -> impl Iterator<Item = &Seat<'a>> {
        std::iter::once(&self.target).chain(&self.siblings)
    }

    /// Every server that is read as a database.
    pub(super) fn seats(&self) -> impl Iterator<Item = &Seat<'a>> {
        self.replicas().chain(&self.others)
    }

    fn hear_load_balancers(&mut self) {
        for endpoint in &self.endpoints {
            if let Ok((_, server)) = find(&endpoint.facts, &endpoint.old) {
                let words = format!("{}: {} is {}", endpoint.name(), endpoint.old, server.operational);
                self.lost.witnesses.push(Clean::line(&words));
            }
        }
    }
}

/// Whether nothing can be read of its machine, nor told to it.
fn is_absent(lost: &Lost<'_>, facts: &NodeFacts, scene: &Scene<'_>) -> bool {
    let limit_ms = crate::plan::vip::stale_after_ms(scene.inventory);
    matches!(lost.fence, Fence::Cut(_)) && facts.presence.fresh(scene.now.mono, limit_ms).is_none()
}

/// Also one that is down: HAProxy would send to it as soon as it is up again.
fn is_sent_to(server: &Server) -> bool {
    server.admin.known() == Some(AdminState::Ready)
}

impl<'a> Lost<'a> {
    /// The old primary with its fence, or a refusal. `told` is who says what about it, and who says nothing.
    fn fenced(
        scene: &Scene<'a>,
        node: &'a Node,
        replicas: &[&Seat<'a>],
        (machine, takes_risk): (Result<Daemon, (String, Option<Clean>)>, bool),
        (witnesses, unread): (Vec<Clean>, Vec<Clean>),
        reasons: &mut Vec<Reason>,
    ) -> Option<Self> {
        let (what, why) = match machine {
            Ok(daemon) => return Self::of(node, replicas, Fence::Daemon(daemon), witnesses),
            Err(unfenced) => unfenced,
        };
        let stale_after_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
        let mut cut = cut::survey(scene, node, replicas, stale_after_ms);
        if cut.doubts.is_empty() || takes_risk {
            cut.doubts.extend(unread);
            return Self::of(node, replicas, Fence::Cut(cut), witnesses);
        }
        let evidence = why.into_iter().chain(cut.doubts).chain(witnesses).collect();
        reasons.push(no_fence(&node.name, &what, evidence));
        None
    }

    fn of(node: &'a Node, replicas: &[&Seat<'a>], fence: Fence<'a>, witnesses: Vec<Clean>) -> Option<Self> {
        let age_ms = match &fence {
            Fence::Daemon(daemon) => daemon.age_ms,
            Fence::Cut(cut) => cut.age_ms(),
        };
        let channel = replicas.first()?.channels().first()?;
        let (host, port) = (channel.source_host.clone().known()?, channel.source_port.known().unwrap_or(3306));
        Some(Self { node, host, port, fence, age_ms, witnesses })
    }
}

impl Daemon {
    /// The daemon, or why its machine cannot keep it from writing: in a fragment, and what was seen.
    fn of(facts: &NodeFacts, scene: &Scene<'_>, stale_after_ms: u64) -> Result<Self, (String, Option<Clean>)> {
        let (daemon, age_ms) = sight(&facts.daemon, &facts.name, scene.now, stale_after_ms)
            .map_err(|why| ("its machine does not answer".to_owned(), Some(why)))?;
        let unit = match &daemon.unit {
            Figure::Known(unit) => unit.clone(),
            Figure::Unknown(Unknown::NotOffered) => {
                return Err(("its machine is not run by systemd".to_owned(), None));
            }
            Figure::Unknown(_) => return Err(("no unit of mariadb, mysqld or mysql is there".to_owned(), None)),
        };
        let Figure::Known(state) = daemon.state() else {
            return Err(("its processes are hidden from vakt's login".to_owned(), None));
        };
        let strangers = strangers(daemon, &unit);
        if !strangers.is_empty() {
            let names = list_words(strangers);
            return Err((format!("{names} runs there besides, and it is not known whose port it has"), None));
        }
        Ok(Self { unit, state, pid: daemon.pid(), age_ms })
    }
}

/// Units of other database servers on that machine.
fn strangers<'s>(daemon: &'s DaemonSample, unit: &Clean) -> Vec<&'s str> {
    let processes = daemon.processes.as_ref().known().map_or(&[][..], Vec::as_slice);
    let others = processes.iter().map(|process| process.unit.as_str());
    others.filter(|other| !other.is_empty() && *other != unit.as_str()).collect()
}

fn no_fence(name: &NodeName, what: &str, evidence: Vec<Clean>) -> Reason {
    Reason::new(
        ReasonKind::NoFence,
        format!(
            "Nobody can prove that {name} does not write any more: {what}, and its address cannot be cut off everywhere."
        ),
        evidence,
        format!(
            "Mend what stands in the way of cutting it off, cut its power or its cables, or mend the way to it; then plan \
             again. While {name} may write, a second primary would make two histories. Who takes that risk says so: \
             --accept-risk \"{}\".",
            cut::phrase(name)
        ),
    )
}

/// What the console, the machine and every replica say about the old primary.
fn witnesses(scene: &Scene<'_>, facts: &NodeFacts, answers: &Answers<'_>) -> Vec<Clean> {
    let name = &facts.name;
    let own = answers.seats.iter().find(|seat| seat.name() == name);
    let mut lines = vec![own.map_or_else(|| Clean::line(&silence(facts, scene)), Seat::words)];
    if let Some(daemon) = facts.daemon.fresh(scene.now.mono, STALE_MS) {
        lines.push(Clean::line(&format!("{name}: {}", daemon_words(daemon))));
    }
    lines.extend(answers.seats.iter().filter(|seat| !seat.channels().is_empty()).map(Seat::words));
    lines
}
