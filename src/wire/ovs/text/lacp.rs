//! `ovs-appctl lacp/show`: a section for each port that speaks LACP, in it a paragraph for each member.

use super::{Answer, ROWS_MAX, Understood, member, section};
use crate::{
    model::{
        figure::{Figure, Unknown},
        ovs_daemon::{LacpFlags, LacpMember, LacpState},
        text::Clean,
    },
    wire::complaints::Complaints,
};

/// Every port that speaks LACP, in the daemon's order; none when none does.
pub fn lacp(bytes: &[u8]) -> Understood<LacpState> {
    let mut answer = Answer::new("lacp/show", bytes);
    let text = std::mem::take(&mut answer.text);
    let mut ports: Vec<LacpState> = Vec::new();
    let mut rows = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if rows >= ROWS_MAX {
            answer.complaints.add("lacp/show", format!("only {ROWS_MAX} ports and members are kept"));
            break;
        }
        if let Some(name) = section(line) {
            ports.push(new_port(name));
            rows += 1;
        } else if let Some(port) = ports.last_mut() {
            rows += usize::from(take(line, port, &mut answer.complaints));
        } else {
            answer.text = text;
            return answer.not_understood();
        }
    }
    (Some(ports), answer.complaints.finish())
}

fn new_port(name: &str) -> LacpState {
    let missing = Unknown::Missing;
    LacpState {
        name: Clean::line(name),
        negotiated: Figure::Unknown(missing),
        active: Figure::Unknown(missing),
        system_id: Figure::Unknown(missing),
        members: Vec::new(),
    }
}

/// One line of a port; whether it begins a member. Priorities, keys and numbers of ports are left out.
fn take(line: &str, port: &mut LacpState, complaints: &mut Complaints) -> bool {
    if let Some((name, state)) = member(line, ": ").and_then(|rest| rest.rsplit_once(": ")) {
        let mut words = state.split_whitespace();
        let missing = Unknown::Missing;
        port.members.push(LacpMember {
            name: Clean::line(name),
            status: Figure::from_option(words.next().map(Clean::line), missing),
            attached: match words.next() {
                Some("attached") => Figure::Known(true),
                Some("detached") => Figure::Known(false),
                _ => Figure::Unknown(Unknown::Malformed),
            },
            actor: Figure::Unknown(missing),
            partner: Figure::Unknown(missing),
            partner_system_id: Figure::Unknown(missing),
        });
        return true;
    }
    // A partner that was never heard has a state without words.
    let (key, value) = line.split_once(':').map_or((line, ""), |(key, value)| (key, value.trim()));
    match (key, port.members.last_mut()) {
        ("actor state", Some(member)) => member.actor = Figure::Known(flags(value, complaints)),
        ("partner state", Some(member)) => member.partner = Figure::Known(flags(value, complaints)),
        ("partner sys_id", Some(member)) => member.partner_system_id = Figure::Known(Clean::line(value)),
        ("status", None) => {
            let has = |word| Figure::Known(value.split_whitespace().any(|other| other == word));
            port.active = has("active");
            port.negotiated = has("negotiated");
        }
        ("sys_id", None) => port.system_id = Figure::Known(Clean::line(value)),
        _ => {}
    }
    false
}

fn flags(words: &str, complaints: &mut Complaints) -> LacpFlags {
    let mut flags = LacpFlags::default();
    for word in words.split_whitespace() {
        let flag = match word {
            "activity" => &mut flags.activity,
            "timeout" => &mut flags.timeout,
            "aggregation" => &mut flags.aggregation,
            "synchronized" => &mut flags.synchronized,
            "collecting" => &mut flags.collecting,
            "distributing" => &mut flags.distributing,
            "defaulted" => &mut flags.defaulted,
            "expired" => &mut flags.expired,
            other => {
                complaints.add("lacp/show state", format!("not a flag that is known: {other}"));
                continue;
            }
        };
        *flag = true;
    }
    flags
}
