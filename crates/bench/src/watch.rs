//! The one place here that reads clocks.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use core::time::Duration;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// The time since it was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The CPU time that this thread has used.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
