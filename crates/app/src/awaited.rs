//! Whether somebody still waits for what a use case comes to.

use std::sync::{Arc, Weak};

use tokio::task::yield_now;

/// Kept by whoever waits, and dropped when they leave.
#[derive(Debug, Default)]
pub struct Waiter(Arc<()>);

impl Waiter {
    /// What a use case may know of them.
    pub fn awaited(&self) -> Awaited {
        Awaited(Some(Arc::downgrade(&self.0)))
    }
}

/// Whether an answer is waited for; always, by default.
#[derive(Clone, Debug, Default)]
pub struct Awaited(Option<Weak<()>>);

impl Awaited {
    /// Whether they left, as far as is known after giving way once: the answer of a store and the end of
    /// a connection may have come together, and only the former been heard of.
    pub(crate) async fn is_given_up(&self) -> bool {
        yield_now().await;
        let waiter = self.0.as_ref();
        waiter.is_some_and(|waiter| waiter.strong_count() == 0)
    }
}
