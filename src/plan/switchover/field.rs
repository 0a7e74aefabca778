//! The databases as observed: who is the primary, who follows it, and every reason why no switchover can be planned.

use super::{
    Reason, ReasonKind, Scene,
    besides::Besides,
    candidate::{self, Line},
    endpoint::{self, Endpoint},
    expect,
    statements::{self, Words},
};
use crate::{
    model::{
        figure::Figure,
        ids::NodeName,
        inventory::{Database, Inventory, Node},
        mysql::{Channel, Dialect, SwitchoverSample},
        text::Clean,
    },
    plan::{haproxy::list_words, scene::sight},
    wire::probe::Facts,
};
use std::net::IpAddr;

/// Facts are read every six seconds; two and a half of that is fresh enough to plan on. A run reads them again.
pub(in crate::plan) const STALE_MS: u64 = 15_000;

/// Everything that a switchover rests on.
pub(in crate::plan) struct Field<'a> {
    pub(in crate::plan) primary: Seat<'a>,
    pub(in crate::plan) target: Seat<'a>,
    /// The other replicas of the primary: they move under the target.
    pub(in crate::plan) siblings: Vec<Seat<'a>>,
    /// Databases that follow somebody else, or nobody: left alone.
    pub(in crate::plan) others: Vec<Seat<'a>>,
    pub(in crate::plan) endpoints: Vec<Endpoint<'a>>,
    /// What leads writes besides.
    pub(in crate::plan) besides: Besides<'a>,
    /// What load balancers are left alone with, in sentences.
    pub(in crate::plan) left_alone: Vec<String>,
    /// Each replica with each check.
    pub(in crate::plan) candidates: Vec<(NodeName, Vec<Line>)>,
    pub(in crate::plan) stale_after_ms: u64,
    pub(in crate::plan) lag_ms_max: u64,
}

/// One database server.
#[derive(Clone)]
pub(in crate::plan) struct Seat<'a> {
    pub(in crate::plan) node: &'a Node,
    pub(in crate::plan) database: &'a Database,
    pub(in crate::plan) sample: &'a SwitchoverSample,
    /// Whose words it understands.
    pub(in crate::plan) dialect: Dialect,
    pub(in crate::plan) facts: Facts,
    pub(in crate::plan) age_ms: u64,
    /// What the others call it in replication.
    pub(in crate::plan) host: Clean,
}

impl Seat<'_> {
    pub(in crate::plan) fn name(&self) -> &NodeName {
        &self.node.name
    }

    pub(in crate::plan) fn channels(&self) -> &[Channel] {
        self.sample.channels.as_ref().known().map_or(&[], Vec::as_slice)
    }

    /// Where the server is said to replicate from.
    pub(in crate::plan) fn source(&self) -> Option<&Clean> {
        self.channels().first()?.source_host.as_ref().known()
    }

    /// In which words it is told something.
    pub(in crate::plan) fn speaks(&self) -> &'static Words {
        statements::words(self.dialect)
    }

    pub(in crate::plan) fn port(&self) -> u16 {
        self.sample.settings.port.known().unwrap_or(3306)
    }

    /// In one line.
    pub(in crate::plan) fn words(&self) -> Clean {
        Clean::line(&format!("{}: {}", self.node.name, expect::words(&self.facts)))
    }
}

/// By which of its addresses a node is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Private,
    Management,
    Public,
    Name,
}

fn called(node: &Node, kind: Kind) -> Option<String> {
    let address = |address: Option<IpAddr>| address.map(|address| address.to_string());
    match kind {
        Kind::Private => address(node.private),
        Kind::Management => Some(node.management.clone()),
        Kind::Public => address(node.public),
        Kind::Name => Some(node.name.to_string()),
    }
}

const KINDS: [Kind; 4] = [Kind::Private, Kind::Management, Kind::Public, Kind::Name];

/// Whether that word names the node.
pub(in crate::plan) fn is_called(node: &Node, word: &str) -> bool {
    KINDS.iter().any(|kind| called(node, *kind).as_deref() == Some(word))
}

