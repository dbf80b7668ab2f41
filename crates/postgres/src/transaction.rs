//! What a worker sends for a schema: one transaction, in one message.

use crate::migration::{Migration, SHARED_SCHEMA};
use crate::pipeline::{SHARED_PLACE, quoted};
use crate::survey::HOMES;

/// A schema, and how it is found out that it is still needed.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The schema, as Postgres calls it.
    pub(crate) schema: String,
    /// The schema name of the tenant that lives there, if one does.
    pub(crate) shown: Option<String>,
}

impl Place {
    /// That of the tables that all tenants share.
    pub(crate) fn shared() -> Self {
        Self {
            schema: SHARED_SCHEMA.to_owned(),
            shown: None,
        }
    }
}

/// The transaction that takes `steps`, each with its checksum, in their order.
pub(crate) fn up(place: &Place, steps: &[(&Migration, &str)]) -> String {
    let schema = place.schema.as_str();
    let mut sql = begin(schema);
    if let Some(shown) = place.shown.as_deref().map(literal) {
        // Who removes the tenant waits, or was first.
        sql.push(format!(
            "SELECT FROM tessera.tenants WHERE schema = {shown} FOR KEY SHARE"
        ));
        sql.push(format!(
            "SELECT CASE WHEN EXISTS (SELECT FROM ({HOMES}) AS home WHERE shown = {shown}) \
             THEN true ELSE tessera.stale() END"
        ));
    }
    for (migration, checksum) in steps {
        let (schema, version) = (literal(schema), migration.version);
        let (name, checksum) = (literal(migration.name), literal(checksum));
        sql.push(format!(
            "INSERT INTO tessera.migrations (schema, version, name, checksum) \
             VALUES ({schema}, {version}, {name}, {checksum})"
        ));
    }
    if schema != SHARED_SCHEMA && steps.iter().any(|(it, _)| it.version == 1) {
        sql.push(format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(schema)));
    }
    sql.push(search_path(schema));
    if schema == SHARED_PLACE {
        sql.push(format!("SELECT tessera.unprotect('{SHARED_PLACE}')"));
    }
    sql.extend(steps.iter().map(|(migration, _)| migration.up.to_owned()));
    if schema == SHARED_PLACE {
        sql.push(format!("SELECT tessera.protect('{SHARED_PLACE}')"));
    }
    commit(sql)
}

/// The transaction that takes `steps` back, in their order.
pub(crate) fn down(place: &Place, steps: &[&Migration]) -> String {
    let schema = place.schema.as_str();
    let mut sql = begin(schema);
    for migration in steps {
        let (schema, version) = (literal(schema), migration.version);
        let noted = format!("tessera.migrations WHERE schema = {schema} AND version = {version}");
        sql.push(format!(
            "SELECT CASE WHEN EXISTS (SELECT FROM {noted}) THEN true ELSE tessera.stale() END"
        ));
        sql.push(format!("DELETE FROM {noted}"));
    }
    sql.push(search_path(schema));
    sql.extend(steps.iter().map(|migration| migration.down.to_owned()));
    if schema != SHARED_SCHEMA && steps.iter().any(|it| it.version == 1) {
        sql.push(format!("DROP SCHEMA {}", quoted(schema)));
    }
    commit(sql)
}

/// Until the end of the transaction, nobody else changes `schema`, and no table is waited for long.
fn begin(schema: &str) -> Vec<String> {
    let lock = format!(
        "SELECT pg_advisory_xact_lock(84737, hashtext({}))",
        literal(schema)
    );
    vec!["BEGIN".to_owned(), lock, BRISK.to_owned()]
}

fn commit(mut sql: Vec<String>) -> String {
    sql.push("COMMIT".to_owned());
    // What a migration says may end with a comment.
    sql.join("\n;\n")
}

fn search_path(schema: &str) -> String {
    match schema {
        // Its tables are always named in full.
        SHARED_SCHEMA => "SET LOCAL search_path = ''".to_owned(),
        tenant => format!("SET LOCAL search_path = {}", quoted(tenant)),
    }
}

/// `text` as SQL may hold it, where backslashes are characters as others.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whoever only reads a table queues behind a migration that waits for it, and a read is given up
/// after 1.9 s.
const BRISK: &str = "SET LOCAL lock_timeout = '300ms'";
