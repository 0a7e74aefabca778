//! What a reload of HAProxy would forget: states and weights that operators told it are carried over by its state file; limits
//! that were set while it ran are not, and are refused.

use super::{field::Seat, filing::value_of_file};
use crate::{
    model::{
        figure::Figure,
        haproxy::{AdminState, ConfiguredState, HaproxySample, Server},
        intent::ServerPath,
        text::Clean,
        tuning::{HaproxyConfig, Knob},
    },
    plan::refusal::{Reason, ReasonKind},
    wire::file_edit::is_plain_path,
};
use std::fmt;

/// Servers whose state is carried over at most: more would make the plan unreadable.
const CARRIED_MAX: usize = 100;
/// Lines of evidence.
const EVIDENCE_MAX: usize = 8;

/// What operators told a server, unlike its file.
pub(super) struct Carried {
    pub(super) path: ServerPath,
    pub(super) told: AdminState,
    pub(super) weight: u64,
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is told {}, weight {}", self.path, self.told, self.weight)
    }
}

/// The state file that HAProxy reads when it is reloaded, and what is carried over by it.
pub(super) fn carried(
    seat: &Seat<'_>,
    config: &HaproxyConfig,
    reasons: &mut Vec<Reason>,
) -> (Option<String>, Vec<Carried>) {
    let node = &seat.node.name;
    let forgotten = forgotten(seat.sample, config);
    if !forgotten.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::Busy,
            format!("A reload of HAProxy on {node} would take back limits that were set while it ran."),
            forgotten.iter().take(EVIDENCE_MAX).map(|line| Clean::line(&format!("{node}: {line}"))).collect(),
            "Write them to the file first (--persist), or set what the file says.",
        ));
    }
    let mut unknown = Vec::new();
    let carried = unlike_file(seat.sample, &mut unknown);
    if !unknown.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            format!("What operators told HAProxy on {node} is not known, and a reload would forget it."),
            unknown.into_iter().take(EVIDENCE_MAX).map(|line| Clean::line(&format!("{node}: {line}"))).collect(),
            "Give vakt a socket of level admin; vakt check says what each HAProxy answers.",
        ));
    }
    let state_file = config.first(&["server-state-file"]).and_then(|(_, words)| Some(words.get(1)?.text.clone()));
    let is_usable = state_file.as_deref().is_some_and(is_plain_path);
    let is_lost = |one: &&Carried| !is_usable || !config.takes_states_over(one.path.backend.as_str());
    let lost: Vec<&Carried> = carried.iter().filter(is_lost).collect();
    if !lost.is_empty() || carried.len() > CARRIED_MAX {
        let all: Vec<&Carried> = if lost.is_empty() { carried.iter().collect() } else { lost };
        reasons.push(Reason::new(
            ReasonKind::Busy,
            format!("A reload of HAProxy on {node} would forget what operators told it."),
            all.iter().take(EVIDENCE_MAX).map(|one| Clean::line(&format!("{node}: {one}"))).collect(),
            "Return the servers to what the file says, or let HAProxy keep states: server-state-file PATH under global, and \
             load-server-state-from-file global under defaults.",
        ));
    }
    (state_file.filter(|_| is_usable), carried)
}

/// Servers that were told something else than their file says.
fn unlike_file(sample: &HaproxySample, unknown: &mut Vec<String>) -> Vec<Carried> {
    let servers =
        sample.backends.iter().flat_map(|backend| backend.servers.iter().map(move |server| (&backend.name, server)));
    let mut unlike = Vec::new();
    for (backend, server) in servers {
        let path = ServerPath { backend: backend.clone(), server: server.name.clone() };
        let known = (server.admin, server.configured, server.weight, server.weight_configured);
        let (Figure::Known(told), Figure::Known(configured), Figure::Known(weight), Figure::Known(in_file)) = known
        else {
            unknown.push(format!("{path}"));
            continue;
        };
        if is_told_otherwise(told, configured) || weight != in_file {
            unlike.push(Carried { path, told, weight });
        }
    }
    unlike
}

/// What a server inherits, its own server or its name brings again.
fn is_told_otherwise(told: AdminState, configured: ConfiguredState) -> bool {
    match told {
        AdminState::Ready => configured == ConfiguredState::Disabled,
        AdminState::Maint => configured != ConfiguredState::Disabled,
        AdminState::Drain => true,
        AdminState::DrainInherited | AdminState::MaintInherited | AdminState::MaintResolution => false,
    }
}

/// Limits that run unlike the file.
fn forgotten(sample: &HaproxySample, config: &HaproxyConfig) -> Vec<String> {
    let frontends = sample.frontends.iter().map(|one| format!("haproxy.frontend.maxconn@{}", one.name));
    let servers = sample.backends.iter().flat_map(|backend| {
        let key = move |server: &Server| format!("haproxy.server.maxconn@{}/{}", backend.name, server.name);
        backend.servers.iter().map(key)
    });
    let whole = ["haproxy.maxconn", "haproxy.connection_rate", "haproxy.session_rate"].map(str::to_owned);
    let mut lines = Vec::new();
    for key in whole.into_iter().chain(frontends).chain(servers) {
        // What no file names is HAProxy's own, and stays.
        let Some(in_file) = value_of_file(config, &key) else { continue };
        for knob in Knob::all(&key, sample).unwrap_or_default() {
            if let Some(running) = knob.running(sample).known()
                && running.to_string() != in_file
            {
                lines.push(format!("{}; its file says {in_file}", knob.says(running)));
            }
        }
    }
    lines
}
