//! What is sent to a node, as a value: previewed, journalled, logged and sent from the same text.

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
}

impl Request {
    /// A read.
    pub fn read(call: Call, deadline_ms: u64, cap_bytes: usize) -> Self {
        Self { access: Access::Read, call, deadline_ms, cap_bytes }
    }
}

/// What an operator would type on the node.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.call {
            Call::Shell { script } => f.write_str(script),
            Call::Exec { argv } => {
                for (index, word) in argv.iter().enumerate() {
                    if index > 0 {
                        f.write_str(" ")?;
                    }
                    f.write_str(&shell_word(word))?;
                }
                Ok(())
            }
            Call::Haproxy { socket, command } => {
                write!(f, "echo {} | socat - UNIX-CONNECT:{}", shell_word(command), shell_word(socket))
            }
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
