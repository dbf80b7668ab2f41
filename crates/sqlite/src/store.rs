//! The store itself.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use diesel::delete;
use diesel::prelude::*;
use tessera_app::{
    CommitError, SessionHolder, Store, TenantKey, Unavailable, Unready, UserFilter, UserKey,
};
use tessera_domain::{
    Changes, Id, Installation, Key, MailedDigest, MailedToken, SchemaName, Session, Tenant,
    Timestamp, User,
};
use tokio::sync::watch;

use crate::columns::Uid;
use crate::commit::Commit;
use crate::connection::touch;
use crate::migrations::{self, MigrateError, MigrationStatus};
use crate::open::{OpenError, open};
use crate::reader::Readers;
use crate::schema::sessions;
use crate::writer::Writer;
use crate::{emptying, mailed_token, read};

/// Where the file is and how it is used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SqliteSettings {
    /// The file; it is made, for its owner alone, in a folder that exists.
    pub path: PathBuf,
    /// How many threads read.
    pub readers: NonZeroUsize,
    /// How long another process may hold the file locked before a call fails.
    pub patience: Duration,
}

impl SqliteSettings {
    /// The usual settings: a reader for each core, eight at most, and five seconds of patience.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
        let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            path: path.into(),
            readers: cores.min(MOST),
            patience: Duration::from_secs(5),
        }
    }
}

/// The store in one `SQLite` file. It answers calls until it is closed or dropped.
pub struct SqliteStore {
    path: PathBuf,
    readers: Readers,
    writer: Writer,
    threads: Mutex<Threads>,
    pub(crate) news: watch::Sender<()>,
    pub(crate) mail_news: watch::Sender<()>,
}

#[derive(Default)]
struct Threads {
    readers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the file, or makes an empty one; [`migrate`](Self::migrate) makes the tables.
    ///
    /// Blocks for as long as it takes to read a small file through.
    pub fn open(settings: SqliteSettings) -> Result<Self, OpenError> {
        let SqliteSettings {
            path,
            readers,
            patience,
        } = settings;
        let (writer, connections) = open(&path, readers.get(), patience)?;
        let failed = |source| OpenError::Io {
            path: path.clone(),
            source,
        };
        let (writer, writing) = Writer::start(writer, patience).map_err(failed)?;
        let (readers, reading) = Readers::start(connections).map_err(failed)?;
        Ok(Self {
            path,
            readers,
            writer,
            threads: Mutex::new(Threads {
                readers: reading,
                writer: Some(writing),
            }),
            news: watch::Sender::default(),
            mail_news: watch::Sender::default(),
        })
    }

