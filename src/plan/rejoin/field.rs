//! Who is the primary, how the one that is to come back stands, and why it cannot.

use crate::{
    model::{
        figure::Figure,
        ids::NodeName,
        mysql::{DaemonSample, DaemonState, SwitchoverSample},
        text::Clean,
    },
    plan::{
        expect::Verdict,
        failover::{
            daemon_words,
            reopen::{self, Closed},
        },
        haproxy::list_words,
        refusal::{Reason, ReasonKind},
        scene::{Scene, sight},
        switchover::{
            DatabaseExpect,
            candidate::{ERRANT_CURE, PURGED_CURE},
            field::{STALE_MS, Seat, is_called, name_hosts, refuse_families, refuse_login, refuse_unknown, seat},
        },
    },
    wire::probe::Facts,
};
use std::sync::LazyLock;

/// Of a server that does not run nothing is known but where it is.
static NOTHING: LazyLock<SwitchoverSample> = LazyLock::new(SwitchoverSample::default);

/// Everything that a rejoin rests on.
pub(super) struct Field<'a> {
    /// The one that comes back.
    pub(super) seat: Seat<'a>,
    pub(super) joiner: Joiner,
    /// Its daemon by its machine's word.
    pub(super) daemon: Facts,
    pub(super) age_ms: u64,
    pub(super) primary: Seat<'a>,
    /// Everybody who has cut it off.
    pub(super) closed: Vec<Closed<'a>>,
    /// Whether commits wait for acknowledgements anywhere: the setting is known to these servers then.
    pub(super) has_semi_sync: bool,
    pub(super) stale_after_ms: u64,
}

/// How it stands.
pub(super) enum Joiner {
    /// Masked, without a process.
    Fenced {
        /// Its unit.
        unit: Clean,
    },
    /// It answers, is read-only, and follows nobody.
    Running,
}

/// What a look found.
pub(super) enum Found<'a> {
    /// It is a replica of the primary already.
    Replica(Vec<Clean>),
    /// It is to come back.
    Outside(Box<Field<'a>>),
}

impl<'a> Field<'a> {
    pub(super) fn survey(scene: &Scene<'a>, name: &NodeName, reasons: &mut Vec<Reason>) -> Option<Found<'a>> {
        let node = scene.database_or_refuse(name, reasons)?;
        let stale_after_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
        let mut seats = answering(scene, stale_after_ms);
        refuse_families(&seats, reasons);
        refuse_unknown(&seats, reasons);
        let primary = one_primary(&mut seats, name, reasons)?;
        name_hosts(&mut seats, primary.node);
        let mut primary = vec![primary];
        name_hosts_like(&mut primary, &seats);
        let primary = primary.pop()?;
        let facts = scene.world.node(name)?;
        let (daemon, age_ms) = match sight(&facts.daemon, name, scene.now, stale_after_ms) {
            Ok(seen) => seen,
            Err(why) => {
                let what = format!("The machine of {name} does not answer.");
                reasons.push(Reason::new(ReasonKind::StaleFacts, what, vec![why], format!("Mend the way to {name}.")));
                return None;
            }
        };
        let own = seats.iter().position(|seat| seat.node.name == *name).map(|at| seats.remove(at));
        let joiner = match &own {
            Some(own) if own.source().is_some_and(|host| is_called(primary.node, host.as_str())) => {
                return Some(Found::Replica(vec![own.words(), primary.words()]));
            }
            Some(own) => {
                judge_running(own, &primary, reasons);
                Joiner::Running
            }
            None => fenced(name, daemon, reasons)?,
        };
        let database = node.database.as_ref()?;
        let host = primary_kind(node, &primary);
        // Of one that does not run the family is that of the primary.
        let dialect = primary.dialect;
        let own = own.unwrap_or_else(|| Seat { dialect, host, ..seat(node, database, &NOTHING, age_ms) });
        refuse_login(&own, &primary, reasons);
        let (closed, unread) = reopen::survey(scene, node, stale_after_ms);
        // Where nobody has cut it off, nobody who is silent has either, as far as it matters: the primary was read.
        for (silent, why) in unread.into_iter().filter(|(silent, _)| !closed.is_empty() || silent == primary.name()) {
            let what = format!("It is not known whether {silent} has cut {name} off.");
            reasons.push(Reason::new(ReasonKind::StaleFacts, what, vec![why], format!("Mend the way to {silent}.")));
        }
        let has_semi_sync = std::iter::once(&primary).chain(&seats).any(|seat| {
            let settings = &seat.sample.settings;
            settings.semi_sync_source.known() == Some(true) || settings.semi_sync_replica.known() == Some(true)
        });
        let daemon = Facts::Daemon(Box::new(daemon.clone()));
        Some(Found::Outside(Box::new(Self {
            seat: own,
            joiner,
            daemon,
            age_ms,
            primary,
            closed,
            has_semi_sync,
            stale_after_ms,
        })))
    }
}

/// Every database that answers.
fn answering<'a>(scene: &Scene<'a>, stale_after_ms: u64) -> Vec<Seat<'a>> {
    let seen = scene.inventory.nodes.iter().filter_map(|node| {
        let (database, facts) = (node.database.as_ref()?, scene.world.node(&node.name)?);
        let (sample, age_ms) = sight(&facts.switchover, &node.name, scene.now, stale_after_ms).ok()?;
        Some(seat(node, database, sample, age_ms))
    });
    seen.collect()
}

