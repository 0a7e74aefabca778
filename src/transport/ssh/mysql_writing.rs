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
    wire::request::{Call, EACH, Reply, Request, SECRET, SqlSession, SqlStep},
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
/// Most sessions, or other things with a number, for each of which a statement is sent.
const EACH_MAX: usize = 10_000;
/// What a server says when it knows no session of that number any more.
const GONE: u16 = 1094;
/// Exit status of statements of which one failed: the words are in what would be standard error.
const FAILED: u32 = 1;

/// The sessions that stay open, by socket.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<HashMap<String, Conversation>>);

/// Why statements were not carried out to the end.
#[derive(Debug)]
enum Stopped {
    /// The server says why, with its number for that.
    Refused(u16, String),
    /// We say why.
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
            Err(Stopped::Objection(why) | Stopped::Refused(_, why)) => Ok(reply(FAILED, why)),
            Err(Stopped::Lost(why)) => Err(trouble(TroubleKind::ConnectionLost, &why)),
        }
    }
}

async fn carry_out(
    conversation: Conversation,
    statements: &[SqlStep],
    secret: Option<&SecretString>,
    left: &AtomicBool,
) -> (Option<Conversation>, Result<(), Stopped>) {
    let mut open = Some(conversation);
    for (index, statement) in statements.iter().enumerate() {
        let step = Step { number: index + 1, statement, secret, left };
        if let Err(why) = step.carry_out(&mut open).await {
            return (None, Err(why));
        }
    }
    (open, Ok(()))
}

/// One statement of several.
struct Step<'s> {
    number: usize,
    statement: &'s SqlStep,
    secret: Option<&'s SecretString>,
    left: &'s AtomicBool,
}

impl Step<'_> {
    async fn carry_out(&self, open: &mut Option<Conversation>) -> Result<(), Stopped> {
        let Step { number, statement, secret, .. } = self;
        let sql = filled(&statement.sql, *secret).map_err(|why| Stopped::Objection(why.to_owned()))?;
        if let Some(query) = &statement.each {
            for id in numbers(&self.ask(open, query.clone()).await?) {
                match self.ask(open, sql.replace(EACH, &id?.to_string())).await {
                    Ok(_) | Err(Stopped::Refused(GONE, _)) => {}
                    Err(why) => return Err(why),
                }
            }
            return Ok(());
        }
        let column = self.ask(open, sql).await?;
        let first = column.first().and_then(Option::as_deref);
        if let Some(wanted) = statement.answer.as_deref().filter(|wanted| first != Some(*wanted)) {
            let said = first.map_or_else(|| "nothing".to_owned(), |text| Clean::line(text).to_string());
            return Err(Stopped::Objection(format!("statement {number} said {said}, where {wanted} is needed")));
        }
        Ok(())
    }

    /// In a task of its own: should the library fail on what a server says, only this conversation ends. A refusal leaves
    /// it open.
    async fn ask(&self, open: &mut Option<Conversation>, sql: String) -> Result<Vec<Option<String>>, Stopped> {
        let number = self.number;
        let Some(Conversation { mut conn, bridge, asked }) = open.take() else {
            return Err(Stopped::Lost(format!("the conversation was over before statement {number}")));
        };
        bridge.allow(ANSWER_BYTES_MAX);
        self.left.store(true, Ordering::Relaxed);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let column = query(&mut conn, &sql).await;
            (conn, column)
        }));
        match task.await {
            Ok((conn, Ok(column))) => {
                *open = Some(Conversation { conn, bridge, asked });
                Ok(column)
            }
            Ok((conn, Err(LibraryError::Server(refusal)))) => {
                *open = Some(Conversation { conn, bridge, asked });
                let words = without(&Clean::line(&refusal.message), self.secret);
                let why = format!("statement {number} was refused ({}): {words}", refusal.code);
                Err(Stopped::Refused(refusal.code, why))
            }
            Ok((_, Err(error))) => {
                let words = Clean::line(&error.to_string());
                Err(Stopped::Lost(format!("the conversation ended during statement {number}: {words}")))
            }
            Err(_) => Err(Stopped::Lost(format!("the answer to statement {number} could not be read"))),
        }
    }
}

/// What a query found, for each of which a statement is sent.
fn numbers(column: &[Option<String>]) -> Vec<Result<u64, Stopped>> {
    let number = |cell: &Option<String>| {
        let number = cell.as_deref().and_then(|text| text.parse::<u64>().ok());
        number.ok_or_else(|| Stopped::Objection("a query was to find numbers, and found something else".to_owned()))
    };
    column.iter().take(EACH_MAX).map(number).collect()
}

/// A server quotes what it refuses: what is secret goes no further.
fn without(words: &Clean, secret: Option<&SecretString>) -> String {
    match secret.map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty()) {
        Some(secret) => words.as_str().replace(secret, "…"),
        None => words.to_string(),
    }
}

/// The first cell of each row.
async fn query(conn: &mut Conn, sql: &str) -> Result<Vec<Option<String>>, LibraryError> {
    let rows: Vec<Row> = conn.query(sql).await?;
    let first = |row: &Row| match row.as_ref(0) {
        Some(Value::Bytes(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    };
    Ok(rows.iter().map(first).collect())
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
    fn a_statement_is_sent_for_numbers_only() {
        let cell = |text: &str| Some(text.to_owned());
        let sound: Vec<u64> = numbers(&[cell("7"), cell("42")]).into_iter().map(Result::unwrap).collect();
        assert_eq!(sound, [7, 42]);
        for bad in [None, cell("-1"), cell("1 or 1=1"), cell("")] {
            assert!(numbers(&[bad]).remove(0).is_err());
        }
    }

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
