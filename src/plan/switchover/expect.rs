//! What can be expected of a database server around a switchover, and how a reading is judged.

use super::positions::{
    judge_applied, judge_beyond, judge_finds_all, judge_has, judge_received, judge_still, position_words,
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        ids::NodeName,
        mysql::{Channel, SwitchoverSample, SwitchoverWork, ThreadState},
        text::Clean,
    },
    plan::{
        expect::{Verdict, of, verdict},
        text::seconds,
    },
    wire::probe::Facts,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A transaction that has changed rows for longer is not cut off by a planned switchover; nor is a statement.
pub(in crate::plan) const WORK_S_MAX: u64 = 5;

/// What can be expected of a database server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseExpect {
    /// `read_only` is off.
    Writable,
    /// `read_only` is on.
    ReadOnly,
    /// It replicates from that server alone, and both threads run.
    Follows {
        /// Whose server.
        node: NodeName,
        /// What that server is called in replication.
        host: Clean,
    },
    /// It is set to replicate from that server alone, whether it does or not.
    PointsTo {
        /// Whose server.
        node: NodeName,
        /// What that server is called in replication.
        host: Clean,
    },
    /// It is set to replicate from one of those servers alone, whether it does or not.
    PointsToOneOf(Vec<Source>),
    /// The same, or it replicates from nobody any more.
    PointsToNoneBut(Vec<Source>),
    /// It replicates from nobody.
    FollowsNobody,
    /// A session of vakt holds it.
    Held,
    /// No session of vakt holds it.
    NotHeld,
    /// Held, and no transaction was written since the look before.
    Frozen,
    /// No transaction was written since the look before, but for what it replicates.
    StandsStill,
    /// It has applied everything that the other server has written.
    HasAllOf(NodeName),
    /// It has applied everything that the other server had written at the look before.
    KeepsUpWith(NodeName),
    /// Nothing comes from where it replicates from: its receiver has no source.
    HearsNobody,
    /// It has applied everything that it has received.
    AppliedAll,
    /// Everything that the other one has received, or written, has arrived here, applied or not.
    HasReceived(NodeName),
    /// Its commits wait for an acknowledgement.
    Waits,
    /// Its commits wait for nobody.
    WaitsNot,
    /// It says of itself that it is not further behind.
    LagAtMost {
        /// Milliseconds.
        ms: u64,
    },
    /// It has no transaction that the other one lacks.
    NothingBeyond(NodeName),
    /// Everything that it lacks is still in the binary logs of the other one. Asked of MySQL, which tells.
    FindsAllOn(NodeName),
    /// No long transaction or statement, no change of a table's definition, nobody waits for one; no event.
    NothingInTheWay,
    /// No session may write although the server is read-only, vakt's own login left out.
    NobodyPassesReadOnly,
    /// No program that switches over by itself shows.
    NoAutomation,
    /// No session of an application.
    NoApplication,
}

/// A server that another one may replicate from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Whose.
    pub node: NodeName,
    /// What it is called in replication.
    pub host: Clean,
}

impl DatabaseExpect {
    /// Whose facts are looked at besides.
    pub(in crate::plan) fn other(&self) -> Option<&NodeName> {
        match self {
            Self::HasAllOf(node)
            | Self::KeepsUpWith(node)
            | Self::NothingBeyond(node)
            | Self::FindsAllOn(node)
            | Self::HasReceived(node) => Some(node),
            _ => None,
        }
    }

