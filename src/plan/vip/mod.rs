//! `vip.move`: another node holds a virtual address.
//!
//! The graceful way: keepalived adds the number in a tracked file to its priority. One number is written, the new holder
//! takes over while the old one still answers, and the old one lets go when it hears the new one. Nothing is stopped, and
//! whoever fails afterwards is still stood in for.
//!
//! Deliberately absent: adding an address to an interface by hand. keepalived would not know of it.

mod expect;
mod field;
mod restart;
mod way;
mod writes;

pub use expect::VipExpect;
pub(super) use expect::words;
pub(super) use field::stale_after_ms;
pub(super) use writes::{Change as PrimaryChange, Passage, takes_writes};

use super::{
    expect::{Check, Expect},
    limits,
    parts::{
        Action, Body, ConfirmBy, Confirmation, Need, OnLate, Plan, Premise, Source, Step, Subject, Undo, Until, Wait,
        When, Write,
    },
    refusal::{AlreadyThere, Planned, Reason, ReasonKind, Refusal},
    scene::Scene,
    text::seconds,
};
use crate::{
    model::{ids::NodeName, intent::Intent, text::Clean},
    wire::{
        probe::ProbeId,
        request::{Call, Request},
    },
};
use field::{Field, Seat, Witness};
use std::net::IpAddr;
use way::{Lift, Way};

/// Beyond keepalived's own delays: its timers, and the look that sees it.
const TAKEOVER_MARGIN_MS: u64 = 3_000;
/// Longest wait until a neighbour knows who answers.
const NEIGHBOUR_DEADLINE_MS: u64 = 5_000;
/// Looks in a row in which exactly one node must hold the address.
const HOLDER_LOOKS: u32 = 3;

/// Plans the move of an address.
pub(super) fn plan(scene: &Scene<'_>, intent: &Intent, address: IpAddr, to: &NodeName) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    writes::refuse_astray(scene, address, to, &mut reasons);
    let field = Field::survey(scene, address, to, &mut reasons);
    if let Some(field) = field.as_ref().filter(|field| reasons.is_empty() && field.is_there()) {
        return Ok(Planned::AlreadyThere(AlreadyThere {
            intent: intent.clone(),
            what: Clean::line(&format!("{address} is already held by {to}, and by no other node.")),
            evidence: field.evidence(),
        }));
    }
    let way = field.as_ref().and_then(|field| way::find(field, &mut reasons));
    match (&field, &way) {
        (Some(field), Some(way)) if reasons.is_empty() => {
            Ok(Planned::Plan(Box::new(Plan::new(body(scene, intent, field, way)))))
        }
        _ => {
            let title = Clean::line(&format!("Move {address} to {to}"));
            Err(Refusal::of(intent, title, reasons))
        }
    }
}

fn body(scene: &Scene<'_>, intent: &Intent, field: &Field<'_>, way: &Way<'_>) -> Body {
    let (address, to) = (field.address, &field.target.node.name);
    let from = &field.holder.node.name;
    let mut steps: Vec<Step> = match way {
        Way::Lifts(lifts) => lifts.iter().map(|lift| write(field, lift)).collect(),
        Way::Restart => vec![restart::stop(field)],
    };
    steps.push(wait_for_holder(field));
    if let Way::Restart = way {
        steps.push(restart::start(field));
    }
    steps.extend(field.witness.as_ref().map(|witness| wait_for_neighbour(field, witness)));
    steps.push(prove(field));
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("Move {address} from {from} to {to}")),
        effect: effect(field, way).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&format!("{address} is held by {to} alone")),
        subject: Subject::Vip { address, to: to.clone() },
        made_at: scene.now,
        facts_age_ms: field.seats().map(|seat| seat.age_ms).max().unwrap_or(0),
        premises: premises(scene, field),
        sources: sources(scene, field),
        point_of_no_return: None,
        steps,
        confirmation: Confirmation {
            by: ConfirmBy::Target(Clean::line(to.as_str())),
            why: Clean::line(&format!("connections through {from} end when the address moves")),
        },
        runbook: Clean::line(intent.change.id()),
    }
}

/// What keepalived moves along, to whoever gets the address.
fn companions(field: &Field<'_>, way: &Way<'_>) -> Vec<IpAddr> {
    match way {
        Way::Lifts(lifts) => field.companions(lifts),
        Way::Restart => restart::companions(field),
    }
}

/// The addresses that move along with one; none where it does not move.
pub(super) fn moved_along(scene: &Scene<'_>, address: IpAddr, to: &NodeName) -> Vec<IpAddr> {
    let mut reasons = Vec::new();
    let field = Field::survey(scene, address, to, &mut reasons).filter(|field| !field.is_there());
    let way = field.as_ref().and_then(|field| way::find(field, &mut reasons));
    field.as_ref().zip(way.as_ref()).map_or_else(Vec::new, |(field, way)| companions(field, way))
}

