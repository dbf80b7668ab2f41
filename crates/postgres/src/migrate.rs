//! Migrations: shared tables first, then every tenant's, each step in a transaction of its own.
//!
//! A step takes the lock of its schema and then looks whether somebody else took it meanwhile, so
//! any number of runs may meet, and one that was killed is continued by the next.

use core::error::Error;
use core::num::NonZeroUsize;

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::future::FutureExt;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tessera_app::Unavailable;
use tessera_domain::SchemaName;

use crate::PostgresStore;
use crate::migration::{Migration, SHARED, SHARED_SCHEMA, TENANT, list};
use crate::pipeline::SHARED_PLACE;
use crate::schema::migrations;
use crate::worker::Worker;

/// Which migrations to run, and how.
pub struct Migrate<'a> {
    /// Only those of this tenant; the shared ones are always among them.
    pub tenant: Option<&'a SchemaName>,
    /// How many schemas are worked on at once.
    pub jobs: NonZeroUsize,
    /// Is told of each step that was taken.
    pub progress: &'a (dyn Fn(&Step) + Send + Sync),
}

/// A migration of a schema.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// The schema, as Postgres calls it.
    pub schema: String,
    /// The migration's place in the order of its kind, from 1.
    pub version: i32,
    /// What it is about.
    pub name: &'static str,
    /// Whether it is applied.
    pub applied: bool,
}

impl Step {
    pub(crate) fn of(schema: &str, migration: &Migration, applied: bool) -> Self {
        Self {
            schema: schema.to_owned(),
            version: migration.version,
            name: migration.name,
            applied,
        }
    }
}

/// Why migrations stopped. What was done before stays done.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A migration is applied, but it was another one.
    #[error("migration {version} of schema {schema} was applied from another text than this one")]
    Changed {
        /// The schema.
        schema: String,
        /// The migration.
        version: i32,
    },
    /// A migration did not go through.
    #[error("migration {version} of schema {schema} failed")]
    Failed {
        /// The schema.
        schema: String,
        /// The migration.
        version: i32,
        /// What Postgres said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There is no such tenant.
    #[error("no tenant has that schema")]
    NoTenant,
    /// Postgres cannot be reached, or does not do what it is asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl PostgresStore {
    /// Takes every step that is missing; answers which.
    pub async fn migrate(&self, run: &Migrate<'_>) -> Result<Vec<Step>, MigrateError> {
        let mut worker = self.worker().await?;
        worker.make_book().await?;
        let book = worker.book().await?;
        let mut taken = worker
            .up(
                &[SHARED_SCHEMA.to_owned(), SHARED_PLACE.to_owned()],
                &book,
                run.progress,
            )
            .await?;

        let mut schemas = worker.tenants(run.tenant).await?;
        schemas.retain(|schema| TENANT.iter().any(|step| !book.has(schema, step)));
        let share = schemas.len().div_ceil(run.jobs.get()).max(1);
        let book = &book;
        let done: Vec<Vec<Step>> = stream::iter(schemas.chunks(share))
            .map(async |schemas| self.worker().await?.up(schemas, book, run.progress).await)
            .buffered(run.jobs.get())
            .try_collect()
            .await?;
        taken.extend(done.into_iter().flatten());
        Ok(taken)
    }

    /// How many tenants lack a step, as one that a process of the version before made since.
    pub async fn lagging_tenants(&self) -> Result<usize, Unavailable> {
        let versions: Vec<i32> = TENANT.iter().map(|step| step.version).collect();
        let all = i64::try_from(versions.len()).unwrap_or(i64::MAX);
        let lagging = migrations::table
            .filter(migrations::schema.ne(SHARED_SCHEMA))
            .filter(migrations::version.eq_any(versions))
            .group_by(migrations::schema)
            .having(count_star().lt(all))
            .select(migrations::schema);
        let schemas: Vec<String> = self
            .read(|mut connection| async move { lagging.load(&mut connection).await }.boxed())
            .await?;
        Ok(schemas.len())
    }

    /// Every step there is, and whether it was taken: what `migrate` would do is what was not.
    pub async fn migrations(&self) -> Result<Vec<Step>, MigrateError> {
        let mut worker = self.worker().await?;
        let book = worker.book().await?;
        let schemas = match SHARED.first() {
            Some(first) if book.has(SHARED_SCHEMA, first) => worker.tenants(None).await?,
            Some(_) | None => Vec::new(),
        };
        let shared = [SHARED_SCHEMA.to_owned(), SHARED_PLACE.to_owned()];
        let steps = shared.iter().chain(&schemas).flat_map(|schema| {
            list(schema)
                .iter()
                .map(|migration| Step::of(schema, migration, book.has(schema, migration)))
        });
        Ok(steps.collect())
    }

    /// The steps that [`migrate_down`](Self::migrate_down) would take back, in that order.
    ///
    /// A migration of the tenants counts once, however many they are, and all of these go before
    /// the shared ones.
    pub async fn steps_down(&self, count: usize) -> Result<Vec<Step>, MigrateError> {
        let steps = self.migrations().await?;
        let levels = TENANT.iter().rev().map(|it| (false, it.version));
        let levels = levels.chain(SHARED.iter().rev().map(|it| (true, it.version)));
        let of_level = |(shared, version): (bool, i32)| -> Vec<Step> {
            steps
                .iter()
                .filter(|step| step.applied && step.version == version)
                .filter(|step| (step.schema == SHARED_SCHEMA) == shared)
                .cloned()
                .collect()
        };
        Ok(levels
            .map(of_level)
            .filter(|steps| !steps.is_empty())
            .take(count)
            .flatten()
            .collect())
    }

    /// Takes back the last `count` migrations, and what is kept in their tables with them.
    pub async fn migrate_down(
        &self,
        count: usize,
        progress: &(dyn Fn(&Step) + Send + Sync),
    ) -> Result<Vec<Step>, MigrateError> {
        let mut steps = self.steps_down(count).await?;
        let mut worker = self.worker().await?;
        for step in &mut steps {
            worker.down(step).await?;
            step.applied = false;
            progress(step);
        }
        Ok(steps)
    }

    async fn worker(&self) -> Result<Worker, MigrateError> {
        Worker::start(self.pool.connector()).await
    }
}
