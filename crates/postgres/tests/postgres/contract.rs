//! The suite that every store passes.

use async_trait::async_trait;
use tessera_contract::{EventLog, Fixture, StoredEvent};
use tessera_domain::Id;

use crate::server::Database;

tessera_contract::store_suite!(fresh);

async fn fresh() -> Fixture {
    let database = Database::migrated().await;
    Fixture::new(database.store(8), Log(database))
}

struct Log(Database);

#[async_trait]
impl EventLog for Log {
    async fn events(&self) -> Vec<StoredEvent> {
        let rows = self
            .0
            .admin()
            .await
            .query(
                "SELECT position, tenant_id::text, subject, sequence, type, body \
                 FROM tessera.events",
                &[],
            )
            .await
            .unwrap();
        rows.iter()
            .map(|row| StoredEvent {
                position: row.get::<_, i64>(0).try_into().unwrap(),
                tenant: row.get::<_, &str>(1).parse::<Id<_>>().unwrap(),
                subject: row.get(2),
                sequence: row.get::<_, i64>(3).try_into().unwrap(),
                event_type: row.get(4),
                body: row.get(5),
            })
            .collect()
    }
}
