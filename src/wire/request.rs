//! What is sent to a node, as a value: previewed, journalled, logged and sent from the same text.

use super::{
    countdown::{Countdown, CountdownTask},
    file_edit::{FileEdit, FileWay},
    libvirt::{
        self,
        operation::{GuestIdentity, Operation},
    },
    mysql::StatementId,
};
use crate::model::inventory::{DatabaseLogin, PasswordSource};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// Whether a request changes anything on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// It only looks. May be repeated.
    Read,
    /// It changes something. Sent only by the executor, never repeated.
    Write,
}

/// One exchange with a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Looks or changes.
    pub access: Access,
    /// What exactly.
    pub call: Call,
    /// Longest wait for the whole answer, milliseconds.
    pub deadline_ms: u64,
    /// Longest answer that is accepted, bytes.
    pub cap_bytes: usize,
}

/// Kinds of exchange. Adding a technology adds a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// POSIX shell commands of our own making (never built from a node's words), run on the node's kept shell.
    /// The transport frames the answer with a nonce.
    Shell {
        /// The commands, one line.
        script: Cow<'static, str>,
    },
    /// The same, run by the kept shell itself, which saves a process. Only for what does not end the shell, runs again
    /// and again, and leaves nothing but the same variables behind.
    ShellWithin {
        /// The commands, one line.
        script: Cow<'static, str>,
        /// The same as a program of Perl that appends to `$o`: run instead where the node has one, because it costs the
        /// node less. Empty where there is none.
        #[serde(default, skip_serializing_if = "str::is_empty")]
        perl: Cow<'static, str>,
    },
    /// One process in a channel of its own. Arguments are quoted by the transport, one by one.
    Exec {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// One command on HAProxy's stats socket; the answer without prompt and final empty line.
    Haproxy {
        /// Path of the socket on the node.
        socket: String,
        /// The command, one line without `;`.
        command: String,
    },
    /// Words with a TCP port as the node sees it. That nobody listens or answers is an answer, told by the exit
    /// status: [`TCP_REFUSED`], [`TCP_SILENT`].
    Tcp {
        /// Addresses, tried one after another until one listens.
        hosts: Vec<String>,
        /// The port.
        port: u16,
        /// What is said.
        send: Cow<'static, str>,
        /// The last bytes of an answer.
        end: Cow<'static, str>,
    },
    /// One statement on the socket of MySQL or MariaDB; the answer as [`super::mysql::ReplyWriter`] writes it.
    Sql {
        /// Path of the socket on the node.
        socket: String,
        /// Who asks.
        login: DatabaseLogin,
        /// What is asked.
        statement: StatementId,
        /// Its text, without a semicolon.
        sql: Cow<'static, str>,
        /// Whether it is sent each time.
        repeat: Repeat,
    },
    /// Statements that change something on the socket of MySQL or MariaDB, one after another in one session. The first
    /// that fails, or is answered otherwise than it must be, is the last; that session ends with it.
    SqlWrite {
        /// Path of the socket on the node.
        socket: String,
        /// Who acts.
        login: DatabaseLogin,
        /// In which session.
        session: SqlSession,
        /// What is sent.
        statements: Vec<SqlStep>,
        /// Where the password is that stands for [`SECRET`] in a statement; it is filled in when the statement leaves.
        secret: Option<PasswordSource>,
    },
    /// One question to libvirt, asked by its client library; the answer as JSON (`wire::libvirt::answer`).
    Libvirt {
        /// Path of the socket on the node.
        socket: String,
        /// What is asked.
        question: libvirt::Question,
    },
    /// One call of libvirt's client library that changes a guest, on a conversation of its own.
    LibvirtWrite {
        /// Path of the socket on the node; not the one that only reads.
        socket: String,
        /// Which guest.
        guest: GuestIdentity,
        /// What is done.
        operation: Operation,
    },
    /// One change of one file, as root (`wire::file_edit`).
    FileEdit {
        /// Which change.
        edit: Box<FileEdit>,
        /// There or back.
        way: FileWay,
    },
    /// A change of a port of a switch, with a timer on the node that takes it back (`wire::countdown`), as root, on a
    /// connection that is made for it.
    Countdown {
        /// Which.
        countdown: Box<Countdown>,
        /// What is done.
        task: CountdownTask,
    },
    /// The command on this machine that leads writes to the primary (`wire::hook`): no node is asked, no shell involved.
    Hook {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// What the database of a switch tells on a kept conversation: everything when something changed since the last
    /// answer, else only that nothing did, after `hold_ms`.
    Ovsdb {
        /// Path of the socket on the node.
        socket: String,
        /// How long the answer may wait for a change, milliseconds.
        hold_ms: u64,
    },
    /// Whether the daemon of a switch runs, and its answers to `ovs-appctl` on a kept conversation.
    OvsDaemon {
        /// The folder of its sockets and of its process number.
        folder: String,
        /// What it is asked.
        talk: OvsTalk,
    },
}

/// What stands for a password in a statement: the password itself is in no plan, journal or log.
pub const SECRET: &str = "{secret}";

/// What stands for a number that a query finds, in a statement that is sent for each ([`SqlStep::for_each`]).
pub const EACH: &str = "{each}";

/// The session of a database server in which statements are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SqlSession {
    /// One of their own, closed afterwards.
    Own,
    /// A new one, which stays open for as long as this process lives: what it holds goes with it.
    Opens,
    /// The one that stays open. Without it nothing is sent.
    Within,
    /// The one that stays open if it lives, a new one otherwise; closed afterwards.
    Ends,
}

