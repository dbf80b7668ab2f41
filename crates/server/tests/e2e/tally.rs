//! A count that some threads make and another one waits for.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// How many there are so far.
#[derive(Default)]
pub(crate) struct Tally {
    count: Mutex<usize>,
    grown: Condvar,
}

impl Tally {
    pub(crate) fn add_one(&self) {
        *self.count.lock().unwrap() += 1;
        self.grown.notify_all();
    }

    pub(crate) fn count(&self) -> usize {
        *self.count.lock().unwrap()
    }

    /// Waits until there are that many; fails when there are not within 20 seconds.
    pub(crate) fn reach(&self, enough: usize, what: &str) {
        let count = self.count.lock().unwrap();
        let too_few = |count: &mut usize| *count < enough;
        let waited = self.grown.wait_timeout_while(count, PATIENCE, too_few);
        let (count, time) = waited.map(|(count, time)| (*count, time)).unwrap();
        assert!(!time.timed_out(), "only {count} of {enough}: {what}");
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
