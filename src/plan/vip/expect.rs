//! What can be expected of a node that may hold a virtual address, and of its neighbours.

use crate::{
    model::{
        figure::Figure,
        presence::{Keepalived, PresenceSample, ProcessState, VrrpInstance},
        text::Clean,
    },
    plan::expect::{Verdict, of, verdict},
    wire::probe::Facts,
};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr};

/// What can be expected about a virtual address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VipExpect {
    /// The node holds it.
    Held,
    /// The node does not hold it.
    NotHeld,
    /// keepalived runs and moves this address.
    Moved,
    /// keepalived does not run.
    Stopped,
    /// Its instance has this priority, with what tracked files add.
    Priority(i64),
    /// The tracked file holds this number.
    File {
        /// Where it is.
        path: Clean,
        /// The number.
        value: i64,
    },
    /// Whoever answers for it in the node's ARP table has one of these hardware addresses.
    AnsweredBy(Vec<Clean>),
    /// The load balancer of the node answers.
    Balanced,
}

impl VipExpect {
    /// How much the fact may move before the plan is void.
    pub(in crate::plan) fn tolerance(&self) -> &'static str {
        match self {
            Self::Priority(_) | Self::File { .. } => "exactly",
            _ => "as told",
        }
    }

    /// Judges the facts of one node.
    pub(in crate::plan) fn judge(&self, address: IpAddr, facts: &Facts) -> Verdict {
        if *self == Self::Balanced {
            return match facts {
                Facts::Haproxy(sample) => verdict(true, format!("HAProxy answers, {}", sessions(sample))),
                _ => Verdict::Unknown("the answer is not HAProxy's".into()),
            };
        }
        let Facts::Presence(sample) = facts else { return Verdict::Unknown("the answer is about no addresses".into()) };
        match self {
            Self::Held => judge_held(sample, address, true),
            Self::NotHeld => judge_held(sample, address, false),
            Self::Moved => judge_moved(&sample.keepalived, address),
            Self::Stopped => {
                let process = sample.keepalived.process;
                of(process, "whether keepalived runs", |process| process == ProcessState::Absent, process_words)
            }
            Self::Priority(priority) => {
                match instance_of(&sample.keepalived, address).map(VrrpInstance::priority_now) {
                    Some(Some(now)) => verdict(now == *priority, format!("priority {now}")),
                    Some(None) => Verdict::Unknown("the priority is unknown: a tracked file cannot be read".into()),
                    None => Verdict::Unknown("keepalived.conf names no instance with this address".into()),
                }
            }
            Self::File { path, value } => match number_in(&sample.keepalived, path) {
                Figure::Known(number) => verdict(number == *value, format!("{path} says {number}")),
                Figure::Unknown(why) => Verdict::Unknown(Clean::line(&format!("what {path} says is unknown: {why}"))),
            },
            Self::AnsweredBy(hardware) => judge_answer(sample, address, hardware),
            Self::Balanced => Verdict::Unknown("the answer is not HAProxy's".into()),
        }
    }

    /// The expectation as a fragment with its subject: "203.0.113.100 is held".
    pub(in crate::plan) fn tell(&self, address: IpAddr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => write!(f, "{address} is held"),
            Self::NotHeld => write!(f, "{address} is not held"),
            Self::Moved => write!(f, "keepalived runs and moves {address}"),
            Self::Stopped => f.write_str("keepalived does not run"),
            Self::Priority(priority) => write!(f, "keepalived has priority {priority} for {address}"),
            Self::File { path, value } => write!(f, "{path} says {value}"),
            Self::AnsweredBy(hardware) => match hardware.as_slice() {
                [one] => write!(f, "{address} is answered by {one}"),
                _ => write!(f, "{address} is answered by a hardware address of the new holder"),
            },
            Self::Balanced => f.write_str("HAProxy answers"),
        }
    }
}

/// The instance that moves the address.
pub(in crate::plan) fn instance_of(keepalived: &Keepalived, address: IpAddr) -> Option<&VrrpInstance> {
    keepalived.instances.iter().find(|instance| instance.addresses.contains(&address))
}

