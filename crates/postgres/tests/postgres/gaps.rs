//! Positions become visible in another order than they are given out, and none is skipped.

use tessera_app::{EventLog, Settlement};
use tessera_domain::Waiting;

use crate::relay::{NOW, claim, gaps, happen, insert, lease, positions, relay, settle};
use crate::server::{Database, populated, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_commits_after_later_ones_is_not_skipped() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    store.enrol("p").await.unwrap();
    let [slow, slower, admin] = [
        database.admin().await,
        database.admin().await,
        database.admin().await,
    ];
    slow.batch_execute("BEGIN").await.unwrap();
    slower.batch_execute("BEGIN").await.unwrap();
    let late = [insert(&slow).await, insert(&slow).await];
    let later = insert(&slower).await;
    let last = insert(&slow).await;
    happen(&store, &acme, [11, 12, 13]).await;
    assert_eq!(relay(&store).await, [last + 1, last + 2, last + 3]);
    assert!(relay(&store).await.is_empty());
    assert_eq!(gaps(&admin).await, [(1, 4)]);

    slow.batch_execute("COMMIT").await.unwrap();
    happen(&store, &acme, [14]).await;
    // However little a claim may have, what came late is before what is new.
    let cut = claim(&store, 2).await;
    assert!(cut.more);
    assert_eq!(positions(&cut), late);
    settle(&store, cut).await;
    assert_eq!(gaps(&admin).await, [(3, 4)]);
    assert_eq!(relay(&store).await, [last, last + 4]);
    slower.batch_execute("COMMIT").await.unwrap();
    assert_eq!(relay(&store).await, [later]);
    assert!(gaps(&admin).await.is_empty());
    assert!(relay(&store).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_late_and_was_not_sent_waits_as_any_other() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    store.enrol("p").await.unwrap();
    let slow = database.admin().await;
    slow.batch_execute("BEGIN").await.unwrap();
    let late = insert(&slow).await;
    happen(&store, &acme, [11]).await;
    relay(&store).await;
    slow.batch_execute("COMMIT").await.unwrap();
    let claimed = claim(&store, 10).await;
    assert!(claimed.events.iter().all(|event| event.waiting.is_none()));
    let settlement = Settlement {
        sent: Vec::new(),
        waiting: vec![(late, Waiting::due(NOW), Some("not\0now".to_owned()))],
    };
    let settled = store.settle(&lease(), NOW, claimed, settlement).await;
    settled.unwrap();
    assert!(gaps(&slow).await.is_empty());
    let again = claim(&store, 10).await;
    assert_eq!(positions(&again), [late]);
    assert!(again.events.iter().all(|event| event.waiting.is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_whose_transaction_was_rolled_back_is_forgotten() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    store.enrol("p").await.unwrap();
    let [slow, admin] = [database.admin().await, database.admin().await];
    slow.batch_execute("BEGIN").await.unwrap();
    insert(&slow).await;
    happen(&store, &acme, [11]).await;
    relay(&store).await;
    relay(&store).await;
    assert_eq!(gaps(&admin).await, [(1, 1)]);
    slow.batch_execute("ROLLBACK").await.unwrap();
    // Transactions of other tests hold it up as well.
    until("it is forgotten", async || {
        relay(&store).await;
        gaps(&admin).await.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_outlives_the_end_of_older_transactions_than_the_one_that_holds_it() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let clients = [
        database.admin().await,
        database.admin().await,
        database.admin().await,
    ];
    let [quick, older, slow] = &clients;
    for client in &clients {
        let begin = "BEGIN; SELECT pg_current_xact_id()";
        client.batch_execute(begin).await.unwrap();
    }
    let late = insert(slow).await;
    insert(quick).await;
    quick.batch_execute("COMMIT").await.unwrap();
    store.enrol("p").await.unwrap();
    older.batch_execute("COMMIT").await.unwrap();
    assert!(relay(&store).await.is_empty());
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(relay(&store).await, [late]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_transaction_of_somebody_else_stalls_nothing() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    store.enrol("p").await.unwrap();
    let [long, slow] = [database.admin().await, database.admin().await];
    let write = "BEGIN; SELECT pg_current_xact_id()";
    long.batch_execute(write).await.unwrap();
    slow.batch_execute("BEGIN").await.unwrap();
    let late = insert(&slow).await;
    happen(&store, &acme, [11]).await;
    assert_eq!(relay(&store).await, [late + 1]);
    slow.batch_execute("COMMIT").await.unwrap();
    happen(&store, &acme, [12]).await;
    assert_eq!(relay(&store).await, [late, late + 2]);
    happen(&store, &acme, [13]).await;
    assert_eq!(relay(&store).await, [late + 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_open_when_a_publisher_was_enrolled_is_not_skipped() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    let [slow, admin] = [database.admin().await, database.admin().await];
    slow.batch_execute("BEGIN").await.unwrap();
    let late = insert(&slow).await;
    happen(&store, &acme, [11]).await;
    store.enrol("p").await.unwrap();
    store.enrol("p").await.unwrap();
    assert_eq!(gaps(&admin).await, [(1, 1)]);
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(store.progress().await.unwrap()[0].pending, 1);
    assert_eq!(relay(&store).await, [late]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_of_another_server_whose_data_was_restored_here_is_forgotten() {
    let database = Database::migrated().await;
    let store = database.store(1);
    store.enrol("p").await.unwrap();
    let admin = database.admin().await;
    let restored = "INSERT INTO tessera.gaps (publisher, first, last, seen) \
                    VALUES ('p', 1, 9, '4000000000000')";
    admin.batch_execute(restored).await.unwrap();
    relay(&store).await;
    assert!(gaps(&admin).await.is_empty());
}
