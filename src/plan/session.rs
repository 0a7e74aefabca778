//! `mysql.kill`: a session of a database ends, or only its statement does.
//!
//! A session is known by its number, its login and where it comes from: numbers begin anew when a server does. What it has
//! changed and not committed is rolled back, which takes as long again; the plan says how much that is.
//!
//! Deliberately absent: replication and the server's own threads, which come back by themselves or must not end.

use super::{
    expect::{Check, Expect, Verdict, verdict},
    limits,
    parts::{
        Action, Body, ConfirmBy, Confirmation, Need, OnLate, Plan, Premise, Source, Step, Subject, Undo, Until, Wait,
        When, Write,
    },
    refusal::{AlreadyThere, Planned, Reason, ReasonKind, Refusal},
    scene::{Scene, sight, sight_or_refuse},
    text::seconds,
};
use crate::{
    model::{
        figure::Figure,
        intent::{Intent, SessionPart, SessionPath},
        inventory::{Database, Node},
        mysql::{MysqlFacts, MysqlSample, Process, Transaction},
        text::Clean,
    },
    wire::{
        mysql,
        probe::{Facts, ProbeId},
        request::{Access, Call, Request, SqlSession, SqlStep},
    },
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The list of sessions is asked every five seconds; two and a half of that is fresh enough to plan on.
const STALE_MS: u64 = 12_500;
/// Longest wait for the server to have ended it: it rolls back first.
const END_MS: u64 = 30_000;
/// Longest answer of the server.
const CAP_BYTES: usize = 64 * 1024;
/// Statements of others that are named as waiting.
const WAITING_NAMED_MAX: usize = 5;

/// What can be expected of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionExpect {
    /// It is there, and is that client's.
    OfClient {
        /// Its login.
        user: Clean,
        /// Where it comes from.
        host: Clean,
    },
    /// It is not there.
    Gone,
    /// It runs a statement for at least so long.
    RunsFor {
        /// Seconds.
        s_min: u64,
    },
    /// That statement has ended: the session is gone, idle, or in a later statement.
    RunsLess {
        /// Seconds.
        s: u64,
    },
}

impl SessionExpect {
    /// Judges what a database told of its sessions.
    pub(super) fn judge(&self, id: u64, facts: &Facts) -> Verdict {
        let Facts::Mysql(sample) = facts else { return Verdict::Unknown("the answer is about no sessions".into()) };
        let session = match &sample.processes {
            Figure::Known(all) => all.iter().find(|process| process.id == id),
            Figure::Unknown(why) => {
                return Verdict::Unknown(Clean::line(&format!("which sessions there are is unknown: {why}")));
            }
        };
        let Some(session) = session else {
            let holds = matches!(self, Self::Gone | Self::RunsLess { .. });
            return verdict(holds, format!("session {id} is not there"));
        };
        let words = session_words(session);
        match self {
            Self::OfClient { user, host } => {
                let is = |figure: &Figure<Clean>, wanted: &Clean| figure.as_ref().known() == Some(wanted);
                verdict(is(&session.user, user) && is(&session.host, host), words)
            }
            Self::Gone => verdict(false, words),
            Self::RunsFor { s_min } => match running_s(session) {
                Ok(running_s) => verdict(running_s.is_some_and(|s| s >= *s_min), words),
                Err(why) => Verdict::Unknown(why),
            },
            Self::RunsLess { s } => match running_s(session) {
                Ok(running_s) => verdict(running_s.is_none_or(|running_s| running_s < *s), words),
                Err(why) => Verdict::Unknown(why),
            },
        }
    }

    /// With its subject: "session 4711 is not there".
    pub(super) fn tell(&self, id: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfClient { user, host } => write!(f, "session {id} is that of {user} from {host}"),
            Self::Gone => write!(f, "session {id} is not there"),
            Self::RunsFor { s_min } => {
                write!(f, "session {id} has been in its statement for {} or longer", seconds(s_min * 1000))
            }
            Self::RunsLess { s } => write!(f, "session {id} is not in a statement older than {}", seconds(s * 1000)),
        }
    }
}

/// How long it is in its statement; `None` while it is idle.
fn running_s(session: &Process) -> Result<Option<u64>, Clean> {
    let command = session.command.as_ref();
    match (command, session.seconds) {
        (Figure::Known(command), _) if !matches!(command.as_str(), "Query" | "Execute") => Ok(None),
        (Figure::Known(_), Figure::Known(seconds)) => Ok(Some(seconds)),
        (Figure::Unknown(why), _) | (_, Figure::Unknown(why)) => {
            Err(Clean::line(&format!("what session {} does is unknown: {why}", session.id)))
        }
    }
}

