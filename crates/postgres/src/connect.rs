//! How a connection is made, and when it is too old or too damaged to be used again.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::try_join;
use tessera_app::Unavailable;
use tokio::runtime::Handle;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Mutex, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, NoTls, Socket};

use crate::hosts::Hosts;
use crate::pipeline;
use crate::regulars::Regulars;
use crate::url::Target;

/// Makes connections and judges those that come back.
///
/// A connection is made, and later driven, on the runtime given at the start, as that of a request may
/// end before the connection does; or on that of the thread that alone has it. An attempt outlives
/// the one who asked for it, so that a server that answers slowly is reached by those who ask again:
/// they wait for the same attempt, so that there is never more than one.
pub(crate) struct Connector {
    target: Arc<Target>,
    /// That of whoever asks, where none is named.
    runtime: Option<Handle>,
    made: Arc<AtomicU32>,
    /// Of a slot of the pool.
    attempt: Mutex<Option<Attempt>>,
}

/// A connection that is being made, or was made for somebody who does not wait any more.
type Attempt = oneshot::Receiver<Result<Connection, Unavailable>>;

impl Connector {
    /// A connector to `target`.
    pub(crate) fn new(target: Target, runtime: Handle) -> Self {
        Self {
            target: Arc::new(target),
            runtime: Some(runtime),
            made: Arc::default(),
            attempt: Mutex::default(),
        }
    }

    /// The same for another slot.
    pub(crate) fn again(&self) -> Self {
        Self {
            target: self.target(),
            runtime: self.runtime.clone(),
            made: Arc::clone(&self.made),
            attempt: Mutex::default(),
        }
    }

    /// The same for a single thread: connections are driven on its runtime.
    pub(crate) fn at_home(&self) -> Self {
        Self {
            runtime: None,
            ..self.again()
        }
    }

    /// Where connections lead.
    pub(crate) fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target)
    }

    /// A new connection, which is of no slot.
    pub(crate) async fn connect(&self) -> Result<Connection, Unavailable> {
        self.begin().await.map_err(Unavailable::new)?
    }

    /// Closes the one that came too late for whoever asked.
    pub(crate) fn forget_late(&self) {
        // One that is waited for is new.
        if let Ok(mut attempt) = self.attempt.try_lock() {
            *attempt = None;
        }
    }

    fn begin(&self) -> Attempt {
        let (asked, answer) = oneshot::channel();
        let target = Arc::clone(&self.target);
        let stagger = STAGGER * (self.made.fetch_add(1, Ordering::Relaxed) % 16);
        let runtime = self.runtime.clone().unwrap_or_else(Handle::current);
        runtime.spawn(async move {
            let made = timeout(CONNECT, open(&target, MAX_AGE + stagger))
                .await
                .unwrap_or_else(|_| Err(Unavailable::new("Postgres does not answer")));
            // Nobody may wait for it any more.
            let _ = asked.send(made);
        });
        answer
    }
}

impl Manager for Connector {
    type Type = Connection;
    type Error = Unavailable;

    async fn create(&self) -> Result<Connection, Unavailable> {
        let mut attempt = self.attempt.lock().await;
        match attempt.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Ok(Ok(late))) if !late.driver.is_finished() => {
                *attempt = None;
                return Ok(late);
            }
            Some(Err(TryRecvError::Empty)) => {}
            Some(Ok(_) | Err(TryRecvError::Closed)) | None => *attempt = None,
        }
        let made = attempt.get_or_insert_with(|| self.begin()).await;
        *attempt = None;
        made.map_err(Unavailable::new)?
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        metrics: &Metrics,
    ) -> RecycleResult<Unavailable> {
        if connection.driver.is_finished() {
            return Err(RecycleError::message("closed"));
        }
        // Each backend keeps a catalogue cache of every tenant it met.
        if metrics.age() > connection.lifetime {
            return Err(RecycleError::message("old"));
        }
        if connection.regulars.are_of_the_past() {
            return Err(RecycleError::message("made for other tenants"));
        }
        match connection.state {
            State::Idle => Ok(()),
            State::Unsettled => {
                let mut postgres = &connection.postgres;
                postgres
                    .batch_execute("")
                    .await
                    .map_err(|error| RecycleError::Backend(Unavailable::new(error)))
            }
            State::Broken | State::Lent | State::Transaction => {
                Err(RecycleError::message("broken"))
            }
        }
    }
}

