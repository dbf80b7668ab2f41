//! One connection that migrates, and the book in which it looks up what is done.

use core::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tessera_app::Unavailable;
use tessera_domain::{SchemaName, TenantLayout};
use tokio::time::sleep;

use crate::connect::{Connection, Connector};
use crate::error::is_lock_timeout;
use crate::migrate::{MigrateError, Step};
use crate::migration::{self, Migration, SHARED, SHARED_SCHEMA, TENANT, list};
use crate::pipeline::{SHARED_PLACE, place, quoted};
use crate::schema::{migrations, tenants};

/// A connection that does nothing else; it is dropped with whatever went wrong on it.
pub(crate) struct Worker {
    connection: Connection,
}

impl Worker {
    /// A worker on a connection that is not one of the pool.
    pub(crate) async fn start(connector: &Connector) -> Result<Self, MigrateError> {
        let connection = connector.connect().await?;
        let mut worker = Self { connection };
        worker.batch(PATIENT).await?;
        Ok(worker)
    }

    /// Makes the book, unless there is one.
    pub(crate) async fn make_book(&mut self) -> Result<(), MigrateError> {
        self.batch(BOOK).await
    }

    /// Takes every step that is missing in `schemas`; answers which.
    pub(crate) async fn up(
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
                    let step = Step::of(schema, migration, true);
                    progress(&step);
                    taken.push(step);
                }
            }
        }
        Ok(taken)
    }

    /// Takes a step, unless somebody else was faster.
    async fn apply(&mut self, schema: &str, migration: &Migration) -> QueryResult<bool> {
        for _ in 1..TRIES {
            match self.try_to_apply(schema, migration).await {
                Err(error) if is_lock_timeout(&error) => self.give_way().await?,
                answer => return answer,
            }
        }
        self.try_to_apply(schema, migration).await
    }

    async fn try_to_apply(&mut self, schema: &str, migration: &Migration) -> QueryResult<bool> {
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
        if schema == SHARED_PLACE {
            let protect = format!("SELECT tessera.protect('{SHARED_PLACE}')");
            connection.batch_execute(&protect).await?;
        }
        migration::applied(schema, migration)
            .execute(connection)
            .await?;
        connection.batch_execute("COMMIT").await?;
        Ok(true)
    }

    /// Takes a step back, unless somebody else was faster.
    pub(crate) async fn down(&mut self, step: &Step) -> Result<(), MigrateError> {
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
        for _ in 1..TRIES {
            match self.try_to_take_back(schema, migration).await {
                Err(error) if is_lock_timeout(&error) => self.give_way().await?,
                answer => return answer,
            }
        }
        self.try_to_take_back(schema, migration).await
    }

    async fn try_to_take_back(&mut self, schema: &str, migration: &Migration) -> QueryResult<()> {
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

    /// Lets those go first who queue for a table behind this.
    async fn give_way(&mut self) -> QueryResult<()> {
        self.connection.postgres.batch_execute("ROLLBACK").await?;
        sleep(PAUSE).await;
        Ok(())
    }

    /// What was applied so far, as far as anybody wrote it down.
    pub(crate) async fn book(&mut self) -> Result<Book, MigrateError> {
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
    pub(crate) async fn tenants(
        &mut self,
        only: Option<&SchemaName>,
    ) -> Result<Vec<String>, MigrateError> {
        let shown: Vec<String> = tenants::table
            .filter(tenants::layout.eq(TenantLayout::Schema.as_str()))
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
            .map(|schema| place(TenantLayout::Schema, &schema).to_owned())
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
pub(crate) struct Book {
    applied: Vec<(String, i32, String)>,
    shared: Vec<String>,
    tenant: Vec<String>,
}

impl Book {
    /// Whether it was applied.
    pub(crate) fn has(&self, schema: &str, migration: &Migration) -> bool {
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

fn failed(schema: &str, migration: &Migration, source: diesel::result::Error) -> MigrateError {
    MigrateError::Failed {
        schema: schema.to_owned(),
        version: migration.version,
        source: source.into(),
    }
}

/// Until the end of the transaction, nobody else changes `schema`, and no table is waited for long.
async fn lock(connection: &mut AsyncPgConnection, schema: &str) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(84737, hashtext($1))")
        .bind::<Text, _>(schema)
        .execute(connection)
        .await?;
    connection.batch_execute(BRISK).await
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
/// A migration may take its time, and wait for another one.
const PATIENT: &str = "
    SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    SET lock_timeout = '10s'";
/// Whoever only reads a table queues behind a migration that waits for it, and a read is given up
/// after 900 ms.
const BRISK: &str = "SET LOCAL lock_timeout = '300ms'";
/// How often a step is tried, some twenty seconds in all; in between, others have the table.
const TRIES: usize = 25;
const PAUSE: Duration = Duration::from_millis(500);
