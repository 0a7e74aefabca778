//! When to draw: at once after a key, soon after a report, and twice a second because ages move.

use crate::model::time::Mono;

/// Shortest time between two frames, whatever happens.
const FRAME_MS: u64 = 33;
/// Shortest time between two frames that only show new figures.
const FIGURES_MS: u64 = 250;
/// Ages and the clock move at least this often.
const AGES_MS: u64 = 500;

/// The plan of the next frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frames {
    wanted: Option<Mono>,
    drawn: Option<Mono>,
    started: Mono,
}

impl Frames {
    /// The first frame is due at once.
    pub(crate) fn new(now: Mono) -> Self {
        Self { wanted: Some(now), drawn: None, started: now }
    }

    /// The operator did something: a frame without delay.
    pub(crate) fn want_now(&mut self, now: Mono) {
        self.want(now.max(self.drawn.map_or(now, |drawn| drawn.plus_ms(FRAME_MS))));
    }

    /// Figures moved: a frame soon.
    pub(crate) fn want_soon(&mut self, now: Mono) {
        self.want(now.max(self.drawn.map_or(now, |drawn| drawn.plus_ms(FIGURES_MS))));
    }

    /// Time passed: a frame if ages have moved visibly.
    pub(crate) fn tick(&mut self, now: Mono) {
        if self.next(now) <= now {
            self.want(now);
        }
    }

    fn want(&mut self, at: Mono) {
        self.wanted = Some(self.wanted.map_or(at, |earlier| earlier.min(at)));
    }

    /// Whether a frame is due.
    pub(crate) fn due(&self, now: Mono) -> bool {
        self.wanted.is_some_and(|at| at <= now)
    }

    /// A frame was drawn.
    pub(crate) fn drawn(&mut self, now: Mono) {
        self.wanted = None;
        self.drawn = Some(now);
    }

    /// When the next frame will be wanted at the latest. Ages move on whole half seconds since the start, so that
    /// ten frames do not each start a timer of their own.
    pub(crate) fn next(&self, now: Mono) -> Mono {
        let shown = self.drawn.unwrap_or(now);
        let ages = self.started.plus_ms((shown.since_ms(self.started) / AGES_MS + 1) * AGES_MS);
        self.wanted.map_or(ages, |at| at.min(ages))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_draw_at_once_and_figures_at_most_four_times_a_second() {
        let mut frames = Frames::new(Mono(1000));
        assert!(frames.due(Mono(1000)));
        frames.drawn(Mono(1000));
        assert!(!frames.due(Mono(1000)));
        frames.want_soon(Mono(1010));
        assert!(!frames.due(Mono(1200)));
        assert!(frames.due(Mono(1250)));
        frames.want_now(Mono(1100));
        assert!(frames.due(Mono(1100)));
        frames.drawn(Mono(1100));
        assert_eq!(frames.next(Mono(1100)), Mono(1500));
        frames.tick(Mono(1499));
        assert!(!frames.due(Mono(1499)));
        frames.tick(Mono(1500));
        assert!(frames.due(Mono(1500)));
    }
}
