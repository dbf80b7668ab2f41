//! The threads that read, each with a connection and its prepared statements.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use diesel::prelude::*;
use tessera_app::Unavailable;
use tokio::sync::oneshot;

use crate::queue::{Lost, Queue};

/// The way to the readers' threads.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Queue<Task>>);

type Task = Box<dyn FnOnce(&mut SqliteConnection) + Send>;

impl Readers {
    pub(crate) fn start(
        connections: Vec<SqliteConnection>,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let readers = Self(Arc::new(Queue::new(CAPACITY)));
        let threads = (1..)
            .zip(connections)
            .map(|(number, conn)| readers.start_one(number, conn))
            .collect::<io::Result<_>>();
        if threads.is_err() {
            readers.close();
        }
        Ok((readers, threads?))
    }

    fn start_one(&self, number: usize, mut conn: SqliteConnection) -> io::Result<JoinHandle<()>> {
        let tasks = Arc::clone(&self.0);
        let name = format!("sqlite-reader-{number}");
        thread::Builder::new().name(name).spawn(move || {
            while let Some(task) = tasks.pop() {
                // The panic was told already; the thread and its connection serve others.
                let _ = catch_unwind(AssertUnwindSafe(|| task(&mut conn)));
            }
        })
    }

    /// Does `read` on a thread that is free, unless nobody waits for it by then.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (tell, told) = oneshot::channel();
        let task: Task = Box::new(move |conn| {
            if !tell.is_closed() {
                let _ = tell.send(read(conn));
            }
        });
        self.0.push(task).await.map_err(Unavailable::new)?;
        let outcome = told.await.map_err(|_| Unavailable::new(Lost))?;
        outcome.map_err(Unavailable::new)
    }

    /// Lets nothing more in; the threads end when they have done what waits.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

const CAPACITY: usize = 4096;
