//! One look at the catalogue that tells which schemas lack something, however many there are.
//!
//! It compares sets: the registry, the book, the schemas and their tables. It is a query of seconds
//! only where Postgres would go through one of them for each row of another, which it does where it
//! was never told how large they are; so it is kept from that.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tessera_domain::SchemaName;

use crate::migrate::{Damage, Fault, Standing, Step};
use crate::migration::Migration;
use crate::pipeline::{BEGIN, COMMIT, Ended};

/// A schema with what the registry, the book and the catalogue say of it.
#[derive(QueryableByName)]
#[diesel(check_for_backend(Pg))]
pub(crate) struct Found {
    /// The schema, as Postgres calls it.
    #[diesel(sql_type = Text)]
    pub(crate) place: String,
    /// The schema name of the tenant that lives there, if one does.
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) shown: Option<String>,
    /// The migrations that were applied, of those that are known, in their order.
    #[diesel(sql_type = Array<Integer>)]
    versions: Vec<i32>,
    /// The first that was applied from another text.
    #[diesel(sql_type = Nullable<Integer>)]
    changed: Option<i32>,
    /// Whether there is such a schema.
    #[diesel(sql_type = Bool)]
    present: bool,
    /// The first table of what was applied that is not there.
    #[diesel(sql_type = Nullable<Text>)]
    lost: Option<String>,
}

impl Found {
    /// The migrations that it lacks, in their order.
    pub(crate) fn missing(&self, list: &'static [Migration]) -> Vec<&'static Migration> {
        list.iter()
            .filter(|migration| !self.versions.contains(&migration.version))
            .collect()
    }

    /// What is wrong with it.
    pub(crate) fn fault(&self, list: &[Migration]) -> Option<Fault> {
        let (migration, damage) = if let Some(changed) = self.changed {
            let changed = list.iter().find(|it| it.version == changed)?;
            (changed, Damage::Changed)
        } else if !self.present && !self.versions.is_empty() {
            (self.newest(list)?, Damage::NoSchema)
        } else {
            let table = self.lost.as_deref()?;
            let makes = list.iter().find(|it| it.tables.contains(&table))?;
            (makes, Damage::NoTable(table.to_owned()))
        };
        Some(Fault::of(&self.place, migration, damage))
    }

    /// How far it is.
    pub(crate) fn standing(self, list: &'static [Migration]) -> Standing {
        let newest = self.newest(list);
        let missing = self.missing(list).into_iter();
        Standing {
            version: newest.map_or(0, |newest| newest.version),
            name: newest.map(|newest| newest.name),
            missing: missing.map(|it| Step::of(&self.place, it, false)).collect(),
            fault: self.fault(list),
            schema: self.place,
        }
    }

    fn newest<'l>(&self, list: &'l [Migration]) -> Option<&'l Migration> {
        list.iter().rfind(|it| self.versions.contains(&it.version))
    }
}

impl Fault {
    pub(crate) fn of(schema: &str, migration: &Migration, damage: Damage) -> Self {
        Self {
            schema: schema.to_owned(),
            version: migration.version,
            name: migration.name,
            damage,
        }
    }
}

/// Which schemas are looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Which {
    /// Each.
    All,
    /// Those that lack a migration, or something that one made.
    Lacking,
}

/// The schemas that have the migrations of `list`, by name, those of no tenant first; of those of
/// tenants only the one that shows `only`, where it is said.
pub(crate) async fn survey(
    connection: &AsyncPgConnection,
    list: &[Migration],
    which: Which,
    only: Option<&SchemaName>,
) -> Ended<Vec<Found>> {
    let answer = look(connection, list, which, only).await;
    // What it began is over, or the connection is of no use.
    let over = answer.is_ok();
    Ended { over, answer }
}

async fn look(
    mut connection: &AsyncPgConnection,
    list: &[Migration],
    which: Which,
    only: Option<&SchemaName>,
) -> QueryResult<Vec<Found>> {
    let versions: Vec<i32> = list.iter().map(|it| it.version).collect();
    let texts: Vec<&str> = list.iter().map(|it| it.up).collect();
    let tables = || {
        list.iter()
            .flat_map(|it| it.tables.iter().map(move |table| (it.version, *table)))
    };
    let makers: Vec<i32> = tables().map(|(version, _)| version).collect();
    let tables: Vec<&str> = tables().map(|(_, table)| table).collect();
    let sql = format!("WITH home AS MATERIALIZED ({HOMES}), {FOUND}");
    let query = diesel::sql_query(sql)
        .bind::<Array<Integer>, _>(versions)
        .bind::<Array<Text>, _>(texts)
        .bind::<Array<Integer>, _>(makers)
        .bind::<Array<Text>, _>(tables)
        .bind::<Nullable<Text>, _>(only.map(SchemaName::as_str))
        .bind::<Bool, _>(which == Which::All);
    let begin = format!("{BEGIN}; SET LOCAL enable_nestloop = off");
    connection.batch_execute(&begin).await?;
    let found = query.load(&mut connection).await?;
    connection.batch_execute(COMMIT).await?;
    Ok(found)
}

/// The schemas whose migrations are those of tenants: the only place that says which they are.
/// `shown` is the schema name of the tenant that lives there, or NULL where many share the tables.
///
/// It is asked before there are layouts, too, when all tenants have schemas.
pub(crate) const HOMES: &str = "\
    SELECT schema AS shown, \
        CASE schema WHEN 'public' THEN 'tessera_public' ELSE schema END COLLATE \"C\" AS place \
    FROM tessera.tenants WHERE coalesce(to_jsonb(tenants) ->> 'layout', 'schema') = 'schema' \
    UNION ALL SELECT NULL, 'tessera_shared'";

const FOUND: &str = "\
    step AS MATERIALIZED (\
        SELECT version, encode(sha256(convert_to(up, 'UTF8')), 'hex') AS checksum \
        FROM unnest($1, $2) AS list (version, up)\
    ), made AS MATERIALIZED (\
        SELECT version, name, place AS rank \
        FROM unnest($3, $4) WITH ORDINALITY AS list (version, name, place)\
    ), book AS MATERIALIZED (\
        SELECT schema, array_agg(version ORDER BY version) AS versions, \
            min(version) FILTER (WHERE applied.checksum <> step.checksum) AS changed \
        FROM tessera.migrations AS applied JOIN step USING (version) \
        WHERE schema <> 'tessera' GROUP BY schema\
    ), held AS MATERIALIZED (\
        SELECT relnamespace, array_agg(relname::text) AS tables FROM pg_class \
        WHERE relkind IN ('r', 'p') AND relname IN (SELECT name FROM made) GROUP BY relnamespace\
    ), state AS (\
        SELECT place, shown, coalesce(versions, '{}') AS versions, changed, \
            there.oid IS NOT NULL AS present, (\
                SELECT name FROM made \
                WHERE version = ANY (versions) AND name <> ALL (coalesce(tables, '{}')) \
                ORDER BY rank LIMIT 1) AS lost \
        FROM home LEFT JOIN book ON book.schema = place \
            LEFT JOIN pg_namespace AS there ON there.nspname::text COLLATE \"C\" = place \
            LEFT JOIN held ON held.relnamespace = there.oid \
        WHERE $5 IS NULL OR shown IS NULL OR shown = $5\
    ) SELECT place, shown, versions, changed, present, lost FROM state \
    WHERE $6 OR cardinality(versions) < (SELECT count(*) FROM step) \
        OR changed IS NOT NULL OR NOT present OR lost IS NOT NULL \
    ORDER BY shown IS NOT NULL, place";
