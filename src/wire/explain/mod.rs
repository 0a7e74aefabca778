//! Configuration files explained line by line: what each line does, and what we would change and why.
//!
//! Pure: bytes in, an [`Explanation`] out. A file is a stranger's as answers of nodes are: its lines pass the sanitiser, and
//! what is not known is said to be so.
//!
//! Deliberately absent: whether a daemon takes the file. `haproxy -c` and the server's own check say that.

mod catalogue;
mod haproxy;
mod haproxy_lines;
mod haproxy_remarks;
mod option_file;

use crate::model::{text::Clean, tuning::SECTIONS};
use serde::Serialize;

/// Longest file that is explained, bytes.
pub const BYTES_MAX: usize = 1024 * 1024;
/// Lines that are explained.
const LINES_MAX: usize = 20_000;

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// `haproxy.cfg`.
    Haproxy,
    /// An option file of MySQL or MariaDB, `my.cnf`.
    OptionFile,
}

/// A file with what is to be said about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Whose it is.
    pub kind: FileKind,
    /// Every line.
    pub lines: Vec<Line>,
    /// What we would change, in the order of the file.
    pub remarks: Vec<Remark>,
}

/// A line with its meaning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// As it stands, sanitised.
    pub text: Clean,
    /// What it means.
    pub meaning: Meaning,
}

/// What a line means.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Blank, or for readers only.
    Nothing,
    /// It does this.
    Known(Clean),
    /// Not in the catalogue: it may well be right.
    Unknown,
}

/// Something we would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remark {
    /// The line that it is about: of the section, where something is missing in it.
    pub number: usize,
    /// What is, and what follows from it.
    pub what: Clean,
    /// The line that we would write, where it can be named.
    pub instead: Option<Clean>,
}

impl Remark {
    fn new(number: usize, what: impl AsRef<str>, instead: Option<&str>) -> Self {
        Self { number, what: Clean::line(what.as_ref()), instead: instead.map(Clean::line) }
    }
}

/// Explains a file. `memory_bytes` is what the machine of a database has, where it is known.
///
/// # Errors
///
/// What it looks like, when it is neither of the files that are known, or too long.
pub fn explain(bytes: &[u8], memory_bytes: Option<u64>) -> Result<Explanation, String> {
    if bytes.len() > BYTES_MAX {
        return Err(format!("it has {} bytes; at most {BYTES_MAX} are explained", bytes.len()));
    }
    if bytes.contains(&0) {
        return Err("it is no text: there is a zero byte in it".to_owned());
    }
    let without_return = |line: &[u8]| Clean::line_from_bytes(line.strip_suffix(b"\r").unwrap_or(line));
    let mut lines: Vec<Clean> = bytes.split(|byte| *byte == b'\n').take(LINES_MAX + 2).map(without_return).collect();
    // What stands behind the last line's end is no line.
    if lines.last().is_some_and(Clean::is_empty) {
        lines.pop();
    }
    if lines.len() > LINES_MAX {
        return Err(format!("it has more than {LINES_MAX} lines"));
    }
    match kind(&lines) {
        Some(FileKind::Haproxy) => Ok(haproxy::explain(lines)),
        Some(FileKind::OptionFile) => Ok(option_file::explain(lines, memory_bytes)),
        None => Err(
            "it is neither a haproxy.cfg (no section such as \"global\" or \"backend NAME\") nor an option file of a \
                     database (no group such as \"[mysqld]\")"
                .to_owned(),
        ),
    }
}

/// By the first line that says it.
fn kind(lines: &[Clean]) -> Option<FileKind> {
    lines.iter().find_map(|line| {
        let text = line.as_str().trim();
        let first = text.split_whitespace().next()?;
        if SECTIONS.contains(&first) {
            return Some(FileKind::Haproxy);
        }
        let is_group = first.starts_with('[') && text.trim_end_matches([' ', '\t']).contains(']');
        (is_group || first == "!includedir" || first == "!include").then_some(FileKind::OptionFile)
    })
}
