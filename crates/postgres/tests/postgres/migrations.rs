//! Migrations go up, down and up again, whoever else runs them.

use core::num::NonZeroUsize;
use std::sync::Mutex;

use tessera_app::{EventLog, Store, Unready};
use tessera_contract::values;
use tessera_domain::{Changes, SchemaName};
use tessera_postgres::{Migrate, MigrateError, PostgresStore};
use tokio_postgres::Client;

use crate::relay::insert;
use crate::server::{Database, migrate, populated, touch, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_down_and_up_again_ends_where_up_does() {
    let database = Database::empty().await;
    let store = database.store(2);
    let admin = database.admin().await;
    assert!(matches!(store.check().await, Err(Unready::NotMigrated)));
    assert_eq!(migrate(&store).await, 6);
    store.check().await.unwrap();
    let fresh = catalogue(&admin).await;

    populated(&store, "Acme").await;
    populated(&store, "Other").await;
    let with_tenants = catalogue(&admin).await;
    let down = store.migrate_down(2, &|_| {}).await.unwrap();
    assert_eq!(down.len(), 4, "{down:?}");
    assert_eq!(catalogue(&admin).await, fresh);
    assert_eq!(migrate(&store).await, 4);
    assert_eq!(catalogue(&admin).await, with_tenants);

    let planned = store.steps_down(10).await.unwrap();
    assert_eq!(planned.len(), 10, "{planned:?}");
    let down = store.migrate_down(10, &|_| {}).await.unwrap();
    assert_eq!(down.len(), 10, "{down:?}");
    assert!(matches!(store.check().await, Err(Unready::NotMigrated)));
    assert_eq!(migrate(&store).await, 6);
    assert_eq!(catalogue(&admin).await, fresh);
    populated(&store, "Acme").await;
    store.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_done_is_told_and_nothing_is_done() {
    let database = Database::empty().await;
    let store = database.store(1);
    let admin = database.admin().await;
    let before = catalogue(&admin).await;
    let steps = store.migrations().await.unwrap();
    assert!(steps.iter().all(|step| !step.applied), "{steps:?}");
    assert_eq!(steps.len(), 6);
    assert_eq!(catalogue(&admin).await, before);

    migrate(&store).await;
    populated(&store, "Acme").await;
    let steps = store.migrations().await.unwrap();
    let applied: Vec<_> = steps
        .iter()
        .map(|step| (step.schema.as_str(), step.version, step.applied))
        .collect();
    let expected = [
        ("tessera", 1, true),
        ("tessera", 2, true),
        ("tessera", 3, true),
        ("tessera", 4, true),
        ("tessera", 5, true),
        ("tessera", 6, true),
        ("acme", 1, true),
        ("acme", 2, true),
    ];
    assert_eq!(applied, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_runs_each_step_is_taken_once() {
    let database = Database::migrated().await;
    let store = database.store(4);
    for number in 0..6 {
        populated(&store, &format!("Tenant {number}")).await;
    }
    store.migrate_down(1, &|_| {}).await.unwrap();
    let told = Mutex::new(Vec::new());
    let run = async || {
        let run = Migrate {
            tenant: None,
            jobs: NonZeroUsize::new(3).unwrap(),
            progress: &|step| told.lock().unwrap().push(step.schema.clone()),
        };
        store.migrate(&run).await.unwrap().len()
    };
    let (one, other, third) = futures_util::future::join3(run(), run(), run()).await;
    assert_eq!(one + other + third, 6);
    let mut told = told.into_inner().unwrap();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenant_may_be_migrated_alone() {
    let database = Database::migrated().await;
    let store = database.store(2);
    populated(&store, "Acme").await;
    populated(&store, "Other").await;
    store.migrate_down(1, &|_| {}).await.unwrap();
    let taken = of_tenant(&store, "other").await.unwrap();
    assert_eq!(taken, ["other"]);
    let missing = of_tenant(&store, "nobody").await;
    assert!(matches!(missing, Err(MigrateError::NoTenant)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_from_before_there_were_mailed_tokens_serves_all_else_and_keeps_them_once_migrated()
 {
    let database = Database::migrated().await;
    let store = database.store(2);
    let (acme, ada, session) = populated(&store, "Acme").await;
    store.migrate_down(1, &|_| {}).await.unwrap();
    store.check().await.unwrap();
    assert_eq!(store.lagging_tenants().await.unwrap(), 1);
    assert!(store.mailed_tokens(&acme, ada.id).await.is_err());
    let keep = || Changes {
        mailed_tokens: vec![values::mailed_token(1, &ada)],
        ..touch(&ada)
    };
    assert!(store.commit(&acme, keep()).await.is_err());
    let read = store.session(&acme.schema, session.id).await.unwrap();
    assert_eq!(read.unwrap().user, ada);

    populated(&store, "Other").await;
    assert_eq!(store.lagging_tenants().await.unwrap(), 1);
    assert_eq!(migrate(&store).await, 1);
    assert_eq!(store.lagging_tenants().await.unwrap(), 0);
    store.commit(&acme, keep()).await.unwrap();
    let kept = store.mailed_tokens(&acme, ada.id).await.unwrap();
    assert_eq!(kept, [values::mailed_token(1, &ada)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_a_table_goes_first_while_a_migration_waits_for_it() {
    let database = Database::migrated().await;
    let store = database.store(1);
    store.migrate_down(1, &|_| {}).await.unwrap();
    let [holder, reader, admin] = [
        database.admin().await,
        database.admin().await,
        database.admin().await,
    ];
    let hold = "BEGIN; LOCK TABLE tessera.tenants IN ACCESS SHARE MODE";
    holder.batch_execute(hold).await.unwrap();
    let read = async {
        until("the migration waits", async || {
            let waits = "SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' \
                AND relation = 'tessera.tenants'::regclass";
            !admin.query(waits, &[]).await.unwrap().is_empty()
        })
        .await;
        let read = "SET statement_timeout = '5s'; SELECT FROM tessera.tenants";
        reader.batch_execute(read).await.unwrap();
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (taken, ()) = tokio::join!(migrate(&store), read);
    assert_eq!(taken, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_was_another_one_is_not_believed() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let admin = database.admin().await;
    admin
        .batch_execute("UPDATE tessera.migrations SET checksum = 'another'")
        .await
        .unwrap();
    let changed = of_tenant(&store, "nobody").await;
    assert!(
        matches!(changed, Err(MigrateError::Changed { version: 1, .. })),
        "{changed:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_from_before_there_were_partitions_stay_and_so_they_do_on_the_way_back() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    let parted = catalogue(&admin).await;
    store.migrate_down(4, &|_| {}).await.unwrap();
    let whole = catalogue(&admin).await;
    for last in [999_999_i64, 2_500_001] {
        let setval = "SELECT setval('tessera.events_position_seq', $1)";
        admin.query(setval, &[&last]).await.unwrap();
        let before = insert(&admin).await;
        assert_eq!(before, last.unsigned_abs() + 1);
        migrate(&store).await;
        assert_eq!(insert(&admin).await, before + 1);
        let kept = store.events(None, before - 1, 9).await.unwrap();
        assert_eq!(kept.len(), 2);
        while store.expire(kept[0].at).await.unwrap() {}
        store.migrate_down(4, &|_| {}).await.unwrap();
        assert_eq!(store.events(None, before - 1, 9).await.unwrap(), kept);
        assert_eq!(insert(&admin).await, before + 2);
    }
    assert_eq!(catalogue(&admin).await, whole);
    let empty = "TRUNCATE tessera.events RESTART IDENTITY";
    admin.batch_execute(empty).await.unwrap();
    migrate(&store).await;
    assert_eq!(catalogue(&admin).await, parted);
}

async fn of_tenant(store: &PostgresStore, schema: &str) -> Result<Vec<String>, MigrateError> {
    let schema = SchemaName::parse(schema).unwrap();
    let run = Migrate {
        tenant: Some(&schema),
        jobs: NonZeroUsize::MIN,
        progress: &|_| {},
    };
    let taken = store.migrate(&run).await?;
    Ok(taken.into_iter().map(|step| step.schema).collect())
}

/// Every schema, column, constraint, index, trigger and function that is not Postgres' own.
async fn catalogue(admin: &Client) -> Vec<String> {
    let rows = admin
        .query(
            "WITH ours AS (SELECT oid, nspname FROM pg_namespace \
                 WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')) \
             SELECT nspname::text FROM ours \
             UNION ALL SELECT format('%s %s %s %s %s', nspname, relname, attname, \
                 format_type(atttypid, atttypmod), attnotnull) \
                 FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
                 JOIN ours ON ours.oid = relnamespace WHERE attnum > 0 AND NOT attisdropped AND relname <> 'migrations' \
             UNION ALL SELECT format('%s %s %s', nspname, conname, pg_get_constraintdef(c.oid)) \
                 FROM pg_constraint c JOIN ours ON ours.oid = connamespace \
             UNION ALL SELECT indexdef FROM pg_indexes JOIN ours ON nspname = schemaname \
             UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t \
                 JOIN pg_class c ON c.oid = tgrelid JOIN ours ON ours.oid = relnamespace \
                 WHERE NOT tgisinternal \
             UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc p \
                 JOIN ours ON ours.oid = pronamespace \
             ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let kept = rows.iter().map(|row| row.get::<_, String>(0));
    // It is made by the first run, and stays.
    let book = |line: &String| line == "tessera" || line.contains("migrations");
    kept.filter(|line| !book(line)).collect()
}
