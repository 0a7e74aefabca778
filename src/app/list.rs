//! A cursor in a list whose rows come, go and change places: it stays on its row, not on its number.

use serde::{Deserialize, Serialize};

/// Where the operator is in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor<Id> {
    /// The row, once the operator has chosen one; before that the first row is meant, whatever it is.
    pub(crate) on: Option<Id>,
    /// Where the row was, for when it disappears.
    pub(crate) index: usize,
    /// First visible row.
    pub(crate) offset: usize,
}

impl<Id> Default for Cursor<Id> {
    fn default() -> Self {
        Self { on: None, index: 0, offset: 0 }
    }
}

impl<Id: PartialEq> Cursor<Id> {
    /// The row's present place among `count` rows; `is` says whether the row at a place is the wanted one.
    pub(crate) fn place(&self, count: usize, is: impl Fn(usize, &Id) -> bool) -> Option<usize> {
        if count == 0 {
            return None;
        }
        let near = self.index.min(count - 1);
        let Some(id) = &self.on else { return Some(0) };
        if is(near, id) {
            return Some(near);
        }
        Some((0..count).find(|place| is(*place, id)).unwrap_or(near))
    }

    /// Puts the cursor on a row.
    pub(crate) fn put(&mut self, id: Id, index: usize) {
        self.on = Some(id);
        self.index = index;
    }
}

/// First visible row such that `place` is visible: the stored offset, moved no further than needed.
pub(crate) fn first_visible(offset: usize, place: usize, count: usize, height: usize) -> usize {
    if height == 0 {
        return 0;
    }
    let lowest = (place + 1).saturating_sub(height);
    let offset = offset.clamp(lowest, place.max(lowest));
    offset.min(count.saturating_sub(height))
}

/// A way to move in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Motion {
    /// Down or up by rows.
    By(isize),
    /// Down or up by pages.
    Pages(isize),
    /// To the first row.
    First,
    /// To the last row.
    Last,
}

impl Motion {
    /// The place reached from `place` among `count` rows on pages of `height`.
    pub(crate) fn from(self, place: usize, count: usize, height: usize) -> usize {
        let last = count.saturating_sub(1);
        match self {
            Self::By(rows) => place.saturating_add_signed(rows).min(last),
            Self::Pages(pages) => {
                let page = isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(1);
                place.saturating_add_signed(pages.saturating_mul(page)).min(last)
            }
            Self::First => 0,
            Self::Last => last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_on_its_row_when_rows_change_places() {
        let mut cursor = Cursor::default();
        let rows = ["a", "b", "c"];
        assert_eq!(cursor.place(3, |i, id| rows[i] == *id), Some(0));
        cursor.put("b", 1);
        let rows = ["x", "y", "b", "a"];
        assert_eq!(cursor.place(4, |i, id| rows[i] == *id), Some(2));
        let rows = ["x"];
        assert_eq!(cursor.place(1, |i, id| rows[i] == *id), Some(0));
        assert_eq!(cursor.place(0, |_, _| false), None);
    }

    #[test]
    fn the_window_moves_no_further_than_needed() {
        assert_eq!(first_visible(0, 3, 10, 5), 0);
        assert_eq!(first_visible(0, 7, 10, 5), 3);
        assert_eq!(first_visible(5, 4, 10, 5), 4);
        assert_eq!(first_visible(9, 9, 10, 5), 5);
        assert_eq!(first_visible(3, 0, 0, 5), 0);
        assert_eq!(first_visible(3, 2, 4, 0), 0);
    }
}
