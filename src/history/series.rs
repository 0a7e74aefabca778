//! A fixed ring of samples of one figure. A missing sample is a gap, never a zero.

/// How many samples a series keeps.
pub const SAMPLES_MAX: usize = 600;
