//! Several statements in one round trip.
//!
//! The statements of a transaction are sent one behind the other without waiting for answers.
//! Order is what makes that safe: `BEGIN` and the search path have to arrive before what relies on
//! them, and `COMMIT` last. Three things keep it.
//!
//! - Futures are polled in their order, each time: never by `tokio::join!`, which takes turns, nor
//!   by `join_all`, which loses the order of many.
//! - Every statement, `BEGIN` and `COMMIT` too, is a prepared one, and waits for the connection's
//!   statement cache before it is sent. The cache is a fair lock: while a statement is being
//!   prepared on a cold connection, those behind it wait in their order. `batch_execute` takes no
//!   turn at that lock and would overtake them, so it is never part of a pipeline.
//! - A connection belongs to one future at a time.
//!
//! A statement that fails aborts the transaction, and the `COMMIT` behind it then rolls back.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;

use diesel::pg::Pg;
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use diesel::sql_types::{Bool, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::{BoxFuture, MaybeDone, join4, maybe_done};
use tessera_domain::{Id, SchemaName, Tenant, TenantLayout};

use crate::statement::Statement;

/// Statements of which only the success counts.
pub(crate) struct Pipeline<'c> {
    connection: &'c AsyncPgConnection,
    statements: Vec<MaybeDone<BoxFuture<'c, QueryResult<usize>>>>,
}

impl<'c> Pipeline<'c> {
    /// A transaction that has yet to be sent.
    pub(crate) fn begin(connection: &'c AsyncPgConnection) -> Self {
        let mut pipeline = Self {
            connection,
            statements: Vec::new(),
        };
        pipeline.push(Statement::new(BEGIN));
        pipeline
    }

    /// Adds a statement; its values are taken over here and now.
    pub(crate) fn push<S>(&mut self, statement: S)
    where
        S: QueryFragment<Pg> + QueryId + Send,
    {
        let mut connection = self.connection;
        let sent = statement.execute(&mut connection);
        self.statements.push(maybe_done(sent));
    }

    /// From here on, names of tables are those of `tenant`, wherever its data is.
    pub(crate) fn enter(&mut self, tenant: Id<Tenant>) {
        self.push(Statement::new(ENTER_TO_WRITE).bind::<SqlUuid, _>(tenant.uuid()));
    }

    /// From here on, a statement may take that long.
    pub(crate) fn take_time(&mut self, most: Duration) {
        self.push(
            Statement::new("SELECT set_config($, $, $)")
                .bind::<Text, _>("statement_timeout")
                .bind::<Text, _>(format!("{}s", most.as_secs()))
                .bind::<Bool, _>(true),
        );
    }

    /// Waits for what was added so far, so that no number of statements makes one too long.
    pub(crate) async fn make_room(&mut self) -> QueryResult<()> {
        if self.statements.len() < LONGEST {
            return Ok(());
        }
        self.settle().await
    }

    /// Sends what was added, and waits until all of it is answered.
    pub(crate) async fn settle(&mut self) -> QueryResult<()> {
        let answers = self.run().await;
        answers.into_iter().try_for_each(|answer| answer.map(drop))
    }

    /// Sends the rest and `COMMIT`.
    pub(crate) async fn commit(mut self) -> Ended {
        self.push(Statement::new(COMMIT));
        let answers = self.run().await;
        Ended {
            over: matches!(answers.last(), Some(Ok(_))),
            answer: answers.into_iter().try_for_each(|answer| answer.map(drop)),
        }
    }

    /// Sends the rest, `writes` and `COMMIT`; answers how many rows they wrote.
    pub(crate) async fn write(
        mut self,
        writes: impl IntoIterator<Item = Statement<'_>>,
    ) -> Ended<usize> {
        let before = self.statements.len();
        for write in writes {
            self.push(write);
        }
        self.push(Statement::new(COMMIT));
        let answers = self.run().await;
        let over = matches!(answers.last(), Some(Ok(_)));
        let answer = answers.into_iter().collect::<QueryResult<Vec<usize>>>();
        Ended {
            over,
            // `COMMIT` counts nothing.
            answer: answer.map(|counts| counts.into_iter().skip(before).sum()),
        }
    }