/// "session 4711: shop from 10.10.0.21:50422, Query for 12 s".
fn session_words(session: &Process) -> String {
    format!("session {}", words_of(session))
}

/// The same without the word.
pub(crate) fn words_of(session: &Process) -> String {
    let text = |figure: &Figure<Clean>| figure.as_ref().known().map_or("?", Clean::as_str).to_owned();
    let age = session.seconds.known().map_or_else(|| "?".to_owned(), |age_s| seconds(age_s.saturating_mul(1000)));
    format!(
        "{}: {} from {}, {} for {age}",
        session.id,
        text(&session.user),
        text(&session.host),
        text(&session.command)
    )
}

/// Whether it is a client's: not the server's own thread, and no replica.
pub(crate) fn is_of_client(session: &Process) -> bool {
    let user = session.user.as_ref().known().map_or("", Clean::as_str);
    let command = session.command.as_ref().known().map_or("", Clean::as_str);
    let is_own = matches!(user, "system user" | "event_scheduler" | "unauthenticated user");
    !is_own && !command.starts_with("Binlog Dump") && command != "Daemon"
}

/// The session in one line, for what is true after a run.
pub(super) fn words(id: u64, facts: &Facts) -> Clean {
    SessionExpect::Gone.judge(id, facts).seen().clone()
}

/// Everything that is known of the session before it ends.
struct Field<'a> {
    node: &'a Node,
    database: &'a Database,
    session: &'a Process,
    transaction: Option<&'a Transaction>,
    /// Sessions that wait for it.
    waiting: Vec<u64>,
    facts: Facts,
    age_ms: u64,
    user: Clean,
    host: Clean,
    /// How long it is in its statement.
    running_s: Option<u64>,
}

/// Plans it.
pub(super) fn plan(
    scene: &Scene<'_>,
    intent: &Intent,
    path: &SessionPath,
    part: SessionPart,
) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    let outcome = survey(scene, path, part, &mut reasons);
    match outcome {
        Some(Survey::Gone(evidence)) if reasons.is_empty() => Ok(Planned::AlreadyThere(AlreadyThere {
            intent: intent.clone(),
            what: Clean::line(&format!("Session {} is not there on {}.", path.id, path.node)),
            evidence: vec![evidence],
        })),
        Some(Survey::There(field)) if reasons.is_empty() => {
            Ok(Planned::Plan(Box::new(Plan::new(body(scene, intent, part, &field)))))
        }
        _ => {
            let title = Clean::line(&format!("End {} {path}", part.words()));
            Err(Refusal::of(intent, title, reasons))
        }
    }
}

enum Survey<'a> {
    Gone(Clean),
    There(Box<Field<'a>>),
}

fn survey<'a>(
    scene: &Scene<'a>,
    path: &SessionPath,
    part: SessionPart,
    reasons: &mut Vec<Reason>,
) -> Option<Survey<'a>> {
    let node = scene.inventory.node(&path.node);
    let Some((node, database)) = node.and_then(|node| Some((node, node.database.as_ref()?))) else {
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            format!("{} runs no database that vakt knows.", path.node),
            Vec::new(),
            "Name a node with the role database.",
        ));
        return None;
    };
    let observed = &scene.world.node(&node.name)?.mysql;
    let limit_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
    let what = format!("The database on {} is not known well enough.", node.name);
    let seen = sight(observed, &node.name, scene.now, limit_ms);
    let (facts, age_ms): (&MysqlFacts, u64) = sight_or_refuse(seen, &node.name, what, reasons)?;
    let sample = &facts.sample;
    let sessions = match &sample.processes {
        Figure::Known(sessions) => sessions,
        Figure::Unknown(why) => {
            reasons.push(Reason::new(
                ReasonKind::UnknownFact,
                format!("Which sessions {} has is not known.", node.name),
                vec![Clean::line(&format!("{}: {why}", node.name))],
                "Let vakt's login read it: grant PROCESS to it, or let it be root by sudo.",
            ));
            return None;
        }
    };
    let Some(session) = sessions.iter().find(|session| session.id == path.id) else {
        return Some(Survey::Gone(Clean::line(&format!(
            "{}: {} sessions, none with that number",
            node.name,
            sessions.len()
        ))));
    };
    let field = field(node, database, session, sample, age_ms, reasons)?;
    judge(&field, part, reasons);
    Some(Survey::There(Box::new(field)))
}

