//! The clock of the service as a limiter reads it: it never goes back.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use governor::clock;
use governor::nanos::Nanos;
use tessera_app::Clock;

/// Goes on as the clock behind it does, and from where it was when that one is set back: otherwise
/// whoever used a bucket up would wait for the old time to come again.
pub(super) struct SteadyClock {
    behind: Arc<dyn Clock>,
    /// What is added to the other's time, in microseconds.
    ahead: AtomicU64,
    /// The latest time that was told, in microseconds.
    latest: AtomicU64,
}

impl SteadyClock {
    /// Begins at the time of the clock behind it.
    pub(super) fn new(behind: Arc<dyn Clock>) -> Self {
        Self {
            behind,
            ahead: AtomicU64::new(0),
            latest: AtomicU64::new(0),
        }
    }

    /// Threads read the clock and tell its time in different orders, so a little back is no setting.
    fn micros(&self) -> u64 {
        let ahead = self.ahead.load(Ordering::Acquire);
        let read = u64::try_from(self.behind.now().as_micros()).unwrap_or(0);
        let now = read.saturating_add(ahead).min(END);
        let latest = self.latest.fetch_max(now, Ordering::AcqRel);
        let back = latest.saturating_sub(now);
        if u128::from(back) > SLACK.as_micros() {
            let moved = ahead.saturating_add(back);
            // Where another thread saw the same, it has done the same.
            let _ = self
                .ahead
                .compare_exchange(ahead, moved, Ordering::AcqRel, Ordering::Acquire);
        }
        now.max(latest)
    }
}

impl clock::Clock for SteadyClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.micros().saturating_mul(1_000))
    }
}

impl fmt::Debug for SteadyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteadyClock").finish_non_exhaustive()
    }
}

const SLACK: Duration = Duration::from_secs(1);

/// Nanoseconds up to here can be counted with, whatever somebody sets a clock to.
const END: u64 = u64::MAX / 4_000;

#[cfg(test)]
mod tests {
    use governor::clock::Clock as _;
    use tessera_domain::Timestamp;
    use tessera_memory::ManualClock;

    use super::*;

    fn steady(clock: &ManualClock) -> SteadyClock {
        SteadyClock::new(Arc::new(clock.clone()))
    }

    fn since(steady: &SteadyClock, start: Nanos) -> Duration {
        steady.now().saturating_sub(start).into()
    }

    #[test]
    fn it_goes_on_with_the_clock_behind_it() {
        let clock = ManualClock::default();
        let steady = steady(&clock);
        let start = steady.now();
        clock.advance(Duration::from_secs(7));
        assert_eq!(since(&steady, start), Duration::from_secs(7));
    }

    #[test]
    fn a_clock_that_is_set_back_goes_on_from_where_it_was() {
        let clock = ManualClock::default();
        let steady = steady(&clock);
        let start = steady.now();
        clock.set(clock.now() - Duration::from_hours(1));
        assert_eq!(steady.now(), start);
        clock.advance(Duration::from_secs(7));
        assert_eq!(since(&steady, start), Duration::from_secs(7));
    }

    #[test]
    fn a_reading_that_comes_late_turns_nothing_back_and_is_no_setting() {
        let clock = ManualClock::default();
        let steady = steady(&clock);
        let start = steady.now();
        clock.set(clock.now() - Duration::from_millis(3));
        assert_eq!(steady.now(), start);
        clock.advance(Duration::from_millis(4));
        assert_eq!(since(&steady, start), Duration::from_millis(1));
    }

    #[test]
    fn the_ends_of_time_are_times() {
        let clock = ManualClock::default();
        let steady = steady(&clock);
        for strange in [i64::MAX, i64::MIN, 0, i64::MAX] {
            clock.set(Timestamp::from_micros(strange));
            steady.now();
        }
    }
}
