//! What must hold: expectations about facts, and how a reading of the world is judged against them.
//!
//! An expectation is data: it is shown in the plan, journalled, and judged again by the run on fresh facts. Judging
//! knows three answers; *unknown* is never taken for yes or for no.

use super::{
    failover::{CutExpect, DaemonExpect},
    guest::GuestExpect,
    node::NodeExpect,
    session::SessionExpect,
    switchover::{DatabaseExpect, HookExpect},
    tune::{CountdownExpect, FileExpect, KnobExpect, SettingExpect},
    vip::VipExpect,
};
use crate::{
    model::{
        figure::Figure,
        haproxy::{AdminState, Backend, OperationalState, Server},
        ids::{NodeName, ServerName},
        intent::ServerPath,
        text::Clean,
    },
    wire::probe::{Facts, ProbeId},
};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr};

/// An expectation about what one probe reads on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Where.
    pub node: NodeName,
    /// By which probe.
    pub probe: ProbeId,
    /// What.
    pub expect: Expect,
}

/// Something that can be true of facts. Adding a technology adds a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Of one HAProxy server.
    Server {
        /// Which.
        server: ServerPath,
        /// What.
        is: ServerExpect,
    },
    /// Of a virtual address and who moves it.
    Vip {
        /// Which address.
        address: IpAddr,
        /// What.
        is: VipExpect,
    },
    /// Of the database server of the node.
    Database(DatabaseExpect),
    /// Of a session of it.
    Session {
        /// Its number.
        id: u64,
        /// What.
        is: SessionExpect,
    },
    /// Of a guest of the node.
    Guest(GuestExpect),
    /// Of the daemon of the database, by its machine's word.
    Daemon(DaemonExpect),
    /// Of the node as a whole.
    Node(NodeExpect),
    /// Of a setting of the database server.
    Setting(SettingExpect),
    /// Of a file with settings.
    File(FileExpect),
    /// Of a limit of HAProxy.
    Knob(KnobExpect),
    /// Of a port of a switch, and the timer that takes a change of it back.
    Countdown(CountdownExpect),
    /// Of an address that the node has cut off.
    Cut(CutExpect),
    /// Of the command that leads writes.
    Hook(HookExpect),
}

/// What can be expected of a HAProxy server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerExpect {
    /// It was told exactly this.
    Told(AdminState),
    /// It was told, or inherits, to take no new sessions.
    OutOfRotation,
    /// It gets no new sessions: out of rotation, or down.
    NoNewSessions,
    /// Its weight.
    Weight(u64),
    /// The weight that its HAProxy's file gives it, which a restart returns to.
    WeightInFile(u64),
    /// No session, none waiting, and not chosen since the look before.
    Quiet,
    /// No session and none waiting.
    Empty,
    /// At least one session, or one waiting.
    HasSessions,
    /// A check passed since it left maintenance; or nobody checks it.
    CheckPasses,
    /// It may be chosen for new sessions.
    TakesTraffic,
    /// It was chosen since the look before.
    Chosen,
    /// Nothing that it was asked failed since the look before.
    NoNewErrors,
    /// Without it, at least one server of the backend takes traffic and this share of the weight remains.
    OthersCarry {
        /// Percent of the weight of the backend's servers.
        percent_min: u32,
    },
}

/// What a look at the world says of an expectation; each with what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds(Clean),
    /// It does not.
    Fails(Clean),
    /// Nobody can say; why.
    Unknown(Clean),
}

impl Verdict {
    /// What was seen, or why nothing was.
    pub fn seen(&self) -> &Clean {
        match self {
            Self::Holds(seen) | Self::Fails(seen) | Self::Unknown(seen) => seen,
        }
    }
}

impl Check {
    /// Judges `facts`; `before` is the look before this one, which some expectations compare with.
    pub fn judge(&self, facts: &Facts, before: Option<&Facts>) -> Verdict {
        self.judge_against(facts, before, None)
    }

