//! The store in memory does what every store must do.

use async_trait::async_trait;
use tessera_contract::{EventLog, Fixture, StoredEvent};
use tessera_memory::MemoryStore;

tessera_contract::store_suite!(fresh);

async fn fresh() -> Fixture {
    let store = MemoryStore::default();
    Fixture::new(store.clone(), Log(store))
}

struct Log(MemoryStore);

#[async_trait]
impl EventLog for Log {
    async fn events(&self) -> Vec<StoredEvent> {
        let stored = self.0.events().into_iter().map(|logged| StoredEvent {
            position: logged.position,
            tenant: logged.event.tenant,
            subject: logged.encoded.subject,
            sequence: logged.event.fact.sequence,
            event_type: logged.encoded.event_type.to_owned(),
            body: logged.encoded.body,
        });
        stored.collect()
    }
}
