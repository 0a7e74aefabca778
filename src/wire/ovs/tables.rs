//! The watched part of the database, kept up to date from what a monitor sends.
//!
//! Three dialects: `update` (RFC 7047) sends whole rows; `update2` and `update3` send what changed.

use super::{
    datum::Datum,
    schema::{Schema, TABLES, Table},
};
use crate::wire::complaints::Complaints;
use serde_json::Value;
use std::collections::BTreeMap;

/// Memory that the rows of one switch may take; 10,000 ports take about 40 MiB.
pub(super) const ROWS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a row costs beside its cells.
const ROW_BYTES: usize = 128;

/// The columns of a row, in the order of the schema.
pub(super) type Row = Vec<Datum>;

/// Rows by uuid, of each table.
#[derive(Debug, Default)]
pub(super) struct Tables {
    rows: [BTreeMap<String, Row>; TABLES],
    bytes: usize,
}

/// What became of an update.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Applied {
    /// Whether any row is another now.
    pub(super) changed: bool,
    /// Whether the daemon has written new statistics: those of an interface moved that had some before. A new
    /// interface gets its first ones at any time.
    pub(super) counted: bool,
    /// Changes to rows that are not there: something was missed.
    pub(super) missed: u64,
    /// The rows take more than [`ROWS_BYTES_MAX`].
    pub(super) too_large: bool,
}

impl Tables {
    /// The rows of a table.
    pub(super) fn rows(&self, table: Table) -> &BTreeMap<String, Row> {
        &self.rows[table as usize]
    }

    /// Applies the table updates of an `update` (`cumulative` is false), an `update2` or an `update3`.
    pub(super) fn apply(
        &mut self,
        updates: &Value,
        schema: &Schema,
        cumulative: bool,
        complaints: &mut Complaints,
    ) -> Applied {
        let mut applied = Applied::default();
        let Some(updates) = updates.as_object() else {
            complaints.add("the update", "is no object");
            return applied;
        };
        for (name, rows) in updates {
            let (Some(table), Some(rows)) = (schema.table(name), rows.as_object()) else {
                complaints.add(format!("table {name}"), "was not asked for, or its rows are no object");
                continue;
            };
            for (uuid, update) in rows {
                if self.bytes > ROWS_BYTES_MAX {
                    applied.too_large = true;
                    return applied;
                }
                let mut row = RowUpdate { tables: self, schema, table, uuid, applied: &mut applied, complaints };
                if cumulative {
                    row.apply_change(update);
                } else {
                    row.apply_whole(update);
                }
            }
        }
        applied
    }

    fn put(&mut self, table: Table, uuid: &str, row: Row) {
        let bytes = row_bytes(&row);
        let before = self.rows[table as usize].insert(uuid.to_owned(), row);
        self.bytes += bytes;
        self.bytes -= before.as_ref().map_or(0, row_bytes);
    }

    fn remove(&mut self, table: Table, uuid: &str) -> bool {
        let removed = self.rows[table as usize].remove(uuid);
        self.bytes -= removed.as_ref().map_or(0, row_bytes);
        removed.is_some()
    }
}

fn row_bytes(row: &Row) -> usize {
    ROW_BYTES + row.iter().map(Datum::bytes).sum::<usize>()
}

/// One row's part of an update.
struct RowUpdate<'a> {
    tables: &'a mut Tables,
    schema: &'a Schema,
    table: Table,
    uuid: &'a str,
    applied: &'a mut Applied,
    complaints: &'a mut Complaints,
}

impl RowUpdate<'_> {
    /// `{"old": …, "new": …}`: the new row is whole; without one the row is gone.
    fn apply_whole(&mut self, update: &Value) {
        match (update.get("new"), update.get("old")) {
            (Some(new @ Value::Object(_)), _) => self.put(new),
            (None | Some(Value::Null), Some(_)) => self.delete(),
            _ => self.odd("an update without a row"),
        }
    }

    /// `{"initial": row}`, `{"insert": row}`, `{"modify": differences}` or `{"delete": null}`.
    fn apply_change(&mut self, update: &Value) {
        let kind = update.as_object().and_then(|fields| fields.iter().next());
        match kind.map(|(word, value)| (word.as_str(), value)) {
            Some(("initial" | "insert", row @ Value::Object(_))) => self.put(row),
            Some(("delete", _)) => self.delete(),
            Some(("modify", differences @ Value::Object(_))) => self.modify(differences),
            _ => self.odd("an update without a row"),
        }
    }

    /// A row that says nothing of a column holds its default.
    fn put(&mut self, row: &Value) {
        let columns = self.schema.columns(self.table);
        let cells: Row = columns
            .iter()
            .map(|column| {
                row.get(column.name)
                    .map_or_else(|| Datum::default_of(column.kind), |cell| Datum::parse(cell, column.kind))
            })
            .collect();
        let before = self.tables.rows(self.table).get(self.uuid);
        self.applied.changed |= before != Some(&cells);
        for (at, column) in columns.iter().enumerate() {
            if let Some(before) = before {
                self.applied.counted |= is_count(self.table, column.name, &before[at], &cells[at]);
            }
            if cells[at] == Datum::Malformed {
                complain_of_type(self.table, column.name, self.complaints);
            }
        }
        self.tables.put(self.table, self.uuid, cells);
    }

    fn modify(&mut self, differences: &Value) {
        let Tables { rows, bytes } = &mut *self.tables;
        let Some(cells) = rows[self.table as usize].get_mut(self.uuid) else {
            self.applied.missed += 1;
            return;
        };
        for (cell, column) in cells.iter_mut().zip(self.schema.columns(self.table)) {
            let Some(difference) = differences.get(column.name) else { continue };
            let before = cell.clone();
            cell.change(difference, column.kind);
            *bytes = *bytes + cell.bytes() - before.bytes();
            self.applied.changed |= before != *cell;
            self.applied.counted |= is_count(self.table, column.name, &before, cell);
            if *cell == Datum::Malformed {
                complain_of_type(self.table, column.name, self.complaints);
            }
        }
    }

    fn delete(&mut self) {
        if self.tables.remove(self.table, self.uuid) {
            self.applied.changed = true;
        } else {
            self.applied.missed += 1;
        }
    }

    fn odd(&mut self, what: &str) {
        self.complaints.add(format!("{:?} {}", self.table, self.uuid), what);
    }
}

/// Whether an interface's statistics moved that were there before.
fn is_count(table: Table, column: &str, before: &Datum, after: &Datum) -> bool {
    table == Table::Interface
        && column == "statistics"
        && matches!((before, after), (Datum::Map(before), Datum::Map(after))
            if !before.is_empty() && !after.is_empty() && before != after)
}

fn complain_of_type(table: Table, column: &str, complaints: &mut Complaints) {
    complaints.add(format!("{table:?} column {column}"), "of another type than the schema says");
}
