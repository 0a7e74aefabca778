//! Which tables and columns are watched, and what the database's schema says about them.
//!
//! Columns come and go between versions, so only those that the schema has are asked for. The type of a column is
//! needed to read it, and even more to understand a change to it: see [`super::datum`].

use super::message::DATABASE;
use serde_json::{Map, Value, json};

/// What is asked for, if the database has it.
const WANTED: [(&str, &[&str]); TABLES] = [
    ("Open_vSwitch", &["bridges", "cur_cfg", "next_cfg", "ovs_version", "external_ids", "other_config", "statistics"]),
    (
        "Bridge",
        &[
            "name",
            "ports",
            "controller",
            "mirrors",
            "datapath_type",
            "datapath_id",
            "fail_mode",
            "stp_enable",
            "rstp_enable",
            "status",
            "rstp_status",
            "other_config",
        ],
    ),
    (
        "Port",
        &[
            "name",
            "interfaces",
            "tag",
            "trunks",
            "cvlans",
            "vlan_mode",
            "bond_mode",
            "bond_active_slave",
            "bond_updelay",
            "bond_downdelay",
            "lacp",
            "other_config",
            "protected",
            "qos",
        ],
    ),
    (
        "Interface",
        &[
            "name",
            "type",
            "options",
            "ofport",
            "error",
            "admin_state",
            "link_state",
            "link_resets",
            "link_speed",
            "duplex",
            "mtu",
            "mtu_request",
            "mac_in_use",
            "lacp_current",
            "ingress_policing_rate",
            "ingress_policing_burst",
            "bfd_status",
            "cfm_fault",
            "status",
            "external_ids",
            "statistics",
        ],
    ),
    ("Controller", &["target", "is_connected", "role"]),
];

/// How many tables are watched.
pub(super) const TABLES: usize = 5;

/// The watched tables, by their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Switch,
    Bridge,
    Port,
    Interface,
    Controller,
}

/// What an atom may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtomKind {
    Integer,
    Real,
    Boolean,
    Text,
    Uuid,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColumnType {
    /// Of the elements, or of a map's keys.
    pub(super) key: AtomKind,
    /// Of a map's values; `None` when it is no map.
    pub(super) value: Option<AtomKind>,
    /// Whether there is always exactly one element.
    pub(super) required: bool,
    /// Whether there may be more than one element: then a change comes as a difference.
    pub(super) many: bool,
}

/// A watched column of this database.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: ColumnType,
}

/// The watched columns of each table, as far as this database has them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Schema {
    tables: [Vec<Column>; TABLES],
}

impl Schema {
    /// Reads the answer to `get_schema`; also says what is not understood. `None` when it is no schema of a switch.
    pub(super) fn parse(answer: &Value) -> Option<(Self, Vec<String>)> {
        let mut odd = Vec::new();
        let tables = answer.get("tables")?.as_object()?;
        let schema = Self {
            tables: WANTED.map(|(table, columns)| {
                let known = tables.get(table).and_then(|table| table.get("columns")).and_then(Value::as_object);
                known.map_or_else(Vec::new, |known| watched(table, columns, known, &mut odd))
            }),
        };
        // Without a name and without its parts nothing can be put together.
        let essential = [
            (Table::Switch, "bridges"),
            (Table::Bridge, "name"),
            (Table::Bridge, "ports"),
            (Table::Port, "name"),
            (Table::Port, "interfaces"),
            (Table::Interface, "name"),
        ];
        essential.iter().all(|(table, column)| schema.position(*table, column).is_some()).then_some((schema, odd))
    }

    /// The table of that name, if it is watched.
    pub(super) fn table(&self, name: &str) -> Option<Table> {
        match name {
            "Open_vSwitch" => Some(Table::Switch),
            "Bridge" => Some(Table::Bridge),
            "Port" => Some(Table::Port),
            "Interface" => Some(Table::Interface),
            "Controller" if !self.columns(Table::Controller).is_empty() => Some(Table::Controller),
            _ => None,
        }
    }

