use core::future::ready;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A job that says when it begins, waits to be let go, and says what thread it ran on.
struct Gate {
    begun: Receiver<()>,
    open: Sender<()>,
}

fn gate() -> (Gate, impl FnOnce(&mut Arena) -> String + Send + 'static) {
    let (begins, begun) = channel();
    let (open, gate) = channel();
    let job = move |_: &mut Arena| {
        begins.send(()).unwrap();
        gate.recv().unwrap();
        thread::current().name().unwrap_or_default().to_owned()
    };
    (Gate { begun, open }, job)
}

/// Asks a future once, so that what it does at first is done.
async fn start<T>(future: &mut (impl Future<Output = T> + Unpin)) {
    tokio::select! {
        biased;
        _ = future => panic!("nothing can be done yet"),
        () = ready(()) => {}
    }
}

fn wait_until_idle(pool: &HashPool) {
    while pool.busy() + pool.depth() > 0 {
        thread::yield_now();
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let pool = HashPool::start(1, 1, 0).unwrap();
    let (working, job) = gate();
    let mut one = Box::pin(pool.run(job));
    start(&mut one).await;
    working.begun.recv().unwrap();
    let mut two = Box::pin(pool.run(|_| 2));
    start(&mut two).await;
    assert_eq!((pool.busy(), pool.depth(), pool.rejected()), (1, 1, 0));

    assert_eq!(pool.run(|_| 3).await, Err(Overloaded));
    assert_eq!((pool.busy(), pool.depth(), pool.rejected()), (1, 1, 1));

    working.open.send(()).unwrap();
    assert_eq!(one.await, Ok("hash-0".to_owned()));
    assert_eq!(two.await, Ok(2));
    assert_eq!(
        pool.run(|_| 4).await,
        Ok(4),
        "an answer means that its place is free"
    );
}

#[tokio::test]
async fn work_that_nobody_waits_for_keeps_its_place_and_is_done() {
    let pool = HashPool::start(1, 1, 0).unwrap();
    let (working, job) = gate();
    let (waiting, queued) = gate();
    let mut one = Box::pin(pool.run(job));
    start(&mut one).await;
    working.begun.recv().unwrap();
    let mut two = Box::pin(pool.run(queued));
    start(&mut two).await;

    drop(one);
    drop(two);
    assert_eq!((pool.busy(), pool.depth()), (1, 1));
    assert_eq!(pool.run(|_| ()).await, Err(Overloaded));

    working.open.send(()).unwrap();
    waiting.begun.recv().unwrap();
    assert_eq!(
        (pool.busy(), pool.depth()),
        (1, 0),
        "never more than one at a time"
    );
    waiting.open.send(()).unwrap();
    wait_until_idle(&pool);
    assert_eq!(pool.run(|_| ()).await, Ok(()));
}

#[tokio::test]
async fn as_many_jobs_as_threads_are_worked_at() {
    let pool = HashPool::start(3, 0, 0).unwrap();
    assert_eq!(pool.threads(), 3);
    let (gates, mut jobs): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| {
            let (gate, job) = gate();
            (gate, Box::pin(pool.run(job)))
        })
        .unzip();
    for job in &mut jobs {
        start(job).await;
    }
    for gate in &gates {
        gate.begun.recv().unwrap();
    }
    assert_eq!((pool.busy(), pool.depth()), (3, 0));
    assert_eq!(pool.run(|_| ()).await, Err(Overloaded));
    let mut names = Vec::new();
    for (gate, job) in gates.iter().zip(jobs) {
        gate.open.send(()).unwrap();
        names.push(job.await.unwrap());
    }
    names.sort_unstable();
    assert_eq!(names, ["hash-0", "hash-1", "hash-2"]);
}

#[tokio::test]
async fn a_job_that_panics_costs_neither_a_thread_nor_a_place() {
    let pool = HashPool::start(1, 0, 0).unwrap();
    let job = |_: &mut Arena| assert!(thread::current().name().is_none(), "on purpose");
    assert_eq!(pool.run(job).await, Err(Overloaded));
    assert_eq!(pool.run(|_| 1).await, Ok(1));
    assert_eq!(pool.rejected(), 0);
}

#[tokio::test]
async fn memory_is_used_again_and_not_kept_beyond_the_usual() {
    let pool = HashPool::start(1, 0, 8).unwrap();
    let grow =
        |count: usize| pool.run(move |arena| (arena.blocks.len(), arena.blocks(count).len()));
    assert_eq!(
        grow(8).await,
        Ok((0, 8)),
        "nothing is taken before it is needed"
    );
    assert_eq!(grow(8).await, Ok((8, 8)));
    assert_eq!(grow(4).await, Ok((8, 4)));
    assert_eq!(grow(64).await, Ok((8, 64)));
    assert_eq!(grow(8).await, Ok((8, 8)));
}

#[tokio::test]
async fn a_pool_that_is_closed_takes_nothing_and_finishes_what_waits() {
    let pool = HashPool::start(1, 1, 0).unwrap();
    let (working, job) = gate();
    let mut one = Box::pin(pool.run(job));
    start(&mut one).await;
    working.begun.recv().unwrap();
    let mut two = Box::pin(pool.run(|_| 2));
    start(&mut two).await;
    pool.close();
    assert_eq!(pool.run(|_| 3).await, Err(Overloaded));
    working.open.send(()).unwrap();
    assert_eq!(two.await, Ok(2));
}
