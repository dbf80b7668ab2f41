//! The one thread that writes.
//!
//! It takes what waits, up to a bound, into one transaction with a savepoint for each, so that all
//! of it shares one fsync and a refusal undoes nothing but itself. Everyone is answered after the
//! commit, the refused too: what refused them was not yet sure before.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error;
use tessera_app::Unavailable;
use tokio::sync::oneshot;

use crate::connection::patiently;
use crate::queue::{Lost, Queue};

/// The way to the writer's thread.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Shared>);

struct Shared {
    tasks: Queue<Box<dyn Task>>,
    failing: AtomicBool,
}

impl Writer {
    /// Starts the thread. `patience` is how long it waits for another process that writes.
    pub(crate) fn start(
        conn: SqliteConnection,
        patience: Duration,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let shared = Arc::new(Shared {
            tasks: Queue::new(CAPACITY),
            failing: AtomicBool::new(false),
        });
        let writer = Self(Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || run(conn, &shared, patience))?;
        Ok((writer, thread))
    }

    /// Does `work` in a transaction, and answers what it answers once that is committed. What it
    /// did is undone when it answers an error. Once queued it is done, whoever still waits.
    pub(crate) async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Unavailable> + Send + 'static,
    {
        self.write_then(work, || ()).await
    }

    /// As [`write`](Self::write); calls `then` once the work is committed, whoever still waits.
    pub(crate) async fn write_then<T, E>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, E> + Send + 'static,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Unavailable> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let task = Write {
            work: Some(work),
            then,
            outcome: None,
            tell,
        };
        let queued = self.0.tasks.push(Box::new(task)).await;
        queued.map_err(Unavailable::new)?;
        told.await.map_err(|_| Unavailable::new(Lost))?
    }

    /// Whether the last transaction failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.0.failing.load(Ordering::Relaxed)
    }

    /// Lets nothing more in; the thread ends when it has done what waits.
    pub(crate) fn close(&self) {
        self.0.tasks.close();
    }
}

/// Something to write, and someone to tell.
trait Task: Send {
    /// Does it; whether it is to stay.
    fn run(&mut self, conn: &mut SqliteConnection) -> bool;

    /// Tells what came of it, or why the transaction failed.
    fn tell(self: Box<Self>, committed: Result<(), Arc<Error>>);
}

struct Write<F, N, T, E> {
    work: Option<F>,
    then: N,
    outcome: Option<Result<T, E>>,
    tell: oneshot::Sender<Result<T, E>>,
}

impl<F, N, T, E> Task for Write<F, N, T, E>
where
    F: FnOnce(&mut SqliteConnection) -> Result<T, E> + Send,
    N: FnOnce() + Send,
    T: Send,
    E: From<Unavailable> + Send,
{
    fn run(&mut self, conn: &mut SqliteConnection) -> bool {
        self.outcome = self.work.take().map(|work| work(conn));
        self.outcome.as_ref().is_some_and(Result::is_ok)
    }

    fn tell(self: Box<Self>, committed: Result<(), Arc<Error>>) {
        let outcome = match committed {
            Ok(()) => self.outcome,
            Err(error) => Some(Err(Unavailable::new(error).into())),
        };
        if matches!(outcome, Some(Ok(_))) {
            (self.then)();
        }
        if let Some(outcome) = outcome {
            // Nobody waits any more when this fails; what was done stays done.
            let _ = self.tell.send(outcome);
        }
    }
}

fn run(mut conn: SqliteConnection, shared: &Shared, patience: Duration) {
    loop {
        let mut batch = shared.tasks.pop_many(LARGEST_BATCH);
        if batch.is_empty() {
            break;
        }
        let committed = write(&mut conn, &mut batch, patience).map_err(Arc::new);
        shared.failing.store(committed.is_err(), Ordering::Relaxed);
        if let Err(error) = &committed {
            tracing::error!(%error, "nothing could be written");
        }
        for task in batch {
            task.tell(committed.clone());
        }
    }
    if let Err(error) = conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)") {
        tracing::warn!(%error, "the write-ahead log could not be emptied");
    }
}

fn write(
    conn: &mut SqliteConnection,
    batch: &mut [Box<dyn Task>],
    patience: Duration,
) -> Result<(), Error> {
    patiently(patience, || conn.batch_execute("BEGIN IMMEDIATE"))?;
    let written = batch
        .iter_mut()
        .try_for_each(|task| run_apart(conn, task.as_mut()))
        .and_then(|()| conn.batch_execute("COMMIT"));
    if written.is_err() {
        // It fails when SQLite has rolled back already; the first error is the one to tell.
        let _ = conn.batch_execute("ROLLBACK");
    }
    written
}

fn run_apart(conn: &mut SqliteConnection, task: &mut dyn Task) -> Result<(), Error> {
    conn.batch_execute("SAVEPOINT task")?;
    // A panic was told already, and undoes its own work alone.
    let stays = catch_unwind(AssertUnwindSafe(|| task.run(conn)));
    if stays.unwrap_or(false) {
        conn.batch_execute("RELEASE task")
    } else {
        conn.batch_execute("ROLLBACK TO task; RELEASE task")
    }
}

/// How many writes wait here; who comes later waits for room.
const CAPACITY: usize = 1024;
/// The most writes that one transaction takes, which bounds how long the first waits for the last.
const LARGEST_BATCH: usize = 256;

#[cfg(test)]
mod tests {
    use diesel::dsl::sql;
    use diesel::select;
    use diesel::sql_types::BigInt;

    use super::*;

    #[tokio::test]
    async fn a_panic_undoes_its_own_work_alone() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        conn.batch_execute("CREATE TABLE numbers (number)").unwrap();
        let (writer, thread) = Writer::start(conn, Duration::ZERO).unwrap();
        let insert = |conn: &mut SqliteConnection| {
            conn.batch_execute("INSERT INTO numbers VALUES (1)")
                .map_err(Unavailable::new)
        };
        let (before, panicked, after) = tokio::join!(
            writer.write(insert),
            writer.write(move |conn| {
                insert(conn)?;
                conn.batch_execute("not SQL").unwrap();
                Ok::<_, Unavailable>(())
            }),
            writer.write(insert),
        );
        assert!(before.is_ok() && panicked.is_err() && after.is_ok());
        let count = writer.write(|conn| {
            let numbers = sql::<BigInt>("(SELECT count(*) FROM numbers)");
            let count = select(numbers).get_result::<i64>(conn);
            count.map_err(Unavailable::new)
        });
        assert_eq!(count.await.unwrap(), 2);
        writer.close();
        thread.join().unwrap();
    }
}