impl<'a> Field<'a> {
    /// Looks at every database. `None` when it is not known who is the primary, or what could become it.
    pub(in crate::plan) fn survey(scene: &Scene<'a>, to: &NodeName, reasons: &mut Vec<Reason>) -> Option<Self> {
        scene.database_or_refuse(to, reasons)?;
        let stale_after_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
        let mut seats = read_all(scene, stale_after_ms, reasons);
        refuse_families(&seats, reasons);
        refuse_unknown(&seats, reasons);
        if !reasons.is_empty() {
            return None;
        }
        let primary_at = one_primary(&seats, reasons)?;
        let node = seats[primary_at].node;
        name_hosts(&mut seats, node);
        let primary = seats.remove(primary_at);
        if primary.node.name == *to {
            let field = Self::of(primary.clone(), primary, Vec::new(), seats, stale_after_ms);
            return Some(field);
        }
        let follows = |seat: &Seat<'_>| seat.source().is_some_and(|source| is_called(primary.node, source.as_str()));
        let target_at = seats.iter().position(|seat| seat.node.name == *to)?;
        let target = seats.remove(target_at);
        let (siblings, others): (Vec<_>, Vec<_>) = seats.into_iter().partition(follows);
        let mut field = Self::of(primary, target, siblings, others, stale_after_ms);
        field.lag_ms_max = scene.inventory.settings.thresholds.database.lag_ms;
        field.candidates = candidate::table(&field, scene);
        candidate::judge(&field, to, reasons);
        field.judge_primary(reasons);
        refuse_login(&field.primary, &field.target, reasons);
        let others = field.siblings.iter().chain(&field.others).map(|seat| seat.node).collect();
        let is_sent_to = crate::plan::expect::takes_traffic;
        let step = endpoint::Move { from: field.primary.node, to: field.target.node, others, is_sent_to };
        (field.endpoints, field.left_alone) = endpoint::find(&step, scene, reasons);
        field.besides = Besides::of_switchover(scene, field.primary.node, field.target.node, reasons);
        Some(field)
    }

    fn of(
        primary: Seat<'a>,
        target: Seat<'a>,
        siblings: Vec<Seat<'a>>,
        others: Vec<Seat<'a>>,
        stale_after_ms: u64,
    ) -> Self {
        let (endpoints, left_alone, candidates) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            primary,
            target,
            siblings,
            others,
            endpoints,
            besides: Besides::default(),
            left_alone,
            candidates,
            stale_after_ms,
            lag_ms_max: 0,
        }
    }

    /// Whether the target is the primary already.
    pub(in crate::plan) fn is_there(&self) -> bool {
        self.primary.node.name == self.target.node.name
    }

    /// Every server that is not the primary and replicates from it.
    pub(in crate::plan) fn replicas(&self) -> impl Iterator<Item = &Seat<'a>> {
        std::iter::once(&self.target).chain(&self.siblings)
    }

    /// Every server.
    pub(in crate::plan) fn seats(&self) -> impl Iterator<Item = &Seat<'a>> {
        let target = (!self.is_there()).then_some(&self.target);
        std::iter::once(&self.primary).chain(target).chain(&self.siblings).chain(&self.others)
    }

    /// Each server in one line.
    pub(in crate::plan) fn evidence(&self) -> Vec<Clean> {
        self.seats().map(Seat::words).collect()
    }

    /// What the primary must not be busy with.
    fn judge_primary(&self, reasons: &mut Vec<Reason>) {
        let name = &self.primary.node.name;
        let sample = self.primary.sample;
        match &sample.work {
            Figure::Unknown(why) => reasons.push(unread(name, "what goes on there", *why, "PROCESS, EVENT")),
            Figure::Known(work) => {
                let words = expect::work_words(work);
                if !words.is_empty() {
                    reasons.push(Reason::new(
                        ReasonKind::Busy,
                        format!("A standstill of {name} would cut work off, or would have to wait for it."),
                        words.iter().map(|line| Clean::line(&format!("{name}: {line}"))).collect(),
                        "Wait until it has ended, or end it (the screen of databases shows the sessions); move events \
                         by hand and switch them off first.",
                    ));
                }
            }
        }
        for seat in self.seats() {
            let Figure::Known(work) = &seat.sample.work else { continue };
            if !work.automation.is_empty() {
                reasons.push(Reason::new(
                    ReasonKind::Automation,
                    format!("Another program switches {} over by itself: both would act.", seat.node.name),
                    work.automation.iter().map(|sign| Clean::line(&format!("{}: {sign}", seat.node.name))).collect(),
                    "Use that program's own switchover, or stop it on every host first.",
                ));
            }
        }
        match expect::passing(sample) {
            Figure::Unknown(why) => {
                reasons.push(unread(name, "who may write although it is read-only", why, "SELECT ON mysql.*"));
            }
            Figure::Known(names) if names.is_empty() => {}
            Figure::Known(names) => reasons.push(Reason::new(
                ReasonKind::Busy,
                format!("read_only would not stop everybody on {name}: some sessions may write past it."),
                names.iter().map(|who| Clean::line(&format!("{name}: READ_ONLY ADMIN: {who}"))).collect(),
                "End these sessions, or take the privilege: revoke READ_ONLY ADMIN on *.* from the login.",
            )),
        }
        if let Figure::Known(Some(session)) = sample.state.lease {
            reasons.push(held(name, session));
        }
    }
}

