//! The numbers of `assets/defaults.toml`, parsed once.

use serde::Deserialize;
use std::{collections::BTreeMap, fmt, sync::LazyLock};

/// The embedded file.
pub const TEXT: &str = include_str!("../../assets/defaults.toml");

type File = BTreeMap<String, BTreeMap<String, Tunable>>;

// A file that does not parse would leave an empty map; the test below makes that impossible in a build that ships.
static FILE: LazyLock<File> = LazyLock::new(|| toml::from_str(TEXT).unwrap_or_default());

/// What `assets/defaults.toml` says of one key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tunable {
    /// The value where the operator gives none.
    pub default: Value,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Unit of all three.
    pub unit: Option<String>,
}

impl Tunable {
    /// Whether `value` lies within the bounds.
    pub fn allows(&self, value: f64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }

    /// "200 to 60000 ms"; empty without bounds.
    pub fn bounds(&self) -> String {
        let unit = self.unit.as_deref().unwrap_or_default();
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{min} to {max} {unit}"),
            _ => String::new(),
        }
    }
}

/// A default.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// true or false.
    Switch(bool),
    /// A whole number.
    Integer(u64),
    /// A number.
    Decimal(f64),
    /// Text.
    Text(String),
}

impl fmt::Display for Value {
    /// As it is written in TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Decimal(value) => write!(f, "{value:.1}"),
            Self::Text(value) => write!(f, "\"{value}\""),
        }
    }
}

/// The tunable `section.key`.
pub fn tunable(section: &str, key: &str) -> Option<&'static Tunable> {
    FILE.get(section)?.get(key)
}

/// The default of a whole number.
pub fn integer(section: &str, key: &str) -> u64 {
    match tunable(section, key).map(|tunable| &tunable.default) {
        Some(Value::Integer(value)) => *value,
        _ => 0,
    }
}

/// The default of a number.
pub fn decimal(section: &str, key: &str) -> f64 {
    match tunable(section, key).map(|tunable| &tunable.default) {
        Some(Value::Decimal(value)) => *value,
        _ => 0.0,
    }
}

/// The default of a switch.
pub fn switch(section: &str, key: &str) -> bool {
    matches!(tunable(section, key).map(|tunable| &tunable.default), Some(Value::Switch(true)))
}

/// The default of a text.
pub fn text(section: &str, key: &str) -> &'static str {
    match tunable(section, key).map(|tunable| &tunable.default) {
        Some(Value::Text(value)) => value,
        _ => "",
    }
}

/// Every `(section, key)` of the file.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static Tunable)> {
    FILE.iter()
        .flat_map(|(section, keys)| keys.iter().map(move |(key, tunable)| (section.as_str(), key.as_str(), tunable)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::{Kind, Need, SECTIONS};

    #[test]
    fn the_file_parses() {
        assert_eq!(toml::from_str::<File>(TEXT).map(|file| file.is_empty()), Ok(false));
    }

    #[test]
    fn invariant_8_every_tunable_has_its_default_and_bounds_in_the_file() {
        let mut known = Vec::new();
        for section in SECTIONS {
            for key in section.keys.iter().filter(|key| key.need == Need::Tunable) {
                let path = format!("{}.{}", section.name, key.name);
                let tunable = tunable(section.name, key.name).unwrap_or_else(|| panic!("{path} has no default"));
                match (key.kind, &tunable.default) {
                    (Kind::Integer, &Value::Integer(default)) => {
                        assert!(tunable.allows(default as f64), "{path}: default out of bounds");
                    }
                    (Kind::Decimal, &Value::Decimal(default)) => {
                        assert!(tunable.allows(default), "{path}: default out of bounds");
                    }
                    (Kind::Switch, Value::Switch(_)) | (Kind::RemotePath, Value::Text(_)) => {}
                    (Kind::Choice(words), Value::Text(word)) => assert!(words.contains(&word.as_str()), "{path}"),
                    (kind, default) => panic!("{path}: {default:?} is not {}", kind.words()),
                }
                if matches!(key.kind, Kind::Integer | Kind::Decimal) {
                    assert!(tunable.min < tunable.max && tunable.unit.is_some(), "{path}: no bounds or no unit");
                }
                known.push(path);
            }
        }
        for (section, key, _) in all() {
            assert!(known.contains(&format!("{section}.{key}")), "{section}.{key} is not in the schema");
        }
    }
}
