//! A fixed ring of polls, each with the figures of many things side by side. A missing sample is a gap, never a zero.
//!
//! [`Ring`] keeps one row per poll, so that a poll of a thousand servers writes one stretch of memory and not a
//! thousand places; [`Series`] is the view of one figure over time.

use crate::model::time::Mono;
use serde::{Deserialize, Serialize, Serializer};
use std::{collections::VecDeque, sync::Arc};

/// How many samples a series keeps: ten minutes at one a second.
pub const SAMPLES_MAX: usize = 600;

/// The last [`SAMPLES_MAX`] rows. It takes 4 bytes for each figure of each row, and 56 for the row. A copy shares the rows:
/// the console is copied every few minutes for its recording, and copies of every row would scatter the program's memory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Ring {
    /// Oldest first. Not a number stands for a gap; it never leaves this module. A row may be shorter than the newest:
    /// what it lacks was not there yet.
    #[serde(serialize_with = "write_rows")]
    rows: VecDeque<Arc<Vec<f32>>>,
    /// Rows of no use yet: what runs for an hour takes no more memory than what runs for a minute, however rarely it polls.
    #[serde(skip)]
    spare: Spare,
    /// Rows ever pushed: columns of a chart are cut at multiples of it, so that they do not flicker as time goes on.
    pushed: u64,
}

/// How a ring is written down: gaps as nothing.
#[derive(Deserialize)]
struct Written {
    pushed: u64,
    rows: Vec<Vec<Option<f32>>>,
}

impl PartialEq for Ring {
    fn eq(&self, other: &Self) -> bool {
        let row = |row: &Arc<Vec<f32>>| row.iter().map(|figure| known(*figure)).collect::<Vec<_>>();
        self.pushed == other.pushed && self.rows.iter().map(row).eq(other.rows.iter().map(row))
    }
}

impl Ring {
    /// Appends a row; the oldest leaves when the ring is full. What is not finite is a gap.
    pub fn push(&mut self, figures: impl IntoIterator<Item = Option<f32>>) {
        let oldest = if self.rows.len() >= SAMPLES_MAX { self.rows.pop_front() } else { self.spare.take() };
        let mut kept = empty(oldest, 0);
        let row = Arc::make_mut(&mut kept);
        row.extend(figures.into_iter().map(|figure| figure.filter(|value| value.is_finite()).unwrap_or(f32::NAN)));
        row.shrink_to(row.len().saturating_mul(2)); // after a reload with far fewer servers
        let width = row.len();
        self.rows.push_back(kept);
        self.spare.widen(SAMPLES_MAX.saturating_sub(self.rows.len()), width);
        self.pushed = self.pushed.saturating_add(1);
    }

    /// Appends `count` rows in which nothing is known.
    pub fn push_gaps(&mut self, count: u64) {
        let visible = count.min(SAMPLES_MAX as u64);
        for _ in 0..visible {
            self.push([]);
        }
        self.pushed = self.pushed.saturating_add(count - visible);
    }

    /// The figure at that place of each row.
    pub fn series(&self, place: usize) -> Series<'_> {
        Series { rows: &self.rows, place, pushed: self.pushed }
    }

    /// Rows ever pushed.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Makes the figures at these places unknown in every row: they will stand for something else.
    pub fn blank(&mut self, places: std::ops::Range<usize>) {
        self.rows.iter_mut().for_each(|row| forget(row, &places));
    }
}

/// Rows that will be wanted, with room for figures. A copy has none: they would be shared, and no row that is shared is
/// written to.
#[derive(Debug, Default)]
pub(super) struct Spare {
    rows: Vec<Arc<Vec<f32>>>,
    /// Figures of the widest row so far: for rows that are made anew because a copy still shows the old one.
    width: usize,
}

impl Clone for Spare {
    fn clone(&self) -> Self {
        Self { rows: Vec::new(), width: self.width }
    }
}

impl Spare {
    /// Figures that a row has room for.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// One row, if there is one.
    pub(super) fn take(&mut self) -> Option<Arc<Vec<f32>>> {
        self.rows.pop()
    }

    #[cfg(test)]
    pub(super) fn rows(&self) -> &[Arc<Vec<f32>>] {
        &self.rows
    }

    /// Sees to it that `count` rows have room for `width` figures each, where none so wide was wanted before.
    pub(super) fn widen(&mut self, count: usize, width: usize) {
        if width <= self.width {
            return;
        }
        self.width = width;
        self.rows.clear();
        // Written to once: memory that was only promised is counted when it is used.
        let row = || {
            let mut row = vec![f32::NAN; width];
            row.clear();
            Arc::new(row)
        };
        self.rows = std::iter::repeat_with(row).take(count).collect();
    }
}

