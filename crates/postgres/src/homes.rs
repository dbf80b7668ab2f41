//! Connections of single threads: a question and its answer there wake no other thread.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::connect::Connector;
use crate::pool::LEFT_TO_OTHERS;
use crate::share::Share;

/// What each thread that has a runtime of its own, and asks, has of the connections.
pub(crate) struct Homes {
    most: usize,
    size: usize,
    known: RwLock<Vec<Home>>,
}

struct Home {
    /// Gone once the thread is.
    thread: Weak<Thread>,
    share: Share,
}

impl Home {
    fn is_there(&self) -> bool {
        self.thread.strong_count() > 0
    }
}

struct Thread;

thread_local! {
    static HERE: Arc<Thread> = Arc::new(Thread);
}

impl Homes {
    /// So many threads at most have so many connections each, the first ones that ask.
    pub(crate) fn new(most: usize, size: usize) -> Self {
        Self {
            most: if size == 0 { 0 } else { most },
            size,
            known: RwLock::default(),
        }
    }

    /// How many connections are theirs.
    pub(crate) fn reserved(&self) -> usize {
        self.most.saturating_mul(self.size)
    }

    /// The share of this thread, if it has one or may have one yet.
    pub(crate) fn here(&self, connector: &Connector) -> Option<Share> {
        if self.most == 0 {
            return None;
        }
        HERE.try_with(|here| self.of(here).or_else(|| self.settle(here, connector)))
            .ok()?
    }

    /// The shares of all threads that there are.
    pub(crate) fn shares(&self) -> Vec<Share> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let homes = known.iter().filter(|home| home.is_there());
        homes.map(|home| home.share.clone()).collect()
    }

    fn of(&self, thread: &Arc<Thread>) -> Option<Share> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let home = known
            .iter()
            .find(|home| Weak::as_ptr(&home.thread) == Arc::as_ptr(thread));
        home.map(|home| home.share.clone())
    }

    fn settle(&self, thread: &Arc<Thread>, connector: &Connector) -> Option<Share> {
        let runtime = Handle::try_current().ok()?;
        if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
            return None;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(Home::is_there);
        if known.len() >= self.most {
            return None;
        }
        let most = self.size - self.size / LEFT_TO_OTHERS;
        let share = Share::new(connector.at_home(), self.size, most).ok()?;
        known.push(Home {
            thread: Arc::downgrade(thread),
            share: share.clone(),
        });
        Some(share)
    }
}
