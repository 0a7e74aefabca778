//! Settings of a database server by its own word: their values, and what it says about each.
//!
//! Asked in two rounds: values first, by which the family is known; then MariaDB's or MySQL's own view of what may be set.

use super::{
    Answers,
    named::Named,
    probe,
    rows::Row,
    statements::{Statement, StatementId},
};
use crate::{
    model::{
        figure::Figure,
        inventory::Node,
        mysql::Dialect,
        text::Clean,
        tuning::{Variable, catalogue},
    },
    wire::{
        complaints::Complaints,
        request::{Repeat, Reply, Request},
    },
};

/// Longest answer, bytes: MariaDB explains every setting.
const CAP_BYTES: usize = 256 * 1024;
/// Names by which the family of a server is known, and its version.
const FAMILY: [&str; 3] = ["gtid_slave_pos", "gtid_executed", "version"];
/// MySQL rounds its pool up to a multiple of these two without a word, and tells no block size.
const POOL: &str = "innodb_buffer_pool_size";
const POOL_PARTS: [&str; 2] = ["innodb_buffer_pool_chunk_size", "innodb_buffer_pool_instances"];
/// Variables that are kept of one answer.
const VARIABLES_MAX: usize = 200;
/// Words that are kept of a list of choices.
const CHOICES_MAX: usize = 40;

/// What the answers say of a server.
#[derive(Debug)]
pub(in crate::wire) struct ServerSettings {
    /// Its family.
    pub(in crate::wire) dialect: Figure<Dialect>,
    /// Its version.
    pub(in crate::wire) version: Figure<Clean>,
    /// Its variables.
    pub(in crate::wire) variables: Figure<Vec<Variable>>,
}

/// Asks for the values of every setting of the catalogue.
pub(in crate::wire) fn values(node: &Node, deadline_ms: u64) -> Option<Request> {
    let names = catalogue().server_names();
    values_of(node, deadline_ms, names.iter().copied())
}

fn values_of<'a>(node: &Node, deadline_ms: u64, names: impl Iterator<Item = &'a str>) -> Option<Request> {
    let names = quoted(FAMILY.into_iter().chain(POOL_PARTS).chain(names));
    let sql = format!("show global variables where variable_name in ({names})");
    let statement = Statement { id: StatementId::TuningValues, sql: sql.into(), cap_bytes: CAP_BYTES };
    Some(probe::request(node.database.as_ref()?, deadline_ms, Repeat::Always, statement))
}

/// Asks what the server says about them; nothing where its family is not known.
pub(in crate::wire) fn details(node: &Node, deadline_ms: u64, replies: &[Reply]) -> Option<Request> {
    let (answers, _) = probe::answers(replies);
    let values = Named::read(&answers, StatementId::TuningValues, &mut Complaints::default());
    let names = catalogue().server_names();
    details_of(node, deadline_ms, dialect(&values).known()?, names.iter().copied())
}

fn details_of<'a>(
    node: &Node,
    deadline_ms: u64,
    dialect: Dialect,
    names: impl Iterator<Item = &'a str>,
) -> Option<Request> {
    let view = match dialect {
        Dialect::Mariadb => "information_schema.SYSTEM_VARIABLES",
        Dialect::Mysql => "performance_schema.variables_info",
        Dialect::WithoutGtid => return None,
    };
    // What `mysqld-auto.cnf` holds is another table's word: whoever sets a value afterwards hides it in the first.
    let (all, persisted) = match dialect {
        Dialect::Mysql => (
            "i.*, p.variable_value as persisted_value",
            " i left join performance_schema.persisted_variables p using (variable_name)",
        ),
        _ => ("*", ""),
    };
    let names = quoted(names);
    let sql = format!("select {all} from {view}{persisted} where variable_name in ({names}) limit {VARIABLES_MAX}");
    let statement = Statement { id: StatementId::TuningDetails, sql: sql.into(), cap_bytes: CAP_BYTES };
    Some(probe::request(node.database.as_ref()?, deadline_ms, Repeat::Always, statement))
}

