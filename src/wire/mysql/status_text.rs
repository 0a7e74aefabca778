//! `show engine innodb status`: the LOG and TRANSACTIONS sections, and the last deadlock.
//!
//! The text quotes statements, so anyone who may log in can put lines into it. The log's section comes behind all quoted
//! text: its last occurrence is the engine's. The other figures of the text are only used where a server has no better.

use super::{
    mask::{self, Literals},
    rows::{Answers, Table},
    statements::StatementId,
};
use crate::model::{
    figure::{Figure, Unknown},
    mysql::{Deadlock, DeadlockParty},
    text::Clean,
};
use std::borrow::Cow;

/// Longest text that is looked at, bytes; the server cuts it at 1 MiB.
pub(super) const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Transactions of a deadlock that are kept.
const PARTIES_MAX: usize = 16;
/// Lines of a deadlock that are kept.
const DEADLOCK_LINES_MAX: usize = 400;

/// Beginnings of lines between quoted statements. Whatever begins otherwise (dumps of rows above all) is left out.
const ENGINE_LINES: [&str; 20] = [
    "*** (",
    "*** WAITING FOR THIS LOCK",
    "*** CONFLICTING WITH",
    "*** WE ROLL BACK TRANSACTION",
    "TRANSACTION ",
    "---TRANSACTION ",
    "mysql tables in use",
    "LOCK WAIT",
    "ROLLING BACK",
    "MySQL thread id",
    "MariaDB thread id",
    "RECORD LOCKS space id",
    "TABLE LOCK table",
    "Record lock, heap no",
    "Trx id counter",
    "Purge done for trx",
    "History list length",
    "LIST OF TRANSACTIONS",
    "Trx read view",
    "------- TRX HAS BEEN WAITING",
];

/// What was found in the text.
#[derive(Debug, Default)]
pub(super) struct StatusText {
    pub(super) current_lsn: Figure<u64>,
    pub(super) flushed_lsn: Figure<u64>,
    pub(super) checkpoint_lsn: Figure<u64>,
    pub(super) history_list_length: Figure<u64>,
    deadlock: Figure<Option<String>>,
}

impl StatusText {
    pub(super) fn read(answers: &Answers) -> Self {
        match text(answers) {
            Figure::Known(text) => Self::parse(&text),
            Figure::Unknown(why) => Self {
                current_lsn: Figure::Unknown(why),
                flushed_lsn: Figure::Unknown(why),
                checkpoint_lsn: Figure::Unknown(why),
                history_list_length: Figure::Unknown(why),
                deadlock: Figure::Unknown(why),
            },
        }
    }

    fn parse(text: &str) -> Self {
        let sections = sections(text);
        let log = sections.iter().rev().find(|(title, _)| *title == "LOG").map_or("", |(_, body)| *body);
        let section = |name: &str| sections.iter().find(|(title, _)| *title == name).map(|(_, body)| *body);
        let deadlock = section("LATEST DETECTED DEADLOCK");
        Self {
            current_lsn: value(log, "Log sequence number"),
            flushed_lsn: value(log, "Log flushed up to"),
            checkpoint_lsn: value(log, "Last checkpoint at"),
            history_list_length: value(section("TRANSACTIONS").unwrap_or_default(), "History list length"),
            // A text without any section is not the engine's: then nothing is known of deadlocks either.
            deadlock: if sections.is_empty() {
                Figure::Unknown(Unknown::Malformed)
            } else {
                Figure::Known(deadlock.map(str::to_owned))
            },
        }
    }

    /// The last deadlock; known and `None` when the text has none.
    pub(super) fn deadlock(&self, literals: Literals) -> Figure<Option<Deadlock>> {
        self.deadlock.as_ref().map(|body| body.as_deref().map(|body| deadlock(body, literals)))
    }
}

/// The whole text for reading: statements masked as asked, contents of rows left out. `None` when there is none.
pub fn readable(answers: &Answers, literals: Literals) -> Option<Clean> {
    let text = text(answers).known()?;
    let mut out = String::new();
    for (title, body) in sections(&text) {
        out.push_str(title);
        out.push('\n');
        let quotes = title.starts_with("LATEST") || title == "TRANSACTIONS";
        if quotes {
            for line in engine_lines(body, literals, usize::MAX) {
                push_line(&mut out, &line);
            }
        } else {
            for line in body.lines() {
                push_line(&mut out, line);
            }
        }
        out.push('\n');
    }
    Some(Clean::block_from_bytes(out.as_bytes()))
}

