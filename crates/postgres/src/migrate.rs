//! Migrations: shared tables first, then every tenant's, what one schema lacks in one transaction.
//!
//! One run goes on at a time. A step also takes the lock of its schema and notes itself before it
//! is taken, so that nothing is taken twice where a run lost its turn together with its connection.
//! One that was killed is continued by the next.

use core::error::Error;
use core::num::NonZeroUsize;

use tessera_app::Unavailable;

use crate::PostgresStore;
use crate::migration::{Lists, Migration, TENANT};
use crate::runner::Runner;
use crate::store::{WRITE, in_time};
use crate::survey::{Which, survey};
use crate::turns::Line;

#[cfg(test)]
mod tests;

/// Which migrations to run, and how.
#[derive(Clone, Copy)]
pub struct Migrate<'a> {
    /// Only those of the tenant whose name or schema name has that key; the shared ones are always
    /// among them.
    pub tenant: Option<&'a str>,
    /// How many schemas are worked on at once.
    pub jobs: NonZeroUsize,
    /// Is told how it goes.
    pub told: Told<'a>,
}

/// Who is told how a run goes.
pub type Told<'a> = &'a (dyn Fn(Milestone<'_>) + Send + Sync);

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub enum Milestone<'a> {
    /// So many schemas of tenants are worked on from now on, beside those of before.
    Begun(usize),
    /// One of them is done with, well or not.
    Ended,
    /// A tenant was set aside.
    SetAside(&'a Fault),
    /// A step was taken, or taken back.
    Taken(&'a Step),
    /// Another run goes on, whose end is waited for.
    Waiting,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Migrated {
    /// The steps it took, by schema, the shared one first; or took back, in the order in which
    /// [`PostgresStore::steps_down`] tells them.
    pub steps: Vec<Step>,
    /// What kept tenants from theirs, by schema.
    pub set_aside: Vec<Fault>,
}

/// A migration of a schema.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
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

/// How far a schema is.
#[derive(Debug)]
pub struct Standing {
    /// The schema, as Postgres calls it.
    pub schema: String,
    /// The last migration that was applied, or 0.
    pub version: i32,
    /// What it is about.
    pub name: Option<&'static str>,
    /// Those that it lacks.
    pub missing: Vec<Step>,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// What keeps a schema from its next migration.
#[derive(Debug, thiserror::Error)]
#[error("migration {version} of schema {schema}")]
pub struct Fault {
    /// The schema, as Postgres calls it.
    pub schema: String,
    /// The migration.
    pub version: i32,
    /// What that one is about.
    pub name: &'static str,
    /// What is wrong.
    #[source]
    pub damage: Damage,
}

/// What is wrong with a schema.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The migration is applied, but it was another one.
    #[error("it was applied from another text than this one")]
    Changed,
    /// The migration did not go through; Postgres said why.
    #[error("it failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
    /// A table that the migration changes was in use, however often it was asked for.
    #[error("a table was in use for too long")]
    InUse,
    /// The migration is applied, but the schema is gone.
    #[error("it was applied, but the schema is gone")]
    NoSchema,
    /// The migration is applied, but this table of it is gone.
    #[error("it was applied, but its table {0} is gone")]
    NoTable(String),
}

/// The tenants whose tables are not those of this version.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Laggards {
    /// How many there are.
    pub count: usize,
    /// The schemas of the first few, by name.
    pub first: Vec<String>,
}

/// Why migrations stopped. What was done before stays done.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The shared tables are not as they should be, and cannot be made so.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NoTenant,
    /// Postgres cannot be reached, or does not do what it is asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl PostgresStore {
    /// Takes every step that is missing. A tenant that cannot take one is set aside, and keeps no
    /// other from its own.
    pub async fn migrate(&self, run: &Migrate<'_>) -> Result<Migrated, MigrateError> {
        self.runner().up(run).await
    }

    /// How far the shared schema is, and each tenant's, or that of the tenant of that key.
    pub async fn standings(&self, tenant: Option<&str>) -> Result<Vec<Standing>, MigrateError> {
        self.runner().standings(tenant).await
    }

    /// The steps that [`migrate_down`](Self::migrate_down) would take back, in that order.
    ///
    /// The one that was first applied last goes first, and at the same moment one of the tenants
    /// before a shared one. A migration of the tenants counts once, however many they are, from when
    /// the first of those that are there took it. Those of the same kind go by version in any case.
    pub async fn steps_down(&self, count: usize) -> Result<Vec<Step>, MigrateError> {
        self.runner().steps_down(count).await
    }

    /// Takes back the last `count` migrations, and what is kept in their tables with them. Where a
    /// tenant was set aside, the next shared one stays, and all that goes after it.
    pub async fn migrate_down(
        &self,
        count: usize,
        jobs: NonZeroUsize,
        told: Told<'_>,
    ) -> Result<Migrated, MigrateError> {
        self.runner().down(count, jobs, told).await
    }

    /// The tenants that lack a step, as one that a process of the version before made since, or
    /// whose tables are gone; `most` of them by name.
    pub async fn laggards(&self, most: usize) -> Result<Laggards, Unavailable> {
        let mut lease = self.pool.lease(&Line::Service).await?;
        let lacking = in_time(WRITE, async {
            let ended = survey(lease.transaction(), TENANT, Which::Lacking, None).await;
            lease.end_read(ended)
        })
        .await?;
        Ok(Laggards {
            count: lacking.len(),
            first: lacking.into_iter().map(|it| it.place).take(most).collect(),
        })
    }

    fn runner(&self) -> Runner<'_> {
        Runner {
            connector: self.pool.connector(),
            lists: Lists::CARRIED,
        }
    }
}