/// What will happen, in sentences.
fn effect(field: &Field<'_>, way: &Way<'_>) -> Vec<String> {
    let (to, from) = (&field.target.node.name, &field.holder.node.name);
    let mut effect = Vec::new();
    let companions: Vec<String> = companions(field, way).iter().map(ToString::to_string).collect();
    if companions.is_empty() {
        effect.push(format!("{} moves from {from} to {to}.", field.address));
    } else {
        effect.push(format!(
            "{} moves from {from} to {to}, and with it what keepalived moves together: {}.",
            field.address,
            companions.join(", ")
        ));
    }
    let delay_ms = field.target.instance.preempt_delay_ms;
    let delay =
        if delay_ms > 0 { format!(" It waits {} first (preempt_delay).", seconds(delay_ms)) } else { String::new() };
    effect.push(match way {
        Way::Lifts(_) => {
            format!("{to} takes over while {from} still answers; {from} lets go when it hears {to}.{delay}")
        }
        Way::Restart => format!(
            "keepalived on {from} stops and tells {to} that it leaves: for a moment, well below a second, nobody answers. \
             Then it starts again and leaves the address where it is."
        ),
    });
    effect.push(match field.sessions() {
        Some(0) => format!("No client is connected through {from} now; connections that are open then end."),
        Some(1) => format!("The connection that is open through {from} ends; its client has to connect anew."),
        Some(count) => {
            format!("The {count} connections that are open through {from} end; clients have to connect anew.")
        }
        None => format!("Connections that are open through {from} end; clients have to connect anew."),
    });
    let lifts = match way {
        Way::Lifts(lifts) => lifts.as_slice(),
        Way::Restart => &[],
    };
    for lift in lifts {
        effect.push(format!(
            "{} stays at priority {} until its file says otherwise, also after a restart of keepalived.",
            lift.seat.node.name, lift.priority
        ));
    }
    effect.push(format!(
        "What check scripts take from a priority cannot be read; if {to} does not hold the address within {}, everything \
         is put back.",
        seconds(field.takeover_ms())
    ));
    effect.push(match &field.witness {
        Some(witness) => format!("{} tells whether neighbours have learned it.", witness.node.name),
        None => "No other node has a neighbour there: whether neighbours have learned it is not looked at.".to_owned(),
    });
    effect
}

fn check(seat: &Seat<'_>, address: IpAddr, is: VipExpect) -> Check {
    let probe = if is == VipExpect::Balanced { ProbeId::Haproxy } else { ProbeId::Presence };
    Check { node: seat.node.name.clone(), probe, expect: Expect::Vip { address, is } }
}

/// One holder, and no other.
fn one_holder(field: &Field<'_>) -> Vec<Check> {
    let is = |seat: &Seat<'_>| {
        if seat.node.name == field.target.node.name { VipExpect::Held } else { VipExpect::NotHeld }
    };
    field.seats().map(|seat| check(seat, field.address, is(seat))).collect()
}

fn premises(scene: &Scene<'_>, field: &Field<'_>) -> Vec<Premise> {
    let address = field.address;
    let limit_ms = field::stale_after_ms(scene.inventory);
    let mut premises = Vec::new();
    for seat in field.seats() {
        let held = if seat.node.name == field.holder.node.name { VipExpect::Held } else { VipExpect::NotHeld };
        let mut wanted = vec![held];
        if seat.is_running() {
            wanted.extend(seat.instance.priority_now().map(VipExpect::Priority));
        }
        if seat.node.name == field.target.node.name {
            wanted.push(VipExpect::Moved);
        }
        premises.extend(wanted.into_iter().map(|is| {
            let check = check(seat, address, is);
            let seen = check.judge(&seat.facts, None).seen().clone();
            Premise { check, seen, age_ms: seat.age_ms, age_ms_max: limit_ms }
        }));
    }
    if let Some((facts, age_ms)) = &field.balancer {
        let check = check(&field.target, address, VipExpect::Balanced);
        let seen = check.judge(facts, None).seen().clone();
        premises.push(Premise { check, seen, age_ms: *age_ms, age_ms_max: limit_ms });
    }
    premises
}

