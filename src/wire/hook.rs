//! The command of the operator's that leads writes to the primary: how it is called, and what its answer says.
//!
//! It runs on the bastion, without a shell. With `--check` it changes nothing, tells whether it could do its part, and
//! prints the name of the node that it leads writes to now; without it, it leads them to the node behind `--to`. So what
//! it did is read back like anything else.

use super::{
    complaints::Complaints,
    probe::{Complaint, Facts, Probe},
    request::{Access, Call, Reply, Request},
};
use crate::model::{
    figure::{Figure, Unknown},
    inventory::{Node, WriteEndpoint},
    text::Clean,
    write_endpoint::HookSample,
};

/// What is kept of what the command prints, bytes; the rest is read and thrown away.
pub const CAP_BYTES: usize = 4 * 1024;
/// The word that asks it to look only.
const CHECK: &str = "--check";
/// Exit statuses by which a shell tells that there was no end, and that there was no start: the transport uses them alike.
pub const SILENT: u32 = 124;
/// See [`SILENT`].
pub const NOT_STARTED: u32 = 127;

/// Asks whether writes could be led from one node to the other, and where they go now. A read.
pub fn check(endpoint: &WriteEndpoint, from: &Node, to: &Node) -> Request {
    request(endpoint, Access::Read, &[CHECK], from, to)
}

/// Leads writes from one node to the other.
pub fn lead(endpoint: &WriteEndpoint, from: &Node, to: &Node) -> Request {
    request(endpoint, Access::Write, &[], from, to)
}

fn request(endpoint: &WriteEndpoint, access: Access, task: &[&str], from: &Node, to: &Node) -> Request {
    let mut argv = endpoint.command.clone();
    argv.extend(task.iter().map(|word| (*word).to_owned()));
    let sides = [("--from", "--from-address", from), ("--to", "--to-address", to)];
    for (name, address, node) in sides {
        argv.extend([name.to_owned(), node.name.to_string(), address.to_owned(), address_of(node)]);
    }
    Request { access, call: Call::Hook { argv }, deadline_ms: endpoint.command_ms, cap_bytes: CAP_BYTES }
}

/// The address under which others reach the node: on the backplane where it has one.
fn address_of(node: &Node) -> String {
    node.private.map_or_else(|| node.management.clone(), |address| address.to_string())
}

/// Asks the command. Only a run does: each of its plans names the request.
#[derive(Debug)]
pub struct HookProbe;

impl Probe for HookProbe {
    fn requests(&self, _node: &Node, _deadline_ms: u64) -> Vec<Request> {
        Vec::new()
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let mut complaints = Complaints::default();
        let sample = replies.first().map(|reply| interpret(reply, &mut complaints));
        (sample.map(|sample| Facts::Hook(Box::new(sample))), complaints.finish())
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

fn interpret(reply: &Reply, complaints: &mut Complaints) -> HookSample {
    match reply.exit {
        Some(0) => {}
        Some(status) => {
            let objection = Some(Clean::line(&format!("exit {status}: {}", words(reply))));
            return HookSample { leads_to: Figure::Unknown(Unknown::NotOffered), objection };
        }
        None => {
            complaints.add("the command", "no exit status");
            return HookSample::default();
        }
    }
    let text = String::from_utf8_lossy(&reply.bytes);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let leads_to = match (lines.next(), lines.next()) {
        (None, _) => Figure::Unknown(Unknown::Missing),
        (Some(name), None) if is_name(name) => Figure::Known(Clean::line(name)),
        _ => {
            complaints.add("the command", "more than the name of a node");
            Figure::Unknown(Unknown::Malformed)
        }
    };
    HookSample { leads_to, objection: None }
}

fn is_name(word: &str) -> bool {
    word.len() <= 63 && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// What it says in one line: its complaint, or else what it printed.
fn words(reply: &Reply) -> Clean {
    let said = [&reply.stderr, &reply.bytes].into_iter();
    let mut lines = said.flat_map(|bytes| bytes.split(|byte| *byte == b'\n')).map(Clean::line_from_bytes);
    lines.find(|line| !line.is_empty()).unwrap_or_else(|| "it says nothing".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(exit: u32, out: &str, err: &str) -> HookSample {
        let reply = Reply { bytes: out.into(), stderr: err.into(), exit: Some(exit), elapsed_us: 0 };
        interpret(&reply, &mut Complaints::default())
    }

    #[test]
    fn one_word_is_where_writes_go_and_anything_else_is_unknown() {
        assert_eq!(read(0, "db02\n", "").leads_to, Figure::Known("db02".into()));
        assert_eq!(read(0, "\n  db02  \n\n", "a warning").leads_to, Figure::Known("db02".into()));
        assert_eq!(read(0, "", "").leads_to, Figure::Unknown(Unknown::Missing));
        assert_eq!(read(0, "db01\ndb02\n", "").leads_to, Figure::Unknown(Unknown::Malformed));
        assert_eq!(read(0, "it is db02\n", "").leads_to, Figure::Unknown(Unknown::Malformed));
    }

    #[test]
    fn an_objection_is_told_with_its_words() {
        let told = |exit, out: &str, err: &str| read(exit, out, err).objection.unwrap().to_string();
        assert_eq!(told(3, "db02\n", "the zone is locked\nby somebody\n"), "exit 3: the zone is locked");
        assert_eq!(told(1, "no token\n", "\n"), "exit 1: no token");
        assert_eq!(told(1, "", ""), "exit 1: it says nothing");
        assert!(!told(1, "", "\u{1b}[31mred\n").contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn any_bytes_are_understood_or_complained_about(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            exit in proptest::option::of(0_u32..3),
        ) {
            let reply = Reply { stderr: bytes.clone(), bytes, exit, elapsed_us: 0 };
            let _ = HookProbe.interpret(&[reply]);
        }
    }
}
