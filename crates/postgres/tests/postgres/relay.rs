//! What a test does as a relay, and as others who write events.

use core::time::Duration;

use tessera_app::{Claim, Claimed, EventLog, Lease, Settlement, Store};
use tessera_contract::values;
use tessera_domain::{Changes, Tenant, Timestamp};
use tessera_postgres::PostgresStore;
use tokio_postgres::Client;

pub(crate) const NOW: Timestamp = values::NOW;

/// A lease of the publisher "p".
pub(crate) fn lease() -> Lease {
    Lease {
        publisher: "p",
        holder: values::id(1),
        until: NOW + Duration::from_mins(1),
    }
}

/// Commits an event of each user of `numbers`.
pub(crate) async fn happen(
    store: &PostgresStore,
    tenant: &Tenant,
    numbers: impl IntoIterator<Item = u32>,
) {
    let event = |number| values::event(number, tenant, values::created(number));
    let changes = Changes {
        events: numbers.into_iter().map(event).collect(),
        ..Changes::default()
    };
    store.commit(tenant, changes).await.unwrap();
}

/// Inserts an event of a subject that nobody else has, in the client's transaction.
pub(crate) async fn insert(client: &Client) -> u64 {
    let row = client
        .query_one(
            "INSERT INTO tessera.events (id, tenant_id, subject, sequence, type, time, body) \
             VALUES (gen_random_uuid(), gen_random_uuid(), 'user/raw', 1, 'UserCreated', 0, \
                 '{\"specversion\":\"1.0\"}') RETURNING position",
            &[],
        )
        .await
        .unwrap();
    row.get::<_, i64>(0).try_into().unwrap()
}

pub(crate) async fn claim(store: &PostgresStore, limit: usize) -> Claim {
    match store.claim(&lease(), NOW, limit).await.unwrap() {
        Claimed::Elsewhere(until) => panic!("another has it until {until:?}"),
        Claimed::Ours(claim) => claim,
    }
}

/// Has everything sent.
pub(crate) async fn settle(store: &PostgresStore, claim: Claim) {
    let settlement = Settlement {
        sent: positions(&claim),
        waiting: Vec::new(),
    };
    let settled = store.settle(&lease(), NOW, claim, settlement).await;
    settled.unwrap();
}

/// Claims and settles; answers which positions were sent.
pub(crate) async fn relay(store: &PostgresStore) -> Vec<u64> {
    let claim = claim(store, 5_000).await;
    let sent = positions(&claim);
    settle(store, claim).await;
    sent
}

pub(crate) fn positions(claim: &Claim) -> Vec<u64> {
    let events = claim.events.iter();
    events.map(|claimed| claimed.event.position).collect()
}

/// The gaps that are kept, first and last.
pub(crate) async fn gaps(client: &Client) -> Vec<(i64, i64)> {
    let rows = client
        .query(
            "SELECT first, last FROM tessera.gaps ORDER BY publisher, first",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}
