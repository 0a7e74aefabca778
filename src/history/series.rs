//! A fixed ring of samples of a few figures that are read together. A missing sample is a gap, never a zero.
//!
//! [`Ring`] keeps `K` figures of one thing side by side, so that a poll of a thousand servers touches a thousand places
//! in memory and not four thousand; [`Series`] is the view of one of them.

use serde::{Deserialize, Serialize};

/// How many samples a series keeps: ten minutes at one a second.
pub const SAMPLES_MAX: usize = 600;

/// The last [`SAMPLES_MAX`] samples of `K` figures. It grows as it fills, to `K * 4 * SAMPLES_MAX` bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Ring<const K: usize> {
    /// Not a number stands for a gap; it never leaves this module.
    rows: Vec<[f32; K]>,
    /// Where the oldest row is, once the ring is full.
    start: usize,
    /// Rows ever pushed: columns of a chart are cut at multiples of it, so that they do not flicker as time goes on.
    pushed: u64,
}

/// How a ring is written down: oldest first, row by row, gaps as nothing.
#[derive(Serialize, Deserialize)]
struct Written {
    pushed: u64,
    figures: Vec<Option<f32>>,
}

impl<const K: usize> Default for Ring<K> {
    fn default() -> Self {
        Self { rows: Vec::new(), start: 0, pushed: 0 }
    }
}

impl<const K: usize> PartialEq for Ring<K> {
    fn eq(&self, other: &Self) -> bool {
        self.pushed == other.pushed
            && self.rows.len() == other.rows.len()
            && (0..K).all(|figure| self.series(figure).iter().eq(other.series(figure).iter()))
    }
}

impl<const K: usize> Ring<K> {
    /// Appends a sample; the oldest leaves when the ring is full. What is not finite is a gap.
    pub fn push(&mut self, figures: [Option<f32>; K]) {
        let row = figures.map(|figure| figure.filter(|value| value.is_finite()).unwrap_or(f32::NAN));
        if self.rows.len() < SAMPLES_MAX {
            self.rows.push(row);
        } else if let Some(oldest) = self.rows.get_mut(self.start) {
            *oldest = row;
            self.start = (self.start + 1) % SAMPLES_MAX;
        }
        self.pushed = self.pushed.saturating_add(1);
    }

    /// Appends `count` samples in which nothing is known.
    pub fn push_gaps(&mut self, count: u64) {
        let visible = count.min(SAMPLES_MAX as u64);
        for _ in 0..visible {
            self.push([None; K]);
        }
        self.pushed = self.pushed.saturating_add(count - visible);
    }

    /// One of the figures.
    pub fn series(&self, figure: usize) -> Series<'_> {
        debug_assert!(figure < K, "the ring has {K} figures");
        Series { figures: self.rows.as_flattened(), stride: K.max(1), figure, start: self.start, pushed: self.pushed }
    }

    /// Whether nothing at all is known of the time the ring covers.
    pub fn is_blank(&self) -> bool {
        self.rows.iter().flatten().all(|figure| figure.is_nan())
    }
}

impl<const K: usize> From<Ring<K>> for Written {
    fn from(ring: Ring<K>) -> Self {
        let (newer, older) = ring.rows.split_at(ring.start);
        let figures = older.iter().chain(newer).flatten().map(|figure| known(*figure)).collect();
        Self { pushed: ring.pushed, figures }
    }
}

impl<const K: usize> From<Written> for Ring<K> {
    fn from(written: Written) -> Self {
        let mut ring = Self::default();
        for row in written.figures.chunks_exact(K.max(1)) {
            let mut figures = [None; K];
            figures.copy_from_slice(row);
            ring.push(figures);
        }
        ring.pushed = ring.pushed.max(written.pushed);
        ring
    }
}

/// One figure over time, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    figures: &'a [f32],
    stride: usize,
    figure: usize,
    start: usize,
    pushed: u64,
}

impl Series<'_> {
    /// Samples kept, gaps included.
    pub fn len(&self) -> usize {
        self.figures.len() / self.stride
    }

    /// Whether there is no sample yet.
    pub fn is_empty(&self) -> bool {
        self.figures.is_empty()
    }

    /// The samples, newest last; a gap is `None`.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Option<f32>> + '_ {
        (0..self.len()).map(|index| self.at(index))
    }

    /// The newest sample; a gap is `None` too.
    pub fn last(&self) -> Option<f32> {
        self.at(self.len().checked_sub(1)?)
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

    /// The sample at `index`, counted from the oldest.
    fn at(&self, index: usize) -> Option<f32> {
        let row = (self.start + index) % self.len().max(1);
        known(*self.figures.get(row * self.stride + self.figure)?)
    }
}

fn known(figure: f32) -> Option<f32> {
    (!figure.is_nan()).then_some(figure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_missing_sample_is_a_gap_and_not_a_zero() {
        let mut ring = Ring::<2>::default();
        ring.push([Some(1.0), Some(10.0)]);
        ring.push([None, Some(f32::INFINITY)]);
        ring.push([Some(3.0), Some(f32::NAN)]);
        assert_eq!(ring.series(0).iter().collect::<Vec<_>>(), [Some(1.0), None, Some(3.0)]);
        assert_eq!(ring.series(1).iter().collect::<Vec<_>>(), [Some(10.0), None, None]);
        assert_eq!((ring.series(0).min(), ring.series(0).max(), ring.series(1).last()), (Some(1.0), Some(3.0), None));
    }

    #[test]
    fn columns_keep_peaks_and_gaps_and_do_not_flicker() {
        let mut ring = Ring::<1>::default();
        for value in 1_i16..=8 {
            ring.push([(value != 4 && value != 3).then_some(f32::from(value))]);
        }
        assert_eq!(ring.series(0).columns(4, 8), [Some(2.0), None, Some(6.0), Some(8.0)]);
        ring.push([Some(9.0)]);
        assert_eq!(ring.series(0).columns(4, 8), [None, Some(6.0), Some(8.0), Some(9.0)]);
        assert_eq!(ring.series(0).columns(3, 3), [Some(7.0), Some(8.0), Some(9.0)]);
        assert_eq!(ring.series(0).columns(0, 8), []);
        assert_eq!(Ring::<1>::default().series(0).columns(2, 8), [None, None]);
    }

    #[test]
    fn a_full_ring_takes_the_bytes_it_states() {
        let mut ring = Ring::<4>::default();
        for _ in 0..SAMPLES_MAX * 3 {
            ring.push([Some(1.0); 4]);
        }
        assert_eq!(size_of_val(ring.rows.as_slice()), 4 * 4 * SAMPLES_MAX);
        assert!(ring.rows.capacity() <= SAMPLES_MAX * 2);
    }

    proptest! {
        #[test]
        fn a_ring_holds_the_newest_samples_and_survives_being_written_down(
            values in proptest::collection::vec(proptest::option::of(-1e6_f32..1e6), 0..SAMPLES_MAX * 2 + 3),
        ) {
            let mut ring = Ring::<1>::default();
            values.iter().for_each(|value| ring.push([*value]));
            let expected = &values[values.len().saturating_sub(SAMPLES_MAX)..];
            prop_assert_eq!(ring.series(0).iter().collect::<Vec<_>>(), expected);
            let back: Ring<1> = serde_json::from_str(&serde_json::to_string(&ring).unwrap()).unwrap();
            prop_assert_eq!(&back, &ring);
            prop_assert_eq!(ring.series(0).columns(SAMPLES_MAX, SAMPLES_MAX).iter().flatten().count(), expected.iter().flatten().count());
        }
    }
}
