//! The lock that slows down guessing at one account.
//!
//! ```text
//!            wrong, fewer than `free` before          wrong
//!            ┌────────┐                       ┌──────────────────┐
//!            ▼        │                       │                  ▼
//!  right   ┌────────────┐  the `free`th wrong │             ┌──────────┐
//! ────────▶│    open    │─────────────────────┴────────────▶│  locked  │──┐ any verdict:
//! forgets  └────────────┘◀──────────────────────────────────└──────────┘◀─┘ refused, not counted
//!            the lock ends by itself; the next is twice as long
//! ```
//!
//! A lock touches log in alone: live sessions, refresh and reset go on. It ends by itself, and the
//! count is forgotten by a right password or after a day without a wrong one. A verdict reached
//! while the account is locked does not count and does not prolong the lock, so that a stranger
//! cannot keep the owner out for longer than the lock he found.

use core::time::Duration;

use crate::Timestamp;

/// How often the wrong password was given of late, and what follows from it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lockout {
    /// Wrong passwords since the last right one.
    pub failures: u32,
    /// When the last of them was given.
    pub last_failure: Option<Timestamp>,
    /// When the lock ends.
    pub until: Option<Timestamp>,
}

impl Lockout {
    /// Whether log in is refused at the moment.
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// What a wrong password makes of it.
    #[must_use]
    pub fn fail(&self, now: Timestamp, policy: &LockoutPolicy) -> Self {
        let forgotten = self
            .last_failure
            .is_none_or(|last| now >= last + policy.forget_after);
        let failures = if forgotten {
            1
        } else {
            self.failures.saturating_add(1)
        };
        Self {
            failures,
            last_failure: Some(now),
            until: policy.lock_after(failures).map(|lock| now + lock),
        }
    }
}

/// How many wrong passwords are free, and how long the locks after them last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LockoutPolicy {
    /// The number of wrong passwords that causes the first lock; none switches locks off.
    pub free: Option<u32>,
    /// How long the first lock lasts; each further one lasts twice as long.
    pub first: Duration,
    /// How long a lock lasts at most.
    pub longest: Duration,
    /// After how long without a wrong password the count is forgotten.
    pub forget_after: Duration,
}

impl LockoutPolicy {
    fn lock_after(&self, failures: u32) -> Option<Duration> {
        let beyond = failures.checked_sub(self.free?)?;
        let factor = 1_u32.checked_shl(beyond).unwrap_or(u32::MAX);
        Some(self.first.saturating_mul(factor).min(self.longest))
    }
}

impl Default for LockoutPolicy {
    /// Five free, then 30 s doubling to an hour: some 35 guesses on the first day, 24 after.
    fn default() -> Self {
        Self {
            free: Some(5),
            first: Duration::from_secs(30),
            longest: Duration::from_hours(1),
            forget_after: Duration::from_hours(24),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: LockoutPolicy = LockoutPolicy {
        free: Some(3),
        first: Duration::from_secs(10),
        longest: Duration::from_secs(35),
        forget_after: Duration::from_secs(1_000),
    };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_lock_grows_and_ends_by_itself() {
        let mut lockout = Lockout::default();
        let mut now = at(0);
        for expected in [None, None, Some(10), Some(20), Some(35), Some(35)] {
            lockout = lockout.fail(now, &POLICY);
            let lock = lockout.until.map(|until| until.since(now).as_secs());
            assert_eq!(lock, expected);
            now = lockout.until.unwrap_or(now);
            assert!(!lockout.is_locked(now));
        }
    }

    #[test]
    fn a_quiet_day_forgets_the_count() {
        let lockout = Lockout::default().fail(at(0), &POLICY).fail(at(1), &POLICY);
        assert_eq!(lockout.fail(at(1_000), &POLICY).failures, 3);
        assert_eq!(lockout.fail(at(1_001), &POLICY).failures, 1);
    }

    proptest! {
        #[test]
        fn in_any_hour_the_guesses_that_count_are_few(gaps in prop::collection::vec(0_u64..90, 1..400)) {
            let policy = LockoutPolicy::default();
            let (mut lockout, mut now, mut counted) = (Lockout::default(), at(0), 0_u32);
            for gap in gaps {
                now = now + Duration::from_secs(gap);
                if now >= at(3_600) {
                    break;
                }
                if !lockout.is_locked(now) {
                    lockout = lockout.fail(now, &policy);
                    counted += 1;
                }
                prop_assert!(lockout.until.is_none_or(|until| until <= now + policy.longest));
            }
            prop_assert!(counted <= 12, "{counted} guesses");
        }
    }
}
