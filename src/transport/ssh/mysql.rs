//! MySQL and MariaDB of one session: one kept conversation per socket, which can only read.
//!
//! A conversation is dropped on any doubt: a missed deadline, an answer that is too long, anything that is not the
//! protocol. Dropping it closes the bridge, which frees whatever waits, here and on the node. A server that does not
//! answer does not count against the SSH connection, which may be in perfect order.

use super::{
    conversations::{self, Conversations},
    mysql_bridge::Bridge,
    mysql_frames::FrameFault,
    mysql_login::{self, Purpose},
    mysql_writing::Kept as KeptSessions,
    route,
    session::{Session, micros},
};
use crate::{
    model::trouble::{Trouble, TroubleKind},
    wire::{
        mysql::{ReplyWriter, StatementId},
        request::{Call, Repeat, Reply, Request},
    },
};
use mysql_async::{Conn, Error as LibraryError, Value, prelude::Queryable};
use std::{collections::HashMap, sync::atomic::AtomicBool, time::Duration};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

/// Beside the cells of an answer: the description of its columns.
const DESCRIPTION_BYTES_MAX: usize = 256 * 1024;
/// Numbers of a server that say that the conversation is over: it stops, somebody killed the session, it was idle.
const ENDED_CODES: [u16; 4] = [1053, 1317, 1927, 4031];

/// The conversations, by socket.
#[derive(Debug, Default)]
pub(super) struct Databases {
    reading: Conversations<Kept>,
    /// Sessions that hold something for a run; only the executor has any.
    pub(super) writing: KeptSessions,
}

#[derive(Debug, Default)]
struct Kept {
    conversation: Option<Conversation>,
    used: Option<Instant>,
}

impl conversations::Kept for Kept {
    fn used(&self) -> Option<Instant> {
        self.used
    }
}

/// One session of a server.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) conn: Conn,
    pub(super) bridge: Bridge,
    pub(super) asked: HashMap<StatementId, Asked>,
}

/// When a statement was sent last, and what came.
#[derive(Debug)]
pub(super) struct Asked {
    sql: String,
    at: Instant,
    /// Kept for statements whose answers are used again.
    bytes: Option<Vec<u8>>,
}

/// A statement that is asked.
#[derive(Debug, Clone)]
struct Wanted {
    id: StatementId,
    sql: String,
    repeat: Repeat,
    cap_bytes: usize,
}

/// Why a conversation is not used again.
enum Doubt {
    /// It is over; another one may answer.
    Ended(String),
    TooLong,
    Odd(String),
}

impl Databases {
    /// Ends the conversations that nobody has used for `idle_max`.
    pub(super) fn release_idle(&self, idle_max: Duration) {
        self.reading.release_idle(idle_max);
    }

    /// Statements of one socket, each answered. Those that are due go out as one: a round trip wakes the server, the SSH
    /// daemon and what is between them.
    pub(super) async fn ask(
        &self,
        session: &Session,
        requests: &[Request],
        sent: &AtomicBool,
    ) -> Result<Vec<Reply>, Trouble> {
        let Some((first, Call::Sql { socket, .. })) = requests.first().map(|first| (first, &first.call)) else {
            return Err(internal("this is no statement"));
        };
        if !route::is_usable_path(socket) {
            return Err(internal("the socket's path is not absolute, or has characters other than A-Za-z0-9/._-+@"));
        }
        let slot = self.reading.slot(socket).ok_or_else(|| internal("too many sockets on one node"))?;
        // The caller's deadline costs the SSH connection, in the end. This one costs the conversation.
        let limit = Duration::from_millis(first.deadline_ms.saturating_mul(9) / 10);
        let mut kept = slot.lock().await;
        if let Ok(answered) = timeout(limit, kept.answer(session, requests, limit, sent)).await {
            return answered;
        }
        *kept = Kept::default();
        Err(silent(session, first))
    }
}