/// Whether a former primary can come back as a replica of that server.
pub(in crate::plan) fn refuse_login(primary: &Seat<'_>, target: &Seat<'_>, reasons: &mut Vec<Reason>) {
    let Some(user) = primary.database.replication.user.as_deref() else {
        reasons.push(Reason::new(
            ReasonKind::NoWay,
            format!("{} could not replicate from {}: vakt has no login for that.", primary.name(), target.name()),
            Vec::new(),
            "Set replication_user and replication_password_file under [mysql] in the configuration.",
        ));
        return;
    };
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    };
    if !plain(user) {
        reasons.push(Reason::new(
            ReasonKind::UnsafeName,
            "The name of the replication account is not safe to send.",
            vec![Clean::line(user)],
            "Use a name of letters, digits and _ . - only.",
        ));
    }
    match &target.sample.replicators {
        Figure::Unknown(why) => {
            reasons.push(unread(target.name(), "which accounts may replicate", *why, "SELECT ON mysql.*"));
        }
        Figure::Known(accounts) => {
            // The others prove it by moving under the target before anything stands still.
            if !accounts.iter().any(|account| account.admits(user, primary.host.as_str())) {
                let known = accounts.iter().map(|one| Clean::line(&format!("{}@{}", one.user, one.host)));
                reasons.push(Reason::new(
                    ReasonKind::NoWay,
                    format!("{} lets no {user} from {} replicate.", target.name(), primary.host),
                    known.collect(),
                    format!(
                        "Create the account on the primary: grant replication slave on *.* to '{user}'@'{}'.",
                        primary.host
                    ),
                ));
            }
        }
    }
}

fn held(name: &NodeName, session: u64) -> Reason {
    Reason::new(
        ReasonKind::Locked,
        format!("A session of vakt holds {name} at this moment."),
        vec![Clean::line(&format!("{name}: session {session}"))],
        "Wait until that run has ended: vakt runs.",
    )
}

pub(in crate::plan) fn unread(name: &NodeName, what: &str, why: crate::model::figure::Unknown, grant: &str) -> Reason {
    Reason::new(
        ReasonKind::UnknownFact,
        format!("On {name} it is not known {what}."),
        vec![Clean::line(&format!("{name}: {why}"))],
        format!("Let vakt's login read it: grant {grant} to it, or let it be root by sudo."),
    )
}

