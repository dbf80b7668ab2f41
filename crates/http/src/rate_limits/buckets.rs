//! Where buckets are kept: those in use, and never more than a number.

use core::hash::Hash;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// The moment at which each bucket is full again. One that is full need not be kept.
///
/// The lock is held for one look-up, by the requests of one group alone. Only when there is no room
/// are all looked at: those that are full, but for a request at most, go; and if more than half
/// stay, all go. Whoever commands so many addresses that it comes to that is not limited by address,
/// and must not lock others out.
#[derive(Debug)]
pub(super) struct Buckets<K>(Mutex<HashMap<K, Nanos>>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = buckets.get_mut(key) {
            let (decided, next) = decide(Some(*full_at))?;
            *full_at = next;
            return Ok(decided);
        }
        let (decided, next) = decide(None)?;
        if buckets.len() >= CAPACITY {
            // A bucket without its first request is full again at `next`.
            buckets.retain(|_, full_at| *full_at > next);
            if buckets.len() > CAPACITY / 2 {
                buckets.clear();
            }
        }
        buckets.insert(key.clone(), next);
        Ok(decided)
    }
}

/// As many as fit into a table of 32,768 places: less than a megabyte.
const CAPACITY: usize = 28_672;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    /// A request at `now` seconds that lets its bucket be full `later` seconds after that.
    fn touch(buckets: &Buckets<usize>, key: usize, now: u64, later: u64) -> Option<Duration> {
        let full_at = Duration::from_secs(now + later);
        let seen = buckets.measure_and_replace(&key, |seen| Ok::<_, ()>((seen, full_at.into())));
        seen.unwrap().map(Duration::from)
    }

    fn len(buckets: &Buckets<usize>) -> usize {
        buckets.0.lock().unwrap().len()
    }

    #[test]
    fn those_that_are_full_again_make_room() {
        let buckets = Buckets::default();
        for key in 0..CAPACITY {
            touch(&buckets, key, 0, if key == 7 { 1_000 } else { 1 });
        }
        assert_eq!(len(&buckets), CAPACITY);
        touch(&buckets, CAPACITY, 100, 1);
        assert_eq!(len(&buckets), 2);
        assert_eq!(touch(&buckets, 7, 100, 1), Some(Duration::from_secs(1_000)));
    }

    #[test]
    fn there_are_never_more_than_a_number() {
        let buckets = Buckets::default();
        for key in 0..3 * CAPACITY {
            touch(&buckets, key, 0, 1);
            touch(&buckets, key, 0, 1_000);
            assert!(len(&buckets) <= CAPACITY);
        }
    }

    #[test]
    fn who_is_refused_changes_nothing() {
        let buckets = Buckets::default();
        touch(&buckets, 1, 0, 5);
        let refused = buckets.measure_and_replace(&1, |_| Err::<((), Nanos), _>("no"));
        assert_eq!(refused, Err("no"));
        assert_eq!(touch(&buckets, 1, 0, 6), Some(Duration::from_secs(5)));
    }
}