    /// Another node whose facts, by that probe, are compared with.
    pub fn other(&self) -> Option<(&NodeName, ProbeId)> {
        match &self.expect {
            Expect::Database(is) => Some((is.other()?, self.probe)),
            Expect::Daemon(is) => Some((is.other()?, ProbeId::Switchover)),
            Expect::Server { .. }
            | Expect::Vip { .. }
            | Expect::Session { .. }
            | Expect::Guest(_)
            | Expect::Node(_)
            | Expect::Setting(_)
            | Expect::File(_)
            | Expect::Knob(_)
            | Expect::Countdown(_)
            | Expect::Cut(_)
            | Expect::Hook(_) => None,
        }
    }

    /// The same; `other` are the facts of [`Check::other`], now and at the look before.
    pub fn judge_against(
        &self,
        facts: &Facts,
        before: Option<&Facts>,
        other: Option<(&Facts, Option<&Facts>)>,
    ) -> Verdict {
        match &self.expect {
            Expect::Server { server, is } => match find(facts, server) {
                Ok((backend, found)) => is.judge(backend, found, before.and_then(|facts| find(facts, server).ok())),
                Err(why) => Verdict::Unknown(why),
            },
            Expect::Vip { address, is } => is.judge(*address, facts),
            Expect::Database(is) => is.judge(facts, before, other),
            Expect::Session { id, is } => is.judge(*id, facts),
            Expect::Guest(is) => is.judge(facts, before),
            Expect::Daemon(is) => is.judge(facts, other.map(|(now, _)| now)),
            Expect::Node(is) => is.judge(facts),
            Expect::Setting(is) => is.judge(facts),
            Expect::File(is) => is.judge(facts),
            Expect::Knob(is) => is.judge(facts),
            Expect::Countdown(is) => is.judge(facts),
            Expect::Cut(is) => is.judge(facts),
            Expect::Hook(is) => is.judge(facts),
        }
    }

    /// The figure this expectation looks at, for a hole. `None` when it is unknown or no figure.
    pub fn figure(&self, facts: &Facts) -> Option<String> {
        let Expect::Server { server, is } = &self.expect else { return None };
        let (_, found) = find(facts, server).ok()?;
        match is {
            ServerExpect::Weight(_) => found.weight.known().map(|weight| weight.to_string()),
            ServerExpect::Quiet | ServerExpect::Empty | ServerExpect::HasSessions => {
                found.traffic.sessions_current.known().map(|sessions| sessions.to_string())
            }
            _ => None,
        }
    }
}

impl Expect {
    /// How much the fact may move before the plan is void.
    pub fn tolerance(&self) -> &'static str {
        let is = match self {
            Self::Server { is, .. } => is,
            Self::Vip { is, .. } => return is.tolerance(),
            Self::Database(is) => return is.tolerance(),
            Self::Session { .. } | Self::Node(_) => return "as told",
            Self::Guest(is) => return is.tolerance(),
            Self::Daemon(is) => return is.tolerance(),
            Self::Setting(_) | Self::File(_) | Self::Countdown(_) | Self::Cut(_) | Self::Hook(_) => return "exactly",
            Self::Knob(is) => return is.tolerance(),
        };
        match is {
            ServerExpect::Told(_) | ServerExpect::Weight(_) | ServerExpect::WeightInFile(_) => "exactly",
            ServerExpect::OthersCarry { .. } => "at least",
            _ => "as told",
        }
    }
}

