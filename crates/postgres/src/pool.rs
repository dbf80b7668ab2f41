//! Connections on loan, and what becomes of one whose borrower was dropped.

use core::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Object, PoolError, QueueMode, TimeoutType, Timeouts};
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use tessera_app::{CommitError, Unavailable};
use tokio::time::timeout;

use crate::connect::{Connector, State};
use crate::error::{is_elsewhere, is_read_only, refusal};
use crate::pipeline::Ended;
use crate::turns::{Queue, Turn, Turns};

/// A bounded number of connections.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: managed::Pool<Connector>,
    /// As many as connections.
    turns: Turns,
}

impl Pool {
    /// A pool of at most `size` connections, none of which is made yet.
    pub(crate) fn new(connector: Connector, size: usize) -> Result<Self, managed::BuildError> {
        let size = size.max(1);
        let connections = managed::Pool::builder(connector)
            .max_size(size)
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                create: Some(CREATE),
                recycle: Some(RECYCLE),
                wait: Some(PATIENCE),
            })
            .build()?;
        let turns = Turns::new(size);
        Ok(Self { connections, turns })
    }

    /// A connection, within two seconds or not at all; not at once only where others have them all, or
    /// the machine is busy. Then it comes when it is the turn of `queue`.
    pub(crate) async fn lease(&self, queue: &Queue) -> Result<Lease, Unavailable> {
        let lent = async {
            let turn = self.turns.take(queue).await;
            Ok((self.connection().await?, turn))
        };
        let (mut connection, turn) = timeout(PATIENCE, lent)
            .await
            .map_err(|_| Unavailable::new("no connection to Postgres within the time allowed"))?
            .map_err(cause)?;
        connection.state = State::Lent;
        Ok(Lease {
            connection,
            pool: self.clone(),
            _turn: turn,
        })
    }

    /// A server that has connections and is slow to make another one is asked again: by then one
    /// may be free.
    async fn connection(&self) -> Result<Object<Connector>, PoolError<Unavailable>> {
        loop {
            match self.connections.get().await {
                Err(PoolError::Timeout(TimeoutType::Create)) if self.status().size > 0 => {}
                answer => return answer,
            }
        }
    }

    /// Closes the connections that nobody uses: after a fail-over they lead to the old primary.
    pub(crate) fn forget_idle(&self) {
        self.connections.retain(|_, _| false);
        self.connector().forget_spares();
    }

    /// Who makes the connections.
    pub(crate) fn connector(&self) -> &Connector {
        self.connections.manager()
    }

    /// How many connections there are, and how many wait for one.
    pub(crate) fn status(&self) -> PoolStatus {
        let status = self.connections.status();
        PoolStatus {
            max_size: status.max_size,
            size: status.size,
            available: status.available,
            waiting: self.turns.waiting(),
        }
    }
}

/// The connections at a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolStatus {
    /// How many there may be.
    pub max_size: usize,
    /// How many there are.
    pub size: usize,
    /// How many of them nobody uses.
    pub available: usize,
    /// How many callers wait for one.
    pub waiting: usize,
}

/// One connection, until this is dropped.
///
/// Dropped before [`settle`](Self::settle), in the middle of something, it rolls back what may be
/// open: the `ROLLBACK` is handed to the connection's driver here and now, behind all that was
/// sent and before the pool has the connection back. The next borrower waits until that is
/// answered, or gets another one.
pub(crate) struct Lease {
    connection: Object<Connector>,
    pool: Pool,
    /// It ends after the pool has the connection back.
    _turn: Turn,
}

impl Lease {
    /// The connection, for statements that are transactions of their own.
    pub(crate) fn connection(&self) -> &AsyncPgConnection {
        &self.connection.postgres
    }

    /// The connection, for a transaction.
    pub(crate) fn transaction(&mut self) -> &AsyncPgConnection {
        self.connection.state = State::Transaction;
        &self.connection.postgres
    }

    /// The answer to a statement that was a transaction of its own.
    pub(crate) fn answer<T>(self, answer: QueryResult<T>) -> Result<T, Unavailable> {
        let over = true;
        self.end_read(Ended { over, answer })
    }

    /// The end of a transaction that only read.
    pub(crate) fn end_read<T>(mut self, ended: Ended<T>) -> Result<T, Unavailable> {
        match ended.answer {
            Ok(rows) => {
                self.connection.state = State::Idle;
                Ok(rows)
            }
            Err(error) if ended.over && is_elsewhere(&error) => {
                self.connection.state = State::Idle;
                Err(Unavailable::new(error))
            }
            Err(error) => {
                self.give_up(is_read_only(&error));
                Err(Unavailable::new(error))
            }
        }
    }

    /// The end of a transaction that wrote. To be refused is an answer like others, after which
    /// the connection is as good as before, if the server said that the transaction is over.
    pub(crate) fn end_write(mut self, ended: Ended) -> Result<(), CommitError> {
        let Err(error) = ended.answer else {
            self.connection.state = State::Idle;
            return Ok(());
        };
        let (read_only, elsewhere) = (is_read_only(&error), is_elsewhere(&error));
        let refused = refusal(error);
        if ended.over && (elsewhere || !matches!(refused, CommitError::Unavailable(_))) {
            self.connection.state = State::Idle;
        } else {
            self.give_up(read_only);
        }
        Err(refused)
    }

    fn give_up(&mut self, read_only: bool) {
        self.connection.state = State::Broken;
        if read_only {
            self.pool.forget_idle();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match self.connection.state {
            State::Broken | State::Idle | State::Unsettled => {}
            State::Lent => self.connection.state = State::Unsettled,
            State::Transaction => {
                let mut postgres = &self.connection.postgres;
                // Polled once it is on its way; nobody waits for the answer.
                let _answer = postgres.batch_execute("ROLLBACK").now_or_never();
                self.connection.state = State::Unsettled;
            }
        }
    }
}

fn cause(error: PoolError<Unavailable>) -> Unavailable {
    match error {
        PoolError::Backend(cause) => cause,
        other @ (PoolError::Closed
        | PoolError::NoRuntimeSpecified
        | PoolError::PostCreateHook(_)
        | PoolError::Timeout(_)) => Unavailable::new(other),
    }
}

/// A server that says nothing is taken for gone after that time.
const CREATE: Duration = Duration::from_millis(800);
const PATIENCE: Duration = Duration::from_secs(2);
const RECYCLE: Duration = Duration::from_millis(100);
