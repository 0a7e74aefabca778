//! Values of settings: every daemon and file writes them in its own way, and one text stands for all of them.

use serde::{Deserialize, Serialize};

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes; files may write `64M`.
    Bytes,
    /// A number of something.
    Count,
    /// Percent.
    Percent,
    /// On or off.
    Flag,
    /// One of some words.
    Word,
    /// Where a page is on a web server.
    Path,
    /// Milliseconds.
    Milliseconds,
    /// Reads and writes of a disk in a second.
    OperationsPerSecond,
}

/// Suffixes that servers take for numbers, each 1,024 times the one before.
const SUFFIXES: [char; 6] = ['K', 'M', 'G', 'T', 'P', 'E'];
/// The same for people.
const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
/// Longest text that is looked at.
const VALUE_BYTES_MAX: usize = 128;

impl Unit {
    /// The text that stands for `raw`: digits without a suffix, `ON` or `OFF`, a word in capitals. `None` where it is no
    /// such value.
    pub fn canonical(self, raw: &str) -> Option<String> {
        let raw = raw.trim();
        if raw.is_empty() || raw.len() > VALUE_BYTES_MAX {
            return None;
        }
        match self {
            Self::Flag => flag(raw).map(|is_on| if is_on { "ON" } else { "OFF" }.to_owned()),
            // `ON` is also what a server calls 1 where a switch has grown into a list of words.
            Self::Word => is_word(raw).then(|| flag_word(raw)),
            Self::Path => is_path(raw).then(|| raw.to_owned()),
            Self::Bytes | Self::Count | Self::Percent | Self::Milliseconds | Self::OperationsPerSecond => number(raw),
        }
    }

    /// A canonical value for people: "64 MiB", "75 %".
    pub fn words(self, canonical: &str) -> String {
        match self {
            Self::Bytes => canonical.parse().map_or_else(|_| canonical.to_owned(), bytes_words),
            Self::Percent => format!("{canonical} %"),
            Self::Milliseconds => format!("{canonical} ms"),
            Self::Count | Self::Flag | Self::Word | Self::Path | Self::OperationsPerSecond => canonical.to_owned(),
        }
    }

    /// Whether values are numbers.
    pub fn is_number(self) -> bool {
        !matches!(self, Self::Flag | Self::Word | Self::Path)
    }

    /// What it is called in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Count => "a number",
            Self::Percent => "percent",
            Self::Flag => "on or off",
            Self::Word => "a word",
            Self::Path => "a path such as /health",
            Self::Milliseconds => "milliseconds",
            Self::OperationsPerSecond => "operations a second",
        }
    }
}

fn flag(raw: &str) -> Option<bool> {
    match raw.to_ascii_uppercase().as_str() {
        "ON" | "1" | "YES" | "TRUE" => Some(true),
        "OFF" | "0" | "NO" | "FALSE" => Some(false),
        _ => None,
    }
}

fn flag_word(raw: &str) -> String {
    match raw {
        "1" => "ON".to_owned(),
        "0" => "OFF".to_owned(),
        word => word.to_ascii_uppercase(),
    }
}

/// Only what may stand in a statement as it is.
fn is_word(raw: &str) -> bool {
    raw.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Only what may stand in a line of a file as it is.
fn is_path(raw: &str) -> bool {
    raw.starts_with('/') && raw.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-~?=&+:,".contains(&byte))
}

/// `64M`, `75.000000`, `-1`, `4294967295`; nothing else is a number here.
fn number(raw: &str) -> Option<String> {
    let (digits, factor) = match raw.char_indices().last() {
        Some((at, last)) => match SUFFIXES.iter().position(|suffix| last.eq_ignore_ascii_case(suffix)) {
            Some(place) => (&raw[..at], 1_i128 << (10 * (place + 1))),
            None => (raw, 1),
        },
        None => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) || whole.starts_with('+') {
        return None;
    }
    let whole: i128 = whole.parse::<i128>().ok()?.checked_mul(factor)?;
    let fraction = fraction.trim_end_matches('0');
    match (fraction.is_empty(), factor) {
        (true, _) => Some(whole.to_string()),
        (false, 1) => Some(format!("{whole}.{fraction}")),
        // Nobody takes `1.5G`.
        (false, _) => None,
    }
}

/// "64 MiB", "1.5 GiB", "4097 B".
fn bytes_words(bytes: u64) -> String {
    let mut place = 0;
    let mut unit: u64 = 1;
    while place + 1 < BINARY.len() && bytes / unit >= 1024 {
        unit *= 1024;
        place += 1;
    }
    let tenths = u128::from(bytes) * 10 / u128::from(unit);
    if tenths.is_multiple_of(10) {
        format!("{} {}", tenths / 10, BINARY[place])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, BINARY[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_text_stands_for_every_way_to_write_a_value() {
        let cases = [
            (Unit::Bytes, "64M", Some("67108864")),
            (Unit::Bytes, "67108864", Some("67108864")),
            (Unit::Bytes, " 4g ", Some("4294967296")),
            (Unit::Count, "1k", Some("1024")),
            (Unit::Percent, "75.000000", Some("75")),
            (Unit::Percent, "0.50", Some("0.5")),
            (Unit::Count, "-1", Some("-1")),
            (Unit::Count, "1.5G", None),
            (Unit::Count, "+1", None),
            (Unit::Count, "", None),
            (Unit::Count, "1; drop", None),
            (Unit::Flag, "1", Some("ON")),
            (Unit::Flag, "off", Some("OFF")),
            (Unit::Flag, "2", None),
            (Unit::Word, "o_direct", Some("O_DIRECT")),
            (Unit::Word, "1", Some("ON")),
            (Unit::Word, "a'b", None),
            (Unit::Path, " /health.php?deep=1 ", Some("/health.php?deep=1")),
            (Unit::Path, "health", None),
            (Unit::Path, "/a b", None),
            (Unit::Path, "/a#b", None),
            (Unit::Path, "/a\\b", None),
        ];
        for (unit, raw, canonical) in cases {
            assert_eq!(unit.canonical(raw).as_deref(), canonical, "{unit:?} {raw}");
        }
    }

    #[test]
    fn values_for_people() {
        assert_eq!(Unit::Bytes.words("67108864"), "64 MiB");
        assert_eq!(Unit::Bytes.words("1610612736"), "1.5 GiB");
        assert_eq!(Unit::Bytes.words("18446744073701163008"), "15.9 EiB");
        assert_eq!((Unit::Percent.words("75"), Unit::Count.words("200")), ("75 %".to_owned(), "200".to_owned()));
    }

    proptest! {
        #[test]
        fn a_canonical_value_stays_and_is_safe_in_a_statement(raw in "\\PC{0,40}") {
            for unit in [Unit::Bytes, Unit::Count, Unit::Percent, Unit::Flag, Unit::Word] {
                if let Some(canonical) = unit.canonical(&raw) {
                    prop_assert!(canonical.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)));
                    prop_assert_eq!(unit.canonical(&canonical), Some(canonical.clone()));
                }
            }
        }
    }
}
