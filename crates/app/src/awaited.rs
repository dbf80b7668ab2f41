//! Whether somebody still waits for what a use case comes to.

use core::fmt;
use std::sync::{Arc, Weak};

/// Kept by whoever waits, and dropped when they leave, or are told that it takes too long.
pub struct Waiter(Arc<dyn Fn() -> bool + Send + Sync>);

impl Waiter {
    /// One who may leave unheard: `is_there` tells, when it is asked, whether they are still there.
    pub fn new(is_there: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_there))
    }

    /// What a use case may know of them.
    pub fn awaited(&self) -> Awaited {
        Awaited(Some(Arc::downgrade(&self.0)))
    }
}

/// One who is there as long as they are kept.
impl Default for Waiter {
    fn default() -> Self {
        Self::new(|| true)
    }
}

/// Whether an answer is waited for; always, by default.
#[derive(Clone, Default)]
pub struct Awaited(Option<Weak<dyn Fn() -> bool + Send + Sync>>);

impl Awaited {
    /// Whether they left.
    pub(crate) fn is_given_up(&self) -> bool {
        self.0.as_ref().is_some_and(|waiter| {
            let is_there = waiter.upgrade();
            is_there.is_none_or(|is_there| !is_there())
        })
    }
}

impl fmt::Debug for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Awaited").finish_non_exhaustive()
    }
}
