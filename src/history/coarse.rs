//! The same figures in coarser steps, for hours instead of minutes. What reaches further back than the samples of each
//! poll do is the largest of a step, so that no peak is lost.
//!
//! The memory is taken at once, with the first row: what runs for days takes no more than what runs for a minute.

use super::series::{Spare, empty, forget, known, write_rows};
use crate::model::time::Mono;
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, ops::Range, sync::Arc};

/// Length of a step in milliseconds and how many steps are kept: 72 minutes, four hours.
pub const STEPS: [(u64, usize); 2] = [(10_000, 432), (60_000, 240)];
/// Bytes that a figure takes in both.
pub const BYTES_PER_FIGURE: usize = (STEPS[0].1 + STEPS[1].1) * size_of::<f32>();

/// Figures side by side, in every step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Coarse {
    tiers: Vec<Tier>,
}

/// One length of step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Written")]
struct Tier {
    step_ms: u64,
    /// Rows that are kept.
    rows_max: usize,
    /// Number of the newest row's step since the start of the clock.
    newest: u64,
    /// Oldest first; the newest still grows. Not a number is a gap; a row may be shorter than the newest. Copies share
    /// them.
    #[serde(serialize_with = "write_rows")]
    rows: VecDeque<Arc<Vec<f32>>>,
    /// Rows of no use yet.
    #[serde(skip)]
    spare: Spare,
}

/// How a tier is written down: gaps as nothing.
#[derive(Deserialize)]
struct Written {
    step_ms: u64,
    rows_max: usize,
    newest: u64,
    rows: Vec<Vec<Option<f32>>>,
}

impl PartialEq for Tier {
    fn eq(&self, other: &Self) -> bool {
        let rows = |tier: &Self| -> Vec<Vec<Option<f32>>> {
            tier.rows.iter().map(|row| row.iter().map(|value| known(*value)).collect()).collect()
        };
        (self.step_ms, self.newest) == (other.step_ms, other.newest) && rows(self) == rows(other)
    }
}

impl Coarse {
    /// Takes the figures of one poll.
    pub fn push(&mut self, figures: &[Option<f32>], at: Mono) {
        if self.tiers.is_empty() {
            // Not by a copy: that of an empty row has no room.
            self.tiers = Vec::from(STEPS.map(|(step_ms, rows)| Tier::new(step_ms, rows, figures.len())));
        }
        for tier in &mut self.tiers {
            tier.push(figures, at);
        }
    }

    /// Makes the figures at these places unknown in every row: they will stand for something else.
    pub fn blank(&mut self, places: &Range<usize>) {
        self.tiers.iter_mut().flat_map(|tier| &mut tier.rows).for_each(|row| forget(row, places));
    }

    /// The largest sample of that place from `from` to before `to`, in the finest step that reaches so far back; `None`
    /// when there is none.
    pub fn largest(&self, place: usize, from: Mono, to: Mono) -> Option<f32> {
        let tier = self.tiers.iter().find(|tier| tier.reaches(from)).or(self.tiers.last())?;
        tier.largest(place, from, to)
    }
}

impl Tier {
    fn new(step_ms: u64, rows_max: usize, width: usize) -> Self {
        let mut spare = Spare::default();
        spare.widen(rows_max, width);
        Self { step_ms, rows_max, newest: 0, rows: VecDeque::with_capacity(rows_max), spare }
    }

    fn push(&mut self, figures: &[Option<f32>], at: Mono) {
        let step = at.0 / self.step_ms.max(1);
        let missed = if self.rows.is_empty() { 1 } else { step.saturating_sub(self.newest) };
        for _ in 0..missed.min(self.rows_max as u64) {
            let oldest = if self.rows.len() >= self.rows_max { self.rows.pop_front() } else { self.spare.take() };
            self.rows.push_back(empty(oldest, self.spare.width()));
        }
        self.newest = step.max(self.newest);
        let Some(row) = self.rows.back_mut().map(Arc::make_mut) else { return };
        if row.len() < figures.len() {
            row.resize(figures.len(), f32::NAN);
        }
        for (kept, figure) in row.iter_mut().zip(figures) {
            if let Some(value) = figure.filter(|value| value.is_finite()) {
                // The larger of two; what is not a number gives way.
                *kept = kept.max(value);
            }
        }
    }

    /// The step of the oldest row.
    fn oldest(&self) -> u64 {
        self.newest.saturating_sub(self.rows.len().saturating_sub(1) as u64)
    }

    /// Whether its rows go back to that moment.
    fn reaches(&self, from: Mono) -> bool {
        !self.rows.is_empty() && self.oldest() <= from.0 / self.step_ms.max(1)
    }

    fn largest(&self, place: usize, from: Mono, to: Mono) -> Option<f32> {
        let step_ms = self.step_ms.max(1);
        let (first, last) = (from.0 / step_ms, to.0.saturating_sub(1).max(from.0) / step_ms);
        let steps = first.max(self.oldest())..=last.min(self.newest);
        let samples = steps.filter_map(|step| {
            let row = self.rows.get(usize::try_from(step - self.oldest()).ok()?)?;
            row.get(place).copied().and_then(known)
        });
        samples.reduce(f32::max)
    }
}

