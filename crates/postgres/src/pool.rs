//! Connections on loan, and what becomes of one whose borrower was dropped.

use core::pin::pin;
use core::time::Duration;
use std::sync::Arc;

use deadpool::managed::{self, Object, PoolError, TimeoutType};
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use tessera_app::{CommitError, Unavailable};
use tessera_domain::Tenant;
use tokio::time::timeout;

use crate::connect::{Connector, State};
use crate::error::{is_elsewhere, is_read_only, refusal};
use crate::homes::Homes;
use crate::pipeline::Ended;
use crate::regulars::Regulars;
use crate::share::Share;
use crate::turns::{Line, Turn};

/// A bounded number of connections.
///
/// Threads that serve requests by runtimes of their own have most of them, so many each, and use the
/// rest with all others.
#[derive(Clone)]
pub(crate) struct Pool {
    common: Share,
    homes: Arc<Homes>,
}

impl Pool {
    /// A pool of at most `size` connections for that many `threads` and all others. None is made yet.
    pub(crate) fn new(
        connector: Connector,
        size: usize,
        threads: usize,
    ) -> Result<Self, managed::BuildError> {
        let size = size.max(1);
        let at_home = (size - size.div_ceil(COMMON)).checked_div(threads);
        let homes = Homes::new(threads, at_home.unwrap_or_default());
        let common = size - homes.reserved();
        // Whoever finds the connections of a thread taken by one tenant finds one here, if there are two.
        let most = common - common.div_ceil(LEFT_TO_OTHERS);
        Ok(Self {
            common: Share::new(connector, common, most.max(1))?,
            homes: Arc::new(homes),
        })
    }

    /// A connection, within two seconds or not at all; not at once only where others have them all, or
    /// the machine is busy. Then it comes when it is the turn of `line`.
    pub(crate) async fn lease(&self, line: &Line) -> Result<Lease, Unavailable> {
        let lent = async {
            let (share, mut turn) = self.turn(line).await;
            Ok((self.connection(&share, &mut turn).await?, turn))
        };
        let (mut connection, turn) = timeout(PATIENCE, lent)
            .await
            .map_err(|_| Unavailable::new("no connection to Postgres within the time allowed"))?
            .map_err(cause)?;
        connection.state = State::Lent;
        Ok(Lease {
            connection,
            pool: self.clone(),
            turn,
        })
    }

    /// A turn at the usual one of this thread's connections, or after a moment at any, also of those of
    /// all: whichever comes first.
    async fn turn(&self, line: &Line) -> (Share, Turn) {
        let common = &self.common;
        let home = match line {
            Line::Anybody | Line::Tenant(_) => self.homes.here(self.connector()),
            Line::Service => None,
        };
        let near = home.as_ref().unwrap_or(common);
        if let Some(turn) = near.usual_turn(line).await {
            return (near.clone(), turn);
        }
        let Some(home) = home else {
            return (common.clone(), common.turn(line).await);
        };
        let at_home = pin!(home.turn(line));
        let elsewhere = pin!(common.turn(line));
        // The turn that is not taken goes on to the next who waits for it.
        match select(at_home, elsewhere).await {
            Either::Left((turn, _)) => (home.clone(), turn),
            Either::Right((turn, _)) => (common.clone(), turn),
        }
    }

    /// A server that has connections and is slow to make another one is waited for longer.
    async fn connection(
        &self,
        share: &Share,
        turn: &mut Turn,
    ) -> Result<Object<Connector>, PoolError<Unavailable>> {
        loop {
            match share.connection(turn).await {
                Err(PoolError::Timeout(TimeoutType::Create)) if self.status().size > 0 => {}
                answer => return answer,
            }
        }
    }

    /// Closes the connections that nobody uses: after a fail-over they lead to the old primary.
    pub(crate) fn forget_idle(&self) {
        self.shares().for_each(|share| share.forget_idle());
    }

    /// Who makes the connections that are of no thread.
    pub(crate) fn connector(&self) -> &Connector {
        self.common.connector()
    }

    /// How many connections there are, and how many wait for one.
    pub(crate) fn status(&self) -> PoolStatus {
        let common = self.common.status();
        let all = PoolStatus {
            max_size: common.max_size + self.homes.reserved(),
            // Who waits for a connection of a thread waits here, too.
            ..common
        };
        let homes = self.homes.shares().into_iter();
        homes.fold(all, |all, home| {
            let home = home.status();
            PoolStatus {
                size: all.size + home.size,
                available: all.available + home.available,
                ..all
            }
        })
    }

    fn shares(&self) -> impl Iterator<Item = Share> {
        self.homes.shares().into_iter().chain([self.common.clone()])
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
    turn: Turn,
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

    /// Whom the connection has plans for.
    pub(crate) fn regulars(&mut self) -> &mut Regulars {
        &mut self.connection.regulars
    }

    /// Notes that a tenant came that the connection has no plans for, as it is.
    pub(crate) fn meet(&mut self, tenant: &Tenant) {
        let is_usual = self.turn.is_usual_of(&Line::Tenant(tenant.schema.clone()));
        self.connection.regulars.meet(tenant, is_usual);
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

/// One of so many connections is of no thread: work beside the requests needs one at times.
const COMMON: usize = 4;
/// One of so many is left to others than one tenant.
pub(crate) const LEFT_TO_OTHERS: usize = 4;
/// How long a connection is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