/// The expectation as a fragment with its subject: "web03 is told drain".
impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (server, is) = match self {
            Self::Server { server, is } => (server, is),
            Self::Vip { address, is } => return is.tell(*address, f),
            Self::Database(is) => return is.fmt(f),
            Self::Session { id, is } => return is.tell(*id, f),
            Self::Guest(is) => return is.fmt(f),
            Self::Daemon(is) => return is.fmt(f),
            Self::Node(is) => return is.fmt(f),
            Self::Setting(is) => return is.fmt(f),
            Self::File(is) => return is.fmt(f),
            Self::Knob(is) => return is.fmt(f),
            Self::Countdown(is) => return is.fmt(f),
            Self::Cut(is) => return is.fmt(f),
            Self::Hook(is) => return is.fmt(f),
        };
        let name = &server.server;
        match is {
            ServerExpect::Told(state) => write!(f, "{name} is told {state}"),
            ServerExpect::OutOfRotation => write!(f, "{name} is told to take no new sessions"),
            ServerExpect::NoNewSessions => write!(f, "{name} gets no new sessions"),
            ServerExpect::Weight(weight) => write!(f, "{name} has weight {weight}"),
            ServerExpect::WeightInFile(weight) => write!(f, "{name} has weight {weight} in haproxy.cfg"),
            ServerExpect::Quiet => write!(f, "{name} has no session, none waiting and no new one"),
            ServerExpect::Empty => write!(f, "{name} has no session and none waiting"),
            ServerExpect::HasSessions => write!(f, "{name} has sessions"),
            ServerExpect::CheckPasses => write!(f, "{name} passes its health check"),
            ServerExpect::TakesTraffic => write!(f, "{name} takes traffic"),
            ServerExpect::Chosen => write!(f, "{name} is chosen for new sessions"),
            ServerExpect::NoNewErrors => write!(f, "{name} has no new error"),
            ServerExpect::OthersCarry { percent_min } => {
                write!(f, "without {name}, {} keeps {percent_min} % of its weight", server.backend)
            }
        }
    }
}

/// The process that keeps in its memory what was told to whoever these facts are about.
pub fn process_of(facts: &Facts) -> Option<u64> {
    match facts {
        Facts::Haproxy(sample) => sample.info.pid.known(),
        _ => None,
    }
}

/// The server among the facts of a node.
pub fn find<'f>(facts: &'f Facts, path: &ServerPath) -> Result<(&'f Backend, &'f Server), Clean> {
    let Facts::Haproxy(sample) = facts else { return Err("the answer is not HAProxy's".into()) };
    let backend = sample
        .backends
        .iter()
        .find(|backend| backend.name == path.backend)
        .ok_or_else(|| Clean::line(&format!("HAProxy has no backend {}", path.backend)))?;
    let server = backend
        .servers
        .iter()
        .find(|server| server.name == path.server)
        .ok_or_else(|| Clean::line(&format!("backend {} has no server {}", path.backend, path.server)))?;
    Ok((backend, server))
}

impl ServerExpect {
    fn judge(self, backend: &Backend, server: &Server, before: Option<(&Backend, &Server)>) -> Verdict {
        let before = before.map(|(_, server)| server);
        match self {
            Self::Told(state) => {
                of(server.admin, "what it is told", |told| told == state, |told| format!("told {told}"))
            }
            Self::OutOfRotation => {
                of(server.admin, "what it is told", is_out_of_rotation, |told| format!("told {told}"))
            }
            Self::NoNewSessions => judge_no_new_sessions(server),
            Self::Weight(weight) => of(server.weight, "the weight", |is| is == weight, |is| format!("weight {is}")),
            Self::WeightInFile(weight) => {
                of(server.weight_configured, "the weight in the file", |is| is == weight, |is| format!("weight {is}"))
            }
            Self::Empty => judge_sessions(server, |sessions, waiting| sessions == 0 && waiting == 0),
            Self::HasSessions => judge_sessions(server, |sessions, waiting| sessions + waiting > 0),
            Self::Quiet => judge_quiet(server, before),
            Self::CheckPasses => judge_health(server),
            Self::TakesTraffic => judge_traffic(server),
            Self::Chosen => judge_chosen(server, before),
            Self::NoNewErrors => judge_errors(server, before),
            Self::OthersCarry { percent_min } => judge_others(backend, server, percent_min),
        }
    }
}

/// Judges one figure.
pub(super) fn of<T: Copy>(
    figure: Figure<T>,
    name: &str,
    holds: impl FnOnce(T) -> bool,
    seen: impl FnOnce(T) -> String,
) -> Verdict {
    match figure {
        Figure::Known(value) => verdict(holds(value), seen(value)),
        Figure::Unknown(why) => Verdict::Unknown(Clean::line(&format!("{name} is unknown: {why}"))),
    }
}

pub(super) fn verdict(holds: bool, seen: impl AsRef<str>) -> Verdict {
    let seen = Clean::line(seen.as_ref());
    if holds { Verdict::Holds(seen) } else { Verdict::Fails(seen) }
}

