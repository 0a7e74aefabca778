//! How a node's switch stands: its daemon first, then what its database says of itself.

use super::port;
use crate::{
    app::{
        Seen, figures,
        meaning::{Line, Meaning, Span},
    },
    model::{figure::Figure, ovs_daemon::DaemonProcessState, text::Clean, world::NodeFacts},
};

/// The state of the switch in a few words.
pub(crate) fn daemon_standing(seen: Seen<'_>, node: &NodeFacts) -> Line {
    let mut line = Line::new();
    let Some(facts) = node.ovs.last() else {
        return match node.ovs.failure() {
            Some(failure) if node.bridges.last().is_none_or(Vec::is_empty) => {
                vec![Span::signed(failure.reason.as_str(), Meaning::Unknown)]
            }
            _ => vec![Span::dim("no Open vSwitch")],
        };
    };
    let version = facts.sample.switch.version.as_ref().known().map_or("?", Clean::as_str);
    if port::is_old(seen, node) {
        let age = node.ovs.age_ms(seen.now.mono).map_or("?".to_owned(), figures::age);
        line.push(Span::signed(&format!("as it was {age} ago"), Meaning::Stale));
    } else {
        let (meaning, word) = match node.ovs_live.last() {
            Some(daemon) => daemon_word(&daemon.process, daemon.silence.is_some()),
            None => (Meaning::Unknown, "daemon not read yet"),
        };
        line.push(Span::signed(word, meaning));
    }
    line.push(Span::dim(format!("  Open vSwitch {version}")));
    let upcalls = node.ovs_detail.last().and_then(|detail| detail.upcalls.as_ref().known());
    if let Some(busiest) = upcalls.into_iter().flatten().max_by_key(|one| one.flows.known())
        && let (Figure::Known(flows), Figure::Known(most)) = (busiest.flows, busiest.flows_max)
    {
        line.push(Span::dim(format!("  {} of {} flows", figures::count(flows), figures::count(most))));
    }
    line
}

fn daemon_word(process: &DaemonProcessState, is_silent: bool) -> (Meaning, &'static str) {
    match process {
        DaemonProcessState::Halted { .. } => (Meaning::Crit, "ovs-vswitchd halted"),
        DaemonProcessState::Gone { .. } | DaemonProcessState::NotStarted => (Meaning::Crit, "ovs-vswitchd dead"),
        _ if is_silent => (Meaning::Warn, "ovs-vswitchd silent"),
        DaemonProcessState::Running { .. } | DaemonProcessState::Hidden { .. } => (Meaning::Ok, "switching"),
    }
}
