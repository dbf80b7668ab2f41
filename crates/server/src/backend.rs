//! The store as that which it is: the only place that asks which kind it is.

use core::num::NonZeroUsize;
use std::io::{self, IsTerminal, Write};
use std::path::{self, Path};
use std::sync::Arc;

use serde::Serialize;
use tessera_app::{AuditTrail, EventLog, MailQueue, Store};
use tessera_domain::SchemaName;
use tessera_http::Gauge;
use tessera_postgres::{Migrate, PostgresSettings, PostgresStore, Step};
use tessera_sqlite::{MigrationStatus, SqliteSettings, SqliteStore};
use tokio::runtime::Handle;

use crate::config::{Config, Database, Events, REPLICA, Secret};
use crate::data_folder::DataFolder;
use crate::failure::Failure;
use crate::wiring::count;

/// A store, and what only its kind can do.
#[derive(Clone)]
pub(crate) enum Backend {
    Postgres(PostgresStore),
    Sqlite(Arc<SqliteStore>),
}

impl Backend {
    /// Opens the store that the settings name. A file is opened at once, Postgres when it is used.
    pub(crate) fn open(config: &Config, runtime: &Handle) -> Result<Self, Failure> {
        match &config.database {
            Database::Postgres { url, name, replica } => {
                let settings = |url: &Secret| PostgresSettings {
                    url: url.as_str().to_owned(),
                    pool_size: config.db_pool,
                    runtime: runtime.clone(),
                };
                let store = PostgresStore::new(settings(url));
                let store = store.map_err(|error| Failure::Misused(format!("{name}: {error}")))?;
                let Some(replica) = replica else {
                    return Ok(Self::Postgres(store));
                };
                let store = store.with_replica(settings(replica));
                store
                    .map(Self::Postgres)
                    .map_err(|error| Failure::Misused(format!("{REPLICA}: {error}")))
            }
            Database::Sqlite { path, name } => {
                has_folder(path, name, &config.data_dir)?;
                DataFolder::open(&config.data_dir)?;
                let store = SqliteStore::open(SqliteSettings::new(path));
                let store = store.map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
                Ok(Self::Sqlite(Arc::new(store)))
            }
        }
    }

    /// The store as the use cases know it.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Postgres(store) => Arc::new(store.clone()),
            Self::Sqlite(store) => store.clone(),
        }
    }

    /// Its event log.
    pub(crate) fn log(&self) -> Arc<dyn EventLog> {
        match self {
            Self::Postgres(store) => Arc::new(store.clone()),
            Self::Sqlite(store) => store.clone(),
        }
    }

    /// Its audit trail.
    pub(crate) fn audit(&self) -> Arc<dyn AuditTrail> {
        match self {
            Self::Postgres(store) => Arc::new(store.clone()),
            Self::Sqlite(store) => store.clone(),
        }
    }

    /// Its mails.
    pub(crate) fn mails(&self) -> Arc<dyn MailQueue> {
        match self {
            Self::Postgres(store) => Arc::new(store.clone()),
            Self::Sqlite(store) => store.clone(),
        }
    }

    /// Whether it is part of this process, so that the process looks after it.
    pub(crate) fn is_embedded(&self) -> bool {
        match self {
            Self::Postgres(_) => false,
            Self::Sqlite(_) => true,
        }
    }

    /// Brings an embedded store up to this version; others are migrated when somebody says so.
    ///
    /// In one that is new, what happens from now on is for the publishers that are configured.
    pub(crate) async fn migrate_embedded(&self, events: &Events) -> Result<(), Failure> {
        match self {
            Self::Postgres(_) => Ok(()),
            Self::Sqlite(store) => {
                let applied = store.migrate().await?;
                if !applied.is_empty() {
                    tracing::info!(count = applied.len(), "migrated the database");
                    self.enrol(events).await?;
                }
                Ok(())
            }
        }
    }

    /// Makes the publishers known to the log, which are told from then on.
    pub(crate) async fn enrol(&self, events: &Events) -> Result<(), Failure> {
        for destination in &events.destinations {
            self.log().enrol(destination.name()).await?;
        }
        Ok(())
    }

    /// How many tenants lack migrations that the others have.
    pub(crate) async fn lagging_tenants(&self) -> Result<usize, Failure> {
        match self {
            Self::Postgres(store) => Ok(store.lagging_tenants().await?),
            // They are all in the same tables.
            Self::Sqlite(_) => Ok(0),
        }
    }

    /// Every migration there is, and whether it is applied.
    pub(crate) async fn migrations(&self) -> Result<Vec<MigrationView>, Failure> {
        match self {
            Self::Postgres(store) => {
                let steps = store.migrations().await?;
                Ok(steps.iter().map(MigrationView::from).collect())
            }
            Self::Sqlite(store) => {
                let all = store.status().await?;
                Ok(all.iter().map(MigrationView::from).collect())
            }
        }
    }

    /// Applies what is missing, everywhere or for one tenant; answers what was.
    pub(crate) async fn migrate(
        &self,
        tenant: Option<&SchemaName>,
        jobs: NonZeroUsize,
    ) -> Result<Vec<MigrationView>, Failure> {
        match self {
            Self::Postgres(store) => {
                let progress = Progress::default();
                let run = Migrate {
                    tenant,
                    jobs,
                    progress: &|step| progress.show(step),
                };
                let steps = store.migrate(&run).await?;
                Ok(steps.iter().map(MigrationView::from).collect())
            }
            Self::Sqlite(store) => {
                let names = store.migrate().await?;
                Ok(names
                    .iter()
                    .map(|name| MigrationView::of_file(name, true))
                    .collect())
            }
        }
    }

    /// What taking back the last `count` migrations would take back.
    pub(crate) async fn steps_down(&self, count: usize) -> Result<Vec<MigrationView>, Failure> {
        match self {
            Self::Postgres(store) => {
                let steps = store.steps_down(count).await?;
                Ok(steps.iter().map(MigrationView::from).collect())
            }
            Self::Sqlite(_) => {
                let mut applied = self.migrations().await?;
                applied.retain(|migration| migration.applied);
                applied.reverse();
                applied.truncate(count);
                Ok(applied)
            }
        }
    }

    /// Takes back the last `count` migrations, with what is in their tables; answers which.
    pub(crate) async fn migrate_down(&self, count: usize) -> Result<Vec<MigrationView>, Failure> {
        match self {
            Self::Postgres(store) => {
                let progress = Progress::default();
                let steps = store
                    .migrate_down(count, &|step| progress.show(step))
                    .await?;
                Ok(steps.iter().map(MigrationView::from).collect())
            }
            Self::Sqlite(store) => {
                let names = store.down(count).await?;
                Ok(names
                    .iter()
                    .map(|name| MigrationView::of_file(name, false))
                    .collect())
            }
        }
    }

    /// What can be seen of it from outside.
    pub(crate) fn gauges(&self) -> Vec<Gauge> {
        match self {
            Self::Postgres(store) => pool_gauges(store),
            Self::Sqlite(_) => Vec::new(),
        }
    }

    /// Lets go of it; blocks until what was begun is done.
    pub(crate) fn close(&self) {
        match self {
            Self::Postgres(_) => {}
            Self::Sqlite(store) => store.close(),
        }
    }
}

