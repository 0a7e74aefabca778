//! The journal of a run: one JSON line a record, each sealed by a hash over itself and everything before it.
//!
//! ```text
//! {"sum":"<64 hex digits>","record":{…}}
//! ```
//!
//! `sum` is SHA-256 over the sum of the line before and the bytes of `record`. A flipped bit, a line that is missing,
//! added or moved therefore shows at a certain record. What only the chain's head can tell (a tail cut off between two
//! lines) is told when [`verify`] knows the head, which the runtime sends to syslog at each ending.
//!
//! Bytes in, bytes out: the runtime appends what [`Writer::append`] gives and calls fsync before it says so.

use super::record::{Entry, Record};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Longest line.
pub const RECORD_BYTES_MAX: usize = 512 * 1024;
/// Longest journal of one run.
pub const JOURNAL_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Kept free so that the ending always fits.
pub const RESERVE_BYTES: usize = 256 * 1024;
/// Most records of one run.
pub const RECORDS_MAX: u64 = 10_000;

const OPEN: &[u8] = b"{\"sum\":\"";
const MIDDLE: &[u8] = b"\",\"record\":";
const CLOSE: &[u8] = b"}\n";
const SUM_DIGITS: usize = 64;
/// What stands before the record in a line.
const HEAD_BYTES: usize = OPEN.len() + SUM_DIGITS + MIDDLE.len();

/// A place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head {
    /// Records so far.
    pub records: u64,
    /// The sum of the last one, in hex.
    pub sum: String,
}

impl Default for Head {
    /// Before the first record.
    fn default() -> Self {
        Self { records: 0, sum: hex(&Sha256::digest(b"vakt journal 1")) }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.records, self.sum)
    }
}

/// Why a record cannot be appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Its number is not the next one.
    #[error("record {found} follows record {expected}")]
    OutOfOrder {
        /// The next number.
        expected: u64,
        /// The record's number.
        found: u64,
    },
    /// The record is larger than any may be.
    #[error("the record is {0} bytes long, at most {RECORD_BYTES_MAX} are kept")]
    TooLong(usize),
    /// The journal is at its bound.
    #[error("the journal is full")]
    Full,
    /// The record cannot be written as JSON.
    #[error("the record cannot be encoded")]
    Encode(#[source] serde_json::Error),
}

/// Seals records, one after another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Writer {
    head: Head,
    bytes: usize,
}

impl Writer {
    /// Goes on behind a journal that was read and verified.
    pub fn after(journal: &Journal) -> Self {
        Self { head: journal.head.clone(), bytes: journal.whole_bytes }
    }

    /// The bytes to append for `record`.
    pub fn append(&mut self, record: &Record) -> Result<Vec<u8>, AppendError> {
        if record.seq != self.head.records {
            return Err(AppendError::OutOfOrder { expected: self.head.records, found: record.seq });
        }
        let body = serde_json::to_vec(record).map_err(AppendError::Encode)?;
        let sum = sum(&self.head.sum, &body);
        let line = [OPEN, sum.as_bytes(), MIDDLE, &body, CLOSE].concat();
        if line.len() > RECORD_BYTES_MAX {
            return Err(AppendError::TooLong(line.len()));
        }
        let is_last = matches!(record.entry, Entry::Ended(_) | Entry::Resolved { .. });
        let reserve = if is_last { 0 } else { RESERVE_BYTES };
        if self.bytes + line.len() + reserve > JOURNAL_BYTES_MAX || self.head.records >= RECORDS_MAX {
            return Err(AppendError::Full);
        }
        self.bytes += line.len();
        self.head = Head { records: self.head.records + 1, sum };
        Ok(line)
    }

    /// The chain's head, for syslog and for the next run.
    pub fn head(&self) -> &Head {
        &self.head
    }
}

/// A journal that was read: every record up to the first bad one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The records that are beyond doubt.
    pub records: Vec<Record>,
    /// Where their chain stands.
    pub head: Head,
    /// Length of their lines; the runtime cuts a torn journal to it before it goes on.
    pub whole_bytes: usize,
    /// What comes after them.
    pub tail: Tail,
}

/// What comes behind the last good record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Whole,
    /// A line that was being written when the machine stopped. It was never acknowledged: nothing followed from it.
    Torn {
        /// Its number.
        record: u64,
        /// How much of it there is.
        bytes: usize,
    },
    /// Something that no crash leaves behind.
    Damaged(Damage),
}

/// Where a journal is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {record} {what}")]
pub struct Damage {
    /// The first record that is bad or missing, counted from 0.
    pub record: u64,
    /// What is wrong with it.
    pub what: Wrong,
}

/// What can be wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is no line of a journal.
    #[error("is not a journal line")]
    Form,
    /// Its sum is not that of its content and of everything before it.
    #[error("was changed, or a record before it was removed, added or moved")]
    Sum,
    /// It is larger than any record may be.
    #[error("is longer than a record may be")]
    Length,
    /// It is not the record its place asks for.
    #[error("has another number")]
    Number,
    /// The journal ends before it, although more had been written.
    #[error("is missing: the journal was cut")]
    Missing,
    /// The journal goes on although it had ended, or is another one.
    #[error("does not lead to the head that was announced")]
    OtherHead,
}

