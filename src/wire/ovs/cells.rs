//! One row's cells as figures, by name: what the schema lacks is not offered, what is of another type is malformed.

use super::{
    datum::{Atom, Datum},
    schema::{Schema, Table},
    tables::Row,
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        text::Clean,
    },
    wire::complaints::Complaints,
};
use std::collections::BTreeMap;

/// The cells of a row.
pub(super) struct Cells<'a> {
    pub(super) schema: &'a Schema,
    pub(super) table: Table,
    pub(super) row: &'a Row,
}

impl<'a> Cells<'a> {
    fn datum(&self, column: &str) -> Figure<&'a Datum> {
        match self.schema.position(self.table, column).and_then(|at| self.row.get(at)) {
            None => Figure::Unknown(Unknown::NotOffered),
            Some(Datum::Malformed) => Figure::Unknown(Unknown::Malformed),
            Some(datum) => Figure::Known(datum),
        }
    }

    /// Every element of a set.
    pub(super) fn set(&self, column: &str) -> Figure<&'a [Atom]> {
        self.datum(column).and_then(|datum| match datum {
            Datum::Set(set) => Figure::Known(set.as_slice()),
            _ => Figure::Unknown(Unknown::Malformed),
        })
    }

    /// The uuids in a set; none when they are not known.
    pub(super) fn references(&self, column: &str) -> impl Iterator<Item = &'a str> {
        self.set(column).known().unwrap_or_default().iter().filter_map(|atom| match atom {
            Atom::Uuid(uuid) => Some(&**uuid),
            _ => None,
        })
    }

    /// The only element, or none, where `[]` is an answer.
    fn optional(&self, column: &str) -> Figure<Option<&'a Atom>> {
        self.set(column).map(<[Atom]>::first)
    }

    /// The only element where `[]` means that nobody has said it.
    fn said(&self, column: &str) -> Figure<&'a Atom> {
        self.optional(column).and_then(|atom| Figure::from_option(atom, Unknown::Missing))
    }

    /// A text that may be absent.
    pub(super) fn optional_text(&self, column: &str) -> Figure<Option<Clean>> {
        self.optional(column).and_then(|atom| match atom {
            None => Figure::Known(None),
            Some(atom) => text(atom).map(Some),
        })
    }

    /// A text.
    pub(super) fn text(&self, column: &str) -> Figure<Clean> {
        self.said(column).and_then(text)
    }

    /// An integer of either sign.
    pub(super) fn integer(&self, column: &str) -> Figure<i64> {
        self.said(column).and_then(integer)
    }

    /// An integer that is no less than 0.
    pub(super) fn count(&self, column: &str, complaints: &mut Complaints) -> Figure<u64> {
        self.integer(column).and_then(|value| self.in_range(column, value, complaints))
    }

    /// An integer that is no less than 0 and may be absent.
    pub(super) fn optional_count(&self, column: &str, complaints: &mut Complaints) -> Figure<Option<u64>> {
        self.optional(column).and_then(|atom| match atom {
            None => Figure::Known(None),
            Some(atom) => integer(atom).and_then(|value| self.in_range(column, value, complaints)).map(Some),
        })
    }

    /// An integer within what the receiving type can hold.
    pub(super) fn in_range<T: TryFrom<i64>>(&self, column: &str, value: i64, complaints: &mut Complaints) -> Figure<T> {
        T::try_from(value).map_or_else(
            |_| {
                complaints.add(format!("{:?} column {column}", self.table), format!("not a number in range: {value}"));
                Figure::Unknown(Unknown::Malformed)
            },
            Figure::Known,
        )
    }

    /// Yes or no.
    pub(super) fn flag(&self, column: &str) -> Figure<bool> {
        self.said(column).and_then(boolean)
    }

    /// Yes, no, or absent.
    pub(super) fn optional_flag(&self, column: &str) -> Figure<Option<bool>> {
        self.optional(column).and_then(|atom| match atom {
            None => Figure::Known(None),
            Some(atom) => boolean(atom).map(Some),
        })
    }

    /// How many elements a set has.
    pub(super) fn len(&self, column: &str) -> Figure<u64> {
        self.set(column).map(|set| set.len() as u64)
    }

    /// The pairs of a map.
    pub(super) fn map(&self, column: &str) -> Figure<&'a BTreeMap<Atom, Atom>> {
        self.datum(column).and_then(|datum| match datum {
            Datum::Map(map) => Figure::Known(map),
            _ => Figure::Unknown(Unknown::Malformed),
        })
    }

    /// What a map of texts says of a key; `None` when it does not.
    pub(super) fn pair(&self, column: &str, key: &str) -> Figure<Option<&'a str>> {
        self.map(column).map(|map| match map.get(&Atom::Text(key.into())) {
            Some(Atom::Text(text)) => Some(&**text),
            _ => None,
        })
    }

    /// The same as a fact: keys with nothing behind them count as absent.
    pub(super) fn pair_text(&self, column: &str, key: &str) -> Figure<Option<Clean>> {
        self.pair(column, key).map(|text| text.filter(|text| !text.is_empty()).map(Clean::line))
    }

    /// The same where the operator sets a number.
    pub(super) fn pair_count(&self, column: &str, key: &str, complaints: &mut Complaints) -> Figure<Option<u64>> {
        self.pair(column, key).and_then(|text| match text {
            None => Figure::Known(None),
            Some(text) => complaints.number(format_args!("{:?} {column}:{key}", self.table), text).map(Some),
        })
    }
}

fn text(atom: &Atom) -> Figure<Clean> {
    match atom {
        Atom::Text(text) => Figure::Known(Clean::line(text)),
        _ => Figure::Unknown(Unknown::Malformed),
    }
}

fn integer(atom: &Atom) -> Figure<i64> {
    match atom {
        Atom::Integer(value) => Figure::Known(*value),
        _ => Figure::Unknown(Unknown::Malformed),
    }
}

fn boolean(atom: &Atom) -> Figure<bool> {
    match atom {
        Atom::Boolean(value) => Figure::Known(*value),
        _ => Figure::Unknown(Unknown::Malformed),
    }
}
