//! The switches of the store in memory do what they say.

use tessera_app::{CommitError, Store, Unavailable, Unique, Unready};
use tessera_contract::values;
use tessera_domain::{Change, Changes};
use tessera_memory::MemoryStore;

#[tokio::test]
async fn a_commit_fails_as_it_was_told_and_the_next_goes_through() {
    let store = MemoryStore::default();
    let (tenant, changes) = a_change();
    store.fail_next_commit(CommitError::Duplicate(Unique::Domain));
    let answer = store.commit(&tenant, changes.clone()).await;
    assert!(matches!(
        answer,
        Err(CommitError::Duplicate(Unique::Domain))
    ));
    store.stale_next_commits(2);
    for _ in 0..2 {
        let answer = store.commit(&tenant, changes.clone()).await;
        assert!(matches!(answer, Err(CommitError::Stale)));
    }
    assert_eq!(store.commits(), 0);
    assert!(store.tenants().await.unwrap().is_empty());

    store.commit(&tenant, changes).await.unwrap();
    assert_eq!(store.commits(), 1);
}

#[tokio::test]
async fn a_store_that_is_unavailable_answers_so_and_keeps_what_it_has() {
    let store = MemoryStore::default();
    let (tenant, changes) = a_change();
    store.commit(&tenant, changes.clone()).await.unwrap();
    store.unavailable(true);
    assert!(matches!(store.tenants().await, Err(Unavailable(_))));
    assert!(matches!(store.check().await, Err(Unready::Unavailable(_))));
    let answer = store.commit(&tenant, changes).await;
    assert!(matches!(answer, Err(CommitError::Unavailable(_))));
    store.unavailable(false);
    assert_eq!(store.tenants().await.unwrap().len(), 1);
    assert_eq!(store.commits(), 1);
}

#[tokio::test]
async fn the_log_has_what_was_committed_and_how_it_is_written_down() {
    let store = MemoryStore::default();
    let (tenant, changes) = a_change();
    let event = values::event(1, &tenant, values::created(1));
    let changes = Changes {
        events: vec![event.clone()],
        ..changes
    };
    store.commit(&tenant, changes).await.unwrap();
    let log = store.events();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].position, 1);
    assert_eq!(log[0].encoded, tessera_wire::encode(&event));
    assert_eq!(log[0].event, event);
}

fn a_change() -> (tessera_domain::Tenant, Changes) {
    let tenant = values::tenant("Acme");
    let changes = Changes {
        tenants: vec![Change::Insert(tenant.clone())],
        ..Changes::default()
    };
    (tenant, changes)
}