/// That row without figures, whose memory serves again; a new one with that room while a copy still shows the old one.
pub(super) fn empty(row: Option<Arc<Vec<f32>>>, width: usize) -> Arc<Vec<f32>> {
    let mut row = row.unwrap_or_default();
    match Arc::get_mut(&mut row) {
        Some(figures) => figures.clear(),
        None => row = Arc::default(),
    }
    if row.capacity() < width {
        Arc::make_mut(&mut row).reserve_exact(width);
    }
    row
}

/// Makes the figures at these places unknown.
pub(super) fn forget(row: &mut Arc<Vec<f32>>, places: &std::ops::Range<usize>) {
    let end = places.end.min(row.len());
    if places.start < end {
        Arc::make_mut(row)[places.start..end].fill(f32::NAN);
    }
}

/// Writes rows down as lists in which a gap is nothing, without a copy of them.
pub(super) fn write_rows<S: Serializer>(rows: &VecDeque<Arc<Vec<f32>>>, serializer: S) -> Result<S::Ok, S::Error> {
    struct Row<'a>(&'a [f32]);
    impl Serialize for Row<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().map(|figure| known(*figure)))
        }
    }
    serializer.collect_seq(rows.iter().map(|row| Row(row)))
}

impl From<Written> for Ring {
    fn from(written: Written) -> Self {
        let mut ring = Self::default();
        written.rows.into_iter().for_each(|row| ring.push(row));
        ring.pushed = ring.pushed.max(written.pushed);
        ring
    }
}

/// One figure over time, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    rows: &'a VecDeque<Arc<Vec<f32>>>,
    place: usize,
    pushed: u64,
}

impl Series<'_> {
    /// Samples kept, gaps included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no sample yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The samples, newest last; a gap is `None`.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Option<f32>> + '_ {
        self.rows.iter().map(|row| row.get(self.place).copied().and_then(known))
    }

    /// The newest sample; a gap is `None` too.
    pub fn last(&self) -> Option<f32> {
        self.rows.back()?.get(self.place).copied().and_then(known)
    }

    /// The largest known sample from `from` to before `to`, of samples that are `interval_ms` apart and end at `newest`.
    pub fn largest(&self, newest: Mono, interval_ms: u64, (from, to): (Mono, Mono)) -> Option<f32> {
        let interval_ms = interval_ms.max(1);
        // Back from the newest: the first sample before `to`, and the last one not before `from`.
        let first = (newest.0 + 1).saturating_sub(to.0).div_ceil(interval_ms);
        let last = newest.0.checked_sub(from.0)? / interval_ms;
        let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
        let length = last.checked_sub(first)? + 1;
        self.iter().rev().skip(first).take(length).flatten().reduce(f32::max)
    }

    /// The smallest known sample.
    pub fn min(&self) -> Option<f32> {
        self.iter().flatten().reduce(f32::min)
    }

    /// The largest known sample.
    pub fn max(&self) -> Option<f32> {
        self.iter().flatten().reduce(f32::max)
    }

    /// The newest `samples` samples in `width` columns, newest last. A column shows the largest of its samples, so that
    /// no peak is lost; it is `None` where none of them is known. Each column stands for the same samples until it
    /// leaves on the left: the chart moves and does not flicker.
    pub fn columns(&self, width: usize, samples: usize) -> Vec<Option<f32>> {
        let mut columns = vec![None; width];
        if width == 0 || samples == 0 {
            return columns;
        }
        let per_column = samples.div_ceil(width) as u64;
        let newest_column = self.pushed.saturating_sub(1) / per_column;
        for (back, value) in self.iter().rev().enumerate() {
            // Samples are numbered from the first one ever pushed.
            let Some(number) = self.pushed.checked_sub(back as u64 + 1) else { break };
            let columns_back = newest_column.saturating_sub(number / per_column) as usize;
            if columns_back >= width {
                break;
            }
            if let Some(value) = value {
                let column = &mut columns[width - 1 - columns_back];
                *column = Some(column.map_or(value, |largest: f32| largest.max(value)));
            }
        }
        columns
    }
}