    /// Its watched columns.
    pub(super) fn columns(&self, table: Table) -> &[Column] {
        &self.tables[table as usize]
    }

    /// Where a column is among them.
    pub(super) fn position(&self, table: Table, name: &str) -> Option<usize> {
        self.columns(table).iter().position(|column| column.name == name)
    }

    /// What a monitor request asks for. `conditional` monitors take a list for each table.
    pub(super) fn monitor_requests(&self, conditional: bool) -> Value {
        let tables = WANTED.iter().zip(&self.tables).filter(|(_, columns)| !columns.is_empty());
        let requests: Map<String, Value> = tables
            .map(|((table, _), columns)| {
                let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
                let request = json!({ "columns": names });
                ((*table).to_owned(), if conditional { json!([request]) } else { request })
            })
            .collect();
        Value::Object(requests)
    }
}

/// The parameters of `get_schema`.
pub(super) fn schema_params() -> Value {
    json!([DATABASE])
}

fn watched(table: &str, wanted: &[&'static str], known: &Map<String, Value>, odd: &mut Vec<String>) -> Vec<Column> {
    let mut columns = Vec::new();
    for name in wanted {
        let Some(column) = known.get(*name) else { continue }; // another version
        match column.get("type").and_then(column_type) {
            Some(kind) => columns.push(Column { name, kind }),
            None => odd.push(format!("{table}.{name}")),
        }
    }
    columns
}

/// `"string"`, or an object with `key`, perhaps `value`, `min` and `max` (1 unless said).
fn column_type(value: &Value) -> Option<ColumnType> {
    if let Value::String(word) = value {
        return Some(ColumnType { key: atom_kind(word)?, value: None, required: true, many: false });
    }
    let base = |value: &Value| match value {
        Value::String(word) => atom_kind(word),
        other => atom_kind(other.get("type")?.as_str()?),
    };
    let fields = value.as_object()?;
    let pairs = fields.get("value");
    let max = fields.get("max");
    Some(ColumnType {
        key: base(fields.get("key")?)?,
        value: match pairs {
            Some(value) => Some(base(value)?),
            None => None,
        },
        required: fields.get("min").is_none_or(|min| min != 0) && max.is_none_or(|max| max == 1),
        many: max.is_some_and(|max| max == "unlimited" || max.as_u64().is_some_and(|max| max > 1)),
    })
}

fn atom_kind(word: &str) -> Option<AtomKind> {
    Some(match word {
        "integer" => AtomKind::Integer,
        "real" => AtomKind::Real,
        "boolean" => AtomKind::Boolean,
        "string" => AtomKind::Text,
        "uuid" => AtomKind::Uuid,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_types_are_read_with_their_defaults() {
        let kind = |value: Value| column_type(&value);
        let text = ColumnType { key: AtomKind::Text, value: None, required: true, many: false };
        assert_eq!(kind(json!("string")), Some(text));
        assert_eq!(kind(json!({"key": "string"})), Some(text));
        assert_eq!(
            kind(json!({"key": {"type": "string", "enum": ["set", []]}, "min": 0})),
            Some(ColumnType { required: false, ..text })
        );
        assert_eq!(
            kind(json!({"key": "string", "value": "integer", "min": 0, "max": "unlimited"})),
            Some(ColumnType { value: Some(AtomKind::Integer), required: false, many: true, ..text })
        );
        assert_eq!(
            kind(json!({"key": {"type": "integer", "maxInteger": 4095}, "min": 0, "max": 4096})),
            Some(ColumnType { key: AtomKind::Integer, required: false, many: true, ..text })
        );
        assert_eq!(
            kind(json!({"key": {"type": "uuid", "refTable": "Interface"}, "min": 1, "max": "unlimited"})),
            Some(ColumnType { key: AtomKind::Uuid, many: true, required: false, value: None })
        );
        for odd in [json!("blob"), json!(1), json!({}), json!({"key": 1}), json!({"key": "string", "value": []})] {
            assert_eq!(kind(odd), None);
        }
    }
}