    /// How much the fact may move before the plan is void.
    pub(in crate::plan) fn tolerance(&self) -> &'static str {
        match self {
            Self::LagAtMost { .. } => "at most",
            _ => "as told",
        }
    }

    /// Judges the facts of one server; `other` are those of the one that is named, each now and at the look before.
    pub(in crate::plan) fn judge(
        &self,
        now: &Facts,
        before: Option<&Facts>,
        other: Option<(&Facts, Option<&Facts>)>,
    ) -> Verdict {
        let Some(sample) = sample(now) else { return Verdict::Unknown("the answer is about no switchover".into()) };
        let before = before.and_then(self::sample);
        let theirs = other.and_then(|(now, _)| self::sample(now));
        let theirs_before = other.and_then(|(_, before)| before.and_then(self::sample));
        match self {
            Self::Writable => judge_read_only(sample, false),
            Self::ReadOnly => judge_read_only(sample, true),
            Self::Follows { node, host } => judge_follows(sample, node, host, true),
            Self::PointsTo { node, host } => judge_follows(sample, node, host, false),
            Self::PointsToOneOf(sources) => judge_points(sample, sources),
            Self::PointsToNoneBut(sources) => match judge_follows_nobody(sample) {
                Verdict::Fails(_) => judge_points(sample, sources),
                nobody => nobody,
            },
            Self::FollowsNobody => judge_follows_nobody(sample),
            Self::Waits => judge_waits(sample, true),
            Self::WaitsNot => judge_waits(sample, false),
            Self::Held => judge_lease(sample, true),
            Self::NotHeld => judge_lease(sample, false),
            Self::Frozen => match judge_lease(sample, true) {
                Verdict::Holds(_) => judge_still(sample, before, SwitchoverSample::written),
                other => other,
            },
            Self::StandsStill => judge_still(sample, before, SwitchoverSample::own_transactions),
            Self::HasAllOf(node) => judge_has(sample, theirs, node),
            Self::KeepsUpWith(node) => match theirs_before {
                Some(theirs) => judge_has(sample, Some(theirs), node),
                None => verdict(false, "a second look is needed"),
            },
            Self::HearsNobody => judge_hears_nobody(sample),
            Self::AppliedAll => judge_applied(sample),
            Self::HasReceived(node) => judge_received(sample, theirs, node),
            Self::LagAtMost { ms } => judge_lag(sample, *ms),
            Self::NothingBeyond(node) => judge_beyond(sample, theirs, node),
            Self::FindsAllOn(node) => judge_finds_all(sample, theirs, node),
            Self::NothingInTheWay => judge_work(sample),
            Self::NobodyPassesReadOnly => judge_passing(sample),
            Self::NoAutomation => judge_automation(sample),
            Self::NoApplication => of(
                sample.application_sessions(),
                "how many sessions applications have",
                |count| count == 0,
                |count| {
                    if count == 1 {
                        "1 application session".to_owned()
                    } else {
                        format!("{count} application sessions")
                    }
                },
            ),
        }
    }
}

/// The expectation as a fragment without a subject: "takes writes".
impl fmt::Display for DatabaseExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writable => f.write_str("it takes writes"),
            Self::ReadOnly => f.write_str("it is read-only"),
            Self::Follows { node, host } => write!(f, "it replicates from {node} ({host}), both threads run"),
            Self::PointsTo { node, host } => write!(f, "it is set to replicate from {node} ({host})"),
            Self::PointsToOneOf(sources) => write!(f, "it is set to replicate from {}", source_words(sources)),
            Self::PointsToNoneBut(sources) => {
                write!(f, "it is set to replicate from nobody but {}", source_words(sources))
            }
            Self::FollowsNobody => f.write_str("it replicates from nobody"),
            Self::Waits => f.write_str("its commits wait for an acknowledgement"),
            Self::WaitsNot => f.write_str("its commits wait for nobody"),
            Self::Held => f.write_str("a session of vakt holds it"),
            Self::NotHeld => f.write_str("no session of vakt holds it"),
            Self::Frozen => f.write_str("a session of vakt holds it, and its position stands still"),
            Self::StandsStill => f.write_str("its own position stands still"),
            Self::HasAllOf(node) => write!(f, "it has applied everything that {node} has written"),
            Self::KeepsUpWith(node) => write!(f, "it keeps up with {node}"),
            Self::HearsNobody => f.write_str("its receiver has no source"),
            Self::AppliedAll => f.write_str("it has applied everything that it has received"),
            Self::HasReceived(node) => write!(f, "it has received everything that {node} has"),
            Self::LagAtMost { ms } => write!(f, "it is at most {} behind", seconds(*ms)),
            Self::NothingBeyond(node) => write!(f, "it has no transaction that {node} lacks"),
            Self::FindsAllOn(node) => write!(f, "everything that it lacks is in the binary logs of {node}"),
            Self::NothingInTheWay => {
                f.write_str("no long transaction, no change of a table's definition, nobody waits for one, no event")
            }
            Self::NobodyPassesReadOnly => f.write_str("no session may write although it is read-only"),
            Self::NoAutomation => f.write_str("no other program switches it over"),
            Self::NoApplication => f.write_str("no application has a session"),
        }
    }
}

fn source_words(sources: &[Source]) -> String {
    let names: Vec<String> = sources.iter().map(|source| format!("{} ({})", source.node, source.host)).collect();
    names.join(" or ")
}

pub(in crate::plan) fn sample(facts: &Facts) -> Option<&SwitchoverSample> {
    match facts {
        Facts::Switchover(sample) => Some(sample),
        _ => None,
    }
}

