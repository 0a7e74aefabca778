//! The values of a database's columns, and how a change to one is applied.
//!
//! `update2` and `update3` say what is different, and what that means depends on the column's type: for a map, pairs
//! to be added, replaced or, when equal to what is there, deleted; for a set that may hold more than one element, the
//! elements to be added or, when they are there, deleted; for everything else, the new value.

use super::schema::{AtomKind, ColumnType};
use serde_json::Value;
use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

/// One value. Texts are as the node sent them: they are compared here and sanitised when they become facts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Atom {
    Integer(i64),
    /// The bits, which have an order; reals are compared for equality only.
    Real(u64),
    Boolean(bool),
    Text(Arc<str>),
    Uuid(Arc<str>),
}

/// What a column of a row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Datum {
    /// Any number of elements, ascending, each once: also one, or none.
    Set(Vec<Atom>),
    /// Pairs.
    Map(BTreeMap<Atom, Atom>),
    /// Something that is not of the column's type.
    Malformed,
}

impl Atom {
    fn parse(value: &Value, kind: AtomKind) -> Option<Self> {
        Some(match kind {
            AtomKind::Integer => Self::Integer(value.as_i64()?),
            AtomKind::Real => Self::Real(value.as_f64()?.to_bits()),
            AtomKind::Boolean => Self::Boolean(value.as_bool()?),
            AtomKind::Text => Self::Text(value.as_str()?.into()),
            AtomKind::Uuid => match value.as_array()?.as_slice() {
                [Value::String(word), Value::String(uuid)] if word == "uuid" => Self::Uuid(uuid.as_str().into()),
                _ => return None,
            },
        })
    }

    /// What a column holds when a row says nothing of it.
    fn default_of(kind: AtomKind) -> Self {
        match kind {
            AtomKind::Integer => Self::Integer(0),
            AtomKind::Real => Self::Real(0),
            AtomKind::Boolean => Self::Boolean(false),
            AtomKind::Text => Self::Text("".into()),
            AtomKind::Uuid => Self::Uuid("00000000-0000-0000-0000-000000000000".into()),
        }
    }

    /// As the number of a VLAN.
    pub(super) fn as_vlan(&self) -> Option<u16> {
        match self {
            Self::Integer(value) => u16::try_from(*value).ok(),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Uuid(text) => size_of::<Self>() + text.len(),
            _ => size_of::<Self>(),
        }
    }
}

impl Datum {
    /// What a column holds when a new row says nothing of it.
    pub(super) fn default_of(kind: ColumnType) -> Self {
        if kind.value.is_some() {
            Self::Map(BTreeMap::new())
        } else if kind.required {
            Self::Set(vec![Atom::default_of(kind.key)])
        } else {
            Self::Set(Vec::new())
        }
    }

    /// Reads a value: a bare atom, `["set", […]]` or `["map", [[k, v], …]]`.
    pub(super) fn parse(value: &Value, kind: ColumnType) -> Self {
        let read = match kind.value {
            Some(of_values) => pairs(value)
                .and_then(|pairs| {
                    pairs.iter().map(|pair| pair_of(pair, kind.key, of_values)).collect::<Option<BTreeMap<_, _>>>()
                })
                .map(Self::Map),
            None => elements(value, kind.key).map(Self::Set),
        };
        match read {
            Some(Self::Set(set)) if !kind.many && set.len() > 1 => Self::Malformed,
            Some(Self::Set(set)) if kind.required && set.is_empty() => Self::Malformed,
            Some(datum) => datum,
            None => Self::Malformed,
        }
    }

    /// Applies a change as `update2` and `update3` write it.
    pub(super) fn change(&mut self, difference: &Value, kind: ColumnType) {
        let difference = if kind.many {
            // A difference may hold less than the type asks for: one member of a bond goes, one stays.
            Self::parse(difference, ColumnType { required: false, ..kind })
        } else {
            Self::parse(difference, kind)
        };
        match (&mut *self, difference) {
            (Self::Set(set), Self::Set(changed)) if kind.many => {
                set.extend(changed);
                set.sort_unstable();
                *set = in_only_one(std::mem::take(set));
            }
            (Self::Map(map), Self::Map(changed)) => {
                for (key, value) in changed {
                    match map.entry(key) {
                        btree_map::Entry::Occupied(held) if *held.get() == value => {
                            held.remove();
                        }
                        btree_map::Entry::Occupied(mut held) => {
                            held.insert(value);
                        }
                        btree_map::Entry::Vacant(slot) => {
                            slot.insert(value);
                        }
                    }
                }
            }
            (held, Self::Set(changed)) if !kind.many => *held = Self::Set(changed),
            // A difference to something unknown is unknown.
            (held, _) => *held = Self::Malformed,
        }
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Set(set) => set.iter().map(Atom::bytes).sum(),
                Self::Map(map) => map.iter().map(|(key, value)| key.bytes() + value.bytes()).sum(),
                Self::Malformed => 0,
            }
    }
}

