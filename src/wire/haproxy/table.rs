//! HAProxy's CSV: a header line that starts with `#`, columns known by name, values quoted where needed.
//!
//! Columns come and go between versions, so none is required except those that name the row.

use crate::{
    model::{
        figure::{Figure, Unknown},
        text::Clean,
    },
    wire::complaints::Complaints,
};
use csv::{ByteRecord, Reader, ReaderBuilder};
use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{HashMap, hash_map::Entry},
};

/// Columns that are looked at; 3.x prints about 100.
const COLUMNS_MAX: usize = 512;
/// Lines that one quoted value may span before its quote is taken for a stray one.
const VALUE_LINES_MAX: usize = 16;

/// Where each known column is.
#[derive(Debug)]
pub(super) struct Columns {
    by_name: HashMap<String, usize>,
    count: usize,
}

impl Columns {
    /// From the header; `None` unless it starts with `#` and has all of `required`.
    pub(super) fn parse(header: &ByteRecord, required: &[&str], complaints: &mut Complaints) -> Option<Self> {
        let first = header.get(0)?.trim_ascii_start().strip_prefix(b"#")?.trim_ascii_start();
        let mut by_name = HashMap::new();
        for (index, raw) in header.iter().enumerate().take(COLUMNS_MAX) {
            let raw = if index == 0 { first } else { raw };
            let name = String::from_utf8_lossy(raw).trim().to_owned();
            if name.is_empty() {
                continue; // a trailing comma: every version so far prints one
            }
            match by_name.entry(name) {
                Entry::Vacant(slot) => {
                    slot.insert(index);
                }
                Entry::Occupied(slot) => {
                    complaints.add(format!("column {}", slot.key()), "appears twice; the first is used");
                }
            }
        }
        required.iter().all(|name| by_name.contains_key(*name)).then_some(Self { by_name, count: header.len() })
    }

    /// The position of a column.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// How many columns the header has.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

/// One column of a table, looked up once.
#[derive(Debug)]
pub(super) struct Column {
    name: &'static str,
    position: Option<usize>,
    /// The text of an earlier row and what became of it: neighbours say the same mode, check and reason.
    earlier: RefCell<Option<(Vec<u8>, Clean)>>,
}

impl Column {
    /// The column of that name, which may be absent.
    pub(super) fn new(columns: &Columns, name: &'static str) -> Self {
        Self { name, position: columns.position(name), earlier: RefCell::default() }
    }

    /// The raw value: unknown when this version has no such column or this row no value in it.
    pub(super) fn raw<'r>(&self, row: &'r ByteRecord) -> Figure<&'r [u8]> {
        let Some(position) = self.position else { return Figure::Unknown(Unknown::NotOffered) };
        match row.get(position) {
            Some(value) if !value.is_empty() => Figure::Known(value),
            _ => Figure::Unknown(Unknown::Missing),
        }
    }

    /// The value as text.
    pub(super) fn text(&self, row: &ByteRecord) -> Figure<Clean> {
        self.raw(row).map(|value| match &mut *self.earlier.borrow_mut() {
            Some((earlier, text)) if earlier == value => text.clone(),
            other => {
                let text = Clean::line_from_bytes(value);
                *other = Some((value.to_vec(), text.clone()));
                text
            }
        })
    }

    /// The value as a count.
    pub(super) fn number(&self, row: &ByteRecord, complaints: &mut Complaints) -> Figure<u64> {
        self.raw(row).and_then(|value| {
            if let Some(number) = parse_u64(value) {
                return Figure::Known(number);
            }
            let text = Clean::line_from_bytes(value);
            complaints.add(format!("column {}", self.name), format!("not a number in range: {text}"));
            Figure::Unknown(Unknown::Malformed)
        })
    }
}

/// Decimal digits only; the hot path of a poll of a thousand servers.
fn parse_u64(value: &[u8]) -> Option<u64> {
    if value.len() > 20 {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// A reader over the answer; rows of any length, header included.
pub(super) fn reader(bytes: &[u8]) -> Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes)
}

/// The answer without quotes that never end: one of them would swallow every row behind it.
pub(super) fn without_stray_quotes<'a>(bytes: &'a [u8], complaints: &mut Complaints) -> Cow<'a, [u8]> {
    if !bytes.contains(&b'"') {
        return Cow::Borrowed(bytes);
    }
    let mut repaired: Option<Vec<u8>> = None;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (taken, sound) = match record_length(rest) {
            Some(length) => (length, true),
            None => (rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1), false),
        };
        let (record, behind) = rest.split_at(taken);
        if !sound {
            complaints.add(
                "quotes",
                format!("a quoted value never ends: {}", Clean::line_from_bytes(record.trim_ascii_end())),
            );
            let before = bytes.len() - rest.len();
            repaired
                .get_or_insert_with(|| bytes[..before].to_vec())
                .extend(record.iter().filter(|byte| **byte != b'"'));
        } else if let Some(repaired) = &mut repaired {
            repaired.extend_from_slice(record);
        }
        rest = behind;
    }
    repaired.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// Length of the first record with its line end; `None` when a quote in it never ends.
fn record_length(bytes: &[u8]) -> Option<usize> {
    let (mut quoted, mut at_field_start, mut lines) = (false, true, 0);
    for (index, byte) in bytes.iter().enumerate() {
        match (quoted, byte) {
            (false, b'"') if at_field_start => quoted = true,
            (false, b'\n') => return Some(index + 1),
            (false, _) => at_field_start = *byte == b',',
            // A doubled quote leaves and enters again: `at_field_start` stays true behind a quote.
            (true, b'"') => {
                quoted = false;
                at_field_start = true;
            }
            (true, b'\n') => {
                lines += 1;
                if lines >= VALUE_LINES_MAX {
                    return None;
                }
            }
            (true, _) => {}
        }
    }
    (!quoted).then_some(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> (Vec<Vec<String>>, usize) {
        let mut complaints = Complaints::default();
        let bytes = without_stray_quotes(text.as_bytes(), &mut complaints);
        let mut reader = reader(&bytes);
        let rows = reader
            .byte_records()
            .map(|row| row.unwrap().iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect())
            .collect();
        (rows, complaints.finish().len())
    }

    #[test]
    fn a_quote_that_never_ends_costs_one_row() {
        let tail = "x,1\n".repeat(40);
        let (rows, complaints) = rows(&format!("a,\"b \"\"c\"\"\nd\",1\nbad,\"open,2\n{tail}"));
        assert_eq!(rows[0], ["a", "b \"c\"\nd", "1"]);
        assert_eq!(rows[1], ["bad", "open", "2"]);
        assert_eq!(rows.len(), 42);
        assert_eq!(complaints, 1);
    }

    #[test]
    fn a_quote_within_a_value_is_a_character() {
        let (rows, complaints) = rows("a,b\"c,1\nx,y,2\n");
        assert_eq!(rows[0], ["a", "b\"c", "1"]);
        assert_eq!((rows.len(), complaints), (2, 0));
    }

    #[test]
    fn numbers_are_digits_within_range() {
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        for odd in ["18446744073709551616", "-1", "+1", "1.0", "", "1e3", "000000000000000000001"] {
            assert_eq!(parse_u64(odd.as_bytes()), if odd.is_empty() { Some(0) } else { None }, "{odd}");
        }
    }
}
