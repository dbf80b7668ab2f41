//! Migrations: shared tables first, then every tenant's, each step in a transaction of its own.
//!
//! A step takes the lock of its schema and then looks whether somebody else took it meanwhile, so
//! any number of runs may meet, and one that was killed is continued by the next.

use core::num::NonZeroUsize;

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tessera_app::Unavailable;
use tessera_domain::SchemaName;

use crate::PostgresStore;
use crate::connect::Connection;
use crate::migration::{self, Migration, SHARED, TENANT};
use crate::pipeline::{place, quoted};
use crate::schema::{migrations, tenants};

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
    #[error("migration {version} of schema {schema} failed: {source}")]
    Failed {
        /// The schema.
        schema: String,
        /// The migration.
        version: i32,
        /// What Postgres said.
        source: diesel::result::Error,
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
        worker.batch(BOOK).await?;
        let book = worker.book().await?;
        let mut taken = worker
            .up(&[SHARED_SCHEMA.to_owned()], &book, run.progress)
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

    /// Every step there is, and whether it was taken: what `migrate` would do is what was not.
    pub async fn migrations(&self) -> Result<Vec<Step>, MigrateError> {
        let mut worker = self.worker().await?;
        let book = worker.book().await?;
        let schemas = match SHARED.first() {
            Some(first) if book.has(SHARED_SCHEMA, first) => worker.tenants(None).await?,
            Some(_) | None => Vec::new(),
        };
        let shared = [SHARED_SCHEMA.to_owned()];
        let steps = shared.iter().chain(&schemas).flat_map(|schema| {
            list(schema)
                .iter()
                .map(|migration| step(schema, migration, book.has(schema, migration)))
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
        let connection = self.pool.connector().connect().await?;
        let mut worker = Worker { connection };
        worker.batch(PATIENT).await?;
        Ok(worker)
    }
}

/// A connection that does nothing else; it is dropped with whatever went wrong on it.
struct Worker {
    connection: Connection,
}

impl Worker {
    async fn up(
        &mut self,
        schemas: &[String],
        book: &Book,
        progress: &(dyn Fn(&Step) + Send + Sync),
    ) -> Result<Vec<Step>, MigrateError> {
        let mut taken = Vec::new();
        for schema in schemas {
            for migration in list(schema) {
                book.agree(schema, migration)?;
                let applied = book.has(schema, migration)
                    || !self
                        .apply(schema, migration)
                        .await
                        .map_err(|source| failed(schema, migration, source))?;
                if !applied {
                    let step = step(schema, migration, true);
                    progress(&step);
                    taken.push(step);
                }
            }
        }
        Ok(taken)
    }

    /// Takes a step, unless somebody else was faster.
    async fn apply(&mut self, schema: &str, migration: &Migration) -> QueryResult<bool> {
        let connection = &mut self.connection.postgres;
        connection.batch_execute("BEGIN").await?;
        lock(connection, schema).await?;
        let applied: i64 = migrations::table
            .filter(migrations::schema.eq(schema))
            .filter(migrations::version.eq(migration.version))
            .count()
            .get_result(connection)
            .await?;
        if applied > 0 {
            connection.batch_execute("ROLLBACK").await?;
            return Ok(false);
        }
        if schema != SHARED_SCHEMA && migration.version == 1 {
            let create = format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(schema));
            connection.batch_execute(&create).await?;
        }
        connection.batch_execute(&search_path(schema)).await?;
        connection.batch_execute(migration.up).await?;
        migration::applied(schema, migration)
            .execute(connection)
            .await?;
        connection.batch_execute("COMMIT").await?;
        Ok(true)
    }

    async fn down(&mut self, step: &Step) -> Result<(), MigrateError> {
        let Some(migration) = list(&step.schema)
            .iter()
            .find(|migration| migration.version == step.version)
        else {
            return Ok(());
        };
        self.take_back(&step.schema, migration)
            .await
            .map_err(|source| failed(&step.schema, migration, source))
    }

    async fn take_back(&mut self, schema: &str, migration: &Migration) -> QueryResult<()> {
        let connection = &mut self.connection.postgres;
        connection.batch_execute("BEGIN").await?;
        lock(connection, schema).await?;
        let gone = migration::taken_back(schema, migration)
            .execute(connection)
            .await?;
        if gone == 0 {
            return connection.batch_execute("ROLLBACK").await;
        }
        connection.batch_execute(&search_path(schema)).await?;
        connection.batch_execute(migration.down).await?;
        if schema != SHARED_SCHEMA && migration.version == 1 {
            let drop = format!("DROP SCHEMA {}", quoted(schema));
            connection.batch_execute(&drop).await?;
        }
        connection.batch_execute("COMMIT").await
    }

    /// What was applied so far, as far as anybody wrote it down.
    async fn book(&mut self) -> Result<Book, MigrateError> {
        self.read_book()
            .await
            .map_err(|error| Unavailable::new(error).into())
    }

    async fn read_book(&mut self) -> QueryResult<Book> {
        let connection = &mut self.connection.postgres;
        let exists: bool = diesel::select(to_regclass("tessera.migrations").is_not_null())
            .get_result(connection)
            .await?;
        if !exists {
            return Ok(Book::default());
        }
        let applied = migrations::table
            .select((
                migrations::schema,
                migrations::version,
                migrations::checksum,
            ))
            .load(connection)
            .await?;
        let texts: Vec<&str> = SHARED.iter().chain(TENANT).map(|it| it.up).collect();
        let sums: Vec<Checksum> = diesel::sql_query(CHECKSUMS)
            .bind::<Array<Text>, _>(texts)
            .load(connection)
            .await?;
        let mut sums = sums.into_iter().map(|row| row.checksum);
        Ok(Book {
            applied,
            shared: sums.by_ref().take(SHARED.len()).collect(),
            tenant: sums.collect(),
        })
    }

    /// The schemas of the tenants, or of the one that shows `only`.
    async fn tenants(&mut self, only: Option<&SchemaName>) -> Result<Vec<String>, MigrateError> {
        let shown: Vec<String> = tenants::table
            .order(tenants::schema)
            .select(tenants::schema)
            .load(&mut self.connection.postgres)
            .await
            .map_err(Unavailable::new)?;
        let wanted = |schema: &SchemaName| only.is_none_or(|only| only == schema);
        let schemas: Vec<String> = shown
            .into_iter()
            .map(SchemaName::restore)
            .filter(wanted)
            .map(|schema| place(&schema).to_owned())
            .collect();
        if only.is_some() && schemas.is_empty() {
            return Err(MigrateError::NoTenant);
        }
        Ok(schemas)
    }

    async fn batch(&mut self, sql: &str) -> Result<(), MigrateError> {
        let connection = &mut self.connection.postgres;
        let answer = connection.batch_execute(sql).await;
        answer.map_err(|error| Unavailable::new(error).into())
    }
}

/// What `tessera.migrations` says, and what this binary would write there.
#[derive(Default)]
struct Book {
    applied: Vec<(String, i32, String)>,
    shared: Vec<String>,
    tenant: Vec<String>,
}

impl Book {
    fn has(&self, schema: &str, migration: &Migration) -> bool {
        self.find(schema, migration).is_some()
    }

    /// Whether what was applied is what this binary would apply.
    fn agree(&self, schema: &str, migration: &Migration) -> Result<(), MigrateError> {
        let sums = if schema == SHARED_SCHEMA {
            &self.shared
        } else {
            &self.tenant
        };
        let place = list(schema)
            .iter()
            .position(|it| it.version == migration.version);
        let ours = place.and_then(|place| sums.get(place));
        match (self.find(schema, migration), ours) {
            (Some(theirs), Some(ours)) if theirs != ours => Err(MigrateError::Changed {
                schema: schema.to_owned(),
                version: migration.version,
            }),
            _ => Ok(()),
        }
    }

    fn find(&self, schema: &str, migration: &Migration) -> Option<&String> {
        self.applied
            .iter()
            .find(|(of, version, _)| of == schema && *version == migration.version)
            .map(|(_, _, checksum)| checksum)
    }
}

#[derive(QueryableByName)]
struct Checksum {
    #[diesel(sql_type = Text)]
    checksum: String,
}

fn list(schema: &str) -> &'static [Migration] {
    if schema == SHARED_SCHEMA {
        SHARED
    } else {
        TENANT
    }
}

