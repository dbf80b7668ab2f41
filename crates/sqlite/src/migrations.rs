//! Brings the tables up and down; the SQL is part of the binary.
//!
//! The table `migrations` tells what was applied. Each function runs within the caller's
//! transaction, so that a migration is applied and noted, or neither.

use diesel::connection::SimpleConnection;
use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::BigInt;
use diesel::{delete, insert_into, select};
use tessera_app::Unavailable;
use tessera_domain::Timestamp;

use crate::columns::Moment;
use crate::schema::{migrations, sqlite_schema};

/// A migration that this version knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    version: i64,
    name: &'static str,
    up: &'static str,
    down: &'static str,
}

/// What is known of one migration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MigrationStatus {
    /// Its name, which begins with its number.
    pub name: String,
    /// When it was applied, if it was.
    pub applied_at: Option<Timestamp>,
}

/// Why the tables are not of the version asked for.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// An applied migration is not the one of that name here.
    #[error("the migration {0} was changed after it was applied; use the version that applied it")]
    Changed(String),
    /// A later version made the tables.
    #[error("a later version applied the migration {0}; use that version or a later one")]
    Newer(String),
    /// The database cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<Error> for MigrateError {
    fn from(error: Error) -> Self {
        Self::Unavailable(Unavailable::new(error))
    }
}

/// Applies what is missing; answers the names.
pub(crate) fn up(conn: &mut SqliteConnection) -> Result<Vec<String>, MigrateError> {
    conn.batch_execute(BOOKKEEPING)?;
    let applied = applied(conn)?;
    let missing = ALL.get(applied.len()..).unwrap_or_default();
    for migration in missing {
        conn.batch_execute(migration.up)?;
        insert_into(migrations::table)
            .values((
                migrations::version.eq(migration.version),
                migrations::name.eq(migration.name),
                migrations::checksum.eq(checksum(migration.up)),
                migrations::applied_at.eq(sql::<BigInt>(NOW)),
            ))
            .execute(conn)?;
    }
    Ok(missing.iter().map(|one| one.name.to_owned()).collect())
}

/// Takes back the last `count`, the latest first; answers the names.
pub(crate) fn down(conn: &mut SqliteConnection, count: usize) -> Result<Vec<String>, MigrateError> {
    let applied = applied(conn)?;
    let known = ALL.get(..applied.len()).unwrap_or_default();
    let mut names = Vec::new();
    for migration in known.iter().rev().take(count) {
        conn.batch_execute(migration.down)?;
        delete(migrations::table.find(migration.version)).execute(conn)?;
        names.push(migration.name.to_owned());
    }
    Ok(names)
}

/// All that this version knows, in their order.
pub(crate) fn status(conn: &mut SqliteConnection) -> Result<Vec<MigrationStatus>, MigrateError> {
    let applied = applied(conn)?;
    let times = applied.iter().map(|row| Some(row.applied_at.0));
    Ok(ALL
        .iter()
        .zip(times.chain(std::iter::repeat(None)))
        .map(|(migration, applied_at)| MigrationStatus {
            name: migration.name.to_owned(),
            applied_at,
        })
        .collect())
}

/// Whether every migration is applied; refuses tables that are not of this version's making.
pub(crate) fn is_current(conn: &mut SqliteConnection) -> Result<bool, MigrateError> {
    Ok(applied(conn)?.len() == ALL.len())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = migrations)]
struct Row {
    version: i64,
    name: String,
    checksum: String,
    applied_at: Moment,
}

/// What was applied, which must be the first of what is known.
fn applied(conn: &mut SqliteConnection) -> Result<Vec<Row>, MigrateError> {
    let bookkeeping = sqlite_schema::table.find("migrations");
    if !select(exists(bookkeeping)).get_result::<bool>(conn)? {
        return Ok(Vec::new());
    }
    let applied: Vec<Row> = migrations::table
        .order(migrations::version)
        .select(Row::as_select())
        .load(conn)?;
    let mut known = ALL.iter();
    for row in &applied {
        let Some(migration) = known.next() else {
            return Err(MigrateError::Newer(row.name.clone()));
        };
        if migration.version != row.version || checksum(migration.up) != row.checksum {
            return Err(MigrateError::Changed(row.name.clone()));
        }
    }
    Ok(applied)
}

/// Tells an edited text from the applied one (FNV-1a, 64 bits); it guards against no attacker.
fn checksum(sql: &str) -> String {
    let hash = sql.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        Migration {
            version: $version,
            name: $name,
            up: include_str!(concat!("../../../migrations/sqlite/", $name, "/up.sql")),
            down: include_str!(concat!("../../../migrations/sqlite/", $name, "/down.sql")),
        }
    };
}

const ALL: &[Migration] = &[
    migration!(1, "0001_core"),
    migration!(2, "0002_deliveries"),
    migration!(3, "0003_mails"),
    migration!(4, "0004_audit"),
    migration!(5, "0005_tenant_settings"),
    migration!(6, "0006_figures"),
    migration!(7, "0007_tenant_life"),
];

const BOOKKEEPING: &str = "
    CREATE TABLE IF NOT EXISTS migrations (
        version INTEGER NOT NULL,
        name TEXT NOT NULL,
        checksum TEXT NOT NULL,
        applied_at INTEGER NOT NULL,
        CONSTRAINT migrations_pkey PRIMARY KEY (version)
    ) STRICT;
";

const NOW: &str = "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";
