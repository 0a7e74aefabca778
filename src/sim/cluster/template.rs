//! The answers of real daemons, as the moulds of simulated ones.
//!
//! The simulation writes its figures into the captures of the test suite (`tests/captures/README.md` says how they were
//! made): columns, keys and everything that is not modelled stay exactly as HAProxy 2.6.12 and a Debian 12 kernel
//! printed them.

use std::{collections::HashMap, fmt::Write, sync::LazyLock};

pub(super) const INFO: &str = include_str!("../../../tests/captures/haproxy/2.6.12/lab.info.txt");
const STAT: &str = include_str!("../../../tests/captures/haproxy/2.6.12/lab.stat.txt");
/// Has a web server in maintenance, which the lab's capture has not.
const STAT_ACTED: &str = include_str!("../../../tests/captures/haproxy/2.6.12/operator-acted.stat.txt");
const STATE: &str = include_str!("../../../tests/captures/haproxy/2.6.12/lab.state.txt");

/// The rows of `show stat` by what they are.
pub(super) static ROWS: LazyLock<Rows> = LazyLock::new(Rows::read);

/// Which row of the capture a simulated one is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mould {
    Frontend,
    Backend,
    Server,
    /// A server in maintenance: its check columns are empty.
    Maint,
}

/// `show stat` taken apart.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) header: &'static str,
    columns: HashMap<&'static str, usize>,
    by_name: HashMap<(&'static str, &'static str), Vec<&'static str>>,
    /// The statistics page itself, which every process has.
    pub(super) page: Vec<&'static str>,
}

impl Rows {
    fn read() -> Self {
        let header = STAT.lines().next().unwrap_or_default();
        let columns =
            header.trim_start_matches("# ").split(',').enumerate().map(|(index, name)| (name, index)).collect();
        let mut rows = Self { header, columns, by_name: HashMap::new(), page: Vec::new() };
        for line in STAT.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            if let [proxy, name, ..] = fields[..] {
                if proxy == "stats" {
                    rows.page.push(line);
                }
                rows.by_name.insert((proxy, name), fields);
            }
        }
        let acted = STAT_ACTED.lines().find(|line| line.starts_with("web_cluster,web02,"));
        rows.by_name.insert(("acted", "web02"), acted.unwrap_or_default().split(',').collect());
        rows
    }

    /// A row to be filled in.
    pub(super) fn row(&self, mould: Mould, mode: &str) -> Row<'_> {
        let key = match (mould, mode) {
            (Mould::Frontend, "tcp") => ("mysql_front", "FRONTEND"),
            (Mould::Frontend, _) => ("http_front", "FRONTEND"),
            (Mould::Backend, "tcp") => ("mysql_rw", "BACKEND"),
            (Mould::Backend, _) => ("web_cluster", "BACKEND"),
            (Mould::Server, "tcp") => ("mysql_rw", "db01"),
            (Mould::Server, _) => ("web_cluster", "web01"),
            (Mould::Maint, "tcp") => ("mysql_rw", "db02"),
            (Mould::Maint, _) => ("acted", "web02"),
        };
        let fields = self.by_name.get(&key).map(|fields| fields.iter().map(|text| Field::Text(text)).collect());
        Row { columns: &self.columns, fields: fields.unwrap_or_default() }
    }
}

#[derive(Debug)]
enum Field<'a> {
    Text(&'a str),
    Number(u64),
    Owned(String),
}

/// One row of `show stat` under construction.
#[derive(Debug)]
pub(super) struct Row<'a> {
    columns: &'a HashMap<&'static str, usize>,
    fields: Vec<Field<'a>>,
}

impl<'a> Row<'a> {
    fn field(&mut self, column: &str) -> Option<&mut Field<'a>> {
        self.columns.get(column).and_then(|index| self.fields.get_mut(*index))
    }

    /// Sets a column to a number.
    pub(super) fn number(&mut self, column: &str, value: u64) {
        if let Some(field) = self.field(column) {
            *field = Field::Number(value);
        }
    }

    /// Sets columns to numbers.
    pub(super) fn numbers(&mut self, values: &[(&str, u64)]) {
        for (column, value) in values {
            self.number(column, *value);
        }
    }

    /// Sets a column to text that is known for the whole run of the program, or lives as long as the row.
    pub(super) fn text(&mut self, column: &str, value: &'a str) {
        if let Some(field) = self.field(column) {
            *field = Field::Text(value);
        }
    }

    /// Sets a column to text made for it.
    pub(super) fn owned(&mut self, column: &str, value: String) {
        if let Some(field) = self.field(column) {
            *field = Field::Owned(value);
        }
    }

    /// Appends the row as a line.
    pub(super) fn write(&self, text: &mut String) {
        for (index, field) in self.fields.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            match field {
                Field::Text(value) => text.push_str(value),
                Field::Owned(value) => text.push_str(value),
                Field::Number(value) => {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "{value}");
                }
            }
        }
        text.push('\n');
    }
}

/// The first two lines of `show servers state`: the version of the format, and the header.
pub(super) fn state_head() -> impl Iterator<Item = &'static str> {
    STATE.lines().take(2)
}
