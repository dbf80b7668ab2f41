//! A bounded queue from async callers to the threads that hold connections.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

/// What waits for a thread. Callers wait for room, threads for work.
pub(crate) struct Queue<T> {
    line: Mutex<Line<T>>,
    work: Condvar,
    room: Semaphore,
}

struct Line<T> {
    waiting: VecDeque<T>,
    idle: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            line: Mutex::new(Line {
                waiting: VecDeque::new(),
                idle: 0,
                closed: false,
            }),
            work: Condvar::new(),
            room: Semaphore::new(capacity),
        }
    }

    /// Waits for room and queues `item`; a future that is dropped before queued nothing.
    pub(crate) async fn push(&self, item: T) -> Result<(), Closed> {
        self.room.acquire().await.map_err(|_| Closed)?.forget();
        let mut line = self.line();
        if line.closed {
            return Err(Closed);
        }
        line.waiting.push_back(item);
        let wake = line.idle > 0;
        drop(line);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Waits for an item; none once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut line = self.await_work();
        let item = line.waiting.pop_front();
        drop(line);
        self.room.add_permits(item.iter().len());
        item
    }

    /// Waits for items and takes at most `most`; none once the queue is closed and empty.
    pub(crate) fn pop_many(&self, most: usize) -> Vec<T> {
        let mut line = self.await_work();
        let taken = most.min(line.waiting.len());
        let items: Vec<T> = line.waiting.drain(..taken).collect();
        drop(line);
        self.room.add_permits(items.len());
        items
    }

    /// Lets nothing more in; what waits is still given out.
    pub(crate) fn close(&self) {
        self.room.close();
        self.line().closed = true;
        self.work.notify_all();
    }

    fn await_work(&self) -> MutexGuard<'_, Line<T>> {
        let mut line = self.line();
        while line.waiting.is_empty() && !line.closed {
            line.idle += 1;
            line = self.work.wait(line).unwrap_or_else(PoisonError::into_inner);
            line.idle -= 1;
        }
        line
    }

    /// No code of a caller runs under the lock, so a poisoned one guards nothing half-done.
    fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store was closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the store is closed")]
pub(crate) struct Closed;

/// The work was begun and panicked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the store failed at it")]
pub(crate) struct Lost;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn who_goes_away_while_waiting_for_room_queues_nothing() {
        let queue = Queue::new(1);
        queue.push(1).await.unwrap();
        let waited = timeout(Duration::ZERO, queue.push(2)).await;
        assert!(waited.is_err());
        assert_eq!(queue.pop(), Some(1));
        queue.push(3).await.unwrap();
        assert_eq!(queue.pop_many(10), [3]);
    }

    #[tokio::test]
    async fn a_closed_queue_gives_out_what_waits_and_takes_nothing() {
        let queue = Queue::new(2);
        queue.push(1).await.unwrap();
        queue.close();
        assert_eq!(queue.push(2).await, Err(Closed));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.pop(), None);
        assert!(queue.pop_many(10).is_empty());
    }
}
