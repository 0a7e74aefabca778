//! How long to wait before the next attempt: doubling, with jitter, capped.

use std::time::Duration;

/// The waits of one connection, in milliseconds.
#[derive(Debug)]
pub(super) struct Backoff {
    min: u64,
    max: u64,
    next: u64,
}

impl Backoff {
    pub(super) fn new(min_ms: u64, max_ms: u64) -> Self {
        let min_ms = min_ms.max(1);
        Self { min: min_ms, max: max_ms.max(min_ms), next: min_ms }
    }

    /// Begins anew after a success.
    pub(super) fn reset(&mut self) {
        self.next = self.min;
    }

    /// The next wait: between half and all of a span that doubles each time. `spent` is how long the failed attempt
    /// took; it counts, because an attempt that waited for its own deadline has already left the server in peace.
    pub(super) fn wait(&mut self, spent: Duration) -> Duration {
        let span = self.next;
        self.next = span.saturating_mul(2).min(self.max);
        let jittered = span / 2 + fastrand::u64(0..=span / 2);
        Duration::from_millis(jittered).saturating_sub(spent).max(Duration::from_millis(self.min / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_begin_anew() {
        let mut backoff = Backoff::new(100, 3000);
        for span in [100, 200, 400, 800, 1600, 3000, 3000] {
            let wait = backoff.wait(Duration::ZERO).as_millis();
            assert!((span / 2..=span).contains(&wait), "{wait} of {span}");
        }
        backoff.reset();
        assert!(backoff.wait(Duration::ZERO).as_millis() <= 100);
    }

    #[test]
    fn an_attempt_that_took_long_counts_as_waiting() {
        let mut backoff = Backoff::new(200, 3000);
        assert_eq!(backoff.wait(Duration::from_secs(4)), Duration::from_millis(100));
    }
}
