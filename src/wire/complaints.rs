//! A bounded list of complaints, and the one way a number is read from a node's text.

use super::probe::Complaint;
use crate::model::figure::{Figure, Unknown};
use std::{fmt::Display, str::FromStr};

/// Complaints kept of one answer; a hostile answer could raise one per byte.
const COMPLAINTS_MAX: usize = 32;

/// Collects complaints: one per subject, at most [`COMPLAINTS_MAX`], then only a count.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    list: Vec<Complaint>,
    more: usize,
}

impl Complaints {
    /// Adds a complaint unless there is one about the same subject already.
    pub(crate) fn add(&mut self, about: impl AsRef<str>, text: impl AsRef<str>) {
        // Full first: beyond the bound a complaint must cost nothing, however many there are.
        if self.list.len() >= COMPLAINTS_MAX {
            self.more += 1;
            return;
        }
        let complaint = Complaint::new(about, text);
        if self.list.iter().all(|earlier| earlier.about != complaint.about) {
            self.list.push(complaint);
        }
    }

    /// The list; the last entry says how many were left out.
    pub(crate) fn finish(mut self) -> Vec<Complaint> {
        if self.more > 0 {
            self.list.push(Complaint::new("the answer", format!("{} more complaints left out", self.more)));
        }
        self.list
    }

    /// Reads one number; what it is about is put into words only for a complaint. Empty text is missing; anything else that is no number is malformed and complained about.
    pub(crate) fn number<T: FromStr>(&mut self, about: impl Display, text: &str) -> Figure<T> {
        if text.is_empty() {
            return Figure::Unknown(Unknown::Missing);
        }
        text.parse().map_or_else(
            |_| {
                self.add(about.to_string(), format!("not a number in range: {text}"));
                Figure::Unknown(Unknown::Malformed)
            },
            Figure::Known,
        )
    }

    /// Reads a number that may have a fraction. Not a number, infinite and negative are malformed.
    pub(crate) fn fraction(&mut self, about: impl Display, text: &str) -> Figure<f64> {
        self.number::<f64>(&about, text).and_then(|value| {
            if value.is_finite() && value >= 0.0 {
                Figure::Known(value)
            } else {
                self.add(about.to_string(), format!("not a number in range: {text}"));
                Figure::Unknown(Unknown::Malformed)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_bounded_and_one_per_subject() {
        let mut complaints = Complaints::default();
        for index in 0..1000 {
            complaints.add(format!("field {}", index % 500), "odd");
        }
        let list = complaints.finish();
        assert_eq!(list.len(), COMPLAINTS_MAX + 1);
        assert!(list[COMPLAINTS_MAX].text.as_str().ends_with("more complaints left out"));
    }

    #[test]
    fn numbers_out_of_range_are_malformed_not_zero() {
        let mut complaints = Complaints::default();
        assert_eq!(complaints.number::<u64>("a", "18446744073709551615"), Figure::Known(u64::MAX));
        assert_eq!(complaints.number::<u64>("a", "18446744073709551616"), Figure::Unknown(Unknown::Malformed));
        assert_eq!(complaints.number::<u64>("b", "-1"), Figure::Unknown(Unknown::Malformed));
        assert_eq!(complaints.number::<u64>("c", ""), Figure::Unknown(Unknown::Missing));
        for odd in ["NaN", "inf", "1e999", "-0.5", "1,5"] {
            assert_eq!(complaints.fraction(odd, odd), Figure::Unknown(Unknown::Malformed), "{odd}");
        }
        assert_eq!(complaints.finish().len(), 7);
    }
}