/// `None` when it is not known whose it is.
fn field<'a>(
    node: &'a Node,
    database: &'a Database,
    session: &'a Process,
    sample: &'a MysqlSample,
    age_ms: u64,
    reasons: &mut Vec<Reason>,
) -> Option<Field<'a>> {
    let (Figure::Known(user), Figure::Known(host), Ok(running_s)) = (&session.user, &session.host, running_s(session))
    else {
        reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            format!("Whose session {} is, or what it does, is not known.", session.id),
            vec![Clean::line(&session_words(session))],
            "Look at it on the server: show full processlist.",
        ));
        return None;
    };
    let transactions = sample.transactions.as_ref().known().map_or(&[][..], Vec::as_slice);
    let waits = sample.lock_waits.as_ref().known().map_or(&[][..], Vec::as_slice);
    let waiting = waits.iter().filter(|wait| wait.blocking.known() == Some(session.id));
    Some(Field {
        node,
        database,
        session,
        transaction: transactions.iter().find(|one| one.process.known() == Some(session.id)),
        waiting: waiting.filter_map(|wait| wait.waiting.known()).collect(),
        facts: Facts::Mysql(Box::new(sample.clone())),
        age_ms,
        user: user.clone(),
        host: host.clone(),
        running_s,
    })
}

fn judge(field: &Field<'_>, part: SessionPart, reasons: &mut Vec<Reason>) {
    let name = &field.node.name;
    let command = field.session.command.as_ref().known().map_or("", Clean::as_str);
    let evidence = || vec![Clean::line(&format!("{name}: {}", session_words(field.session)))];
    if !is_of_client(field.session) {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("Session {} belongs to the server itself or to a replica, not to a client.", field.session.id),
            evidence(),
            "Replication is stopped and started, not killed; a client's session is what can be ended here.",
        ));
    }
    let state = field.transaction.and_then(|one| one.state.as_ref().known());
    if state.is_some_and(|state| state.as_str() == "ROLLING BACK") || command == "Killed" {
        reasons.push(Reason::new(
            ReasonKind::Busy,
            format!("Session {} is being rolled back already: another kill would not hurry it.", field.session.id),
            evidence(),
            "Wait until it has ended; restarting the server would roll back just as long.",
        ));
    }
    if part == SessionPart::Statement && field.running_s.is_none_or(|running_s| running_s == 0) {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("Session {} is in no statement that runs for a second or longer.", field.session.id),
            evidence(),
            format!("End the session instead: vakt do mysql.kill {name}/{}.", field.session.id),
        ));
    }
}

fn check(field: &Field<'_>, is: SessionExpect) -> Check {
    let expect = Expect::Session { id: field.session.id, is };
    Check { node: field.node.name.clone(), probe: ProbeId::Mysql, expect }
}