fn read_all<'a>(scene: &Scene<'a>, stale_after_ms: u64, reasons: &mut Vec<Reason>) -> Vec<Seat<'a>> {
    let mut seats = Vec::new();
    for node in &scene.inventory.nodes {
        let (Some(database), Some(facts)) = (&node.database, scene.world.node(&node.name)) else { continue };
        match sight(&facts.switchover, &node.name, scene.now, stale_after_ms) {
            Ok((sample, age_ms)) => seats.push(seat(node, database, sample, age_ms)),
            Err(why) => reasons.push(Reason::new(
                ReasonKind::StaleFacts,
                format!("The database on {} is not known well enough.", node.name),
                vec![why],
                format!(
                    "Mend the connection to {}, or take its database out of the configuration; then plan again.",
                    node.name
                ),
            )),
        }
    }
    seats
}

/// One that was read. Its name in replication is found when all are known.
pub(in crate::plan) fn seat<'a>(
    node: &'a Node,
    database: &'a Database,
    sample: &'a SwitchoverSample,
    age_ms: u64,
) -> Seat<'a> {
    let facts = Facts::Switchover(Box::new(sample.clone()));
    let dialect = sample.dialect.known().unwrap_or(Dialect::Mariadb);
    Seat { node, database, sample, dialect, facts, age_ms, host: Clean::default() }
}

/// Families for which another way is the right one.
pub(in crate::plan) fn refuse_families(seats: &[Seat<'_>], reasons: &mut Vec<Reason>) {
    let mut refuse = |is: &dyn Fn(&SwitchoverSample) -> bool, what: &str, cure: &str| {
        let found: Vec<&Seat<'_>> = seats.iter().filter(|seat| is(seat.sample)).collect();
        if !found.is_empty() {
            let names = list_words(found.iter().map(|seat| seat.node.name.as_str()));
            let version = |seat: &&Seat<'_>| {
                let version = seat.sample.settings.version.as_ref().known().map_or("?", Clean::as_str);
                Clean::line(&format!("{}: version {version}", seat.node.name))
            };
            let evidence = found.iter().map(version).collect();
            reasons.push(Reason::new(ReasonKind::NoWay, format!("{what} on {names}."), evidence, cure));
        }
    };
    refuse(
        &|sample| sample.settings.galera.known() == Some(true),
        "Galera runs: every node takes writes, and nobody is promoted",
        "Drain the node's server in HAProxy instead; wsrep_desync and maintenance are Galera's own words for it.",
    );
    refuse(
        &|sample| sample.settings.group_replication.known() == Some(true),
        "Group replication (InnoDB Cluster) elects its primary itself; it is set up",
        "Ask it: select group_replication_set_as_primary('SERVER UUID'), or cluster.setPrimaryInstance() in mysqlsh.",
    );
    let is_of = |sample: &SwitchoverSample, dialect| sample.dialect.known() == Some(dialect);
    let are_mixed = |sample: &SwitchoverSample| {
        is_of(sample, Dialect::Mysql) && seats.iter().any(|other| is_of(other.sample, Dialect::Mariadb))
    };
    refuse(
        &are_mixed,
        "MariaDB and MySQL number their transactions differently, and nobody can compare the two; it is MySQL",
        "Keep one of the two families in a cluster.",
    );
    refuse(
        &|sample| is_of(sample, Dialect::WithoutGtid),
        "Without GTID nobody can tell whether a replica has everything; there is none",
        "Switch replication to GTID first (MASTER_USE_GTID=slave_pos).",
    );
    refuse(
        &|sample| {
            is_of(sample, Dialect::Mysql)
                && sample.settings.gtid_mode.as_ref().known().is_some_and(|mode| mode.as_str() != "ON")
        },
        "Without GTID nobody can tell whether a replica has everything; gtid_mode is not ON",
        "Switch gtid_mode on everywhere, step by step, then replication: change replication source to \
         source_auto_position=1.",
    );
}

