//! The tables go up, down and up again, and tables of another making are refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use std::path::Path;
use tessera_app::{Store, Unready};
use tessera_sqlite::{MigrateError, OpenError, SqliteSettings, SqliteStore};

#[tokio::test]
async fn up_down_up_gives_the_same_tables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let store = open(&file).unwrap();
    assert!(matches!(store.check().await, Err(Unready::NotMigrated)));

    let names = store.migrate().await.unwrap();
    let tables = tables(&file);
    assert!(!names.is_empty());
    assert!(store.check().await.is_ok());

    let mut back = store.down(usize::MAX).await.unwrap();
    back.reverse();
    assert_eq!(back, names);
    assert_eq!(self::tables(&file).len(), 1, "the bookkeeping stays");
    assert!(matches!(store.check().await, Err(Unready::NotMigrated)));

    assert_eq!(store.migrate().await.unwrap(), names);
    assert_eq!(self::tables(&file), tables);
    assert!(store.check().await.is_ok());
}

#[tokio::test]
async fn each_step_down_and_up_gives_the_same_tables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let store = open(&file).unwrap();
    let names = store.migrate().await.unwrap();
    let tables = tables(&file);
    for steps in 1..=names.len() {
        assert_eq!(store.down(steps).await.unwrap().len(), steps);
        assert_eq!(store.migrate().await.unwrap().len(), steps);
        assert_eq!(self::tables(&file), tables);
    }
}

#[tokio::test]
async fn what_is_applied_is_not_applied_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("t.db")).unwrap();
    let before = store.status().await.unwrap();
    assert!(before.iter().all(|one| one.applied_at.is_none()));
    let names = store.migrate().await.unwrap();
    assert!(store.migrate().await.unwrap().is_empty());
    let after = store.status().await.unwrap();
    assert!(after.iter().all(|one| one.applied_at.is_some()));
    assert!(after.iter().map(|one| &one.name).eq(&names));
}

#[tokio::test]
async fn tables_of_a_later_version_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let store = open(&file).unwrap();
    store.migrate().await.unwrap();
    let later = "INSERT INTO migrations VALUES (9999, '9999_later', '', 0)";
    direct(&file).batch_execute(later).unwrap();

    assert!(matches!(store.check().await, Err(Unready::NotMigrated)));
    assert!(matches!(store.migrate().await, Err(MigrateError::Newer(_))));
    assert!(matches!(store.down(1).await, Err(MigrateError::Newer(_))));
    drop(store);
    let refused = open(&file).err().unwrap();
    assert!(matches!(
        refused,
        OpenError::Schema(_, MigrateError::Newer(_))
    ));
    assert!(refused.to_string().contains("9999_later"));
}

#[tokio::test]
async fn a_migration_that_was_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let store = open(&file).unwrap();
    store.migrate().await.unwrap();
    drop(store);
    let changed = "UPDATE migrations SET checksum = 'another'";
    direct(&file).batch_execute(changed).unwrap();
    assert!(matches!(
        open(&file),
        Err(OpenError::Schema(_, MigrateError::Changed(_)))
    ));
}

fn open(file: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(SqliteSettings::new(file))
}

fn direct(file: &Path) -> SqliteConnection {
    SqliteConnection::establish(file.to_str().unwrap()).unwrap()
}

/// The text of every table and index, `SQLite`'s own apart.
fn tables(file: &Path) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        sql: String,
    }
    let rows: Vec<Row> = sql_query(
        "SELECT sql FROM sqlite_schema \
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY name",
    )
    .load(&mut direct(file))
    .unwrap();
    rows.into_iter().map(|row| row.sql).collect()
}
