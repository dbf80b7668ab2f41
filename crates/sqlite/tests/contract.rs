//! The store in one `SQLite` file does what every store must do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text};
use tempfile::TempDir;
use tessera_contract::{EventLog, Fixture, StoredEvent};
use tessera_domain::Id;
use tessera_sqlite::{SqliteSettings, SqliteStore};
use uuid::Uuid;

tessera_contract::store_suite!(fresh);

async fn fresh() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(SqliteSettings::new(folder.path().join("t.db"))).unwrap();
    store.migrate().await.unwrap();
    Fixture::new(store, Log(folder))
}

/// A second process, as far as the store can tell.
struct Log(TempDir);

#[async_trait]
impl EventLog for Log {
    async fn events(&self) -> Vec<StoredEvent> {
        let path = self.0.path().join("t.db");
        let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        let rows: Vec<Row> = sql_query(
            "SELECT position, tenant_id, subject, sequence, type AS event_type, body FROM events",
        )
        .load(&mut conn)
        .unwrap();
        rows.into_iter().map(StoredEvent::from).collect()
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = Binary)]
    tenant_id: Vec<u8>,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = Text)]
    event_type: String,
    #[diesel(sql_type = Text)]
    body: String,
}

impl From<Row> for StoredEvent {
    fn from(row: Row) -> Self {
        Self {
            position: row.position.try_into().unwrap(),
            tenant: Id::from(Uuid::from_slice(&row.tenant_id).unwrap()),
            subject: row.subject,
            sequence: row.sequence.try_into().unwrap(),
            event_type: row.event_type,
            body: row.body,
        }
    }
}