/// Figures without which nothing can be said. A fact that was never read is no pass.
pub(in crate::plan) fn refuse_unknown(seats: &[Seat<'_>], reasons: &mut Vec<Reason>) {
    let mut unknown = Vec::new();
    for seat in seats.iter().filter(|seat| seat.sample.dialect.known() != Some(Dialect::WithoutGtid)) {
        let (sample, state) = (seat.sample, &seat.sample.state);
        let progress = if sample.is_mysql() {
            [
                ("what it has", state.executed.as_ref().why()),
                ("what it has thrown away", state.purged.as_ref().why()),
                ("its server_uuid", sample.uuid().why()),
                ("whether administrators can write", state.super_read_only.why()),
            ]
        } else {
            [
                ("what it has written", state.binlog_state.as_ref().why()),
                ("what it has applied", state.current_pos.as_ref().why()),
                ("its server_id", sample.settings.server_id.why()),
                ("whether Galera runs", sample.settings.galera.why()),
            ]
        };
        let figures = [
            ("its family", sample.dialect.why()),
            ("whether it takes writes", state.read_only.why()),
            ("what it replicates from", sample.channels.as_ref().why()),
        ];
        let lease = ("whether a session of vakt holds it", state.lease.why());
        for (name, why) in figures.into_iter().chain(progress).chain([lease]) {
            if let Some(why) = why {
                unknown.push(Clean::line(&format!("{}: {name} is unknown: {why}", seat.node.name)));
            }
        }
    }
    if !unknown.is_empty() {
        let monitor = seats.first().map_or("REPLICATION CLIENT", |seat| seat.speaks().follow_monitor);
        reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            "The databases do not tell enough.",
            unknown,
            format!("Let vakt's login read it: grant PROCESS, {monitor} on *.* to it."),
        ));
    }
}

/// The one that takes writes.
fn one_primary(seats: &[Seat<'_>], reasons: &mut Vec<Reason>) -> Option<usize> {
    let takes_writes = |seat: &Seat<'_>| seat.sample.state.read_only.known() == Some(false);
    let read_only = seats.first().map_or("read_only", |seat| seat.speaks().read_only);
    let writable: Vec<usize> =
        seats.iter().enumerate().filter(|(_, seat)| takes_writes(seat)).map(|(at, _)| at).collect();
    let evidence = || seats.iter().map(Seat::words).collect();
    match writable.as_slice() {
        [one] => return Some(*one),
        [] => reasons.push(Reason::new(
            ReasonKind::SplitBrain,
            "No database takes writes: there is no primary to switch over from.",
            evidence(),
            "Find out why all are read-only (vakt runs shows an interrupted switchover), then make the right one \
             writable: set global read_only = 0.",
        )),
        _ => reasons.push(Reason::new(
            ReasonKind::SplitBrain,
            "Several databases take writes: a switchover would not end that.",
            evidence(),
            format!("Make all but the right one read-only first: set global {read_only} = 1."),
        )),
    }
    None
}

/// The name by which each is known in replication: the same kind of address by which the replicas know the primary.
pub(in crate::plan) fn name_hosts(seats: &mut [Seat<'_>], primary: &Node) {
    let sources: Vec<String> = seats.iter().filter_map(|seat| seat.source()).map(ToString::to_string).collect();
    let is_used = |kind: &Kind| called(primary, *kind).is_some_and(|word| sources.contains(&word));
    let kind = KINDS.into_iter().find(is_used).unwrap_or(Kind::Private);
    for seat in seats {
        seat.host = Clean::line(&called(seat.node, kind).unwrap_or_else(|| seat.node.management.clone()));
    }
}

/// Whether data of that role may be where the node is.
pub(in crate::plan) fn is_allowed(inventory: &Inventory, node: &Node) -> bool {
    let rule = inventory.settings.residency.iter().find(|rule| rule.role == crate::model::inventory::Role::Database);
    rule.is_none_or(|rule| node.jurisdiction.as_ref().is_some_and(|own| rule.jurisdictions.contains(own)))
}