fn number_in(keepalived: &Keepalived, path: &Clean) -> Figure<i64> {
    let files = keepalived.instances.iter().flat_map(|instance| &instance.files);
    files.filter(|file| file.path == *path).map(|file| file.value).next().unwrap_or_default()
}

fn judge_held(sample: &PresenceSample, address: IpAddr, wanted: bool) -> Verdict {
    let held = sample.addresses.as_ref().map(|addresses| addresses.contains(&address));
    let words = |held: bool| if held { "holds it".to_owned() } else { "does not hold it".to_owned() };
    of(held, "whether it holds the address", |held| held == wanted, words)
}

fn judge_moved(keepalived: &Keepalived, address: IpAddr) -> Verdict {
    let process = keepalived.process;
    // One look: whoever writes a line to a log waits for a disk for a moment, and is at work.
    let is_at_work = |process| matches!(process, ProcessState::Running | ProcessState::Blocked);
    match of(process, "whether keepalived runs", is_at_work, process_words) {
        Verdict::Holds(_) => match instance_of(keepalived, address) {
            Some(instance) => verdict(true, format!("keepalived runs, instance {}", instance.name)),
            None => verdict(false, "keepalived runs, but no instance of it has this address"),
        },
        other => other,
    }
}

/// How keepalived stands.
pub(super) fn process_words(process: ProcessState) -> String {
    match process {
        ProcessState::Running => "keepalived runs",
        ProcessState::Stopped => "keepalived is stopped by a signal",
        ProcessState::Blocked => "keepalived waits for a disk",
        ProcessState::Absent => "keepalived does not run",
    }
    .to_owned()
}

fn judge_answer(sample: &PresenceSample, address: IpAddr, hardware: &[Clean]) -> Verdict {
    let mut answers = sample.neighbours.iter().filter(|neighbour| neighbour.address == address).peekable();
    if answers.peek().is_none() {
        return verdict(false, "nobody has answered for it yet");
    }
    let wrong = answers.clone().find(|neighbour| !hardware.contains(&neighbour.hardware));
    match (wrong, answers.next()) {
        (Some(wrong), _) => verdict(false, format!("{} answers for it", wrong.hardware)),
        (None, Some(right)) => verdict(true, format!("{} answers for it", right.hardware)),
        (None, None) => verdict(false, "nobody has answered for it yet"),
    }
}

fn sessions(sample: &crate::model::haproxy::HaproxySample) -> String {
    match open_sessions(sample) {
        Some(1) => "1 client connection".to_owned(),
        Some(count) => format!("{count} client connections"),
        None => "its connections are unknown".to_owned(),
    }
}

/// Connections of clients; `None` where HAProxy does not tell.
pub(super) fn open_sessions(sample: &crate::model::haproxy::HaproxySample) -> Option<u64> {
    sample.frontends.iter().map(|frontend| frontend.traffic.sessions_current.known()).sum()
}

/// A node in one line, for what is true after a run.
pub(in crate::plan) fn words(facts: &Facts, address: IpAddr) -> Clean {
    let sample = match facts {
        Facts::Presence(sample) => sample,
        Facts::Haproxy(sample) => return Clean::line(&format!("is served by HAProxy, {}", sessions(sample))),
        _ => return "the answer is about no addresses".into(),
    };
    let held = judge_held(sample, address, true);
    match instance_of(&sample.keepalived, address) {
        Some(instance) => {
            let priority = instance.priority_now().map_or_else(|| "?".to_owned(), |priority| priority.to_string());
            let process =
                sample.keepalived.process.known().map_or_else(|| "keepalived unknown".to_owned(), process_words);
            Clean::line(&format!("{}, priority {priority}, {process}", held.seen()))
        }
        None => match sample.neighbours.iter().find(|neighbour| neighbour.address == address) {
            Some(neighbour) => Clean::line(&format!("is answered by {}", neighbour.hardware)),
            None => held.seen().clone(),
        },
    }
}
