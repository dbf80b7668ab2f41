//! What becomes of an event that a publisher could not send.
//!
//! ```text
//!                     held (nacked, no route): waits, for ever       `rejections`-th rejection
//!             ┌────────┐                                         ┌──────────────────────────────┐
//!             ▼        │                                         │                              ▼
//! ┌────────┐ first ┌───────┐  rejected for itself: waits, counts │                         ┌────────┐
//! │ behind │──────▶│  due  │─────────────────────────────────────┘                         │ parked │
//! └────────┘       └───────┘◀────────────────────────────── retried by an operator ────────└────────┘
//! ```
//!
//! Whatever it waits for, the later events of its own aggregate wait behind it, and nothing else
//! does. A publisher that is away is none of this: then nothing was tried.

use core::time::Duration;

use crate::Timestamp;

/// How an event stands with a publisher that has come past it without sending it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// How often it was rejected for itself.
    pub rejections: u32,
    /// How often in a row it was held up by something else.
    pub holds: u32,
    /// What it waits for.
    pub standing: Standing,
}

/// What an event waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// An earlier event of its aggregate.
    Behind,
    /// The moment of its next try.
    Due(Timestamp),
    /// An operator, since that moment.
    Parked(Timestamp),
}

impl Waiting {
    /// Behind an earlier event of its aggregate.
    pub const BEHIND: Self = Self {
        rejections: 0,
        holds: 0,
        standing: Standing::Behind,
    };

    /// To be tried at once: it was in hand when its publisher went away.
    pub fn due(now: Timestamp) -> Self {
        Self {
            standing: Standing::Due(now),
            ..Self::BEHIND
        }
    }

    /// After something that is not about the event was in its way.
    #[must_use]
    pub fn held(self, now: Timestamp, policy: &RetryPolicy, jitter: u8) -> Self {
        Self {
            holds: self.holds.saturating_add(1),
            standing: Standing::Due(now + policy.wait(self.holds, jitter)),
            ..self
        }
    }

    /// After the broker rejected the event for itself.
    #[must_use]
    pub fn rejected(self, now: Timestamp, policy: &RetryPolicy, jitter: u8) -> Self {
        let rejections = self.rejections.saturating_add(1);
        let standing = if rejections >= policy.rejections {
            Standing::Parked(now)
        } else {
            Standing::Due(now + policy.wait(self.rejections, jitter))
        };
        Self {
            rejections,
            holds: 0,
            standing,
        }
    }

    /// After an operator asked for another try of a parked event; of any other nothing changes.
    #[must_use]
    pub fn retried(self, now: Timestamp) -> Self {
        match self.standing {
            Standing::Behind | Standing::Due(_) => self,
            Standing::Parked(_) => Self::due(now),
        }
    }

    /// Whether it may be tried now, if nothing of its aggregate is before it.
    pub fn is_due(&self, now: Timestamp) -> bool {
        match self.standing {
            Standing::Behind => true,
            Standing::Due(at) => at <= now,
            Standing::Parked(_) => false,
        }
    }
}

/// How long to wait before another try, and how many rejections park an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetryPolicy {
    /// How long the first wait lasts; each further one lasts twice as long.
    pub first: Duration,
    /// How long a wait lasts at most.
    pub longest: Duration,
    /// The number of rejections that parks an event.
    pub rejections: u32,
}

impl RetryPolicy {
    /// The wait after `before` earlier ones: between half and all of what doubling makes of it,
    /// as `jitter` says, so that many do not come back at one moment.
    pub fn wait(&self, before: u32, jitter: u8) -> Duration {
        let factor = 1_u32.checked_shl(before).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(factor).min(self.longest);
        let half = whole / 2;
        half + half * u32::from(jitter) / u32::from(u8::MAX)
    }
}

impl Default for RetryPolicy {
    /// A second, doubling to a minute; the fifth rejection, some 10 s after the first, parks.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_mins(1),
            rejections: 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        first: Duration::from_secs(2),
        longest: Duration::from_secs(9),
        rejections: 3,
    };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_wait_doubles_up_to_the_longest_and_jitter_shortens_it_by_half_at_most() {
        let waits = |jitter| [0, 1, 2, 3, 40].map(|before| POLICY.wait(before, jitter).as_millis());
        assert_eq!(waits(u8::MAX), [2_000, 4_000, 8_000, 9_000, 9_000]);
        assert_eq!(waits(0), [1_000, 2_000, 4_000, 4_500, 4_500]);
    }

    #[test]
    fn the_last_rejection_parks_and_a_retry_begins_anew() {
        let once = Waiting::BEHIND.rejected(at(0), &POLICY, 255);
        assert_eq!(once.standing, Standing::Due(at(2)));
        assert!(!once.is_due(at(1)) && once.is_due(at(2)));
        let twice = once.rejected(at(2), &POLICY, 255);
        let parked = twice.rejected(at(9), &POLICY, 255);
        assert_eq!(parked.standing, Standing::Parked(at(9)));
        assert!(!parked.is_due(at(1_000_000)));
        assert_eq!(parked.retried(at(20)), Waiting::due(at(20)));
        assert_eq!(once.retried(at(20)), once);
    }

    proptest! {
        #[test]
        fn holding_never_parks_and_only_as_many_rejections_in_all_do(
            steps in prop::collection::vec((any::<bool>(), any::<u8>()), 1..60)
        ) {
            let (mut waiting, mut rejections) = (Waiting::BEHIND, 0);
            for (rejected, jitter) in steps {
                waiting = if rejected {
                    rejections += 1;
                    waiting.rejected(at(0), &POLICY, jitter)
                } else {
                    waiting.held(at(0), &POLICY, jitter)
                };
                match waiting.standing {
                    Standing::Behind => prop_assert!(false, "behind nothing"),
                    Standing::Due(next) => {
                        prop_assert!(rejections < POLICY.rejections);
                        prop_assert!(next > at(0) && next <= at(0) + POLICY.longest);
                    }
                    Standing::Parked(_) => {
                        prop_assert!(rejected && rejections == POLICY.rejections);
                        break;
                    }
                }
            }
        }
    }
}