/// Whether the balancer passes over a server that was told this.
pub fn is_out_of_rotation(told: AdminState) -> bool {
    told != AdminState::Ready
}

/// Whether a server may be chosen for new sessions: 2.6 shows weight 0 as plain `UP`.
pub fn takes_traffic(server: &Server) -> bool {
    server.operational.takes_traffic()
        && server.weight.known() != Some(0)
        && !server.admin.known().is_some_and(is_out_of_rotation)
}

/// Down, also while checks begin to pass again.
pub fn is_down(server: &Server) -> bool {
    matches!(server.operational, OperationalState::Down | OperationalState::GoingUp { .. })
}

fn judge_no_new_sessions(server: &Server) -> Verdict {
    match server.admin {
        Figure::Known(told) => {
            verdict(is_out_of_rotation(told) || is_down(server), format!("told {told}, {}", server.operational))
        }
        Figure::Unknown(why) => Verdict::Unknown(Clean::line(&format!("what it is told is unknown: {why}"))),
    }
}

fn judge_sessions(server: &Server, holds: impl FnOnce(u64, u64) -> bool) -> Verdict {
    let figures =
        server.traffic.sessions_current.and_then(|now| server.traffic.queue_current.map(|queue| (now, queue)));
    of(figures, "the number of sessions", |(now, queue)| holds(now, queue), |(now, queue)| sessions_words(now, queue))
}

/// "1 session", "3 sessions, 2 waiting".
fn sessions_words(sessions: u64, waiting: u64) -> String {
    let plural = if sessions == 1 { "" } else { "s" };
    let waiting = if waiting > 0 { format!(", {waiting} waiting") } else { String::new() };
    format!("{sessions} session{plural}{waiting}")
}

fn judge_quiet(server: &Server, before: Option<&Server>) -> Verdict {
    let empty = judge_sessions(server, |sessions, waiting| sessions == 0 && waiting == 0);
    if !matches!(empty, Verdict::Holds(_)) {
        return empty;
    }
    match (server.traffic.chosen_total, before.map(|before| before.traffic.chosen_total)) {
        (Figure::Unknown(why), _) => {
            Verdict::Unknown(Clean::line(&format!("whether it is still chosen is unknown: {why}")))
        }
        (Figure::Known(now), Some(Figure::Known(then))) if now == then => verdict(true, "no session, no new one"),
        (Figure::Known(_), Some(Figure::Known(_))) => verdict(false, "no session, but it was chosen again"),
        (Figure::Known(_), _) => verdict(false, "no session; a second look is needed"),
    }
}

fn judge_chosen(server: &Server, before: Option<&Server>) -> Verdict {
    match (server.traffic.chosen_total, before.map(|before| before.traffic.chosen_total)) {
        (Figure::Unknown(why), _) => {
            Verdict::Unknown(Clean::line(&format!("how often it was chosen is unknown: {why}")))
        }
        (Figure::Known(now), Some(Figure::Known(then))) if now > then => {
            verdict(true, format!("chosen {} times", now - then))
        }
        _ => verdict(false, "not chosen yet"),
    }
}

/// Connections that failed, answers that were broken, and answers 5xx, where there are such: none since the look before.
fn judge_errors(server: &Server, before: Option<&Server>) -> Verdict {
    let errors = |server: &Server| {
        let traffic = &server.traffic;
        let broken = traffic.connect_errors_total.and_then(|a| traffic.response_errors_total.map(|b| a + b));
        broken.map(|broken| broken + traffic.answers.known().map_or(0, |answers| answers.server_error))
    };
    match (errors(server), before.map(errors)) {
        (Figure::Unknown(why), _) => Verdict::Unknown(Clean::line(&format!("whether it fails is unknown: {why}"))),
        (Figure::Known(now), Some(Figure::Known(then))) if now == then => verdict(true, "no new error"),
        (Figure::Known(now), Some(Figure::Known(then))) if now > then => {
            verdict(false, format!("new errors: {}", now - then))
        }
        (Figure::Known(_), _) => verdict(false, "a second look is needed"),
    }
}

