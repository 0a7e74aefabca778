//! Columns that fall away by declared rank when the terminal is narrow, and keep their places otherwise.

use super::canvas::{Canvas, line_width};
use crate::app::{
    layout::Area,
    meaning::{Meaning, Span},
};

/// Where the text stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// A column of a table. `K` names it to the one who fills the cells.
#[derive(Debug, Clone)]
pub(super) struct Column<K> {
    pub(super) key: K,
    pub(super) title: String,
    pub(super) width: u16,
    pub(super) align: Align,
    /// 0 is never left out; the largest goes first.
    pub(super) rank: u8,
    /// How much of the spare width it takes.
    pub(super) grow: u16,
}

impl<K> Column<K> {
    /// Text, from the left.
    pub(super) fn left(key: K, title: &str, width: u16, rank: u8) -> Self {
        Self { key, title: title.to_owned(), width, align: Align::Left, rank, grow: 0 }
    }

    /// Figures, to the right.
    pub(super) fn right(key: K, title: &str, width: u16, rank: u8) -> Self {
        Self { align: Align::Right, ..Self::left(key, title, width, rank) }
    }

    /// Takes a share of the width that is left over.
    pub(super) fn growing(mut self, share: u16) -> Self {
        self.grow = share;
        self
    }
}

/// A column with its place.
#[derive(Debug, Clone)]
pub(super) struct Placed<K> {
    pub(super) key: K,
    pub(super) title: String,
    pub(super) x: u16,
    pub(super) width: u16,
    pub(super) align: Align,
}

/// Chooses the columns that fit into `width` and gives them their places.
pub(super) fn fit<K: Copy>(columns: Vec<Column<K>>, width: u16, gap: u16) -> Vec<Placed<K>> {
    let mut chosen = columns;
    loop {
        let needed: u16 = chosen.iter().map(|column| column.width + gap).sum::<u16>().saturating_sub(gap);
        if needed <= width {
            break;
        }
        let last = chosen.iter().map(|column| column.rank).max().unwrap_or(0);
        if last == 0 {
            break;
        }
        // Of equal rank the rightmost goes first.
        if let Some(place) = chosen.iter().rposition(|column| column.rank == last) {
            chosen.remove(place);
        }
    }
    let needed: u16 = chosen.iter().map(|column| column.width + gap).sum::<u16>().saturating_sub(gap);
    let shares: u16 = chosen.iter().map(|column| column.grow).sum();
    let spare = width.saturating_sub(needed);
    let mut x = 0;
    let mut placed = Vec::with_capacity(chosen.len());
    for column in chosen {
        let extra = (spare * column.grow).checked_div(shares).unwrap_or(0);
        let wide = (column.width + extra).min(width.saturating_sub(x));
        placed.push(Placed { key: column.key, title: column.title, x, width: wide, align: column.align });
        x = (x + wide).saturating_add(gap).min(width);
    }
    placed
}

impl Canvas<'_> {
    /// Draws the column heads.
    pub(super) fn heads<K>(&mut self, area: Area, columns: &[Placed<K>]) {
        if area.height == 0 {
            return;
        }
        for column in columns {
            let title = [Span::new(column.title.clone(), Meaning::Heading)];
            self.cell(area, column, &title);
        }
    }

    /// Draws one cell of the row at `area`.
    pub(super) fn cell<K>(&mut self, area: Area, column: &Placed<K>, line: &[Span]) {
        let x = area.x + column.x;
        match column.align {
            Align::Right if line_width(line) <= column.width => {
                self.line_right(x, area.y, column.width, line);
            }
            _ => {
                self.line(x, area.y, column.width, line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fall_away_by_rank() {
        let columns =
            || vec![Column::left('a', "A", 10, 0), Column::right('b', "B", 10, 2), Column::right('c', "C", 10, 1)];
        let keys = |width| fit(columns(), width, 1).iter().map(|placed| placed.key).collect::<String>();
        assert_eq!(keys(32), "abc");
        assert_eq!(keys(31), "ac");
        assert_eq!(keys(15), "a");
        assert_eq!(keys(0), "a");
    }

    #[test]
    fn spare_width_goes_to_growing_columns() {
        let columns = vec![Column::left('a', "A", 5, 0), Column::left('b', "B", 5, 0).growing(1)];
        let placed = fit(columns, 30, 2);
        assert_eq!((placed[1].x, placed[1].width), (7, 23));
    }
}
