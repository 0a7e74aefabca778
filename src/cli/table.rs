//! Plain tables for people and pipes: columns as wide as their widest cell, two spaces between, no colour.

use unicode_width::UnicodeWidthStr;

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table that is built row by row.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as text, a line break after each row, no spaces at the ends of lines.
    pub(super) fn text(&self) -> String {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| name.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let head = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut text = String::new();
        for row in std::iter::once(&head).chain(&self.rows) {
            text.push_str(self.line(row, &widths).trim_end());
            text.push('\n');
        }
        text
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (index, ((_, align), width)) in self.columns.iter().zip(widths).enumerate() {
            let cell = row.get(index).map_or("", String::as_str);
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            if index > 0 {
                line.push_str("  ");
            }
            match align {
                Align::Left => line.extend([cell, &pad]),
                Align::Right => line.extend([pad.as_str(), cell]),
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_hold_still() {
        let mut table = Table::new(&[("NODE", Align::Left), ("LOAD", Align::Right), ("PROBLEM", Align::Left)]);
        table.row(vec!["lb01".into(), "0.42".into(), String::new()]);
        table.row(vec!["kväm02".into(), "12.10".into(), "stale".into()]);
        assert_eq!(table.text(), "NODE     LOAD  PROBLEM\nlb01     0.42\nkväm02  12.10  stale\n");
    }
}
