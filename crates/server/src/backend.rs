//! The store as that which it is: the only place that asks which kind it is.

use core::num::NonZeroUsize;
use std::path::{self, Path};
use std::sync::Arc;

use tessera_app::{AuditTrail, EventLog, MailQueue, Store};
use tessera_http::Gauge;
use tessera_postgres::{Laggards, Migrate, Milestone, PostgresSettings, PostgresStore};
use tessera_sqlite::{SqliteSettings, SqliteStore};
use tokio::runtime::Handle;

use crate::config::{Config, Database, Events, REPLICA, Secret};
use crate::data_folder::DataFolder;
use crate::failure::Failure;
use crate::wiring::{cores, count};

mod migration;
mod progress;

use migration::StandingView;
pub(crate) use migration::{Changed, Standings};
use progress::Progress;

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
                    threads: cores(),
                    layout: config.tenant_layout,
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

    /// The tenants whose tables are not those of this version.
    pub(crate) async fn laggards(&self, most: usize) -> Result<Laggards, Failure> {
        match self {
            Self::Postgres(store) => Ok(store.laggards(most).await?),
            // They are all in the same tables.
            Self::Sqlite(_) => Ok(Laggards::default()),
        }
    }

    /// How far every schema is, or that of the tenant of that key.
    pub(crate) async fn standings(&self, tenant: Option<&str>) -> Result<Standings, Failure> {
        Ok(Standings(match self {
            Self::Postgres(store) => {
                let standings = store.standings(tenant).await?;
                standings.iter().map(StandingView::from).collect()
            }
            Self::Sqlite(store) => vec![StandingView::of_file(&store.status().await?)],
        }))
    }

    /// What [`migrate`](Self::migrate) would do.
    pub(crate) async fn steps_up(&self, tenant: Option<&str>) -> Result<Changed, Failure> {
        match self {
            Self::Postgres(store) => Ok(Changed::missing(&store.standings(tenant).await?)),
            Self::Sqlite(store) => {
                let all = store.status().await?.into_iter();
                let missing = all.filter(|status| status.applied_at.is_none());
                let missing: Vec<String> = missing.map(|status| status.name).collect();
                Ok(Changed::of_file(&missing, false))
            }
        }
    }

    /// Applies what is missing, everywhere or for the tenant of that key; answers what was.
    pub(crate) async fn migrate(
        &self,
        tenant: Option<&str>,
        jobs: NonZeroUsize,
    ) -> Result<Changed, Failure> {
        match self {
            Self::Postgres(store) => {
                let progress = Progress::default();
                let run = Migrate {
                    tenant,
                    jobs,
                    told: &|milestone| progress.show(milestone),
                };
                Ok(Changed::from(&store.migrate(&run).await?))
            }
            Self::Sqlite(store) => Ok(Changed::of_file(&store.migrate().await?, true)),
        }
    }

    /// What taking back the last `count` migrations would take back.
    pub(crate) async fn steps_down(&self, count: usize) -> Result<Changed, Failure> {
        match self {
            Self::Postgres(store) => Ok(Changed::of_steps(&store.steps_down(count).await?)),
            Self::Sqlite(store) => {
                let all = store.status().await?.into_iter().rev();
                let applied = all.filter(|status| status.applied_at.is_some());
                let applied = applied.map(|status| status.name).take(count);
                Ok(Changed::of_file(&applied.collect::<Vec<_>>(), true))
            }
        }
    }

    /// Takes back the last `count` migrations, with what is in their tables; answers which.
    pub(crate) async fn migrate_down(
        &self,
        count: usize,
        jobs: NonZeroUsize,
    ) -> Result<Changed, Failure> {
        match self {
            Self::Postgres(store) => {
                let progress = Progress::default();
                let told = |milestone: Milestone<'_>| progress.show(milestone);
                let done = store.migrate_down(count, jobs, &told).await?;
                Ok(Changed::from(&done))
            }
            Self::Sqlite(store) => Ok(Changed::of_file(&store.down(count).await?, false)),
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