fn tagged<'v>(value: &'v Value, tag: &str) -> Option<&'v [Value]> {
    match value.as_array()?.as_slice() {
        [Value::String(word), Value::Array(inner)] if word == tag => Some(inner),
        _ => None,
    }
}

fn pairs(value: &Value) -> Option<&[Value]> {
    tagged(value, "map")
}

fn pair_of(pair: &Value, keys: AtomKind, values: AtomKind) -> Option<(Atom, Atom)> {
    match pair.as_array()?.as_slice() {
        [key, value] => Some((Atom::parse(key, keys)?, Atom::parse(value, values)?)),
        _ => None,
    }
}

fn elements(value: &Value, kind: AtomKind) -> Option<Vec<Atom>> {
    let Some(elements) = tagged(value, "set") else { return Some(vec![Atom::parse(value, kind)?]) };
    let mut set: Vec<Atom> = elements.iter().map(|element| Atom::parse(element, kind)).collect::<Option<_>>()?;
    set.sort_unstable();
    set.dedup();
    Some(set)
}

/// Of two sets put together and sorted: the atoms that stand there once. None stands there more than twice.
fn in_only_one(sorted: Vec<Atom>) -> Vec<Atom> {
    let mut kept: Vec<Atom> = Vec::new();
    for atom in sorted {
        if kept.last() == Some(&atom) {
            kept.pop();
        } else {
            kept.push(atom);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TRUNKS: ColumnType = ColumnType { key: AtomKind::Integer, value: None, required: false, many: true };
    const TAG: ColumnType = ColumnType { many: false, ..TRUNKS };
    const IDS: ColumnType =
        ColumnType { key: AtomKind::Text, value: Some(AtomKind::Text), required: false, many: true };
    const FLAG: ColumnType = ColumnType { key: AtomKind::Boolean, value: None, required: true, many: false };

    fn changed(kind: ColumnType, from: &Value, by: &Value) -> Datum {
        let mut datum = Datum::parse(from, kind);
        datum.change(by, kind);
        datum
    }

    #[test]
    fn sets_of_many_change_by_exclusive_or() {
        let got = changed(TRUNKS, &json!(["set", [10, 20, 30]]), &json!(["set", [10, 40]]));
        assert_eq!(got, Datum::parse(&json!(["set", [20, 30, 40]]), TRUNKS));
        assert_eq!(changed(TRUNKS, &json!(["set", [10, 20]]), &json!(20)), Datum::parse(&json!(10), TRUNKS));
        assert_eq!(changed(TRUNKS, &json!(10), &json!(10)), Datum::default_of(TRUNKS));
    }

    #[test]
    fn maps_change_by_pairs() {
        let got = changed(
            IDS,
            &json!(["map", [["a", "1"], ["b", "2"], ["c", "3"]]]),
            &json!(["map", [["a", "1"], ["b", "5"], ["d", "4"]]]),
        );
        assert_eq!(got, Datum::parse(&json!(["map", [["b", "5"], ["c", "3"], ["d", "4"]]]), IDS));
    }

    #[test]
    fn single_values_are_replaced() {
        assert_eq!(changed(TAG, &json!(10), &json!(11)), Datum::parse(&json!(11), TAG));
        assert_eq!(changed(TAG, &json!(10), &json!(["set", []])), Datum::default_of(TAG));
        assert_eq!(changed(FLAG, &json!(true), &json!(false)), Datum::default_of(FLAG));
    }

    #[test]
    fn other_types_are_malformed_until_replaced() {
        for odd in
            [json!("10"), json!(1.5), json!(null), json!(["set", [1, "2"]]), json!(["set", [1, 2]]), json!(["map", []])]
        {
            assert_eq!(Datum::parse(&odd, TAG), Datum::Malformed, "{odd}");
        }
        assert_eq!(Datum::parse(&json!(["set", []]), FLAG), Datum::Malformed);
        for odd in
            [json!(["map", [["a"]]]), json!(["map", [["a", 1]]]), json!(["map", {}]), json!("a"), json!(["set", []])]
        {
            assert_eq!(Datum::parse(&odd, IDS), Datum::Malformed, "{odd}");
        }
        assert_eq!(changed(TAG, &json!("x"), &json!(11)), Datum::parse(&json!(11), TAG));
        assert_eq!(changed(TRUNKS, &json!("x"), &json!(11)), Datum::Malformed);
        assert_eq!(changed(IDS, &json!(["map", [["a", "1"]]]), &json!(["map", [["a", 2]]])), Datum::Malformed);
    }
}
