//! A guest moves to another hypervisor: begun, watched, and seen to have arrived at exactly one place.
//!
//! The source's libvirtd carries the migration on by itself once it has begun. So a run that dies leaves nothing half
//! done: its next start looks where the guest is.

use super::{
    Check, Field, GuestState, Scene, check,
    destination::{Destination, host_of},
    expect::plug,
    steps,
};
use crate::{
    model::{figure::Figure, ovs::Ofport, text::Clean},
    plan::{
        limits,
        parts::{Action, Need, OnLate, Step, Undo, Until, Wait, When, Write},
        text::seconds,
    },
    wire::libvirt::operation::{Migration, Operation},
};

/// What QEMU may leave for the moment in which the guest stands still. Its own limit is 300 ms; handing over takes about as
/// long again as half of that.
const DOWNTIME_MS_MAX: u64 = 150;
/// From one look to the next while the guest is on its way.
const LOOK_MS: u64 = 500;
/// Longest wait until a migration that was begun is seen.
const BEGIN_DEADLINE_MS: u64 = 15_000;
/// Longest wait until the destination tells how the guest is plugged in, and until its switch has heard it: QEMU announces
/// the guest when it goes on.
const PLUGGED_DEADLINE_MS: u64 = 10_000;
/// Looks in a row in which exactly one hypervisor must have the guest.
const PROOF_LOOKS: u32 = 3;
/// Longest wait for them.
const PROOF_DEADLINE_MS: u64 = 10_000;

/// What will happen, in sentences.
pub(super) fn effect(field: &Field<'_>, destination: &Destination<'_>, deadline_ms: u64) -> Vec<String> {
    let (name, to) = (&field.name, destination.host.name());
    let mut effect = vec![
        format!(
            "{name} moves to {to} while it runs; it stands still for a moment at the end, and is defined only there then."
        ),
        "libvirtd carries it on by itself: it goes on if vakt or its connection ends.".to_owned(),
        format!(
            "If it has not arrived within {}, or the run is stopped before, it is given up, and {name} stays where it is.",
            seconds(deadline_ms)
        ),
    ];
    for (disk, path) in &destination.copied {
        effect.push(format!(
            "The disk {disk} is copied, over whatever is at {path} on {to}; what is left on {} is not used any more.",
            field.host.name()
        ));
    }
    effect.push(format!("Memory and disks travel to {}.", host_of(destination.uri).unwrap_or("?")));
    effect.push(format!("Looked at: {}.", destination.fine.join("; ")));
    effect
}

/// All steps.
pub(super) fn all(scene: &Scene<'_>, field: &Field<'_>, destination: &Destination<'_>, deadline_ms: u64) -> Vec<Step> {
    let mut steps =
        vec![begin(field, destination), arrive(field, destination, deadline_ms), plugged(field, destination)];
    steps.extend(learned(scene, field, destination));
    steps.push(prove(field, destination));
    steps
}

fn begin(field: &Field<'_>, destination: &Destination<'_>) -> Step {
    let (name, to) = (&field.name, destination.host.name());
    let own = |is: GuestState| check(field, field.host.name(), is);
    let migration = Migration {
        destination: destination.uri.to_owned(),
        data: format!("tcp://{}", host_of(destination.uri).unwrap_or_default()),
        downtime_ms_max: DOWNTIME_MS_MAX,
        copied_disks: destination.copied.iter().map(|(disk, _)| (*disk).to_owned()).collect(),
    };
    let done = vec![own(GuestState::Leaving)];
    Step {
        at_once: false,
        title: Clean::line(&format!("{}: {name} begins to move to {to}", field.host.name())),
        when: When::Always,
        action: Action::Write(Box::new(Write {
            node: field.host.name().clone(),
            request: steps::request(field, Operation::Migrate(Box::new(migration))),
            binds: Vec::new(),
            before: vec![own(GuestState::Running), own(GuestState::Idle)],
            guards: vec![check(field, to, GuestState::Absent)],
            after: Until {
                checks: done.clone(),
                need: Need::All,
                holds: 1,
                poll_ms: limits::VERIFY_POLL_MS,
                deadline_ms: BEGIN_DEADLINE_MS,
            },
            done,
            undo: Undo::Send { label: "give it up".into(), request: steps::request(field, Operation::AbortJob) },
            rests: None,
            told_anew: false,
        })),
    }
}