/// The whole text again, statements masked and contents of rows left out: what is read of it is the same.
pub(super) fn masked(text: &str) -> String {
    let mut out = String::new();
    for (title, body) in sections(text) {
        let rule = "-".repeat(title.len().max(3));
        for line in [&rule, title, &rule] {
            push_line(&mut out, line);
        }
        let quotes = title.starts_with("LATEST") || title == "TRANSACTIONS";
        if quotes {
            // The first line of a deadlock says when it was.
            let when = body.lines().next().filter(|line| !is_engine_line(line) && is_moment(line));
            if let Some(when) = when {
                push_line(&mut out, when);
            }
            for line in engine_lines(body, Literals::Masked, usize::MAX) {
                push_line(&mut out, &line);
            }
        } else {
            body.lines().for_each(|line| push_line(&mut out, line));
        }
    }
    out
}

/// Digits, and what stands between them in a date, a time and an address.
fn is_moment(line: &str) -> bool {
    line.len() <= 64
        && line.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '-' | ':' | ' ' | 'x' | 'T' | '.' | 'Z'))
}

fn push_line(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

fn text(answers: &Answers) -> Figure<String> {
    let table = answers.table(StatementId::InnodbStatus);
    let row = table.as_ref().and_then(Table::first);
    row.and_then(|row| row.lossy(&["status"], TEXT_BYTES_MAX)).map(Cow::into_owned)
}

/// Title and body of each section: a title stands between two lines of dashes.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let lines: Vec<(usize, &str)> = text
        .split_inclusive('\n')
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start, line.trim_end()))
        })
        .collect();
    let is_rule = |line: &str| line.len() >= 3 && line.bytes().all(|byte| byte == b'-');
    let mut heads: Vec<(&str, usize, usize)> = Vec::new();
    for (index, window) in lines.windows(3).enumerate() {
        let [(start, above), (_, title), (_, below)] = [window[0], window[1], window[2]];
        if is_rule(above) && is_rule(below) && !title.is_empty() && !is_rule(title) {
            let body = lines.get(index + 3).map_or(text.len(), |(at, _)| *at);
            heads.push((title, start, body));
        }
    }
    let ends = heads.iter().skip(1).map(|(_, start, _)| *start).chain([text.len()]);
    let bodies =
        heads.iter().zip(ends).map(|((title, _, body), end)| (*title, text.get(*body..end).unwrap_or_default()));
    bodies.collect()
}

/// The number behind `name` at the beginning of a line. 5.1 prints two halves of 32 bits.
fn value(body: &str, name: &str) -> Figure<u64> {
    let Some(rest) = body.lines().find_map(|line| line.trim_start().strip_prefix(name)) else {
        return Figure::Unknown(Unknown::Missing);
    };
    let words: Vec<&str> = rest.split_whitespace().take(3).collect();
    let value = match words[..] {
        [high, low] => high
            .parse::<u32>()
            .ok()
            .zip(low.parse::<u32>().ok())
            .map(|(high, low)| (u64::from(high) << 32) + u64::from(low)),
        [value] => value.parse().ok(),
        _ => None,
    };
    Figure::from_option(value, Unknown::Malformed)
}

/// The engine's own lines, and the quoted statements between them, each as one line.
fn engine_lines(body: &str, literals: Literals, lines_max: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut quoted: Option<String> = None;
    for line in body.lines() {
        let own = is_engine_line(line);
        if own && let Some(sql) = quoted.take().filter(|sql| !sql.is_empty()) {
            out.push(mask::statement(&sql, literals).as_str().to_owned());
        }
        if out.len() >= lines_max {
            break;
        }
        if own {
            out.push(line.trim_end().to_owned());
        } else if let Some(sql) = &mut quoted {
            if !sql.is_empty() {
                sql.push('\n');
            }
            sql.push_str(line);
        }
        if own && line.contains(" thread id ") {
            quoted = Some(String::new());
        }
    }
    if let Some(sql) = quoted.filter(|sql| !sql.is_empty()) {
        out.push(mask::statement(&sql, literals).as_str().to_owned());
    }
    out
}

fn is_engine_line(line: &str) -> bool {
    let counted = line.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(" lock struct(s)");
    counted || ENGINE_LINES.iter().any(|start| line.starts_with(start))
}

