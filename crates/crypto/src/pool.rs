//! The threads that hash: so many, each with memory of its own, and so many jobs that wait.
//!
//! A job holds its place from the moment it is accepted until its work is done, whoever waits for
//! it. Nothing is ever queued beyond the limit: what does not fit is refused at once.

use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use argon2::Block;
use tessera_app::Overloaded;
use tokio::sync::oneshot;

/// A bounded pool of threads, and what can be seen of it from outside.
pub struct HashPool {
    state: Mutex<State>,
    ready: Condvar,
    threads: usize,
    queue: usize,
    rejected: AtomicU64,
    usual_blocks: usize,
}

impl HashPool {
    /// Starts `threads` threads named `hash-0` and so on, before which at most `queue` jobs wait;
    /// between two jobs each keeps as many as `usual_blocks` of memory.
    pub(crate) fn start(
        threads: usize,
        queue: usize,
        usual_blocks: usize,
    ) -> io::Result<Arc<Self>> {
        let pool = Arc::new(Self {
            state: Mutex::new(State::default()),
            ready: Condvar::new(),
            threads: threads.max(1),
            queue,
            rejected: AtomicU64::new(0),
            usual_blocks,
        });
        for number in 0..pool.threads {
            let of = Arc::clone(&pool);
            let started = thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || of.work());
            if let Err(error) = started {
                pool.close();
                return Err(error);
            }
        }
        Ok(pool)
    }

    /// How many jobs wait for a thread.
    pub fn depth(&self) -> usize {
        self.state().waiting.len()
    }

    /// How many jobs a thread works at.
    pub fn busy(&self) -> usize {
        self.state().busy
    }

    /// How many jobs were refused since the start.
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// What `work` gives, done by the next thread that is free.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Arena) -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(move |arena, place| {
            let outcome = work(arena);
            drop(place);
            // Nobody may be left to hear it.
            drop(reply.send(outcome));
        }))?;
        answer.await.map_err(|_| Overloaded)
    }

    /// Lets the threads end once nothing waits any more.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.ready.notify_all();
    }

    fn submit(&self, job: Job) -> Result<(), Overloaded> {
        let mut state = self.state();
        if state.closed || state.waiting.len() + state.busy >= self.threads + self.queue {
            drop(state);
            self.rejected.fetch_add(1, Ordering::Relaxed);
            return Err(Overloaded);
        }
        state.waiting.push_back(job);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    fn work(&self) {
        yield_to_requests();
        let mut arena = Arena::default();
        while let Some((job, place)) = self.next(&mut arena) {
            // A job that panics drops its reply, which its caller sees; the thread goes on.
            if catch_unwind(AssertUnwindSafe(|| job(&mut arena, place))).is_err() {
                arena = Arena::default();
            }
            arena.shrink(self.usual_blocks);
        }
    }

    fn next(&self, arena: &mut Arena) -> Option<(Job, Place<'_>)> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                state.busy += 1;
                return Some((job, Place(self)));
            }
            if state.closed {
                return None;
            }
            let idle = self.ready.wait_timeout(state, IDLE);
            let timed_out;
            (state, timed_out) = idle.unwrap_or_else(PoisonError::into_inner);
            if timed_out.timed_out() && state.waiting.is_empty() {
                arena.shrink(0);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The memory that one thread hashes in.
#[derive(Default)]
pub(crate) struct Arena {
    blocks: Vec<Block>,
}

impl Arena {
    /// `count` blocks of 1 KiB with whatever was in them.
    pub(crate) fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.blocks.len() < count {
            self.remake(count);
        }
        self.blocks.get_mut(..count).unwrap_or_default()
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.blocks.len()
    }

    fn shrink(&mut self, count: usize) {
        if self.blocks.len() > count {
            self.remake(count);
        }
    }

    /// Gives the memory back before it asks for other: the old content need not be copied.
    fn remake(&mut self, count: usize) {
        self.blocks = Vec::new();
        if count > 0 {
            self.blocks.reserve_exact(count.max(MAPPED));
            self.blocks.resize(count, Block::new());
        }
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    busy: usize,
    closed: bool,
}

type Job = Box<dyn FnOnce(&mut Arena, Place<'_>) + Send>;

/// The place of the job that a thread works at, given back when dropped.
pub(crate) struct Place<'p>(&'p HashPool);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state().busy -= 1;
    }
}

/// Lets threads that answer requests run first: hashing takes what they leave.
fn yield_to_requests() {
    // On Linux a nice value belongs to a thread.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "hashing threads keep their priority");
    }
}

#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// So many blocks are above the size from which glibc always maps memory of its own (32 MiB), and
/// gives it back when it is freed; in the heap they would leave holes that nothing fits into. What
/// is not touched is not resident.
const MAPPED: usize = 33 * 1024;

/// How long a thread without work keeps its memory.
const IDLE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
