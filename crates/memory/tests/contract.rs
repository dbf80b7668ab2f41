//! The store in memory does what every store must do.

use tessera_contract::Fixture;
use tessera_memory::MemoryStore;

tessera_contract::store_suite!(fresh);

async fn fresh() -> Fixture {
    Fixture::new(MemoryStore::default(), ())
}