fn deadlock(body: &str, literals: Literals) -> Deadlock {
    let at = body.lines().next().unwrap_or_default();
    // "2026-11-24 13:18:33 0x7fc3401af6c0", "130116 12:00:00": the thread's address says nothing to anyone.
    let at: Vec<&str> = at.split_whitespace().filter(|word| !word.starts_with("0x")).take(2).collect();
    let lines = engine_lines(body, literals, DEADLOCK_LINES_MAX);
    let victim = lines.iter().find_map(|line| line.strip_prefix("*** WE ROLL BACK TRANSACTION (")).map(|rest| {
        Figure::from_option(rest.split(')').next().and_then(|number| number.parse().ok()), Unknown::Malformed)
    });
    Deadlock {
        at: Clean::line(&at.join(" ")),
        parties: parties(&lines),
        victim: victim.unwrap_or(Figure::Unknown(Unknown::Missing)),
        text: Clean::block_from_bytes(lines.join("\n").as_bytes()),
    }
}

fn parties(lines: &[String]) -> Vec<DeadlockParty> {
    let mut parties: Vec<DeadlockParty> = Vec::new();
    let mut waits = false;
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with("*** (") && line.ends_with(") TRANSACTION:") {
            if parties.len() >= PARTIES_MAX {
                break;
            }
            parties.push(DeadlockParty {
                process: Figure::Unknown(Unknown::Missing),
                age_s: Figure::Unknown(Unknown::Missing),
                statement: Figure::Unknown(Unknown::Missing),
                waits_for: Figure::Unknown(Unknown::Missing),
            });
        }
        let Some(party) = parties.last_mut() else { continue };
        if line.starts_with("*** ") {
            waits = line.contains("WAITING FOR THIS LOCK TO BE GRANTED");
        } else if line.starts_with("TRANSACTION ") {
            let age = line.split(", ACTIVE ").nth(1).and_then(|rest| rest.split_whitespace().next());
            party.age_s = Figure::from_option(age.and_then(|age| age.parse().ok()), Unknown::Missing);
        } else if let Some((_, rest)) = line.split_once(" thread id ").filter(|_| is_engine_line(line)) {
            let id = rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|id| id.parse().ok());
            party.process = Figure::from_option(id, Unknown::Malformed);
            let statement = lines.get(index + 1).filter(|next| !is_engine_line(next));
            party.statement = Figure::from_option(statement.map(|sql| Clean::line(sql)), Unknown::Missing);
        } else if waits && let Some(lock) = lock(line) {
            party.waits_for = Figure::Known(Clean::line(&lock));
            waits = false;
        }
    }
    parties
}

/// "RECORD LOCKS space id 5 page no 3 n bits 8 index PRIMARY of table `a`.`t` trx id 443 lock_mode X waiting" without
/// its numbers.
fn lock(line: &str) -> Option<String> {
    let rest = match line.strip_prefix("TABLE LOCK ") {
        Some(rest) => rest,
        None => &line[line.find(" index ").filter(|_| line.starts_with("RECORD LOCKS"))? + 1..],
    };
    let (what, behind) = rest.split_once(" trx id ")?;
    // The number of the transaction, in 5.1 in two halves.
    let mode = behind.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    Some(format!("{what} {}", mode.trim_end_matches(" waiting")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_versions() {
        assert_eq!(value("Log sequence number 0 46409\n", "Log sequence number"), Figure::Known(46_409));
        assert_eq!(value("Log sequence number 1 2", "Log sequence number"), Figure::Known((1 << 32) + 2));
        assert_eq!(value("x\nLog sequence number          19432\n", "Log sequence number"), Figure::Known(19_432));
        assert_eq!(value("Log sequence number x", "Log sequence number").why(), Some(Unknown::Malformed));
        assert_eq!(value("", "Log sequence number").why(), Some(Unknown::Missing));
    }

    #[test]
    fn the_log_section_of_the_engine_is_the_last_one() {
        let text = "----\nTRANSACTIONS\n----\nHistory list length 7\nMySQL thread id 1\nselect '\n---\nLOG\n---\n\
                    Log sequence number 999\n'\n---\nLOG\n---\nLog sequence number 5\nLast checkpoint at 3\n---\nEND\n---\n";
        let found = StatusText::parse(text);
        assert_eq!((found.current_lsn, found.checkpoint_lsn), (Figure::Known(5), Figure::Known(3)));
        assert_eq!(found.history_list_length, Figure::Known(7));
        assert_eq!(found.deadlock(Literals::Masked), Figure::Known(None));
        assert_eq!(StatusText::parse("nonsense").deadlock(Literals::Masked).why(), Some(Unknown::Malformed));
    }
}