/// One statement of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlStep {
    /// Its text, without a semicolon.
    pub sql: String,
    /// What its first row must begin with.
    pub answer: Option<String>,
    /// A query whose first column names numbers: the statement is sent for each of them, which stands for [`EACH`] in it.
    /// One that is gone by then is passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
}

impl SqlStep {
    /// A statement whose answer says nothing but that it was carried out.
    pub fn run(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), answer: None, each: None }
    }

    /// A statement that must be answered so.
    pub fn must_say(sql: impl Into<String>, answer: impl Into<String>) -> Self {
        Self { sql: sql.into(), answer: Some(answer.into()), each: None }
    }

    /// A statement with [`EACH`] in it, sent for each number that a query finds.
    pub fn for_each(query: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), answer: None, each: Some(query.into()) }
    }
}

/// What the daemon of a switch is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OvsTalk {
    /// Counters that move every second.
    Live,
    /// Bonds, learned addresses, flows: what moves slowly.
    Detail,
}

/// Exit status of an exchange with a port on which nobody listens.
pub const TCP_REFUSED: u32 = 111;
/// Exit status of an exchange with somebody who says nothing, or not all of it.
pub const TCP_SILENT: u32 = 124;

/// How often a statement of a kept conversation is really sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Each time.
    Always,
    /// The answer before stands for so long.
    Reuse {
        /// Milliseconds.
        ms: u64,
    },
    /// For so long there is no answer: its bytes are empty.
    Skip {
        /// Milliseconds.
        ms: u64,
    },
}

impl Request {
    /// What a probe looks at again and again: a script of the shell, and the same in Perl.
    pub fn look(script: &'static str, perl: &'static str, deadline_ms: u64, cap_bytes: usize) -> Self {
        Self::read(Call::ShellWithin { script: script.into(), perl: perl.into() }, deadline_ms, cap_bytes)
    }

    /// A read.
    pub fn read(call: Call, deadline_ms: u64, cap_bytes: usize) -> Self {
        Self { access: Access::Read, call, deadline_ms, cap_bytes }
    }
}

/// The answer to the only request of a probe.
pub(super) fn first_bytes(replies: &[Reply]) -> &[u8] {
    replies.first().map_or(&[], |reply| &reply.bytes)
}

