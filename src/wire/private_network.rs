//! Round trips between nodes over their private addresses: a few packets to several peers at once, by the node's ping.
//!
//! Each pair is measured from one side only, a trip there and back being one. Of large clusters a node asks some peers:
//! near ones and far ones of the list.

use super::{
    complaints::Complaints,
    probe::{Complaint, Facts, Probe},
    request::{Call, Reply, Request},
};
use crate::model::{
    figure::{Figure, Unknown},
    inventory::{Inventory, Node},
    private_network::{PrivateNetworkSample, Round},
    text::Clean,
};
use std::{fmt::Write, net::IpAddr};

/// Longest answer.
pub const CAP_BYTES: usize = 64 * 1024;
/// Longest wait: two packets, a second for a late answer, and a busy node.
pub const DEADLINE_MS: u64 = 5_000;
/// Peers that one node asks.
pub const PEERS_MAX: usize = 12;
/// First words of the script: how a simulated node recognises it.
const BEGINNING: &str = "command -v ping >/dev/null || echo missing:ping; ";

/// Latency and loss.
#[derive(Debug)]
pub struct PrivateNetworkProbe;

impl PrivateNetworkProbe {
    /// The peers that `call` asks, if it is what this probe sends: how a simulated node answers it.
    pub fn asks(call: &Call) -> Option<Vec<IpAddr>> {
        let Call::Exec { argv } = call else { return None };
        let script = argv.last()?.strip_prefix(BEGINNING)?;
        Some(script.split_whitespace().filter_map(|word| word.parse().ok()).collect())
    }

    /// The peers of a node: it and they have a private address.
    pub fn peers(node: &Node, inventory: &Inventory) -> Vec<IpAddr> {
        let reached: Vec<&Node> = inventory.nodes.iter().filter(|node| node.private.is_some()).collect();
        let Some(own) = reached.iter().position(|reached| reached.name == node.name) else { return Vec::new() };
        let count = reached.len();
        let half = count / 2;
        // Around a ring: everyone asks those of the half that follows, so that each pair is asked once. Where both
        // halves meet in the same peer the first one asks.
        let mut steps: Vec<usize> = (1..=half).filter(|step| 2 * step != count || own < half).collect();
        if steps.len() > PEERS_MAX {
            steps = std::iter::successors(Some(1_usize), |step| step.checked_mul(2))
                .take_while(|step| *step <= half)
                .collect();
            steps.truncate(PEERS_MAX);
        }
        steps.into_iter().filter_map(|step| reached.get((own + step) % count)?.private).collect()
    }
}

impl Probe for PrivateNetworkProbe {
    /// Without its peers a node has nobody to ask.
    fn requests(&self, _node: &Node, _deadline_ms: u64) -> Vec<Request> {
        Vec::new()
    }