fn body(scene: &Scene<'_>, intent: &Intent, part: SessionPart, field: &Field<'_>) -> Body {
    let (name, id) = (&field.node.name, field.session.id);
    let of_client = SessionExpect::OfClient { user: field.user.clone(), host: field.host.clone() };
    let s = field.running_s.unwrap_or_default().max(1);
    let (mut before, done) = match part {
        SessionPart::Session => (Vec::new(), SessionExpect::Gone),
        SessionPart::Statement => {
            (vec![check(field, SessionExpect::RunsFor { s_min: s })], SessionExpect::RunsLess { s })
        }
    };
    before.insert(0, check(field, of_client.clone()));
    let done = vec![check(field, done)];
    let seen = of_client.judge(id, &field.facts).seen().clone();
    let limit_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
    let deadline_ms = scene.inventory.settings.poll.deadline_ms;
    let until =
        |checks, holds| Until { checks, need: Need::All, holds, poll_ms: limits::VERIFY_POLL_MS, deadline_ms: END_MS };
    let step = |title: String, action| Step { title: Clean::line(&title), when: When::Always, action, at_once: false };
    let kill = Write {
        node: name.clone(),
        request: request(field, part),
        binds: Vec::new(),
        before,
        guards: Vec::new(),
        done: done.clone(),
        after: until(done.clone(), 1),
        rests: None,
        told_anew: false,
        undo: Undo::Irreversible { why: part.why_final().into(), is_whole: true },
    };
    let prove = Wait { until: until(done, 2), guards: Vec::new(), on_late: OnLate::Fail, keeps: false };
    Body {
        cluster: scene.inventory.cluster.clone(),
        intent: intent.clone(),
        title: Clean::line(&format!("End {} {name}/{id} of {}", part.words(), field.user)),
        effect: effect(field, part).iter().map(|text| Clean::line(text)).collect(),
        goal: Clean::line(&format!("{} {name}/{id} has ended", part.words())),
        subject: Subject::Session(SessionPath { node: name.clone(), id }),
        made_at: scene.now,
        facts_age_ms: field.age_ms,
        premises: vec![Premise { check: check(field, of_client), seen, age_ms: field.age_ms, age_ms_max: limit_ms }],
        sources: vec![Source {
            node: name.clone(),
            probe: ProbeId::Mysql,
            requests: mysql::requests_of_session(field.node, deadline_ms, id),
        }],
        point_of_no_return: Some(0),
        steps: vec![
            step(format!("{name}: end {} {id}", part.words()), Action::Write(Box::new(kill))),
            step(format!("{name}: see that it has ended"), Action::Wait(prove)),
        ],
        confirmation: Confirmation {
            by: ConfirmBy::Target(Clean::line(&id.to_string())),
            why: part.why_final().into(),
        },
        runbook: Clean::line(intent.change.id()),
    }
}

fn request(field: &Field<'_>, part: SessionPart) -> Request {
    let word = match part {
        SessionPart::Session => "connection",
        SessionPart::Statement => "query",
    };
    let call = Call::SqlWrite {
        socket: field.database.socket.clone(),
        login: field.database.login.clone(),
        session: SqlSession::Own,
        statements: vec![SqlStep::run(format!("kill {word} {}", field.session.id))],
        secret: None,
    };
    Request { access: Access::Write, call, deadline_ms: limits::VERIFY_DEADLINE_MS, cap_bytes: CAP_BYTES }
}

fn effect(field: &Field<'_>, part: SessionPart) -> Vec<String> {
    let (name, id) = (&field.node.name, field.session.id);
    let mut effect = vec![match part {
        SessionPart::Session => {
            format!("{} from {} loses its connection {id} to {name}.", field.user, field.host)
        }
        SessionPart::Statement => {
            format!(
                "The statement of {} from {} on {name} ends with an error; its session stays.",
                field.user, field.host
            )
        }
    }];
    if let Some(statement) = field.session.statement.as_ref().known().filter(|text| !text.is_empty()) {
        let age = seconds(field.running_s.unwrap_or_default().saturating_mul(1000));
        effect.push(format!("It has been in this statement for {age}: {statement}"));
    }
    match field.transaction.map(|one| (one.rows_modified, one.age_s)) {
        Some((Figure::Known(0), _)) => effect.push("It has an open transaction, which has changed no row.".into()),
        Some((rows, age_s)) => {
            let rows =
                rows.known().map_or_else(|| "an unknown number of rows".to_owned(), |rows| format!("{rows} rows"));
            let age = age_s.known().map_or_else(|| "?".to_owned(), |age_s| seconds(age_s.saturating_mul(1000)));
            effect.push(match part {
                SessionPart::Session => format!(
                    "Its transaction, open for {age}, has changed {rows}: they are rolled back, and until then its locks \
                     stay."
                ),
                SessionPart::Statement => format!(
                    "Its transaction, open for {age}, has changed {rows}; it stays open, and its locks stay with it."
                ),
            });
        }
        None => effect.push("It has no open transaction that the server tells of.".into()),
    }
    if !field.waiting.is_empty() {
        let named: Vec<String> = field.waiting.iter().take(WAITING_NAMED_MAX).map(u64::to_string).collect();
        let more = field.waiting.len().saturating_sub(named.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        effect.push(format!("Waiting for it: session {}{more}.", named.join(", ")));
    }
    effect.push("Whoever it is may connect and ask again at once.".into());
    effect
}

impl SessionPart {
    fn words(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Statement => "the statement of session",
        }
    }

    fn why_final(self) -> &'static str {
        match self {
            Self::Session => "a session that was ended does not come back; its client connects anew",
            Self::Statement => "a statement that was ended does not go on; its client gets an error",
        }
    }
}