pub(super) fn known(figure: f32) -> Option<f32> {
    (!figure.is_nan()).then_some(figure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_missing_sample_is_a_gap_and_not_a_zero() {
        let mut ring = Ring::default();
        ring.push([Some(1.0), Some(10.0)]);
        ring.push([None, Some(f32::INFINITY)]);
        ring.push([Some(3.0), Some(f32::NAN)]);
        assert_eq!(ring.series(0).iter().collect::<Vec<_>>(), [Some(1.0), None, Some(3.0)]);
        assert_eq!(ring.series(1).iter().collect::<Vec<_>>(), [Some(10.0), None, None]);
        assert_eq!((ring.series(0).min(), ring.series(0).max(), ring.series(1).last()), (Some(1.0), Some(3.0), None));
    }

    #[test]
    fn columns_keep_peaks_and_gaps_and_do_not_flicker() {
        let mut ring = Ring::default();
        for value in 1_i16..=8 {
            ring.push([(value != 4 && value != 3).then_some(f32::from(value))]);
        }
        assert_eq!(ring.series(0).columns(4, 8), [Some(2.0), None, Some(6.0), Some(8.0)]);
        ring.push([Some(9.0)]);
        assert_eq!(ring.series(0).columns(4, 8), [None, Some(6.0), Some(8.0), Some(9.0)]);
        assert_eq!(ring.series(0).columns(3, 3), [Some(7.0), Some(8.0), Some(9.0)]);
        assert_eq!(ring.series(0).columns(0, 8), []);
        assert_eq!(Ring::default().series(0).columns(2, 8), [None, None]);
    }

    #[test]
    fn a_full_ring_takes_the_bytes_it_states() {
        let mut ring = Ring::default();
        for width in [4, 40, 4, 4] {
            (0..SAMPLES_MAX).for_each(|_| ring.push(vec![Some(1.0); width]));
        }
        assert_eq!(ring.rows.len(), SAMPLES_MAX);
        assert!(ring.rows.iter().all(|row| row.capacity() <= 8));
        ring.blank(1..9);
        assert_eq!((ring.series(0).min(), ring.series(1).max()), (Some(1.0), None));
    }

    #[test]
    fn the_memory_of_a_ring_is_taken_with_its_first_figures() {
        let mut ring = Ring::default();
        ring.push_gaps(2);
        ring.push([Some(1.0), Some(2.0)]);
        let all = |ring: &Ring| ring.rows.iter().chain(ring.spare.rows()).map(|row| row.capacity()).sum::<usize>();
        let taken = all(&ring);
        assert_eq!(ring.spare.rows().iter().map(|row| row.capacity()).sum::<usize>(), (SAMPLES_MAX - 3) * 2);
        assert_eq!(ring.clone().spare.rows().len(), 0, "a copy has no use for them");
        (0..SAMPLES_MAX - 3).for_each(|_| ring.push([Some(1.0), None]));
        assert_eq!((all(&ring), ring.rows.len(), ring.spare.rows().len()), (taken, SAMPLES_MAX, 0));
    }

    #[test]
    fn a_copy_shares_the_rows_and_keeps_them_as_they_were() {
        let mut ring = Ring::default();
        (0..SAMPLES_MAX).for_each(|_| ring.push([Some(1.0), Some(2.0)]));
        let copy = ring.clone();
        assert!(ring.rows.iter().zip(&copy.rows).all(|(row, shared)| Arc::ptr_eq(row, shared)));
        (0..SAMPLES_MAX).for_each(|_| ring.push([Some(3.0)]));
        ring.blank(0..1);
        assert_eq!((copy.series(0).max(), copy.series(1).min()), (Some(1.0), Some(2.0)));
        assert_eq!((ring.series(0).max(), ring.series(1).max()), (None, None));
    }

    proptest! {
        #[test]
        fn a_ring_holds_the_newest_samples_and_survives_being_written_down(
            values in proptest::collection::vec(proptest::option::of(-1e6_f32..1e6), 0..SAMPLES_MAX * 2 + 3),
        ) {
            let mut ring = Ring::default();
            for value in &values {
                ring.push([*value]);
            }
            let expected = &values[values.len().saturating_sub(SAMPLES_MAX)..];
            prop_assert_eq!(ring.series(0).iter().collect::<Vec<_>>(), expected);
            let back: Ring = serde_json::from_str(&serde_json::to_string(&ring).unwrap()).unwrap();
            prop_assert_eq!(&back, &ring);
            prop_assert_eq!(ring.series(0).columns(SAMPLES_MAX, SAMPLES_MAX).iter().flatten().count(), expected.iter().flatten().count());
        }
    }
}