/// What an operator would type on the node.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.call {
            Call::Shell { script } | Call::ShellWithin { script, .. } => f.write_str(script),
            Call::Exec { argv } | Call::Hook { argv } => {
                for (index, word) in argv.iter().enumerate() {
                    if index > 0 {
                        f.write_str(" ")?;
                    }
                    f.write_str(&shell_word(word))?;
                }
                if matches!(self.call, Call::Hook { .. }) { f.write_str(" # on the bastion") } else { Ok(()) }
            }
            Call::Tcp { hosts, port, send, .. } => {
                let host = hosts.first().map_or("127.0.0.1", String::as_str);
                write!(f, "echo {} | nc {} {port}", shell_word(send.trim_end()), shell_word(host))
            }
            Call::Haproxy { socket, command } => {
                write!(f, "echo {} | socat - UNIX-CONNECT:{}", shell_word(command), shell_word(socket))
            }
            Call::Ovsdb { socket, .. } => {
                write!(f, "ovsdb-client monitor {} Open_vSwitch ALL", shell_word(&format!("unix:{socket}")))
            }
            Call::OvsDaemon { talk, .. } => {
                let commands = talk.commands().iter().map(|words| format!("ovs-appctl {}", words.join(" ")));
                f.write_str(&commands.collect::<Vec<_>>().join("; "))
            }
            Call::Sql { socket, login, sql, .. } => {
                write!(f, "mysql --socket={}", shell_word(socket))?;
                if let Some(user) = &login.user {
                    write!(f, " --user={}", shell_word(user))?;
                }
                write!(f, " -e {}", shell_word(sql))
            }
            Call::SqlWrite { socket, login, session, statements, .. } => {
                write!(f, "mysql --socket={}", shell_word(socket))?;
                if let Some(user) = &login.user {
                    write!(f, " --user={}", shell_word(user))?;
                }
                let texts: Vec<&str> = statements.iter().map(|statement| statement.sql.as_str()).collect();
                write!(f, " -e {}", shell_word(&texts.join("; ")))?;
                let mut notes: Vec<String> = session.words().map(str::to_owned).into_iter().collect();
                let answers = statements.iter().zip(1..);
                let answers = answers.filter_map(|(statement, number)| Some((statement.answer.as_deref()?, number)));
                notes.extend(answers.map(|(answer, number)| format!("statement {number} must say {answer}")));
                let queries = statements.iter().zip(1..);
                let queries = queries.filter_map(|(statement, number)| Some((statement.each.as_deref()?, number)));
                notes.extend(
                    queries.map(|(query, number)| {
                        format!("statement {number} is sent for each that is found by: {query}")
                    }),
                );
                if notes.is_empty() { Ok(()) } else { write!(f, " # {}", notes.join("; ")) }
            }
            Call::FileEdit { edit, way } => edit.tell(*way, f),
            Call::Countdown { countdown, task } => countdown.tell(*task, f),
            Call::Libvirt { socket, question } => {
                let address = format!("qemu+unix:///system?socket={socket}");
                write!(f, "virsh -r -c {} {}", shell_word(&address), question.words())
            }
            Call::LibvirtWrite { socket, guest, operation } => {
                let address = format!("qemu+unix:///system?socket={socket}");
                let words = operation.words(&shell_word(&guest.name));
                write!(f, "virsh -c {} {words} # UUID {}", shell_word(&address), guest.uuid)
            }
        }
    }
}

impl SqlSession {
    fn words(self) -> Option<&'static str> {
        match self {
            Self::Own => None,
            Self::Opens => Some("the session stays open"),
            Self::Within => Some("in the session that is open"),
            Self::Ends => Some("in the session that is open, which ends"),
        }
    }
}

/// Quotes one word for a POSIX shell; leaves plain words as they are.
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':' | b'=' | b',' | b'@' | b'%');
    if !word.is_empty() && word.bytes().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// A node's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reply {
    /// Standard output, or the socket's answer; within the cap.
    pub bytes: Vec<u8>,
    /// Standard error of an `Exec`, cut to a few kilobytes; empty otherwise.
    pub stderr: Vec<u8>,
    /// Exit status of a `Shell` or `Exec`.
    pub exit: Option<u32>,
    /// From sending to the last byte, microseconds.
    pub elapsed_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_when_needed() {
        assert_eq!(shell_word("/run/haproxy/admin.sock"), "/run/haproxy/admin.sock");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("$(id)"), "'$(id)'");
    }

    #[test]
    fn a_request_prints_what_an_operator_would_type() {
        let request = Request::read(
            Call::Haproxy { socket: "/run/haproxy/admin.sock".into(), command: "show stat".into() },
            1000,
            1 << 20,
        );
        assert_eq!(request.to_string(), "echo 'show stat' | socat - UNIX-CONNECT:/run/haproxy/admin.sock");
    }
}