pub(super) fn unknown(name: &str, why: impl fmt::Display) -> Verdict {
    Verdict::Unknown(Clean::line(&format!("{name} is unknown: {why}")))
}

/// On MySQL read-only means for everybody, and what is neither that nor writable is neither.
fn judge_read_only(sample: &SwitchoverSample, wanted: bool) -> Verdict {
    let state = &sample.state;
    if sample.is_mysql() && wanted && state.read_only.known() == Some(true) {
        let words = |all| if all { "read-only" } else { "read-only, but not for administrators" }.to_owned();
        return of(state.super_read_only, "whether administrators can write", |all| all, words);
    }
    let words = |read_only| if read_only { "read-only" } else { "takes writes" }.to_owned();
    of(state.read_only, "whether it takes writes", |read_only| read_only == wanted, words)
}

fn judge_lease(sample: &SwitchoverSample, wanted: bool) -> Verdict {
    let words = |session: Option<u64>| match session {
        Some(session) => format!("held by session {session}"),
        None => "not held".to_owned(),
    };
    of(sample.state.lease, "whether a session of vakt holds it", |session| session.is_some() == wanted, words)
}

/// What a channel says, in a few words.
pub(in crate::plan) fn channel_words(channel: &Channel) -> String {
    let host = channel.source_host.as_ref().known().map_or("?", Clean::as_str);
    let thread = |state: &Figure<ThreadState>| match state {
        Figure::Known(state) => state.to_string(),
        Figure::Unknown(why) => format!("unknown ({why})"),
    };
    let error = [&channel.receiver_error, &channel.applier_error].into_iter().flatten().next();
    let error = error.map(|error| format!(": {} ({})", error.message, error.code)).unwrap_or_default();
    format!(
        "replicates from {host}, receiver {}, applier {}{error}",
        thread(&channel.receiver),
        thread(&channel.applier)
    )
}

fn judge_follows(sample: &SwitchoverSample, node: &NodeName, host: &Clean, must_run: bool) -> Verdict {
    let channels = match &sample.channels {
        Figure::Known(channels) => channels,
        Figure::Unknown(why) => return unknown("what it replicates from", why),
    };
    match channels.as_slice() {
        [] => verdict(false, format!("replicates from nobody, not from {node}")),
        [channel] => {
            let is_there = channel.source_host.as_ref().known() == Some(host) && channel.name.is_empty();
            let runs = |thread: &Figure<ThreadState>| thread.as_ref().known() == Some(&ThreadState::Running);
            let does_run = runs(&channel.receiver) && runs(&channel.applier);
            verdict(is_there && (does_run || !must_run), channel_words(channel))
        }
        several => verdict(false, format!("replicates from {} sources", several.len())),
    }
}

fn judge_points(sample: &SwitchoverSample, sources: &[Source]) -> Verdict {
    let judged = sources.iter().map(|source| judge_follows(sample, &source.node, &source.host, false));
    let best = judged.reduce(|one, other| if matches!(one, Verdict::Fails(_)) { other } else { one });
    best.unwrap_or_else(|| Verdict::Unknown("no source is named".into()))
}

fn judge_waits(sample: &SwitchoverSample, wanted: bool) -> Verdict {
    let words = |waits| if waits { "commits wait" } else { "commits wait for nobody" }.to_owned();
    let figure = sample.settings.semi_sync_source;
    of(figure, "whether commits wait for an acknowledgement", |waits| waits == wanted, words)
}

fn judge_follows_nobody(sample: &SwitchoverSample) -> Verdict {
    match &sample.channels {
        Figure::Known(channels) => match channels.as_slice() {
            [] => verdict(true, "replicates from nobody"),
            [channel, ..] => verdict(false, channel_words(channel)),
        },
        Figure::Unknown(why) => unknown("what it replicates from", why),
    }
}

fn judge_hears_nobody(sample: &SwitchoverSample) -> Verdict {
    match &sample.channels {
        Figure::Known(channels) => {
            let hears = |channel: &&Channel| !matches!(channel.receiver, Figure::Known(ref state) if *state != ThreadState::Running);
            match channels.iter().find(hears) {
                Some(channel) => verdict(false, channel_words(channel)),
                None => {
                    verdict(true, channels.first().map_or_else(|| "replicates from nobody".to_owned(), channel_words))
                }
            }
        }
        Figure::Unknown(why) => unknown("what it replicates from", why),
    }
}

