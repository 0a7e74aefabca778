//! One change of one file on a node, as a value: shown as a difference, sent as a script, undone from the file itself.
//!
//! What was seen is told by its checksum, and the change by line and column, so that every other byte stays: comments,
//! spaces, line ends, a last line without one. The new file is written beside the old one, reaches the disk, is given its
//! name, and is then judged by the daemon that reads it; if that says no, the old one has its name back. The old file
//! itself, not a copy, is kept beside it until somebody removes it: going back is giving it its name again.
//!
//! Lines that are not changed are not known here: such files hold secrets.

mod script;

pub(super) use script::ENTRY as AS_ROOT;

use crate::model::text::Clean;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};

/// What the name of a kept file has behind the name of the file.
pub const KEPT: &str = ".vakt-";
/// Longest path.
const PATH_BYTES_MAX: usize = 200;

/// A change of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEdit {
    /// Which file.
    pub path: String,
    /// What changes.
    pub change: FileChange,
    /// Under which name the file is kept as it was; not used where there was none.
    pub kept: String,
    /// Who judges the new file.
    pub judge: FileJudge,
}

/// What changes in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// A part of a line.
    Splice {
        /// SHA-256 of the file as it was seen, in hexadecimal digits.
        sum: Clean,
        /// The line, from 1.
        line: u32,
        /// Bytes of the line before the part.
        column: u32,
        /// Bytes of the part.
        length: u32,
        /// What stands there instead.
        text: String,
        /// The line before, as it is shown.
        before: Clean,
        /// The line afterwards.
        after: Clean,
    },
    /// A line more.
    Insert {
        /// SHA-256 of the file as it was seen.
        sum: Clean,
        /// Behind which line.
        line: u32,
        /// The new line, without its end.
        text: String,
        /// Whether lines end with CR and LF here.
        with_cr: bool,
        /// The line before it, as it is shown.
        head: Clean,
    },
    /// A file that was not there.
    Create {
        /// All of it.
        text: String,
    },
}

/// Who says whether a changed file is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileJudge {
    /// The database server: it reads all its files as at its start, and must end up with this option.
    Database {
        /// The option's name, as it stands in the file.
        option: String,
        /// Its value, as it stands in the file.
        value: String,
    },
    /// HAProxy reads all its files as at its start.
    Haproxy {
        /// How it is then reloaded; nothing where what runs does not change by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reload: Option<HaproxyReload>,
    },
    /// Nobody: whoever reads it takes each line for itself.
    Nobody,
}

/// A reload of HAProxy, which ends when another process answers; both ways of a change end with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaproxyReload {
    /// The socket by which it is asked.
    pub socket: String,
    /// The file that it takes states of servers over from: written just before, and afterwards as it was.
    pub state_file: Option<String>,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileWay {
    /// The change is made.
    Make,
    /// The file as it was has its name back; only where nothing but the change happened to it.
    TakeBack,
}

/// Why a change does not fit a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is another file now.
    #[error("the file is not the one that was seen")]
    Changed,
    /// A new file is there already.
    #[error("the file is there already")]
    Exists,
    /// The place is beyond its end.
    #[error("the file has no such place")]
    NoPlace,
}

impl FileEdit {
    /// The file afterwards; `before` is none where there is no file. What the script does on the node, here for the
    /// simulation and for tests.
    ///
    /// # Errors
    /// Where the change does not fit.
    pub fn apply(&self, before: Option<&[u8]>) -> Result<Vec<u8>, EditError> {
        if let FileChange::Create { text } = &self.change {
            return if before.is_some() { Err(EditError::Exists) } else { Ok(text.clone().into_bytes()) };
        }
        let before = before.ok_or(EditError::Changed)?;
        if self.change.sum().is_some_and(|sum| sum.as_str() != sum_of(before)) {
            return Err(EditError::Changed);
        }
        let (at, length, text) = match &self.change {
            FileChange::Splice { line, column, length, text, .. } => {
                let start = start_of(before, line.saturating_sub(1)).ok_or(EditError::NoPlace)?;
                (start + *column as usize, *length as usize, text.clone())
            }
            FileChange::Insert { line, text, with_cr, .. } => {
                let at = start_of(before, *line).ok_or(EditError::NoPlace)?;
                let end = if *with_cr { "\r\n" } else { "\n" };
                let is_open = at > 0 && before.get(at - 1) != Some(&b'\n');
                // A last line without an end gets one, and the new last line has none.
                (at, 0, if is_open { format!("{end}{text}") } else { format!("{text}{end}") })
            }
            FileChange::Create { .. } => return Err(EditError::Exists),
        };
        let rest = before.get(at + length..).ok_or(EditError::NoPlace)?;
        Ok([&before[..at], text.as_bytes(), rest].concat())
    }

    /// The file that is there while the daemon judges.
    pub fn judging(&self) -> String {
        format!("{}{KEPT}judging", self.path)
    }

    /// The words of the process that does it.
    pub fn argv(&self, way: FileWay) -> Vec<String> {
        script::argv(self, way)
    }

