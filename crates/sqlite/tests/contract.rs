//! The store in one `SQLite` file does what every store must do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use tessera_contract::Fixture;
use tessera_sqlite::{SqliteSettings, SqliteStore};

tessera_contract::store_suite!(fresh);

async fn fresh() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(SqliteSettings::new(folder.path().join("t.db"))).unwrap();
    store.migrate().await.unwrap();
    Fixture::new(store, folder)
}
