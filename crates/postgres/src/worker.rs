//! One connection that migrates, and what it sends: all that a schema lacks, in one message.

use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{Array, BigInt, Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tessera_app::Unavailable;
use tessera_domain::SchemaName;

use crate::connect::{Connection, Connector};
use crate::error::{is_lock_timeout, is_overtaken};
use crate::levels::Moment;
use crate::migrate::MigrateError;
use crate::migration::{Migration, SHARED_SCHEMA};
use crate::schema::migrations;
use crate::survey::{Found, HOMES, Which, survey};
use crate::transaction::Place;

/// A connection that does nothing else.
pub(crate) struct Worker {
    connection: Connection,
}

/// How a transaction of a worker ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is not known, as the connection is gone.
    Broken(Error),
    /// It was committed.
    Done,
    /// It was rolled back.
    Failed(Error),
    /// It was rolled back, as a table of the schema is in use.
    InUse,
    /// It was rolled back, as the schema is not what it was when it was looked at.
    Overtaken(Error),
}

impl Worker {
    /// A worker on a connection that is not one of the pool.
    pub(crate) async fn start(connector: &Connector) -> Result<Self, Unavailable> {
        let connection = connector.connect().await?;
        let mut worker = Self { connection };
        worker.batch(PATIENT).await?;
        Ok(worker)
    }

    /// Waits until no other run goes on; `waiting` is called where one does. From then on this
    /// connection is what keeps others waiting.
    pub(crate) async fn take_turn(&mut self, waiting: impl FnOnce()) -> Result<(), Unavailable> {
        let connection = &mut self.connection.postgres;
        let turn: Turn = diesel::sql_query("SELECT pg_try_advisory_lock(84738, 0) AS mine")
            .get_result(connection)
            .await
            .map_err(Unavailable::new)?;
        if turn.mine {
            return Ok(());
        }
        waiting();
        let wait = "SET lock_timeout = 0; SELECT pg_advisory_lock(84738, 0)";
        self.batch(wait).await
    }

    /// Makes the book, unless there is one.
    pub(crate) async fn make_book(&mut self) -> Result<(), Unavailable> {
        self.batch(BOOK).await
    }

    /// What was applied to the shared schema, with its checksum, as far as anybody wrote it down.
    pub(crate) async fn shared_book(&mut self) -> Result<Vec<(i32, String)>, Unavailable> {
        let connection = &mut self.connection.postgres;
        shared_book(connection).await.map_err(Unavailable::new)
    }

    /// The migrations of `list`, with what is noted of them when they are applied.
    pub(crate) async fn checksums(
        &mut self,
        list: &'static [Migration],
    ) -> Result<Vec<(&'static Migration, String)>, Unavailable> {
        let texts: Vec<&str> = list.iter().map(|it| it.up).collect();
        let sums: Vec<Checksum> = diesel::sql_query(CHECKSUMS)
            .bind::<Array<Text>, _>(texts)
            .load(&mut self.connection.postgres)
            .await
            .map_err(Unavailable::new)?;
        let sums = sums.into_iter().map(|row| row.checksum);
        Ok(list.iter().zip(sums).collect())
    }

    /// The schema name of the tenant whose name or schema name has that key.
    pub(crate) async fn tenant(&mut self, key: &str) -> Result<SchemaName, MigrateError> {
        let found: Option<Shown> = diesel::sql_query(TENANT_OF_KEY)
            .bind::<Text, _>(key)
            .get_result(&mut self.connection.postgres)
            .await
            .optional()
            .map_err(Unavailable::new)?;
        let shown = found.ok_or(MigrateError::NoTenant)?;
        Ok(SchemaName::restore(shown.schema))
    }

    /// Looks at the schemas of tenants.
    pub(crate) async fn survey(
        &mut self,
        list: &[Migration],
        which: Which,
        only: Option<&SchemaName>,
    ) -> Result<Vec<Found>, Unavailable> {
        let ended = survey(&self.connection.postgres, list, which, only).await;
        ended.answer.map_err(Unavailable::new)
    }

