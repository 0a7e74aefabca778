//! The second way: keepalived stops on the holder, which tells the others that it leaves, and starts again once another
//! holds the address.
//!
//! It is taken where no number moves the address (`nopreempt`, or no tracked file), and only where the former holder
//! leaves the address where it finds it: otherwise it would have to stay without keepalived.

use super::{VipExpect, check, field::Field, limits};
use crate::{
    model::text::Clean,
    plan::parts::{Action, Need, Step, Undo, Until, When, Write},
    wire::request::{Access, Call, Request},
};
use std::net::IpAddr;

/// Longest time for keepalived to stop or to start.
const SERVICE_MS: u64 = 10_000;

/// Why the holder cannot be restarted for the move; `None` when it can.
pub(super) fn objection(field: &Field<'_>) -> Option<String> {
    let (target, holder) = (&field.target, &field.holder);
    let (to, from) = (&target.node.name, &holder.node.name);
    let (Some(own), Some(theirs)) = (target.instance.priority_now(), holder.instance.priority_now()) else {
        return Some("a priority is unknown".to_owned());
    };
    if let Some(other) = field
        .others
        .iter()
        .find(|seat| seat.is_running() && seat.instance.priority_now().is_none_or(|priority| priority >= own))
    {
        return Some(format!("{} would take it before {to}", other.node.name));
    }
    let takes_back = theirs >= own && !holder.instance.is_nopreempt;
    takes_back
        .then(|| format!("{from} would take it back when its keepalived starts again, because its priority is higher"))
}

/// Other addresses that the holder has by keepalived: all of them move.
pub(super) fn companions(field: &Field<'_>) -> Vec<IpAddr> {
    let all = field.holder.sample.keepalived.instances.iter().flat_map(|instance| &instance.addresses);
    let mut found: Vec<IpAddr> = all.filter(|other| **other != field.address).copied().collect();
    found.sort();
    found.dedup();
    found
}

/// It stops and lets go.
pub(super) fn stop(field: &Field<'_>) -> Step {
    let holder = |is: VipExpect| check(&field.holder, field.address, is);
    let target = |is: VipExpect| check(&field.target, field.address, is);
    let mut guards = vec![holder(VipExpect::Held), target(VipExpect::Moved)];
    guards.extend(field.balancer.as_ref().map(|_| target(VipExpect::Balanced)));
    let done = vec![holder(VipExpect::Stopped), holder(VipExpect::NotHeld)];
    let from = &field.holder.node.name;
    write(
        field,
        Change {
            title: format!("{from}: keepalived stops and lets {} go", field.address),
            word: "stop",
            back: "start",
            before: vec![holder(VipExpect::Moved)],
            guards,
            done,
        },
    )
}

/// It starts again, beside the new holder.
pub(super) fn start(field: &Field<'_>) -> Step {
    let holder = |is: VipExpect| check(&field.holder, field.address, is);
    let from = &field.holder.node.name;
    write(
        field,
        Change {
            title: format!("{from}: keepalived starts again"),
            word: "start",
            back: "stop",
            before: vec![holder(VipExpect::Stopped)],
            guards: vec![check(&field.target, field.address, VipExpect::Held)],
            done: vec![holder(VipExpect::Moved)],
        },
    )
}

/// What differs between the two.
struct Change {
    title: String,
    word: &'static str,
    back: &'static str,
    before: Vec<super::Check>,
    guards: Vec<super::Check>,
    done: Vec<super::Check>,
}

fn write(field: &Field<'_>, change: Change) -> Step {
    let Change { title, word, back, before, guards, done } = change;
    let after = Until {
        checks: done.clone(),
        need: Need::All,
        holds: 1,
        poll_ms: limits::VERIFY_POLL_MS,
        deadline_ms: SERVICE_MS,
    };
    let label = if back == "start" { "starts again" } else { "stops again" };
    Step {
        at_once: false,
        title: Clean::line(&title),
        when: When::Always,
        action: Action::Write(Box::new(Write {
            node: field.holder.node.name.clone(),
            request: service(word),
            binds: Vec::new(),
            before,
            guards,
            done,
            after,
            rests: None,
            told_anew: false,
            undo: Undo::Send { label: label.into(), request: service(back) },
        })),
    }
}

/// Starts or stops keepalived as root; `service` is there whatever starts services.
fn service(word: &str) -> Request {
    const SCRIPT: &str = r#"[ $(id -u) = 0 ] && s= || s="sudo -n"; exec $s "$@""#;
    let argv = ["sh", "-c", SCRIPT, "sh", "service", "keepalived", word].map(str::to_owned).to_vec();
    Request { access: Access::Write, call: Call::Exec { argv }, deadline_ms: SERVICE_MS, cap_bytes: 4_096 }
}
