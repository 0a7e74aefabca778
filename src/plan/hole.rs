//! Typed holes: values that only the run can know (a thread's id, a position), and how they enter a request.
//!
//! A hole stands in a request's text as `{hole:NAME}`. A step binds it from what its own look at the world found, before
//! anything is sent; the text that is journalled and sent is the bound one. A value is checked against the hole's kind,
//! so that no node's words become part of a command.

use crate::{
    model::text::Clean,
    plan::expect::Check,
    wire::request::{Call, Request, SqlStep},
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// How a hole begins in a request's text; `}` ends it.
pub const OPEN: &str = "{hole:";

/// What may fill a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoleKind {
    /// Decimal digits, at most 20.
    Number,
}

impl HoleKind {
    fn accepts(self, value: &str) -> bool {
        match self {
            Self::Number => (1..=20).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit()),
        }
    }

    /// In words, for the preview.
    pub fn word(self) -> &'static str {
        match self {
            Self::Number => "a number",
        }
    }
}

/// A hole, and where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// The hole's name, `[a-z_]`.
    pub name: String,
    /// What may fill it.
    pub kind: HoleKind,
    /// Where it is read: the figure that this check looks at.
    pub from: Check,
}

/// Values of holes, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bindings(BTreeMap<String, String>);

impl Bindings {
    /// Takes a value; `false` when the hole may not hold it.
    pub fn bind(&mut self, bind: &Bind, value: &str) -> bool {
        let fits = bind.kind.accepts(value);
        if fits {
            self.0.insert(bind.name.clone(), value.to_owned());
        }
        fits
    }

    /// The request as it will be sent; the name of the first hole that has no value otherwise.
    pub fn fill(&self, request: &Request) -> Result<Request, Clean> {
        let fill = |text: &str| -> Result<String, Clean> {
            let mut filled = String::with_capacity(text.len());
            let mut rest = text;
            while let Some((before, name, after)) = next_hole(rest) {
                filled.push_str(before);
                filled.push_str(self.0.get(name).ok_or_else(|| Clean::line(name))?);
                rest = after;
            }
            filled.push_str(rest);
            Ok(filled)
        };
        let call = match &request.call {
            Call::Shell { script } => Call::Shell { script: Cow::Owned(fill(script)?) },
            Call::Exec { argv } => Call::Exec { argv: argv.iter().map(|word| fill(word)).collect::<Result<_, _>>()? },
            // No plan holds one: it is how vakt asks.
            Call::Tcp { .. } | Call::ShellWithin { .. } => request.call.clone(),
            Call::Haproxy { socket, command } => Call::Haproxy { socket: socket.clone(), command: fill(command)? },
            // They only read, or are calls with names and no text.
            call @ (Call::Ovsdb { .. }
            | Call::OvsDaemon { .. }
            | Call::LibvirtWrite { .. }
            | Call::FileEdit { .. }
            | Call::Hook { .. }
            | Call::Countdown { .. }) => call.clone(),
            Call::Sql { socket, login, statement, sql, repeat } => Call::Sql {
                socket: socket.clone(),
                login: login.clone(),
                statement: *statement,
                sql: Cow::Owned(fill(sql)?),
                repeat: *repeat,
            },
            Call::SqlWrite { socket, login, session, statements, secret } => Call::SqlWrite {
                socket: socket.clone(),
                login: login.clone(),
                session: *session,
                statements: statements
                    .iter()
                    .map(|statement| Ok(SqlStep { sql: fill(&statement.sql)?, ..statement.clone() }))
                    .collect::<Result<_, Clean>>()?,
                secret: secret.clone(),
            },
            Call::Libvirt { socket, question } => Call::Libvirt { socket: socket.clone(), question: *question },
        };
        Ok(Request { access: request.access, call, deadline_ms: request.deadline_ms, cap_bytes: request.cap_bytes })
    }
}

/// The names of the holes in a request.
pub fn holes_in(request: &Request) -> Vec<&str> {
    let texts: Vec<&str> = match &request.call {
        Call::Shell { script } | Call::ShellWithin { script, .. } => vec![script],
        Call::Exec { argv } => argv.iter().map(String::as_str).collect(),
        Call::Haproxy { command, .. } => vec![command],
        Call::Tcp { send, .. } => vec![send],
        Call::Sql { sql, .. } => vec![sql],
        Call::SqlWrite { statements, .. } => statements.iter().map(|statement| statement.sql.as_str()).collect(),
        Call::Ovsdb { .. }
        | Call::OvsDaemon { .. }
        | Call::Libvirt { .. }
        | Call::LibvirtWrite { .. }
        | Call::FileEdit { .. }
        | Call::Hook { .. }
        | Call::Countdown { .. } => Vec::new(),
    };
    let mut names = Vec::new();
    for mut rest in texts {
        while let Some((_, name, after)) = next_hole(rest) {
            names.push(name);
            rest = after;
        }
    }
    names
}

/// What stands before the next hole, its name, and what stands behind it.
fn next_hole(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(OPEN)?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}