/// The lag that the server tells of itself, in whole seconds.
pub(in crate::plan) fn lag_of(sample: &SwitchoverSample) -> Figure<u64> {
    match &sample.channels {
        Figure::Known(channels) => match channels.as_slice() {
            [channel] => channel.lags.applied_ms,
            _ => Figure::Unknown(Unknown::NotRunning),
        },
        Figure::Unknown(why) => Figure::Unknown(*why),
    }
}

fn judge_lag(sample: &SwitchoverSample, ms_max: u64) -> Verdict {
    of(lag_of(sample), "how far it is behind", |ms| ms <= ms_max, |ms| format!("{} behind", seconds(ms)))
}

/// What stands in the way of a standstill, one a line; none when nothing does.
pub(in crate::plan) fn work_words(work: &SwitchoverWork) -> Vec<String> {
    let mut words = Vec::new();
    if work.transaction_s > WORK_S_MAX {
        words.push(format!("a transaction with changes is open for {} s, at most {WORK_S_MAX} s", work.transaction_s));
    }
    if work.statement_s > WORK_S_MAX {
        words.push(format!("a statement runs for {} s, at most {WORK_S_MAX} s", work.statement_s));
    }
    if work.metadata_waits > 0 {
        words.push(format!("{} sessions wait for a table's definition", work.metadata_waits));
    }
    if work.definition_changes > 0 {
        words.push(format!("{} sessions change a table's definition, or copy the server", work.definition_changes));
    }
    if work.events > 0 {
        words.push(format!("{} events are switched on, which vakt does not move", work.events));
    }
    words
}

fn judge_work(sample: &SwitchoverSample) -> Verdict {
    match &sample.work {
        Figure::Unknown(why) => unknown("what goes on there", why),
        Figure::Known(work) => {
            let words = work_words(work);
            verdict(words.is_empty(), if words.is_empty() { "nothing in the way".to_owned() } else { words.join("; ") })
        }
    }
}

/// Logins that write past `read_only`, but for vakt's own.
pub(in crate::plan) fn passing(sample: &SwitchoverSample) -> Figure<Vec<String>> {
    sample.accounts.as_ref().map(|accounts| {
        let passes = accounts.iter().filter(|account| account.passes_read_only && !account.is_own);
        passes.map(|account| format!("{} ({} sessions)", account.user, account.sessions)).collect()
    })
}

fn judge_passing(sample: &SwitchoverSample) -> Verdict {
    match passing(sample) {
        Figure::Unknown(why) => unknown("who may write although it is read-only", why),
        Figure::Known(names) if names.is_empty() => verdict(true, "nobody passes read_only"),
        Figure::Known(names) => verdict(false, format!("READ_ONLY ADMIN: {}", names.join(", "))),
    }
}

fn judge_automation(sample: &SwitchoverSample) -> Verdict {
    match &sample.work {
        Figure::Unknown(why) => unknown("whether another program switches it over", why),
        Figure::Known(work) if work.automation.is_empty() => verdict(true, "no other program shows"),
        Figure::Known(work) => {
            let signs: Vec<&str> = work.automation.iter().map(Clean::as_str).collect();
            verdict(false, signs.join("; "))
        }
    }
}

/// A server in one line, for what is true after a run.
pub(in crate::plan) fn words(facts: &Facts) -> Clean {
    match facts {
        Facts::Daemon(sample) => return crate::plan::failover::daemon_words(sample),
        Facts::Cut(sample) => return crate::plan::failover::cut_words(sample),
        Facts::Binlog(log) => {
            return Clean::line(&match &log.written {
                Figure::Known(written) => {
                    format!("wrote up to {}, by its binary log", position_words(&written.position()))
                }
                Figure::Unknown(why) => format!("what its binary log holds is unknown: {why}"),
            });
        }
        _ => {}
    }
    let Some(sample) = sample(facts) else { return "the answer is about no switchover".into() };
    let read_only = judge_read_only(sample, true);
    let channels = match &sample.channels {
        Figure::Known(channels) => match channels.as_slice() {
            [] => "replicates from nobody".to_owned(),
            [channel] => channel_words(channel),
            several => format!("replicates from {} sources", several.len()),
        },
        Figure::Unknown(why) => format!("what it replicates from is unknown: {why}"),
    };
    let position = match sample.written() {
        Figure::Known(position) => format!("at {}", position_words(&position)),
        Figure::Unknown(why) => format!("its position is unknown: {why}"),
    };
    Clean::line(&format!("{}, {channels}, {position}", read_only.seen()))
}