/// A connection and what is known of it.
pub(crate) struct Connection {
    /// To Postgres.
    pub(crate) postgres: AsyncPgConnection,
    /// What it was left in.
    pub(crate) state: State,
    /// Whom it has plans for.
    pub(crate) regulars: Regulars,
    driver: AbortHandle,
    lifetime: Duration,
}

/// What a connection was left in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// It is not to be used again.
    Broken,
    /// Everything that was sent is answered.
    Idle,
    /// Somebody uses it.
    Lent,
    /// Somebody uses it for a transaction.
    Transaction,
    /// Its borrower left in the middle; what was sent last has no answer yet.
    Unsettled,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // What is still asked for would keep the connection open, beside the one in its place.
        if self.state != State::Idle {
            self.driver.abort();
        }
    }
}

async fn open(target: &Target, lifetime: Duration) -> Result<Connection, Unavailable> {
    match &target.tls {
        Some(tls) => open_with(target, tls.clone(), lifetime).await,
        None => open_with(target, NoTls, lifetime).await,
    }
}

async fn open_with<T>(
    target: &Target,
    tls: T,
    lifetime: Duration,
) -> Result<Connection, Unavailable>
where
    T: MakeTlsConnect<Socket> + Clone,
    T::Stream: Send + 'static,
{
    let hosts = &target.hosts;
    hosts
        .first(|host| open_on(hosts, host, tls.clone(), lifetime))
        .await
}

async fn open_on<T>(
    hosts: &Hosts,
    host: &Config,
    tls: T,
    lifetime: Duration,
) -> Result<Connection, Unavailable>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = host.connect(tls).await.map_err(Unavailable::new)?;
    // Runs until the client is dropped, or the server goes.
    let driver = Handle::current()
        .spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to Postgres ended");
            }
        })
        .abort_handle();
    hosts.admit(&client).await?;
    let postgres = AsyncPgConnection::try_from(client)
        .await
        .map_err(Unavailable::new)?;
    let mut settings = &postgres;
    try_join(
        settings.batch_execute(SETTINGS),
        pipeline::prepare(&postgres),
    )
    .await
    .map_err(Unavailable::new)?;
    Ok(Connection {
        postgres,
        state: State::Idle,
        regulars: Regulars::default(),
        driver,
        lifetime,
    })
}

const CONNECT: Duration = Duration::from_secs(2);
const MAX_AGE: Duration = Duration::from_mins(10);
/// What keeps connections that were made together from being replaced together.
const STAGGER: Duration = Duration::from_secs(10);
/// An answered commit outlives a crash, also where the server is set up to be faster than that;
/// where it is set up to be safer, it stays so. A backend whose client is gone ends what it does, also
/// while it waits for a lock; Postgres knows how from 14 on.
const SETTINGS: &str = "\
    SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') = 'off'; \
    SELECT set_config(name, '500', false) FROM pg_settings \
    WHERE name = 'client_connection_check_interval' AND setting = '0'";

#[cfg(test)]
mod tests {
    use diesel_async::RunQueryDsl;

    use crate::server::Database;
    use crate::turns::Line;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_statement_sees_what_was_committed_whatever_the_default_of_the_database_is() {
        let database = Database::migrated().await;
        let admin = database.admin().await;
        let serializable = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I \
            SET default_transaction_isolation = serializable', current_database()); END $$";
        admin.batch_execute(serializable).await.unwrap();
        let store = database.store(1);
        let lease = store.pool.lease(&Line::Service).await.unwrap();
        let isolation = diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>(
            "current_setting('transaction_isolation')",
        ));
        let isolation: String = isolation.get_result(&mut lease.connection()).await.unwrap();
        assert_eq!(isolation, "read committed");
    }
}