fn step(schema: &str, migration: &Migration, applied: bool) -> Step {
    Step {
        schema: schema.to_owned(),
        version: migration.version,
        name: migration.name,
        applied,
    }
}

fn failed(schema: &str, migration: &Migration, source: diesel::result::Error) -> MigrateError {
    MigrateError::Failed {
        schema: schema.to_owned(),
        version: migration.version,
        source,
    }
}

/// Until the end of the transaction, nobody else changes `schema`.
async fn lock(connection: &mut AsyncPgConnection, schema: &str) -> QueryResult<usize> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(84737, hashtext($1))")
        .bind::<Text, _>(schema)
        .execute(connection)
        .await
}

fn search_path(schema: &str) -> String {
    match schema {
        // Its tables are always named in full.
        SHARED_SCHEMA => "SET LOCAL search_path = ''".to_owned(),
        tenant => format!("SET LOCAL search_path = {}", quoted(tenant)),
    }
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// The table of that name, if there is one.
    fn to_regclass(name: Text) -> Nullable<Oid>;
}

/// The schema of the tables that all tenants share.
pub(crate) const SHARED_SCHEMA: &str = "tessera";

const BOOK: &str = "
    BEGIN;
    SELECT pg_advisory_xact_lock(84737, 0);
    CREATE SCHEMA IF NOT EXISTS tessera;
    CREATE TABLE IF NOT EXISTS tessera.migrations (
        schema text COLLATE \"C\" NOT NULL,
        version integer NOT NULL,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT migrations_pkey PRIMARY KEY (schema, version)
    );
    COMMIT";
const CHECKSUMS: &str = "\
    SELECT encode(sha256(convert_to(text, 'UTF8')), 'hex') AS checksum \
    FROM unnest($1) WITH ORDINALITY AS list (text, place) ORDER BY place";
/// A migration may take its time, but not while it makes everybody else wait for a lock.
const PATIENT: &str = "
    SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    SET lock_timeout = '10s'";