    fn requests_in(&self, node: &Node, inventory: &Inventory) -> Vec<Request> {
        let peers = Self::peers(node, inventory);
        if peers.is_empty() {
            return Vec::new();
        }
        // Each ping writes all it has to say at its end, so that the answers do not mix.
        let mut script = String::from(BEGINNING);
        for peer in peers {
            let family = if peer.is_ipv4() { "ping" } else { "ping -6" };
            // Writing to a string cannot fail.
            let _ = write!(script, "{family} -n -q -c 2 -i 0.2 -W 1 {peer} & ");
        }
        script += "wait";
        let argv = vec!["sh".to_owned(), "-c".to_owned(), script];
        vec![Request::read(Call::Exec { argv }, DEADLINE_MS, CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let Some(reply) = replies.first() else {
            return (Some(Facts::PrivateNetwork(Box::default())), Vec::new());
        };
        let (sample, complaints) = interpret(reply);
        (sample.map(|sample| Facts::PrivateNetwork(Box::new(sample))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

fn interpret(reply: &Reply) -> (Option<PrivateNetworkSample>, Vec<Complaint>) {
    let text = String::from_utf8_lossy(&reply.bytes);
    let mut complaints = Complaints::default();
    let mut rounds: Vec<(IpAddr, Round)> = Vec::new();
    for line in text.lines().take(PEERS_MAX * 16) {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("--- ") {
            let address = rest.split(' ').next().and_then(|word| word.parse::<IpAddr>().ok());
            match address.filter(|_| rounds.len() < 2 * PEERS_MAX) {
                Some(address) => {
                    let missing = Figure::Unknown(Unknown::NothingHappened);
                    rounds.push((
                        address,
                        Round { best_ms: missing, mean_ms: missing, worst_ms: missing, ..Round::default() },
                    ));
                }
                None => complaints.add("ping", format!("not an address: {rest}")),
            }
        } else if let Some((_, round)) = rounds.last_mut() {
            take(round, line, &mut complaints);
        }
    }
    let said = String::from_utf8_lossy(&reply.stderr);
    let said = said.lines().next().unwrap_or_default();
    if !said.is_empty() {
        complaints.add("ping", said);
    }
    if rounds.is_empty() {
        let why = if text.contains("missing:ping") {
            "the node has no ping".to_owned()
        } else {
            format!("ping says nothing: {}", Clean::line(said))
        };
        complaints.add("the private network", why);
        return (None, complaints.finish());
    }
    (Some(PrivateNetworkSample { rounds }), complaints.finish())
}

/// `2 packets transmitted, 2 received, 0% packet loss, time 200ms`, then
/// `rtt min/avg/max/mdev = 0.514/0.563/0.612/0.049 ms` (elsewhere `round-trip min/avg/max = …`).
fn take(round: &mut Round, line: &str, complaints: &mut Complaints) {
    if line.contains("packets transmitted") {
        let count =
            |part: Option<&str>| part.and_then(|part| part.split_whitespace().next()).unwrap_or_default().to_owned();
        let mut parts = line.split(',');
        let sent = complaints.number::<u32>("ping: sent", &count(parts.next()));
        let received = complaints.number::<u32>("ping: received", &count(parts.next()));
        (round.sent, round.received) = (sent.known().unwrap_or_default(), received.known().unwrap_or_default());
    } else if line.starts_with("rtt ") || line.starts_with("round-trip ") {
        let figures = line.split('=').nth(1).unwrap_or_default();
        let mut figures = figures.trim().split(['/', ' ']);
        let mut next = |what: &str| complaints.fraction(what, figures.next().unwrap_or_default());
        round.best_ms = next("ping: best");
        round.mean_ms = next("ping: mean");
        round.worst_ms = next("ping: worst");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply { bytes: text.as_bytes().to_vec(), ..Reply::default() }
    }

    #[test]
    fn both_kinds_of_ping_are_understood_and_a_lost_peer_has_no_latency() {
        let text = "PING 10.10.0.12 (10.10.0.12) 56(84) bytes of data.\n\n--- 10.10.0.12 ping statistics ---\n\
                    2 packets transmitted, 2 received, 0% packet loss, time 200ms\n\
                    rtt min/avg/max/mdev = 0.514/0.563/0.612/0.049 ms\n\
                    --- 10.10.0.13 ping statistics ---\n2 packets transmitted, 0 received, 100% packet loss, time 1021ms\n\
                    --- 10.10.0.14 ping statistics ---\n2 packets transmitted, 1 packets received, 50% packet loss\n\
                    round-trip min/avg/max = 1.250/1.250/1.250 ms\n";
        let (sample, complaints) = interpret(&reply(text));
        let rounds = sample.unwrap_or_default().rounds;
        assert!(complaints.is_empty(), "{complaints:?}");
        assert_eq!((rounds[0].1.received, rounds[0].1.best_ms), (2, Figure::Known(0.514)));
        assert_eq!((rounds[1].1.received, rounds[1].1.best_ms), (0, Figure::Unknown(Unknown::NothingHappened)));
        assert_eq!((rounds[2].1.received, rounds[2].1.worst_ms), (1, Figure::Known(1.25)));
    }

    #[test]
    fn a_node_without_ping_says_so() {
        let (sample, complaints) = interpret(&reply("missing:ping\n"));
        assert_eq!(sample, None);
        assert!(complaints.iter().any(|complaint| complaint.text.as_str() == "the node has no ping"));
    }
}