    /// Applies the migrations that are missing, all or none; answers their names.
    pub async fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        self.writer.write(migrations::up).await
    }

    /// Takes back the last `count` migrations, and what was in their tables; answers their names.
    pub async fn down(&self, count: usize) -> Result<Vec<String>, MigrateError> {
        self.writer
            .write(move |conn| migrations::down(conn, count))
            .await
    }

    /// All migrations, in order, and when each was applied.
    pub async fn status(&self) -> Result<Vec<MigrationStatus>, MigrateError> {
        self.readers
            .read(|conn| Ok(migrations::status(conn)))
            .await?
    }

    /// Finishes what was begun, ends the threads, and empties the log into the file.
    ///
    /// Blocks meanwhile: for as long as what waits takes.
    pub fn close(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Threads { readers, writer } = std::mem::take(&mut *threads);
        self.readers.close();
        for reader in readers {
            // A thread that panicked has said so.
            let _ = reader.join();
        }
        self.writer.close();
        let _ = writer.map(JoinHandle::join);
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let write = move |conn: &mut _| write(conn).map_err(Unavailable::new);
        self.writer.write(write).await
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.readers.read(read).await
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, tenant: &Tenant, changes: Changes) -> Result<(), CommitError> {
        let news = [
            (!changes.events.is_empty()).then(|| self.news.clone()),
            (!changes.mails.is_empty()).then(|| self.mail_news.clone()),
        ];
        let commit = Commit::new(tenant, changes);
        let write = move |conn: &mut _| commit.write(conn).map_err(CommitError::from);
        let tell = move || {
            for news in news.into_iter().flatten() {
                news.send_replace(());
            }
        };
        self.writer.write_then(write, tell).await
    }

    async fn check(&self) -> Result<(), Unready> {
        // SQLite would go on writing to a file that was deleted.
        std::fs::metadata(&self.path).map_err(Unavailable::new)?;
        // A lock can be had on a full disk too, and a real write costs an fsync: only while writes
        // fail it is worth one.
        let failing = self.writer.is_failing();
        let look = move |conn: &mut SqliteConnection| {
            if failing {
                touch(conn)?;
            }
            migrations::is_current(conn)
        };
        match self.writer.write(look).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(MigrateError::Changed(_) | MigrateError::Newer(_)) => {
                Err(Unready::NotMigrated)
            }
            Err(MigrateError::Unavailable(why)) if why.0.to_string().contains("readonly") => {
                Err(Unready::ReadOnly)
            }
            Err(MigrateError::Unavailable(why)) => Err(why.into()),
        }
    }

    async fn installation(&self) -> Result<Option<Installation>, Unavailable> {
        self.read(read::installation).await
    }

    async fn keys(&self) -> Result<Vec<Key>, Unavailable> {
        self.read(read::keys).await
    }

    async fn mailed_token(
        &self,
        tenant: &Tenant,
        digest: &MailedDigest,
    ) -> Result<Option<MailedToken>, Unavailable> {
        let (tenant, digest) = (tenant.id, *digest);
        self.read(move |conn| mailed_token::find(conn, tenant, digest))
            .await
    }

    async fn mailed_tokens(
        &self,
        tenant: &Tenant,
        user: Id<User>,
    ) -> Result<Vec<MailedToken>, Unavailable> {
        let tenant = tenant.id;
        self.read(move |conn| mailed_token::of_user(conn, tenant, user))
            .await
    }

    async fn prune(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Unavailable> {
        let tenant = tenant.id;
        let gone = move |conn: &mut _| {
            let over = mailed_token::over(conn, tenant, now, limit)?;
            Ok((read::dead(conn, tenant, now, limit)?, over))
        };
        let (dead, over) = self.read(gone).await?;
        if dead.is_empty() && over.is_empty() {
            return Ok(0);
        }
        let remove = move |conn: &mut SqliteConnection| {
            let mut removed = mailed_token::remove_over(conn, tenant, now, over)?;
            for (id, version) in dead {
                let seen = sessions::table
                    .find((Uid::from(tenant), id))
                    .filter(sessions::version.eq(version));
                removed += delete(seen).execute(conn)?;
            }
            Ok(removed)
        };
        self.write(remove).await
    }

    async fn empty(&self, tenant: &Tenant, limit: usize) -> Result<usize, Unavailable> {
        let tenant = tenant.id;
        self.write(move |conn| emptying::empty(conn, tenant, limit))
            .await
    }

    async fn session(
        &self,
        schema: &SchemaName,
        id: Id<Session>,
    ) -> Result<Option<SessionHolder>, Unavailable> {
        let schema = schema.clone();
        self.read(move |conn| read::session(conn, &schema, id))
            .await
    }

    async fn sessions(&self, tenant: &Tenant, user: Id<User>) -> Result<Vec<Session>, Unavailable> {
        let tenant = tenant.id;
        self.read(move |conn| read::sessions(conn, tenant, user))
            .await
    }

    async fn tenant(&self, by: &TenantKey) -> Result<Option<Tenant>, Unavailable> {
        let by = by.clone();
        self.read(move |conn| read::tenant(conn, &by)).await
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, Unavailable> {
        self.read(read::tenants).await
    }

    async fn unfinished_tenants(&self) -> Result<Vec<Tenant>, Unavailable> {
        self.read(read::unfinished_tenants).await
    }

    async fn user(&self, tenant: &Tenant, by: &UserKey) -> Result<Option<User>, Unavailable> {
        let (tenant, by) = (tenant.id, by.clone());
        self.read(move |conn| read::user(conn, tenant, &by)).await
    }

    async fn users(
        &self,
        tenant: &Tenant,
        filter: &UserFilter,
        after: Option<Id<User>>,
        limit: usize,
    ) -> Result<Vec<User>, Unavailable> {
        let (tenant, filter) = (tenant.id, filter.clone());
        self.read(move |conn| read::users(conn, tenant, &filter, after, limit))
            .await
    }
}
