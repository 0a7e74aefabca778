//! What is sent, how it is seen, and what takes it back.

use super::{Check, Field, GuestAct, GuestState, check};
use crate::{
    model::text::Clean,
    plan::{
        limits,
        parts::{Action, Need, OnLate, Step, Undo, Until, Wait, When, Write},
        text::seconds,
    },
    wire::{
        libvirt::{
            self,
            operation::{GuestIdentity, Operation},
        },
        request::{Access, Call, Request},
    },
};

/// Longest wait for libvirt's answer to an operation. A start prepares disks and ports first.
const ANSWER_DEADLINE_MS: u64 = 30_000;
/// libvirt answers a change in a word.
const ANSWER_BYTES_MAX: usize = 4_096;
/// Longest wait until a change is seen.
const SEEN_DEADLINE_MS: u64 = 10_000;
/// From one look to the next: each takes the hypervisor some milliseconds for each guest.
const LOOK_MS: u64 = 200;
/// The same while a guest takes its time. Short of the two seconds for which its counters stand.
const SLOW_LOOK_MS: u64 = 500;
/// Looks in a row in which the end must be seen.
const PROOF_LOOKS: u32 = 3;

/// All steps.
pub(super) fn all(field: &Field<'_>, act: &GuestAct) -> Vec<Step> {
    let (write, end) = match act {
        GuestAct::Suspend => (suspend(field), GuestState::Paused),
        GuestAct::Resume => (resume(field), GuestState::Running),
        GuestAct::Start => (start(field), GuestState::Running),
        GuestAct::Shutdown { deadline_ms } => (shutdown(field, *deadline_ms), GuestState::Off),
        GuestAct::Reset { deadline_ms } => (reset(field, *deadline_ms), GuestState::Running),
        // Its steps are those of `migration`.
        GuestAct::Migrate { .. } => return Vec::new(),
    };
    vec![write, prove(field, act, end)]
}

/// What will happen, in sentences.
pub(super) fn effect(field: &Field<'_>, act: &GuestAct) -> Vec<String> {
    let (name, host) = (&field.name, field.host.name());
    match act {
        GuestAct::Suspend => vec![
            format!("The virtual CPUs of {name} stand still; its memory is kept, and it goes on where it was."),
            "Its clients wait, and give up after their own timeouts. Its clock is behind afterwards.".to_owned(),
        ],
        GuestAct::Resume => {
            let mut effect = vec![format!("{name} goes on where it stood still.")];
            if field.domain.stands_on_io_error() {
                effect.push("Its disk had failed: it stands still again at once if it still does.".to_owned());
            }
            effect
        }
        GuestAct::Start => vec![format!("{name} is switched on, on {host}, as it is defined there.")],
        GuestAct::Shutdown { deadline_ms } => vec![
            format!("The kernel of {name} is asked to shut down, as by the power button."),
            format!(
                "It may take {}. If it still runs then, the run ends and says so: its power is never taken away.",
                seconds(*deadline_ms)
            ),
        ],
        GuestAct::Reset { deadline_ms } => vec![
            format!("{name} begins anew at once, as by the reset button: its kernel is not asked."),
            format!(
                "Its kernel may take {} to begin, which the counter of its page faults shows.",
                seconds(*deadline_ms)
            ),
        ],
        GuestAct::Migrate { .. } => Vec::new(),
    }
}

/// The ending *reached* in one sentence.
pub(super) fn goal(field: &Field<'_>, act: &GuestAct) -> String {
    let (name, host) = (&field.name, field.host.name());
    match act {
        GuestAct::Suspend => format!("{name} stands still on {host}"),
        GuestAct::Resume | GuestAct::Start => format!("{name} runs on {host}"),
        GuestAct::Shutdown { .. } => format!("{name} is off"),
        GuestAct::Reset { .. } => format!("{name} has begun anew on {host}"),
        GuestAct::Migrate { to, .. } => format!("{name} runs on {to}, and nowhere else"),
    }
}

fn own(field: &Field<'_>, is: GuestState) -> Check {
    check(field, field.host.name(), is)
}

pub(super) fn request(field: &Field<'_>, operation: Operation) -> Request {
    let identity = GuestIdentity { name: field.name.to_string(), uuid: field.domain.uuid.to_string() };
    // A hypervisor has a socket, or it would not have been read.
    let socket = libvirt::writing_socket(field.host.node).unwrap_or_default().to_owned();
    Request {
        access: Access::Write,
        call: Call::LibvirtWrite { socket, guest: identity, operation },
        deadline_ms: ANSWER_DEADLINE_MS,
        cap_bytes: ANSWER_BYTES_MAX,
    }
}

/// What differs between writes.
struct WriteParts {
    title: String,
    operation: Operation,
    before: GuestState,
    guards: Vec<Check>,
    done: GuestState,
    poll_ms: u64,
    deadline_ms: u64,
    undo: Undo,
    rests: Option<String>,
}

