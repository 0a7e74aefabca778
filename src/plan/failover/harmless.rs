//! `mysql.fence`: a former primary that runs again although another database takes writes is made harmless: masked and
//! killed, until `mysql.rejoin` lets it come back.

use super::{expect::DaemonExpect, expect::words as daemon_words, fence};
use crate::{
    model::{
        figure::Figure,
        ids::NodeName,
        intent::Intent,
        inventory::Node,
        mysql::{DaemonSample, DaemonState},
        text::Clean,
    },
    plan::{
        expect::{Check, Expect, takes_traffic},
        limits,
        parts::{Action, Body, ConfirmBy, Confirmation, OnLate, Plan, Premise, Source, Step, Subject, When, Write},
        refusal::{AlreadyThere, Planned, Reason, ReasonKind, Refusal},
        scene::{Scene, sight, sight_or_refuse},
        switchover::{
            DatabaseExpect,
            field::{STALE_MS, Seat, is_called, seat},
            steps::{QUICK_POLL_MS, check, send, until, wait},
        },
    },
    wire::{
        mysql,
        probe::{Facts, ProbeId},
    },
};

/// Looks in a row at the end.
const PROOF_LOOKS: u32 = 2;

/// What it rests on.
struct Scenery<'a> {
    node: &'a Node,
    daemon: &'a DaemonSample,
    unit: &'a Clean,
    age_ms: u64,
    primary: Seat<'a>,
}

/// Plans it.
pub(in crate::plan) fn plan(scene: &Scene<'_>, intent: &Intent, name: &NodeName) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    let found = survey(scene, name, &mut reasons);
    match found.filter(|_| reasons.is_empty()) {
        Some(found) if is_fenced(found.daemon) => Ok(Planned::AlreadyThere(AlreadyThere {
            intent: intent.clone(),
            what: Clean::line(&format!("{name} is masked and dead already.")),
            evidence: vec![Clean::line(&format!("{name}: {}", daemon_words(found.daemon)))],
        })),
        Some(found) => Ok(Planned::Plan(Box::new(Plan::new(body(scene, intent, &found))))),
        None => {
            let title = Clean::line(&format!("Make {name} harmless"));
            Err(Refusal::of(intent, title, reasons))
        }
    }
}

fn is_fenced(daemon: &DaemonSample) -> bool {
    daemon.is_masked == Figure::Known(true) && daemon.state() == Figure::Known(DaemonState::Dead)
}

fn survey<'a>(scene: &Scene<'a>, name: &NodeName, reasons: &mut Vec<Reason>) -> Option<Scenery<'a>> {
    let node = scene.database_or_refuse(name, reasons)?;
    let stale_after_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
    let primary = other_primary(scene, name, stale_after_ms, reasons);
    let facts = scene.world.node(name)?;
    let what = format!("The machine of {name} does not answer.");
    let seen = sight(&facts.daemon, name, scene.now, stale_after_ms);
    let (daemon, age_ms) = sight_or_refuse(seen, name, what, reasons)?;
    let (Some(unit), Figure::Known(_)) = (daemon.unit.as_ref().known(), daemon.state()) else {
        reasons.push(Reason::new(
            ReasonKind::NoFence,
            format!("The database of {name} is run by no unit that vakt could mask, or its processes are hidden."),
            vec![daemon_words(daemon)],
            format!("Stop it by hand on {name}, so that nothing starts it again."),
        ));
        return None;
    };
    Some(Scenery { node, daemon, unit, age_ms, primary: primary? })
}

/// The other database that takes writes, to which every load balancer sends them.
fn other_primary<'a>(
    scene: &Scene<'a>,
    name: &NodeName,
    stale_after_ms: u64,
    reasons: &mut Vec<Reason>,
) -> Option<Seat<'a>> {
    let seats = scene.inventory.nodes.iter().filter(|node| node.name != *name).filter_map(|node| {
        let (database, facts) = (node.database.as_ref()?, scene.world.node(&node.name)?);
        let (sample, age_ms) = sight(&facts.switchover, &node.name, scene.now, stale_after_ms).ok()?;
        Some(seat(node, database, sample, age_ms))
    });
    let seats: Vec<Seat<'a>> = seats.collect();
    let evidence = seats.iter().map(Seat::words).collect();
    let mut writable: Vec<Seat<'a>> =
        seats.into_iter().filter(|seat| seat.sample.state.read_only.known() == Some(false)).collect();
    let Some(primary) = writable.pop().filter(|_| writable.is_empty()) else {
        reasons.push(Reason::new(
            ReasonKind::Serves,
            format!("No other database takes writes, or several do: {name} may be the one that clients need."),
            evidence,
            "Make the right one the primary first: vakt do mysql.failover.",
        ));
        return None;
    };
    for node in &scene.inventory.nodes {
        let Some(facts) = scene.world.node(&node.name).and_then(|facts| facts.haproxy.last()) else { continue };
        for backend in &facts.sample.backends {
            let takes = |of: &Node| {
                let mut servers = backend.servers.iter().filter(|server| takes_traffic(server));
                servers.any(|server| {
                    let address = server.address.as_ref().known().map(Clean::as_str);
                    address.and_then(|one| one.rsplit_once(':')).is_some_and(|(host, _)| is_called(of, host))
                })
            };
            let own = scene.inventory.node(name);
            if own.is_some_and(takes) && !takes(primary.node) {
                reasons.push(Reason::new(
                    ReasonKind::Serves,
                    format!("{} on {} sends to {name} and not to {}.", backend.name, node.name, primary.name()),
                    Vec::new(),
                    format!("Find out which of the two is the primary; send nothing to {name} first."),
                ));
            }
        }
    }
    Some(primary)
}

