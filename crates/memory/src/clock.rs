//! A clock that is set by hand.

use core::sync::atomic::{AtomicI64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use tessera_app::Clock;
use tessera_domain::Timestamp;

/// A clock that stands still until it is told otherwise.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_micros())))
    }

    /// Makes it show `now`, be it earlier or later.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }
}

impl Default for ManualClock {
    /// A clock that shows the first moment of 2026.
    fn default() -> Self {
        Self::new(Timestamp::from_secs(1_767_225_600))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_when_it_is_told_to_and_with_all_its_handles() {
        let clock = ManualClock::default();
        let handle = clock.clone();
        let start = clock.now();
        assert_eq!(clock.now(), start);
        handle.advance(Duration::from_micros(7));
        assert_eq!(clock.now(), start + Duration::from_micros(7));
        handle.set(Timestamp::from_secs(1));
        assert_eq!(clock.now(), Timestamp::from_secs(1));
    }
}