fn write(field: &Field<'_>, parts: WriteParts) -> Step {
    let done = vec![own(field, parts.done)];
    Step {
        at_once: false,
        title: Clean::line(&format!("{}: {}", field.host.name(), parts.title)),
        when: When::Always,
        action: Action::Write(Box::new(Write {
            node: field.host.name().clone(),
            request: request(field, parts.operation),
            binds: Vec::new(),
            before: vec![own(field, parts.before)],
            guards: parts.guards,
            after: Until {
                checks: done.clone(),
                need: Need::All,
                holds: 1,
                poll_ms: parts.poll_ms,
                deadline_ms: parts.deadline_ms,
            },
            done,
            undo: parts.undo,
            rests: parts.rests.map(|words| Clean::line(&words)),
            told_anew: false,
        })),
    }
}

fn suspend(field: &Field<'_>) -> Step {
    write(
        field,
        WriteParts {
            title: format!("{} stands still", field.name),
            operation: Operation::Suspend,
            before: GuestState::Running,
            guards: vec![own(field, GuestState::Idle)],
            done: GuestState::Paused,
            poll_ms: LOOK_MS,
            deadline_ms: SEEN_DEADLINE_MS,
            undo: Undo::Send { label: "resume".into(), request: request(field, Operation::Resume) },
            rests: None,
        },
    )
}

fn resume(field: &Field<'_>) -> Step {
    write(
        field,
        WriteParts {
            title: format!("{} goes on", field.name),
            operation: Operation::Resume,
            before: GuestState::Paused,
            guards: vec![own(field, GuestState::Idle)],
            done: GuestState::Running,
            poll_ms: LOOK_MS,
            deadline_ms: SEEN_DEADLINE_MS,
            undo: Undo::Send { label: "suspend".into(), request: request(field, Operation::Suspend) },
            rests: None,
        },
    )
}

fn start(field: &Field<'_>) -> Step {
    let elsewhere = field.others.iter().map(|host| check(field, host.name(), GuestState::NotActive));
    write(
        field,
        WriteParts {
            title: format!("{} is switched on", field.name),
            operation: Operation::Start,
            // A state without a reason is refused.
            before: GuestState::StillOff { reason: field.domain.reason.known().unwrap_or_default() },
            guards: elsewhere.collect(),
            done: GuestState::Running,
            poll_ms: LOOK_MS,
            deadline_ms: SEEN_DEADLINE_MS,
            undo: Undo::Irreversible {
                why: "taking the power of a guest away that has begun may harm its disks; shut it down instead".into(),
                is_whole: true,
            },
            rests: None,
        },
    )
}

fn shutdown(field: &Field<'_>, deadline_ms: u64) -> Step {
    let (name, host) = (&field.name, field.host.name());
    write(
        field,
        WriteParts {
            title: format!("{name} is asked to shut down"),
            operation: Operation::Shutdown,
            before: GuestState::Running,
            guards: vec![own(field, GuestState::Idle)],
            done: GuestState::Off,
            poll_ms: SLOW_LOOK_MS,
            deadline_ms,
            undo: Undo::Irreversible {
                why: "a guest that was asked to shut down cannot be asked to stay; once it is off, it can be started"
                    .into(),
                is_whole: false,
            },
            rests: Some(format!(
                "{name} was asked to shut down and was not seen to be off; it may still go off. To ask it again: vakt do \
                 vm.shutdown {name}. To see why not, on {host}: virsh console {name}. To take its power away, which \
                 loses what it has not written, on {host}: virsh destroy {name}"
            )),
        },
    )
}

fn reset(field: &Field<'_>, deadline_ms: u64) -> Step {
    let (name, host) = (&field.name, field.host.name());
    // Whoever does not tell it is refused.
    let page_faults = field.domain.memory.page_faults.known().unwrap_or_default();
    write(
        field,
        WriteParts {
            title: format!("{name} begins anew"),
            operation: Operation::Reset,
            before: GuestState::Running,
            guards: vec![own(field, GuestState::Idle)],
            done: GuestState::BegunAnew { page_faults },
            poll_ms: SLOW_LOOK_MS,
            deadline_ms,
            undo: Undo::Irreversible { why: "what was only in its memory is lost".into(), is_whole: false },
            rests: Some(format!(
                "{name} was reset, and its kernel was not seen to begin anew. To see how far it is, on {host}: virsh \
                 console {name}"
            )),
        },
    )
}

/// The last step: it is looked at once more, several times.
fn prove(field: &Field<'_>, act: &GuestAct, end: GuestState) -> Step {
    let until = Until {
        checks: vec![own(field, end)],
        need: Need::All,
        holds: PROOF_LOOKS,
        poll_ms: LOOK_MS,
        deadline_ms: limits::VERIFY_DEADLINE_MS,
    };
    Step {
        title: Clean::line(&goal(field, act)),
        when: When::Always,
        action: Action::Wait(Wait { until, guards: Vec::new(), on_late: OnLate::Fail, keeps: false }),
        at_once: false,
    }
}
