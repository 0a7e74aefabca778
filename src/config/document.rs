//! The file as the schema sees it: every known key with a value of its kind, everything else noted as a problem.

use super::{
    problem::{At, Position, Problems},
    schema::{Kind, Need, SECTIONS, Section, Shape, section},
    suggest::nearest,
    values::{Surroundings, Value, read},
};
use crate::model::inventory::Role;
use secrecy::SecretString;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One `[section]` or one `[[section]]`.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its header.
    pub at: Position,
    values: BTreeMap<&'static str, At<Value>>,
}

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct Document {
    tables: BTreeMap<&'static str, Table>,
    lists: BTreeMap<&'static str, Vec<Table>>,
    /// Sections that were meant and cannot be used: nothing further is said about their absence.
    meant: BTreeSet<&'static str>,
}

impl Document {
    /// The `[name]` section, if the file has it.
    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// The `[[name]]` sections in the order of the file.
    pub(super) fn list(&self, name: &str) -> &[Table] {
        self.lists.get(name).map_or(&[], Vec::as_slice)
    }

    /// The places of all secrets.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&'static str, Position)> {
        self.tables.values().chain(self.lists.values().flatten()).flat_map(|table| {
            let secret = |(key, value): (&&'static str, &At<Value>)| {
                matches!(value.value, Value::Secret(_)).then_some((*key, value.at))
            };
            table.values.iter().filter_map(secret)
        })
    }

    /// Reads a parsed document; notes every problem of a single key.
    pub(super) fn read(root: &DeTable<'_>, around: &Surroundings<'_>, problems: &mut Problems<'_>) -> Self {
        let mut document = Self::default();
        for (name, value) in root {
            let at = problems.position(&name.span());
            if let Some(section) = section(name.get_ref()) {
                document.read_section(section, at, value, around, problems);
                continue;
            }
            let near = nearest(name.get_ref(), SECTIONS.iter().map(|section| section.name)).and_then(section);
            document.meant.extend(near.map(|section| section.name));
            let (what, cure) = unknown_section(name.get_ref(), value.get_ref(), near);
            problems.add(at, what, cure);
        }
        document
    }

    fn read_section(
        &mut self,
        section: &'static Section,
        at: Position,
        value: &Spanned<DeValue<'_>>,
        around: &Surroundings<'_>,
        problems: &mut Problems<'_>,
    ) {
        match (section.shape, value.get_ref()) {
            (Shape::Table, DeValue::Table(table)) => {
                let table = read_table(section, at, table, around, problems);
                self.tables.insert(section.name, table);
            }
            (Shape::List, DeValue::Array(elements)) => {
                for element in elements {
                    let at = problems.position(&element.span());
                    if let DeValue::Table(table) = element.get_ref() {
                        let table = read_table(section, at, table, around, problems);
                        self.lists.entry(section.name).or_default().push(table);
                    } else {
                        problems.add(
                            at,
                            format!("{} is not a table", section.name),
                            format!("write {}", section.header()),
                        );
                    }
                }
            }
            (shape, found) => {
                let what = match (shape, found) {
                    (Shape::List, DeValue::Table(_)) => format!("[{}] is a list", section.name),
                    (Shape::Table, DeValue::Array(_)) => format!("[[{}]] appears only once", section.name),
                    _ => format!("{} is a section", section.name),
                };
                problems.add(at, what, format!("write {}", section.header()));
                self.meant.insert(section.name);
            }
        }
    }

    /// Whether the file has anything under this name, usable or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tables.contains_key(name) || self.lists.contains_key(name) || self.meant.contains(name)
    }
}

fn read_table(
    section: &'static Section,
    at: Position,
    table: &DeTable<'_>,
    around: &Surroundings<'_>,
    problems: &mut Problems<'_>,
) -> Table {
    let mut values = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (name, raw) in table {
        let Some(key) = section.key(name.get_ref()) else {
            let (what, cure) = unknown_key(section, name.get_ref());
            problems.add(problems.position(&name.span()), what, cure);
            continue;
        };
        seen.insert(key.name);
        if let Some(value) = read(section.name, key, raw, around, problems) {
            values.insert(key.name, At { value, at: problems.position(&raw.span()) });
        }
    }
    for key in section.keys.iter().filter(|key| key.need == Need::Required && !seen.contains(key.name)) {
        let (what, cure) = missing_key(section, key.name, &values);
        problems.add(at, what, cure);
    }
    Table { at, values }
}

