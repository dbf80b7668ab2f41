//! The suite that every store passes, in each layout.

use tessera_contract::Fixture;

use crate::server::Database;

mod schema {
    tessera_contract::store_suite!(super::fresh);
}

mod shared {
    tessera_contract::store_suite!(super::fresh_shared);
}

async fn fresh() -> Fixture {
    let database = Database::migrated().await;
    Fixture::new(database.store(8), database)
}

async fn fresh_shared() -> Fixture {
    let database = Database::shared().await;
    Fixture::new(database.store(8), database)
}
