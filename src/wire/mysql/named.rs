//! Answers of two columns, name and value: `show global status`, `show global variables`.

use super::{
    rows::{self, Answers},
    statements::StatementId,
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        text::Clean,
    },
    wire::complaints::Complaints,
};
use std::{collections::HashMap, str::FromStr};

/// Values by name, in lower case.
#[derive(Debug)]
pub(super) struct Named<'a> {
    values: HashMap<String, &'a [u8]>,
    absent: Unknown,
}

impl<'a> Named<'a> {
    /// The values of a statement. The columns are called `Variable_name` and `Value` everywhere.
    pub(super) fn read(answers: &'a Answers, id: StatementId, complaints: &mut Complaints) -> Self {
        let mut values = HashMap::new();
        let Some(rows) = answers.rows(id) else {
            return Self { values, absent: answers.table(id).why().unwrap_or(Unknown::Missing) };
        };
        let position = |name: &str| rows.columns.iter().position(|column| column.eq_ignore_ascii_case(name));
        let (Some(name_at), Some(value_at)) = (position("variable_name"), position("value")) else {
            if !rows.rows.is_empty() {
                complaints.add(id.words(), "no columns Variable_name and Value");
            }
            return Self { values, absent: Unknown::Missing };
        };
        for row in rows.rows.iter().take(super::ROWS_MAX) {
            if let (Some(Some(name)), Some(Some(value))) = (row.get(name_at), row.get(value_at)) {
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                values.entry(name).or_insert(value.as_slice());
            }
        }
        // Whoever sends some of the names and not this one does not have it.
        let absent = if values.is_empty() { Unknown::Missing } else { Unknown::NotOffered };
        Self { values, absent }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether one of the names is there.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.values.contains_key(*name))
    }

    /// Why a name is absent.
    pub(super) fn absent(&self) -> Unknown {
        self.absent
    }

    /// The first of the names that is there.
    pub(super) fn raw(&self, names: &[&str]) -> Figure<&'a [u8]> {
        Figure::from_option(names.iter().find_map(|name| self.values.get(*name).copied()), self.absent)
    }

    pub(super) fn text(&self, names: &[&str]) -> Figure<Clean> {
        self.raw(names).and_then(|bytes| {
            if bytes.is_empty() {
                Figure::Unknown(Unknown::Missing)
            } else {
                Figure::Known(Clean::line_from_bytes(bytes))
            }
        })
    }

    pub(super) fn number<T: FromStr>(&self, names: &[&str], complaints: &mut Complaints) -> Figure<T> {
        let about = || names.first().copied().unwrap_or_default().to_owned();
        self.raw(names).and_then(|bytes| rows::number(bytes, about, complaints))
    }

    /// A number with a fraction, finite and not negative.
    pub(super) fn fraction(&self, name: &str, complaints: &mut Complaints) -> Figure<f64> {
        self.number::<f64>(&[name], complaints).and_then(|value| {
            if value.is_finite() && value >= 0.0 {
                return Figure::Known(value);
            }
            complaints.add(name, format!("not a number in range: {value}"));
            Figure::Unknown(Unknown::Malformed)
        })
    }

    /// `ON`, `YES`, `1` and their opposites.
    pub(super) fn flag(&self, names: &[&str], complaints: &mut Complaints) -> Figure<bool> {
        self.raw(names).and_then(|bytes| flag(bytes, names.first().unwrap_or(&""), complaints))
    }

    /// The sum of those that are there; unknown when the first is not.
    pub(super) fn sum(&self, names: &[&str], complaints: &mut Complaints) -> Figure<u64> {
        let (first, others) = names.split_first().unwrap_or((&"", &[]));
        self.number::<u64>(&[first], complaints).map(|sum| {
            let others = others.iter().filter_map(|name| self.number::<u64>(&[name], complaints).known());
            others.fold(sum, u64::saturating_add)
        })
    }
}

/// One switch. MariaDB's later `read_only` has stronger words than `ON`.
pub(super) fn flag(bytes: &[u8], about: &str, complaints: &mut Complaints) -> Figure<bool> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(32)]).trim().to_ascii_uppercase();
    match head.as_str() {
        "ON" | "YES" | "1" | "TRUE" | "ENABLED" | "NO_LOCK" | "NO_LOCK_NO_ADMIN" => Figure::Known(true),
        "OFF" | "NO" | "0" | "FALSE" | "DISABLED" => Figure::Known(false),
        "" => Figure::Unknown(Unknown::Missing),
        odd => {
            complaints.add(about, format!("neither on nor off: {odd}"));
            Figure::Unknown(Unknown::Malformed)
        }
    }
}