fn sources(scene: &Scene<'_>, field: &Field<'_>) -> Vec<Source> {
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let source = |node: &crate::model::inventory::Node, probe: ProbeId| Source {
        node: node.name.clone(),
        probe,
        requests: probe.probe().requests(node, deadline_ms),
    };
    let mut sources: Vec<Source> = field.seats().map(|seat| source(seat.node, ProbeId::Presence)).collect();
    if field.balancer.is_some() {
        sources.push(source(field.target.node, ProbeId::Haproxy));
    }
    if let Some(witness) = &field.witness {
        let mut of_witness = source(witness.node, ProbeId::Presence);
        // A neighbour that nobody talks to is forgotten: the look after this one sees who answered.
        let argv = ["ping", "-c", "1", "-W", "1"].map(str::to_owned).into_iter().chain([witness.address.to_string()]);
        of_witness.requests.push(Request::read(Call::Exec { argv: argv.collect() }, deadline_ms.max(2_000), 4_096));
        sources.push(of_witness);
    }
    sources
}

fn write(field: &Field<'_>, lift: &Lift<'_>) -> Step {
    let (seat, address) = (lift.seat, field.address);
    let says = |value: i64| check(seat, address, VipExpect::File { path: lift.path.clone(), value });
    let target = |is: VipExpect| check(&field.target, address, is);
    let mut guards = vec![target(VipExpect::Moved)];
    guards.extend(field.balancer.as_ref().map(|_| target(VipExpect::Balanced)));
    let mut before = vec![says(lift.from)];
    // Undone, it is where it was; unless its holder leaves an address where it finds it.
    if !field.holder.instance.is_nopreempt && lift.is_only {
        before.push(check(&field.holder, address, VipExpect::Held));
    }
    let done = vec![says(lift.to)];
    let name = &seat.node.name;
    Step {
        at_once: false,
        title: Clean::line(&format!("{name}: priority {} becomes {}", lift.priority_before, lift.priority)),
        when: When::Always,
        action: Action::Write(Box::new(Write {
            node: name.clone(),
            request: way::set_number(&lift.path, lift.to),
            binds: Vec::new(),
            before,
            guards,
            after: Until {
                checks: done.clone(),
                need: Need::All,
                holds: 1,
                poll_ms: limits::VERIFY_POLL_MS,
                deadline_ms: field.takeover_ms(),
            },
            done,
            undo: Undo::Send {
                label: Clean::line(&format!("priority {}", lift.priority_before)),
                request: way::set_number(&lift.path, lift.from),
            },
            rests: None,
            told_anew: false,
        })),
    }
}

fn wait_for_holder(field: &Field<'_>) -> Step {
    let until = Until {
        checks: one_holder(field),
        need: Need::All,
        holds: 1,
        poll_ms: limits::VERIFY_POLL_MS,
        deadline_ms: field.takeover_ms(),
    };
    let title = format!("{}: wait until it alone holds {}", field.target.node.name, field.address);
    let guards = vec![check(&field.target, field.address, VipExpect::Moved)];
    step(&title, until, guards, OnLate::Fail)
}

/// What a switch and the neighbours learn from the announcement: seen from a third node.
fn wait_for_neighbour(field: &Field<'_>, witness: &Witness<'_>) -> Step {
    let expect = Expect::Vip { address: witness.address, is: VipExpect::AnsweredBy(field.hardware()) };
    let until = Until {
        checks: vec![Check { node: witness.node.name.clone(), probe: ProbeId::Presence, expect }],
        need: Need::All,
        holds: 1,
        poll_ms: limits::WAIT_POLL_MS,
        deadline_ms: NEIGHBOUR_DEADLINE_MS,
    };
    let interface = field.target.instance.interface.as_ref().map_or("INTERFACE", Clean::as_str);
    let late = format!(
        "{} has not learned who answers for {} now; to announce it again, on {}: arping -U -c 3 -I {interface} {}",
        witness.node.name, witness.address, field.target.node.name, witness.address
    );
    let title = format!("{}: see who answers for {}", witness.node.name, witness.address);
    step(&title, until, Vec::new(), OnLate::GoOn(Clean::line(&late)))
}

fn prove(field: &Field<'_>) -> Step {
    let mut checks = one_holder(field);
    checks.extend(field.balancer.as_ref().map(|_| check(&field.target, field.address, VipExpect::Balanced)));
    let until = Until {
        checks,
        need: Need::All,
        holds: HOLDER_LOOKS,
        poll_ms: limits::VERIFY_POLL_MS,
        deadline_ms: limits::VERIFY_DEADLINE_MS,
    };
    let title = format!("{} is held by {} alone", field.address, field.target.node.name);
    step(&title, until, Vec::new(), OnLate::Fail)
}

fn step(title: &str, until: Until, guards: Vec<Check>, on_late: OnLate) -> Step {
    Step {
        title: Clean::line(title),
        when: When::Always,
        action: Action::Wait(Wait { until, guards, on_late, keeps: false }),
        at_once: false,
    }
}
