//! Problems of a configuration file, and where in the text they are.

use crate::model::text::Clean;
use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

/// One problem of a configuration file. `Display` is `file:line:column: what; cure`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// 1-based; 0 when the problem has no line (the file cannot be read).
    pub line: usize,
    /// 1-based, in characters; 0 when the problem has no column.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub cure: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column.max(1))?;
        }
        write!(f, " {}; {}", self.what, self.cure)
    }
}

/// A place in the text, 1-based.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    /// Line.
    pub line: usize,
    /// Column in characters.
    pub column: usize,
}

impl Position {
    /// Where something that is absent from the whole file is reported.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub at: Position,
}

/// Collects the problems of one file.
#[derive(Debug)]
pub(crate) struct Problems<'t> {
    path: PathBuf,
    text: &'t str,
    line_starts: Vec<usize>,
    found: Vec<Problem>,
}

impl<'t> Problems<'t> {
    /// No problem yet.
    pub(crate) fn new(path: PathBuf, text: &'t str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { path, text, line_starts, found: Vec::new() }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The place of a byte span.
    pub(crate) fn position(&self, span: &Range<usize>) -> Position {
        let offset = span.start.min(self.text.len());
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        Position { line, column }
    }

    /// Notes a problem.
    pub(crate) fn add(&mut self, at: Position, what: impl Into<String>, cure: impl Into<String>) {
        // Keys and values may quote anything the file contains, and end in a terminal.
        let [what, cure] = [what.into(), cure.into()].map(|text: String| Clean::line(&text).as_str().to_owned());
        self.found.push(Problem { path: self.path.clone(), line: at.line, column: at.column, what, cure });
    }

    /// Forgets what lies at or behind `limit`.
    pub(crate) fn keep_before(&mut self, limit: Position) {
        self.found.retain(|problem| (problem.line, problem.column) < (limit.line, limit.column));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, in the order of the file.
    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort();
        self.found.dedup();
        self.found
    }
}