/// One that does not answer must be fenced: else nobody knows what it does.
fn fenced(name: &NodeName, daemon: &DaemonSample, reasons: &mut Vec<Reason>) -> Option<Joiner> {
    if let (Some(unit), Figure::Known(true), Figure::Known(DaemonState::Dead)) =
        (daemon.unit.as_ref().known(), daemon.is_masked, daemon.state())
    {
        return Some(Joiner::Fenced { unit: unit.clone() });
    }
    reasons.push(Reason::new(
        ReasonKind::NoService,
        format!("The database of {name} does not answer, and is not fenced."),
        vec![Clean::line(&format!("{name}: {}", daemon_words(daemon)))],
        format!("Start it, or mend it, and plan again; look at its log on {name}."),
    ));
    None
}

/// The name of the primary in replication: as the replicas that follow it call it.
fn name_hosts_like(primary: &mut [Seat<'_>], others: &[Seat<'_>]) {
    for seat in primary {
        let node = seat.node;
        let called = others.iter().filter_map(|other| other.source()).find(|host| is_called(node, host.as_str()));
        if let Some(host) = called {
            seat.host = host.clone();
        } else {
            name_hosts(std::slice::from_mut(seat), node);
        }
    }
}

/// What the primary would call a node: by the same kind of address by which it is known itself.
fn primary_kind(node: &crate::model::inventory::Node, primary: &Seat<'_>) -> Clean {
    let is_private = primary.node.private.is_some_and(|address| address.to_string() == primary.host.as_str());
    let address = node.private.filter(|_| is_private).map(|address| address.to_string());
    Clean::line(&address.unwrap_or_else(|| node.management.clone()))
}

/// The one that takes writes, taken out of the others.
fn one_primary<'a>(seats: &mut Vec<Seat<'a>>, name: &NodeName, reasons: &mut Vec<Reason>) -> Option<Seat<'a>> {
    let takes_writes = |seat: &&Seat<'_>| seat.sample.state.read_only.known() == Some(false);
    let writable: Vec<NodeName> = seats.iter().filter(takes_writes).map(|seat| seat.name().clone()).collect();
    let evidence = seats.iter().map(Seat::words).collect();
    let read_only = seats.first().map_or("read_only", |seat| seat.speaks().read_only);
    match writable.as_slice() {
        [one] if one == name => reasons.push(Reason::new(
            ReasonKind::Serves,
            format!("{name} takes writes: it is the primary itself."),
            evidence,
            "There is nobody whom it could replicate from; mysql.switchover makes another one the primary.",
        )),
        [one] => {
            let at = seats.iter().position(|seat| seat.name() == one)?;
            return Some(seats.remove(at));
        }
        [] => reasons.push(Reason::new(
            ReasonKind::SplitBrain,
            "No database takes writes: there is no primary to replicate from.",
            evidence,
            "Make the right one the primary first: vakt do mysql.failover, or vakt runs resume of a run that was interrupted.",
        )),
        _ => reasons.push(Reason::new(
            ReasonKind::SplitBrain,
            format!("{} take writes.", list_words(writable.iter().map(NodeName::as_str))),
            evidence,
            format!("Make all but the right one read-only first: set global {read_only} = 1."),
        )),
    }
    None
}

/// One that runs is compared before anything is planned.
fn judge_running(own: &Seat<'_>, primary: &Seat<'_>, reasons: &mut Vec<Reason>) {
    let name = own.name();
    if !own.channels().is_empty() {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{name} replicates from somebody else than {}.", primary.name()),
            vec![own.words()],
            format!(
                "Take that back first, if nobody needs it: {}; {} on {name}.",
                own.speaks().stop,
                own.speaks().forget
            ),
        ));
    }
    let is = DatabaseExpect::NothingBeyond(primary.name().clone());
    match is.judge(&own.facts, None, Some((&primary.facts, None))) {
        Verdict::Holds(_) => {}
        Verdict::Fails(seen) => reasons.push(Reason::new(
            ReasonKind::Diverged,
            format!("{name} has diverged: it {seen}."),
            vec![own.words(), primary.words()],
            ERRANT_CURE,
        )),
        Verdict::Unknown(why) => reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            format!("It is not known whether {name} has what {} lacks.", primary.name()),
            vec![why],
            format!("Let vakt's login read it: grant {} on *.* to it.", own.speaks().follow_monitor),
        )),
    }
    judge_reach(own, primary, reasons);
}

/// What a MySQL primary has thrown away nobody can catch up with.
fn judge_reach(own: &Seat<'_>, primary: &Seat<'_>, reasons: &mut Vec<Reason>) {
    if !primary.sample.is_mysql() {
        return;
    }
    let (name, of) = (own.name(), primary.name());
    let is = DatabaseExpect::FindsAllOn(of.clone());
    let (kind, what, seen) = match is.judge(&own.facts, None, Some((&primary.facts, None))) {
        Verdict::Holds(_) => return,
        Verdict::Fails(seen) => (ReasonKind::NotFit, format!("{name} is too far behind to catch up: it {seen}."), seen),
        Verdict::Unknown(why) => {
            (ReasonKind::UnknownFact, format!("It is not known whether {name} can catch up with {of}."), why)
        }
    };
    let evidence = vec![Clean::line(&format!("{name}: {seen}")), own.words(), primary.words()];
    reasons.push(Reason::new(kind, what, evidence, PURGED_CURE));
}
