//! Every table can be placed by its tenant, or is known as one that cannot: what `docs/scaling.md`
//! builds on.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use crate::server::{Database, populated};

/// Read together with the tables of tenants, so on every node.
const EVERYWHERE: [&str; 3] = ["tenant_domains", "tenant_names", "tenants"];

/// Of all tenants together, or of none, so on one node.
const ON_ONE_NODE: [&str; 10] = [
    "audit",
    "audit_expiry",
    "events",
    "gaps",
    "installation",
    "keys",
    "mails",
    "migrations",
    "publishers",
    "waiting",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_of_a_tenants_tables_begins_with_the_tenant() {
    let (_database, admin) = with_tenant().await;
    let tables = tables(&admin, "acme").await;
    assert!(!tables.is_empty());
    let led = "SELECT DISTINCT indrelid::regclass::text FROM pg_index \
               JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] \
               WHERE indrelid = ANY (SELECT oid FROM pg_class WHERE relnamespace = 'acme'::regnamespace) \
               AND indisprimary AND attname = 'tenant_id' AND attnotnull";
    let led = texts(&admin, led).await;
    let tables: BTreeSet<String> = tables.iter().map(|it| format!("acme.{it}")).collect();
    assert_eq!(led, tables, "each has a primary key that begins with it");
    let without = "SELECT indexrelid::regclass::text FROM pg_index \
                   JOIN pg_class ON pg_class.oid = indrelid \
                   WHERE relnamespace = 'acme'::regnamespace AND (indisunique OR indisexclusion) \
                   AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = indrelid \
                       AND attname = 'tenant_id' AND attnum = indkey[0])";
    assert_eq!(texts(&admin, without).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_tables_refer_to_rows_of_the_same_tenant_alone() {
    let (_database, admin) = with_tenant().await;
    let foreign = "SELECT conname::text FROM pg_constraint WHERE contype = 'f' \
                   AND connamespace = 'acme'::regnamespace";
    assert!(!texts(&admin, foreign).await.is_empty());
    let elsewhere = "SELECT conname::text FROM pg_constraint \
                     JOIN pg_class ON pg_class.oid = confrelid \
                     WHERE contype = 'f' AND connamespace = 'acme'::regnamespace \
                     AND (relnamespace <> connamespace OR NOT EXISTS ( \
                         SELECT FROM unnest(conkey, confkey) AS pairs (own, other) \
                         JOIN pg_attribute AS mine ON mine.attrelid = conrelid AND mine.attnum = own \
                         JOIN pg_attribute AS its ON its.attrelid = confrelid AND its.attnum = other \
                         WHERE mine.attname = 'tenant_id' AND its.attname = 'tenant_id'))";
    assert_eq!(texts(&admin, elsewhere).await, BTreeSet::new());
    let into = "SELECT conname::text FROM pg_constraint \
                JOIN pg_class ON pg_class.oid = confrelid \
                WHERE relnamespace = 'acme'::regnamespace AND connamespace <> relnamespace";
    assert_eq!(texts(&admin, into).await, BTreeSet::new());
}

/// What code of the database did on a write could reach anybody's rows, and a sequence would be one
/// for all nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_happens_by_itself_when_a_tenants_tables_are_written() {
    let (_database, admin) = with_tenant().await;
    for what in [
        "SELECT tgname::text FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid \
         WHERE relnamespace = 'acme'::regnamespace AND NOT tgisinternal",
        "SELECT rulename::text FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class \
         WHERE relnamespace = 'acme'::regnamespace",
        "SELECT proname::text FROM pg_proc WHERE pronamespace = 'acme'::regnamespace",
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_class ON pg_class.oid = adrelid \
         WHERE relnamespace = 'acme'::regnamespace AND pg_get_expr(adbin, adrelid) LIKE '%(%'",
        "SELECT attname::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
         WHERE relnamespace = 'acme'::regnamespace AND attidentity <> ''",
        "SELECT relname::text FROM pg_class \
         WHERE relnamespace = 'acme'::regnamespace AND relkind NOT IN ('r', 'i')",
    ] {
        assert_eq!(texts(&admin, what).await, BTreeSet::new(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_shared_table_is_known_as_one_that_is_everywhere_or_on_one_node() {
    let (_database, admin) = with_tenant().await;
    let known = EVERYWHERE.iter().chain(&ON_ONE_NODE);
    let known: BTreeSet<String> = known.map(|&name| name.to_owned()).collect();
    assert_eq!(tables(&admin, "tessera").await, known);
    // What is everywhere cannot rely on what is in one place.
    let relies = "SELECT conname::text FROM pg_constraint \
                  JOIN pg_class AS mine ON mine.oid = conrelid \
                  JOIN pg_class AS its ON its.oid = confrelid \
                  WHERE contype = 'f' AND mine.relname = ANY (string_to_array($1, ' ')) \
                  AND NOT its.relname = ANY (string_to_array($1, ' '))";
    let everywhere = EVERYWHERE.join(" ");
    let rows = admin.query(relies, &[&everywhere]).await.unwrap();
    assert!(rows.is_empty(), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_places_each_table() {
    let guide = include_str!("../../../../docs/scaling.md");
    let (_database, admin) = with_tenant().await;
    for table in EVERYWHERE {
        let place = format!("create_reference_table('tessera.{table}')");
        assert!(guide.contains(&place), "{place}");
    }
    for table in tables(&admin, "acme").await {
        let place = format!("create_distributed_table('tessera_shared.{table}', 'tenant_id'");
        assert!(guide.contains(&place), "{place}");
    }
    for table in ON_ONE_NODE {
        assert!(guide.contains(&format!("`{table}`")), "{table}");
    }
}

/// A database with a tenant, and a connection to it.
async fn with_tenant() -> (Database, Client) {
    let database = Database::migrated().await;
    populated(&database.store(1), "Acme").await;
    let admin = database.admin().await;
    (database, admin)
}

/// The tables of a schema; the partitions of one are one.
async fn tables(admin: &Client, schema: &str) -> BTreeSet<String> {
    let tables = format!(
        "SELECT relname::text FROM pg_class WHERE relnamespace = '{schema}'::regnamespace \
         AND relkind IN ('r', 'p') AND NOT relispartition"
    );
    texts(admin, &tables).await
}

async fn texts(admin: &Client, statement: &str) -> BTreeSet<String> {
    let rows = admin.query(statement, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