impl Kept {
    async fn answer(
        &mut self,
        session: &Session,
        requests: &[Request],
        limit: Duration,
        sent: &AtomicBool,
    ) -> Result<Vec<Reply>, Trouble> {
        let Some(Call::Sql { socket, login, .. }) = requests.first().map(|first| &first.call) else {
            return Err(internal("this is no statement"));
        };
        let started = Instant::now();
        let wanted: Vec<Wanted> = requests.iter().filter_map(Wanted::of).collect();
        let said = |one: &Wanted| self.conversation.as_ref().and_then(|conversation| conversation.said_before(one));
        let mut answers: Vec<Option<Vec<u8>>> = wanted.iter().map(said).collect();
        let due: Vec<usize> = (0..answers.len()).filter(|index| answers[*index].is_none()).collect();
        let asked: Vec<Wanted> = due.iter().map(|index| wanted[*index].clone()).collect();
        // Taken out: if this future is dropped at the deadline, the conversation goes with it.
        let mut was_kept = self.conversation.is_some();
        while answers.iter().any(Option::is_none) {
            let conversation = match self.conversation.take() {
                Some(conversation) => conversation,
                None => mysql_login::open(session, socket, login, limit / 2, Purpose::Reading).await?,
            };
            sent.store(true, std::sync::atomic::Ordering::Relaxed);
            match conversation.ask(asked.clone()).await {
                Ok((conversation, told)) => {
                    self.conversation = Some(conversation);
                    self.used = Some(Instant::now());
                    for (index, bytes) in due.iter().zip(told) {
                        answers[*index] = Some(bytes);
                    }
                    break;
                }
                // The server was restarted meanwhile. A read may be repeated.
                Err((_, Doubt::Ended(_))) if was_kept && !session.is_ended() => was_kept = false,
                Err((at, doubt)) => {
                    let Some(one) = asked.get(at).or(asked.last()) else { return Err(internal("no statement")) };
                    return Err(trouble(session, one, doubt));
                }
            }
        }
        let elapsed_us = micros(started);
        let reply = |bytes| Reply { bytes, stderr: Vec::new(), exit: None, elapsed_us };
        Ok(answers.into_iter().flatten().map(reply).collect())
    }
}

impl Wanted {
    fn of(request: &Request) -> Option<Self> {
        let Call::Sql { statement, sql, repeat, .. } = &request.call else { return None };
        Some(Self { id: *statement, sql: sql.to_string(), repeat: *repeat, cap_bytes: request.cap_bytes })
    }
}

impl Conversation {
    /// The answer without asking, where it is not the statement's turn.
    fn said_before(&self, wanted: &Wanted) -> Option<Vec<u8>> {
        let asked = self.asked.get(&wanted.id).filter(|asked| asked.sql == wanted.sql)?;
        let is_young = |ms| asked.at.elapsed() < Duration::from_millis(ms);
        match wanted.repeat {
            Repeat::Always => None,
            Repeat::Reuse { ms } => asked.bytes.clone().filter(|_| is_young(ms)),
            Repeat::Skip { ms } => is_young(ms).then(Vec::new),
        }
    }

    fn remember(&mut self, wanted: &Wanted, bytes: &[u8]) {
        let bytes = match wanted.repeat {
            Repeat::Reuse { .. } => Some(bytes.to_vec()),
            Repeat::Always | Repeat::Skip { .. } => None,
        };
        self.asked.insert(wanted.id, Asked { sql: wanted.sql.clone(), at: Instant::now(), bytes });
    }

    /// The conversation and the answer to each statement, or at which of them it came into doubt. In a task of its own:
    /// should the library fail on what a server says, only this conversation ends.
    async fn ask(self, wanted: Vec<Wanted>) -> Result<(Self, Vec<Vec<u8>>), (usize, Doubt)> {
        let Self { mut conn, bridge, asked } = self;
        let caps = wanted.iter().map(|one| one.cap_bytes.saturating_add(DESCRIPTION_BYTES_MAX));
        bridge.allow(caps.fold(0, usize::saturating_add));
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let answers = query_all(&mut conn, &wanted).await;
            (conn, wanted, answers)
        }));
        match task.await {
            Ok((conn, wanted, Ok(answers))) => {
                let mut conversation = Self { conn, bridge, asked };
                for (one, bytes) in wanted.iter().zip(&answers) {
                    conversation.remember(one, bytes);
                }
                Ok((conversation, answers))
            }
            Ok((_, _, Err((at, doubt)))) => Err((
                at,
                match bridge.fault() {
                    Some(FrameFault::TooLong) => Doubt::TooLong,
                    Some(fault) => Doubt::Odd(fault.to_string()),
                    None => doubt,
                },
            )),
            Err(_) => Err((0, Doubt::Odd("its answer could not be read".into()))),
        }
    }
}