/// Refuses a file in a folder that is not there, unless it is the one that is made for it.
fn has_folder(path: &Path, name: &str, data_dir: &Path) -> Result<(), Failure> {
    let absolute = |path: &Path| path::absolute(path).map_err(|error| Failure::because(&error));
    let file = absolute(path)?;
    let folder = file.parent().unwrap_or(&file);
    if folder.is_dir() || folder == absolute(data_dir)? {
        return Ok(());
    }
    let folder = folder.display();
    Err(Failure::Misused(format!(
        "{name} names a file in {folder}, which is no folder"
    )))
}

/// A migration, as commands show it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct MigrationView {
    schema: String,
    version: i32,
    name: String,
    pub(crate) applied: bool,
}

impl MigrationView {
    pub(crate) const COLUMNS: [&str; 4] = ["schema", "version", "name", "applied"];

    /// A migration of the one file, whose names begin with their number.
    fn of_file(name: &str, applied: bool) -> Self {
        let (version, bare) = name.split_once('_').unwrap_or(("", name));
        Self {
            schema: "main".to_owned(),
            version: version.parse().unwrap_or(0),
            name: bare.to_owned(),
            applied,
        }
    }
}

impl From<&MigrationStatus> for MigrationView {
    fn from(status: &MigrationStatus) -> Self {
        Self::of_file(&status.name, status.applied_at.is_some())
    }
}

impl From<&Step> for MigrationView {
    fn from(step: &Step) -> Self {
        Self {
            schema: step.schema.clone(),
            version: step.version,
            name: step.name.to_owned(),
            applied: step.applied,
        }
    }
}

/// Shows on a terminal how far migrations are.
#[derive(Default)]
struct Progress(core::sync::atomic::AtomicUsize);

impl Progress {
    fn show(&self, step: &Step) {
        let done = self.0.fetch_add(1, core::sync::atomic::Ordering::Relaxed) + 1;
        let mut terminal = io::stderr();
        if terminal.is_terminal() {
            // A terminal that is gone has nobody to tell.
            let _ = write!(
                terminal,
                "\r{done} done: {} {}\u{1b}[K",
                step.schema, step.name
            );
            let _ = terminal.flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if *self.0.get_mut() > 0 && io::stderr().is_terminal() {
            eprintln!();
        }
    }
}

fn pool_gauges(store: &PostgresStore) -> Vec<Gauge> {
    let help = "Connections to Postgres.";
    let gauge = |state, read: fn(&PostgresStore) -> usize| {
        let store = store.clone();
        Gauge {
            name: "tessera_db_connections",
            help,
            labels: vec![("state", state)],
            read: Box::new(move || count(read(&store))),
        }
    };
    let mut gauges = vec![
        gauge("available", |store| store.pool_status().available),
        gauge("most", |store| store.pool_status().max_size),
        gauge("open", |store| store.pool_status().size),
        gauge("waited_for", |store| store.pool_status().waiting),
    ];
    if store.asks_replica().is_some() {
        let store = store.clone();
        gauges.push(Gauge {
            name: "tessera_db_replica_used",
            help: "1 while the replica is asked, 0 while it is left alone.",
            labels: Vec::new(),
            read: Box::new(move || count(store.asks_replica().map_or(0, usize::from))),
        });
    }
    gauges
}