fn missing_key(section: &Section, key: &str, values: &BTreeMap<&'static str, At<Value>>) -> (String, String) {
    if (section.name, key) == ("cluster", "name") {
        return super::check::missing_cluster_name();
    }
    let whose = match values.get("name").map(|name| &name.value) {
        Some(Value::Text(name)) => format!("{} {name}", section.name),
        _ => section.header(),
    };
    let kind = section.key(key).map(|key| key.kind);
    let words = kind.map(Kind::words).unwrap_or_default();
    (format!("{whose} has no {key}"), format!("add {key} = {} ({words})", kind.map(Kind::example).unwrap_or_default()))
}

fn unknown_key(section: &Section, name: &str) -> (String, String) {
    let what = format!("unknown key {name} in {}", section.header());
    if let Some(near) = nearest(name, section.keys.iter().map(|key| key.name)) {
        return (what, format!("did you mean {near}?"));
    }
    if let Some(home) = SECTIONS.iter().find(|other| other.key(name).is_some()) {
        return (what, format!("it belongs into {}", home.header()));
    }
    if ["password", "passwd", "secret", "token"].iter().any(|word| name.to_lowercase().contains(word)) {
        return (what, "remove it; vakt keeps no passwords: use a key or an agent, or type it into the console".into());
    }
    let keys: Vec<_> = section.keys.iter().map(|key| key.name).collect();
    (what, format!("remove it; {} has {}", section.header(), keys.join(", ")))
}

fn unknown_section(name: &str, value: &DeValue<'_>, near: Option<&Section>) -> (String, String) {
    if let Some(near) = near {
        return (format!("unknown section {name}"), format!("did you mean {}?", near.header()));
    }
    if !matches!(value, DeValue::Table(_) | DeValue::Array(_)) {
        let home = SECTIONS.iter().find(|section| section.key(name).is_some());
        let cure = home.map_or_else(|| "remove it".into(), |home| format!("it belongs into {}", home.header()));
        return (format!("unknown key {name} outside of any section"), cure);
    }
    let sections: Vec<_> = SECTIONS.iter().map(Section::header).collect();
    (format!("unknown section {name}"), format!("remove it; the sections are {}", sections.join(", ")))
}

/// Typed access. A wrong name or kind gives `None`; `every_key_reaches_the_inventory` proves there is none.
impl Table {
    /// The value's place, if the key is there.
    pub(super) fn position(&self, key: &str) -> Option<Position> {
        self.values.get(key).map(|value| value.at)
    }

    /// Every key of the table with its place.
    pub(super) fn positions(&self) -> impl Iterator<Item = (&'static str, Position)> {
        self.values.iter().map(|(key, value)| (*key, value.at))
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key).map(|value| &value.value)
    }

    /// Text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A list of texts with their places.
    pub(super) fn texts(&self, key: &str) -> Option<&[At<String>]> {
        match self.value(key)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// Roles.
    pub(super) fn roles(&self, key: &str) -> Option<&[Role]> {
        match self.value(key)? {
            Value::Roles(roles) => Some(roles),
            _ => None,
        }
    }

    /// Files.
    pub(super) fn files(&self, key: &str) -> Option<&[PathBuf]> {
        match self.value(key)? {
            Value::Files(files) => Some(files),
            _ => None,
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, key: &str) -> Option<u64> {
        match self.value(key)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// A number.
    pub(super) fn ports(&self, key: &str) -> Option<&[u16]> {
        match self.value(key)? {
            Value::Ports(ports) => Some(ports),
            _ => None,
        }
    }

    pub(super) fn decimal(&self, key: &str) -> Option<f64> {
        match self.value(key)? {
            Value::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    /// true or false.
    pub(super) fn switch(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Switch(on) => Some(*on),
            _ => None,
        }
    }

    /// An address.
    pub(super) fn address(&self, key: &str) -> Option<IpAddr> {
        match self.value(key)? {
            Value::Address(address) => Some(*address),
            _ => None,
        }
    }

    /// A secret.
    pub(super) fn secret(&self, key: &str) -> Option<&SecretString> {
        match self.value(key)? {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }
}