    /// Takes back what was sent, because of `error`.
    pub(crate) async fn roll_back(mut self, error: Error) -> Ended {
        self.statements.clear();
        self.push(Statement::new("ROLLBACK"));
        Ended {
            over: self.settle().await.is_ok(),
            answer: Err(error),
        }
    }

    /// Runs SQL of several statements, by itself and after all that was added.
    pub(crate) async fn batch(&mut self, sql: &str) -> QueryResult<()> {
        use diesel_async::SimpleAsyncConnection;

        self.settle().await?;
        let mut connection = self.connection;
        connection.batch_execute(sql).await
    }

    async fn run(&mut self) -> Vec<QueryResult<usize>> {
        let mut statements = core::mem::take(&mut self.statements);
        poll_fn(|context| {
            let mut poll = Poll::Ready(());
            for statement in &mut statements {
                if Pin::new(statement).poll(context).is_pending() {
                    poll = Poll::Pending;
                }
            }
            poll
        })
        .await;
        statements
            .iter_mut()
            .filter_map(|statement| Pin::new(statement).take_output())
            .collect()
    }
}

/// How a transaction ended.
pub(crate) struct Ended<T = ()> {
    /// Whether the server said that it is over, committed or rolled back.
    pub(crate) over: bool,
    /// What came of it: the first error, in the order of the statements.
    pub(crate) answer: QueryResult<T>,
}

/// Runs `select` in a read-only transaction of `tenant`.
///
/// All of it sees the data as it is at one moment: a tenant that moves meanwhile is where it was.
pub(crate) async fn read_tenant<'c, T>(
    connection: &'c AsyncPgConnection,
    tenant: Id<Tenant>,
    select: BoxFuture<'c, QueryResult<T>>,
) -> Ended<T> {
    let (mut first, mut second, mut last) = (connection, connection, connection);
    let begin = Statement::new(BEGIN_READ).execute(&mut first);
    let enter = Statement::new(ENTER).bind::<SqlUuid, _>(tenant.uuid());
    let enter = enter.execute(&mut second);
    let commit = Statement::new(COMMIT).execute(&mut last);
    let (first, second, rows, last) = join4(begin, enter, select, commit).await;
    let over = last.is_ok();
    let answer = first.and(second).and(rows);
    let answer = answer.and_then(|rows| last.map(|_| rows));
    Ended { over, answer }
}

/// Runs `writes` in a transaction of `tenant`; answers how many rows they wrote.
pub(crate) async fn write_tenant(
    connection: &AsyncPgConnection,
    tenant: Id<Tenant>,
    writes: impl IntoIterator<Item = Statement<'_>>,
) -> Ended<usize> {
    let mut pipeline = Pipeline::begin(connection);
    pipeline.enter(tenant);
    pipeline.write(writes).await
}

/// Prepares what transactions begin and end with, so that no `BEGIN` is ever missing because it
/// could not be prepared.
pub(crate) async fn prepare(connection: &AsyncPgConnection) -> QueryResult<()> {
    let mut pipeline = Pipeline::begin(connection);
    pipeline.push(Statement::new(COMMIT));
    pipeline.push(Statement::new(BEGIN_READ));
    pipeline.commit().await.answer
}

/// The Postgres schema in which the data of a tenant is: what `tessera.place` says.
pub(crate) fn place(layout: TenantLayout, schema: &SchemaName) -> &str {
    match (layout, schema.as_str()) {
        (TenantLayout::Shared, _) => SHARED_PLACE,
        (TenantLayout::Schema, SchemaName::DEFAULT) => "tessera_public",
        (TenantLayout::Schema, other) => other,
    }
}

/// The schema of the tables that tenants share.
pub(crate) const SHARED_PLACE: &str = "tessera_shared";

/// `identifier` as SQL may name it.
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Begins a transaction that may write.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const ENTER: &str = "SELECT tessera.enter($)";
const ENTER_TO_WRITE: &str = "SELECT tessera.enter_to_write($)";
/// Ends a transaction.
pub(crate) const COMMIT: &str = "COMMIT";
const LONGEST: usize = 64;
