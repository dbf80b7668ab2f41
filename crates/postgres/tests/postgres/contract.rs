//! The suite that every store passes.

use tessera_contract::Fixture;

use crate::server::Database;

tessera_contract::store_suite!(fresh);

async fn fresh() -> Fixture {
    let database = Database::migrated().await;
    Fixture::new(database.store(8), database)
}