/// Every statement answered, in their order; or which of them brought the conversation into doubt. They go out as one
/// text: a server that refuses one drops those behind it, which are asked again without it.
async fn query_all(conn: &mut Conn, wanted: &[Wanted]) -> Result<Vec<Vec<u8>>, (usize, Doubt)> {
    let mut answers = Vec::with_capacity(wanted.len());
    while let Some(rest) = wanted.get(answers.len()..).filter(|rest| !rest.is_empty()) {
        query(conn, rest, &mut answers).await.map_err(|doubt| (answers.len(), doubt))?;
    }
    Ok(answers)
}

/// Adds the answers until all are there, or the first refusal is.
async fn query(conn: &mut Conn, wanted: &[Wanted], answers: &mut Vec<Vec<u8>>) -> Result<(), Doubt> {
    let texts: Vec<&str> = wanted.iter().map(|one| one.sql.as_str()).collect();
    let mut result = match (conn.query_iter(texts.join(";\n")).await, wanted) {
        (Ok(result), _) => result,
        (Err(error), [first, ..]) => {
            answers.push(refused(first.id, error)?);
            return Ok(());
        }
        (Err(error), []) => return Err(doubt(error)),
    };
    for one in wanted {
        let names: Vec<Vec<u8>> = result.columns_ref().iter().map(|column| column.name_ref().to_vec()).collect();
        let mut writer = ReplyWriter::rows(one.id, names.iter().map(Vec::as_slice));
        loop {
            match result.next().await {
                Ok(None) => break,
                // The library keeps an error of the next statement until its rows are wanted: this is its own.
                Err(error) => {
                    answers.push(refused(one.id, error)?);
                    return Ok(());
                }
                Ok(Some(row)) => {
                    writer.row((0..names.len()).map(|index| match row.as_ref(index) {
                        Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
                        _ => None,
                    }));
                    if writer.len() > one.cap_bytes {
                        return Err(Doubt::TooLong);
                    }
                }
            }
        }
        answers.push(writer.finish());
    }
    result.drop_result().await.map_err(doubt)
}

/// The answer of a server that refuses; anything else ends the conversation.
fn refused(id: StatementId, error: LibraryError) -> Result<Vec<u8>, Doubt> {
    match error {
        LibraryError::Server(refusal) if !ENDED_CODES.contains(&refusal.code) => {
            Ok(ReplyWriter::refused(id, refusal.code, &refusal.message))
        }
        other => Err(doubt(other)),
    }
}

fn doubt(error: LibraryError) -> Doubt {
    match error {
        LibraryError::Server(refusal) => Doubt::Ended(refusal.message),
        LibraryError::Io(error) => Doubt::Ended(error.to_string()),
        other => Doubt::Odd(other.to_string()),
    }
}

fn trouble(session: &Session, wanted: &Wanted, doubt: Doubt) -> Trouble {
    let (name, what) = (session.name(), wanted.id.words());
    match doubt {
        _ if session.is_ended() => session.end(),
        Doubt::TooLong => session.too_long(wanted.cap_bytes, what),
        Doubt::Ended(why) => Trouble::new(
            TroubleKind::ConnectionLost,
            format!("the database on {name} ended the conversation during {what} ({why})"),
            "look at the database on the node: it was stopped, or somebody ended the session",
        ),
        Doubt::Odd(why) => Trouble::new(
            TroubleKind::AnswerNotUnderstood,
            format!("the database on {name} answered {what} in a way that is not understood: {why}"),
            "the conversation was closed and will be opened anew",
        ),
    }
}

fn silent(session: &Session, request: &Request) -> Trouble {
    let what = match &request.call {
        Call::Sql { statement, .. } => statement.words(),
        _ => "a statement",
    };
    Trouble::new(
        TroubleKind::DatabaseSilent,
        format!("the database on {} gave no answer to {what} within {} ms", session.name(), request.deadline_ms),
        "it is frozen, overloaded, or waits for a disk or a lock: look at its process and its disk",
    )
}

fn internal(cause: &str) -> Trouble {
    Trouble::new(TroubleKind::Internal, cause, "report this as a bug of vakt, with its configuration")
}