/// Checks one line after another, keeping only the chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verifier {
    head: Head,
}

impl Verifier {
    /// Takes the next line, with its line break.
    pub fn line(&mut self, line: &[u8]) -> Result<Record, Damage> {
        let number = self.head.records;
        let wrong = |what| Damage { record: number, what };
        if line.len() > RECORD_BYTES_MAX {
            return Err(wrong(Wrong::Length));
        }
        let (sum_found, body) = split(line).ok_or_else(|| wrong(Wrong::Form))?;
        let sum = sum(&self.head.sum, body);
        if sum.as_bytes() != sum_found {
            return Err(wrong(Wrong::Sum));
        }
        let record: Record = serde_json::from_slice(body).map_err(|_| wrong(Wrong::Form))?;
        if record.seq != number {
            return Err(wrong(Wrong::Number));
        }
        self.head = Head { records: number + 1, sum };
        Ok(record)
    }

    /// Where the chain stands.
    pub fn head(&self) -> &Head {
        &self.head
    }
}

/// Reads a journal. Never fails: what is good is returned, and what is not is named.
pub fn read(bytes: &[u8]) -> Journal {
    let mut verifier = Verifier::default();
    let mut journal = Journal { records: Vec::new(), head: Head::default(), whole_bytes: 0, tail: Tail::Whole };
    let bounded = &bytes[..bytes.len().min(JOURNAL_BYTES_MAX)];
    for line in bounded.split_inclusive(|byte| *byte == b'\n') {
        match verifier.line(line) {
            Ok(record) => {
                journal.records.push(record);
                journal.whole_bytes += line.len();
            }
            Err(damage) => {
                let is_last = journal.whole_bytes + line.len() == bytes.len();
                journal.tail = tail_of(line, is_last, verifier.head(), damage);
                break;
            }
        }
    }
    if bytes.len() > bounded.len() && journal.tail == Tail::Whole {
        journal.tail = Tail::Damaged(Damage { record: verifier.head().records, what: Wrong::Length });
    }
    journal.head = verifier.head().clone();
    journal
}

/// What a line that was refused behind `head` is: the trace of a crash if it is the last one and looks like it.
pub fn tail_of(line: &[u8], is_last: bool, head: &Head, damage: Damage) -> Tail {
    if is_last && is_torn(line, head) {
        Tail::Torn { record: damage.record, bytes: line.len() }
    } else {
        Tail::Damaged(damage)
    }
}

/// Whether a journal is what was written. With the head that was announced at the ending, a cut tail is found too.
/// A torn last line is no damage, unless the head says that it had been whole.
pub fn verify(bytes: &[u8], announced: Option<&Head>) -> Result<Journal, Damage> {
    let journal = read(bytes);
    if let Tail::Damaged(damage) = &journal.tail {
        return Err(damage.clone());
    }
    match announced {
        Some(head) if journal.head.records < head.records => {
            Err(Damage { record: journal.head.records, what: Wrong::Missing })
        }
        Some(head) if journal.head != *head => {
            Err(Damage { record: head.records.saturating_sub(1), what: Wrong::OtherHead })
        }
        _ => Ok(journal),
    }
}

/// The sum and the record of a whole line.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
    let (sum, rest) = rest.split_at_checked(SUM_DIGITS)?;
    let body = rest.strip_prefix(MIDDLE)?;
    Some((sum, body))
}

/// Whether this is the beginning of a line, as a crash leaves it: a proper part of one, or zeros that a file system
/// put where the data never arrived.
fn is_torn(line: &[u8], head: &Head) -> bool {
    if line.ends_with(b"\n") {
        return false;
    }
    if line.iter().all(|byte| *byte == 0) {
        return true;
    }
    let starts_like = |part: &[u8], whole: &[u8]| part.iter().zip(whole).all(|(a, b)| a == b);
    let after_open = line.get(OPEN.len()..).unwrap_or_default();
    let digits = &after_open[..after_open.len().min(SUM_DIGITS)];
    let after_digits = after_open.get(SUM_DIGITS..).unwrap_or_default();
    let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if !starts_like(line, OPEN) || !digits.iter().all(is_hex) || !starts_like(after_digits, MIDDLE) {
        return false;
    }
    let Some(body) = line.get(HEAD_BYTES..) else { return true };
    // Either the record itself is unfinished, or it is whole and only what closes the line is missing.
    match serde_json::from_slice::<serde_json::Value>(body) {
        Err(error) => {
            error.is_eof() || body.strip_suffix(b"}").is_some_and(|body| sum(&head.sum, body).as_bytes() == digits)
        }
        Ok(_) => sum(&head.sum, body).as_bytes() == digits,
    }
}

fn sum(before: &str, body: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(before.as_bytes());
    hasher.update(body);
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