    /// When each migration was first applied, of those that any schema has.
    pub(crate) async fn moments(&mut self) -> Result<Vec<Moment>, Unavailable> {
        diesel::sql_query(MOMENTS)
            .bind::<Text, _>(SHARED_SCHEMA)
            .load(&mut self.connection.postgres)
            .await
            .map_err(Unavailable::new)
    }

    /// Which schemas of tenants have which of `versions`.
    pub(crate) async fn holders(
        &mut self,
        versions: Vec<i32>,
    ) -> Result<Vec<(String, i32)>, Unavailable> {
        migrations::table
            .filter(migrations::schema.ne(SHARED_SCHEMA))
            .filter(migrations::version.eq_any(versions))
            .order((migrations::schema, migrations::version.desc()))
            .select((migrations::schema, migrations::version))
            .load(&mut self.connection.postgres)
            .await
            .map_err(Unavailable::new)
    }

    /// Which migrations a schema has, and whether anything lives there.
    pub(crate) async fn reread(&mut self, place: &Place) -> QueryResult<(Vec<i32>, bool)> {
        let connection = &mut self.connection.postgres;
        let versions = migrations::table
            .filter(migrations::schema.eq(&place.schema))
            .select(migrations::version)
            .load(connection)
            .await?;
        let Some(shown) = &place.shown else {
            return Ok((versions, true));
        };
        let lives = format!("SELECT count(*) AS count FROM ({HOMES}) AS home WHERE shown = $1");
        let lives: Count = diesel::sql_query(lives)
            .bind::<Text, _>(shown)
            .get_result(connection)
            .await?;
        Ok((versions, lives.count > 0))
    }

    /// Sends a transaction, and rolls it back when it fails.
    pub(crate) async fn run(&mut self, sql: &str) -> Outcome {
        let connection = &mut self.connection.postgres;
        let Err(error) = connection.batch_execute(sql).await else {
            return Outcome::Done;
        };
        if connection.batch_execute("ROLLBACK").await.is_err() {
            Outcome::Broken(error)
        } else if is_lock_timeout(&error) {
            Outcome::InUse
        } else if is_overtaken(&error) {
            Outcome::Overtaken(error)
        } else {
            Outcome::Failed(error)
        }
    }

    async fn batch(&mut self, sql: &str) -> Result<(), Unavailable> {
        let connection = &mut self.connection.postgres;
        let answer = connection.batch_execute(sql).await;
        answer.map_err(Unavailable::new)
    }
}

async fn shared_book(connection: &mut AsyncPgConnection) -> QueryResult<Vec<(i32, String)>> {
    let exists: bool = diesel::select(to_regclass("tessera.migrations").is_not_null())
        .get_result(connection)
        .await?;
    if !exists {
        return Ok(Vec::new());
    }
    migrations::table
        .filter(migrations::schema.eq(SHARED_SCHEMA))
        .select((migrations::version, migrations::checksum))
        .load(connection)
        .await
}

#[derive(QueryableByName)]
struct Turn {
    #[diesel(sql_type = Bool)]
    mine: bool,
}

#[derive(QueryableByName)]
struct Checksum {
    #[diesel(sql_type = Text)]
    checksum: String,
}

#[derive(QueryableByName)]
struct Shown {
    #[diesel(sql_type = Text)]
    schema: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
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
const MOMENTS: &str = "\
    SELECT schema = $1 AS is_shared, version, rank() OVER (ORDER BY min(applied_at)) AS place \
    FROM tessera.migrations GROUP BY 1, 2";
const TENANT_OF_KEY: &str = "\
    SELECT schema FROM tessera.tenants \
    WHERE id = (SELECT tenant_id FROM tessera.tenant_names WHERE key = $1)";
/// A migration may take its time, and wait for another one.
const PATIENT: &str = "
    SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout';
    SET standard_conforming_strings = on;
    SET lock_timeout = '10s'";
