//! Rows as they came, and cells by the name of their column.

use super::statements::{ROWS_MAX, StatementId};
use crate::{
    model::{
        figure::{Figure, Unknown},
        text::Clean,
    },
    wire::complaints::Complaints,
};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

/// Columns that are looked at; `show all slaves status` has about 60.
const COLUMNS_MAX: usize = 256;
/// A number is no longer than this.
const NUMBER_BYTES_MAX: usize = 64;

/// A result set: text of every cell, nothing for NULL.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rows {
    /// Names of the columns, in order. A client that is told none for an empty result has none.
    pub columns: Vec<String>,
    /// The rows, each with as many cells as there are columns.
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
}

/// What became of one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The server answered.
    Rows(Rows),
    /// The server refused.
    Refused {
        /// The server's number.
        code: u16,
        /// The server's words.
        message: Clean,
    },
}

/// What is known of each statement; one that was not asked is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answers(pub BTreeMap<StatementId, Answer>);

impl Answers {
    /// The rows of a statement, or why there are none.
    pub(super) fn table(&self, id: StatementId) -> Figure<Table<'_>> {
        match self.0.get(&id) {
            Some(Answer::Rows(rows)) => Figure::Known(Table::new(rows, id)),
            Some(Answer::Refused { code, .. }) => Figure::Unknown(why(*code)),
            None => Figure::Unknown(Unknown::NotReadYet),
        }
    }

    /// The rows of a statement as they came, if the server answered.
    pub(super) fn rows(&self, id: StatementId) -> Option<&Rows> {
        match self.0.get(&id) {
            Some(Answer::Rows(rows)) => Some(rows),
            _ => None,
        }
    }

    /// Names what was refused or had too many rows.
    pub(in crate::wire) fn complain(&self, complaints: &mut Complaints) {
        for (id, answer) in &self.0 {
            match answer {
                Answer::Refused { code, message } => complaints.add(id.words(), format!("refused ({code}): {message}")),
                Answer::Rows(rows) if rows.rows.len() > ROWS_MAX => {
                    complaints.add(id.words(), format!("{} rows; {ROWS_MAX} are looked at", rows.rows.len()));
                }
                Answer::Rows(_) => {}
            }
        }
    }
}

/// Numbers of the server that say that the login may not, or that there is no such thing.
fn why(code: u16) -> Unknown {
    match code {
        // Access denied to schema, to the server, to a table, a column, a privilege.
        1044 | 1045 | 1142 | 1143 | 1227 => Unknown::NotPermitted,
        // Unknown column, syntax, unknown table, no such table, unknown system variable.
        1054 | 1064 | 1109 | 1146 | 1193 => Unknown::NotOffered,
        _ => Unknown::Missing,
    }
}

/// Rows with their columns looked up.
#[derive(Debug)]
pub(super) struct Table<'a> {
    by_name: HashMap<String, usize>,
    rows: &'a [Vec<Option<Vec<u8>>>],
    about: &'static str,
}

impl<'a> Table<'a> {
    fn new(rows: &'a Rows, id: StatementId) -> Self {
        let mut by_name = HashMap::new();
        for (index, name) in rows.columns.iter().enumerate().take(COLUMNS_MAX) {
            // Views name their columns in capitals on MySQL 8 and in either case elsewhere. The first of a name counts.
            by_name.entry(name.to_ascii_lowercase()).or_insert(index);
        }
        Self { by_name, rows: &rows.rows[..rows.rows.len().min(ROWS_MAX)], about: id.words() }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { table: self, cells })
    }

    pub(super) fn first(&self) -> Figure<Row<'_>> {
        Figure::from_option(self.rows().next(), Unknown::Missing)
    }
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'t> {
    table: &'t Table<'t>,
    cells: &'t [Option<Vec<u8>>],
}

impl<'t> Row<'t> {
    /// The first of the columns that there is: not offered when none is, missing when it is NULL.
    pub(super) fn raw(self, names: &[&str]) -> Figure<&'t [u8]> {
        let Some(position) = names.iter().find_map(|name| self.table.by_name.get(*name)) else {
            return Figure::Unknown(Unknown::NotOffered);
        };
        let cell = self.cells.get(*position).and_then(Option::as_deref);
        Figure::from_option(cell, Unknown::Missing)
    }

    /// As text; empty is missing.
    pub(super) fn text(self, names: &[&str]) -> Figure<Clean> {
        self.raw(names).and_then(|bytes| {
            if bytes.is_empty() {
                Figure::Unknown(Unknown::Missing)
            } else {
                Figure::Known(Clean::line_from_bytes(bytes))
            }
        })
    }

    /// As text of a bounded length that is not clean yet: to be parsed or masked, never shown.
    pub(super) fn lossy(self, names: &[&str], bytes_max: usize) -> Figure<Cow<'t, str>> {
        self.raw(names).map(|bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(bytes_max)]))
    }

    /// As a number.
    pub(super) fn number<T: std::str::FromStr>(self, names: &[&str], complaints: &mut Complaints) -> Figure<T> {
        let about = || format!("{}: {}", self.table.about, names.first().unwrap_or(&""));
        self.raw(names).and_then(|bytes| number(bytes, about, complaints))
    }
}

/// One number; `about` is only made for a complaint.
pub(super) fn number<T: std::str::FromStr>(
    bytes: &[u8],
    about: impl FnOnce() -> String,
    complaints: &mut Complaints,
) -> Figure<T> {
    let plain = bytes.trim_ascii();
    // Nearly every number is sound: its name is needed only when it is not.
    let sound = std::str::from_utf8(plain).ok().filter(|text| text.len() <= NUMBER_BYTES_MAX);
    if let Some(value) = sound.filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok()) {
        return Figure::Known(value);
    }
    let head = &plain[..plain.len().min(NUMBER_BYTES_MAX)];
    if head.is_empty() {
        return Figure::Unknown(Unknown::Missing);
    }
    complaints.add(about(), format!("not a number in range: {}", String::from_utf8_lossy(head)));
    Figure::Unknown(Unknown::Malformed)
}