fn effect(found: &Scenery<'_>) -> Vec<Clean> {
    let (name, primary) = (&found.node.name, found.primary.name());
    let lines = [
        format!("{primary} is the primary. {name} runs besides, and what it is told to write nobody else gets."),
        format!("{name}: {}.", daemon_words(found.daemon)),
        format!(
            "Its unit {} is masked and its processes are killed. It stays so, also after a restart of the machine, until \
             mysql.rejoin {name} lets it come back as a replica.",
            found.unit
        ),
    ];
    lines.map(|line| Clean::line(&line)).to_vec()
}

fn body(scene: &Scene<'_>, intent: &Intent, found: &Scenery<'_>) -> Body {
    let (name, primary) = (&found.node.name, found.primary.name());
    let daemon = |is| Check { node: name.clone(), probe: ProbeId::Daemon, expect: Expect::Daemon(is) };
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let facts = Facts::Daemon(Box::new(found.daemon.clone()));
    let hold = |check: Check, facts: &Facts, age_ms| {
        let seen = check.judge(facts, None).seen().clone();
        Premise { check, seen, age_ms, age_ms_max: STALE_MS.max(scene.inventory.settings.poll.stale_after_ms) }
    };
    let writable = check(&found.primary, DatabaseExpect::Writable);
    let fenced = vec![daemon(DaemonExpect::Fenced)];
    let raise = Step {
        title: Clean::line(&format!("{name}: masked and killed, and proven")),
        when: When::Always,
        at_once: false,
        action: Action::Write(Box::new(Write {
            node: name.clone(),
            request: fence::raise(found.unit),
            rests: None,
            told_anew: false,
            binds: Vec::new(),
            before: vec![daemon(DaemonExpect::NotMasked)],
            guards: vec![writable.clone()],
            done: fenced.clone(),
            after: until(fenced.clone(), 1, QUICK_POLL_MS, limits::VERIFY_DEADLINE_MS),
            undo: send("unmasked and started", fence::lower(found.unit)),
        })),
    };
    let proof =
        until([fenced, vec![writable.clone()]].concat(), PROOF_LOOKS, QUICK_POLL_MS, limits::VERIFY_DEADLINE_MS);
    let title = format!("{primary} takes writes, and {name} cannot");
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("Make {name} harmless")),
        effect: effect(found),
        goal: Clean::line(&format!("{name} is masked and dead, and {primary} is the primary")),
        subject: Subject::Primary { from: name.clone(), to: primary.clone(), endpoints: Vec::new(), address: None },
        made_at: scene.now,
        facts_age_ms: found.age_ms.max(found.primary.age_ms),
        premises: vec![
            hold(daemon(DaemonExpect::NotMasked), &facts, found.age_ms),
            hold(writable, &found.primary.facts, found.primary.age_ms),
        ],
        sources: vec![
            Source {
                node: name.clone(),
                probe: ProbeId::Daemon,
                requests: ProbeId::Daemon.probe().requests(found.node, deadline_ms),
            },
            Source {
                node: primary.clone(),
                probe: ProbeId::Switchover,
                requests: mysql::requests_of_plan(found.primary.node, found.primary.dialect, deadline_ms),
            },
        ],
        steps: vec![raise, wait(&title, proof, Vec::new(), OnLate::Fail)],
        point_of_no_return: None,
        confirmation: Confirmation {
            by: ConfirmBy::Target(Clean::line(name.as_str())),
            why: Clean::line("its database is killed and stays masked"),
        },
        runbook: Clean::line(intent.change.id()),
    }
}
