//! Statements that change something on a database server: each sent once, in order, the next one only once the one
//! before was answered as it must be.
//!
//! A session may stay open between two writes, one for each socket: what it holds (a lock over all tables) is held for as
//! long as this process and its connection live, and not a moment longer. Any doubt ends the session.

use super::{
    mysql::Conversation,
    mysql_login::{self, Purpose},
    route,
    session::{Session, micros},
};
use crate::{
    model::{
        text::Clean,
        trouble::{Trouble, TroubleKind},
    },
    wire::request::{Call, Reply, Request, SECRET, SqlSession, SqlStep},
};
use mysql_async::{Conn, Error as LibraryError, Row, Value, prelude::Queryable};
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::task::AbortOnDropHandle;

/// What the answer to one statement may have.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Exit status of statements of which one failed: the words are in what would be standard error.
const FAILED: u32 = 1;

/// The sessions that stay open, by socket.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<HashMap<String, Conversation>>);

/// Why statements were not carried out to the end.
enum Stopped {
    /// The server, or we, say why.
    Objection(String),
    /// The conversation is over, or cannot be understood.
    Lost(String),
}

impl Kept {
    /// Sends the statements. An error tells that no answer came; `left` whether anything left.
    pub(super) async fn send(
        &self,
        session: &Session,
        request: &Request,
        limit: Duration,
        left: &AtomicBool,
    ) -> Result<Reply, Trouble> {
        let Call::SqlWrite { socket, login, session: which, statements, secret } = &request.call else {
            return Err(trouble(TroubleKind::Internal, "these are no statements"));
        };
        if !route::is_usable_path(socket) {
            return Err(trouble(TroubleKind::Internal, "the socket's path is not a plain absolute one"));
        }
        let started = Instant::now();
        let secret = mysql_login::password(secret.as_ref())?;
        let mut kept = self.0.lock().await;
        let open = kept.remove(socket);
        let conversation = match (which, open) {
            (SqlSession::Within | SqlSession::Ends, Some(open)) => open,
            (SqlSession::Within, None) => {
                return Err(trouble(TroubleKind::ConnectionLost, "the session that was open is gone"));
            }
            // One that is still there is let go first: what it held must not outlive its step.
            (_, open) => {
                drop(open);
                mysql_login::open(session, socket, login, limit / 2, Purpose::Writing).await?
            }
        };
        let (conversation, outcome) = carry_out(conversation, statements, secret.as_ref(), left).await;
        if let (Ok(()), Some(conversation), SqlSession::Opens | SqlSession::Within) = (&outcome, conversation, which) {
            kept.insert(socket.clone(), conversation);
        }
        let reply = |exit, stderr: String| Reply {
            bytes: Vec::new(),
            stderr: stderr.into_bytes(),
            exit: Some(exit),
            elapsed_us: micros(started),
        };
        match outcome {
            Ok(()) => Ok(reply(0, String::new())),
            Err(Stopped::Objection(why)) => Ok(reply(FAILED, why)),
            Err(Stopped::Lost(why)) => Err(trouble(TroubleKind::ConnectionLost, &why)),
        }
    }
}

/// In a task of its own: should the library fail on what a server says, only this conversation ends.
async fn carry_out(
    conversation: Conversation,
    statements: &[SqlStep],
    secret: Option<&SecretString>,
    left: &AtomicBool,
) -> (Option<Conversation>, Result<(), Stopped>) {
    let Conversation { mut conn, bridge, asked } = conversation;
    for (index, statement) in statements.iter().enumerate() {
        let sql = match filled(&statement.sql, secret) {
            Ok(sql) => sql,
            Err(why) => return (None, Err(Stopped::Objection(why.to_owned()))),
        };
        bridge.allow(ANSWER_BYTES_MAX);
        left.store(true, Ordering::Relaxed);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let first = query(&mut conn, &sql).await;
            (conn, first)
        }));
        let number = index + 1;
        let first = match task.await {
            Ok((back, Ok(first))) => {
                conn = back;
                first
            }
            Ok((_, Err(LibraryError::Server(refusal)))) => {
                let words = without(&Clean::line(&refusal.message), secret);
                let why = format!("statement {number} was refused ({}): {words}", refusal.code);
                return (None, Err(Stopped::Objection(why)));
            }
            Ok((_, Err(error))) => {
                let why =
                    format!("the conversation ended during statement {number}: {}", Clean::line(&error.to_string()));
                return (None, Err(Stopped::Lost(why)));
            }
            Err(_) => return (None, Err(Stopped::Lost(format!("the answer to statement {number} could not be read")))),
        };
        if let Some(wanted) = statement.answer.as_deref().filter(|wanted| first.as_deref() != Some(*wanted)) {
            let said = first.map_or_else(|| "nothing".to_owned(), |text| Clean::line(&text).to_string());
            let why = format!("statement {number} said {said}, where {wanted} is needed");
            return (None, Err(Stopped::Objection(why)));
        }
    }
    (Some(Conversation { conn, bridge, asked }), Ok(()))
}

/// A server quotes what it refuses: what is secret goes no further.
fn without(words: &Clean, secret: Option<&SecretString>) -> String {
    match secret.map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty()) {
        Some(secret) => words.as_str().replace(secret, "…"),
        None => words.to_string(),
    }
}

/// The first cell of the first row, if there is one.
async fn query(conn: &mut Conn, sql: &str) -> Result<Option<String>, LibraryError> {
    let first: Option<Row> = conn.query_first(sql).await?;
    Ok(first.and_then(|row| match row.as_ref(0) {
        Some(Value::Bytes(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }))
}

/// The statement with the password in it. One that would end its own quotes is not sent.
fn filled(sql: &str, secret: Option<&SecretString>) -> Result<String, &'static str> {
    if !sql.contains(SECRET) {
        return Ok(sql.to_owned());
    }
    let Some(secret) = secret else { return Err("the password of the replication account is not configured") };
    let secret = secret.expose_secret();
    if secret.chars().any(|c| matches!(c, '\'' | '\\') || c.is_control()) {
        return Err("the password of the replication account has a quote, a backslash or a control character in it");
    }
    Ok(sql.replace(SECRET, secret))
}

fn trouble(kind: TroubleKind, cause: &str) -> Trouble {
    Trouble::new(kind, cause, "look at the database on the node; the run says what is true and what to type")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_enters_a_statement_only_where_it_can_stay_one_word() {
        let secret = |text: &str| SecretString::from(text.to_owned());
        let sql = "change master to master_password='{secret}'";
        let sound = filled(sql, Some(&secret("lab-replica"))).unwrap();
        assert_eq!(sound, "change master to master_password='lab-replica'");
        for bad in ["a'b", "a\\b", "a\nb"] {
            assert!(filled(sql, Some(&secret(bad))).is_err(), "{bad:?}");
        }
        assert!(filled(sql, None).is_err());
        assert_eq!(filled("select 1", None), Ok("select 1".to_owned()));
        let refused = "near 'master_password='lab-replica''".into();
        assert_eq!(without(&refused, Some(&secret("lab-replica"))), "near 'master_password='…''");
    }
}
