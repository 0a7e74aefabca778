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

/// What became of a statement.
enum Outcome {
    Answered(Vec<u8>),
    /// The conversation is over; another one may answer.
    Ended(String),
    TooLong,
    Odd(String),
}

impl Databases {
    /// Ends the conversations that nobody has used for `idle_max`.
    pub(super) fn release_idle(&self, idle_max: Duration) {
        self.reading.release_idle(idle_max);
    }

    /// One statement, one answer.
    pub(super) async fn ask(&self, session: &Session, request: &Request, sent: &AtomicBool) -> Result<Reply, Trouble> {
        let Call::Sql { socket, .. } = &request.call else { return Err(internal("this is no statement")) };
        if !route::is_usable_path(socket) {
            return Err(internal("the socket's path is not absolute, or has characters other than A-Za-z0-9/._-+@"));
        }
        let slot = self.reading.slot(socket).ok_or_else(|| internal("too many sockets on one node"))?;
        // The caller's deadline costs the SSH connection, in the end. This one costs the conversation.
        let limit = Duration::from_millis(request.deadline_ms.saturating_mul(9) / 10);
        let mut kept = slot.lock().await;
        if let Ok(answered) = timeout(limit, kept.answer(session, request, limit, sent)).await {
            return answered;
        }
        *kept = Kept::default();
        Err(silent(session, request))
    }
}

impl Kept {
    async fn answer(
        &mut self,
        session: &Session,
        request: &Request,
        limit: Duration,
        sent: &AtomicBool,
    ) -> Result<Reply, Trouble> {
        let Call::Sql { socket, login, statement, sql, repeat } = &request.call else {
            return Err(internal("this is no statement"));
        };
        let started = Instant::now();
        let reply = |bytes| Reply { bytes, stderr: Vec::new(), exit: None, elapsed_us: micros(started) };
        if let Some(conversation) = &self.conversation
            && let Some(bytes) = conversation.said_before(*statement, sql, *repeat)
        {
            return Ok(reply(bytes));
        }
        // Taken out: if this future is dropped at the deadline, the conversation goes with it.
        let mut was_kept = self.conversation.is_some();
        loop {
            let conversation = match self.conversation.take() {
                Some(conversation) => conversation,
                None => mysql_login::open(session, socket, login, limit / 2, Purpose::Reading).await?,
            };
            sent.store(true, std::sync::atomic::Ordering::Relaxed);
            match conversation.ask(*statement, sql, request.cap_bytes).await {
                (Some(mut conversation), Outcome::Answered(bytes)) => {
                    conversation.remember(*statement, sql, *repeat, &bytes);
                    self.conversation = Some(conversation);
                    self.used = Some(Instant::now());
                    return Ok(reply(bytes));
                }
                // The server was restarted meanwhile. A read may be repeated.
                (_, Outcome::Ended(_)) if was_kept && !session.is_ended() => was_kept = false,
                (_, outcome) => return Err(trouble(session, *statement, request.cap_bytes, outcome)),
            }
        }
    }
}

impl Conversation {
    /// The answer without asking, where it is not the statement's turn.
    fn said_before(&self, id: StatementId, sql: &str, repeat: Repeat) -> Option<Vec<u8>> {
        let asked = self.asked.get(&id).filter(|asked| asked.sql == sql)?;
        let is_young = |ms| asked.at.elapsed() < Duration::from_millis(ms);
        match repeat {
            Repeat::Always => None,
            Repeat::Reuse { ms } => asked.bytes.clone().filter(|_| is_young(ms)),
            Repeat::Skip { ms } => is_young(ms).then(Vec::new),
        }
    }

    fn remember(&mut self, id: StatementId, sql: &str, repeat: Repeat, bytes: &[u8]) {
        let bytes = match repeat {
            Repeat::Reuse { .. } => Some(bytes.to_vec()),
            Repeat::Always | Repeat::Skip { .. } => None,
        };
        self.asked.insert(id, Asked { sql: sql.to_owned(), at: Instant::now(), bytes });
    }

    /// In a task of its own: should the library fail on what a server says, only this conversation ends.
    async fn ask(self, id: StatementId, sql: &str, cap: usize) -> (Option<Self>, Outcome) {
        let sql = sql.to_owned();
        let Self { mut conn, bridge, asked } = self;
        bridge.allow(cap.saturating_add(DESCRIPTION_BYTES_MAX));
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let outcome = query(&mut conn, id, &sql, cap).await;
            (conn, outcome)
        }));
        match task.await {
            Ok((conn, outcome @ Outcome::Answered(_))) => (Some(Self { conn, bridge, asked }), outcome),
            Ok((_, outcome)) => {
                let outcome = match bridge.fault() {
                    Some(FrameFault::TooLong) => Outcome::TooLong,
                    Some(fault) => Outcome::Odd(fault.to_string()),
                    None => outcome,
                };
                (None, outcome)
            }
            Err(_) => (None, Outcome::Odd("its answer could not be read".into())),
        }
    }
}

async fn query(conn: &mut Conn, id: StatementId, sql: &str, cap: usize) -> Outcome {
    let mut result = match conn.query_iter(sql).await {
        Ok(result) => result,
        Err(error) => return failed(id, error),
    };
    let names: Vec<Vec<u8>> = result.columns_ref().iter().map(|column| column.name_ref().to_vec()).collect();
    let mut writer = ReplyWriter::rows(id, names.iter().map(Vec::as_slice));
    loop {
        match result.next().await {
            Ok(None) => break,
            Err(error) => return failed(id, error),
            Ok(Some(row)) => {
                writer.row((0..names.len()).map(|index| match row.as_ref(index) {
                    Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
                    _ => None,
                }));
                if writer.len() > cap {
                    return Outcome::TooLong;
                }
            }
        }
    }
    match result.drop_result().await {
        Ok(()) => Outcome::Answered(writer.finish()),
        Err(error) => failed(id, error),
    }
}

fn failed(id: StatementId, error: LibraryError) -> Outcome {
    match error {
        LibraryError::Server(refusal) if ENDED_CODES.contains(&refusal.code) => Outcome::Ended(refusal.message),
        LibraryError::Server(refusal) => Outcome::Answered(ReplyWriter::refused(id, refusal.code, &refusal.message)),
        LibraryError::Io(error) => Outcome::Ended(error.to_string()),
        other => Outcome::Odd(other.to_string()),
    }
}

fn trouble(session: &Session, id: StatementId, cap: usize, outcome: Outcome) -> Trouble {
    let (name, what) = (session.name(), id.words());
    match outcome {
        _ if session.is_ended() => session.end(),
        Outcome::TooLong => session.too_long(cap, what),
        Outcome::Ended(why) => Trouble::new(
            TroubleKind::ConnectionLost,
            format!("the database on {name} ended the conversation during {what} ({why})"),
            "look at the database on the node: it was stopped, or somebody ended the session",
        ),
        Outcome::Odd(why) => Trouble::new(
            TroubleKind::AnswerNotUnderstood,
            format!("the database on {name} answered {what} in a way that is not understood: {why}"),
            "the conversation was closed and will be opened anew",
        ),
        Outcome::Answered(_) => internal("an answer is no trouble"),
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