/// HAProxy keeps the last check's words through maintenance; only full health proves that one passed since then: a
/// server that leaves maintenance starts below it (measured on 2.6), unless a single failure suffices (`fall 1`).
fn judge_health(server: &Server) -> Verdict {
    if server.operational == OperationalState::Unchecked {
        return verdict(true, "nobody checks it");
    }
    let check = &server.check;
    let (Figure::Known(rise), Figure::Known(fall), Figure::Known(health)) = (check.rise, check.fall, check.health)
    else {
        return verdict(false, "no check has run yet");
    };
    let words = match &check.status {
        Figure::Known(status) => format!("check {status}, {health} of {}", (rise + fall).saturating_sub(1)),
        Figure::Unknown(_) => "no check has run yet".to_owned(),
    };
    let passed = matches!(&check.status, Figure::Known(status) if status.as_str().contains("OK"));
    verdict(passed && health + 1 >= rise + fall, words)
}

fn judge_traffic(server: &Server) -> Verdict {
    let weight = server.weight.known().map_or_else(|| "unknown".to_owned(), |weight| weight.to_string());
    verdict(takes_traffic(server), format!("{}, weight {weight}", server.operational))
}

/// The share of the backend's weight that remains without `server`, percent, and how many servers would take traffic.
/// Backup servers count as servers, not as weight. A server that the file disables belongs to no one's capacity.
pub fn remaining(backend: &Backend, server: &Server) -> (u64, usize) {
    remaining_without(backend, &[&server.name])
}

/// The same without several of them.
pub fn remaining_without(backend: &Backend, leaving: &[&ServerName]) -> (u64, usize) {
    let is_backup = |server: &Server| server.backup.known() == Some(true);
    let weight = |server: &Server| match (server.weight_configured, server.weight) {
        (Figure::Known(configured), _) => configured.max(server.weight.known().unwrap_or(0)),
        (_, Figure::Known(weight)) => weight.max(1),
        _ => 1,
    };
    let belongs = |server: &&Server| {
        !is_backup(server) && server.configured.known() != Some(crate::model::haproxy::ConfiguredState::Disabled)
    };
    let total: u64 = backend.servers.iter().filter(belongs).map(weight).sum();
    let others = || backend.servers.iter().filter(|other| !leaving.contains(&&other.name) && takes_traffic(other));
    let left: u64 = others()
        .filter(|other| !is_backup(other))
        .map(|other| other.weight.known().unwrap_or_else(|| weight(other)))
        .sum();
    ((left * 100).checked_div(total).unwrap_or(0).min(100), others().count())
}

fn judge_others(backend: &Backend, server: &Server, percent_min: u32) -> Verdict {
    let (percent, servers) = remaining(backend, server);
    let plural = if servers == 1 { "" } else { "s" };
    verdict(servers > 0 && percent >= u64::from(percent_min), format!("{percent} % and {servers} other server{plural}"))
}

/// A server in one line, for what is true after a run: "told drain, draining, weight 100, 3 sessions".
pub fn server_words(facts: &Facts, path: &ServerPath) -> Clean {
    match find(facts, path) {
        Err(why) => why,
        Ok((_, server)) => {
            let told = server.admin.known().map_or_else(|| "told ?".to_owned(), |told| format!("told {told}"));
            let weight = server.weight.known().map_or_else(|| "?".to_owned(), |weight| weight.to_string());
            let sessions = match (server.traffic.sessions_current, server.traffic.queue_current) {
                (Figure::Known(now), Figure::Known(queue)) => sessions_words(now, queue),
                _ => "sessions unknown".to_owned(),
            };
            Clean::line(&format!("{told}, {}, weight {weight}, {sessions}", server.operational))
        }
    }
}

/// Those of the servers that these facts know, in one line.
pub fn servers_words(facts: &Facts, paths: &[ServerPath]) -> Clean {
    let told = paths.iter().filter(|path| find(facts, path).is_ok());
    let told: Vec<String> = told.map(|path| format!("{path} is {}", server_words(facts, path))).collect();
    Clean::line(&told.join("; "))
}