/// What a run reads of one setting of a server whose family is known.
pub fn requests_of_setting(node: &Node, deadline_ms: u64, dialect: Dialect, name: &str) -> Vec<Request> {
    let value = values_of(node, deadline_ms, std::iter::once(name));
    value.into_iter().chain(details_of(node, deadline_ms, dialect, std::iter::once(name))).collect()
}

/// Names of the catalogue hold no quotes.
fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// What the replies of a server say.
pub(in crate::wire) fn read(answers: &Answers, complaints: &mut Complaints) -> ServerSettings {
    let values = Named::read(answers, StatementId::TuningValues, complaints);
    let table = answers.table(StatementId::TuningDetails);
    let details = table.as_ref().known();
    let catalogue = catalogue();
    let variables = if values.is_empty() {
        Figure::Unknown(values.absent())
    } else {
        let of = |name: &str| {
            let value = values.raw(&[name]).known()?;
            let is_its = |row: &Row<'_>| {
                row.lossy(&["variable_name"], 64).known().is_some_and(|found| found.eq_ignore_ascii_case(name))
            };
            let row = details.and_then(|table| table.rows().find(is_its));
            let mut found = variable(name, value, row);
            if name == POOL && dialect(&values).known() == Some(Dialect::Mysql) {
                found.block = found.block.or_else(|| pool_block(&values));
            }
            Some(found)
        };
        Figure::Known(catalogue.server_names().into_iter().filter_map(of).collect())
    };
    ServerSettings { dialect: dialect(&values), version: values.text(&["version"]), variables }
}

/// Of what MySQL makes its pool a multiple.
fn pool_block(values: &Named<'_>) -> Option<Clean> {
    let number = |name| values.text(&[name]).known()?.as_str().parse::<u64>().ok();
    let [chunk, instances] = POOL_PARTS.map(number);
    Some(Clean::line(&chunk?.checked_mul(instances?)?.to_string()))
}

fn variable(name: &str, value: &[u8], row: Option<Row<'_>>) -> Variable {
    let text = |names: &[&str]| row.and_then(|row| row.text(names).known());
    let origin = text(&["global_value_origin", "variable_source"]);
    let choices = row.and_then(|row| row.lossy(&["enum_value_list"], 2048).known());
    Variable {
        name: Clean::line(name),
        value: Clean::line_from_bytes(value),
        default: text(&["default_value"]).or_else(|| {
            // MySQL does not tell the default, but whether it is the value.
            let is_default = origin.as_ref().is_some_and(|origin| origin.as_str() == "COMPILED");
            is_default.then(|| Clean::line_from_bytes(value))
        }),
        minimum: text(&["numeric_min_value", "min_value"]),
        maximum: text(&["numeric_max_value", "max_value"]),
        block: text(&["numeric_block_size"]),
        choices: choices
            .map(|list| list.split(',').filter(|word| !word.is_empty()).take(CHOICES_MAX).map(Clean::line).collect())
            .unwrap_or_default(),
        is_read_only: text(&["read_only"]).map(|word| word.as_str().eq_ignore_ascii_case("YES")),
        persisted: text(&["persisted_value"]),
        is_persisted: text(&["persisted_value"]).is_some()
            || origin.as_ref().is_some_and(|origin| origin.as_str() == "PERSISTED"),
        origin,
    }
}

fn dialect(values: &Named<'_>) -> Figure<Dialect> {
    if values.has(&["gtid_slave_pos"]) {
        Figure::Known(Dialect::Mariadb)
    } else if values.has(&["gtid_executed"]) {
        Figure::Known(Dialect::Mysql)
    } else if values.is_empty() {
        Figure::Unknown(values.absent())
    } else {
        Figure::Known(Dialect::WithoutGtid)
    }
}