fn wait(title: &str, checks: Vec<Check>, holds: u32, deadline_ms: u64, guards: Vec<Check>, on_late: OnLate) -> Step {
    let until = Until { checks, need: Need::All, holds, poll_ms: LOOK_MS, deadline_ms };
    Step {
        title: Clean::line(title),
        when: When::Always,
        action: Action::Wait(Wait { until, guards, on_late, keeps: false }),
        at_once: false,
    }
}

fn arrive(field: &Field<'_>, destination: &Destination<'_>, deadline_ms: u64) -> Step {
    let (name, to) = (&field.name, destination.host.name());
    let checks = vec![check(field, field.host.name(), GuestState::Absent), check(field, to, GuestState::Running)];
    let guards = vec![check(field, field.host.name(), GuestState::Leaving)];
    let title = format!("{to}: wait until {name} runs there, and is gone from {}", field.host.name());
    wait(&title, checks, 1, deadline_ms, guards, OnLate::Fail)
}

/// Behind this step the guest has arrived: what is not as it was is told, and nothing is taken back.
fn plugged(field: &Field<'_>, destination: &Destination<'_>) -> Step {
    let (name, to) = (&field.name, destination.host.name());
    let plugs = field.definition.map(|definition| definition.interfaces.iter().map(plug).collect());
    let checks = vec![check(field, to, GuestState::Plugged(plugs.unwrap_or_default()))];
    let late = format!(
        "{name} runs on {to}, and was not seen to be defined and plugged in there as before; on {to}: virsh dumpxml {name}"
    );
    let title = format!("{to}: {name} is defined there, and plugged in as before");
    wait(&title, checks, 1, PLUGGED_DEADLINE_MS, Vec::new(), OnLate::GoOn(Clean::line(&late)))
}

/// What the switch there has heard; nothing where no interface hangs on Open vSwitch in one VLAN.
fn learned(scene: &Scene<'_>, field: &Field<'_>, destination: &Destination<'_>) -> Option<Step> {
    let (name, to) = (&field.name, destination.host.name());
    let switch = scene.world.node(to)?.ovs.last()?;
    let interfaces = field.definition?.interfaces.iter();
    let checks = interfaces.filter(|one| one.is_openvswitch && one.vlans.len() <= 1).filter_map(|one| {
        let bridge = switch.sample.bridges.iter().find(|bridge| bridge.name == one.bridge)?;
        let members = bridge.ports.iter().flat_map(|port| &port.interfaces);
        let former_ports = members.filter_map(|member| match member.ofport {
            Figure::Known(Ofport::Number(number)) => Some(number),
            _ => None,
        });
        let former_ports = former_ports.collect();
        Some(check(field, to, GuestState::Learned { plug: plug(one), former_ports }))
    });
    let checks: Vec<Check> = checks.collect();
    if checks.is_empty() {
        return None;
    }
    let late = format!(
        "the switch of {to} has not heard {name} on a port of its own; on {to}: ovs-appctl fdb/show BRIDGE; ovs-vsctl list \
         port"
    );
    let title = format!("{to}: its switch has heard {name} in the right VLAN");
    Some(wait(&title, checks, 1, PLUGGED_DEADLINE_MS, Vec::new(), OnLate::GoOn(Clean::line(&late))))
}

/// Exactly one hypervisor has it.
fn prove(field: &Field<'_>, destination: &Destination<'_>) -> Step {
    let (name, to) = (&field.name, destination.host.name());
    let mut checks = vec![check(field, field.host.name(), GuestState::Absent)];
    checks.extend(field.others.iter().map(|host| {
        let is = if host.name() == to { GuestState::Running } else { GuestState::NotActive };
        check(field, host.name(), is)
    }));
    let title = format!("{name} runs on {to}, and nowhere else");
    wait(&title, checks, PROOF_LOOKS, PROOF_DEADLINE_MS, Vec::new(), OnLate::Fail)
}