impl From<Written> for Tier {
    fn from(written: Written) -> Self {
        // What is read from a file keeps the bounds of this program.
        let rows_max = written.rows_max.min(STEPS.map(|(_, rows)| rows).into_iter().max().unwrap_or(0));
        let width = written.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut tier = Self::new(written.step_ms.max(1), rows_max, width);
        let beyond = written.rows.len().saturating_sub(rows_max);
        for row in written.rows.into_iter().skip(beyond) {
            let mut kept = empty(tier.spare.take(), width);
            Arc::make_mut(&mut kept)
                .extend(row.into_iter().map(|value| value.filter(|value| value.is_finite()).unwrap_or(f32::NAN)));
            tier.rows.push_back(kept);
        }
        tier.newest = written.newest;
        tier
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn filled(seconds: u64) -> Coarse {
        let mut coarse = Coarse::default();
        for second in 0..seconds {
            coarse.push(&[Some(second as f32), (second % 2 == 0).then_some(1.0)], Mono(second * 1_000));
        }
        coarse
    }

    #[test]
    fn a_step_keeps_its_largest_sample_and_a_missing_step_is_a_gap() {
        let mut coarse = filled(25);
        coarse.push(&[Some(7.0)], Mono(55_000));
        let at = |from_s: u64, to_s: u64| coarse.largest(0, Mono(from_s * 1_000), Mono(to_s * 1_000));
        assert_eq!(at(0, 10), Some(9.0));
        assert_eq!(at(10, 30), Some(24.0));
        assert_eq!(at(30, 50), None, "nothing was polled then");
        assert_eq!(at(50, 60), Some(7.0));
        assert_eq!(at(60, 90), None);
    }

    #[test]
    fn what_is_older_than_the_fine_steps_comes_from_the_coarse_ones() {
        let hours = 3 * 3_600;
        let coarse = filled(hours);
        let at = |from_s: u64, to_s: u64| coarse.largest(0, Mono(from_s * 1_000), Mono(to_s * 1_000));
        assert_eq!(at(hours - 20, hours - 10), Some((hours - 11) as f32), "ten seconds");
        assert_eq!(at(0, 60), Some(59.0), "a minute, three hours ago");
        let five = filled(5 * 3_600);
        assert_eq!(five.largest(0, Mono(0), Mono(60_000)), None, "beyond four hours nothing is kept");
    }

    /// The bar for a console that runs for an hour and more: nothing grows after the first row.
    #[test]
    fn the_memory_is_taken_with_the_first_row() {
        let room = |coarse: &Coarse| -> usize {
            let rows = |tier: &Tier| -> usize {
                let kept = tier.rows.iter().chain(tier.spare.rows());
                kept.map(|row| row.capacity() * size_of::<f32>() + size_of::<Vec<f32>>()).sum()
            };
            coarse.tiers.iter().map(rows).sum()
        };
        let (first, later) = (filled(1), filled(5 * 3_600));
        assert_eq!(room(&first), room(&later));
        let rows = STEPS[0].1 + STEPS[1].1;
        // A small vector may take a little more room than it is asked for.
        assert!(room(&first) <= rows * (24 + 4 * size_of::<f32>()), "{}", room(&first));
        assert_eq!(BYTES_PER_FIGURE, 2_688);
    }

    #[test]
    fn a_copy_shares_its_rows_and_stays_as_it_was() {
        let mut coarse = filled(3_600);
        let copy = coarse.clone();
        let rows = |coarse: &Coarse| coarse.tiers.iter().flat_map(|tier| tier.rows.clone()).collect::<Vec<_>>();
        assert!(rows(&coarse).iter().zip(rows(&copy)).all(|(row, shared)| Arc::ptr_eq(row, &shared)));
        coarse.push(&[Some(9_999.0), None], Mono(3_599_500));
        coarse.blank(&(1..2));
        let largest = |coarse: &Coarse, place| coarse.largest(place, Mono(0), Mono(3_600_000));
        assert_eq!((largest(&copy, 0), largest(&copy, 1)), (Some(3_599.0), Some(1.0)));
        assert_eq!((largest(&coarse, 0), largest(&coarse, 1)), (Some(9_999.0), None));
    }

    #[test]
    fn a_place_that_is_given_away_forgets_its_past() {
        let mut coarse = filled(30);
        coarse.blank(&(0..1));
        assert_eq!(coarse.largest(0, Mono(0), Mono(30_000)), None);
        assert_eq!(coarse.largest(1, Mono(0), Mono(30_000)), Some(1.0));
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_survives_being_written_down(
            polls in prop::collection::vec((0..200_000u64, prop::option::of(-1e6_f32..1e6)), 0..400)
        ) {
            let mut coarse = Coarse::default();
            let mut at = 0;
            for (pause_ms, value) in polls {
                at += pause_ms;
                coarse.push(&[value], Mono(at));
                for (tier, (_, rows)) in coarse.tiers.iter().zip(STEPS) {
                    prop_assert!(tier.rows.len() <= rows && tier.rows.len() + tier.spare.rows().len() == rows);
                }
            }
            let back: Coarse = serde_json::from_str(&serde_json::to_string(&coarse).unwrap()).unwrap();
            prop_assert_eq!(back, coarse);
        }
    }
}