    /// The difference, a line each: what `diff -U0` would print.
    pub fn difference(&self, way: FileWay) -> Vec<Clean> {
        let (old, new) = match (&self.change, way) {
            (FileChange::Create { .. }, FileWay::Make) => ("/dev/null", self.path.as_str()),
            (FileChange::Create { .. }, FileWay::TakeBack) => (self.path.as_str(), "/dev/null"),
            _ => (self.path.as_str(), self.path.as_str()),
        };
        let mut lines = vec![format!("--- {old}"), format!("+++ {new}")];
        match &self.change {
            FileChange::Splice { line, before, after, .. } => {
                let (out, into) = if way == FileWay::Make { (before, after) } else { (after, before) };
                lines.extend([format!("@@ -{line} +{line} @@"), format!("-{out}"), format!("+{into}")]);
            }
            FileChange::Insert { line, text, head, .. } if way == FileWay::Make => {
                lines.extend([format!("@@ -{line},0 +{} @@ {head}", line + 1), format!("+{text}")]);
            }
            FileChange::Insert { line, text, head, .. } => {
                lines.extend([format!("@@ -{} +{line},0 @@ {head}", line + 1), format!("-{text}")]);
            }
            FileChange::Create { text } => {
                let count = text.lines().count();
                let (head, mark) = match way {
                    FileWay::Make => (format!("@@ -0,0 +1,{count} @@"), '+'),
                    FileWay::TakeBack => (format!("@@ -1,{count} +0,0 @@"), '-'),
                };
                lines.push(head);
                lines.extend(text.lines().map(|line| format!("{mark}{line}")));
            }
        }
        lines.iter().map(|line| Clean::line(line)).collect()
    }

    /// Whether it may be sent at all: plain paths, and texts of one line.
    pub fn is_sound(&self) -> bool {
        let one_line = |text: &str| !text.contains(['\n', '\r', '\0']) && !text.is_empty();
        let text = match &self.change {
            FileChange::Splice { text, line, .. } => one_line(text) && *line > 0,
            FileChange::Insert { text, .. } => one_line(text),
            FileChange::Create { text } => text.ends_with('\n') && !text.contains(['\r', '\0']),
        };
        let judge = match &self.judge {
            FileJudge::Database { option, value } => one_line(option) && one_line(value),
            FileJudge::Haproxy { reload: Some(reload) } => {
                is_plain_path(&reload.socket) && reload.state_file.as_deref().is_none_or(is_plain_path)
            }
            FileJudge::Haproxy { reload: None } | FileJudge::Nobody => true,
        };
        let is_sum = |sum: &Clean| sum.as_str().len() == 64 && sum.as_str().bytes().all(|b| b.is_ascii_hexdigit());
        let beside = self.kept.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.starts_with(KEPT));
        text && judge
            && is_plain_path(&self.path)
            && is_plain_path(&self.kept)
            && beside
            && self.change.sum().is_none_or(is_sum)
    }

    /// What an operator reads where a command stands.
    pub(super) fn tell(&self, way: FileWay, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, kept, .. } = self;
        let short = |sum: &Clean| sum.as_str().chars().take(12).collect::<String>();
        let is_reloaded = matches!(self.judge, FileJudge::Haproxy { reload: Some(_) });
        let then = if is_reloaded { " && systemctl reload haproxy" } else { "" };
        match (way, self.change.sum()) {
            (FileWay::Make, Some(sum)) if is_reloaded => {
                write!(f, "edit {path}{then} # if its SHA-256 is {}…, kept as {kept}", short(sum))
            }
            (FileWay::TakeBack, Some(_)) if is_reloaded => {
                write!(f, "mv {kept} {path}{then} # if only this change was made to it")
            }
            (FileWay::Make, Some(sum)) => write!(f, "edit {path} # if its SHA-256 is {}…, kept as {kept}", short(sum)),
            (FileWay::Make, None) => write!(f, "create {path} # if there is no such file"),
            (FileWay::TakeBack, Some(_)) => write!(f, "mv {kept} {path} # if only this change was made to it"),
            (FileWay::TakeBack, None) => write!(f, "rm {path} # if only this change was made to it"),
        }
    }
}

impl FileChange {
    /// The checksum of the file as it was seen.
    pub fn sum(&self) -> Option<&Clean> {
        match self {
            Self::Splice { sum, .. } | Self::Insert { sum, .. } => Some(sum),
            Self::Create { .. } => None,
        }
    }
}

/// SHA-256 in hexadecimal digits.
pub fn sum_of(file: &[u8]) -> String {
    Sha256::digest(file).0.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A path that a node told is written to only if it is a plain one.
pub fn is_plain_path(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-');
    path.starts_with('/')
        && path.len() <= PATH_BYTES_MAX
        && path.bytes().all(plain)
        && !path.split('/').any(|part| part == "..")
        && !["/proc/", "/sys/", "/dev/"].iter().any(|folder| path.starts_with(folder))
}

/// Where the line behind `lines` lines begins; the end of the file counts.
fn start_of(bytes: &[u8], lines: u32) -> Option<usize> {
    let mut at = 0;
    for _ in 0..lines {
        if at >= bytes.len() {
            return None;
        }
        at = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1);
    }
    Some(at)
}

#[cfg(test)]
mod tests;
